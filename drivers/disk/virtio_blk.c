/*
 * virtio block devices (Virtual I/O Device 1.1: 2.6 split virtqueues, 5.2 block).
 *
 * 1. The device's registers are reached through drivers/disk/virtio.h, on PCI or elsewhere.
 *    VERSION_1 is negotiated, except with a legacy device, which is older.
 * 2. disk->lock (irqsave) guards the queue, the list of bios that wait for room in it, and the
 *    driver's fields of bios.
 * 3. A bio becomes one request, or several in turn if it has more segments than a request may have.
 *    Only devices with INDIRECT_DESC are used. There a request takes one entry of the ring, and its
 *    descriptors are in the bio's room for the driver. So starting a request needs no memory.
 * 4. Bios are completed in the interrupt, without the lock. The interrupt also starts the bios that
 *    wait for room, and notifies the device once for all of them.
 * 5. Everything that the device writes is checked. An answer to no request is ignored. An interrupt
 *    takes at most one answer for each entry of the queue. A device that claims more has lost
 *    answers, and is given up: it is reset, and all its bios, then and later, end with -EIO.
 */
#include "drivers/disk/block.h"
#include "drivers/disk/virtio.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/slab.h"

/* 5.2.3: features, as bits of the first word */
#define FEATURE_SEG_MAX (1u << 2)
#define FEATURE_RO	(1u << 5)
#define FEATURE_FLUSH	(1u << 9)

/* 5.2.4: the device's configuration */
struct configuration {
	uint32_t capacity[2], size_max, seg_max;
};
_Static_assert(sizeof(struct configuration) <= CONFIG_SIZE, "a transport maps it");

/* 5.2.6: requests */
#define REQUEST_IN    0
#define REQUEST_OUT   1
#define REQUEST_FLUSH 4
#define REQUEST_OK    0

/* 2.6.5 to 2.6.8: the split virtqueue */
#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

struct virtq_desc {
	uint64_t address;
	uint32_t len;
	uint16_t flags, next;
};
struct virtq_avail {
	uint16_t flags, index, ring[];
};
struct virtq_used {
	uint16_t flags, index;
	struct {
		uint32_t id, len;
	} ring[];
};

#define QUEUE_MAX     256u /* entries that are used at most */
#define QUEUE_ORDER   1u   /* QUEUE_MAX entries of the three parts fit into two pages */
#define RESET_TRIES   1000000u

#define VIRTBLK_MAJOR 254

