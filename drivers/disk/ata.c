/*
 * ATA disks on IDE channels (ATA/ATAPI-6; Programming Interface for Bus Master IDE Controller 1.0).
 *
 * 1. A controller has two channels, and each has room for two drives. The registers of a channel
 *    serve both drives, so a channel executes one command at a time. Other bios wait in its list.
 * 2. channel->lock (irqsave) guards the registers, the list and the channel's fields.
 * 3. A bio takes one command, or several in turn if it is longer than a command can be. The data
 *    goes by DMA if the controller has it and the pages lie below 4 GiB, else by PIO.
 * 4. Bios are completed without the lock, mostly in the interrupt, which also starts the next one.
 * 5. A drive that does not answer for TIMEOUT_SECONDS is given up with its channel: all its bios,
 *    then and later, end with -EIO.
 */
#include "drivers/disk/ata_common.h"
#include "drivers/disk/block.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/errno.h"
#include "mm/direct_map.h"
#include "mm/kmap.h"
#include "mm/slab.h"

/* The channels of a controller in compatibility mode, and of machines without PCI. */
#define PRIMARY_PORTS	  0x1f0
#define PRIMARY_CONTROL	  0x3f6
#define PRIMARY_IRQ	  14
#define SECONDARY_PORTS	  0x170
#define SECONDARY_CONTROL 0x376
#define SECONDARY_IRQ	  15

/* 7: registers, relative to the channel's first port */
#define REG_DATA     0
#define REG_COUNT    2
#define REG_LBA_LOW  3
#define REG_LBA_MID  4
#define REG_LBA_HIGH 5
#define REG_DEVICE   6
#define REG_STATUS   7 /* reading it acknowledges the interrupt */
#define REG_COMMAND  7

#define DEVICE_OLD   0xa0 /* the two bits that were always 1 in older standards */
#define DEVICE_UNIT  0x10

#define CONTROL_NIEN 0x02 /* no interrupts */

/* Bus master IDE, 2: registers, relative to the channel's first one, and the table of pages */
#define DMA_COMMAND   0
#define DMA_STATUS    2
#define DMA_TABLE     4
#define DMA_START     0x01
#define DMA_TO_MEMORY 0x08
#define DMA_ERROR     0x02 /* cleared by writing it */
#define DMA_INTERRUPT 0x04 /* the same */
struct dma_entry {
	uint32_t address;
	uint16_t len; /* 0: 64 KiB */
	uint16_t flags;
};
#define DMA_LAST	 0x8000
#define DMA_ENTRIES	 (PAGE_SIZE / sizeof(struct dma_entry))
#define DMA_BOUNDARY	 0x10000u /* no entry crosses a multiple of it */
#define DMA_REACH	 (1ull << 32)

#define CLASS_IDE	 0x010100 /* without the programming interface, which has these bits: */
#define CLASS_MASK	 0xffff00
#define INTERFACE_NATIVE 0x01 /* of the first channel; that of the second is two bits higher */
#define INTERFACE_DMA	 0x80
#define PCI_BAR0	 0x10
#define BAR_IO		 0x1

#define SPIN_NS		 (30 * NSEC_PER_MSEC) /* for answers that a working drive gives at once */
#define IDENTIFY_NS	 (5 * NSEC_PER_SEC)
#define TIMEOUT_SECONDS	 30u

struct channel {
	spinlock_t lock;
	uint16_t ports, control, dma; /* dma is 0 if the controller has none */
	struct dma_entry *table;
	struct list waiting;
	bool given_up;
	/* The command that is being executed. */
	struct bio *bio;     /* NULL: none */
	struct bio_place at; /* where the next command begins; with PIO, what is to be moved next */
	unsigned int left;   /* sectors that PIO has still to move */
	bool by_dma;
	struct time_limit limit;
	struct timer timer;
	unsigned int irq;
	bool level;
	unsigned int nr_drives;
};

struct drive {
	struct block_device device;
	struct channel *channel;
	unsigned int unit; /* 0 or 1 */
	struct ata_id id;
};

/* ---- registers; channel->lock is held, or nobody else knows of the channel ---- */

static uint8_t reg_read(const struct channel *channel, unsigned int reg)
{
	return inb(channel->ports + reg);
}

