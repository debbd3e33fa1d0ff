/*
 * Kernel parameters: the words `name=value` or `name` of the boot command line.
 *
 *	KERNEL_PARAM(loglevel, set_loglevel, "6", "0..7: ...");
 *
 * Each file declares its own parameters. An unknown word is named in the log and ignored. So is a
 * bad value, and the log also names the value that stays in force.
 */
#ifndef KERNEL_PARAM_H
#define KERNEL_PARAM_H

#include "lib/types.h"

struct kernel_param {
	const char *name;
	/*
	 * Called at boot, before memory can be allocated. `value` is "" if the word has no '='. The
	 * string is never freed. Returns < 0 if the value is bad.
	 */
	int (*set)(const char *value);
	const char *help;   /* the values that it takes */
	const char **value; /* for messages: the last good value, or the default */
};

/* `without` is the value that is in force without the word. */
#define KERNEL_PARAM(param, function, without, text) \
	KERNEL_PARAM_NAMED(param, #param, function, without, text)
/* The same for a name with a dot, which the C identifier `param` cannot be. */
#define KERNEL_PARAM_NAMED(param, name, function, without, text)      \
	static const char *param_value_##param = without;             \
	static const struct kernel_param __section(".params." #param) \
		param_##param = { name, function, text, &param_value_##param }

/* Call set() for each word of kernel_command_line. Called once, at boot. */
void params_parse(void);

/* The whole command line, for /proc/cmdline. */
#define COMMAND_LINE_MAX 1024
extern char kernel_command_line[COMMAND_LINE_MAX];

#endif
