/*
 * Tasks as coroutines: each has a stack of its own, and one of them or the search runs at a time.
 */
#include <string.h>
#include "engine.h"

#define STACK_SIZE   16384
#define ENGINE_STACK 512 /* that the engine's own functions need below a task's */

struct coroutine coroutines[MAX_TASKS];
int nr_tasks, running = -1;
uint32_t program_stack;
const char *stack_end;
const struct scenario *scenario;

static char stacks[MAX_TASKS][STACK_SIZE] __attribute__((aligned(4096)));
static uint32_t search_stack_pointer;

/*
 * Keeps the registers that a C function must keep on the old stack, and takes them from the new
 * one.
 */
void switch_stack(uint32_t *old, uint32_t new);
__asm__("	.globl	switch_stack\n"
	"switch_stack:\n"
	"	movl	4(%esp), %eax\n"
	"	movl	8(%esp), %ecx\n"
	"	pushl	%ebp\n"
	"	pushl	%ebx\n"
	"	pushl	%esi\n"
	"	pushl	%edi\n"
	"	movl	%esp, (%eax)\n"
	"	movl	%ecx, %esp\n"
	"	popl	%edi\n"
	"	popl	%esi\n"
	"	popl	%ebx\n"
	"	popl	%ebp\n"
	"	ret\n");

static void task_body(void)
{
	struct coroutine *c = &coroutines[running];

	c->task->run(c->task->argument);
	finish_access();
	delayed_drain();
	note_event(EV_END, 0, 0, 0);
	c->status = OVER;
	c->steps++; /* as in ex_sleep() */
	for (;;)
		coroutine_yield();
}

void coroutines_reset(void)
{
	for (int i = 0; i < nr_tasks; i++) {
		struct coroutine *c = &coroutines[i];
		/* As switch_stack() leaves it, and aligned as at a call. */
		uint32_t *top = (uint32_t *)(stacks[i] + STACK_SIZE - 16);

		if (c->stack_pointer)
			coroutine_clear_stack(i);
		memset(c, 0, sizeof(*c));
		*--top = 0;
		*--top = (uint32_t)task_body;
		c->stack_pointer = (uint32_t)(top - 4);
		memset(top - 4, 0, 16);
		c->task = &scenario->tasks[i];
		c->unfinished_event = -1;
		c->clock[i] = 1;
	}
}

void coroutine_resume(int task)
{
	struct coroutine *c = &coroutines[task];
	const char *before;

	checkpoint_task(task);
	running = task;
	stack_end = (const char *)c->stack_pointer;
	switch_stack(&search_stack_pointer, c->stack_pointer);
	running = -1;
	before = (const char *)c->stack_pointer;
	stack_end -= ENGINE_STACK;
	if (stack_end < before && on_a_stack(c->stack_pointer))
		memset((char *)stack_end, 0, before - stack_end);
}

void coroutine_yield(void)
{
	struct coroutine *c = &coroutines[running];

	delayed_hide(c);
	switch_stack(&c->stack_pointer, search_stack_pointer);
	delayed_show(c);
}

void coroutine_clear_stack(int task)
{
	char *from, *to;

	coroutine_stack(task, &from, &to);
	if (from < stacks[task] || from >= to)
		from = stacks[task]; /* it has failed on the stack of a signal handler */
	memset(from, 0, to - from);
}

void coroutine_stack(int task, char **from, char **to)
{
	*from = (char *)coroutines[task].stack_pointer;
	*to = stacks[task] + STACK_SIZE;
}

bool on_a_stack(uint32_t address)
{
	uint32_t here = (uint32_t)__builtin_frame_address(0);

	if (running < 0 && address - here < program_stack - here)
		return true;
	return address - (uint32_t)stacks < sizeof(stacks);
}

bool on_own_stack(uint32_t address)
{
	return address - (uint32_t)stacks[running] < STACK_SIZE;
}
