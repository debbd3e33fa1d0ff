/*
 * Tests fs/ext2/format.c with good, damaged and random superblocks, inodes and directories, and
 * with the way to each block of a file.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "fs/ext2/format.c"

#define DEVICE_BYTES (16u << 20)

static struct ext2_disk_super super;
static struct ext2_layout layout;

static void make_super(unsigned int log_block_size)
{
	memset(&super, 0, sizeof(super));
	super.magic = EXT2_MAGIC;
	super.revision = 1;
	super.log_block_size = log_block_size;
	super.first_data_block = log_block_size == 0;
	super.blocks_count = DEVICE_BYTES >> (10 + log_block_size);
	super.blocks_per_group = 8192;
	super.inodes_per_group = 1024;
	super.inodes_count = 1024;
	super.inode_size = 256;
	super.incompatible = EXT2_INCOMPAT_FILETYPE;
}

static const char *check(void)
{
	uint32_t features;

	return ext2_check_super(&super, DEVICE_BYTES, &layout, &features);
}

CASE(super)
{
	uint32_t features;

	for (unsigned int log = 0; log <= 2; log++) {
		make_super(log);
		must(!check() && layout.block_size == 1024u << log && layout.inode_size == 256);
	}
	ok(true, "superblocks with blocks of 1, 2 and 4 KiB are accepted");
	make_super(2);
	super.revision = 0;
	super.incompatible = 0x40;
	ok(!check() && layout.inode_size == 128 && !layout.file_types,
	   "an old revision has no features");
	make_super(2);
	super.incompatible = 0x42;
	ok(ext2_check_super(&super, DEVICE_BYTES, &layout, &features) && features == 0x40,
	   "unknown features are named");
}

#define refuses(field, value)                                                                \
	do {                                                                                 \
		make_super(2);                                                               \
		super.field = (value);                                                       \
		ok(check() != NULL, "a superblock with " #field " = " #value " is refused"); \
	} while (0)

CASE(bad_super)
{
	refuses(magic, 0xef54);
	refuses(revision, 2);
	refuses(log_block_size, 3);
	refuses(log_block_size, 0xffffffff);
	refuses(first_data_block, 1);
	refuses(blocks_count, 0);
	refuses(blocks_count, 4097);
	refuses(blocks_count, 0xffffffff);
	refuses(blocks_per_group, 0);
	refuses(blocks_per_group, 32776);
	refuses(blocks_per_group, 7);
	refuses(inodes_per_group, 0);
	refuses(inodes_per_group, 0xffffffff);
	refuses(inodes_count, 0);
	refuses(inodes_count, 1025);
	refuses(inode_size, 0);
	refuses(inode_size, 64);
	refuses(inode_size, 192);
	refuses(inode_size, 8192);
}

static struct ext2_disk_inode make_inode(unsigned int mode, uint64_t size)
{
	struct ext2_disk_inode inode = {
		.mode = mode, .links = 1, .size = size, .size_high = size >> 32
	};

	return inode;
}

static bool accepts(struct ext2_disk_inode inode)
{
	return !ext2_check_inode(&layout, &inode, false);
}

CASE(inode)
{
	struct ext2_disk_inode inode = make_inode(0100644, 5);

	make_super(2);
	must(!check());
	ok(accepts(inode) && accepts(make_inode(0040755, 4096)) && accepts(make_inode(0120777, 4)),
	   "files, directories and links are accepted");
	inode.links = 0;
	ok(!accepts(inode) && !ext2_check_inode(&layout, &inode, true),
	   "an inode without links is refused, unless it may be an orphan");
	inode.links = 1;
	inode.flags = EXT2_FLAG_EXTENTS;
	ok(!accepts(inode), "an inode with extents is refused");
	ok(!accepts(make_inode(0100644, 1ull << 63)) && !accepts(make_inode(0100644, 1ull << 50)),
	   "impossible sizes are refused");
	ok(!accepts(make_inode(0040755, 0)) && !accepts(make_inode(0040755, 100)),
	   "a directory of a size that is not whole blocks is refused");
	ok(!accepts(make_inode(0120777, 0)) && !accepts(make_inode(0120777, 4096)),
	   "a link whose target is empty or a whole block is refused");
	ok(!accepts(make_inode(0, 0)) && !accepts(make_inode(0170000, 0)),
	   "unknown types are refused");
	ok(ext2_inode_size(&(struct ext2_disk_inode){
		   .mode = 0040755, .size = 4096, .size_high = 9 }) == 4096,
	   "the upper half of a directory's size is ignored");
	inode = make_inode(0120777, 20);
	must(ext2_is_fast_symlink(&layout, &inode));
	inode.sectors = 8;
	must(!ext2_is_fast_symlink(&layout, &inode));
	inode.file_acl = 77;
	ok(ext2_is_fast_symlink(&layout, &inode),
	   "a link with attributes in a block is still a fast link");
	inode = make_inode(0020600, 0);
	inode.block[0] = 0x0501;
	must(ext2_device_number(&inode) == MAKEDEV(5, 1));
	inode.block[0] = 0;
	inode.block[1] = 0x12345678;
	ok(ext2_device_number(&inode) == MAKEDEV(0x456u, 0x12378),
	   "device numbers are read in both forms");
}

/* Compares the way to each block with one that is found by counting. */
static void check_paths(unsigned int log)
{
	unsigned int pointers, path[4], left;
	uint64_t block = EXT2_DIRECT;

	make_super(log);
	must(!check());
	pointers = layout.block_size / 4;
	for (unsigned int i = 0; i < EXT2_DIRECT; i++)
		must(ext2_block_path(&layout, i, path, &left) == 1 && path[0] == i &&
		     left == 12 - i);
	for (unsigned int i = 0; i < pointers; i++, block++)
		must(ext2_block_path(&layout, block, path, &left) == 2 && path[0] == 12 &&
		     path[1] == i && left == pointers - i);
	for (unsigned int i = 0; i < pointers; i++)
		for (unsigned int j = 0; j < pointers; j++, block++)
			must(ext2_block_path(&layout, block, path, &left) == 3 && path[0] == 13 &&
			     path[1] == i && path[2] == j && left == pointers - j);
	must(ext2_block_path(&layout, block, path, &left) == 4 && path[0] == 14 && path[1] == 0 &&
	     path[2] == 0 && path[3] == 0);
	block += (uint64_t)pointers * pointers * pointers;
	must(ext2_block_path(&layout, block - 1, path, &left) == 4 && path[1] == pointers - 1 &&
	     path[2] == pointers - 1 && path[3] == pointers - 1 && left == 1);
	must(block == ext2_max_blocks(&layout));
	must(ext2_block_path(&layout, block, path, &left) == 0);
	must(ext2_block_path(&layout, UINT64_MAX, path, &left) == 0);
	ok(true, "the way to every block is right, with blocks of %u bytes", layout.block_size);
}

