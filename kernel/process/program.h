/*
 * The files that exec loads: a program, the interpreter of a script, and the loader of a dynamic
 * program.
 *
 * 1. The first line of a script names its interpreter, and at most one argument. The interpreter
 *    may be a script itself, in chains of up to SCRIPTS_MAX.
 * 2. A dynamic program names its loader (PT_INTERP), a relocatable ELF file.
 *    Both are mapped. The program starts in the loader, which then loads the libraries.
 * 3. Relocatable programs stand at a fixed place. Loaders stand where mmap would place them.
 */
#ifndef KERNEL_PROCESS_PROGRAM_H
#define KERNEL_PROCESS_PROGRAM_H

#include "kernel/process/credentials.h"
#include "kernel/process/elf.h"

struct file;
struct mm;

struct path;

struct program {
	struct file *file; /* a reference, or NULL */
	struct elf_image image;
	uint32_t bias; /* how far from the addresses in the file it is mapped */
	struct program_rights rights;
	bool unreadable; /* the user may execute the file, or its script, but not read it */
};

#define SCRIPTS_MAX	5
#define SCRIPT_LINE_MAX 255u /* bytes of the first line that count */

struct script {
	const char *interpreter, *argument; /* in `line`; the argument may be NULL */
	char line[SCRIPT_LINE_MAX + 1];
};
struct scripts {
	unsigned int nr;
	struct script chain[SCRIPTS_MAX]; /* the interpreter of each one is the next one */
};

/*
 * Open and check the program at `path`, or the interpreter of a chain of scripts that begins there.
 * If `at` is not NULL, it is the file, and `path` only its name for others. Both structures start
 * as zeros. Returns 0 or an error, such as -ELOOP if the chain is too long. Either way the caller
 * calls program_put(). May sleep.
 */
int program_find(struct program *program, struct scripts *scripts, const char *path,
		 const struct path *at);
/*
 * Open and check the loader that a dynamic program names. `loader` starts as zeros. Returns 0, an
 * error of opening it, or -ELIBBAD if it is no loader. The caller calls program_put(). May sleep.
 */
int program_find_loader(struct program *loader, const struct program *program);
/*
 * Map the segments into an address space that no task runs in yet. A loader goes to a free place,
 * after its program. Returns 0 or an error. May sleep.
 */
int program_map(struct program *program, struct mm *mm);
int program_map_loader(struct program *loader, struct mm *mm);
/*
 * Clear the rest of each segment's last page of file bytes, in the current address space. The page
 * has the bytes that come next in the file, but programs expect zeros up to the end of the segment,
 * and use the rest of the page as memory. Returns 0 or -EFAULT. May sleep.
 */
int program_clear_tails(const struct program *program);
/* Close the file. May sleep. */
void program_put(struct program *program);

#endif
