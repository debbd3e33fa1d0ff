/*
 * The registers of a tracee, which is frozen, as its tracer reads and writes them.
 *
 * 1. The general registers are those of the frame with which the tracee has entered the kernel. A
 *    write keeps what the kernel needs: code and stack segment are the user's, and of EFLAGS only
 *    those bits change that a program can change itself. Other selectors may be wrong, because the
 *    way back to user mode loads a null one instead.
 * 2. FPU, SSE and AVX registers are in fpu_state. Whatever XRSTOR or FXRSTOR would refuse is
 *    refused here.
 * 3. `orig_eax` is the number of the system call from which the tracee has not returned yet, and -1
 *    after other traps. A tracer that writes it makes the kernel restart a call, or keeps it from
 *    that.
 * The layouts are those of struct user_regs_struct, user_fpregs_struct, user_fpxregs_struct and
 * struct user.
 */
#include "kernel/cpu/debug.h"
#include "kernel/cpu/fpu.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

enum { /* requests */
       PTRACE_GETREGS = 12,
       PTRACE_SETREGS = 13,
       PTRACE_GETFPREGS = 14,
       PTRACE_SETFPREGS = 15,
       PTRACE_GETFPXREGS = 18,
       PTRACE_SETFPXREGS = 19,
       PTRACE_GET_THREAD_AREA = 25,
       PTRACE_SET_THREAD_AREA = 26,
       PTRACE_GETREGSET = 0x4204,
       PTRACE_SETREGSET = 0x4205,
};

enum { /* sets of registers, named after notes in core files */
       NT_PRSTATUS = 1,
       NT_PRFPREG = 2,
       NT_386_TLS = 0x200,
       NT_X86_XSTATE = 0x202,
       NT_PRXFPREG = 0x46e62b7f,
};

/* ---- general registers ---- */

#define NR_REGISTERS   17u
#define REGISTERS_SIZE (NR_REGISTERS * sizeof(uint32_t))
#define NO_CALL	       0xffffffffu

enum { /* the places that are not simply a word of the frame */
       PLACE_DS = 7,
       PLACE_GS = 10,
       PLACE_ORIG_EAX = 11,
       PLACE_CS = 13,
       PLACE_EFLAGS = 14,
       PLACE_SS = 16,
};

/* Where each register is in the frame. */
static const uint8_t places[NR_REGISTERS] = {
	offsetof(struct trap_frame, ebx),    offsetof(struct trap_frame, ecx),
	offsetof(struct trap_frame, edx),    offsetof(struct trap_frame, esi),
	offsetof(struct trap_frame, edi),    offsetof(struct trap_frame, ebp),
	offsetof(struct trap_frame, eax),    offsetof(struct trap_frame, ds),
	offsetof(struct trap_frame, es),     offsetof(struct trap_frame, fs),
	offsetof(struct trap_frame, gs),     offsetof(struct trap_frame, error),
	offsetof(struct trap_frame, eip),    offsetof(struct trap_frame, cs),
	offsetof(struct trap_frame, eflags), offsetof(struct trap_frame, esp),
	offsetof(struct trap_frame, ss),
};

static uint32_t *place_of(struct task *task, unsigned int i)
{
	return (uint32_t *)((char *)task_frame(task) + places[i]);
}

static bool is_selector(unsigned int i)
{
	return (i >= PLACE_DS && i <= PLACE_GS) || i == PLACE_CS || i == PLACE_SS;
}

static uint32_t get_register(struct task *task, unsigned int i)
{
	uint32_t value = *place_of(task, i);

	if (is_selector(i))
		return value & 0xffff;
	if (i == PLACE_EFLAGS && task->ptrace.stepping)
		return value & ~EFLAGS_TF;
	if (i == PLACE_ORIG_EAX && task_frame(task)->vector != VECTOR_SYSCALL)
		return NO_CALL;
	return value;
}

/* May the register have this value? Returns 0 or -EIO. */
static long check_register(unsigned int i, uint32_t value)
{
	if (i == PLACE_CS || i == PLACE_SS) {
		if ((value & 0xffff) != (i == PLACE_CS ? SEL_USER_CODE : SEL_USER_DATA))
			return refuse(EIO, "not the selector of a program");
	} else if (is_selector(i) && value & 0xffff && (value & 3) != 3) {
		return refuse(EIO, "a selector of the kernel");
	}
	return 0;
}

