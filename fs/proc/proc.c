/*
 * The file systems "proc" and "sysfs": files that print themselves. Here are their names and
 * inodes. What the files contain is read in fs/proc/text.c, and the names of descriptors and
 * threads are in fs/proc/process.c.
 *
 * 1. All names are in one table (PROC_ENTRY), including directories. Each process has the names
 *    below "/pid".
 * 2. A name of a process or descriptor is valid only as long as these exist (revalidate). Its owner
 *    and mode are set again at the same time.
 * 3. Descriptors, maps and the program let the reader act as the process could. They may be used by
 *    root, and by processes that have the same user and group ids, and all its capabilities.
 */
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "fs/names/path.h"
#include "fs/proc/proc_internal.h"
#include "kernel/init.h"
#include "kernel/process/credentials.h"
#include "lib/string.h"

#define PROC_MAGIC  0x9fa0
#define SYSFS_MAGIC 0x62656572
#define PID_COOKIES 0x10000 /* readdir positions of processes begin here */

static int pid_readdir(struct inode *dir, struct dir_context *context);
static ssize_t self_text(char *buf, size_t size);
static ssize_t thread_self_text(char *buf, size_t size);
static ssize_t mounts_text(char *buf, size_t size);

PROC_ENTRY(root, .path = "", .mode = S_IFDIR | 0555, .numbers = pid_readdir);
PROC_ENTRY(self, .path = "self", .mode = S_IFLNK | 0777, .text = self_text);
PROC_ENTRY(thread_self, .path = "thread-self", .mode = S_IFLNK | 0777, .text = thread_self_text);
PROC_ENTRY(mounts, .path = "mounts", .mode = S_IFLNK | 0777, .text = mounts_text);
PROC_ENTRY(sys, .path = "sys", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_fs, .path = "sys/fs", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_vm, .path = "sys/vm", .mode = S_IFDIR | 0555);
PROC_ENTRY(sys_kernel, .path = "sys/kernel", .mode = S_IFDIR | 0555);
PROC_ENTRY(pid, .path = "/pid", .mode = S_IFDIR | 0555);

/* ---- entries and inodes ---- */

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
 * The place of each entry among the names. A directory is read, and searched for a name, by going
 * through its entries, so they are found only once, at boot.
 */
static struct place {
	const char *name;
	bool is_number;		   /* "N" stands for the numbers of descriptors or threads */
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
			place_of(entry)->is_number = !strcmp(name, "N");
			place_of(entry)->next = place_of(dir)->first;
			place_of(dir)->first = place_of(entry);
		}
}
INITCALL(2, find_places);

static const struct inode_ops proc_ops, text_link_ops;

static int proc_read_inode(struct inode *inode)
{
	const struct proc_entry *entry = entry_of(inode);

	inode->mode = entry->mode & S_IFMT ? entry->mode : S_IFREG | entry->mode;
	inode->ops = entry->text ? &text_link_ops : &proc_ops;
	inode->file_ops = entry == &proc_file_pid ? &pid_dir_file_ops
			  : S_ISDIR(inode->mode)  ? &dir_file_ops
			  : entry->transfer	  ? &proc_bytes_ops
						  : &proc_text_ops;
	inode->nr_links = S_ISDIR(inode->mode) ? 2 : 1;
	return 0;
}

/* ---- processes ---- */

struct process *proc_inspect(const struct inode *inode, bool for_all)
{
	struct process *process = process_find(pid_of(inode));

