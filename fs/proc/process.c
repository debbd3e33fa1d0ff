/*
 * What /proc shows of a process by number and by link: its descriptors, its threads, its
 * directories, its program, and the mounts that it sees.
 *
 * tasks_lock guards all that is read from another process. A reference to its files is taken under
 * it.
 */
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "fs/names/mount.h"
#include "fs/names/path.h"
#include "fs/proc/proc_internal.h"
#include "lib/print.h"

/* Write the path of a file to `result`, and drop the reference to the file. NULL: -ENOENT. */
static int path_of(struct file *file, struct path *result)
{
	int error;

	if (!file)
		return -ENOENT;
	error = file_path(file, result);
	file_put(file);
	return error;
}

/* ---- descriptors ---- */

/* Returns the table of a thread, or for 0 that of the first one that has a table. */
static struct file_table *process_files(struct process *process, unsigned int tid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct file_table *files = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (!files && task->files && (!tid || task->tid == tid))
			files = task->files;
	if (files)
		atomic_inc(&files->users);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return files;
}

struct file *process_file(struct process *process, unsigned int number)
{
	struct file_table *files = process_files(process, number >> FD_BITS);
	struct file *file = files ? file_table_get(files, number & ((1u << FD_BITS) - 1)) : NULL;

	file_table_put(files);
	return file;
}

static int fd_link(struct process *process, unsigned int fd, struct path *result)
{
	return path_of(process_file(process, fd), result);
}
PROC_ENTRY(pid_fd_link, .path = "/pid/fd/N", .mode = S_IFLNK | 0700, .link = fd_link,
	   .of_descriptor = true);
PROC_ENTRY(task_fd_link, .path = "/pid/task/N/fd/N", .mode = S_IFLNK | 0700, .link = fd_link,
	   .of_descriptor = true);

/* What a descriptor's file is open for, and where it stands. */
static int show_fdinfo(struct process *process, unsigned int fd, struct text *text)
{
	struct file *file = process_file(process, fd);
	struct file_table *files;
	const struct mount *mount;

	if (!file)
		return -ENOENT;
	text_printf(text, "pos:\t%lld\nflags:\t0%o\n", (long long)file->pos,
		    file->flags | (file->writable ? (file->readable ? O_RDWR : O_WRONLY) : 0));
	mount = file->path.mount ? file->path.mount : &anonymous_mount;
	text_printf(text, "mnt_id:\t%u\nino:\t%llu\n", mount->id,
		    (unsigned long long)shown_number(file->inode->sb, file->inode->number));
	files = process_files(process, fd >> FD_BITS);
	proc_show_file_locks(text, file, files);
	file_table_put(files);
	if (file->ops->show)
		file->ops->show(file, text);
	file_put(file);
	return 0;
}
PROC_ENTRY(pid_fdinfo_N, .path = "/pid/fdinfo/N", .mode = 0400, .show_process = show_fdinfo,
	   .of_descriptor = true);
PROC_ENTRY(task_fdinfo_N, .path = "/pid/task/N/fdinfo/N", .mode = 0400, .show_process = show_fdinfo,
	   .of_descriptor = true);

/* Emit the numbers of a process's or thread's descriptors, which have inodes of the entry. */
static int emit_descriptors(struct inode *dir, struct dir_context *context,
			    const struct proc_entry *entry)
{
	struct process *process = proc_inspect(dir, false);
	unsigned int tid = number_in(dir);
	struct file_table *files;
	bool room = true;

	if (IS_ERR(process))
		return PTR_ERR(process);
	files = process_files(process, tid);
	for (unsigned int fd = proc_first_number(context, 2);
	     files && room && fd < READ_ONCE(files->size); fd++) {
		struct file *file = file_table_get(files, fd);

		if (!file)
			continue;
		file_put(file);
		room = proc_emit_number(context, 2, fd,
					number_of(entry, process->pid, tid << FD_BITS | fd),
					entry->mode & S_IFMT ?: S_IFREG);
	}
	file_table_put(files);
	process_put(process);
	return 0;
}

static int fd_readdir(struct inode *dir, struct dir_context *context)
{
	return emit_descriptors(dir, context, &proc_file_pid_fd_link);
}
PROC_ENTRY(pid_fd, .path = "/pid/fd", .mode = S_IFDIR | 0500, .numbers = fd_readdir);

static int task_fd_readdir(struct inode *dir, struct dir_context *context)
{
	return emit_descriptors(dir, context, &proc_file_task_fd_link);
}
PROC_ENTRY(task_fd, .path = "/pid/task/N/fd", .mode = S_IFDIR | 0500, .numbers = task_fd_readdir);

static int fdinfo_readdir(struct inode *dir, struct dir_context *context)
{
	return emit_descriptors(dir, context, &proc_file_pid_fdinfo_N);
}
PROC_ENTRY(pid_fdinfo, .path = "/pid/fdinfo", .mode = S_IFDIR | 0500, .numbers = fdinfo_readdir);

static int task_fdinfo_readdir(struct inode *dir, struct dir_context *context)
{
	return emit_descriptors(dir, context, &proc_file_task_fdinfo_N);
}
PROC_ENTRY(task_fdinfo, .path = "/pid/task/N/fdinfo", .mode = S_IFDIR | 0500,
	   .numbers = task_fdinfo_readdir);

