/*
 * Writing the frames of signal handlers to the user's stack, in the layout of Linux/i386, and the
 * way back.
 *
 * 1. A handler with SA_SIGINFO gets the rt frame (siginfo_t, ucontext). Other handlers get the old
 *    frame (struct sigcontext). Both return through the restorer function of the C library
 *    (SA_RESTORER), or, if there is none, through the code in the vDSO (vdso/entry.asm).
 * 2. The floating-point state follows (fpu_frame.c).
 * 3. A program may change the registers in the frame, but cannot gain privileges by it. sigreturn
 *    checks selectors, eflags and MXCSR, and sends SIGSEGV for a bad frame.
 */
#include "kernel/cpu/fpu.h"
#include "kernel/signals/fpu_frame.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/vdso_symbols.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "mm/vm/uaccess.h"

struct user_context { /* struct sigcontext */
	/*
	 * As we have it; kernel_esp is the user's, too, and vector and error are those of traps
	 * only.
	 */
	struct trap_frame frame;
	uint32_t fpstate; /* address of what fpu_frame_push() has written; 0: none */
	uint32_t old_mask, cr2;
};

struct old_frame {
	uint32_t return_address;
	int signo;
	struct user_context context;
	uint8_t unused[USER_FPU_SIZE];
	uint32_t mask_high;
	uint8_t code[8]; /* unused; formerly the code that returned */
};

struct user_stack { /* stack_t */
	uint32_t base, flags, size;
};

struct user_ucontext {
	uint32_t flags, link;
	struct user_stack stack;
	struct user_context context;
	sigmask_t mask;
};

struct rt_frame {
	uint32_t return_address;
	int signo;
	uint32_t info_address, context_address;
	uint32_t info[SIGINFO_SIZE / 4];
	struct user_ucontext context;
	uint8_t code[8];
};

_Static_assert(sizeof(struct user_context) == 88, "struct sigcontext");
_Static_assert(offsetof(struct old_frame, mask_high) == 720, "struct sigframe");
_Static_assert(sizeof(struct user_ucontext) == 116, "struct ucontext");

#define EFLAGS_CLEAR_FOR_HANDLER 0x10500u /* RF DF TF */
#define STACK_ALIGN		 16u
#define ORIGINAL_EAX_NONE	 0xffffffffu /* trap_frame.error: not to be restarted */
/* The bytes that the restorers have popped when they call sigreturn. */
#define OLD_FRAME_POPPED 8
#define RT_FRAME_POPPED	 4

/* ---- registers ---- */

static void context_save(struct user_context *c, const struct trap_frame *frame)
{
	c->frame = *frame;
	c->frame.kernel_esp = frame->esp;
	if (frame->vector >= 32)
		c->frame.vector = c->frame.error = 0;
}

/*
 * Returns the selector if a program may load it (the flat one, or a TLS segment), and else a null
 * one.
 */
static uint32_t data_selector(uint32_t selector)
{
	unsigned int entry = (selector & 0xffff) >> 3;

	if ((selector & 7) == 3 && (entry == SEL_USER_DATA >> 3 ||
				    (entry >= SEL_TLS_FIRST && entry < SEL_TLS_FIRST + NR_TLS)))
		return selector & 0xffff;
	return 0;
}

static int context_restore(struct trap_frame *frame, const struct user_context *c)
{
	uint32_t vector = frame->vector, eflags = frame->eflags & ~EFLAGS_USER;

	if ((c->frame.cs & 0xffff) != SEL_USER_CODE || (c->frame.ss & 0xffff) != SEL_USER_DATA ||
	    fpu_frame_pop((const void __user *)c->fpstate) < 0)
		return -EFAULT;
	*frame = c->frame;
	frame->vector = vector;
	frame->esp = c->frame.kernel_esp;
	frame->ds = data_selector(frame->ds);
	frame->es = data_selector(frame->es);
	frame->fs = data_selector(frame->fs);
	frame->gs = data_selector(frame->gs);
	frame->cs = SEL_USER_CODE;
	frame->ss = SEL_USER_DATA;
	frame->eflags = eflags | (c->frame.eflags & EFLAGS_USER);
	frame->error = ORIGINAL_EAX_NONE;
	return 0;
}

/* ---- to the handler ---- */

/* Fill in a siginfo_t, whose words are all zero before. */
static void tell_info(int signo, const struct signal_info *info, uint32_t *words)
{
	words[0] = signo;
	words[1] = info->error;
	words[2] = info->code;
	memcpy(words + 3, info->words, sizeof(info->words));
}

