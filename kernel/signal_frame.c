/*
 * The frames of signal handlers on the user's stack, as i386 Linux lays them out, and the way back.
 *
 * 1. A handler with SA_SIGINFO gets the rt frame (siginfo_t, ucontext), another one the old frame
 *    (struct sigcontext). Both return through the restorer that the C library named; there is no
 *    code of ours to return through (stacks are not executable), so without SA_RESTORER there is no
 *    frame.
 * 2. The floating-point state follows: the FSAVE image of old, whose `magic` says that the FXSAVE
 *    image stands behind it.
 * 3. What sigreturn loads is the user's to choose, but for what would be more than the user's:
 *    selectors are checked, and so are eflags and MXCSR. A frame that does not stand the test is a
 *    SIGSEGV.
 */
#include "kernel/fpu.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/uaccess.h"

struct user_context {		 /* struct sigcontext */
	uint32_t gs, fs, es, ds; /* the upper halves are padding */
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint32_t trap, error, eip, cs, eflags, esp_at_signal, ss;
	uint32_t fpstate; /* address of a struct user_fpu; 0: none */
	uint32_t old_mask, cr2;
};

struct legacy_fpu { /* the 32-bit protected mode FSAVE image: SDM vol. 1, 8.1.10 */
	uint32_t control, status, tags, ip, cs_opcode, data, data_selector;
	uint8_t st[8][10];
};

struct fxsave { /* SDM vol. 1, 10.5.1 */
	uint16_t control, status;
	uint8_t tags, reserved;
	uint16_t opcode;
	uint32_t ip, cs, data, data_selector, mxcsr, mxcsr_mask;
	uint8_t st[8][16];
	uint8_t rest[512 - 32 - 128];
};

struct user_fpu { /* struct _fpstate_32 */
	struct legacy_fpu legacy;
	uint16_t status, magic; /* magic 0: fx is there; 0xffff: it is not */
	struct fxsave fx;
};

struct old_frame {
	uint32_t return_address;
	int signo;
	struct user_context context;
	uint8_t unused[sizeof(struct user_fpu)];
	uint32_t mask_high;
	uint8_t code[8]; /* once the way back */
};

