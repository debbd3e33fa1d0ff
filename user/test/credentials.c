/*
 * Users and groups of a process, by each of the calls that change them, and programs that give
 * rights.
 */
#include "user/test/test.h"

#include <grp.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#define KEEP (-1)

/* The calls with ids of 16 bits, whose numbers the C library does not use. */
enum {
	LCHOWN16 = 16,
	SETUID16 = 23,
	GETUID16 = 24,
	SETGID16 = 46,
	GETGID16 = 47,
	GETEUID16 = 49,
	GETEGID16 = 50,
	SETREUID16 = 70,
	SETREGID16 = 71,
	GETGROUPS16 = 80,
	SETGROUPS16 = 81,
	FCHOWN16 = 95,
	SETFSUID16 = 138,
	SETFSGID16 = 139,
	SETRESUID16 = 164,
	GETRESUID16 = 165,
	SETRESGID16 = 170,
	GETRESGID16 = 171,
	CHOWN16 = 182,
};

static void has_users(uid_t uid, uid_t euid, uid_t suid, uid_t fsuid)
{
	uid_t r, e, s;

	CHECK_EQ(getresuid(&r, &e, &s), 0);
	CHECK_EQ(r, uid);
	CHECK_EQ(e, euid);
	CHECK_EQ(s, suid);
	CHECK_EQ(setfsuid(-1), fsuid);
}

static void has_groups(gid_t gid, gid_t egid, gid_t sgid, gid_t fsgid)
{
	gid_t r, e, s;

	CHECK_EQ(getresgid(&r, &e, &s), 0);
	CHECK_EQ(r, gid);
	CHECK_EQ(e, egid);
	CHECK_EQ(s, sgid);
	CHECK_EQ(setfsgid(-1), fsgid);
}

TEST(saved_users, 5, "setresuid and setreuid change the ids that they may")
{
	CHECK_ERR(getresuid((uid_t *)1, (uid_t *)1, (uid_t *)1), EFAULT);
	CHECK_EQ(setresuid(KEEP, 5, KEEP), 0);
	has_users(0, 5, 0, 5);
	CHECK_EQ(setresuid(1, 2, 3), -1);
	CHECK_EQ(setresuid(KEEP, 0, KEEP), 0);
	CHECK_EQ(setresuid(1, 2, 3), 0);
	has_users(1, 2, 3, 2);
	CHECK_EQ(setresuid(KEEP, 3, 1), 0);
	has_users(1, 3, 1, 3);
	CHECK_ERR(setresuid(KEEP, 2, KEEP), EPERM);
	/* The real id becomes the effective one. Thereby the saved one does, too. */
	CHECK_EQ(setreuid(3, 1), 0);
	has_users(3, 1, 1, 1);
	CHECK_EQ(setreuid(KEEP, 3), 0);
	has_users(3, 3, 1, 3);
	CHECK_EQ(setreuid(KEEP, 1), 0);
	has_users(3, 1, 1, 1);
	CHECK_ERR(setreuid(4, KEEP), EPERM);
	CHECK_ERR(setreuid(KEEP, 4), EPERM);
	CHECK_ERR(syscall(SYS_setuid32, -1), EINVAL);
}

TEST(saved_groups, 5, "setresgid and setregid do the same for groups")
{
	CHECK_EQ(setresgid(1, 2, 3), 0);
	CHECK_EQ(setuid(9), 0);
	has_groups(1, 2, 3, 2);
	CHECK_EQ(setresgid(KEEP, 3, 1), 0);
	has_groups(1, 3, 1, 3);
	CHECK_EQ(setregid(3, 1), 0);
	has_groups(3, 1, 1, 1);
	CHECK_EQ(setregid(KEEP, 3), 0);
	has_groups(3, 3, 1, 3);
	CHECK_EQ(setgid(1), 0);
	has_groups(3, 1, 1, 1);
	CHECK_ERR(setregid(4, KEEP), EPERM);
	CHECK_ERR(setgid(4), EPERM);
}

