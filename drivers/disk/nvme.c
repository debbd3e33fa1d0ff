/*
 * NVMe disks on PCI (NVM Express Base Specification 1.4; its chapters are named below).
 *
 * 1. A controller gets two pairs of queues, with a ring of commands and a ring of answers each. The
 *    first pair is for setting it up, which is done without interrupts. All its namespaces, which
 *    are the disks, share the second.
 * 2. controller->lock (irqsave) guards the second pair, the list of bios that wait for room, and
 *    the controller's fields.
 * 3. A command is described by pages (PRPs), which must follow each other without gaps: only the
 *    first may begin, and only the last may end, within a page. A bio takes one command, or several
 *    in turn if it has gaps or is longer than a command can be.
 * 4. Bios are completed in the interrupt, without the lock.
 * 5. Everything that the device writes is checked. An answer to no command is ignored, and an
 *    interrupt takes at most as many answers as the queue has entries.
 * 6. A controller that has been removed, or has not answered for TIMEOUT_SECONDS, is given up: all
 *    its bios, then and later, end with -EIO.
 */
#include "drivers/disk/block.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/spinlock.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

/* 3.1: registers. Those of 64 bits are read and written in halves. */
struct registers {
	uint32_t capabilities[2], version, mask, unmask, config, reserved, status, reset;
	uint32_t admin_sizes, admin_commands[2], admin_answers[2];
};
#define CAP_ENTRIES	  0xffffu /* largest queue, - 1 */
#define CAP_TIMEOUT_SHIFT 24	  /* in units of 500 ms */
#define CAP_STRIDE	  0xfu	  /* of the second word: doorbells are 4 << stride bytes apart */
#define CAP_PAGE_MIN	  (0xfu << 16)
#define CONFIG_ENABLE	  1u
#define CONFIG_SIZES	  (6u << 16 | 4u << 20) /* commands of 64 bytes, answers of 16 */
#define STATUS_READY	  1u
#define STATUS_FATAL	  2u
#define DOORBELLS	  0x1000u
#define REGISTERS_SIZE	  0x2000u

/* 4.2, 4.6 */
struct command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t namespace, reserved[2];
	uint64_t metadata, pages[2];
	uint32_t words[6]; /* the specification's dwords 10 to 15 */
};
struct answer {
	uint32_t result, reserved;
	uint16_t head, queue, id, status; /* the lowest bit of status is the phase */
};

/* 5 and 6: opcodes */
#define ADMIN_CREATE_COMMANDS 0x01
#define ADMIN_CREATE_ANSWERS  0x05
#define ADMIN_IDENTIFY	      0x06
#define ADMIN_SET_FEATURES    0x09
#define IO_FLUSH	      0x00
#define IO_WRITE	      0x01
#define IO_READ		      0x02
#define FEATURE_QUEUES	      7
#define QUEUE_CONTIGUOUS      1u
#define QUEUE_INTERRUPTS      2u

/* 5.15: answers to IDENTIFY, and the places in them */
#define IDENTIFY_NAMESPACE  0
#define IDENTIFY_CONTROLLER 1
#define IDENTIFY_LIST	    2
#define CONTROLLER_MDTS	    77
#define CONTROLLER_CACHE    525 /* bit 0: there is one that loses its bytes without power */
#define NAMESPACE_SIZE	    0
#define NAMESPACE_FORMAT    26 /* 4 bits: the format in use */
#define NAMESPACE_FORMATS   128

#define QUEUE_ENTRIES	    64u /* a page of commands */
#define LIST_ENTRIES	    64u /* pages of a command, besides the first */
#define MAX_NAMESPACES	    16u
#define TIMEOUT_SECONDS	    30u
#define BLKEXT_MAJOR	    259

struct queue {
	volatile struct command *commands;
	volatile struct answer *answers;
	volatile uint32_t *tail_bell, *head_bell;
	unsigned int entries, tail, head;
	uint16_t phase;
};

struct controller {
	spinlock_t lock;
	volatile struct registers *registers;
	struct queue admin, io;
	unsigned int max_pages;		    /* of a command */
	uint64_t (*lists)[LIST_ENTRIES];    /* by the command's id */
	struct bio *running[QUEUE_ENTRIES]; /* by id; NULL: the id is free */
	unsigned int nr_running;
	struct list waiting;
	bool has_cache, given_up;
	struct time_limit limit; /* within which one of the running commands must end */
	struct timer timer;
	unsigned int number;
	struct pci_device *pci;
};

