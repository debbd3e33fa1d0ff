/*
 * An xHCI host controller, as the rest of drivers/usb sees it (eXtensible Host Controller Interface
 * 1.2). The chapters of that document are named in the sources.
 *
 * 1. The interrupt only acknowledges itself and wakes the controller's task. All else is the
 *    task's, so nothing needs a lock. Only the task may call the functions of this header.
 * 2. xhci_wait() is how the task waits, for an answer or for time. It handles the controller's
 *    events meanwhile: it notes answers, passes reports to the drivers, and notes that ports have
 *    changed.
 * 3. Everything that the controller or a device writes is checked.
 * 4. A controller that has been removed, has failed, or has not answered a command in time is given
 *    up. It is stopped, and cannot access memory from then on. All requests fail with -EIO.
 * 5. Memory that a device's slot uses is given back when the controller has disabled the slot or
 *    has been stopped.
 */
#ifndef DRIVERS_USB_XHCI_H
#define DRIVERS_USB_XHCI_H

#include "kernel/time.h"
#include "kernel/wait.h"

/* The numbers are those of xHCI, 7.2.2.1.1. */
enum usb_speed {
	USB_FULL = 1,
	USB_LOW = 2,
	USB_HIGH = 3,
	USB_SUPER = 4, /* and what is faster */
};

struct pci_device;
struct usb_device;
struct usb_port;
struct usb_request;
struct xhci_trb; /* xhci_registers.h */

#define USB_DATA_MAX	3072u		   /* bytes of a request */
#define USB_REQUEST_NS	(5 * NSEC_PER_SEC) /* Universal Serial Bus 2.0, 9.2.6.1 */
#define XHCI_SLOTS_MAX	64u
#define XHCI_COMMAND_NS (5 * NSEC_PER_SEC)

/* A ring of TRBs that the controller reads. The last one links to the first. */
struct xhci_ring {
	volatile struct xhci_trb *trbs; /* a page; NULL: there is none */
	unsigned int next;
	uint32_t cycle; /* the cycle bit of the next TRB */
};

/* What the controller answers. */
struct xhci_answer {
	bool wanted, came;
	uint32_t trb; /* a command: its address */
	unsigned int code, slot;
};

/* A device's part of the controller. */
struct xhci_slot {
	struct xhci *controller;
	unsigned int number;	/* 0: it has no slot */
	uint32_t route;		/* 8.9: the ports of hubs that lead to the device, 4 bits each */
	unsigned int root_port; /* from 1 */
	unsigned int tier;	/* the number of hubs in between */
	/*
	 * The high-speed hub that translates for a slower device, and its port; 0: there is none.
	 */
	unsigned int translator, translator_port;
	unsigned int control_packet; /* the largest packet of endpoint 0 */
	void *contexts;		     /* a page, which the controller writes; NULL: there is none */
	uint8_t *buffer;	     /* a page: data of requests, and the report at its end */
	struct xhci_ring control, reports; /* of endpoint 0, and of the interrupt endpoint */
	struct xhci_answer answer;	   /* to the request that runs */
	bool failed;			   /* no request can be carried out any more */
	uint64_t retry; /* when to start the reports again after an error; UINT64_MAX: they run */
	unsigned int errors; /* of reports, since the last one without */
};

struct xhci {
	struct pci_device *pci;
	unsigned int number;
	volatile uint32_t *registers;		  /* the capability registers: see xhci_read() */
	uint32_t size;				  /* bytes that are mapped */
	uint32_t operational, runtime, doorbells; /* where these registers begin */
	unsigned int context_size;		  /* 32 or 64 bytes */
	unsigned int nr_slots, nr_ports;
	struct usb_port *ports; /* of the controller itself */
	uint64_t *contexts;	/* by slot; a page, which the controller reads */
	void *input;		/* a page: the contexts that a command brings */
	struct xhci_ring commands;
	volatile struct xhci_trb *events; /* a page */
	unsigned int next_event;
	uint32_t event_cycle;
	struct usb_device *devices[XHCI_SLOTS_MAX + 1]; /* by slot */
	struct xhci_answer answer;			/* to the command that runs */
	bool work; /* the task's main loop has something to do */
	bool given_up;
	struct wait_queue queue; /* the task sleeps here */
	bool interrupted;	 /* set by the interrupt, cleared by the task */
};

