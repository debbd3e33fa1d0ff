/*
 * The ports of an xHCI controller itself (4.15, 4.19, 5.4.8).
 */
#include "drivers/usb/usb.h"
#include "drivers/usb/xhci.h"
#include "drivers/usb/xhci_registers.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/errno.h"

#define RESET_NS   (500 * NSEC_PER_MSEC)
#define LOOK_NS	   (2 * NSEC_PER_MSEC)
#define RECOVER_NS (10 * NSEC_PER_MSEC) /* Universal Serial Bus 2.0, 7.1.7.5: TRSTRCY */

static uint32_t port_register(const struct usb_port *port)
{
	return port->controller->operational + OP_PORT(port->number);
}

/*
 * Acknowledge the changes of a port. Returns what its register was before.
 *
 * There is no event for a change that comes while another one has not been acknowledged (4.19.2).
 * So a port that has a change even now is looked at again.
 */
static uint32_t take_changes(struct usb_port *port)
{
	uint32_t value = xhci_read(port->controller, port_register(port));

	xhci_write(port->controller, port_register(port),
		   (value & PORT_KEEP) | (value & PORT_CHANGES) | PORT_POWER);
	if (xhci_read(port->controller, port_register(port)) & PORT_CONNECT_CHANGED)
		port->controller->work = true;
	return value;
}

void xhci_port_event(struct xhci *controller, unsigned int number)
{
	if (number == 0 || number > controller->nr_ports ||
	    xhci_read(controller, port_register(&controller->ports[number - 1])) & PORT_CONNECTED)
		return;
	for (unsigned int i = 1; i <= XHCI_SLOTS_MAX; i++)
		if (controller->devices[i] && controller->devices[i]->slot.root_port == number)
			xhci_slot_gone(controller->devices[i]);
}

static bool any_changed(struct xhci *controller)
{
	for (unsigned int i = 0; i < controller->nr_ports; i++)
		if (xhci_read(controller, port_register(&controller->ports[i])) &
		    PORT_CONNECT_CHANGED)
			return true;
	return false;
}

void xhci_update_ports(struct xhci *controller)
{
	if (any_changed(controller))
		(void)xhci_wait(controller, NULL, time_now() + USB_SETTLE_NS);
	for (unsigned int i = 0; i < controller->nr_ports && !controller->given_up; i++) {
		uint32_t value = take_changes(&controller->ports[i]);

		usb_port_update(&controller->ports[i], value & PORT_CONNECTED,
				value & PORT_CONNECT_CHANGED);
	}
}

int xhci_port_reset(struct usb_port *port, enum usb_speed *speed)
{
	struct xhci *controller = port->controller;
	uint32_t value = xhci_read(controller, port_register(port));
	struct time_limit limit = time_limit(RESET_NS);

	if (!(value & PORT_CONNECTED))
		return -ENODEV;
	xhci_write(controller, port_register(port), (value & PORT_KEEP) | PORT_RESET);
	while (xhci_read(controller, port_register(port)) & PORT_RESET &&
	       !time_limit_over(&limit) && !controller->given_up)
		(void)xhci_wait(controller, NULL, time_now() + LOOK_NS);
	(void)xhci_wait(controller, NULL, time_now() + RECOVER_NS);
	value = xhci_read(controller, port_register(port));
	if (!(value & PORT_CONNECTED))
		return -ENODEV;
	if (value & PORT_RESET || !(value & PORT_ENABLED))
		return -EIO;
	*speed = PORT_SPEED(value);
	return 0;
}
