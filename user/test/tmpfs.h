/* For tests of tmpfs: mounting one for a case. */
#ifndef USER_TEST_TMPFS_H
#define USER_TEST_TMPFS_H

#include "test.h"
#include <sys/mount.h>
#include <sys/statfs.h>

#define DIR_NAME "/tmp/case"

static inline void mount_here(const char *options)
{
	mkdir(DIR_NAME, 0755);
	CHECK_EQ(mount("none", DIR_NAME, "tmpfs", 0, options), 0);
}

static inline void unmount_here(void)
{
	CHECK_EQ(umount(DIR_NAME), 0);
	CHECK_EQ(rmdir(DIR_NAME), 0);
}

#endif
