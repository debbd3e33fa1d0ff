/*
 * Finding out what a device is (Universal Serial Bus 2.0, 9.1.2). See usb.h.
 */
#include "drivers/usb/usb.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

#define TIERS_MAX   5u /* hubs in a row */
#define ATTEMPTS    3u /* to use a device; each begins with a reset */
#define ERRORS_MAX  3u /* of reports, one after another */
#define FIRST_BYTES 8u /* of a device's descriptor, which every device sends in one packet */

extern const struct usb_driver *const _usb_drivers_start[], *const _usb_drivers_end[];

void usb_want_work(struct usb_device *device)
{
	device->wants_work = true;
	device->slot.controller->work = true;
}

/* ---- descriptors ---- */

static int get_descriptor(struct usb_device *device, uint8_t type, void *data, uint16_t length)
{
	const struct usb_request request = {
		.type = USB_FROM_DEVICE,
		.request = USB_GET_DESCRIPTOR,
		.value = type << 8,
		.length = length,
	};

	return usb_request(device, &request, data);
}

static int get_device_descriptor(struct usb_device *device,
				 struct usb_device_descriptor *descriptor)
{
	int error = get_descriptor(device, USB_DESCRIPTOR_DEVICE, descriptor, FIRST_BYTES);
	unsigned int packet = descriptor->max_packet;

	if (error)
		return error;
	/* Only of a full-speed device it is not known before. */
	if (device->speed == USB_FULL && packet != device->slot.control_packet) {
		if (packet != 16 && packet != 32 && packet != 64)
			return -EINVAL;
		error = xhci_set_control_packet(device, packet);
	}
	if (!error)
		error = get_descriptor(device, USB_DESCRIPTOR_DEVICE, descriptor,
				       sizeof(*descriptor));
	if (error)
		return error;
	if (descriptor->length < sizeof(*descriptor) || descriptor->type != USB_DESCRIPTOR_DEVICE ||
	    descriptor->configurations == 0)
		return -EINVAL;
	return 0;
}

static const struct usb_driver *driver_for(const struct usb_interface *interface)
{
	for (const struct usb_driver *const *driver = _usb_drivers_start; driver < _usb_drivers_end;
	     driver++)
		if ((*driver)->matches(interface))
			return *driver;
	return NULL;
}

/*
 * Look for an interface with a driver in the first configuration, of which `bytes` has room for
 * USB_DATA_MAX bytes.
 */
static int choose_interface(struct usb_device *device, uint8_t *bytes)
{
	struct usb_configuration_descriptor *head = (void *)bytes;
	int error = get_descriptor(device, USB_DESCRIPTOR_CONFIGURATION, bytes, sizeof(*head));
	unsigned int len = MIN(head->total, USB_DATA_MAX), at = 0;

	if (error)
		return error;
	if (len < sizeof(*head) || head->type != USB_DESCRIPTOR_CONFIGURATION)
		return -EINVAL;
	error = get_descriptor(device, USB_DESCRIPTOR_CONFIGURATION, bytes, len);
	if (error)
		return error;
	while (usb_next_interface(bytes, len, &at, &device->interface)) {
		device->driver = driver_for(&device->interface);
		if (device->driver)
			return 0;
	}
	return -EOPNOTSUPP;
}

static int set_configuration(struct usb_device *device)
{
	const struct usb_request request = {
		.request = USB_SET_CONFIGURATION,
		.value = device->interface.configuration,
	};

	return usb_request(device, &request, NULL);
}

/* ---- devices ---- */

/* Learn what the device is, and start its driver. */
static int start_device(struct usb_device *device)
{
	struct usb_device_descriptor descriptor = { 0 };
	uint8_t *bytes = kmalloc(USB_DATA_MAX, 0);
	int error = bytes ? get_device_descriptor(device, &descriptor) : -ENOMEM;

	if (!error)
		error = choose_interface(device, bytes);
	kfree(bytes);
	if (!error)
		error = set_configuration(device);
	if (!error)
		error = device->driver->start(device);
	if (error == -EOPNOTSUPP)
		log_info("%s: %04x:%04x is not used: there is no driver for it", device->name,
			 descriptor.vendor, descriptor.product);
	if (error)
		return error;
	error = xhci_start_reports(device);
	if (error)
		device->driver->stop(device);
	return error;
}

