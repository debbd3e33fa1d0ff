/* Leases: they are set, broken and given up while others open or truncate the file. */
#include "fs/cache/pagecache.h"
#include "fs/file/file.h"
#include "fs/file/lease.h"
#include "fs/file/lock.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"
#include "files.h"
#include "shim.h"

static const struct super_ops super_ops;
static struct super_block sb = { .ops = &super_ops };
static const struct file_ops no_ops;

static struct file *holder(void)
{
	return current->files->slots[FD_FILE].file;
}

/* ---- what truncate(2) needs of inodes and mounts ---- */

int mount_begin_writing(struct mount *mount)
{
	return 0;
}

int inode_begin_writing(struct inode *inode)
{
	atomic_inc(&inode->busy);
	return 0;
}

void inode_end_writing(struct inode *inode)
{
	atomic_dec(&inode->busy);
}

/* The file is about to change, so its holder must have been told. */
static int is_truncated(struct inode *inode, file_off_t size)
{
	must(lease_get(holder()) == F_UNLCK);
	return 0;
}

static const struct inode_ops inode_ops = { .truncate = is_truncated };

/* ---- tasks ---- */

static void not_leased(void)
{
	files_open(&no_ops);
	file_inode.mode = S_IFREG;
	file_inode.ops = &inode_ops;
	file_inode.sb = &sb;
	mapping_init(&file_inode.mapping, &file_inode, NULL);
	holder()->writable = false;
}

static void leased(void)
{
	not_leased();
	must(lease_set(FD_FILE, holder(), F_WRLCK) == 0);
}

static void set_and_give_up(int type)
{
	long error = lease_set(FD_FILE, holder(), type);

	must(error == 0 || error == -EAGAIN);
	must(lease_set(FD_FILE, holder(), F_UNLCK) == error);
}

static void reduce_and_give_up(int unused)
{
	long error = lease_set(FD_FILE, holder(), F_RDLCK);

	must(error == 0 || error == -EAGAIN); /* while the file is being opened for writing */
	must(lease_set(FD_FILE, holder(), F_UNLCK) == 0);
}

static void truncate_file(int unused)
{
	must(sys_truncate64("", 0, 0) == 0);
}

/* As open(2) does. */
static void open_file(int write)
{
	long type;

	atomic_inc(write ? &file_inode.busy : &file_inode.readers);
	must(lease_break(&file_inode, write, true) == 0);
	type = lease_get(holder());
	must(type == F_UNLCK || (!write && type == F_RDLCK));
	atomic_dec(write ? &file_inode.busy : &file_inode.readers);
}

static void no_lease_is_left(void)
{
	must(lease_get(holder()) == F_UNLCK && nr_leases == 0);
	must(atomic_read(&file_inode.busy) == 0 && atomic_read(&file_inode.readers) == 0);
}

SCENARIO(lease_truncate, "a lease is set and given up while the file is truncated", not_leased,
	 no_lease_is_left, { "holder", set_and_give_up, F_RDLCK },
	 { "truncate", truncate_file, 0 });

SCENARIO(lease_open, "the same while the file is opened for writing", not_leased, no_lease_is_left,
	 { "holder", set_and_give_up, F_WRLCK }, { "opener", open_file, true });

SCENARIO(lease_two, "a reader and a writer wait for a lease, which is reduced and then given up",
	 leased, no_lease_is_left, { "holder", reduce_and_give_up, 0 },
	 { "reader", open_file, false }, { "writer", open_file, true });
