/*
 * Program files: what exec makes of their segments, who may write to them while they run, and what
 * becomes of the bits that let them act for their owner. The programs are made here, of a few
 * bytes.
 */
#include "test.h"
#include <elf.h>
#include <grp.h>
#include <sys/sendfile.h>

#define NAME "/tmp/program"
#define PAGE 4096
#define TEXT 0x08048000u
#define DATA 0x0804a000u
#define JUNK 0xaa

/*
 * `cld; mov edi, FROM; mov ecx, LENGTH; xor eax, eax; repe scasb; setne bl; movzx ebx, bl;
 * mov eax, 1; int 0x80`: exits with 1 if one of the bytes is not zero.
 */
static const unsigned char look_code[] = {
	0xfc, 0xbf, 0,	  0,	0,    0,    0xb9, 0,	0, 0, 0, 0x31, 0xc0, 0xf3,
	0xae, 0x0f, 0x95, 0xc3, 0x0f, 0xb6, 0xdb, 0xb8, 1, 0, 0, 0,    0xcd, 0x80,
};
/* `mov eax, 29; int 0x80`: pause(). */
static const unsigned char pause_code[] = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80 };

static unsigned char image[3 * PAGE];

/* A program with a data segment of filesz and memsz bytes, junk behind it in the file. */
static size_t build(uint32_t filesz, uint32_t memsz, const unsigned char *code, size_t len)
{
	Elf32_Ehdr *header = (Elf32_Ehdr *)image;
	Elf32_Phdr *segments = (Elf32_Phdr *)(header + 1);
	const uint32_t code_at = sizeof(*header) + 2 * sizeof(*segments);

	memset(image, JUNK, sizeof(image));
	memset(image, 0, PAGE);
	memcpy(header->e_ident, ELFMAG "\1\1\1", 7);
	header->e_type = ET_EXEC;
	header->e_machine = EM_386;
	header->e_version = 1;
	header->e_entry = TEXT + code_at;
	header->e_phoff = sizeof(*header);
	header->e_ehsize = sizeof(*header);
	header->e_phentsize = sizeof(*segments);
	header->e_phnum = 2;
	segments[0] = (Elf32_Phdr){ PT_LOAD, 0, TEXT, TEXT, PAGE, PAGE, PF_R | PF_X, PAGE };
	segments[1] = (Elf32_Phdr){ PT_LOAD, PAGE, DATA, DATA, filesz, memsz, PF_R | PF_W, PAGE };
	memcpy(image + code_at, code, len);
	return code_at;
}

static void put_program(void)
{
	int fd = open(NAME, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, image, sizeof(image)), sizeof(image));
	close(fd);
}

static pid_t start(void)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		execl(NAME, NAME, NULL);
		_exit(errno == ETXTBSY ? 26 : 99);
	}
	return child;
}

/* Is everything behind the segment's bytes zero, to the end of its last page? */
static bool tail_is_zero(uint32_t filesz, uint32_t memsz)
{
	uint32_t from = DATA + filesz, end = (DATA + memsz + PAGE - 1) & -PAGE, len = end - from;
	size_t at = build(filesz, memsz, look_code, sizeof(look_code));
	int status;

	memcpy(image + at + 2, &from, 4);
	memcpy(image + at + 7, &len, 4);
	put_program();
	status = test_wait(start());
	CHECK(status == 0 || status == 1);
	CHECK_EQ(unlink(NAME), 0);
	return status == 0;
}

TEST(zeros_behind_data, 20, "behind a data segment's bytes are zeros, to the end of its last page")
{
	CHECK(tail_is_zero(0x123, 0x200));
	CHECK(tail_is_zero(0x123, PAGE));
	CHECK(tail_is_zero(0x123, PAGE + 1));
	CHECK(tail_is_zero(0x123, 3 * PAGE + 5));
	CHECK(tail_is_zero(PAGE, PAGE + 5));
	CHECK(tail_is_zero(PAGE + 1, PAGE + 2));
}

BEYOND_TEST(zeros_without_bss, 20, "the same if the segment has no zeros of its own",
	    "leaves the bytes of the file there")
{
	CHECK(tail_is_zero(0x123, 0x123));
}

