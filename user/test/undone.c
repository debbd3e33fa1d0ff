/*
 * A call that fails leaves everything as it was. Each case makes the first allocation of a call
 * fail, then the second, and so on until the call succeeds, and looks after every failure.
 */
#include "test.h"
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NTH	"/proc/sys/vm/fail_nth"
#define NO_NTH	"lacks " NTH ": Linux can be made to fail allocations only by a debug build"
#define MAX_NTH 200
#define PAGE	4096
#define SIZE	(3 * PAGE)
#define NAME	"/tmp/undone"
#define OTHER	"/tmp/undone-other"
#define SEED	5

static char buf[SIZE], back[SIZE];
static int switch_fd = -1;

static void set_nth(int n)
{
	char text[16];
	int error = errno;

	if (switch_fd < 0)
		switch_fd = test_open_own(NTH, O_RDWR);
	snprintf(text, sizeof(text), "%d", n);
	/* This very call may be the one that is hit by the last setting. */
	if (pwrite(switch_fd, text, strlen(text), 0) < 0)
		CHECK_EQ(pwrite(switch_fd, text, strlen(text), 0), strlen(text));
	errno = error;
}

/*
 * `call` with one allocation after the other failing, until it succeeds. Whenever it has failed,
 * `look` says whether all is as it was. Returns what the call returned at last.
 */
static long until_it_succeeds(long (*call)(void), void (*look)(void))
{
	long result;
	int n, failed = 0;

	set_nth(0);
	for (n = 1; n < MAX_NTH; n++) {
		set_nth(n);
		result = call();
		set_nth(0);
		if (result >= 0)
			break;
		if (errno != ENOMEM)
			test_fail(__FILE__, __LINE__, "allocation %d", n);
		failed++;
		look();
	}
	printf("# failed %d times\n", failed);
	CHECK(n < MAX_NTH);
	CHECK(failed > 0);
	return result;
}

static int make(const char *name, unsigned int seed)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	test_fill(buf, SIZE, seed, 0);
	CHECK_EQ(write(fd, buf, SIZE), SIZE);
	return fd;
}

static void is_whole(int fd, unsigned int seed)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, SIZE);
	CHECK_EQ(pread(fd, back, SIZE, 0), SIZE);
	CHECK_EQ(test_differs(back, SIZE, seed, 0), SIZE);
}

static void is_not_there(const char *name)
{
	struct stat st;

	CHECK_ERR(lstat(name, &st), ENOENT);
}

/* Whatever else allocates would take the failure that is meant for the call. */
BEYOND_TEST(undisturbed, 20, "while a case sleeps, no other task of the guest allocates", NO_NTH)
{
	char before[16] = "", after[16] = "";

	set_nth(100);
	CHECK(pread(switch_fd, before, sizeof(before) - 1, 0) > 0);
	test_sleep_ms(200);
	CHECK(pread(switch_fd, after, sizeof(after) - 1, 0) > 0);
	set_nth(0);
	printf("# before %d, after %d\n", atoi(before), atoi(after));
	CHECK(atoi(before) > 90);
	CHECK(atoi(before) - atoi(after) <= 100 - atoi(before));
}

/* ---- files ---- */

static int file, ends[2];

static long truncate_it(void)
{
	return ftruncate(file, 100);
}

static void file_is_whole(void)
{
	is_whole(file, SEED);
}

BEYOND_TEST(truncate, 20, "a truncate that fails has taken nothing away", NO_NTH)
{
	loff_t at = 0;

	set_nth(0);
	file = make(NAME, SEED);
	CHECK_EQ(pipe(ends), 0);
	/* What a pipe holds must be copied, and for that there may be no memory. */
	CHECK_EQ(splice(file, &at, ends[1], NULL, PAGE, 0), PAGE);
	until_it_succeeds(truncate_it, file_is_whole);
	CHECK_EQ(lseek(file, 0, SEEK_END), 100);
	CHECK_EQ(read(ends[0], back, PAGE), PAGE);
	CHECK_EQ(test_differs(back, PAGE, SEED, 0), PAGE);
	CHECK_EQ(unlink(NAME), 0);
}

static long create_it(void)
{
	return open(OTHER, O_RDWR | O_CREAT, 0600);
}

static void other_is_not_there(void)
{
	is_not_there(OTHER);
}

static long open_and_truncate(void)
{
	return open(NAME, O_RDWR | O_TRUNC);
}

BEYOND_TEST(open_made_nothing, 20, "an open that fails has neither made a file nor emptied one",
	    NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	until_it_succeeds(create_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(open_and_truncate, file_is_whole);
	CHECK_EQ(lseek(file, 0, SEEK_END), 0);
	CHECK_EQ(unlink(NAME), 0);
}

static long rename_it(void)
{
	return rename(NAME, OTHER);
}

static int other;

static void both_are_there(void)
{
	struct stat a, b;

	is_whole(file, SEED);
	is_whole(other, SEED + 1);
	CHECK_EQ(stat(NAME, &a), 0);
	CHECK_EQ(stat(OTHER, &b), 0);
	CHECK(a.st_ino != b.st_ino && a.st_nlink == 1 && b.st_nlink == 1);
}

static long link_it(void)
{
	return link(NAME, OTHER);
}

static long symlink_it(void)
{
	return symlink("undone", OTHER);
}

static long mkdir_it(void)
{
	return mkdir(OTHER, 0700);
}

static long mkfifo_it(void)
{
	return mkfifo(OTHER, 0600);
}

static long bind_it(void)
{
	struct sockaddr_un name = { AF_UNIX, OTHER };
	static int sock = -1;

	if (sock < 0)
		sock = socket(AF_UNIX, SOCK_STREAM, 0);
	return sock < 0 ? sock : bind(sock, (struct sockaddr *)&name, sizeof(name));
}

/* Names are looked up anew: those that are cached need no memory. */
static void forget_names(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "2", 1), 1);
	close(fd);
}

