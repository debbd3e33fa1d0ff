/* System V semaphores: operations, removing, and the commands of semctl. */
#include "sem_sysv.h"
#include "sysv.h"

TEST(key, 10, "a key leads to one set; semget refuses what it cannot give")
{
	semctl(semget(KEY, 0, 0), 0, IPC_RMID);
	CHECK_ERR(semget(KEY, 3, 0600), ENOENT);
	CHECK_ERR(semget(KEY, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(semget(KEY, -1, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(syscall(DIRECT_SEMGET, KEY, 32001, IPC_CREAT | 0600), EINVAL);
	id = semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(semget(KEY, 3, 0600), id);
	CHECK_EQ(semget(KEY, 0, 0), id);
	CHECK_ERR(semget(KEY, 4, 0), EINVAL);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(value(i), 0);
	CHECK_ERR(value(3), EINVAL);
	CHECK_ERR(value(-1), EINVAL);
	clean_up();
	CHECK_ERR(value(0), EINVAL);
	CHECK_ERR(op(0, 1, 0), EINVAL);
}

TEST(values, 10, "SETVAL, SETALL, GETALL, and the limits of a value")
{
	unsigned short all[3] = { 1, 32767, 3 }, seen[3] = { 0 };

	set_up(3);
	CHECK_EQ(semctl(id, 0, SETALL, (union semun){ .array = all }), 0);
	CHECK_EQ(semctl(id, 0, GETALL, (union semun){ .array = seen }), 0);
	CHECK_EQ(memcmp(all, seen, sizeof(all)), 0);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_ERR(op(1, 1, 0), ERANGE);
	CHECK_EQ(op(1, -32767, 0), 0);
	CHECK_EQ(value(1), 0);
	CHECK_ERR(semctl(id, 1, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERR(semctl(id, 1, SETVAL, (union semun){ .val = -1 }), ERANGE);
	CHECK_ERR(semctl(id, 9, SETVAL, (union semun){ .val = 1 }), EINVAL);
	all[2] = 32768;
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = all }), ERANGE);
	CHECK_ERR(semctl(id, 0, SETALL, (union semun){ .array = (void *)8 }), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, (union semun){ .array = (void *)8 }), EFAULT);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	clean_up();
}

TEST(together, 10, "the operations of a call happen together or not at all, in their order")
{
	struct sembuf both[] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };
	struct sembuf order[] = { { 0, 2, 0 }, { 0, -1, IPC_NOWAIT }, { 1, 0, IPC_NOWAIT } };
	struct sembuf same[] = { { 0, 0, IPC_NOWAIT }, { 0, 1, 0 }, { 0, 0, IPC_NOWAIT } };

	set_up(2);
	set(0, 1);
	CHECK_ERR(semop(id, both, 2), EAGAIN);
	CHECK_EQ(value(0), 1);
	set(1, 1);
	CHECK_EQ(semop(id, both, 2), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(value(1), 0);
	CHECK_EQ(semop(id, order, 3), 0);
	CHECK_EQ(value(0), 1);
	set(0, 0);
	CHECK_ERR(semop(id, same, 3), EAGAIN);
	CHECK_EQ(value(0), 0);
	set(0, 32767);
	order[1] = (struct sembuf){ 1, 5, SEM_UNDO };
	order[0] = (struct sembuf){ 1, -1, SEM_UNDO };
	set(1, 1);
	order[2] = (struct sembuf){ 0, 1, 0 };
	CHECK_ERR(semop(id, order, 3), ERANGE);
	CHECK_EQ(value(1), 1);
	clean_up();
}

TEST(refused, 10, "semop refuses bad numbers, counts and addresses")
{
	static struct sembuf many[501];
	struct sembuf last = { 2, 1, 0 };

	set_up(2);
	CHECK_ERR(semop(id, &last, 1), EFBIG);
	CHECK_ERR(semop(id, &last, 0), EINVAL);
	CHECK_ERR(semop(id, many, 501), E2BIG);
	CHECK_EQ(semop(id, many, 500), 0); /* all are tests for zero */
	CHECK_ERR(semop(id, (void *)8, 1), EFAULT);
	CHECK_ERR(semop(-1, &last, 1), EINVAL);
	clean_up();
}

/* ---- descriptions and rights ---- */

TEST(description, 10, "IPC_STAT and IPC_SET, and the kernel's own structure")
{
	time_t before = time(NULL) - 1; /* Linux rounds its own times down to a tick */
	struct semid_ds ds;
	struct semid64 own;

	set_up(5);
	CHECK_EQ(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	CHECK_EQ(ds.sem_nsems, 5);
	CHECK_EQ(ds.sem_otime, 0);
	CHECK(ds.sem_ctime >= before && ds.sem_ctime <= before + 5);
	CHECK_EQ(ds.sem_perm.mode, 0600);
	CHECK_EQ(op(0, 1, 0), 0);
	ds.sem_perm.mode = 0604;
	CHECK_EQ(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }), 0);
	memset(&own, 0xff, sizeof(own));
	CHECK_EQ(syscall(DIRECT_SEMCTL, id, 0, 2, &own), 0); /* IPC_STAT */
	CHECK_EQ(sizeof(own), 64);
	CHECK_EQ(own.mode, 0604);
	CHECK_EQ(own.nsems, 5);
	CHECK_EQ(own.cuid, geteuid());
	CHECK_EQ(own.seq, id >> 15);
	CHECK(own.otime >= before && own.otime_high == 0 && own.ctime_high == 0);
	CHECK_EQ(own.unused2[1], 0);
	CHECK_ERR(syscall(DIRECT_SEMCTL, id, 0, 2, 8), EFAULT);
	CHECK_ERR(syscall(DIRECT_SEMCTL, id, 0, 2 | 0x100, &own), EINVAL);
	CHECK_ERR(syscall(DIRECT_SEMCTL, -1, 0, IPC_RMID, 0), EINVAL);
	clean_up();
}

static void as_other(void)
{
	struct semid_ds ds;

	CHECK_EQ(setgid(1001), 0);
	CHECK_EQ(setuid(1001), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(op(0, 0, 0), 0);
	CHECK_ERR(op(0, 1, 0), EACCES);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 1 }), EACCES);
	CHECK_EQ(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	CHECK_ERR(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }), EPERM);
	CHECK_ERR(semctl(id, 0, IPC_RMID), EPERM);
	CHECK_EQ(semget(KEY, 1, 0444), id);
	CHECK_ERR(semget(KEY, 1, 0222), EACCES);
}

