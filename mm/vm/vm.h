/*
 * Address spaces: VMAs, page faults, and the calls that change them.
 *
 * 1. mm->lock, a mutex, guards the VMAs and brk. A page fault takes it too, so the page faults of
 *    one address space happen one after another. It is never held during a copy to or from user
 *    memory.
 * 2. mm->table_lock guards the user page tables. A page lock is taken before it.
 * 3. A VMA of a file is on its mapping's list of VMAs, so that a page can be unmapped or
 *    write-protected everywhere. mapping->vma_lock guards that list, and is taken before
 *    mm->table_lock.
 * 4. A user page-table entry without PTE_SPECIAL holds one reference to its page and one count of
 *    `mapped`.
 * 5. Private writable memory is copy-on-write. A fault makes an entry writable only if the page has
 *    no other holder at that moment (its reference count is one).
 */
#ifndef MM_VM_VM_H
#define MM_VM_VM_H

#include "kernel/cpu/trap.h"
#include "mm/mm.h"

struct file;
struct mapping;

#define MMAP_TOP 0xb8000000u /* the highest mm->mmap_top; stacks are above it */

enum vma_flags {
	VMA_READ = 1,
	VMA_WRITE = 2,
	VMA_EXEC = 4, /* = PROT_* */
	VMA_SHARED = 8,
	VMA_STACK = 16,	    /* MAP_GROWSDOWN: grows down to its limit */
	VMA_MAY_WRITE = 32, /* mprotect may add VMA_WRITE, as the file allows that */
	VMA_HUGE = 128,	    /* MAP_HUGETLB: private, consists of whole huge pages */
	/*
	 * Device memory, which is never copied. page_offset is then its frame number. The mmap
	 * operation of the file sets both.
	 */
	VMA_DEVICE = 64,
	VMA_LOCKED = 256, /* mlock: its pages are never reclaimed. A child's copy is not locked. */
	VMA_DONTFORK = 512,    /* a child has nothing here */
	VMA_WIPEONFORK = 1024, /* a child finds zeros here; only private anonymous memory */
};

struct vma {
	uintptr_t start; /* page aligned, as `end` is */
	union {
		uintptr_t end;
		struct tree_node node; /* mm->vmas, by end: its key */
	};
	unsigned int flags;
	struct file *file;    /* holds a reference; NULL: anonymous */
	uint32_t page_offset; /* of start, in the file, in pages */
	struct mm *mm;
	struct list mapping_link; /* mapping->vmas */
};

/* Create an empty address space. Returns NULL if there is no memory. May sleep. */
struct mm *mm_create(void);
/*
 * Set the program that will run in a new address space. Its file cannot be written until the
 * address space is freed. Returns 0, or -ETXTBSY if it is open for writing.
 */
int mm_set_program(struct mm *mm, struct file *file);
/*
 * Create a copy-on-write copy of `from`, for fork. Returns it with one use, ERR_PTR(-ENOMEM), or
 * ERR_PTR(-EINTR) if the task is killed. May sleep; takes from->lock.
 */
struct mm *mm_fork(struct mm *from);
/* Take one more use of an address space. The caller has one already. */
void mm_get(struct mm *mm);
/* Drop a use. The last one frees the address space. May sleep. */
void mm_put(struct mm *mm);
/*
 * Map [start, start+len) with VMA_* flags. If file is NULL, the memory is anonymous. Existing
 * mappings in the range are removed first. Returns 0, -ENOMEM, -EINTR if the task is killed, or the
 * error of file_ops.mmap or of a seal. May sleep; takes mm->lock.
 */
int mm_map(struct mm *mm, uintptr_t start, size_t len, unsigned int flags, struct file *file,
	   uint32_t page_offset);
/*
 * Map the whole file, which has `len` bytes, into the current address space. `prot` has the bits of
 * VMA_READ, VMA_WRITE and VMA_EXEC. `at` is the address, or 0 for any. What is mapped there is
 * removed if `replace` is set, otherwise it is in the way. Returns the address or an error of
 * mmap(2): -EACCES, -EAGAIN, -EEXIST, -ENOMEM, -EPERM or -ERESTARTSYS. May sleep; takes mm->lock.
 */
