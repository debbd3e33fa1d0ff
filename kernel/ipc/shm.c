/*
 * Segments of shared memory: making, attaching, detaching and removing them. The contract is in
 * shm.h.
 */
#include "fs/file/open_file.h"
#include "kernel/ipc/shm.h"
#include "fs/names/vfs_internal.h"
#include "fs/tmpfs/tmpfs.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

enum shm_flags { /* linux/shm.h. Linux ignores other bits, and programs rely on it. */
		 SHM_HUGETLB = 04000,
		 SHM_NORESERVE = 010000,
		 SHM_RDONLY = 010000,
		 SHM_RND = 020000,
		 SHM_REMAP = 040000,
		 SHM_EXEC = 0100000,
};

static uint64_t nr_pages; /* of all segments; guarded by shm_table.lock */
SLAB_CACHE(segment_cache, "shm", struct shm_segment, 0);

static int64_t now(void)
{
	return time_wall_spec().sec;
}

/* ---- life ---- */

static bool charge(unsigned int pages)
{
	bool fits;

	spin_lock(&shm_table.lock);
	fits = nr_pages + pages <= READ_ONCE(shm_all);
	if (fits)
		nr_pages += pages;
	spin_unlock(&shm_table.lock);
	return fits;
}

static void uncharge(unsigned int pages)
{
	spin_lock(&shm_table.lock);
	nr_pages -= pages;
	spin_unlock(&shm_table.lock);
}

static int make_memory(struct path *path, int32_t key, size_t size)
{
	char name[16];
	int error;

	snprintf(name, sizeof(name), "SYSV%08x", (unsigned int)key);
	error = tmpfs_make_nameless(name, path);
	if (!error) /* nobody else knows the inode yet */
		inode_set_size(path->dentry->inode, size);
	return error;
}

static struct ipc_object *segment_create(int32_t key, size_t size, unsigned int flags)
{
	struct shm_segment *segment;
	int error;

	if (size < SHM_MIN || size > READ_ONCE(shm_max))
		return ERR_PTR(refuse(EINVAL, "the size is zero or too large"));
	if (flags & SHM_HUGETLB)
		return ERR_PTR(refuse(EINVAL, "segments have no huge pages"));
	if (!(flags & SHM_NORESERVE) && mm_hopeless(size))
		return ERR_PTR(refuse(ENOMEM, "more than all of the memory"));
	segment = slab_alloc(segment_cache, ALLOC_ZERO);
	if (!segment)
		return ERR_PTR(-ENOMEM);
	segment->size = size;
	error = make_memory(&segment->path, key, size);
	if (error) {
		slab_free(segment_cache, segment);
		return ERR_PTR(error);
	}
	if (!charge(shm_pages(segment))) {
		path_put(&segment->path);
		slab_free(segment_cache, segment);
		return ERR_PTR(-ENOSPC);
	}
	segment->creator = current->process->pid;
	segment->ctime = now();
	return &segment->object;
}

static bool segment_is_large_enough(const struct ipc_object *object, size_t size)
{
	return container_of(object, struct shm_segment, object)->size >= size;
}

static void segment_destroy(struct ipc_object *object)
{
	struct shm_segment *segment = shm_of(object);

	uncharge(shm_pages(segment));
	path_put(&segment->path);
	slab_free(segment_cache, segment);
}

static const struct ipc_kind shm_kind = {
	.create = segment_create,
	.is_large_enough = segment_is_large_enough,
	.destroy = segment_destroy,
};
unsigned int shm_max = SHM_MAX, shm_all = SHM_ALL;
struct ipc_table shm_table = IPC_TABLE("shared memory", shm_kind, SHM_NR);

long sys_shmget(int32_t key, size_t size, unsigned int flags)
{
	return ipc_get(&shm_table, key, size, flags);
}

/*
 * If the segment is removed and not attached, take it out of the table. The caller then destroys
 * it.
 */
static bool is_over_locked(struct shm_segment *segment)
{
	if (!(segment->object.mode & SHM_REMOVED) || segment->nr_attached > 0)
		return false;
	ipc_remove_locked(&shm_table, &segment->object);
	return true;
}