/* The name of a device at this port. */
static void name_of(const struct usb_port *port, char *name)
{
	if (port->hub)
		snprintf(name, USB_NAME_LEN, "%s.%u", port->hub->name, port->number);
	else
		snprintf(name, USB_NAME_LEN, "usb%u port %u", port->controller->number,
			 port->number);
}

/* Fill in which way leads to the device, which is behind `hub`. */
static int place_behind(struct usb_device *device, const struct usb_device *hub)
{
	unsigned int number = device->port->number;
	struct xhci_slot *slot = &device->slot;

	if (hub->slot.tier == TIERS_MAX)
		return -ENOSPC;
	slot->root_port = hub->slot.root_port;
	slot->route = hub->slot.route | number << 4 * hub->slot.tier;
	slot->tier = hub->slot.tier + 1;
	if (device->speed == USB_LOW || device->speed == USB_FULL) {
		bool here = hub->speed == USB_HIGH;

		slot->translator = here ? hub->slot.number : hub->slot.translator;
		slot->translator_port = here ? number : hub->slot.translator_port;
	}
	return 0;
}

/* Reset the device, and fill in where it is. */
static int place_device(struct usb_device *device, struct usb_port *port)
{
	int error;

	device->port = port;
	device->alarm = UINT64_MAX;
	device->slot.controller = port->controller;
	device->slot.root_port = port->number;
	name_of(port, device->name);
	if (!port->hub)
		return xhci_port_reset(port, &device->speed);
	error = usb_hub_reset(port, &device->speed);
	return error ? error : place_behind(device, port->hub);
}

/*
 * Try to use what is plugged in. Returns 0, -ENODEV if nothing is plugged in any more, -EOPNOTSUPP
 * if there is no driver and the log says so, or another error.
 */
static int try_device(struct usb_port *port)
{
	struct usb_device *device = kzalloc(sizeof(*device), 0);
	int error = device ? place_device(device, port) : -ENOMEM;

	if (!error)
		error = xhci_slot_open(device);
	if (!error)
		error = start_device(device);
	if (!error) {
		port->device = device;
		log_info("%s: %s", device->name, device->driver->name);
		return 0;
	}
	if (device)
		xhci_slot_close(device);
	kfree(device);
	return error;
}

static const char *reason(int error)
{
	switch (error) {
	case -EINVAL:
		return "its descriptors are wrong";
	case -EPIPE:
		return "it refuses a request";
	case -ENOSPC:
		return "there are too many devices or hubs";
	case -ENOMEM:
		return "too little memory";
	default:
		return "it does not answer";
	}
}

static void attach(struct usb_port *port)
{
	char name[USB_NAME_LEN];
	int error = -EIO;

	port->tried = true;
	for (unsigned int i = 0; i < ATTEMPTS && error == -EIO; i++)
		error = try_device(port);
	if (error == 0 || error == -ENODEV || error == -EOPNOTSUPP || port->controller->given_up)
		return;
	name_of(port, name);
	log_warning("%s: the device is not used: %s", name, reason(error));
}

static void detach(struct usb_device *device, const char *why)
{
	log_info("%s: %s %s", device->name, device->driver->name, why);
	device->port->device = NULL;
	xhci_slot_close(device);
	device->driver->stop(device);
	kfree(device);
}

void usb_port_update(struct usb_port *port, bool connected, bool changed)
{
	if (port->device && (changed || !connected))
		detach(port->device, "has been unplugged");
	if (changed || !connected)
		port->tried = false;
	if (connected && !port->tried)
		attach(port);
}

void usb_work(struct xhci *controller)
{
	for (unsigned int i = 1; i <= XHCI_SLOTS_MAX; i++) {
		struct usb_device *device = controller->devices[i];

		if (!device)
			continue;
		if (device->slot.retry <= time_now())
			xhci_restart_reports(device);
		if (device->slot.failed || device->slot.errors > ERRORS_MAX) {
			detach(device, "does not answer any more");
			continue;
		}
		if (device->wants_work) {
			device->wants_work = false;
			device->driver->work(device);
		}
	}
}
