/*
 * Holes in files of ext2, with blocks of all sizes: SEEK_DATA and SEEK_HOLE, and fallocate with
 * PUNCH_HOLE. A model says which bytes and which blocks a file has.
 */
#include "ext2.h"
#include "random.h"
#include <sys/resource.h>

#define PAGE  4096
#define SEED  51
#define PUNCH 0x03 /* PUNCH_HOLE | KEEP_SIZE */

/* Linux, include/uapi/linux/fs.h */
#define GET_FLAGS 0x80046601
#define SET_FLAGS 0x40046602
#define IMMUTABLE 0x10
#define APPEND	  0x20

static long sectors(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_blocks;
}

static off_t size_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_size;
}

/* ---- the model ---- */

#define WINDOWS	    5
#define PER_WINDOW  8 /* blocks */
#define WINDOW_SIZE (PER_WINDOW * PAGE)
#define OPERATIONS  120

/* The parts of the file that are not always holes: around the places where its depth changes. */
static struct window {
	off_t at;
	char bytes[WINDOW_SIZE];
	bool data[PER_WINDOW];
} windows[WINDOWS];
static off_t model_size;

static void begin_model(int fd, int block)
{
	off_t pointers = block / 4;
	const off_t blocks[WINDOWS] = { 0, 8, 8 + pointers, 8 + 2 * pointers,
					8 + pointers + pointers * pointers };

	memset(windows, 0, sizeof(windows));
	for (int i = 0; i < WINDOWS; i++)
		windows[i].at = blocks[i] * block;
	model_size = windows[WINDOWS - 1].at + PER_WINDOW * block - 100;
	CHECK_EQ(ftruncate(fd, model_size), 0);
}

static void model_write(struct window *window, int at, int n, char byte, int block)
{
	memset(window->bytes + at, byte, n);
	for (int i = at / block; i <= (at + n - 1) / block; i++)
		window->data[i] = true;
}

/* A block is free if the whole of it was punched, or all of it up to the end of the file. */
static void model_punch(off_t start, off_t end, int block)
{
	if (end > model_size)
		end = windows[WINDOWS - 1].at + PER_WINDOW * block;
	for (struct window *window = windows; window < windows + WINDOWS; window++) {
		for (int i = 0; i < PER_WINDOW * block; i++)
			if (window->at + i >= start && window->at + i < end)
				window->bytes[i] = 0;
		for (int i = 0; i < PER_WINDOW; i++) {
			off_t at = window->at + i * block;

			if (at >= start && at + block <= end)
				window->data[i] = false;
		}
	}
}

static void agrees(int fd, const struct window *window, int block)
{
	int n = window->at + PER_WINDOW * block > model_size ? model_size - window->at
							     : PER_WINDOW * block;

	CHECK_EQ(pread(fd, buf, PER_WINDOW * block, window->at), n);
	for (int i = 0; i < n; i++)
		if (buf[i] != window->bytes[i])
			test_fail(__FILE__, __LINE__, "byte %lld is %d instead of %d",
				  (long long)window->at + i, buf[i], window->bytes[i]);
	for (int i = 0; i < PER_WINDOW; i++) {
		off_t at = window->at + i * block, data = lseek(fd, at, SEEK_DATA),
		      hole = lseek(fd, at, SEEK_HOLE);

		if ((data == at) != window->data[i] || (hole == at) == window->data[i])
			test_fail(__FILE__, __LINE__, "block %lld: data at %lld, hole at %lld",
				  (long long)(at / block), (long long)data, (long long)hole);
		if (i + 1 < PER_WINDOW && window->data[i] != window->data[i + 1])
			CHECK_EQ(window->data[i] ? hole : data, at + block);
	}
}

static off_t some_offset(int block, const struct window *window)
{
	unsigned int at = random_below(PER_WINDOW * block);

	return window->at + (random_below(3) ? at : at / block * block);
}

