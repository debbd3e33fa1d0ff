/* ptrace: registers, single steps and debug registers, and values that must not harm the kernel. */
#include "ptrace.h"
#include <sched.h>
#include <sys/uio.h>

#define NT_XSTATE 0x202
#define NT_TLS	  0x200

static volatile int watched, unwatched;
static int steps_done;

static void nothing(void)
{
}

static __attribute__((noinline)) void bump(void)
{
	watched++;
}

static void use_watched(void)
{
	char byte = 1;
	int fds[2];

	unwatched = 1;
	watched = 2;
	(void)*(volatile int *)&watched;
	if (pipe(fds) || write(fds[1], &byte, 1) != 1 || read(fds[0], (void *)&watched, 1) != 1)
		_exit(1);
	bump();
	_exit(watched == 2 ? 0 : 2);
}

TEST(registers, 5,
     "GETREGS, PEEKUSER and GETREGSET agree, and SETREGS changes what the tracee sees")
{
	pid_t child = start_tracee(nothing);
	struct user_regs_struct regs = get_registers(child), set;
	struct iovec iov = { &set, sizeof(set) };

	CHECK_EQ(TRACE(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov), 0);
	CHECK_EQ(iov.iov_len, sizeof(set));
	CHECK_EQ(memcmp(&set, &regs, sizeof(regs)), 0);
	CHECK_EQ(peek_user(child, REGISTER_AT(esp)), regs.esp);
	CHECK_EQ(peek_user(child, REGISTER_AT(xcs)) & 3, 3);
	regs.ebx = 0x12345678;
	CHECK_EQ(TRACE(PTRACE_SETREGS, child, 0, &regs), 0);
	CHECK_EQ(peek_user(child, REGISTER_AT(ebx)), 0x12345678);
	iov.iov_len = 7;
	CHECK_ERR(TRACE(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov), EINVAL);
	iov.iov_len = 8;
	CHECK_EQ(TRACE(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov), 0);
	CHECK_EQ(set.ebx, 0x12345678);
	CHECK_ERR(TRACE(PTRACE_GETREGSET, child, 0x7777, &iov), EINVAL);
	CHECK_ERR(TRACE(PTRACE_GETREGS, child, 0, 8), EFAULT);
	CHECK_ERR(TRACE(PTRACE_PEEKUSER, child, 2, &iov), EIO);
	CHECK_ERR(TRACE(PTRACE_PEEKUSER, child, sizeof(struct user), &iov), EIO);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, 100, 1), EIO);
	CHECK_EQ(peek_user(child, 100), 0);
	kill_tracee(child);
}

/* The tracee goes on with these registers. Whatever happens to it, the kernel lives. */
static void run_with(pid_t child, const struct user_regs_struct *regs)
{
	int status;

	if (TRACE(PTRACE_SETREGS, child, 0, regs) == 0) {
		CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			return;
	}
	kill_tracee(child);
}

TEST(bad_selectors, 20, "selectors of the kernel are EIO; others harm nobody but the tracee")
{
	static const unsigned long kernels[] = { 8, 0x10, 0x28, 0x30, 0x38, 0x60, 0x68 };
	static const unsigned long odd[] = {
		3, 0x0b, 0x13, 0x2b, 0x33, 0x3b, 0xff, 0xfff3, 0xffff
	};
	static const size_t at[] = { REGISTER_AT(xds), REGISTER_AT(xes), REGISTER_AT(xfs),
				     REGISTER_AT(xgs), REGISTER_AT(xcs), REGISTER_AT(xss) };
	pid_t child = start_tracee(nothing);

	for (unsigned int i = 0; i < 6; i++)
		for (unsigned int k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++)
			CHECK_ERR(TRACE(PTRACE_POKEUSER, child, at[i], kernels[k]), EIO);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(xcs), 0), EIO);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(xss), 0), EIO);
	CHECK_EQ(finish(child), 0);
	for (unsigned int i = 0; i < 6; i++) {
		for (unsigned int k = 0; k < sizeof(odd) / sizeof(odd[0]); k++) {
			struct user_regs_struct regs;

			child = start_tracee(nothing);
			regs = get_registers(child);
			*(unsigned long *)((char *)&regs + at[i]) = odd[k];
			run_with(child, &regs);
		}
	}
}

TEST(bad_eflags, 5, "EFLAGS: IOPL, NT, VM, IF and the reserved bits stay as they are")
{
	pid_t child = start_tracee(nothing);
	long before = peek_user(child, REGISTER_AT(eflags));

	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eflags), -1), 0);
	CHECK_EQ(peek_user(child, REGISTER_AT(eflags)) & ~0x50dd5, before & ~0x50dd5);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eflags), 0), 0);
	CHECK_EQ(peek_user(child, REGISTER_AT(eflags)), before & ~0x50dd5);
	CHECK_EQ(finish(child), 0);
}

TEST(bad_addresses, 5, "a tracee that goes on in kernel memory, or on a stack there, gets SIGSEGV")
{
	static const unsigned long places[] = { 0xc0000000, 0xc0100000, 0xfffffffc, 0 };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pid_t child = start_tracee(nothing);

		CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(esp), places[i]), 0);
		CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eip), places[i]), 0);
		CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SIGSEGV);
		kill_tracee(child);
	}
}