struct user_ucontext {
	uint32_t flags, link;
	uint32_t stack_base, stack_flags, stack_size;
	struct user_context context;
	uint32_t mask[2];
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
_Static_assert(sizeof(struct user_fpu) == 624, "struct _fpstate");
_Static_assert(offsetof(struct old_frame, mask_high) == 720, "struct sigframe");
_Static_assert(sizeof(struct user_ucontext) == 116, "struct ucontext");

#define FPU_HAS_FX		 0
#define FPU_LEGACY_ONLY		 0xffff
#define FX_ALIGN		 64u
#define EFLAGS_USER		 0x50dd5u /* AC RF OF DF TF SF ZF AF PF CF */
#define EFLAGS_CLEAR_FOR_HANDLER 0x10500u /* RF DF TF */
#define MXCSR_MASK_DEFAULT	 0xffbfu
#define ORIGINAL_EAX_NONE	 0xffffffffu /* trap_frame.error: not to be restarted */
/* What the restorers have taken off the stack when they call. */
#define OLD_FRAME_POPPED 8
#define RT_FRAME_POPPED	 4

/* ---- floating point ---- */

/*
 * FSAVE's two bits a register (0 valid, 1 zero, 2 special, 3 empty) from FXSAVE's one; by the
 * register's value.
 */
static uint32_t tags_from_fx(const struct fxsave *fx)
{
	unsigned int top = fx->status >> 11 & 7;
	uint32_t tags = 0xffff0000u;

	for (unsigned int i = 0; i < 8; i++) {
		const uint8_t *st = fx->st[(i - top) & 7];
		uint16_t exponent = (st[8] | st[9] << 8) & 0x7fff;
		uint64_t mantissa;
		uint32_t tag = 3;

		memcpy(&mantissa, st, sizeof(mantissa));
		if (fx->tags & 1u << i) {
			if (exponent == 0 && mantissa == 0)
				tag = 1;
			else if (exponent == 0 || exponent == 0x7fff || !(mantissa >> 63))
				tag = 2;
			else
				tag = 0;
		}
		tags |= tag << 2 * i;
	}
	return tags;
}

static void legacy_from_fx(struct legacy_fpu *legacy, const struct fxsave *fx)
{
	legacy->control = fx->control | 0xffff0000u;
	legacy->status = fx->status | 0xffff0000u;
	legacy->tags = tags_from_fx(fx);
	legacy->ip = fx->ip;
	legacy->cs_opcode = (fx->cs & 0xffff) | (uint32_t)fx->opcode << 16;
	legacy->data = fx->data;
	legacy->data_selector = fx->data_selector;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(legacy->st[i], fx->st[i], sizeof(legacy->st[i]));
}

static void fx_from_legacy(struct fxsave *fx, const struct legacy_fpu *legacy)
{
	fx->control = legacy->control;
	fx->status = legacy->status;
	fx->tags = 0;
	for (unsigned int i = 0; i < 8; i++)
		if ((legacy->tags >> 2 * i & 3) != 3)
			fx->tags |= 1u << i;
	fx->ip = legacy->ip;
	fx->cs = legacy->cs_opcode & 0xffff;
	fx->opcode = legacy->cs_opcode >> 16;
	fx->data = legacy->data;
	fx->data_selector = legacy->data_selector;
	for (unsigned int i = 0; i < 8; i++)
		memcpy(fx->st[i], legacy->st[i], sizeof(legacy->st[i]));
}

/* Save below *sp, which moves down; the address goes to *address. */
static int fpu_push(uint32_t *sp, uint32_t *address)
{
	struct task *task = current;
	struct user_fpu fpu;
	uint32_t at;

	if (cpu_has.fxsr) {
		at = ((*sp - sizeof(fpu.fx)) & ~(FX_ALIGN - 1)) - offsetof(struct user_fpu, fx);
		fpu_save(task);
		memcpy(&fpu.fx, task->fpu_state, sizeof(fpu.fx));
		legacy_from_fx(&fpu.legacy, &fpu.fx);
		fpu.magic = FPU_HAS_FX;
	} else {
		at = (*sp - offsetof(struct user_fpu, fx)) & ~(FX_ALIGN - 1);
		fpu_save(task);
		memcpy(&fpu.legacy, task->fpu_state, sizeof(fpu.legacy));
		fpu.magic = FPU_LEGACY_ONLY;
	}
	fpu.status = fpu.legacy.status;
	*sp = *address = at;
	return copy_to_user((void __user *)at, &fpu,
			    cpu_has.fxsr ? sizeof(fpu) : offsetof(struct user_fpu, fx));
}

static int fpu_pop(uint32_t address)
{
	struct task *task = current;
	struct user_fpu fpu;
	uint32_t mask;

	if (address == 0) {
		fpu_reset(task);
		return 0;
	}
	if (copy_from_user(&fpu, (void __user *)address,
			   cpu_has.fxsr ? sizeof(fpu) : offsetof(struct user_fpu, fx)) < 0)
		return -EFAULT;
	if (!cpu_has.fxsr) {
		memcpy(task->fpu_state, &fpu.legacy, sizeof(fpu.legacy));
	} else {
		/* A bit that this CPU does not have would fault in the kernel. */
		fpu_save(task);
		mask = ((struct fxsave *)task->fpu_state)->mxcsr_mask;
		fpu.fx.mxcsr &= mask ? mask : MXCSR_MASK_DEFAULT;
		fx_from_legacy(&fpu.fx, &fpu.legacy);
		memcpy(task->fpu_state, &fpu.fx, sizeof(fpu.fx));
	}
	fpu_restore(task);
	return 0;
}

/* ---- registers ---- */

static void context_save(struct user_context *c, const struct trap_frame *frame, sigmask_t mask)
{
	bool fault = frame->vector < 32;

	*c = (struct user_context){
		.gs = frame->gs & 0xffff,
		.fs = frame->fs & 0xffff,
		.es = frame->es & 0xffff,
		.ds = frame->ds & 0xffff,
		.edi = frame->edi,
		.esi = frame->esi,
		.ebp = frame->ebp,
		.esp = frame->esp,
		.ebx = frame->ebx,
		.edx = frame->edx,
		.ecx = frame->ecx,
		.eax = frame->eax,
		.trap = fault ? frame->vector : 0,
		.error = fault ? frame->error : 0,
		.eip = frame->eip,
		.cs = frame->cs & 0xffff,
		.eflags = frame->eflags,
		.esp_at_signal = frame->esp,
		.ss = frame->ss & 0xffff,
		.old_mask = (uint32_t)mask,
	};
}

/*
 * A data selector that a user may load: the flat one, or a TLS segment; in place of any other one,
 * none.
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
	if ((c->cs & 0xffff) != SEL_USER_CODE || (c->ss & 0xffff) != SEL_USER_DATA)
		return -EFAULT;
	if (fpu_pop(c->fpstate) < 0)
		return -EFAULT;
	frame->ebx = c->ebx;
	frame->ecx = c->ecx;
	frame->edx = c->edx;
	frame->esi = c->esi;
	frame->edi = c->edi;
	frame->ebp = c->ebp;
	frame->eax = c->eax;
	frame->ds = data_selector(c->ds);
	frame->es = data_selector(c->es);
	frame->fs = data_selector(c->fs);
	frame->gs = data_selector(c->gs);
	frame->eip = c->eip;
	frame->cs = SEL_USER_CODE;
	frame->ss = SEL_USER_DATA;
	frame->esp = c->esp;
	frame->eflags = (frame->eflags & ~EFLAGS_USER) | (c->eflags & EFLAGS_USER);
	frame->error = ORIGINAL_EAX_NONE;
	return 0;
}

static void enter(struct trap_frame *frame, const struct signal_action *action, uint32_t sp,
		  int signo, uint32_t info, uint32_t context)
{
	frame->eip = action->handler;
	frame->esp = sp;
	frame->eax = signo; /* for handlers that take arguments in registers */
	frame->edx = info;
	frame->ecx = context;
	frame->cs = SEL_USER_CODE;
	frame->ds = frame->es = frame->ss = SEL_USER_DATA;
	frame->eflags &= ~EFLAGS_CLEAR_FOR_HANDLER;
	fpu_reset(current);
}

