/*
 * The PC keyboard at the i8042 controller: US layout, feeds tty1. IBM PS/2 Technical Reference,
 * "Keyboard and Auxiliary Device Controller"; scan code set 1, into which the controller
 * translates.
 *
 * 1. Everything after setup happens in the interrupt: a scan code becomes up to five bytes of
 *    input.
 * 2. Arrows and function keys send what a Linux console sends; Alt puts ESC in front.
 * 3. Every wait for the controller ends after a while: a machine without one boots on.
 */
#include "drivers/vga.h"
#include "kernel/cpu.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "lib/string.h"

enum i8042 {
	I8042_DATA = 0x60,
	I8042_STATUS = 0x64,
	I8042_COMMAND = 0x64,
	STATUS_OUTPUT_FULL = 1,
	STATUS_INPUT_FULL = 2,
	COMMAND_READ_CONFIG = 0x20,
	COMMAND_WRITE_CONFIG = 0x60,
	COMMAND_DISABLE_MOUSE = 0xa7,
	COMMAND_DISABLE_KEYBOARD = 0xad,
	COMMAND_ENABLE_KEYBOARD = 0xae,
	CONFIG_KEYBOARD_IRQ = 0x01,
	CONFIG_MOUSE_IRQ = 0x02,
	CONFIG_KEYBOARD_OFF = 0x10,
	CONFIG_TRANSLATE = 0x40,
	KEYBOARD_IRQ = 1,
};
#define MAX_BYTES 64u /* of one interrupt; more: the controller is broken */
#define WAIT_NS	  (20 * NSEC_PER_MSEC)

enum scan_code {
	KEY_RELEASED = 0x80,
	KEY_EXTENDED = 0xe0,
	KEY_PAUSE = 0xe1,
	KEY_CTRL = 0x1d,
	KEY_SHIFT_LEFT = 0x2a,
	KEY_SHIFT_RIGHT = 0x36,
	KEY_ALT = 0x38,
	KEY_CAPS_LOCK = 0x3a,
	KEY_KEYPAD_SLASH = 0x35,
	KEY_KEYPAD_ENTER = 0x1c,
};

/* By scan code; 0: no character. */
static const char plain[0x3a] =
	"\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[0x3a] =
	"\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
/* The keypad from scan code 0x47 on: its characters, and what its keys are without NumLock. */
static const char keypad[] = "789-456+1230.";

struct key_text {
	uint8_t code;
	const char *text;
};
static const struct key_text special_keys[] = {
	{ 0x3b, "\033[[A" },  { 0x3c, "\033[[B" },  { 0x3d, "\033[[C" },  { 0x3e, "\033[[D" },
	{ 0x3f, "\033[[E" },  { 0x40, "\033[17~" }, { 0x41, "\033[18~" }, { 0x42, "\033[19~" },
	{ 0x43, "\033[20~" }, { 0x44, "\033[21~" }, { 0x57, "\033[23~" }, { 0x58, "\033[24~" },
};
static const struct key_text extended_keys[] = {
	{ 0x47, "\033[1~" }, { 0x48, "\033[A" },	 { 0x49, "\033[5~" },
	{ 0x4b, "\033[D" },  { 0x4d, "\033[C" },	 { 0x4f, "\033[4~" },
	{ 0x50, "\033[B" },  { 0x51, "\033[6~" },	 { 0x52, "\033[2~" },
	{ 0x53, "\033[3~" }, { KEY_KEYPAD_ENTER, "\r" }, { KEY_KEYPAD_SLASH, "/" },
};

/* Only the interrupt touches these. */
static bool shift, ctrl, alt, caps_lock;
static bool extended;	     /* 0xe0 came: the next code is of the second set of keys */
static unsigned int to_skip; /* bytes of the Pause key that still come */

static void type(const char *bytes, size_t len)
{
	tty_input(&vga_tty, bytes, len);
}