CASE(path)
{
	for (unsigned int log = 0; log <= 2; log++)
		check_paths(log);
}

/* ---- directories ---- */

static char block[4096 + 64] __attribute__((aligned(4))); /* some tests write beyond its end */

static unsigned int put_entry(unsigned int at, uint32_t inode, unsigned int len, const char *name)
{
	struct ext2_disk_entry entry = { inode, len, strlen(name), 1 };

	memcpy(block + at, &entry, sizeof(entry));
	memcpy(block + at + sizeof(entry), name, strlen(name));
	return at + len;
}

static bool damaged(uint32_t inode, unsigned int len, const char *name, unsigned int at)
{
	struct ext2_entry entry;

	put_entry(at, inode, len, name);
	return ext2_read_entry(&layout, block, at, &entry) == 0;
}

CASE(directory)
{
	struct ext2_entry entry;
	unsigned int at;

	make_super(2);
	must(!check());
	at = put_entry(0, 2, 12, ".");
	at = put_entry(at, 0, 20, "gone");
	put_entry(at, 7, 4096 - at, "hello");
	must(ext2_read_entry(&layout, block, 0, &entry) == 12 && entry.inode == 2 &&
	     entry.name_len == 1);
	must(ext2_read_entry(&layout, block, 12, &entry) == 20 && entry.inode == 0);
	must(ext2_read_entry(&layout, block, 32, &entry) == 4064 &&
	     !memcmp(entry.name, "hello", 5));
	ok(entry.name_len == 5 && entry.type == 1, "a directory is read");
	ok(damaged(7, 0, "a", 0), "a length of 0 is refused");
	ok(damaged(7, 8, "", 0) && damaged(7, 14, "a", 0),
	   "lengths that are too short or odd are refused");
	ok(damaged(7, 12, "abcdefgh", 0), "a name that is longer than its entry is refused");
	ok(damaged(7, 16, "a", 4084) && damaged(7, 12, "a", 4088 + 4),
	   "an entry that crosses the end of its block is refused");
	ok(damaged(7, 12, "a/b", 0) && damaged(7, 12, "", 0),
	   "names with a slash and empty names are refused");
	ok(damaged(1025, 12, "a", 0), "an inode number that is too large is refused");
}

