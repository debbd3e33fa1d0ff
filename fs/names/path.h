/*
 * Path names as text: components and their hashes. Nothing here touches a file or sleeps. The unit
 * tests on the host run this code.
 */
#ifndef FS_NAMES_PATH_H
#define FS_NAMES_PATH_H

#include "lib/types.h"

struct name { /* one component; not terminated */
	const char *text;
	unsigned int len, hash;
};

/*
 * Read the next component of *rest, and advance *rest to the slash behind it or to the end. Returns
 * 1, 0 if only slashes are left, or -ENAMETOOLONG if the component is longer than NAME_MAX.
 */
int path_component(const char **rest, struct name *name);
/*
 * Returns true if no component follows. Sets *slash if a slash follows, which means that the last
 * component must be a directory.
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