static void reg_write(const struct channel *channel, unsigned int reg, uint8_t value)
{
	outb(channel->ports + reg, value);
}

/*
 * Wait for at most `ns` until the channel is not busy. Returns the status, which may still have
 * BSY.
 */
static uint8_t wait_idle(const struct channel *channel, uint64_t ns)
{
	struct time_limit limit = time_limit(ns);
	uint8_t status;

	time_delay(400); /* 7.15.6.1: so long BSY may be late */
	do
		status = inb(channel->control);
	while (status & STATUS_BSY && !time_limit_over(&limit));
	return status;
}

static uint8_t device_bits(unsigned int unit)
{
	return DEVICE_OLD | DEVICE_LBA | unit * DEVICE_UNIT;
}

/* Choose a drive, and wait until it can take a command. Returns false if it cannot. */
static bool select_drive(const struct channel *channel, uint8_t device)
{
	reg_write(channel, REG_DEVICE, device);
	return !(wait_idle(channel, SPIN_NS) & (STATUS_BSY | STATUS_DRQ));
}

static void read_words(const struct channel *channel, void *to, unsigned int nr)
{
	__asm__ volatile("rep insw"
			 : "+D"(to), "+c"(nr)
			 : "d"(channel->ports + REG_DATA)
			 : "memory");
}

static void write_words(const struct channel *channel, const void *from, unsigned int nr)
{
	__asm__ volatile("rep outsw"
			 : "+S"(from), "+c"(nr)
			 : "d"(channel->ports + REG_DATA)
			 : "memory");
}

/* ---- moving bytes; channel->lock is held ---- */

/* Move one sector by PIO. */
static void move_sector(struct channel *channel)
{
	const struct bio_segment *segment = &channel->bio->segments[channel->at.segment];
	unsigned int at = segment->offset + channel->at.offset;
	char *bytes = kmap_local(segment->page + (at >> PAGE_SHIFT));

	if (channel->bio->write)
		write_words(channel, bytes + (at & (PAGE_SIZE - 1)), SECTOR_SIZE / 2);
	else
		read_words(channel, bytes + (at & (PAGE_SIZE - 1)), SECTOR_SIZE / 2);
	kunmap_local(bytes);
	bio_advance(channel->bio, &channel->at, SECTOR_SIZE);
	channel->left--;
}

/*
 * Fill the DMA table with the next bytes of the bio, up to `most` sectors. Returns how many sectors
 * it describes: 0 if the next page lies beyond the controller's reach.
 */
static unsigned int fill_table(struct channel *channel, unsigned int most)
{
	unsigned int nr = 0, bytes = 0, len;

	while (nr < DMA_ENTRIES && bytes < most * SECTOR_SIZE &&
	       !bio_at_end(channel->bio, &channel->at)) {
		phys_addr_t address = bio_bytes(channel->bio, &channel->at, &len);

		if (address + len > DMA_REACH)
			break;
		len = MIN(len, DMA_BOUNDARY - ((uint32_t)address & (DMA_BOUNDARY - 1)));
		len = MIN(len, most * SECTOR_SIZE - bytes);
		channel->table[nr++] = (struct dma_entry){ address, len, 0 };
		bytes += len;
		bio_advance(channel->bio, &channel->at, len);
	}
	if (nr)
		channel->table[nr - 1].flags = DMA_LAST;
	return bytes / SECTOR_SIZE;
}

/* ---- commands; channel->lock is held ---- */

/* Write the place and the length of a transfer, and then the command. 9.2, 9.3 */
static void write_command(const struct channel *channel, const struct drive *drive, uint64_t sector,
			  unsigned int nr, uint8_t command)
{
	uint8_t device = device_bits(drive->unit);

	if (drive->id.lba48) { /* each register takes two bytes, the higher one first */
		reg_write(channel, REG_COUNT, nr >> 8);
		reg_write(channel, REG_LBA_LOW, sector >> 24);
		reg_write(channel, REG_LBA_MID, sector >> 32);
		reg_write(channel, REG_LBA_HIGH, sector >> 40);
	} else {
		device |= sector >> 24 & 0xf;
	}
	reg_write(channel, REG_COUNT, nr);
	reg_write(channel, REG_LBA_LOW, sector);
	reg_write(channel, REG_LBA_MID, sector >> 8);
	reg_write(channel, REG_LBA_HIGH, sector >> 16);
	reg_write(channel, REG_DEVICE, device);
	reg_write(channel, REG_COMMAND, command);
	/*
	 * Another device on the line may interrupt now, and find that this drive is not busy yet
	 * (7.15.6.1).
	 */
	time_delay(400);
}

