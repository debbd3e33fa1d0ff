/*
 * devpts: the file system of /dev/pts, with a node for each pseudo-terminal.
 *
 * 1. Names come and go with the pseudo-terminals, so nothing is stored here. Every mount shows the
 *    same ones.
 * 2. An inode's number holds the index of its pty and a part of its generation. So the name of a
 *    pty that is gone is no longer valid (revalidate), even if a new pty has its index.
 * 3. Owner and mode are those of the options when a node is first looked at. Later changes of them
 *    (chmod, chown) last as long as the pty, which keeps its inode.
 */
#include "drivers/tty/pty.h"
#include "fs/file/open_file.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

#define DEVPTS_MAGIC 0x1cd1

enum { ROOT_NUMBER = 1, PTMX_NUMBER, FIRST_NUMBER };
#define INDEX_BITS 10

struct devpts { /* super_block->private */
	bool has_uid, has_gid;
	unsigned int uid, gid, mode, ptmx_mode;
};

static uint64_t number_of(const struct pty *pty)
{
	return (uint64_t)pty->generation << INDEX_BITS | (pty->index + FIRST_NUMBER);
}

/* Returns the pty of an inode with a reference to its tty, or NULL. */
static struct pty *pty_of_number(uint64_t number)
{
	unsigned int low = number & ((1u << INDEX_BITS) - 1);

	return low < FIRST_NUMBER ? NULL : pty_find(low - FIRST_NUMBER, number >> INDEX_BITS);
}

/* Emit the names from `from` on. */
static void emit_ptys(struct dir_context *context, unsigned int from)
{
	for (unsigned int index = from; index < PTY_MAX; index++) {
		struct pty *pty = pty_find(index, 0);
		char name[12];
		bool more;

		if (!pty)
			continue;
		context->pos = FIRST_NUMBER + index;
		more = context->emit(context, name, snprintf(name, sizeof(name), "%u", index),
				     number_of(pty), DT_OF_MODE(S_IFCHR));
		tty_put(&pty->tty);
		if (!more)
			return;
		context->pos++;
	}
	context->pos = FIRST_NUMBER + PTY_MAX;
}

static int devpts_readdir(struct dentry *dir, struct dir_context *context)
{
	if (!dir_emit_dots(context, ROOT_NUMBER, dir->parent->inode->number))
		return 0;
	if (context->pos <= PTMX_NUMBER) {
		context->pos = PTMX_NUMBER;
		if (!context->emit(context, "ptmx", 4, PTMX_NUMBER, DT_OF_MODE(S_IFCHR)))
			return 0;
		context->pos++;
	}
	emit_ptys(context, context->pos - FIRST_NUMBER);
	return 0;
}

static bool devpts_revalidate(struct inode *inode)
{
	struct pty *pty;

	if (inode->number < FIRST_NUMBER)
		return true;
	pty = pty_of_number(inode->number);
	if (pty)
		tty_put(&pty->tty);
	return pty != NULL;
}

static const struct inode_ops devpts_ops = {
	.readdir = devpts_readdir,
	.revalidate = devpts_revalidate,
};

static void init_node(struct inode *inode, struct pty *pty, const struct devpts *options)
{
	inode->mode = S_IFCHR | options->mode;
	inode->rdev = pty->tty.device;
	inode->uid = options->has_uid ? options->uid : pty->uid;
	inode->gid = options->has_gid ? options->gid : pty->gid;
	inode->private = (void *)(uintptr_t)pty->generation;
	inode->file_ops = &pty_node_ops;
	pty_keep_node(pty, inode);
}

static int devpts_read_inode(struct inode *inode)
{
	const struct devpts *options = inode->sb->private;
	struct pty *pty;

	inode->ops = &devpts_ops;
	if (inode->number == ROOT_NUMBER) {
		inode->mode = S_IFDIR | 0755;
		inode->nr_links = 2;
		inode->file_ops = &memory_dir_file_ops;
		return 0;
	}
	if (inode->number == PTMX_NUMBER) {
		inode_init_special(inode, S_IFCHR | options->ptmx_mode, MAKEDEV(5, 2));
		return 0;
	}
	pty = pty_of_number(inode->number);
	if (!pty)
		return -ENOENT;
	init_node(inode, pty, options);
	tty_put(&pty->tty);
	return 0;
}

static const struct super_ops devpts_super_ops = { .read_inode = devpts_read_inode };

/* ---- mounting ---- */

/*
 * Parse a number, in that base, up to a comma or the end. Returns what follows, or NULL if there is
 * no number.
 */
static const char *parse_number(const char *text, unsigned int base, unsigned int *value)
{
	const char *at = text;

	for (*value = 0; *at >= '0' && *at < '0' + (int)base && at - text < 9; at++)
		*value = *value * base + (*at - '0');
	if (at == text || (*at && *at != ','))
		return NULL;
	return *at ? at + 1 : at;
}

static const char *parse_option(struct devpts *options, const char *option)
{
	if (!strncmp(option, "uid=", 4)) {
		options->has_uid = true;
		return parse_number(option + 4, 10, &options->uid);
	}
	if (!strncmp(option, "gid=", 4)) {
		options->has_gid = true;
		return parse_number(option + 4, 10, &options->gid);
	}
	if (!strncmp(option, "mode=", 5))
		return parse_number(option + 5, 8, &options->mode);
	if (!strncmp(option, "ptmxmode=", 9))
		return parse_number(option + 9, 8, &options->ptmx_mode);
	return NULL;
}

static int devpts_mount(struct super_block *sb, const char *text)
{
	struct devpts *options = kzalloc(sizeof(*options), 0);
	struct inode *root;

	if (!options)
		return -ENOMEM;
	options->mode = 0600;
	sb->private = options;
	while (text && *text)
		text = parse_option(options, text);
	if (!text)
		return refuse(EINVAL, "a devpts option that is not supported");
	options->mode &= 07777;
	options->ptmx_mode &= 07777;
	sb->ops = &devpts_super_ops;
	root = inode_get_number(sb, ROOT_NUMBER);
	return super_set_root(sb, root);
}

FILE_SYSTEM(devpts, .magic = DEVPTS_MAGIC, .mount = devpts_mount);
