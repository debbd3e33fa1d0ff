/*
 * Tests how drivers/usb/xhci.c takes over a controller that is played by the test. QEMU's
 * controllers want no pages for themselves, and its firmware holds on to none.
 *
 * The registers are memory. The controller acts whenever the driver sleeps.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"

static struct page frames[ARENA_FRAMES];
struct page *mem_map = frames;

#define KERNEL_TASK_H
struct task {
	enum task_state state;
};
struct scheduling {
	int policy;
	unsigned int urgency;
};
#define SCHED_FIFO 1
void sched_set(struct task *task, const struct scheduling *wanted);
struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg);
bool schedule_until(uint64_t deadline);

#include "drivers/usb/xhci.c"
#include "kernel/time_limit.c"

/* Where the played controller has its registers, in bytes. */
#define OPERATIONAL 0x40u
#define RUNTIME	    0x2000u
#define DOORBELLS   0x3000u
#define EXTENDED    0x1000u
#define LEGACY	    0x1010u
#define SIZE	    0x4000u

static uint32_t registers[SIZE / 4];
static struct pci_device pci;
static struct xhci xhci;
static bool lets_go; /* the firmware hands the controller over */
static uint64_t now;

/* ---- the controller ---- */

static void act(void)
{
	uint32_t *command = &registers[(OPERATIONAL + OP_COMMAND) / 4];
	uint32_t *status = &registers[(OPERATIONAL + OP_STATUS) / 4];
	uint32_t *legacy = &registers[LEGACY / 4];

	*command &= ~COMMAND_RESET;
	*status = *command & COMMAND_RUN ? 0 : STATUS_HALTED;
	if (lets_go && *legacy & LEGACY_SYSTEM)
		*legacy &= ~LEGACY_BIOS;
}

static void make_controller(void)
{
	memset(registers, 0, sizeof(registers));
	registers[0] = OPERATIONAL | 0x110u << 16;
	registers[CAP_STRUCTURE1 / 4] = 4u << 24 | 32;	     /* ports and slots */
	registers[CAP_STRUCTURE2 / 4] = 1u << 21 | 3u << 27; /* 32 + 3 pages */
	registers[CAP_PARAMETERS1 / 4] = EXTENDED / 4 << 16 | 1u << 2;
	registers[CAP_DOORBELLS / 4] = DOORBELLS;
	registers[CAP_RUNTIME / 4] = RUNTIME;
	registers[(OPERATIONAL + OP_PAGE_SIZE) / 4] = PAGE_SIZE_4K;
	registers[(OPERATIONAL + OP_COMMAND) / 4] = COMMAND_RUN; /* the firmware uses it */
	registers[EXTENDED / 4] = 2 | (LEGACY - EXTENDED) / 4 << 8;
	registers[LEGACY / 4] = EXTENDED_LEGACY | LEGACY_BIOS;
	registers[LEGACY / 4 + 1] = 0xe011;
	xhci = (struct xhci){ .registers = registers, .size = SIZE };
	xhci.pci = &pci;
}

/* ---- what the file uses ---- */

static unsigned int next_frame = 1;

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	return frame_page(next_frame++);
}

void *kzalloc(size_t size, unsigned int flags)
{
	return calloc(1, size);
}

void kfree(const void *object)
{
	free((void *)object);
}

void *ioremap(phys_addr_t phys, size_t size)
{
	return registers;
}

void vfree(void *address)
{
}

uint64_t time_now(void)
{
	return now;
}

bool schedule_until(uint64_t deadline)
{
	now = deadline;
	act();
	return false;
}

void sched_set(struct task *task, const struct scheduling *wanted)
{
}

struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg)
{
	return NULL;
}

int irq_request(unsigned int irq, bool level, irq_handler handler, void *context)
{
	return 0;
}

void pci_enable(const struct pci_device *device)
{
}

void pci_enable_registers(const struct pci_device *device)
{
}

void pci_disable_master(const struct pci_device *device)
{
}

