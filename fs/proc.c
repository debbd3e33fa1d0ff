/*
 * The file system "proc": files that print themselves.
 *
 * 1. Registered files (PROC_FILE) and the directories on the way to them are nodes of a tree that
 *    is made once, at boot, and never changes. Inodes are made from it when they are asked for;
 *    inode->private is the node.
 * 2. A file that is read from its start is printed into a buffer of the open file, as large as it
 *    takes; what is read behind it comes from that buffer. So a reader with a small buffer sees one
 *    state, not a mix.
 * 3. reader->lock serialises those who share an open file. It is held across copies to the user: no
 *    page fault leads here.
 * 4. The directories of processes are in fs/proc_pid.c.
 */
#include "fs/proc_internal.h"
#include "fs/splice.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define PROC_MAGIC   0x9fa0
#define TEXT_FIRST   4096u /* size of the first buffer; it grows by GROWTH */
#define TEXT_GROWTH  4u
#define TEXT_MAX     (4u << 20)
#define FIRST_COOKIE 2
#define PID_COOKIES  0x10000 /* readdir positions of processes begin here */

struct node {
	const char *name; /* not terminated */
	unsigned int len, number;
	const struct proc_entry *entry; /* NULL: a directory */
	struct node *parent;
	struct list children, sibling;
};

extern const struct proc_entry _proc_files_start[], _proc_files_end[];

static struct node root_node = {
	.name = "",
	.number = PROC_ROOT_NUMBER,
	.parent = &root_node,
	.children = LIST_INIT(root_node.children),
	.sibling = LIST_INIT(root_node.sibling),
};
static const struct inode_ops dir_ops;
static const struct file_ops dir_file_ops;

/* ---- text ---- */

struct reader {
	struct mutex lock;
	int (*show)(struct inode *inode, struct text *text);
	char *buf;
	size_t size, len;
};

static char *buffer_alloc(size_t size)
{
	return size <= TEXT_FIRST ? kmalloc(size, 0) : vmalloc(size);
}

static void buffer_free(char *buf, size_t size)
{
	if (size <= TEXT_FIRST)
		kfree(buf);
	else
		vfree(buf);
}

static void reader_drop(struct reader *reader)
{
	if (reader->buf)
		buffer_free(reader->buf, reader->size);
	reader->buf = NULL;
}

/* Print the file. lock is held. */
static int reader_fill(struct reader *reader, struct inode *inode)
{
	reader_drop(reader);
	for (size_t size = TEXT_FIRST; size <= TEXT_MAX; size *= TEXT_GROWTH) {
		struct text text = { .buf = buffer_alloc(size), .size = size };
		int error;

		if (!text.buf)
			return -ENOMEM;
		error = reader->show(inode, &text);
		if (!error && !text.full) {
			reader->buf = text.buf;
			reader->size = size;
			reader->len = text.len;
			return 0;
		}
		buffer_free(text.buf, size);
		if (error)
			return error;
	}
	return -EFBIG;
}

int proc_text_open(struct file *file, int (*show)(struct inode *inode, struct text *text))
{
	struct reader *reader = kzalloc(sizeof(*reader), 0);

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock, "proc reader");
	reader->show = show;
	file->private = reader;
	return 0;
}

ssize_t proc_text_read(struct file *file, struct iter *to, file_off_t *pos)
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

void proc_text_release(struct file *file)
{
	reader_drop(file->private);
	kfree(file->private);
}

/* ---- registered files ---- */

static const struct proc_entry *entry_of(const struct inode *inode)
{
	const struct node *node = inode->private;

	return node->entry;
}

static int entry_show(struct inode *inode, struct text *text)
{
	const struct proc_entry *entry = entry_of(inode);

	if (!entry->show)
		return -EINVAL;
	entry->show(text);
	return 0;
}

static int entry_open(struct inode *inode, struct file *file)
{
	return proc_text_open(file, entry_show);
}

static ssize_t entry_write(struct file *file, struct iter *from, file_off_t *pos)
{
	const struct proc_entry *entry = entry_of(file->inode);
	size_t len = from->left;
	char *input;
	int error;

	if (!entry->store || len >= PAGE_SIZE)
		return -EINVAL;
	input = kmalloc(len + 1, 0);
	if (!input)
		return -ENOMEM;
	error = -EFAULT;
	if (iter_copy_from(from, input, len) == len) {
		input[len] = 0;
		error = entry->store(input, len);
	}
	kfree(input);
	return error ? error : (ssize_t)len;
}

