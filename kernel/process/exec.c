/*
 * execve: replace the program of a process.
 *
 * 1. Almost everything that can fail is done while the old program can still go on. The file is opened
 *    and checked, and cannot be written from then on (ETXTBSY). argv and envp are copied, the new address
 *    space is made, and a shared file table is copied. Next, all other threads exit. Then comes the point
 *    of no return. An error after it (a page of the file cannot be read, or no memory) ends the process
 *    with SIGSEGV.
 * 2. The strings of argv and envp, and the data to which the auxiliary vector points, are first
 *    collected in one buffer. From there they are copied to the new stack (System V ABI, i386
 *    supplement, 3-31). Set-user-ID bits of programs are ignored.
 */
#include "kernel/cpu/debug.h"
#include "kernel/cpu/fpu.h"
#include "kernel/process/credentials.h"
#include "kernel/process/layout.h"
#include "kernel/process/personality.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/process/program.h"
#include "kernel/process/usage.h"
#include "kernel/random.h"
#include "kernel/signals/signal.h"
#include "kernel/signals/timers.h"
#include "kernel/syscalls.h"
#include "kernel/vdso_symbols.h"
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

#define STRINGS_SIZE (128u << 10)
#define STACK_ROOM   (128u << 10) /* mapped at once, beside what the arguments take */
#define EFLAGS_FIXED 0x2u
#define CLOCK_TICKS  100 /* what times(2) counts in, a second */
#define RANDOM_SIZE  16u
#define HWCAP_SEP    (1u << 11) /* sysenter */

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

struct exec {
	struct program program, loader; /* the loader has no file if the program is static */
	struct layout layout;
	struct script script;
	char *strings;	   /* grows up to STRINGS_SIZE */
	size_t room, used; /* bytes of strings */
	unsigned int argc, envc;
	size_t env_at, name_at, platform_at, random_at; /* where in the strings these stand */
	struct mm *mm;
	struct credentials cred; /* of the new program */
	bool secure;		 /* the program has other rights than its caller */
};

/* ---- arguments ---- */

/* Double the room for strings. It begins with a page, because most programs have few strings. */
static int grow_strings(struct exec *x)
{
	size_t room = x->room ? 2 * x->room : PAGE_SIZE;
	char *strings;

	if (room > STRINGS_SIZE)
		return refuse(E2BIG, "arguments and environment are longer than 128 KiB");
	strings = vmalloc(room, 0);
	if (!strings)
		return -ENOMEM;
	memcpy(strings, x->strings, x->used);
	vfree(x->strings);
	x->strings = strings;
	x->room = room;
	return 0;
}

static int add_string(struct exec *x, const void *from, bool kernel)
{
	for (;;) {
		size_t room = x->room - x->used;
		ssize_t len = kernel ? (ssize_t)strlcpy(x->strings + x->used, from, room)
				     : strncpy_from_user(x->strings + x->used, from, room);
		int error;

		if (len == -EFAULT)
			return -EFAULT;
		if (len >= 0 && (size_t)len < room) {
			x->used += len + 1;
			return 0;
		}
		error = grow_strings(x);
		if (error < 0)
			return error;
	}
}

/* Add the random bytes to which AT_RANDOM points. */
static int add_random(struct exec *x)
{
	int error = x->room - x->used < RANDOM_SIZE ? grow_strings(x) : 0;

	if (error < 0)
		return error;
	x->random_at = x->used;
	x->used += RANDOM_SIZE;
	random_bytes(x->strings + x->random_at, RANDOM_SIZE);
	return 0;
}

/* Add the strings of a NULL-terminated array except the first `skip`, and add their number to *count. */
static int add_array(struct exec *x, const uint32_t *array, bool kernel, unsigned int skip,
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
		if (i < skip)
			continue;
		error = add_string(x, (const void *)entry, kernel);
		if (error < 0)
			return error;
		++*count;
	}
	return 0;
}

static int collect_strings(struct exec *x, const char *path, const void *argv, const void *envp,
			   bool kernel)
{
	/* For a script: its interpreter, the argument if any, and its path in place of argv[0]. */
	const struct script *script = &x->script;
	const char *const argument = script->argument ? script->argument : path;
	const char *const first[] = { script->interpreter, argument, script->argument ? path : NULL,
				      NULL };
	int error = grow_strings(x);

	if (error == 0)
		error = add_array(x, (const uint32_t *)first, true, 0, &x->argc);
	if (error == 0)
		error = add_array(x, argv, kernel, script->interpreter ? 1 : 0, &x->argc);
	/* Programs expect that argv[0] exists. */
	if (error == 0 && x->argc == 0) {
		error = add_string(x, "", true);
		x->argc = 1;
	}
	x->env_at = x->used;
	if (error == 0)
		error = add_array(x, envp, kernel, 0, &x->envc);
	x->name_at = x->used;
	if (error == 0)
		error = add_string(x, path, true);
	x->platform_at = x->used;
	if (error == 0)
		error = add_string(x, "i686", true);
	return error < 0 ? error : add_random(x);
}

