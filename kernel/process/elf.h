/*
 * Checking the headers of ELF executables (System V ABI, chapters 4 and 5; i386 supplement).
 *
 * 1. elf_check() works on bytes that the caller has read from the file. It reads nothing itself, so
 *    unit tests can run it on the host.
 * 2. The segments of an accepted file can be mapped without further checks. They are in ascending
 *    order, no two share a page, all lie within the file and within user memory, and no sum
 *    overflows.
 * 3. If it refuses a file, it gives the reason.
 */
#ifndef KERNEL_PROCESS_ELF_H
#define KERNEL_PROCESS_ELF_H

#include "lib/types.h"

struct elf_header { /* Elf32_Ehdr */
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_program_header { /* Elf32_Phdr */
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

#define ELF_FIRST_BYTES	 1024u /* the headers must be within these first bytes of a file */
#define ELF_LOADER_MAX	 1024u /* bytes of a loader's name */
#define ELF_SEGMENTS_MAX 16u

/* elf_program_header.flags */
#define PF_X 1u
#define PF_W 2u
#define PF_R 4u

struct elf_image {
	bool relocatable; /* ET_DYN: may be loaded anywhere, by whole pages */
	uint32_t entry;
	bool entry_found;      /* the entry point is in a segment of code */
	uint32_t phdr_address; /* of the program headers in memory; 0: in no segment */
	unsigned int nr_phdrs;
	uint32_t loader_at, loader_size; /* the loader's name in the file, with its 0; 0: static */
	uint32_t high;			 /* end of the last segment's last page */
	unsigned int nr_segments;
	struct elf_program_header segments[ELF_SEGMENTS_MAX]; /* addresses without the load bias */
	const char *refused;				      /* the reason for -ENOEXEC */
};

/*
 * Check a file's headers and fill *image. `bytes` are the whole file, or at least its first
 * ELF_FIRST_BYTES. Returns 0, or -ENOEXEC with the reason in image->refused. Never sleeps.
 */
int elf_check(struct elf_image *image, const void *bytes, size_t len, uint64_t file_size);

#endif
