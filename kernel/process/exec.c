/*
 * execve: replace the program of a process.
 *
 * 1. Almost everything that can fail is done while the old program can still go on. The file is
 *    opened and checked, and cannot be written from then on (ETXTBSY). argv and envp are copied,
 *    the new address space is made, and a shared file table is copied. Next, all other threads
 *    exit. Then comes the point of no return. An error after it (a page of the file cannot be read,
 *    or no memory) ends the process with SIGSEGV.
 * 2. What goes to the new stack is in kernel/process/exec_stack.c, and the rights of the new
 *    program are decided in kernel/process/capability.c.
 */
#include "kernel/cpu/debug.h"
#include "kernel/cpu/fpu.h"
#include "kernel/process/credentials.h"
#include "kernel/process/exec_stack.h"
#include "kernel/process/layout.h"
#include "kernel/process/personality.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/process/program.h"
#include "kernel/process/usage.h"
#include "kernel/signals/signal.h"
#include "kernel/signals/timers.h"
#include "kernel/syscalls.h"
#include "fs/file/file.h"
#include "fs/names/vfs_internal.h"
#include "mm/vm/iter.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vdso.h"
#include "mm/vm/vm.h"
#include "mm/vmalloc.h"

#define STACK_ROOM   (128u << 10) /* mapped at once, beside what the arguments take */
#define EFLAGS_FIXED 0x2u

struct exec {
	struct program program, loader; /* the loader has no file if the program is static */
	struct layout layout;
	struct scripts scripts;
	struct exec_strings strings;
	struct mm *mm;
	struct signal_handlers *handlers; /* the new program's, and after the change the old ones */
	struct credentials cred;	  /* of the new program */
	bool secure;			  /* the program has other rights than its caller */
};

/* ---- the new address space ---- */

static int make_memory(struct exec *x)
{
	uint32_t stack =
		PAGE_ALIGN(exec_stack_size(&x->strings) + STACK_ROOM + LAYOUT_STACK_GAP_MAX);
	struct layout *layout = &x->layout;
	int error;

	layout_choose(layout, x->program.rights.set_uid || x->program.rights.set_gid);
	if (x->program.image.relocatable)
		x->program.bias += layout->program_gap;

	x->mm = mm_create();
	if (!x->mm)
		return -ENOMEM;
	x->mm->mmap_top = x->mm->full_from = layout->mmap_top;
	error = mm_set_program(x->mm, x->program.file);
	if (error == 0)
		error = program_map(&x->program, x->mm);
	if (error == 0 && x->loader.file)
		error = program_map_loader(&x->loader, x->mm);
	if (error < 0)
		return error;
	error = mm_map(x->mm, layout->stack_top - stack, stack,
		       VMA_READ | VMA_WRITE | VMA_MAY_WRITE | VMA_STACK, NULL, 0);
	if (error == 0)
		error = vdso_map(x->mm, layout->vdso);
	x->mm->stack_top = layout->stack_top;
	x->mm->brk_start = x->program.bias + x->program.image.high + layout->brk_gap;
	x->mm->brk_end = x->mm->brk_start;
	return error;
}

/* ---- after the point of no return ---- */

static void switch_memory(struct exec *x)
{
	struct task *task = current;
	struct mm *old = task->mm;
	unsigned int flags;

	futex_task_exit(false);
	flags = spin_lock_irqsave(&tasks_lock);
	if (old)
		process_keep_memory(task->process, old);
	task->mm = x->mm;
	vdso_set_return(task);
	mm_switch(x->mm);
	spin_unlock_irqrestore(&tasks_lock, flags);
	x->mm = NULL;
	task_release_vfork(task);
	if (old)
		mm_put(old);
}

/*
 * No other thread is left that could share the working directory. A program gets no rights that its
 * tracer could then use.
 */
static void choose_credentials(struct exec *x)
{
	const struct ptrace *ptrace = &current->ptrace;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool traced = ptrace->tracer && !ptrace->privileged;

	/* From now on the process cannot be attached to before it has its new credentials. */
	current->process->changing = true;
	spin_unlock_irqrestore(&tasks_lock, flags);
	x->secure = credentials_for_exec(&x->cred, &x->program.rights,
					 traced || atomic_read(&current->fs->refs) > 1);
}

/*
 * Handlers were functions of the old program, which another process may still run. Ignored signals
 * stay ignored. tasks_lock is held.
 */
static void change_handlers(struct process *process, struct exec *x)
{
	struct signal_handlers *old = process->handlers;

	for (unsigned int i = 0; i < NR_SIGNALS; i++)
		if (old->actions[i].handler == SIG_IGN)
			x->handlers->actions[i].handler = SIG_IGN;
	process->handlers = x->handlers;
	x->handlers = old;
}

/* Change the handlers, the name, the ids, and whatever else the next program does not inherit. */
static void change_process(struct process *process, const char *path, struct exec *x)
{
	const struct credentials *cred = &x->cred;
	const char *base = strrchr(path, '/');
	unsigned int flags;

	timers_end_program();
	flags = spin_lock_irqsave(&tasks_lock);
	change_handlers(process, x);
	altstack_reset(current);
	/* A program with more rights gets no signals that another one has ordered. */
	if (x->secure)
		current->death_signal = 0;
	process->cred = *cred;
	process->execs++;
	process->exit_signal = SIGCHLD;
	process->changing = false;
	process->undumpable =
		x->program.unreadable || cred->uid != cred->euid || cred->gid != cred->egid;
	strlcpy(current->name, base ? base + 1 : path, sizeof(current->name));
	personality_exec(x->secure);
	spin_unlock_irqrestore(&tasks_lock, flags);
	wake_all(&process->child_wait); /* a tracer may wait in PTRACE_ATTACH */
}

