/*
 * USB hubs (Universal Serial Bus 2.0, chapter 11).
 *
 * 1. A report says that ports have changed. work() then asks each port for its state, and lets
 *    devices come and go.
 * 2. Hubs may be behind hubs, up to the depth that xHCI can address.
 * 3. The SuperSpeed half of a USB 3 hub is not used, because keyboards are plugged into its other
 *    half.
 */
#include "drivers/usb/usb.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/errno.h"
#include "mm/slab.h"

#define CLASS_HUB      9
#define PORTS_MAX      15u /* a route has 4 bits for each hub */
#define DESCRIPTOR_HUB 0x29
/* 11.24.2, tables 11-16 and 11-17 */
#define GET_STATUS    0
#define CLEAR_FEATURE 1
#define SET_FEATURE   3
#define PORT_RESET    4
#define PORT_POWER    8
#define FIRST_CHANGE  16 /* of five features that tell of changes, in the order of the bits */
#define NR_CHANGES    5u
#define CHANGE_RESET  20
/* 11.24.2.7 */
#define STATUS_CONNECTED   (1u << 0)
#define STATUS_ENABLED	   (1u << 1)
#define STATUS_RESET	   (1u << 4)
#define STATUS_LOW_SPEED   (1u << 9)
#define STATUS_HIGH_SPEED  (1u << 10)
#define CHANGED_CONNECTION (1u << 0)

#define RESET_NS	   (500 * NSEC_PER_MSEC)
#define LOOK_NS		   (10 * NSEC_PER_MSEC)
#define RECOVER_NS	   (10 * NSEC_PER_MSEC) /* 7.1.7.5: TRSTRCY */
#define POWER_NS	   (2 * NSEC_PER_MSEC)	/* the unit of power_time */

/* 11.23.2.1, without the list of ports */
struct hub_descriptor {
	uint8_t length, type, ports;
	uint16_t characteristics;
	uint8_t power_time, milliamperes;
} __packed;
#define THINK_TIME(characteristics) ((characteristics) >> 5 & 3)

struct port_status {
	uint16_t status, changes;
};

struct hub {
	unsigned int nr_ports;
	struct usb_port ports[PORTS_MAX];
};

static int set_port(struct usb_port *port, uint8_t request, uint16_t feature)
{
	const struct usb_request set = {
		.type = USB_CLASS | USB_TO_PORT,
		.request = request,
		.value = feature,
		.index = port->number,
	};

	return usb_request(port->hub, &set, NULL);
}

static int get_port(struct usb_port *port, struct port_status *status)
{
	const struct usb_request get = {
		.type = USB_FROM_DEVICE | USB_CLASS | USB_TO_PORT,
		.request = GET_STATUS,
		.index = port->number,
		.length = sizeof(*status),
	};

	return usb_request(port->hub, &get, status);
}

int usb_hub_reset(struct usb_port *port, enum usb_speed *speed)
{
	struct time_limit limit = time_limit(RESET_NS);
	struct port_status now = { 0 };
	int error = set_port(port, SET_FEATURE, PORT_RESET);

	do {
		(void)xhci_wait(port->controller, NULL, time_now() + LOOK_NS);
		if (!error)
			error = get_port(port, &now);
	} while (!error && now.status & STATUS_RESET && !time_limit_over(&limit));
	if (!error)
		error = set_port(port, CLEAR_FEATURE, CHANGE_RESET);
	(void)xhci_wait(port->controller, NULL, time_now() + RECOVER_NS);
	if (error)
		return -EIO;
	if (!(now.status & STATUS_CONNECTED))
		return -ENODEV;
	if (!(now.status & STATUS_ENABLED))
		return -EIO;
	*speed = now.status & STATUS_LOW_SPEED	  ? USB_LOW
		 : now.status & STATUS_HIGH_SPEED ? USB_HIGH
						  : USB_FULL;
	return 0;
}

/*
 * Acknowledge the changes of a port, and let devices come and go. After an error, the next report
 * causes another look.
 */
static void update_port(struct usb_port *port)
{
	struct port_status now;
	int error = get_port(port, &now);

	for (unsigned int i = 0; i < NR_CHANGES && !error; i++)
		if (now.changes & 1u << i)
			error = set_port(port, CLEAR_FEATURE, FIRST_CHANGE + i);
	if (!error)
		usb_port_update(port, now.status & STATUS_CONNECTED,
				now.changes & CHANGED_CONNECTION);
}

/* A port may fail, and the others are looked at. If the hub has gone, its own port will tell. */
static void hub_work(struct usb_device *device)
{
	struct hub *hub = device->private;

	(void)xhci_wait(device->slot.controller, NULL, time_now() + USB_SETTLE_NS);
	for (unsigned int i = 0; i < hub->nr_ports; i++)
		update_port(&hub->ports[i]);
}

static void hub_report(struct usb_device *device, const uint8_t *bytes, unsigned int len)
{
	usb_want_work(device);
}

static bool hub_matches(const struct usb_interface *interface)
{
	return interface->class == CLASS_HUB;
}

/* Read how many ports there are, and switch their power on. A port may refuse that. */
static int set_up(struct usb_device *device, struct hub *hub)
{
	const struct usb_request get = {
		.type = USB_FROM_DEVICE | USB_CLASS,
		.request = USB_GET_DESCRIPTOR,
		.value = DESCRIPTOR_HUB << 8,
		.length = sizeof(struct hub_descriptor),
	};
	struct hub_descriptor descriptor;
	int error = usb_request(device, &get, &descriptor);

	if (error)
		return error;
	if (descriptor.type != DESCRIPTOR_HUB || descriptor.ports == 0)
		return -EINVAL;
	hub->nr_ports = MIN(descriptor.ports, PORTS_MAX);
	device->hub_ports = descriptor.ports;
	device->hub_think_time = THINK_TIME(descriptor.characteristics);
	for (unsigned int i = 0; i < hub->nr_ports && !error; i++) {
		hub->ports[i] = (struct usb_port){
			.controller = device->slot.controller,
			.hub = device,
			.number = i + 1,
		};
		error = set_port(&hub->ports[i], SET_FEATURE, PORT_POWER);
		if (error == -EPIPE)
			error = 0;
	}
	(void)xhci_wait(device->slot.controller, NULL,
			time_now() + descriptor.power_time * POWER_NS);
	return error;
}

static int hub_start(struct usb_device *device)
{
	struct hub *hub;
	int error;

	if (device->speed >= USB_SUPER)
		return -EOPNOTSUPP;
	hub = kzalloc(sizeof(*hub), 0);
	error = hub ? set_up(device, hub) : -ENOMEM;
	if (error) {
		kfree(hub);
		return error;
	}
	device->private = hub;
	usb_want_work(device);
	return 0;
}

static void hub_stop(struct usb_device *device)
{
	struct hub *hub = device->private;

	for (unsigned int i = 0; i < hub->nr_ports; i++)
		usb_port_update(&hub->ports[i], false, true);
	kfree(hub);
}

static const struct usb_driver hub_driver = {
	.name = "hub",
	.matches = hub_matches,
	.start = hub_start,
	.report = hub_report,
	.work = hub_work,
	.stop = hub_stop,
};
USB_DRIVER(hub_driver);
