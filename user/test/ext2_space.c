/*
 * ext2 is written: room. Full disks, full inode tables, the blocks that are kept for root, and what
 * statfs says of it. Mounts that become read-only and writable.
 */
#include "ext2.h"
#include <sys/statvfs.h>

#define SEED 41

static struct statfs space(void)
{
	struct statfs st;

	CHECK_EQ(statfs(MNT, &st), 0);
	return st;
}

/* ---- statfs ---- */

static bool has_super(unsigned int group)
{
	static const int powers[] = { 3, 5, 7 };

	if (group < 2)
		return true;
	for (int i = 0; i < 3; i++) {
		unsigned int n = powers[i];

		while (n < group)
			n *= powers[i];
		if (n == group)
			return true;
	}
	return false;
}

/* A field of the superblock on the disk (The Second Extended File System, 3.1). */
static uint32_t super_field(unsigned int offset)
{
	uint32_t value;

	CHECK_EQ(pread(disk, buf, 1024, 1024), 1024);
	memcpy(&value, buf + offset, 4);
	return value;
}

/* What the bitmaps, inode tables, and copies of the superblock and the descriptors take. */
static unsigned int overhead(int block)
{
	unsigned int blocks = super_field(4), first = super_field(20), per_group = super_field(32);
	unsigned int inodes = super_field(40), inode_size = super_field(88) & 0xffff;
	unsigned int groups = (blocks - first + per_group - 1) / per_group;
	unsigned int table = (inodes * inode_size + block - 1) / block;
	unsigned int supers = 1 + (groups * 32 + block - 1) / block + (super_field(206) & 0xffff);
	unsigned int sum = first;

	for (unsigned int i = 0; i < groups; i++)
		sum += 2 + table + (has_super(i) ? supers : 0);
	return sum;
}

static void statfs_agrees(int block)
{
	struct statfs st = space();
	unsigned int free = super_field(12), kept = super_field(8);
	struct statvfs vfs;
	int fd;

	CHECK_EQ(st.f_type, EXT2_MAGIC);
	CHECK_EQ(st.f_bsize, block);
	CHECK_EQ(st.f_frsize, block);
	CHECK_EQ(st.f_namelen, 255);
	CHECK_EQ(st.f_blocks, super_field(4) - overhead(block));
	CHECK_EQ(st.f_bfree, free);
	CHECK(kept > 0);
	CHECK_EQ(st.f_bavail, free - kept);
	CHECK_EQ(st.f_files, super_field(0));
	CHECK_EQ(st.f_ffree, super_field(16));
	CHECK_EQ(statvfs(MNT, &vfs), 0);
	CHECK_EQ(vfs.f_bavail, st.f_bavail);
	fd = make_file(MNT "/file", 3 * block, SEED);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(space().f_bfree, st.f_bfree - 3);
	CHECK_EQ(space().f_bavail, st.f_bavail - 3);
	CHECK_EQ(space().f_ffree, st.f_ffree - 1);
	close(fd);
	CHECK_EQ(unlink(MNT "/file"), 0);
	sync();
	CHECK_EQ(space().f_bfree, st.f_bfree);
	CHECK_EQ(space().f_ffree, st.f_ffree);
}

TEST(statistics, 30, "statfs: blocks without the file system's own, what is free, and for whom")
{
	on_all_sizes(statfs_agrees, NULL);
}

/* The journal is the file system's own, too, also while nothing can be written. */
TEST(statistics_of_journal, 30, "statfs: the blocks of the journal do not count")
{
	unsigned int journal = 1024, all;

	put_image("journal-1k");
	CHECK_EQ(mount(disk_path, MNT, "ext3", 0, NULL), 0);
	all = super_field(4) - overhead(1024) - journal;
	CHECK_EQ(space().f_blocks, all);
	CHECK(space().f_bfree < all);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_EQ(space().f_blocks, all);
	unmount();
	CHECK_EQ(mount(disk_path, MNT, "ext3", MS_RDONLY, NULL), 0);
	CHECK_EQ(space().f_blocks, all);
	unmount();
}

/* ---- a full disk ---- */

/*
 * Write until the disk has no room for a block and an indirect block. Returns how many bytes the
 * file has got.
 */
static off_t fill_up(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666);
	off_t size = 0;
	ssize_t n;

	CHECK(fd >= 0);
	do {
		test_fill(buf, 40000, SEED, size);
		n = pwrite(fd, buf, 40000, size);
		size += n > 0 ? n : 0;
	} while (n > 0);
	CHECK_ERR(pwrite(fd, buf, 40000, size), ENOSPC);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	return size;
}

