/*
 * The details of signals: who sent them, and where and how a fault happened.
 */
#include "signals.h"
#include <setjmp.h>
#include <ucontext.h>

static siginfo_t last;
static sigjmp_buf before;
static int trap;

static void keep(int sig, siginfo_t *info, void *context)
{
	last = *info;
	hits++;
}

static void leave(int sig, siginfo_t *info, void *context)
{
	last = *info;
	trap = ((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(before, 1);
}

static void handle_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		handle(signals[i], leave, SA_SIGINFO | SA_NODEFER);
}

/* The statement must cause this fault. */
#define CHECK_FAULT(statement, signo, code, address)                     \
	do {                                                             \
		memset(&last, 0, sizeof(last));                          \
		if (sigsetjmp(before, 1) == 0) {                         \
			statement;                                       \
			CHECK(!#statement " faults");                    \
		}                                                        \
		CHECK_EQ(last.si_signo, signo);                          \
		CHECK_EQ(last.si_code, code);                            \
		CHECK_EQ((uintptr_t)last.si_addr, (uintptr_t)(address)); \
	} while (0)

TEST(memory, 5,
     "SEGV_MAPERR where nothing is mapped, SEGV_ACCERR where it is forbidden, BUS_ADRERR")
{
	FILE *file = tmpfile();
	volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *empty = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);

	char *volatile nowhere = (char *)0x123;
	volatile char *volatile in_kernel = (char *)0xffffe000;

	handle_faults();
	CHECK_FAULT(*nowhere = 1, SIGSEGV, SEGV_MAPERR, 0x123);
	CHECK_EQ(trap, 14);
	CHECK_FAULT(page[5] = 1, SIGSEGV, SEGV_ACCERR, page + 5);
	CHECK_FAULT((void)*in_kernel, SIGSEGV, SEGV_MAPERR, 0xffffe000);
	CHECK_FAULT((void)empty[7], SIGBUS, BUS_ADRERR, empty + 7);
	CHECK_FAULT(((void (*)(void))page)(), SIGSEGV, SEGV_ACCERR, page);
}

static int zero;

static void x87_divide(void)
{
	const unsigned short unmasked = 0x37f & ~4;

	__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait" ::"m"(unmasked));
}

static void x87_invalid(void)
{
	const unsigned short unmasked = 0x37f & ~1;

	__asm__ volatile("fninit; fldcw %0; fld1; fchs; fsqrt; fwait" ::"m"(unmasked));
}

TEST(arithmetic, 5, "the codes of SIGFPE: integers and x87")
{
	handle_faults();
	CHECK_FAULT(__asm__ volatile("here: xorl %%edx, %%edx; divl %0" ::"m"(zero)
				     : "eax", "edx"),
		    SIGFPE, FPE_INTDIV, last.si_addr);
	CHECK(last.si_addr != NULL);
	CHECK_EQ(trap, 0);
	CHECK_FAULT(x87_divide(), SIGFPE, FPE_FLTDIV, last.si_addr);
	CHECK_EQ(trap, 16);
	CHECK_FAULT(x87_invalid(), SIGFPE, FPE_FLTINV, last.si_addr);
}

__asm__(".text; bad_opcode: ud2; ret");
extern char bad_opcode[];

TEST(instructions, 5, "SIGILL with its address; what is privileged is SIGSEGV without one; traps")
{
	handle_faults();
	CHECK_FAULT(((void (*)(void))(uintptr_t)bad_opcode)(), SIGILL, ILL_ILLOPN, bad_opcode);
	CHECK_EQ(trap, 6);
	CHECK_FAULT(__asm__ volatile("cli"), SIGSEGV, SI_KERNEL, 0);
	CHECK_EQ(trap, 13);
	CHECK_FAULT(__asm__ volatile("int $0x21"), SIGSEGV, SI_KERNEL, 0);
	CHECK_FAULT(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL, 0);
	CHECK_FAULT(__asm__ volatile("pushfl; orl $0x100, (%esp); popfl; nop; nop"), SIGTRAP,
		    TRAP_TRACE, last.si_addr);
	CHECK_EQ(trap, 1);
}

TEST(senders, 5, "SI_USER, SI_TKILL and SI_KERNEL")
{
	int fds[2];

	handle(SIGUSR1, keep, SA_SIGINFO);
	handle(SIGPIPE, keep, SA_SIGINFO);
	handle(SIGALRM, keep, SA_SIGINFO);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(last.si_code, SI_USER);
	CHECK_EQ(last.si_pid, getpid());
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	CHECK_EQ(last.si_code, SI_TKILL);
	CHECK_EQ(last.si_pid, getpid());
	CHECK_EQ(pipe(fds), 0);
	close(fds[0]);
	CHECK_ERR(write(fds[1], "x", 1), EPIPE);
	CHECK_EQ(last.si_signo, SIGPIPE);
	CHECK_EQ(last.si_code, SI_USER);
	CHECK_EQ(last.si_pid, getpid());
	alarm(1);
	pause();
	CHECK_EQ(last.si_signo, SIGALRM);
	CHECK_EQ(last.si_code, SI_KERNEL);
	CHECK_EQ(last.si_pid, 0);
}

/* Wait for a SIGCHLD of the child. */
static void expect_child(pid_t child, int code, int status)
{
	sigset_t set = set_of(SIGCHLD);

	CHECK_EQ(sigtimedwait(&set, &last, &(struct timespec){ 10, 0 }), SIGCHLD);
	CHECK_EQ(last.si_pid, child);
	CHECK_EQ(last.si_uid, getuid());
	CHECK_EQ(last.si_code, code);
	CHECK_EQ(last.si_status, status);
}

TEST(children, 20, "SIGCHLD tells of a child's end, stop and continuation, and of its CPU time")
{
	sigset_t set = set_of(SIGCHLD);
	pid_t child;

	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	child = fork();
	if (child == 0) {
		while (clock() < CLOCKS_PER_SEC / 5)
			;
		kill(getpid(), SIGSTOP);
		for (;;)
			pause();
	}
	expect_child(child, CLD_STOPPED, SIGSTOP);
	kill(child, SIGCONT);
	expect_child(child, CLD_CONTINUED, SIGCONT);
	kill(child, SIGTERM);
	expect_child(child, CLD_KILLED, SIGTERM);
	printf("# user %ld, system %ld\n", last.si_utime, last.si_stime);
	CHECK(last.si_utime + last.si_stime >= 1 && last.si_utime + last.si_stime < 200);
	CHECK_EQ(wait_status(child), SIGTERM);
	child = fork();
	if (child == 0)
		_exit(42);
	expect_child(child, CLD_EXITED, 42);
	CHECK_EQ(WEXITSTATUS(wait_status(child)), 42);
}

TEST(no_core, 10, "a signal that dumps core sets no core bit where RLIMIT_CORE is 0")
{
	static const int signals[] = { SIGQUIT, SIGABRT, SIGSEGV, SIGTRAP, SIGXCPU };

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t child = fork();

		if (child == 0) {
			raise(signals[i]);
			_exit(0);
		}
		CHECK_EQ(wait_status(child), signals[i]);
	}
}

