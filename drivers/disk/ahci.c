/*
 * SATA disks on AHCI controllers (Serial ATA AHCI 1.3.1; Serial ATA 3.1 for FISes and queued commands).
 *
 * 1. Each port has one disk, and room for up to 32 commands, the slots. If the disk queues commands by
 *    itself (NCQ), it has as many in flight as it queues. If not, the controller passes them on one after
 *    another.
 * 2. port->lock (irqsave) guards the port's registers, its list of bios that wait for a slot, and its
 *    fields.
 * 3. A bio takes one command, or several in turn if it has more pieces than a slot's table has entries.
 * 4. A flush cannot be queued. It starts when no other command is running, and nothing starts before
 *    it has ended.
 * 5. When a command fails, the disk drops all that it has queued, and does not say whose fault it was.
 *    The commands then run again, one after another and not queued. The one that fails alone ends with
 *    -EIO.
 * 6. Bios are completed in the interrupt, without the lock.
 * 7. A port whose disk has been removed, or has not answered for TIMEOUT_SECONDS, is given up: all its
 *    bios, then and later, end with -EIO.
 */
#include "drivers/disk/ata_common.h"
#include "drivers/disk/block.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

/* 3.1: registers of the controller, and 3.3: of a port */
struct hba_port {
	uint32_t list[2], received[2];
	uint32_t irq_status, irq_enable, command, reserved;
	uint32_t task_file, signature, sata_status, sata_control, sata_error, active, issue;
	uint32_t rest[17];
};
struct hba {
	uint32_t capabilities, control, irq_status, ports;
	uint32_t rest[60];
	struct hba_port port[32];
};
#define CAP_SLOTS_SHIFT 8 /* 5 bits: slots - 1 */
#define CAP_NCQ		(1u << 30)
#define CAP_64		(1u << 31)
#define CONTROL_IRQ	(1u << 1)
#define CONTROL_AHCI	(1u << 31)

#define PORT_START	(1u << 0)
#define PORT_SPIN_UP	(1u << 1)
#define PORT_POWER	(1u << 2)
#define PORT_RECEIVE	(1u << 4)
#define PORT_RECEIVING	(1u << 14)
#define PORT_RUNNING	(1u << 15)
#define LINK		0xfu /* of sata_status */
#define LINK_UP		3u
#define LINK_RESET	1u /* of sata_control */
#define SIGNATURE_DISK	0x101u
#define IRQ_REGISTERS	(1u << 0) /* the disk has sent its registers */
#define IRQ_SET_BITS	(1u << 3) /* it has ended queued commands */
#define IRQ_CONNECT	(1u << 6)
#define IRQ_READY	(1u << 22) /* the link has gone up or down */
#define IRQ_FATAL	(0xfu << 27)
#define IRQ_ALL		(IRQ_REGISTERS | IRQ_SET_BITS | IRQ_CONNECT | IRQ_READY | IRQ_FATAL)

/* 4.2.2, 4.2.3: the list of commands, and the table of each */
struct header {
	uint16_t flags, entries;
	uint32_t transferred, table[2], reserved[4];
};
#define HEADER_FIS_WORDS 5u
#define HEADER_WRITE	 (1u << 6)
struct entry {
	uint32_t address[2], reserved, len; /* len: bytes - 1 */
};
#define TABLE_SIZE    2048u
#define TABLE_ENTRIES ((TABLE_SIZE - 128u) / sizeof(struct entry))
struct table {
	uint8_t fis[64], packet[16], reserved[48];
	struct entry entries[TABLE_ENTRIES];
};
_Static_assert(sizeof(struct table) == TABLE_SIZE, "two tables in a page");
#define ENTRY_MAX (4u << 20) /* bytes */

/* The FIS that brings a command to the disk. */
struct command_fis {
	uint8_t type, flags, command, feature;
	uint8_t lba0, lba1, lba2, device;
	uint8_t lba3, lba4, lba5, feature_high;
	uint8_t count, count_high, icc, control, reserved[4];
};
#define FIS_COMMAND	0x27
#define FIS_IS_COMMAND	0x80
#define CLASS_AHCI	0x010601 /* SATA, with AHCI as the interface */
#define BAR_HBA		5

#define SLOTS_MAX	32u
#define SPIN_NS		(500 * NSEC_PER_MSEC) /* 10.1.2 gives a port so long to stop */
#define LINK_NS		(1 * NSEC_PER_SEC)
#define IDENTIFY_NS	(5 * NSEC_PER_SEC)
#define TIMEOUT_SECONDS 30u