struct namespace
{
	struct block_device device;
	struct controller *controller;
	uint32_t id;
};

/* Where the next command begins in its bio. It is in the bio's room. */
static struct bio_place *place_of(struct bio *bio)
{
	return (struct bio_place *)bio->room;
}

/* ---- queues ---- */

static void put_command(struct queue *queue, const struct command *command)
{
	memcpy((void *)&queue->commands[queue->tail], command, sizeof(*command));
	barrier(); /* the device reads it when the doorbell has rung; x86 keeps stores in order */
	queue->tail = (queue->tail + 1) % queue->entries;
	*queue->tail_bell = queue->tail;
}

/* Take the next answer. Returns false if there is none. */
static bool take_answer(struct queue *queue, struct answer *answer)
{
	volatile struct answer *next = &queue->answers[queue->head];

	if ((next->status & 1) == queue->phase)
		return false;
	barrier(); /* x86 keeps loads in order */
	memcpy(answer, (void *)next, sizeof(*answer));
	queue->head = (queue->head + 1) % queue->entries;
	if (queue->head == 0)
		queue->phase ^= 1;
	return true;
}

/* ---- commands; controller->lock is held ---- */

/*
 * Describe the next pages of the bio, from `at` on, which is moved behind them. Returns the number
 * of sectors.
 */
static unsigned int fill_pages(struct controller *controller, struct command *command,
			       const struct bio *bio, struct bio_place *at)
{
	uint64_t *list = controller->lists[command->id];
	uint64_t first = at->sector;
	unsigned int nr = 0, len;

	while (nr < controller->max_pages && !bio_at_end(bio, at)) {
		phys_addr_t address = bio_bytes(bio, at, &len);
		unsigned int inside = address & (PAGE_SIZE - 1);

		if (nr > 0 && inside != 0)
			break;
		if (nr == 0)
			command->pages[0] = address;
		else
			list[nr - 1] = address;
		nr++;
		len = MIN(len, PAGE_SIZE - inside);
		bio_advance(bio, at, len);
		if (inside + len != PAGE_SIZE)
			break;
	}
	if (nr == 2)
		command->pages[1] = list[0];
	else if (nr > 2)
		command->pages[1] = virt_to_phys(list);
	return at->sector - first;
}

/* Start the bio's next command, under a free id. */
static void start(struct controller *controller, unsigned int id, struct bio *bio)
{
	struct namespace *namespace = bio->device->private;
	struct bio_place *at = place_of(bio);
	struct command command = { .opcode = IO_FLUSH, .id = id, .namespace = namespace->id };

	if (bio->nr_segments > 0) {
		uint64_t sector = at->sector;

		command.opcode = bio->write ? IO_WRITE : IO_READ;
		command.words[0] = sector;
		command.words[1] = sector >> 32;
		command.words[2] = fill_pages(controller, &command, bio, at) - 1;
	}
	controller->running[id] = bio;
	controller->nr_running++;
	controller->limit = time_limit(TIMEOUT_SECONDS * NSEC_PER_SEC);
	put_command(&controller->io, &command);
}

/* Start the waiting bios that the queue has room for. It is full with one entry unused. */
static void start_waiting(struct controller *controller)
{
	unsigned int id = 0;

	while (!list_empty(&controller->waiting) &&
	       controller->nr_running < controller->io.entries - 1) {
		struct bio *bio = list_first(&controller->waiting, struct bio, link);

		while (controller->running[id])
			id++;
		list_del(&bio->link);
		start(controller, id, bio);
	}
}

/* A command has been answered. Its bio ends, or waits to be started again if it is not done. */
static void finish(struct controller *controller, const struct answer *answer, struct list *done)
{
	struct bio *bio = answer->id < QUEUE_ENTRIES ? controller->running[answer->id] : NULL;

	if (!bio)
		return;
	controller->running[answer->id] = NULL;
	controller->nr_running--;
	if (answer->status >> 1)
		bio_end(bio, -EIO, done);
	else if (bio_at_end(bio, place_of(bio)))
		bio_end(bio, 0, done);
	else
		list_add(&controller->waiting, &bio->link);
}