static void punch_somewhere(int fd, int block)
{
	const struct window *first = windows + random_below(WINDOWS), *last = first;
	off_t start, end;

	if (random_below(4) == 0)
		last = first + random_below(windows + WINDOWS - first);
	start = some_offset(block, first);
	end = some_offset(block, last) + random_below(2 * block);
	if (end <= start)
		end = start + 1 + random_below(3 * block);
	CHECK_EQ(fallocate(fd, PUNCH, start, end - start), 0);
	if (start < model_size)
		model_punch(start, end, block);
}

static void write_somewhere(int fd, int block)
{
	struct window *window = windows + random_below(WINDOWS);
	int at = random_below(PER_WINDOW * block - 200), n = 1 + random_below(3 * block), room;
	char byte = 'a' + random_below(26);

	room = PER_WINDOW * block - 100 - at;
	n = n < room ? n : room;
	memset(buf, byte, n);
	CHECK_EQ(pwrite(fd, buf, n, window->at + at), n);
	model_write(window, at, n, byte, block);
}

static void operate(int block)
{
	int fd = create(MNT "/file");

	random_state = 7 + block;
	begin_model(fd, block);
	for (int i = 0; i < OPERATIONS; i++) {
		if (random_below(5) < 2)
			punch_somewhere(fd, block);
		else
			write_somewhere(fd, block);
		agrees(fd, windows + random_below(WINDOWS), block);
		if (i % 40 == 39)
			forget();
		if (i % 10 == 9)
			for (int w = 0; w < WINDOWS; w++)
				agrees(fd, windows + w, block);
	}
	CHECK_EQ(size_of(fd), model_size);
	close(fd);
}

static void model_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	CHECK(fd >= 0);
	for (int w = 0; w < WINDOWS; w++)
		agrees(fd, windows + w, block);
	close(fd);
}

TEST(model, 60, "bytes and blocks are punched as the model says, at all depths of indirection")
{
	on_all_sizes(operate, model_is_there);
}

/* ---- what is freed ---- */

static void punch_all(int block)
{
	off_t at[5], pointers = block / 4;
	int fd;

	close(create(MNT "/file"));
	look_at_space();
	fd = create(MNT "/file");
	at[0] = 0;
	at[1] = 12;
	at[2] = 12 + pointers;
	at[3] = 12 + 2 * pointers;
	at[4] = 12 + pointers + pointers * pointers;
	for (int i = 0; i < 5; i++) {
		memset(buf, 'x', block);
		CHECK_EQ(pwrite(fd, buf, block, at[i] * block), block);
	}
	CHECK_EQ(sectors(fd), (5 + 1 + 2 + 1 + 3) * block / 512);
	CHECK_EQ(fallocate(fd, PUNCH, at[3] * block, block), 0);
	CHECK_EQ(sectors(fd), (4 + 1 + 2 + 3) * block / 512);
	CHECK_EQ(fallocate(fd, PUNCH, at[1] * block, block), 0);
	CHECK_EQ(sectors(fd), (3 + 2 + 3) * block / 512);
	CHECK_EQ(fallocate(fd, PUNCH, 0, at[4] * block), 0);
	CHECK_EQ(sectors(fd), (1 + 3) * block / 512);
	CHECK_EQ(fallocate(fd, PUNCH, at[4] * block, block), 0);
	CHECK_EQ(sectors(fd), 0);
	CHECK_EQ(size_of(fd), at[4] * block + block);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_EQ(lseek(fd, 5, SEEK_HOLE), 5);
	close(fd);
	space_is_whole();
}

BEYOND_TEST(emptied, 60, "indirect blocks that lead to nothing any more are freed, too",
	    "some of them stay until the file is truncated")
{
	on_all_sizes(punch_all, NULL);
}

#define FILL (1 << 20)

