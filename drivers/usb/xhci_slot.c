/*
 * Devices of an xHCI controller: slots and contexts, requests on endpoint 0, and reports on an
 * interrupt endpoint. See xhci.h.
 *
 * 1. A slot has a page that the controller writes its state to, a page of data, and a ring for each
 *    of its two endpoints. A command brings its contexts in the controller's own page `input`.
 * 2. One request and one report are in flight at most.
 * 3. After a request that was not answered in time, the controller may still use the buffer. So the
 *    slot has failed then: it takes no more requests, and usb_work() closes it.
 */
#include "drivers/usb/usb.h"
#include "drivers/usb/xhci.h"
#include "drivers/usb/xhci_registers.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/direct_map.h"

#define ADDRESS_NS     (10 * NSEC_PER_MSEC) /* Universal Serial Bus 2.0, 9.2.6.3 gives 2 ms */
#define RETRY_NS       (200 * NSEC_PER_MSEC)
#define CONTROL_ID     1u /* 4.5.1: the number of endpoint 0 among the contexts */
#define REPORT_MAX     (PAGE_SIZE - USB_DATA_MAX)
#define CONTROL_LENGTH 8u /* the usual bytes of a request */
#define INTERVAL_MAX   15u

/* ---- contexts ---- */

/* The nth context of those that a command brings. The first one says which others are there. */
static uint32_t *input_context(struct xhci *controller, unsigned int n)
{
	return (uint32_t *)((char *)controller->input + n * controller->context_size);
}

/* The contexts of the input are the device's, one further back. */
static uint32_t *new_context(struct xhci *controller, unsigned int id)
{
	uint32_t *context = input_context(controller, id + 1);

	input_context(controller, 0)[INPUT_ADD] |= 1u << id;
	return context;
}

static void begin_input(struct xhci *controller)
{
	memset(controller->input, 0, PAGE_SIZE);
}

/* 6.2.2. The contexts up to `last` are used. */
static void describe_slot(struct usb_device *device, unsigned int last)
{
	const struct xhci_slot *slot = &device->slot;
	uint32_t *context = new_context(slot->controller, 0);

	context[SLOT_ROUTE] = slot->route | (uint32_t)device->speed << SLOT_SPEED_SHIFT |
			      last << SLOT_ENTRIES_SHIFT | (device->hub_ports ? SLOT_HUB : 0);
	context[SLOT_PORTS] = slot->root_port << SLOT_ROOT_SHIFT | device->hub_ports
									   << SLOT_HUB_PORTS_SHIFT;
	context[SLOT_TRANSLATOR] = slot->translator | slot->translator_port
							      << SLOT_TRANSLATOR_PORT_SHIFT;
	if (device->speed == USB_HIGH) /* a hub that translates */
		context[SLOT_TRANSLATOR] |= device->hub_think_time << SLOT_THINK_TIME_SHIFT;
}

static void describe_control(struct usb_device *device)
{
	uint32_t *context = new_context(device->slot.controller, CONTROL_ID);

	context[ENDPOINT_KIND] =
		KIND_RETRIES | KIND_CONTROL | device->slot.control_packet << KIND_PACKET_SHIFT;
	context[ENDPOINT_DEQUEUE] = xhci_ring_next(&device->slot.control);
	context[ENDPOINT_LENGTH] = CONTROL_LENGTH;
}

/* 4.5.1: the number of the interrupt endpoint, which is an IN endpoint */
static unsigned int report_id(const struct usb_device *device)
{
	return 2u * device->interface.endpoint + 1;
}

/*
 * 6.2.3.6: how often the device is asked: every 2^n * 125 us. Slow devices give milliseconds, which
 * are rounded down.
 */
static unsigned int interval_of(const struct usb_device *device)
{
	unsigned int interval = MAX((unsigned int)device->interface.interval, 1u), n = 3;

	if (device->speed == USB_HIGH || device->speed >= USB_SUPER)
		return MIN(interval - 1, INTERVAL_MAX);
	while (interval >>= 1)
		n++;
	return n;
}

/* 6.2.3 */
static void describe_reports(struct usb_device *device)
{
	const struct usb_interface *interface = &device->interface;
	unsigned int most = interface->packet * (interface->burst + 1);
	uint32_t *context = new_context(device->slot.controller, report_id(device));

	context[ENDPOINT_INTERVAL] = interval_of(device) << ENDPOINT_INTERVAL_SHIFT;
	context[ENDPOINT_KIND] = KIND_RETRIES | KIND_INTERRUPT_IN |
				 interface->burst << KIND_BURST_SHIFT |
				 interface->packet << KIND_PACKET_SHIFT;
	context[ENDPOINT_DEQUEUE] = xhci_ring_next(&device->slot.reports);
	context[ENDPOINT_LENGTH] = most << LENGTH_PERIOD_SHIFT | interface->packet;
}