/* End every bio, and those that come later. */
static void give_up(struct controller *controller, const char *why, struct list *done)
{
	log_error("nvme%u: %s; it is given up", controller->number, why);
	controller->given_up = true;
	controller->registers->mask = ~0u;
	controller->registers->config = 0;
	/* The pages must not be given back while the controller may still write to them. */
	pci_disable_master(controller->pci);
	for (unsigned int id = 0; id < QUEUE_ENTRIES; id++) {
		if (controller->running[id])
			bio_end(controller->running[id], -EIO, done);
		controller->running[id] = NULL;
	}
	controller->nr_running = 0;
	bio_end_all(&controller->waiting, -EIO, done);
}

/* Take the answers that have come. */
static void take_answers(struct controller *controller, struct list *done)
{
	struct answer answer;
	unsigned int nr = 0;

	/* No command starts meanwhile, so there are never more answers to wait for. */
	for (; nr < controller->io.entries && !controller->given_up &&
	       take_answer(&controller->io, &answer);
	     nr++)
		finish(controller, &answer, done);
	if (nr > 0) {
		*controller->io.head_bell = controller->io.head;
		controller->limit = time_limit(TIMEOUT_SECONDS * NSEC_PER_SEC);
		start_waiting(controller);
	}
}

static void nvme_interrupt(void *context)
{
	struct controller *controller = context;
	struct list done = LIST_INIT(done);

	spin_lock(&controller->lock);
	take_answers(controller, &done);
	spin_unlock(&controller->lock);
	bio_complete_all(&done);
}

/*
 * Once a second: give up a controller that is gone or does not answer. An answer may have come
 * whose interrupt has not been handled yet.
 */
static void nvme_timer(struct timer *timer)
{
	struct controller *controller = container_of(timer, struct controller, timer);
	struct list done = LIST_INIT(done);
	uint32_t status;

	spin_lock(&controller->lock);
	status = controller->registers->status;
	if (!controller->given_up && status == ~0u)
		give_up(controller, "it has been removed", &done);
	else if (!controller->given_up && status & STATUS_FATAL)
		give_up(controller, "it reports that it has failed", &done);
	else if (controller->nr_running && time_limit_over(&controller->limit)) {
		take_answers(controller, &done);
		if (controller->nr_running && time_limit_over(&controller->limit))
			give_up(controller, "no answer for 30 s", &done);
	}
	spin_unlock(&controller->lock);
	bio_complete_all(&done);
	timer_repeat(timer, time_now() + NSEC_PER_SEC);
}

/* ---- the block layer's side ---- */

static void nvme_submit(struct block_device *device, struct bio *bio)
{
	struct controller *controller = ((struct namespace *)device->private)->controller;
	struct list done = LIST_INIT(done);
	unsigned int flags = spin_lock_irqsave(&controller->lock);

	*place_of(bio) = (struct bio_place){ .sector = bio->sector };
	if (controller->given_up) {
		bio_end(bio, -EIO, &done);
	} else {
		list_add_tail(&controller->waiting, &bio->link);
		start_waiting(controller);
	}
	spin_unlock_irqrestore(&controller->lock, flags);
	bio_complete_all(&done);
}

static const struct block_device_ops nvme_ops = { .submit = nvme_submit };
static const struct block_device_ops nvme_cached_ops = {
	.submit = nvme_submit,
	.flush = block_flush_by_bio,
};

/* ---- setting up a controller ---- */

/*
 * Wait until the controller is ready, or is not. The time that this may take is in its
 * capabilities.
 */
static int wait_ready(struct controller *controller, uint32_t ready)
{
	volatile struct registers *registers = controller->registers;
	uint64_t ns = (registers->capabilities[0] >> CAP_TIMEOUT_SHIFT) * 500 * NSEC_PER_MSEC;
	struct time_limit limit = time_limit(MAX(ns, NSEC_PER_SEC));

	while ((registers->status & STATUS_READY) != ready)
		if (registers->status & STATUS_FATAL || time_limit_over(&limit))
			return -EIO;
	return 0;
}

