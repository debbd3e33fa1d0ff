/*
 * Tests drivers/usb/hub.c with a hub that is played by the test, and whose ports may refuse
 * requests.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#include "drivers/usb/hub.c"
#include "kernel/time_limit.c"

#define PORTS 4u

static struct xhci xhci;
static struct usb_device hub_device = { .slot.controller = &xhci, .speed = USB_HIGH };
static bool refuses[PORTS + 1]; /* by port: it refuses what it is asked for */
static bool powered[PORTS + 1];
static bool updated[PORTS + 1], connected[PORTS + 1];

uint64_t time_now(void)
{
	return 0;
}

bool xhci_wait(struct xhci *controller, const bool *done, uint64_t until)
{
	return false;
}

void usb_want_work(struct usb_device *device)
{
	device->wants_work = true;
}

void usb_port_update(struct usb_port *port, bool is_connected, bool changed)
{
	updated[port->number] = true;
	connected[port->number] = is_connected;
}

/* Each port has a device. */
int usb_request(struct usb_device *device, const struct usb_request *request, void *data)
{
	const struct hub_descriptor descriptor = {
		.length = sizeof(descriptor),
		.type = DESCRIPTOR_HUB,
		.ports = PORTS,
	};
	const struct port_status status = {
		.status = STATUS_CONNECTED,
		.changes = CHANGED_CONNECTION,
	};

	must(request->index <= PORTS);
	if (refuses[request->index])
		return -EPIPE;
	if (request->request == USB_GET_DESCRIPTOR)
		memcpy(data, &descriptor, sizeof(descriptor));
	else if (request->request == GET_STATUS)
		memcpy(data, &status, sizeof(status));
	else if (request->request == SET_FEATURE && request->value == PORT_POWER)
		powered[request->index] = true;
	return 0;
}

CASE(other_ports)
{
	must(hub_start(&hub_device) == 0);
	refuses[2] = true;
	hub_work(&hub_device);
	ok(updated[1] && !updated[2] && updated[3] && connected[3] && updated[4] && connected[4],
	   "a port that refuses a request does not stop the others");
	refuses[2] = false;
	hub_work(&hub_device);
	ok(updated[2] && connected[2], "the next report causes another look at it");
	hub_stop(&hub_device);
	ok(!connected[1] && !connected[2] && !connected[3] && !connected[4],
	   "a hub that goes takes the devices at all its ports along");
}

CASE(power)
{
	refuses[1] = true;
	ok(hub_start(&hub_device) == 0 && powered[2] && powered[PORTS],
	   "a port that gets no power does not keep the others from it");
	hub_work(&hub_device);
	ok(updated[2] && connected[2], "and these are used");
	hub_stop(&hub_device);
}