static void punch_when_full(int block)
{
	int fd = create(MNT "/full"), other = create(MNT "/other"), small = create(MNT "/small");
	off_t size = 0;
	ssize_t n;

	CHECK_EQ(pwrite(small, "y", 1, 0), 1);
	memset(buf, 'x', sizeof(buf));
	while ((n = write(fd, buf, sizeof(buf))) > 0)
		size += n;
	while ((n = write(fd, buf, 1)) > 0)
		size += n;
	CHECK_ERR(write(fd, buf, 1), ENOSPC);
	CHECK(size > FILL + 100000);
	/* Unaligned, so that the edges are written, and in a hole, for which there is no room. */
	CHECK_EQ(fallocate(fd, PUNCH, 100001, FILL), 0);
	CHECK_EQ(ftruncate(small, FILL), 0);
	CHECK_EQ(fallocate(small, PUNCH, 10001, 100000), 0);
	CHECK_EQ(sectors(small), block / 512);
	/* What has been freed can be used. */
	for (int done = 0; done < FILL - (1 << 17); done += n) {
		memset(buf, 'z', sizeof(buf));
		n = write(other, buf, sizeof(buf));
		CHECK_EQ(n, sizeof(buf));
	}
	has_zeros(fd, 100001, FILL);
	CHECK_EQ(pread(fd, buf, 1, 100000), 1);
	CHECK_EQ(buf[0], 'x');
	close(fd);
	close(other);
	close(small);
}

static void full_is_there(int block)
{
	int fd = open(MNT "/full", O_RDONLY), other = open(MNT "/other", O_RDONLY);
	ssize_t n;

	has_zeros(fd, 100001, FILL);
	CHECK_EQ(pread(fd, buf, 2, 100000), 2);
	CHECK(buf[0] == 'x' && buf[1] == 0);
	CHECK_EQ(pread(fd, buf, 2, 100000 + FILL), 2);
	CHECK(buf[0] == 0 && buf[1] == 'x');
	while ((n = read(other, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buf[i], 'z');
	CHECK_EQ(n, 0);
	close(fd);
	close(other);
}

TEST(full, 60, "on a full disk holes are punched, and their blocks are used by other files")
{
	on_all_sizes(punch_when_full, full_is_there);
}

/* ---- the end of the file, times, errors ---- */

static void punch_at_the_end(int block)
{
	int fd = make_file(MNT "/file", 40000, SEED);
	long all = sectors(fd);
	struct timespec past[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	struct stat st;

	CHECK_EQ(futimens(fd, past), 0);
	CHECK_EQ(fallocate(fd, PUNCH, 40000, 1000), 0);
	CHECK_EQ(fallocate(fd, PUNCH, 1 << 30, 1 << 30), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mtim.tv_sec, 2);
	CHECK_EQ(st.st_blocks, all);
	/* Up to the end: the last block has other bytes still, so it stays. */
	CHECK_EQ(fallocate(fd, PUNCH, 36864, 40000 - 36864), 0);
	CHECK_EQ(sectors(fd), all - (40000 - 36864) / block * block / 512);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(st.st_mtim.tv_sec > 2 && st.st_ctim.tv_sec > 2);
	CHECK_EQ(st.st_size, 40000);
	/* Beyond it. */
	CHECK_EQ(fallocate(fd, PUNCH, 36864, 1 << 20), 0);
	CHECK_EQ(sectors(fd), all - (40960 - 36864) / 512);
	CHECK_EQ(size_of(fd), 40000);
	has_bytes(fd, 0, 36864, SEED);
	has_zeros(fd, 36864, 40000 - 36864);
	close(fd);
}

static void end_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	has_bytes(fd, 0, 36864, SEED);
	has_zeros(fd, 36864, 40000 - 36864);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 36864);
	CHECK_ERR(lseek(fd, 36864, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 40000, SEEK_HOLE), ENXIO);
	close(fd);
}

TEST(ends, 30, "a hole beyond the end changes nothing, and one across it frees the last block")
{
	on_all_sizes(punch_at_the_end, end_is_there);
}

static void set_flags(int fd, unsigned int flags)
{
	CHECK_EQ(ioctl(fd, SET_FLAGS, &flags), 0);
}

TEST(refused, 20, "what fallocate refuses for files on a disk")
{
	static const int lacking[] = { 0, 1, 2, 8, 0x10, 0x11, 0x20, 0x40, 0x41 };
	struct rlimit limit = { 1000, RLIM_INFINITY };
	unsigned int flags;
	int fd, reader;

	put_image("blank-1k");
	mount_writable();
	fd = make_file(MNT "/file", 40000, SEED);
	reader = open(MNT "/file", O_RDONLY);
	CHECK_EQ(ioctl(fd, GET_FLAGS, &flags), 0);
	for (unsigned int i = 0; i < sizeof(lacking) / sizeof(*lacking); i++) {
		CHECK_ERR(fallocate(fd, lacking[i], 0, 1024), EOPNOTSUPP);
		CHECK_ERR(fallocate(fd, lacking[i], 50000, 1024), EOPNOTSUPP);
	}
	CHECK_ERR(fallocate(fd, 9, 0, 1024), EINVAL);
	CHECK_ERR(fallocate(fd, PUNCH, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, PUNCH, INT64_MAX - 10, 100), EFBIG);
	CHECK_ERR(fallocate(reader, PUNCH, 0, 1024), EBADF);
	set_flags(fd, flags | APPEND);
	CHECK_ERR(fallocate(fd, PUNCH, 0, 1024), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 1024), EOPNOTSUPP);
	set_flags(fd, flags | IMMUTABLE);
	CHECK_ERR(fallocate(fd, PUNCH, 0, 1024), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 1024), EPERM);
	set_flags(fd, flags);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_ERR(fallocate(fd, 0, 50000, 1024), EOPNOTSUPP);
	CHECK_EQ(fallocate(fd, PUNCH, 10000, 20000), 0);
	has_bytes(fd, 0, 10000, SEED);
	has_zeros(fd, 10000, 20000);
	close(fd);
	close(reader);
	CHECK_EQ(mknod(MNT "/node", S_IFCHR | 0600, 1 << 8 | 3), 0);
	fd = open(MNT "/node", O_RDWR);
	CHECK_ERR(fallocate(fd, PUNCH, 0, 1024), ENODEV);
	close(fd);
	unmount();
}

