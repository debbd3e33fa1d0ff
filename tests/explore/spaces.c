/* Address spaces: see spaces.h. */
#include "mm/vm/tables.h"
#include "spaces.h"

struct mm *space;

void space_make(unsigned int vma_flags, struct file *file)
{
	space = mm_create();
	must(mm_map(space, USER_PAGE, PAGE_SIZE, vma_flags, file, 0) == 0);
	for (int i = 0; i <= MAX_TASKS; i++)
		ex_tasks[i].mm = space;
	ex_object(space, "struct mm", "mm");
}

void space_drop(void)
{
	mm_put(space);
}

pte_t space_entry(struct mm *mm)
{
	pte_t *entry = mm_pte(mm, USER_PAGE);

	return entry ? *entry : 0;
}
