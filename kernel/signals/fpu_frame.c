/* Floating-point state in signal frames. See kernel/signals/fpu_frame.h for the contract. */
#include "kernel/signals/fpu_frame.h"
#include "kernel/cpu/fpu.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

struct legacy_fpu { /* the 32-bit protected mode FSAVE image: SDM vol. 1, 8.1.10 */
	uint32_t control, status, rest[25];
};

struct user_fpu { /* struct _fpstate_32; the FXSAVE image follows */
	struct legacy_fpu legacy;
	uint16_t status, magic; /* magic 0: there is an FXSAVE image */
};

struct extension {	      /* struct _fpx_sw_bytes, in fxsave.software */
	uint32_t magic, size; /* of everything, from the FSAVE image to the second magic number */
	uint64_t components;
	uint32_t state_size, zeros[7];
};

_Static_assert(sizeof(struct user_fpu) + sizeof(struct fxsave) == USER_FPU_SIZE, "struct _fpstate");
_Static_assert(sizeof(struct extension) == sizeof(current->fpu_state.fx.software),
	       "struct _fpx_sw_bytes");

#define STATE_ALIGN	   64u
#define MAGIC_FIRST	   0x46505853u
#define MAGIC_SECOND	   0x46505845u
#define MXCSR_MASK_DEFAULT 0xffbfu

/* Returns the size of the image that this CPU saves. */
static size_t state_size(void)
{
	return cpu_has.avx ? sizeof(struct fpu_state) : sizeof(struct fxsave);
}

/* Say in the image what follows it. */
static void add_extension(struct fpu_state *state)
{
	struct extension extension = {
		.magic = MAGIC_FIRST,
		.size = sizeof(struct user_fpu) + state_size() + sizeof(uint32_t),
		.components = FPU_ALL,
		.state_size = state_size(),
	};

	memcpy(state->fx.software, &extension, sizeof(extension));
	/*
	 * A handler may change these registers in the frame, even if they have their initial
	 * values.
	 */
	state->present |= FPU_X87 | FPU_SSE;
}

size_t fpu_frame_size(void)
{
	return sizeof(struct user_fpu) + state_size() + sizeof(uint32_t) + STATE_ALIGN;
}

uint32_t fpu_frame_place(uint32_t sp)
{
	size_t size = state_size() + (cpu_has.avx ? sizeof(uint32_t) : 0);

	return ((sp - size) & ~(STATE_ALIGN - 1)) - sizeof(struct user_fpu);
}

int fpu_frame_push(uint32_t at)
{
	uint32_t state_at = at + sizeof(struct user_fpu);
	struct task *task = current;
	struct user_fpu head = { .magic = 0 };
	struct fpu_state state;

	fpu_save(task);
	__asm__ volatile("fnsave %0" : "=m"(head.legacy));
	head.status = head.legacy.status;
	state = task->fpu_state;
	if (cpu_has.avx)
		add_extension(&state);
	if (copy_to_user((void __user *)at, &head, sizeof(head)) < 0 ||
	    copy_to_user((void __user *)state_at, &state, state_size()) < 0)
		return -EFAULT;
	if (cpu_has.avx && put_user_u32(MAGIC_SECOND, (void __user *)(state_at + state_size())) < 0)
		return -EFAULT;
	return 0;
}

/* Does the rest of an XSAVE image follow the FXSAVE image, which has been read already? */
static bool is_extended(const struct fxsave *fx, const void __user *state_at)
{
	struct extension extension;
	uint32_t second;

	memcpy(&extension, fx->software, sizeof(extension));
	return cpu_has.avx && extension.magic == MAGIC_FIRST &&
	       extension.state_size == state_size() &&
	       get_user_u32(&second, state_at + state_size()) == 0 && second == MAGIC_SECOND;
}

int fpu_frame_pop(const void __user *from)
{
	const void __user *state_at = from + sizeof(struct user_fpu);
	struct task *task = current;
	struct fpu_state state;
	uint32_t mask;

	if (!from) {
		fpu_reset();
		return 0;
	}
	memset(&state, 0, sizeof(state));
	if (copy_from_user(&state.fx, state_at, sizeof(state.fx)) < 0)
		return -EFAULT;
	if (!is_extended(&state.fx, state_at))
		state.present = FPU_X87 | FPU_SSE;
	else if (copy_from_user(&state, state_at, sizeof(state)) < 0)
		return -EFAULT;
	/* Loading bits that this CPU does not have would fault. */
	state.present &= FPU_ALL;
	memset(state.zeros, 0, sizeof(state.zeros));
	fpu_save(task);
	mask = task->fpu_state.fx.mxcsr_mask;
	state.fx.mxcsr &= mask ? mask : MXCSR_MASK_DEFAULT;
	task->fpu_state = state;
	fpu_restore(task);
	return 0;
}
