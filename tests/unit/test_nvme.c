/*
 * Tests drivers/disk/nvme.c with a controller that is played by the test: how the driver takes
 * answers. The queues and the bios are in the arena, where a physical address is an offset.
 */
#include "tests/unit/disk_shim.h"
#include "tests/unit/cases.h"

#include "drivers/disk/nvme.c"
#include "kernel/time_limit.c"
#include "tests/unit/bio_shim.h"

#define ENTRIES 8u

static struct registers registers;
static uint32_t bells[4];
static struct controller controller;
static struct namespace namespace = { .controller = &controller, .id = 1 };

/* ---- what the file uses ---- */

void *ioremap(phys_addr_t phys, size_t size)
{
	return &registers;
}

void pci_probe_class(uint32_t class, uint32_t mask, const char *driver,
		     int (*add)(struct pci_device *))
{
}

void pci_enable(const struct pci_device *device)
{
}

void pci_disable_master(const struct pci_device *device)
{
}

static uint64_t now;

uint64_t time_now(void)
{
	return now;
}

void timer_start(struct timer *timer, uint64_t expires)
{
}

void timer_repeat(struct timer *timer, uint64_t expires)
{
}

int irq_request(unsigned int irq, bool level, irq_handler function, void *context)
{
	return 0;
}

void block_register(struct block_device *device)
{
}

int block_flush_by_bio(struct block_device *device)
{
	return -EIO;
}

static unsigned int completions;

static void checked(struct bio *bio)
{
	must(!spin_held(&controller.lock));
	completions++;
}

/* ---- the controller ---- */

static unsigned int answers; /* that it has put into the queue */

static void answer(uint16_t id)
{
	volatile struct answer *place = &controller.io.answers[answers % ENTRIES];

	place->id = id;
	place->status = !(answers / ENTRIES & 1); /* the phase of the first round is 1 */
	answers++;
}

static struct bio *submit_read(void)
{
	struct bio *bio = page_address_low(page_alloc(0, 0));

	bio->device = &namespace.device;
	bio->segments[0] = (struct bio_segment){ page_alloc(0, 0), 0, PAGE_SIZE };
	bio->nr_segments = 1;
	list_init(&bio->link);
	nvme_submit(&namespace.device, bio);
	return bio;
}

/* Each case begins with it. */
static void start_controller_here(void)
{
	struct page *page = page_alloc(1, 0);

	spin_init(&controller.lock, "NVMe controller");
	list_init(&controller.waiting);
	controller.registers = &registers;
	controller.max_pages = LIST_ENTRIES + 1;
	controller.lists = page_address_low(page_alloc(3, 0));
	controller.io = (struct queue){
		.commands = page_address_low(page),
		.answers = page_address_low(page + 1),
		.tail_bell = &bells[2],
		.head_bell = &bells[3],
		.entries = ENTRIES,
	};
	namespace.device.private = &namespace;
}

/* ---- cases ---- */

CASE(answers_to_no_command)
{
	struct bio *bio;

	start_controller_here();
	bio = submit_read();
	answer(1);
	answer(ENTRIES);
	answer(0xffff);
	nvme_interrupt(&controller);
	ok(completions == 0, "an answer to a command that was never given is ignored");
	answer(0);
	answer(0);
	nvme_interrupt(&controller);
	ok(completions == 1 && bio->error == 0 && controller.nr_running == 0,
	   "the second answer to a command is ignored");
}

static void claim_another(void)
{
	answer(ENTRIES);
}

CASE(endless_answers)
{
	start_controller_here();
	submit_read();
	claim_another();
	meanwhile = claim_another;
	alarm(5);
	nvme_interrupt(&controller);
	meanwhile = NULL;
	ok(completions == 0, "an interrupt ends although the controller goes on giving answers");
}

CASE(queue_of_one)
{
	controller.registers = &registers;
	registers.capabilities[0] = 0;
	ok(make_queue(&controller, &controller.io, 1) == -ENODEV,
	   "a queue of one entry, which could never be used, is refused");
	registers.capabilities[0] = 1;
	ok(make_queue(&controller, &controller.io, 1) == 0 && controller.io.entries == 2,
	   "one of two entries is used");
}

CASE(stopped_guest)
{
	start_controller_here();
	submit_read();
	now += 100 * NSEC_PER_SEC;
	nvme_timer(&controller.timer);
	ok(!controller.given_up, "a guest that was stopped for long gives the controller time");
}

CASE(answer_at_the_end)
{
	struct bio *bio;

	start_controller_here();
	bio = submit_read();
	for (unsigned int i = 0; i < TIMEOUT_SECONDS; i++) {
		now += NSEC_PER_SEC;
		nvme_timer(&controller.timer);
	}
	must(!controller.given_up && completions == 0);
	answer(0);
	nvme_timer(&controller.timer);
	ok(completions == 1 && bio->error == 0 && !controller.given_up,
	   "an answer counts although its interrupt has not been handled in time");
	submit_read();
	for (unsigned int i = 0; i <= TIMEOUT_SECONDS; i++) {
		now += NSEC_PER_SEC;
		nvme_timer(&controller.timer);
	}
	ok(controller.given_up && completions == 2, "a controller without an answer is given up");
}
