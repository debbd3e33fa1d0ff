/*
 * Inodes of ext2: reading, storing, making and deleting them, and the list of orphans.
 * fs/ext2/ext2.h has the contract.
 *
 * The list of orphans is linked through the deletion times of the inodes on the disk. After each
 * commit fs->orphans has the same inodes in the same order.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/batch.h"
#include "fs/ext2/ext2.h"
#include "fs/names/inode_flags.h"
#include "fs/names/vfs_internal.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

/*
 * Bytes that are cleared where a new inode will be. The first of the extra fields of a large inode
 * says how many there are. The bytes behind them may be used for extended attributes later, and
 * Linux then expects zeros there.
 */
#define CLEARED_MAX 2048u

/* ---- reading ---- */

/* Find out where an inode is on the disk. Returns 0 or an error. */
static int find_place(struct super_block *sb, uint32_t number, struct ext2_place *place)
{
	struct ext2_fs *fs = sb->private;
	struct ext2_place descriptor =
		ext2_group_place(&fs->layout, ext2_inode_group(&fs->layout, number));
	struct ext2_disk_group group;
	const char *wrong;
	int error;

	if (number == 0 || number > fs->layout.inodes)
		return ext2_damaged(sb, number, "there is no such inode");
	error = ext2_read(fs, descriptor.block, descriptor.offset, &group, sizeof(group));
	if (error)
		return error;
	wrong = ext2_check_group(&fs->layout, &group);
	if (wrong)
		return ext2_damaged(sb, number, wrong);
	*place = ext2_inode_place(&fs->layout, number, group.inode_table);
	return 0;
}

static void set_operations(struct inode *inode)
{
	inode->ops = &ext2_inode_ops;
	if (S_ISREG(inode->mode)) {
		inode->file_ops = &ext2_file_ops;
		inode->mapping.ops = ext2_fs(inode)->layout.block_size == PAGE_SIZE
					     ? &ext2_mapping_ops
					     : &ext2_small_mapping_ops;
	} else if (S_ISDIR(inode->mode)) {
		inode->file_ops = &dir_file_ops;
	}
}

static struct ext2_inode *own_alloc(struct inode *inode, struct ext2_place place)
{
	struct ext2_inode *own = kzalloc(sizeof(*own), 0);

	if (!own)
		return NULL;
	own->inode = inode;
	own->table_block = place.block;
	own->table_offset = place.offset;
	own->transaction = ext2_fs(inode)->committed;
	list_init(&own->changed);
	list_init(&own->committing);
	list_init(&own->orphan);
	inode->private = own;
	return own;
}

int ext2_read_inode(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_disk_inode disk;
	struct ext2_place place;
	struct ext2_inode *own;
	const char *wrong;
	int error = find_place(inode->sb, inode->number, &place);

	if (!error)
		error = ext2_read(fs, place.block, place.offset, &disk, sizeof(disk));
	if (error)
		return error;
	wrong = ext2_check_inode(&fs->layout, &disk, fs->reading_orphans);
	if (wrong)
		return ext2_damaged(inode->sb, inode->number, wrong);
	own = own_alloc(inode, place);
	if (!own)
		return -ENOMEM;
	error = ext2_xattr_read_inode(inode);
	if (error)
		return error;
	memcpy(own->block, disk.block, sizeof(own->block));
	own->fast_symlink = ext2_is_fast_symlink(&fs->layout, &disk);
	own->flags = disk.flags;
	inode->flags = disk.flags & INODE_FLAGS;
	own->file_acl = disk.file_acl;
	own->generation = disk.generation;
	own->next_orphan = disk.dtime;
	inode->mode = disk.mode;
	inode->nr_links = disk.links;
	inode->uid = disk.uid | (uint32_t)disk.uid_high << 16;
	inode->gid = disk.gid | (uint32_t)disk.gid_high << 16;
	inode->size = ext2_inode_size(&disk);
	inode->blocks = disk.sectors;
	inode->atime = (struct timespec64){ (int32_t)disk.atime, 0 };
	inode->mtime = (struct timespec64){ (int32_t)disk.mtime, 0 };
	inode->ctime = (struct timespec64){ (int32_t)disk.ctime, 0 };
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode) || S_ISFIFO(inode->mode) ||
	    S_ISSOCK(inode->mode))
		inode_init_special(inode, inode->mode, ext2_device_number(&disk));
	set_operations(inode);
	return 0;
}