/* ---- mappings, pipes, direct IO ---- */

static void punch_mapped(int block)
{
	int fd = make_file(MNT "/file", 8 * PAGE, SEED);
	char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	for (int i = 0; i < 8; i++) /* each page is dirty, and can be stored to */
		map[i * PAGE + 7] = 'm';
	CHECK_EQ(fallocate(fd, PUNCH, PAGE + 1024, 4 * PAGE + 2048), 0);
	CHECK_EQ(map[PAGE + 7], 'm');
	CHECK_EQ(map[2 * PAGE + 7], 0);
	CHECK_EQ(map[5 * PAGE + 7], 0);
	CHECK_EQ(map[6 * PAGE + 7], 'm');
	has_zeros(fd, PAGE + 1024, 4 * PAGE + 2048);
	map[3 * PAGE + 9] = 's';
	CHECK_EQ(lseek(fd, PAGE + 1024, SEEK_DATA), block == PAGE   ? PAGE + 1024
						    : block == 2048 ? PAGE + 1024
								    : 3 * PAGE);
	CHECK_EQ(lseek(fd, 3 * PAGE, SEEK_HOLE), 4 * PAGE);
	CHECK_EQ(madvise(map + 6 * PAGE, PAGE, MADV_REMOVE), 0);
	CHECK_EQ(map[6 * PAGE + 7], 0);
	CHECK_EQ(munmap(map, 8 * PAGE), 0);
	close(fd);
}

static void mapped_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	has_zeros(fd, PAGE + 1024, 2 * PAGE - 1024);
	CHECK_EQ(pread(fd, buf, PAGE, 3 * PAGE), PAGE);
	CHECK_EQ(buf[9], 's');
	has_zeros(fd, 3 * PAGE + 10, 2 * PAGE - 10);
	has_zeros(fd, 6 * PAGE, PAGE);
	has_bytes(fd, 7 * PAGE + 8, PAGE - 8, SEED);
	CHECK_EQ(lseek(fd, 6 * PAGE, SEEK_DATA), 7 * PAGE);
	close(fd);
}

TEST(mapped, 30, "a mapping shows the hole, and a store to it gets a new block")
{
	on_all_sizes(punch_mapped, mapped_is_there);
}

