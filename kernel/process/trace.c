/*
 * trace=syscalls: the answer to "EINVAL, but why?".
 *
 * 1. A call is turned into text when it begins, because its strings may be gone later. It is logged
 *    with its result when it returns. A call that does not return (exit) is logged with `?`.
 * 2. refuse() records why the kernel refused the call. The log has the reason after the error's
 *    name.
 * 3. A new task is traced if its parent is. Only traced tasks need memory for the text.
 */
#include "kernel/param.h"
#include "kernel/process/ptrace.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define TEXT_SIZE     256u
#define STRING_SHOWN  64u
#define MAX_ARGUMENTS 6u

static int set_trace(const char *value)
{
	if (strcmp(value, "syscalls") != 0)
		return -EINVAL;
	current->work |= TASK_WORK_TRACE; /* of the boot task, from which all tasks inherit it */
	return 0;
}
KERNEL_PARAM(trace, set_trace, "no trace",
	     "syscalls: log every system call, its arguments and its result");

#define SYSCALL(number, name, function, arguments) [number] = { #name, arguments },
static const struct {
	const char *name, *arguments;
} calls[NR_SYSCALLS] = {
#include "kernel/process/syscall_list.h"
};
#undef SYSCALL

/*
 * The names of all calls of Linux/i386 and of all errors, by number. The Makefile generates them.
 */
static const char *const linux_calls[] = {
#include "kernel/syscall_names.h"
};
static const char *const errors[] = {
#include "kernel/errno_names.h"
};

static const char *name_in(const char *const *names, unsigned int size, unsigned int number)
{
	return number < size && names[number] ? names[number] : "?";
}

const char *syscall_name(unsigned int number)
{
	if (number < NR_SYSCALLS && calls[number].name)
		return calls[number].name;
	return name_in(linux_calls, ARRAY_SIZE(linux_calls), number);
}

/* ---- a call as text ---- */

static void show_string(struct text *text, unsigned long address)
{
	char string[STRING_SHOWN + 1] = "";
	ssize_t n = strncpy_from_user(string, (const char __user *)address, STRING_SHOWN);

	if (n == -EFAULT) {
		text_printf(text, address ? "0x%lx" : "NULL", address);
		return;
	}
	for (char *c = string; *c; c++)
		if (*c < ' ')
			*c = '.';
	text_printf(text, "\"%s\"%s", string, n < 0 ? "..." : "");
}

/* A letter of the table, the prefix of the names of these flags, and the names from bit 0 on. */
static const struct flag_names {
	char kind;
	const char *prefix, *names;
} flag_names[] = {
	{ 'n', "O_",
	  "WRONLY RDWR - - - - CREAT EXCL NOCTTY TRUNC APPEND NONBLOCK DSYNC - DIRECT LARGEFILE "
	  "DIRECTORY NOFOLLOW - CLOEXEC" },
	{ 'r', "PROT_", "READ WRITE EXEC" },
	{ 'm', "MAP_",
	  "SHARED PRIVATE - - FIXED ANONYMOUS - - - - - - - - NORESERVE POPULATE - STACK HUGETLB" },
	{ 'v', "SPLICE_F_", "MOVE NONBLOCK MORE GIFT" },
	{ 'g', "MSG_", "OOB PEEK - - - TRUNC DONTWAIT - WAITALL - - - - - NOSIGNAL MORE" },
};

/* Show flags by their names, and the rest as a number. */
static void show_flags(struct text *text, const struct flag_names *flags, unsigned long value)
{
	const char *name = flags->names, *between = "";

	for (unsigned long bit = 1; *name; bit <<= 1) {
		const char *end = strchr(name, ' ');
		int len = end ? end - name : (int)strlen(name);

		if (value & bit && *name != '-') {
			text_printf(text, "%s%s%.*s", between, flags->prefix, len, name);
			between = "|";
			value &= ~bit;
		}
		name += len + (end != NULL);
	}
	if (value || !*between)
		text_printf(text, value ? "%s0x%lx" : "%s%lu", between, value);
}

static void show_offset(struct text *text, unsigned long address)
{
	int64_t offset;

	if (copy_from_user(&offset, (const void __user *)address, sizeof(offset)))
		text_printf(text, address ? "0x%lx" : "NULL", address);
	else
		text_printf(text, "[%lld]", offset);
}

static void show_argument(struct text *text, char kind, unsigned long value)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (kind == flag_names[i].kind)
			return show_flags(text, &flag_names[i], value);
	if (kind == 's')
		show_string(text, value);
	else if (kind == 'l')
		show_offset(text, value);
	else
		text_printf(text,
			    kind == 'd' || kind == 'f' ? "%ld"
			    : kind == 'o'	       ? "0%lo"
			    : kind == 'u' || !value    ? "%lu"
						       : "0x%lx",
			    value);
}

/*
 * `kinds` has one letter for each argument, as in the table. It is NULL if there is no such call.
 */
static void show_call(struct text *text, const char *kinds, unsigned int number,
		      const uint32_t arguments[MAX_ARGUMENTS])
{
	text_printf(text, "%s(", syscall_name(number));
	for (unsigned int i = 0; kinds && kinds[i]; i++) {
		if (i > 0)
			text_printf(text, ", ");
		show_argument(text, kinds[i], arguments[i]);
	}
	text_printf(text, kinds ? ")" : "...)[%u]", number);
}

/* Log the result of a call: a number, or the name of an error and the reason given to refuse(). */
static void log_result(struct task *task, long result)
{
	const char *text = task->trace_text ? task->trace_text : "?";

	if ((unsigned long)result < (unsigned long)-MAX_ERRNO)
		log_info("[%u %s] %s = %ld", task->tid, task->name, text, result);
	else
		log_info("[%u %s] %s = -%s%s%s", task->tid, task->name, text,
			 name_in(errors, ARRAY_SIZE(errors), -result), task->refused ? ": " : "",
			 task->refused ? task->refused : "");
	kfree(task->trace_text);
	task->trace_text = NULL;
}

/* Do the call that the registers ask for. */
static long call(struct trap_frame *frame)
{
	unsigned int number = frame->error;

	if (number >= NR_SYSCALLS)
		return syscall_unknown();
	return syscall_table[number](frame->ebx, frame->ecx, frame->edx, frame->esi, frame->edi,
				     frame->ebp);
}

static long logged_call(struct task *task, struct trap_frame *frame)
{
	unsigned int number = frame->error;
	const char *kinds = number < NR_SYSCALLS ? calls[number].arguments : NULL;
	uint32_t arguments[MAX_ARGUMENTS] = { frame->ebx, frame->ecx, frame->edx,
					      frame->esi, frame->edi, frame->ebp };
	struct text text = { .size = TEXT_SIZE };
	long result;

	text.buf = task->trace_text = kmalloc(TEXT_SIZE, 0);
	if (text.buf)
		show_call(&text, kinds, number, arguments);
	task->refused = NULL;
	result = call(frame);
	log_result(task, result);
	return result;
}

long syscall_traced(struct trap_frame *frame)
{
	struct task *task = current;

	if (ptrace_syscall_begin(frame))
		frame->eax = task->work & TASK_WORK_TRACE ? logged_call(task, frame) : call(frame);
	ptrace_syscall_end(frame);
	return frame->eax;
}