static void type_special(const struct key_text *keys, unsigned int nr, uint8_t code)
{
	for (unsigned int i = 0; i < nr; i++) {
		if (keys[i].code == code)
			type(keys[i].text, strlen(keys[i].text));
	}
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void type_character(uint8_t code)
{
	bool upper = shift != (caps_lock && is_letter(plain[code]));
	char bytes[2] = { '\033', upper ? shifted[code] : plain[code] };

	if (bytes[1] == '\0')
		return;
	if (ctrl && bytes[1] == ' ')
		bytes[1] = '\0';
	else if (ctrl && bytes[1] >= 0x3f && bytes[1] < 0x7f)
		bytes[1] = bytes[1] == '?' ? 0x7f : bytes[1] & 0x1f;
	if (alt)
		type(bytes, 2);
	else
		type(bytes + 1, 1);
}

/* True if the key is one that changes what others mean. */
static bool track_modifier(uint8_t code, bool pressed)
{
	switch (code) {
	case KEY_SHIFT_LEFT:
	case KEY_SHIFT_RIGHT:
		shift = pressed;
		return true;
	case KEY_CTRL:
		ctrl = pressed;
		return true;
	case KEY_ALT:
		alt = pressed;
		return true;
	case KEY_CAPS_LOCK:
		caps_lock ^= pressed;
		return true;
	}
	return false;
}

static void receive(uint8_t byte)
{
	uint8_t code = byte & ~KEY_RELEASED;
	bool pressed = !(byte & KEY_RELEASED);

	if (to_skip > 0) {
		to_skip--;
	} else if (byte == KEY_PAUSE) {
		to_skip = 2;
	} else if (byte == KEY_EXTENDED) {
		extended = true;
	} else if (extended) {
		extended = false; /* 0xe0 0x2a: a shift that the keyboard makes up */
		if (code != KEY_SHIFT_LEFT && code != KEY_SHIFT_RIGHT &&
		    !track_modifier(code, pressed) && pressed)
			type_special(extended_keys, ARRAY_SIZE(extended_keys), code);
	} else if (!track_modifier(code, pressed) && pressed) {
		if (code < sizeof(plain))
			type_character(code);
		else if (code >= 0x47 && code < 0x47 + sizeof(keypad) - 1)
			type(&keypad[code - 0x47], 1);
		else
			type_special(special_keys, ARRAY_SIZE(special_keys), code);
	}
}

static void keyboard_interrupt(void *context)
{
	for (unsigned int i = 0; i < MAX_BYTES && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
		receive(inb(I8042_DATA));
}

/* Wait until the bits of the status are as wanted; false: they never were. */
static bool wait_status(uint8_t bits, uint8_t wanted)
{
	uint64_t deadline = time_now() + WAIT_NS;

	while ((inb(I8042_STATUS) & bits) != wanted) {
		if (time_now() > deadline)
			return false;
	}
	return true;
}

static bool command(uint8_t byte)
{
	if (!wait_status(STATUS_INPUT_FULL, 0))
		return false;
	outb(I8042_COMMAND, byte);
	return true;
}

/* Keyboard on, with its interrupt and translation to set 1; mouse off. */
static bool set_up(void)
{
	uint8_t config;

	if (!command(COMMAND_DISABLE_KEYBOARD) || !command(COMMAND_DISABLE_MOUSE))
		return false;
	for (unsigned int i = 0; i < 16 && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
		(void)inb(I8042_DATA);
	if (!command(COMMAND_READ_CONFIG) || !wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
		return false;
	config = inb(I8042_DATA);
	config |= CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE;
	config &= ~(CONFIG_MOUSE_IRQ | CONFIG_KEYBOARD_OFF);
	if (!command(COMMAND_WRITE_CONFIG) || !wait_status(STATUS_INPUT_FULL, 0))
		return false;
	outb(I8042_DATA, config);
	return command(COMMAND_ENABLE_KEYBOARD);
}

int __init keyboard_start(void)
{
	if (inb(I8042_STATUS) == 0xff || !set_up()) {
		log_info("keyboard: no controller");
		return 0;
	}
	return irq_request(KEYBOARD_IRQ, false, keyboard_interrupt, NULL, "keyboard");
}