/* Take the last few blocks. */
static void fill_rest(const char *path, int block)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666);
	off_t size = 0;

	CHECK(fd >= 0);
	test_fill(buf, block, SEED, 0);
	while (size < 4 * block && pwrite(fd, buf, block, size) == block)
		size += block;
	CHECK(size < 4 * block);
	CHECK_ERR(pwrite(fd, buf, block, size), ENOSPC);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
}

static off_t full_size;

static void fill_disk(int block)
{
	off_t again;
	char *map;
	int fd;

	before = space();
	fd = make_file(MNT "/first", 5 * block, SEED);
	CHECK_EQ(ftruncate(fd, 100 * block), 0);
	close(fd);
	full_size = fill_up(MNT "/full");
	fill_rest(MNT "/rest", block);
	CHECK(full_size > 0xf0000 * 3);
	CHECK_EQ(stat_of(MNT "/full").st_size, full_size);
	CHECK_EQ(space().f_bfree, 0);
	CHECK_EQ(space().f_bavail, 0);
	CHECK_ERR(mkdir(MNT "/dir", 0700), ENOSPC);
	memset(buf, 's', 100);
	buf[100] = '\0';
	CHECK_ERR(symlink(buf, MNT "/sym"), ENOSPC);
	CHECK_EQ(symlink("short", MNT "/sym"), 0); /* needs no block */
	fd = open(MNT "/first", O_RDWR);
	CHECK(fd >= 0);
	CHECK_ERR(pwrite(fd, "x", 1, 50 * block), ENOSPC);
	CHECK_EQ(pwrite(fd, "x", 1, 4 * block), 1); /* has its block already */
	test_fill(buf, 1, SEED, 4 * block);
	CHECK_EQ(pwrite(fd, buf, 1, 4 * block), 1);
	/* A mapped hole of a full disk. */
	map = mmap(NULL, 100 * block, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	if (fork() == 0) {
		map[60 * block] = 1;
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 128 + SIGBUS);
	CHECK_EQ(munmap(map, 100 * block), 0);
	close(fd);
	is_file(MNT "/full", full_size, SEED);
	/* There is room again, all of it and at once. */
	CHECK_EQ(truncate(MNT "/full", 0), 0);
	again = fill_up(MNT "/full");
	CHECK_EQ(again, full_size);
	CHECK_EQ(unlink(MNT "/full"), 0);
	again = fill_up(MNT "/full");
	CHECK_EQ(again, full_size);
}

static void is_full(int block)
{
	int fd = open(MNT "/first", O_RDONLY);

	is_file(MNT "/full", full_size, SEED);
	CHECK_EQ(stat_of(MNT "/first").st_size, 100 * block);
	has_bytes(fd, 0, 5 * block, SEED);
	has_zeros(fd, 5 * block, 95 * block);
	close(fd);
	CHECK_EQ(space().f_bfree, 0);
	CHECK_ERR(lstat(MNT "/dir", &(struct stat){ 0 }), ENOENT);
}

TEST(full, 120,
     "a full disk is ENOSPC, what was written is whole, and what is deleted is room again")
{
	on_all_sizes(fill_disk, is_full);
}

/*
 * Stores to holes that need the blocks which a deleted file has just given up. PAGES are free, and
 * some of these wait for the deletion to be stored.
 */
#define PAGES 100

static void store_in_room(int block)
{
	int per_page = 4096 / block, fd = open(MNT "/hole", O_RDWR | O_CREAT, 0644), nr;
	off_t size = fill_up(MNT "/big");
	char *map;

	CHECK_EQ(truncate(MNT "/big", size - PAGES * 4096), 0);
	sync();
	close(make_file(MNT "/small", 10 * 4096, SEED));
	sync();
	CHECK_EQ(unlink(MNT "/small"), 0);
	nr = space().f_bfree / per_page - 5; /* without their indirect blocks */
	CHECK(nr >= PAGES - 10);
	CHECK_EQ(ftruncate(fd, nr * 4096), 0);
	map = mmap(NULL, nr * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < nr; i++)
		map[i * 4096] = i;
	CHECK_EQ(munmap(map, nr * 4096), 0);
	forget();
	for (int i = 0; i < nr; i++) {
		CHECK_EQ(pread(fd, buf, 4096, i * 4096), 4096);
		CHECK_EQ(buf[0], (char)i);
	}
	close(fd);
}

TEST(stores, 60, "stores to a mapped hole get the blocks of a file that was just deleted")
{
	on_all_sizes(store_in_room, NULL);
}

static void fill_as_somebody(int block)
{
	pid_t child;
	off_t size;

	before = space();
	CHECK_EQ(chmod(MNT, 0777), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setgid(1000) | setuid(1000), 0);
		fill_up(MNT "/theirs");
		fill_rest(MNT "/rest", block);
		CHECK_ERR(mkdir(MNT "/dir", 0700), ENOSPC);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(space().f_bavail, 0);
	CHECK_EQ(space().f_bfree, before.f_bfree - before.f_bavail);
	size = fill_up(MNT "/ours");
	CHECK(size >= (off_t)(before.f_bfree - before.f_bavail - 4) * block);
	CHECK_EQ(unlink(MNT "/ours") | unlink(MNT "/theirs") | unlink(MNT "/rest"), 0);
	sync();
	CHECK_EQ(space().f_bfree, before.f_bfree);
}

TEST(reserved, 60, "the last blocks are for root")
{
	on_all_sizes(fill_as_somebody, NULL);
}

static void fill_inodes(int block)
{
	char path[64];
	int n = 0;

	before = space();
	CHECK(before.f_ffree > 100 && before.f_ffree < 1000);
	do
		snprintf(path, sizeof(path), MNT "/file-%d", n);
	while (mknod(path, S_IFREG | 0600, 0) == 0 && ++n);
	CHECK_ERR(mknod(path, S_IFREG | 0600, 0), ENOSPC);
	CHECK_EQ(n, before.f_ffree);
	CHECK_ERR(lstat(path, &(struct stat){ 0 }), ENOENT);
	CHECK_ERR(mkdir(MNT "/dir", 0700), ENOSPC);
	CHECK_EQ(link(MNT "/file-0", MNT "/link"), 0);
	CHECK_EQ(unlink(MNT "/file-7"), 0);
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	CHECK_ERR(mkdir(MNT "/dir2", 0700), ENOSPC);
	CHECK_EQ(space().f_ffree, 0);
	CHECK_EQ(rmdir(MNT "/dir"), 0);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), MNT "/file-%d", i);
		if (i != 7)
			CHECK_EQ(unlink(path), 0);
	}
	CHECK_EQ(unlink(MNT "/link"), 0);
	sync();
	CHECK_EQ(space().f_ffree, before.f_ffree);
}