/* ---- random bytes ---- */

static void fill_random(void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = random_u32() >> 11;
}

/* An accepted superblock must be safe to use. This does all the arithmetic of a mount. */
static void use_layout(uint64_t device_bytes)
{
	uint64_t end = (uint64_t)layout.blocks << layout.block_shift;

	must(layout.block_size >= 1024 && layout.block_size <= 4096 && end <= device_bytes);
	must(layout.inode_size >= 128 && layout.inode_size <= layout.block_size);
	for (int i = 0; i < 20; i++) {
		uint32_t number = random_u32() % layout.inodes + 1, table = random_u32();
		struct ext2_disk_inode inode;
		struct ext2_disk_group group;
		struct ext2_place place;
		unsigned int path[4], left;
		uint64_t wanted = (uint64_t)random_u32() << random_u32() % 20;

		group.inode_table = table;
		group.block_bitmap = random_u32() % 64;
		group.inode_bitmap = random_u32() % 64;
		place = ext2_group_place(&layout, ext2_inode_group(&layout, number));
		must(place.offset + sizeof(group) <= layout.block_size);
		must(ext2_group_blocks(&layout, layout.groups - 1) > 0);
		if (!ext2_check_group(&layout, &group)) {
			place = ext2_inode_place(&layout, number, table);
			must(place.block < layout.blocks);
			must(place.offset + sizeof(inode) <= layout.block_size);
		}
		fill_random(&inode, sizeof(inode));
		if (!ext2_check_inode(&layout, &inode, random_u32() % 2))
			must(ext2_inode_size(&inode) >= 0);
		if (ext2_block_path(&layout, wanted, path, &left)) {
			must(path[0] < EXT2_POINTERS && left > 0 && left <= layout.block_size / 4);
			must(wanted < EXT2_DIRECT || path[1] < layout.block_size / 4);
		}
	}
}

/* What is found in a block with anything in it lies within the block. */
static void find_random_room(void)
{
	unsigned int size = ext2_entry_size(1 + random_u32() % 255);
	struct ext2_room room;

	if (ext2_find_room(&layout, block, 0, size, &room) <= 0)
		return;
	must(room.len >= size && room.before + room.keep + room.len <= layout.block_size);
	must(room.keep == 0 || room.keep >= 12);
}

