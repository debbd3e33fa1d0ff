/*
 * A call that fails leaves descriptors, memory, and bytes on their way as they were.
 */
#include "undone.h"
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* ---- whose allocations fail ---- */

/* Fill and empty pipes, until the parent kills us. */
static void allocate_for_ever(void)
{
	for (;;) {
		if (pipe(ends) < 0)
			continue;
		(void)!write(ends[1], buf, SIZE);
		close(ends[0]);
		close(ends[1]);
	}
}

/* The call that reads the switch may be the one that is hit. */
static int nth_left(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n < 0 ? 1 : atoi(text);
}

BEYOND_TEST(of_others, 20, "allocations of other tasks are counted only if they are meant, too",
	    NO_NTH)
{
	int fd = test_open_own(NTH, O_RDONLY);
	pid_t child = fork();

	if (child == 0)
		allocate_for_ever();
	set_nth(100);
	test_sleep_ms(100);
	CHECK(nth_left(fd) > 80);
	set_nth_any(10000);
	while (nth_left(fd) > 0)
		test_sleep_ms(1);
	set_nth(0);
	close(fd);
	CHECK_EQ(kill(child, SIGKILL), 0);
	test_wait(child);
}

/* ---- files of events ---- */

static int lowest; /* the lowest descriptor that is free */

static long make_eventfd(void)
{
	return eventfd(0, 0);
}

static long make_timerfd(void)
{
	return timerfd_create(CLOCK_MONOTONIC, 0);
}

static long make_signalfd(void)
{
	sigset_t none;

	sigemptyset(&none);
	return signalfd(-1, &none, 0);
}

static long make_epoll(void)
{
	return epoll_create1(0);
}

static long make_inotify(void)
{
	return inotify_init1(0);
}

static int owned[3]; /* a pipe, and the owner of its read end */

static long make_pidfd(void)
{
	return syscall(434, getppid(), 0);
}

static long own_pipe(void)
{
	return fcntl(owned[0], F_SETOWN, getpid());
}

static long make_async(void)
{
	return fcntl(owned[1], F_SETFL, O_ASYNC);
}

static void is_not_async(void)
{
	CHECK_EQ(fcntl(owned[1], F_GETFL) & O_ASYNC, 0);
	CHECK_EQ(fcntl(owned[0], F_GETOWN), owned[2]);
}

/* futex_waitv, whose time is over at once. */
static long wait_for_words(void)
{
	static int word;
	uint64_t waiter[] = { 0, (uintptr_t)&word, 2 }, time[] = { 0, 0 };
	long result = syscall(449, waiter, 1, 0, time, CLOCK_MONOTONIC);

	return result < 0 && errno == ETIMEDOUT ? 0 : result;
}

static int in;

static long watch_root(void)
{
	return inotify_add_watch(in, "/", IN_CREATE);
}

static void root_is_not_watched(void)
{
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
}

static int ep, watched;

static long watch_it(void)
{
	struct epoll_event event = { EPOLLIN, { 0 } };

	return epoll_ctl(ep, EPOLL_CTL_ADD, watched, &event);
}

static void not_watched(void)
{
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, watched, NULL), ENOENT);
}

static void nothing_was_opened(void)
{
	CHECK_EQ(dup(0), lowest);
	CHECK_EQ(close(lowest), 0);
}

BEYOND_TEST(
	events, 20,
	"a file of events that cannot be made leaves no descriptor, and one that cannot be watched is not",
	NO_NTH)
{
	set_nth(0);
	lowest = dup(0);
	CHECK_EQ(close(lowest), 0);
	CHECK_EQ(watched = until_it_succeeds(make_eventfd, nothing_was_opened), lowest++);
	CHECK_EQ(until_it_succeeds(make_timerfd, nothing_was_opened), lowest++);
	CHECK_EQ(until_it_succeeds(make_signalfd, nothing_was_opened), lowest++);
	CHECK_EQ(ep = until_it_succeeds(make_epoll, nothing_was_opened), lowest++);
	until_it_succeeds(watch_it, not_watched);
	CHECK_EQ(in = until_it_succeeds(make_inotify, nothing_was_opened), lowest++);
	CHECK_EQ(until_it_succeeds(make_pidfd, nothing_was_opened), lowest++);
	CHECK_EQ(pipe(owned), 0);
	until_it_succeeds(own_pipe, is_not_async);
	owned[2] = getpid();
	until_it_succeeds(make_async, is_not_async);
	lowest += 2;
	CHECK_EQ(until_it_succeeds(wait_for_words, nothing_was_opened), 0);
	until_it_succeeds(watch_root, root_is_not_watched);
}

/* ---- memory ---- */

#define PAGES 9

static char *area;

static void area_is_whole(void)
{
	for (int i = 0; i < PAGES; i++) {
		CHECK_EQ(area[i * PAGE], i + 1);
		area[i * PAGE] = i + 1; /* and can be written */
	}
}

static void make_area(void)
{
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		area[i * PAGE] = i + 1;
}

