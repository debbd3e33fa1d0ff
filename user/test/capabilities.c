/*
 * Capabilities: what calls and exec do to them, and what they allow.
 */
#include "user/test/test.h"

#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { CHOWN = 0, DAC_OVERRIDE = 1, FOWNER = 3, KILL = 5, SETUID = 7, SETPCAP = 8, SYS_ADMIN = 21 };
enum { V1 = 0x19980330, V2 = 0x20071026, V3 = 0x20080522 };
enum { NOROOT = 1, NO_FIXUP = 4, KEEP_CAPS = 16 };
#define BIT(n) (1ull << (n))
#define ALL    (BIT(last() + 1) - 1)

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int last(void)
{
	int n = 0;

	while (prctl(PR_CAPBSET_READ, n + 1, 0, 0, 0) >= 0)
		n++;
	return n;
}

static struct sets get(void)
{
	uint32_t head[2] = { V3, 0 }, words[6];

	CHECK_EQ(syscall(SYS_capget, head, words), 0);
	return (struct sets){ words[0] | (uint64_t)words[3] << 32,
			      words[1] | (uint64_t)words[4] << 32,
			      words[2] | (uint64_t)words[5] << 32 };
}

static int set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	uint32_t head[2] = { V3, 0 };
	uint32_t words[6] = { effective,       permitted,	inheritable,
			      effective >> 32, permitted >> 32, inheritable >> 32 };

	return syscall(SYS_capset, head, words);
}

TEST(capability_versions, 5, "capget and capset know three versions, and tell the newest one")
{
	uint32_t head[2] = { 1, 0 }, words[8];

	CHECK_EQ(syscall(SYS_capget, head, NULL), 0);
	CHECK_EQ(head[0], V3);
	head[0] = 1;
	CHECK_ERR(syscall(SYS_capget, head, words), EINVAL);
	CHECK_EQ(head[0], V3);
	head[0] = 1;
	CHECK_ERR(syscall(SYS_capset, head, words), EINVAL);
	CHECK_ERR(syscall(SYS_capget, 1, words), EFAULT);
	memset(words, 0xee, sizeof(words));
	head[0] = V1;
	CHECK_EQ(syscall(SYS_capget, head, words), 0);
	CHECK(words[0] == 0xffffffff && words[2] == 0 && words[3] == 0xeeeeeeee);
	memset(words, 0xee, sizeof(words));
	head[0] = V2;
	CHECK_EQ(syscall(SYS_capget, head, words), 0);
	CHECK(words[3] == ALL >> 32 && words[5] == 0 && words[6] == 0xeeeeeeee);
	head[1] = -1;
	CHECK_ERR(syscall(SYS_capget, head, words), EINVAL);
	head[1] = 32767;
	CHECK_ERR(syscall(SYS_capget, head, words), ESRCH);
	head[1] = 1;
	CHECK_EQ(syscall(SYS_capget, head, words), 0);
	CHECK_ERR(syscall(SYS_capset, head, words), EPERM);
}

TEST(capset_rules, 5, "capset gives nothing that is not permitted")
{
	CHECK_EQ(get().effective, ALL);
	CHECK_EQ(set(BIT(CHOWN), BIT(CHOWN) | BIT(KILL), BIT(FOWNER)), 0);
	CHECK_EQ(get().effective, BIT(CHOWN));
	CHECK_EQ(get().permitted, BIT(CHOWN) | BIT(KILL));
	CHECK_EQ(get().inheritable, BIT(FOWNER));
	CHECK_ERR(set(BIT(CHOWN), BIT(CHOWN) | BIT(FOWNER), 0), EPERM);
	CHECK_ERR(set(BIT(FOWNER), BIT(CHOWN), 0), EPERM);
	CHECK_ERR(set(0, BIT(CHOWN), BIT(SYS_ADMIN)), EPERM);
	CHECK_EQ(set(BIT(KILL), BIT(KILL), BIT(KILL)), 0);
	CHECK_EQ(get().inheritable, BIT(KILL));
}

TEST(capabilities_and_users, 5, "a change of the user takes capabilities, and gives them back")
{
	CHECK_EQ(seteuid(1000), 0);
	CHECK_EQ(get().effective, 0);
	CHECK_EQ(get().permitted, ALL);
	CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(get().effective, ALL);
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(get().effective, 0);
	CHECK_EQ(get().permitted, ALL);
	CHECK_EQ(set(BIT(SETUID), ALL, 0), 0);
	CHECK_EQ(setuid(5), 0);
	CHECK_EQ(get().effective, BIT(SETUID));
	CHECK_EQ(setuid(0), 0);
	CHECK_EQ(get().effective, ALL);
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 0), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(get().permitted, 0);
}

