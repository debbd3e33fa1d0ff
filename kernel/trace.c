/*
 * trace=syscalls: the answer to "EINVAL, but why?".
 *
 * 1. A call is turned into text when it begins (its strings may be gone at its end), and logged with its
 *    result when it is done; one that does not come back (exit) is logged with `?`.
 * 2. refuse() notes why the kernel said no; the note goes behind the error's name.
 * 3. A task is traced if its parent was. The text costs memory only then.
 */
#include "kernel/trace.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

#define TEXT_SIZE	256u
#define STRING_SHOWN	64u
#define MAX_ARGUMENTS	6u

static bool trace_all;

static int set_trace(const char *value)
{
	if (strcmp(value, "syscalls") != 0)
		return -EINVAL;
	trace_all = true;
	return 0;
}
KERNEL_PARAM(trace, set_trace, "syscalls: log every system call, its arguments and its result");

struct syscall_description {
	unsigned int number;
	const char *name, *arguments;
	long (*function)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
};

#include "kernel/syscalls.h"

#define SYSCALL(number, name, function, arguments) { number, #name, arguments, (void *)function },
static const struct syscall_description descriptions[] = {
#include "kernel/syscall_list.h"
};
#undef SYSCALL

static const struct syscall_description *describe(unsigned int number)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(descriptions); i++)
		if (descriptions[i].number == number)
			return &descriptions[i];
	return NULL;
}

/* ---- names ---- */

struct number_name {
	unsigned int number;
	const char *name;
};

#define NAMED(e) { e, #e }
static const struct number_name errors[] = {
	NAMED(EPERM), NAMED(ENOENT), NAMED(ESRCH), NAMED(EINTR), NAMED(EIO), NAMED(ENXIO), NAMED(E2BIG),
	NAMED(ENOEXEC), NAMED(EBADF), NAMED(ECHILD), NAMED(EAGAIN), NAMED(ENOMEM), NAMED(EACCES), NAMED(EFAULT),
	NAMED(ENOTBLK), NAMED(EBUSY), NAMED(EEXIST), NAMED(EXDEV), NAMED(ENODEV), NAMED(ENOTDIR), NAMED(EISDIR),
	NAMED(EINVAL), NAMED(ENFILE), NAMED(EMFILE), NAMED(ENOTTY), NAMED(ETXTBSY), NAMED(EFBIG), NAMED(ENOSPC),
	NAMED(ESPIPE), NAMED(EROFS), NAMED(EMLINK), NAMED(EPIPE), NAMED(EDOM), NAMED(ERANGE), NAMED(EDEADLK),
	NAMED(ENAMETOOLONG), NAMED(ENOLCK), NAMED(ENOSYS), NAMED(ENOTEMPTY), NAMED(ELOOP), NAMED(ENODATA),
	NAMED(ETIME), NAMED(EOVERFLOW), NAMED(EOPNOTSUPP), NAMED(ETIMEDOUT), NAMED(ERESTARTSYS),
	NAMED(ERESTARTNOHAND), NAMED(ERESTARTNOINTR), NAMED(ERESTART_RESTARTBLOCK),
};

static const char *error_name(unsigned int error)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].number == error)
			return errors[i].name;
	return "?";
}

/* What programs are known to ask for and is not there, so that the log can say it by name. */
static const struct number_name absent[] = {
	{ 26, "ptrace" }, { 117, "ipc" }, { 123, "modify_ldt" }, { 163, "mremap" }, { 188, "getpmsg" },
	{ 254, "epoll_create" }, { 256, "epoll_wait" }, { 270, "tgkill" }, { 291, "inotify_init" },
	{ 310, "unshare" }, { 321, "signalfd" }, { 322, "timerfd_create" }, { 323, "eventfd" },
	{ 327, "signalfd4" }, { 328, "eventfd2" }, { 329, "epoll_create1" }, { 332, "inotify_init1" },
	{ 336, "perf_event_open" }, { 356, "memfd_create" }, { 357, "bpf" }, { 358, "execveat" },
	{ 374, "userfaultfd" }, { 375, "membarrier" }, { 384, "arch_prctl" }, { 386, "rseq" },
	{ 424, "pidfd_send_signal" }, { 425, "io_uring_setup" }, { 434, "pidfd_open" }, { 435, "clone3" },
	{ 436, "close_range" }, { 437, "openat2" }, { 449, "futex_waitv" },
};

