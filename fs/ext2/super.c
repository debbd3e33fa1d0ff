/*
 * ext2 file systems: mounting, writing or not, unmounting. fs/ext2/ext2.h has the contract.
 *
 * 1. While a file system is written, the superblock on the disk says so, and whoever mounts it
 *    after a crash sees that. Without a journal it is not clean then. With a journal it has the
 *    feature RECOVER, and is as clean as it was.
 * 2. Damage causes a line in the log. Mount returns -EINVAL for it, and other calls -EIO.
 */
#include "fs/dev/device.h"
#include "drivers/disk/block.h"
#include "fs/ext2/batch.h"
#include "fs/ext2/journal.h"
#include "fs/names/mount.h"
#include "kernel/log.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

static void ext2_statfs(struct super_block *sb, struct fs_statistics *st)
{
	const struct ext2_fs *fs = sb->private;
	uint64_t system = (uint64_t)ext2_system_blocks(&fs->layout) + fs->journal_blocks;

	st->blocks = fs->layout.blocks - MIN(system, (uint64_t)fs->layout.blocks);
	st->kept = fs->layout.reserved_blocks;
	st->free = READ_ONCE(fs->free_blocks);
	st->files = fs->layout.inodes;
	st->files_free = READ_ONCE(fs->free_inodes);
}

/* ---- writing ---- */

/* One operation: say in the superblock whether the file system is being written, and commit. */
static int change_state(struct ext2_fs *fs, bool clean)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	struct ext2_disk_super super;
	uint32_t id;
	int error = ext2_begin_always(fs);

	if (error)
		return error;
	error = ext2_read(fs, place.block, place.offset, &super, sizeof(super));
	if (!error) {
		super.write_time = time_wall_spec().sec;
		if (fs->log.inode)
			super.incompatible = clean ? super.incompatible & ~EXT2_INCOMPAT_RECOVER
						   : super.incompatible | EXT2_INCOMPAT_RECOVER;
		else if (clean)
			super.state |= EXT2_STATE_CLEAN;
		if (!fs->was_clean || (!fs->log.inode && !clean))
			super.state &= ~EXT2_STATE_CLEAN;
		if (!clean) {
			super.mount_time = super.write_time;
			super.mount_count++;
		}
		error = ext2_edit(fs, place.block, place.offset, &super,
				  offsetof(struct ext2_disk_super, uuid));
	}
	id = fs->running->id;
	error = ext2_end(fs, error);
	return error ? error : ext2_commit_wait(fs, id);
}

/*
 * The same, but a SIGKILL does not end the wait for the commit, which comes in any case. Nobody
 * else would say that the file system is clean, so that waits for memory, too.
 */
static int set_state(struct ext2_fs *fs, bool clean)
{
	bool finishing = current->finishing;
	int error;

	current->finishing = true;
	while ((error = change_state(fs, clean)) == -ENOMEM && clean)
		ext2_wait_for_memory();
	current->finishing = finishing;
	return error;
}

static int find_journal(struct ext2_fs *fs)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	struct ext2_disk_super super;
	int error = ext2_read(fs, place.block, place.offset, &super, sizeof(super));

	if (!error)
		error = ext2_journal_find(fs, &super);
	if (error > 0)
		fs->committed = fs->log.sequence; /* its transactions go on from there */
	return MIN(error, 0);
}

static int start_writing(struct ext2_fs *fs)
{
	struct block_device *device = fs->sb->device;
	struct inode *raw = block_inode(device);
	int error;

	if (device->read_only)
		return -EROFS;
	if (fs->layout.read_only_features) {
		log_error("ext2: %s: it has features with which it can only be read (0x%x)",
			  device->name, fs->layout.read_only_features);
		return -EROFS;
	}
	if (fs->error)
		return -EROFS;
	error = IS_ERR(raw) ? PTR_ERR(raw) : find_journal(fs);
	if (!error)
		error = ext2_commit_start(fs);
	if (error) {
		ext2_journal_drop(fs);
		return error;
	}
	WRITE_ONCE(fs->writable, true);
	error = set_state(fs, false);
	if (!error && fs->log.inode)
		error = ext2_journal_open(fs);
	if (error) {
		WRITE_ONCE(fs->writable, false);
		(void)ext2_commit_stop(fs);
		ext2_journal_drop(fs);
		return error;
	}
	ext2_free_orphans(fs, fs->layout.last_orphan);
	fs->layout.last_orphan = 0;
	return 0;
}

/* Files that have names are no orphans any more, unless shortening them has failed. */
static void clear_orphans(struct ext2_fs *fs)
{
	struct ext2_inode *own, *next;

	if (ext2_begin_always(fs))
		return;
	list_for_each_safe(own, next, &fs->orphans, orphan)
		if (own->inode->nr_links > 0)
			ext2_remove_orphan(own->inode);
	(void)ext2_end(fs, 0);
}

