/*
 * What a driver needs from a virtio device, wherever the device is (Virtual I/O Device 1.1): on PCI
 * (4.1), or at a fixed place in memory (4.2).
 *
 * 1. A driver asks each transport for the devices of its kind, and gets them one at a time in
 *    add().
 * 2. The driver sets a device up as 3.1.1 says, and uses queue 0 only.
 * 3. A transport's functions take no lock. Only set_queue() may sleep. acknowledge() and notify()
 *    may be called in an interrupt.
 */
#ifndef DRIVERS_DISK_VIRTIO_H
#define DRIVERS_DISK_VIRTIO_H

#include "mm/page.h"

/* 5: kinds of devices */
#define VIRTIO_BLOCK 2

/* 2.1: device status */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED	   128

/*
 * 6: features of every kind of device. INDIRECT is in the first word, and VERSION_1 in the second.
 */
#define FEATURE_INDIRECT  (1u << 28)
#define FEATURE_VERSION_1 (1u << 0)

struct virtio_device;

struct virtio_transport {
	/*
	 * The device status. Writing 0 to it resets the device, and the reset has ended when it
	 * reads as 0.
	 */
	uint8_t (*status)(struct virtio_device *);
	void (*set_status)(struct virtio_device *, uint8_t status);
	/*
	 * The features that the device offers: word 0 has those from 0 to 31, and word 1 those from
	 * 32 to 63.
	 */
	uint32_t (*features)(struct virtio_device *, unsigned int word);
	/* Say which of the features of a word the driver uses. */
	void (*accept)(struct virtio_device *, unsigned int word, uint32_t features);
	/* Returns how many entries the queue may have, or 0 if there is no queue. */
	unsigned int (*queue_max)(struct virtio_device *);
	/*
	 * Give the device its queue: `size` entries, and the physical addresses of its three parts.
	 * They are in one piece of low memory, which begins at a page. Each part follows the one
	 * before it as closely as its alignment allows. That of `used` is USED_ALIGN. Returns 0, or
	 * -ENODEV if the device cannot be notified.
	 */
	int (*set_queue)(struct virtio_device *, unsigned int size, uint32_t desc, uint32_t avail,
			 uint32_t used);
	/* Tell the device that there are new requests in the queue. */
	void (*notify)(struct virtio_device *);
	/*
	 * Acknowledge the device's interrupt. Returns true if the device has raised it because of
	 * the queue. The driver then reads the queue, and not before: an answer that comes after
	 * this call raises the interrupt again, even if the line is edge-triggered.
	 */
	bool (*acknowledge)(struct virtio_device *);
	/*
	 * Returns a number that changes whenever the device changes its configuration (2.5.1). A
	 * legacy device has none, so it is always 0.
	 */
	uint32_t (*generation)(struct virtio_device *);
};

/*
 * The standard wants 4 (2.6). A legacy device computes the place of `used` itself, and QEMU's does
 * not count the last field of the part before it. With 16 the place is the same.
 */
#define USED_ALIGN 16u

/* A transport sets the fields before it calls add(). */
struct virtio_device {
	const struct virtio_transport *transport;
	bool legacy;	       /* from before version 1: without VERSION_1 and STATUS_FEATURES_OK */
	unsigned int irq;      /* its line, for irq_request(); level-triggered if the line can be */
	volatile void *config; /* the first CONFIG_SIZE bytes of the configuration of its kind */
};
#define CONFIG_SIZE 16u

/* Add bits to the device status. */
static inline void virtio_add_status(struct virtio_device *device, uint8_t bits)
{
	const struct virtio_transport *transport = device->transport;

	transport->set_status(device, transport->status(device) | bits);
}

/*
 * For drivers: call add() for each device of a kind that has no driver yet. It becomes `driver`'s,
 * and is never freed. An error of add() is logged, and the next device is tried. May sleep.
 */
void virtio_pci_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *));
void virtio_mmio_probe(unsigned int kind, const char *driver, int (*add)(struct virtio_device *));

#endif