/* ---- to the handler ---- */

bool signal_on_altstack(const struct task *task, uint32_t esp)
{
	return esp > task->altstack_base && esp - task->altstack_base <= task->altstack_size;
}

static uint32_t altstack_state(const struct task *task, uint32_t esp)
{
	if (task->altstack_size == 0)
		return SS_DISABLE;
	return signal_on_altstack(task, esp) ? SS_ONSTACK : 0;
}

/* At entry of a function the stack is aligned to 16 bytes above the return address. */
static uint32_t frame_place(uint32_t sp, size_t size)
{
	return ((sp - size + 4) & ~15u) - 4;
}

void signal_info_to_user_form(const struct signal_info *info, uint32_t *words)
{
	memset(words, 0, SIGINFO_SIZE);
	words[0] = info->signo;
	words[1] = info->error;
	words[2] = info->code;
	if (info->code > 0 && (SIG_BIT(info->signo) & BITS_FAULT)) {
		words[3] = info->address;
		return;
	}
	words[3] = info->pid;
	words[4] = info->uid;
	words[5] =
		info->signo == SIGCHLD && info->code > 0 ? (uint32_t)info->status : info->address;
}

static int push_old(struct trap_frame *frame, uint32_t sp, uint32_t fpstate, int signo,
		    const struct signal_action *action, sigmask_t mask)
{
	struct old_frame f;
	uint32_t at = frame_place(sp, sizeof(f));

	memset(&f, 0, sizeof(f));
	f.return_address = action->restorer;
	f.signo = signo;
	f.mask_high = mask >> 32;
	context_save(&f.context, frame, mask);
	f.context.fpstate = fpstate;
	if (copy_to_user((void __user *)at, &f, sizeof(f)) < 0)
		return -EFAULT;
	enter(frame, action, at, signo, 0, 0);
	return 0;
}

