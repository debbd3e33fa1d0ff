/*
 * virtio devices whose registers are at a fixed place in memory (Virtual I/O Device 1.1: 4.2). See
 * drivers/disk/virtio.h for the contract.
 *
 * 1. Such a device is on no bus that could be searched. ACPI lists the devices of a machine, and
 *    each parameter virtio_mmio.device names one more, in the form that Linux uses.
 * 2. Version 2 of the registers is the one of virtio 1.0 and later. Version 1 is the legacy
 *    interface (4.2.4), which QEMU offers unless it is told otherwise. A legacy device gets only
 *    the page where its queue begins, and computes where the queue's parts are.
 * 3. If no device can be used at a place, the log says why. Nothing is written there, and only the
 *    first three registers are read.
 */
#include "drivers/disk/virtio.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/irq.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

/* 4.2.2 and 4.2.4: registers. Those of 64 bits are two words. */
enum {
	MAGIC = 0x00 / 4,
	VERSION = 0x04 / 4,
	KIND = 0x08 / 4,
	FEATURES = 0x10 / 4,
	FEATURES_SELECT = 0x14 / 4,
	ACCEPT = 0x20 / 4,
	ACCEPT_SELECT = 0x24 / 4,
	LEGACY_PAGE_SIZE = 0x28 / 4,
	QUEUE_SELECT = 0x30 / 4,
	QUEUE_MAX_SIZE = 0x34 / 4,
	QUEUE_SIZE = 0x38 / 4,
	LEGACY_QUEUE_ALIGN = 0x3c / 4,
	LEGACY_QUEUE_PAGE = 0x40 / 4,
	QUEUE_READY = 0x44 / 4,
	NOTIFY = 0x50 / 4,
	INTERRUPT = 0x60 / 4,
	INTERRUPT_ACKNOWLEDGE = 0x64 / 4,
	STATUS = 0x70 / 4,
	QUEUE_DESC = 0x80 / 4,
	QUEUE_DRIVER = 0x90 / 4,
	QUEUE_DEVICE = 0xa0 / 4,
	GENERATION = 0xfc / 4,
	CONFIG = 0x100 / 4,
};
#define MAGIC_VALUE	0x74726976
#define VERSION_LEGACY	1
#define VERSION_MODERN	2
#define KIND_NONE	0
#define INTERRUPT_QUEUE 1u

#define REGISTERS_SIZE	(4u * CONFIG + CONFIG_SIZE)

struct virtio_mmio {
	struct virtio_device device;
	volatile uint32_t *registers;
};

static volatile uint32_t *registers_of(struct virtio_device *device)
{
	return container_of(device, struct virtio_mmio, device)->registers;
}

/* ---- the transport's operations ---- */

static uint8_t mmio_status(struct virtio_device *device)
{
	return registers_of(device)[STATUS];
}

static void mmio_set_status(struct virtio_device *device, uint8_t status)
{
	registers_of(device)[STATUS] = status;
}

static uint32_t mmio_features(struct virtio_device *device, unsigned int word)
{
	volatile uint32_t *registers = registers_of(device);

	registers[FEATURES_SELECT] = word;
	return registers[FEATURES];
}

static void mmio_accept(struct virtio_device *device, unsigned int word, uint32_t features)
{
	volatile uint32_t *registers = registers_of(device);

	registers[ACCEPT_SELECT] = word;
	registers[ACCEPT] = features;
}

static unsigned int mmio_queue_max(struct virtio_device *device)
{
	volatile uint32_t *registers = registers_of(device);

	registers[QUEUE_SELECT] = 0;
	return registers[QUEUE_MAX_SIZE];
}

static int mmio_set_queue(struct virtio_device *device, unsigned int size, uint32_t desc,
			  uint32_t avail, uint32_t used)
{
	volatile uint32_t *registers = registers_of(device);

	registers[QUEUE_SELECT] = 0;
	registers[QUEUE_SIZE] = size;
	if (device->legacy) {
		registers[LEGACY_PAGE_SIZE] = PAGE_SIZE;
		registers[LEGACY_QUEUE_ALIGN] = USED_ALIGN;
		registers[LEGACY_QUEUE_PAGE] = desc >> PAGE_SHIFT;
		return 0;
	}
	/* The high halves have been 0 since the reset. */
	registers[QUEUE_DESC] = desc;
	registers[QUEUE_DRIVER] = avail;
	registers[QUEUE_DEVICE] = used;
	registers[QUEUE_READY] = 1;
	return 0;
}

static void mmio_notify(struct virtio_device *device)
{
	registers_of(device)[NOTIFY] = 0;
}

