/* Commands of AHCI ports and their answers. The contract is in drivers/disk/ahci.h. */
#include "drivers/disk/ahci.h"
#include "kernel/log.h"
#include "lib/errno.h"
#include "lib/string.h"

#define ENTRY_MAX	 (4u << 20) /* bytes */
#define HEADER_FIS_WORDS 5u
#define HEADER_WRITE	 (1u << 6)

/* The FIS that brings a command to the disk. */
struct command_fis {
	uint8_t type, flags, command, feature;
	uint8_t lba0, lba1, lba2, device;
	uint8_t lba3, lba4, lba5, feature_high;
	uint8_t count, count_high, icc, control, reserved[4];
};
#define FIS_COMMAND    0x27
#define FIS_IS_COMMAND 0x80

#define LINK_NS	       (1 * NSEC_PER_SEC)

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
 * Describe the next pieces of the bio in the slot's table, up to what one command can move. Returns
 * the number of sectors.
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

void ahci_fill_fis(struct port *port, unsigned int slot, uint8_t command, uint64_t sector,
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

void ahci_issue(struct port *port, unsigned int slot, bool write, bool queued)
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
	ahci_fill_fis(port, slot, command, nr ? progress_of(bio)->begin.sector : 0, nr);
	port->flushing = bio->nr_segments == 0;
	port->running[slot] = bio;
	port->issued |= 1u << slot;
	port->limit = time_limit(TIMEOUT_SECONDS * NSEC_PER_SEC);
	ahci_issue(port, slot, write && nr, queued);
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

bool ahci_wait_clear(const volatile uint32_t *reg, uint32_t bits, uint64_t ns)
{
	struct time_limit limit = time_limit(ns);

	while (*reg & bits)
		if (time_limit_over(&limit))
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
	(void)ahci_wait_clear(&port->registers->command, PORT_RUNNING, SPIN_NS);
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
	struct time_limit limit;

	registers->sata_control = (registers->sata_control & ~LINK) | LINK_RESET;
	time_delay(NSEC_PER_MSEC);
	registers->sata_control &= ~LINK;
	limit = time_limit(LINK_NS);
	while (!link_is_up(port))
		if (time_limit_over(&limit))
			return false;
	registers->sata_error = ~0u;
	return ahci_wait_clear(&registers->task_file, STATUS_BSY | STATUS_DRQ, SPIN_NS);
}

/*
 * 6.2.2: after an error, no command is running any more, and the port can take new ones. A disk
 * whose queue had the error takes none before a reset. After an error outside the queue, a disk may
 * take the next queued command with the old error in its status, and this command would be blamed.
 * So a disk with a queue is always reset. Returns false if the port cannot go on.
 */
static bool restart(struct port *port)
{
	volatile struct hba_port *registers = port->registers;

	registers->command &= ~PORT_START;
	if (!ahci_wait_clear(&registers->command, PORT_RUNNING, SPIN_NS))
		return false;
	registers->sata_error = ~0u;
	if ((port->queued || registers->task_file & (STATUS_BSY | STATUS_DRQ)) && !reset_link(port))
		return false;
	registers->irq_status = ~0u;
	registers->command |= PORT_START;
	return true;
}

/*
 * One of the commands has failed. If it was the only one, its bio ends. Otherwise all of them go
 * back to the head of the list, in order, to run alone.
 */
static void fail(struct port *port, struct list *done)
{
	bool was_alone = !(port->issued & (port->issued - 1));

	if (!restart(port))
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

/* Take the answers that have come. */
static void take_answers(struct port *port, struct list *done)
{
	volatile struct hba_port *registers = port->registers;
	uint32_t status, ended;

	status = registers->irq_status;
	registers->irq_status = status;
	ended = port->issued & ~(registers->issue | registers->active);
	if (status & (IRQ_CONNECT | IRQ_READY)) {
		registers->sata_error = registers->sata_error;
		if (!link_is_up(port))
			give_up(port, "it has been removed", done);
	}
	if (!port->given_up && port->issued) {
		/*
		 * After an error the bits of commands that had ended before it tell nothing, since
		 * a restart clears them all. The status in the task file is fresh if the disk has
		 * just sent it.
		 */
		if (status & IRQ_FATAL ||
		    (status & IRQ_SET_BITS && registers->task_file & STATUS_ERR))
			fail(port, done);
		else
			for (unsigned int slot = 0; slot < port->nr_slots; slot++)
				if (ended & 1u << slot)
					succeed(port, slot, done);
		if (ended)
			port->limit = time_limit(TIMEOUT_SECONDS * NSEC_PER_SEC);
		if (!port->given_up)
			start_waiting(port);
	}
}

static void port_interrupt(struct port *port)
{
	struct list done = LIST_INIT(done);

	spin_lock(&port->lock);
	take_answers(port, &done);
	spin_unlock(&port->lock);
	bio_complete_all(&done);
}

void ahci_interrupt(void *context)
{
	struct controller *controller = context;
	uint32_t ports = controller->hba->irq_status;

	for (unsigned int i = 0; i < ARRAY_SIZE(controller->ports); i++)
		if (ports & 1u << i && controller->ports[i])
			port_interrupt(controller->ports[i]);
	controller->hba->irq_status = ports; /* after the ports' own registers (10.7.2.1) */
}

/*
 * Once a second: give up a disk that has not answered. An answer may have come whose interrupt has
 * not been handled yet.
 */
void ahci_timer(struct timer *timer)
{
	struct port *port = container_of(timer, struct port, timer);
	struct list done = LIST_INIT(done);

	spin_lock(&port->lock);
	if (port->issued && time_limit_over(&port->limit)) {
		take_answers(port, &done);
		if (port->issued && time_limit_over(&port->limit))
			give_up(port, "no answer for 30 s", &done);
	}
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

const struct block_device_ops ahci_ops = { .submit = ahci_submit };
const struct block_device_ops ahci_cached_ops = {
	.submit = ahci_submit,
	.flush = block_flush_by_bio,
};
