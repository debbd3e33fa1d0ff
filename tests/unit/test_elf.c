/*
 * Tests which programs kernel/process/elf.c accepts and refuses, by example and with random
 * headers.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "kernel/process/elf.c"

#define FILE_SIZE 0x6000u
#define PT_NOTE	  4

/* The first bytes of the file. */
static struct {
	struct elf_header header;
	struct elf_program_header phdrs[4];
} file;
#define header file.header
#define phdrs  file.phdrs

static void make_program(uint16_t type, uint32_t base)
{
	static const uint8_t ident[16] = { 0x7f, 'E', 'L', 'F', 1, 1, 1 };

	memset(&header, 0, sizeof(header));
	memset(phdrs, 0, sizeof(phdrs));
	memcpy(header.ident, ident, sizeof(ident));
	header.type = type;
	header.machine = EM_386;
	header.version = 1;
	header.entry = base + 0x1100;
	header.phoff = sizeof(header);
	header.ehsize = sizeof(header);
	header.phentsize = sizeof(phdrs[0]);
	header.phnum = 4;
	phdrs[0] = (struct elf_program_header){ PT_LOAD, 0, base, base, 0x200, 0x200, PF_R, 4096 };
	phdrs[1] = (struct elf_program_header){ PT_LOAD, 0x1000, base + 0x1000, 0,
						0x1800,	 0x1800, PF_R | PF_X,	4096 };
	phdrs[2] = (struct elf_program_header){ PT_LOAD, 0x3f00, base + 0x4f00, 0,
						0x300,	 0x5000, PF_R | PF_W,	4096 };
	phdrs[3] = (struct elf_program_header){ PT_NOTE, 0, 0, 0, 0, 0, PF_R | PF_W, 16 };
}

static int check(struct elf_image *image)
{
	return elf_check(image, &file, sizeof(file), FILE_SIZE);
}

CASE(good)
{
	struct elf_image image;

	make_program(ET_EXEC, 0x08048000);
	ok(check(&image) == 0 && image.nr_segments == 3, "a static program is accepted");
	ok(image.phdr_address == 0x08048034 && image.high == 0x08052000 && !image.relocatable,
	   "its program headers and its end are found");
	make_program(ET_DYN, 0);
	ok(check(&image) == 0 && image.relocatable, "a static-pie program is accepted");
}

CASE(dynamic)
{
	struct elf_image image;

	make_program(ET_DYN, 0);
	phdrs[3] = (struct elf_program_header){ PT_INTERP, 0x194, 0x194, 0, 19, 19, PF_R, 1 };
	ok(check(&image) == 0 && image.loader_at == 0x194 && image.loader_size == 19,
	   "a dynamic program's loader is found");
	phdrs[3].type = PT_NOTE;
	ok(check(&image) == 0 && image.loader_size == 0, "a static program has none");
}

/* Spoils one field after another. Each time the program must be refused. */
#define refuses(change, ...)                                                   \
	do {                                                                   \
		struct elf_image _image;                                       \
                                                                               \
		make_program(ET_EXEC, 0x08048000);                             \
		change;                                                        \
		ok(check(&_image) == -ENOEXEC && _image.refused, __VA_ARGS__); \
	} while (0)

CASE(bad)
{
	struct elf_image image;

	make_program(ET_EXEC, 0x08048000);
	ok(elf_check(&image, &file, sizeof(header) - 1, FILE_SIZE) == -ENOEXEC,
	   "a header that is cut short");
	refuses(header.ident[0] = 'x', "no magic");
	refuses(header.phoff = 55, "program headers out of line");
	refuses(header.ident[4] = 2, "64 bits");
	refuses(header.ident[5] = 2, "big endian");
	refuses(header.machine = 62, "another machine");
	refuses(header.type = 1, "an object file");
	refuses(header.version = 0, "another version");
	refuses(header.phnum = 0, "no program headers");
	refuses(header.phnum = 0xffff, "too many program headers");
	refuses(header.phentsize = 56, "program headers of another size");
	refuses(header.phoff = 0xffffffff, "program headers beyond the file");
	refuses(header.entry = 0, "an entry point nowhere");
	refuses(header.entry = 0x0804d000, "an entry point in data");
	refuses((phdrs[3].type = PT_INTERP, phdrs[3].filesz = 1), "a loader without a name");
	refuses((phdrs[3].type = PT_INTERP, phdrs[3].filesz = 1025), "a loader with a long name");
	refuses((phdrs[3].type = PT_INTERP, phdrs[3].filesz = 8, phdrs[3].offset = 0xfffffffc),
		"a loader's name beyond the end of the file");
	refuses((phdrs[0].type = phdrs[3].type = PT_INTERP, phdrs[3].filesz = 8), "two loaders");
	refuses(phdrs[1].filesz = 0x1801, "more in the file than in memory");
	refuses(phdrs[1].offset = 0xfffff000, "an offset that overflows");
	refuses(phdrs[1].offset = 0x1004, "an offset that does not match the address");
	refuses(phdrs[2].vaddr = 0x08049f00, "overlapping segments");
	refuses(phdrs[0].vaddr = 0x09000000, "descending segments");
	refuses(phdrs[2].memsz = 0xffffffff, "a segment that reaches into the kernel");
	refuses(phdrs[2].flags = PF_R, "zeros behind read-only bytes");
	refuses(phdrs[0].vaddr = 0, "a segment at address 0");
	refuses((phdrs[0].type = phdrs[1].type = phdrs[2].type = 0), "nothing to load");
}

static void hold_promise(const struct elf_image *image)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < image->nr_segments; i++) {
		const struct elf_program_header *s = &image->segments[i];

		must((s->vaddr & PAGE_MASK) >= end);
		must(s->memsz && s->filesz <= s->memsz);
		must((uint64_t)s->offset + s->filesz <= FILE_SIZE);
		must(s->filesz == 0 || s->vaddr % PAGE_SIZE == s->offset % PAGE_SIZE);
		end = ((uint64_t)s->vaddr + s->memsz + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
		must(end <= IMAGE_HIGH);
	}
	must(image->nr_segments && image->high >= end);
}

CASE(fuzz)
{
	unsigned int accepted = 0;

	for (unsigned int run = 0; run < 300000; run++) {
		struct elf_image image;
		unsigned int spoil = random_u32() % 4;

		make_program(random_u32() & 1 ? ET_EXEC : ET_DYN, 0x08048000);
		for (unsigned int i = 0; i < spoil; i++) {
			uint8_t *byte = random_u32() & 1
						? (uint8_t *)&header + random_u32() % sizeof(header)
						: (uint8_t *)phdrs + random_u32() % sizeof(phdrs);
			*byte = random_u32();
		}
		if (check(&image) < 0)
			continue;
		hold_promise(&image);
		accepted++;
	}
	ok(accepted > 1000, "every accepted program can be mapped (%u of 300000 were accepted)",
	   accepted);
}
