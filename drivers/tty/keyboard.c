/*
 * The PC keyboard at the i8042 controller, with the US layout. It is the input of tty1. See the IBM PS/2
 * Technical Reference, "Keyboard and Auxiliary Device Controller". The controller translates scan codes
 * to set 1.
 *
 * 1. After setup everything happens in the interrupt. A scan code becomes up to four bytes of input.
 * 2. The arrows and the keys above them send the same bytes as on a Linux console. Function keys, the
 *    keypad and Alt send nothing. Ctrl-Alt-Delete restarts the machine (reboot(2)).
 * 3. Every wait for the controller ends after a while, so that a machine without a controller boots.
 */
#include "drivers/tty/console.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/cpu/reboot.h"
#include "kernel/log.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
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
#define MAX_BYTES 64u /* in one interrupt; a broken controller may never run empty */
#define WAIT_NS	  (20 * NSEC_PER_MSEC)

enum scan_code {
	KEY_RELEASED = 0x80,
	KEY_EXTENDED = 0xe0,
	KEY_CTRL = 0x1d,
	KEY_SHIFT_LEFT = 0x2a,
	KEY_SHIFT_RIGHT = 0x36,
	KEY_ALT = 0x38,
	KEY_CAPS_LOCK = 0x3a,
	KEY_HOME = 0x47,
	KEY_DELETE = 0x53,
};

/* By scan code; 0: no character. */
static const char plain[0x3a] =
	"\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0\0\0 ";
static const char shifted[0x3a] =
	"\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0\0\0 ";
/* The extended keys from Home on. */
static const char *const extended_keys[] = { "\033[1~", "\033[A",  "\033[5~", NULL,	 "\033[D",
					     NULL,	"\033[C",  NULL,      "\033[4~", "\033[B",
					     "\033[6~", "\033[2~", "\033[3~" };

/* Only the interrupt touches these. */
static bool shift, ctrl, alt, caps_lock;
static bool extended; /* the last code was 0xe0: the next one is an extended key */

static void type_character(uint8_t code)
{
	bool letter = plain[code] >= 'a' && plain[code] <= 'z';
	char c = shift != (caps_lock && letter) ? shifted[code] : plain[code];

	if (c == '\0')
		return;
	if (ctrl && c >= 0x40 && c < 0x7f)
		c &= 0x1f;
	tty_input(&screen_tty, &c, 1);
}

/* Ctrl-Alt-Delete */
static void restart_keys(void)
{
	const struct signal_info info = { .code = SI_KERNEL };
	unsigned int flags;

	if (reboot_on_keys) {
		reboot_now();
		return;
	}
	flags = spin_lock_irqsave(&tasks_lock);
	(void)signal_send_locked(init_process, NULL, SIGINT, &info);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

static void receive(uint8_t byte)
{
	uint8_t code = byte & ~KEY_RELEASED;
	bool pressed = !(byte & KEY_RELEASED), was_extended = extended;

	extended = byte == KEY_EXTENDED;
	if (extended)
		return;
	if (code == KEY_CTRL) {
		ctrl = pressed;
	} else if (code == KEY_ALT) {
		alt = pressed;
	} else if (was_extended && code == KEY_DELETE && ctrl && alt) {
		if (pressed)
			restart_keys();
	} else if (was_extended) {
		if (pressed && code >= KEY_HOME && code - KEY_HOME < ARRAY_SIZE(extended_keys) &&
		    extended_keys[code - KEY_HOME])
			tty_input(&screen_tty, extended_keys[code - KEY_HOME],
				  strlen(extended_keys[code - KEY_HOME]));
	} else if (code == KEY_SHIFT_LEFT || code == KEY_SHIFT_RIGHT) {
		shift = pressed;
	} else if (code == KEY_CAPS_LOCK) {
		caps_lock ^= pressed;
	} else if (pressed && code < sizeof(plain)) {
		type_character(code);
	}
}

static void keyboard_interrupt(void *context)
{
	for (unsigned int i = 0; i < MAX_BYTES && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
		receive(inb(I8042_DATA));
}

/* Wait until `bits` of the status are `wanted`. Returns false if they are not in time. */
static bool wait_status(uint8_t bits, uint8_t wanted)
{
	uint64_t deadline = time_now() + WAIT_NS;

	while ((inb(I8042_STATUS) & bits) != wanted) {
		if (time_now() > deadline)
			return false;
	}
	return true;
}

static bool send(uint16_t port, uint8_t byte)
{
	if (!wait_status(STATUS_INPUT_FULL, 0))
		return false;
	outb(port, byte);
	return true;
}

/* Enable the keyboard, its interrupt and the translation to set 1. Disable the mouse. */
static bool set_up(void)
{
	uint8_t config;

	if (!send(I8042_COMMAND, COMMAND_DISABLE_KEYBOARD) ||
	    !send(I8042_COMMAND, COMMAND_DISABLE_MOUSE))
		return false;
	for (unsigned int i = 0; i < 16 && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
		(void)inb(I8042_DATA);
	if (!send(I8042_COMMAND, COMMAND_READ_CONFIG) ||
	    !wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
		return false;
	config = inb(I8042_DATA) | CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE;
	config &= ~(CONFIG_MOUSE_IRQ | CONFIG_KEYBOARD_OFF);
	return send(I8042_COMMAND, COMMAND_WRITE_CONFIG) && send(I8042_DATA, config) &&
	       send(I8042_COMMAND, COMMAND_ENABLE_KEYBOARD);
}

int __init keyboard_start(void)
{
	if (inb(I8042_STATUS) == 0xff || !set_up()) {
		log_info("keyboard: no controller");
		return 0;
	}
	return irq_request(KEYBOARD_IRQ, false, keyboard_interrupt, NULL);
}