static bool mmio_acknowledge(struct virtio_device *device)
{
	volatile uint32_t *registers = registers_of(device);
	uint32_t raised = registers[INTERRUPT];

	if (raised)
		registers[INTERRUPT_ACKNOWLEDGE] = raised;
	return raised & INTERRUPT_QUEUE;
}

static uint32_t mmio_generation(struct virtio_device *device)
{
	return device->legacy ? 0 : registers_of(device)[GENERATION];
}

static const struct virtio_transport transport = {
	.status = mmio_status,
	.set_status = mmio_set_status,
	.features = mmio_features,
	.accept = mmio_accept,
	.queue_max = mmio_queue_max,
	.set_queue = mmio_set_queue,
	.notify = mmio_notify,
	.acknowledge = mmio_acknowledge,
	.generation = mmio_generation,
};

/* ---- the places of devices ---- */

struct place {
	uint32_t phys, irq;
	struct virtio_mmio *mmio; /* NULL: no usable device is here */
	bool claimed;		  /* by a driver */
};
static struct place places[MAX_VIRTIO_PLACES];
static unsigned int nr_places;

/*
 * Remember a place. Returns 0, -EINVAL if no device can be there, -EEXIST if it is known already,
 * or -ENOSPC.
 */
static int add_place(uint64_t phys, uint64_t size, uint64_t irq)
{
	if (size < REGISTERS_SIZE || phys % sizeof(uint32_t) != 0 || phys > UINT32_MAX ||
	    size > UINT32_MAX - phys || irq > UINT32_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < nr_places; i++)
		if (places[i].phys == phys)
			return -EEXIST;
	if (nr_places == ARRAY_SIZE(places))
		return -ENOSPC;
	places[nr_places++] = (struct place){ .phys = phys, .irq = irq };
	return 0;
}

/*
 * <size>[KMG]@<address>:<interrupt>[:<id>]. The id is Linux's number for the device, and is not
 * used.
 */
static int set_device(const char *value)
{
	uint64_t size = parse_size(value, &value), phys, irq;

	if (*value++ != '@')
		return -EINVAL;
	phys = parse_size(value, &value);
	if (*value++ != ':' || *value < '0' || *value > '9')
		return -EINVAL;
	irq = parse_size(value, &value);
	if (*value == ':')
		parse_size(value + 1, &value);
	return *value ? -EINVAL : add_place(phys, size, irq);
}
KERNEL_PARAM_NAMED(virtio_mmio_device, "virtio_mmio.device", set_device, "none",
		   "size@address:interrupt of a virtio device, e.g. 512@0xfeb00000:5");

/* Returns what is wrong with a place, or NULL. */
static const char *fault_of(const struct place *place, volatile uint32_t *registers)
{
	if (!irq_exists(place->irq))
		return "there is no such interrupt";
	if (!registers)
		return "there is no address space to map it";
	if (registers[MAGIC] != MAGIC_VALUE)
		return "there is no virtio device";
	if (registers[VERSION] != VERSION_LEGACY && registers[VERSION] != VERSION_MODERN)
		return "its version is unknown";
	return registers[KIND] == KIND_NONE ? "no device is connected to it" : NULL;
}

static void open_place(struct place *place)
{
	volatile uint32_t *registers = ioremap(place->phys, REGISTERS_SIZE);
	const char *fault = fault_of(place, registers);
	struct virtio_mmio *mmio = fault ? NULL : kzalloc(sizeof(*mmio), 0);

	if (!mmio) {
		log_error("virtio_mmio: 0x%08x with interrupt %u is not used: %s", place->phys,
			  place->irq, fault ? fault : "there is no memory");
		vfree((void *)registers);
		return;
	}
	mmio->registers = registers;
	mmio->device.transport = &transport;
	mmio->device.legacy = registers[VERSION] == VERSION_LEGACY;
	mmio->device.irq = place->irq;
	mmio->device.config = registers + CONFIG;
	place->mmio = mmio;
}

/* Open all places. Those that the parameter names come first. */
static void open_places(void)
{
	for (unsigned int i = 0; i < acpi.nr_virtio; i++)
		add_place(acpi.virtio[i].phys, acpi.virtio[i].size, acpi.virtio[i].gsi);
	for (unsigned int i = 0; i < nr_places; i++)
		open_place(&places[i]);
}

void virtio_mmio_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *))
{
	static bool opened;

	if (!opened)
		open_places();
	opened = true;
	for (unsigned int i = 0; i < nr_places; i++) {
		struct place *place = &places[i];
		int error;

		if (!place->mmio || place->claimed || place->mmio->registers[KIND] != kind)
			continue;
		error = add(&place->mmio->device);
		if (error)
			log_error("%s: device at 0x%08x: error %d", driver, place->phys, -error);
		else
			place->claimed = true;
	}
}