void pci_probe_class(uint32_t class, uint32_t mask, const char *driver,
		     int (*add)(struct pci_device *))
{
}

int xhci_ring_init(struct xhci_ring *ring)
{
	ring->trbs = new_page();
	ring->cycle = TRB_CYCLE;
	return 0;
}

uint32_t xhci_ring_next(const struct xhci_ring *ring)
{
	return virt_to_phys((void *)ring->trbs) | ring->cycle;
}

bool xhci_wait(struct xhci *controller, const bool *done, uint64_t until)
{
	return false;
}

void xhci_update_ports(struct xhci *controller)
{
}

void usb_work(struct xhci *controller)
{
}

void usb_port_update(struct usb_port *port, bool connected, bool changed)
{
}

/* ---- cases ---- */

CASE(the_firmware_hands_over)
{
	make_controller();
	lets_go = true;
	must(find_registers(&xhci) == 0);
	take_from_firmware(&xhci);
	ok(registers[LEGACY / 4] == (EXTENDED_LEGACY | LEGACY_SYSTEM), "the kernel has it");
	ok((registers[LEGACY / 4 + 1] & 0xe011) == 0, "nothing causes an SMI");
	ok(now < 100 * NSEC_PER_MSEC, "it does not take long");
}

CASE(the_firmware_keeps_it)
{
	make_controller();
	must(find_registers(&xhci) == 0);
	take_from_firmware(&xhci);
	ok(registers[LEGACY / 4] == (EXTENDED_LEGACY | LEGACY_SYSTEM), "it is taken");
	ok(now < 2 * NSEC_PER_SEC, "after a while");
}

CASE(a_list_without_an_end)
{
	make_controller();
	registers[LEGACY / 4] = 3 | 0xff << 8;
	must(find_registers(&xhci) == 0);
	take_from_firmware(&xhci);
	registers[EXTENDED / 4] = ~0u;
	take_from_firmware(&xhci);
	ok(true, "the search ends");
}

CASE(it_gets_its_pages)
{
	uint64_t *list;
	unsigned int right = 0;

	make_controller();
	must(find_registers(&xhci) == 0);
	must(reset(&xhci) == 0);
	must(start(&xhci) == 0);
	list = phys_to_virt(xhci.contexts[0]);
	for (unsigned int i = 0; i < 35; i++)
		right += list[i] != 0 && list[i] % PAGE_SIZE == 0 &&
			 (i == 0 || list[i] > list[i - 1]);
	ok(right == 35 && list[35] == 0, "35 pages are its own");
	ok(registers[(OPERATIONAL + OP_CONTEXTS) / 4] == virt_to_phys(xhci.contexts), "contexts");
	ok(registers[(OPERATIONAL + OP_CONFIG) / 4] == 32, "slots");
	ok(registers[(RUNTIME + RUN_DEQUEUE) / 4] == virt_to_phys((void *)xhci.events), "events");
	ok(registers[(OPERATIONAL + OP_COMMAND) / 4] == (COMMAND_RUN | COMMAND_INTERRUPT),
	   "it runs");
	ok(xhci.context_size == 64, "its contexts have 64 bytes");
}

CASE(registers_outside)
{
	static const unsigned int places[] = { CAP_RUNTIME, CAP_DOORBELLS };

	for (unsigned int i = 0; i < 2; i++) {
		make_controller();
		registers[places[i] / 4] = SIZE - 16;
		ok(find_registers(&xhci) == -ENODEV, "a group behind the end");
		registers[places[i] / 4] = ~0u;
		ok(find_registers(&xhci) == -ENODEV, "a group far behind the end");
	}
	make_controller();
	xhci.size = PAGE_SIZE;
	registers[CAP_RUNTIME / 4] = registers[CAP_DOORBELLS / 4] = 0x800;
	registers[CAP_STRUCTURE1 / 4] = 255u << 24 | 32;
	ok(find_registers(&xhci) == -ENODEV, "ports behind the end");
}