struct port {
	struct block_device device;
	spinlock_t lock;
	volatile struct hba_port *registers;
	struct header *headers;
	struct table *tables;
	unsigned int nr_slots;
	struct ata_id id;
	bool queued; /* the controller and the disk queue commands */
	struct list waiting;
	struct bio *running[SLOTS_MAX]; /* by slot; NULL: the slot is free */
	uint32_t issued;		/* the slots that are in use, as bits */
	unsigned int
		alone; /* bios at the head of the list that run one at a time, because one of them has failed */
	bool flushing, given_up;
	uint64_t deadline; /* by which one of the running commands must have ended */
	struct timer timer;
};

struct controller {
	volatile struct hba *hba;
	struct port *ports[32]; /* NULL: no disk */
};

/* Where a command begins in its bio, and where the next one will. It is in the bio's room. */
struct progress {
	struct bio_place begin, next;
};

static struct progress *progress_of(struct bio *bio)
{
	return (struct progress *)bio->room;
}

/* ---- commands; port->lock is held, or nobody else knows of the port ---- */

/*
 * Describe the next pieces of the bio in the slot's table, up to what one command can move. Returns the
 * number of sectors.
 */
static unsigned int fill_table(struct port *port, unsigned int slot, struct bio *bio)
{
	unsigned int left = (port->id.lba48 ? SECTORS_48 : SECTORS_28) * SECTOR_SIZE;
	struct bio_place at = progress_of(bio)->begin;
	struct entry *entries = port->tables[slot].entries;
	unsigned int nr = 0, len;

	while (nr < TABLE_ENTRIES && left > 0 && !bio_at_end(bio, &at)) {
		phys_addr_t address = bio_bytes(bio, &at, &len);

		len = MIN(MIN(len, left), ENTRY_MAX);
		entries[nr++] = (struct entry){
			.address = { address, (uint64_t)address >> 32 },
			.len = len - 1,
		};
		left -= len;
		bio_advance(bio, &at, len);
	}
	port->headers[slot].entries = nr;
	progress_of(bio)->next = at;
	return at.sector - progress_of(bio)->begin.sector;
}

/* Fill in the FIS of a command that moves `nr` sectors. */
static void fill_fis(struct port *port, unsigned int slot, uint8_t command, uint64_t sector,
		     unsigned int nr)
{
	bool queued = command == READ_QUEUED || command == WRITE_QUEUED;
	unsigned int count = queued ? slot << 3 : nr, feature = queued ? nr : 0;
	struct command_fis fis = {
		.type = FIS_COMMAND,
		.flags = FIS_IS_COMMAND,
		.command = command,
		.feature = feature,
		.feature_high = feature >> 8,
		.lba0 = sector,
		.lba1 = sector >> 8,
		.lba2 = sector >> 16,
		.device = DEVICE_LBA,
		.count = count,
	};

	if (port->id.lba48) {
		fis.lba3 = sector >> 24;
		fis.lba4 = sector >> 32;
		fis.lba5 = sector >> 40;
		fis.count_high = count >> 8;
	} else {
		fis.device |= sector >> 24 & 0xf;
	}
	memcpy(port->tables[slot].fis, &fis, sizeof(fis));
}

/* Hand the slot's command to the controller. */
static void issue(struct port *port, unsigned int slot, bool write, bool queued)
{
	struct header *header = &port->headers[slot];

	header->flags = HEADER_FIS_WORDS | (write ? HEADER_WRITE : 0);
	header->transferred = 0;
	if (queued)
		port->registers->active = 1u << slot;
	port->registers->issue = 1u << slot;
}

/* Start the bio's next command. */
static void start(struct port *port, unsigned int slot, struct bio *bio)
{
	bool write = bio->write, queued = port->queued && !port->alone && bio->nr_segments > 0;
	uint8_t command;
	unsigned int nr = 0;

	if (bio->nr_segments == 0)
		command = port->id.lba48 ? FLUSH_CACHE_48 : FLUSH_CACHE;
	else if (queued)
		command = write ? WRITE_QUEUED : READ_QUEUED;
	else if (port->id.lba48)
		command = write ? WRITE_DMA_48 : READ_DMA_48;
	else
		command = write ? WRITE_DMA : READ_DMA;
	if (bio->nr_segments > 0)
		nr = fill_table(port, slot, bio);
	else
		port->headers[slot].entries = 0;
	fill_fis(port, slot, command, nr ? progress_of(bio)->begin.sector : 0, nr);
	port->flushing = bio->nr_segments == 0;
	port->running[slot] = bio;
	port->issued |= 1u << slot;
	port->deadline = time_now() + TIMEOUT_SECONDS * NSEC_PER_SEC;
	issue(port, slot, write && nr, queued);
}

