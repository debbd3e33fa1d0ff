/*
 * /proc/PID and /proc/self.
 *
 * 1. An inode here has a number made of process, kind and descriptor, and holds nothing: each use
 *    looks the process up again. What is shown is of the process that has the number at that
 *    moment.
 * 2. Names are believed only as long as the process, or its descriptor, is there (revalidate), and
 *    the owner is looked at again then.
 * 3. What lets the caller act as the process could - descriptors, the working directory, the
 *    program - is for those who could debug it: root, and processes with all its user ids.
 * 4. tasks_lock guards what is seen of another process; a reference to its files, its fs_context or
 *    its mm is taken under it. Nothing is printed while it is held.
 */
#include "fs/file.h"
#include "fs/proc_internal.h"
#include "fs/proc_task.h"
#include "fs/splice.h"
#include "kernel/process.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm.h"

enum kind { KIND_DIR, KIND_FD, KIND_FD_DIR, KIND_SELF, KIND_FILES };

#define FD_BITS	  16u /* OPEN_MAX_LIMIT */
#define KIND_BITS 5u

struct pid_file {
	const char *name;
	unsigned int mode; /* with its type */
	/* A text file: print it. 0, -ESRCH, -ENOMEM. */
	int (*show)(struct process *process, struct text *text);
	/* A symbolic link: where it leads, with references. 0, -ENOENT, -ENOMEM. */
	int (*link)(struct process *process, struct path *path);
};

static const struct pid_file pid_files[];
static const struct inode_ops pid_dir_ops, fd_dir_ops, fd_link_ops, pid_link_ops, self_ops;
static const struct file_ops pid_dir_file_ops, fd_dir_file_ops, pid_text_ops;

/* ---- numbers ---- */

static uint64_t make_number(unsigned int pid, unsigned int kind, unsigned int fd)
{
	return (uint64_t)pid << (KIND_BITS + FD_BITS) | kind << FD_BITS | fd;
}

static unsigned int pid_of(const struct inode *inode)
{
	return inode->number >> (KIND_BITS + FD_BITS);
}

static unsigned int kind_of(const struct inode *inode)
{
	return inode->number >> FD_BITS & ((1u << KIND_BITS) - 1);
}

static unsigned int fd_of(const struct inode *inode)
{
	return inode->number & ((1u << FD_BITS) - 1);
}

#define SELF_NUMBER make_number(0, KIND_SELF, 0)

/* A decimal number without leading zeros, below 2^31. */
static bool parse_number(const char *name, unsigned int len, unsigned int *number)
{
	unsigned int value = 0;

	if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
		return false;
	for (unsigned int i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		value = value * 10 + (name[i] - '0');
	}
	*number = value;
	return true;
}

/* ---- who may look ---- */

static bool may_inspect(const struct process *process)
{
	const struct credentials *own, *other = &process->cred;

	if (!current->process || current->process == process)
		return true;
	own = &current->process->cred;
	if (own->euid == 0)
		return true;
	return process->dumpable && own->fsuid == other->uid && own->fsuid == other->euid &&
	       own->fsuid == other->suid && own->fsgid == other->gid && own->fsgid == other->egid &&
	       own->fsgid == other->sgid;
}

/* The process of an inode, if the caller may look into it. ERR_PTR(-ESRCH, -EACCES). */
static struct process *inspect(const struct inode *inode)
{
	struct process *process = process_find(pid_of(inode));

	if (!process)
		return ERR_PTR(-ESRCH);
	if (may_inspect(process))
		return process;
	process_put(process);
	return ERR_PTR(-EACCES);
}

/* ---- references into another process ---- */

static struct file_table *process_files(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct file_table *files = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link) {
		files = task->files;
		if (files)
			break;
	}
	if (files)
		atomic_inc(&files->users);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return files;
}

static struct fs_context *process_fs(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct fs_context *fs = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link) {
		fs = task->fs;
		if (fs)
			break;
	}
	if (fs)
		atomic_inc(&fs->refs);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return fs;
}

/* The open file, with a reference; NULL. */
static struct file *process_file(struct process *process, unsigned int fd)
{
	struct file_table *files = process_files(process);
	struct file *file = files ? file_table_get(files, fd) : NULL;

