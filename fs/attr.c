/*
 * What an inode says about itself, and changing it: permissions, mode, owner, times, size.
 *
 * 1. Permissions are those of the file system user and group ids; root may everything, but executes
 *    only what somebody may execute. access(2) asks for the real ids.
 * 2. Changes are made with inode->lock held; inode_ops.changed then writes them.
 * 3. Access times are not kept: they change by utimensat() only.
 */
#include "lib/string.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

/* Files that have bytes of their own, so that a read-only file system matters to them. */
static bool is_stored(unsigned int mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static bool in_group(uint32_t group, uint32_t gid)
{
	const struct credentials *cred = &current->process->cred;

	if (group == gid)
		return true;
	for (unsigned int i = 0; i < cred->nr_groups; i++)
		if (cred->groups[i] == group)
			return true;
	return false;
}

int inode_permission_for(const struct inode *inode, unsigned int may, uint32_t uid, uint32_t gid)
{
	unsigned int mode = inode->mode;

	if (may & MAY_WRITE && inode->sb->read_only && is_stored(mode))
		return -EROFS;
	if (!current->process)
		return 0;
	if (uid == 0)
		return may & MAY_EXEC && !S_ISDIR(mode) && !(mode & 0111) ? -EACCES : 0;
	if (uid == inode->uid)
		mode >>= 6;
	else if (in_group(inode->gid, gid))
		mode >>= 3;
	return may & ~mode & 7 ? -EACCES : 0;
}

int inode_permission(struct inode *inode, unsigned int may)
{
	return inode_permission_for(inode, may, current_uid(), current_gid());
}

bool inode_owner_or_root(const struct inode *inode)
{
	return current_uid() == 0 || current_uid() == inode->uid;
}

int inode_changed(struct inode *inode)
{
	return inode->ops && inode->ops->changed ? inode->ops->changed(inode) : 0;
}

/* ---- access ---- */

long sys_faccessat2(int dirfd, const char __user *user_name, unsigned int may, unsigned int flags)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	const struct credentials *cred = &current->process->cred;
	char *name;
	struct path path;
	int error;

	if (may & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!(flags & AT_EACCESS))
		lookup |= LOOKUP_REAL_IDS;
	name = name_from_user(user_name);
	if (IS_ERR(name))
		return PTR_ERR(name);
	error = path_lookup(dirfd, name, lookup, &path);
	name_free(name);
	if (error)
		return error;
	if (flags & AT_EACCESS)
		error = inode_permission(path.dentry->inode, may);
	else
		error = inode_permission_for(path.dentry->inode, may, cred->uid, cred->gid);
	if (!error && may & MAY_WRITE && is_stored(path.dentry->inode->mode))
		error = mount_writable(path.mount);
	path_put(&path);
	return error;
}

long sys_faccessat(int dirfd, const char __user *name, unsigned int may)
{
	return sys_faccessat2(dirfd, name, may, 0);
}

long sys_access(const char __user *name, unsigned int may)
{
	return sys_faccessat2(AT_FDCWD, name, may, 0);
}

/* ---- mode ---- */

