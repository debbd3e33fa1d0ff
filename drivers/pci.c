/*
 * PCI: finding the devices (PCI Local Bus Specification 3.0, chapter 6).
 *
 * 1. The two ports are one register pair: config_lock (irqsave, as drivers may read in interrupts)
 *    keeps an address and its data together.
 * 2. Bus 0 is scanned, and up to the last one behind bridges. The firmware has given the numbers
 *    and the addresses.
 * 3. pci_devices is filled once, before the drivers, and does not change afterwards.
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
#define PCI_VENDOR	    0x00
#define PCI_COMMAND	    0x04 /* zeros in the status above it leave that as it is */
#define PCI_STATUS	    0x06
#define PCI_HEADER_TYPE	    0x0e
#define PCI_BAR0	    0x10
#define PCI_LAST_BUS	    0x1a /* behind a bridge */
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

	pci_write(device, PCI_COMMAND, command | COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
}

/*
 * Fill in bars[i]; returns how many registers it takes. What the register answers to all ones tells
 * the size; the value is put back.
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

/* Decoding is off meanwhile: a BAR that is all ones would answer at wrong addresses. */
static void read_bars(struct pci_device *device)
{
	uint32_t command = pci_read(device, PCI_COMMAND, 2);

	pci_write(device, PCI_COMMAND, command & ~(COMMAND_IO | COMMAND_MEMORY));
	for (unsigned int i = 0; i < ARRAY_SIZE(device->bars);)
		i += read_bar(device, i);
	pci_write(device, PCI_COMMAND, command);
}

/*
 * Look at a place, and keep the device that is there. Returns the highest bus behind it, if it is a
 * bridge, or 0. *functions: how many the device has.
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