int signal_info_to_user(int signo, const struct signal_info *info, void __user *to)
{
	uint32_t words[SIGINFO_SIZE / 4] = { 0 };

	tell_info(signo, info, words);
	return copy_to_user(to, words, sizeof(words));
}

/*
 * Save the alternate stack in the frame. With SS_AUTODISARM there is none until the handler
 * returns.
 */
static void altstack_save(struct user_stack *to)
{
	struct altstack *stack = &current->altstack;

	*to = (struct user_stack){ stack->base, stack->flags, stack->size };
	if (stack->flags & SS_AUTODISARM)
		altstack_reset(current);
}

/* Where the handler returns to. */
static uint32_t return_address(const struct signal_action *action)
{
	if (action->flags & SA_RESTORER)
		return action->restorer;
	return current->mm->vdso +
	       (action->flags & SA_SIGINFO ? VDSO_RT_SIGRETURN : VDSO_SIGRETURN);
}

int signal_frame_push(struct trap_frame *frame, int signo, const struct signal_info *info,
		      const struct signal_action *action, sigmask_t old_mask)
{
	bool rt = action->flags & SA_SIGINFO;
	union {
		struct old_frame old;
		struct rt_frame rt; /* begins with the same two words */
	} f;
	struct user_context *context = rt ? &f.rt.context.context : &f.old.context;
	size_t size = rt ? sizeof(f.rt) : sizeof(f.old);
	uint32_t fpstate = fpu_frame_place(altstack_top(frame->esp, action));
	/* At entry of a function the stack is aligned to 16 bytes above the return address. */
	uint32_t at = ((fpstate - size + 4) & ~15u) - 4;

	if (altstack_overflows(at, frame->esp, action) || fpu_frame_push(fpstate) < 0)
		return -EFAULT;
	memset(&f, 0, sizeof(f));
	f.old.return_address = return_address(action);
	f.old.signo = signo;
	context_save(context, frame);
	context->fpstate = fpstate;
	context->old_mask = (uint32_t)old_mask;
	if (rt) {
		f.rt.info_address = at + offsetof(struct rt_frame, info);
		f.rt.context_address = at + offsetof(struct rt_frame, context);
		tell_info(signo, info, f.rt.info);
		f.rt.context.mask = old_mask;
		if (info->code > 0 && (SIG_BIT(signo) & BITS_FAULT))
			context->cr2 = info->address;
		altstack_save(&f.rt.context.stack);
	} else {
		f.old.mask_high = old_mask >> 32;
	}
	if (copy_to_user((void __user *)at, &f, size) < 0)
		return -EFAULT;
	frame->eip = action->handler;
	frame->esp = at;
	frame->eax = signo; /* for handlers that take arguments in registers */
	frame->edx = rt ? f.rt.info_address : 0;
	frame->ecx = rt ? f.rt.context_address : 0;
	frame->cs = SEL_USER_CODE;
	frame->ds = frame->es = frame->ss = SEL_USER_DATA;
	frame->eflags &= ~EFLAGS_CLEAR_FOR_HANDLER;
	fpu_reset();
	return 0;
}

size_t signal_frame_size(void)
{
	return MAX(sizeof(struct old_frame), sizeof(struct rt_frame)) + STACK_ALIGN +
	       fpu_frame_size();
}

/* ---- and back ---- */

/* `error` is the result of reading the frame. */
static long go_back(int error, const struct user_context *context, sigmask_t mask)
{
	struct trap_frame *frame = task_frame(current);

	if (error < 0 || context_restore(frame, context) < 0) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return refuse(EFAULT, "the signal frame is damaged");
	}
	signal_set_blocked(mask);
	return frame->eax;
}

long sys_sigreturn(void)
{
	struct old_frame f = { 0 };
	uint32_t at = task_frame(current)->esp - OLD_FRAME_POPPED;
	int error = copy_from_user(&f, (void __user *)at, sizeof(f));

	return go_back(error, &f.context, f.context.old_mask | (sigmask_t)f.mask_high << 32);
}

long sys_rt_sigreturn(void)
{
	struct rt_frame f = { 0 };
	uint32_t at = task_frame(current)->esp - RT_FRAME_POPPED;
	int error = copy_from_user(&f, (void __user *)at, sizeof(f));
	const struct user_stack *stack = &f.context.stack;
	const struct altstack old = { stack->base, stack->size, stack->flags };
	long result = go_back(error, &f.context.context, f.context.mask);

	/* A handler may have written nonsense there. Then the stack stays as it is. */
	if (error == 0)
		(void)altstack_set(&old, task_frame(current)->esp);
	return result;
}
