/*
 * Tracers and unwinders of a program that makes a call through __kernel_vsyscall.
 */
#include "fastcall.h"
#include "ptrace.h"

#define ARGUMENT(n) (0x1111 * (n))

static struct registers traced = { SYS_getppid, ARGUMENT(1), ARGUMENT(2), ARGUMENT(3),
				   ARGUMENT(4), ARGUMENT(5), ARGUMENT(6), 0x202 };

static void trap_and_call(void)
{
	traced_call(&traced);
	if (traced.ebp != ARGUMENT(6) || traced.edi != ARGUMENT(5))
		_exit(99);
	_exit(traced.eax == (uint32_t)getppid() ? 0 : traced.eax);
}

/* Starts the tracee. Returns when it has stopped before the call. */
static pid_t start_caller(void)
{
	pid_t child;

	landing();
	child = start_tracee(trap_and_call);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	return child;
}

static struct user_regs_struct next_call_stop(pid_t child)
{
	CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	return get_registers(child);
}

static unsigned long peek(pid_t child, unsigned long at)
{
	unsigned long word;

	CHECK_EQ(TRACE(PTRACE_PEEKDATA, child, at, &word), 0);
	return word;
}

static void check_stop(pid_t child, const struct user_regs_struct *r)
{
	long selector;

	CHECK_EQ(r->orig_eax, SYS_getppid);
	CHECK_EQ(r->ebx, ARGUMENT(1));
	CHECK_EQ(r->ecx, ARGUMENT(2));
	CHECK_EQ(r->edx, ARGUMENT(3));
	CHECK_EQ(r->esi, ARGUMENT(4));
	CHECK_EQ(r->edi, ARGUMENT(5));
	CHECK_EQ(r->ebp, ARGUMENT(6));
	CHECK_EQ((unsigned long)r->eip, landing());
	CHECK_EQ(r->eflags, 0x202);
	CHECK_EQ(peek(child, r->esp), ARGUMENT(6));
	__asm__("movl %%cs, %0" : "=r"(selector));
	CHECK_EQ(r->xcs & 0xffff, selector);
	__asm__("movl %%ss, %0" : "=r"(selector));
	CHECK_EQ(r->xss & 0xffff, selector);
	__asm__("movl %%gs, %0" : "=r"(selector));
	CHECK_EQ(r->xgs & 0xffff, selector);
}

TEST(stops, 5, "a tracer sees a fast call like one by int")
{
	pid_t child = start_caller();
	struct user_regs_struct r = next_call_stop(child);

	CHECK_EQ(r.eax, -ENOSYS);
	check_stop(child, &r);
	r = next_call_stop(child);
	CHECK_EQ(r.eax, getpid());
	check_stop(child, &r);
	CHECK_EQ(finish(child), 0);
}

TEST(changes, 5, "a tracer changes the number and the result of a fast call")
{
	pid_t child = start_caller();
	struct user_regs_struct r = next_call_stop(child);

	r.orig_eax = SYS_getpid;
	CHECK_EQ(TRACE(PTRACE_SETREGS, child, 0, &r), 0);
	r = next_call_stop(child);
	CHECK_EQ(r.eax, child);
	r.eax = 17;
	CHECK_EQ(TRACE(PTRACE_SETREGS, child, 0, &r), 0);
	CHECK_EQ(finish(child), 17);
}

