/*
 * Tests which contexts drivers/usb/xhci_slot.c gives a controller. QEMU's controllers have contexts
 * of 32 bytes only, and no hub of high speed.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"

static struct page frames[ARENA_FRAMES];
struct page *mem_map = frames;

#include "drivers/usb/xhci_slot.c"

static struct xhci controller;
static struct usb_device device;
static char input[PAGE_SIZE]; /* what the last command has brought */
static int command_error;     /* what commands return */
static bool given_up;

/* ---- what the file uses ---- */

static unsigned int next_frame = 1;

struct page *page_alloc(unsigned int order, unsigned int flags)
{
	struct page *page = frame_page(next_frame++);

	atomic_set(&page->refs, 1);
	return page;
}

void page_free(struct page *page)
{
}

uint64_t time_now(void)
{
	return 0;
}

void xhci_write(struct xhci *to, uint32_t offset, uint32_t value)
{
}

bool xhci_wait(struct xhci *on, const bool *done, uint64_t until)
{
	return false;
}

int xhci_command(struct xhci *to, struct xhci_trb command, unsigned int *slot)
{
	memcpy(input, to->input, PAGE_SIZE);
	if (slot)
		*slot = 5;
	return command_error;
}

void xhci_give_up(struct xhci *controller, const char *why)
{
	given_up = true;
}

int xhci_ring_init(struct xhci_ring *ring)
{
	ring->trbs = page_address_low(page_alloc(0, 0));
	ring->cycle = TRB_CYCLE;
	return 0;
}

void xhci_ring_free(struct xhci_ring *ring)
{
}

uint32_t xhci_ring_put(struct xhci_ring *ring, struct xhci_trb trb)
{
	return 0;
}

uint32_t xhci_ring_next(const struct xhci_ring *ring)
{
	return virt_to_phys((void *)ring->trbs) | ring->cycle;
}

/* ---- cases ---- */

static void start(unsigned int context_size, enum usb_speed speed)
{
	controller = (struct xhci){ .context_size = context_size, .nr_slots = 8 };
	controller.contexts = page_address_low(page_alloc(0, 0));
	controller.input = page_address_low(page_alloc(0, 0));
	device = (struct usb_device){ .speed = speed };
	device.interface = (struct usb_interface){ .endpoint = 3, .packet = 8, .interval = 10 };
	device.slot.controller = &controller;
	device.slot.root_port = 2;
}

/* Word `word` of context `n` of the last command. */
static uint32_t word_of(unsigned int n, unsigned int word)
{
	uint32_t value;

	memcpy(&value, input + n * controller.context_size + 4 * word, sizeof(value));
	return value;
}

/* 6.2.2, 6.2.3 and 6.2.5, with the numbers of the specification. */
static void addresses_a_device(unsigned int context_size)
{
	start(context_size, USB_HIGH);
	must(xhci_slot_open(&device) == 0);
	ok(word_of(0, 0) == 0 && word_of(0, 1) == 3, "the slot and endpoint 0 are added");
	ok(word_of(1, 0) == (3u << 20 | 1u << 27), "the slot has a speed and one more context");
	ok(word_of(1, 1) == 2u << 16, "and its port");
	ok(word_of(2, 1) == (3u << 1 | 4u << 3 | 64u << 16), "endpoint 0 has packets of 64 bytes");
	ok(word_of(2, 2) == xhci_ring_next(&device.slot.control), "and its ring");
	ok(controller.contexts[5] == virt_to_phys(device.slot.contexts), "the slot has its page");
}

CASE(contexts_of_32_bytes)
{
	addresses_a_device(32);
}

CASE(contexts_of_64_bytes)
{
	addresses_a_device(64);
}

static void starts_reports(enum usb_speed speed, unsigned int interval, unsigned int exponent)
{
	start(64, speed);
	must(xhci_slot_open(&device) == 0);
	device.interface.interval = interval;
	must(xhci_start_reports(&device) == 0);
	ok(word_of(0, 1) == (1u | 1u << 7), "the slot and endpoint 3 are added");
	ok(word_of(1, 0) >> 27 == 7, "the slot has 7 more contexts");
	ok(word_of(8, 0) == exponent << 16, "an interval of %u is 2^%u * 125 us", interval,
	   exponent);
	ok(word_of(8, 1) == (3u << 1 | 7u << 3 | 8u << 16), "it sends packets of 8 bytes");
	ok(word_of(8, 4) == (8u << 16 | 8u), "and one of them each time");
}

CASE(intervals)
{
	starts_reports(USB_LOW, 10, 6);
	starts_reports(USB_FULL, 255, 10);
	starts_reports(USB_FULL, 0, 3);
	starts_reports(USB_HIGH, 7, 6);
	starts_reports(USB_HIGH, 0, 0);
	starts_reports(USB_HIGH, 255, 15);
}

CASE(a_slow_device_behind_a_fast_hub)
{
	start(32, USB_LOW);
	device.slot.route = 0x34;
	device.slot.translator = 9;
	device.slot.translator_port = 4;
	must(xhci_slot_open(&device) == 0);
	ok(word_of(1, 0) == (0x34u | 2u << 20 | 1u << 27), "the slot has the route");
	ok(word_of(1, 2) == (9u | 4u << 8), "and the hub that translates");
	ok(word_of(2, 1) >> 16 == 8, "packets have 8 bytes");
}

CASE(a_fast_hub)
{
	start(32, USB_HIGH);
	must(xhci_slot_open(&device) == 0);
	device.hub_ports = 7;
	device.hub_think_time = 3;
	must(xhci_start_reports(&device) == 0);
	ok(word_of(1, 0) & 1u << 26, "the slot is a hub's");
	ok(word_of(1, 1) == (2u << 16 | 7u << 24), "with its ports");
	ok(word_of(1, 2) == 3u << 16, "and the time that it needs between two transfers");
}

/* The controller might still write to the memory of a slot that it has not disabled. */
CASE(a_slot_that_stays)
{
	start(32, USB_HIGH);
	must(xhci_slot_open(&device) == 0);
	given_up = false;
	xhci_slot_close(&device);
	ok(!given_up, "a slot that is disabled is closed");
	must(xhci_slot_open(&device) == 0);
	command_error = -EIO;
	xhci_slot_close(&device);
	command_error = 0;
	ok(given_up, "a controller that does not disable one is stopped first");
}
