/*
 * Tests drivers/disk/virtio_blk.c with a device that is played by the test: how the driver takes answers.
 *
 * 1. The device's registers are plain memory. The queue and the bios are in the arena, where a physical
 *    address is an offset.
 * 2. The device finds the queue through its registers, and a request through the queue, as a real one does.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"

static struct page frames[ARENA_FRAMES];
struct page *mem_map = frames;

#include "drivers/disk/virtio_blk.c"

#define QUEUE_SIZE 8u
#define BAR_PHYS   0xfe000000u
#define BAR_SIZE   PAGE_SIZE

/* ---- memory ---- */

static unsigned int next_frame = 1;

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = frame_page(next_frame);

	next_frame += 1u << order;
	return page;
}

void *kzalloc(size_t size, unsigned int flags)
{
	return calloc(1, size);
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	return snprintf(dst, size, "%s", src);
}

/* ---- PCI: the registers of type t are at t * REGISTERS_STEP, and its capability is at (t + 1) * CAP_STEP ---- */

#define CAP_STEP       0x20u
#define REGISTERS_STEP 0x100u

static char registers[BAR_SIZE] __attribute__((aligned(8)));
static struct common *const common = (void *)(registers + CFG_COMMON * REGISTERS_STEP);
static uint8_t *const isr = (void *)(registers + CFG_ISR * REGISTERS_STEP);
static struct configuration *const config = (void *)(registers + CFG_DEVICE * REGISTERS_STEP);
static struct pci_device pci = { .vendor = VIRTIO_VENDOR, .id = BLOCK_MODERN, .irq_line = 11 };
struct list pci_devices = LIST_INIT(pci_devices);

unsigned int pci_capability(const struct pci_device *device, unsigned int id, unsigned int from)
{
	unsigned int last = (CFG_DEVICE + 1) * CAP_STEP;

	return from == 0 ? (CFG_COMMON + 1) * CAP_STEP : from < last ? from + CAP_STEP : 0;
}

uint32_t pci_read(const struct pci_device *device, unsigned int offset, unsigned int bytes)
{
	unsigned int type = offset / CAP_STEP - 1;

	switch (offset % CAP_STEP) {
	case CAP_TYPE:
		return type;
	case CAP_OFFSET:
		return type * REGISTERS_STEP;
	case CAP_LENGTH:
		return REGISTERS_STEP;
	default:
		return 0;
	}
}

void pci_enable(const struct pci_device *device)
{
}

void *ioremap(phys_addr_t phys, size_t size)
{
	return registers + (phys - BAR_PHYS);
}

static irq_handler handler;
static void *handler_context;

int irq_request(unsigned int irq, bool level, irq_handler function, void *context)
{
	handler = function;
	handler_context = context;
	return 0;
}

/* ---- the block layer ---- */

static struct block_device *vda;
static unsigned int completions, in_completion;

int block_register_next(struct block_device *device, const char *prefix, unsigned int major)
{
	vda = device;
	return 0;
}

struct bio *bio_alloc(struct block_device *device, uint64_t sector, bool write, unsigned int flags)
{
	struct bio *bio = page_address_low(page_alloc(0, 0));

	bio->device = device;
	bio->sector = sector;
	bio->write = write;
	bio->segments[0] = (struct bio_segment){ page_alloc(0, 0), 0, PAGE_SIZE };
	bio->nr_segments = 1;
	list_init(&bio->link);
	return bio;
}

int bio_flush_wait(struct bio *bio)
{
	return -EIO;
}

void bio_complete(struct bio *bio, int error)
{
	struct disk *disk = vda->private;

	if (spin_held(&disk->lock)) {
		ok(false, "bio_complete() is called without disk->lock");
		exit(1);
	}
	completions++;
	bio->error = error;
	if (bio->complete)
		bio->complete(bio);
}

static struct bio *submit_read(void (*complete)(struct bio *))
{
	struct bio *bio = bio_alloc(vda, 0, false, 0);

	bio->complete = complete;
	vda->ops->submit(vda, bio);
	vda->ops->kick(vda);
	return bio;
}

/* ---- the device ---- */

static uint16_t taken; /* requests */

static bool has_request(void)
{
	struct virtq_avail *avail = phys_to_virt(common->queue_driver[0]);

	return avail->index != taken;
}

/* Take the next request, and return its number. */
static uint32_t take(void)
{
	struct virtq_avail *avail = phys_to_virt(common->queue_driver[0]);

	must(has_request());
	return avail->ring[taken++ % QUEUE_SIZE];
}

/* Write the status of a request. */
static void succeed(uint32_t id)
{
	struct virtq_desc *entry = (struct virtq_desc *)phys_to_virt(common->queue_desc[0]) + id;
	struct virtq_desc *table = phys_to_virt(entry->address);
	struct virtq_desc *last = table + entry->len / sizeof(*table) - 1;

	*(uint8_t *)phys_to_virt(last->address) = REQUEST_OK;
}

/* Say that a request is done. */
static void answer(uint32_t id)
{
	struct virtq_used *used = phys_to_virt(common->queue_device[0]);

	used->ring[used->index % QUEUE_SIZE].id = id;
	used->index++;
}

static void interrupt(void)
{
	*isr = ISR_QUEUE;
	handler(handler_context);
	*isr = 0;
}

/* Answer requests until there are no more. */
static void serve_all(void)
{
	while (has_request()) {
		while (has_request()) {
			uint32_t id = take();

			succeed(id);
			answer(id);
		}
		interrupt();
	}
}

/* Each case begins with it. */
static void start_device(void)
{
	pci.bars[0] = (struct pci_bar){ BAR_PHYS, BAR_SIZE };
	list_add_tail(&pci_devices, &pci.link);
	/* Both words of the features are the same. No bit has a meaning in both of them. */
	common->device_feature = FEATURE_VERSION_1 | FEATURE_SEG_MAX | FEATURE_INDIRECT;
	common->queue_size = QUEUE_SIZE;
	config->capacity[0] = 1000;
	config->seg_max = BIO_MAX_SEGMENTS;
	virtio_blk_probe();
	must(vda && handler);
}

/* ---- cases ---- */

CASE(completion_without_the_lock)
{
	start_device();
	submit_read(NULL);
	submit_read(NULL);
	serve_all();
	ok(completions == 2, "an interrupt completes the bios of all answers");
}

static void submit_another(struct bio *bio)
{
	in_completion++;
	submit_read(NULL);
}

CASE(completion_submits)
{
	start_device();
	submit_read(submit_another);
	serve_all();
	ok(in_completion == 1 && completions == 2, "a completion may submit another bio");
}

CASE(answers_to_no_request)
{
	unsigned int requests = 0;
	struct bio *bio;
	uint32_t id;

	start_device();
	bio = submit_read(NULL);
	id = take();
	answer(QUEUE_SIZE);
	answer(0x10000000);
	answer((id + 1) % QUEUE_SIZE);
	interrupt();
	ok(completions == 0, "an answer to a request that was never made is ignored");
	succeed(id);
	answer(id);
	answer(id);
	interrupt();
	ok(completions == 1 && bio->error == 0, "the second answer to a request is ignored");
	for (unsigned int i = 0; i < QUEUE_SIZE + 2; i++)
		submit_read(NULL);
	for (; has_request(); requests++)
		take();
	ok(requests == QUEUE_SIZE, "after false answers the queue has as many entries as before");
}
