/*
 * execve: another program in the same process.
 *
 * 1. Everything that can fail is done while the old program is still whole: the file is opened and
 *    checked, argv and envp are copied, the new address space is made and mapped. Then come the
 *    other threads, which leave; then the point of no return. What fails behind it (a page of the
 *    file that cannot be read, no memory) ends the process with SIGSEGV.
 * 2. Programs are static: ELF with fixed addresses, or static-pie. A script's first line names its
 *    interpreter and one argument; scripts nest SCRIPT_DEPTH deep.
 */
#include "kernel/exec.h"
#include "kernel/fpu.h"
#include "kernel/futex.h"
#include "kernel/process.h"
#include "kernel/random.h"
#include "kernel/segments.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "fs/file.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vm.h"

#define SCRIPT_DEPTH	  4
#define FIRST_BYTES	  256 /* of a file: an ELF header, or a script's first line */
#define STACK_TOP	  (USER_END - PAGE_SIZE)
#define STACK_ROOM	  (128u << 10) /* mapped at once, beside what the arguments take */
#define PIE_BASE	  0x08000000u
#define PIE_MAX		  0x90000000u
#define EFLAGS_FIXED	  0x2u
#define ORIGINAL_EAX_NONE 0xffffffffu

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
	AT_EXECFN = 31,
	AT_MINSIGSTKSZ = 51,
};
#define CLOCK_TICKS 100 /* what times(2) counts in, a second */
#define RANDOM_SIZE 16u

struct exec {
	struct file *file; /* with writing denied */
	struct elf_image image;
	struct elf_program_header headers[ELF_PHDRS_MAX];
	struct exec_args args;
	size_t name_at, platform_at; /* strings behind the environment */
	struct mm *mm;
	uint32_t bias;
	char first[FIRST_BYTES];
	char lines[SCRIPT_DEPTH][FIRST_BYTES];
	const char *
		prefix[2 * SCRIPT_DEPTH]; /* interpreters and their arguments, the last one first */
	unsigned int nr_prefix, depth;
	char path[PATH_MAX];
};

/* ---- the file ---- */