TEST(user_for_files, 5, "setfsuid changes only who the process is for files")
{
	int fd = open("/tmp/credentials", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(setfsuid(7), 0);
	CHECK_EQ(setfsgid(8), 0);
	has_users(0, 0, 0, 7);
	has_groups(0, 0, 0, 8);
	CHECK_ERR(open("/tmp/credentials", O_RDWR), EACCES);
	CHECK_ERR(chmod("/tmp/credentials", 0777), EPERM);
	CHECK_EQ(access("/tmp/credentials", R_OK | W_OK), 0);
	CHECK_EQ(kill(1, 0), 0);
	CHECK_EQ(setfsuid(0), 7);
	CHECK_EQ(unlink("/tmp/credentials"), 0);
	CHECK_EQ(setuid(7), 0);
	CHECK_EQ(setfsuid(5), 7);
	has_users(7, 7, 7, 7);
}

TEST(narrow_ids, 5, "the calls with 16 bits take and report ids, larger ones as 65534")
{
	uint16_t r, e, s, groups[4] = { 1, 2, 3 };
	gid_t wide[3] = { 4, 65535, 70000 }, got[4];
	struct stat st;
	int fd = open("/tmp/credentials", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(syscall(CHOWN16, "/tmp/credentials", 5, 0xffff), 0);
	CHECK_EQ(syscall(FCHOWN16, fd, 0xffff, 6), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	CHECK_EQ(syscall(LCHOWN16, "/tmp/credentials", 7, 8), 0);
	CHECK(fstat(fd, &st) == 0 && st.st_uid == 7 && st.st_gid == 8);
	unlink("/tmp/credentials");

	CHECK_EQ(syscall(SETGROUPS16, 3, groups), 0);
	CHECK(getgroups(4, got) == 3 && got[0] == 1 && got[2] == 3);
	CHECK_EQ(syscall(SYS_setgroups32, 3, wide), 0);
	CHECK_EQ(syscall(GETGROUPS16, 0, NULL), 3);
	CHECK_ERR(syscall(GETGROUPS16, 2, groups), EINVAL);
	CHECK_ERR(syscall(GETGROUPS16, -1, groups), EINVAL);
	CHECK_ERR(syscall(GETGROUPS16, 3, 1), EFAULT);
	CHECK_EQ(syscall(GETGROUPS16, 4, groups), 3);
	CHECK(groups[0] == 4 && groups[1] == 65535 && groups[2] == 65534);

	CHECK_EQ(syscall(SETRESGID16, 10, 11, 12), 0);
	has_groups(10, 11, 12, 11);
	CHECK_EQ(syscall(SETREGID16, 0xffff, 10), 0);
	has_groups(10, 10, 12, 10);
	CHECK_EQ(syscall(GETRESGID16, &r, &e, &s), 0);
	CHECK(r == 10 && e == 10 && s == 12);
	CHECK_EQ(syscall(SETFSGID16, 77), 10);
	has_groups(10, 10, 12, 77);
	CHECK_EQ(syscall(SETGID16, 9), 0);
	CHECK(syscall(GETGID16) == 9 && syscall(GETEGID16) == 9);

	CHECK_EQ(setresuid(70001, 70002, 0), 0);
	CHECK(syscall(GETUID16) == 65534 && syscall(GETEUID16) == 65534);
	CHECK_EQ(syscall(GETRESUID16, &r, &e, &s), 0);
	CHECK(r == 65534 && e == 65534 && s == 0);
	CHECK_EQ(syscall(SETRESUID16, 0xffff, 0, 0xffff), 0);
	CHECK_EQ(getuid(), 70001);
	CHECK_EQ(syscall(SETREUID16, 5, 0xffff), 0);
	CHECK_EQ(syscall(SETFSUID16, 66), 0);
	has_users(5, 0, 0, 66);
	CHECK_ERR(syscall(SETUID16, 0xffff), EINVAL);
	CHECK_EQ(syscall(SETUID16, 4), 0);
	has_users(4, 4, 4, 4);
}

/* ---- programs that give rights ---- */

#define PROGRAM "/tmp/set-id"

/* Copies this program, for user 50 and group 60. */
static void make_program(unsigned int mode)
{
	static char buf[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = creat(PROGRAM, 0700);
	ssize_t n;

	CHECK(from >= 0 && to >= 0);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(to, buf, n), n);
	CHECK_EQ(fchown(to, 50, 60), 0);
	CHECK_EQ(fchmod(to, mode), 0);
	close(from);
	close(to);
}

/* Runs the copy as user 1000. It compares its ids with these, and AT_SECURE. */
static int run(int uid, int euid, int egid, int secure)
{
	char text[64];
	pid_t child = fork();

	if (child == 0) {
		snprintf(text, sizeof(text), "%d %d %d %d", uid, euid, egid, secure);
		setenv("EXPECTED", text, 1);
		CHECK_EQ(setgid(1001), 0);
		CHECK_EQ(setuid(1000), 0);
		execl(PROGRAM, PROGRAM, "as_it_is", NULL);
		_exit(77);
	}
	return test_wait(child);
}

TEST(as_it_is, 10, "a program that gives no rights runs as its caller")
{
	int uid, euid, egid, secure;
	const char *expected = getenv("EXPECTED");

	if (!expected)
		expected = "0 0 0 0";
	CHECK_EQ(sscanf(expected, "%d %d %d %d", &uid, &euid, &egid, &secure), 4);
	CHECK_EQ(getuid(), uid);
	CHECK_EQ(geteuid(), euid);
	CHECK_EQ(getegid(), egid);
	CHECK_EQ(getauxval(AT_SECURE), secure);
	has_users(uid, euid, euid, euid);
	/*
	 * Another user's secrets may be in memory. The case runs in a child, which inherits that.
	 */
	CHECK_EQ(prctl(PR_GET_DUMPABLE), !secure);
}

TEST(set_id_programs, 60,
     "programs with the set-user-ID and set-group-ID bits run with their rights")
{
	make_program(0755);
	CHECK_EQ(run(1000, 1000, 1001, 0), 0);
	make_program(04755);
	CHECK_EQ(run(1000, 50, 1001, 1), 0);
	make_program(02755);
	CHECK_EQ(run(1000, 1000, 60, 1), 0);
	make_program(06755);
	CHECK_EQ(run(1000, 50, 60, 1), 0);
	/* Without execute permission for the group, the second bit means something else. */
	make_program(02705);
	CHECK_EQ(run(1000, 1000, 1001, 0), 0);
	unlink(PROGRAM);
}

TEST(no_new_rights, 60, "PR_SET_NO_NEW_PRIVS takes the bits' effect away for good")
{
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	make_program(06755);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(run(1000, 1000, 1001, 0), 0);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	unlink(PROGRAM);
}
