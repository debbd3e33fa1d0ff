/*
 * Operations of a script of play (user/test/play.c) that may wait, each in a process of its own.
 */
#ifndef USER_TEST_PLAY_WAITING_H
#define USER_TEST_PLAY_WAITING_H

#include <time.h>

#include "play_operations.h"

#define STARTED	  8
#define ASLEEP_MS 5000
#define LINE	  128

/*
 * An operation in another process, in memory that is shared with it. The process sets words and
 * result.
 */
struct started {
	pid_t pid;
	char words[LINE], result[LINE];
};

static struct started *started; /* a queue */
static int started_first, started_next;

/* Sets O_NONBLOCK of the ends that an operation uses. Both processes share it. */
static void ends_let_wait(const struct words *words, bool wait)
{
	long (*call)(const struct words *) = words->operation->call;

	if (call == do_read || call == do_splice)
		let_wait(pipes[words->k].fds[0], wait);
	if (call == do_write)
		let_wait(pipes[words->k].fds[1], wait);
	if (call == do_splice)
		let_wait(pipes[words->n].fds[1], wait);
}

/*
 * Closes every end that the operation does not use, so that its process keeps no pipe open for
 * others.
 */
static void keep_only_ends_of(const struct words *words)
{
	long (*call)(const struct words *) = words->operation->call;
	bool writes = call == do_write || (call == do_poll && words->end != 'r');
	int kept = pipes[words->k].fds[writes];
	int target = call == do_splice ? write_end(words->n) : -1;

	for (int k = 0; k < PIPES; k++) {
		for (int end = 0; end < 2; end++) {
			int *fd = &pipes[k].fds[end];

			if (*fd < 0 || *fd == kept || *fd == target)
				continue;
			close(*fd);
			*fd = -1;
		}
	}
}

static char state_of(pid_t pid)
{
	char path[32], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state;
}

static void pause_ms(int ms)
{
	struct timespec time = { 0, ms * 1000000 };

	nanosleep(&time, NULL);
}

/*
 * Waits until a process sleeps or has ended. Sleeping twice in a row is taken for the sleep that is
 * meant.
 */
static const char *wait_until_asleep(const struct started *one)
{
	int asleep = 0;

	for (int ms = 0; ms < ASLEEP_MS && asleep < 2; ms++) {
		char state = state_of(one->pid);

		if (state == 'Z')
			return "ended";
		asleep = state == 'S' && one->words[0] ? asleep + 1 : 0;
		pause_ms(1);
	}
	return asleep < 2 ? "busy" : "asleep";
}

/* Whatever an operation has woken goes on before the next operation, which may wake it, too. */
static void settle(void)
{
	for (int i = started_first; i < started_next; i++)
		wait_until_asleep(&started[i % STARTED]);
}

static void start(char *line, char *out, size_t room)
{
	struct started *one = &started[started_next++ % STARTED];
	char copy[LINE];
	struct words words;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", line);
	words = parse(copy);
	memset(one, 0, sizeof(*one));
	ends_let_wait(&words, true);
	pid = fork();
	if (pid == 0) {
		keep_only_ends_of(&words);
		may_wait = true;
		snprintf(one->words, sizeof(one->words), "%s", line);
		operate(&words, one->result, sizeof(one->result));
		_exit(0);
	}
	if (pid < 0) {
		say_number(out, room, -1);
		return;
	}
	one->pid = pid; /* the other process has no use for it */
	snprintf(out, room, "%s", wait_until_asleep(one));
}

static int compare_results(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Waits for the end of the oldest operation. */
static void join_one(char *out, size_t room)
{
	struct started *one = &started[started_first++ % STARTED];
	struct words words;
	int status;

	waitpid(one->pid, &status, 0);
	if (status)
		snprintf(out, room, "ended with wait status %#x", status);
	else
		snprintf(out, room, "%s", one->result);
	words = parse(one->words);
	ends_let_wait(&words, false);
}

static void join(int nr, char *out, size_t room)
{
	char results[STARTED][LINE];

	if (nr < 1 || nr > started_next - started_first)
		give_up("join: not so many were started");
	for (int i = 0; i < nr; i++)
		join_one(results[i], LINE);
	qsort(results, nr, LINE, compare_results);
	for (int i = 0; i < nr; i++)
		snprintf(out + strlen(out), room - strlen(out), "%s%s", i ? "; " : "", results[i]);
}

#endif
