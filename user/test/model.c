/*
 * What a slot promised is what it gives: random programs of operations on files, memory and pipes,
 * beside a model that remembers the bytes of each slot as they were when it was published.
 *
 * 1. A seed makes a program. Its operations are made one after the other, so the model always knows
 *    what every file, every piece of memory and every pipe must hold. At the end of each seed all
 *    is read and compared; the pipes, files and memory go on into the next seed.
 * 2. A failure names the seed, the step and the operation. `MODEL_SEED=n /test/model CASE` runs
 *    just that seed, and says what it does; seeds are independent of each other but for the pages
 *    that the kernel happens to use.
 * 3. Descriptors of pipes do not block, so that a full or empty pipe ends no test. How much an
 *    operation moves is the kernel's choice; which bytes is not.
 */
#include "random.h"
#include "test.h"
#include <pthread.h>
#include <sys/sendfile.h>

#define PAGE	     4096
#define FILES	     3
#define FILE_BYTES   (4 * PAGE)
#define PIPES	     3
#define MEMORY_BYTES (4 * PAGE)
#define PIPE_BYTES   (64 * PAGE) /* more than a pipe of this test can hold */
#define STEPS	     60
#define HANGS	     30 /* seconds without a seed's end */
#define CHANGES	     "in Linux a later write to the page shows through in the pipe"

/* ---- what is to be ---- */

/* A file; the gate is one whose size does not change. */
struct file {
	int fd;
	char path[32];
	unsigned char *map; /* FILE_BYTES, shared; NULL: a device */
	unsigned char bytes[FILE_BYTES];
	size_t size;
};

/* The caller's memory: private, or shared with nobody in fact but anonymous and MAP_SHARED. */
struct memory {
	unsigned char *at;
	unsigned char bytes[MEMORY_BYTES];
	bool private;
};

struct pipe_model {
	int in, out; /* descriptors: to read, to write */
	unsigned char bytes[PIPE_BYTES];
	size_t len;
	unsigned short pieces[256]; /* bytes of each slot, as it was published */
	unsigned int nr;
};

static struct file files[FILES];
static struct memory memories[2];
static struct pipe_model pipes[PIPES];
static unsigned char scratch[PIPE_BYTES];
static unsigned int seed, step;
static const char *operation = "start";
static bool verbose, use_gate, gate_closed, may_be_lost;

