/*
 * acct: a record of each process that has ended.
 */
#include "text_files.h"

#include <sys/mount.h>

#define RECORDS "/tmp/records"

struct record { /* struct acct_v3 */
	unsigned char flag, version;
	uint16_t tty;
	uint32_t exit_status, uid, gid, pid, parent, begun;
	float elapsed;
	uint16_t user, system, memory, io, rw, minor_faults, major_faults, swaps;
	char name[16];
};
enum { FORKED = 1, PRIVILEGED = 2, KILLED = 16 };

static struct record records[16];
static int own; /* number of records of this process */

static void begin(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(acct(name), 0);
	close(fd);
}

/*
 * Returns how many records there are of this program, or of true, from the place of the first one
 * on. Others end meanwhile, too. This process leaves one when it ends accounting: `own` counts it.
 */
static int read_records(const char *name, int from)
{
	int fd = open(name, O_RDONLY), bytes, n = 0;

	CHECK(fd >= 0);
	bytes = pread(fd, records, sizeof(records), from);
	close(fd);
	CHECK_EQ(bytes % sizeof(*records), 0);
	own = 0;
	for (unsigned int i = 0; i < bytes / sizeof(*records); i++)
		if ((int)records[i].pid == getpid())
			own++;
		else if (!strcmp(records[i].name, "acct") || !strcmp(records[i].name, "true"))
			records[n++] = records[i];
	return n;
}

static unsigned int number(uint16_t compressed)
{
	return (compressed & 0x1fff) << 3 * (compressed >> 13);
}

static void exit_3(void)
{
	_exit(3);
}

static void run_program(void)
{
	execl("/bin/true", "true", NULL);
	_exit(99);
}

static void be_killed(void)
{
	raise(SIGKILL);
}

static void use_capability(void)
{
	CHECK_EQ(chroot("/"), 0);
	_exit(0);
}

static void compute_as_user(void)
{
	struct timespec used;

	CHECK_EQ(setgid(100) | setuid(1000), 0);
	do
		CHECK_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
	while (used.tv_sec == 0 && used.tv_nsec < 300000000);
	_exit(0);
}

static void (*const lives[])(void) = { exit_3, run_program, be_killed, use_capability,
				       compute_as_user };
#define NR_LIVES 5

TEST(ends, 20, "each process that ends leaves a record: who it was, how it ended, what it used")
{
	static const int statuses[] = { 0x300, 0, SIGKILL, 0, 0 };
	time_t now = time(NULL);
	pid_t pids[NR_LIVES];
	int fd;

	begin(RECORDS);
	fd = open(RECORDS, O_WRONLY);
	CHECK_EQ(write(fd, "old", 3), 3); /* records are appended */
	for (int i = 0; i < NR_LIVES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			lives[i]();
		CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
	}
	CHECK_EQ(acct(NULL), 0);
	CHECK_EQ(read_records(RECORDS, 3), NR_LIVES);
	CHECK_EQ(own, 1);
	for (int i = 0; i < NR_LIVES; i++) {
		const struct record *record = &records[i];

		CHECK_EQ(record->version, 3);
		CHECK_EQ(record->pid, pids[i]);
		CHECK_EQ(record->parent, getpid());
		CHECK_EQ(record->exit_status, statuses[i]);
		CHECK_EQ(!!(record->flag & FORKED), i != 1);
		CHECK_EQ(!!(record->flag & KILLED), i == 2);
		CHECK(i != 3 || record->flag & PRIVILEGED);
		CHECK_EQ(record->uid, i == 4 ? 1000 : 0);
		CHECK_EQ(record->gid, i == 4 ? 100 : 0);
		CHECK(!strcmp(record->name, i == 1 ? "true" : "acct"));
		CHECK(record->begun + 2 >= now && record->begun <= now + 20);
		CHECK(number(record->memory) > 8 && number(record->minor_faults) > 0);
		CHECK_EQ(record->tty | record->swaps, 0);
	}
	/* Linux counts by its ticks, of which a busy host takes some. */
	CHECK(number(records[4].user) + number(records[4].system) >= 3);
	CHECK(records[4].elapsed >= 29 && records[4].elapsed < 2000);
	CHECK(number(records[0].user) < 20);
	CHECK_EQ(unlink(RECORDS), 0);
}

TEST(flag_of_users, 10, "who has used no capability has no flag for it")
{
	pid_t child;

	CHECK_EQ(setgid(100), 0);
	begin(RECORDS);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		child = fork();
		if (child == 0)
			_exit(0);
		_exit(test_wait(child));
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(acct(NULL), 0);
	CHECK_EQ(read_records(RECORDS, 0), 2);
	CHECK_EQ(records[0].flag & PRIVILEGED, 0);
	CHECK_EQ(records[1].flag & PRIVILEGED, PRIVILEGED);
	CHECK_EQ(unlink(RECORDS), 0);
}

static void end_one(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(room, 20, "nothing is written while the disk is as full as /proc/sys/kernel/acct says")
{
	char before[64];

	strcpy(before, contents("/proc/sys/kernel/acct"));
	CHECK(strspn(before, "0123456789\t\n") == strlen(before));
	CHECK_EQ(put_text("/proc/sys/kernel/acct", "4 2 0"), 5);
	CHECK(!strcmp(contents("/proc/sys/kernel/acct"), "4\t2\t0\n"));
	begin(RECORDS);
	end_one();
	CHECK_EQ(put_text("/proc/sys/kernel/acct", "100 100"), 7);
	CHECK(!strcmp(contents("/proc/sys/kernel/acct"), "100\t100\t0\n"));
	end_one();
	end_one();
	CHECK_EQ(read_records(RECORDS, 0), 1);
	CHECK_EQ(put_text("/proc/sys/kernel/acct", "4 2"), 3);
	end_one();
	CHECK_EQ(put_text("/proc/sys/kernel/acct", before), strlen(before));
	CHECK_EQ(acct(NULL), 0);
	CHECK_EQ(read_records(RECORDS, 0), 2);
	CHECK_EQ(unlink(RECORDS), 0);
}

TEST(unmounted, 10, "the file keeps no file system from being unmounted, which ends accounting")
{
	int fd;

	CHECK_EQ(mount("none", "/mnt", "tmpfs", 0, NULL), 0);
	begin("/mnt/records");
	end_one();
	fd = open("/mnt/records", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(umount("/mnt"), EBUSY);
	end_one();
	CHECK_EQ(read_records("/mnt/records", 0), 2);
	close(fd);
	CHECK_EQ(umount("/mnt"), 0);
	end_one();
	CHECK_EQ(acct(NULL), 0);
}

TEST(errors, 10, "acct wants a regular file that exists, and a capability")
{
	CHECK_ERR(acct("/nonexistent"), ENOENT);
	CHECK_ERR(acct("/etc/passwd/x"), ENOTDIR);
	CHECK_ERR(acct("/tmp"), EISDIR);
	CHECK_ERR(acct("/dev/null"), EACCES);
	CHECK_ERR(acct((char *)8), EFAULT);
	CHECK_ERR(acct(""), ENOENT);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(acct(NULL), EPERM);
	CHECK_ERR(acct("/nonexistent"), EPERM);
}