/* ---- threads ---- */

PROC_ENTRY(pid_task_N, .path = "/pid/task/N", .mode = S_IFDIR | 0555);

/* Returns the lowest number of a thread that is not below `from`, or 0 if there is none. */
static unsigned int next_thread(struct process *process, unsigned int from)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock), found = 0;
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (task->tid >= from && (found == 0 || task->tid < found))
			found = task->tid;
	/* A zombie still has its first thread's number. */
	if (process->nr_threads == 0 && process->pid >= from)
		found = process->pid;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return found;
}

struct task *proc_thread(struct process *process, unsigned int tid)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	if (tid == 0)
		return process_leader(process);
	list_for_each(task, &process->threads, thread_link)
		if (task->tid == tid)
			return task;
	return NULL;
}

bool process_has_thread(struct process *process, unsigned int tid)
{
	return next_thread(process, tid) == tid;
}

static int task_readdir(struct inode *dir, struct dir_context *context)
{
	struct process *process = proc_inspect(dir, true);
	unsigned int tid = proc_first_number(context, 2);

	if (IS_ERR(process))
		return PTR_ERR(process);
	while ((tid = next_thread(process, tid)) > 0) {
		if (!proc_emit_number(context, 2, tid,
				      number_of(&proc_file_pid_task_N, process->pid, tid), S_IFDIR))
			break;
		tid++;
	}
	process_put(process);
	return 0;
}
PROC_ENTRY(pid_task, .path = "/pid/task", .mode = S_IFDIR | 0555, .numbers = task_readdir);

/* ---- its program, its directories, and the mounts that it sees ---- */

static int exe_link(struct process *process, unsigned int tid, struct path *result)
{
	return path_of(process_program(process), result);
}
PROC_ENTRY(pid_exe, .path = "/pid/exe", .mode = S_IFLNK | 0777, .link = exe_link);
PROC_ENTRY(task_exe, .path = "/pid/task/N/exe", .mode = S_IFLNK | 0777, .link = exe_link);

/* Returns what a thread has of directories, with a reference. NULL: it has ended. */
static struct fs_context *thread_fs(struct process *process, unsigned int tid)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task = proc_thread(process, tid);
	struct fs_context *fs = task ? task->fs : NULL;

	if (fs)
		atomic_inc(&fs->refs);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return fs;
}

static int cwd_link(struct process *process, unsigned int tid, struct path *result)
{
	struct fs_context *fs = thread_fs(process, tid);

	if (!fs)
		return -ENOENT;
	fs_context_get(fs, &fs->cwd, result);
	fs_context_put(fs);
	return 0;
}
PROC_ENTRY(pid_cwd, .path = "/pid/cwd", .mode = S_IFLNK | 0777, .link = cwd_link);
PROC_ENTRY(task_cwd, .path = "/pid/task/N/cwd", .mode = S_IFLNK | 0777, .link = cwd_link);

static int root_link(struct process *process, unsigned int tid, struct path *result)
{
	struct fs_context *fs = thread_fs(process, tid);

	if (!fs)
		return -ENOENT;
	fs_context_get(fs, &fs->root, result);
	fs_context_put(fs);
	return 0;
}
PROC_ENTRY(pid_root, .path = "/pid/root", .mode = S_IFLNK | 0777, .link = root_link);
PROC_ENTRY(task_root, .path = "/pid/task/N/root", .mode = S_IFLNK | 0777, .link = root_link);

/* Print the mounts that a thread sees, with one of the functions of fs/names/mount.h. */
static int show_mounts_of(struct process *process, unsigned int tid, struct text *text,
			  void (*show)(struct text *, const struct path *root))
{
	struct path root;
	int error = root_link(process, tid, &root);

	if (error)
		return -EINVAL;
	show(text, &root);
	path_put(&root);
	return 0;
}

static int show_mounts(struct process *process, unsigned int tid, struct text *text)
{
	return show_mounts_of(process, tid, text, mounts_show);
}
PROC_ENTRY(pid_mounts, .path = "/pid/mounts", .mode = 0444, .show_process = show_mounts);
PROC_ENTRY(task_mounts, .path = "/pid/task/N/mounts", .mode = 0444, .show_process = show_mounts);

static int show_mount_info(struct process *process, unsigned int tid, struct text *text)
{
	return show_mounts_of(process, tid, text, mount_info_show);
}
PROC_ENTRY(pid_mountinfo, .path = "/pid/mountinfo", .mode = 0444, .show_process = show_mount_info);
PROC_ENTRY(task_mountinfo, .path = "/pid/task/N/mountinfo", .mode = 0444,
	   .show_process = show_mount_info);

/* ---- control groups ---- */

/* A line for each hierarchy of control groups. There are none. */
static int show_cgroup(struct process *process, unsigned int tid, struct text *text)
{
	return 0;
}
PROC_ENTRY(pid_cgroup, .path = "/pid/cgroup", .mode = 0444, .show_process = show_cgroup);
PROC_ENTRY(task_cgroup, .path = "/pid/task/N/cgroup", .mode = 0444, .show_process = show_cgroup);