#define MUST(cond, ...)                                          \
	do {                                                     \
		if (!(cond))                                     \
			broken(__LINE__, #cond " " __VA_ARGS__); \
	} while (0)

static void broken(int line, const char *what, ...) __attribute__((noreturn));
static void broken(int line, const char *what, ...)
{
	char text[300];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	test_fail(__FILE__, line, "seed %u, step %u (%s): %s", seed, step, operation, text);
}

/* A seed takes some 50 ms; one that has not ended by now does not end. */
static void hanging(int sig)
{
	(void)sig;
	errno = 0;
	broken(__LINE__, "hangs");
}

/* Lengths are short, or of whole pages, or in between. */
static size_t random_length(size_t most)
{
	size_t n = random_below(3);

	n = n == 0   ? 1 + random_below(200)
	    : n == 1 ? PAGE * (1 + random_below(4))
		     : 1 + random_below(2 * PAGE);
	return n < most ? n : most;
}

static size_t random_offset(size_t end)
{
	size_t at = end ? random_below(end) : 0;

	return random_below(2) ? at & ~(size_t)(PAGE - 1) : at;
}

static unsigned char *fresh_bytes(size_t n)
{
	unsigned int value = random_below(251);

	for (size_t i = 0; i < n; i++)
		scratch[i] = value + i / 7;
	return scratch;
}

/* ---- the model's moves ---- */

static void pipe_put(struct pipe_model *pipe, const unsigned char *bytes, size_t n)
{
	MUST(pipe->len + n <= PIPE_BYTES && pipe->nr < 256);
	memmove(pipe->bytes + pipe->len, bytes, n);
	pipe->len += n;
	if (n > 0)
		pipe->pieces[pipe->nr++] = n;
}

/* Slots of pages: the first ends where its page does. */
static void pipe_put_pages(struct pipe_model *pipe, const unsigned char *bytes, size_t at, size_t n)
{
	while (n > 0) {
		size_t piece = PAGE - at % PAGE < n ? PAGE - at % PAGE : n;

		pipe_put(pipe, bytes + at, piece);
		at += piece;
		n -= piece;
	}
}

static void pipe_drop(struct pipe_model *pipe, size_t n)
{
	unsigned int gone = 0;

	MUST(n <= pipe->len);
	pipe->len -= n;
	memmove(pipe->bytes, pipe->bytes + n, pipe->len);
	while (n > 0 && n >= pipe->pieces[gone])
		n -= pipe->pieces[gone++];
	if (n > 0)
		pipe->pieces[gone] -= n;
	pipe->nr -= gone;
	memmove(pipe->pieces, pipe->pieces + gone, pipe->nr * sizeof(pipe->pieces[0]));
}

/* The first n bytes of one pipe are also in the other, slot by slot. */
static void pipe_share(struct pipe_model *from, struct pipe_model *to, size_t n)
{
	size_t at = 0;

	for (unsigned int i = 0; n > 0; i++) {
		size_t piece = from->pieces[i] < n ? from->pieces[i] : n;

		pipe_put(to, from->bytes + at, piece);
		at += piece;
		n -= piece;
	}
}

static void expect_bytes(const unsigned char *got, const unsigned char *want, size_t n,
			 const char *where)
{
	for (size_t i = 0; i < n; i++)
		if (got[i] != want[i])
			broken(__LINE__, "%s: byte %zu of %zu is %02x, expected %02x", where, i, n,
			       got[i], want[i]);
}

/*
 * What a call that takes from a pipe has returned, if that is not a number of bytes. A slot whose
 * page left its file before it was read is gone; one whose read failed, or that is on its way,
 * stays.
 */
static void pipe_refused(struct pipe_model *pipe, int error)
{
	if (error == ENODATA && may_be_lost) {
		MUST(pipe->nr > 0);
		pipe_drop(pipe, pipe->pieces[0]);
	} else if (error == EIO) {
		MUST(use_gate && pipe->len > 0);
	} else {
		MUST(error == EAGAIN);
		MUST(pipe->len == 0 || gate_closed);
	}
}

static struct pipe_model *some_pipe(void)
{
	return &pipes[random_below(PIPES)];
}
static struct pipe_model *other_pipe(struct pipe_model *pipe)
{
	return &pipes[(pipe - pipes + 1 + random_below(PIPES - 1)) % PIPES];
}
static struct file *some_file(void)
{
	return &files[random_below(use_gate ? 1 : FILES)];
}
static struct memory *some_memory(void)
{
	return &memories[random_below(2)];
}

/* ---- pipes ---- */

static void do_write(void)
{
	struct pipe_model *pipe = some_pipe();
	unsigned char *bytes = fresh_bytes(2 * PAGE);
	ssize_t n = write(pipe->out, bytes, random_length(2 * PAGE));

	MUST(n > 0 || errno == EAGAIN);
	if (n > 0)
		pipe_put(pipe, bytes, n);
}

static void take(struct pipe_model *pipe, size_t most)
{
	ssize_t n = read(pipe->in, scratch, most);

	if (n < 0) {
		pipe_refused(pipe, errno);
		return;
	}
	MUST(n > 0 && (size_t)n <= pipe->len);
	expect_bytes(scratch, pipe->bytes, n, "pipe");
	pipe_drop(pipe, n);
}

static void do_read(void)
{
	take(some_pipe(), random_length(3 * PAGE));
}

static void do_null(void)
{
	static int null = -1;
	struct pipe_model *pipe = some_pipe();
	ssize_t n;

	if (null < 0)
		null = open("/dev/null", O_WRONLY);
	n = splice(pipe->in, NULL, null, NULL, random_length(3 * PAGE), SPLICE_F_NONBLOCK);
	if (n < 0)
		pipe_refused(pipe, errno);
	else
		pipe_drop(pipe, n);
}

static void between(bool share)
{
	struct pipe_model *from = some_pipe(), *to = other_pipe(from);
	size_t most = random_length(4 * PAGE);
	ssize_t n = share ? tee(from->in, to->out, most, SPLICE_F_NONBLOCK)
			  : splice(from->in, NULL, to->out, NULL, most, SPLICE_F_NONBLOCK);

	if (n < 0) {
		MUST(errno == EAGAIN && (from->len == 0 || to->len > 0));
		return;
	}
	MUST(n > 0 && (size_t)n <= from->len);
	pipe_share(from, to, n);
	if (!share)
		pipe_drop(from, n);
}

static void do_tee(void)
{
	between(true);
}
static void do_move(void)
{
	between(false);
}

static void do_resize(void)
{
	struct pipe_model *pipe = some_pipe();
	int slots = 1 << random_below(6), r = fcntl(pipe->out, F_SETPIPE_SZ, slots * PAGE);

	MUST(r == slots * PAGE || errno == EBUSY);
}

static void do_count(void)
{
	struct pipe_model *pipe = some_pipe();
	int n = -1;

	MUST(ioctl(pipe->in, FIONREAD, &n) == 0);
	MUST(use_gate ? n <= (int)pipe->len : n == (int)pipe->len);
}

/* ---- files ---- */

static void file_set(struct file *file, size_t at, const unsigned char *bytes, size_t n)
{
	memmove(file->bytes + at, bytes, n);
	if (at + n > file->size)
		file->size = at + n;
}

static void do_pwrite(void)
{
	struct file *file = some_file();
	size_t at = random_offset(FILE_BYTES), n = random_length(FILE_BYTES - at);
	unsigned char *bytes = fresh_bytes(n);

	if (gate_closed)
		return;
	MUST(pwrite(file->fd, bytes, n, at) == (ssize_t)n);
	file_set(file, at, bytes, n);
}

static void do_store(void)
{
	struct file *file = some_file();
	size_t at = random_offset(file->size), n = random_length(file->size - at);

	if (n == 0 || use_gate)
		return;
	fresh_bytes(n);
	memcpy(file->map + at, scratch, n);
	file_set(file, at, scratch, n);
}

static void resized(struct file *file, size_t size)
{
	if (size > file->size)
		memset(file->bytes + file->size, 0, size - file->size);
	else
		memset(file->bytes + size, 0, file->size - size);
	file->size = size;
}

static void do_truncate(void)
{
	struct file *file = some_file();
	size_t size = random_offset(FILE_BYTES + 1);

	if (use_gate)
		return;
	MUST(ftruncate(file->fd, size) == 0);
	resized(file, size);
	if (random_below(2)) { /* and longer again: there are zeros now */
		size += random_below(FILE_BYTES - size + 1);
		MUST(ftruncate(file->fd, size) == 0);
		resized(file, size);
	}
}

static void open_file(struct file *file, int flags)
{
	file->fd = open(file->path, O_RDWR | flags, 0600);
	MUST(file->fd >= 0);
	if (use_gate)
		return;
	file->map = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	MUST(file->map != MAP_FAILED);
}

static void close_file(struct file *file)
{
	munmap(file->map, FILE_BYTES);
	close(file->fd);
}

static void do_reopen(void)
{
	struct file *file = some_file();

	if (use_gate)
		return;
	if (random_below(2)) {
		int fd = open(file->path, O_RDWR | O_TRUNC);

		MUST(fd >= 0);
		close(fd);
	} else {
		close_file(file);
		MUST(unlink(file->path) == 0);
		open_file(file, O_CREAT | O_EXCL);
	}
	resized(file, 0);
}

static void do_splice_out(void)
{
	struct file *file = some_file();
	struct pipe_model *pipe = some_pipe();
	size_t start = random_offset(file->size + !use_gate), n = random_length(FILE_BYTES);
	bool by_sendfile = random_below(4) == 0;
	loff_t at = start;
	off_t small = start;
	ssize_t moved;

	if (use_gate && n > file->size - start)
		n = file->size - start; /* the device goes on, the model does not */
	moved = by_sendfile ? sendfile(pipe->out, file->fd, &small, n)
			    : splice(file->fd, &at, pipe->out, NULL, n, SPLICE_F_NONBLOCK);
	if (moved < 0) {
		MUST(errno == EAGAIN && pipe->len > 0);
		return;
	}
	MUST((size_t)(by_sendfile ? small : at) == start + moved);
	MUST(start + moved <= file->size && (moved > 0 || start == file->size));
	pipe_put_pages(pipe, file->bytes, start, moved);
}

static void do_splice_in(void)
{
	struct file *file = some_file();
	struct pipe_model *pipe = some_pipe();
	size_t start = random_offset(FILE_BYTES);
	loff_t at = start;
	ssize_t n;

	if (use_gate)
		return;
	n = splice(pipe->in, NULL, file->fd, &at, random_length(FILE_BYTES - start),
		   SPLICE_F_NONBLOCK);
	if (n < 0) {
		pipe_refused(pipe, errno);
		return;
	}
	MUST(n > 0 && (size_t)n <= pipe->len && at == (loff_t)start + n);
	file_set(file, start, pipe->bytes, n);
	pipe_drop(pipe, n);
}

static void do_check_file(void)
{
	struct file *file = some_file();
	struct stat st;

	if (gate_closed)
		return;
	if (!use_gate) {
		MUST(fstat(file->fd, &st) == 0);
		MUST((size_t)st.st_size == file->size);
	}
	if (file->map && random_below(2))
		expect_bytes(file->map, file->bytes, file->size, "mapping");
	MUST(pread(file->fd, scratch, file->size, 0) == (ssize_t)file->size);
	expect_bytes(scratch, file->bytes, file->size, "file");
}

/* ---- memory ---- */

static void do_vmsplice(void)
{
	struct memory *memory = some_memory();
	struct pipe_model *pipe = some_pipe();
	size_t at = random_offset(MEMORY_BYTES), n = random_length(MEMORY_BYTES - at);
	struct iovec segment = { memory->at + at, n };
	bool gift = random_below(3) == 0;
	ssize_t moved =
		vmsplice(pipe->out, &segment, 1, SPLICE_F_NONBLOCK | (gift ? SPLICE_F_GIFT : 0));

	if (moved < 0) {
		MUST(errno == EAGAIN && pipe->len > 0);
		return;
	}
	MUST(moved > 0 && (size_t)moved <= n);
	pipe_put_pages(pipe, memory->bytes, at, moved);
	if (!gift || !memory->private)
		return;
	/* Whole pages were taken from us. */
	for (size_t page = (at + PAGE - 1) & ~(size_t)(PAGE - 1); page + PAGE <= at + moved;
	     page += PAGE)
		memset(memory->bytes + page, 0, PAGE);
}

/* The mapping of a file is memory too. */
static void do_vmsplice_file(void)
{
	struct file *file = some_file();
	struct pipe_model *pipe = some_pipe();
	size_t at = random_offset(file->size), n = random_length(file->size - at);
	struct iovec segment = { file->map + at, n };
	ssize_t moved;

	if (n == 0 || use_gate)
		return;
	moved = vmsplice(pipe->out, &segment, 1, SPLICE_F_NONBLOCK);
	if (moved < 0) {
		MUST(errno == EAGAIN && pipe->len > 0);
		return;
	}
	pipe_put_pages(pipe, file->bytes, at, moved);
}

/* What is stored, and by whom. */
static struct memory *target;
static size_t target_at, target_n;

static void *store(void *unused)
{
	(void)unused;
	memcpy(target->at + target_at, scratch, target_n);
	return NULL;
}

static void by_thread(void)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, store, NULL) == 0);
	MUST(pthread_join(thread, NULL) == 0);
}

