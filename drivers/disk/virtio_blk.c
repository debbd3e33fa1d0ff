/*
 * virtio block devices on PCI (Virtual I/O Device 1.1: 2.6 split virtqueues, 4.1 PCI transport, 5.2
 * block).
 *
 * 1. Only the modern interface is used. Its registers are found through vendor capabilities, and
 *    VERSION_1 is negotiated.
 * 2. disk->lock (irqsave) guards the queue, the list of bios that wait for room in it, and the driver's
 *    fields of bios.
 * 3. A bio becomes one request, or several in turn if it has more segments than a request may have.
 *    Only devices with INDIRECT_DESC are used. There a request takes one entry of the ring, and its
 *    descriptors are in the bio's room for the driver. So starting a request needs no memory.
 * 4. Bios are completed in the interrupt, without the lock. The interrupt also starts the bios that wait
 *    for room, and notifies the device once for all of them.
 * 5. Everything that the device writes is checked. An answer to no request is ignored.
 */
#include "drivers/disk/block.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

/* 4.1.2, 4.1.4 */
#define VIRTIO_VENDOR	      0x1af4
#define BLOCK_TRANSITIONAL    0x1001
#define BLOCK_MODERN	      0x1042
#define CAP_VENDOR	      0x09
#define CAP_TYPE	      3 /* offsets in the capability */
#define CAP_BAR		      4
#define CAP_OFFSET	      8
#define CAP_LENGTH	      12
#define CAP_NOTIFY_MULTIPLIER 16
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE };

/* 4.1.4.3: the common configuration. Fields of 64 bits are written in halves. */
struct common {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t msix, queues;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_msix, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

/* 2.1: device status */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED	   128

/* 5.2.3 and 6: features, as bits of the first and second word */
#define FEATURE_SEG_MAX	  (1u << 2)
#define FEATURE_RO	  (1u << 5)
#define FEATURE_FLUSH	  (1u << 9)
#define FEATURE_INDIRECT  (1u << 28)
#define FEATURE_VERSION_1 (1u << 0)

/* 5.2.4: the device's configuration */
struct configuration {
	uint32_t capacity[2], size_max, seg_max;
};

/* 5.2.6: requests */
#define REQUEST_IN    0
#define REQUEST_OUT   1
#define REQUEST_FLUSH 4
#define REQUEST_OK    0

#define ISR_QUEUE     1

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
#define USED_ALIGN    4u
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
	bool can_flush;
	volatile struct common *common;
	volatile struct configuration *config;
	volatile uint8_t *isr;
	volatile uint16_t *notify;
};

/* ---- requests; disk->lock is held ---- */

/*
 * Describe the next `nr` segments of the bio in `request`. Returns the number of descriptors. Segments that
 * follow each other in memory share one.
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
		*disk->notify = 0;
}

static void virtio_submit(struct block_device *device, struct bio *bio)
{
	struct disk *disk = device->private;
	unsigned int flags = spin_lock_irqsave(&disk->lock);

	list_add_tail(&disk->waiting, &bio->link);
	spin_unlock_irqrestore(&disk->lock, flags);
}

static void virtio_kick(struct block_device *device)
{
	struct disk *disk = device->private;
	unsigned int flags = spin_lock_irqsave(&disk->lock);

	start_waiting(disk);
	spin_unlock_irqrestore(&disk->lock, flags);
}

/*
 * The device has answered request `id`. Its bio joins `done`, or waits to be started again if it has
 * another part.
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

static void virtio_interrupt(void *context)
{
	struct disk *disk = context;
	struct list done = LIST_INIT(done);
	struct bio *bio, *next;

	if (!(*disk->isr & ISR_QUEUE)) /* reading it acknowledges the interrupt */
		return;
	spin_lock(&disk->lock);
	while (disk->used_seen != disk->used->index) {
		barrier(); /* x86 keeps loads in order */
		finish(disk, disk->used->ring[disk->used_seen++ & (disk->size - 1)].id, &done);
	}
	start_waiting(disk);
	spin_unlock(&disk->lock);
	list_for_each_safe(bio, next, &done, link) {
		list_del(&bio->link);
		bio_complete(bio, bio->error);
	}
}

static int virtio_flush(struct block_device *device)
{
	struct disk *disk = device->private;
	struct bio *bio;

	if (device->read_only || !disk->can_flush)
		return 0;
	bio = bio_alloc(device, 0, true, 0);
	return bio ? bio_flush_wait(bio) : -ENOMEM;
}

static const struct block_device_ops virtio_ops = {
	.submit = virtio_submit,
	.kick = virtio_kick,
	.flush = virtio_flush,
};

/* ---- finding and starting devices ---- */

/*
 * Map `size` bytes of the registers of a type. For CFG_NOTIFY these are the registers of the queue whose
 * queue_notify_off is `queue` (4.1.4.4). Returns NULL if the device has none.
 */
