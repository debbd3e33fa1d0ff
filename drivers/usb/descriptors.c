/*
 * Descriptors: a list of pieces, each of which begins with its length and its type. See
 * descriptors.h.
 */
#include "drivers/usb/descriptors.h"
#include "lib/string.h"

/* 9.6.5 */
struct interface_descriptor {
	uint8_t length, type;
	uint8_t number, alternate, endpoints, class, subclass, protocol, string;
} __packed;

/* 9.6.6 */
struct endpoint_descriptor {
	uint8_t length, type;
	uint8_t address, attributes;
	uint16_t packet;
	uint8_t interval;
} __packed;

#define ADDRESS_IN	     0x80
#define ADDRESS_NUMBER	     0x0f
#define ATTRIBUTES_TYPE	     0x03
#define ATTRIBUTES_INTERRUPT 0x03
#define PACKET_SIZE	     0x7ffu
#define PACKET_SIZE_MAX	     1024u
#define PACKET_BURST_SHIFT   11 /* 2 bits; 3 is reserved */

/* Copy a piece that has this type and is long enough. */
static bool is_piece(const uint8_t *piece, uint8_t type, void *to, unsigned int size)
{
	if (piece[1] != type || piece[0] < size)
		return false;
	memcpy(to, piece, size);
	return true;
}

/*
 * Returns the length of the piece at `at`, or 0 if there is none, or if it does not fit into `len`
 * bytes.
 */
static unsigned int piece_length(const uint8_t *bytes, unsigned int len, unsigned int at)
{
	if (len - at < 2 || bytes[at] < 2 || bytes[at] > len - at)
		return 0;
	return bytes[at];
}

static bool use_endpoint(const struct endpoint_descriptor *endpoint,
			 struct usb_interface *interface)
{
	unsigned int packet = endpoint->packet & PACKET_SIZE;
	unsigned int number = endpoint->address & ADDRESS_NUMBER;

	if (!(endpoint->address & ADDRESS_IN) || number == 0 || packet == 0 ||
	    packet > PACKET_SIZE_MAX ||
	    (endpoint->attributes & ATTRIBUTES_TYPE) != ATTRIBUTES_INTERRUPT)
		return false;
	interface->endpoint = number;
	interface->interval = endpoint->interval;
	interface->packet = packet;
	interface->burst = endpoint->packet >> PACKET_BURST_SHIFT & 3;
	return true;
}

bool usb_next_interface(const uint8_t *bytes, unsigned int len, unsigned int *at,
			struct usb_interface *interface)
{
	struct usb_configuration_descriptor configuration = { 0 };
	struct interface_descriptor head;
	struct endpoint_descriptor endpoint;
	bool wanted = false; /* an interface with its first setting has begun */
	unsigned int length;

	if (piece_length(bytes, len, 0) != 0)
		(void)is_piece(bytes, USB_DESCRIPTOR_CONFIGURATION, &configuration,
			       sizeof(configuration));
	while ((length = piece_length(bytes, len, *at)) != 0) {
		const uint8_t *piece = bytes + *at;

		*at += length;
		if (is_piece(piece, USB_DESCRIPTOR_INTERFACE, &head, sizeof(head))) {
			wanted = head.alternate == 0;
			*interface = (struct usb_interface){
				.configuration = configuration.value,
				.number = head.number,
				.class = head.class,
				.subclass = head.subclass,
				.protocol = head.protocol,
			};
		} else if (wanted &&
			   is_piece(piece, USB_DESCRIPTOR_ENDPOINT, &endpoint, sizeof(endpoint)) &&
			   use_endpoint(&endpoint, interface)) {
			return true;
		}
	}
	return false;
}