/* The blocks in the middle of a page are punched, while a program can store to the page. */
static void store_to_edge(int block)
{
	int fd = make_file(MNT "/file", 2 * PAGE, SEED);
	char *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[1] = map[2500] = 'm';
	CHECK_EQ(fallocate(fd, PUNCH, 2048, 2048), 0);
	CHECK_EQ(map[2500], 0);
	map[2500] = 's';
	CHECK_EQ(msync(map, PAGE, MS_SYNC), 0);
	CHECK_EQ(munmap(map, 2 * PAGE), 0);
	close(fd);
}

static void edge_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	CHECK_EQ(pread(fd, buf, PAGE, 0), PAGE);
	CHECK_EQ(buf[1], 'm');
	CHECK_EQ(buf[2500], 's');
	CHECK_EQ(buf[2501], 0);
	close(fd);
}

TEST(edge, 30, "a store to a page whose blocks were punched in part lasts")
{
	on_all_sizes(store_to_edge, edge_is_there);
}

static void punch_lent(int block)
{
	int fd = make_file(MNT "/file", 4 * PAGE, SEED), ends[2];
	static char got[8 * PAGE];
	loff_t pos = 0;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(fd, &pos, ends[1], NULL, 4 * PAGE, 0), 4 * PAGE);
	forget();
	pos = 0;
	CHECK_EQ(splice(fd, &pos, ends[1], NULL, 4 * PAGE, 0), 4 * PAGE);
	CHECK_EQ(fallocate(fd, PUNCH, 1000, 2 * PAGE), 0);
	has_zeros(fd, 1000, 2 * PAGE);
	memset(buf, 'x', sizeof(buf)); /* the blocks are used by another file */
	for (int i = 0; i < 2; i++) {
		int other = create(MNT "/other");

		CHECK_EQ(write(other, buf, 10 * PAGE), 10 * PAGE);
		CHECK_EQ(fsync(other), 0);
		close(other);
	}
	for (size_t n = 0; n < sizeof(got);) {
		ssize_t piece = read(ends[0], got + n, sizeof(got) - n);

		CHECK(piece > 0);
		n += piece;
	}
	CHECK_EQ(test_differs(got, 4 * PAGE, SEED, 0), 4 * PAGE);
	CHECK_EQ(test_differs(got + 4 * PAGE, 4 * PAGE, SEED, 0), 4 * PAGE);
	has_bytes(fd, 0, 1000, SEED);
	has_bytes(fd, 1000 + 2 * PAGE, 2 * PAGE - 1000, SEED);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

BEYOND_TEST(lent, 30, "a pipe keeps the bytes that were punched out of the file",
	    "slots show later changes of the file")
{
	on_all_sizes(punch_lent, NULL);
}

static void punch_direct(int block)
{
	int fd = open(MNT "/file", O_RDWR | O_CREAT | O_DIRECT, 0644);
	char *memory = (char *)(((uintptr_t)buf + PAGE - 1) & -PAGE);

	CHECK(fd >= 0);
	memset(memory, 'd', 8 * PAGE);
	CHECK_EQ(pwrite(fd, memory, 8 * PAGE, 0), 8 * PAGE);
	CHECK_EQ(fallocate(fd, PUNCH, 1000, 4 * PAGE), 0);
	CHECK_EQ(pread(fd, memory, 8 * PAGE, 0), 8 * PAGE);
	for (int i = 0; i < 8 * PAGE; i++)
		CHECK_EQ(memory[i], i >= 1000 && i < 1000 + 4 * PAGE ? 0 : 'd');
	memset(memory, 'e', PAGE);
	CHECK_EQ(pwrite(fd, memory, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(fallocate(fd, PUNCH, 2 * PAGE + 2048, PAGE), 0);
	close(fd);
}

static void direct_is_there(int block)
{
	int fd = open(MNT "/file", O_RDONLY);

	CHECK_EQ(pread(fd, buf, 8 * PAGE, 0), 8 * PAGE);
	for (int i = 0; i < 8 * PAGE; i++)
		CHECK_EQ(buf[i], i >= 2 * PAGE && i < 2 * PAGE + 2048 ? 'e'
				 : i >= 1000 && i < 1000 + 4 * PAGE   ? 0
								      : 'd');
	close(fd);
}

TEST(direct, 30, "O_DIRECT finds what was punched, and writes into it")
{
	on_all_sizes(punch_direct, direct_is_there);
}
