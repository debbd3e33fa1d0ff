/*
 * SATA disks on AHCI controllers (Serial ATA AHCI 1.3.1; Serial ATA 3.1 for FISes and queued
 * commands).
 *
 * 1. Each port has one disk, and room for up to 32 commands, the slots. If the disk queues commands
 *    by itself (NCQ), it has as many in flight as it queues. If not, the controller passes them on
 *    one after another.
 * 2. port->lock (irqsave) guards the port's registers, its list of bios that wait for a slot, and
 *    its fields.
 * 3. A bio takes one command, or several in turn if it has more pieces than a slot's table has
 *    entries.
 * 4. A flush cannot be queued. It starts when no other command is running, and nothing starts
 *    before it has ended.
 * 5. When a command fails, the disk drops all that it has queued, and does not say whose fault it
 *    was. The commands then run again, one after another and not queued. The one that fails alone
 *    ends with -EIO.
 * 6. Bios are completed in the interrupt, without the lock.
 * 7. A port whose disk has been removed, or has not answered for TIMEOUT_SECONDS, is given up: all
 *    its bios, then and later, end with -EIO.
 */
#ifndef DRIVERS_DISK_AHCI_H
#define DRIVERS_DISK_AHCI_H

#include "drivers/disk/ata_common.h"
#include "drivers/disk/block.h"
#include "kernel/spinlock.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"

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

#define TIMEOUT_SECONDS 30u
#define SLOTS_MAX	32u
#define SPIN_NS		(500 * NSEC_PER_MSEC) /* 10.1.2 gives a port so long to stop */

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
	struct time_limit limit; /* within which one of the running commands must end */
	struct timer timer;
};

struct controller {
	volatile struct hba *hba;
	struct port *ports[32]; /* NULL: no disk */
};

/* ---- drivers/disk/ahci.c, for finding disks. No other task knows of the port yet. ---- */

extern const struct block_device_ops ahci_ops, ahci_cached_ops; /* cached: it can be flushed */
/* Fill in the FIS of a command that moves `nr` sectors. Never sleeps. */
void ahci_fill_fis(struct port *port, unsigned int slot, uint8_t command, uint64_t sector,
		   unsigned int nr);
/* Hand the slot's command to the controller. Never sleeps. */
void ahci_issue(struct port *port, unsigned int slot, bool write, bool queued);
/* Spin until the bits are clear. Returns false if that takes longer than `ns` nanoseconds. */
bool ahci_wait_clear(const volatile uint32_t *reg, uint32_t bits, uint64_t ns);
/* The interrupt of a struct controller, and the timer of a port, which repeats every second. */
void ahci_interrupt(void *controller);
void ahci_timer(struct timer *timer);

#endif
