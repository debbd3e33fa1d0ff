/*
 * Inodes in memory.
 *
 * 1. inode_lock guards the hash by (file system, number), the lists of inodes of each file system,
 *    and `state`. refs becomes zero only under it, unless the inode is on no list: nobody can find
 *    it then.
 * 2. An inode leaves memory with its last reference: without links its storage is freed, else its
 *    dirty pages are written. It stays in the hash, INODE_LEAVING, until that is done: whoever
 *    looks for its number waits, and then reads it anew. So nobody reads from disk what is still
 *    being written there.
 * 3. A fresh inode is in the hash, INODE_FRESH, while its file system reads it; others wait for it
 *    too.
 * 4. Anonymous inodes (pipes, sockets, block devices) belong to a pseudo file system without mount.
 */
#include "lib/string.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "mm/slab.h"
#include "fs/pipe.h"
#include "fs/vfs_internal.h"

#define INODE_HASH_SIZE 512u /* a power of two */

enum inode_state {
	INODE_FRESH = 1,   /* its file system reads it */
	INODE_LEAVING = 2, /* being written or deleted; takes no references */
	INODE_FAILED = 4,  /* could not be read; leaves without being written or deleted */
};

static spinlock_t inode_lock = SPINLOCK_INIT("inode");
static struct list inode_hash[INODE_HASH_SIZE];
static struct slab_cache *inode_cache;
static struct wait_queue state_changed = WAIT_QUEUE_INIT(state_changed); /* state */
static struct atomic next_anonymous = ATOMIC_INIT(0);

static const struct super_ops pseudo_super_ops;
static const struct file_system pseudo_type = { .name = "anon" };
static struct super_block pseudo_sb = {
	.type = &pseudo_type,
	.ops = &pseudo_super_ops,
	.block_size = PAGE_SIZE,
	.inodes = LIST_INIT(pseudo_sb.inodes),
};

static struct list *hash_chain(const struct super_block *sb, uint64_t number)
{
	unsigned int key = (unsigned int)number * 2654435761u ^ (uintptr_t)sb >> 4;

	return &inode_hash[(key ^ key >> 16) & (INODE_HASH_SIZE - 1)];
}

/*
 * A 64-bit load or store is two instructions on this CPU; a locked exchange of all eight bytes
 * is one.
 */
file_off_t inode_size(struct inode *inode)
{
	return __sync_val_compare_and_swap(&inode->size, 0, 0);
}

void inode_set_size(struct inode *inode, file_off_t size)
{
	file_off_t old = inode->size;
	file_off_t seen;

	while ((seen = __sync_val_compare_and_swap(&inode->size, old, size)) != old)
		old = seen;
}

struct inode *inode_alloc(struct super_block *sb)
{
	struct inode *inode = slab_alloc(inode_cache, ALLOC_ZERO);

	if (!inode)
		return NULL;
	inode->sb = sb ? sb : &pseudo_sb;
	inode->nr_links = 1;
	inode->atime = inode->mtime = inode->ctime = time_wall_spec();
	atomic_set(&inode->refs, 1);
	mutex_init(&inode->lock, "inode");
	mapping_init(&inode->mapping, inode, NULL);
	list_init(&inode->hash_link);
	list_init(&inode->sb_link);
	if (sb) {
		spin_lock(&inode_lock);
		list_add_tail(&sb->inodes, &inode->sb_link);
		spin_unlock(&inode_lock);
	}
	return inode;
}

struct inode *inode_anonymous(unsigned int mode, const char *kind)
{
	struct inode *inode = inode_alloc(NULL);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->number = (unsigned int)atomic_add_return(&next_anonymous, 1);
	inode->mode = mode;
	inode->kind = kind;
	inode->uid = current_uid();
	inode->gid = current_gid();
	return inode;
}