TEST(what_they_allow, 10, "each privilege needs its capability, not user 0")
{
	struct rlimit limit = { 70, 70 };
	int fd = open("/tmp/capabilities", O_CREAT | O_RDWR, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(chown("/tmp/capabilities", 5, 5), 0);
	CHECK_EQ(setrlimit(RLIMIT_CORE, &limit), 0);
	limit.rlim_max = 80;
	/* Root without capabilities is an ordinary user. */
	CHECK_EQ(set(0, ALL, 0), 0);
	CHECK_ERR(open("/tmp/capabilities", O_RDONLY), EACCES);
	CHECK_ERR(chown("/tmp/capabilities", 0, 0), EPERM);
	CHECK_ERR(chmod("/tmp/capabilities", 0666), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
	CHECK_ERR(setrlimit(RLIMIT_CORE, &limit), EPERM);
	CHECK_ERR(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(mknod("/tmp/node", S_IFCHR | 0600, 0x103), EPERM);
	CHECK_ERR(setuid(7), EPERM);
	CHECK_EQ(set(BIT(DAC_OVERRIDE), ALL, 0), 0);
	CHECK_EQ(close(open("/tmp/capabilities", O_RDONLY)), 0);
	CHECK_ERR(chmod("/tmp/capabilities", 0666), EPERM);
	CHECK_EQ(set(BIT(FOWNER), ALL, 0), 0);
	CHECK_EQ(chmod("/tmp/capabilities", 0600), 0);
	CHECK_EQ(set(BIT(CHOWN), ALL, 0), 0);
	CHECK_EQ(chown("/tmp/capabilities", 0, 0), 0);
	unlink("/tmp/capabilities");
}

/* ---- exec ---- */

static int run(uint64_t permitted, uint64_t effective)
{
	char text[64];

	snprintf(text, sizeof(text), "%llx %llx", (unsigned long long)permitted,
		 (unsigned long long)effective);
	setenv("EXPECTED", text, 1);
	execl("/proc/self/exe", "capabilities", "after_exec", NULL);
	return 77;
}

/* The cases below execute this one, with capabilities of their own. */
TEST(after_exec, 10, "a program of root starts with all capabilities")
{
	unsigned long long permitted = ALL, effective = ALL;

	if (getenv("EXPECTED"))
		CHECK_EQ(sscanf(getenv("EXPECTED"), "%llx %llx", &permitted, &effective), 2);
	CHECK_EQ(get().permitted, permitted);
	CHECK_EQ(get().effective, effective);
}

static int in_child(void (*function)(void))
{
	pid_t child = fork();

	if (child == 0) {
		function();
		_exit(77);
	}
	return test_wait(child);
}

static void as_user(void)
{
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(set(ALL, ALL, ALL), 0);
	run(0, 0);
}

static void with_ambient(void)
{
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0), EPERM);
	CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(set(ALL, ALL, ALL), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, KILL, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CHOWN, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CHOWN, 0, 0), 1);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CHOWN, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CHOWN, 0, 0), 0);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 63, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
	run(BIT(KILL), BIT(KILL));
}

static void with_bounds(void)
{
	CHECK_ERR(prctl(PR_CAPBSET_DROP, 63, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_CAPBSET_DROP, SYS_ADMIN, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_CAPBSET_READ, SYS_ADMIN, 0, 0, 0), 0);
	CHECK_EQ(get().permitted, ALL);
	run(ALL & ~BIT(SYS_ADMIN), ALL & ~BIT(SYS_ADMIN));
}

static void without_root(void)
{
	CHECK_EQ(prctl(PR_SET_SECUREBITS, NOROOT | NOROOT << 1, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), EPERM);
	CHECK_ERR(prctl(PR_SET_SECUREBITS, 0x1000, 0, 0, 0), EPERM);
	CHECK_EQ(prctl(PR_GET_SECUREBITS), NOROOT | NOROOT << 1);
	run(0, 0);
}

static void without_fixup(void)
{
	CHECK_EQ(prctl(PR_SET_SECUREBITS, NO_FIXUP, 0, 0, 0), 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(get().effective, ALL);
	run(0, 0);
}

TEST(capabilities_and_exec, 60,
     "exec keeps ambient capabilities, and gives root what its bounds allow")
{
	CHECK_EQ(in_child(as_user), 0);
	CHECK_EQ(in_child(with_ambient), 0);
	CHECK_EQ(in_child(with_bounds), 0);
	CHECK_EQ(in_child(without_root), 0);
	CHECK_EQ(in_child(without_fixup), 0);
}