long shm_remove(int id)
{
	struct ipc_object *object;
	bool over = false;

	spin_lock(&shm_table.lock);
	object = ipc_own_locked(&shm_table, id);
	if (!IS_ERR(object)) {
		object->mode |= SHM_REMOVED;
		ipc_drop_key_locked(&shm_table, object);
		over = is_over_locked(shm_of(object));
	}
	spin_unlock(&shm_table.lock);
	if (over)
		segment_destroy(object);
	return IS_ERR(object) ? PTR_ERR(object) : 0;
}

unsigned int shm_resident(const struct shm_segment *segment)
{
	return READ_ONCE(segment->path.dentry->inode->mapping.pages.count);
}

/* ---- locking: pages in memory stay there anyway, so they have only to be counted ---- */

static unsigned int locked_pages_of(uint32_t uid)
{
	struct ipc_object *object = ipc_next_locked(&shm_table, 0);
	unsigned int pages = 0;

	for (; object; object = ipc_next_locked(&shm_table, ipc_slot(object) + 1))
		if (object->mode & SHM_IS_LOCKED && shm_of(object)->locker == uid)
			pages += shm_pages(shm_of(object));
	return pages;
}

/* May the current process lock or unlock the segment? Returns 0 or an error. */
static int check_lock(struct shm_segment *segment, bool lock, uint64_t limit)
{
	const struct credentials *cred = &current->process->cred;
	struct ipc_object *object = &segment->object;
	uint64_t pages;

	if (capable(CAP_IPC_LOCK))
		return 0;
	if (cred->euid != object->uid && cred->euid != object->cuid)
		return -EPERM;
	if (!lock)
		return 0;
	if (limit == 0)
		return refuse(EPERM, "RLIMIT_MEMLOCK is 0");
	pages = locked_pages_of(cred->uid) +
		(object->mode & SHM_IS_LOCKED ? 0 : shm_pages(segment));
	return pages > limit / PAGE_SIZE ? refuse(ENOMEM, "more than RLIMIT_MEMLOCK") : 0;
}

long shm_lock(int id, bool lock)
{
	uint64_t limit = current->process->limits[RLIMIT_MEMLOCK].soft;
	struct shm_segment *segment;
	int error;

	spin_lock(&shm_table.lock);
	segment = shm_of(ipc_find_locked(&shm_table, id));
	error = segment ? check_lock(segment, lock, limit) : -EINVAL;
	if (!error && lock && !(segment->object.mode & SHM_IS_LOCKED)) {
		segment->object.mode |= SHM_IS_LOCKED;
		segment->locker = current->process->cred.uid;
	} else if (!error && !lock) {
		segment->object.mode &= ~SHM_IS_LOCKED;
	}
	spin_unlock(&shm_table.lock);
	return error;
}

/* ---- the files that are mapped ---- */

static void note_user(struct shm_segment *segment)
{
	if (current->process)
		segment->last = current->process->pid;
}

static void segment_attached(struct file *file)
{
	struct shm_segment *segment = file->private;

	spin_lock(&shm_table.lock);
	segment->nr_attached++;
	segment->atime = now();
	note_user(segment);
	spin_unlock(&shm_table.lock);
}

/* One VMA or call less holds the segment. With `told`, its description tells so. */
static void detach(struct shm_segment *segment, bool told)
{
	bool over;

	spin_lock(&shm_table.lock);
	segment->nr_attached--;
	if (told) {
		segment->dtime = now();
		note_user(segment);
	}
	over = is_over_locked(segment);
	spin_unlock(&shm_table.lock);
	if (over)
		segment_destroy(&segment->object);
}

static void segment_detached(struct file *file)
{
	detach(file->private, true);
}

static int segment_mmap(struct file *file, struct vma *vma)
{
	return 0;
}

static const struct file_ops segment_file_ops = {
	.mmap = segment_mmap,
	.attached = segment_attached,
	.detached = segment_detached,
};

//BOOK: segment
/* Open the segment, which the caller holds. Returns a file or ERR_PTR. */
static struct file *open_segment(struct shm_segment *segment, unsigned int flags)
{
	struct inode *inode = segment->path.dentry->inode;
	struct file *file;

	inode->number = segment->object.id; /* that is where ps and others look for it */
	inode_get(inode);
	file = file_alloc(inode, &segment_file_ops, flags);
	if (IS_ERR(file))
		return file;
	file->path = segment->path;
	path_get(&file->path);
	file->private = segment;
	return file;
}

