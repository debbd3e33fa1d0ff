/*
 * Bodies with which the starter of the lab about pages boots. The memory that comes at boot is
 * handed out from its beginning on. What is freed later is lost, so the guest runs out of memory
 * after a while.
 */

static struct page *buddy_take(struct zone *zone, unsigned int order)
{
	/* A stand-in: the next block whose pages all came at boot. It never goes back. */
	static unsigned int cursor[NR_ZONES];
	unsigned int *at = &cursor[zone - zones], size = 1u << order, n;

	for (*at = ALIGN_UP(*at, size); *at + size <= nr_frames; *at += size) {
		for (n = 0; n < size; n++)
			if (!page_has(frame_page(*at + n), PG_BUDDY) ||
			    zone_of(frame_page(*at + n)) != (unsigned int)(zone - zones))
				break;
		if (n < size)
			continue;
		for (n = 0; n < size; n++)
			block_remove(frame_page(*at + n));
		zone->nr_free -= size;
		*at += size;
		return frame_page(*at - size);
	}
	return NULL;
}

static void buddy_give(struct zone *zone, struct page *page, unsigned int order)
{
	/* A stand-in: pages come in ascending order at boot. Any other page is lost. */
	static unsigned int last[NR_ZONES];

	if (order > 0 || page_frame(page) <= last[zone - zones])
		return;
	last[zone - zones] = page_frame(page);
	zone->nr_free++;
	block_insert(zone, page, 0);
}

static struct page *take_single(unsigned int z)
{
	/* No stack yet: page_alloc() goes on to the zone. */
	return NULL;
}

static void give_single(struct page *page, unsigned int z)
{
	/* No stack yet: the zone takes each page. */
	unsigned int irq = spin_lock_irqsave(&zones[z].lock);

	buddy_give(&zones[z], page, 0);
	spin_unlock_irqrestore(&zones[z].lock, irq);
}

static bool make_room(unsigned int order, unsigned int flags)
{
	/* No reclaim yet. */
	return false;
}
