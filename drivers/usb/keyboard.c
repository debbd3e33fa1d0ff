/*
 * USB keyboards, by the boot protocol (Device Class Definition for Human Interface Devices 1.11,
 * 7.2 and appendices B and F; HID Usage Tables, chapter 10).
 *
 * 1. A report is 8 bytes: the modifier keys as bits, and up to six other keys that are pressed.
 *    What has changed since the last report has been pressed or released.
 * 2. The key that was pressed last is repeated until it is released. The keyboard does not do that.
 * 3. The light of Caps Lock follows keys.h. To switch it takes a request, so work() does that.
 */
#include "drivers/tty/console.h"
#include "drivers/tty/keys.h"
#include "drivers/usb/usb.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

/* HID 4.2, 4.3 */
#define CLASS_HID	  3
#define SUBCLASS_BOOT	  1
#define PROTOCOL_KEYBOARD 1
/* HID 7.2 */
#define SET_REPORT	0x09
#define SET_IDLE	0x0a
#define SET_PROTOCOL	0x0b
#define BOOT_PROTOCOL	0
#define OUTPUT_REPORT	(2u << 8)
#define LIGHT_CAPS_LOCK 0x02
/* HID B.1 */
#define REPORT_BYTES	8u
#define REPORT_KEYS	2u /* the keys begin here */
#define TOO_MANY_KEYS	1  /* in place of a key: more keys are pressed than fit */

#define REPEAT_FIRST_NS (500 * NSEC_PER_MSEC)
#define REPEAT_NS	(40 * NSEC_PER_MSEC)

/* Keys (keys.h) by their number in a report, which is their usage; 0: it sends nothing. */
static const uint8_t keys[0x53] =
	"\0\0\0\0\x1e\x30\x2e\x20\x12\x21\x22\x23\x17\x24\x25\x26\x32" /* 4: A to M */
	"\x31\x18\x19\x10\x13\x1f\x14\x16\x2f\x11\x2d\x15\x2c"	       /* N to Z */
	"\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"		       /* 1 to 9, 0 */
	"\x1c\x01\x0e\x0f\x39" /* Enter, Escape, Backspace, Tab, Space */
	"\x0c\x0d\x1a\x1b\x2b\x2b\x27\x28\x29\x33\x34\x35" /* - = [ ] \ twice, ; ' ` , . / */
	"\x3a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* Caps Lock, F1 to F12, Print, Scroll Lock, Pause */
	"\xd2\xc7\xc9\xd3\xcf\xd1"	     /* Insert, Home, Page Up, Delete, End, Page Down */
	"\xcd\xcb\xd0\xc8";		     /* Right, Left, Down, Up */
static const uint8_t modifiers[] = {
	KEY_CTRL_LEFT,	KEY_SHIFT_LEFT,	 KEY_ALT_LEFT,	KEY_META_LEFT,
	KEY_CTRL_RIGHT, KEY_SHIFT_RIGHT, KEY_ALT_RIGHT, KEY_META_RIGHT
};

struct usb_keyboard {
	struct keyboard keyboard;
	uint8_t report[REPORT_BYTES]; /* the last one */
	uint8_t repeated;	      /* a key; 0: none */
	bool light;		      /* the light of Caps Lock is on */
};

static uint8_t key_of(uint8_t usage)
{
	return usage < sizeof(keys) ? keys[usage] : 0;
}

static bool has_key(const uint8_t *report, uint8_t usage)
{
	for (unsigned int i = REPORT_KEYS; i < REPORT_BYTES; i++)
		if (report[i] == usage)
			return true;
	return false;
}

static void change_modifiers(struct usb_keyboard *keyboard, uint8_t now)
{
	uint8_t changed = now ^ keyboard->report[0];

	for (unsigned int i = 0; i < sizeof(modifiers); i++)
		if (changed & 1u << i)
			key_event(&keyboard->keyboard, modifiers[i], now & 1u << i);
}

