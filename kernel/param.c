/*
 * Parsing of the command line. It is split into words at blanks outside of double quotes. The name
 * of each word is looked up among the parameters that files have declared.
 */
#include "kernel/param.h"
#include "kernel/log.h"
#include "lib/string.h"

char kernel_command_line[COMMAND_LINE_MAX];

extern const struct kernel_param _params_start[], _params_end[];

static void set_param(char *word)
{
	char *value = strchr(word, '=');
	const struct kernel_param *param;

	if (value)
		*value++ = '\0';
	else
		value = word + strlen(word);
	for (param = _params_start; param < _params_end; param++) {
		if (strcmp(param->name, word) != 0)
			continue;
		if (param->set(value) < 0)
			log_warning("kernel parameter %s: bad value '%s' ignored, still %s (%s)",
				    word, value, *param->value, param->help);
		else
			*param->value = value;
		return;
	}
	log_warning("unknown kernel parameter '%s' ignored", word);
}

void params_parse(void)
{
	static char words[COMMAND_LINE_MAX];
	char *at = words;

	strlcpy(words, kernel_command_line, sizeof(words));
	while (*at) {
		char *start, *to;
		bool quoted = false;

		while (*at == ' ')
			at++;
		start = to = at;
		while (*at && (*at != ' ' || quoted)) {
			if (*at == '"')
				quoted = !quoted;
			else
				*to++ = *at;
			at++;
		}
		if (*at)
			at++;
		*to = '\0';
		if (*start)
			set_param(start);
	}
}