static void start_dma(struct channel *channel, const struct drive *drive, uint64_t sector,
		      unsigned int nr)
{
	bool write = channel->bio->write;
	uint8_t direction = write ? 0 : DMA_TO_MEMORY;
	uint8_t command = drive->id.lba48 ? (write ? WRITE_DMA_48 : READ_DMA_48)
					  : (write ? WRITE_DMA : READ_DMA);

	channel->by_dma = true;
	outl(channel->dma + DMA_TABLE, virt_to_phys(channel->table));
	outb(channel->dma + DMA_COMMAND, direction);
	outb(channel->dma + DMA_STATUS, inb(channel->dma + DMA_STATUS) | DMA_ERROR | DMA_INTERRUPT);
	write_command(channel, drive, sector, nr, command);
	outb(channel->dma + DMA_COMMAND, direction | DMA_START);
}

/* Returns 0, or -EIO if the drive does not ask for the first sector of a write. */
static int start_pio(struct channel *channel, const struct drive *drive, uint64_t sector,
		     unsigned int nr)
{
	bool write = channel->bio->write;
	uint8_t command = drive->id.lba48 ? (write ? WRITE_SECTORS_48 : READ_SECTORS_48)
					  : (write ? WRITE_SECTORS : READ_SECTORS);

	channel->left = nr;
	write_command(channel, drive, sector, nr, command);
	if (!write)
		return 0;
	if ((wait_idle(channel, SPIN_NS) & (STATUS_BSY | STATUS_DRQ)) != STATUS_DRQ)
		return -EIO;
	move_sector(channel);
	return 0;
}

/* Start the next command of the bio. Returns 0 or -EIO. */
static int start_command(struct channel *channel)
{
	struct bio *bio = channel->bio;
	struct drive *drive = bio->device->private;
	unsigned int most = drive->id.lba48 ? SECTORS_48 : SECTORS_28, nr = 0, len;
	uint64_t sector = channel->at.sector;

	channel->by_dma = false;
	channel->left = 0;
	channel->limit = time_limit(TIMEOUT_SECONDS * NSEC_PER_SEC);
	if (!select_drive(channel, device_bits(drive->unit)))
		return -EIO;
	if (bio->nr_segments == 0) {
		write_command(channel, drive, 0, 0, drive->id.lba48 ? FLUSH_CACHE_48 : FLUSH_CACHE);
		return 0;
	}
	if (channel->dma && drive->id.dma)
		nr = fill_table(channel, most);
	if (nr) {
		start_dma(channel, drive, sector, nr);
		return 0;
	}
	(void)bio_bytes(bio, &channel->at, &len);
	return start_pio(channel, drive, sector, MIN(len >> SECTOR_SHIFT, most));
}

/* The channel's bio has ended. */
static void end_bio(struct channel *channel, int error, struct list *done)
{
	bio_end(channel->bio, error, done);
	channel->bio = NULL;
}

/* Start waiting bios until one is under way. Those that could not be started join `done`. */
static void start_waiting(struct channel *channel, struct list *done)
{
	while (!channel->bio && !list_empty(&channel->waiting)) {
		int error;

		channel->bio = list_first(&channel->waiting, struct bio, link);
		list_del(&channel->bio->link);
		channel->at = (struct bio_place){ .sector = channel->bio->sector };
		error = channel->given_up ? -EIO : start_command(channel);
		if (error)
			end_bio(channel, error, done);
	}
}

/* The drive has raised its interrupt, and the channel is not busy: go on with the bio. */
static void go_on(struct channel *channel, uint8_t status, struct list *done)
{
	bool write = channel->bio->write;
	int error = status & (STATUS_ERR | STATUS_DF) ? -EIO : 0;

	if (channel->by_dma) {
		uint8_t dma = inb(channel->dma + DMA_STATUS);

		outb(channel->dma + DMA_COMMAND, 0);
		outb(channel->dma + DMA_STATUS, dma | DMA_ERROR | DMA_INTERRUPT);
		if (dma & DMA_ERROR)
			error = -EIO;
	} else if (!error && channel->left > 0) {
		if (!(status & STATUS_DRQ)) {
			error = -EIO;
		} else {
			move_sector(channel);
			/* A read ends with its last sector. A write has one more interrupt. */
			if (write || channel->left > 0)
				return;
		}
	}
	if (!error && !bio_at_end(channel->bio, &channel->at)) {
		error = start_command(channel);
		if (!error)
			return;
	}
	end_bio(channel, error, done);
}

