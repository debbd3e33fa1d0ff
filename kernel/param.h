/*
 * Kernel parameters: `name=value` or `name` words of the boot command line, parsed in one place.
 * A file declares what it takes. An unknown word is named in the log and ignored, and so is a bad value, with
 * the value that stays.
 */
#ifndef KERNEL_PARAM_H
#define KERNEL_PARAM_H

#include "lib/types.h"

struct kernel_param {
	const char *name;
	int (*set)(const char *value); /* it stays; "" if there was no '='. <0: it is bad */
	const char *help;
	const char *
		*value; /* what is in force, for messages: the default, or the last good value */
};

/*
 * KERNEL_PARAM(loglevel, set_loglevel, "6", "0..7: ..."): without the word the level is 6. set_loglevel runs
 * before any memory exists.
 */
#define KERNEL_PARAM(param, function, without, text)                  \
	static const char *param_value_##param = without;             \
	static const struct kernel_param __section(".params." #param) \
		param_##param = { #param, function, text, &param_value_##param }

/* Calls the setters for kernel_command_line. Once, at boot, before there is memory. */
void params_parse(void);

/* The whole command line, for /proc/cmdline. */
#define COMMAND_LINE_MAX 1024
extern char kernel_command_line[COMMAND_LINE_MAX];

#endif
