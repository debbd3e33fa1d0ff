/* System V shared memory: segments, attaching, detaching, removing, limits and permissions. */
#include "background.h"
#include "sysv.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#define PAGE   4096
#define KEY    0x5e61
#define NOBODY ((void *)-1)

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
/* The numbers of the calls on i386. */
enum { STAT = 2 }; /* IPC_STAT, without the flag of musl's own */
enum { DIRECT_SHMGET = 395, DIRECT_SHMCTL, DIRECT_SHMAT, DIRECT_SHMDT };

/* The layout on i386 (linux/shm.h), which the libraries' struct shmid_ds hides. */
struct perm64 {
	int key;
	unsigned int uid, gid, cuid, cgid;
	unsigned short mode, pad1, seq, pad2;
	unsigned int unused[2];
};
struct shmid64 {
	struct perm64 perm;
	unsigned int size;
	unsigned int atime, atime_high, dtime, dtime_high, ctime, ctime_high;
	int cpid, lpid;
	unsigned int nattch, unused[2];
};

static int id;

static void clean_up(void)
{
	shmctl(id, IPC_RMID, NULL);
}

/* A new segment, which is removed when the case ends well. */
static void set_up(size_t size)
{
	id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
	CHECK(id >= 0);
}

static struct shmid_ds stat_of(int segment)
{
	struct shmid_ds ds;

	CHECK_EQ(shmctl(segment, IPC_STAT, &ds), 0);
	return ds;
}

static char *attach(void)
{
	char *at = shmat(id, NULL, 0);

	CHECK(at != NOBODY);
	return at;
}

TEST(key, 10, "a key leads to one segment; shmget refuses what it cannot give")
{
	int other;

	shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
	CHECK_ERR(shmget(KEY, PAGE, 0600), ENOENT);
	id = shmget(KEY, 2 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0640);
	CHECK(id >= 0);
	CHECK_ERR(shmget(KEY, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(shmget(KEY, PAGE, IPC_CREAT | 0600), id);
	CHECK_EQ(shmget(KEY, 0, 0), id);
	CHECK_EQ(shmget(KEY, 2 * PAGE + 1, 0), id);
	CHECK_ERR(shmget(KEY, 2 * PAGE + 2, 0), EINVAL);
	other = shmget(IPC_PRIVATE, 1, 0600);
	CHECK(other >= 0 && other != id);
	CHECK_EQ(shmctl(other, IPC_RMID, NULL), 0);
	CHECK_ERR(shmctl(other, IPC_RMID, NULL), EINVAL);
	CHECK_ERR((long)shmat(other, NULL, 0), EINVAL);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_ERR(shmget(KEY, 0, 0), ENOENT);
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 0xfffffff0u, 0600), EINVAL);
	CHECK_ERR(syscall(DIRECT_SHMGET, IPC_PRIVATE, 0xf0000000u, 0600), ENOMEM);
	CHECK_ERR(shmctl(-1, IPC_RMID, NULL), EINVAL);
	CHECK_ERR(shmctl(0, 99, NULL), EINVAL);
}

TEST(fresh_ids, 10, "the id of a removed segment is not that of the next one")
{
	int first, second;

	first = shmget(IPC_PRIVATE, PAGE, 0600);
	CHECK(first >= 0);
	CHECK_EQ(shmctl(first, IPC_RMID, NULL), 0);
	second = shmget(IPC_PRIVATE, PAGE, 0600);
	CHECK(second >= 0 && second != first);
	CHECK_ERR(shmctl(first, IPC_RMID, NULL), EINVAL);
	CHECK_EQ(shmctl(second, IPC_RMID, NULL), 0);
	/* Over and over: the slots are used again, and the ids are not. */
	for (int i = 0; i < 200; i++) {
		int new = shmget(IPC_PRIVATE, PAGE, 0600);

		CHECK(new >= 0 && new != first &&new != second);
		CHECK_EQ(shmctl(new, IPC_RMID, NULL), 0);
	}
}

static void store_from_child(void)
{
	char *at = attach();

	CHECK_EQ(at[0], 'p');
	at[0] = 'c';
	at[3 * PAGE] = 'c';
}

