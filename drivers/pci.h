/*
 * PCI configuration space by ports 0xcf8/0xcfc (PCI Local Bus 3.0, 3.2.2.3.2).
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "lib/list.h"

struct pci_bar {
	phys_addr_t phys;
	uint32_t size; /* 0: not there, or not memory */
};

struct pci_device {
	unsigned int bus, device, function;
	uint16_t vendor, id;
	uint32_t class; /* base class << 16 | subclass << 8 | programming interface */
	/*
	 * The interrupt as the firmware routed it: the ISA number for the 8259, and the input of
	 * the IO-APIC. On the PIIX both are the same level-triggered lines 5 and 9 to 11.
	 */
	uint8_t irq_line;
	struct pci_bar bars[6];
	const char *driver; /* the driver that has claimed it, or NULL */
	struct list link;
};

extern struct list pci_devices; /* filled by pci_scan(), which runs before the drivers */
/* Find all devices and size their BARs. Called once at boot, by one CPU. */
void pci_scan(void);
/*
 * For drivers: call add() for each device that has no driver yet and whose `class` has this value
 * in the bits of `mask`. It becomes `driver`'s. An error of add() is logged, and the next device is
 * tried. May sleep.
 */
void pci_probe_class(uint32_t class, uint32_t mask, const char *driver,
		     int (*add)(struct pci_device *));
/*
 * Read `bytes` bytes (1, 2 or 4) of the configuration space at `offset`, which is a multiple of
 * `bytes`. Never sleeps. May be called in an interrupt.
 */
uint32_t pci_read(const struct pci_device *device, unsigned int offset, unsigned int bytes);
/*
 * Return the offset of the next capability `id` behind the one at `from`, or 0 if there is none.
 * With from == 0 the search starts at the first capability.
 */
unsigned int pci_capability(const struct pci_device *device, unsigned int id, unsigned int from);
/* Let the device decode its addresses of memory, and leave the rest as it is. */
void pci_enable_registers(const struct pci_device *device);
/*
 * Let the device decode its addresses, access memory by itself (bus mastering), and raise its
 * interrupt line.
 */
void pci_enable(const struct pci_device *device);
/*
 * Have the device access memory no more. When this returns, it has stopped. May be called in an
 * interrupt.
 */
void pci_disable_master(const struct pci_device *device);

#endif
