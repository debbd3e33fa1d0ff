/*
 * trace=syscalls: the answer to "EINVAL, but why?".
 *
 * 1. A call is turned into text when it begins (its strings may be gone at its end), and logged
 *    with its result when it is done; one that does not come back (exit) is logged with `?`.
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

#define TEXT_SIZE     256u
#define STRING_SHOWN  64u
#define MAX_ARGUMENTS 6u

static bool trace_all;

static int set_trace(const char *value)
{
	if (strcmp(value, "syscalls") != 0)
		return -EINVAL;
	trace_all = true;
	return 0;
}
KERNEL_PARAM(trace, set_trace, "syscalls: log every system call, its arguments and its result");

typedef long syscall_function(unsigned long, unsigned long, unsigned long, unsigned long,
			      unsigned long, unsigned long);
extern syscall_function *const syscall_table[]; /* kernel/syscall.c */

/*
 * ---- names: one text a table, in which an entry is "number name", or "number arguments name" ----
 */

#define SYSCALL(number, name, function, arguments) #number " " arguments " " #name "\000"
static const char present[] =
#include "kernel/syscall_list.h"
	;
#undef SYSCALL

#define TEXT_OF(e)	 #e
#define NAMED(e)	 TEXT_OF_VALUE(e) " " #e "\000"
#define TEXT_OF_VALUE(e) TEXT_OF(e)
static const char errors[] = NAMED(EPERM) NAMED(ENOENT) NAMED(ESRCH) NAMED(EINTR) NAMED(EIO) NAMED(
	ENXIO) NAMED(E2BIG) NAMED(ENOEXEC) NAMED(EBADF) NAMED(ECHILD) NAMED(EAGAIN) NAMED(ENOMEM)
	NAMED(EACCES) NAMED(EFAULT) NAMED(ENOTBLK) NAMED(EBUSY) NAMED(EEXIST) NAMED(EXDEV) NAMED(
		ENODEV) NAMED(ENOTDIR) NAMED(EISDIR) NAMED(EINVAL) NAMED(ENFILE) NAMED(EMFILE)
		NAMED(ENOTTY) NAMED(ETXTBSY) NAMED(EFBIG) NAMED(ENOSPC) NAMED(ESPIPE) NAMED(EROFS)
			NAMED(EMLINK) NAMED(EPIPE) NAMED(EDOM) NAMED(ERANGE) NAMED(EDEADLK) NAMED(
				ENAMETOOLONG) NAMED(ENOLCK) NAMED(ENOSYS) NAMED(ENOTEMPTY)
				NAMED(ELOOP) NAMED(ENODATA) NAMED(ETIME) NAMED(EOVERFLOW)
					NAMED(EOPNOTSUPP) NAMED(ETIMEDOUT) NAMED(ERESTARTSYS)
						NAMED(ERESTARTNOHAND) NAMED(ERESTARTNOINTR)
							NAMED(ERESTART_RESTARTBLOCK);