	file_table_put(files);
	return file;
}

/* ---- links ---- */

static int cwd_link(struct process *process, struct path *result)
{
	struct fs_context *fs = process_fs(process);

	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*result = fs->cwd;
	path_get(result);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

/* The file that runs, also if it has another name now; of another process, the file that has its
 * name. */
static int exe_link(struct process *process, struct path *result)
{
	char *name;
	int error = -ENOENT;

	if (process == current->process && process->program)
		return file_path(process->program, result);
	name = proc_executable(process);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (*name)
		error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, result);
	kfree(name);
	return error;
}

static int pid_follow(struct inode *inode, struct path *result)
{
	struct process *process = inspect(inode);
	int error;

	if (IS_ERR(process))
		return PTR_ERR(process);
	error = pid_files[kind_of(inode) - KIND_FILES].link(process, result);
	process_put(process);
	return error;
}

/* path_text and file_text leave the name at the end of the buffer. */
static ssize_t move_text(char *buf, size_t size, const char *text)
{
	size_t len;

	if (IS_ERR(text))
		return PTR_ERR(text);
	len = strlen(text);
	memmove(buf, text, len + 1);
	return len;
}

static ssize_t pid_readlink(struct inode *inode, char *buf, size_t size)
{
	struct path path;
	int error = pid_follow(inode, &path);
	ssize_t len;

	if (error)
		return error;
	len = move_text(buf, size, path_text(&path, buf, size));
	path_put(&path);
	return len;
}

/* /proc/PID/fd/N: the file with a reference; ERR_PTR(-ENOENT, -ESRCH, -EACCES). */
static struct file *link_file(struct inode *inode)
{
	struct process *process = inspect(inode);
	struct file *file;

	if (IS_ERR(process))
		return ERR_PTR(PTR_ERR(process));
	file = process_file(process, fd_of(inode));
	process_put(process);
	return file ? file : ERR_PTR(-ENOENT);
}

static int fd_follow(struct inode *inode, struct path *result)
{
	struct file *file = link_file(inode);
	int error;

	if (IS_ERR(file))
		return PTR_ERR(file);
	error = file_path(file, result);
	file_put(file);
	return error;
}

static ssize_t fd_readlink(struct inode *inode, char *buf, size_t size)
{
	struct file *file = link_file(inode);
	ssize_t len;

	if (IS_ERR(file))
		return PTR_ERR(file);
	len = move_text(buf, size, file_text(file, buf, size));
	file_put(file);
	return len;
}

/* ---- inodes ---- */

static void set_owner(struct inode *inode, const struct process *process)
{
	inode->uid = process->cred.euid;
	inode->gid = process->cred.egid;
}

static struct inode *pid_inode(struct super_block *sb, struct process *process, unsigned int kind)
{
	const struct inode_ops *ops = NULL;
	const struct file_ops *file_ops = NULL;
	unsigned int mode;
	struct inode *inode;

	if (kind == KIND_DIR) {
		mode = S_IFDIR | 0555;
		ops = &pid_dir_ops;
		file_ops = &pid_dir_file_ops;
	} else if (kind == KIND_FD_DIR) {
		mode = S_IFDIR | 0500;
		ops = &fd_dir_ops;
		file_ops = &fd_dir_file_ops;
	} else {
		mode = pid_files[kind - KIND_FILES].mode;
		ops = S_ISLNK(mode) ? &pid_link_ops : NULL;
		file_ops = &pid_text_ops;
	}
	inode = proc_inode(sb, make_number(process->pid, kind, 0), mode, ops, file_ops, NULL);
	if (!IS_ERR(inode))
		set_owner(inode, process);
	return inode;
}

static ssize_t self_readlink(struct inode *inode, char *buf, size_t size)
{
	return current->process ? snprintf(buf, size, "%u", current->process->pid) : -ENOENT;
}

struct inode *proc_pid_lookup(struct super_block *sb, const char *name, unsigned int len)
{
	struct process *process;
	struct inode *inode;
	unsigned int pid;