static void set_eflags(struct task *task, uint32_t value)
{
	struct trap_frame *frame = task_frame(task);

	/*
	 * The tracer's own trap flag stays on. If the program is to have it, it is not the tracer's
	 * any more.
	 */
	if (value & EFLAGS_TF)
		task->ptrace.stepping = false;
	else if (task->ptrace.stepping)
		value |= EFLAGS_TF;
	frame->eflags = (frame->eflags & ~EFLAGS_USER) | (value & EFLAGS_USER);
}

static void set_register(struct task *task, unsigned int i, uint32_t value)
{
	struct trap_frame *frame = task_frame(task);

	if (i == PLACE_EFLAGS) {
		set_eflags(task, value);
	} else if (i != PLACE_ORIG_EAX) {
		*place_of(task, i) = is_selector(i) ? value & 0xffff : value;
	} else if (frame->vector == VECTOR_SYSCALL || value != NO_CALL) {
		/* It may go on in a call that was interrupted before the trap. */
		frame->vector = VECTOR_SYSCALL;
		frame->error = value;
	}
}

static long get_registers(struct task *task, void *to)
{
	uint32_t *words = to;

	for (unsigned int i = 0; i < NR_REGISTERS; i++)
		words[i] = get_register(task, i);
	return REGISTERS_SIZE;
}

/* All are checked before the first one changes. */
static long set_registers(struct task *task, const void *from, size_t len)
{
	const uint32_t *words = from;
	unsigned int nr = len / sizeof(*words);
	long error = 0;

	for (unsigned int i = 0; i < nr && !error; i++)
		error = check_register(i, words[i]);
	for (unsigned int i = 0; i < nr && !error; i++)
		set_register(task, i, words[i]);
	return error;
}

/* ---- FPU, SSE and AVX ---- */

#define LEGACY_SIZE	108u /* the 32-bit FSAVE image: Intel SDM vol. 1, 8.1.10 */
#define LEGACY_ONES	0xffff0000u
#define MXCSR_MASK_BASE 0xffbfu
#define XCR0_AT		464u /* where an XSAVE image for programs tells which components the CPU has */

static uint32_t mxcsr_mask(const struct fpu_state *state)
{
	return state->fx.mxcsr_mask ? state->fx.mxcsr_mask : MXCSR_MASK_BASE;
}

/* Components that are not present have their initial values, which then count as present. */
static void make_present(struct fpu_state *state, uint64_t components)
{
	if (cpu_has.avx && components & FPU_X87 && !(state->present & FPU_X87)) {
		memset(state->fx.x87, 0, sizeof(state->fx.x87));
		state->fx.control = FPU_CONTROL_DEFAULT;
		state->fx.status = 0;
		memset(state->fx.registers, 0, 128);
	}
	if (cpu_has.avx && components & FPU_SSE && !(state->present & FPU_SSE))
		memset(state->fx.registers + 128, 0, sizeof(state->fx.registers) - 128);
	if (components & FPU_AVX && !(state->present & FPU_AVX))
		memset(state->ymm_high, 0, sizeof(state->ymm_high));
	state->present |= components;
}

/*
 * The CPU itself converts between the two images. Its registers belong to the tracer, and get their
 * values back. No interrupt comes in between, because an interrupt may use wide registers.
 */
static long get_legacy(struct task *task, void *to)
{
	struct fpu_state state = task->fpu_state;
	unsigned int flags = irq_save();
	uint32_t *words = to;

	make_present(&state, FPU_X87 | FPU_SSE);
	fpu_save(current);
	__asm__ volatile("fxrstor %1; fnsave %0"
			 : "=m"(*(uint8_t(*)[LEGACY_SIZE])to)
			 : "m"(state.fx));
	fpu_restore(current);
	irq_restore(flags);
	for (unsigned int i = 0; i < 3; i++) /* control, status, tags */
		words[i] |= LEGACY_ONES;
	return LEGACY_SIZE;
}

