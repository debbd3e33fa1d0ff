/*
 * Segments of shared memory.
 *
 * 1. A segment is a file in memory without a name in any directory (fs/tmpfs). Its pages, their
 *    limits, and its mappings are those of every file in memory, so they are written, lent, counted
 *    and freed like these. shmat(2) opens the file and maps it.
 * 2. A segment counts the VMAs of its files. It also counts the calls of shmat in progress, so that
 *    it stays until their mapping is made. A segment that has been removed goes away when the count
 *    becomes zero. A VMA that munmap(2) or mprotect(2) divides counts as two.
 * 3. shm_table.lock guards the fields. The size and the path never change.
 */
#ifndef KERNEL_IPC_SHM_H
#define KERNEL_IPC_SHM_H

#include "fs/names/vfs.h"
#include "kernel/ipc/ipc.h"

#define SHM_MAX	      (UINT32_MAX - (1u << 24)) /* bytes; the first value of shm_max */
#define SHM_MIN	      1u
#define SHM_ALL	      (UINT32_MAX - (1u << 24)) /* pages of all segments; the first value of shm_all */
#define SHM_NR	      4096u
#define SHM_REMOVED   01000u /* flags in the mode: SHM_DEST, */
#define SHM_IS_LOCKED 02000u /* and SHM_LOCKED */

struct shm_segment {
	struct ipc_object object;
	size_t size;	  /* in bytes, as the program asked for */
	struct path path; /* of its file, with references */
	unsigned int nr_attached;
	uint32_t locker;	     /* the user that its pages count for, with SHM_IS_LOCKED */
	unsigned int creator, last;  /* process ids */
	int64_t atime, dtime, ctime; /* seconds since 1970 */
};

/* The limits in /proc/sys/kernel, read without a lock. */
extern unsigned int shm_max, shm_all;
extern struct ipc_table shm_table;
/* Returns the segment with the object, or NULL for NULL. */
static inline struct shm_segment *shm_of(struct ipc_object *object)
{
	return object ? container_of(object, struct shm_segment, object) : NULL;
}

/* Returns the number of whole pages that the segment can have. */
static inline unsigned int shm_pages(const struct shm_segment *segment)
{
	return DIV_ROUND_UP(segment->size, PAGE_SIZE);
}
/* Returns the number of pages that it has. Never sleeps. */
unsigned int shm_resident(const struct shm_segment *segment);
/* Remove a segment for IPC_RMID. Returns 0, -EINVAL or -EPERM. May sleep. */
long shm_remove(int id);
/*
 * Set or clear SHM_IS_LOCKED. Returns 0, -EINVAL, -EPERM, or -ENOMEM if the user's segments would
 * have more locked pages than RLIMIT_MEMLOCK allows.
 */
long shm_lock(int id, bool lock);

#endif