/* Go on with the bio if the drive has answered. */
static void take_answer(struct channel *channel, struct list *done)
{
	uint8_t status;

	/* The line may be another device's. Then the DMA says so, or the drive is still busy. */
	if (channel->bio && channel->by_dma && !(inb(channel->dma + DMA_STATUS) & DMA_INTERRUPT))
		return;
	status = reg_read(channel, REG_STATUS);
	if (channel->bio && !(status & STATUS_BSY)) {
		go_on(channel, status, done);
		start_waiting(channel, done);
	}
}

static void ata_interrupt(void *context)
{
	struct channel *channel = context;
	struct list done = LIST_INIT(done);

	spin_lock(&channel->lock);
	take_answer(channel, &done);
	spin_unlock(&channel->lock);
	bio_complete_all(&done);
}

/*
 * Once a second: give up a channel whose drive has not answered. An answer may have come whose
 * interrupt has not been handled yet.
 */
static void ata_timer(struct timer *timer)
{
	struct channel *channel = container_of(timer, struct channel, timer);
	struct list done = LIST_INIT(done);
	bool over;

	spin_lock(&channel->lock);
	over = channel->bio && time_limit_over(&channel->limit);
	if (over)
		take_answer(channel, &done);
	if (over && channel->bio && time_limit_over(&channel->limit)) {
		log_error("%s: no answer for %u s; it is given up", channel->bio->device->name,
			  TIMEOUT_SECONDS);
		channel->given_up = true;
		if (channel->by_dma)
			outb(channel->dma + DMA_COMMAND, 0);
		end_bio(channel, -EIO, &done);
		start_waiting(channel, &done);
	}
	spin_unlock(&channel->lock);
	bio_complete_all(&done);
	timer_repeat(timer, time_now() + NSEC_PER_SEC);
}

static void ata_submit(struct block_device *device, struct bio *bio)
{
	struct channel *channel = ((struct drive *)device->private)->channel;
	struct list done = LIST_INIT(done);
	unsigned int flags = spin_lock_irqsave(&channel->lock);

	list_add_tail(&channel->waiting, &bio->link);
	start_waiting(channel, &done);
	spin_unlock_irqrestore(&channel->lock, flags);
	bio_complete_all(&done);
}

static const struct block_device_ops ata_ops = { .submit = ata_submit };
static const struct block_device_ops ata_cached_ops = {
	.submit = ata_submit,
	.flush = block_flush_by_bio,
};

/* ---- finding drives ---- */

/* Ask a drive what it is. Returns false if there is no disk. */
static bool identify(const struct channel *channel, unsigned int unit, uint16_t *words)
{
	if (!select_drive(channel, device_bits(unit)))
		return false;
	reg_write(channel, REG_COUNT, 0);
	reg_write(channel, REG_LBA_LOW, 0);
	reg_write(channel, REG_LBA_MID, 0);
	reg_write(channel, REG_LBA_HIGH, 0);
	reg_write(channel, REG_COMMAND, IDENTIFY);
	time_delay(400);
	if (inb(channel->control) == 0)
		return false;
	/* A drive that is no disk, such as a CD drive, ends the command with an error (9.12). */
	if ((wait_idle(channel, IDENTIFY_NS) & (STATUS_BSY | STATUS_DRQ | STATUS_ERR)) !=
	    STATUS_DRQ)
		return false;
	read_words(channel, words, ATA_ID_WORDS);
	(void)reg_read(channel, REG_STATUS);
	return true;
}

