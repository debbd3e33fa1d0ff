/*
 * epoll_wait sleeps: timeouts, signals, several waiters, EPOLLEXCLUSIVE, epoll_pwait and
 * epoll_pwait2.
 */
#include "epoll.h"
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define THREADS 5

static int ep, ends[2];
static int woken;

static void set_up(void)
{
	ep = make_epoll();
	make_pipe(ends);
	woken = 0;
}

TEST(times, 10, "a wait ends after its timeout, and not earlier")
{
	long long start = test_ms();
	long long wide[2] = { 0, 50000000 };

	set_up();
	add(ep, ends[0], EPOLLIN);
	CHECK_EQ(epoll_wait(ep, got, 1, 50), 0);
	CHECK(test_ms() - start >= 50);
	start = test_ms();
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, got, 1, wide, NULL, 0), 0);
	CHECK(test_ms() - start >= 50);
	wide[1] = 1000000000;
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, got, 1, wide, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, got, 1, 16, NULL, 0), EFAULT);
	wide[0] = wide[1] = 0;
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, got, 1, wide, NULL, 0), 0);
	put(ends[1], 1);
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, got, 1, NULL, NULL, 0), 1);
	CHECK_EQ(epoll_wait(ep, got, 1, -1), 1);
}

static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void catch_alarm(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
}

TEST(signals, 10, "a signal ends a wait, with SA_RESTART too")
{
	set_up();
	catch_alarm(SA_RESTART);
	alarm(1);
	CHECK_ERR(epoll_wait(ep, got, 1, -1), EINTR);
	CHECK_EQ(signals, 1);
}

TEST(masks, 10, "epoll_pwait blocks other signals while it waits")
{
	sigset_t blocked, none;

	set_up();
	catch_alarm(0);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
	raise(SIGALRM);
	CHECK_EQ(epoll_pwait(ep, got, 1, 10, &blocked), 0);
	CHECK_EQ(signals, 0);
	CHECK_ERR(epoll_pwait(ep, got, 1, -1, &none), EINTR);
	CHECK_EQ(signals, 1);
	/* The mask is as before. */
	raise(SIGALRM);
	CHECK_EQ(signals, 1);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, got, 1, 0, &none, 4), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_pwait, ep, got, 1, 0, 16, 8), EFAULT);
	CHECK_ERR(syscall(SYS_epoll_pwait2, ep, got, 1, NULL, &none, 8), EINTR);
	CHECK_EQ(signals, 2);
}

static void *wait_once(void *epoll)
{
	struct epoll_event event;
	int n = epoll_wait((int)(intptr_t)epoll, &event, 1, 4000);

	CHECK(n >= 0);
	if (n > 0)
		__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Starts threads that wait at one epoll, or one at each. */
static void start(pthread_t *threads, int n, const int *epolls, int step)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_once,
					(void *)(intptr_t)epolls[i * step]),
			 0);
	test_sleep_ms(200);
}