uint32_t ext2_generation(const struct inode *inode)
{
	return ext2_own(inode)->generation;
}

int ext2_check_handle(struct super_block *sb, uint64_t number, const uint32_t *generation,
		      bool in_memory)
{
	struct ext2_fs *fs = sb->private;
	struct ext2_disk_inode disk;
	struct ext2_place place;
	int error;

	/* The other numbers below the first one are for the file system itself. */
	if ((number < fs->layout.first_inode && number != EXT2_ROOT_INODE) ||
	    number > fs->layout.inodes)
		return -ESTALE;
	if (in_memory)
		return 0;
	error = find_place(sb, number, &place);
	if (!error)
		error = ext2_read(fs, place.block, place.offset, &disk, sizeof(disk));
	if (error)
		return error;
	return disk.links > 0 && (!generation || disk.generation == *generation) ? 0 : -ESTALE;
}

void ext2_free_inode(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);

	/*
	 * After an error. The next mount finds it on the disk, if its neighbours in the list do not
	 * change.
	 */
	if (own && !list_empty(&own->orphan)) {
		mutex_lock(&fs->lock);
		list_del(&own->orphan);
		WRITE_ONCE(fs->nr_unstored_orphans, fs->nr_unstored_orphans - own->unstored_orphan);
		fs->was_clean = false;
		mutex_unlock(&fs->lock);
	}
	if (own)
		ext2_name_table_free(own->names);
	kfree(own);
}

/* ---- storing ---- */

/* The deletion time of an inode on the disk, or, of an orphan, the number of the next one. */
static uint32_t deletion_time(const struct ext2_fs *fs, const struct ext2_inode *own)
{
	const struct list *next = own->orphan.next;

	if (own->deleted || list_empty(&own->orphan))
		return own->deleted;
	return next == &fs->orphans ? 0
				    : list_entry(next, struct ext2_inode, orphan)->inode->number;
}

static void fill_in(const struct inode *inode, struct ext2_disk_inode *disk)
{
	const struct ext2_inode *own = ext2_own(inode);
	file_off_t size = inode_size((struct inode *)inode);

	/* The file may have blocks already that a write which is running will be in. */
	size = MAX(size, own->reach);
	disk->mode = inode->mode;
	disk->links = inode->nr_links;
	disk->uid = inode->uid;
	disk->uid_high = inode->uid >> 16;
	disk->gid = inode->gid;
	disk->gid_high = inode->gid >> 16;
	disk->size = size;
	if (S_ISREG(inode->mode))
		disk->size_high = size >> 32;
	disk->sectors = inode->blocks;
	disk->atime = inode->atime.sec;
	disk->mtime = inode->mtime.sec;
	disk->ctime = inode->ctime.sec;
	disk->dtime = deletion_time(ext2_fs(inode), own);
	disk->flags = (own->flags & ~INODE_FLAGS) | inode->flags;
	disk->file_acl = own->file_acl;
	disk->generation = own->generation;
	memcpy(disk->block, own->block, sizeof(disk->block));
}

int ext2_store_inode(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	struct ext2_disk_inode *disk;
	unsigned int len = own->unwritten ? MIN(fs->layout.inode_size, CLEARED_MAX) : sizeof(*disk);
	bool large;

	disk = ext2_edit_begin(fs, own->table_block, own->table_offset, len);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	if (own->unwritten)
		memset(disk, 0, len);
	own->unwritten = false;
	fill_in(inode, disk);
	large = S_ISREG(inode->mode) && (disk->size_high || disk->size > INT32_MAX);
	kunmap_local(disk);
	own->transaction = fs->running->id;
	if (!large)
		return 0;
	/* A file of 2 GiB or more is a feature. */
	return ext2_note_feature(fs, offsetof(struct ext2_disk_super, read_only_compatible),
				 EXT2_READ_ONLY_LARGE_FILE);
}