	if (!process)
		return ERR_PTR(-ESRCH);
	if (for_all || process_may_inspect(process))
		return process;
	process_put(process);
	return ERR_PTR(-EACCES);
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

/*
 * Is there the descriptor or the thread of an inode still? A link to a descriptor's file has its
 * permissions.
 */
static bool number_exists(struct inode *inode, struct process *process)
{
	const struct proc_entry *entry = entry_of(inode);
	struct file *file;

	if (!entry->of_descriptor)
		return !number_in(inode) || process_has_thread(process, number_in(inode));
	file = process_file(process, number_in(inode));
	if (!file)
		return false;
	if (entry->link)
		inode->mode = S_IFLNK | (file->readable ? 0500 : 0) | (file->writable ? 0300 : 0);
	file_put(file);
	return true;
}

static bool proc_revalidate(struct inode *inode)
{
	struct process *process;
	bool hidden, exists;

	if (!pid_of(inode))
		return true;
	process = process_find(pid_of(inode));
	if (!process)
		return false;
	/*
	 * Files of an undumpable process belong to root, except in its own eyes. proc_inspect()
	 * decides.
	 */
	hidden = process->undumpable && process != current->process;
	inode->uid = hidden ? 0 : process->cred.euid;
	inode->gid = hidden ? 0 : process->cred.egid;
	exists = number_exists(inode, process);
	process_put(process);
	return exists;
}

/* ---- links ---- */

static int proc_follow(struct inode *inode, struct path *result)
{
	struct process *process = proc_inspect(inode, false);
	int error;

	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry_of(inode)->link(process, number_in(inode), result);
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

static ssize_t self_text(char *buf, size_t size)
{
	return current->process ? snprintf(buf, size, "%u", current->process->pid) : -ENOENT;
}

static ssize_t thread_self_text(char *buf, size_t size)
{
	if (!current->process)
		return -ENOENT;
	return snprintf(buf, size, "%u/task/%u", current->process->pid, current->tid);
}

/* Each process may have a root directory of its own, and see other mounts. */
static ssize_t mounts_text(char *buf, size_t size)
{
	return snprintf(buf, size, "self/mounts");
}

static ssize_t text_readlink(struct inode *inode, char *buf, size_t size)
{
	return entry_of(inode)->text(buf, size);
}

static const struct inode_ops text_link_ops = { .readlink = text_readlink };

/* ---- directories ---- */

unsigned int proc_first_number(const struct dir_context *context, file_off_t base)
{
	const struct name *wanted = context->wanted;
	file_off_t first = MAX(context->pos - base, 0);

	for (unsigned int i = 0; wanted && i < wanted->len && first <= INT32_MAX; i++) {
		unsigned int digit = wanted->text[i] - '0';

		first = digit < 10 ? (i ? first * 10 : 0) + digit : INT64_MAX;
	}
	return MIN(first, (file_off_t)UINT32_MAX);
}

bool proc_emit_number(struct dir_context *context, file_off_t base, unsigned int number,
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

static int pid_readdir(struct inode *dir, struct dir_context *context)
{
	unsigned int pid = proc_first_number(context, PID_COOKIES);

	while ((pid = next_pid(pid)) > 0) {
		if (!proc_emit_number(context, PID_COOKIES, pid, number_of(&proc_file_pid, pid, 0),
				      S_IFDIR))
			break;
		pid++;
	}
	return 0;
}

static int proc_readdir(struct dentry *dentry, struct dir_context *context)
{
	struct inode *dir = dentry->inode;
	const struct proc_entry *entry = entry_of(dir);
	const char first = context->wanted ? context->wanted->text[0] : 0;
	const struct place *place;

	if (!proc_revalidate(dir))
		return context->wanted && entry == &proc_file_pid ? -ESRCH : -ENOENT;
	if (!dir_emit_dots(context, dir->number, dentry->parent->inode->number))
		return 0;
	for (place = place_of(entry)->first; place; place = place->next) {
		unsigned int at = place - places;
		const struct proc_entry *child = &_proc_files_start[at];

		if (first && place->name[0] != first)
			continue;
		if (at + 2 < context->pos || place->is_number ||
		    (child->exists && !child->exists()))
			continue;
		context->pos = at + 2;
		if (!context->emit(context, place->name, strlen(place->name),
				   number_of(child, pid_of(dir), number_in(dir)),
				   DT_OF_MODE(child->mode & S_IFMT ? child->mode : S_IFREG)))
			return 0;
		context->pos++;
	}
	return entry->numbers ? entry->numbers(dir, context) : 0;
}

/* Shells open files with O_TRUNC to write to them. */
static int proc_truncate(struct inode *inode, file_off_t size)
{
	return size ? -EINVAL : 0;
}

/* In /proc/sys, the modes say what can be set at all. */
static unsigned int proc_fixed(const struct inode *inode)
{
	const char *path = entry_of(inode)->path;

	if (!strncmp(path, "sys", 3) && (path[3] == '/' || !path[3]))
		return FIXED_MODE | FIXED_OWNER | FIXED_USE;
	return pid_of(inode) ? FIXED_MODE : 0;
}

static const struct inode_ops proc_ops = {
	.fixed = proc_fixed,
	.readdir = proc_readdir,
	.revalidate = proc_revalidate,
	.readlink = proc_readlink,
	.follow = proc_follow,
	.truncate = proc_truncate,
};

/* ---- the file system ---- */

/*
 * A file has its own number also in 32 bits, except that descriptors from SHOWN_FDS on have those
 * of others. A thread has its number in the whole system, so that of its process is left out.
 *
 *	bit 31	30 ... 16	  15	 14	13 ... 0
 *	1	process or thread thread link	descriptor
 *		23 ... 9	  8		7 ... 0
 *	0	process or thread thread	entry
 */
#define SHOWN_FDS (1u << 14)
_Static_assert(PID_MAX <= 1u << 15, "the number of a thread has 15 bits");

static uint32_t proc_shown_number(uint64_t number)
{
	const struct proc_entry *entry = entry_in(number);
	uint32_t pid = number >> (NUMBER_BITS + ENTRY_BITS), rest = number >> ENTRY_BITS;
	uint32_t thread = entry->of_descriptor ? rest >> FD_BITS : rest;
	uint32_t id = (thread ? thread : pid) << 1 | (thread != 0);

	if (!entry->of_descriptor)
		return id << ENTRY_BITS | (uint32_t)(number & ((1u << ENTRY_BITS) - 1));
	return 1u << 31 | id << 15 | (entry->link ? SHOWN_FDS : 0) | (rest & (SHOWN_FDS - 1));
}

static const struct super_ops proc_super_ops = { .read_inode = proc_read_inode,
						 .shown_number = proc_shown_number };

static int proc_mount(struct super_block *sb, const char *options)
{
	if (*options)
		return -EINVAL;
	sb->ops = &proc_super_ops;
	sb->makes_names = true;
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
