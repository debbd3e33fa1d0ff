/* What exec puts on the stack of a new program. The contract is in kernel/process/exec_stack.h. */
#include "kernel/process/exec_stack.h"
#include "kernel/random.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "kernel/vdso_symbols.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"
#include "mm/vmalloc.h"

#define STRING_MAX    ((size_t)128 << 10) /* of one string, with its NUL */
#define ARGUMENTS_MIN ((size_t)128 << 10)
#define ARGUMENTS_MAX (6u << 20)
#define CLOCK_TICKS   100 /* what times(2) counts in, a second */
#define RANDOM_SIZE   16u
#define HWCAP_SEP     (1u << 11) /* sysenter */

enum {
	AT_NULL = 0,
	AT_PHDR = 3,
	AT_PHENT = 4,
	AT_PHNUM = 5,
	AT_PAGESZ = 6,
	AT_BASE = 7,
	AT_FLAGS = 8,
	AT_ENTRY = 9,
	AT_UID = 11,
	AT_EUID = 12,
	AT_GID = 13,
	AT_EGID = 14,
	AT_PLATFORM = 15,
	AT_HWCAP = 16,
	AT_CLKTCK = 17,
	AT_SECURE = 23,
	AT_RANDOM = 25,
	AT_HWCAP2 = 26,
	AT_EXECFN = 31,
	AT_SYSINFO = 32,
	AT_SYSINFO_EHDR = 33,
	AT_MINSIGSTKSZ = 51,
	NR_AUX = 22,
};
struct aux { /* an entry of the auxiliary vector */
	uint32_t type, value;
};

/* Make room for more strings. It begins with a page, because most programs have few strings. */
static int grow_strings(struct exec_strings *x)
{
	size_t room = x->room ? 2 * x->room : PAGE_SIZE;
	char *text = vmalloc(room, 0);

	if (!text)
		return -ENOMEM;
	memcpy(text, x->text, x->used);
	vfree(x->text);
	x->text = text;
	x->room = room;
	return 0;
}

/*
 * How many bytes the strings and the pointers to them may take: a quarter of the stack's limit, but
 * not so much that a program has no room, or so little that none can be started.
 */
static size_t most_bytes(const char *path)
{
	uint64_t stack = current->process ? current->process->limits[RLIMIT_STACK].soft : 0;
	size_t most = MAX(MIN(stack / 4, ARGUMENTS_MAX), ARGUMENTS_MIN);

	return most - MIN(most, strlen(path) + 1 + sizeof(uint32_t));
}

static int add_string(struct exec_strings *x, const void *from, bool kernel)
{
	for (;;) {
		size_t room = MIN(x->room - x->used, STRING_MAX);
		ssize_t len = kernel ? (ssize_t)strlcpy(x->text + x->used, from, room)
				     : strncpy_from_user(x->text + x->used, from, room);
		int error;

		if (len == -EFAULT)
			return -EFAULT;
		if (len >= 0 && (size_t)len < room) {
			x->used += len + 1;
			return 0;
		}
		if (room == STRING_MAX)
			return refuse(E2BIG, "a string is longer than 128 KiB");
		error = grow_strings(x);
		if (error < 0)
			return error;
	}
}

/* Add the random bytes to which AT_RANDOM points. */
static int add_random(struct exec_strings *x)
{
	int error = x->room - x->used < RANDOM_SIZE ? grow_strings(x) : 0;

	if (error < 0)
		return error;
	x->random_at = x->used;
	x->used += RANDOM_SIZE;
	random_bytes(x->text + x->random_at, RANDOM_SIZE);
	return 0;
}

/* Add the strings of a NULL-terminated array, and add their number to *count. */
static int add_array(struct exec_strings *x, const uint32_t *array, bool kernel, size_t most,
		     unsigned int *count)
{
	uint32_t entry;
	int error;

	for (unsigned int i = 0; array; i++) {
		if (kernel)
			entry = array[i];
		else if (get_user_u32(&entry, &array[i]) < 0)
			return -EFAULT;
		if (entry == 0)
			break;
		error = add_string(x, (const void *)entry, kernel);
		if (error < 0)
			return error;
		++*count;
		if (x->used + (x->argc + x->envc) * sizeof(uint32_t) > most)
			return refuse(E2BIG, "arguments and environment are too long");
	}
	return 0;
}

int exec_collect(struct exec_strings *x, const char *path, const void *argv, const void *envp,
		 bool kernel)
{
	size_t most = most_bytes(path);
	int error = grow_strings(x);

	if (error == 0)
		error = add_array(x, argv, kernel, most, &x->argc);
	/* Programs expect that argv[0] exists. */
	if (error == 0 && x->argc == 0) {
		error = add_string(x, "", true);
		x->argc = 1;
	}
	x->env_at = x->used;
	return error ? error : add_array(x, envp, kernel, most, &x->envc);
}

/*
 * For each script, from the last one to the first one: its interpreter, and the argument if any.
 * The path of the first script takes the place of argv[0]. Returns the number of strings, and in
 * *bytes how long they are.
 */
