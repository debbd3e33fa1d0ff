/*
 * virtio devices on PCI (Virtual I/O Device 1.1: 4.1). See drivers/disk/virtio.h for the contract.
 *
 * Only the modern interface is used. Its registers are found through vendor capabilities.
 */
#include "drivers/disk/virtio.h"
#include "drivers/pci.h"
#include "kernel/log.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

/* 4.1.2, 4.1.4 */
#define VIRTIO_VENDOR	      0x1af4
#define MODERN_ID	      0x1040 /* + kind */
#define CAP_VENDOR	      0x09
#define CAP_TYPE	      3 /* offsets in the capability */
#define CAP_BAR		      4
#define CAP_OFFSET	      8
#define CAP_LENGTH	      12
#define CAP_NOTIFY_MULTIPLIER 16
enum { CFG_COMMON = 1, CFG_NOTIFY, CFG_ISR, CFG_DEVICE };

/* 4.1.2.1: a device that has the legacy interface as well has another ID, by kind. */
static const uint16_t transitional_ids[] = { [VIRTIO_BLOCK] = 0x1001 };

/* 4.1.4.3: the common configuration. Fields of 64 bits are written in halves. */
struct common {
	uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
	uint16_t msix, queues;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_msix, queue_enable, queue_notify_off;
	uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

#define ISR_QUEUE 1

struct virtio_pci {
	struct virtio_device device;
	struct pci_device *pci;
	volatile struct common *common;
	volatile uint8_t *isr;
	volatile uint16_t *notify;
};

static struct virtio_pci *virtio_pci(struct virtio_device *device)
{
	return container_of(device, struct virtio_pci, device);
}

/*
 * Map `size` bytes of the registers of a type. For CFG_NOTIFY these are the registers of the queue
 * whose queue_notify_off is `queue` (4.1.4.4). Returns NULL if the device has none.
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

/* ---- the transport's operations ---- */

static uint8_t pci_status(struct virtio_device *device)
{
	return virtio_pci(device)->common->status;
}

static void pci_set_status(struct virtio_device *device, uint8_t status)
{
	virtio_pci(device)->common->status = status;
}

static uint32_t pci_features(struct virtio_device *device, unsigned int word)
{
	volatile struct common *common = virtio_pci(device)->common;

	common->device_feature_select = word;
	return common->device_feature;
}

static void pci_accept(struct virtio_device *device, unsigned int word, uint32_t features)
{
	volatile struct common *common = virtio_pci(device)->common;

	common->driver_feature_select = word;
	common->driver_feature = features;
}

static unsigned int pci_queue_max(struct virtio_device *device)
{
	volatile struct common *common = virtio_pci(device)->common;

	common->queue_select = 0;
	return common->queue_size;
}

static int pci_set_queue(struct virtio_device *device, unsigned int size, uint32_t desc,
			 uint32_t avail, uint32_t used)
{
	struct virtio_pci *virtio = virtio_pci(device);
	volatile struct common *common = virtio->common;

	common->queue_select = 0;
	virtio->notify = map_registers(virtio->pci, CFG_NOTIFY, sizeof(*virtio->notify),
				       common->queue_notify_off);
	if (!virtio->notify)
		return -ENODEV;
	common->queue_size = size;
	/* The high halves have been 0 since the reset. */
	common->queue_desc[0] = desc;
	common->queue_driver[0] = avail;
	common->queue_device[0] = used;
	common->queue_enable = 1;
	return 0;
}

static void pci_notify(struct virtio_device *device)
{
	*virtio_pci(device)->notify = 0;
}

static bool pci_acknowledge(struct virtio_device *device)
{
	return *virtio_pci(device)->isr & ISR_QUEUE; /* reading it acknowledges the interrupt */
}

static uint32_t pci_generation(struct virtio_device *device)
{
	return virtio_pci(device)->common->generation;
}

static const struct virtio_transport transport = {
	.status = pci_status,
	.set_status = pci_set_status,
	.features = pci_features,
	.accept = pci_accept,
	.queue_max = pci_queue_max,
	.set_queue = pci_set_queue,
	.notify = pci_notify,
	.acknowledge = pci_acknowledge,
	.generation = pci_generation,
};

/* ---- finding devices ---- */

static int add_device(struct pci_device *pci, int (*add)(struct virtio_device *))
{
	struct virtio_pci *virtio = kzalloc(sizeof(*virtio), 0);

	if (!virtio)
		return -ENOMEM;
	pci_enable(pci);
	virtio->pci = pci;
	virtio->common = map_registers(pci, CFG_COMMON, sizeof(struct common), 0);
	virtio->isr = map_registers(pci, CFG_ISR, sizeof(*virtio->isr), 0);
	virtio->device.config = map_registers(pci, CFG_DEVICE, CONFIG_SIZE, 0);
	virtio->device.irq = pci->irq_line;
	virtio->device.transport = &transport;
	if (!virtio->common || !virtio->isr || !virtio->device.config)
		return -ENODEV;
	return add(&virtio->device);
}

static bool is_kind(const struct pci_device *pci, unsigned int kind)
{
	if (pci->vendor != VIRTIO_VENDOR)
		return false;
	return pci->id == MODERN_ID + kind ||
	       (kind < ARRAY_SIZE(transitional_ids) && pci->id == transitional_ids[kind]);
}

void virtio_pci_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *))
{
	struct pci_device *pci;

	list_for_each(pci, &pci_devices, link) {
		int error;

		if (pci->driver || !is_kind(pci, kind))
			continue;
		error = add_device(pci, add);
		if (error)
			log_error("%s: device at %x:%x.%x: error %d", driver, pci->bus, pci->device,
				  pci->function, -error);
		else
			pci->driver = driver;
	}
}