/* So many threads are woken long before their times are over, at which they look once more. */
static void finish(pthread_t *threads, int n, int wanted)
{
	long long start = test_ms();

	while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) < wanted && test_ms() - start < 2000)
		test_sleep_ms(10);
	CHECK_EQ(__atomic_load_n(&woken, __ATOMIC_SEQ_CST), wanted);
	for (int i = 0; i < n; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

TEST(one_edge_one_thread, 20, "of several threads that wait at one epoll, an edge wakes one")
{
	pthread_t threads[THREADS];

	set_up();
	add(ep, ends[0], EPOLLIN | EPOLLET);
	start(threads, THREADS, &ep, 0);
	put(ends[1], 1);
	finish(threads, THREADS, 1);
	CHECK_EQ(woken, 1);
}

TEST(each_its_edge, 20, "as many edges as threads wake all of them, with one event each")
{
	pthread_t threads[THREADS];
	int fds[THREADS];
	uint64_t one = 1;

	set_up();
	for (int i = 0; i < THREADS; i++) {
		fds[i] = eventfd(0, 0);
		add(ep, fds[i], EPOLLIN | EPOLLET);
	}
	start(threads, THREADS, &ep, 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(write(fds[i], &one, 8), 8);
	finish(threads, THREADS, THREADS);
}

TEST(level_wakes_all, 20, "what stays ready wakes one thread after the other")
{
	pthread_t threads[THREADS];

	set_up();
	add(ep, ends[0], EPOLLIN);
	start(threads, THREADS, &ep, 0);
	put(ends[1], 1);
	finish(threads, THREADS, THREADS);
}

static void several_epolls(uint32_t events, int all, int wanted)
{
	pthread_t threads[THREADS];
	int epolls[THREADS];

	set_up();
	for (int i = 0; i < THREADS; i++) {
		epolls[i] = make_epoll();
		add(epolls[i], ends[0], events);
	}
	start(threads, THREADS, epolls, 1);
	if (all)
		close(ends[1]);
	else
		put(ends[1], 1);
	finish(threads, THREADS, wanted);
	CHECK_EQ(woken, wanted);
}

TEST(all_epolls, 20, "an event wakes every epoll that watches the file")
{
	several_epolls(EPOLLIN, 0, THREADS);
}

TEST(exclusive, 20, "with EPOLLEXCLUSIVE an event wakes one of several epolls")
{
	several_epolls(EPOLLIN | EPOLLEXCLUSIVE, 0, 1);
}

TEST(exclusive_end, 20, "the end of a file wakes every epoll, with EPOLLEXCLUSIVE too")
{
	several_epolls(EPOLLIN | EPOLLEXCLUSIVE, 1, THREADS);
}

static void *add_later(void *unused)
{
	(void)unused;
	test_sleep_ms(100);
	add(ep, ends[0], EPOLLIN);
	return NULL;
}

TEST(fresh_buffer, 10, "one call reports all events, into memory that was not used before")
{
	enum { FILES = 1000, BYTES = FILES * sizeof(struct epoll_event) };
	struct epoll_event *fresh;
	int file;

	set_up();
	put(ends[1], 1);
	fresh = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fresh != MAP_FAILED);
	for (int i = 0; i < FILES; i++) {
		file = dup(ends[0]);
		CHECK(file >= 0);
		add(ep, file, EPOLLIN);
	}
	CHECK_EQ(epoll_wait(ep, fresh, FILES, 0), FILES);
	CHECK_EQ(fresh[FILES - 1].events, EPOLLIN);
}

TEST(added_later, 10, "a ready file that is added wakes a task that waits already")
{
	pthread_t thread;

	set_up();
	put(ends[1], 1);
	CHECK_EQ(pthread_create(&thread, NULL, add_later, NULL), 0);
	CHECK_EQ(epoll_wait(ep, got, 1, 3000), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *write_later(void *fd)
{
	test_sleep_ms(100);
	put((int)(intptr_t)fd, 1);
	return NULL;
}

TEST(outer_waits, 10, "a task that waits at an outer epoll is woken by a file of the inner one")
{
	int inner = make_epoll();
	pthread_t thread;
	struct pollfd p;

	set_up();
	add(inner, ends[0], EPOLLIN);
	add(ep, inner, EPOLLIN);
	CHECK_EQ(pthread_create(&thread, NULL, write_later, (void *)(intptr_t)ends[1]), 0);
	CHECK_EQ(epoll_wait(ep, got, 1, 3000), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	take(ends[0], 1);
	CHECK_EQ(pthread_create(&thread, NULL, write_later, (void *)(intptr_t)ends[1]), 0);
	p = (struct pollfd){ ep, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 3000), 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *connect_later(void *server)
{
	struct sockaddr *name = server;
	socklen_t len = sizeof(sa_family_t) + 6;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	test_sleep_ms(100);
	CHECK_EQ(connect(fd, name, len), 0);
	close(fd);
	return NULL;
}

TEST(listener, 10, "a connection that waits for accept is an event")
{
	struct sockaddr name = { AF_UNIX, "\0epoll" };
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t thread;

	set_up();
	CHECK_EQ(bind(server, &name, sizeof(sa_family_t) + 6), 0);
	CHECK_EQ(listen(server, 5), 0);
	add(ep, server, EPOLLIN);
	CHECK_EQ(pthread_create(&thread, NULL, connect_later, &name), 0);
	CHECK_EQ(epoll_wait(ep, got, 1, 3000), 1);
	CHECK_EQ(got[0].events, EPOLLIN);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(added_before_connect, 10,
     "a socket that is added before it is connected is told of room later")
{
	struct sockaddr name = { AF_UNIX, "\0epoll" };
	socklen_t len = sizeof(sa_family_t) + 6;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	static char bytes[4096];

	set_up();
	CHECK_EQ(bind(server, &name, len), 0);
	CHECK_EQ(listen(server, 5), 0);
	add(ep, client, EPOLLOUT | EPOLLET);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(connect(client, &name, len), 0);
	peer = accept(server, NULL, NULL);
	CHECK(peer >= 0);
	ready(ep);
	while (write(client, bytes, sizeof(bytes)) > 0)
		;
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	while (read(peer, bytes, sizeof(bytes)) > 0)
		;
	CHECK_EQ(epoll_wait(ep, got, 1, 1000), 1);
	CHECK_EQ(got[0].events, EPOLLOUT);
}
