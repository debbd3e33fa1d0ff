/*
 * Tests how drivers/usb/xhci_port.c acknowledges what has changed at a port. In QEMU nothing
 * changes between two instructions of the driver.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#include "drivers/usb/xhci_port.c"
#include "kernel/time_limit.c"

static struct xhci controller;
static struct usb_port port = { .controller = &controller, .number = 1 };
static uint32_t portsc;	 /* the port's register */
static bool plugged_out; /* before the next write */
static unsigned int updates;

/* ---- what the file uses ---- */

uint64_t time_now(void)
{
	return 0;
}

uint32_t xhci_read(struct xhci *from, uint32_t offset)
{
	return portsc;
}

void xhci_write(struct xhci *to, uint32_t offset, uint32_t value)
{
	if (plugged_out)
		portsc = (portsc & ~PORT_CONNECTED) | PORT_CONNECT_CHANGED;
	plugged_out = false;
	portsc &= ~(value & PORT_CHANGES);
}

bool xhci_wait(struct xhci *on, const bool *done, uint64_t until)
{
	return false;
}

void xhci_slot_gone(struct usb_device *device)
{
}

void usb_port_update(struct usb_port *of, bool connected, bool changed)
{
	updates++;
}

/* ---- cases ---- */

static void update(uint32_t value)
{
	controller = (struct xhci){ .nr_ports = 1, .ports = &port };
	portsc = value;
	updates = 0;
	xhci_update_ports(&controller);
}

CASE(a_change)
{
	update(PORT_CONNECTED | PORT_CONNECT_CHANGED);
	ok(updates == 1, "a change is told");
	ok(!(portsc & PORT_CHANGES), "and acknowledged");
	ok(!controller.work, "nothing is left to do");
}

/* The end of a reset has not been acknowledged yet, so the controller sends no event. */
CASE(a_change_during_another)
{
	plugged_out = true;
	update(PORT_CONNECTED | 1u << 21);
	ok(portsc & PORT_CONNECT_CHANGED, "a change in between is not acknowledged unseen");
	ok(controller.work, "the port is looked at again");
}