static int object_chmod(struct object *object, unsigned int mode)
{
	struct inode *inode = object->inode;
	int error = mount_writable(object->path.mount);

	if (error)
		return error;
	mutex_lock(&inode->lock);
	error = -EPERM;
	if (inode_owner_or_root(inode)) {
		mode &= 07777;
		if (current_uid() != 0 && !in_group(inode->gid, current_gid()))
			mode &= ~S_ISGID;
		inode->mode = (inode->mode & S_IFMT) | mode;
		inode->ctime = time_wall_spec();
		error = inode_changed(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}

long sys_fchmodat(int dirfd, const char __user *name, unsigned int mode)
{
	struct object object;
	int error = object_at(dirfd, name, 0, &object);

	if (error)
		return error;
	error = object_chmod(&object, mode);
	object_put(&object);
	return error;
}

long sys_chmod(const char __user *name, unsigned int mode)
{
	return sys_fchmodat(AT_FDCWD, name, mode);
}

/* The file of a descriptor that is open for use, for the calls that start with f. */
static int object_of_open_fd(int number, struct object *object)
{
	struct fd fd = fd_get(number);
	int error = fd.file ? object_of_fd(number, object) : -EBADF;

	fd_put(fd);
	return error;
}

long sys_fchmod(int number, unsigned int mode)
{
	struct object object;
	int error = object_of_open_fd(number, &object);

	if (error)
		return error;
	error = object_chmod(&object, mode);
	object_put(&object);
	return error;
}

/* ---- owner ---- */

#define KEEP_ID UINT32_MAX

static bool may_chown(const struct inode *inode, uint32_t uid, uint32_t gid)
{
	if (current_uid() == 0)
		return true;
	if (current_uid() != inode->uid || (uid != KEEP_ID && uid != inode->uid))
		return false;
	return gid == KEEP_ID || gid == inode->gid || in_group(gid, current_gid());
}

static int object_chown(struct object *object, uint32_t uid, uint32_t gid)
{
	struct inode *inode = object->inode;
	int error = mount_writable(object->path.mount);

	if (error)
		return error;
	mutex_lock(&inode->lock);
	error = -EPERM;
	if (may_chown(inode, uid, gid)) {
		if (uid != KEEP_ID)
			inode->uid = uid;
		if (gid != KEEP_ID)
			inode->gid = gid;
		/* The new owner has not asked for a program that runs in his name. */
		if (!S_ISDIR(inode->mode)) {
			inode->mode &= ~S_ISUID;
			if (inode->mode & 0010)
				inode->mode &= ~S_ISGID;
		}
		inode->ctime = time_wall_spec();
		error = inode_changed(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}

long sys_fchownat(int dirfd, const char __user *name, uint32_t uid, uint32_t gid,
		  unsigned int flags)
{
	struct object object;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	error = object_at(dirfd, name, flags, &object);
	if (error)
		return error;
	error = object_chown(&object, uid, gid);
	object_put(&object);
	return error;
}

long sys_chown32(const char __user *name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown32(const char __user *name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown32(int number, uint32_t uid, uint32_t gid)
{
	struct object object;
	int error = object_of_open_fd(number, &object);

	if (error)
		return error;
	error = object_chown(&object, uid, gid);
	object_put(&object);
	return error;
}

/* The 16-bit calls: 65535 means that it stays. */
static uint32_t wide_id(unsigned int id)
{
	return (uint16_t)id == UINT16_MAX ? KEEP_ID : (uint16_t)id;
}

long sys_chown(const char __user *name, unsigned int uid, unsigned int gid)
{
	return sys_chown32(name, wide_id(uid), wide_id(gid));
}

long sys_lchown(const char __user *name, unsigned int uid, unsigned int gid)
{
	return sys_lchown32(name, wide_id(uid), wide_id(gid));
}

long sys_fchown(int number, unsigned int uid, unsigned int gid)
{
	return sys_fchown32(number, wide_id(uid), wide_id(gid));
}

/* ---- times ---- */

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe
#define NSEC_MAX   999999999

/* times NULL: both now, which whoever may write may do, not the owner alone. */
static int object_set_times(struct object *object, const struct timespec64 times[2])
{
	struct timespec64 now = time_wall_spec();
	struct inode *inode = object->inode;
	bool both_now = !times || (times[0].nsec == UTIME_NOW && times[1].nsec == UTIME_NOW);
	int error = mount_writable(object->path.mount);

	if (error)
		return error;
	if (times && times[0].nsec == UTIME_OMIT && times[1].nsec == UTIME_OMIT)
		return 0;
	mutex_lock(&inode->lock);
	if (!inode_owner_or_root(inode))
		error = both_now ? inode_permission(inode, MAY_WRITE) : -EPERM;
	if (!error) {
		if (both_now || times[0].nsec == UTIME_NOW)
			inode->atime = now;
		else if (times[0].nsec != UTIME_OMIT)
			inode->atime = times[0];
		if (both_now || times[1].nsec == UTIME_NOW)
			inode->mtime = now;
		else if (times[1].nsec != UTIME_OMIT)
			inode->mtime = times[1];
		inode->ctime = now;
		error = inode_changed(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}

static bool time_is_valid(const struct timespec64 *time)
{
	return time->nsec == UTIME_NOW || time->nsec == UTIME_OMIT ||
	       (time->nsec >= 0 && time->nsec <= NSEC_MAX);
}

static long set_times(int dirfd, const char __user *name, const struct timespec64 *times,
		      unsigned int flags)
{
	struct object object;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (times && !(time_is_valid(&times[0]) && time_is_valid(&times[1])))
		return -EINVAL;
	if (name)
		error = object_at(dirfd, name, flags, &object);
	else
		error = flags ? -EINVAL : object_of_open_fd(dirfd, &object);
	if (error)
		return error;
	error = object_set_times(&object, times);
	object_put(&object);
	return error;
}

long sys_utimensat_time64(int dirfd, const char __user *name, const void __user *user_times,
			  unsigned int flags)
{
	struct {
		int64_t sec, nsec;
	} raw[2];
	struct timespec64 times[2];

	if (!user_times)
		return set_times(dirfd, name, NULL, flags);
	if (copy_from_user(raw, user_times, sizeof(raw)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		times[i].sec = raw[i].sec;
		times[i].nsec = (int32_t)raw[i].nsec; /* the upper half is padding */
	}
	return set_times(dirfd, name, times, flags);
}

/* Two pairs of 32-bit numbers, the second ones in units of `scale` nanoseconds. */
static long set_times_32(int dirfd, const char __user *name, const void __user *user_times,
			 unsigned int scale, unsigned int flags)
{
	struct {
		int32_t sec, fraction;
	} raw[2];
	struct timespec64 times[2];

	if (!user_times)
		return set_times(dirfd, name, NULL, flags);
	if (copy_from_user(raw, user_times, sizeof(raw)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (scale > 1 && (raw[i].fraction < 0 || raw[i].fraction > NSEC_MAX / (int)scale))
			return -EINVAL;
		times[i].sec = raw[i].sec;
		times[i].nsec = raw[i].fraction * (int)scale;
	}
	return set_times(dirfd, name, times, flags);
}

long sys_utimensat(int dirfd, const char __user *name, const void __user *times, unsigned int flags)
{
	return set_times_32(dirfd, name, times, 1, flags);
}

long sys_utimes(const char __user *name, const void __user *times)
{
	return name ? set_times_32(AT_FDCWD, name, times, 1000, 0) : -EFAULT;
}

long sys_utime(const char __user *name, const uint32_t __user *user_times)
{
	uint32_t seconds[2];
	struct timespec64 times[2] = { { 0, 0 }, { 0, 0 } };

	if (!name)
		return -EFAULT;
	if (!user_times)
		return set_times(AT_FDCWD, name, NULL, 0);
	if (copy_from_user(seconds, user_times, sizeof(seconds)))
		return -EFAULT;
	times[0].sec = (int32_t)seconds[0];
	times[1].sec = (int32_t)seconds[1];
	return set_times(AT_FDCWD, name, times, 0);
}

/* ---- size ---- */

#define FILE_SIZE_MAX ((file_off_t)UINT32_MAX << PAGE_SHIFT) /* page indices have 32 bits */

static int check_size_limit(file_off_t size)
{
	if (size > FILE_SIZE_MAX)
		return -EFBIG;
	if (!current->process || (uint64_t)size <= current->process->limits[RLIMIT_FSIZE].soft)
		return 0;
	signal_send_task(current, SIGXFSZ, NULL);
	return -EFBIG;
}

/*
 * Shrinking: first the size, so that nobody brings the pages beyond it back; then the pages, which
 * waits for reads in flight; and only then the file system frees their blocks.
 */
int inode_truncate(struct inode *inode, file_off_t size)
{
	file_off_t old;
	int error = 0;

	mutex_lock(&inode->lock);
	old = inode->size;
	if (size > old)
		error = check_size_limit(size);
	if (!error && size < old) {
		inode_set_size(inode, size);
		error = mapping_truncate(&inode->mapping, size);
	}
	if (!error && inode->ops && inode->ops->truncate)
		error = inode->ops->truncate(inode, size);
	if (error) {
		inode_set_size(inode, old);
	} else {
		inode_set_size(inode, size);
		inode->mtime = inode->ctime = time_wall_spec();
		error = inode_changed(inode);
	}
	mutex_unlock(&inode->lock);
	return error;
}

static int path_truncate(const struct path *path, file_off_t size)
{
	struct inode *inode = path->dentry->inode;
	int error;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	error = mount_writable(path->mount);
	if (!error)
		error = inode_permission(inode, MAY_WRITE);
	if (!error)
		error = inode_begin_writing(inode);
	if (error)
		return error;
	error = inode_truncate(inode, size);
	inode_end_writing(inode);
	return error;
}

static long truncate_name(const char __user *user_name, file_off_t size)
{
	char *name;
	struct path path;
	int error;

	if (size < 0)
		return -EINVAL;
	name = name_from_user(user_name);
	if (IS_ERR(name))
		return PTR_ERR(name);
	error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	name_free(name);
	if (error)
		return error;
	error = path_truncate(&path, size);
	path_put(&path);
	return error;
}

static long truncate_fd(int number, file_off_t size)
{
	struct fd fd;
	long error;

	if (size < 0)
		return -EINVAL;
	fd = fd_get(number);
	if (!fd.file)
		return -EBADF;
	if (fd.file->writable && S_ISREG(fd.file->inode->mode))
		error = inode_truncate(fd.file->inode, size);
	else
		error = -EINVAL;
	fd_put(fd);
	return error;
}

long sys_truncate(const char __user *name, long size)
{
	return truncate_name(name, size);
}

long sys_ftruncate(int number, long size)
{
	return truncate_fd(number, size);
}

long sys_truncate64(const char __user *name, uint32_t low, uint32_t high)
{
	return truncate_name(name, offset_of(low, high));
}

long sys_ftruncate64(int number, uint32_t low, uint32_t high)
{
	return truncate_fd(number, offset_of(low, high));
}