long mm_map_whole(uintptr_t at, size_t len, unsigned int prot, bool replace, struct file *file);
/* Returns the VMA that contains va, or NULL. mm->lock is held. */
struct vma *mm_find(struct mm *mm, uintptr_t va);
/* Return the first VMA that ends after va, or the last one before va, or NULL. mm->lock is held. */
struct vma *mm_find_next(struct mm *mm, uintptr_t va);
struct vma *mm_find_previous(struct mm *mm, uintptr_t va);

/*
 * Handle a page fault of the current task at va. `error` is the CPU's error code. The fault is
 * resolved, or the task gets a signal, or (in kernel mode) the frame continues at a fixup. A fault
 * that is the kernel's own error is a panic. May sleep, unless page faults are disabled.
 */
void page_fault(struct trap_frame *frame, uintptr_t va, unsigned int error);
/*
 * Make va present for a write or a read. Returns 0, -EFAULT, -ENOMEM, -EINTR if the task is killed,
 * or -EIO if an access there would cause SIGBUS. May sleep; takes mm->lock.
 */
int mm_fault_in(struct mm *mm, uintptr_t va, bool write);
/*
 * The same for a task that is ending, on whose access others wait: even though it is killed, it
 * waits for mm->lock, for the disk, and for a second for memory. Never returns -EINTR.
 */
int mm_fault_in_always(struct mm *mm, uintptr_t va, bool write);

enum mm_access {
	MM_WRITE = 1, /* from the buffer to the address space */
	MM_FORCE = 2, /* for a debugger: read and write private memory whatever its protection is */
};
/*
 * Copy between a buffer in the kernel and another address space. Returns how many bytes were
 * copied, or, if there are none, -EFAULT, -ENOMEM, -EINTR if the caller is killed, or -EIO if an
 * access there would cause SIGBUS. May sleep; takes mm->lock. mm/vm/remote.c
 */
ssize_t mm_access(struct mm *mm, uintptr_t va, void *buf, size_t len, unsigned int how);

/* Can a program store to the file's pages through this VMA of a file, now or after mprotect(2)? */
bool vma_can_write_file(const struct vma *vma);
/*
 * From now on no shared mapping of a file that is open for writing can be made (F_SEAL_WRITE).
 * Returns false, and changes nothing, if there is one. Never sleeps.
 */
bool mapping_seal(struct mapping *mapping);

/* ---- mm/vm/advice.c ---- */

/* madvise(2) for a range of an address space, to which the caller has a reference. May sleep. */
long mm_advise(struct mm *mm, uintptr_t start, size_t len, int advice);
/* May one process give this advice (MADV_*) about the memory of another? */
bool advice_is_for_others(int advice);

/* ---- for the page cache: mm/vm/rmap.c. The caller has locked the page. ---- */

/*
 * Remove every user mapping of the page. Returns true if one of them had dirtied it. Does not
 * sleep.
 */
bool mapping_unmap_page(struct mapping *mapping, struct page *page);
/* Returns true if a program has locked a mapping of the page (mlock). Does not sleep. */
bool mapping_page_locked(struct mapping *mapping, struct page *page);
/*
 * Write-protect every user mapping of the page. Returns true if one had dirtied it. Does not sleep.
 */
bool mapping_protect_page(struct mapping *mapping, struct page *page);
/*
 * Write-protect every user mapping of nr pages with increasing indices, which the caller has
 * locked. The TLBs are flushed once for each VMA, however many pages there are. Does not sleep.
 */
void mapping_protect_run(struct mapping *mapping, struct page **pages, unsigned int nr);
/* Remove all user mappings of the file's pages [first, last], for truncation. Does not sleep. */
void mapping_unmap_range(struct mapping *mapping, unsigned int first, unsigned int last);

/* ---- mm/vm/lend.c ---- */

/*
 * For vmsplice: get up to `max` pages of the current address space, from the page-aligned address
 * va on. Each has a reference and is counted as lent. Private pages are write-protected, so that
 * the owner's next write makes a copy. With `gift`, ordinary private pages are taken out of the
 * address space instead, and the next access there finds zeros, or the bytes of the file. Other
 * pages are lent even so.
 *
 * Returns the number of pages, at least 1, or -EFAULT, -ENOMEM or -ERESTARTSYS. *size is the size
 * of each in bytes, PAGE_SIZE or LARGE_SIZE. A page of a file and a huge page come alone. May
 * sleep; takes mm->lock.
 */
int mm_lend_pages(struct mm *mm, uintptr_t va, bool gift, struct page **pages, unsigned int max,
		  unsigned int *size);

#endif