static void by_child(void)
{
	pid_t child = fork();

	MUST(child >= 0);
	if (!child) {
		store(NULL);
		_exit(memcmp(target->at + target_at, scratch, target_n) != 0);
	}
	MUST(test_wait(child) == 0);
}

static void do_memory_store(void)
{
	unsigned int who = random_below(100);

	target = some_memory();
	target_at = random_offset(MEMORY_BYTES);
	target_n = random_length(MEMORY_BYTES - target_at);
	fresh_bytes(target_n);
	if (who == 0)
		by_child();
	else if (who < 6)
		by_thread();
	else
		store(NULL);
	if (who > 0 || !target->private)
		memcpy(target->bytes + target_at, scratch, target_n);
}

/* By system calls: from a file, or from a pipe. */
static void do_memory_read(void)
{
	struct memory *memory = some_memory();
	struct pipe_model *pipe = some_pipe();
	struct file *file = some_file();
	size_t at = random_offset(MEMORY_BYTES), n = random_length(MEMORY_BYTES - at), from;
	struct iovec segment = { memory->at + at, n };
	ssize_t got;

	if (random_below(2) && !gate_closed) {
		from = random_offset(file->size + 1);
		if (n > file->size - from)
			n = file->size - from;
		got = pread(file->fd, memory->at + at, n, from);
		MUST(got == (ssize_t)n);
		memcpy(memory->bytes + at, file->bytes + from, got);
		return;
	}
	got = random_below(2) ? read(pipe->in, memory->at + at, n)
			      : vmsplice(pipe->in, &segment, 1, SPLICE_F_NONBLOCK);
	if (got < 0) {
		pipe_refused(pipe, errno);
		return;
	}
	MUST(got > 0 && (size_t)got <= pipe->len);
	memcpy(memory->bytes + at, pipe->bytes, got);
	pipe_drop(pipe, got);
}

