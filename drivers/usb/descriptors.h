/*
 * Reading a device's descriptors (Universal Serial Bus 2.0, 9.6). The bytes come from the device,
 * and any bytes are allowed.
 */
#ifndef DRIVERS_USB_DESCRIPTORS_H
#define DRIVERS_USB_DESCRIPTORS_H

#include "lib/types.h"

/* 9.6.1 */
struct usb_device_descriptor {
	uint8_t length, type;
	uint16_t version;
	uint8_t class, subclass, protocol;
	uint8_t max_packet; /* of endpoint 0; in SuperSpeed devices the exponent of a power of two */
	uint16_t vendor, product, release;
	uint8_t manufacturer_string, product_string, serial_string, configurations;
} __packed;

/* 9.6.3: the first bytes of a configuration, in which its interfaces follow */
struct usb_configuration_descriptor {
	uint8_t length, type;
	uint16_t total; /* bytes, with all that follows */
	uint8_t interfaces, value, string, attributes, power;
} __packed;

#define USB_DESCRIPTOR_DEVICE	     1
#define USB_DESCRIPTOR_CONFIGURATION 2
#define USB_DESCRIPTOR_INTERFACE     4
#define USB_DESCRIPTOR_ENDPOINT	     5

/* An interface, with the endpoint that it tells its news on. */
struct usb_interface {
	uint8_t configuration, number, class, subclass, protocol;
	uint8_t endpoint;	    /* 1 to 15: the number of its first interrupt IN endpoint */
	uint8_t interval;	    /* bInterval of that endpoint */
	unsigned int packet, burst; /* its largest packet, and how many more may follow at once */
};

/*
 * Find the next interface that has an interrupt IN endpoint, in a configuration of `len` bytes. *at
 * is where to look from, and is moved behind what was found. It begins with 0. Alternate settings
 * are passed over. Returns false if there is no other. Never sleeps.
 */
bool usb_next_interface(const uint8_t *bytes, unsigned int len, unsigned int *at,
			struct usb_interface *interface);

#endif