TEST(shared, 10, "what one process stores the others read, also without asking for it")
{
	char *a, *b;

	set_up(3 * PAGE + 1);
	a = attach();
	b = attach();
	CHECK(a != b);
	CHECK_EQ(a[2 * PAGE], 0);
	a[0] = 'p';
	CHECK_EQ(b[0], 'p');
	CHECK_EQ(in_child(store_from_child), 0);
	CHECK_EQ(a[0], 'c');
	CHECK_EQ(b[3 * PAGE], 'c');
	b[3 * PAGE + PAGE - 1] = 'e'; /* the rest of the last page belongs to it */
	CHECK_EQ(a[3 * PAGE + PAGE - 1], 'e');
	CHECK_EQ(shmdt(a), 0);
	CHECK_ERR(shmdt(a), EINVAL);
	CHECK_EQ(b[0], 'c');
	CHECK_EQ(shmdt(b), 0);
	/* The bytes stay until the segment is removed. */
	a = attach();
	CHECK_EQ(a[0], 'c');
	clean_up();
}

static char *inherited;

static void use_inherited(void)
{
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	inherited[0] = 'i';
}

static void exec_away(void)
{
	execl("/bin/sh", "sh", "-c", "exit 7", NULL);
}

TEST(counted, 10, "fork attaches the child, and exec, exit and munmap detach")
{
	set_up(4 * PAGE);
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	inherited = attach();
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_EQ(in_child(use_inherited), 0);
	CHECK_EQ(inherited[0], 'i');
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_EQ(in_child(exec_away), 7);
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	/* A hole makes two parts of it, and shmdt removes both. */
	CHECK_EQ(munmap(inherited + PAGE, PAGE), 0);
	CHECK_EQ(stat_of(id).shm_nattch, 2);
	inherited[2 * PAGE] = 1;
	CHECK_EQ(shmdt(inherited), 0);
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	inherited = attach();
	CHECK_EQ(munmap(inherited, PAGE), 0);
	CHECK_ERR(shmdt(inherited + PAGE), EINVAL);
	CHECK_EQ(shmdt(inherited), 0);
	CHECK_EQ(stat_of(id).shm_nattch, 0);
	CHECK_ERR(shmdt(inherited + 1), EINVAL);
	clean_up();
}

TEST(removed, 10, "a removed segment goes away when nobody is attached any more")
{
	char *at, *again;
	struct shmid_ds ds;

	shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
	id = shmget(KEY, PAGE, IPC_CREAT | 0600);
	at = attach();
	at[0] = 'x';
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_ERR(shmget(KEY, 0, 0), ENOENT);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_perm.mode, 01600); /* SHM_DEST */
	CHECK_EQ(ds.shm_nattch, 1);
	/* Its id still leads to it. */
	again = shmat(id, NULL, 0);
	CHECK(again != NOBODY);
	CHECK_EQ(again[0], 'x');
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(stat_of(id).shm_nattch, 1);
	CHECK_EQ(shmdt(again), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERR((long)shmat(id, NULL, 0), EINVAL);
}

static void die_attached(void)
{
	char *at = attach();

	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	at[0] = 1;
	raise(SIGKILL);
}