TEST(children_ignored, 10,
     "SA_NOCLDSTOP: no signal for a stop; SA_NOCLDWAIT: no zombie; SIG_IGN: no signal, even if blocked")
{
	sigset_t set = set_of(SIGCHLD), pending;
	pid_t child;
	int status, error;

	handle(SIGCHLD, keep, SA_SIGINFO | SA_NOCLDSTOP);
	child = fork();
	if (child == 0) {
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status) && hits == 0);
	kill(child, SIGCONT);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(hits, 1);
	handle(SIGCHLD, keep, SA_SIGINFO | SA_NOCLDWAIT);
	child = fork();
	if (child == 0)
		_exit(0);
	do
		error = waitpid(child, &status, 0) < 0 ? errno : 0;
	while (error == EINTR);
	CHECK_EQ(error, ECHILD);
	CHECK_EQ(hits, 2);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	signal(SIGCHLD, SIG_IGN);
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK_ERR(waitpid(child, &status, 0), ECHILD);
	CHECK_EQ(sigpending(&pending), 0);
	CHECK(!sigismember(&pending, SIGCHLD));
}

struct kernel_action { /* as rt_sigaction(2) takes it */
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask[2];
};

TEST(unknown_flags, 5,
     "sigaction forgets the flags that it does not know, so that they can be probed")
{
	struct kernel_action action = {
		SIG_DFL, SA_RESTART | 0x00800000 | 0x400, NULL, { ~0ul, ~0ul }
	};

	CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &action, 8), 0);
	CHECK_EQ(action.flags, SA_RESTART);
	CHECK_EQ(action.mask[0], ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
}

TEST(to_whom, 10, "which process or thread there is counts before which signal")
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	siginfo_t info;

	CHECK_EQ(syscall(SYS_waitid, P_PID, child, &info, WEXITED | WNOWAIT, NULL), 0);
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(syscall(SYS_tgkill, child, child, SIGTERM), 0);
	CHECK_ERR(syscall(SYS_tgkill, child, child, 65), EINVAL);
	wait_status(child);
	CHECK_ERR(kill(child, 65), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, child, child, 65), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, 0, getpid(), 0), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getppid(), getpid(), 0), ESRCH);
	CHECK_ERR(syscall(SYS_tkill, -1, 0), EINVAL);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
}
