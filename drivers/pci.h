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
	uint8_t irq_line; /* as the firmware routed it: ISA number for the 8259, and for the IO-APIC
					   its input (PIIX: the same level-triggered lines 5, 9..11) */
	struct pci_bar bars[6];
	const char *driver; /* who claimed it; NULL: nobody */
	struct list link;
};

extern struct list pci_devices; /* filled by pci_scan(), which runs before the drivers */
void pci_scan(void);
uint32_t pci_read(const struct pci_device *device, unsigned int offset, unsigned int bytes);
/* The offset of the first capability `id` after `from` (0: from the start); 0: none. */
unsigned int pci_capability(const struct pci_device *device, unsigned int id, unsigned int from);
/* Memory decoding and bus mastering on. */
void pci_enable(const struct pci_device *device);

#endif