/* ---- making ---- */

/* The numbers begin at random, so a deleted file's one is not met again after a boot. */
static uint32_t next_generation(void)
{
	static struct atomic last;
	int first;

	if (atomic_read(&last) == 0) {
		random_bytes(&first, sizeof(first));
		atomic_set(&last, first);
	}
	return (uint32_t)atomic_add_return(&last, 1);
}

struct inode *ext2_new_inode(struct inode *dir, unsigned int mode, unsigned int rdev)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct ext2_place place;
	struct inode *inode;
	uint32_t number;
	int error = ext2_take_inode(fs, dir, S_ISDIR(mode), &number, &place);

	if (error)
		return ERR_PTR(error);
	inode = inode_alloc(dir->sb);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!own_alloc(inode, place)) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	ext2_own(inode)->unwritten = true;
	ext2_own(inode)->generation = next_generation();
	inode->number = number;
	inode_init_owner(inode, dir, mode);
	if (S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode)) {
		inode_init_special(inode, inode->mode, rdev);
		ext2_set_device_number(ext2_own(inode)->block, rdev);
	}
	set_operations(inode);
	return inode;
}

void ext2_drop_new(struct inode *inode)
{
	inode->nr_links = 1; /* there is nothing on the disk to delete */
	inode_put(inode);
}

/* ---- orphans ---- */

/* The next orphan is another one now. */
static void set_unstored(struct ext2_fs *fs, struct ext2_inode *own, bool unstored)
{
	WRITE_ONCE(fs->nr_unstored_orphans,
		   fs->nr_unstored_orphans + unstored - own->unstored_orphan);
	WRITE_ONCE(fs->orphans_changed, true);
	own->unstored_orphan = unstored;
}

void ext2_add_orphan(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);

	if (!list_empty(&own->orphan))
		return;
	list_add(&fs->orphans, &own->orphan);
	set_unstored(fs, own, true);
	own->transaction = fs->running->id;
}

void ext2_remove_orphan(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	struct list *before = own->orphan.prev;

	if (list_empty(&own->orphan))
		return;
	list_del(&own->orphan);
	set_unstored(fs, own, false);
	if (before != &fs->orphans)
		set_unstored(fs, list_entry(before, struct ext2_inode, orphan), true);
	ext2_changed(inode);
}

/* Store the first orphan's number in the superblock. */
static int store_first_orphan(struct ext2_fs *fs)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	unsigned int at = place.offset + offsetof(struct ext2_disk_super, last_orphan);
	uint32_t number = 0, old;
	int error = ext2_read(fs, place.block, at, &old, sizeof(old));

	if (!list_empty(&fs->orphans))
		number = list_first(&fs->orphans, struct ext2_inode, orphan)->inode->number;
	if (!error && number != old)
		error = ext2_edit(fs, place.block, at, &number, sizeof(number));
	return error;
}

int ext2_store_orphans(struct ext2_fs *fs)
{
	struct ext2_inode *own;
	int error;

	list_for_each(own, &fs->orphans, orphan) {
		if (!own->unstored_orphan)
			continue;
		fs->undo.nr_edits = fs->undo.nr_bytes = 0;
		error = ext2_store_inode(own->inode);
		if (error)
			return error;
		set_unstored(fs, own, false);
	}
	return store_first_orphan(fs);
}

/* ---- deleting ---- */

int ext2_complete(struct inode *inode, int (*step)(struct inode *inode))
{
	bool finishing = current->finishing;
	int error;

	current->finishing = true;
	while ((error = step(inode)) == -ENOMEM)
		ext2_wait_for_memory();
	current->finishing = finishing;
	return error;
}