	if (len == 4 && !memcmp(name, "self", 4))
		return proc_inode(sb, SELF_NUMBER, S_IFLNK | 0777, &self_ops, NULL, NULL);
	if (!parse_number(name, len, &pid))
		return NULL;
	process = process_find(pid);
	if (!process)
		return NULL;
	inode = pid_inode(sb, process, KIND_DIR);
	process_put(process);
	return inode;
}

bool proc_pid_valid(const struct dentry *dentry)
{
	struct process *process;
	unsigned int pid;

	if (!parse_number(dentry->name, dentry->name_len, &pid))
		return true;
	process = process_find(pid);
	if (!process)
		return dentry->inode == NULL;
	if (dentry->inode)
		set_owner(dentry->inode, process);
	process_put(process);
	return dentry->inode != NULL;
}

/* The lowest number of a process from `from` on; 0: none. */
static unsigned int next_pid(unsigned int from)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	unsigned int found = 0;
	struct process *process;

	list_for_each(process, &all_processes, all_link)
		if (process->pid >= from && (found == 0 || process->pid < found))
			found = process->pid;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return found;
}

int proc_pid_readdir(struct dir_context *context, file_off_t base)
{
	char name[12];
	unsigned int pid;

	if (context->pos < base) {
		context->pos = base;
		if (!context->emit(context, "self", 4, SELF_NUMBER, DT_OF_MODE(S_IFLNK)))
			return 0;
		context->pos = base + 1;
	}
	if (context->pos - base > INT32_MAX)
		return 0;
	for (pid = next_pid(context->pos - base); pid; pid = next_pid(pid + 1)) {
		context->pos = base + pid;
		if (!context->emit(context, name, snprintf(name, sizeof(name), "%u", pid),
				   make_number(pid, KIND_DIR, 0), DT_OF_MODE(S_IFDIR)))
			return 0;
		context->pos++;
	}
	return 0;
}

/* ---- the directory of a process ---- */

static const struct pid_file pid_files[] = {
	{ "cmdline", S_IFREG | 0444, .show = proc_show_cmdline },
	{ "comm", S_IFREG | 0444, .show = proc_show_comm },
	{ "cwd", S_IFLNK | 0777, .link = cwd_link },
	{ "exe", S_IFLNK | 0777, .link = exe_link },
	{ "maps", S_IFREG | 0400, .show = proc_show_maps },
	{ "mounts", S_IFREG | 0444, .show = proc_show_mounts },
	{ "stat", S_IFREG | 0444, .show = proc_show_stat },
	{ "statm", S_IFREG | 0444, .show = proc_show_statm },
	{ "status", S_IFREG | 0444, .show = proc_show_status },
};

static struct inode *pid_dir_lookup(struct inode *dir, struct dentry *dentry)
{
	struct process *process = process_find(pid_of(dir));
	struct inode *inode = NULL;

	if (!process)
		return ERR_PTR(-ENOENT);
	if (!strcmp(dentry->name, "fd"))
		inode = pid_inode(dir->sb, process, KIND_FD_DIR);
	for (unsigned int i = 0; i < ARRAY_SIZE(pid_files); i++)
		if (!strcmp(dentry->name, pid_files[i].name))
			inode = pid_inode(dir->sb, process, KIND_FILES + i);
	process_put(process);
	return inode;
}

static bool pid_dir_revalidate(struct inode *dir, struct dentry *dentry)
{
	struct process *process = process_find(pid_of(dir));

	if (!process)
		return false;
	if (dentry->inode)
		set_owner(dentry->inode, process);
	process_put(process);
	return true;
}

static int pid_dir_readdir(struct file *file, struct dir_context *context)
{
	struct inode *dir = file->inode;

	if (!dir_emit_dots(context, dir->number, PROC_ROOT_NUMBER))
		return 0;
	for (unsigned int i = context->pos - 2; i < ARRAY_SIZE(pid_files) + 1; i++) {
		bool fd = i == ARRAY_SIZE(pid_files);
		const char *name = fd ? "fd" : pid_files[i].name;
		unsigned int kind = fd ? KIND_FD_DIR : KIND_FILES + i;

		if (!context->emit(context, name, strlen(name), make_number(pid_of(dir), kind, 0),
				   DT_OF_MODE(fd ? S_IFDIR : pid_files[i].mode)))
			return 0;
		context->pos = i + 3;
	}
	return 0;
}