static long map_over(void)
{
	void *p = mmap(area + 3 * PAGE, 3 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long unmap_middle(void)
{
	return munmap(area + 3 * PAGE, PAGE);
}

static long protect_middle(void)
{
	return mprotect(area + 3 * PAGE, 2 * PAGE, PROT_READ);
}

BEYOND_TEST(mappings, 20, "what fails to map, unmap or protect leaves the memory as it was", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	make_area();
	until_it_succeeds(map_over, area_is_whole);
	CHECK_EQ(test_differs(area + 3 * PAGE, 3 * PAGE, SEED, 0), 3 * PAGE);
	CHECK_EQ(area[2 * PAGE], 3);
	CHECK_EQ(area[6 * PAGE], 7);
	make_area();
	until_it_succeeds(unmap_middle, area_is_whole);
	make_area();
	until_it_succeeds(protect_middle, area_is_whole);
	CHECK_EQ(unlink(NAME), 0);
}

static char *heap_end;

static long grow_heap(void)
{
	char *end = (char *)syscall(SYS_brk, heap_end + 64 * PAGE);

	errno = ENOMEM;
	return end == heap_end + 64 * PAGE ? 0 : -1;
}

static void heap_is_whole(void)
{
	CHECK((char *)syscall(SYS_brk, 0) == heap_end);
}

BEYOND_TEST(heap, 20, "a heap that cannot grow ends where it did", NO_NTH)
{
	set_nth(0);
	heap_end = (char *)syscall(SYS_brk, 0);
	until_it_succeeds(grow_heap, heap_is_whole);
}

/* ---- descriptors and pipes ---- */

#define FAR 900

static long dup_far(void)
{
	return dup2(file, FAR);
}

static void far_is_free(void)
{
	CHECK_ERR(fcntl(FAR, F_GETFD), EBADF);
}

static long grow_pipe(void)
{
	return fcntl(ends[0], F_SETPIPE_SZ, 1 << 18);
}

static void pipe_is_small(void)
{
	int bytes = 0;

	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &bytes), 0);
	CHECK_EQ(bytes, SIZE);
}

static int lowest_free(void)
{
	int fd = dup(0);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

static int free_fd, pair[2];

static void nothing_opened(void)
{
	CHECK_EQ(lowest_free(), free_fd);
}

static long pipe_it(void)
{
	return pipe(pair);
}

static long socketpair_it(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

BEYOND_TEST(descriptors, 20,
	    "what fails to open, duplicate or resize leaves descriptors and pipes as they were",
	    NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	until_it_succeeds(dup_far, far_is_free);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], buf, SIZE), SIZE);
	until_it_succeeds(grow_pipe, pipe_is_small);
	CHECK_EQ(read_full(ends[0], back, SIZE), SIZE);
	CHECK_EQ(test_differs(back, SIZE, SEED, 0), SIZE);
	free_fd = lowest_free();
	until_it_succeeds(pipe_it, nothing_opened);
	close(pair[0]);
	close(pair[1]);
	until_it_succeeds(socketpair_it, nothing_opened);
	CHECK_EQ(unlink(NAME), 0);
}

/* ---- bytes on their way ---- */

static loff_t from_at, to_at;

static long copy_it(void)
{
	return copy_file_range(file, &from_at, other, &to_at, PAGE, 0) == PAGE ? 0 : -1;
}

static void nothing_copied(void)
{
	CHECK(from_at == 0 && to_at == 0);
	CHECK_EQ(lseek(other, 0, SEEK_END), 0);
	file_is_whole();
}

static long write_lent(void)
{
	return pwrite(file, "changed", 7, 100) == 7 ? 0 : -1;
}

static long connect_it(void)
{
	struct sockaddr_un name = { AF_UNIX, OTHER };

	return connect(pair[0], (struct sockaddr *)&name, sizeof(name));
}

static void not_connected(void)
{
	CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(accept(pair[1], NULL, NULL), EAGAIN);
}

static long accept_it(void)
{
	return accept(pair[1], NULL, NULL);
}

BEYOND_TEST(bytes, 60, "what fails to write, copy, splice or connect has moved nothing", NO_NTH)
{
	struct sockaddr_un name = { AF_UNIX, OTHER };
	int fd;

	set_nth(0);
	file = make(NAME, SEED);
	lend_to_pipe(SIZE);
	until_it_succeeds(write_lent, file_is_whole);
	pipe_kept(SIZE);
	CHECK_EQ(unlink(NAME), 0);
	file = make(NAME, SEED);
	other = open(OTHER, O_RDWR | O_CREAT | O_TRUNC, 0600);
	until_it_succeeds(copy_it, nothing_copied);
	CHECK_EQ(unlink(NAME) | unlink(OTHER), 0);
	pair[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	pair[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_EQ(bind(pair[1], (struct sockaddr *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(pair[1], 5), 0);
	until_it_succeeds(connect_it, not_connected);
	CHECK_EQ(send(pair[0], "x", 1, 0), 1);
	free_fd = lowest_free();
	fd = until_it_succeeds(accept_it, nothing_opened);
	CHECK_EQ(read(fd, back, 10), 1);
	CHECK_EQ(unlink(OTHER), 0);
}

/* The child shares its table with us, so exec has to copy it. */
BEYOND_TEST(exec_with_shared_files, 60,
	    "an exec that finds no memory leaves the old program running", NO_NTH)
{
	int n, failed = 0, status = -1;

	set_nth(0);
	/* The first allocation may be that of the child's page faults, which are tried again. */
	for (n = 1; n < MAX_NTH && !(failed && status == 0); n++) {
		pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

		if (!child) {
			set_nth(n);
			execl("/bin/true", "true", NULL);
			set_nth(0);
			_exit(errno == ENOMEM ? 2 : 3);
		}
		status = test_wait(child);
		set_nth(0);
		if (status != 0)
			CHECK_EQ(status, 2);
		failed += status == 2;
	}
	printf("# failed %d times\n", failed);
	CHECK_EQ(status, 0);
	CHECK(failed > 0);
}

/* Both ends are on their way into the table when the numbers find no place. */
TEST(bad_pointer, 5, "a pair of descriptors whose numbers cannot be told is closed again")
{
	free_fd = lowest_free();
	CHECK_ERR(syscall(SYS_pipe2, (void *)1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (void *)1), EFAULT);
	nothing_opened();
}