const char *syscall_name(unsigned int number)
{
	const struct syscall_description *known = describe(number);

	if (known)
		return known->name;
	for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++)
		if (absent[i].number == number)
			return absent[i].name;
	return "?";
}

/* ---- a call as text ---- */

static void show_string(struct text *text, unsigned long address)
{
	char string[STRING_SHOWN + 1];
	size_t n;

	if (address == 0) {
		text_printf(text, "NULL");
		return;
	}
	for (n = 0; n < STRING_SHOWN; n++) {
		if (copy_from_user(&string[n], (void __user *)(address + n), 1) < 0) {
			text_printf(text, "0x%lx", address);
			return;
		}
		if (string[n] == '\0')
			break;
		if (string[n] < ' ')
			string[n] = '.';
	}
	string[n] = '\0';
	text_printf(text, "\"%s\"%s", string, n == STRING_SHOWN ? "..." : "");
}

static void show_argument(struct text *text, char kind, unsigned long value)
{
	switch (kind) {
	case 's':
		show_string(text, value);
		break;
	case 'd':
	case 'f':
		text_printf(text, "%ld", (long)value);
		break;
	case 'u':
		text_printf(text, "%lu", value);
		break;
	case 'o':
		text_printf(text, "0%lo", value);
		break;
	default:
		text_printf(text, value ? "0x%lx" : "%lu", value);
		break;
	}
}

static void show_call(struct text *text, const struct syscall_description *call, unsigned int number,
		      const uint32_t arguments[MAX_ARGUMENTS])
{
	if (!call) {
		text_printf(text, "%s[%u](...)", syscall_name(number), number);
		return;
	}
	text_printf(text, "%s(", call->name);
	for (unsigned int i = 0; call->arguments[i] && i < MAX_ARGUMENTS; i++) {
		if (i > 0)
			text_printf(text, ", ");
		show_argument(text, call->arguments[i], arguments[i]);
	}
	text_printf(text, ")");
}

static void log_result(struct task *task, long result)
{
	const char *text = task->trace_text ? task->trace_text : "?";

	if ((unsigned long)result < (unsigned long)-MAX_ERRNO)
		log_info("[%u %s] %s = %ld", task->tid, task->name, text, result);
	else if (task->refused)
		log_info("[%u %s] %s = -%s: %s", task->tid, task->name, text, error_name(-result), task->refused);
	else
		log_info("[%u %s] %s = -%s", task->tid, task->name, text, error_name(-result));
}

long syscall_traced(struct trap_frame *frame)
{
	struct task *task = current;
	unsigned int number = frame->error;
	const struct syscall_description *call = describe(number);
	uint32_t arguments[MAX_ARGUMENTS] = { frame->ebx, frame->ecx, frame->edx, frame->esi, frame->edi, frame->ebp };
	struct text text = { .size = TEXT_SIZE };
	long result;

	text.buf = task->trace_text = kmalloc(TEXT_SIZE, 0);
	if (text.buf)
		show_call(&text, call, number, arguments);
	task->refused = NULL;
	result = call ? call->function(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
				       arguments[5])
		      : syscall_unknown(frame);
	log_result(task, result);
	kfree(task->trace_text);
	task->trace_text = NULL;
	return result;
}

void trace_task_exit(struct task *task)
{
	if (!task->trace_text)
		return;
	log_info("[%u %s] %s = ?", task->tid, task->name, task->trace_text);
	kfree(task->trace_text);
	task->trace_text = NULL;
}

void trace_first_task(struct task *task)
{
	if (trace_all)
		set_bits(&task->work, TASK_WORK_TRACE);
}

long refuse(int error, const char *why)
{
	if (current->work & TASK_WORK_TRACE)
		current->refused = why;
	return -error;
}