static long set_legacy(struct task *task, const void *from, size_t len)
{
	struct fpu_state state = task->fpu_state;
	struct fxsave fx __attribute__((aligned(16)));
	unsigned int flags;

	if (len != LEGACY_SIZE)
		return -EFAULT;
	make_present(&state, FPU_X87 | FPU_SSE);
	flags = irq_save();
	fpu_save(current);
	__asm__ volatile("frstor %1; fxsave %0"
			 : "=m"(fx)
			 : "m"(*(const uint8_t(*)[LEGACY_SIZE])from));
	fpu_restore(current);
	irq_restore(flags);
	state.fx.control = fx.control;
	state.fx.status = fx.status;
	memcpy(state.fx.x87, fx.x87, sizeof(fx.x87));
	memcpy(state.fx.registers, fx.registers, 128); /* the SSE registers are behind these */
	task->fpu_state = state;
	return 0;
}

static long get_fx(struct task *task, void *to)
{
	struct fpu_state state = task->fpu_state;

	make_present(&state, FPU_X87 | FPU_SSE);
	memset(state.fx.software, 0, sizeof(state.fx.software));
	memcpy(to, &state.fx, sizeof(state.fx));
	return sizeof(state.fx);
}

static long set_fx(struct task *task, const void *from, size_t len)
{
	const struct fxsave *fx = from;
	uint32_t mask = mxcsr_mask(&task->fpu_state);

	if (len != sizeof(*fx))
		return -EINVAL;
	if (fx->mxcsr & ~mask)
		return refuse(EINVAL, "reserved bits of MXCSR");
	make_present(&task->fpu_state, FPU_X87 | FPU_SSE);
	task->fpu_state.fx = *fx;
	task->fpu_state.fx.mxcsr_mask = mask;
	return 0;
}

static long get_xstate(struct task *task, void *to)
{
	const uint64_t components = FPU_ALL;
	struct fpu_state state = task->fpu_state;
	uint64_t present = state.present;

	if (!cpu_has.avx)
		return -ENODEV;
	make_present(&state, FPU_ALL);
	state.present = present;
	memset(state.zeros, 0, sizeof(state.zeros));
	memset(state.fx.software, 0, sizeof(state.fx.software));
	memcpy((char *)&state + XCR0_AT, &components, sizeof(components));
	memcpy(to, &state, sizeof(state));
	return sizeof(state);
}

static long set_xstate(struct task *task, const void *from, size_t len)
{
	uint32_t mask = mxcsr_mask(&task->fpu_state);
	struct fpu_state state;

	if (!cpu_has.avx)
		return -ENODEV;
	if (len != sizeof(state))
		return -EFAULT;
	memcpy(&state, from, sizeof(state));
	if (state.present & ~(uint64_t)FPU_ALL)
		return refuse(EINVAL, "components that the CPU does not have");
	for (unsigned int i = 0; i < ARRAY_SIZE(state.zeros); i++)
		if (state.zeros[i])
			return refuse(EINVAL, "reserved words of the header");
	if (state.fx.mxcsr & ~mask)
		return refuse(EINVAL, "reserved bits of MXCSR");
	state.fx.mxcsr_mask = mask;
	task->fpu_state = state;
	return 0;
}

/* ---- TLS ---- */

static long move_tls(struct task *task, char __user *at, size_t len, bool set)
{
	long error = 0;

	for (unsigned int i = 0; i < len / TLS_DESC_SIZE && !error; i++)
		error = set ? tls_set(task, at + i * TLS_DESC_SIZE, false)
			    : tls_get(task, SEL_TLS_FIRST + i, at + i * TLS_DESC_SIZE);
	return error;
}

/* ---- sets ---- */

/*
 * get() writes the whole set, and returns its size or an error. set() gets whole words, at most
 * that size.
 */
static const struct regset {
	unsigned int type;
	size_t size, word;
	long (*get)(struct task *task, void *to);
	long (*set)(struct task *task, const void *from, size_t len);
} sets[] = {
	{ NT_PRSTATUS, REGISTERS_SIZE, 4, get_registers, set_registers },
	{ NT_PRFPREG, LEGACY_SIZE, 4, get_legacy, set_legacy },
	{ NT_PRXFPREG, sizeof(struct fxsave), 4, get_fx, set_fx },
	{ NT_X86_XSTATE, sizeof(struct fpu_state), 8, get_xstate, set_xstate },
};

