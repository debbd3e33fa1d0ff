/* Checks of ELF files. See kernel/process/elf.h for the contract. */
#include "kernel/process/elf.h"
#include "lib/errno.h"
#include "lib/string.h"

/* e_ident */
#define ELFCLASS32  1
#define ELFDATA2LSB 1
#define EV_CURRENT  1

#define ET_EXEC	    2
#define ET_DYN	    3
#define EM_386	    3

#define PT_LOAD	    1
#define PT_INTERP   3

/* Segments must lie between these, away from the first pages, the stack and the kernel. */
#define IMAGE_LOW  0x00010000u
#define IMAGE_HIGH 0xb0000000u

static int refused(struct elf_image *image, const char *why)
{
	image->refused = why;
	return -ENOEXEC;
}

/* Returns the end of the segment's last page, in 64 bits because it may exceed 4 GiB. */
static uint64_t page_end(const struct elf_program_header *segment)
{
	return ((uint64_t)segment->vaddr + segment->memsz + PAGE_SIZE - 1) &
	       ~(uint64_t)(PAGE_SIZE - 1);
}

static bool contains(const struct elf_program_header *segment, uint32_t address, uint32_t size)
{
	return address >= segment->vaddr && size <= segment->filesz &&
	       address - segment->vaddr <= segment->filesz - size;
}

static int add_segment(struct elf_image *image, const struct elf_program_header *segment,
		       uint32_t phoff, uint64_t file_size)
{
	uint32_t phdrs_at = segment->vaddr + (phoff - segment->offset);
	uint32_t low = image->relocatable ? 0 : IMAGE_LOW;
	uint64_t previous_end =
		image->nr_segments ? page_end(&image->segments[image->nr_segments - 1]) : low;

	if (segment->memsz == 0)
		return 0;
	if (segment->filesz > segment->memsz)
		return refused(image, "a segment larger in the file than in memory");
	if ((uint64_t)segment->offset + segment->filesz > file_size)
		return refused(image, "a segment beyond the end of the file");
	if (segment->filesz && (segment->vaddr ^ segment->offset) & (PAGE_SIZE - 1))
		return refused(image, "a segment that cannot be mapped by pages");
	if ((segment->vaddr & PAGE_MASK) < previous_end)
		return refused(image, "segments that overlap, descend, or lie too low");
	if (page_end(segment) > IMAGE_HIGH)
		return refused(image, "a segment too high in memory");
	/* exec clears the rest of the last page of file bytes by writing to it. */
	if (!(segment->flags & PF_W) && segment->filesz && segment->filesz < segment->memsz)
		return refused(image, "zeros to be added to a segment that is not writable");
	if (image->nr_segments == ELF_SEGMENTS_MAX)
		return refused(image, "too many segments");
	image->segments[image->nr_segments++] = *segment;
	if (segment->flags & PF_X && contains(segment, image->entry, 1))
		image->entry_found = true;
	/* The program headers are in memory where a segment holds that part of the file. */
	if (phoff >= segment->offset &&
	    contains(segment, phdrs_at, image->nr_phdrs * sizeof(*segment)))
		image->phdr_address = phdrs_at;
	return 0;
}

static int set_loader(struct elf_image *image, const struct elf_program_header *name,
		      uint64_t file_size)
{
	if (image->loader_size)
		return refused(image, "two loaders");
	if (name->filesz < 2 || name->filesz > ELF_LOADER_MAX)
		return refused(image, "a loader's name that is empty or too long");
	if ((uint64_t)name->offset + name->filesz > file_size)
		return refused(image, "a loader's name beyond the end of the file");
	image->loader_at = name->offset;
	image->loader_size = name->filesz;
	return 0;
}

static int check_segments(struct elf_image *image, const struct elf_header *header,
			  uint64_t file_size)
{
	const struct elf_program_header *headers = (const void *)header + header->phoff;
	int error = 0;

	for (unsigned int i = 0; i < image->nr_phdrs && error == 0; i++) {
		if (headers[i].type == PT_INTERP)
			error = set_loader(image, &headers[i], file_size);
		if (headers[i].type == PT_LOAD)
			error = add_segment(image, &headers[i], header->phoff, file_size);
	}
	if (error < 0)
		return error;
	if (image->nr_segments == 0)
		return refused(image, "no segment to load");
	if (!image->entry_found)
		return refused(image, "an entry point outside of the program's code");
	image->high = page_end(&image->segments[image->nr_segments - 1]);
	return 0;
}

int elf_check(struct elf_image *image, const void *bytes, size_t len, uint64_t file_size)
{
	static const uint8_t start[] = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT };
	const struct elf_header *header = bytes;

	memset(image, 0, sizeof(*image));
	if (len < sizeof(*header) || memcmp(header->ident, start, 4) != 0)
		return refused(image, "neither ELF nor a script");
	if (memcmp(header->ident, start, sizeof(start)) != 0 || header->machine != EM_386 ||
	    header->version != EV_CURRENT)
		return refused(image, "an ELF file for another machine");
	if (header->type != ET_EXEC && header->type != ET_DYN)
		return refused(image, "an ELF file that is no program");
	if (header->phentsize != sizeof(struct elf_program_header) || header->phnum == 0)
		return refused(image, "no program headers, or of a strange size");
	if (header->phoff % 4 != 0 ||
	    (uint64_t)header->phoff + header->phnum * sizeof(struct elf_program_header) > len)
		return refused(image, "program headers that are not at the start of the file");
	image->relocatable = header->type == ET_DYN;
	image->entry = header->entry;
	image->nr_phdrs = header->phnum;
	return check_segments(image, header, file_size);
}
