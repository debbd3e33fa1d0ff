/*
 * For the tests of an ext2 on which an operation fails: a small file system, and whether all of it
 * is as it was, in memory and on the disk.
 */
#ifndef USER_TEST_EXT2_UNDONE_H
#define USER_TEST_EXT2_UNDONE_H

#include "ext2.h"
#include <sys/xattr.h>

/* undone.h has a buffer of this name for its own files. */
#define buf undone_buf
#include "undone.h"
#undef buf
#undef SEED

#define SEED	51
#define FILE	MNT "/file"
#define OTHER_1 MNT "/dir/other"

static struct statfs before;
static ino_t ino;
static char note[600]; /* the value of an attribute, in all or in part */

/* Names are looked up anew, and bytes are read anew. */
__attribute__((unused)) static void start(const char *image)
{
	set_nth(0);
	put_image(image);
	mount_writable();
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	close(make_file(FILE, 20000, SEED));
	ino = stat_of(FILE).st_ino;
	forget();
	CHECK_EQ(statfs(MNT, &before), 0);
}

/* All is as it was, in memory and on the disk. */
__attribute__((unused)) static void nothing_has_changed(void)
{
	struct statfs after;

	CHECK_EQ(statfs(MNT, &after), 0);
	CHECK_EQ(after.f_bfree, before.f_bfree);
	CHECK_EQ(after.f_ffree, before.f_ffree);
	CHECK_EQ(stat_of(MNT).st_nlink, 4);
	CHECK_EQ(stat_of(MNT "/dir").st_nlink, 2);
	CHECK_EQ(stat_of(FILE).st_nlink, 1);
	CHECK_EQ(stat_of(FILE).st_ino, ino);
	is_file(FILE, 20000, SEED);
	is_not_there(OTHER_1);
	forget();
	is_file(FILE, 20000, SEED);
	is_not_there(OTHER_1);
}

__attribute__((unused)) static void finish(void)
{
	forget();
	unmount();
	mount_writable();
	unmount();
}

/* The file has one attribute, the first `size` bytes of `note`. */
__attribute__((unused)) static void note_is(size_t size)
{
	char got[sizeof(note)];

	CHECK_EQ(getxattr(FILE, "user.note", got, sizeof(got)), size);
	CHECK(!memcmp(got, note, size));
	CHECK_EQ(listxattr(FILE, NULL, 0), sizeof("user.note"));
}

#endif
