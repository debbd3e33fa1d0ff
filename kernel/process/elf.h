/*
 * ELF executables: what a file says of itself, checked (System V ABI, chapters 4 and 5; i386
 * supplement).
 *
 * 1. elf_check() looks at bytes that were read from the file, and reads nothing itself: it runs in
 *    host tests as it is.
 * 2. What it accepts can be mapped as it stands: segments in ascending order, no page in two of
 *    them, all inside of the file and of user memory, no sum overflows.
 * 3. What it refuses it names.
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

#define ELF_FIRST_BYTES	 1024u /* of a file, in which its headers must be */
#define ELF_SEGMENTS_MAX 16u

/* elf_program_header.flags */
#define PF_X 1u
#define PF_W 2u
#define PF_R 4u

struct elf_image {
	bool relocatable; /* ET_DYN: may be loaded anywhere, by whole pages */
	uint32_t entry;
	bool entry_found;      /* it is in a segment of code */
	uint32_t phdr_address; /* where the program headers are in memory; 0: in no segment */
	unsigned int nr_phdrs;
	uint32_t high; /* where the last segment's last page ends */
	unsigned int nr_segments;
	struct elf_program_header segments[ELF_SEGMENTS_MAX]; /* addresses without the load bias */
	const char *refused;				      /* why not */
};

/* The first bytes of a file (all, or ELF_FIRST_BYTES at least): 0, -ENOEXEC. */
int elf_check(struct elf_image *image, const void *bytes, size_t len, uint64_t file_size);

#endif