/* The last operation: the inode has no blocks of its own any more. */
static int give_up(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	uint32_t attributes = 0, file_acl = own->file_acl;
	int error = ext2_begin_always(fs);

	if (error)
		return error;
	error = ext2_xattr_leave_block(inode, &attributes);
	if (!error)
		error = ext2_give_inode(fs, inode->number, S_ISDIR(inode->mode));
	if (!error) {
		own->deleted = time_wall_spec().sec;
		inode->size = 0;
		inode->blocks = 0;
		error = ext2_store_inode(inode);
	}
	if (error) {
		own->deleted = 0;
		own->file_acl = file_acl;
		return ext2_end(fs, error);
	}
	ext2_remove_orphan(inode);
	if (attributes)
		ext2_forget(fs, attributes);
	return ext2_end(fs, 0);
}

static int free_all(struct inode *inode)
{
	int error = 0;

	if (inode->blocks > 0 && !ext2_own(inode)->fast_symlink && !S_ISCHR(inode->mode) &&
	    !S_ISBLK(inode->mode))
		error = ext2_free_from(inode, 0);
	return error ? error : give_up(inode);
}

void ext2_delete_inode(struct inode *inode)
{
	struct ext2_inode *own = ext2_own(inode);

	if (!own || !ext2_fs(inode)->writable)
		return;
	own->leaving = true;
	(void)ext2_complete(inode, free_all);
}

/* ---- orphans that a crash has left ---- */

/* The inode of an orphan, even if memory is short. */
static struct inode *get_orphan(struct ext2_fs *fs, uint32_t number)
{
	struct inode *inode;

	while ((inode = inode_get_number(fs->sb, number)) == ERR_PTR(-ENOMEM))
		ext2_wait_for_memory();
	return inode;
}

/* Read the list on the disk into fs->orphans, with a reference to each. */
static void read_orphans(struct ext2_fs *fs, uint32_t number)
{
	fs->reading_orphans = true;
	while (number) {
		struct inode *inode = get_orphan(fs, number);

		if (IS_ERR(inode)) {
			ext2_damaged(fs->sb, number, "the list of orphans leads to a bad inode");
			break;
		}
		if (!list_empty(&ext2_own(inode)->orphan)) {
			ext2_damaged(fs->sb, number, "the list of orphans has a loop");
			inode_put(inode);
			break;
		}
		list_add_tail(&fs->orphans, &ext2_own(inode)->orphan);
		number = ext2_own(inode)->next_orphan;
	}
	fs->reading_orphans = false;
}

/* Free what lies beyond the end of a file that was being shortened. */
static int shorten(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	uint64_t blocks = (inode->size + fs->layout.block_size - 1) >> fs->layout.block_shift;
	int error = S_ISREG(inode->mode) ? ext2_free_from(inode, blocks) : 0;

	if (!error)
		error = ext2_begin_always(fs);
	if (error)
		return error;
	ext2_remove_orphan(inode);
	return ext2_end(fs, 0);
}

/*
 * The next operation that makes an orphan stores a list without those that have not been read. So
 * neither a SIGKILL nor a lack of memory ends this.
 */
void ext2_free_orphans(struct ext2_fs *fs, uint32_t first)
{
	struct ext2_inode *own;
	unsigned int deleted = 0, shortened = 0;
	bool finishing = current->finishing;

	current->finishing = true;
	read_orphans(fs, first);
	while (!list_empty(&fs->orphans)) {
		own = list_first(&fs->orphans, struct ext2_inode, orphan);
		if (own->inode->nr_links == 0) {
			deleted++;
		} else if (ext2_complete(own->inode, shorten) == 0) {
			shortened++;
		} else {
			list_del(&own->orphan);
		}
		inode_put(own->inode);
	}
	current->finishing = finishing;
	if (deleted + shortened > 0)
		log_info("ext2: %s: %u deleted files freed, %u files shortened",
			 fs->sb->device->name, deleted, shortened);
}