union set_buffer {
	struct fpu_state xstate;
	uint8_t bytes[sizeof(struct fpu_state)];
};

static long copy_set(struct task *task, const struct regset *set, bool write, void __user *at,
		     size_t len)
{
	union set_buffer buffer;
	long size;

	if (write)
		return copy_from_user(&buffer, at, len) < 0 ? -EFAULT
							    : set->set(task, &buffer, len);
	size = set->get(task, &buffer);
	return size < 0 ? size : copy_to_user(at, &buffer, len);
}

static const struct regset *find_set(unsigned int type)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(sets); i++)
		if (sets[i].type == type)
			return &sets[i];
	return NULL;
}

/*
 * PTRACE_GETREGSET and PTRACE_SETREGSET: `data` is a struct iovec, which gets the length that was
 * copied.
 */
static long move_set(struct task *task, unsigned int type, struct iovec __user *data, bool write)
{
	const struct regset *set = find_set(type);
	size_t size = type == NT_386_TLS ? NR_TLS * TLS_DESC_SIZE : set ? set->size : 0;
	size_t word = type == NT_386_TLS ? TLS_DESC_SIZE : set ? set->word : 1;
	struct iovec iov;
	long error;

	if (copy_from_user(&iov, data, sizeof(iov)) < 0)
		return -EFAULT;
	if (size == 0 || iov.len % word)
		return refuse(EINVAL, "no such set of registers, or a part of a word");
	iov.len = MIN(iov.len, size);
	if (set)
		error = copy_set(task, set, write, iov.base, iov.len);
	else
		error = move_tls(task, iov.base, iov.len, write);
	if (error)
		return error;
	return put_user_u32(iov.len, &data->len);
}

long ptrace_registers(struct task *task, unsigned int request, unsigned long address,
		      unsigned long data)
{
	void __user *at = (void __user *)data;
	uint32_t entry;

	switch (request) {
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		return copy_set(task, &sets[0], request == PTRACE_SETREGS, at, REGISTERS_SIZE);
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		return copy_set(task, &sets[1], request == PTRACE_SETFPREGS, at, LEGACY_SIZE);
	case PTRACE_GETFPXREGS:
	case PTRACE_SETFPXREGS:
		/* For these two, every error is EIO on Linux. */
		return copy_set(task, &sets[2], request == PTRACE_SETFPXREGS, at,
				sizeof(struct fxsave))
			       ? -EIO
			       : 0;
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return move_set(task, address, at, request == PTRACE_SETREGSET);
	case PTRACE_GET_THREAD_AREA:
		return (int)address < 0 ? -EIO : tls_get(task, address, at);
	case PTRACE_SET_THREAD_AREA:
		if ((int)address < 0)
			return -EIO;
		if (get_user_u32(&entry, at) < 0)
			return -EFAULT;
		return entry == address ? tls_set(task, at, false)
					: refuse(EINVAL, "the entry has two numbers");
	}
	return -EIO;
}

/* ---- the user area ---- */

#define USER_SIZE     284u
#define USER_DEBUG_AT 252u /* u_debugreg */

long ptrace_peek_user(struct task *task, unsigned long at, uint32_t *value)
{
	if (at & 3 || at >= USER_SIZE)
		return -EIO;
	*value = 0;
	if (at < REGISTERS_SIZE)
		*value = get_register(task, at / 4);
	else if (at >= USER_DEBUG_AT)
		*value = debug_get(task, (at - USER_DEBUG_AT) / 4);
	return 0;
}

long ptrace_poke_user(struct task *task, unsigned long at, uint32_t value)
{
	long error;

	if (at & 3 || at >= USER_SIZE)
		return -EIO;
	if (at >= USER_DEBUG_AT)
		return debug_set(task, (at - USER_DEBUG_AT) / 4, value);
	if (at >= REGISTERS_SIZE)
		return -EIO;
	error = check_register(at / 4, value);
	if (!error)
		set_register(task, at / 4, value);
	return error;
}
