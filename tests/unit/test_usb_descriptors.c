/*
 * Tests drivers/usb/descriptors.c with configurations of real shapes, and with damaged ones. Each
 * is in memory of exactly its size, so that the address sanitizer sees a read behind its end.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "drivers/usb/descriptors.c"

/* A keyboard with a second interface, a mouse, as receivers of wireless ones have. */
static const uint8_t receiver[] = {
	9, 2,	 59,   0, 2,  1, 0,    0xa0, 49, /* the configuration */
	9, 4,	 0,    0, 1,  3, 1,    1,    0,	 /* a keyboard */
	9, 0x21, 0x11, 1, 0,  1, 0x22, 59,   0,	 /* HID */
	7, 5,	 0x81, 3, 8,  0, 8,		 /* an endpoint */
	9, 4,	 1,    0, 1,  3, 1,    2,    0,	 /* a mouse */
	9, 0x21, 0x11, 1, 0,  1, 0x22, 148,  0,	 /* HID */
	7, 5,	 0x82, 3, 20, 0, 2,		 /* an endpoint */
};
/*
 * An interface without endpoints, one that has them only in another setting, and a bulk endpoint.
 */
static const uint8_t without[] = {
	9, 2, 50,   0, 2,  7, 0, 0xa0, 49, /* the configuration */
	9, 4, 0,    0, 0,  3, 1, 1,    0,  /* no endpoint */
	9, 4, 0,    1, 1,  3, 1, 1,    0,  /* another setting */
	7, 5, 0x81, 3, 8,  0, 8,	   /* its endpoint */
	9, 4, 1,    0, 1,  8, 6, 80,   0,  /* a disk */
	7, 5, 0x82, 2, 64, 0, 0,	   /* a bulk endpoint */
};

CASE(two_interfaces)
{
	struct usb_interface found;
	unsigned int at = 0;

	must(usb_next_interface(receiver, sizeof(receiver), &at, &found));
	ok(found.configuration == 1 && found.number == 0 && found.class == 3 &&
		   found.subclass == 1 && found.protocol == 1,
	   "it is the keyboard");
	ok(found.endpoint == 1 && found.packet == 8 && found.interval == 8 && found.burst == 0,
	   "with its endpoint");
	must(usb_next_interface(receiver, sizeof(receiver), &at, &found));
	ok(found.number == 1 && found.protocol == 2 && found.endpoint == 2 && found.packet == 20,
	   "it is the mouse");
	ok(!usb_next_interface(receiver, sizeof(receiver), &at, &found), "there is no third one");
}

CASE(none_without_an_interrupt_endpoint)
{
	struct usb_interface found;
	unsigned int at = 0;

	ok(!usb_next_interface(without, sizeof(without), &at, &found), "none is found");
}

/* Look through `len` bytes. Returns false if what is found cannot be. */
static bool looks_right(const uint8_t *bytes, unsigned int len)
{
	struct usb_interface found;
	unsigned int at = 0, before = 0;

	while (usb_next_interface(bytes, len, &at, &found)) {
		if (at <= before || at > len || found.endpoint == 0 || found.endpoint > 15 ||
		    found.packet == 0 || found.packet > 1024 || found.burst > 3)
			return false;
		before = at;
	}
	return true;
}

CASE(damaged)
{
	bool right = true;

	for (unsigned int round = 0; round < 200000 && right; round++) {
		unsigned int len = random_u32() % (sizeof(receiver) + 1);
		uint8_t *bytes = malloc(len ? len : 1);

		memcpy(bytes, receiver, len);
		for (unsigned int i = random_u32() % 4; i > 0 && len > 0; i--)
			bytes[random_u32() % len] = random_u32();
		right = looks_right(bytes, len);
		free(bytes);
	}
	ok(right, "nothing is read outside, and nothing impossible is found");
}