BEYOND_TEST(names, 60, "what fails to rename or make a name leaves the names as they were", NO_NTH)
{
	struct stat st;

	set_nth(0);
	file = make(NAME, SEED);
	other = make(OTHER, SEED + 1);
	until_it_succeeds(rename_it, both_are_there);
	is_not_there(NAME);
	is_whole(file, SEED);
	CHECK_EQ(unlink(OTHER), 0);
	forget_names();
	file = make(NAME, SEED);
	until_it_succeeds(link_it, other_is_not_there);
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(symlink_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(mkdir_it, other_is_not_there);
	CHECK_EQ(rmdir(OTHER), 0);
	until_it_succeeds(mkfifo_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(bind_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	CHECK_EQ(unlink(NAME), 0);
}

static long unlink_it(void)
{
	return unlink(NAME);
}

static long move_dir(void)
{
	return rename(OTHER "/a/d", OTHER "/b/e");
}

static void dir_is_there(void)
{
	struct stat a, b;

	CHECK_EQ(access(OTHER "/a/d/f", F_OK), 0);
	is_not_there(OTHER "/b/e");
	CHECK_EQ(stat(OTHER "/a", &a) | stat(OTHER "/b", &b), 0);
	CHECK(a.st_nlink == 3 && b.st_nlink == 2);
}

BEYOND_TEST(removed, 60, "what fails to remove a name or to move a directory leaves them", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	forget_names();
	until_it_succeeds(unlink_it, file_is_whole);
	is_not_there(NAME);
	CHECK_EQ(mkdir(OTHER, 0700) | mkdir(OTHER "/a", 0700) | mkdir(OTHER "/b", 0700), 0);
	CHECK_EQ(mkdir(OTHER "/a/d", 0700), 0);
	close(make(OTHER "/a/d/f", SEED));
	until_it_succeeds(move_dir, dir_is_there);
	CHECK_EQ(unlink(OTHER "/b/e/f") | rmdir(OTHER "/b/e"), 0);
	CHECK_EQ(rmdir(OTHER "/a") | rmdir(OTHER "/b") | rmdir(OTHER), 0);
}

static long mount_it(void)
{
	return mount("none", OTHER, "tmpfs", 0, "size=1M");
}

static void not_mounted(void)
{
	CHECK_ERR(umount(OTHER), EINVAL);
}

BEYOND_TEST(mounts, 20, "a mount that fails has mounted nothing", NO_NTH)
{
	set_nth(0);
	CHECK_EQ(mkdir(OTHER, 0700), 0);
	until_it_succeeds(mount_it, not_mounted);
	CHECK_EQ(umount(OTHER), 0);
	CHECK_EQ(rmdir(OTHER), 0);
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
	CHECK_EQ(pipe(ends), 0);
	/* What a pipe holds must be copied before it changes. */
	CHECK_EQ(splice(file, &from_at, ends[1], NULL, SIZE, 0), SIZE);
	until_it_succeeds(write_lent, file_is_whole);
	CHECK_EQ(read_full(ends[0], back, SIZE), SIZE);
	CHECK_EQ(test_differs(back, SIZE, SEED, 0), SIZE);
	CHECK_EQ(unlink(NAME), 0);
	file = make(NAME, SEED);
	from_at = 0;
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

/* ---- room, holes, files without a name ---- */

static long allocate_it(void)
{
	return fallocate(file, 0, 0, 40 * PAGE);
}

static void has_its_room(void)
{
	struct stat st;

	file_is_whole();
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(st.st_blocks, SIZE / 512);
}

BEYOND_TEST(allocate, 20, "a fallocate that fails has taken no room", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	until_it_succeeds(allocate_it, has_its_room);
	CHECK_EQ(lseek(file, 0, SEEK_END), 40 * PAGE);
	CHECK_EQ(unlink(NAME), 0);
}

static long punch_it(void)
{
	return fallocate(file, 3 /* PUNCH_HOLE | KEEP_SIZE */, 100, 2 * PAGE);
}

BEYOND_TEST(punch, 20, "a hole that cannot be punched whole is not begun", NO_NTH)
{
	loff_t at = 0;

	set_nth(0);
	file = make(NAME, SEED);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(file, &at, ends[1], NULL, SIZE, 0), SIZE);
	until_it_succeeds(punch_it, file_is_whole);
	CHECK_EQ(read(ends[0], back, SIZE), SIZE);
	CHECK_EQ(test_differs(back, SIZE, SEED, 0), SIZE);
	CHECK_EQ(unlink(NAME), 0);
}

static long open_nameless(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static void nothing(void)
{
}

BEYOND_TEST(nameless, 20, "a file without a name is made whole or not at all", NO_NTH)
{
	set_nth(0);
	file = until_it_succeeds(open_nameless, nothing);
	CHECK_EQ(write(file, buf, SIZE), SIZE);
}

static long make_memfd(void)
{
	return syscall(356 /* memfd_create */, "undone", 0);
}

BEYOND_TEST(memory_file, 20, "memfd_create leaves nothing behind when it fails", NO_NTH)
{
	set_nth(0);
	file = until_it_succeeds(make_memfd, nothing);
	CHECK_EQ(write(file, buf, SIZE), SIZE);
}