/* A command that brings contexts. */
static int input_command(struct usb_device *device, uint32_t type)
{
	const struct xhci_trb command = {
		.address = virt_to_phys(device->slot.controller->input),
		.control = type | TRB_FOR_SLOT(device->slot.number),
	};

	return xhci_command(device->slot.controller, command, NULL);
}

/* A command for one endpoint. */
static int endpoint_command(struct usb_device *device, uint32_t type, unsigned int id,
			    uint32_t address)
{
	const struct xhci_trb command = {
		.address = address,
		.control = type | TRB_FOR_ENDPOINT(id) | TRB_FOR_SLOT(device->slot.number),
	};

	return xhci_command(device->slot.controller, command, NULL);
}

/* 4.6.8: let an endpoint that an error has stopped go on behind what is on its ring. */
static int restart_endpoint(struct usb_device *device, unsigned int id, struct xhci_ring *ring)
{
	int error = endpoint_command(device, TRB_IS(RESET_ENDPOINT), id, 0);

	if (!error)
		error = endpoint_command(device, TRB_IS(SET_DEQUEUE), id, xhci_ring_next(ring));
	return error;
}

static void ring_doorbell(struct usb_device *device, unsigned int id)
{
	struct xhci_slot *slot = &device->slot;

	xhci_write(slot->controller, slot->controller->doorbells + 4 * slot->number, id);
}

/* ---- slots ---- */

/* 4.6.3: get a number. */
static int enable_slot(struct usb_device *device)
{
	struct xhci *controller = device->slot.controller;
	unsigned int number = 0;
	int error = xhci_command(controller, (struct xhci_trb){ .control = TRB_IS(ENABLE_SLOT) },
				 &number);

	if (error)
		return controller->given_up ? -EIO : -ENOSPC;
	if (number == 0 || number > controller->nr_slots || controller->devices[number])
		return -EIO;
	device->slot.number = number;
	controller->devices[number] = device;
	return 0;
}

static unsigned int first_control_packet(enum usb_speed speed)
{
	if (speed == USB_LOW || speed == USB_FULL)
		return 8;
	return speed == USB_HIGH ? 64 : 512;
}

int xhci_slot_open(struct usb_device *device)
{
	struct xhci_slot *slot = &device->slot;
	struct page *contexts = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);
	struct page *buffer = page_alloc(0, ALLOC_LOW | ALLOC_ZERO);
	int error;

	slot->retry = UINT64_MAX;
	slot->contexts = contexts ? page_address_low(contexts) : NULL;
	slot->buffer = buffer ? page_address_low(buffer) : NULL;
	if (!contexts || !buffer || xhci_ring_init(&slot->control))
		return -ENOMEM;
	error = enable_slot(device);
	if (error)
		return error;
	slot->controller->contexts[slot->number] = virt_to_phys(slot->contexts);
	slot->control_packet = first_control_packet(device->speed);
	begin_input(slot->controller);
	describe_slot(device, CONTROL_ID);
	describe_control(device);
	error = input_command(device, TRB_IS(ADDRESS_DEVICE));
	if (!error)
		(void)xhci_wait(slot->controller, NULL, time_now() + ADDRESS_NS);
	return error;
}

void xhci_slot_close(struct usb_device *device)
{
	struct xhci_slot *slot = &device->slot;

	if (slot->number) {
		const struct xhci_trb disable = {
			.control = TRB_IS(DISABLE_SLOT) | TRB_FOR_SLOT(slot->number),
		};

		slot->controller->devices[slot->number] = NULL;
		if (xhci_command(slot->controller, disable, NULL))
			xhci_give_up(slot->controller, "it does not let go of a device");
		slot->controller->contexts[slot->number] = 0;
		slot->number = 0;
	}
	xhci_ring_free(&slot->control);
	xhci_ring_free(&slot->reports);
	if (slot->contexts)
		page_put(virt_to_page(slot->contexts));
	if (slot->buffer)
		page_put(virt_to_page(slot->buffer));
	slot->contexts = slot->buffer = NULL;
}

int xhci_set_control_packet(struct usb_device *device, unsigned int packet)
{
	device->slot.control_packet = packet;
	begin_input(device->slot.controller);
	describe_control(device);
	return input_command(device, TRB_IS(EVALUATE_CONTEXT));
}

/* ---- requests ---- */

/* 4.11.2.2: the stages of a request. Only the last one is reported, or the one that fails. */
static void put_request(struct usb_device *device, const struct usb_request *request)
{
	struct xhci_ring *ring = &device->slot.control;
	bool in = request->type & USB_FROM_DEVICE;
	uint32_t kind = request->length == 0 ? 0 : in ? TRB_HAS_DATA_IN : TRB_HAS_DATA_OUT;
	struct xhci_trb setup = {
		.status = sizeof(*request),
		.control = TRB_IS(SETUP) | TRB_IMMEDIATE | kind,
	};

	setup.address = request->type | request->request << 8 | (uint32_t)request->value << 16;
	setup.high = request->index | (uint32_t)request->length << 16;
	(void)xhci_ring_put(ring, setup);
	if (request->length > 0)
		(void)xhci_ring_put(ring, (struct xhci_trb){
						  .address = virt_to_phys(device->slot.buffer),
						  .status = request->length,
						  .control = TRB_IS(DATA) | (in ? TRB_IN : 0),
					  });
	(void)xhci_ring_put(ring, (struct xhci_trb){
					  .control = TRB_IS(STATUS) | TRB_REPORT |
						     (in && request->length > 0 ? 0 : TRB_IN),
				  });
}

