/*
 * Alternate signal stacks: sigaltstack(2).
 *
 * 1. A task has one alternate stack or none. A handler with SA_ONSTACK begins at its top, unless
 *    the task is on it already, because one handler has interrupted another.
 * 2. Whether the task is on it follows from the stack pointer alone, so it is right after
 *    longjmp(), too.
 * 3. With SS_AUTODISARM there is no alternate stack while a handler runs (frame.c). The handler may
 *    then switch to another context, whose signals must not overwrite the stack.
 */
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define MINSIGSTKSZ 2048u

void altstack_reset(struct task *task)
{
	task->altstack = (struct altstack){ .flags = SS_DISABLE };
}

static bool inside(const struct altstack *stack, uint32_t sp)
{
	return sp > stack->base && sp - stack->base <= stack->size;
}

/* The stack grows down, so its top belongs to it and its lowest address does not. */
static bool on_altstack(uint32_t sp)
{
	const struct altstack *stack = &current->altstack;

	return !(stack->flags & SS_AUTODISARM) && inside(stack, sp);
}

int altstack_set(const struct altstack *wanted, uint32_t sp)
{
	uint32_t mode = wanted->flags & ~SS_AUTODISARM;

	if (on_altstack(sp))
		return refuse(EPERM, "the task runs on its alternate stack");
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return refuse(EINVAL, "unknown flags of a stack");
	if (mode == SS_DISABLE) {
		current->altstack = (struct altstack){ .flags = wanted->flags };
		return 0;
	}
	if (wanted->size < MINSIGSTKSZ)
		return refuse(ENOMEM, "a signal stack has MINSIGSTKSZ bytes at least");
	current->altstack = *wanted;
	return 0;
}

static bool switches(uint32_t sp, const struct signal_action *action)
{
	return (action->flags & SA_ONSTACK) && current->altstack.size && !on_altstack(sp);
}

uint32_t altstack_top(uint32_t sp, const struct signal_action *action)
{
	const struct altstack *stack = &current->altstack;

	return switches(sp, action) ? stack->base + stack->size : sp;
}

bool altstack_overflows(uint32_t at, uint32_t sp, const struct signal_action *action)
{
	return (switches(sp, action) || on_altstack(sp)) && !inside(&current->altstack, at);
}

long sys_sigaltstack(const void __user *from, void __user *to)
{
	uint32_t sp = task_frame(current)->esp, words[3]; /* base, flags, size */
	struct altstack old = current->altstack, wanted;
	int error = 0;

	if (from) {
		if (copy_from_user(words, from, sizeof(words)) < 0)
			return -EFAULT;
		wanted = (struct altstack){ words[0], words[2], words[1] };
	}
	words[0] = old.base;
	words[1] = old.size == 0 ? SS_DISABLE : on_altstack(sp) ? SS_ONSTACK : 0;
	words[1] |= old.flags & SS_AUTODISARM;
	words[2] = old.size;
	if (from)
		error = altstack_set(&wanted, sp);
	return error == 0 && to ? copy_to_user(to, words, sizeof(words)) : error;
}
