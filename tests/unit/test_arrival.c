/*
 * Tests fs/pipe/slot.c, fs/pipe/wait.c and a part of fs/pipe/read.c: what a slot and a ring say
 * about bytes that a disk is still reading, which references a slot has, when the arrival waiter is
 * armed, and what becomes of a slot whose read has failed.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "fs/pipe/io.h"
#include "fs/names/vfs.h"

#define wait_event_until(queue, cond, until) ((void)(queue), (void)(until), (cond) ? 0 : -EAGAIN)
#define wait_event_again_until		     wait_event_until

#define NR				     8u
#define LEN				     100u
#define REFS_MAX			     INT32_MAX

static struct page pages[NR];
static struct mapping mapping;
static struct inode inode;
static struct pipe_slot slots[NR];
static struct ring ring;
static unsigned int started; /* reads */
static struct page *started_last;
static bool arrives_late; /* the bytes arrive just before the waiter is armed */

struct page *mem_map = pages;
uintptr_t direct_map_end = UINTPTR_MAX;

void *kmap_local_slow(struct page *page)
{
	abort();
}

void kunmap_local_slow(void *address)
{
	abort();
}

size_t iter_copy_to_nofault(struct iter *iter, const void *from, size_t n)
{
	abort();
}

void page_free(struct page *page)
{
	abort();
}

void inode_get(struct inode *inode)
{
	atomic_inc(&inode->refs);
}

void inode_put(struct inode *inode)
{
	must(!atomic_dec_and_test(&inode->refs));
}

int iter_fault_in(struct iter *iter, size_t n, bool whole, bool write)
{
	abort();
}

static bool start_succeeds; /* the page is on its way then */

/* A file system may wait for its block map here, so the task must not hold up others. */
bool page_read_again(struct page *page)
{
	must(!ring.consumer.held && !ring.lock.held);
	started++;
	started_last = page;
	if (start_succeeds)
		page->flags = PG_LOCKED;
	return true;
}

void page_waiter_arm(struct page_waiter *waiter, struct page *page)
{
	must(ring.lock.held);
	waiter->page = page;
	if (arrives_late)
		page->flags = PG_UPTODATE;
}

void page_waiter_disarm(struct page_waiter *waiter)
{
	waiter->page = NULL;
}

#include "fs/pipe/ring.c"
#include "fs/pipe/slot.c"
#include "fs/pipe/wait.c"
#include "fs/pipe/read.c"

/*
 * A slot of a page whose read was under way when it was spliced. It has the page's only reference.
 */
static struct pipe_slot coming(unsigned int number, unsigned int page_flags)
{
	struct page *page = &pages[number];

	page->flags = page_flags;
	page->mapping = &mapping;
	atomic_set(&page->refs, 1);
	atomic_set(&page->lent, 1);
	atomic_set(&inode.refs, number + 2); /* one of each slot, and another one */
	return (struct pipe_slot){ page, 0, LEN, &coming_slot_ops, 0, (unsigned long)&inode, NULL };
}

/* ---- confirm ---- */

static int confirms(unsigned int page_flags, bool in_file)
{
	struct pipe_slot slot = coming(0, page_flags);
	int error;

	if (!in_file)
		pages[0].mapping = NULL;
	error = slot_confirm(&slot);
	must(pages[0].flags == page_flags);
	must(atomic_read(&pages[0].refs) == 1 && atomic_read(&pages[0].lent) == 1);
	return error;
}

CASE(confirm)
{
	ok(confirms(PG_LOCKED, true) == -EAGAIN, "a page that is being read is on its way");
	ok(confirms(PG_LOCKED | PG_WAITERS, true) == -EAGAIN, "also if a task waits for it");
	ok(confirms(PG_UPTODATE, true) == 0, "an uptodate page is there");
	ok(confirms(PG_UPTODATE | PG_LOCKED, true) == 0, "also while it is locked");
	ok(confirms(PG_UPTODATE | PG_DIRTY, false) == 0, "also after it has left its file");
	ok(confirms(PG_ERROR, true) == -EIO, "a failed read is EIO");
	ok(confirms(PG_ERROR | PG_NOT_READ, true) == -ENOMEM,
	   "a read that was not started is none");
	ok(confirms(PG_ERROR | PG_LOCKED, true) == -EAGAIN, "a page that is read again is coming");
	ok(confirms(PG_ERROR, false) == -ENODATA, "an unread page that left its file is ENODATA");
	ok(confirms(0, false) == -ENODATA, "also if nothing was wrong with the disk");
}

/* ---- references ---- */