int usb_request(struct usb_device *device, const struct usb_request *request, void *data)
{
	struct xhci_slot *slot = &device->slot;
	bool in = request->type & USB_FROM_DEVICE;

	if (request->length > USB_DATA_MAX)
		return -EINVAL;
	if (slot->failed || slot->controller->given_up)
		return -EIO;
	if (in)
		memset(slot->buffer, 0, request->length);
	else
		memcpy(slot->buffer, data, request->length);
	slot->answer = (struct xhci_answer){ .wanted = true };
	put_request(device, request);
	ring_doorbell(device, CONTROL_ID);
	if (!xhci_wait(slot->controller, &slot->answer.came, time_now() + USB_REQUEST_NS)) {
		slot->answer.wanted = false;
		slot->failed = true;
		slot->controller->work = true;
		return -ETIMEDOUT;
	}
	if (slot->answer.code == CODE_SUCCESS || slot->answer.code == CODE_SHORT_PACKET) {
		if (in)
			memcpy(data, slot->buffer, request->length);
		return 0;
	}
	/* The error has stopped endpoint 0. */
	if (slot->failed || restart_endpoint(device, CONTROL_ID, &slot->control)) {
		slot->failed = true;
		slot->controller->work = true;
		return -EIO;
	}
	return slot->answer.code == CODE_STALL ? -EPIPE : -EIO;
}

/* ---- reports ---- */

static void ask_for_report(struct usb_device *device)
{
	struct xhci_slot *slot = &device->slot;

	(void)xhci_ring_put(&slot->reports,
			    (struct xhci_trb){
				    .address = virt_to_phys(slot->buffer + USB_DATA_MAX),
				    .status = device->interface.packet,
				    .control = TRB_IS(NORMAL) | TRB_REPORT | TRB_SHORT,
			    });
	ring_doorbell(device, report_id(device));
}

int xhci_start_reports(struct usb_device *device)
{
	int error = xhci_ring_init(&device->slot.reports);

	_Static_assert(REPORT_MAX >= 1024, "a packet has up to 1024 bytes");
	if (error)
		return error;
	begin_input(device->slot.controller);
	describe_slot(device, report_id(device));
	describe_reports(device);
	error = input_command(device, TRB_IS(CONFIGURE_ENDPOINT));
	if (!error)
		ask_for_report(device);
	return error;
}

void xhci_restart_reports(struct usb_device *device)
{
	struct xhci_slot *slot = &device->slot;
	const struct usb_request clear = {
		.type = USB_TO_ENDPOINT,
		.request = USB_CLEAR_FEATURE,
		.value = USB_ENDPOINT_HALT,
		.index = USB_FROM_DEVICE | device->interface.endpoint,
	};
	int error = restart_endpoint(device, report_id(device), &slot->reports);

	if (!error)
		error = usb_request(device, &clear, NULL);
	if (error) {
		slot->errors++;
		slot->retry = time_now() + RETRY_NS;
	} else {
		slot->retry = UINT64_MAX;
		ask_for_report(device);
	}
}

static void take_report(struct usb_device *device, unsigned int code, unsigned int left)
{
	struct xhci_slot *slot = &device->slot;
	unsigned int packet = device->interface.packet;

	if (code != CODE_SUCCESS && code != CODE_SHORT_PACKET) {
		slot->errors++;
		slot->retry =
			time_now() + RETRY_NS; /* by then an unplugged device is known to be gone */
		return;
	}
	slot->errors = 0;
	device->driver->report(device, slot->buffer + USB_DATA_MAX, packet - MIN(left, packet));
	ask_for_report(device);
}

static void end_request(struct xhci_slot *slot, unsigned int code)
{
	slot->answer.code = code;
	slot->answer.wanted = false;
	slot->answer.came = true;
}

void xhci_slot_gone(struct usb_device *device)
{
	if (device->slot.answer.wanted)
		end_request(&device->slot, CODE_NONE);
	device->slot.failed = true;
}

void xhci_slot_event(struct usb_device *device, const struct xhci_trb *event)
{
	struct xhci_slot *slot = &device->slot;
	unsigned int endpoint = TRB_ENDPOINT(event->control), code = TRB_CODE(event->status);

	if (endpoint == CONTROL_ID && slot->answer.wanted) {
		end_request(slot, code);
	} else if (slot->reports.trbs && endpoint == report_id(device) &&
		   slot->retry == UINT64_MAX) {
		take_report(device, code, TRB_LEFT(event->status));
	}
}
