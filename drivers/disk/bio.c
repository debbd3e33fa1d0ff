/*
 * What drivers do with bios: end them, and go through their bytes. The contract is in
 * drivers/disk/block.h.
 */
#include "drivers/disk/block.h"

void bio_end(struct bio *bio, int error, struct list *done)
{
	bio->error = error;
	list_add_tail(done, &bio->link);
}

void bio_end_all(struct list *bios, int error, struct list *done)
{
	struct bio *bio, *next;

	list_for_each_safe(bio, next, bios, link) {
		list_del(&bio->link);
		bio_end(bio, error, done);
	}
}

void bio_complete_all(struct list *done)
{
	struct bio *bio, *next;

	list_for_each_safe(bio, next, done, link) {
		list_del(&bio->link);
		bio_complete(bio, bio->error);
	}
}

phys_addr_t bio_bytes(const struct bio *bio, const struct bio_place *at, unsigned int *len)
{
	const struct bio_segment *segment = &bio->segments[at->segment];

	*len = segment->len - at->offset;
	return page_phys(segment->page) + segment->offset + at->offset;
}

void bio_advance(const struct bio *bio, struct bio_place *at, unsigned int len)
{
	at->offset += len;
	at->sector += len >> SECTOR_SHIFT;
	if (at->offset == bio->segments[at->segment].len) {
		at->segment++;
		at->offset = 0;
	}
}