static const struct file_ops text_file_ops = {
	.open = entry_open,
	.release = proc_text_release,
	.read = proc_text_read,
	.write = entry_write,
	.llseek = generic_llseek,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

/* Shells open files with O_TRUNC to write to them. */
static int text_truncate(struct inode *inode, file_off_t size)
{
	return size ? -EINVAL : 0;
}

static const struct inode_ops text_inode_ops = { .truncate = text_truncate };

/* ---- the tree ---- */

static struct node *node_child(const struct node *dir, const char *name, unsigned int len)
{
	struct node *child;

	list_for_each(child, &dir->children, sibling)
		if (child->len == len && !memcmp(child->name, name, len))
			return child;
	return NULL;
}

static struct node *node_add(struct node *dir, const char *name, unsigned int len)
{
	static unsigned int last_number = PROC_ROOT_NUMBER;
	struct node *node = kzalloc(sizeof(*node), 0);

	if (!node)
		panic("no memory for /proc/%s", name);
	node->name = name;
	node->len = len;
	node->number = ++last_number;
	node->parent = dir;
	list_init(&node->children);
	list_add_tail(&dir->children, &node->sibling);
	return node;
}

static void __init proc_init(void)
{
	for (const struct proc_entry *entry = _proc_files_start; entry < _proc_files_end; entry++) {
		struct node *dir = &root_node;
		const char *name = entry->path, *slash;

		while ((slash = strchr(name, '/'))) {
			struct node *child = node_child(dir, name, slash - name);

			dir = child ? child : node_add(dir, name, slash - name);
			name = slash + 1;
		}
		node_add(dir, name, strlen(name))->entry = entry;
	}
}
INITCALL(3, proc_init);

struct inode *proc_inode(struct super_block *sb, uint64_t number, unsigned int mode,
			 const struct inode_ops *ops, const struct file_ops *file_ops,
			 void *private)
{
	bool fresh;
	struct inode *inode = inode_get_number(sb, number, &fresh);

	if (IS_ERR(inode) || !fresh)
		return inode;
	inode->mode = mode;
	inode->ops = ops;
	inode->file_ops = file_ops;
	inode->private = private;
	if (S_ISDIR(mode))
		inode->nr_links = 2;
	inode_ready(inode);
	return inode;
}

static struct inode *node_inode(struct super_block *sb, struct node *node)
{
	if (node->entry)
		return proc_inode(sb, node->number, S_IFREG | node->entry->mode, &text_inode_ops,
				  &text_file_ops, node);
	return proc_inode(sb, node->number, S_IFDIR | 0555, &dir_ops, &dir_file_ops, node);
}

static struct inode *dir_lookup(struct inode *dir, struct dentry *dentry)
{
	const struct node *node = dir->private;
	struct node *child = node_child(node, dentry->name, dentry->name_len);

	if (child)
		return node_inode(dir->sb, child);
	return node == &root_node ? proc_pid_lookup(dir->sb, dentry->name, dentry->name_len) : NULL;
}

static bool dir_revalidate(struct inode *dir, struct dentry *dentry)
{
	return dir->private != &root_node || proc_pid_valid(dentry);
}

static int dir_readdir(struct file *file, struct dir_context *context)
{
	const struct node *dir = file->inode->private;
	const struct node *child;
	file_off_t cookie = FIRST_COOKIE;

	if (!dir_emit_dots(context, dir->number, dir->parent->number))
		return 0;
	list_for_each(child, &dir->children, sibling) {
		if (cookie++ < context->pos)
			continue;
		if (!context->emit(context, child->name, child->len, child->number,
				   DT_OF_MODE(child->entry ? S_IFREG : S_IFDIR)))
			return 0;
		context->pos = cookie;
	}
	return dir == &root_node ? proc_pid_readdir(context, PID_COOKIES) : 0;
}

static const struct inode_ops dir_ops = {
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
};

static const struct file_ops dir_file_ops = {
	.llseek = generic_llseek,
	.readdir = dir_readdir,
};

/* ---- the file system ---- */

static const struct super_ops proc_super_ops;

static int proc_mount(struct super_block *sb, const char *options)
{
	struct inode *root;

	if (*options)
		return -EINVAL;
	sb->ops = &proc_super_ops;
	root = node_inode(sb, &root_node);
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->root = dentry_make_root(sb, root);
	return sb->root ? 0 : -ENOMEM;
}

FILE_SYSTEM(proc, .magic = PROC_MAGIC, .mount = proc_mount);
