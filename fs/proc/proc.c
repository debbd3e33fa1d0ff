/*
 * The file systems "proc" and "sysfs": files that print themselves.
 *
 * 1. All names are in one table (PROC_ENTRY), including directories. Each process has the names below
 *    "/pid". An inode's number consists of the process, the descriptor and the entry. The inode holds
 *    nothing else. Each use finds the process again by its number.
 * 2. A name of a process or descriptor is valid only as long as these exist (revalidate). Its owner and
 *    mode are set again at the same time.
 * 3. Descriptors, maps and the program let the reader act as the process could. They may be used by
 *    root, and by processes that have the same user and group ids, and all its capabilities.
 * 4. When a file is read from its start, it is printed into a buffer of the open file, which is as
 *    large as needed. Later reads come from that buffer. So a reader with a small buffer sees one
 *    state, not a mixture. reader->lock serialises tasks that share an open file. It is held across
 *    copies to the user, since no page fault leads here.
 * 5. tasks_lock guards all that is read from another process. A reference to its files is taken under
 *    it. Text that is printed with the lock held goes into memory that has been allocated before.
 */
#include "fs/proc/proc.h"
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/path.h"
#include "fs/splice/copy.h"
#include "kernel/init.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define PROC_MAGIC  0x9fa0
#define SYSFS_MAGIC 0x62656572
#define TEXT_FIRST  PAGE_SIZE /* size of the first buffer; it grows by TEXT_GROWTH */
#define TEXT_GROWTH 4u
#define TEXT_MAX    (4u << 20)
#define PID_COOKIES 0x10000 /* readdir positions of processes begin here */
#define FD_BITS	    16u	    /* OPEN_MAX_LIMIT */
#define ENTRY_BITS  8u

extern const struct proc_entry _proc_files_start[], _proc_files_end[];

PROC_ENTRY(root, .path = "", .mode = S_IFDIR | 0555);
PROC_ENTRY(self, .path = "self", .mode = S_IFLNK | 0777);
PROC_ENTRY(mounts, .path = "mounts", .mode = S_IFLNK | 0777);
PROC_ENTRY(sys, .path = "sys", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_fs, .path = "sys/fs", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_vm, .path = "sys/vm", .mode = S_IFDIR | 0555);
PROC_ENTRY(pid, .path = "/pid", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_kernel, .path = "sys/kernel", .mode = S_IFDIR | 0555);
PROC_ENTRY(pid_fd, .path = "/pid/fd", .mode = S_IFDIR | 0500);
PROC_ENTRY(pid_fdinfo, .path = "/pid/fdinfo", .mode = S_IFDIR | 0500);
PROC_ENTRY(pid_task, .path = "/pid/task", .mode = S_IFDIR | 0555);
PROC_ENTRY(pid_task_N, .path = "/pid/task/N", .mode = S_IFDIR | 0555);

/* ---- entries and inodes ---- */

static const struct proc_entry *entry_of(const struct inode *inode)
{
	return _proc_files_start + (inode->number & ((1u << ENTRY_BITS) - 1)) - 1;
}

/* The number of a descriptor or of a thread. */
static unsigned int fd_of(const struct inode *inode)
{
	return inode->number >> ENTRY_BITS & ((1u << FD_BITS) - 1);
}

static unsigned int pid_of(const struct inode *inode)
{
	return inode->number >> (FD_BITS + ENTRY_BITS);
}

static uint64_t number_of(const struct proc_entry *entry, unsigned int pid, unsigned int fd)
{
	return ((uint64_t)pid << FD_BITS | fd) << ENTRY_BITS | (entry - _proc_files_start + 1);
}

/* Returns the name of the entry in the directory `dir`, or NULL if it is not in that directory. */
static const char *name_in(const struct proc_entry *entry, const struct proc_entry *dir)
{
	const char *name = entry->path, *prefix = dir->path;

	for (; *prefix; prefix++, name++)
		if (*name != *prefix)
			return NULL;
	if (prefix != dir->path && *name++ != '/')
		return NULL;
	return *name && !strchr(name, '/') ? name : NULL;
}

/*
 * The place of each entry among the names. A directory is read, and searched for a name, by going through its entries,
 * so they are found only once, at boot.
 */
static struct place {
	const char *name;
	const struct place *first; /* in this directory */
	const struct place *next;  /* in the same directory */
} places[1u << ENTRY_BITS];

static struct place *place_of(const struct proc_entry *entry)
{
	return &places[entry - _proc_files_start];
}

