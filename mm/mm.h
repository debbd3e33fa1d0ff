/*
 * What an address space is, for what needs no more of it than its page tables and its locks. What
 * is done with it: mm/vm/vm.h.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "lib/list.h"
#include "lib/tree.h"
#include "kernel/mutex.h"
#include "mm/pgtable.h"

struct file;

#define USER_END 0xc0000000u
#define MMAP_MIN 0x00010000u /* nothing is mapped below it */

struct memory_use { /* what /proc/PID tells, in pages */
	unsigned int pages, locked, resident, most, data, stack, text, libraries;
	unsigned int most_pages, tables;
	unsigned int in_memory, of_files; /* resident pages of tmpfs, and of other files */
};

struct mm {
	struct atomic users; /* tasks that run in it */
	struct mutex lock;
	uintptr_t mmap_top;  /* mappings are placed below it */
	uintptr_t full_from; /* from there to mmap_top nothing is free */
	struct tree_node *vmas;
	unsigned int nr_vmas;
	uintptr_t size, peak_size; /* bytes in all VMAs, now and at most; lock */
	struct list dead;	   /* VMAs that were taken out; mm_unlock() frees them */
	/*
	 * What runs here, counted by inode_begin_running(); NULL: nothing yet. Set before others
	 * see it.
	 */
	struct file *program;
	/* mlockall: new mappings get VMA_LOCKED, but their pages only when they are used. */
	bool lock_future, lock_on_fault;
	unsigned int barriers; /* kinds of membarrier(2) for which the process has registered */
	uintptr_t brk_start, brk_end;
	uintptr_t stack_top;
	uintptr_t arg_start, arg_end, env_start, env_end;
	uintptr_t aux_start, aux_end; /* the auxiliary vector */
	uintptr_t vdso;		      /* mm/vm/vdso.h */
	spinlock_t table_lock;
	struct list tables;		 /* pages of directories and tables, but for the top */
	uint32_t cr3;			 /* physical address of the four top entries */
	pte_t *top;			 /* the same, as an address */
	volatile unsigned int loaded_on; /* bit mask of CPUs with it in CR3 */
	struct atomic resident;		 /* pages mapped */
	int peak_resident;		 /* the most so far, seen after each fault; lock */
	struct atomic nr_tables;	 /* their number */
	struct memory_use counted;	 /* by the last reader of /proc/PID; changed under lock */
};

#endif