/* Start the waiting bios that may run now. */
static void start_waiting(struct port *port)
{
	while (!list_empty(&port->waiting)) {
		struct bio *bio = list_first(&port->waiting, struct bio, link);
		bool needs_quiet = bio->nr_segments == 0 || port->alone;
		uint32_t free = ~port->issued;

		if (port->flushing || (needs_quiet && port->issued))
			return;
		if (port->nr_slots < SLOTS_MAX)
			free &= (1u << port->nr_slots) - 1;
		if (!free)
			return;
		list_del(&bio->link);
		start(port, __builtin_ctz(free), bio);
		if (port->alone)
			return;
	}
}

/* Take the bio from its slot. */
static struct bio *take(struct port *port, unsigned int slot)
{
	struct bio *bio = port->running[slot];

	port->running[slot] = NULL;
	port->issued &= ~(1u << slot);
	if (bio->nr_segments == 0)
		port->flushing = false;
	return bio;
}

static bool wait_clear(const volatile uint32_t *reg, uint32_t bits, uint64_t ns)
{
	uint64_t end = time_now() + ns;

	while (*reg & bits)
		if (time_now() > end)
			return false;
	return true;
}

/* End every bio, and those that come later: the disk does not answer any more. */
static void give_up(struct port *port, const char *why, struct list *done)
{
	if (!port->given_up)
		log_error("%s: %s; it is given up", port->device.name, why);
	port->given_up = true;
	port->registers->irq_enable = 0;
	/* The pages must not be given back while the controller may still write to them. */
	port->registers->command &= ~PORT_START;
	(void)wait_clear(&port->registers->command, PORT_RUNNING, SPIN_NS);
	for (unsigned int slot = 0; slot < port->nr_slots; slot++)
		if (port->running[slot])
			bio_end(take(port, slot), -EIO, done);
	port->alone = 0;
	bio_end_all(&port->waiting, -EIO, done);
}

/* ---- answers; port->lock is held ---- */

static bool link_is_up(const struct port *port)
{
	return (port->registers->sata_status & LINK) == LINK_UP;
}

/* 10.4.2: take the link down and up again, which resets the disk. */
static bool reset_link(struct port *port)
{
	volatile struct hba_port *registers = port->registers;
	uint64_t end;

	registers->sata_control = (registers->sata_control & ~LINK) | LINK_RESET;
	time_delay(NSEC_PER_MSEC);
	registers->sata_control &= ~LINK;
	end = time_now() + LINK_NS;
	while (!link_is_up(port))
		if (time_now() > end)
			return false;
	registers->sata_error = ~0u;
	return wait_clear(&registers->task_file, STATUS_BSY | STATUS_DRQ, SPIN_NS);
}

/*
 * 6.2.2: after an error, no command is running any more, and the port can take new ones. A disk whose queue had the
 * error takes none before a reset. Returns false if the port cannot go on.
 */
static bool restart(struct port *port, bool queued)
{
	volatile struct hba_port *registers = port->registers;

	registers->command &= ~PORT_START;
	if (!wait_clear(&registers->command, PORT_RUNNING, SPIN_NS))
		return false;
	registers->sata_error = ~0u;
	if ((queued || registers->task_file & (STATUS_BSY | STATUS_DRQ)) && !reset_link(port))
		return false;
	registers->irq_status = ~0u;
	registers->command |= PORT_START;
	return true;
}

/*
 * One of the commands has failed. If it was the only one, its bio ends. Otherwise all of them go back to the head
 * of the list, in order, to run alone.
 */
static void fail(struct port *port, struct list *done)
{
	bool was_alone = !(port->issued & (port->issued - 1));

	if (!restart(port, port->queued && !port->alone && !port->flushing))
		return give_up(port, "it cannot be started again after an error", done);
	for (unsigned int slot = port->nr_slots; slot-- > 0;) {
		struct bio *bio = port->running[slot];

		if (!bio)
			continue;
		take(port, slot);
		if (was_alone) {
			if (port->alone)
				port->alone--;
			bio_end(bio, -EIO, done);
		} else {
			list_add(&port->waiting, &bio->link);
			port->alone++;
		}
	}
}

/* The slot's command has succeeded. Its bio ends, or goes on with its next command. */
static void succeed(struct port *port, unsigned int slot, struct list *done)
{
	struct bio *bio = take(port, slot);
	struct progress *progress = progress_of(bio);

	if (bio->nr_segments > 0 && !bio_at_end(bio, &progress->next)) {
		progress->begin = progress->next;
		list_add(&port->waiting, &bio->link);
		return;
	}
	if (port->alone)
		port->alone--;
	bio_end(bio, 0, done);
}

