/*
 * argv and envp on their way from one program to the next.
 *
 * The strings are copied into kernel pages while the old program is still there, and onto the new
 * one's stack when it is gone. System V ABI, i386 supplement, 3-31: the stack of a new process.
 */
#include "kernel/exec.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/uaccess.h"

#define STRING_MAX (128u << 10)

/* The piece of the buffer at args->used, up to its page's end. */
static char *room(struct exec_args *args, size_t *len)
{
	size_t index = args->used / PAGE_SIZE;

	if (index >= EXEC_ARG_PAGES)
		return ERR_PTR(-E2BIG);
	if (!args->pages[index])
		args->pages[index] = page_alloc_low(0);
	if (!args->pages[index])
		return ERR_PTR(-ENOMEM);
	*len = PAGE_SIZE - args->used % PAGE_SIZE;
	return args->pages[index] + args->used % PAGE_SIZE;
}

int exec_args_add(struct exec_args *args, const char *string)
{
	size_t left = strlen(string) + 1;

	while (left > 0) {
		size_t len;
		char *to = room(args, &len);

		if (IS_ERR(to))
			return PTR_ERR(to);
		len = MIN(len, left);
		memcpy(to, string, len);
		args->used += len;
		string += len;
		left -= len;
	}
	return 0;
}

/* Never reads beyond the page in which the string ends. */
static int add_from_user(struct exec_args *args, uint32_t from)
{
	size_t start = args->used;

	for (;;) {
		size_t len, source = PAGE_SIZE - from % PAGE_SIZE;
		char *to = room(args, &len), *end;

		if (IS_ERR(to))
			return PTR_ERR(to);
		len = MIN(len, source);
		if (copy_from_user(to, (void __user *)from, len) < 0)
			return -EFAULT;
		end = memchr(to, 0, len);
		if (end)
			len = end - to + 1;
		args->used += len;
		from += len;
		if (args->used - start > STRING_MAX || args->used > args->limit)
			return -E2BIG;
		if (end)
			return 0;
		if (kill_pending())
			return -ERESTARTNOINTR;
	}
}

static int array_entry(const void *array, bool kernel, unsigned int i, uint32_t *entry)
{
	if (!kernel)
		return get_user_u32(entry, (const char __user *)array + i * sizeof(*entry));
	*entry = (uint32_t)((const char *const *)array)[i];
	return 0;
}

int exec_args_add_array(struct exec_args *args, const void *array, bool kernel, unsigned int skip,
			unsigned int *count)
{
	uint32_t entry;
	int error;

	for (unsigned int i = 0; array; i++) {
		if (array_entry(array, kernel, i, &entry) < 0)
			return -EFAULT;
		if (entry == 0)
			break;
		if (i < skip)
			continue;
		error = kernel ? exec_args_add(args, (const char *)entry)
			       : add_from_user(args, entry);
		if (error < 0)
			return error;
		++*count;
		if (exec_args_stack(args) > args->limit)
			return -E2BIG;
		if (kill_pending())
			return -ERESTARTNOINTR;
	}
	return 0;
}

void exec_args_free(struct exec_args *args)
{
	for (unsigned int i = 0; i < EXEC_ARG_PAGES; i++)
		if (args->pages[i])
			page_free_low(args->pages[i]);
}

size_t exec_args_stack(const struct exec_args *args)
{
	return args->used + (args->argc + args->envc + 3) * sizeof(uint32_t) +
	       EXEC_AUX_MAX * sizeof(struct exec_aux);
}

/* The offset of the string that follows the one at `at`. */
static size_t next_string(const struct exec_args *args, size_t at)
{
	for (;;) {
		const char *page = args->pages[at / PAGE_SIZE];
		const char *end = memchr(page + at % PAGE_SIZE, 0, PAGE_SIZE - at % PAGE_SIZE);

		if (end)
			return at / PAGE_SIZE * PAGE_SIZE + (end - page) + 1;
		at = (at / PAGE_SIZE + 1) * PAGE_SIZE;
	}
}

/* `count` pointers to the strings from `at` on, and a NULL. */
static int push_pointers(const struct exec_args *args, uint32_t *sp, uint32_t strings, size_t at,
			 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (put_user_u32(strings + at, (void __user *)*sp) < 0)
			return -EFAULT;
		*sp += sizeof(uint32_t);
		at = next_string(args, at);
	}
	if (put_user_u32(0, (void __user *)*sp) < 0)
		return -EFAULT;
	*sp += sizeof(uint32_t);
	return 0;
}

long exec_args_push(const struct exec_args *args, uint32_t top, const struct exec_aux *aux,
		    unsigned int nr_aux, uint32_t *strings)
{
	uint32_t base = (top - args->used) & ~15u;
	uint32_t sp =
		(base - (args->argc + args->envc + 3) * sizeof(uint32_t) - nr_aux * sizeof(*aux)) &
		~15u;
	uint32_t at = sp;

	for (size_t done = 0; done < args->used; done += PAGE_SIZE)
		if (copy_to_user((void __user *)(base + done), args->pages[done / PAGE_SIZE],
				 MIN(args->used - done, PAGE_SIZE)) < 0)
			return -EFAULT;
	if (put_user_u32(args->argc, (void __user *)at) < 0)
		return -EFAULT;
	at += sizeof(uint32_t);
	if (push_pointers(args, &at, base, 0, args->argc) < 0 ||
	    push_pointers(args, &at, base, args->env_at, args->envc) < 0 ||
	    copy_to_user((void __user *)at, aux, nr_aux * sizeof(*aux)) < 0)
		return -EFAULT;
	*strings = base;
	return sp;
}