/* Going backwards, each entry becomes the first one of its directory. */
static void find_places(void)
{
	assert(_proc_files_end - _proc_files_start < ARRAY_SIZE(places));
	for (const struct proc_entry *entry = _proc_files_end; entry-- > _proc_files_start;)
		for (const struct proc_entry *dir = _proc_files_start; dir < _proc_files_end;
		     dir++) {
			const char *name = name_in(entry, dir);

			if (!name)
				continue;
			place_of(entry)->name = name;
			place_of(entry)->next = place_of(dir)->first;
			place_of(dir)->first = place_of(entry);
		}
}
INITCALL(2, find_places);

static const struct inode_ops proc_ops, self_ops, mounts_ops;
static const struct file_ops proc_text_ops, proc_bytes_ops;

static int proc_read_inode(struct inode *inode)
{
	const struct proc_entry *entry = entry_of(inode);

	inode->mode = entry->mode & S_IFMT ? entry->mode : S_IFREG | entry->mode;
	inode->ops = &proc_ops;
	if (entry == &proc_file_self)
		inode->ops = &self_ops;
	else if (entry == &proc_file_mounts)
		inode->ops = &mounts_ops;
	inode->file_ops = S_ISDIR(inode->mode) ? &dir_file_ops
			  : entry->transfer    ? &proc_bytes_ops
					       : &proc_text_ops;
	inode->nr_links = S_ISDIR(inode->mode) ? 2 : 1;
	return 0;
}

/* ---- processes ---- */

/*
 * Returns the process of an inode with a reference, if the caller may inspect it or the file is
 * `for_all`. Otherwise ERR_PTR(-ESRCH, -EACCES).
 */
static struct process *inspect(const struct inode *inode, bool for_all)
{
	struct process *process = process_find(pid_of(inode));

	if (!process)
		return ERR_PTR(-ESRCH);
	if (for_all || process_may_inspect(process))
		return process;
	process_put(process);
	return ERR_PTR(-EACCES);
}

static struct file_table *process_files(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct file_table *files = NULL;
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (!files && task->files)
			files = task->files;
	if (files)
		atomic_inc(&files->users);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return files;
}

struct file *process_file(struct process *process, unsigned int fd)
{
	struct file_table *files = process_files(process);
	struct file *file = files ? file_table_get(files, fd) : NULL;

	file_table_put(files);
	return file;
}

/* Returns the lowest process number that is not below `from`, or 0 if there is none. */
static unsigned int next_pid(unsigned int from)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct process *process = process_next_locked(MAX(from, 1u));
	unsigned int found = process ? process->pid : 0;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return found;
}

/* ---- links ---- */

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

static int fd_link(struct process *process, unsigned int fd, struct path *result)
{
	return path_of(process_file(process, fd), result);
}
PROC_ENTRY(pid_fd_link, .path = "/pid/fd/N", .mode = S_IFLNK | 0700, .link = fd_link);

static int exe_link(struct process *process, unsigned int fd, struct path *result)
{
	return path_of(process_program(process), result);
}

/* Returns what the process has of directories, with a reference. NULL: it is a zombie. */
static struct fs_context *process_fs(struct process *process)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *leader = process_leader(process);
	struct fs_context *fs = leader ? leader->fs : NULL;

	if (fs)
		atomic_inc(&fs->refs);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return fs;
}

static int cwd_link(struct process *process, unsigned int fd, struct path *result)
{
	struct fs_context *fs = process_fs(process);

	if (!fs)
		return -ENOENT;
	fs_context_get(fs, &fs->cwd, result);
	fs_context_put(fs);
	return 0;
}
PROC_ENTRY(pid_cwd, .path = "/pid/cwd", .mode = S_IFLNK | 0777, .link = cwd_link);

static int root_link(struct process *process, unsigned int fd, struct path *result)
{
	struct fs_context *fs = process_fs(process);

	if (!fs)
		return -ENOENT;
	fs_context_get(fs, &fs->root, result);
	fs_context_put(fs);
	return 0;
}
PROC_ENTRY(pid_root, .path = "/pid/root", .mode = S_IFLNK | 0777, .link = root_link);

/* Print the mounts that a process sees, with one of the functions of fs/names/mount.h. */
static int show_mounts_of(struct process *process, struct text *text,
			  void (*show)(struct text *, const struct path *root))
{
	struct path root;
	int error = root_link(process, 0, &root);

	if (error)
		return -EINVAL;
	show(text, &root);
	path_put(&root);
	return 0;
}