static void port_interrupt(struct port *port)
{
	volatile struct hba_port *registers = port->registers;
	struct list done = LIST_INIT(done);
	uint32_t status, ended;

	spin_lock(&port->lock);
	status = registers->irq_status;
	registers->irq_status = status;
	ended = port->issued & ~(registers->issue | registers->active);
	if (status & (IRQ_CONNECT | IRQ_READY)) {
		registers->sata_error = registers->sata_error;
		if (!link_is_up(port))
			give_up(port, "it has been removed", &done);
	}
	if (!port->given_up && port->issued) {
		/*
		 * After an error the bits of commands that had ended before it tell nothing, since a restart
		 * clears them all. The status in the task file is fresh if the disk has just sent it.
		 */
		if (status & IRQ_FATAL ||
		    (status & IRQ_SET_BITS && registers->task_file & STATUS_ERR))
			fail(port, &done);
		else
			for (unsigned int slot = 0; slot < port->nr_slots; slot++)
				if (ended & 1u << slot)
					succeed(port, slot, &done);
		if (ended)
			port->deadline = time_now() + TIMEOUT_SECONDS * NSEC_PER_SEC;
		if (!port->given_up)
			start_waiting(port);
	}
	spin_unlock(&port->lock);
	bio_complete_all(&done);
}

static void ahci_interrupt(void *context)
{
	struct controller *controller = context;
	uint32_t ports = controller->hba->irq_status;

	for (unsigned int i = 0; i < ARRAY_SIZE(controller->ports); i++)
		if (ports & 1u << i && controller->ports[i])
			port_interrupt(controller->ports[i]);
	controller->hba->irq_status = ports; /* after the ports' own registers (10.7.2.1) */
}

/* Once a second: give up a disk that has not answered. */
static void ahci_timer(struct timer *timer)
{
	struct port *port = container_of(timer, struct port, timer);
	struct list done = LIST_INIT(done);

	spin_lock(&port->lock);
	if (port->issued && time_now() > port->deadline)
		give_up(port, "no answer for 30 s", &done);
	spin_unlock(&port->lock);
	bio_complete_all(&done);
	timer_repeat(timer, time_now() + NSEC_PER_SEC);
}

/* ---- the block layer's side ---- */

static void ahci_submit(struct block_device *device, struct bio *bio)
{
	struct port *port = device->private;
	struct list done = LIST_INIT(done);
	unsigned int flags = spin_lock_irqsave(&port->lock);

	progress_of(bio)->begin = (struct bio_place){ .sector = bio->sector };
	if (port->given_up)
		bio_end(bio, -EIO, &done);
	else
		list_add_tail(&port->waiting, &bio->link);
	if (!port->given_up)
		start_waiting(port);
	spin_unlock_irqrestore(&port->lock, flags);
	bio_complete_all(&done);
}

static const struct block_device_ops ahci_ops = { .submit = ahci_submit };
static const struct block_device_ops ahci_cached_ops = {
	.submit = ahci_submit,
	.flush = block_flush_by_bio,
};

/* ---- finding disks ---- */

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
	if (!wait_clear(&registers->command, PORT_RUNNING, SPIN_NS))
		return -EIO;
	registers->command &= ~PORT_RECEIVE;
	if (!wait_clear(&registers->command, PORT_RECEIVING, SPIN_NS))
		return -EIO;
	registers->irq_enable = 0;
	set_address(registers->list, port->headers);
	/* The list takes a quarter of its page. What the disk sends takes 256 bytes behind it. */
	set_address(registers->received, (char *)port->headers + SLOTS_MAX * sizeof(struct header));
	registers->sata_error = ~0u;
	registers->irq_status = ~0u;
	registers->command |= PORT_RECEIVE | PORT_POWER | PORT_SPIN_UP;
	if (!wait_clear(&registers->task_file, STATUS_BSY | STATUS_DRQ, IDENTIFY_NS))
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
	fill_fis(port, 0, IDENTIFY, 0, 0);
	issue(port, 0, false, false);
	if (!wait_clear(&port->registers->issue, 1, IDENTIFY_NS) ||
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
	(void)wait_clear(&registers->command, PORT_RUNNING, SPIN_NS);
	registers->command &= ~PORT_RECEIVE;
	(void)wait_clear(&registers->command, PORT_RECEIVING, SPIN_NS);
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
