/*
 * The attributes of an inode and how they change: permissions, mode, owner, times. How the size
 * changes is in fs/names/truncate.c.
 *
 * 1. Permissions are checked for the fsuid and fsgid of the process, which follow its effective
 *    ids. Root may do everything, except execute a file that nobody may execute. access(2) checks
 *    for the real user and group.
 * 2. Changes are made with inode->lock held.
 * 3. Reads and writes change the times of a file as well: fs/names/times.h.
 */
#include "lib/string.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/process/timecalls.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/inode_flags.h"
#include "fs/names/mount.h"
#include "fs/names/notify.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/process/credentials.h"

/* Is the file's content part of the file system? Only then does a read-only mount protect it. */
static bool is_stored(unsigned int mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static bool is_fixed(const struct inode *inode, unsigned int what)
{
	return inode->ops && inode->ops->fixed && inode->ops->fixed(inode) & what;
}

/* A file that nobody may execute is no program, for root either. */
static bool has_override(const struct inode *inode, unsigned int may, uint64_t capabilities)
{
	if (may & MAY_EXEC && !S_ISDIR(inode->mode) && !(inode->mode & 0111))
		return false;
	if (is_fixed(inode, FIXED_USE))
		return false;
	if (capabilities & CAP_BIT(CAP_DAC_OVERRIDE))
		return true;
	return capabilities & CAP_BIT(CAP_DAC_READ_SEARCH) &&
	       (S_ISDIR(inode->mode) ? !(may & MAY_WRITE) : may == MAY_READ);
}

static int permission_for(const struct inode *inode, unsigned int may, uint32_t uid, uint32_t gid,
			  uint64_t capabilities)
{
	unsigned int mode = inode->mode;

	if (may & MAY_WRITE && super_is_read_only(inode->sb) && is_stored(mode))
		return -EROFS;
	if (may & MAY_WRITE && inode_is_immutable(inode))
		return refuse(EPERM, "the file is immutable");
	if (!current->process)
		return 0;
	if (uid == inode->uid)
		mode >>= 6;
	else if (credentials_in_group(inode->gid, gid))
		mode >>= 3;
	return may & ~mode & 7 && !has_override(inode, may, capabilities) ? -EACCES : 0;
}

int inode_permission(struct inode *inode, unsigned int may)
{
	uint64_t capabilities = current->process ? current->process->cred.effective : CAP_ALL;

	return permission_for(inode, may, current_uid(), current_gid(), capabilities);
}

bool inode_owner_or_root(const struct inode *inode)
{
	return capable(CAP_FOWNER) || current_uid() == inode->uid;
}

/* ---- access ---- */

/* What the process could do if its effective user were the real one. */
static uint64_t real_capabilities(const struct credentials *cred)
{
	if (cred->securebits & SECURE_NO_SETUID_FIXUP)
		return cred->effective;
	return cred->uid == 0 ? cred->permitted : 0;
}

/* What the mount forbids, although the file allows it. */
static int mount_permission(const struct path *path, unsigned int may)
{
	unsigned int mode = path->dentry->inode->mode;

	if (may & MAY_EXEC && S_ISREG(mode) && path->mount->flags & MOUNT_NOEXEC)
		return -EACCES;
	return may & MAY_WRITE && is_stored(mode) && mount_is_read_only(path->mount) ? -EROFS : 0;
}

long sys_faccessat2(int dirfd, const char __user *name, unsigned int may, unsigned int flags)
{
	const struct credentials *cred = &current->process->cred;
	struct path path;
	int error;

	if (may & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return refuse(EINVAL, "an unknown mode or flag");
	error = path_at(dirfd, name, flags, &path);
	if (error)
		return error;
	if (flags & AT_EACCESS)
		error = inode_permission(path.dentry->inode, may);
	else
		error = permission_for(path.dentry->inode, may, cred->uid, cred->gid,
				       real_capabilities(cred));
	if (!error)
		error = mount_permission(&path, may);
	path_put(&path);
	return error;
}

long sys_access(const char __user *name, unsigned int may)
{
	return sys_faccessat2(AT_FDCWD, name, may, 0);
}

long sys_faccessat(int dirfd, const char __user *name, unsigned int may)
{
	return sys_faccessat2(dirfd, name, may, 0);
}

/* ---- mode, owner, times ---- */

#define KEEP_ID	 UINT32_MAX
#define NSEC_MAX 999999999

struct change {
	int (*make)(struct inode *inode, const struct change *change);
	unsigned int mode;
	uint32_t uid, gid;
	struct timespec64 times[2]; /* access, modification */
	uint32_t event;		    /* what watches are told; 0: IN_ATTRIB */
};

static long change_at(int dirfd, const char __user *name, unsigned int flags,
		      const struct change *change)
{
	struct inode *inode;
	struct path path;
	int error;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return refuse(EINVAL, "a flag that is not supported");
	error = name == this_file ? path_of_fd(dirfd, false, &path)
				  : path_at(dirfd, name, flags, &path);
	if (error)
		return error;
	inode = path.dentry->inode;
	error = mount_begin_writing(path.mount);
	if (error) {
		path_put(&path);
		return error;
	}
	error = mutex_lock_killable(&inode->lock);
	if (!error) {
		error = change->make(inode, change);
		if (!error) {
			inode_status_changed(inode);
			inode_changed(inode);
		}
		mutex_unlock(&inode->lock);
	}
	mount_end_writing(path.mount);
	if (!error)
		notify_path(path.dentry, change->event ? change->event : IN_ATTRIB);
	path_put(&path);
	return error;
}

/* May the current process set S_ISGID of the inode? */
static bool may_set_group_bit(const struct inode *inode)
{
	return capable(CAP_FSETID) || credentials_in_group(inode->gid, current_gid());
}

static int change_mode(struct inode *inode, const struct change *change)
{
	unsigned int mode = change->mode & 07777;

	if (S_ISLNK(inode->mode)) /* by way of /proc/self/fd */
		return refuse(EOPNOTSUPP, "the mode of a symbolic link means nothing");
	if (!inode_owner_or_root(inode) || inode_stays(inode) || is_fixed(inode, FIXED_MODE))
		return -EPERM;
	if (!may_set_group_bit(inode))
		mode &= ~S_ISGID;
	inode->mode = (inode->mode & S_IFMT) | mode;
	return 0;
}

long sys_fchmodat(int dirfd, const char __user *name, unsigned int mode)
{
	return change_at(dirfd, name, 0, &(struct change){ change_mode, .mode = mode });
}

long sys_chmod(const char __user *name, unsigned int mode)
{
	return sys_fchmodat(AT_FDCWD, name, mode);
}

long sys_fchmod(int fd, unsigned int mode)
{
	return sys_fchmodat(fd, this_file, mode);
}

static bool may_chown(const struct inode *inode, uint32_t uid, uint32_t gid)
{
	if (capable(CAP_CHOWN))
		return true;
	if (current_uid() != inode->uid || (uid != KEEP_ID && uid != inode->uid))
		return false;
	return gid == KEEP_ID || gid == inode->gid || credentials_in_group(gid, current_gid());
}

/*
 * Returns those mode bits that let a program act for its owner or group, and that a change by the
 * current process clears. S_ISGID without execute permission for the group means something else. It
 * stays if the process could set it.
 */
static unsigned int privileges(const struct inode *inode)
{
	bool for_group = inode->mode & 0010 || !may_set_group_bit(inode);

	return inode->mode & (S_ISUID | (for_group ? S_ISGID : 0));
}

static int change_owner(struct inode *inode, const struct change *change)
{
	if (!may_chown(inode, change->uid, change->gid) || inode_stays(inode) ||
	    is_fixed(inode, FIXED_OWNER))
		return -EPERM;
	/* The new owner has not allowed the program to run under that identity. */
	if (!S_ISDIR(inode->mode))
		inode->mode &= ~privileges(inode);
	if (change->uid != KEEP_ID)
		inode->uid = change->uid;
	if (change->gid != KEEP_ID)
		inode->gid = change->gid;
	return 0;
}

long sys_fchownat(int dirfd, const char __user *name, uint32_t uid, uint32_t gid,
		  unsigned int flags)
{
	return change_at(dirfd, name, flags,
			 &(struct change){ change_owner, .uid = uid, .gid = gid });
}

long sys_chown32(const char __user *name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown32(const char __user *name, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown32(int fd, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(fd, this_file, uid, gid, 0);
}

static void set_time(struct timespec64 *time, const struct timespec64 *new)
{
	if (new->nsec == UTIME_NOW)
		*time = time_wall_spec();
	else if (new->nsec != UTIME_OMIT)
		*time = *new;
}

/* A user who may write to the file, but does not own it, may only set both times to the present. */
static int change_times(struct inode *inode, const struct change *change)
{
	const struct timespec64 *times = change->times;
	int error = inode_is_immutable(inode) ? -EPERM : 0;

	if (times[0].nsec != UTIME_NOW || times[1].nsec != UTIME_NOW)
		error = inode_owner_or_root(inode) && !inode_stays(inode) ? 0 : -EPERM;
	else if (!error && !inode_owner_or_root(inode))
		error = inode_permission(inode, MAY_WRITE);
	if (error)
		return error;
	set_time(&inode->atime, &times[0]);
	set_time(&inode->mtime, &times[1]);
	return 0;
}

long times_set_at(int dirfd, const char __user *name, const struct timespec64 *times,
		  unsigned int flags)
{
	struct change change = { change_times, .times = { times[0], times[1] } };

	/* Setting only one of the times passes for the access or the write that it tells of. */
	if (change.times[1].nsec == UTIME_OMIT)
		change.event = IN_ACCESS;
	else if (change.times[0].nsec == UTIME_OMIT)
		change.event = IN_MODIFY;
	if (!name && dirfd != AT_FDCWD) {
		if (flags)
			return refuse(EINVAL, "flags without a name");
		name = this_file;
	}
	return change_at(dirfd, name, flags, &change);
}

/* `times` points to the access time and the modification time. NULL sets both to the present. */
long sys_utimensat(int dirfd, const char __user *name, const void __user *times, unsigned int flags)
{
	struct timespec64 new[2] = { { .nsec = UTIME_NOW }, { .nsec = UTIME_NOW } };
	bool wide = call_has_time64();
	size_t size = wide ? 16 : 8; /* of one of them */

	for (unsigned int i = 0; times && i < 2; i++) {
		int32_t words[4], nsec;

		if (copy_from_user(words, times + i * size, size))
			return -EFAULT;
		/* The upper half of 64-bit nanoseconds may be rubbish. */
		nsec = words[size / 8];
		new[i].sec =
			wide ? (int64_t)((uint64_t)words[1] << 32 | (uint32_t)words[0]) : words[0];
		new[i].nsec = nsec;
		if (nsec != UTIME_NOW && nsec != UTIME_OMIT && (nsec < 0 || nsec > NSEC_MAX))
			return refuse(EINVAL, "nanoseconds out of range");
	}
	if (new[0].nsec == UTIME_OMIT &&new[1].nsec == UTIME_OMIT)
		return 0; /* there is nothing to do, not even to look for the file */
	return times_set_at(dirfd, name, new, flags);
}

void inode_drop_privileges(struct inode *inode)
{
	assert(mutex_held(&inode->lock));
	if (S_ISREG(inode->mode) && !capable(CAP_FSETID))
		inode->mode &= ~privileges(inode);
}

/* ---- size ---- */

file_off_t file_size_limit(const struct inode *inode, file_off_t last)
{
	file_off_t size_max = inode->sb->size_max;
	uint64_t limit = RLIM_INFINITY;

	if (current->process)
		limit = current->process->limits[RLIMIT_FSIZE].soft;
	if (limit >= (uint64_t)size_max)
		return size_max;
	if (last >= (file_off_t)limit)
		signal_send_self(SIGXFSZ);
	return limit;
}