/* Returns the size in bytes of argc, argv, envp and the auxiliary vector, which lie below the strings. */
static size_t vectors_size(const struct exec *x)
{
	return (x->argc + x->envc + 3) * sizeof(uint32_t) + NR_AUX * sizeof(struct aux);
}

/* ---- the new address space ---- */

static int make_memory(struct exec *x)
{
	uint32_t stack = PAGE_ALIGN(x->used + vectors_size(x) + STACK_ROOM + LAYOUT_STACK_GAP_MAX);
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
 * No other thread is left that could share the working directory. A program gets no rights that its tracer could
 * then use.
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

/* Reset signal handlers, which were functions of the old program, and set the name and saved ids. */
static void change_process(struct process *process, const char *path, const struct exec *x)
{
	const struct credentials *cred = &x->cred;
	const char *base = strrchr(path, '/');
	unsigned int flags;

	timers_end_program();
	flags = spin_lock_irqsave(&tasks_lock);
	for (unsigned int i = 0; i < NR_SIGNALS; i++) {
		uint32_t handler = process->actions[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		process->actions[i] = (struct signal_action){ .handler = handler };
	}
	altstack_reset(current);
	/* A program with more rights gets no signals that another one has ordered. */
	if (x->secure)
		current->death_signal = 0;
	process->cred = *cred;
	process->execed = true;
	process->changing = false;
	process->undumpable =
		x->program.unreadable || cred->uid != cred->euid || cred->gid != cred->egid;
	strlcpy(current->name, base ? base + 1 : path, sizeof(current->name));
	personality_exec(x->secure);
	spin_unlock_irqrestore(&tasks_lock, flags);
	wake_all(&process->child_wait); /* a tracer may wait in PTRACE_ATTACH */
}

/* Store `count` pointers to the strings from `at` on, and a NULL, at *sp. Advances *sp. */
static int put_pointers(const struct exec *x, uint32_t *sp, uint32_t strings, size_t at,
			unsigned int count)
{
	for (unsigned int i = 0; i <= count; i++) {
		if (put_user_u32(i < count ? strings + at : 0, (void __user *)*sp) < 0)
			return -EFAULT;
		*sp += sizeof(uint32_t);
		at += strlen(x->strings + at) + 1;
	}
	return 0;
}

/*
 * Fill the new stack, from the top down: a zero word, the strings, the vectors. Returns the stack pointer,
 * or 0 if the stack cannot be written.
 */
static uint32_t fill_stack(const struct exec *x)
{
	const struct credentials *cred = &current->process->cred;
	uint32_t top = x->layout.stack_top - x->layout.stack_gap;
	uint32_t strings = (top - sizeof(uint32_t) - x->used) & ~15u;
	uint32_t sp = (strings - vectors_size(x)) & ~15u, at = sp + sizeof(uint32_t), cpu[4];
	const struct elf_image *image = &x->program.image;
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
		{ AT_PHDR, x->program.bias + image->phdr_address },
		{ AT_PHENT, sizeof(struct elf_program_header) },
		{ AT_PHNUM, image->phdr_address ? image->nr_phdrs : 0 },
		{ AT_BASE, x->loader.bias },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, x->program.bias + image->entry },
		{ AT_UID, cred->uid },
		{ AT_EUID, cred->euid },
		{ AT_GID, cred->gid },
		{ AT_EGID, cred->egid },
		{ AT_SECURE, x->secure },
		{ AT_RANDOM, strings + x->random_at },
		{ AT_HWCAP2, 0 },
		{ AT_MINSIGSTKSZ, signal_frame_size() },
		{ AT_EXECFN, strings + x->name_at },
		{ AT_PLATFORM, strings + x->platform_at },
		{ AT_NULL, 0 },
	};
	if (copy_to_user((void __user *)strings, x->strings, x->used) < 0 ||
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
		sp = fill_stack(x);
	if (sp == 0)
		return -EFAULT;
	set_registers(first->bias + first->image.entry, sp);
	return 0;
}

/* ---- the calls ---- */

/*
 * Execute the program at `path`, or the one at `at`, of which `path` is only the name. `no_script` refuses a script,
 * because its interpreter would not find it by that name.
 */
static int exec_at(const char *path, const struct path *at, bool no_script, const void *argv,
		   const void *envp, bool kernel)
{
	struct exec *x = kzalloc(sizeof(*x), 0);
	unsigned int tid = current->tid;
	int error;

	if (!x)
		return -ENOMEM;
	error = program_find(&x->program, &x->script, path, at);
	if (error == 0 && no_script && x->script.interpreter)
		error = refuse(ENOENT, "the descriptor of the script is closed by exec");
	if (error == 0 && x->program.image.loader_size)
		error = program_find_loader(&x->loader, &x->program);
	if (error == 0)
		error = collect_strings(x, path, argv, envp, kernel);
	if (error == 0)
		error = make_memory(x);
	if (error == 0)
		error = file_table_unshare();
	/* This fails only for a thread that must end, so nobody misses the table that was shared. */
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
	program_put(&x->program);
	program_put(&x->loader);
	vfree(x->strings);
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
	error = exec_path(path, argv, envp, false);
	name_free(path);
	return error;
}
