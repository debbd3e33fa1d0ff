/*
 * The ioctls that tell where a file lies on its disk. The contract is in fs/file/extents.h.
 */
#include "fs/cache/writeback.h"
#include "fs/file/extents.h"
#include "fs/names/vfs.h"
#include "kernel/capability.h"
#include "kernel/syscall.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"

struct fiemap { /* linux/fiemap.h */
	uint64_t start, length;
	uint32_t flags, mapped, count, reserved;
};

struct fiemap_extent {
	uint64_t logical, physical, length, reserved64[2];
	uint32_t flags, reserved[3];
};

enum fiemap_flags {
	FIEMAP_SYNC = 0x1,
	FIEMAP_XATTR = 0x2,
	FIEMAP_CACHE = 0x4, /* block pointers need no preparation */
};

enum fiemap_extent_flags {
	EXTENT_LAST = 0x1,
	EXTENT_NOT_ALIGNED = 0x100,
	EXTENT_INLINE = 0x200,
	EXTENT_MERGED = 0x1000,
};

#define COUNT_MAX (UINT32_MAX / sizeof(struct fiemap_extent))

static const struct extent_ops *extent_ops(const struct inode *inode)
{
	bool has_blocks = S_ISREG(inode->mode) || S_ISDIR(inode->mode);

	return has_blocks && inode->ops ? inode->ops->extents : NULL;
}

/* The walk over the extents of a range. */
struct walk {
	struct inode *inode;
	int (*find)(struct inode *inode, file_off_t start, file_off_t end,
		    struct file_extent *extent);
	file_off_t at, end; /* what is left of the range */
};

/* Returns 1, 0 behind the last extent, or an error. */
static int next_extent(struct walk *walk, struct file_extent *extent)
{
	int found;

	if (walk->at >= walk->end)
		return 0;
	found = mutex_lock_killable(&walk->inode->lock);
	if (found < 0)
		return found;
	found = walk->find(walk->inode, walk->at, walk->end, extent);
	mutex_unlock(&walk->inode->lock);
	if (found > 0)
		walk->at = extent->start + extent->len;
	return found;
}

static int put_extent(const struct file_extent *extent, unsigned int flags, void __user *to)
{
	struct fiemap_extent out = {
		.logical = extent->start,
		.physical = extent->place,
		.length = extent->len,
		.flags = flags | (extent->in_inode ? EXTENT_INLINE | EXTENT_NOT_ALIGNED : 0),
	};

	return copy_to_user(to, &out, sizeof(out));
}

/*
 * Copy the extents of a range. An extent is the last one if no other follows, so the walk is one
 * extent ahead.
 */
static int put_extents(struct walk *walk, struct fiemap *map, unsigned int flags, void __user *to)
{
	struct file_extent extent, following;
	int found = next_extent(walk, &extent);

	while (found > 0) {
		found = next_extent(walk, &following);
		if (found < 0)
			return found;
		if (map->count > 0 && put_extent(&extent, flags | (found ? 0 : EXTENT_LAST),
						 to + map->mapped * sizeof(struct fiemap_extent)))
			return -EFAULT;
		if (++map->mapped == map->count)
			return 0;
		extent = following;
	}
	return found;
}

/* Returns 0 or an error. After -EBADR map->flags has the flags that are unknown. */
static int begin_walk(struct walk *walk, struct inode *inode, struct fiemap *map)
{
	const struct extent_ops *ops = extent_ops(inode);
	uint64_t limit = inode->sb->size_max;

	map->flags &= ~FIEMAP_CACHE;
	if (map->length == 0 || map->start == limit)
		return refuse(EINVAL, "an empty range");
	if (map->start > limit)
		return -EFBIG;
	walk->inode = inode;
	walk->at = map->start;
	walk->end = map->start + MIN(map->length, limit - map->start);
	walk->find = map->flags & FIEMAP_XATTR ? ops->find_attributes : ops->find;
	map->flags &= ~FIEMAP_XATTR;
	if (map->flags & ~FIEMAP_SYNC) {
		map->flags &= ~FIEMAP_SYNC;
		return refuse(EBADR, "unknown flags");
	}
	return 0;
}

/* Write the file's dirty pages. A write that has failed is told, and told to fsync again. */
static int write_pages(struct inode *inode)
{
	int error = S_ISREG(inode->mode) ? mapping_write(&inode->mapping) : 0;

	return !error && mapping_has_failed(&inode->mapping) ? -EIO : error;
}

static int map_extents(struct inode *inode, struct fiemap *map, void __user *to)
{
	struct walk walk;
	bool attributes = map->flags & FIEMAP_XATTR;
	int error = begin_walk(&walk, inode, map);

	if (!error && map->flags & FIEMAP_SYNC)
		error = write_pages(inode);
	return error ? error : put_extents(&walk, map, attributes ? 0 : EXTENT_MERGED, to);
}

long extents_map(struct inode *inode, void __user *argument)
{
	struct fiemap map;
	int error;

	if (!extent_ops(inode))
		return -EOPNOTSUPP;
	if (copy_from_user(&map, argument, sizeof(map)))
		return -EFAULT;
	if (map.count > COUNT_MAX)
		return refuse(EINVAL, "more extents than memory can hold");
	map.mapped = 0;
	error = map_extents(inode, &map, argument + sizeof(map));
	return copy_to_user(argument, &map, sizeof(map)) ? -EFAULT : error;
}

/* ---- FIBMAP ---- */

/* Returns the block of the disk, 0 for a hole, or an error. */
static int64_t find_block(struct inode *inode, unsigned int block)
{
	const struct extent_ops *ops = extent_ops(inode);
	file_off_t size = inode->sb->block_size, start = block * size;
	struct walk walk = { inode, ops ? ops->find : NULL, start, start + size };
	struct file_extent extent;
	int found;

	if (!ops)
		return refuse(EINVAL, "the file has no blocks");
	if (walk.end > inode->sb->size_max)
		return 0;
	found = next_extent(&walk, &extent);
	return found > 0 ? (int64_t)div_u64(extent.place, inode->sb->block_size, NULL) : found;
}

long extents_block(struct inode *inode, void __user *argument)
{
	uint32_t block;
	int64_t found;

	if (!capable(CAP_SYS_RAWIO))
		return refuse(EPERM, "CAP_SYS_RAWIO is needed");
	if (get_user_u32(&block, argument))
		return -EFAULT;
	if (block > INT32_MAX)
		return refuse(EINVAL, "a negative number");
	found = find_block(inode, block);
	if (found > INT32_MAX)
		found = -ERANGE;
	return put_user_u32(MAX(found, 0ll), argument) ? -EFAULT : MIN(found, 0ll);
}
