/*
 * PCI: finding the devices (PCI Local Bus Specification 3.0, chapter 6).
 *
 * 1. The two ports are one register pair: config_lock (irqsave, as drivers may read in interrupts)
 *    keeps an address and its data together.
 * 2. Only buses that exist are scanned: bus 0, and what is behind bridges. The firmware has given
 *    the addresses.
 * 3. pci_devices is filled once, before the drivers, and does not change afterwards.
 */
#include "drivers/pci.h"
#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "mm/slab.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

/* Registers of the configuration header, 6.1. */
#define PCI_VENDOR	    0x00
#define PCI_DEVICE	    0x02
#define PCI_COMMAND	    0x04
#define PCI_STATUS	    0x06
#define PCI_CLASS	    0x08 /* revision, interface, subclass, class */
#define PCI_HEADER_TYPE	    0x0e
#define PCI_BAR0	    0x10
#define PCI_SECONDARY_BUS   0x19 /* of a bridge */
#define PCI_SUBSYSTEM	    0x2e
#define PCI_CAPABILITIES    0x34
#define PCI_IRQ_LINE	    0x3c

#define COMMAND_IO	    0x1
#define COMMAND_MEMORY	    0x2
#define COMMAND_MASTER	    0x4
#define STATUS_CAPABILITIES 0x10
#define HEADER_BRIDGE	    0x01
#define HEADER_MULTI	    0x80
#define BAR_IO		    0x1
#define BAR_TYPE	    0x6
#define BAR_TYPE_64	    0x4
#define BAR_PREFETCH	    0x8

#define MAX_DEPTH	    8 /* bridges behind bridges */

struct list pci_devices = LIST_INIT(pci_devices);
static spinlock_t config_lock = SPINLOCK_INIT("PCI configuration");

static void select_register(const struct pci_device *device, unsigned int offset)
{
	lockdep_held(&config_lock);
	outl(CONFIG_ADDRESS, CONFIG_ENABLE | device->bus << 16 | device->device << 11 |
				     device->function << 8 | (offset & 0xfc));
}

uint32_t pci_read(const struct pci_device *device, unsigned int offset, unsigned int bytes)
{
	unsigned int port = CONFIG_DATA + (offset & 3);
	unsigned int flags = spin_lock_irqsave(&config_lock);
	uint32_t value;

	select_register(device, offset);
	value = bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
	spin_unlock_irqrestore(&config_lock, flags);
	return value;
}

void pci_write(const struct pci_device *device, unsigned int offset, unsigned int bytes,
	       uint32_t value)
{
	unsigned int port = CONFIG_DATA + (offset & 3);
	unsigned int flags = spin_lock_irqsave(&config_lock);

	select_register(device, offset);
	if (bytes == 1)
		outb(port, value);
	else if (bytes == 2)
		outw(port, value);
	else
		outl(port, value);
	spin_unlock_irqrestore(&config_lock, flags);
}

unsigned int pci_capability(const struct pci_device *device, unsigned int id, unsigned int from)
{
	unsigned int offset;

	if (!(pci_read(device, PCI_STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	offset = pci_read(device, from ? from + 1 : PCI_CAPABILITIES, 1) & 0xfc;
	/* There is room for 48 of them: a list that is longer goes in circles. */
	for (unsigned int i = 0; i < 48 && offset >= 0x40; i++) {
		if (pci_read(device, offset, 1) == id)
			return offset;
		offset = pci_read(device, offset + 1, 1) & 0xfc;
	}
	return 0;
}

void pci_enable(const struct pci_device *device)
{
	uint32_t command = pci_read(device, PCI_COMMAND, 2);

	pci_write(device, PCI_COMMAND, 2, command | COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
}

/* What a register answers to all ones tells the size; the value is put back. */
static uint32_t probe_size(struct pci_device *device, unsigned int offset, uint32_t old)
{
	uint32_t mask;

	pci_write(device, offset, 4, 0xffffffff);
	mask = pci_read(device, offset, 4);
	pci_write(device, offset, 4, old);
	return mask;
}

/* Fill in bars[i]; returns how many registers it takes. */
static unsigned int read_bar(struct pci_device *device, unsigned int i)
{
	unsigned int offset = PCI_BAR0 + 4 * i;
	uint32_t low = pci_read(device, offset, 4), high = 0;
	struct pci_bar *bar = &device->bars[i];
	uint32_t mask = probe_size(device, offset, low);

	if (mask == 0)
		return 1;
	if (low & BAR_IO) {
		bar->io = true;
		bar->phys = low & ~3u;
		bar->size = -(mask & ~3u) & 0xffff;
		return 1;
	}
	bar->prefetch = low & BAR_PREFETCH;
	bar->size = -(mask & ~15u);
	if ((low & BAR_TYPE) == BAR_TYPE_64)
		high = pci_read(device, offset + 4, 4);
	bar->phys = (phys_addr_t)high << 32 | (low & ~15u);
	if (bar->phys == 0)
		bar->size = 0; /* the firmware has given it no address */
	return (low & BAR_TYPE) == BAR_TYPE_64 ? 2 : 1;
}

/* Decoding is off meanwhile: a BAR that is all ones would answer at wrong addresses. */
static void read_bars(struct pci_device *device)
{
	uint32_t command = pci_read(device, PCI_COMMAND, 2);

	pci_write(device, PCI_COMMAND, 2, command & ~(COMMAND_IO | COMMAND_MEMORY));
	for (unsigned int i = 0; i < ARRAY_SIZE(device->bars);)
		i += read_bar(device, i);
	pci_write(device, PCI_COMMAND, 2, command);
}

static void scan_bus(unsigned int bus, unsigned int depth);

static void add_device(const struct pci_device *found, unsigned int header, unsigned int depth)
{
	struct pci_device *device = kzalloc(sizeof(*device), 0);
	uint32_t class = pci_read(found, PCI_CLASS, 4);

	if (!device)
		return;
	*device = *found;
	device->class = class >> 24;
	device->subclass = class >> 16;
	device->interface = class >> 8;
	list_add_tail(&pci_devices, &device->link);
	if (header == HEADER_BRIDGE) {
		unsigned int bus = pci_read(device, PCI_SECONDARY_BUS, 1);

		if (bus > device->bus)
			scan_bus(bus, depth + 1);
		return;
	}
	device->subsystem = pci_read(device, PCI_SUBSYSTEM, 2);
	device->irq_line = pci_read(device, PCI_IRQ_LINE, 1);
	read_bars(device);
	log_debug("pci %x:%x.%x: %04x:%04x class %02x%02x irq %u", device->bus, device->device,
		  device->function, device->vendor, device->id, device->class, device->subclass,
		  device->irq_line);
}

static void scan_bus(unsigned int bus, unsigned int depth)
{
	if (depth > MAX_DEPTH)
		return;
	for (unsigned int slot = 0; slot < 32; slot++) {
		unsigned int functions = 1;

		for (unsigned int function = 0; function < functions; function++) {
			struct pci_device found = {
				.bus = bus,
				.device = slot,
				.function = function,
			};
			uint32_t id = pci_read(&found, PCI_VENDOR, 4);
			unsigned int header;

			if ((id & 0xffff) == 0xffff)
				continue;
			found.vendor = id;
			found.id = id >> 16;
			header = pci_read(&found, PCI_HEADER_TYPE, 1);
			if (function == 0 && header & HEADER_MULTI)
				functions = 8;
			add_device(&found, header & ~HEADER_MULTI, depth);
		}
	}
}

void pci_scan(void)
{
	scan_bus(0, 0);
}
