/*
 * Keys: characters and sequences of the US layout. See keys.h.
 */
#include "drivers/tty/console.h"
#include "drivers/tty/keys.h"
#include "kernel/cpu/reboot.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "lib/string.h"

/* The keys that `held` of a keyboard has a bit for. */
#define HELD_SHIFT_LEFT	 0x01u
#define HELD_SHIFT_RIGHT 0x02u
#define HELD_CTRL_LEFT	 0x04u
#define HELD_CTRL_RIGHT	 0x08u
#define HELD_ALT_LEFT	 0x10u
#define HELD_ALT_RIGHT	 0x20u
#define HELD_CAPS_LOCK	 0x40u
#define HELD_SHIFT	 (HELD_SHIFT_LEFT | HELD_SHIFT_RIGHT)
#define HELD_CTRL	 (HELD_CTRL_LEFT | HELD_CTRL_RIGHT)
#define HELD_ALT	 (HELD_ALT_LEFT | HELD_ALT_RIGHT)

/* By key; 0: no character. */
static const char plain[0x3a] =
	"\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0\0\0 ";
static const char shifted[0x3a] =
	"\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0\0\0 ";

static const char *sequence_of(uint8_t key)
{
	switch (key) {
	case KEY_HOME:
		return "\033[1~";
	case KEY_UP:
		return "\033[A";
	case KEY_PAGE_UP:
		return "\033[5~";
	case KEY_LEFT:
		return "\033[D";
	case KEY_RIGHT:
		return "\033[C";
	case KEY_END:
		return "\033[4~";
	case KEY_DOWN:
		return "\033[B";
	case KEY_PAGE_DOWN:
		return "\033[6~";
	case KEY_INSERT:
		return "\033[2~";
	case KEY_DELETE:
		return "\033[3~";
	default:
		return "";
	}
}

static unsigned int held_bit(uint8_t key)
{
	switch (key) {
	case KEY_SHIFT_LEFT:
		return HELD_SHIFT_LEFT;
	case KEY_SHIFT_RIGHT:
		return HELD_SHIFT_RIGHT;
	case KEY_CTRL_LEFT:
		return HELD_CTRL_LEFT;
	case KEY_CTRL_RIGHT:
		return HELD_CTRL_RIGHT;
	case KEY_ALT_LEFT:
		return HELD_ALT_LEFT;
	case KEY_ALT_RIGHT:
		return HELD_ALT_RIGHT;
	case KEY_CAPS_LOCK:
		return HELD_CAPS_LOCK;
	default:
		return 0;
	}
}

static void type_character(const struct keyboard *keyboard, uint8_t key)
{
	bool shift = keyboard->held & HELD_SHIFT;
	bool letter = plain[key] >= 'a' && plain[key] <= 'z';
	char c = shift != (keyboard->caps_lock && letter) ? shifted[key] : plain[key];

	if (c == '\0')
		return;
	if (keyboard->held & HELD_CTRL && c >= 0x40 && c < 0x7f)
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

void key_event(struct keyboard *keyboard, uint8_t key, bool pressed)
{
	unsigned int bit = held_bit(key), before = keyboard->held;

	if (pressed)
		keyboard->held |= bit;
	else
		keyboard->held &= ~bit;
	/* Caps Lock that is held may be repeated. */
	if (keyboard->held & ~before & HELD_CAPS_LOCK)
		keyboard->caps_lock = !keyboard->caps_lock;
	if (!pressed || bit != 0)
		return;
	if (key == KEY_DELETE && keyboard->held & HELD_CTRL && keyboard->held & HELD_ALT)
		restart_keys();
	else if (key < sizeof(plain))
		type_character(keyboard, key);
	else
		tty_input(&screen_tty, sequence_of(key), strlen(sequence_of(key)));
}
