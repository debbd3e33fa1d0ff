/*
 * xHCI controllers on PCI: finding them, taking them over from the firmware, and starting them
 * (eXtensible Host Controller Interface 1.2). See xhci.h for what a caller may rely on.
 */
#include "drivers/pci.h"
#include "drivers/usb/usb.h"
#include "drivers/usb/xhci.h"
#include "drivers/usb/xhci_registers.h"
#include "kernel/cpu/irq.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/errno.h"
#include "mm/direct_map.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define CLASS_XHCI    0x0c0330
#define REGISTERS_MAX (64u * 1024)
#define SHORT_NS      (2 * NSEC_PER_MSEC)
#define HANDOVER_NS   NSEC_PER_SEC
#define HALT_NS	      (100 * NSEC_PER_MSEC) /* 5.4.1.1 gives it 16 ms */
#define RESET_NS      NSEC_PER_SEC
#define MODERATION    4000u /* at least 1 ms between two interrupts, in units of 250 ns */
#define SCRATCH_MAX   (PAGE_SIZE / sizeof(uint64_t))
#define TASK_URGENCY  50u /* of 99: keys come through although a program keeps the CPU busy */

/* ---- registers ---- */

uint32_t xhci_read(struct xhci *controller, uint32_t offset)
{
	return controller->registers[offset / sizeof(uint32_t)];
}

void xhci_write(struct xhci *controller, uint32_t offset, uint32_t value)
{
	controller->registers[offset / sizeof(uint32_t)] = value;
}

/* A register of 64 bits takes an address, which is below 4 GiB here. */
static void write_address(struct xhci *controller, uint32_t offset, uint32_t address)
{
	xhci_write(controller, offset, address);
	xhci_write(controller, offset + 4, 0);
}

/*
 * Wait until the register has `value` in the bits of `mask`. Returns 0, or -EIO if it has not after
 * `ns` nanoseconds. Sleeps between two looks.
 */
static int wait_register(struct xhci *controller, uint32_t offset, uint32_t mask, uint32_t value,
			 uint64_t ns)
{
	struct time_limit limit = time_limit(ns);

	while ((xhci_read(controller, offset) & mask) != value) {
		if (time_limit_over(&limit))
			return -EIO;
		current->state = TASK_INTERRUPTIBLE; /* only the clock wakes it */
		(void)schedule_until(time_now() + SHORT_NS);
	}
	return 0;
}

static int halt(struct xhci *controller)
{
	uint32_t command = xhci_read(controller, controller->operational + OP_COMMAND);

	xhci_write(controller, controller->operational + OP_COMMAND,
		   command & ~(COMMAND_RUN | COMMAND_INTERRUPT));
	return wait_register(controller, controller->operational + OP_STATUS, STATUS_HALTED,
			     STATUS_HALTED, HALT_NS);
}

void xhci_give_up(struct xhci *controller, const char *why)
{
	if (controller->given_up)
		return;
	controller->given_up = true;
	log_error("usb%u: %s; it is given up", controller->number, why);
	(void)halt(controller);
	/* The pages must not be given back while the controller may still write to them. */
	pci_disable_master(controller->pci);
}

static void xhci_interrupt(void *context)
{
	struct xhci *controller = context;
	uint32_t status = xhci_read(controller, controller->operational + OP_STATUS);

	if (status == ~0u || !(status & STATUS_EVENT))
		return;
	xhci_write(controller, controller->operational + OP_STATUS, STATUS_EVENT);
	xhci_write(controller, controller->runtime + RUN_INTERRUPT,
		   INTERRUPT_ENABLE | INTERRUPT_PENDING);
	/* Once this has been read, the line is quiet. */
	(void)xhci_read(controller, controller->runtime + RUN_INTERRUPT);
	WRITE_ONCE(controller->interrupted, true);
	wake_all(&controller->queue);
}

/* ---- taking over ---- */

/*
 * Read where the groups of registers are. Returns 0, or -ENODEV if one of them is not in the memory
 * that the controller has.
 */
