/*
 * What is wrong with a run, and what is printed about it: one fact a line, for tests/explore/run.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine.h"

#define MAX_PRINTED 1500 /* events: the last ones of a run that does not end say why */

bool run_failed;
char *failure_kept;

static char failure[300];
static int kept_events;
/* Where a check goes on that ran into something broken. */
static sigjmp_buf after_check;
static bool checking;

static void note_failure(const char *format, va_list args)
{
	if (!run_failed)
		vsnprintf(failure, sizeof(failure), format, args);
	run_failed = true;
	while (running >= 0)
		coroutine_yield();
}

void ex_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_failure(format, args);
	va_end(args);
}

void failure_ends_setup(void)
{
	if (!run_failed)
		return;
	printf("FOUND setup 0 0\nFAILURE setup: %s\nSCHEDULE -\n", failure);
	exit(1);
}

void ex_panic(const char *format, va_list args)
{
	char line[200];

	snprintf(line, sizeof(line), "panic: %s", format);
	note_failure(line, args);
	if (checking)
		siglongjmp(after_check, 1);
	failure_ends_setup();
	abort();
}

/*
 * The kernel calls a function that is neither in a listed file nor in the shim: tests/explore/run
 */
void ex_missing(const char *name)
{
	if (running < 0) {
		fprintf(stderr, "explore: the shim has no %s()\n", name);
		exit(3);
	}
	ex_fail("the shim has no %s()", name);
}

/* A bad address of the kernel's files, or of the scenario's. */
static void bad_address(int signal, siginfo_t *info, void *context)
{
	if (checking) {
		ex_fail("the check comes to a bad address, %p", info->si_addr);
		siglongjmp(after_check, 1);
	}
	if (running < 0) {
		static const char text[] = "explore: a bad address outside of all tasks\n";

		fwrite(text, 1, sizeof(text) - 1, stderr);
		_Exit(3);
	}
	finish_access();
	ex_fail("bad address %p", info->si_addr);
}

void failure_catch_bad_addresses(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = bad_address,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

void failure_check(void (*check)(void))
{
	checking = sigsetjmp(after_check, 0) == 0;
	if (checking)
		check();
	checking = false;
}

/* ---- what is printed ---- */

static void print_failure(FILE *out, int preemptions)
{
	int first = nr_events > MAX_PRINTED ? nr_events - MAX_PRINTED : 0;

	fprintf(out, "FAILURE %s\n", failure);
	fprintf(out, "PREEMPTIONS %d\n", preemptions);
	schedule_print(out);
	for (int i = 0; i < nr_tasks; i++) {
		char *from, *to;

		coroutine_stack(i, &from, &to);
		fprintf(out, "TASK %s %p\n", coroutines[i].task->name, to);
	}
	objects_print(out);
	if (first)
		fprintf(out, "EVENT %u %u 0 0 0 0 0|(%d steps before these are left out)\n",
			events[first].task, EV_NOTE, first);
	for (int i = first; i < nr_events; i++) {
		const struct event *event = &events[i];

		fprintf(out, "EVENT %u %u %08x %08x %u %x %u|%s\n", event->task, event->kind,
			(unsigned int)event->pc, (unsigned int)event->address, event->size,
			(unsigned int)event->value, event->delayed, event->text ? event->text : "");
	}
}

void failure_keep(int preemptions)
{
	size_t size;
	FILE *out;

	if (failure_kept && nr_events >= kept_events)
		return;
	free(failure_kept);
	kept_events = nr_events;
	out = open_memstream(&failure_kept, &size);
	if (!out)
		return;
	print_failure(out, preemptions);
	fclose(out);
}
