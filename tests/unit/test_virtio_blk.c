/*
 * Tests drivers/disk/virtio_blk.c with a device that is played by the test: how the driver takes
 * answers.
 *
 * 1. The test is the transport, too. The queue and the bios are in the arena, where a physical
 *    address is an offset.
 * 2. The device finds a request through the queue, as a real one does.
 */
#include "tests/unit/disk_shim.h"
#include "tests/unit/cases.h"

#include "drivers/disk/virtio_blk.c"
#include "tests/unit/bio_shim.h"

#define QUEUE_SIZE 8u

/* ---- what the file uses ---- */

size_t strlcpy(char *dst, const char *src, size_t size)
{
	return snprintf(dst, size, "%s", src);
}

/* ---- the transport ---- */

static struct configuration config;
static uint32_t offered[2], accepted[2]; /* features */
static uint8_t status;
static unsigned int resets;
static bool raised; /* the interrupt */
/* The parts of the queue, as the driver has set them. */
static struct virtq_desc *queue_desc;
static struct virtq_avail *queue_avail;
static struct virtq_used *queue_used;

static uint8_t get_status(struct virtio_device *virtio)
{
	return status;
}

static void set_status(struct virtio_device *virtio, uint8_t value)
{
	status = value;
	resets += value == 0;
}

static uint32_t features(struct virtio_device *virtio, unsigned int word)
{
	return offered[word];
}

static void accept_features(struct virtio_device *virtio, unsigned int word, uint32_t features)
{
	accepted[word] = features;
}

static unsigned int queue_max(struct virtio_device *virtio)
{
	return QUEUE_SIZE;
}

static int set_queue(struct virtio_device *virtio, unsigned int size, uint32_t desc, uint32_t avail,
		     uint32_t used)
{
	must(size == QUEUE_SIZE);
	queue_desc = phys_to_virt(desc);
	queue_avail = phys_to_virt(avail);
	queue_used = phys_to_virt(used);
	return 0;
}

static void notify(struct virtio_device *virtio)
{
}

static bool acknowledge(struct virtio_device *virtio)
{
	bool was = raised;

	raised = false;
	return was;
}

static uint32_t generation(struct virtio_device *virtio)
{
	return 0;
}

static const struct virtio_transport played = {
	.status = get_status,
	.set_status = set_status,
	.features = features,
	.accept = accept_features,
	.queue_max = queue_max,
	.set_queue = set_queue,
	.notify = notify,
	.acknowledge = acknowledge,
	.generation = generation,
};
static struct virtio_device device = { .transport = &played, .irq = 11, .config = &config };

void virtio_pci_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *))
{
	must(kind == VIRTIO_BLOCK && add(&device) == 0);
}

void virtio_mmio_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *))
{
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

static void checked(struct bio *bio)
{
	struct disk *disk = vda->private;

	if (spin_held(&disk->lock)) {
		ok(false, "bio_complete() is called without disk->lock");
		exit(1);
	}
	completions++;
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
	return queue_avail->index != taken;
}

/* Take the next request, and return its number. */
static uint32_t take(void)
{
	must(has_request());
	return queue_avail->ring[taken++ % QUEUE_SIZE];
}

/* Write the status of a request. */
static void succeed(uint32_t id)
{
	struct virtq_desc *entry = &queue_desc[id];
	struct virtq_desc *table = phys_to_virt(entry->address);
	struct virtq_desc *last = table + entry->len / sizeof(*table) - 1;

	*(uint8_t *)phys_to_virt(last->address) = REQUEST_OK;
}

/* Say that a request is done. */
static void answer(uint32_t id)
{
	queue_used->ring[queue_used->index % QUEUE_SIZE].id = id;
	queue_used->index++;
}

static void interrupt(void)
{
	raised = true;
	handler(handler_context);
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
	offered[0] = FEATURE_SEG_MAX | FEATURE_INDIRECT;
	offered[1] = device.legacy ? 0 : FEATURE_VERSION_1;
	config.capacity[0] = 1000;
	config.seg_max = BIO_MAX_SEGMENTS;
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

CASE(legacy_device)
{
	device.legacy = true;
	start_device();
	ok(accepted[0] == (FEATURE_SEG_MAX | FEATURE_INDIRECT) && accepted[1] == 0 &&
		   status == (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK),
	   "a legacy device sees nothing that came with version 1");
}

/* The device claims one answer more, to a request that was never made. */
static void claim_another(void)
{
	answer(QUEUE_SIZE);
}

CASE(endless_answers)
{
	start_device();
	submit_read(NULL);
	take();
	claim_another();
	meanwhile = claim_another;
	alarm(5);
	interrupt();
	meanwhile = NULL;
	ok(completions == 0, "an interrupt ends although the device goes on claiming answers");
}

CASE(index_too_far_ahead)
{
	struct bio *running[2], *later;

	start_device();
	running[0] = submit_read(NULL);
	running[1] = submit_read(NULL);
	resets = 0;
	queue_used->index += QUEUE_SIZE + 1;
	interrupt();
	ok(completions == 2 && running[0]->error == -EIO && running[1]->error == -EIO,
	   "a device that claims more answers than fit is given up, with its bios");
	ok(resets == 1, "it is reset before, so that it does not write to their pages");
	later = submit_read(NULL);
	ok(completions == 3 && later->error == -EIO, "a later bio ends at once");
	answer(0);
	interrupt();
	ok(completions == 3, "what it answers then is ignored");
}