static int find_registers(struct xhci *controller)
{
	uint32_t structure = xhci_read(controller, CAP_STRUCTURE1);
	uint32_t parameters = xhci_read(controller, CAP_PARAMETERS1);

	controller->operational = xhci_read(controller, CAP_LENGTH) & 0xff;
	controller->runtime = xhci_read(controller, CAP_RUNTIME) & ~31u;
	controller->doorbells = xhci_read(controller, CAP_DOORBELLS) & ~3u;
	controller->nr_ports = STRUCTURE1_PORTS(structure);
	controller->nr_slots = MIN(structure & STRUCTURE1_SLOTS, XHCI_SLOTS_MAX);
	controller->context_size = parameters & PARAMETERS1_CONTEXT64 ? 64 : 32;
	if (controller->operational % 4 != 0 ||
	    controller->operational + OP_SIZE(controller->nr_ports) > controller->size ||
	    controller->runtime > controller->size - RUN_SIZE ||
	    controller->doorbells > controller->size - DOORBELLS_SIZE)
		return -ENODEV;
	return 0;
}

/*
 * 7: returns where the capability is that tells of the firmware, or 0. The list ends at the latest
 * at the end of the registers, since each capability says how far behind it the next one is.
 */
static uint32_t find_legacy(struct xhci *controller)
{
	uint32_t offset = PARAMETERS1_EXTENDED(xhci_read(controller, CAP_PARAMETERS1));

	while (offset != 0 && offset <= controller->size - 2 * sizeof(uint32_t)) {
		uint32_t value = xhci_read(controller, offset);

		if ((value & EXTENDED_ID) == EXTENDED_LEGACY)
			return offset;
		if (EXTENDED_NEXT(value) == 0)
			return 0;
		offset += EXTENDED_NEXT(value);
	}
	return 0;
}

/*
 * 4.22.1, 7.1: ask the firmware to let go of the controller. If it does not, take it all the same.
 */
static void take_from_firmware(struct xhci *controller)
{
	uint32_t offset = find_legacy(controller), value;

	if (offset == 0)
		return;
	value = xhci_read(controller, offset);
	xhci_write(controller, offset, value | LEGACY_SYSTEM);
	if (wait_register(controller, offset, LEGACY_BIOS, 0, HANDOVER_NS)) {
		log_warning("usb%u: the firmware does not hand the controller over",
			    controller->number);
		xhci_write(controller, offset, (value & ~LEGACY_BIOS) | LEGACY_SYSTEM);
	}
	value = xhci_read(controller, offset + LEGACY_CONTROL);
	xhci_write(controller, offset + LEGACY_CONTROL, (value & ~LEGACY_SMI) | LEGACY_EVENTS);
}

/* 4.2: stop what the firmware has started, and reset the controller with its ports. */
static int reset(struct xhci *controller)
{
	int error = halt(controller);

	if (error)
		return error;
	xhci_write(controller, controller->operational + OP_COMMAND, COMMAND_RESET);
	error = wait_register(controller, controller->operational + OP_COMMAND, COMMAND_RESET, 0,
			      RESET_NS);
	if (!error)
		error = wait_register(controller, controller->operational + OP_STATUS,
				      STATUS_NOT_READY, 0, RESET_NS);
	return error;
}

/* ---- starting ---- */

static void *new_page(void)
{
	struct page *page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);

	return page ? page_address_low(page) : NULL;
}

/* 4.20: give the controller the pages that it wants for itself. */
static int give_scratch_pages(struct xhci *controller)
{
	unsigned int nr = STRUCTURE2_SCRATCH(xhci_read(controller, CAP_STRUCTURE2));
	uint64_t *list;

	if (nr == 0)
		return 0;
	if (nr > SCRATCH_MAX)
		return -ENODEV;
	list = new_page();
	for (unsigned int i = 0; list && i < nr; i++) {
		void *page = new_page();

		if (!page)
			return -ENOMEM;
		list[i] = virt_to_phys(page);
	}
	if (!list)
		return -ENOMEM;
	controller->contexts[0] = virt_to_phys(list);
	return 0;
}