void inode_init_owner(struct inode *inode, const struct inode *dir, unsigned int mode)
{
	inode->uid = current_uid();
	inode->gid = current_gid();
	if (dir && dir->mode & S_ISGID) {
		inode->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	inode->mode = mode;
}

static struct inode *hash_find(struct list *chain, struct super_block *sb, uint64_t number)
{
	struct inode *inode;

	lockdep_held(&inode_lock);
	list_for_each(inode, chain, hash_link)
		if (inode->sb == sb && inode->number == number)
			return inode;
	return NULL;
}

static bool number_has_left(struct super_block *sb, uint64_t number)
{
	struct inode *inode;
	bool leaving;

	spin_lock(&inode_lock);
	inode = hash_find(hash_chain(sb, number), sb, number);
	leaving = inode && inode->state & INODE_LEAVING;
	spin_unlock(&inode_lock);
	return !leaving;
}

/*
 * Wait until a found inode is ready: it, or NULL (its reference dropped) if it could not be
 * read.
 */
static struct inode *inode_wait_ready(struct inode *inode)
{
	wait_event(&state_changed, !(READ_ONCE(inode->state) & INODE_FRESH));
	if (!(inode->state & INODE_FAILED))
		return inode;
	inode_put(inode);
	return NULL;
}

struct inode *inode_get_number(struct super_block *sb, uint64_t number, bool *fresh)
{
	struct list *chain = hash_chain(sb, number);
	struct inode *new = NULL;

	*fresh = false;
	for (;;) {
		struct inode *inode;
		bool leaving;

		spin_lock(&inode_lock);
		inode = hash_find(chain, sb, number);
		leaving = inode && inode->state & INODE_LEAVING;
		if (inode && !leaving)
			inode_get(inode);
		if (!inode && new) {
			new->number = number;
			new->state = INODE_FRESH;
			list_add(chain, &new->hash_link);
			spin_unlock(&inode_lock);
			*fresh = true;
			return new;
		}
		spin_unlock(&inode_lock);
		if (leaving) {
			wait_event(&state_changed, number_has_left(sb, number));
		} else if (inode) {
			inode = inode_wait_ready(inode);
			if (inode) {
				if (new)
					inode_put(new);
				return inode;
			}
		} else {
			new = inode_alloc(sb);
			if (!new)
				return ERR_PTR(-ENOMEM);
		}
	}
}

/*
 * Change state and tell who waits. The waiter joins the queue before it looks at the state, and
 * looks without inode_lock; so a full barrier stands here between the change and the look at the
 * queue:
 *
 *	waiter				here
 *	joins the queue (locked)	changes state; barrier
 *	sees the old state, sleeps	wake_all sees the waiter
 */
static void inode_set_state(struct inode *inode, unsigned int clear, unsigned int set)
{
	spin_lock(&inode_lock);
	inode->state = (inode->state & ~clear) | set;
	if (set & INODE_FAILED)
		list_del(&inode->hash_link);
	spin_unlock(&inode_lock);
	memory_barrier();
	wake_all(&state_changed);
}

void inode_ready(struct inode *inode)
{
	inode_set_state(inode, INODE_FRESH, 0);
}

void inode_failed(struct inode *inode)
{
	inode_set_state(inode, INODE_FRESH, INODE_FAILED);
	inode_put(inode);
}

void inode_get(struct inode *inode)
{
	atomic_inc(&inode->refs);
}

/* Write or delete what the inode stands for; the file system frees its part. May sleep. */
static void inode_finish(struct inode *inode)
{
	struct mapping *mapping = &inode->mapping;
	const struct super_ops *ops = inode->sb->ops;
	bool gone = inode->nr_links == 0 && !(inode->state & INODE_FAILED);

	if (!gone && mapping->pages.count && mapping->ops && mapping->ops->has_store &&
	    mapping_sync(mapping) < 0)
		log_warning("%s: inode %llu: data could not be written", inode->sb->type->name,
			    (unsigned long long)inode->number);
	if (mapping->pages.count || atomic_read(&mapping->reads))
		mapping_destroy(mapping);
	if (gone && ops->delete_inode)
		ops->delete_inode(inode);
	if (ops->free_inode && (inode->private || !(inode->state & INODE_FAILED)))
		ops->free_inode(inode);
}

void inode_put(struct inode *inode)
{
	if (!inode || atomic_dec_not_one(&inode->refs))
		return;
	if (list_empty(&inode->sb_link)) {
		if (!atomic_dec_and_test(&inode->refs))
			return;
		inode_finish(inode);
		slab_free(inode_cache, inode);
		return;
	}
	spin_lock(&inode_lock);
	if (!atomic_dec_and_test(&inode->refs)) {
		spin_unlock(&inode_lock);
		return;
	}
	inode->state |= INODE_LEAVING;
	spin_unlock(&inode_lock);

	inode_finish(inode);

	spin_lock(&inode_lock);
	list_del(&inode->hash_link);
	list_del(&inode->sb_link);
	spin_unlock(&inode_lock);
	memory_barrier();
	wake_all(&state_changed);
	slab_free(inode_cache, inode);
}

struct inode *inode_next(struct super_block *sb, struct inode *previous)
{
	struct list *link;
	struct inode *found = NULL;

	spin_lock(&inode_lock);
	link = previous ? previous->sb_link.next : sb->inodes.next;
	for (; link != &sb->inodes; link = link->next) {
		struct inode *inode = list_entry(link, struct inode, sb_link);

		if (inode->state || !atomic_inc_not_zero(&inode->refs))
			continue;
		found = inode;
		break;
	}
	spin_unlock(&inode_lock);
	inode_put(previous);
	return found;
}

/*
 * Make an inode that pipe slots hold independent of its file system: its pages leave the cache;
 * the slots keep them.
 */
static void inode_abandon(struct inode *inode)
{
	const struct super_ops *ops = inode->sb->ops;

	mapping_destroy(&inode->mapping);
	if (inode->nr_links == 0 && ops->delete_inode)
		ops->delete_inode(inode);
	if (ops->free_inode)
		ops->free_inode(inode);
	inode->private = NULL;
	inode->ops = NULL;
	spin_lock(&inode_lock);
	list_del(&inode->hash_link);
	list_del(&inode->sb_link);
	inode->sb = &pseudo_sb;
	spin_unlock(&inode_lock);
}

static bool inodes_have_left(struct super_block *sb)
{
	bool empty;

	spin_lock(&inode_lock);
	empty = list_empty(&sb->inodes);
	spin_unlock(&inode_lock);
	return empty;
}

void inode_abandon_all(struct super_block *sb)
{
	struct inode *inode;

	while ((inode = inode_next(sb, NULL)) != NULL) {
		inode_abandon(inode);
		inode_put(inode);
	}
	/* Those whose last reference goes at this moment. */
	wait_event(&state_changed, inodes_have_left(sb));
}

/* ---- special files ---- */

static int chrdev_open(struct inode *inode, struct file *file)
{
	const struct file_ops *ops = chrdev_ops(inode->rdev);

	if (!ops)
		return -ENXIO;
	file->ops = ops;
	return ops->open ? ops->open(inode, file) : 0;
}

static int socket_open(struct inode *inode, struct file *file)
{
	return -ENXIO;
}

static const struct file_ops chrdev_file_ops = { .open = chrdev_open };
static const struct file_ops socket_node_ops = { .open = socket_open };

void inode_init_special(struct inode *inode, unsigned int mode, unsigned int rdev)
{
	inode->mode = mode;
	switch (mode & S_IFMT) {
	case S_IFCHR:
		inode->rdev = rdev;
		inode->size = chrdev_size(rdev);
		inode->file_ops = &chrdev_file_ops;
		break;
	case S_IFBLK:
		inode->rdev = rdev;
		inode->file_ops = &block_file_ops;
		break;
	case S_IFIFO:
		inode->file_ops = &fifo_file_ops;
		break;
	case S_IFSOCK:
		inode->file_ops = &socket_node_ops;
		break;
	}
}

static void inode_init(void)
{
	for (unsigned int i = 0; i < INODE_HASH_SIZE; i++)
		list_init(&inode_hash[i]);
	inode_cache = slab_cache_create("inode", sizeof(struct inode), 0);
}
INITCALL(1, inode_init);