static int show_mounts(struct process *process, unsigned int number, struct text *text)
{
	return show_mounts_of(process, text, mounts_show);
}
PROC_ENTRY(pid_mounts, .path = "/pid/mounts", .mode = 0444, .show_process = show_mounts);

static int show_mount_info(struct process *process, unsigned int number, struct text *text)
{
	return show_mounts_of(process, text, mount_info_show);
}
PROC_ENTRY(pid_mountinfo, .path = "/pid/mountinfo", .mode = 0444, .show_process = show_mount_info);

/* What a descriptor's file is open for, and where it stands. */
static int show_fdinfo(struct process *process, unsigned int fd, struct text *text)
{
	struct file *file = process_file(process, fd);

	if (!file)
		return -ENOENT;
	text_printf(text, "pos:\t%lld\nflags:\t0%o\n", (long long)file->pos,
		    file->flags | (file->writable ? (file->readable ? O_RDWR : O_WRONLY) : 0));
	text_printf(text, "mnt_id:\t%u\nino:\t%llu\n", file->inode->sb->dev,
		    (unsigned long long)file->inode->number);
	if (file->ops->show)
		file->ops->show(file, text);
	file_put(file);
	return 0;
}
PROC_ENTRY(pid_fdinfo_N, .path = "/pid/fdinfo/N", .mode = 0400, .show_process = show_fdinfo);

PROC_ENTRY(pid_exe, .path = "/pid/exe", .mode = S_IFLNK | 0777, .link = exe_link);

static int proc_follow(struct inode *inode, struct path *result)
{
	struct process *process = inspect(inode, false);
	int error;

	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry_of(inode)->link(process, fd_of(inode), result);
	process_put(process);
	return error;
}

static ssize_t proc_readlink(struct inode *inode, char *buf, size_t size)
{
	struct path path;
	ssize_t len = proc_follow(inode, &path);
	char *text;

	if (len < 0)
		return len;
	text = path_text(&path, buf, size);
	len = PTR_ERR(text);
	if (!IS_ERR(text)) {
		len = strlen(text);
		memmove(buf, text, len + 1);
	}
	path_put(&path);
	return len;
}

static ssize_t self_readlink(struct inode *inode, char *buf, size_t size)
{
	return current->process ? snprintf(buf, size, "%u", current->process->pid) : -ENOENT;
}

static const struct inode_ops self_ops = { .readlink = self_readlink };

/* Each process may have a root directory of its own, and see other mounts. */
static ssize_t mounts_readlink(struct inode *inode, char *buf, size_t size)
{
	return snprintf(buf, size, "self/mounts");
}

static const struct inode_ops mounts_ops = { .readlink = mounts_readlink };

/* ---- directories ---- */

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

static bool is_thread(struct process *process, unsigned int tid)
{
	return next_thread(process, tid) == tid;
}

static bool proc_revalidate(struct inode *inode)
{
	const struct proc_entry *entry = entry_of(inode);
	bool is_fd = entry == &proc_file_pid_fd_link || entry == &proc_file_pid_fdinfo_N;
	struct process *process;
	struct file *file = NULL;
	bool hidden;

	if (!pid_of(inode))
		return true;
	process = process_find(pid_of(inode));
	if (!process)
		return false;
	/* Files of an undumpable process belong to root, except in its own eyes. inspect() decides. */
	hidden = process->undumpable && process != current->process;
	inode->uid = hidden ? 0 : process->cred.euid;
	inode->gid = hidden ? 0 : process->cred.egid;
	if (is_fd)
		file = process_file(process, fd_of(inode));
	else if (fd_of(inode) && !is_thread(process, fd_of(inode)))
		is_fd = true; /* neither is there */
	process_put(process);
	if (!file)
		return !is_fd;
	if (entry == &proc_file_pid_fd_link)
		inode->mode = S_IFLNK | (file->readable ? 0500 : 0) | (file->writable ? 0300 : 0);
	file_put(file);
	return true;
}

/*
 * Returns the number to begin with, in a directory where number 0 has position `base`. A search for
 * one name begins with that number, and so skips all lower ones.
 */
static unsigned int first_number(const struct dir_context *context, file_off_t base)
{
	const struct name *wanted = context->wanted;
	file_off_t first = MAX(context->pos - base, 0);

	for (unsigned int i = 0; wanted && i < wanted->len && first <= INT32_MAX; i++) {
		unsigned int digit = wanted->text[i] - '0';

		first = digit < 10 ? (i ? first * 10 : 0) + digit : INT64_MAX;
	}
	return MIN(first, (file_off_t)UINT32_MAX);
}