static int make_queue(struct controller *controller, struct queue *queue, unsigned int number)
{
	struct page *page = page_alloc(1, ALLOC_LOW | ALLOC_ZERO);
	char *bells = (char *)controller->registers + DOORBELLS;
	unsigned int apart = 4u << (controller->registers->capabilities[1] & CAP_STRIDE);

	if (!page)
		return -ENOMEM;
	if ((2 * number + 2) * apart > REGISTERS_SIZE - DOORBELLS)
		return -ENODEV;
	queue->commands = page_address_low(page);
	queue->answers = page_address_low(page + 1);
	queue->tail_bell = (void *)(bells + 2 * number * apart);
	queue->head_bell = (void *)(bells + (2 * number + 1) * apart);
	queue->entries =
		MIN(QUEUE_ENTRIES, (controller->registers->capabilities[0] & CAP_ENTRIES) + 1);
	return queue->entries > 1 ? 0 : -ENODEV; /* one of them is not used */
}

/*
 * Carry out a command of the first pair. Returns 0, or -EIO if it fails or takes longer than a
 * second.
 */
static int admin(struct controller *controller, struct command *command)
{
	struct time_limit limit = time_limit(NSEC_PER_SEC);
	struct answer answer;

	put_command(&controller->admin, command);
	while (!take_answer(&controller->admin, &answer))
		if (time_limit_over(&limit))
			return -EIO;
	*controller->admin.head_bell = controller->admin.head;
	return answer.status >> 1 ? -EIO : 0;
}

/*
 * Fill a page with what the controller says about itself, about a namespace, or with the list of
 * those.
 */
static int identify(struct controller *controller, unsigned int what, uint32_t namespace,
		    void *page)
{
	struct command command = {
		.opcode = ADMIN_IDENTIFY,
		.namespace = namespace,
		.pages = { virt_to_phys(page) },
		.words = { what },
	};

	return admin(controller, &command);
}

/* 7.6.1 */
static int enable(struct controller *controller)
{
	volatile struct registers *registers = controller->registers;
	int error;

	if (registers->capabilities[1] & CAP_PAGE_MIN) /* its pages are larger than 4 KiB */
		return -ENODEV;
	registers->mask = ~0u; /* the first pair is polled */
	registers->config = 0;
	error = wait_ready(controller, 0);
	if (!error)
		error = make_queue(controller, &controller->admin, 0);
	if (error)
		return error;
	registers->admin_sizes =
		(controller->admin.entries - 1) << 16 | (controller->admin.entries - 1);
	registers->admin_commands[0] = virt_to_phys((void *)controller->admin.commands);
	registers->admin_commands[1] = 0;
	registers->admin_answers[0] = virt_to_phys((void *)controller->admin.answers);
	registers->admin_answers[1] = 0;
	registers->config = CONFIG_ENABLE | CONFIG_SIZES;
	return wait_ready(controller, STATUS_READY);
}

static int make_io_queue(struct controller *controller)
{
	struct queue *io = &controller->io;
	int error = make_queue(controller, io, 1);
	uint32_t shape = (io->entries - 1) << 16 | 1;
	struct command one_pair = { .opcode = ADMIN_SET_FEATURES, .words = { FEATURE_QUEUES } };
	struct command answers = {
		.opcode = ADMIN_CREATE_ANSWERS,
		.pages = { virt_to_phys((void *)io->answers) },
		.words = { shape, QUEUE_CONTIGUOUS | QUEUE_INTERRUPTS },
	};
	struct command commands = {
		.opcode = ADMIN_CREATE_COMMANDS,
		.pages = { virt_to_phys((void *)io->commands) },
		.words = { shape, 1 << 16 | QUEUE_CONTIGUOUS },
	};

	if (!error)
		error = admin(controller, &one_pair);
	if (!error)
		error = admin(controller, &answers);
	return error ? error : admin(controller, &commands);
}

/* Read how long a command may be, and whether there is a cache. */
static int read_limits(struct controller *controller, uint8_t *page)
{
	int error = identify(controller, IDENTIFY_CONTROLLER, 0, page);
	unsigned int shift = page[CONTROLLER_MDTS];

	controller->has_cache = page[CONTROLLER_CACHE] & 1;
	/* 0 is no limit. A command that begins within a page touches one page more. */
	controller->max_pages = LIST_ENTRIES + 1;
	if (shift > 0 && shift < 7)
		controller->max_pages = 1u << shift;
	return error;
}

