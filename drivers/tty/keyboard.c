/*
 * The PC keyboard at the i8042 controller. See the IBM PS/2 Technical Reference, "Keyboard and
 * Auxiliary Device Controller". The controller translates scan codes to set 1, which are the
 * numbers of the keys (keys.h).
 *
 * 1. After setup everything happens in the interrupt.
 * 2. Every wait for the controller ends after a while, so that a machine without a controller
 *    boots.
 */
#include "drivers/tty/console.h"
#include "drivers/tty/keys.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"

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
#define MAX_BYTES     64u /* in one interrupt; a broken controller may never run empty */
#define WAIT_NS	      (20 * NSEC_PER_MSEC)

#define CODE_RELEASED 0x80
#define CODE_EXTENDED 0xe0

/* Only the interrupt touches these. */
static struct keyboard keyboard;
static bool extended; /* the last code was 0xe0: the next one is an extended key */

static void receive(uint8_t byte)
{
	uint8_t key = (byte & ~CODE_RELEASED) | (extended ? KEY_EXTENDED : 0);

	extended = byte == CODE_EXTENDED;
	if (!extended)
		key_event(&keyboard, key, !(byte & CODE_RELEASED));
}

static void keyboard_interrupt(void *context)
{
	for (unsigned int i = 0; i < MAX_BYTES && (inb(I8042_STATUS) & STATUS_OUTPUT_FULL); i++)
		receive(inb(I8042_DATA));
}

/* Wait until `bits` of the status are `wanted`. Returns false if they are not in time. */
static bool wait_status(uint8_t bits, uint8_t wanted)
{
	struct time_limit limit = time_limit(WAIT_NS);

	while ((inb(I8042_STATUS) & bits) != wanted) {
		if (time_limit_over(&limit))
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