/*
 * Emit the name of a number, at position base + number. False: the buffer is full, or it is the only
 * one that is looked for.
 */
static bool emit_number(struct dir_context *context, file_off_t base, unsigned int number,
			uint64_t inode_number, unsigned int type)
{
	char name[12];

	context->pos = base + number;
	if (!context->emit(context, name, snprintf(name, sizeof(name), "%u", number), inode_number,
			   DT_OF_MODE(type)))
		return false;
	context->pos++;
	return !context->wanted;
}

static int fd_readdir(struct inode *dir, struct dir_context *context)
{
	const struct proc_entry *entry = entry_of(dir) == &proc_file_pid_fd
						 ? &proc_file_pid_fd_link
						 : &proc_file_pid_fdinfo_N;
	struct process *process = inspect(dir, false);
	struct file_table *files;
	bool room = true;

	if (IS_ERR(process))
		return PTR_ERR(process);
	files = process_files(process);
	for (unsigned int fd = first_number(context, 2);
	     files && room && fd < READ_ONCE(files->size); fd++) {
		struct file *file = file_table_get(files, fd);

		if (!file)
			continue;
		file_put(file);
		room = emit_number(context, 2, fd, number_of(entry, process->pid, fd),
				   entry->mode & S_IFMT ?: S_IFREG);
	}
	file_table_put(files);
	process_put(process);
	return 0;
}

static int task_readdir(struct inode *dir, struct dir_context *context)
{
	struct process *process = inspect(dir, true);
	unsigned int tid = first_number(context, 2);

	if (IS_ERR(process))
		return PTR_ERR(process);
	while ((tid = next_thread(process, tid)) > 0) {
		if (!emit_number(context, 2, tid,
				 number_of(&proc_file_pid_task_N, process->pid, tid), S_IFDIR))
			break;
		tid++;
	}
	process_put(process);
	return 0;
}

static void pid_readdir(struct dir_context *context)
{
	unsigned int pid = first_number(context, PID_COOKIES);

	while ((pid = next_pid(pid)) > 0) {
		if (!emit_number(context, PID_COOKIES, pid, number_of(&proc_file_pid, pid, 0),
				 S_IFDIR))
			return;
		pid++;
	}
}

static int proc_readdir(struct dentry *dentry, struct dir_context *context)
{
	struct inode *dir = dentry->inode;
	const struct proc_entry *entry = entry_of(dir);
	const struct place *place;

	if (!dir_emit_dots(context, dir->number, dentry->parent->inode->number))
		return 0;
	if (entry == &proc_file_pid_fd || entry == &proc_file_pid_fdinfo)
		return fd_readdir(dir, context);
	if (entry == &proc_file_pid_task)
		return task_readdir(dir, context);
	for (place = place_of(entry)->first; place; place = place->next) {
		unsigned int at = place - places;
		const struct proc_entry *child = &_proc_files_start[at];

		if (at + 2 < context->pos || (child->exists && !child->exists()))
			continue;
		context->pos = at + 2;
		if (!context->emit(context, place->name, strlen(place->name),
				   number_of(child, pid_of(dir), fd_of(dir)),
				   DT_OF_MODE(child->mode ?: S_IFREG)))
			return 0;
		context->pos++;
	}
	if (entry == &proc_file_root)
		pid_readdir(context);
	return 0;
}

/* Shells open files with O_TRUNC to write to them. */
static int proc_truncate(struct inode *inode, file_off_t size)
{
	return size ? -EINVAL : 0;
}

static const struct inode_ops proc_ops = {
	.readdir = proc_readdir,
	.revalidate = proc_revalidate,
	.readlink = proc_readlink,
	.follow = proc_follow,
	.truncate = proc_truncate,
};

/* ---- text ---- */

struct reader {
	struct mutex lock;
	char *buf; /* from vmalloc; NULL: not printed yet */
	size_t len;
};

static int print(struct inode *inode, struct text *text)
{
	const struct proc_entry *entry = entry_of(inode);
	struct process *process;
	int error;

	if (entry->show) {
		entry->show(text);
		return 0;
	}
	if (!entry->show_process)
		return -EINVAL;
	process = inspect(inode, entry->mode & 0044);
	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry->show_process(process, fd_of(inode), text);
	process_put(process);
	return error;
}