static int add_drive(struct channel *channel, unsigned int unit, const struct ata_id *id)
{
	struct drive *drive = kzalloc(sizeof(*drive), 0);
	int error;

	if (!drive)
		return -ENOMEM;
	drive->channel = channel;
	drive->unit = unit;
	drive->id = *id;
	drive->device.sectors = id->sectors;
	drive->device.ops = id->flush ? &ata_cached_ops : &ata_ops;
	drive->device.private = drive;
	drive->device.queue_depth = 1;
	error = channel->nr_drives
			? 0
			: irq_request(channel->irq, channel->level, ata_interrupt, channel);
	if (!error)
		error = block_register_next(&drive->device, "sd", SCSI_MAJOR);
	if (error) {
		kfree(drive);
		return error;
	}
	channel->nr_drives++;
	log_info("%s: ATA, %llu KiB, %s, %s", drive->device.name,
		 (unsigned long long)id->sectors / 2, id->lba48 ? "LBA48" : "LBA28",
		 channel->dma && id->dma ? "DMA" : "PIO");
	return 0;
}

static int add_drives(struct channel *channel)
{
	uint16_t *words = kzalloc(ATA_ID_WORDS * sizeof(uint16_t), 0);
	int error = words ? 0 : -ENOMEM;

	for (unsigned int unit = 0; unit < 2 && !error; unit++) {
		struct ata_id id;
		const char *wrong;

		if (!identify(channel, unit, words))
			continue;
		wrong = ata_id_read(&id, words);
		if (wrong)
			log_warning("ATA disk %u at port 0x%x is not used: %s", unit,
				    channel->ports, wrong);
		else
			error = add_drive(channel, unit, &id);
	}
	kfree(words);
	return error;
}

static int add_channel(uint16_t ports, uint16_t control, uint16_t dma, unsigned int irq, bool level)
{
	struct channel *channel;
	int error;

	if (!ports || !control || inb(control) == 0xff) /* nothing drives the bus */
		return 0;
	channel = kzalloc(sizeof(*channel), 0);
	if (!channel)
		return -ENOMEM;
	spin_init(&channel->lock, "ATA channel");
	list_init(&channel->waiting);
	channel->ports = ports;
	channel->control = control;
	channel->irq = irq;
	channel->level = level;
	channel->timer.function = ata_timer;
	if (dma) {
		struct page *page = page_alloc(0, ALLOC_LOW);

		if (page) {
			channel->table = page_address_low(page);
			channel->dma = dma;
		}
	}
	outb(control, CONTROL_NIEN);
	error = add_drives(channel);
	if (channel->nr_drives) {
		outb(control, 0);
		timer_start(&channel->timer, time_now() + NSEC_PER_SEC);
	}
	return error;
}

/* Returns the first port of a BAR, or 0. */
static uint16_t io_bar(const struct pci_device *pci, unsigned int bar)
{
	uint32_t value = pci_read(pci, PCI_BAR0 + 4 * bar, 4);

	return value & BAR_IO ? value & 0xfffc : 0;
}

static int add_controller(struct pci_device *pci)
{
	unsigned int interface = pci->class & 0xff;
	uint16_t dma = interface & INTERFACE_DMA ? io_bar(pci, 4) : 0;
	int error = 0;

	pci_enable(pci);
	for (unsigned int i = 0; i < 2 && !error; i++) {
		uint16_t channel_dma = dma ? dma + 8 * i : 0;
		uint16_t control = io_bar(pci, 2 * i + 1);

		if (interface & INTERFACE_NATIVE << 2 * i)
			/* The control register is the third of its four ports. */
			error = add_channel(io_bar(pci, 2 * i), control ? control + 2 : 0,
					    channel_dma, pci->irq_line, true);
		else if (i == 0)
			error = add_channel(PRIMARY_PORTS, PRIMARY_CONTROL, channel_dma,
					    PRIMARY_IRQ, false);
		else
			error = add_channel(SECONDARY_PORTS, SECONDARY_CONTROL, channel_dma,
					    SECONDARY_IRQ, false);
	}
	return error;
}

static int ata_probe(void)
{
	int error;

	pci_probe_class(CLASS_IDE, CLASS_MASK, "ata", add_controller);
	if (!list_empty(&pci_devices))
		return 0;
	/* An ISA machine. */
	error = add_channel(PRIMARY_PORTS, PRIMARY_CONTROL, 0, PRIMARY_IRQ, false);
	return error ? error
		     : add_channel(SECONDARY_PORTS, SECONDARY_CONTROL, 0, SECONDARY_IRQ, false);
}
DRIVER(ata, ata_probe);