TEST(killed, 10,
     "a segment that was removed goes away with its last process, even if that is killed")
{
	struct shmid_ds ds;

	set_up(PAGE);
	CHECK_EQ(in_child(die_attached), 128 + SIGKILL);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void store_read_only(void)
{
	char *at = shmat(id, NULL, SHM_RDONLY);

	CHECK(at != NOBODY);
	at[0] = 1;
}

TEST(read_only, 10, "SHM_RDONLY: a store is a fault, and mprotect cannot change that")
{
	char *at;

	set_up(PAGE);
	at = shmat(id, NULL, SHM_RDONLY);
	CHECK(at != NOBODY);
	CHECK_EQ(at[0], 0);
	CHECK_ERR(mprotect(at, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK_EQ(in_child(store_read_only), 128 + SIGSEGV);
	clean_up();
}

TEST(address, 10, "the address: SHM_RND, SHM_REMAP, and what is in the way")
{
	char *area =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(area != MAP_FAILED);
	set_up(2 * PAGE);
	area[0] = area[PAGE] = 'a';
	CHECK_ERR((long)shmat(id, area + PAGE, 0), EINVAL);
	CHECK_ERR((long)shmat(id, area + 1, 0), EINVAL);
	CHECK_ERR((long)shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERR((long)shmat(id, (char *)1, SHM_REMAP | SHM_RND), EINVAL);
	CHECK(shmat(id, area + PAGE + 5, SHM_REMAP | SHM_RND) == area + PAGE);
	CHECK_EQ(area[0], 'a');
	CHECK_EQ(area[PAGE], 0);
	CHECK_EQ(shmdt(area + PAGE), 0);
	CHECK(shmat(id, area + PAGE, 0) == area + PAGE);
	CHECK_ERR((long)shmat(id, area + PAGE, 0), EINVAL);
	CHECK_ERR((long)shmat(id, (char *)0xfffff000u, 0), EINVAL);
	CHECK_ERR((long)shmat(id, (char *)0xc0000000u, 0), ENOMEM);
	CHECK_ERR((long)shmat(-1, NULL, 0), EINVAL);
	clean_up();
}

TEST(executable, 10, "SHM_EXEC: code in a segment runs")
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42,%eax; ret */
	char *at;
	int (*function)(void);

	id = shmget(IPC_PRIVATE, PAGE, 0700);
	CHECK(id >= 0);
	at = shmat(id, NULL, SHM_EXEC);
	CHECK(at != NOBODY);
	memcpy(at, code, sizeof(code));
	memcpy(&function, &at, sizeof(at));
	CHECK_EQ(function(), 42);
	clean_up();
	id = shmget(IPC_PRIVATE, PAGE, 0600);
	if (getuid() != 0)
		CHECK_ERR((long)shmat(id, NULL, SHM_EXEC), EACCES);
	clean_up();
}

static void is_told(void)
{
	char *at = attach();

	CHECK_EQ(stat_of(id).shm_lpid, getpid());
	CHECK_EQ(shmdt(at), 0);
	CHECK_EQ(stat_of(id).shm_lpid, getpid());
}

TEST(description, 10, "IPC_STAT tells the size, the times, the processes and the permissions")
{
	time_t before = time(NULL) - 1; /* Linux rounds its own times down to a tick */
	struct shmid_ds ds;

	set_up(PAGE + 5);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_segsz, PAGE + 5);
	CHECK(ds.shm_ctime >= before && ds.shm_ctime <= before + 5);
	CHECK_EQ(ds.shm_atime, 0);
	CHECK_EQ(ds.shm_dtime, 0);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, 0);
	CHECK_EQ(ds.shm_perm.mode, 0600);
	CHECK_EQ(ds.shm_perm.uid, geteuid());
	CHECK_EQ(ds.shm_perm.cgid, getegid());
	CHECK_EQ(in_child(is_told), 0);
	ds = stat_of(id);
	CHECK(ds.shm_atime >= before && ds.shm_dtime >= ds.shm_atime);
	ds.shm_perm.mode = 01777;
	ds.shm_perm.uid = 1234;
	CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
	ds = stat_of(id);
	CHECK_EQ(ds.shm_perm.mode, 0777);
	CHECK_EQ(ds.shm_perm.uid, 1234);
	CHECK_EQ(ds.shm_perm.cuid, geteuid());
	clean_up();
}

TEST(direct, 10, "the calls with numbers of their own, with the kernel's own structure")
{
	struct shmid64 ds;
	char *at;

	memset(&ds, 0xff, sizeof(ds));
	id = syscall(DIRECT_SHMGET, IPC_PRIVATE, 3 * PAGE, 0644);
	CHECK(id >= 0);
	at = (char *)syscall(DIRECT_SHMAT, id, 0, 0);
	CHECK(at != NOBODY);
	at[0] = 1;
	CHECK_EQ(syscall(DIRECT_SHMCTL, id, STAT, &ds), 0);
	CHECK_EQ(sizeof(ds), 84);
	CHECK_EQ(ds.perm.key, 0);
	CHECK_EQ(ds.perm.mode, 0644);
	CHECK_EQ(ds.perm.seq, id >> 15);
	CHECK_EQ(ds.perm.unused[0], 0);
	CHECK_EQ(ds.size, 3 * PAGE);
	CHECK(ds.atime > 0 && ds.atime_high == 0);
	CHECK_EQ(ds.dtime, 0);
	CHECK_EQ(ds.cpid, getpid());
	CHECK_EQ(ds.lpid, getpid());
	CHECK_EQ(ds.nattch, 1);
	CHECK_EQ(syscall(DIRECT_SHMDT, at), 0);
	/* The flag is one of ipc(2) alone. */
	CHECK_ERR(syscall(DIRECT_SHMCTL, id, STAT | 0x100, &ds), EINVAL);
	CHECK_ERR(syscall(DIRECT_SHMCTL, id, STAT, 8), EFAULT);
	CHECK_ERR(syscall(DIRECT_SHMCTL, id, IPC_SET, 8), EFAULT);
	CHECK_EQ(syscall(DIRECT_SHMCTL, id, IPC_RMID, NULL), 0);
}

TEST(multiplexed, 10, "ipc(2), whose older structure has 16 bits for ids and counts")
{
	struct {
		int key;
		unsigned short uid, gid, cuid, cgid, mode, seq;
		int size, atime, dtime, ctime;
		unsigned short cpid, lpid, nattch, unused;
		unsigned int unused2, unused3;
	} ds;
	char *at = NULL;

	memset(&ds, 0xff, sizeof(ds));
	id = syscall(SYS_ipc, 23, IPC_PRIVATE, PAGE, 0600, 0, 0);
	CHECK(id >= 0);
	CHECK_EQ(syscall(SYS_ipc, 21, id, 0, &at, NULL, 0), 0);
	at[1] = 1;
	CHECK_EQ(syscall(SYS_ipc, 24, id, STAT, 0, &ds, 0), 0);
	CHECK_EQ(ds.mode, 0600);
	CHECK_EQ(ds.size, PAGE);
	CHECK_EQ(ds.nattch, 1);
	CHECK_EQ(ds.cpid, getpid() & 0xffff);
	CHECK_ERR(syscall(SYS_ipc, 21 | 1 << 16, id, 0, &at, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ipc, 21, id, 0, 8, NULL, 0), EFAULT);
	CHECK_ERR(syscall(SYS_ipc, 99, id, 0, 0, NULL, 0), ENOSYS);
	CHECK_EQ(syscall(SYS_ipc, 22, 0, 0, 0, at, 0), 0);
	CHECK_EQ(syscall(SYS_ipc, 24, id, IPC_RMID | 0x100, 0, NULL, 0), 0);
}

static void as_other(void)
{
	struct shmid_ds ds;

	CHECK_EQ(setgid(1001), 0);
	CHECK_EQ(setuid(1001), 0);
	CHECK_ERR((long)shmat(id, NULL, 0), EACCES);
	CHECK(shmat(id, NULL, SHM_RDONLY) != NOBODY);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	CHECK_ERR(shmctl(id, IPC_SET, &ds), EPERM);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
	CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
	CHECK_EQ(shmget(KEY, 0, 0444), id);
	CHECK_ERR(shmget(KEY, 0, 0666), EACCES);
}

static void as_owner(void)
{
	struct shmid_ds ds;

	CHECK_EQ(setgid(1002), 0);
	CHECK_EQ(setuid(1002), 0);
	CHECK(shmat(id, NULL, 0) != NOBODY);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	ds.shm_perm.mode = 0;
	CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EACCES);
	CHECK(shmctl(ds.shm_perm.uid & 0, SHM_STAT_ANY, &ds) >= -1);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(permissions, 10, "others have the rights of the mode, and the owner may remove the segment")
{
	struct shmid_ds ds;

	shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
	id = shmget(KEY, PAGE, IPC_CREAT | 0604);
	CHECK(id >= 0);
	CHECK_EQ(in_child(as_other), 0);
	ds = stat_of(id);
	ds.shm_perm.uid = 1002;
	CHECK_EQ(shmctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(in_child(as_owner), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void locks_too_much(void)
{
	struct rlimit limit = { 3 * PAGE, 3 * PAGE }, none = { 0, 0 };
	int a, b;

	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQ(setuid(1003), 0);
	a = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	b = shmget(IPC_PRIVATE, 2 * PAGE, 0600);
	CHECK_EQ(shmctl(a, SHM_LOCK, NULL), 0);
	CHECK_EQ(stat_of(a).shm_perm.mode, 02600);
	CHECK_EQ(shmctl(a, SHM_LOCK, NULL), 0);
	CHECK_ERR(shmctl(b, SHM_LOCK, NULL), ENOMEM);
	CHECK_EQ(shmctl(a, SHM_UNLOCK, NULL), 0);
	CHECK_EQ(stat_of(a).shm_perm.mode, 0600);
	CHECK_EQ(shmctl(b, SHM_LOCK, NULL), 0);
	CHECK_EQ(shmctl(b, IPC_RMID, NULL), 0);
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	CHECK_ERR(shmctl(a, SHM_LOCK, NULL), EPERM);
	CHECK_EQ(shmctl(a, IPC_RMID, NULL), 0);
}

TEST(locked, 10, "SHM_LOCK counts the user's pages up to RLIMIT_MEMLOCK")
{
	CHECK_EQ(in_child(locks_too_much), 0);
}

TEST(use, 10, "IPC_INFO, SHM_INFO, SHM_STAT and /proc/sysvipc/shm tell of the segments")
{
	struct shm_info before, info;
	struct shminfo limits;
	struct shmid_ds ds;
	char wanted[64], *at;
	const char *line;
	int highest, found = 0;

	CHECK(shmctl(0, SHM_INFO, (void *)&before) >= 0);
	set_up(3 * PAGE + 1);
	at = attach();
	at[0] = at[2 * PAGE] = 1;
	highest = shmctl(0, SHM_INFO, (void *)&info);
	CHECK(highest >= 0);
	CHECK_EQ(info.used_ids, before.used_ids + 1);
	CHECK_EQ(info.shm_tot, before.shm_tot + 4);
	CHECK_EQ(info.shm_rss, before.shm_rss + 2);
	for (int i = 0; i <= highest; i++)
		if (shmctl(i, SHM_STAT, &ds) == id) {
			CHECK_EQ(ds.shm_segsz, 3 * PAGE + 1);
			CHECK_EQ(ds.shm_nattch, 1);
			found++;
		}
	CHECK_EQ(found, 1);
	CHECK_ERR(shmctl(32000, SHM_STAT, &ds), EINVAL);
	CHECK_EQ(shmctl(0, IPC_INFO, (void *)&limits), highest);
	CHECK_EQ(limits.shmmin, 1);
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ((unsigned int)limits.shmmax, 4278190079u);
	snprintf(wanted, sizeof(wanted), "%10d %10d   600 %10d %5d %5d  %5d", 0, id, 3 * PAGE + 1,
		 getpid(), getpid(), 1);
	line = listed_object(
		"shm",
		"       key      shmid perms       size  cpid  lpid nattch   uid   "
		"gid  cuid  cgid      atime      dtime      ctime        rss       swap\n",
		wanted);
	CHECK(!strncmp(strchr(line, '\n') - 21, "      8192          0\n", 22));
	clean_up();
}

TEST(maps, 10, "/proc/self/maps has the segment's key and id")
{
	char line[256], name[32];
	unsigned int number = 0;
	FILE *file;
	int found = 0;

	shmctl(shmget(KEY, 0, 0), IPC_RMID, NULL);
	id = shmget(KEY, PAGE, IPC_CREAT | 0600);
	attach();
	file = fopen("/proc/self/maps", "r");
	CHECK(file != NULL);
	snprintf(name, sizeof(name), "/SYSV%08x (deleted)\n", KEY);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, name)) {
			CHECK_EQ(sscanf(line, "%*s rw-s %*s %*s %u", &number), 1);
			found++;
		}
	fclose(file);
	CHECK_EQ(found, 1);
	CHECK_EQ(number, id);
	clean_up();
}

TEST(many, 20, "there are SHMMNI segments at most, and each is found again")
{
	static int ids[4097];
	int nr = 0, error = 0, most = 4096;
	struct statvfs memory;

	/* With little low memory there are fewer files in memory, and each segment is one. */
	CHECK_EQ(statvfs("/tmp", &memory), 0);
	if (memory.f_files < (fsfilcnt_t)most)
		most = memory.f_files;
	while (nr < 4097 && (ids[nr] = shmget(IPC_PRIVATE, PAGE, 0600)) >= 0)
		nr++;
	error = errno;
	CHECK(nr > most - 96 && nr <= most);
	CHECK_EQ(error, ENOSPC);
	for (int i = 0; i < nr; i += 7)
		CHECK_EQ(stat_of(ids[i]).shm_segsz, PAGE);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(shmctl(ids[i], IPC_RMID, NULL), 0);
}