static unsigned int list_interpreters(const struct scripts *scripts, const char *path,
				      const char **list, size_t *bytes)
{
	unsigned int nr = 0;

	for (unsigned int i = scripts->nr; i > 0; i--) {
		const struct script *script = &scripts->chain[i - 1];

		list[nr++] = script->interpreter;
		if (script->argument)
			list[nr++] = script->argument;
	}
	list[nr++] = path;
	*bytes = 0;
	for (unsigned int i = 0; i < nr; i++)
		*bytes += strlen(list[i]) + 1;
	return nr;
}

/* Put the interpreters of scripts in the place of argv[0], which is there already. */
static int put_interpreters(struct exec_strings *x, const struct scripts *scripts, const char *path)
{
	const char *list[2 * SCRIPTS_MAX + 1];
	size_t bytes, old = strlen(x->text) + 1, at = 0;
	unsigned int nr = list_interpreters(scripts, path, list, &bytes);

	while (x->room < x->used - old + bytes) {
		int error = grow_strings(x);

		if (error)
			return error;
	}
	memmove(x->text + bytes, x->text + old, x->used - old);
	for (unsigned int i = 0; i < nr; i++)
		at += strlcpy(x->text + at, list[i], bytes - at) + 1;
	x->used += bytes - old;
	x->env_at += bytes - old;
	x->argc += nr - 1;
	return 0;
}

int exec_complete(struct exec_strings *x, const struct scripts *scripts, const char *path)
{
	int error = scripts->nr ? put_interpreters(x, scripts, path) : 0;

	x->name_at = x->used;
	if (error == 0)
		error = add_string(x, path, true);
	x->platform_at = x->used;
	if (error == 0)
		error = add_string(x, "i686", true);
	return error < 0 ? error : add_random(x);
}

/*
 * Returns the size in bytes of argc, argv, envp and the auxiliary vector, which lie below the
 * strings.
 */
static size_t vectors_size(const struct exec_strings *x)
{
	return (x->argc + x->envc + 3) * sizeof(uint32_t) + NR_AUX * sizeof(struct aux);
}

size_t exec_stack_size(const struct exec_strings *x)
{
	return x->used + vectors_size(x);
}

/* Store `count` pointers to the strings from `at` on, and a NULL, at *sp. Advances *sp. */
static int put_pointers(const struct exec_strings *x, uint32_t *sp, uint32_t strings, size_t at,
			unsigned int count)
{
	for (unsigned int i = 0; i <= count; i++) {
		if (put_user_u32(i < count ? strings + at : 0, (void __user *)*sp) < 0)
			return -EFAULT;
		*sp += sizeof(uint32_t);
		at += strlen(x->text + at) + 1;
	}
	return 0;
}

uint32_t exec_fill_stack(const struct exec_strings *x, const struct program *program,
			 const struct program *loader, uint32_t top, bool secure)
{
	const struct credentials *cred = &current->process->cred;
	uint32_t strings = (top - sizeof(uint32_t) - x->used) & ~15u;
	uint32_t sp = (strings - vectors_size(x)) & ~15u, at = sp + sizeof(uint32_t), cpu[4];
	const struct elf_image *image = &program->image;
	struct mm *mm = current->mm;

	cpuid(1, 0, cpu);
	if (!cpu_has.sysenter)
		cpu[3] &= ~HWCAP_SEP;
	const struct aux aux[NR_AUX] = {
		{ AT_SYSINFO, mm->vdso + VDSO_VSYSCALL },
		{ AT_SYSINFO_EHDR, mm->vdso },
		{ AT_HWCAP, cpu[3] },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_CLKTCK, CLOCK_TICKS },
		{ AT_PHDR, program->bias + image->phdr_address },
		{ AT_PHENT, sizeof(struct elf_program_header) },
		{ AT_PHNUM, image->phdr_address ? image->nr_phdrs : 0 },
		{ AT_BASE, loader->bias },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, program->bias + image->entry },
		{ AT_UID, cred->uid },
		{ AT_EUID, cred->euid },
		{ AT_GID, cred->gid },
		{ AT_EGID, cred->egid },
		{ AT_SECURE, secure },
		{ AT_RANDOM, strings + x->random_at },
		{ AT_HWCAP2, 0 },
		{ AT_MINSIGSTKSZ, signal_frame_size() },
		{ AT_EXECFN, strings + x->name_at },
		{ AT_PLATFORM, strings + x->platform_at },
		{ AT_NULL, 0 },
	};
	if (copy_to_user((void __user *)strings, x->text, x->used) < 0 ||
	    put_user_u32(x->argc, (void __user *)sp) < 0 ||
	    put_pointers(x, &at, strings, 0, x->argc) < 0 ||
	    put_pointers(x, &at, strings, x->env_at, x->envc) < 0 ||
	    copy_to_user((void __user *)at, aux, sizeof(aux)) < 0)
		return 0;
	mm->arg_start = strings;
	mm->arg_end = mm->env_start = strings + x->env_at;
	mm->env_end = strings + x->name_at;
	mm->aux_start = at;
	mm->aux_end = at + sizeof(aux);
	return sp;
}