/* ---- FPU ---- */

static void with_xmm(void)
{
	static const uint32_t value[4] = { 1, 2, 3, 4 };
	uint32_t result[4];

	__asm__ volatile("movups %1, %%xmm3\n\t"
			 "fld1\n\t"
			 "int3\n\t"
			 "movups %%xmm3, %0\n\t"
			 "fstp %%st(0)"
			 : "=m"(result)
			 : "m"(value)
			 : "memory");
	_exit(result[2] == 77 ? 0 : 1);
}

TEST(fpu_registers, 5, "FPREGS, FPXREGS and XSTATE show and change FPU and SSE")
{
	pid_t child = start_tracee(with_xmm);
	struct user_fpregs_struct old;
	struct user_fpxregs_struct fx, again;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(TRACE(PTRACE_GETFPXREGS, child, 0, &fx), 0);
	CHECK_EQ(fx.xmm_space[4 * 3 + 2], 3);
	CHECK_EQ(fx.cwd, 0x37f);
	CHECK_EQ(TRACE(PTRACE_GETFPREGS, child, 0, &old), 0);
	CHECK_EQ(old.cwd & 0xffff, 0x37f);
	CHECK_EQ((unsigned long)old.cwd >> 16, 0xffff);
	CHECK_EQ(old.twd & 0xffff, 0x3fff);		    /* one register is valid */
	CHECK_EQ(old.st_space[1] & 0xffffffff, 0x80000000); /* 1.0 */
	CHECK_EQ(old.st_space[2] & 0xffff, 0x3fff);
	CHECK_EQ(TRACE(PTRACE_SETFPREGS, child, 0, &old), 0);
	CHECK_EQ(TRACE(PTRACE_GETFPXREGS, child, 0, &again), 0);
	CHECK_EQ(memcmp(again.xmm_space, fx.xmm_space, sizeof(fx.xmm_space)), 0);
	fx.xmm_space[4 * 3 + 2] = 77;
	CHECK_EQ(TRACE(PTRACE_SETFPXREGS, child, 0, &fx), 0);
	fx.mxcsr = 0xffffffff;
	CHECK_ERR(TRACE(PTRACE_SETFPXREGS, child, 0, &fx), EIO);
	CHECK_EQ(finish(child), 0);
}

TEST(bad_xstate, 5, "XSTATE with unknown components, reserved words or MXCSR bits is EINVAL")
{
	pid_t child = start_tracee(with_xmm);
	static uint8_t state[8192], bad[8192];
	struct iovec iov = { state, sizeof(state) };

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(TRACE(PTRACE_GETREGSET, child, NT_XSTATE, &iov), 0);
	CHECK_EQ(*(uint32_t *)(state + 464) & 7, 7);
	CHECK_EQ(*(uint32_t *)(state + 160 + 16 * 3 + 8), 3);
	for (unsigned int at = 512; at < 576; at += 8) {
		iov.iov_base = memcpy(bad, state, sizeof(bad));
		*(uint32_t *)(bad + at + 4) = 0x40000000;
		CHECK_ERR(TRACE(PTRACE_SETREGSET, child, NT_XSTATE, &iov), EINVAL);
	}
	memcpy(bad, state, sizeof(bad));
	*(uint32_t *)(bad + 24) = 0xffffffff;
	CHECK_ERR(TRACE(PTRACE_SETREGSET, child, NT_XSTATE, &iov), EINVAL);
	iov.iov_len -= 8;
	iov.iov_base = state;
	CHECK_ERR(TRACE(PTRACE_SETREGSET, child, NT_XSTATE, &iov), EFAULT);
	iov.iov_len += 8;
	*(uint32_t *)(state + 160 + 16 * 3 + 8) = 77;
	CHECK_EQ(TRACE(PTRACE_SETREGSET, child, NT_XSTATE, &iov), 0);
	CHECK_EQ(finish(child), 0);
}

TEST(tls, 5, "the TLS segments of a tracee: GET_THREAD_AREA and NT_386_TLS")
{
	pid_t child = start_tracee(nothing);
	unsigned int entry = (peek_user(child, REGISTER_AT(xgs)) & 0xffff) >> 3, area[4], all[12];
	struct iovec iov = { all, sizeof(all) };

	CHECK_EQ(TRACE(PTRACE_GET_THREAD_AREA, child, entry, area), 0);
	CHECK_EQ(area[0], entry);
	CHECK(area[1] != 0);
	CHECK_EQ(TRACE(PTRACE_SET_THREAD_AREA, child, entry, area), 0);
	CHECK_EQ(TRACE(PTRACE_GETREGSET, child, NT_TLS, &iov), 0);
	CHECK_EQ(iov.iov_len, sizeof(all));
	CHECK_EQ(memcmp(all, area, sizeof(area)), 0);
	CHECK_EQ(TRACE(PTRACE_SETREGSET, child, NT_TLS, &iov), 0);
	CHECK_ERR(TRACE(PTRACE_GET_THREAD_AREA, child, 1, area), EINVAL);
	CHECK_EQ(finish(child), 0);
}

