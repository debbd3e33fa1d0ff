/* System V semaphores: operations, waiting, undoing, removing, and the commands of semctl. */
#define _GNU_SOURCE
#include "background.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#define KEY 0x5e62
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
/* The numbers of the calls on i386. */
enum { DIRECT_SEMGET = 393, DIRECT_SEMCTL, DIRECT_SEMTIMEDOP = 420 };

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

struct semid64 { /* linux/sem.h on i386 */
	int key;
	unsigned int uid, gid, cuid, cgid;
	unsigned short mode, pad1, seq, pad2;
	unsigned int unused[2];
	unsigned int otime, otime_high, ctime, ctime_high, nsems, unused2[2];
};

static int id;

static void set_up(int nr)
{
	id = semget(IPC_PRIVATE, nr, 0600);
	CHECK(id >= 0);
}

static void clean_up(void)
{
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static int op(int number, int change, int flags)
{
	struct sembuf sops = { number, change, flags };

	return semop(id, &sops, 1);
}

static int value(int number)
{
	return semctl(id, number, GETVAL);
}

static void set(int number, int to)
{
	CHECK_EQ(semctl(id, number, SETVAL, (union semun){ .val = to }), 0);
}

/* Wait until that many tasks wait for the semaphore. */
static void await(int number, int command, int nr)
{
	while (semctl(id, number, command) != nr)
		test_sleep_ms(1);
}

static int in_child(void (*function)(void))
{
	return test_wait(in_background(function));
}

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

/* ---- waiting ---- */

static void take_two(void)
{
	CHECK_EQ(op(0, -2, 0), 0);
	CHECK_EQ(op(1, 1, 0), 0);
}

static void await_zero(void)
{
	CHECK_EQ(op(0, 0, 0), 0);
}

TEST(waits, 10, "a task waits until the value is large enough, or zero")
{
	pid_t taker, waiter;

	set_up(2);
	taker = in_background(take_two);
	await(0, GETNCNT, 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_EQ(op(0, 1, 0), 0);
	test_sleep_ms(20);
	CHECK_EQ(value(0), 1);
	waiter = in_background(await_zero);
	await(0, GETZCNT, 1);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(taker), 0);
	CHECK_EQ(test_wait(waiter), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(value(1), 1);
	CHECK_EQ(semctl(id, 0, GETPID), waiter);
	clean_up();
}

static int place;

static void take_in_turn(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
	CHECK_EQ(op(1, place, 0), 0);
}

TEST(in_order, 20, "tasks are served in the order in which they came")
{
	pid_t child[4];

	set_up(2);
	for (place = 1; place <= 4; place++) {
		child[place - 1] = in_background(take_in_turn);
		await(0, GETNCNT, place);
	}
	for (int i = 0; i < 4; i++) {
		set(1, 0);
		CHECK_EQ(op(0, 1, 0), 0);
		CHECK_EQ(test_wait(child[i]), 0);
		CHECK_EQ(value(1), i + 1);
	}
	clean_up();
}

static void take_many(void)
{
	CHECK_EQ(op(0, -3, 0), 0);
}

static void take_one(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
}

static void pass_on(void)
{
	struct sembuf sops[] = { { 0, -1, 0 }, { 1, 1, 0 } };

	CHECK_EQ(semop(id, sops, 2), 0);
}

static void take_passed(void)
{
	CHECK_EQ(op(1, -1, 0), 0);
}

TEST(chain, 10, "a large wish does not hold up a small one, and one that was served serves others")
{
	pid_t many, one, passed, passing;

	set_up(2);
	many = in_background(take_many);
	await(0, GETNCNT, 1);
	one = in_background(take_one);
	await(0, GETNCNT, 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(one), 0);
	passed = in_background(take_passed);
	await(1, GETNCNT, 1);
	passing = in_background(pass_on);
	await(0, GETNCNT, 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(passing), 0);
	CHECK_EQ(test_wait(passed), 0);
	set(0, 3); /* so does a value that is set */
	CHECK_EQ(test_wait(many), 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void sees_removal(void)
{
	CHECK_ERR(op(0, -1, 0), EIDRM);
}

TEST(removed, 10, "IPC_RMID ends the waits with EIDRM")
{
	pid_t a, b;

	set_up(1);
	a = in_background(sees_removal);
	b = in_background(sees_removal);
	await(0, GETNCNT, 2);
	clean_up();
	CHECK_EQ(test_wait(a), 0);
	CHECK_EQ(test_wait(b), 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void is_interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
	CHECK_ERR(op(0, -1, 0), EINTR);
}

static void waits_for_one(void)
{
	op(0, -1, 0);
}

TEST(interrupted, 10,
     "a signal ends the wait with EINTR, in spite of SA_RESTART, and so does a kill")
{
	pid_t child;

	set_up(1);
	child = in_background(is_interrupted);
	await(0, GETNCNT, 1);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
	child = in_background(waits_for_one);
	await(0, GETNCNT, 1);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(value(0), 1);
	clean_up();
}

TEST(timed, 10, "semtimedop waits for so long, and takes what is there at once")
{
	struct sembuf take = { 0, -1, 0 };
	struct timespec wait = { 0, 50000000 }, none = { 0, 0 }, bad = { 0, 1000000000 };
	long long wide[2] = { 0, 20000000 };
	long long start = test_ms();

	set_up(1);
	CHECK_ERR(semtimedop(id, &take, 1, &wait), EAGAIN);
	CHECK(test_ms() - start >= 49);
	CHECK_ERR(semtimedop(id, &take, 1, &none), EAGAIN);
	CHECK_ERR(semtimedop(id, &take, 1, &bad), EINVAL);
	CHECK_ERR(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, wide), EAGAIN);
	CHECK_ERR(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, 8), EFAULT);
	set(0, 2);
	CHECK_EQ(semtimedop(id, &take, 1, &none), 0);
	CHECK_EQ(syscall(DIRECT_SEMTIMEDOP, id, &take, 1, NULL), 0);
	clean_up();
}

static void take_now(void)
{
	for (int i = 0; i < 500; i++) {
		CHECK_EQ(op(0, -1, SEM_UNDO), 0);
		set(1, value(1) + 1);
		CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	}
}

TEST(exclusion, 20, "a semaphore of one keeps processes apart")
{
	pid_t child[3];

	set_up(2);
	set(0, 1);
	for (int i = 0; i < 3; i++)
		child[i] = in_background(take_now);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(child[i]), 0);
	CHECK_EQ(value(0), 1);
	CHECK_EQ(value(1), 1500);
	clean_up();
}

/* ---- undoing ---- */

static void take_and_exit(void)
{
	CHECK_EQ(op(0, -1, SEM_UNDO), 0);
	CHECK_EQ(op(1, 3, SEM_UNDO), 0);
	CHECK_EQ(op(1, 1, 0), 0);
}

static void take_and_die(void)
{
	take_and_exit();
	raise(SIGKILL);
}

static void wait_for_undo(void)
{
	CHECK_EQ(op(0, -2, 0), 0);
}

TEST(undone, 10, "what was done with SEM_UNDO is undone at the end, and others who wait go on")
{
	pid_t waiter;

	set_up(2);
	set(0, 2);
	CHECK_EQ(in_child(take_and_exit), 0);
	CHECK_EQ(value(0), 2);
	CHECK_EQ(value(1), 1);
	set(0, 1);
	waiter = in_background(wait_for_undo);
	await(0, GETNCNT, 1);
	set(0, 1);
	CHECK_EQ(in_child(take_and_die), 128 + SIGKILL);
	CHECK_EQ(value(0), 1);
	CHECK_EQ(value(1), 2);
	CHECK_EQ(op(0, 1, 0), 0);
	CHECK_EQ(test_wait(waiter), 0);
	clean_up();
}

static void hold_until_told(void)
{
	CHECK_EQ(op(0, -1, SEM_UNDO), 0);
	CHECK_EQ(op(1, -1, 0), 0);
}

static void take_what_was_held(void)
{
	CHECK_EQ(op(0, -1, 0), 0);
}

TEST(undo_wakes, 10, "a task that waits for what another one holds gets it when that ends")
{
	pid_t holder, waiter;

	set_up(2);
	set(0, 1);
	holder = in_background(hold_until_told);
	await(1, GETNCNT, 1);
	waiter = in_background(take_what_was_held);
	await(0, GETNCNT, 1);
	CHECK_EQ(op(1, 1, 0), 0);
	CHECK_EQ(test_wait(holder), 0);
	CHECK_EQ(test_wait(waiter), 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void exec_with_undo(void)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	execl("/bin/sh", "sh", "-c", "exit 9", NULL);
}

static void add_and_fork(void)
{
	pid_t child;

	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	child = fork();
	if (!child)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(value(0), 1); /* a child inherits nothing to undo */
}

static void undo_below_zero(void)
{
	CHECK_EQ(op(0, 5, SEM_UNDO), 0);
	CHECK_EQ(op(0, -3, 0), 0);
}

static void undo_is_forgotten(void)
{
	CHECK_EQ(op(0, 5, SEM_UNDO), 0);
	set(0, 4);
}

static void undo_has_a_limit(void)
{
	for (int i = 0; i < 32768; i++) {
		CHECK_EQ(op(0, 1, SEM_UNDO), 0);
		CHECK_EQ(op(0, -1, 0), 0);
	}
	CHECK_ERR(op(0, 1, SEM_UNDO), ERANGE);
	CHECK_EQ(value(0), 0);
}

TEST(undo_rules, 10,
     "exec keeps it, fork does not hand it on, SETVAL forgets it, and it has limits")
{
	set_up(1);
	CHECK_EQ(in_child(exec_with_undo), 9);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(in_child(add_and_fork), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(in_child(undo_below_zero), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(in_child(undo_is_forgotten), 0);
	CHECK_EQ(value(0), 4);
	set(0, 0);
	CHECK_EQ(in_child(undo_has_a_limit), 0);
	clean_up();
}

static void remove_with_undo(void)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	clean_up();
	set_up(1);
}

TEST(undo_removed, 10, "a set that was removed has nothing to undo")
{
	struct seminfo info;
	struct semid_ds ds;

	set_up(1);
	CHECK_EQ(in_child(remove_with_undo), 0);
	CHECK_ERR(value(0), EINVAL);
	/* The child's second set is still there, and nothing has changed it. */
	id = semctl(0, 0, SEM_INFO, (union semun){ .info = &info });
	CHECK(id >= 0);
	id = semctl(id, 0, SEM_STAT, (union semun){ .buf = &ds });
	CHECK(id >= 0);
	CHECK_EQ(value(0), 0);
	clean_up();
}

static void *add_with_undo(void *unused)
{
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
	return unused;
}

static void threads_share(void)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, add_with_undo, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(value(0), 1); /* the thread has ended, and the process lives */
	CHECK_EQ(op(0, 1, SEM_UNDO), 0);
}

static int add_and_end(void *unused)
{
	(void)unused;
	op(0, 1, SEM_UNDO);
	return 0;
}

static void clone_shares(bool share)
{
	static char stack[16384] __attribute__((aligned(16)));
	pid_t child = clone(add_and_end, stack + sizeof(stack),
			    SIGCHLD | CLONE_VM | (share ? CLONE_SYSVSEM : 0), NULL);

	CHECK(child > 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(value(0), share);
}

static void clone_with(void)
{
	clone_shares(true);
}

static void clone_without(void)
{
	clone_shares(false);
}

TEST(undo_shared, 10,
     "CLONE_SYSVSEM: what is to be undone belongs to all, and the last one undoes it")
{
	set_up(1);
	CHECK_EQ(in_child(threads_share), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(in_child(clone_with), 0);
	CHECK_EQ(value(0), 0);
	CHECK_EQ(in_child(clone_without), 0);
	CHECK_EQ(value(0), 0);
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
	char line[256], wanted[128];
	int highest, found = 0;
	FILE *file;

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
	file = fopen("/proc/sysvipc/sem", "r");
	CHECK(file != NULL);
	CHECK(fgets(line, sizeof(line), file) != NULL);
	CHECK_EQ(strcmp(line, "       key      semid perms      nsems   uid   gid  cuid  cgid      "
			      "otime      ctime\n"),
		 0);
	snprintf(wanted, sizeof(wanted), "%10d %10d   600 %10d %5d %5d %5d %5d %10d ", 0, id, 7,
		 geteuid(), getegid(), geteuid(), getegid(), 0);
	found = 0;
	while (fgets(line, sizeof(line), file))
		found += !strncmp(line, wanted, strlen(wanted));
	CHECK_EQ(found, 1);
	fclose(file);
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