TEST(inodes, 60, "a full inode table is ENOSPC; what is deleted can be made again")
{
	on_all_sizes(fill_inodes, NULL);
}

/* ---- read-only and writable ---- */

static void refuses(void)
{
	CHECK_ERR(open(MNT "/file", O_RDWR), EROFS);
	CHECK_ERR(open(MNT "/new", O_RDWR | O_CREAT, 0600), EROFS);
	CHECK_ERR(mkdir(MNT "/new", 0700), EROFS);
	CHECK_ERR(unlink(MNT "/file"), EROFS);
	CHECK_ERR(truncate(MNT "/file", 0), EROFS);
	CHECK_ERR(chmod(MNT "/file", 0777), EROFS);
}

static int state(void)
{
	return super_field(58) & 0xffff;
}

static void remount(int block)
{
	int fd = make_file(MNT "/file", 30000, SEED), orphan = open(MNT, O_TMPFILE | O_RDWR, 0600);

	CHECK(orphan >= 0);
	CHECK_ERR(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(orphan);
	CHECK_ERR(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(pwrite(fd, buf, 1, 40000), 1);
	CHECK_EQ(ftruncate(fd, 30000), 0);
	close(fd);
	fd = open(MNT "/file", O_RDONLY);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(state(), 1);
	refuses();
	has_bytes(fd, 0, 30000, SEED);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT, NULL), 0);
	close(fd);
	fd = open(MNT "/file", O_RDWR);
	CHECK(fd >= 0);
	test_fill(buf, 5000, SEED, 30000);
	CHECK_EQ(pwrite(fd, buf, 5000, 30000), 5000);
	close(fd);
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	forget();
}

static void was_remounted(int block)
{
	is_file(MNT "/file", 35000, SEED);
	CHECK(S_ISDIR(stat_of(MNT "/dir").st_mode));
	unmount();
	CHECK_EQ(state(), 1);
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
	refuses();
	is_file(MNT "/file", 35000, SEED);
	unmount();
	mount_writable();
}

TEST(deleted_stay, 30,
     "a file system with a deleted file or directory in use does not become read-only")
{
	int fd, dir;

	put_image("blank-1k");
	mount_writable();
	close(make_file(MNT "/file", 30000, SEED));
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	fd = open(MNT "/file", O_RDONLY);
	dir = open(MNT "/dir", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && dir >= 0);
	CHECK_EQ(unlink(MNT "/file") | rmdir(MNT "/dir"), 0);
	CHECK_ERR(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	has_bytes(fd, 0, 30000, SEED);
	close(fd);
	CHECK_ERR(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(dir);
	close(make_file(MNT "/other", 5000, SEED));
	CHECK_EQ(unlink(MNT "/other"), 0); /* nobody uses this one */
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT, NULL), 0);
	unmount();
	CHECK_EQ(state(), 1);
}