static void a_copy_on_its_way(void)
{
	struct pipe_slot slot = coming(0, PG_LOCKED), copy = slot;

	must(slot_get(&copy));
	ok(atomic_read(&pages[0].refs) == 2 && atomic_read(&pages[0].lent) == 2,
	   "a copy has a reference to the page, and a count of `lent`");
	ok(atomic_read(&inode.refs) == 3, "a copy on its way has a reference to the inode");
	must(copy.ops == &coming_slot_ops && copy.private == slot.private);
	pages[0].flags = PG_UPTODATE;
	slot_release(&copy);
	ok(atomic_read(&pages[0].refs) == 1 && atomic_read(&pages[0].lent) == 1 &&
		   atomic_read(&inode.refs) == 2,
	   "a release gives back all that the copy has, even if the bytes have arrived");
}

static void a_copy_of_what_arrived(void)
{
	struct pipe_slot slot = coming(0, PG_UPTODATE), copy = slot;

	must(slot_get(&copy));
	must(atomic_read(&pages[0].refs) == 2 && atomic_read(&pages[0].lent) == 2);
	ok(copy.ops == &cache_slot_ops && atomic_read(&inode.refs) == 2,
	   "a copy of bytes that have arrived does not need the inode");
	slot_release(&copy);
	ok(atomic_read(&pages[0].refs) == 1 && atomic_read(&pages[0].lent) == 1 &&
		   atomic_read(&inode.refs) == 2,
	   "and does not give it back");
}

static void a_copy_too_many(void)
{
	struct pipe_slot slot = coming(0, PG_LOCKED), copy = slot;

	atomic_set(&pages[0].refs, REFS_MAX);
	must(!slot_get(&copy));
	ok(atomic_read(&pages[0].refs) == REFS_MAX && atomic_read(&pages[0].lent) == 1 &&
		   atomic_read(&inode.refs) == 2,
	   "if the count of references is full, nothing has changed");
}

static void a_retry(void)
{
	struct pipe_slot slot = coming(0, PG_ERROR), other = slot;

	slot_retry(&slot);
	ok(started == 1, "a retry starts the read of a page that was on its way");
	other.ops = &anon_slot_ops;
	other.private = 0;
	slot_retry(&other);
	ok(started == 1, "and of no other page");
}

CASE(copies)
{
	a_copy_on_its_way();
	a_copy_of_what_arrived();
	a_copy_too_many();
	a_retry();
}

/* ---- the ring ---- */

static void ring_with(unsigned int nr, const unsigned int *page_flags, unsigned int slot_flags)
{
	ring_init(&ring, slots, NR, "test");
	ring.readers = ring.writers = 1;
	/* The slots go around the end of the array. */
	ring.tail = ring.kept = ring.head = UINT32_MAX - 1;
	for (unsigned int i = 0; i < nr; i++) {
		struct pipe_slot slot = coming(i, page_flags[i]);

		slot.flags = slot_flags && i + 1 < nr ? slot_flags | SLOT_GOES_ON : slot_flags;
		ring_copy_array(&ring, &slot, 1);
		ring_fill_places(&ring, 1, LEN);
	}
}
#define RING_WITH(slot_flags, ...)                                       \
	ring_with(sizeof((unsigned int[]){ __VA_ARGS__ }) / sizeof(int), \
		  (unsigned int[]){ __VA_ARGS__ }, slot_flags)

#define HERE   PG_UPTODATE
#define COMING PG_LOCKED
#define FAILED PG_ERROR

static void bytes_that_arrived(void)
{
	RING_WITH(0, HERE, HERE, HERE);
	ok(ring_arrived_bytes(&ring, false) == 3 * LEN, "all bytes have arrived");
	RING_WITH(0, HERE, COMING, HERE);
	ok(ring_arrived_bytes(&ring, false) == LEN, "bytes behind a page on its way do not count");
	RING_WITH(0, HERE, HERE, FAILED);
	ok(ring_arrived_bytes(&ring, false) == 2 * LEN, "nor do those of a failed page");
	RING_WITH(0, COMING);
	ok(ring_arrived_bytes(&ring, false) == 0, "nothing has arrived");
	must(!ring.arrival.page && !ring.lock.held);
}

static void packets_that_arrived(void)
{
	RING_WITH(SLOT_PACKET, HERE, HERE, COMING);
	ok(ring_arrived_bytes(&ring, true) == 0, "a packet has arrived when all of it has");
	RING_WITH(SLOT_PACKET, HERE, HERE);
	ok(ring_arrived_bytes(&ring, true) == 2 * LEN, "a packet has the bytes of all its slots");
	slots[ring.tail & (NR - 1)].flags = SLOT_PACKET;
	ok(ring_arrived_bytes(&ring, true) == LEN, "only the first packet counts");
	must(!ring.lock.held);
}

CASE(arrived)
{
	bytes_that_arrived();
	packets_that_arrived();
}

/*
 * The first packet is in this state, and the waiter is armed on page `armed`, or on none if
 * negative.
 */
static bool found(enum ring_first first, int armed)
{
	enum ring_first is = ring_first_there(&ring);

	must(!ring.lock.held);
	return is == first && ring.arrival.page == (armed < 0 ? NULL : &pages[armed]);
}

