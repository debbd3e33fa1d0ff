/*
 * Rings, events and commands of an xHCI controller. See xhci.h.
 *
 * 1. A ring is a page of TRBs. The one who adds a TRB writes its cycle bit last. The reader stops
 *    at a TRB with the other cycle bit. The bit that is meant changes with each round.
 * 2. A ring for the controller has so few TRBs in flight that it is never full: one command, one
 *    request and one report of a device at a time.
 * 3. The event ring has as many TRBs. If it were ever full, the controller would say so, and the
 *    ports are looked at again.
 */
#include "drivers/usb/usb.h"
#include "drivers/usb/xhci.h"
#include "drivers/usb/xhci_registers.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "mm/direct_map.h"

#define LOOK_NS NSEC_PER_SEC /* how often the controller is asked whether it is there */

int xhci_ring_init(struct xhci_ring *ring)
{
	struct page *page = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);

	if (!page)
		return -ENOMEM;
	*ring = (struct xhci_ring){ .trbs = page_address_low(page), .cycle = TRB_CYCLE };
	return 0;
}

void xhci_ring_free(struct xhci_ring *ring)
{
	if (ring->trbs)
		page_put(virt_to_page((void *)ring->trbs));
	*ring = (struct xhci_ring){ 0 };
}

static uint32_t write_trb(struct xhci_ring *ring, const struct xhci_trb *trb)
{
	volatile struct xhci_trb *place = &ring->trbs[ring->next];

	place->address = trb->address;
	place->high = trb->high;
	place->status = trb->status;
	barrier(); /* x86 keeps stores in order */
	place->control = trb->control | ring->cycle;
	return virt_to_phys((void *)place);
}

uint32_t xhci_ring_put(struct xhci_ring *ring, struct xhci_trb trb)
{
	const struct xhci_trb link = {
		.address = virt_to_phys((void *)ring->trbs),
		.control = TRB_IS(LINK) | TRB_TOGGLE,
	};
	uint32_t address = write_trb(ring, &trb);

	if (++ring->next == TRBS_IN_PAGE - 1) {
		write_trb(ring, &link);
		ring->next = 0;
		ring->cycle ^= TRB_CYCLE;
	}
	return address;
}

uint32_t xhci_ring_next(const struct xhci_ring *ring)
{
	return virt_to_phys((void *)&ring->trbs[ring->next]) | ring->cycle;
}

/* ---- events ---- */

static void note_answer(struct xhci *controller, const struct xhci_trb *event)
{
	struct xhci_answer *answer = &controller->answer;

	if (!answer->wanted || event->address != answer->trb)
		return;
	answer->code = TRB_CODE(event->status);
	answer->slot = TRB_SLOT(event->control);
	answer->wanted = false;
	answer->came = true;
}

static void handle_event(struct xhci *controller, const struct xhci_trb *event)
{
	unsigned int slot = TRB_SLOT(event->control);

	switch (TRB_TYPE(event->control)) {
	case TRB_COMMAND_EVENT:
		note_answer(controller, event);
		break;
	case TRB_TRANSFER_EVENT:
		if (slot <= XHCI_SLOTS_MAX && controller->devices[slot])
			xhci_slot_event(controller->devices[slot], event);
		break;
	case TRB_PORT_EVENT:
		controller->work = true;
		xhci_port_event(controller, TRB_PORT(event->address));
		break;
	case TRB_CONTROLLER_EVENT:
		controller->work = true;
		break;
	default:
		break;
	}
}

/* Take the next event. Returns false if there is none. */
static bool take_event(struct xhci *controller, struct xhci_trb *event)
{
	volatile struct xhci_trb *next = &controller->events[controller->next_event];

	event->control = next->control;
	if ((event->control & TRB_CYCLE) != controller->event_cycle)
		return false;
	barrier(); /* x86 keeps loads in order */
	event->address = next->address;
	event->high = next->high;
	event->status = next->status;
	if (++controller->next_event == TRBS_IN_PAGE) {
		controller->next_event = 0;
		controller->event_cycle ^= TRB_CYCLE;
	}
	return true;
}

/*
 * Handle the events that have come, at most a page of them. The last write tells the controller how
 * far this has got, and lets it interrupt again.
 */
static void handle_events(struct xhci *controller)
{
	struct xhci_trb event;

	/*
	 * `interrupted` is cleared before the look at the ring. The barrier is a full one, because
	 * the CPU may delay a store behind later loads:
	 *
	 *	task				interrupt
	 *	clears it (delayed)
	 *	finds no event
	 *					an event has come: sets it
	 *	the store takes effect
	 *	sleeps
	 */
	WRITE_ONCE(controller->interrupted, false);
	memory_barrier();
	for (unsigned int i = 0; i < TRBS_IN_PAGE && take_event(controller, &event); i++)
		handle_event(controller, &event);
	xhci_write(controller, controller->runtime + RUN_DEQUEUE,
		   virt_to_phys((void *)&controller->events[controller->next_event]) |
			   DEQUEUE_BUSY);
}

/* ---- waiting ---- */

/*
 * Call the alarms that are due. Returns when the next one is, or a retry, or a second has passed.
 */
static uint64_t run_alarms(struct xhci *controller)
{
	uint64_t next = time_now() + LOOK_NS;

	for (unsigned int i = 1; i <= XHCI_SLOTS_MAX; i++) {
		struct usb_device *device = controller->devices[i];

		if (!device)
			continue;
		if (device->alarm <= time_now()) {
			device->alarm = UINT64_MAX;
			device->driver->alarm(device);
		}
		if (device->slot.retry <= time_now())
			controller->work = true;
		else
			next = MIN(next, device->slot.retry);
		next = MIN(next, device->alarm);
	}
	return next;
}

static void check_controller(struct xhci *controller)
{
	uint32_t status = xhci_read(controller, controller->operational + OP_STATUS);

	if (status == ~0u)
		xhci_give_up(controller, "it has been removed");
	else if (status & (STATUS_MEMORY | STATUS_FAILED | STATUS_HALTED))
		xhci_give_up(controller, "it reports that it has failed");
}

bool xhci_wait(struct xhci *controller, const bool *done, uint64_t until)
{
	while (!controller->given_up) {
		bool over = time_now() >= until; /* before the look: the host may stop the guest */
		uint64_t next;

		handle_events(controller);
		next = run_alarms(controller);
		if (done && *done)
			return true;
		if (over)
			return false;
		(void)wait_event_until(&controller->queue, READ_ONCE(controller->interrupted),
				       MIN(next, until));
		check_controller(controller);
	}
	return false;
}

/* ---- commands ---- */

int xhci_command(struct xhci *controller, struct xhci_trb command, unsigned int *slot)
{
	struct xhci_answer *answer = &controller->answer;

	if (controller->given_up)
		return -EIO;
	*answer = (struct xhci_answer){ .wanted = true };
	answer->trb = xhci_ring_put(&controller->commands, command);
	xhci_write(controller, controller->doorbells, 0);
	if (!xhci_wait(controller, &answer->came, time_now() + XHCI_COMMAND_NS)) {
		answer->wanted = false;
		xhci_give_up(controller, "it does not answer");
		return -EIO;
	}
	if (slot)
		*slot = answer->slot;
	return answer->code == CODE_SUCCESS ? 0 : -EIO;
}
