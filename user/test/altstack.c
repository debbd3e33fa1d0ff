/*
 * Alternate signal stacks.
 */
#include "signals.h"
#include <pthread.h>
#include <setjmp.h>
#include <ucontext.h>

#define SIZE 16384
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char room[SIZE] __attribute__((aligned(16))), other[SIZE];
static volatile int depth, inside[4], flags_inside[4];
static stack_t in_context;

static bool is_inside(const void *at)
{
	return (const char *)at >= room && (const char *)at < room + SIZE;
}

/* The C library refuses some of the arguments itself. */
static int set_stack(const stack_t *stack, stack_t *old)
{
	return syscall(SYS_sigaltstack, stack, old);
}

static void use_stack(unsigned int flags)
{
	const stack_t stack = { .ss_sp = room, .ss_size = SIZE, .ss_flags = (int)flags };

	CHECK_EQ(set_stack(&stack, NULL), 0);
}

static void look(int sig, siginfo_t *info, void *context)
{
	stack_t now;
	int n = depth++;

	CHECK_EQ(set_stack(NULL, &now), 0);
	if (now.ss_flags == SS_ONSTACK)
		CHECK_ERR(set_stack(&(stack_t){ .ss_sp = other, .ss_size = SIZE }, NULL), EPERM);
	inside[n] = is_inside(&now);
	flags_inside[n] = now.ss_flags;
	in_context = ((ucontext_t *)context)->uc_stack;
	if (sig == SIGUSR1)
		raise(SIGUSR2);
}

TEST(on_stack, 5, "a handler with SA_ONSTACK runs on the alternate stack, others do not")
{
	use_stack(0);
	handle(SIGUSR2, look, SA_SIGINFO | SA_ONSTACK);
	raise(SIGUSR2);
	CHECK(inside[0]);
	CHECK_EQ(flags_inside[0], SS_ONSTACK);
	CHECK(in_context.ss_sp == room && in_context.ss_size == SIZE);
	handle(SIGUSR1, look, SA_SIGINFO);
	depth = 0;
	raise(SIGUSR1);
	CHECK(!inside[0] && inside[1]);
	CHECK_EQ(flags_inside[0], 0);
	CHECK_EQ(flags_inside[1], SS_ONSTACK);
}

TEST(nested, 5, "a second handler goes on below the first, and both come back")
{
	use_stack(0);
	handle(SIGUSR1, look, SA_SIGINFO | SA_ONSTACK);
	handle(SIGUSR2, look, SA_SIGINFO | SA_ONSTACK);
	for (int i = 0; i < 3; i++) {
		depth = 0;
		raise(SIGUSR1);
		CHECK_EQ(depth, 2);
		CHECK(inside[0] && inside[1]);
	}
}

TEST(refused, 5, "unknown flags, small stacks and bad addresses; what there was is told")
{
	stack_t old = { .ss_flags = 77 };

	CHECK_EQ(set_stack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL), 0);
	CHECK_EQ(set_stack(NULL, &old), 0);
	CHECK_EQ(old.ss_flags, SS_DISABLE);
	CHECK_EQ(old.ss_size, 0);
	CHECK_ERR(set_stack(&(stack_t){ .ss_sp = room, .ss_size = SIZE, .ss_flags = 4 }, NULL),
		  EINVAL);
	CHECK_ERR(set_stack(&(stack_t){ .ss_sp = room, .ss_size = 2047 }, NULL), ENOMEM);
	CHECK_ERR(set_stack((void *)8, NULL), EFAULT);
	CHECK_EQ(set_stack(&(stack_t){ .ss_sp = room, .ss_size = 2048 }, NULL), 0);
	CHECK_ERR(set_stack(NULL, (void *)8), EFAULT);
	CHECK_EQ(set_stack(&(stack_t){ .ss_sp = other, .ss_size = SIZE, .ss_flags = SS_ONSTACK },
			   &old),
		 0);
	CHECK(old.ss_sp == room && old.ss_size == 2048 && old.ss_flags == 0);
	CHECK_EQ(set_stack(NULL, &old), 0);
	CHECK(old.ss_sp == other && old.ss_size == SIZE && old.ss_flags == 0);
}

TEST(disarmed, 5,
     "with SS_AUTODISARM there is none while a handler runs, and after it there is again")
{
	stack_t now;

	use_stack(SS_AUTODISARM);
	handle(SIGUSR1, look, SA_SIGINFO | SA_ONSTACK);
	handle(SIGUSR2, look, SA_SIGINFO);
	raise(SIGUSR1);
	CHECK(inside[0]);
	CHECK_EQ(flags_inside[0], SS_DISABLE);
	CHECK_EQ(set_stack(NULL, &now), 0);
	CHECK_EQ((unsigned int)now.ss_flags, SS_AUTODISARM);
	CHECK(now.ss_sp == room && now.ss_size == SIZE);
}

static sigjmp_buf before;
static void leave(int sig)
{
	hits++;
	siglongjmp(before, 1);
}

static volatile int bottomless = 1;
static int deep(int n)
{
	volatile char space[4096];

	space[0] = n;
	return bottomless ? deep(n + 1) + space[0] : 0;
}

TEST(overflow, 10,
     "a program survives the overflow of its stack on the alternate one, again and again")
{
	use_stack(0);
	handle(SIGSEGV, leave, SA_ONSTACK);
	for (volatile int i = 0; i < 5; i++)
		if (sigsetjmp(before, 1) == 0)
			deep(0);
	CHECK_EQ(hits, 5);
}

static void recurse(int sig)
{
	raise(SIGUSR1);
}

TEST(full, 5, "handlers that fill the alternate stack end the program, and write nothing below it")
{
	static char all[3 * SIZE];
	const stack_t stack = { .ss_sp = all + SIZE, .ss_size = SIZE };
	int *shared =
		mmap(NULL, sizeof(all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const stack_t in_shared = { .ss_sp = (char *)shared + SIZE, .ss_size = SIZE };
	pid_t child;

	CHECK(shared != MAP_FAILED);
	CHECK_EQ(set_stack(&stack, NULL), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(set_stack(&in_shared, NULL), 0);
		handle(SIGUSR1, recurse, SA_ONSTACK | SA_NODEFER);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(WTERMSIG(wait_status(child)), SIGSEGV);
	/* Code in a handler may go below its stack. A frame that the kernel writes must not. */
	for (int i = 0; i < SIZE / 4 - 1024; i++)
		CHECK_EQ(shared[i], 0);
}

static void *thread(void *arg)
{
	stack_t now;

	CHECK_EQ(set_stack(NULL, &now), 0);
	*(int *)arg = now.ss_flags;
	return NULL;
}

TEST(inherited, 10, "a child has its parent's; a thread and a new program have none")
{
	pthread_t id;
	stack_t now;
	int flags = 0;
	pid_t child;

	use_stack(0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(set_stack(NULL, &now), 0);
		_exit(now.ss_sp == room ? 0 : 1);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(pthread_create(&id, NULL, thread, &flags), 0);
	pthread_join(id, NULL);
	CHECK_EQ(flags, SS_DISABLE);
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "altstack", "has_none", NULL);
		_exit(1);
	}
	CHECK_EQ(wait_status(child), 0);
}

TEST(has_none, 5, "a program begins without an alternate stack")
{
	stack_t now;

	CHECK_EQ(set_stack(NULL, &now), 0);
	CHECK_EQ(now.ss_flags, SS_DISABLE);
	CHECK(now.ss_sp == NULL && now.ss_size == 0);
}