TEST(deleted_inodes, 30, "inodes of files that were changed and deleted are there for new ones")
{
	int fd;

	put_image("blank-1k");
	mount_writable();
	for (int i = 0; i < 3000; i++) {
		fd = open(MNT "/file", O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		CHECK_EQ(unlink(MNT "/file"), 0);
		CHECK_EQ(write(fd, "bytes", 5), 5);
		CHECK_EQ(close(fd), 0);
	}
	unmount();
}

/*
 * Files that take more than half of the room, one after another. Each one changes without a name.
 */
static void replace_deleted(int block)
{
	off_t size = (off_t)(space().f_bavail * 6 / 10) * block;
	int hole = open(MNT "/hole", O_RDWR | O_CREAT, 0644), fd;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, hole, 0);

	CHECK(map != MAP_FAILED);
	CHECK_EQ(ftruncate(hole, size), 0);
	for (int i = 0; i < 3; i++) {
		fd = make_file(MNT "/file", size, SEED);
		CHECK_EQ(unlink(MNT "/file"), 0);
		CHECK_EQ(pwrite(fd, buf, 10, 0), 10);
		CHECK_EQ(close(fd), 0);
	}
	for (off_t at = 0; at < size; at += 4096)
		map[at] = at / 4096;
	CHECK_EQ(munmap(map, size), 0);
	close(hole);
}

TEST(deleted_blocks, 60, "blocks of files that were changed and deleted are there for new ones")
{
	on_all_sizes(replace_deleted, NULL);
}

static void delete_in_use(int block)
{
	int fd;

	for (int i = 0; i < 100; i++) {
		look_at_space();
		fd = open(MNT "/file", O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		CHECK_EQ(unlink(MNT "/file"), 0);
		CHECK_EQ(pwrite(fd, buf, 10, 100000), 10);
		if (i % 2)
			CHECK_EQ(fsync(fd), 0);
		CHECK_EQ(pwrite(fd, buf, 10, 0), 10);
		CHECK_EQ(close(fd), 0);
		space_is_whole();
	}
}

TEST(deleted_and_synced, 60, "after a sync, what deleted files had is free")
{
	on_all_sizes(delete_in_use, NULL);
}

TEST(remounted, 30, "a file system becomes read-only, and clean on its disk, and writable again")
{
	on_all_sizes(remount, was_remounted);
}

TEST(unclean, 20, "while it is written, the superblock does not say that it is clean")
{
	put_image("blank-1k");
	mount_writable();
	close(make_file(MNT "/file", 100, SEED));
	sync();
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(state(), 0);
	unmount();
	CHECK_EQ(state(), 1);
}

/* ---- links ---- */

/* Say in the inode on the disk that the file has more links than it has. */
static void many_links(const char *image, unsigned int inode, unsigned int links)
{
	unsigned int block = 1024u << super_field(24), table;
	uint16_t value = links;
	off_t at;

	CHECK_EQ(pread(disk, &table, 4, (super_field(20) + 1) * block + 8), 4);
	at = (off_t)table * block + (inode - 1) * (super_field(88) & 0xffff) + 26;
	CHECK_EQ(pwrite(disk, &value, 2, at), 2);
	CHECK_EQ(fsync(disk), 0);
}

TEST(links, 20, "a file has at most 65,000 links on Linux, or 32,000 as ext2 says: then EMLINK")
{
	unsigned int inode;
	int n = 0;
	char path[64];

	put_image("blank-4k");
	mount_writable();
	close(make_file(MNT "/file", 100, SEED));
	inode = stat_of(MNT "/file").st_ino;
	unmount();
	many_links("blank-4k", inode, 31998);
	mount_writable();
	for (; n < 5; n++) {
		snprintf(path, sizeof(path), MNT "/link-%d", n);
		if (link(MNT "/file", path) < 0)
			break;
	}
	if (n < 5) {
		CHECK_ERR(link(MNT "/file", path), EMLINK);
		CHECK_EQ(n, 2);
		CHECK_EQ(stat_of(MNT "/file").st_nlink, 32000);
	}
	unmount();
	many_links("blank-4k", inode, 64999);
	mount_writable();
	CHECK_EQ(stat_of(MNT "/file").st_nlink, 64999);
	link(MNT "/file", MNT "/one");
	CHECK_ERR(link(MNT "/file", MNT "/two"), EMLINK);
	unmount();
}
