/*
 * What the tests of signals, threads and ends of processes share.
 */
#ifndef USER_TEST_SIGNALS_H
#define USER_TEST_SIGNALS_H

#include "test.h"

static volatile int hits, order[8], nr_order;

static inline void on_signal(int sig)
{
	hits++;
	if (nr_order < 8)
		order[nr_order++] = sig;
}

static inline void handle(int sig, void *handler, int flags)
{
	struct sigaction action = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = handler;
	else
		action.sa_handler = handler;
	CHECK(sigaction(sig, &action, NULL) == 0);
}

static inline sigset_t set_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static inline void block(int sig)
{
	sigset_t set = set_of(sig);

	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
}

static inline int wait_status(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static volatile int stop_threads;
static inline void *spin(void *arg)
{
	sigset_t set = set_of(SIGUSR2);

	if (arg)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!stop_threads)
		;
	return NULL;
}

#endif
