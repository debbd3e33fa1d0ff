/*
 * Finding AHCI controllers and their disks, and starting them. The contract is in
 * drivers/disk/ahci.h.
 */
#include "drivers/disk/ahci.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "lib/errno.h"
#include "mm/direct_map.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define CLASS_AHCI  0x010601 /* SATA, with AHCI as the interface */
#define BAR_HBA	    5
#define IDENTIFY_NS (5 * NSEC_PER_SEC)

static void set_address(volatile uint32_t *registers, const void *memory)
{
	registers[0] = virt_to_phys(memory);
	registers[1] = 0; /* low memory */
}

/* Give the port its memory and start it. 10.1.2, 10.3.1 */
static int start_port(struct port *port)
{
	volatile struct hba_port *registers = port->registers;
	unsigned int order = 0;
	struct page *lists = page_alloc(0, ALLOC_LOW | ALLOC_ZERO), *tables;

	while (PAGE_SIZE << order < port->nr_slots * TABLE_SIZE)
		order++;
	tables = page_alloc(order, ALLOC_LOW | ALLOC_ZERO);
	if (!lists || !tables)
		return -ENOMEM;
	port->headers = page_address_low(lists);
	port->tables = page_address_low(tables);
	for (unsigned int slot = 0; slot < port->nr_slots; slot++)
		port->headers[slot].table[0] = virt_to_phys(&port->tables[slot]);
	registers->command &= ~PORT_START;
	if (!ahci_wait_clear(&registers->command, PORT_RUNNING, SPIN_NS))
		return -EIO;
	registers->command &= ~PORT_RECEIVE;
	if (!ahci_wait_clear(&registers->command, PORT_RECEIVING, SPIN_NS))
		return -EIO;
	registers->irq_enable = 0;
	set_address(registers->list, port->headers);
	/* The list takes a quarter of its page. What the disk sends takes 256 bytes behind it. */
	set_address(registers->received, (char *)port->headers + SLOTS_MAX * sizeof(struct header));
	registers->sata_error = ~0u;
	registers->irq_status = ~0u;
	registers->command |= PORT_RECEIVE | PORT_POWER | PORT_SPIN_UP;
	if (!ahci_wait_clear(&registers->task_file, STATUS_BSY | STATUS_DRQ, IDENTIFY_NS))
		return -EIO;
	registers->command |= PORT_START;
	return 0;
}

/* Ask the disk what it is, without interrupts. */
static int identify(struct port *port, uint16_t *words)
{
	port->tables[0].entries[0] = (struct entry){
		.address = { virt_to_phys(words), 0 },
		.len = ATA_ID_WORDS * sizeof(uint16_t) - 1,
	};
	port->headers[0].entries = 1;
	ahci_fill_fis(port, 0, IDENTIFY, 0, 0);
	ahci_issue(port, 0, false, false);
	if (!ahci_wait_clear(&port->registers->issue, 1, IDENTIFY_NS) ||
	    port->registers->task_file & STATUS_ERR)
		return -EIO;
	port->registers->irq_status = ~0u;
	return 0;
}

static int start_disk(struct port *port, uint32_t capabilities)
{
	uint16_t *words = kzalloc(ATA_ID_WORDS * sizeof(uint16_t), 0);
	int error = words ? start_port(port) : -ENOMEM;
	const char *wrong = NULL;

	if (!error)
		error = identify(port, words);
	if (!error) {
		wrong = ata_id_read(&port->id, words);
		kfree(words); /* after an error the controller may still write to it */
	}
	if (wrong) {
		log_warning("a SATA disk is not used: %s", wrong);
		return -ENODEV;
	}
	port->queued = capabilities & CAP_NCQ && port->id.lba48 && port->id.queue > 1;
	if (port->queued)
		port->nr_slots = MIN(port->nr_slots, port->id.queue);
	port->device.sectors = port->id.sectors;
	port->device.ops = port->id.flush ? &ahci_cached_ops : &ahci_ops;
	port->device.private = port;
	port->device.queue_depth = port->nr_slots;
	return error;
}

static int add_port(struct controller *controller, unsigned int number)
{
	uint32_t capabilities = controller->hba->capabilities;
	struct port *port = kzalloc(sizeof(*port), 0);
	int error;

	if (!port)
		return -ENOMEM;
	spin_init(&port->lock, "SATA port");
	list_init(&port->waiting);
	port->registers = &controller->hba->port[number];
	port->nr_slots = (capabilities >> CAP_SLOTS_SHIFT & 31) + 1;
	port->timer.function = ahci_timer;
	/* After an error the controller may still use the memory, so it is not freed. */
	error = start_disk(port, capabilities);
	if (!error)
		error = block_register_next(&port->device, "sd", SCSI_MAJOR);
	if (error)
		return error;
	controller->ports[number] = port;
	port->registers->irq_enable = IRQ_ALL;
	timer_start(&port->timer, time_now() + NSEC_PER_SEC);
	log_info("%s: SATA, %llu KiB, %s", port->device.name,
		 (unsigned long long)port->id.sectors / 2,
		 port->queued ? "with a queue" : "without a queue");
	return 0;
}

static bool has_disk(volatile struct hba_port *registers)
{
	return (registers->sata_status & LINK) == LINK_UP && registers->signature == SIGNATURE_DISK;
}

/* End what the firmware has started at a port, and its interrupts. */
static void silence(volatile struct hba_port *registers)
{
	registers->irq_enable = 0;
	registers->command &= ~PORT_START;
	(void)ahci_wait_clear(&registers->command, PORT_RUNNING, SPIN_NS);
	registers->command &= ~PORT_RECEIVE;
	(void)ahci_wait_clear(&registers->command, PORT_RECEIVING, SPIN_NS);
	registers->irq_status = ~0u;
}

static int add_controller(struct pci_device *pci)
{
	uint32_t size = MIN(pci->bars[BAR_HBA].size, (uint32_t)sizeof(struct hba));
	unsigned int nr_ports = (size - offsetof(struct hba, port)) / sizeof(struct hba_port);
	struct controller *controller;
	volatile struct hba *hba;
	int error;

	if (pci->bars[BAR_HBA].size < sizeof(struct hba_port) + offsetof(struct hba, port))
		return -ENODEV;
	pci_enable(pci);
	hba = ioremap(pci->bars[BAR_HBA].phys, size);
	controller = kzalloc(sizeof(*controller), 0);
	if (!hba || !controller)
		return -ENOMEM;
	controller->hba = hba;
	hba->control |= CONTROL_AHCI;
	if (!(hba->capabilities & CAP_64) && (uint64_t)nr_frames << PAGE_SHIFT > 1ull << 32) {
		log_error("SATA controller at %x:%x.%x: it reaches only the first 4 GiB of memory",
			  pci->bus, pci->device, pci->function);
		return -ENODEV;
	}
	error = irq_request(pci->irq_line, true, ahci_interrupt, controller);
	for (unsigned int i = 0; i < nr_ports && !error; i++)
		if (hba->ports & 1u << i)
			silence(&hba->port[i]);
	for (unsigned int i = 0; i < nr_ports && !error; i++) {
		int port_error = 0;

		if (hba->ports & 1u << i && has_disk(&hba->port[i]))
			port_error = add_port(controller, i);
		if (port_error)
			log_error("SATA disk at port %u: error %d", i, -port_error);
	}
	hba->irq_status = ~0u;
	hba->control |= CONTROL_IRQ;
	return error;
}

static int ahci_probe(void)
{
	pci_probe_class(CLASS_AHCI, ~0u, "ahci", add_controller);
	return 0;
}
DRIVER(ahci, ahci_probe);