static int stop_writing(struct ext2_fs *fs)
{
	struct block_device *device = fs->sb->device;
	struct inode *raw = block_inode(device);
	int error;

	if (!fs->writable)
		return 0;
	mutex_lock(&fs->lock);
	fs->only = current;
	mutex_unlock(&fs->lock);
	clear_orphans(fs);
	/* A SIGKILL does not leave it unclean: it ends no wait here. */
	ext2_settle(fs->sb);
	error = fs->error ? fs->error : ext2_commit_close_log(fs);
	/* With a journal, the next mount frees what is left of the orphans. */
	if (!error && (fs->log.inode || (fs->was_clean && list_empty(&fs->orphans))))
		error = set_state(fs, true);
	mutex_lock(&fs->lock);
	WRITE_ONCE(fs->writable, false);
	fs->only = NULL;
	mutex_unlock(&fs->lock);
	if (ext2_commit_stop(fs))
		error = -EIO;
	ext2_journal_drop(fs);
	/* What the cache of the raw device has is older than what was written. */
	if (!IS_ERR(raw))
		mapping_drop_clean(&raw->mapping, 0, UINT32_MAX);
	return error;
}

static int ext2_set_writable(struct super_block *sb, bool writable)
{
	struct ext2_fs *fs = sb->private;

	if (writable)
		return fs->writable ? 0 : start_writing(fs);
	return stop_writing(fs);
}

/* ---- mounting ---- */

static void ext2_unmounted(struct super_block *sb)
{
	struct ext2_fs *fs = sb->private;

	ext2_journal_drop(fs);
	ext2_end_visits(fs);
	if (!fs->metadata)
		return;
	sb->metadata = NULL;
	inode_put(fs->metadata);
}

static const struct super_ops ext2_super_ops = {
	.read_inode = ext2_read_inode,
	.generation = ext2_generation,
	.check_handle = ext2_check_handle,
	.free_inode = ext2_free_inode,
	.delete_inode = ext2_delete_inode,
	.changed = ext2_touched,
	.fsync = ext2_fsync,
	.sync = ext2_sync,
	.settle = ext2_settle,
	.set_writable = ext2_set_writable,
	.unmounted = ext2_unmounted,
	.statfs = ext2_statfs,
};

/* Read bytes of the disk before the size of its blocks is known. */
static int read_first(struct inode *raw, void *to, unsigned int len)
{
	struct page *page = mapping_read_page(&raw->mapping, EXT2_SUPER_OFFSET >> PAGE_SHIFT);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(to, address + (EXT2_SUPER_OFFSET & (PAGE_SIZE - 1)), len);
	kunmap_local(address);
	page_put(page);
	return 0;
}

static int read_super(struct super_block *sb, struct ext2_fs *fs, struct inode *raw,
		      struct ext2_disk_super *super)
{
	const char *wrong, *name = sb->device->name;
	uint32_t features;
	int error = read_first(raw, super, sizeof(*super));

	if (error) {
		log_error("ext2: %s: cannot read the superblock", name);
		return error;
	}
	wrong = ext2_check_super(super, sb->device->sectors << SECTOR_SHIFT, &fs->layout,
				 &features);
	if (wrong) {
		log_error("ext2: %s: %s (features 0x%x)", name, wrong, features);
		return -EINVAL;
	}
	fs->free_blocks = MIN(super->free_blocks, super->blocks_count);
	fs->free_inodes = MIN(super->free_inodes, super->inodes_count);
	fs->stored_blocks = super->free_blocks;
	fs->stored_inodes = super->free_inodes;
	fs->was_clean = super->state & EXT2_STATE_CLEAN;
	return 0;
}

/* Forget what has been read of the metadata, because the disk has changed. */
static void forget_metadata(struct ext2_fs *fs, struct inode *raw)
{
	mapping_drop_clean(&fs->metadata->mapping, 0, UINT32_MAX);
	mapping_drop_clean(&raw->mapping, 0, UINT32_MAX);
}

/* The journal has been replayed: the superblock says so. */
static int clear_recover(struct ext2_fs *fs)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	struct ext2_batch batch = { .fs = fs };
	struct page *old = mapping_read_page(&fs->metadata->mapping, place.block), *page;
	struct ext2_disk_super *super;
	char *address;
	int error;

	if (IS_ERR(old))
		return PTR_ERR(old);
	page = ext2_batch_page(&batch);
	page_copy(page, old);
	page_put(old);
	address = kmap_local(page);
	super = (struct ext2_disk_super *)(address + place.offset);
	super->incompatible &= ~EXT2_INCOMPAT_RECOVER;
	kunmap_local(address);
	ext2_batch_add(&batch, place.block, page);
	error = ext2_batch_finish(&batch);
	return error ? error : ext2_flush(fs);
}

