/*
 * A file system on the gate: what waits for a silent disk, what does not, and what a SIGKILL ends.
 */
#include "background.h"
#include "gate.h"
#include "text_files.h"
#include <elf.h>
#include <sys/sendfile.h>

static int ends[2];

static void mount_gate(void)
{
	gate_mount();
	CHECK_EQ(pipe(ends), 0);
}

BEYOND_TEST(cold_file, 20,
	    "a cold splice of a file of a mounted disk returns while the gate is closed", NO_GATE)
{
	int file;

	mount_gate();
	file = gate_open_cold();
	gate_control("close");
	CHECK_EQ(splice(file, NULL, ends[1], NULL, DIRECT_SIZE, 0), DIRECT_SIZE);
	CHECK_EQ(on_their_way(), 12);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	close(file);
	gate_control("open");
	CHECK_EQ(read_full(ends[0], back, DIRECT_SIZE), DIRECT_SIZE);
	CHECK_EQ(test_differs(back, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(failed_neighbour, 20,
	    "a page whose read failed does not come into a mapping with its neighbour's fault",
	    NO_GATE)
{
	const char *at;
	int file;

	mount_gate();
	file = gate_open_cold();
	gate_control("fail 1");
	CHECK_ERR(pread(file, back, 4096, 5 * 4096), EIO);
	CHECK_EQ(pread(file, back, 4096, 3 * 4096), 4096);
	at = mmap(NULL, DIRECT_SIZE, PROT_READ, MAP_SHARED, file, 0);
	CHECK(at != MAP_FAILED);
	close(file);
	CHECK_EQ(test_differs(at + 3 * 4096, 4096, IMAGE_SEED, 3 * 4096), 4096);
	CHECK_EQ(test_differs(at, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK_EQ(munmap((void *)at, DIRECT_SIZE), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(fault_holds_nobody, 20,
	    "a reader and a writer whose memory must be read from a disk hold up no others",
	    NO_GATE)
{
	pid_t reader, writer;
	int file;
	char *at;

	mount_gate();
	file = gate_open_cold();
	at = mmap(NULL, DIRECT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	CHECK(at != MAP_FAILED);
	close(file);
	gate_control("close");
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	reader = fork();
	if (!reader)
		_exit(read(ends[0], at, 5) <= 0);
	writer = fork();
	if (!writer)
		_exit(write(ends[1], at + 32768, 4) != 4);
	test_sleep_ms(100);
	CHECK_EQ(write(ends[1], "again", 5), 5);
	CHECK_EQ(read(ends[0], back, 100), 10);
	CHECK(!memcmp(back, "helloagain", 10));
	gate_control("open");
	/* The one has its memory now, and the other what it wrote. */
	CHECK_EQ(test_wait(writer), 0);
	CHECK_EQ(test_wait(reader), 0);
	CHECK_EQ(munmap(at, DIRECT_SIZE), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(cold_file_fails, 20,
	    "its EIO stands in its place: what was read before it comes first, and it heals",
	    NO_GATE)
{
	static const int pages[] = {
		11, 5, 0
	}; /* in an order that is not read ahead: a request for each */
	int file;

	mount_gate();
	file = gate_open_cold();
	gate_control("close");
	for (int i = 0; i < 3; i++) {
		loff_t at = pages[i] * 4096;

		CHECK_EQ(splice(file, &at, ends[1], NULL, 4096, 0), 4096);
	}
	gate_control("pass 1");
	gate_control("fail 1");
	gate_control("open");
	CHECK_EQ(read(ends[0], back, 12288), 4096);
	CHECK_ERR(read(ends[0], back, 8192), EIO);
	CHECK_EQ(test_differs(back, 4096, IMAGE_SEED, pages[0] * 4096), 4096);
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(read_full(ends[0], back, 4096), 4096);
		CHECK_EQ(test_differs(back, 4096, IMAGE_SEED, pages[i] * 4096), 4096);
	}
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(metadata_fails, 20, "a failed read of metadata is EIO, and the next try succeeds",
	    NO_GATE)
{
	struct stat st;
	int file;

	mount_gate();
	drop_caches("3");
	gate_control("fail 1");
	CHECK_ERR(stat("/mnt/small/file", &st), EIO);
	CHECK_EQ(stat("/mnt/small/file", &st), 0);
	file = open("/mnt/big", O_RDONLY);
	CHECK(file >= 0);
	drop_caches("3");
	gate_control("fail 1");
	CHECK_ERR(pread(file, back, 100, 12 * 4096), EIO);
	CHECK_EQ(pread(file, back, 100, 12 * 4096), 100);
	CHECK_EQ(test_differs(back, 100, IMAGE_SEED, 12 * 4096), 100);
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	gate_control("fail 1");
	CHECK_ERR(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), EIO);
	gate_control("fail 0");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(killed_while_mounting, 20,
	    "mount waits for its disk, and nothing is lost when it comes at last", NO_GATE)
{
	pid_t child;

	mount_gate();
	CHECK_EQ(umount("/mnt"), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	gate_control("close");
	child = fork();
	if (!child)
		_exit(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL) != 0);
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	gate_control("open");
	test_wait(child);
	umount("/mnt");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

#define UNUSED (3 * MIB) /* behind the image */

static void wait_in_read(void)
{
	pread(gate, back, 4096, UNUSED);
}
static void wait_in_fault(void)
{
	int file = open("/mnt/direct", O_RDONLY);

	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	back[0] += *(volatile char *)mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 4096);
}
static void wait_in_part_write(void)
{
	pwrite(gate, back, 10, UNUSED + 4096);
}
static void wait_in_fsync(void)
{
	pwrite(gate, back, 4096, UNUSED + 8192);
	fsync(gate);
}
static void wait_in_sendfile(void)
{
	loff_t at = UNUSED + 12288;

	sendfile64(open("/tmp/copy", O_RDWR | O_CREAT, 0600), gate, &at, 4096);
}
static void wait_in_pipe_to_file(void)
{
	loff_t at = UNUSED + 16384;

	splice(gate, &at, ends[1], NULL, 4096, 0);
	splice(ends[0], NULL, open("/tmp/copy", O_RDWR | O_CREAT, 0600), NULL, 4096, 0);
}
static void wait_in_lookup(void)
{
	open("/mnt/small/file", O_RDONLY);
}

BEYOND_TEST(killed_while_waiting, 20,
	    "whoever waits for the disk's bytes is ended by SIGKILL, while the disk is silent",
	    NO_GATE)
{
	static void (*const waits[])(void) = {
		wait_in_read,	  wait_in_fault,	wait_in_part_write, wait_in_fsync,
		wait_in_sendfile, wait_in_pipe_to_file, wait_in_lookup,
	};

	mount_gate();
	drop_caches("3");
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	for (unsigned int i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		int status;
		pid_t child;

		gate_control("close");
		child = fork();
		if (!child) {
			waits[i]();
			_exit(i);
		}
		test_sleep_ms(30);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, SIGKILL);
		gate_control("open");
	}
	unlink("/tmp/copy");
	CHECK_EQ(umount("/mnt"), 0);
}

#define PROGRAM "/mnt/program"
#define DATA_AT (10 * 4096) /* in the file; far enough from its headers */

/* Write a program whose page of data ends with zeros that exec has to make. */
static void write_program(void)
{
	const unsigned int base = 0x08048000;
	static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xcd, 0x80 }; /* exit(ebx) */
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr phdrs[2];
		unsigned char code[sizeof(code)];
	} elf = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = base + sizeof(elf.header) + sizeof(elf.phdrs),
			.e_phoff = sizeof(elf.header),
			.e_ehsize = sizeof(elf.header),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 2,
		},
		.phdrs = {
			{ PT_LOAD, 0, base, 0, sizeof(elf), sizeof(elf), PF_R | PF_X, 4096 },
			{ PT_LOAD, DATA_AT, base + 4096, 0, 100, 200, PF_R | PF_W, 4096 },
		},
	};
	int fd = open(PROGRAM, O_RDWR | O_CREAT, 0700);

	memcpy(elf.code, code, sizeof(code));
	CHECK_EQ(pwrite(fd, &elf, sizeof(elf), 0), sizeof(elf));
	CHECK_EQ(pwrite(fd, data, 100, DATA_AT), 100);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(close(fd), 0);
}

/* Wait until a child goes by the name of its new program. */
static void await_program(pid_t child)
{
	char path[32], name[16] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", child);
	while (strcmp(name, "program\n") != 0) {
		FILE *file = fopen(path, "r");

		CHECK(file && fgets(name, sizeof(name), file));
		fclose(file);
		test_sleep_ms(1);
	}
}

static void kill_in_exec(int file)
{
	pid_t child;

	CHECK_EQ(pread(file, back, 4096, 0), 4096);
	CHECK_EQ(posix_fadvise(file, DATA_AT, 4096, POSIX_FADV_DONTNEED), 0);
	gate_control("close");
	child = fork();
	if (!child) {
		execl(PROGRAM, "program", NULL);
		_exit(1);
	}
	await_program(child);
	test_sleep_ms(10);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	gate_control("open");
}

BEYOND_TEST(killed_in_exec, 20,
	    "an exec that waits for its program's data is ended by SIGKILL, and leaves nothing",
	    NO_GATE)
{
	long before;
	int file;

	mount_gate();
	CHECK_EQ(mount("", "/mnt", "", MS_REMOUNT, ""), 0);
	write_program();
	file = open(PROGRAM, O_RDONLY);
	kill_in_exec(file);
	drop_caches("3");
	before = value_of("/proc/leaks", "free_pages");
	for (int i = 0; i < 40; i++)
		kill_in_exec(file);
	drop_caches("3");
	CHECK(value_of("/proc/leaks", "free_pages") > before - 20);
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(names_of_a_silent_disk, 20,
	    "to look up many names drops cached names of other disks, but waits for no other disk",
	    NO_GATE)
{
	pid_t child;

	mount_gate();
	child = fork();
	if (!child) {
		int file = open("/mnt/direct", O_RDONLY);

		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		gate_control("close");
		pread(file, back, 4096, 0);
		_exit(0);
	}
	test_sleep_ms(50);
	/* Its read goes on without it. Nobody has the file open. */
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	for (int i = 0; i < 5000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/nothing-%d", i);
		CHECK_ERR(access(name, F_OK), ENOENT);
	}
	gate_control("open");
	CHECK_EQ(umount("/mnt"), 0);
}

static int kept, other;

static void sync_kept(void)
{
	CHECK_EQ(fsync(kept), 0);
}

static void sync_other(void)
{
	CHECK_EQ(fsync(other), 0);
}

/* Let all held requests pass but those that were held first. Returns when no more come. */
static void pass_later_ones(long first)
{
	for (unsigned int quiet = 0; quiet < 100; quiet++) {
		if (held_at_gate() > first) {
			test_sleep_ms(5); /* the rest of them comes */
			gate_control("reverse");
			gate_control("pass 1");
			gate_control("reverse");
			quiet = 0;
		}
		test_sleep_ms(1);
	}
}

BEYOND_TEST(
	freed_while_written, 20,
	"blocks that a file without a name gives up are free when no write to them is on its way",
	NO_GATE)
{
	pid_t writer, child;
	bool ended;
	long first;

	gate_mount_image("/test/data/blank-1k");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_REMOUNT, NULL), 0);
	other = open("/mnt/other", O_RDWR | O_CREAT, 0600);
	kept = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	CHECK(other >= 0 && kept >= 0);
	memset(data, 0, 4096);
	CHECK_EQ(pwrite(kept, data, 4096, 0), 4096);
	CHECK_EQ(unlink("/mnt/file"), 0);
	sync();
	CHECK_EQ(pwrite(kept, data, 4096, 0), 4096);
	CHECK_EQ(pwrite(other, data, 1, 0), 1);
	gate_control("close");
	writer = in_background(sync_kept);
	await_at_gate(0);
	test_sleep_ms(20);
	first = held_at_gate();
	CHECK_EQ(ftruncate(kept, 1024), 0);
	child = in_background(sync_other);
	await_at_gate(first);
	pass_later_ones(first);
	/* The commit has ended only if the write has, too. */
	ended = waitpid(child, NULL, WNOHANG) == child;
	CHECK(!ended || held_at_gate() == 0);
	gate_control("open");
	if (!ended)
		CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(test_wait(writer), 0);
	close(kept);
	close(other);
	CHECK_EQ(umount("/mnt"), 0);
}