TEST(skipped, 5, "PTRACE_SYSEMU leaves a fast call out")
{
	pid_t child = start_caller();
	struct user_regs_struct r;

	CHECK_EQ(TRACE(PTRACE_SYSEMU, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	r = get_registers(child);
	check_stop(child, &r);
	r.eax = 18;
	CHECK_EQ(TRACE(PTRACE_SETREGS, child, 0, &r), 0);
	CHECK_EQ(finish(child), 18);
}

/* ---- the record of the frame: Linux Standard Base Core, "Exception Frames" ---- */

struct frame {
	unsigned int cfa_offset; /* of the frame from esp */
	int ebp_at;		 /* where ebp is saved, from the frame; 0: it is in the register */
};

static unsigned int leb128(const uint8_t **at)
{
	unsigned int value = *(*at)++;

	CHECK(value < 128); /* no number of this record is larger */
	return value;
}

/* Carries out the instructions that lead to `pc`. */
static void carry_out(const uint8_t *at, const uint8_t *end, uintptr_t start, uintptr_t pc,
		      struct frame *frame)
{
	while (at < end) {
		uint8_t op = *at++;

		if (op >> 6 == 1) { /* advance_loc */
			start += op & 63;
			if (start > pc)
				return;
		} else if (op >> 6 == 2) { /* offset of a register, in units of -4 */
			int place = -4 * (int)leb128(&at);

			if ((op & 63) == 5)
				frame->ebp_at = place;
		} else if (op >> 6 == 3) { /* restore */
			if ((op & 63) == 5)
				frame->ebp_at = 0;
		} else if (op == 0x0c) { /* def_cfa: esp */
			CHECK_EQ(leb128(&at), 4);
			frame->cfa_offset = leb128(&at);
		} else if (op == 0x0e) { /* def_cfa_offset */
			frame->cfa_offset = leb128(&at);
		} else if (op) {
			test_fail(__FILE__, __LINE__, "instruction 0x%x", op);
		}
	}
}

/* Finds the vDSO's record for an address, and says what it tells. */
static struct frame frame_at(uintptr_t pc)
{
	uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	const Elf32_Ehdr *image = (const Elf32_Ehdr *)base;
	const Elf32_Phdr *phdr = (const Elf32_Phdr *)(base + image->e_phoff);
	struct frame frame = { 0 };

	for (int i = 0; i < image->e_phnum; i++) {
		const uint8_t *header = (const uint8_t *)(base + phdr[i].p_vaddr), *at;

		if (phdr[i].p_type != PT_GNU_EH_FRAME)
			continue;
		at = header + 4 + *(const int32_t *)(header + 4);
		while (*(const uint32_t *)at) {
			const uint8_t *next = at + 4 + *(const uint32_t *)at;
			const uint8_t *cie = at + 4 - *(const uint32_t *)(at + 4);
			uintptr_t start = (uintptr_t)(at + 8) + *(const int32_t *)(at + 8);

			if (*(const uint32_t *)(at + 4) &&
			    pc - start < *(const uint32_t *)(at + 12)) {
				/* version, "zR", three numbers, a length and an encoding */
				CHECK(!memcmp(cie + 8, "\1zR\0\1\x7c\x08\1\x1b", 9));
				carry_out(cie + 17, cie + 4 + *(const uint32_t *)cie, 0, 0, &frame);
				carry_out(at + 17, next, start, pc, &frame);
				return frame;
			}
			at = next;
		}
	}
	test_fail(__FILE__, __LINE__, "the vDSO has no record for 0x%lx", (unsigned long)pc);
}

/* ---- single steps ---- */

static uintptr_t step(pid_t child)
{
	CHECK_EQ(TRACE(PTRACE_SINGLESTEP, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	return peek_user(child, REGISTER_AT(eip));
}

TEST(single_steps, 10,
     "a tracer steps through a fast call, and finds the caller at every instruction")
{
	uintptr_t first = find_instruction("\x0f\x34"), eip, before = 0;
	pid_t child = start_caller();
	int steps = 0;

	/* Without sysenter, the call is at the `int`. */
	first = first ? first : landing() - 2;
	while ((eip = step(child)) != (uintptr_t)traced_returned) {
		struct user_regs_struct r = get_registers(child);

		CHECK(++steps < 40);
		if (eip - getauxval(AT_SYSINFO) < 16) {
			struct frame frame = frame_at(eip);
			uintptr_t cfa = r.esp + frame.cfa_offset;
			uint32_t ebp =
				frame.ebp_at ? peek(child, cfa + frame.ebp_at) : (uint32_t)r.ebp;

			CHECK_EQ(peek(child, cfa - 4), (uintptr_t)traced_returned);
			CHECK_EQ(ebp, ARGUMENT(6));
		}
		if (before == first) {
			CHECK_EQ(eip, landing());
			CHECK_EQ(r.eax, getpid());
			CHECK_EQ(r.ebp, ARGUMENT(6));
		}
		before = eip;
	}
	CHECK(steps >= 5);
	CHECK_EQ(finish(child), 0);
}

static void trap_and_wait(void)
{
	__asm__ volatile("int3");
	for (int i = 0; i < 3; i++)
		fast(SYS_getppid, 1, 2, 3, 4, 5, 6);
	_exit(0);
}

TEST(steps_on, 20, "a tracer steps through three fast calls and what lies between them")
{
	pid_t child = start_tracee(trap_and_wait);
	int status, calls = 0;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	for (;;) {
		CHECK_EQ(TRACE(PTRACE_SINGLESTEP, child, 0, 0), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			break;
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
		calls += (uintptr_t)peek_user(child, REGISTER_AT(eip)) == landing();
	}
	CHECK_EQ(status, 0);
	CHECK(calls >= 3);
}