/*
 * After a crash, bring what the journal has to its place, even if the file system is mounted for
 * reading. Then read the superblock again.
 */
static int recover(struct super_block *sb, struct ext2_fs *fs, struct inode *raw,
		   struct ext2_disk_super *super)
{
	int error;

	if (sb->device->read_only) {
		log_error(
			"ext2: %s: its journal has to be replayed, and the disk cannot be written",
			sb->device->name);
		return -EROFS;
	}
	error = ext2_journal_find(fs, super);
	if (error == 0) {
		log_error("ext2: %s: it needs a journal that it does not have", sb->device->name);
		error = -EINVAL;
	}
	if (error < 0)
		return error;
	error = ext2_journal_replay(fs);
	ext2_journal_drop(fs);
	forget_metadata(fs, raw);
	if (!error)
		error = clear_recover(fs);
	forget_metadata(fs, raw);
	return error ? error : read_super(sb, fs, raw, super);
}

static void ext2_fs_init(struct ext2_fs *fs, struct super_block *sb)
{
	fs->sb = sb;
	mutex_init(&fs->lock, "ext2");
	spin_init(&fs->changed_lock, "ext2 changed");
	list_init(&fs->orphans);
	list_init(&fs->changed);
	list_init(&fs->done);
	radix_init(&fs->log.places);
	wait_queue_init(&fs->task_queue, "ext2 task");
	wait_queue_init(&fs->commit_queue, "ext2 commit");
}

/* Begin to write, if that was asked for. A disk that can only be read is mounted for reading. */
static int begin_writing(struct super_block *sb)
{
	if (atomic_read(&sb->writers) < 0)
		return 0;
	return start_writing(sb->private);
}

static bool ext2_has_label(struct block_device *device, const char *label)
{
	struct inode *raw = block_inode(device);
	struct ext2_disk_super super;
	size_t len = strlen(label);

	if (device->sectors << SECTOR_SHIFT < EXT2_SUPER_OFFSET + sizeof(super) || IS_ERR(raw) ||
	    read_first(raw, &super, sizeof(super)) || super.magic != EXT2_MAGIC)
		return false;
	return len > 0 && len <= sizeof(super.volume_name) &&
	       !strncmp((const char *)super.volume_name, label, sizeof(super.volume_name));
}

static int ext2_mount(struct super_block *sb, const char *options);
FILE_SYSTEM(ext2, .needs_device = true, .magic = EXT2_MAGIC, .mount = ext2_mount,
	    .has_label = ext2_has_label);
/* The same with a journal, which ext2 uses too if there is one. */
FILE_SYSTEM(ext3, .needs_device = true, .magic = EXT2_MAGIC, .mount = ext2_mount);

static int ext2_mount(struct super_block *sb, const char *options)
{
	struct inode *raw = block_inode(sb->device), *root;
	struct ext2_disk_super super;
	struct ext2_fs *fs;
	int error;

	if (IS_ERR(raw))
		return PTR_ERR(raw);
	if (options && *options) {
		log_error("ext2: %s: unknown options: %s", sb->device->name, options);
		return -EINVAL;
	}
	fs = kzalloc(sizeof(*fs), 0);
	if (!fs)
		return -ENOMEM;
	ext2_fs_init(fs, sb);
	sb->private = fs;
	error = read_super(sb, fs, raw, &super);
	if (!error)
		error = ext2_metadata_init(fs);
	if (error)
		return error;
	sb->ops = &ext2_super_ops;
	sb->block_size = fs->layout.block_size;
	sb->size_max = ext2_max_blocks(&fs->layout) << fs->layout.block_shift;
	sb->has_flags = true;
	if (super.incompatible & EXT2_INCOMPAT_RECOVER && super.revision > 0)
		error = recover(sb, fs, raw, &super);
	if (!error && sb->type == &file_system_ext3 &&
	    !(super.revision > 0 && super.compatible & EXT2_COMPAT_JOURNAL)) {
		log_error("ext2: %s: it has no journal, so it is ext2", sb->device->name);
		error = -EINVAL;
	}
	if (error)
		return error;
	root = inode_get_number(sb, EXT2_ROOT_INODE);
	if (!IS_ERR(root) && !S_ISDIR(root->mode)) {
		inode_put(root);
		ext2_damaged(sb, EXT2_ROOT_INODE, "the root is not a directory");
		return -EINVAL;
	}
	error = super_set_root(sb, root);
	fs->journal_blocks = ext2_journal_size(fs, &super);
	return error ? error : begin_writing(sb);
}
