/*
 * PCI: finding the devices (PCI Local Bus Specification 3.0, chapter 6).
 *
 * 1. The two ports are one pair of registers. config_lock keeps an address and its data together.
 *    It is irqsave because drivers may read in interrupts.
 * 2. Bus 0 is scanned, and all buses up to the last one behind a bridge. The firmware has assigned
 *    the bus numbers and the addresses.
 * 3. pci_devices is filled once, before the drivers probe, and does not change afterwards.
 */
#include "drivers/pci.h"
#include "kernel/cpu/cpu.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "mm/slab.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

/* Registers of the configuration header, 6.1. */
#define PCI_VENDOR	     0x00
#define PCI_COMMAND	     0x04 /* zeros in the status above it leave that as it is */
#define PCI_STATUS	     0x06
#define PCI_CLASS	     0x08 /* above the revision in the lowest byte */
#define PCI_HEADER_TYPE	     0x0e
#define PCI_BAR0	     0x10
#define PCI_LAST_BUS	     0x1a /* behind a bridge */
#define PCI_CAPABILITIES     0x34
#define PCI_IRQ_LINE	     0x3c

#define COMMAND_IO	     0x1
#define COMMAND_MEMORY	     0x2
#define COMMAND_MASTER	     0x4
#define COMMAND_NO_INTERRUPT 0x400
#define STATUS_CAPABILITIES  0x10
#define HEADER_BRIDGE	     0x01
#define HEADER_MULTI	     0x80
#define BAR_IO		     0x1
#define BAR_TYPE	     0x6
#define BAR_TYPE_64	     0x4

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
	unsigned int flags = spin_lock_irqsave(&config_lock);
	uint32_t value;

	select_register(device, offset);
	value = inl(CONFIG_DATA) >> 8 * (offset & 3);
	spin_unlock_irqrestore(&config_lock, flags);
	return bytes == 4 ? value : value & ((1u << 8 * bytes) - 1);
}

static void pci_write(const struct pci_device *device, unsigned int offset, uint32_t value)
{
	unsigned int flags = spin_lock_irqsave(&config_lock);

	select_register(device, offset);
	outl(CONFIG_DATA, value);
	spin_unlock_irqrestore(&config_lock, flags);
}

unsigned int pci_capability(const struct pci_device *device, unsigned int id, unsigned int from)
{
	unsigned int offset;

	if (!(pci_read(device, PCI_STATUS, 2) & STATUS_CAPABILITIES))
		return 0;
	offset = pci_read(device, from ? from + 1 : PCI_CAPABILITIES, 1) & 0xfc;
	/* There is room for 48 capabilities. A longer list goes in circles. */
	for (unsigned int i = 0; i < 48 && offset >= 0x40; i++) {
		if (pci_read(device, offset, 1) == id)
			return offset;
		offset = pci_read(device, offset + 1, 1) & 0xfc;
	}
	return 0;
}

void pci_enable_registers(const struct pci_device *device)
{
	pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND, 2) | COMMAND_MEMORY);
}

void pci_enable(const struct pci_device *device)
{
	uint32_t command = pci_read(device, PCI_COMMAND, 2);

	command &= ~COMMAND_NO_INTERRUPT;
	pci_write(device, PCI_COMMAND, command | COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
}

void pci_disable_master(const struct pci_device *device)
{
	pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND, 2) & ~COMMAND_MASTER);
	(void)pci_read(device, PCI_COMMAND, 2);
}

/*
 * Fill in bars[i]. Returns how many registers the BAR takes. After all ones have been written, the
 * register reads as the size. The old value is then restored.
 */
static unsigned int read_bar(struct pci_device *device, unsigned int i)
{
	unsigned int offset = PCI_BAR0 + 4 * i;
	uint32_t low = pci_read(device, offset, 4), high = 0, mask;
	struct pci_bar *bar = &device->bars[i];
	bool wide = !(low & BAR_IO) && (low & BAR_TYPE) == BAR_TYPE_64;

	pci_write(device, offset, 0xffffffff);
	mask = pci_read(device, offset, 4);
	pci_write(device, offset, low);
	if (wide)
		high = pci_read(device, offset + 4, 4);
	bar->phys = (phys_addr_t)high << 32 | (low & ~15u);
	if (mask != 0 && !(low & BAR_IO) && bar->phys != 0) /* 0: the firmware has given none */
		bar->size = -(mask & ~15u);
	return wide ? 2 : 1;
}

/* Decoding is off meanwhile, because a BAR that is all ones would answer at wrong addresses. */
static void read_bars(struct pci_device *device)
{
	uint32_t command = pci_read(device, PCI_COMMAND, 2);

	pci_write(device, PCI_COMMAND, command & ~(COMMAND_IO | COMMAND_MEMORY));
	for (unsigned int i = 0; i < ARRAY_SIZE(device->bars);)
		i += read_bar(device, i);
	pci_write(device, PCI_COMMAND, command);
}

/*
 * Record the device that is at this place, if there is one. Returns the highest bus behind it if it
 * is a bridge, or 0. Sets *functions to 8 if the device has several functions.
 */
static unsigned int scan_function(unsigned int bus, unsigned int slot, unsigned int function,
				  unsigned int *functions)
{
	struct pci_device place = { .bus = bus, .device = slot, .function = function }, *device;
	uint32_t id = pci_read(&place, PCI_VENDOR, 4);
	unsigned int header = pci_read(&place, PCI_HEADER_TYPE, 1);

	if ((id & 0xffff) == 0xffff)
		return 0;
	if (function == 0 && header & HEADER_MULTI)
		*functions = 8;
	device = kzalloc(sizeof(*device), 0);
	if (!device)
		return 0;
	*device = place;
	device->vendor = id;
	device->id = id >> 16;
	device->class = pci_read(device, PCI_CLASS, 4) >> 8;
	list_add_tail(&pci_devices, &device->link);
	if ((header & ~HEADER_MULTI) == HEADER_BRIDGE)
		return pci_read(device, PCI_LAST_BUS, 1);
	device->irq_line = pci_read(device, PCI_IRQ_LINE, 1);
	read_bars(device);
	log_debug("pci %x:%x.%x: %04x:%04x irq %u", device->bus, device->device, device->function,
		  device->vendor, device->id, device->irq_line);
	return 0;
}

void pci_scan(void)
{
	unsigned int last_bus = 0;

	for (unsigned int bus = 0; bus <= last_bus; bus++) {
		for (unsigned int slot = 0; slot < 32; slot++) {
			unsigned int functions = 1;

			for (unsigned int function = 0; function < functions; function++)
				last_bus = MAX(last_bus,
					       scan_function(bus, slot, function, &functions));
		}
	}
}

void pci_probe_class(uint32_t class, uint32_t mask, const char *driver,
		     int (*add)(struct pci_device *))
{
	struct pci_device *device;

	list_for_each(device, &pci_devices, link) {
		int error;

		if ((device->class & mask) != class || device->driver)
			continue;
		device->driver = driver;
		error = add(device);
		if (error)
			log_error("%s controller at %x:%x.%x: error %d", driver, device->bus,
				  device->device, device->function, -error);
	}
}