/* The calls of Linux/i386 that are not there, so that the log can say which one was asked for. */
static const char absent[] =
	"17 break\00018 oldstat\00025 stime\00026 ptrace\00028 oldfstat\00031 stty\00032 gtty\000"
	"34 nice\00035 ftime\00044 prof\00051 acct\00053 lock\00056 mpx\00058 ulimit\000"
	"59 oldolduname\00062 ustat\00068 sgetmask\00069 ssetmask\00084 oldlstat\00086 uselib\000"
	"87 swapon\00089 readdir\00098 profil\000101 ioperm\000102 socketcall\000109 olduname\000"
	"110 iopl\000111 vhangup\000112 idle\000113 vm86old\000115 swapoff\000117 ipc\000"
	"123 modify_ldt\000124 adjtimex\000127 create_module\000128 init_module\000"
	"129 delete_module\000130 get_kernel_syms\000131 quotactl\000134 bdflush\000135 sysfs\000"
	"137 afs_syscall\000143 flock\000149 _sysctl\000150 mlock\000151 munlock\000"
	"152 mlockall\000153 munlockall\000154 sched_setparam\000155 sched_getparam\000"
	"156 sched_setscheduler\000157 sched_getscheduler\000159 sched_get_priority_max\000"
	"160 sched_get_priority_min\000161 sched_rr_get_interval\000166 vm86\000"
	"167 query_module\000169 nfsservctl\000188 getpmsg\000189 putpmsg\000217 pivot_root\000"
	"218 mincore\000225 readahead\000226 setxattr\000227 lsetxattr\000228 fsetxattr\000"
	"229 getxattr\000230 lgetxattr\000231 fgetxattr\000232 listxattr\000233 llistxattr\000"
	"234 flistxattr\000235 removexattr\000236 lremovexattr\000237 fremovexattr\000"
	"245 io_setup\000246 io_destroy\000247 io_getevents\000248 io_submit\000249 io_cancel\000"
	"253 lookup_dcookie\000254 epoll_create\000255 epoll_ctl\000256 epoll_wait\000"
	"257 remap_file_pages\000259 timer_create\000273 vserver\000274 mbind\000"
	"275 get_mempolicy\000276 set_mempolicy\000277 mq_open\000283 kexec_load\000"
	"286 add_key\000287 request_key\000288 keyctl\000289 ioprio_set\000290 ioprio_get\000"
	"291 inotify_init\000292 inotify_add_watch\000293 inotify_rm_watch\000"
	"294 migrate_pages\000299 futimesat\000310 unshare\000314 sync_file_range\000"
	"317 move_pages\000318 getcpu\000319 epoll_pwait\000321 signalfd\000"
	"322 timerfd_create\000323 eventfd\000324 fallocate\000325 timerfd_settime32\000"
	"326 timerfd_gettime32\000327 signalfd4\000328 eventfd2\000329 epoll_create1\000"
	"332 inotify_init1\000336 perf_event_open\000337 recvmmsg\000338 fanotify_init\000"
	"339 fanotify_mark\000341 name_to_handle_at\000342 open_by_handle_at\000"
	"343 clock_adjtime\000345 sendmmsg\000346 setns\000347 process_vm_readv\000"
	"348 process_vm_writev\000349 kcmp\000350 finit_module\000351 sched_setattr\000"
	"352 sched_getattr\000354 seccomp\000356 memfd_create\000357 bpf\000358 execveat\000"
	"359 socket\000360 socketpair\000361 bind\000362 connect\000363 listen\000364 accept4\000"
	"365 getsockopt\000366 setsockopt\000367 getsockname\000368 getpeername\000369 sendto\000"
	"370 sendmsg\000371 recvfrom\000372 recvmsg\000373 shutdown\000374 userfaultfd\000"
	"375 membarrier\000376 mlock2\000378 preadv2\000379 pwritev2\000380 pkey_mprotect\000"
	"381 pkey_alloc\000382 pkey_free\000384 arch_prctl\000385 io_pgetevents\000386 rseq\000"
	"393 semget\000394 semctl\000395 shmget\000396 shmctl\000397 shmat\000398 shmdt\000"
	"399 msgget\000400 msgsnd\000401 msgrcv\000402 msgctl\000405 clock_adjtime64\000"
	"408 timer_gettime64\000409 timer_settime64\000410 timerfd_gettime64\000"
	"411 timerfd_settime64\000416 io_pgetevents_time64\000417 recvmmsg_time64\000"
	"418 mq_timedsend_time64\000419 mq_timedreceive_time64\000420 semtimedop_time64\000"
	"423 sched_rr_get_interval_time64\000424 pidfd_send_signal\000425 io_uring_setup\000"
	"426 io_uring_enter\000427 io_uring_register\000428 open_tree\000429 move_mount\000"
	"430 fsopen\000431 fsconfig\000432 fsmount\000433 fspick\000434 pidfd_open\000"
	"435 clone3\000437 openat2\000438 pidfd_getfd\000440 process_madvise\000"
	"441 epoll_pwait2\000442 mount_setattr\000444 landlock_create_ruleset\000"
	"445 landlock_add_rule\000446 landlock_restrict_self\000";

/* What stands behind the number; NULL: it is not in the table. */
static const char *find(const char *table, unsigned int number)
{
	const char *rest;

	for (; *table; table += strlen(table) + 1)
		if (parse_size(table, &rest) == number)
			return rest + 1;
	return NULL;
}

static const char *error_name(unsigned int error)
{
	const char *name = find(errors, error);

	return name ? name : "?";
}

const char *syscall_name(unsigned int number)
{
	const char *name = find(present, number);

	if (name)
		return strchr(name, ' ') + 1;
	name = find(absent, number);
	return name ? name : "?";
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

/* kinds: the call's entry in the table from its arguments on; NULL: no such call. */
static void show_call(struct text *text, const char *kinds, unsigned int number,
		      const uint32_t arguments[MAX_ARGUMENTS])
{
	text_printf(text, "%s(", syscall_name(number));
	for (unsigned int i = 0; kinds && kinds[i] != ' ' && i < MAX_ARGUMENTS; i++) {
		if (i > 0)
			text_printf(text, ", ");
		show_argument(text, kinds[i], arguments[i]);
	}
	text_printf(text, kinds ? ")" : "...)[%u]", number);
}

static void log_result(struct task *task, long result)
{
	const char *text = task->trace_text ? task->trace_text : "?";

	if ((unsigned long)result < (unsigned long)-MAX_ERRNO)
		log_info("[%u %s] %s = %ld", task->tid, task->name, text, result);
	else if (task->refused)
		log_info("[%u %s] %s = -%s: %s", task->tid, task->name, text, error_name(-result),
			 task->refused);
	else
		log_info("[%u %s] %s = -%s", task->tid, task->name, text, error_name(-result));
}

long syscall_traced(struct trap_frame *frame)
{
	struct task *task = current;
	unsigned int number = frame->error;
	const char *kinds = find(present, number);
	uint32_t arguments[MAX_ARGUMENTS] = { frame->ebx, frame->ecx, frame->edx,
					      frame->esi, frame->edi, frame->ebp };
	struct text text = { .size = TEXT_SIZE };
	long result;

	text.buf = task->trace_text = kmalloc(TEXT_SIZE, 0);
	if (text.buf)
		show_call(&text, kinds, number, arguments);
	task->refused = NULL;
	result = kinds ? syscall_table[number](arguments[0], arguments[1], arguments[2],
					       arguments[3], arguments[4], arguments[5])
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
