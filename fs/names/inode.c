/*
 * Inodes in memory.
 *
 * 1. inode_lock guards the hash by (file system, number), and the lists of inodes of each file
 *    system. refs becomes zero only under it, unless the inode is on no list and so cannot be
 *    found.
 * 2. An inode leaves memory with its last reference. First it leaves the hash, so that it can no
 *    longer be found. Then its pages are freed, and its file system frees its part. Last it leaves
 *    the list of its file system; unmount waits until that list is empty.
 * 3. sb->reading is held while an inode is looked up by number and read. So each number has at most
 *    one inode, and the inode enters the hash only when it is complete.
 * 4. Anonymous inodes (pipes, sockets, block devices) belong to a pseudo file system that is not
 *    mounted.
 */
#include "lib/string.h"
#include "kernel/init.h"
#include "mm/slab.h"
#include "kernel/process/credentials.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

#define INODE_HASH_SIZE 512u /* a power of two */

static spinlock_t inode_lock = SPINLOCK_INIT("inode");
static struct list inode_hash[INODE_HASH_SIZE];
SLAB_CACHE(inode_cache, "inode", struct inode, 0);
/* Those who wait until an inode has left memory, or has entered the hash. */
static struct wait_queue inodes_settle = WAIT_QUEUE_INIT(inodes_settle);
static struct atomic next_anonymous = ATOMIC_INIT(0);

static const struct super_ops pseudo_super_ops;
static const struct file_system pseudo_type = { .name = "anon" };
struct super_block pseudo_sb = {
	.type = &pseudo_type,
	.ops = &pseudo_super_ops,
	.block_size = PAGE_SIZE,
	.size_max = FILE_SIZE_MAX,
	.mounts = ATOMIC_INIT(1),
	.inodes = LIST_INIT(pseudo_sb.inodes),
};

static struct list *hash_chain(const struct super_block *sb, uint64_t number)
{
	unsigned int key = (unsigned int)(number ^ number >> 32) + ((uintptr_t)sb >> 4);

	/*
	 * Every bit of the key changes the highest bits of the product, but only some change the
	 * lowest.
	 */
	return &inode_hash[key * 2654435761u / (UINT32_MAX / INODE_HASH_SIZE + 1)];
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
		/* A program would act for a group that its maker is not in. */
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if (mode & 0010 && !capable(CAP_FSETID) &&
			 !credentials_in_group(inode->gid, current_gid()))
			mode &= ~S_ISGID;
	}
	inode->mode = mode;
	inode->flags = dir ? dir->flags & INODE_INHERITED : 0;
}

/* Returns the inode with that number, with a reference, or NULL if it is not in memory. */
static struct inode *inode_find(struct super_block *sb, uint64_t number)
{
	struct inode *inode, *found = NULL;

	spin_lock(&inode_lock);
	list_for_each(inode, hash_chain(sb, number), hash_link)
		if (inode->sb == sb && inode->number == number)
			found = inode;
	if (found)
		inode_get(found);
	spin_unlock(&inode_lock);
	return found;
}

void inode_insert(struct inode *inode)
{
	spin_lock(&inode_lock);
	list_add(hash_chain(inode->sb, inode->number), &inode->hash_link);
	spin_unlock(&inode_lock);
	wake_all(&inodes_settle);
}

static struct inode *inode_read(struct super_block *sb, uint64_t number)
{
	struct inode *inode = inode_alloc(sb);
	int error;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->number = number;
	error = sb->ops->read_inode(inode);
	if (error) {
		inode_put(inode);
		return ERR_PTR(error);
	}
	inode_insert(inode);
	return inode;
}

struct inode *inode_get_number(struct super_block *sb, uint64_t number)
{
	struct inode *inode;
	int error = mutex_lock_killable(&sb->reading);

	if (error)
		return ERR_PTR(error);
	inode = inode_find(sb, number);
	if (!inode)
		inode = inode_read(sb, number);
	mutex_unlock(&sb->reading);
	return inode;
}

/*
 * Look for an inode with that number in memory, which a name may or may not lead to. Returns it
 * with a reference, NULL if there is none, or ERR_PTR(-EAGAIN) while it is being made or freed.
 */
static struct inode *inode_find_listed(struct super_block *sb, uint64_t number)
{
	struct inode *inode, *found = NULL;

	spin_lock(&inode_lock);
	list_for_each(inode, &sb->inodes, sb_link)
		if (inode->number == number)
			found = inode;
	if (found && sb->ops->read_inode && list_empty(&found->hash_link))
		found = ERR_PTR(-EAGAIN);
	else if (found && !atomic_inc_not_zero(&found->refs))
		found = ERR_PTR(-EAGAIN);
	spin_unlock(&inode_lock);
	return found;
}

/* Has the inode entered the hash, or left memory? */
static bool inode_has_settled(struct super_block *sb, uint64_t number)
{
	struct inode *inode = inode_find_listed(sb, number);

	if (inode == ERR_PTR(-EAGAIN))
		return false;
	inode_put(inode);
	return true;
}

/* Find an inode by a handle. sb->reading is held. ERR_PTR(-EAGAIN) means the same as above. */
static struct inode *inode_of_handle(struct super_block *sb, uint64_t number,
				     const uint32_t *generation)
{
	struct inode *inode = inode_find_listed(sb, number);
	int error = 0;

	if (IS_ERR(inode))
		return inode;
	if (sb->ops->check_handle)
		error = sb->ops->check_handle(sb, number, generation, inode != NULL);
	else if (!inode)
		error = -ESTALE;
	if (!error && !inode)
		return inode_read(sb, number);
	if (!error && generation && sb->ops->generation(inode) != *generation)
		error = -ESTALE;
	if (!error)
		return inode;
	inode_put(inode);
	return ERR_PTR(error);
}

