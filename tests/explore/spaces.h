/*
 * For scenarios with user memory: an address space with one page, in which the tasks run.
 */
#ifndef EXPLORE_SPACES_H
#define EXPLORE_SPACES_H

#include "mm/vm/vm.h"
#include "shim.h"

/* Where the page is. Its entries are in those bytes of the tables that the shim clears. */
#define USER_PAGE 0x00002000u

/*
 * All tasks run in a new address space that maps the page with these VMA_* flags, of the file if it
 * is not NULL. For setup.
 */
void space_make(unsigned int vma_flags, struct file *file);
/* The page is mapped no more, and nobody runs there. For checks. */
void space_drop(void);
/* The page-table entry of the page in an address space; 0: nothing is mapped. For checks. */
pte_t space_entry(struct mm *mm);
extern struct mm *space;

#define SHARED	(VMA_READ | VMA_WRITE | VMA_SHARED)
#define PRIVATE (VMA_READ | VMA_WRITE)

#endif