/* Print the file. reader->lock is held. */
static int reader_fill(struct reader *reader, struct inode *inode)
{
	int error = -EFBIG;

	vfree(reader->buf);
	reader->buf = NULL;
	for (size_t size = TEXT_FIRST; size <= TEXT_MAX; size *= TEXT_GROWTH) {
		struct text text = { .buf = vmalloc(size, 0), .size = size };

		error = text.buf ? print(inode, &text) : -ENOMEM;
		if (!error && !text.full) {
			reader->buf = text.buf;
			reader->len = text.len;
			return 0;
		}
		vfree(text.buf);
		if (error)
			break;
	}
	return error;
}

static int text_open(struct inode *inode, struct file *file)
{
	struct reader *reader = kzalloc(sizeof(*reader), 0);

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock, "proc reader");
	file->private = reader;
	return 0;
}

static ssize_t text_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct reader *reader = file->private;
	ssize_t done = mutex_lock_killable(&reader->lock);

	if (done)
		return done;
	if (!reader->buf || *pos == 0)
		done = reader_fill(reader, file->inode);
	if (done == 0 && *pos < (file_off_t)reader->len) {
		size_t n = MIN(reader->len - (size_t)*pos, to->left);

		done = iter_copy_to(to, reader->buf + *pos, n);
		if (done == 0 && n > 0)
			done = -EFAULT;
		else
			*pos += done;
	}
	mutex_unlock(&reader->lock);
	return done;
}

static void text_release(struct file *file)
{
	struct reader *reader = file->private;

	vfree(reader->buf);
	kfree(reader);
}

static int store(struct inode *inode, char *input, size_t len)
{
	const struct proc_entry *entry = entry_of(inode);
	struct process *process;
	int error;

	if (entry->store)
		return entry->store(input, len);
	/* The mode and the owner of the file have said that the task may write. */
	process = inspect(inode, true);
	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry->store_process(process, fd_of(inode), input, len);
	process_put(process);
	return error;
}

static ssize_t text_write(struct file *file, struct iter *from, file_off_t *pos)
{
	const struct proc_entry *entry = entry_of(file->inode);
	size_t len = from->left;
	char *input;
	int error = -EFAULT;

	if ((!entry->store && !entry->store_process) || len >= PAGE_SIZE)
		return -EINVAL;
	input = kzalloc(len + 1, 0);
	if (!input)
		return -ENOMEM;
	if (iter_copy_from(from, input, len) == len)
		error = store(file->inode, input, len);
	kfree(input);
	return error ? error : (ssize_t)len;
}

static const struct file_ops proc_text_ops = {
	.open = text_open,
	.release = text_release,
	.read = text_read,
	.write = text_write,
	.llseek = generic_llseek,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

/* ---- bytes ---- */

static int bytes_open(struct inode *inode, struct file *file)
{
	struct process *process = inspect(inode, false);

	if (IS_ERR(process))
		return PTR_ERR(process);
	process_put(process);
	return 0;
}

static ssize_t transfer(struct file *file, struct iter *iter, file_off_t *pos, bool write)
{
	struct process *process = inspect(file->inode, false);
	ssize_t done;

	if (IS_ERR(process))
		return PTR_ERR(process);
	done = entry_of(file->inode)->transfer(process, iter, pos, write);
	process_put(process);
	return done;
}

static ssize_t bytes_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return transfer(file, to, pos, false);
}

static ssize_t bytes_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return transfer(file, from, pos, true);
}

static const struct file_ops proc_bytes_ops = {
	.open = bytes_open,
	.read = bytes_read,
	.write = bytes_write,
	.llseek = generic_llseek,
};

/* ---- the file system ---- */

static const struct super_ops proc_super_ops = { .read_inode = proc_read_inode };

static int proc_mount(struct super_block *sb, const char *options)
{
	if (*options)
		return -EINVAL;
	sb->ops = &proc_super_ops;
	return super_set_root(sb, inode_get_number(sb, number_of(&proc_file_root, 0, 0)));
}

FILE_SYSTEM(proc, .magic = PROC_MAGIC, .mount = proc_mount);

/* ---- sysfs: the entries below "/sys" ---- */

PROC_ENTRY(sysfs, .path = "/sys", .mode = S_IFDIR | 0555);

static int sysfs_mount(struct super_block *sb, const char *options)
{
	if (*options)
		return -EINVAL;
	sb->ops = &proc_super_ops;
	return super_set_root(sb, inode_get_number(sb, number_of(&proc_file_sysfs, 0, 0)));
}

FILE_SYSTEM(sysfs, .magic = SYSFS_MAGIC, .mount = sysfs_mount);