/*
 * The number of an inode that is being freed, or that has been made but has no name yet, must not
 * be read: on the disk, it may be a file that is in use. So wait until such an inode has left
 * memory, or has entered the hash.
 *
 *	unlinks a file and closes it		opens it by its handle
 *	the inode leaves the hash
 *						finds it in no hash, and reads it: it has a link
 *	frees its blocks
 */
struct inode *inode_get_by_handle(struct super_block *sb, uint64_t number,
				  const uint32_t *generation)
{
	struct inode *inode;
	int error;

	if (number == 0) /* of those that are being made */
		return ERR_PTR(-ESTALE);
	do {
		error = wait_event_killable(&inodes_settle, inode_has_settled(sb, number));
		if (!error)
			error = mutex_lock_killable(&sb->reading);
		if (error)
			return ERR_PTR(error);
		inode = inode_of_handle(sb, number, generation);
		mutex_unlock(&sb->reading);
	} while (inode == ERR_PTR(-EAGAIN));
	return inode;
}

void inode_get(struct inode *inode)
{
	atomic_inc(&inode->refs);
}

/* Free the pages of an inode and what its file system keeps for it. May sleep. */
static void inode_finish(struct inode *inode)
{
	if (inode->mapping.pages.count || atomic_read(&inode->mapping.reads))
		mapping_destroy(&inode->mapping);
	if (inode->nr_links == 0 && inode->sb->ops->delete_inode)
		inode->sb->ops->delete_inode(inode);
	if (inode->sb->ops->free_inode)
		inode->sb->ops->free_inode(inode);
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
	list_del(&inode->hash_link);
	spin_unlock(&inode_lock);

	inode_finish(inode);

	spin_lock(&inode_lock);
	list_del(&inode->sb_link);
	spin_unlock(&inode_lock);
	wake_all(&inodes_settle);
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

		if (!atomic_inc_not_zero(&inode->refs))
			continue;
		found = inode;
		break;
	}
	spin_unlock(&inode_lock);
	inode_put(previous);
	return found;
}

int inodes_wait_reads(struct super_block *sb)
{
	struct inode *inode = NULL;
	int error = 0;

	while (!error && (inode = inode_next(sb, inode)) != NULL)
		error = mapping_wait_reads(&inode->mapping);
	inode_put(inode);
	if (!error && sb->metadata)
		error = mapping_wait_reads(sb->metadata);
	return error;
}

bool inodes_are_read(struct super_block *sb)
{
	struct inode *inode;
	bool found = sb->metadata && atomic_read(&sb->metadata->reads) > 0;

	spin_lock(&inode_lock);
	list_for_each(inode, &sb->inodes, sb_link)
		found |= atomic_read(&inode->mapping.reads) > 0;
	spin_unlock(&inode_lock);
	return found;
}

bool inodes_are_deleted(struct super_block *sb)
{
	struct inode *inode;
	bool found = false;

	spin_lock(&inode_lock);
	list_for_each(inode, &sb->inodes, sb_link)
		found |= inode->nr_links == 0;
	spin_unlock(&inode_lock);
	return found;
}

/*
 * Make an inode that pipe slots still hold independent of its file system. Its pages leave the
 * cache, but the slots keep theirs.
 */
static void inode_abandon(struct inode *inode)
{
	inode_finish(inode);
	inode->private = NULL;
	inode->ops = NULL;
	spin_lock(&inode_lock);
	list_del(&inode->hash_link);
	list_del(&inode->sb_link);
	inode->sb = &pseudo_sb;
	spin_unlock(&inode_lock);
}

void inode_abandon_deleted(struct super_block *sb)
{
	struct inode *inode = inode_next(sb, NULL);

	while (inode) {
		if (inode->nr_links > 0) {
			inode = inode_next(sb, inode);
			continue;
		}
		inode_abandon(inode);
		inode_put(inode);
		inode = inode_next(sb, NULL); /* that one is in no list now */
	}
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
	/* Other tasks may be dropping the last reference to an inode at this moment. */
	wait_event(&inodes_settle, inodes_have_left(sb));
}

/* ---- writing and running ---- */

/*
 * Add `step` to the count of writers (step 1) or of programs (step -1). Returns 0, or -ETXTBSY if
 * there are any of the other kind.
 */
static int busy_count(struct inode *inode, int step)
{
	int old = atomic_read(&inode->busy), seen;

	while (old * step >= 0) {
		seen = __sync_val_compare_and_swap(&inode->busy.value, old, old + step);
		if (seen == old)
			return 0;
		old = seen;
	}
	return -ETXTBSY;
}

int inode_begin_writing(struct inode *inode)
{
	return busy_count(inode, 1);
}

void inode_end_writing(struct inode *inode)
{
	atomic_dec(&inode->busy);
}

int inode_begin_running(struct inode *inode)
{
	return busy_count(inode, -1);
}

void inode_end_running(struct inode *inode)
{
	atomic_inc(&inode->busy);
}

static void inode_init(void)
{
	for (unsigned int i = 0; i < INODE_HASH_SIZE; i++)
		list_init(&inode_hash[i]);
}
INITCALL(1, inode_init);