static volatile void *map_registers(struct pci_device *pci, unsigned int type, uint32_t size,
				    unsigned int queue)
{
	unsigned int cap = 0;

	while ((cap = pci_capability(pci, CAP_VENDOR, cap)) != 0) {
		unsigned int bar = pci_read(pci, cap + CAP_BAR, 1);
		uint64_t at = pci_read(pci, cap + CAP_OFFSET, 4);
		uint64_t end = at + pci_read(pci, cap + CAP_LENGTH, 4);

		if (pci_read(pci, cap + CAP_TYPE, 1) != type || bar >= ARRAY_SIZE(pci->bars) ||
		    end > pci->bars[bar].size)
			continue;
		if (type == CFG_NOTIFY)
			at += (uint64_t)pci_read(pci, cap + CAP_NOTIFY_MULTIPLIER, 4) * queue;
		if (at + size <= end)
			return ioremap(pci->bars[bar].phys + at, size);
	}
	return NULL;
}

/* 3.1.1, steps 1 to 6: agree on the features that both sides have. */
static int negotiate(struct disk *disk, uint32_t *features)
{
	volatile struct common *common = disk->common;
	unsigned int tries = 0;

	common->status = 0;
	while (common->status != 0)
		if (++tries == RESET_TRIES)
			return -EIO;
	common->status |= STATUS_ACKNOWLEDGE;
	common->status |= STATUS_DRIVER;
	common->device_feature_select = 1;
	if (!(common->device_feature & FEATURE_VERSION_1))
		return -ENODEV;
	common->device_feature_select = 0;
	*features = common->device_feature &
		    (FEATURE_SEG_MAX | FEATURE_RO | FEATURE_FLUSH | FEATURE_INDIRECT);
	if (!(*features & FEATURE_INDIRECT))
		return -ENODEV;
	common->driver_feature_select = 0;
	common->driver_feature = *features;
	common->driver_feature_select = 1;
	common->driver_feature = FEATURE_VERSION_1;
	common->status |= STATUS_FEATURES_OK;
	return common->status & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

static int make_queue(struct disk *disk)
{
	volatile struct common *common = disk->common;
	unsigned int size, used_at;
	struct page *page;
	char *memory;

	common->queue_select = 0;
	size = MIN((unsigned int)common->queue_size, QUEUE_MAX);
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
	common->queue_size = size;
	/* The queue is in low memory. The high halves have been 0 since the reset. */
	common->queue_desc[0] = virt_to_phys(disk->desc);
	common->queue_driver[0] = virt_to_phys(disk->avail);
	common->queue_device[0] = virt_to_phys((void *)disk->used);
	common->queue_enable = 1;
	return 0;
}

static void read_config(struct disk *disk, uint32_t features)
{
	volatile struct configuration *config = disk->config;
	unsigned int tries = 0;
	uint8_t generation;

	/* 64 bits are read in halves. Read them again if the device changed them meanwhile (2.5.1). */
	do {
		generation = disk->common->generation;
		disk->device.sectors = config->capacity[0] | (uint64_t)config->capacity[1] << 32;
	} while (generation != disk->common->generation && ++tries < RESET_TRIES);
	disk->device.read_only = features & FEATURE_RO;
	disk->device.ops = &virtio_ops;
	disk->device.queue_depth = disk->size;
	disk->can_flush = features & FEATURE_FLUSH;
	disk->seg_max = features & FEATURE_SEG_MAX ? MAX(config->seg_max, 1u) : 1;
}

static int start_disk(struct disk *disk, struct pci_device *pci)
{
	uint32_t features;
	int error;

	pci_enable(pci);
	disk->common = map_registers(pci, CFG_COMMON, sizeof(struct common), 0);
	disk->isr = map_registers(pci, CFG_ISR, 1, 0);
	disk->config = map_registers(pci, CFG_DEVICE, sizeof(struct configuration), 0);
	if (!disk->common || !disk->isr || !disk->config)
		return -ENODEV;
	error = negotiate(disk, &features);
	if (!error)
		error = make_queue(disk);
	if (!error) {
		read_config(disk, features);
		disk->notify = map_registers(pci, CFG_NOTIFY, sizeof(*disk->notify),
					     disk->common->queue_notify_off);
		error = disk->notify ? irq_request(pci->irq_line, true, virtio_interrupt, disk)
				     : -ENODEV;
	}
	disk->common->status |= error ? STATUS_FAILED : STATUS_DRIVER_OK;
	return error;
}

static int add_disk(struct pci_device *pci)
{
	struct disk *disk = kzalloc(sizeof(*disk), 0);
	int error;

	if (!disk)
		return -ENOMEM;
	spin_init(&disk->lock, "virtio disk");
	list_init(&disk->waiting);
	disk->device.private = disk;
	/* After an error the device may still use the memory, so it is not freed. */
	error = start_disk(disk, pci);
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
	struct pci_device *pci;

	list_for_each(pci, &pci_devices, link) {
		int error;

		if (pci->vendor != VIRTIO_VENDOR || pci->driver ||
		    (pci->id != BLOCK_TRANSITIONAL && pci->id != BLOCK_MODERN))
			continue;
		error = add_disk(pci);
		if (error)
			log_error("virtio disk at %x:%x.%x: error %d", pci->bus, pci->device,
				  pci->function, -error);
		else
			pci->driver = "virtio_blk";
	}
	return 0;
}
DRIVER(virtio_blk, virtio_blk_probe);