static int push_rt(struct trap_frame *frame, uint32_t sp, uint32_t fpstate,
		   const struct signal_info *info, const struct signal_action *action,
		   sigmask_t mask)
{
	struct task *task = current;
	struct rt_frame f;
	uint32_t at = frame_place(sp, sizeof(f));

	memset(&f, 0, sizeof(f));
	f.return_address = action->restorer;
	f.signo = info->signo;
	f.info_address = at + offsetof(struct rt_frame, info);
	f.context_address = at + offsetof(struct rt_frame, context);
	signal_info_to_user_form(info, f.info);
	f.context.stack_base = task->altstack_base;
	f.context.stack_flags = altstack_state(task, frame->esp);
	f.context.stack_size = task->altstack_size;
	f.context.mask[0] = (uint32_t)mask;
	f.context.mask[1] = mask >> 32;
	context_save(&f.context.context, frame, mask);
	f.context.context.fpstate = fpstate;
	if (info->code > 0 && (SIG_BIT(info->signo) & BITS_FAULT))
		f.context.context.cr2 = info->address;
	if (copy_to_user((void __user *)at, &f, sizeof(f)) < 0)
		return -EFAULT;
	enter(frame, action, at, info->signo, f.info_address, f.context_address);
	return 0;
}

int signal_frame_push(struct trap_frame *frame, int signo, const struct signal_info *info,
		      const struct signal_action *action, sigmask_t old_mask)
{
	struct task *task = current;
	uint32_t sp = frame->esp, fpstate;

	if (!(action->flags & SA_RESTORER))
		return -EFAULT;
	if ((action->flags & SA_ONSTACK) && altstack_state(task, sp) == 0)
		sp = task->altstack_base + task->altstack_size;
	if (fpu_push(&sp, &fpstate) < 0)
		return -EFAULT;
	if (action->flags & SA_SIGINFO)
		return push_rt(frame, sp, fpstate, info, action, old_mask);
	return push_old(frame, sp, fpstate, signo, action, old_mask);
}

/* ---- and back ---- */

static long bad_frame(void)
{
	signal_force(SIGSEGV, SI_KERNEL, 0);
	return refuse(EFAULT, "the signal frame is damaged");
}

long sys_sigreturn(void)
{
	struct trap_frame *frame = task_frame(current);
	uint32_t at = frame->esp - OLD_FRAME_POPPED;
	struct user_context context;
	uint32_t mask_high;

	if (copy_from_user(&context, (void __user *)(at + offsetof(struct old_frame, context)),
			   sizeof(context)) < 0 ||
	    get_user_u32(&mask_high, (void __user *)(at + offsetof(struct old_frame, mask_high))) <
		    0 ||
	    context_restore(frame, &context) < 0)
		return bad_frame();
	signal_set_blocked(context.old_mask | (sigmask_t)mask_high << 32);
	return frame->eax;
}

long sys_rt_sigreturn(void)
{
	struct trap_frame *frame = task_frame(current);
	uint32_t at = frame->esp - RT_FRAME_POPPED;
	struct user_ucontext context;

	if (copy_from_user(&context, (void __user *)(at + offsetof(struct rt_frame, context)),
			   sizeof(context)) < 0 ||
	    context_restore(frame, &context.context) < 0)
		return bad_frame();
	signal_set_blocked(context.mask[0] | (sigmask_t)context.mask[1] << 32);
	signal_restore_altstack(context.stack_base, context.stack_flags, context.stack_size);
	return frame->eax;
}
