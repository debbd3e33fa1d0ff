/*
 * All rings, and the processes that made them.
 *
 * rings_lock guards the list. It is taken with interrupts off, because it is also taken while
 * tasks_lock is held. A ring's counters are read without its lock: the sum is an estimate.
 */
#include "fs/pipe/owners.h"
#include "kernel/init.h"
#include "kernel/process/oom.h"
#include "kernel/process/process.h"

static spinlock_t rings_lock = SPINLOCK_INIT("rings");
static struct list rings = LIST_INIT(rings);

void ring_register(struct ring *ring)
{
	struct process *owner = current->process;
	unsigned int flags;

	if (owner)
		atomic_inc(&owner->refs);
	ring->owner = owner;
	flags = spin_lock_irqsave(&rings_lock);
	list_add(&rings, &ring->all_link);
	spin_unlock_irqrestore(&rings_lock, flags);
}

void ring_unregister(struct ring *ring)
{
	unsigned int flags = spin_lock_irqsave(&rings_lock);

	list_del(&ring->all_link);
	spin_unlock_irqrestore(&rings_lock, flags);
	if (ring->owner)
		process_put(ring->owner);
	ring->owner = NULL;
}

/* Add the pages in each ring to what its owner holds. tasks_lock is held. */
static void count_ring_pages(void)
{
	unsigned int flags = spin_lock_irqsave(&rings_lock);
	struct ring *ring;

	list_for_each(ring, &rings, all_link)
		if (ring->owner)
			ring->owner->ring_pages += READ_ONCE(ring->head) - READ_ONCE(ring->kept);
	spin_unlock_irqrestore(&rings_lock, flags);
}

static void owners_init(void)
{
	oom_count_rings = count_ring_pages;
}
INITCALL(2, owners_init);