/* A request in flight. It is in its bio's room. */
struct request {
	struct { /* 5.2.6: the device reads it first */
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	struct virtq_desc table[BIO_MAX_SEGMENTS + 2]; /* header, data, status */
	volatile uint8_t status;		       /* the device writes it last */
};
_Static_assert(sizeof(struct request) <= sizeof(((struct bio *)NULL)->room), "a bio's room");

struct disk {
	struct block_device device;
	spinlock_t lock;
	struct list waiting; /* bios that have not been handed to the device */
	unsigned int size;
	uint16_t free; /* the first of a list of free descriptors; `size`: none is free */
	uint16_t used_seen;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	volatile struct virtq_used *used;
	struct bio *bios[QUEUE_MAX]; /* by descriptor; NULL: not in use */
	unsigned int seg_max;
	bool given_up;
	struct virtio_device *virtio;
};

/*
 * 2.1: reset the device. From then on it does not use the memory of its requests any more. Returns
 * false if it does not end the reset.
 */
static bool reset(struct virtio_device *virtio)
{
	unsigned int tries = 0;

	virtio->transport->set_status(virtio, 0);
	while (virtio->transport->status(virtio) != 0)
		if (++tries == RESET_TRIES)
			return false;
	return true;
}

/* ---- requests; disk->lock is held ---- */

/*
 * Describe the next `nr` segments of the bio in `request`. Returns the number of descriptors.
 * Segments that follow each other in memory share one.
 */
static unsigned int fill(struct request *request, struct bio *bio, unsigned int nr)
{
	struct virtq_desc *desc = request->table;
	uint16_t flags = bio->write ? DESC_NEXT : DESC_NEXT | DESC_WRITE;

	request->header.type = bio->write ? REQUEST_OUT : REQUEST_IN;
	if (bio->nr_segments == 0)
		request->header.type = REQUEST_FLUSH;
	request->header.reserved = 0;
	request->header.sector = bio->sector;
	for (unsigned int i = 0; i < bio->next; i++) /* handed out before */
		request->header.sector += bio->segments[i].len >> SECTOR_SHIFT;
	request->status = 0xff;
	*desc = (struct virtq_desc){ virt_to_phys(&request->header), sizeof(request->header),
				     DESC_NEXT, 1 };
	for (unsigned int i = 0; i < nr; i++) {
		struct bio_segment *segment = &bio->segments[bio->next++];
		phys_addr_t address = page_phys(segment->page) + segment->offset;

		if (i > 0 && desc->address + desc->len == address) {
			desc->len += segment->len;
		} else {
			desc++;
			*desc = (struct virtq_desc){ address, segment->len, flags,
						     desc - request->table + 1 };
		}
	}
	desc++;
	*desc = (struct virtq_desc){ virt_to_phys((void *)&request->status), 1, DESC_WRITE, 0 };
	return desc - request->table + 1;
}

/* Hand a bio, or its next part, to the device. There is a free descriptor. */
static void start(struct disk *disk, struct bio *bio)
{
	struct request *request = (void *)bio->room;
	uint16_t head = disk->free;
	struct virtq_desc *entry = &disk->desc[head];
	unsigned int nr = fill(request, bio, MIN(bio->nr_segments - bio->next, disk->seg_max));

	disk->free = entry->next;
	*entry = (struct virtq_desc){ virt_to_phys(request->table), nr * sizeof(*entry),
				      DESC_INDIRECT, 0 };
	disk->bios[head] = bio;
	disk->avail->ring[disk->avail->index & (disk->size - 1)] = head;
	barrier(); /* x86 keeps stores in order */
	WRITE_ONCE(disk->avail->index, disk->avail->index + 1);
}

/* Start the waiting bios that the queue has room for, and notify the device. */
static void start_waiting(struct disk *disk)
{
	uint16_t before = disk->avail->index;

	while (!list_empty(&disk->waiting) && disk->free < disk->size) {
		struct bio *bio = list_first(&disk->waiting, struct bio, link);

		list_del(&bio->link);
		start(disk, bio);
	}
	/*
	 * The device may say in used->flags that it wants no notification now (2.6.10). To trust
	 * this flag, both sides need a full barrier between their store and their load. Otherwise
	 *
	 *	driver				device
	 *	reads: no notification wanted
	 *					wants notifications again
	 *					looks at the index once more: nothing new, rests
	 *	stores the index, does not notify
	 *
	 * QEMU leaves out the barriers of a guest with one CPU, although the device runs on another
	 * CPU of the host. So the device is notified after every batch, whatever the flag says.
	 */
	if (disk->avail->index != before)
		disk->virtio->transport->notify(disk->virtio);
}

static void virtio_submit(struct block_device *device, struct bio *bio)
{
	struct disk *disk = device->private;
	struct list done = LIST_INIT(done);
	unsigned int flags = spin_lock_irqsave(&disk->lock);

	if (disk->given_up)
		bio_end(bio, -EIO, &done);
	else
		list_add_tail(&disk->waiting, &bio->link);
	spin_unlock_irqrestore(&disk->lock, flags);
	bio_complete_all(&done);
}

static void virtio_kick(struct block_device *device)
{
	struct disk *disk = device->private;
	unsigned int flags = spin_lock_irqsave(&disk->lock);

	start_waiting(disk);
	spin_unlock_irqrestore(&disk->lock, flags);
}

/*
 * The device has answered request `id`. Its bio joins `done`, or waits to be started again if it
 * has another part.
 */
static void finish(struct disk *disk, uint32_t id, struct list *done)
{
	struct bio *bio = id < disk->size ? disk->bios[id] : NULL;

	if (!bio)
		return;
	disk->bios[id] = NULL;
	disk->desc[id].next = disk->free;
	disk->free = id;
	if (((struct request *)bio->room)->status != REQUEST_OK)
		bio->error = -EIO;
	if (bio->error || bio->next == bio->nr_segments)
		list_add_tail(done, &bio->link);
	else
		list_add(&disk->waiting, &bio->link);
}

/* End every bio, and those that come later. */
static void give_up(struct disk *disk, struct list *done)
{
	log_error("%s: it claims more answers than its queue has entries; it is given up",
		  disk->device.name);
	disk->given_up = true;
	/* The pages must not be given back while the device may still write to them. */
	(void)reset(disk->virtio);
	for (unsigned int id = 0; id < disk->size; id++) {
		if (disk->bios[id])
			bio_end(disk->bios[id], -EIO, done);
		disk->bios[id] = NULL;
	}
	bio_end_all(&disk->waiting, -EIO, done);
}

/*
 * Take the answers that have come. The index is read once. Answers that come later raise the
 * interrupt again.
 */
static void take_answers(struct disk *disk, struct list *done)
{
	uint16_t nr = disk->used->index - disk->used_seen;

	if (nr > disk->size)
		return give_up(disk, done);
	for (; nr > 0; nr--) {
		barrier(); /* x86 keeps loads in order */
		finish(disk, disk->used->ring[disk->used_seen++ & (disk->size - 1)].id, done);
	}
	start_waiting(disk);
}

static void virtio_interrupt(void *context)
{
	struct disk *disk = context;
	struct list done = LIST_INIT(done);

	if (!disk->virtio->transport->acknowledge(disk->virtio))
		return;
	spin_lock(&disk->lock);
	if (!disk->given_up)
		take_answers(disk, &done);
	spin_unlock(&disk->lock);
	bio_complete_all(&done);
}

static int virtio_flush(struct block_device *device)
{
	struct bio *bio;

	if (device->read_only)
		return 0;
	bio = bio_alloc(device, 0, true, 0);
	return bio ? bio_flush_wait(bio) : -ENOMEM;
}

static const struct block_device_ops virtio_ops = { .submit = virtio_submit, .kick = virtio_kick };
static const struct block_device_ops virtio_cached_ops = {
	.submit = virtio_submit,
	.kick = virtio_kick,
	.flush = virtio_flush,
};

/* ---- finding and starting devices ---- */

/*
 * 3.1.1, steps 1 to 6: agree on the features that both sides have. A legacy device has only the
 * first word of features, and no steps 5 and 6 (3.1.2).
 */
static int negotiate(struct disk *disk, uint32_t *features)
{
	struct virtio_device *virtio = disk->virtio;
	const struct virtio_transport *transport = virtio->transport;

	if (!reset(virtio))
		return -EIO;
	virtio_add_status(virtio, STATUS_ACKNOWLEDGE);
	virtio_add_status(virtio, STATUS_DRIVER);
	if (!virtio->legacy && !(transport->features(virtio, 1) & FEATURE_VERSION_1))
		return -ENODEV;
	*features = transport->features(virtio, 0) &
		    (FEATURE_SEG_MAX | FEATURE_RO | FEATURE_FLUSH | FEATURE_INDIRECT);
	if (!(*features & FEATURE_INDIRECT))
		return -ENODEV;
	transport->accept(virtio, 0, *features);
	if (virtio->legacy)
		return 0;
	transport->accept(virtio, 1, FEATURE_VERSION_1);
	virtio_add_status(virtio, STATUS_FEATURES_OK);
	return transport->status(virtio) & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

static int make_queue(struct disk *disk)
{
	const struct virtio_transport *transport = disk->virtio->transport;
	unsigned int size, used_at;
	struct page *page;
	char *memory;

	size = MIN(transport->queue_max(disk->virtio), QUEUE_MAX);
	while (size & (size - 1))
		size &= size - 1;
	if (size == 0)
		return -ENODEV;
	page = page_alloc(QUEUE_ORDER, ALLOC_LOW | ALLOC_ZERO);
	if (!page)
		return -ENOMEM;
	memory = page_address_low(page);
	used_at = size * sizeof(struct virtq_desc) + sizeof(struct virtq_avail) +
		  (size + 1) * sizeof(uint16_t);
	disk->size = size;
	disk->desc = (struct virtq_desc *)memory;
	disk->avail = (struct virtq_avail *)(disk->desc + size);
	disk->used = (struct virtq_used *)(memory + ALIGN_UP(used_at, USED_ALIGN));
	for (unsigned int i = 0; i < size; i++)
		disk->desc[i].next = i + 1;
	return transport->set_queue(disk->virtio, size, virt_to_phys(disk->desc),
				    virt_to_phys(disk->avail), virt_to_phys((void *)disk->used));
}

static void read_config(struct disk *disk, uint32_t features)
{
	const struct virtio_transport *transport = disk->virtio->transport;
	volatile struct configuration *config = disk->virtio->config;
	unsigned int tries = 0;
	uint32_t generation;

	/*
	 * 64 bits are read in halves. Read them again if the device changed them meanwhile (2.5.1).
	 */
	do {
		generation = transport->generation(disk->virtio);
		disk->device.sectors = config->capacity[0] | (uint64_t)config->capacity[1] << 32;
	} while (generation != transport->generation(disk->virtio) && ++tries < RESET_TRIES);
	disk->device.read_only = features & FEATURE_RO;
	disk->device.ops = features & FEATURE_FLUSH ? &virtio_cached_ops : &virtio_ops;
	disk->device.queue_depth = disk->size;
	disk->seg_max = features & FEATURE_SEG_MAX ? MAX(config->seg_max, 1u) : 1;
}

static int start_disk(struct disk *disk)
{
	uint32_t features;
	int error = negotiate(disk, &features);

	if (!error)
		error = make_queue(disk);
	if (!error) {
		read_config(disk, features);
		error = irq_request(disk->virtio->irq, true, virtio_interrupt, disk);
	}
	virtio_add_status(disk->virtio, error ? STATUS_FAILED : STATUS_DRIVER_OK);
	return error;
}

static int add_disk(struct virtio_device *virtio)
{
	struct disk *disk = kzalloc(sizeof(*disk), 0);
	int error;

	if (!disk)
		return -ENOMEM;
	spin_init(&disk->lock, "virtio disk");
	list_init(&disk->waiting);
	disk->device.private = disk;
	disk->virtio = virtio;
	/* After an error the device may still use the memory, so it is not freed. */
	error = start_disk(disk);
	if (!error)
		error = block_register_next(&disk->device, "vd", VIRTBLK_MAJOR);
	if (error)
		return error;
	log_info("%s: %llu KiB, queue of %u%s", disk->device.name,
		 (unsigned long long)disk->device.sectors / 2, disk->size,
		 disk->device.read_only ? ", read-only" : "");
	return 0;
}

static int virtio_blk_probe(void)
{
	virtio_pci_probe(VIRTIO_BLOCK, "virtio_blk", add_disk);
	virtio_mmio_probe(VIRTIO_BLOCK, "virtio_blk", add_disk);
	return 0;
}
DRIVER(virtio_blk, virtio_blk_probe);
