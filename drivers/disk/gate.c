/*
 * The gate: a disk in memory whose requests pass a gate, so that a test decides when they end, and
 * how.
 *
 * 1. The kernel parameter gate= sets its size (8 MiB if it is not given). A page of the disk is
 *    allocated when it is first written. Other pages read as zeros. So a gate that is not used
 *    costs one pointer for each page.
 * 2. gate.lock (plain) guards everything here. Nothing of the gate runs in interrupts.
 * 3. While the gate is open, a bio is done before gate_submit() returns. While it is closed, bios
 *    are held in order and untouched. A held bio reads or writes the disk when it passes. The disk
 *    has no cache of its own, but a flush is a request like the others, so that it can be held, and
 *    can fail.
 * 4. Commands are written to /proc/gate:
 *	close		hold the requests that come from now on
 *	open		let all requests through, now and from now on
 *	pass N		let N requests through; if fewer are held, the next ones pass as they come
 *	fail N		fail the next N requests that pass with EIO
 *	skip N		let N requests succeed before those that fail
 *	reverse		reverse the order of the held requests
 */
#include "drivers/disk/block.h"
#include "fs/proc/proc.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/vmalloc.h"

#define GATE_MAJOR   240 /* one of the numbers for local use */
#define DEFAULT_SIZE (8u << 20)
#define MAX_SIZE     (1u << 30)

static struct gate {
	spinlock_t lock;
	bool closed;
	struct list held; /* bios, in the order in which they will pass */
	unsigned int nr_held;
	unsigned int credit; /* requests that may pass although it is closed */
	unsigned int
		skip; /* requests, of the next that pass, that will succeed whatever `fail` is */
	unsigned int fail;   /* requests, of those that pass then, that will fail */
	struct page **pages; /* by index; NULL: zeros */
} gate = {
	.lock = SPINLOCK_INIT("gate"),
	.held = LIST_INIT(gate.held),
};

static uint64_t gate_size = DEFAULT_SIZE;

static int set_size(const char *value)
{
	uint64_t size = parse_size(value, &value);

	if (*value || size > MAX_SIZE)
		return -EINVAL;
	gate_size = size;
	return 0;
}
KERNEL_PARAM(gate, set_size, "8M", "size of /dev/gate0, e.g. 64M; 0: none");

/* ---- the disk behind the gate ---- */

/*
 * The page at `index`, which a write allocates. Returns NULL if there is no memory. Pages are never
 * freed.
 */
static struct page *gate_page(unsigned int index, bool write)
{
	struct page *page = READ_ONCE(gate.pages[index]), *new;

	if (page || !write)
		return page ? page : zero_page;
	new = page_alloc(0, ALLOC_HIGH | ALLOC_ZERO);
	spin_lock(&gate.lock);
	page = gate.pages[index];
	if (!page)
		page = gate.pages[index] = new;
	spin_unlock(&gate.lock);
	if (new &&page != new)
		page_put(new);
	return page;
}

/* ---- the gate ---- */

/* Complete the held bios that may pass. No lock is held. */
static void let_pass(void)
{
	for (;;) {
		struct bio *bio = NULL;
		bool fail = false;

		spin_lock(&gate.lock);
		if (gate.nr_held > 0 && (!gate.closed || gate.credit > 0)) {
			bio = list_first(&gate.held, struct bio, link);
			list_del(&bio->link);
			gate.nr_held--;
			gate.credit -= gate.closed;
			fail = gate.fail > 0 && gate.skip == 0;
			gate.fail -= fail;
			gate.skip -= gate.skip > 0;
		}
		spin_unlock(&gate.lock);
		if (!bio)
			return;
		bio_complete(bio, fail ? -EIO : bio_copy(bio, 0, gate_page));
	}
}

static void gate_submit(struct block_device *device, struct bio *bio)
{
	spin_lock(&gate.lock);
	list_add_tail(&gate.held, &bio->link);
	gate.nr_held++;
	spin_unlock(&gate.lock);
	let_pass();
}

static const struct block_device_ops gate_ops = {
	.submit = gate_submit,
	.flush = block_flush_by_bio,
};

static struct block_device device = {
	.name = "gate0",
	.major = GATE_MAJOR,
	.ops = &gate_ops,
	.queue_depth = 1024,
};

/* ---- /proc/gate ---- */

static void gate_show(struct text *text)
{
	spin_lock(&gate.lock);
	text_printf(text, "%s\nheld %u\nin_flight %d\npass %u\nfail %u\nskip %u\n",
		    gate.closed ? "closed" : "open", gate.nr_held, atomic_read(&device.in_flight),
		    gate.credit, gate.fail, gate.skip);
	spin_unlock(&gate.lock);
}

static void reverse_held(void)
{
	struct bio *bio, *next;

	lockdep_held(&gate.lock);
	list_for_each_safe(bio, next, &gate.held, link) {
		list_del(&bio->link);
		list_add(&gate.held, &bio->link);
	}
}

/* Parse `word`, a space and a number. Returns false if the input is something else. */
static bool parse_command(const char *input, const char *word, uint32_t *number)
{
	size_t len = strlen(word);

	return !strncmp(input, word, len) && input[len] == ' ' &&
	       parse_u32(input + len + 1, number) == 0;
}

static int gate_store(char *input, size_t len)
{
	uint32_t number = 0;
	int error = 0;

	if (len > 0 && input[len - 1] == '\n')
		input[len - 1] = '\0';
	spin_lock(&gate.lock);
	if (!strcmp(input, "close")) {
		gate.closed = true;
		gate.credit = 0;
	} else if (!strcmp(input, "open")) {
		gate.closed = false;
	} else if (parse_command(input, "pass", &number)) {
		gate.credit += number;
	} else if (parse_command(input, "fail", &number)) {
		gate.fail = number;
	} else if (parse_command(input, "skip", &number)) {
		gate.skip = number;
	} else if (!strcmp(input, "reverse")) {
		reverse_held();
	} else {
		error = -EINVAL;
	}
	spin_unlock(&gate.lock);
	if (!error)
		let_pass();
	return error;
}
PROC_FILE(gate, "gate", 0644, gate_show, gate_store);

static int gate_probe(void)
{
	device.sectors = gate_size >> SECTOR_SHIFT;
	if (device.sectors == 0)
		return 0;
	gate.pages =
		vmalloc(DIV_ROUND_UP(gate_size, PAGE_SIZE) * sizeof(struct page *), ALLOC_ZERO);
	if (!gate.pages)
		return -ENOMEM;
	block_register(&device);
	return 0;
}
DRIVER(gate, gate_probe);