static void of_slots(void)
{
	RING_WITH(0, HERE, COMING);
	ok(found(RING_READY, -1), "bytes that are there need no waiter");
	RING_WITH(0, COMING, HERE);
	ok(found(RING_COMING, 0), "the waiter is armed on a page that is on its way");
	RING_WITH(0, FAILED, COMING);
	ok(found(RING_READY, -1), "an error can be read");
	RING_WITH(0, COMING);
	pages[0].mapping = NULL;
	pages[0].flags = 0;
	ok(found(RING_READY, -1), "so can the loss of a page");
	RING_WITH(0, COMING);
	arrives_late = true;
	ok(ring_first_there(&ring) == RING_READY,
	   "bytes that arrive just before the waiter is armed are there");
	arrives_late = false;
}

static void of_packets(void)
{
	RING_WITH(SLOT_PACKET, HERE, COMING, COMING);
	ok(found(RING_COMING, 1), "a packet is on its way as long as one of its slots is");
	RING_WITH(SLOT_PACKET, HERE, HERE);
	ok(found(RING_READY, -1), "a packet is there if all of it is");
	RING_WITH(SLOT_PACKET, HERE, COMING);
	slots[ring.tail & (NR - 1)].flags = SLOT_PACKET;
	ok(found(RING_READY, -1), "the next packet does not matter");
}

static void of_no_slot(void)
{
	RING_WITH(0, COMING);
	must(found(RING_COMING, 0));
	spin_lock(&ring.lock);
	ring_take(&ring, 1, LEN);
	spin_unlock(&ring.lock);
	ring_free_places(&ring);
	ok(found(RING_EMPTY, -1), "an empty ring waits for no page");
}

CASE(first_packet)
{
	of_slots();
	of_packets();
	of_no_slot();
}

/* ---- failures ---- */

static unsigned int freed; /* envelopes */

static void free_envelope(struct envelope *envelope)
{
	must(!ring.consumer.held && !ring.lock.held);
	freed++;
}

/* The ring's pages have another holder, their file. */
static int report(int error)
{
	for (unsigned int i = 0; i < NR; i++)
		atomic_set(&pages[i].refs, 2);
	mutex_lock(&ring.consumer);
	error = ring_report_failed(&ring, error);
	must(!ring.consumer.held && !ring.lock.held);
	return error;
}

/* Has each page of the ring the same holders as before? */
static bool holders_are_the_same(void)
{
	for (unsigned int at = ring.tail; at != ring.head; at++) {
		struct page *page = ring_at(&ring, at)->page;

		if (atomic_read(&page->refs) != 2 || atomic_read(&page->lent) != 1)
			return false;
	}
	return atomic_read(&inode.refs) == (int)ring_used(&ring) + 1;
}

static void of_a_failed_slot(void)
{
	RING_WITH(0, FAILED, FAILED);
	ok(report(-EIO) == -EIO && started == 1 && started_last == &pages[0],
	   "the read of a failed slot is started again");
	ok(ring_used(&ring) == 2 && holders_are_the_same(), "and the slot stays in its place");
	RING_WITH(SLOT_PACKET, HERE, FAILED, FAILED);
	ok(report(-EIO) == -EIO && started == 2 && started_last == &pages[1],
	   "in a packet it is the read of the slot that has failed");
	ok(ring_used(&ring) == 3 && holders_are_the_same(), "and all of the packet stays");
}

static void of_a_slot_that_was_not_read(void)
{
	started = 0;
	RING_WITH(0, FAILED, HERE);
	pages[0].flags |= PG_NOT_READ;
	ok(report(-ENOMEM) == -ENOMEM && started == 1, "there is still no memory for its read");
	start_succeeds = true;
	ok(report(-ENOMEM) == -EAGAIN && started == 2,
	   "its read has been started, and is no error");
	start_succeeds = false;
	ok(ring_used(&ring) == 2 && holders_are_the_same(), "and the slot stays in its place");
}

static void of_a_lost_slot(void)
{
	struct envelope envelope = { ATOMIC_INIT(1), free_envelope };

	started = 0;
	RING_WITH(0, FAILED, HERE);
	pages[0].mapping = NULL;
	ok(report(-ENODATA) == -ENODATA && started == 0, "a lost page is not read again");
	ok(ring_used(&ring) == 1 && ring_at(&ring, ring.tail)->page == &pages[1], "its slot goes");
	ok(atomic_read(&pages[0].refs) == 1 && atomic_read(&pages[0].lent) == 0,
	   "and gives back what it held");
	RING_WITH(SLOT_PACKET, HERE, FAILED);
	pages[1].mapping = NULL;
	ring_at(&ring, ring.tail)->envelope = &envelope;
	ok(report(-ENODATA) == -ENODATA && ring_used(&ring) == 0, "a packet goes as a whole");
	ok(freed == 1, "its envelope is freed without the mutex");
}

CASE(failed)
{
	of_a_failed_slot();
	of_a_slot_that_was_not_read();
	of_a_lost_slot();
}