static void do_check_memory(void)
{
	struct memory *memory = some_memory();

	expect_bytes(memory->at, memory->bytes, MEMORY_BYTES,
		     memory->private ? "private memory" : "shared memory");
}

/* ---- the gate ---- */

static void control(const char *command)
{
	static int fd = -1;

	if (fd < 0)
		fd = test_open_own("/proc/gate", O_WRONLY);
	MUST(write(fd, command, strlen(command)) == (ssize_t)strlen(command));
}

/* Nothing is cached but what pipes hold, and nothing that is read now arrives. */
static void close_gate(void)
{
	MUST(fsync(files[0].fd) == 0);
	MUST(posix_fadvise(files[0].fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	control("close");
	gate_closed = true;
}

static void open_gate(void)
{
	char command[16];
	unsigned int fail = random_below(4);

	if (fail > 1) {
		snprintf(command, sizeof(command), "fail %u", fail - 1);
		control(command);
		may_be_lost = true;
	}
	if (random_below(2))
		control("reverse");
	control("open");
	control("fail 0");
	gate_closed = false;
}

static void do_gate(void)
{
	if (!use_gate)
		return;
	if (gate_closed)
		open_gate();
	else
		close_gate();
}

/* ---- the programs ---- */

static const struct {
	const char *name;
	unsigned int weight;
	void (*run)(void);
} operations[] = {
	{ "write", 8, do_write },
	{ "read", 8, do_read },
	{ "null", 1, do_null },
	{ "tee", 8, do_tee },
	{ "move", 8, do_move },
	{ "resize", 2, do_resize },
	{ "count", 1, do_count },
	{ "pwrite", 10, do_pwrite },
	{ "store", 10, do_store },
	{ "truncate", 5, do_truncate },
	{ "reopen", 2, do_reopen },
	{ "splice out", 14, do_splice_out },
	{ "splice in", 10, do_splice_in },
	{ "check file", 3, do_check_file },
	{ "vmsplice", 8, do_vmsplice },
	{ "vmsplice file", 5, do_vmsplice_file },
	{ "memory store", 8, do_memory_store },
	{ "memory read", 6, do_memory_read },
	{ "check memory", 2, do_check_memory },
	{ "gate", 12, do_gate },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void random_step(void)
{
	unsigned int all = 0, choice, i;

	for (i = 0; i < OPERATIONS; i++)
		all += operations[i].weight;
	choice = random_below(all);
	for (i = 0; choice >= operations[i].weight; i++)
		choice -= operations[i].weight;
	operation = operations[i].name;
	if (verbose)
		printf("# %u: %s\n", step, operation);
	operations[i].run();
}

/* Everything is read to its end. */
static void check_all(void)
{
	operation = "the end";
	if (gate_closed)
		open_gate();
	for (int i = 0; i < PIPES; i++) {
		while (pipes[i].len > 0) {
			struct pollfd p = { pipes[i].in, POLLIN, 0 };

			MUST(poll(&p, 1, 10000) == 1); /* a failed slot is read again */
			take(&pipes[i], PIPE_BYTES);
		}
		MUST(read(pipes[i].in, scratch, 1) < 0 && errno == EAGAIN);
	}
	for (int i = 0; i < 20; i++) {
		do_check_file();
		do_check_memory();
	}
	may_be_lost = false;
}

static void run_seed(unsigned int number)
{
	seed = number;
	random_state = number * 2654435761u + 1;
	for (step = 0; step < STEPS; step++)
		random_step();
	check_all();
}

static void prepare(bool gate)
{
	use_gate = gate;
	for (int i = 0; i < PIPES; i++) {
		int ends[2];

		CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
		pipes[i].in = ends[0];
		pipes[i].out = ends[1];
	}
	for (int i = 0; i < 2; i++) {
		memories[i].private = i == 0;
		memories[i].at = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
				      MAP_ANONYMOUS | (i ? MAP_SHARED : MAP_PRIVATE), -1, 0);
		CHECK(memories[i].at != MAP_FAILED);
	}
	for (int i = 0; i < (gate ? 1 : FILES); i++) {
		snprintf(files[i].path, sizeof(files[i].path), gate ? "/dev/gate0" : "/tmp/model%d",
			 i);
		if (gate)
			control("open");
		open_file(&files[i], gate ? 0 : O_CREAT | O_TRUNC);
		if (gate) {
			files[i].size = FILE_BYTES;
			CHECK_EQ(pwrite(files[i].fd, files[i].bytes, FILE_BYTES, 0), FILE_BYTES);
		}
	}
}

static void run(bool gate, unsigned int seeds)
{
	const char *one = getenv("MODEL_SEED");
	struct sigaction action = { .sa_handler = hanging };

	prepare(gate);
	verbose = one != NULL;
	sigaction(SIGALRM, &action, NULL);
	for (unsigned int i = 1; i <= (one ? 1 : seeds); i++) {
		alarm(HANGS);
		run_seed(one ? (unsigned int)atoi(one) : i);
	}
	alarm(0);
	if (!gate)
		for (int i = 0; i < FILES; i++)
			unlink(files[i].path);
}

//BOOK: test-random-programs
BEYOND_TEST(files, 600,
	    "random programs on files, memory and pipes: every slot gives what it promised",
	    CHANGES)
{
	run(false, 2000);
}

BEYOND_TEST(gate, 600, "and on a disk whose reads are late and fail: all the same, in its place",
	    "lacks /proc/gate: Linux has no gate device")
{
	run(true, 2000);
}