static ssize_t read_file(struct file *file, file_off_t at, void *to, size_t len)
{
	size_t done = 0;

	if (!file->ops->read)
		return refuse(EACCES, "a file that cannot be read");
	while (done < len) {
		struct iter iter;
		ssize_t n;

		iter_init_kernel(&iter, (char *)to + done, len - done);
		n = file->ops->read(file, &iter, &at);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

static struct file *open_program(const char *name)
{
	struct file *file;
	struct inode *inode;
	struct path path;
	int error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (error < 0)
		return ERR_PTR(error);
	inode = path.dentry->inode;
	if (!S_ISREG(inode->mode))
		file = ERR_PTR(refuse(EACCES, "not a regular file"));
	else if (inode_permission(inode, MAY_EXEC) < 0)
		file = ERR_PTR(refuse(EACCES, "not executable for this user"));
	else
		file = file_open_path(&path, O_RDONLY);
	path_put(&path);
	return file;
}

/* ---- scripts ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * "#! interpreter argument": the interpreter's name, and what follows it (NULL: nothing). NULL: not
 * usable.
 */
static char *parse_script(char *line, char **argument)
{
	char *end = strchr(line, '\n'), *name = line + 2;

	if (!end)
		end = line + strlen(line);
	/*
	 * A name that the end of the buffer cut must not be run; a cut argument is passed as it is.
	 */
	bool cut = end == line + FIRST_BYTES - 1;

	while (end > name && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*name))
		name++;
	*argument = NULL;
	for (char *at = name; *at; at++) {
		if (!is_blank(*at))
			continue;
		*at++ = '\0';
		while (is_blank(*at))
			at++;
		*argument = at;
		cut = false;
		break;
	}
	return *name && !cut ? name : NULL;
}

/*
 * The script in x->first: its interpreter's name goes before what is there. Returns it, or ERR_PTR.
 */
static const char *enter_script(struct exec *x)
{
	char *line, *name, *argument;

	if (x->depth == SCRIPT_DEPTH)
		return ERR_PTR(refuse(ELOOP, "scripts that are interpreted by scripts, too deep"));
	line = x->lines[x->depth++];
	memcpy(line, x->first, FIRST_BYTES);
	line[FIRST_BYTES - 1] = '\0';
	name = parse_script(line, &argument);
	if (!name)
		return ERR_PTR(
			refuse(ENOEXEC, "#! names no interpreter, or one with too long a name"));
	if (argument)
		x->prefix[x->nr_prefix++] = argument;
	x->prefix[x->nr_prefix++] = name;
	return name;
}

/* Open the program that `name` is in the end, and look at its first bytes. */
static int find_program(struct exec *x, const char *name)
{
	for (;;) {
		ssize_t len;

		x->file = open_program(name);
		if (IS_ERR(x->file)) {
			int error = PTR_ERR(x->file);

			x->file = NULL;
			return error;
		}
		memset(x->first, 0, FIRST_BYTES);
		len = read_file(x->file, 0, x->first, FIRST_BYTES);
		if (len < 0)
			return len;
		if (x->first[0] != '#' || x->first[1] != '!')
			return 0;
		file_put(x->file);
		x->file = NULL;
		name = enter_script(x);
		if (IS_ERR(name))
			return PTR_ERR(name);
	}
}

static int check_program(struct exec *x)
{
	uint64_t size = inode_size(x->file->inode);
	size_t bytes;
	ssize_t n;

	if (elf_check_header(&x->image, x->first, MIN(size, (uint64_t)FIRST_BYTES), size) < 0)
		return refuse(ENOEXEC, x->image.refused);
	bytes = x->image.nr_phdrs * sizeof(x->headers[0]);
	n = read_file(x->file, x->image.phdrs_offset, x->headers, bytes);
	if (n < 0)
		return n;
	if (n != bytes)
		return refuse(ENOEXEC, "the file ends in its program headers");
	if (elf_check_segments(&x->image, x->headers, size) < 0)
		return refuse(ENOEXEC, x->image.refused);
	if (x->image.relocatable) {
		if (x->image.high > PIE_MAX)
			return refuse(ENOEXEC, "a program too large");
		x->bias = PIE_BASE;
	}
	return 0;
}

/* ---- arguments ---- */

static int collect_strings(struct exec *x, const char *path, const void *argv, const void *envp,
			   bool kernel)
{
	struct exec_args *args = &x->args;
	unsigned int skip = x->nr_prefix ? 1 : 0;
	int error = 0;

	for (unsigned int i = x->nr_prefix; i > 0 && error == 0; i--, args->argc++)
		error = exec_args_add(args, x->prefix[i - 1]);
	if (error == 0 && skip) {
		error = exec_args_add(args, path);
		args->argc++;
	}
	if (error == 0)
		error = exec_args_add_array(args, argv, kernel, skip, &args->argc);
	/* Programs take argv[0] for granted. */
	if (error == 0 && args->argc == 0) {
		error = exec_args_add(args, "");
		args->argc = 1;
	}
	args->env_at = args->used;
	if (error == 0)
		error = exec_args_add_array(args, envp, kernel, 0, &args->envc);
	args->env_end = args->used;
	x->name_at = args->used;
	if (error == 0)
		error = exec_args_add(args, path);
	x->platform_at = args->used;
	if (error == 0)
		error = exec_args_add(args, "i686");
	return error;
}

static int collect_args(struct exec *x, const char *path, const void *argv, const void *envp,
			bool kernel)
{
	uint64_t stack = current->process->limits[RLIMIT_STACK].soft;
	int error;

	/* A quarter of the stack, but never less than what POSIX programs count on. */
	x->args.limit =
		MAX(MIN(stack / 4, (uint64_t)EXEC_ARG_PAGES * PAGE_SIZE), (uint64_t)128 << 10);
	error = collect_strings(x, path, argv, envp, kernel);
	return error == -E2BIG ? refuse(E2BIG, "arguments and environment are too long") : error;
}

/* ---- the new address space ---- */

static int map_segment(struct exec *x, const struct elf_segment *segment)
{
	uint32_t start = (x->bias + segment->address) & PAGE_MASK;
	uint32_t file_end = PAGE_ALIGN(x->bias + segment->address + segment->file_size);
	uint32_t end = PAGE_ALIGN(x->bias + segment->address + segment->memory_size);
	unsigned int flags = VMA_MAY_WRITE | (segment->read ? VMA_READ : 0) |
			     (segment->write ? VMA_WRITE : 0) | (segment->execute ? VMA_EXEC : 0);
	int error = 0;

	if (segment->file_size)
		error = mm_map(x->mm, start, file_end - start, flags, x->file,
			       segment->offset >> PAGE_SHIFT);
	else
		file_end = start;
	if (error == 0 && end > file_end)
		error = mm_map(x->mm, file_end, end - file_end, flags, NULL, 0);
	return error;
}

static int make_memory(struct exec *x)
{
	uint32_t stack = PAGE_ALIGN(exec_args_stack(&x->args) + STACK_ROOM);
	unsigned int stack_flags = VMA_READ | VMA_WRITE | VMA_MAY_WRITE | VMA_STACK;
	int error;

	x->mm = mm_create();
	if (!x->mm)
		return -ENOMEM;
	for (unsigned int i = 0; i < x->image.nr_segments; i++) {
		error = map_segment(x, &x->image.segments[i]);
		if (error < 0)
			return error;
	}
	if (x->image.executable_stack)
		stack_flags |= VMA_EXEC;
	error = mm_map(x->mm, STACK_TOP - stack, stack, stack_flags, NULL, 0);
	x->mm->stack_top = STACK_TOP;
	x->mm->brk_start = x->mm->brk_end = x->bias + x->image.high;
	return error;
}

/* ---- behind the point of no return ---- */

static void switch_memory(struct exec *x)
{
	struct task *task = current;
	struct mm *old = task->mm;
	unsigned int flags;

	if (old)
		futex_task_exit();
	flags = spin_lock_irqsave(&tasks_lock);
	task->mm = x->mm;
	spin_unlock_irqrestore(&tasks_lock, flags);
	mm_switch(x->mm);
	x->mm = NULL;
	task_release_vfork(task);
	if (old)
		mm_put(old);
}

/* The file's last page of a segment holds what comes next in the file where zeros are to be. */
static int clear_tails(const struct exec *x)
{
	for (unsigned int i = 0; i < x->image.nr_segments; i++) {
		const struct elf_segment *segment = &x->image.segments[i];
		uint32_t end = x->bias + segment->address + segment->file_size;
		uint32_t room =
			MIN(PAGE_ALIGN(end) - end, segment->memory_size - segment->file_size);

		if (segment->file_size && segment->write && room &&
		    clear_user((void __user *)end, room) < 0)
			return -EFAULT;
	}
	return 0;
}

static void take_ids(const struct file *file)
{
	struct credentials *cred = &current->process->cred;
	unsigned int mode = file->inode->mode;

	if (mode & S_ISUID)
		cred->euid = file->inode->uid;
	/* S_ISGID without group execution once meant mandatory locking. */
	if ((mode & S_ISGID) && (mode & 0010))
		cred->egid = file->inode->gid;
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
}

static unsigned int fill_aux(const struct exec *x, struct exec_aux *aux, uint32_t strings,
			     uint32_t random)
{
	const struct credentials *cred = &current->process->cred;
	uint32_t cpu[4];
	unsigned int n = 0;

	cpuid(1, 0, cpu);
	aux[n++] = (struct exec_aux){ AT_HWCAP, cpu[3] };
	aux[n++] = (struct exec_aux){ AT_PAGESZ, PAGE_SIZE };
	aux[n++] = (struct exec_aux){ AT_CLKTCK, CLOCK_TICKS };
	if (x->image.phdr_address) {
		aux[n++] = (struct exec_aux){ AT_PHDR, x->bias + x->image.phdr_address };
		aux[n++] = (struct exec_aux){ AT_PHENT, sizeof(struct elf_program_header) };
		aux[n++] = (struct exec_aux){ AT_PHNUM, x->image.nr_phdrs };
	}
	aux[n++] = (struct exec_aux){ AT_BASE, 0 };
	aux[n++] = (struct exec_aux){ AT_FLAGS, 0 };
	aux[n++] = (struct exec_aux){ AT_ENTRY, x->bias + x->image.entry };
	aux[n++] = (struct exec_aux){ AT_UID, cred->uid };
	aux[n++] = (struct exec_aux){ AT_EUID, cred->euid };
	aux[n++] = (struct exec_aux){ AT_GID, cred->gid };
	aux[n++] = (struct exec_aux){ AT_EGID, cred->egid };
	aux[n++] =
		(struct exec_aux){ AT_SECURE, cred->uid != cred->euid || cred->gid != cred->egid };
	aux[n++] = (struct exec_aux){ AT_RANDOM, random };
	aux[n++] = (struct exec_aux){ AT_EXECFN, strings + x->name_at };
	aux[n++] = (struct exec_aux){ AT_PLATFORM, strings + x->platform_at };
	aux[n++] = (struct exec_aux){ AT_MINSIGSTKSZ, MINSIGSTKSZ };
	aux[n++] = (struct exec_aux){ AT_NULL, 0 };
	return n;
}

/* The first stack: a zero word, random bytes, the strings, the vectors. Its pointer, or -EFAULT. */
static long fill_stack(const struct exec *x)
{
	struct exec_aux aux[EXEC_AUX_MAX];
	uint8_t random[RANDOM_SIZE];
	uint32_t random_at = STACK_TOP - sizeof(uint32_t) - RANDOM_SIZE;
	/* Where exec_args_push() puts the strings. */
	uint32_t strings = (random_at - x->args.used) & ~15u;
	unsigned int nr_aux = fill_aux(x, aux, strings, random_at);
	struct mm *mm = current->mm;
	long sp;

	random_bytes(random, sizeof(random));
	if (copy_to_user((void __user *)random_at, random, sizeof(random)) < 0)
		return -EFAULT;
	sp = exec_args_push(&x->args, random_at, aux, nr_aux, &strings);
	mm->arg_start = strings;
	mm->arg_end = mm->env_start = strings + x->args.env_at;
	mm->env_end = strings + x->args.env_end;
	return sp;
}

static void take_name(struct exec *x, const char *path)
{
	struct process *process = current->process;
	const char *base = strrchr(path, '/');
	char *text = file_text(x->file, x->path, sizeof(x->path)), *name, *old;
	unsigned int flags;

	name = kmalloc(IS_ERR(text) ? 1 : strlen(text) + 1, 0);
	if (name)
		strlcpy(name, IS_ERR(text) ? "" : text, IS_ERR(text) ? 1 : strlen(text) + 1);
	flags = spin_lock_irqsave(&tasks_lock);
	old = process->executable;
	process->executable = name;
	process->execed = true;
	process->exit_signal = SIGCHLD;
	strlcpy(current->name, base ? base + 1 : path, sizeof(current->name));
	spin_unlock_irqrestore(&tasks_lock, flags);
	kfree(old);
}

static void set_registers(uint32_t entry, uint32_t sp)
{
	struct task *task = current;
	struct trap_frame *frame = task_frame(task);

	memset(task->tls, 0, sizeof(task->tls));
	segments_load_tls(task);
	segments_set_stack(this_cpu(), (char *)task->stack + KERNEL_STACK_SIZE);
	fpu_reset(task);
	task->fpu_used = true;
	*frame = (struct trap_frame){
		.ds = SEL_USER_DATA,
		.es = SEL_USER_DATA,
		.ss = SEL_USER_DATA,
		.cs = SEL_USER_CODE,
		.eip = entry,
		.esp = sp,
		.eflags = EFLAGS_IF | EFLAGS_FIXED,
		.vector = VECTOR_SYSCALL,
		.error = ORIGINAL_EAX_NONE,
	};
}

/* 0, or why the process, which is nothing whole any more, must end. */
static int become(struct exec *x, const char *path)
{
	long sp;

	switch_memory(x);
	if (file_table_unshare() < 0)
		return -ENOMEM;
	file_table_close_on_exec();
	signal_reset_handlers(current->process);
	take_ids(x->file);
	if (clear_tails(x) < 0)
		return -EFAULT;
	sp = fill_stack(x);
	if (sp < 0 && sp > -MAX_ERRNO)
		return -EFAULT;
	set_registers(x->bias + x->image.entry, sp);
	take_name(x, path);
	return 0;
}

/* ---- the calls ---- */

/* *gone: it failed behind the point of no return. */
static int exec(struct exec *x, const char *path, const void *argv, const void *envp, bool kernel,
		bool *gone)
{
	int error = find_program(x, path);

	if (error == 0)
		error = check_program(x);
	if (error == 0)
		error = collect_args(x, path, argv, envp, kernel);
	if (error == 0)
		error = make_memory(x);
	if (error == 0)
		error = process_end_other_threads();
	if (error < 0)
		return error;
	error = become(x, path);
	*gone = error < 0;
	return error;
}

static int exec_path(const char *path, const void *argv, const void *envp, bool kernel)
{
	struct exec *x = kzalloc(sizeof(*x), 0);
	bool gone = false;
	int error;

	if (!x)
		return -ENOMEM;
	error = exec(x, path, argv, envp, kernel, &gone);
	if (x->mm)
		mm_put(x->mm);
	if (x->file)
		file_put(x->file);
	exec_args_free(&x->args);
	kfree(x);
	if (gone)
		process_exit(SIGSEGV);
	return error;
}

int exec_kernel(const char *path, const char *const *argv, const char *const *envp)
{
	return exec_path(path, argv, envp, true);
}

long sys_execve(unsigned long path_address, unsigned long argv, unsigned long envp)
{
	char *path = name_from_user((const char __user *)path_address);
	long error;

	if (IS_ERR(path))
		return PTR_ERR(path);
	error = exec_path(path, (const void *)argv, (const void *)envp, false);
	name_free(path);
	return error;
}
