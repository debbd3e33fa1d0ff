/*
 * The name of a schedule, which does not depend on what the search has learned.
 *
 * `a57.b12!.b40.~b12.a80` says that task a runs to its 57th point, b delays the store at its 12th
 * and runs to its 40th, that the store then arrives, and that a runs to its 80th point. The rest
 * goes by the first choice.
 */
#include <stdio.h>
#include <stdlib.h>
#include "engine.h"

#define MAX_LEGS 20000

static struct leg legs[MAX_LEGS], given[MAX_LEGS + 1];
static int nr_legs, nr_given, at_given;
static bool repeats;

bool repeating(void)
{
	return repeats;
}

void schedule_begin(void)
{
	nr_legs = at_given = 0;
}

void schedule_add(char kind, int task, uint32_t step)
{
	struct leg *last = nr_legs ? &legs[nr_legs - 1] : NULL;

	if (kind == 'r' && last && last->kind == 'r' && last->task == task)
		last->step = step;
	else if (nr_legs < MAX_LEGS)
		legs[nr_legs++] = (struct leg){ kind, task, step };
}

struct schedule_end schedule_end(void)
{
	struct schedule_end end = { .nr_legs = nr_legs };

	if (nr_legs)
		end.last = legs[nr_legs - 1];
	return end;
}

void schedule_shorten(struct schedule_end end)
{
	nr_legs = end.nr_legs;
	if (nr_legs)
		legs[nr_legs - 1] = end.last;
}

void schedule_print(FILE *out)
{
	fprintf(out, "SCHEDULE ");
	for (int i = 0; i < nr_legs; i++) {
		const struct leg *leg = &legs[i];

		fprintf(out, "%s%s%c%u%s", i ? "." : "", leg->kind == 'a' ? "~" : "",
			'a' + leg->task, (unsigned int)leg->step, leg->kind == 'd' ? "!" : "");
	}
	fprintf(out, "\n");
}

/* ---- repeating ---- */

void schedule_parse(const char *text)
{
	while (*text && nr_given < MAX_LEGS) {
		struct leg *leg = &given[nr_given++];
		char *end;

		leg->kind = *text == '~' ? 'a' : 'r';
		text += *text == '~';
		leg->task = *text - 'a';
		leg->step = strtoul(text + 1, &end, 10);
		if (*end == '!') {
			leg->kind = 'd';
			end++;
		}
		if (leg->task >= MAX_TASKS || (*end && *end != '.') || end == text + 1) {
			fprintf(stderr, "explore: not the name of a schedule\n");
			exit(2);
		}
		text = *end ? end + 1 : end;
	}
	repeats = true;
}

bool repeated_switch(void)
{
	const struct leg *leg = &given[at_given];

	return at_given < nr_given && leg->kind == 'r' && leg->step == coroutines[running].steps;
}

bool repeated_delay(void)
{
	const struct leg *leg = &given[at_given];
	bool delay = at_given < nr_given && leg->kind == 'd' && leg->task == running &&
		     leg->step == coroutines[running].steps;

	at_given += delay;
	return delay;
}

/* Has the task come to that step, or has its store arrived? */
static bool leg_is_over(const struct leg *leg)
{
	const struct coroutine *c = &coroutines[leg->task];

	if (leg->kind == 'r')
		return leg->step <= c->steps;
	return leg->kind == 'a' && (c->nr_delayed == 0 || c->delayed[0].step > leg->step);
}

int repeated_choice(const uint8_t *choices, int nr)
{
	const struct leg *leg = &given[at_given];
	int choice;

	while (at_given < nr_given && leg_is_over(leg))
		leg = &given[++at_given];
	if (at_given == nr_given)
		return choices[0];
	choice = leg->kind == 'a' ? ARRIVES + leg->task : leg->task;
	for (int i = 0; i < nr; i++)
		if (choices[i] == choice)
			return choice;
	fprintf(stderr, "explore: this schedule is of another scenario, or of another kernel\n");
	exit(2);
}