static void walk_random_block(void)
{
	char *copy =
		malloc(layout.block_size); /* of exactly this size, for the address sanitizer */
	unsigned int at = 0, entries = 0, len = 0;
	struct ext2_entry entry;

	memcpy(copy, block, layout.block_size);
	while (at < layout.block_size && (len = ext2_read_entry(&layout, copy, at, &entry)) > 0) {
		if (entry.inode) {
			must(entry.name_len > 0 &&
			     entry.name + entry.name_len <= copy + layout.block_size);
			must(entry.inode <= layout.inodes);
		}
		at += len;
		must(++entries <= layout.block_size / 12);
	}
	must(at <= layout.block_size);
	free(copy);
}

/* Add a name as the kernel does. Returns whether there was room. */
static bool add_entry(const char *name, unsigned int len, uint32_t number)
{
	struct ext2_disk_entry entry = { .inode = number, .name_len = len, .type = 1 };
	struct ext2_room room;
	char *at = block;

	if (ext2_find_room(&layout, block, 0, ext2_entry_size(len), &room) <= 0)
		return false;
	at += room.before + room.keep;
	entry.entry_len = room.len;
	if (room.keep > 0)
		((struct ext2_disk_entry *)(at - room.keep))->entry_len = room.keep;
	memcpy(at, &entry, sizeof(entry));
	memcpy(at + sizeof(entry), name, len);
	return true;
}

CASE(room)
{
	char name[256];
	unsigned int added = 0, found = 0, used = 0, offset, len;
	struct ext2_entry entry;

	make_super(0);
	must(!check());
	memset(block, 0, layout.block_size);
	((struct ext2_disk_entry *)block)->entry_len = layout.block_size;
	do {
		len = 1 + random_u32() % 30;
		memset(name, 'a' + added % 26, len);
		used += ext2_entry_size(len);
	} while (add_entry(name, len, ++added));
	for (offset = 0; offset < layout.block_size; offset += len, found++) {
		len = ext2_read_entry(&layout, block, offset, &entry);
		must(len > 0 && entry.inode == found + 1 &&
		     entry.name[0] == 'a' + (char)(found % 26));
	}
	ok(found == added - 1 && used > layout.block_size,
	   "a block takes names until it is full, and has all");
	must(ext2_entry_size(1) == 12 && ext2_entry_size(4) == 12 && ext2_entry_size(5) == 16);
	((struct ext2_disk_entry *)block)->inode = 0;
	ok(add_entry("x", 1, 500) && ((struct ext2_disk_entry *)block)->inode == 500,
	   "the place of a name that was removed is used again");
	ok(ext2_entry_type(&layout, 0040755) == 2 && ext2_mode_of_type(7) == 0120000 &&
		   ext2_mode_of_type(8) == 0,
	   "types and modes agree");
}

CASE(random_superblocks)
{
	unsigned int accepted = 0;

	for (int i = 0; i < 200000; i++) {
		uint64_t device_bytes = (uint64_t)random_u32() << random_u32() % 14;

		make_super(random_u32() % 3);
		for (unsigned int n = random_u32() % 4; n > 0; n--)
			fill_random((char *)&super + random_u32() % (sizeof(super) - 4),
				    1 + random_u32() % 4);
		uint32_t features;

		if (ext2_check_super(&super, device_bytes, &layout, &features))
			continue;
		accepted++;
		use_layout(device_bytes);
	}
	ok(accepted > 1000, "random superblocks: those that are accepted are safe to use");
}

CASE(random_directories)
{
	for (int i = 0; i < 200000; i++) {
		unsigned int at = 0;

		make_super(random_u32() % 3);
		must(!check());
		while (at < layout.block_size)
			at = put_entry(at, random_u32() % 1030,
				       MIN(12 + 4 * (random_u32() % 64), layout.block_size - at),
				       "abc");
		for (unsigned int n = random_u32() % 4; n > 0; n--)
			block[random_u32() % layout.block_size] = random_u32() >> 7;
		if (i % 4 == 0)
			fill_random(block, layout.block_size);
		walk_random_block();
		find_random_room();
	}
	ok(true, "random directories: every walk ends and stays in its block");
}