/* ---- xhci.c: registers ---- */

/*
 * Read or write the register at `offset` bytes from the first one. Every register of a controller
 * that has been removed reads as ~0. Never sleep.
 */
uint32_t xhci_read(struct xhci *controller, uint32_t offset);
void xhci_write(struct xhci *controller, uint32_t offset, uint32_t value);
/*
 * Stop the controller, for the reason that the log is to name. Once stopped, it stays so. May
 * sleep.
 */
void xhci_give_up(struct xhci *controller, const char *why);

/* ---- xhci_ring.c: rings, events and commands ---- */

/* Allocate an empty ring. Returns 0 or -ENOMEM. May sleep. */
int xhci_ring_init(struct xhci_ring *ring);
/*
 * Free a ring that the controller no longer reads, or one that was never allocated. Never sleeps.
 */
void xhci_ring_free(struct xhci_ring *ring);
/* Add a TRB, without its cycle bit. Returns its physical address. Never sleeps. */
uint32_t xhci_ring_put(struct xhci_ring *ring, struct xhci_trb trb);
/* Returns where the next TRB will be, with the cycle bit in the lowest bit, as contexts have it. */
uint32_t xhci_ring_next(const struct xhci_ring *ring);
/*
 * Handle events until *done is true, the time_now() `until` has come, or the controller is given
 * up. `done` may be NULL. Returns true if *done is true. Sleeps.
 */
bool xhci_wait(struct xhci *controller, const bool *done, uint64_t until);
/*
 * Carry out a command. *slot is the slot that the answer names, and may be NULL. Returns 0, or -EIO
 * if the command fails, or takes longer than XHCI_COMMAND_NS, and then the controller is given up.
 * Sleeps.
 */
int xhci_command(struct xhci *controller, struct xhci_trb command, unsigned int *slot);

/* ---- xhci_slot.c: devices ---- */

/*
 * Give the device at device->port, which has been reset, a slot and an address. Returns 0, -EIO,
 * -ENOMEM, or -ENOSPC if there are too many devices. Sleeps. After an error, too, call
 * xhci_slot_close().
 */
int xhci_slot_open(struct usb_device *device);
/*
 * Give back what the device uses. No function of its driver is called any more. If the controller
 * does not disable the slot, it is given up, because it might still use the memory. Sleeps.
 */
void xhci_slot_close(struct usb_device *device);
/*
 * Tell the controller the largest packet of endpoint 0, when the device has said it. Returns 0 or
 * -EIO. Sleeps.
 */
int xhci_set_control_packet(struct usb_device *device, unsigned int packet);
/*
 * Let the reports of the device's interface come from now on. Returns 0, -EIO or -ENOMEM. Sleeps.
 */
int xhci_start_reports(struct usb_device *device);
/*
 * Start them again after an error. If that does not work, slot.errors counts one more, and
 * slot.retry says when to try again. Sleeps.
 */
void xhci_restart_reports(struct usb_device *device);
/* An event of the slot has come. For xhci_ring.c. Never sleeps. */
void xhci_slot_event(struct usb_device *device, const struct xhci_trb *event);
/* The device has gone. A request that waits for it fails. Never sleeps. */
void xhci_slot_gone(struct usb_device *device);

/* ---- xhci_port.c: the controller's own ports ---- */

/*
 * A port has changed. If nothing is plugged in any more, nobody need wait for what was. For
 * xhci_ring.c. Never sleeps.
 */
void xhci_port_event(struct xhci *controller, unsigned int number);

/* Note what has changed at the ports, and let devices come and go. Sleeps. */
void xhci_update_ports(struct xhci *controller);
/*
 * Reset the device at a port. Sets *speed. Returns 0, -ENODEV if there is no device, or -EIO if the
 * reset does not work. Sleeps.
 */
int xhci_port_reset(struct usb_port *port, enum usb_speed *speed);

#endif