/* ---- single steps ---- */

static void call_and_stop(void)
{
	__asm__ volatile("int3\n\t"
			 "nop\n\t"
			 "movl $20, %%eax\n\t"
			 "int $0x80\n\t"
			 "nop\n\t"
			 "nop" ::
				 : "eax", "memory");
	_exit(0);
}

static unsigned long step(pid_t child, int signo)
{
	CHECK_EQ(TRACE(PTRACE_SINGLESTEP, child, 0, signo), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	steps_done++;
	return peek_user(child, REGISTER_AT(eip));
}

TEST(single_steps, 5, "SINGLESTEP does one instruction, and a system call is one")
{
	pid_t child = start_tracee(call_and_stop);
	unsigned long eip;
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, SI_KERNEL);
	eip = peek_user(child, REGISTER_AT(eip));
	CHECK_EQ(step(child, 0), eip + 1);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, TRAP_TRACE);
	CHECK_EQ((unsigned long)info.si_addr, eip + 1);
	CHECK_EQ(peek_user(child, REGISTER_AT(eflags)) & 0x100, 0);
	CHECK_EQ(step(child, 0), eip + 6);
	CHECK_EQ(step(child, 0), eip + 8);
	CHECK_EQ(peek_user(child, REGISTER_AT(eax)), child);
	CHECK_EQ(step(child, 0), eip + 9);
	CHECK_EQ(finish(child), 0);
}

static void handler(int signo)
{
}

static void raise_and_stop(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	_exit(0);
}

TEST(steps_into_handlers, 5, "a step with a signal stops at the handler's first instruction")
{
	pid_t child = start_tracee(raise_and_stop);
	unsigned long word = 0;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(step(child, SIGUSR1), (unsigned long)handler);
	/* The frame's flags, which the handler's return loads, do not trap. */
	CHECK_EQ(TRACE(PTRACE_PEEKDATA, child, peek_user(child, REGISTER_AT(esp)) + 8 + 64, &word),
		 0);
	CHECK_EQ(word & 0x100, 0);
	for (int i = 0; i < 30; i++)
		step(child, 0);
	CHECK_EQ(finish(child), 0);
}

/* ---- debug registers ---- */

static void set_debug(pid_t child, unsigned int nr, unsigned long value)
{
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(nr), value), 0);
}

TEST(watchpoints, 5, "a watchpoint stops after a store; a store by the kernel is only noted")
{
	pid_t child = start_tracee(use_watched);
	siginfo_t info;

	set_debug(child, 0, (unsigned long)&watched);
	set_debug(child, 7, 1 | 0xd << 16); /* write, 4 bytes */
	CHECK_EQ(peek_user(child, DEBUG_AT(0)), (unsigned long)&watched);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, 4 /* TRAP_HWBKPT */);
	CHECK_EQ(peek_user(child, DEBUG_AT(6)) & 15, 1);
	set_debug(child, 6, 0);
	CHECK_EQ(peek_user(child, DEBUG_AT(6)) & 15, 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP); /* in bump() */
	set_debug(child, 7, 0);
	CHECK_EQ(finish(child), 0);
}

TEST(breakpoints, 5, "a hardware breakpoint stops before its instruction, once each time")
{
	pid_t child = start_tracee(use_watched);

	set_debug(child, 3, (unsigned long)bump);
	set_debug(child, 7, 1 << 6);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(peek_user(child, REGISTER_AT(eip)), (unsigned long)bump);
	CHECK_EQ(peek_user(child, DEBUG_AT(6)) & 15, 8);
	CHECK_EQ(finish(child), 0);
}

TEST(bad_debug_registers, 5,
     "debug registers: kernel addresses, IO and bad sizes are EINVAL; GD is nothing")
{
	pid_t child = start_tracee(use_watched);

	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(0), 0xc0000000), EINVAL);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(1), 0xffffffff), EINVAL);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(4), 1), EIO);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(5), 1), EIO);
	set_debug(child, 0, (unsigned long)&watched + 1);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(7), 1 | 0xd << 16), EINVAL);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(7), 1 | 2 << 16), EINVAL);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(7), 1 | 9 << 16), EINVAL);
	CHECK_ERR(TRACE(PTRACE_POKEUSER, child, DEBUG_AT(7), 1 | 4 << 16), EINVAL);
	CHECK_EQ(peek_user(child, DEBUG_AT(7)), 0);
	set_debug(child, 7, 0x2000 | 0xff00);
	CHECK_EQ(finish(child), 0);
}

static void fork_and_bump(void)
{
	pid_t child = fork();

	if (!child) {
		bump();
		_exit(0);
	}
	_exit(test_wait(child));
}

TEST(breakpoints_are_private, 5,
     "debug registers belong to one task: neither a child nor others stop")
{
	pid_t child = start_tracee(fork_and_bump);

	set_debug(child, 0, (unsigned long)&watched);
	set_debug(child, 7, 1 | 0xd << 16);
	for (int i = 0; i < 100; i++) {
		watched = i;
		sched_yield();
	}
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGCHLD);
	CHECK_EQ(finish(child), 0);
}