static void set_registers(uint32_t entry, uint32_t sp)
{
	struct task *task = current;
	struct trap_frame *frame = task_frame(task);

	memset(task->tls, 0, sizeof(task->tls));
	segments_load_tls(task);
	segments_set_stack(this_cpu(), task);
	fpu_reset();
	debug_reset();
	*frame = (struct trap_frame){
		.ds = SEL_USER_DATA,
		.es = SEL_USER_DATA,
		.ss = SEL_USER_DATA,
		.cs = SEL_USER_CODE,
		.eip = entry,
		.esp = sp,
		.eflags = EFLAGS_IF | EFLAGS_FIXED,
		.vector = VECTOR_SYSCALL,
		.error = frame->error, /* a tracer sees the call's number */
	};
}

/* Switch to the new program. Returns 0, or -EFAULT if that fails. The process must then end. */
static int become(struct exec *x, const char *path)
{
	const struct program *first = x->loader.file ? &x->loader : &x->program;
	uint32_t sp = 0;

	switch_memory(x);
	change_process(current->process, path, x);
	/* Whoever sees the end of a file that closes here may look at the new program already. */
	file_table_close_on_exec();
	if (program_clear_tails(&x->program) == 0 && program_clear_tails(&x->loader) == 0)
		sp = exec_fill_stack(&x->strings, &x->program, &x->loader,
				     x->layout.stack_top - x->layout.stack_gap, x->secure);
	if (sp == 0)
		return -EFAULT;
	set_registers(first->bias + first->image.entry, sp);
	return 0;
}

/* ---- the calls ---- */

/*
 * Execute the program at `path`, or the one at `at`, of which `path` is only the name. `no_script`
 * refuses a script, because its interpreter would not find it by that name.
 */
static int exec_at(const char *path, const struct path *at, bool no_script, const void *argv,
		   const void *envp, bool kernel)
{
	struct exec *x = kzalloc(sizeof(*x), 0);
	unsigned int tid = current->tid;
	int error;

	if (!x)
		return -ENOMEM;
	error = exec_collect(&x->strings, path, argv, envp, kernel);
	if (error == 0)
		error = program_find(&x->program, &x->scripts, path, at);
	if (error == 0 && no_script && x->scripts.nr)
		error = refuse(ENOENT, "the descriptor of the script is closed by exec");
	if (error == 0 && x->program.image.loader_size)
		error = program_find_loader(&x->loader, &x->program);
	if (error == 0)
		error = exec_complete(&x->strings, &x->scripts, path);
	if (error == 0)
		error = make_memory(x);
	if (error == 0) {
		x->handlers = signal_handlers_create();
		error = x->handlers ? file_table_unshare() : -ENOMEM;
	}
	/*
	 * This fails only for a thread that must end, so nobody misses the table that was shared.
	 */
	if (error == 0)
		error = process_end_other_threads();
	if (error == 0) {
		choose_credentials(x);
		error = become(x, path);
		/* Its caller still has the path, so the process ends on its way to user mode. */
		if (error < 0)
			signal_force(SIGSEGV, SI_KERNEL, 0);
	}
	if (x->mm)
		mm_put(x->mm);
	if (x->handlers)
		signal_handlers_put(x->handlers);
	program_put(&x->program);
	program_put(&x->loader);
	vfree(x->strings.text);
	kfree(x);
	if (error == 0)
		ptrace_event(PTRACE_EVENT_EXEC, tid);
	return error;
}

int exec_path(const char *path, const void *argv, const void *envp, bool kernel)
{
	return exec_at(path, NULL, false, argv, envp, kernel);
}

/* Execute the file at `path`, which the program has found from descriptor `dirfd` on. */
static long exec_found(int dirfd, const char *name, const struct path *path,
		       const void __user *argv, const void __user *envp)
{
	size_t size = strlen(name) + sizeof("/dev/fd/-2147483648/");
	char *shown;
	long result;

	if (S_ISLNK(path->dentry->inode->mode))
		return refuse(ELOOP, "a symbolic link that is not to be followed");
	if (dirfd == AT_FDCWD || *name == '/')
		return exec_at(name, path, false, argv, envp, false);
	shown = kmalloc(size, 0);
	if (!shown)
		return -ENOMEM;
	snprintf(shown, size, *name ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, name);
	result = exec_at(shown, path, fd_cloexec(dirfd, -1) > 0, argv, envp, false);
	kfree(shown);
	return result;
}

long sys_execveat(int dirfd, const char __user *user_name, const void __user *argv,
		  const void __user *envp, unsigned int flags)
{
	struct path path;
	char *name;
	long result;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return refuse(EINVAL, "an unknown flag");
	name = name_from_user(user_name);
	if (IS_ERR(name))
		return PTR_ERR(name);
	result = path_at_name(dirfd, name, flags, &path);
	if (!result) {
		result = exec_found(dirfd, name, &path, argv, envp);
		path_put(&path);
	}
	name_free(name);
	return result;
}

long sys_execve(const char __user *user_path, const void __user *argv, const void __user *envp)
{
	char *path = name_from_user(user_path);
	long error;

	if (IS_ERR(path))
		return PTR_ERR(path);
	error = *path ? exec_path(path, argv, envp, false) : -ENOENT;
	name_free(path);
	return error;
}
