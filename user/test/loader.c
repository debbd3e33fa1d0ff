/*
 * Dynamic programs: the kernel maps a program and the loader that it names, and starts the loader.
 * Both are written here, byte by byte, so that no library is needed.
 */
#include "test.h"
#include <elf.h>

#define PROGRAM "/tmp/dynamic"
#define LOADER	"/tmp/loader"
#define SCRIPT	"/tmp/dynamic-script"
#define CODE_AT 0x200
#define NAME_AT 0x180
#define BASE	0x08048000
#define ANSWER	42

static char data[1000];

/* exit(ebx) */
static const unsigned char program_code[] = { 0xb8, 1, 0, 0, 0, 0xcd, 0x80 };

/* Finds AT_ENTRY in the auxiliary vector, sets ebx to ANSWER, and jumps to the entry. */
static const unsigned char loader_code[] = {
	0x89, 0xe6,		      /* mov esi, esp */
	0xad,			      /* lodsd: argc */
	0x8d, 0x74,   0x86,	4,    /* lea esi, [esi + eax * 4 + 4] */
	0xad,			      /* lodsd: the environment */
	0x85, 0xc0,		      /* test eax, eax */
	0x75, 0xfb,		      /* jnz: the line before the last */
	0xad,			      /* lodsd: a type */
	0x89, 0xc2,		      /* mov edx, eax */
	0xad,			      /* lodsd: its value */
	0x83, 0xfa,   AT_ENTRY,	      /* cmp edx, AT_ENTRY */
	0x75, 0xf7,		      /* jne: back to the type */
	0xbb, ANSWER, 0,	0, 0, /* mov ebx, ANSWER */
	0xff, 0xe0,		      /* jmp eax */
};

struct elf_file {
	Elf32_Ehdr header;
	Elf32_Phdr phdrs[2];
};

/* Write an ELF file with one segment of code, and the name of a loader unless that is NULL. */
static void write_elf(const char *path, unsigned int type, unsigned int base, const void *code,
		      size_t size, const char *loader, size_t name_size)
{
	unsigned char bytes[4096] = { 0 };
	struct elf_file elf = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = type,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = base + CODE_AT,
			.e_phoff = sizeof(elf.header),
			.e_ehsize = sizeof(elf.header),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = loader ? 2 : 1,
		},
		.phdrs = {
			{ PT_LOAD, 0, base, base, sizeof(bytes), sizeof(bytes), PF_R | PF_X, 4096 },
			{ PT_INTERP, NAME_AT, base + NAME_AT, 0, name_size, name_size, PF_R, 1 },
		},
	};
	int fd;

	memcpy(bytes, &elf, sizeof(elf));
	if (loader)
		strcpy((char *)bytes + NAME_AT, loader);
	memcpy(bytes + CODE_AT, code, size);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	CHECK_EQ(close(fd), 0);
}

static void write_program(unsigned int type, unsigned int base)
{
	write_elf(PROGRAM, type, base, program_code, sizeof(program_code), LOADER, sizeof(LOADER));
}

static void write_loader(void)
{
	write_elf(LOADER, ET_DYN, 0, loader_code, sizeof(loader_code), NULL, 0);
}

static void clean_up(void)
{
	unlink(PROGRAM);
	unlink(LOADER);
	unlink(SCRIPT);
}

/* Returns the exit status of the program, or the error of execve with a minus sign. */
static int run(const char *path)
{
	char *const argv[] = { (char *)path, "an argument", NULL };
	char *const env[] = { "A=1", "B=2", NULL };
	volatile int error = 0;
	pid_t child = vfork();

	if (!child) {
		execve(path, argv, env);
		error = errno;
		_exit(1);
	}
	CHECK(child > 0);
	int status = test_wait(child);
	return error ? -error : status;
}

TEST(loader_starts, 5, "a dynamic program's loader starts first and finds the program's entry")
{
	write_loader();
	write_program(ET_EXEC, BASE);
	CHECK_EQ(run(PROGRAM), ANSWER);
	write_program(ET_DYN, 0);
	CHECK_EQ(run(PROGRAM), ANSWER);
	clean_up();
}

TEST(script, 5, "the interpreter of a script may be dynamic")
{
	int fd;

	write_loader();
	write_program(ET_DYN, 0);
	unlink(SCRIPT);
	fd = open(SCRIPT, O_WRONLY | O_CREAT | O_EXCL, 0755);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "#!" PROGRAM "\n", sizeof(PROGRAM) + 2), sizeof(PROGRAM) + 2);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(run(SCRIPT), ANSWER);
	clean_up();
}

TEST(loader_missing, 5, "a loader that is missing or must not run: ENOENT, EACCES")
{
	write_program(ET_DYN, 0);
	unlink(LOADER);
	CHECK_EQ(run(PROGRAM), -ENOENT);
	write_loader();
	CHECK_EQ(chmod(LOADER, 0600), 0);
	CHECK_EQ(run(PROGRAM), -EACCES);
	unlink(LOADER);
	CHECK_EQ(mkdir(LOADER, 0700), 0);
	CHECK_EQ(run(PROGRAM), -EACCES);
	CHECK_EQ(rmdir(LOADER), 0);
	clean_up();
}

TEST(loader_broken, 5, "a loader that is no ELF file: ELIBBAD")
{
	int fd;

	write_program(ET_EXEC, BASE);
	unlink(LOADER);
	fd = open(LOADER, O_WRONLY | O_CREAT | O_EXCL, 0755);
	CHECK(fd >= 0);
	test_fill(data, sizeof(data), 1, 0);
	CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(run(PROGRAM), -ELIBBAD);
	CHECK_EQ(truncate(LOADER, 10), 0);
	CHECK(run(PROGRAM) < 0);
	clean_up();
}

TEST(loader_name, 5, "a loader's name that is empty or does not end: ENOEXEC")
{
	write_loader();
	write_elf(PROGRAM, ET_DYN, 0, program_code, sizeof(program_code), LOADER, 1);
	CHECK_EQ(run(PROGRAM), -ENOEXEC);
	write_elf(PROGRAM, ET_DYN, 0, program_code, sizeof(program_code), LOADER,
		  sizeof(LOADER) - 1);
	CHECK_EQ(run(PROGRAM), -ENOEXEC);
	write_elf(PROGRAM, ET_DYN, 0, program_code, sizeof(program_code), LOADER, 5000);
	CHECK_EQ(run(PROGRAM), -ENOEXEC);
	clean_up();
}