TEST(permissions, 10, "others have the rights of the mode; a test for zero only reads")
{
	semctl(semget(KEY, 0, 0), 0, IPC_RMID);
	id = semget(KEY, 1, IPC_CREAT | 0604);
	CHECK(id >= 0);
	CHECK_EQ(in_child(as_other), 0);
	clean_up();
}

TEST(use, 10, "IPC_INFO, SEM_INFO, SEM_STAT and /proc/sysvipc/sem tell of the sets")
{
	struct seminfo before, info;
	struct semid_ds ds;
	char wanted[128];
	int highest, found = 0;

	CHECK(semctl(0, 0, SEM_INFO, (union semun){ .info = &before }) >= 0);
	set_up(7);
	highest = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	CHECK(highest >= 0);
	CHECK_EQ(info.semusz, before.semusz + 1);
	CHECK_EQ(info.semaem, before.semaem + 7);
	CHECK_EQ(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }), highest);
	CHECK_EQ(info.semmni, 32000);
	CHECK_EQ(info.semmsl, 32000);
	CHECK_EQ(info.semmns, 1024000000);
	CHECK_EQ(info.semopm, 500);
	CHECK_EQ(info.semvmx, 32767);
	for (int i = 0; i <= highest; i++)
		if (semctl(i, 0, SEM_STAT, (union semun){ .buf = &ds }) == id) {
			CHECK_EQ(ds.sem_nsems, 7);
			found++;
		}
	CHECK_EQ(found, 1);
	snprintf(wanted, sizeof(wanted), "%10d %10d   600 %10d %5d %5d %5d %5d %10d ", 0, id, 7,
		 geteuid(), getegid(), geteuid(), getegid(), 0);
	listed_object("sem",
		      "       key      semid perms      nsems   uid   gid  cuid  cgid      "
		      "otime      ctime\n",
		      wanted);
	clean_up();
}

TEST(large, 10, "a set of 32000 semaphores")
{
	static unsigned short all[32000], seen[32000];
	struct sembuf sops[] = { { 31999, -1, SEM_UNDO }, { 0, 1, SEM_UNDO } };

	set_up(32000);
	for (int i = 0; i < 32000; i++)
		all[i] = i;
	CHECK_EQ(semctl(id, 0, SETALL, (union semun){ .array = all }), 0);
	CHECK_EQ(semop(id, sops, 2), 0);
	CHECK_EQ(semctl(id, 0, GETALL, (union semun){ .array = seen }), 0);
	CHECK_EQ(seen[31999], 31998);
	CHECK_EQ(seen[0], 1);
	CHECK_EQ(memcmp(all + 1, seen + 1, 31998 * sizeof(*all)), 0);
	clean_up();
}