static int pid_show(struct inode *inode, struct text *text)
{
	const struct pid_file *file = &pid_files[kind_of(inode) - KIND_FILES];
	struct process *process = file->mode & 0044 ? process_find(pid_of(inode)) : inspect(inode);
	int error;

	if (!process)
		return -ESRCH;
	if (IS_ERR(process))
		return PTR_ERR(process);
	error = file->show(process, text);
	process_put(process);
	return error;
}

static int pid_text_open(struct inode *inode, struct file *file)
{
	return proc_text_open(file, pid_show);
}

static const struct file_ops pid_text_ops = {
	.open = pid_text_open,
	.release = proc_text_release,
	.read = proc_text_read,
	.llseek = generic_llseek,
	.splice_read = copy_splice_read,
};

static const struct inode_ops pid_dir_ops = {
	.lookup = pid_dir_lookup,
	.revalidate = pid_dir_revalidate,
};
static const struct file_ops pid_dir_file_ops = {
	.llseek = generic_llseek,
	.readdir = pid_dir_readdir,
};
static const struct inode_ops pid_link_ops = {
	.readlink = pid_readlink,
	.follow = pid_follow,
};
static const struct inode_ops self_ops = {
	.readlink = self_readlink,
};

/* ---- its descriptors ---- */

static struct inode *fd_dir_lookup(struct inode *dir, struct dentry *dentry)
{
	struct process *process = inspect(dir);
	struct inode *inode = NULL;
	struct file *file = NULL;
	unsigned int fd;

	if (IS_ERR(process))
		return ERR_PTR(PTR_ERR(process));
	if (parse_number(dentry->name, dentry->name_len, &fd) && fd < 1u << FD_BITS)
		file = process_file(process, fd);
	if (file) {
		unsigned int mode =
			S_IFLNK | 0100 | (file->readable ? 0400 : 0) | (file->writable ? 0200 : 0);

		inode = proc_inode(dir->sb, make_number(process->pid, KIND_FD, fd), mode,
				   &fd_link_ops, NULL, NULL);
		if (!IS_ERR(inode)) {
			inode->mode = mode;
			set_owner(inode, process);
		}
		file_put(file);
	}
	process_put(process);
	return inode;
}

/* Descriptors come and go: every look is a new one. */
static bool fd_dir_revalidate(struct inode *dir, struct dentry *dentry)
{
	return false;
}

static int emit_fds(struct dir_context *context, struct file_table *files, unsigned int pid)
{
	for (unsigned int fd = context->pos - 2; fd < READ_ONCE(files->size); fd++) {
		struct file *file = file_table_get(files, fd);
		char name[12];

		context->pos = fd + 2;
		if (!file)
			continue;
		file_put(file);
		if (!context->emit(context, name, snprintf(name, sizeof(name), "%u", fd),
				   make_number(pid, KIND_FD, fd), DT_OF_MODE(S_IFLNK)))
			return 0;
		context->pos++;
	}
	return 0;
}

static int fd_dir_readdir(struct file *file, struct dir_context *context)
{
	struct inode *dir = file->inode;
	struct process *process = inspect(dir);
	struct file_table *files;

	if (IS_ERR(process))
		return PTR_ERR(process);
	files = process_files(process);
	if (dir_emit_dots(context, dir->number, make_number(pid_of(dir), KIND_DIR, 0)) && files)
		emit_fds(context, files, process->pid);
	file_table_put(files);
	process_put(process);
	return 0;
}

static const struct inode_ops fd_dir_ops = {
	.lookup = fd_dir_lookup,
	.revalidate = fd_dir_revalidate,
};
static const struct file_ops fd_dir_file_ops = {
	.llseek = generic_llseek,
	.readdir = fd_dir_readdir,
};
static const struct inode_ops fd_link_ops = {
	.readlink = fd_readlink,
	.follow = fd_follow,
};