/* ---- a running program ---- */

static pid_t start_sleeper(void)
{
	char path[64], link[64];
	pid_t child;

	build(16, 16, pause_code, sizeof(pause_code));
	put_program();
	child = start();
	/* It runs once /proc says so. */
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	do
		memset(link, 0, sizeof(link));
	while (readlink(path, link, sizeof(link) - 1) < 0 || strcmp(link, NAME));
	return child;
}

static void end_sleeper(pid_t child)
{
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(running_is_not_written, 20,
     "a running program is not opened for writing, nor truncated: ETXTBSY")
{
	pid_t child = start_sleeper();
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	CHECK_ERR(open(NAME, O_WRONLY), ETXTBSY);
	CHECK_ERR(open(NAME, O_RDWR | O_CREAT, 0755), ETXTBSY);
	CHECK_ERR(open(NAME, O_RDONLY | O_TRUNC), ETXTBSY);
	CHECK_ERR(open(path, O_WRONLY), ETXTBSY);
	CHECK_ERR(truncate(NAME, 100), ETXTBSY);
	/* What is no write goes on. */
	fd = open(NAME, O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(chmod(NAME, 0700), 0);
	CHECK_EQ(rename(NAME, NAME "-other"), 0);
	CHECK_ERR(truncate(NAME "-other", 100), ETXTBSY);
	end_sleeper(child);
	CHECK_EQ(truncate(NAME "-other", 100), 0);
	fd = open(NAME "-other", O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(unlink(NAME "-other"), 0);
}

/* `mov eax, 2; int 0x80`, and then as above: fork(), and both wait. */
static const unsigned char fork_code[] = { 0xb8, 2,  0, 0, 0, 0xcd, 0x80,
					   0xb8, 29, 0, 0, 0, 0xcd, 0x80 };

TEST(children_run_it_too, 20, "a program is busy as long as one process of several runs it")
{
	pid_t child;
	int fd;

	build(16, 16, fork_code, sizeof(fork_code));
	put_program();
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		setpgid(0, 0);
		execl(NAME, NAME, NULL);
		_exit(1);
	}
	test_sleep_ms(200);
	end_sleeper(child);
	CHECK_ERR(open(NAME, O_WRONLY), ETXTBSY);
	/* Its own child is left, and nobody of us waits for that. */
	CHECK_EQ(kill(-child, SIGKILL), 0);
	while ((fd = open(NAME, O_WRONLY)) < 0)
		test_sleep_ms(10);
	close(fd);
	/* vfork's child has the parent's memory, and leaves it by its exec. */
	build(16, 16, pause_code, sizeof(pause_code));
	put_program();
	child = vfork();
	if (!child) {
		execl(NAME, NAME, NULL);
		_exit(1);
	}
	CHECK(child > 0);
	CHECK_ERR(open(NAME, O_WRONLY), ETXTBSY);
	end_sleeper(child);
	fd = open(NAME, O_WRONLY);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
}

TEST(written_is_not_run, 20,
     "a file that is open for writing is not run: ETXTBSY; its script neither")
{
	const char script[] = "#!" NAME "\n";
	int fd, other;
	char *map;

	build(16, 16, look_code, sizeof(look_code));
	put_program();
	fd = open(NAME, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(test_wait(start()), 26);
	other = open(NAME "-script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	CHECK(other >= 0);
	CHECK_EQ(write(other, script, strlen(script)), strlen(script));
	CHECK_ERR(execl(NAME "-script", NAME, NULL), ETXTBSY);
	close(other);
	CHECK_ERR(execl(NAME "-script", NAME, NULL), ETXTBSY);
	close(fd);
	CHECK_EQ(test_wait(start()), 0);
	/* A mapping that may be written keeps the file open. */
	fd = open(NAME, O_RDWR);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	close(fd);
	CHECK_EQ(test_wait(start()), 26);
	CHECK_EQ(munmap(map, PAGE), 0);
	CHECK_EQ(test_wait(start()), 0);
	/* What it was open for before counts: reading does not. */
	fd = open(NAME, O_RDONLY);
	CHECK_EQ(test_wait(start()), 0);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
	CHECK_EQ(unlink(NAME "-script"), 0);
}

/* ---- bits that let a program act for its owner ---- */

static void by_write(int fd)
{
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

static void by_writev(int fd)
{
	struct iovec one = { "x", 1 };

	CHECK_EQ(writev(fd, &one, 1), 1);
}

static void by_splice(int fd)
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(splice(ends[0], NULL, fd, NULL, 1, 0), 1);
}

static void by_sendfile(int fd)
{
	CHECK_EQ(sendfile(fd, open("/test/programs", O_RDONLY), NULL, 10), 10);
}

static void by_copy(int fd)
{
	int from = open(NAME "-from", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 0, to = 0;

	CHECK_EQ(write(from, "xxx", 3), 3);
	CHECK_EQ(copy_file_range(from, &at, fd, &to, 3, 0), 3);
	close(from);
	CHECK_EQ(unlink(NAME "-from"), 0);
}

static void by_ftruncate(int fd)
{
	CHECK_EQ(ftruncate(fd, 5), 0);
}

static void by_truncate(int fd)
{
	CHECK_EQ(truncate(NAME, 50), 0);
}

static void by_open(int fd)
{
	fd = open(NAME, O_WRONLY | O_TRUNC);
	CHECK(fd >= 0);
	close(fd);
}

static void by_empty_write(int fd)
{
	CHECK_EQ(write(fd, "", 0), 0);
}

static void by_mapping(int fd)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[0] = 'x';
	CHECK_EQ(munmap(map, PAGE), 0);
}

static void by_owner(int fd)
{
	CHECK_EQ(fchown(fd, -1, -1), 0);
}

/* The mode that a file of `mode` has after the user has done it. It is the user's if `own`. */
static unsigned int mode_after(void (*change)(int fd), unsigned int mode, uid_t user, bool own)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0777);
	struct stat st;
	pid_t child;

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_EQ(fchown(fd, own ? user : 0, own ? user : 0), 0);
	CHECK_EQ(fchmod(fd, mode), 0);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		CHECK_EQ(setgroups(0, NULL) | setgid(user) | setuid(user), 0);
		change(fd);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
	return st.st_mode & 07777;
}

TEST(bits_go_with_a_write, 20, "set-user-ID and set-group-ID bits go when a user changes the bytes")
{
	void (*const ways[])(int) = { by_write, by_writev,    by_splice,   by_sendfile,
				      by_copy,	by_ftruncate, by_truncate, by_open };

	umask(0);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(mode_after(ways[i], 06777, 1000, false), 0777);
		CHECK_EQ(mode_after(ways[i], 06777, 1000, true), 0777);
		CHECK_EQ(mode_after(ways[i], 04755 | 0022, 1000, false), 0777);
		/* Root may, and does not mean them to go. */
		CHECK_EQ(mode_after(ways[i], 06777, 0, true), 06777);
		CHECK_EQ(mode_after(ways[i], 01777, 1000, false), 01777);
		/* Without the group's right to execute, the group may keep its bit. */
		CHECK_EQ(mode_after(ways[i], 06767, 1000, false), 0767);
		CHECK_EQ(mode_after(ways[i], 06767, 1000, true), 02767);
	}
}

TEST(bits_stay, 20, "they stay where no byte is written, and where a mapping is")
{
	umask(0);
	CHECK_EQ(mode_after(by_empty_write, 06777, 1000, false), 06777);
	CHECK_EQ(mode_after(by_mapping, 06777, 1000, false), 06777);
}

TEST(bits_go_with_the_owner, 20, "they go when the owner is set, even by root, even to what it was")
{
	umask(0);
	CHECK_EQ(mode_after(by_owner, 06777, 1000, true), 0777);
	CHECK_EQ(mode_after(by_owner, 06777, 0, true), 0777);
	/* Without the group's right to execute the bit means something else. */
	CHECK_EQ(mode_after(by_owner, 06767, 0, true), 02767);
	CHECK_EQ(mode_after(by_owner, 06767, 1000, true), 02767);
}