static int give_event_ring(struct xhci *controller)
{
	struct xhci_segment *table = new_page();
	uint32_t runtime = controller->runtime;

	controller->events = new_page();
	if (!table || !controller->events)
		return -ENOMEM;
	controller->event_cycle = TRB_CYCLE;
	*table = (struct xhci_segment){
		.address = virt_to_phys((void *)controller->events),
		.trbs = TRBS_IN_PAGE,
	};
	xhci_write(controller, runtime + RUN_SEGMENTS, 1);
	write_address(controller, runtime + RUN_DEQUEUE, table->address);
	write_address(controller, runtime + RUN_SEGMENT_TABLE, virt_to_phys(table));
	xhci_write(controller, runtime + RUN_MODERATION, MODERATION);
	xhci_write(controller, runtime + RUN_INTERRUPT, INTERRUPT_ENABLE | INTERRUPT_PENDING);
	return 0;
}

/* 4.2: give the controller its memory, and let it run. */
static int start(struct xhci *controller)
{
	uint32_t operational = controller->operational;
	int error;

	if (!(xhci_read(controller, operational + OP_PAGE_SIZE) & PAGE_SIZE_4K))
		return -ENODEV;
	controller->ports = kzalloc(controller->nr_ports * sizeof(*controller->ports), 0);
	controller->contexts = new_page();
	controller->input = new_page();
	if (!controller->ports || !controller->contexts || !controller->input)
		return -ENOMEM;
	for (unsigned int i = 0; i < controller->nr_ports; i++)
		controller->ports[i] =
			(struct usb_port){ .controller = controller, .number = i + 1 };
	error = xhci_ring_init(&controller->commands);
	if (!error)
		error = give_scratch_pages(controller);
	if (error)
		return error;
	xhci_write(controller, operational + OP_CONFIG, controller->nr_slots);
	write_address(controller, operational + OP_CONTEXTS, virt_to_phys(controller->contexts));
	write_address(controller, operational + OP_COMMANDS, xhci_ring_next(&controller->commands));
	error = give_event_ring(controller);
	if (!error)
		error = irq_request(controller->pci->irq_line, true, xhci_interrupt, controller);
	if (error)
		return error;
	xhci_write(controller, operational + OP_COMMAND, COMMAND_RUN | COMMAND_INTERRUPT);
	return wait_register(controller, operational + OP_STATUS, STATUS_HALTED, 0, HALT_NS);
}

/* The task of a controller. */
static void run(void *argument)
{
	const struct scheduling scheduling = { .policy = SCHED_FIFO, .urgency = TASK_URGENCY };
	struct xhci *controller = argument;
	int error = find_registers(controller);

	sched_set(current, &scheduling);
	if (!error) {
		take_from_firmware(controller);
		error = reset(controller);
	}
	/* Only now may it access memory: what the firmware had started has ended. */
	if (!error) {
		pci_enable(controller->pci);
		error = start(controller);
	}
	if (error) {
		log_error("usb%u: the controller cannot be started: error %d", controller->number,
			  -error);
		pci_disable_master(controller->pci); /* its pages are not given back */
		return;
	}
	log_info("usb%u: xHCI, ports: %u, irq %u", controller->number, controller->nr_ports,
		 controller->pci->irq_line);
	controller->work = true;
	while (xhci_wait(controller, &controller->work, UINT64_MAX)) {
		controller->work = false;
		xhci_update_ports(controller);
		usb_work(controller);
	}
	for (unsigned int i = 0; i < controller->nr_ports; i++)
		usb_port_update(&controller->ports[i], false, true);
}

static int add_controller(struct pci_device *pci)
{
	static unsigned int nr_controllers;
	struct xhci *controller;
	struct task *task;

	if (pci->bars[0].size < PAGE_SIZE)
		return -ENODEV;
	controller = kzalloc(sizeof(*controller), 0);
	if (!controller)
		return -ENOMEM;
	wait_queue_init(&controller->queue, "xHCI controller");
	controller->pci = pci;
	controller->number = nr_controllers++;
	controller->size = MIN(pci->bars[0].size, REGISTERS_MAX);
	pci_enable_registers(pci);
	controller->registers = ioremap(pci->bars[0].phys, controller->size);
	task = controller->registers ? kernel_task_start("usb", run, controller) : ERR_PTR(-ENOMEM);
	if (IS_ERR(task)) {
		vfree((void *)controller->registers);
		kfree(controller);
		return PTR_ERR(task);
	}
	return 0;
}

static int xhci_probe(void)
{
	pci_probe_class(CLASS_XHCI, ~0u, "xhci", add_controller);
	return 0;
}
DRIVER(xhci, xhci_probe);
