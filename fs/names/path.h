/*
 * Path names as text: components and their hash. Touches no file; the host's unit tests run it.
 */
#ifndef FS_NAMES_PATH_H
#define FS_NAMES_PATH_H

#include "lib/types.h"

struct name { /* one component; not terminated */
	const char *text;
	unsigned int len, hash;
};

/*
 * The next component of *rest, which moves behind it (to its slash, or the end): 1; 0 if nothing
 * but slashes is left; -ENAMETOOLONG if it is longer than NAME_MAX.
 */
int path_component(const char **rest, struct name *name);
/*
 * Does no component follow? *slash: a slash does, so that the last component must be a
 * directory.
 */
bool path_at_end(const char *rest, bool *slash);

static inline bool name_is_dot(const struct name *name)
{
	return name->len == 1 && name->text[0] == '.';
}

static inline bool name_is_dotdot(const struct name *name)
{
	return name->len == 2 && name->text[0] == '.' && name->text[1] == '.';
}

#endif