/* ---- shmat and shmdt ---- */

struct attach {
	uintptr_t at;
	unsigned int prot, ways, open_flags;
	bool replace;
};

/* Returns 0 or an error. */
static int parse_attach(struct attach *a, uintptr_t at, unsigned int flags)
{
	*a = (struct attach){
		.at = flags & SHM_RND ? at & PAGE_MASK : at,
		.prot = VMA_READ | VMA_WRITE,
		.ways = IPC_READ | IPC_WRITE,
		.open_flags = O_RDWR,
		.replace = flags & SHM_REMAP,
	};
	if (a->at % PAGE_SIZE)
		return refuse(EINVAL, "the address is not page aligned");
	if (a->replace && !a->at)
		return refuse(EINVAL, "SHM_REMAP without an address");
	if (at && !a->at)
		return refuse(EPERM, "the lowest 64 KiB are not mapped");
	if (flags & SHM_RDONLY) {
		a->prot = VMA_READ;
		a->ways = IPC_READ;
		a->open_flags = O_RDONLY;
	}
	if (flags & SHM_EXEC) {
		a->prot |= VMA_EXEC;
		a->ways |= IPC_EXEC;
	}
	return 0;
}

/* Find the segment and hold it until detach(). Returns it or ERR_PTR. */
static struct shm_segment *hold_segment(int id, unsigned int ways)
{
	struct shm_segment *segment;
	int error = 0;

	spin_lock(&shm_table.lock);
	segment = shm_of(ipc_find_locked(&shm_table, id));
	if (!segment)
		error = -EINVAL;
	else if (!ipc_permitted(&segment->object, ways))
		error = -EACCES;
	else
		segment->nr_attached++;
	spin_unlock(&shm_table.lock);
	return error ? ERR_PTR(error) : segment;
}

static long map_segment(struct shm_segment *segment, const struct attach *a)
{
	struct file *file;
	long result;

	if (a->at && !a->replace && segment->size > UINTPTR_MAX - a->at)
		return refuse(EINVAL, "the segment does not fit there");
	file = open_segment(segment, a->open_flags);
	if (IS_ERR(file))
		return PTR_ERR(file);
	result = mm_map_whole(a->at, segment->size, a->prot, a->replace, file);
	file_put(file);
	return result == -EEXIST ? refuse(EINVAL, "something is mapped there") : result;
}

long sys_shmat(int id, uintptr_t at, unsigned int flags)
{
	struct shm_segment *segment;
	struct attach a;
	long result = parse_attach(&a, at, flags);

	if (result < 0)
		return result;
	segment = hold_segment(id, a.ways);
	if (IS_ERR(segment))
		return PTR_ERR(segment);
	result = map_segment(segment, &a);
	detach(segment, false);
	return result;
}

static bool is_attached_at(const struct vma *vma, uintptr_t at)
{
	return vma->file && vma->file->ops == &segment_file_ops &&
	       (vma->start - at) / PAGE_SIZE == vma->page_offset;
}

/*
 * Unmap what is left of the segment that was attached at the address. Its parts lie where they
 * were, and some may have been unmapped. Returns 0 or -EINVAL. mm->lock is held.
 */
static long unmap_segment(struct mm *mm, uintptr_t at)
{
	struct vma *vma = mm_find_next(mm, at);
	struct inode *inode = NULL;
	uintptr_t end = USER_END;

	while (vma && vma->start < end) {
		uintptr_t next = vma->end;

		if (is_attached_at(vma, at) && (!inode || vma->file->inode == inode)) {
			inode = vma->file->inode;
			end = at + PAGE_ALIGN((uintptr_t)inode_size(inode));
			mm_unmap_locked(mm, vma->start,
					vma->end - vma->start); /* whole: cannot fail */
		}
		vma = mm_find_next(mm, next);
	}
	return inode ? 0 : refuse(EINVAL, "no segment is attached there");
}

long sys_shmdt(uintptr_t at)
{
	struct mm *mm = current->mm;
	long result;

	if (at % PAGE_SIZE)
		return refuse(EINVAL, "the address is not page aligned");
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	result = unmap_segment(mm, at);
	mm_unlock(mm);
	return result;
}
