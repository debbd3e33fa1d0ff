/*
 * Handlers that name no way back (no SA_RESTORER): the kernel has code of its own for them.
 */
#include "user/test/test.h"

#include <ucontext.h>

struct kernel_action { /* as rt_sigaction(2) takes it */
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask[2];
};

static volatile int got, value;
static uintptr_t way_back;

static void plain(int signo)
{
	got = signo;
	way_back = (uintptr_t)__builtin_return_address(0);
}

static void informed(int signo, siginfo_t *info, void *context)
{
	got = info->si_signo;
	value = info->si_pid;
	way_back = (uintptr_t)__builtin_return_address(0);
}

static void install(int signo, void *handler, unsigned long flags)
{
	struct kernel_action action = { handler, flags, NULL, { 0, 0 } };

	CHECK_EQ(syscall(SYS_rt_sigaction, signo, &action, NULL, 8), 0);
}

static sigset_t blocked(void)
{
	sigset_t set;

	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &set), 0);
	return set;
}

TEST(plain, 5, "a plain handler comes back, and the mask with it")
{
	sigset_t before = blocked(), after;

	install(SIGUSR1, plain, 0);
	for (int i = 0; i < 3; i++) {
		got = 0;
		raise(SIGUSR1);
		CHECK_EQ(got, SIGUSR1);
	}
	after = blocked();
	CHECK(!memcmp(&before, &after, 8));
}

TEST(with_information, 5, "so does one with SA_SIGINFO, and both can be mixed")
{
	install(SIGUSR1, plain, 0);
	install(SIGUSR2, informed, SA_SIGINFO);
	for (int i = 0; i < 3; i++) {
		raise(SIGUSR2);
		CHECK_EQ(got, SIGUSR2);
		CHECK_EQ(value, getpid());
		raise(SIGUSR1);
		CHECK_EQ(got, SIGUSR1);
	}
}

TEST(in_children, 5, "in a child, too, whether the parent has used it before or not")
{
	for (int used = 0; used < 2; used++) {
		pid_t child;

		install(SIGUSR1, plain, 0);
		child = fork();
		if (!child) {
			got = 0;
			raise(SIGUSR1);
			_exit(got == SIGUSR1 ? 0 : 1);
		}
		CHECK_EQ(test_wait(child), 0);
		raise(SIGUSR1);
	}
}

static bool access_at(uintptr_t address, char access[8])
{
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	bool found = false;

	CHECK(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx %7s", &start, &end, access) == 3 &&
			address >= start && address < end;
	fclose(maps);
	return found;
}

TEST(page, 5, "the code to return through can be executed, and not written")
{
	char access[8];

	install(SIGUSR1, plain, 0);
	raise(SIGUSR1);
	CHECK(access_at(way_back, access));
	CHECK(!strncmp(access, "r-xp", 4));
}