static void release(struct usb_keyboard *keyboard, uint8_t usage)
{
	uint8_t key = key_of(usage);

	if (key == 0)
		return;
	key_event(&keyboard->keyboard, key, false);
	if (key == keyboard->repeated)
		keyboard->repeated = 0;
}

static void press(struct usb_device *device, uint8_t usage)
{
	struct usb_keyboard *keyboard = device->private;
	uint8_t key = key_of(usage);

	if (key == 0)
		return;
	key_event(&keyboard->keyboard, key, true);
	keyboard->repeated = key;
	device->alarm = time_now() + REPEAT_FIRST_NS;
}

static void keyboard_report(struct usb_device *device, const uint8_t *report, unsigned int len)
{
	struct usb_keyboard *keyboard = device->private;

	if (len < REPORT_BYTES || report[REPORT_KEYS] == TOO_MANY_KEYS)
		return;
	change_modifiers(keyboard, report[0]);
	for (unsigned int i = REPORT_KEYS; i < REPORT_BYTES; i++)
		if (!has_key(report, keyboard->report[i]))
			release(keyboard, keyboard->report[i]);
	for (unsigned int i = REPORT_KEYS; i < REPORT_BYTES; i++)
		if (!has_key(keyboard->report, report[i]))
			press(device, report[i]);
	memcpy(keyboard->report, report, REPORT_BYTES);
	if (keyboard->keyboard.caps_lock != keyboard->light)
		usb_want_work(device);
}

static void keyboard_alarm(struct usb_device *device)
{
	struct usb_keyboard *keyboard = device->private;

	if (keyboard->repeated == 0)
		return;
	key_event(&keyboard->keyboard, keyboard->repeated, true);
	device->alarm = time_now() + REPEAT_NS;
}

/* A request of the class, to the interface, with at most a byte. */
static int class_request(struct usb_device *device, uint8_t request, uint16_t value,
			 const uint8_t *byte)
{
	const struct usb_request set = {
		.type = USB_CLASS | USB_TO_INTERFACE,
		.request = request,
		.value = value,
		.index = device->interface.number,
		.length = byte ? 1 : 0,
	};

	return usb_request(device, &set, (void *)byte);
}

/* A keyboard without the light may refuse the request. */
static void keyboard_work(struct usb_device *device)
{
	struct usb_keyboard *keyboard = device->private;
	uint8_t lights;

	keyboard->light = keyboard->keyboard.caps_lock;
	lights = keyboard->light ? LIGHT_CAPS_LOCK : 0;
	(void)class_request(device, SET_REPORT, OUTPUT_REPORT, &lights);
}

static bool keyboard_matches(const struct usb_interface *interface)
{
	return interface->class == CLASS_HID && interface->subclass == SUBCLASS_BOOT &&
	       interface->protocol == PROTOCOL_KEYBOARD && screen_tty.driver;
}

/*
 * Use the boot protocol, and send reports only when something has changed. A keyboard that knows
 * nothing else may refuse both.
 */
static int keyboard_start_device(struct usb_device *device)
{
	struct usb_keyboard *keyboard = kzalloc(sizeof(*keyboard), 0);
	int error = keyboard ? class_request(device, SET_PROTOCOL, BOOT_PROTOCOL, NULL) : -ENOMEM;

	if (!error || error == -EPIPE)
		error = class_request(device, SET_IDLE, 0, NULL);
	if (error && error != -EPIPE) {
		kfree(keyboard);
		return error;
	}
	device->private = keyboard;
	usb_want_work(device); /* the light is off */
	return 0;
}

static void keyboard_stop(struct usb_device *device)
{
	kfree(device->private);
}

static const struct usb_driver keyboard_driver = {
	.name = "keyboard",
	.matches = keyboard_matches,
	.start = keyboard_start_device,
	.report = keyboard_report,
	.alarm = keyboard_alarm,
	.work = keyboard_work,
	.stop = keyboard_stop,
};
USB_DRIVER(keyboard_driver);
