/*
 * Where a program's memory stands, and what the auxiliary vector tells of it.
 */
#include "user/test/test.h"
#include <sys/auxv.h>
#include <sys/personality.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

#define PRINT \
	"LAYOUT_PRINT" /* with this in its environment, the program prints its places and ends */

struct places {
	uintptr_t stack, heap, mapping, random;
};

__attribute__((constructor)) static void print_places(void)
{
	struct places places = { .stack = (uintptr_t)&places };

	if (!getenv(PRINT))
		return;
	places.heap = (uintptr_t)syscall(SYS_brk, 0);
	places.mapping = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(&places.random, (void *)getauxval(AT_RANDOM), sizeof(places.random));
	_exit(write(1, &places, sizeof(places)) != sizeof(places));
}

/* Start this program anew, and return where its parts stand. */
static struct places start(void)
{
	char *const argv[] = { (char *)"layout", NULL };
	char *const envp[] = { (char *)PRINT "=1", NULL };
	struct places places;
	int pipes[2], status;

	CHECK_EQ(pipe(pipes), 0);
	if (fork() == 0) {
		CHECK_EQ(dup2(pipes[1], 1), 1);
		execve("/proc/self/exe", argv, envp);
		_exit(1);
	}
	close(pipes[1]);
	CHECK_EQ(read(pipes[0], &places, sizeof(places)), sizeof(places));
	close(pipes[0]);
	CHECK(wait(&status) > 0);
	CHECK_EQ(status, 0);
	return places;
}

TEST(random, 20, "each start of a program has its stack, heap and mappings at other places")
{
	struct places first = start();
	bool stack = false, heap = false, mapping = false, random = false;

	/* With 256 places for mappings, ten starts choose the same one once in 10^24 runs. */
	for (unsigned int i = 0; i < 10; i++) {
		struct places next = start();

		stack |= next.stack != first.stack;
		heap |= next.heap != first.heap;
		mapping |= next.mapping != first.mapping;
		random |= next.random != first.random;
		CHECK_EQ(next.stack % 4, 0);
		CHECK_EQ(next.heap % 4096, 0);
	}
	CHECK(stack);
	CHECK(heap);
	CHECK(mapping);
	CHECK(random);
}

TEST(fixed, 20, "with the personality ADDR_NO_RANDOMIZE the places are the same each time")
{
	struct places first;

	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	first = start();
	for (unsigned int i = 0; i < 5; i++) {
		struct places next = start();

		CHECK_EQ(next.stack, first.stack);
		CHECK_EQ(next.heap, first.heap);
		CHECK_EQ(next.mapping, first.mapping);
		CHECK(next.random != first.random || i < 4);
	}
}

TEST(vector, 5, "the auxiliary vector has what programs and C libraries ask for")
{
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(getauxval(AT_FLAGS), 0);
	CHECK(getauxval(AT_PHDR) > 0 && getauxval(AT_PHNUM) > 0 && getauxval(AT_ENTRY) > 0);
	CHECK_EQ(getauxval(AT_PHENT), 32);
	CHECK(getauxval(AT_HWCAP) & 1); /* an FPU */
	CHECK_EQ(strcmp((char *)getauxval(AT_PLATFORM), "i686"), 0);
	CHECK(strstr((char *)getauxval(AT_EXECFN), "layout") != NULL);
}

TEST(auxv_file, 5, "/proc/self/auxv is the auxiliary vector")
{
	unsigned long entries[64][2];
	int fd = open("/proc/self/auxv", O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read(fd, entries, sizeof(entries));
	CHECK(n > 0 && n % sizeof(entries[0]) == 0);
	for (unsigned int i = 0; i < n / sizeof(entries[0]) - 1; i++) {
		CHECK(entries[i][0] != AT_NULL);
		CHECK_EQ(getauxval(entries[i][0]), entries[i][1]);
	}
	CHECK_EQ(entries[n / sizeof(entries[0]) - 1][0], AT_NULL);
}

static volatile uintptr_t deepest;

static void handler(int signo, siginfo_t *info, void *context)
{
	/* The frame begins with the return address, just below this function's arguments. */
	deepest = (uintptr_t)__builtin_frame_address(0) + 4;
}

TEST(frame_size, 5, "AT_MINSIGSTKSZ is room enough for a signal frame, and not much more")
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static char stack[65536] __attribute__((aligned(4096)));
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	uintptr_t used;

	CHECK_EQ(sigaltstack(&alternate, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	used = (uintptr_t)stack + sizeof(stack) - deepest;
	CHECK(used <= getauxval(AT_MINSIGSTKSZ));
	CHECK(getauxval(AT_MINSIGSTKSZ) < used + 1024);
}
