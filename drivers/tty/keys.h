/*
 * Keys, and what they send to tty1, with the US layout. All keyboards share this.
 *
 * 1. A key has the number of its scan code in set 1. The codes that follow 0xe0 have KEY_EXTENDED
 *    added.
 * 2. A key becomes up to four bytes of input. The arrows and the keys above them send the same
 *    bytes as on a Linux console. Function keys, the keypad and Alt send nothing. Ctrl-Alt-Delete
 *    restarts the machine (reboot(2)).
 * 3. Each keyboard has its own Shift, Ctrl, Alt and Caps Lock.
 */
#ifndef DRIVERS_TTY_KEYS_H
#define DRIVERS_TTY_KEYS_H

#include "lib/types.h"

enum key {
	KEY_EXTENDED = 0x80,
	KEY_CTRL_LEFT = 0x1d,
	KEY_SHIFT_LEFT = 0x2a,
	KEY_SHIFT_RIGHT = 0x36,
	KEY_ALT_LEFT = 0x38,
	KEY_CAPS_LOCK = 0x3a,
	KEY_CTRL_RIGHT = KEY_EXTENDED | 0x1d,
	KEY_ALT_RIGHT = KEY_EXTENDED | 0x38,
	KEY_HOME = KEY_EXTENDED | 0x47,
	KEY_UP = KEY_EXTENDED | 0x48,
	KEY_PAGE_UP = KEY_EXTENDED | 0x49,
	KEY_LEFT = KEY_EXTENDED | 0x4b,
	KEY_RIGHT = KEY_EXTENDED | 0x4d,
	KEY_END = KEY_EXTENDED | 0x4f,
	KEY_DOWN = KEY_EXTENDED | 0x50,
	KEY_PAGE_DOWN = KEY_EXTENDED | 0x51,
	KEY_INSERT = KEY_EXTENDED | 0x52,
	KEY_DELETE = KEY_EXTENDED | 0x53,
	KEY_META_LEFT = KEY_EXTENDED | 0x5b,
	KEY_META_RIGHT = KEY_EXTENDED | 0x5c,
};

/*
 * What a keyboard remembers between two keys. It starts with zeros. One caller at a time may use
 * it.
 */
struct keyboard {
	unsigned int held; /* HELD_*, in keys.c */
	bool caps_lock;
};

/*
 * A key has been pressed, is repeated (`pressed` again), or has been released. Any value is allowed
 * for `key`. One that is unknown does nothing. May be called in an interrupt. The caller holds no
 * lock.
 */
void key_event(struct keyboard *keyboard, uint8_t key, bool pressed);

#endif
