/*
 * USB devices (Universal Serial Bus 2.0, chapter 9): finding out what a device is, and its driver.
 *
 * 1. Each controller has a kernel task, which does everything: it finds devices, carries out
 *    requests, and calls the drivers. So nothing here needs a lock, and nothing delays the boot.
 *    Only that task may call the functions of this header.
 * 2. A device is used if one of its interfaces has a driver. Otherwise one line in the log says so,
 *    and nothing is kept of it.
 * 3. A device that does not answer, or whose descriptors are wrong, gets one line in the log, too.
 *    It is tried again only after it has been unplugged and plugged in.
 * 4. A wait for a device has a limit. Meanwhile the task passes on what the other devices say.
 */
#ifndef DRIVERS_USB_USB_H
#define DRIVERS_USB_USB_H

#include "drivers/usb/descriptors.h"
#include "drivers/usb/xhci.h"

struct usb_device;

struct usb_driver {
	const char *name; /* of the kind of device, for the log */
	/* Can it use this interface? Never sleeps. */
	bool (*matches)(const struct usb_interface *interface);
	/*
	 * The device has been configured, and uses device->interface. Prepare it for its first
	 * report. Returns 0 or an error. -EOPNOTSUPP means that the driver cannot use this device.
	 * After an error no other function is called. May sleep.
	 */
	int (*start)(struct usb_device *device);
	/* The interrupt endpoint has sent these bytes, at most a packet. Never sleeps. */
	void (*report)(struct usb_device *device, const uint8_t *bytes, unsigned int len);
	/*
	 * device->alarm has been reached. It is UINT64_MAX again. Never sleeps. NULL: there are no
	 * alarms.
	 */
	void (*alarm)(struct usb_device *device);
	/* Do what usb_want_work() was called for. May sleep. NULL: there is no such work. */
	void (*work)(struct usb_device *device);
	/* The device has been unplugged or given up. Free what start() has made. */
	void (*stop)(struct usb_device *device);
};
/* Drivers register themselves in a linker section. */
#define USB_DRIVER(driver)                                                       \
	static const struct usb_driver *const __section(".usb_drivers." #driver) \
		usb_driver_##driver = &driver

/* A place where a device can be plugged in: a port of the controller or of a hub. */
struct usb_port {
	struct xhci *controller;
	struct usb_device *hub;	   /* NULL: the port is the controller's */
	unsigned int number;	   /* from 1 */
	bool tried;		   /* what is plugged in has been tried */
	struct usb_device *device; /* NULL: nothing is plugged in, or it is not used */
};

#define USB_NAME_LEN 32

struct usb_device {
	struct usb_port *port;
	char name[USB_NAME_LEN]; /* for the log: the controller, and the ports that lead to it */
	enum usb_speed speed;
	struct usb_interface interface;
	const struct usb_driver *driver; /* NULL: none has been started */
	void *private;			 /* the driver's */
	unsigned int hub_ports; /* a hub's driver sets it in start(); 0: the device is no hub */
	unsigned int hub_think_time; /* the same: 11.23.2.1 */
	uint64_t alarm;		     /* when driver->alarm() is to be called; UINT64_MAX: never */
	bool wants_work;
	struct xhci_slot slot; /* the controller's */
};

/* 9.3, in the format of the setup packet */
struct usb_request {
	uint8_t type, request;
	uint16_t value, index, length;
};
#define USB_FROM_DEVICE	 0x80 /* of `type`; else the data goes to the device */
#define USB_CLASS	 0x20
#define USB_TO_INTERFACE 0x01
#define USB_TO_ENDPOINT	 0x02
#define USB_TO_PORT	 0x03 /* of a hub: 11.24.2 */

enum { /* 9.4: standard requests */
       USB_CLEAR_FEATURE = 1,
       USB_GET_DESCRIPTOR = 6,
       USB_SET_CONFIGURATION = 9,
};
#define USB_ENDPOINT_HALT 0 /* a feature */

/*
 * Carry out a request, with request->length bytes of `data`, at most USB_DATA_MAX. Bytes that the
 * device did not send are 0. Returns 0, -EPIPE if the device refuses the request, -EINVAL if it is
 * too long, -EIO if it fails, or -ETIMEDOUT if there is no answer for USB_REQUEST_NS. After
 * -ETIMEDOUT, all requests to this device fail. Sleeps. xhci_slot.c
 */
int usb_request(struct usb_device *device, const struct usb_request *request, void *data);

/* Have driver->work() called soon. Never sleeps. */
void usb_want_work(struct usb_device *device);

/* A device has to be plugged in for this long before it is reset (7.1.7.3). */
#define USB_SETTLE_NS (100 * NSEC_PER_MSEC)
/*
 * Tell the state of a port: whether something is plugged in, and whether that has changed since the
 * last call, maybe more than once. Devices come and go accordingly. Call it USB_SETTLE_NS after a
 * change. May sleep.
 */
void usb_port_update(struct usb_port *port, bool connected, bool changed);

/* ---- hub.c ---- */

/*
 * Reset the device at a hub's port. Sets *speed. Returns 0, -ENODEV if there is no device, or -EIO
 * if the hub does not answer or the reset does not work. Sleeps.
 */
int usb_hub_reset(struct usb_port *port, enum usb_speed *speed);

/* ---- for the controller's task ---- */

/* Do the work that devices want, and give up those that have failed. May sleep. */
void usb_work(struct xhci *controller);

#endif
