/*
 * O_DIRECT on a disk that answers late or not at all: what happens to the memory, the file and the
 * process meanwhile.
 */
#define _GNU_SOURCE
#include "background.h"
#include "gate.h"
#include "text_files.h"
#include <pthread.h>

#define FILE_SIZE 65536

static char *memory; /* aligned; FILE_SIZE */
static int file, plain;
static pthread_t helper;
static volatile ssize_t helped;

static void open_file(void)
{
	file = open("/mnt/late", O_RDWR | O_CREAT | O_DIRECT, 0600);
	plain = open("/mnt/late", O_RDWR);
	CHECK(file >= 0 && plain >= 0);
}

/* Mount a writable file system whose file has FILE_SIZE known bytes, none of them cached. */
static void begin(void)
{
	memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	/* With so much room, no operation waits for a commit, which the gate would hold up, too. */
	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_REMOUNT, NULL), 0);
	open_file();
	test_fill(memory, FILE_SIZE, 1, 0);
	CHECK_EQ(pwrite(file, memory, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(fsync(file), 0);
	CHECK_EQ(pread(file, memory, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(test_differs(memory, FILE_SIZE, 1, 0), FILE_SIZE);
	memset(memory, 0x5a, FILE_SIZE);
}

static void has_only(const char *bytes, size_t n, char byte)
{
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(bytes[i], byte);
}

/*
 * Unmounting succeeds when the kernel's tasks have ended the requests of killed processes, and so
 * have closed their files.
 */
static void end(void)
{
	int error;

	gate_control("open");
	close(file);
	close(plain);
	while ((error = umount("/mnt") < 0 ? errno : 0) == EBUSY)
		test_sleep_ms(1);
	CHECK_EQ(error, 0);
}

static void *read_it(void *arg)
{
	helped = pread(file, memory, FILE_SIZE, 0);
	return arg;
}

static void *write_it(void *arg)
{
	helped = pwrite(file, memory, FILE_SIZE, 0);
	return arg;
}

/* A thread begins a request, which the closed gate holds up. */
static void begin_late(void *(*request)(void *))
{
	long before;

	gate_control("close");
	before = held_at_gate();
	CHECK_EQ(pthread_create(&helper, NULL, request, NULL), 0);
	await_at_gate(before);
}

static void end_late(void)
{
	gate_control("open");
	CHECK_EQ(pthread_join(helper, NULL), 0);
	CHECK_EQ(helped, FILE_SIZE);
}

BEYOND_TEST(
	fork_meanwhile, 20,
	"a process that forks while a disk fills its memory gets the bytes, and so does nobody else",
	NO_GATE)
{
	int pipes[2];
	pid_t child;
	char byte;

	begin();
	CHECK_EQ(pipe(pipes), 0);
	begin_late(read_it);
	child = fork();
	if (child == 0) {
		/* Its own copy, which the disk does not fill. */
		if (read(pipes[0], &byte, 1) != 1)
			_exit(1);
		for (int i = 0; i < FILE_SIZE; i++)
			if (memory[i] != 0x5a)
				_exit(2);
		_exit(0);
	}
	end_late();
	CHECK_EQ(test_differs(memory, FILE_SIZE, 1, 0), FILE_SIZE);
	CHECK_EQ(write(pipes[1], "x", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	end();
}

/* Protect memory that a disk fills, and write to it again. */
static void protect_and_write(size_t n)
{
	CHECK_EQ(mprotect(memory, n, PROT_READ), 0);
	CHECK_EQ(mprotect(memory, n, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < n; i += 4096)
		memory[i] = 1; /* the disk overwrites it */
}

BEYOND_TEST(protected_meanwhile, 20,
	    "memory that is protected and written again stays the disk's target", NO_GATE)
{
	begin();
	begin_late(read_it);
	protect_and_write(FILE_SIZE);
	end_late();
	CHECK_EQ(test_differs(memory, FILE_SIZE, 1, 0), FILE_SIZE);
	end();
}

#define HALF (FILE_SIZE / 2)

static void *read_half(void *arg)
{
	helped = pread(file, memory, HALF, 0) + HALF;
	return arg;
}

static void *write_half(void *arg)
{
	helped = pwrite(file, memory, HALF, HALF) + HALF;
	return arg;
}

BEYOND_TEST(both_ways_meanwhile, 20,
	    "memory that a disk fills while another request writes it is the target all the same",
	    NO_GATE)
{
	pthread_t reader;

	begin();
	begin_late(read_half);
	reader = helper;
	begin_late(write_half);
	protect_and_write(HALF);
	end_late();
	CHECK_EQ(pthread_join(reader, NULL), 0);
	CHECK_EQ(test_differs(memory, HALF, 1, 0), HALF);
	end();
}

BEYOND_TEST(unmapped_meanwhile, 20,
	    "memory that is unmapped while a disk fills it is not used for anything else", NO_GATE)
{
	char *other;

	begin();
	begin_late(read_it);
	CHECK_EQ(munmap(memory, FILE_SIZE), 0);
	other = mmap(memory, FILE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(other == memory);
	memset(other, 0x33, FILE_SIZE);
	end_late();
	has_only(other, FILE_SIZE, 0x33);
	end();
}

static char *source;
static int write_error;

static void *write_from_source(void *arg)
{
	helped = pwrite(plain, source, 4096, 13 * 4096);
	write_error = errno;
	return arg;
}

static char read_bytes[4096];
static volatile ssize_t read_result;

static void *read_same_page(void *arg)
{
	read_result = pread(plain, read_bytes, 4096, 13 * 4096);
	return arg;
}

BEYOND_TEST(source_gone_meanwhile, 20,
	    "a write whose source is unmapped before it is copied leaves readers of the page alone",
	    NO_GATE)
{
	pthread_t reader;

	begin();
	source = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(source != MAP_FAILED);
	memset(source, 0x33, 4096);
	sync();
	drop_caches("3");
	/* The writer needs the indirect block, which the gate holds up. The page is locked. */
	begin_late(write_from_source);
	CHECK_EQ(pthread_create(&reader, NULL, read_same_page, NULL), 0);
	test_sleep_ms(100);
	CHECK_EQ(munmap(source, 4096), 0);
	gate_control("open");
	CHECK_EQ(pthread_join(helper, NULL) | pthread_join(reader, NULL), 0);
	CHECK_EQ(helped, -1);
	CHECK_EQ(write_error, EFAULT);
	CHECK_EQ(read_result, 4096);
	CHECK_EQ(test_differs(read_bytes, 4096, 1, 13 * 4096), 4096);
	end();
}

BEYOND_TEST(lent_meanwhile, 20,
	    "a pipe that is given memory which a disk fills has bytes that stay", NO_GATE)
{
	struct iovec piece;
	int ends[2];

	begin();
	CHECK_EQ(pipe(ends), 0);
	begin_late(read_it);
	piece = (struct iovec){ memory, 16384 };
	CHECK_EQ(vmsplice(ends[1], &piece, 1, 0), 16384);
	piece = (struct iovec){ memory + 16384, 16384 };
	CHECK_EQ(vmsplice(ends[1], &piece, 1, SPLICE_F_GIFT), 16384);
	end_late();
	CHECK_EQ(test_differs(memory, FILE_SIZE, 1, 0), FILE_SIZE);
	CHECK_EQ(read_full(ends[0], back, 32768), 32768);
	has_only(back, 32768, 0x5a);
	end();
}

/* A child makes a request, which the closed gate holds up, and is killed. */
static void kill_late(ssize_t (*request)(void))
{
	long before;
	pid_t child;

	gate_control("close");
	before = held_at_gate();
	child = fork();
	if (child == 0) {
		request();
		_exit(1);
	}
	await_at_gate(before);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

static ssize_t read_all(void)
{
	return pread(file, memory, FILE_SIZE, 0);
}

static ssize_t write_over(void)
{
	return pwrite(file, memory, 8192, 4096);
}

static ssize_t write_behind(void)
{
	return pwrite(file, memory, FILE_SIZE, 2 * FILE_SIZE);
}

BEYOND_TEST(killed, 20,
	    "a process that is killed ends before the disk answers, and the file is right", NO_GATE)
{
	begin();
	kill_late(read_all);
	gate_control("open");
	CHECK_EQ(pread(plain, back, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(test_differs(back, FILE_SIZE, 1, 0), FILE_SIZE);
	kill_late(write_over);
	gate_control("open");
	CHECK_EQ(pread(plain, back, FILE_SIZE, 0), FILE_SIZE);
	has_only(back + 4096, 8192, 0x5a);
	kill_late(write_behind);
	gate_control("open");
	CHECK_EQ(lseek(plain, 0, SEEK_END), FILE_SIZE);
	CHECK_EQ(ftruncate(plain, 4 * FILE_SIZE), 0);
	/* The kernel's task may have ended the write by now, or not. */
	CHECK_EQ(pread(plain, back, FILE_SIZE, 2 * FILE_SIZE), FILE_SIZE);
	for (int i = 0; i < FILE_SIZE; i++)
		CHECK(back[i] == 0 || back[i] == 0x5a);
	end();
}

BEYOND_TEST(
	others_meanwhile, 20,
	"a splice does not wait for a direct write, and its bytes are the new ones; truncation waits",
	NO_GATE)
{
	int ends[2];

	begin();
	CHECK_EQ(pipe(ends), 0);
	begin_late(write_it);
	CHECK_EQ(splice(plain, NULL, ends[1], NULL, 16384, 0), 16384);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	end_late();
	CHECK_EQ(read_full(ends[0], back, 16384), 16384);
	has_only(back, 16384, 0x5a);
	end();
}

static void truncate_to_a_page(void)
{
	CHECK_EQ(ftruncate(plain, 4096), 0);
}

BEYOND_TEST(truncated_meanwhile, 20,
	    "truncation waits for a direct read before it frees the blocks", NO_GATE)
{
	pid_t child;

	begin();
	begin_late(read_it);
	child = in_background(truncate_to_a_page);
	while (state_of(child) != 'D') {
		CHECK(state_of(child) != 'Z'); /* it has not waited */
		test_sleep_ms(1);
	}
	/* It waits for the read, and not for something shorter. */
	test_sleep_ms(50);
	CHECK_EQ(state_of(child), 'D');
	end_late();
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(lseek(plain, 0, SEEK_END), 4096);
	end();
}

BEYOND_TEST(errors, 20, "an error of the disk is EIO, and a file never shows what was not written",
	    NO_GATE)
{
	begin();
	gate_control("fail 1");
	CHECK_ERR(pread(file, memory, FILE_SIZE, 0), EIO);
	CHECK_EQ(pread(file, memory, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(test_differs(memory, FILE_SIZE, 1, 0), FILE_SIZE);
	gate_control("fail 1");
	CHECK_ERR(pwrite(file, memory, 4096, 8192), EIO);
	gate_control("fail 1");
	CHECK_ERR(pwrite(file, memory, FILE_SIZE, FILE_SIZE), EIO);
	CHECK_EQ(lseek(plain, 0, SEEK_END), FILE_SIZE);
	CHECK_EQ(pread(plain, back, FILE_SIZE, 0), FILE_SIZE);
	CHECK_EQ(test_differs(back, FILE_SIZE, 1, 0), FILE_SIZE);
	/* Into a hole: it stays zeros. */
	CHECK_EQ(ftruncate(plain, 8 * FILE_SIZE) | fsync(plain), 0);
	gate_control("fail 1");
	CHECK_ERR(pwrite(file, memory, 8192, 4 * FILE_SIZE), EIO);
	CHECK_EQ(pread(plain, back, FILE_SIZE, 4 * FILE_SIZE), FILE_SIZE);
	has_only(back, FILE_SIZE, 0);
	end();
}

BEYOND_TEST(fails_within_a_page, 20,
	    "a write that fails within a page does not count bytes that the file does not have",
	    NO_GATE)
{
	struct iovec pieces[99];
	const int nr = sizeof(pieces) / sizeof(pieces[0]);

	begin();
	CHECK_EQ(ftruncate(plain, 4096) | fsync(plain), 0);
	/* The first request to the disk has 64 pieces of memory, and so ends behind 65 sectors. */
	pieces[0] = (struct iovec){ memory, 1024 };
	for (int i = 1; i < nr; i++)
		pieces[i] = (struct iovec){ memory + 512 + i * 512, 512 };
	gate_control("skip 1");
	gate_control("fail 1");
	CHECK_EQ(pwritev(file, pieces, nr, 4096), 32768);
	CHECK_EQ(lseek(plain, 0, SEEK_END), 4096 + 32768);
	CHECK_EQ(pread(plain, back, FILE_SIZE, 4096), 32768);
	has_only(back, 32768, 0x5a);
	end();
}

static ssize_t write_second_sector(void)
{
	return pwrite(file, memory, 512, 512);
}

BEYOND_TEST(killed_within_the_last_page, 20,
	    "what a killed write leaves behind the end is not seen when the file grows", NO_GATE)
{
	begin();
	CHECK_EQ(ftruncate(plain, 512) | fsync(plain), 0);
	kill_late(write_second_sector);
	end();
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", 0, NULL), 0);
	open_file();
	CHECK_EQ(ftruncate(plain, 4096), 0);
	CHECK_EQ(pread(plain, back, 4096, 0), 4096);
	CHECK_EQ(test_differs(back, 512, 1, 0), 512);
	has_only(back + 512, 4096 - 512, 0);
	end();
}

/* The free blocks of the disk get bytes that no file may show. */
static void leave_old_bytes(void)
{
	int old = open("/mnt/old", O_RDWR | O_CREAT, 0600);

	CHECK(old >= 0);
	memset(data, 0x77, sizeof(data));
	CHECK_EQ(write_full(old, data, sizeof(data)), sizeof(data));
	CHECK_EQ(fsync(old), 0);
	close(old);
	CHECK_EQ(unlink("/mnt/old"), 0);
	sync();
}

static void *write_far(void *arg)
{
	helped = pwrite(file, memory, FILE_SIZE, 4 * FILE_SIZE);
	return arg;
}

/* Half of the killed write's place, while it is behind the end. The other half is written later. */
static void write_half_back(void)
{
	CHECK_EQ(sync_file_range(plain, 2 * FILE_SIZE + FILE_SIZE / 2, FILE_SIZE / 2,
				 SYNC_FILE_RANGE_WRITE),
		 0);
}

BEYOND_TEST(killed_and_overtaken, 20,
	    "a killed write that fails leaves zeros if another write has moved the end behind it",
	    NO_GATE)
{
	pid_t child;

	begin();
	leave_old_bytes();
	kill_late(write_behind);
	begin_late(write_far);
	/* The kernel's task ends the killed write while the other write has the inode's lock. */
	gate_control("fail 1");
	gate_control("pass 1");
	test_sleep_ms(50);
	child = in_background(write_half_back);
	test_sleep_ms(50);
	end_late();
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(plain, back, FILE_SIZE, 2 * FILE_SIZE), FILE_SIZE);
	has_only(back, FILE_SIZE, 0);
	end();
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", 0, NULL), 0);
	open_file();
	CHECK_EQ(pread(plain, back, FILE_SIZE, 2 * FILE_SIZE), FILE_SIZE);
	has_only(back, FILE_SIZE, 0);
	CHECK_EQ(pread(plain, back, FILE_SIZE, 4 * FILE_SIZE), FILE_SIZE);
	has_only(back, FILE_SIZE, 0x5a);
	end();
}