static int add_namespace(struct controller *controller, uint32_t id, uint8_t *page)
{
	int error = identify(controller, IDENTIFY_NAMESPACE, id, page);
	static unsigned int nr_disks;
	struct namespace *namespace;
	struct block_device *device;
	uint32_t format;

	if (error)
		return error;
	format = *(uint32_t *)(page + NAMESPACE_FORMATS + 4 * (page[NAMESPACE_FORMAT] & 15));
	if ((format >> 16 & 0xff) != SECTOR_SHIFT || (format & 0xffff) != 0) {
		log_warning("nvme%un%u is not used: its sectors are not 512 bytes long",
			    controller->number, id);
		return 0;
	}
	namespace = kzalloc(sizeof(*namespace), 0);
	if (!namespace)
		return -ENOMEM;
	namespace->controller = controller;
	namespace->id = id;
	device = &namespace->device;
	snprintf(device->name, sizeof(device->name), "nvme%un%u", controller->number, id);
	device->major = BLKEXT_MAJOR;
	device->minor = nr_disks++ * MINORS_PER_DISK;
	device->may_have_partitions = true;
	device->sectors = *(uint64_t *)(page + NAMESPACE_SIZE);
	device->ops = controller->has_cache ? &nvme_cached_ops : &nvme_ops;
	device->private = namespace;
	device->queue_depth = controller->io.entries - 1;
	block_register(device);
	log_info("%s: NVMe, %llu KiB, queue of %u", device->name,
		 (unsigned long long)device->sectors / 2, device->queue_depth);
	return 0;
}

static int add_namespaces(struct controller *controller, uint8_t *page)
{
	uint32_t ids[MAX_NAMESPACES];
	int error = identify(controller, IDENTIFY_LIST, 0, page);

	memcpy(ids, page, sizeof(ids));
	for (unsigned int i = 0; i < MAX_NAMESPACES && ids[i] != 0 && !error; i++)
		error = add_namespace(controller, ids[i], page);
	return error;
}

static int start_controller(struct controller *controller, struct pci_device *pci)
{
	struct page *page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);
	unsigned int order = 0;
	struct page *lists;
	int error;

	while (PAGE_SIZE << order < QUEUE_ENTRIES * sizeof(*controller->lists))
		order++;
	lists = page_alloc(order, ALLOC_LOW | ALLOC_ZERO);
	if (!page || !lists)
		return -ENOMEM;
	controller->lists = page_address_low(lists);
	error = enable(controller);
	if (!error)
		error = read_limits(controller, page_address_low(page));
	if (!error)
		error = make_io_queue(controller);
	if (!error)
		error = irq_request(pci->irq_line, true, nvme_interrupt, controller);
	if (error)
		return error; /* the controller may still write to the page */
	timer_start(&controller->timer, time_now() + NSEC_PER_SEC);
	error = add_namespaces(controller, page_address_low(page));
	if (!error)
		page_put(page);
	controller->registers->unmask = ~0u;
	return error;
}

static int add_controller(struct pci_device *pci)
{
	static unsigned int nr_controllers;
	struct controller *controller;

	if (pci->bars[0].size < REGISTERS_SIZE)
		return -ENODEV;
	controller = kzalloc(sizeof(*controller), 0);
	if (!controller)
		return -ENOMEM;
	pci_enable(pci);
	spin_init(&controller->lock, "NVMe controller");
	list_init(&controller->waiting);
	controller->timer.function = nvme_timer;
	controller->number = nr_controllers++;
	controller->pci = pci;
	controller->registers = ioremap(pci->bars[0].phys, REGISTERS_SIZE);
	/* After an error the controller may still use the memory, so it is not freed. */
	return controller->registers ? start_controller(controller, pci) : -ENOMEM;
}

#define CLASS_NVME 0x010802

static int nvme_probe(void)
{
	pci_probe_class(CLASS_NVME, ~0u, "nvme", add_controller);
	return 0;
}
DRIVER(nvme, nvme_probe);
