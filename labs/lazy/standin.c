/*
 * Bodies with which the starter of the lab about laziness boots. Every wait for a page is a loop
 * that gives up the CPU, nobody is woken, and every read counts as one that has succeeded.
 */

int page_wait_slow(struct page *page, unsigned int bits, enum task_state state)
{
	/* A stand-in: it does not sleep, but looks again and again. */
	while (page_has(page, bits))
		schedule();
	return 0;
}

static void clear_and_wake(struct page *page, unsigned int bit)
{
	/* A stand-in: nobody sleeps, so nobody has to be woken. */
	clear_bits(&page->flags, bit | PG_WAITERS);
}

int page_wait_read(struct page *page)
{
	/* A stand-in: it does not ask how the read has ended. */
	return page_wait(page, PG_LOCKED, TASK_KILLABLE);
}
