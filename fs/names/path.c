/*
 * Path names as text. See fs/names/path.h.
 *
 * 1. A path consists of components between slashes. Several slashes count as one.
 * 2. Only '/' and the terminator are special here. The caller treats "." and "..".
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "fs/names/path.h"

#define NAME_LIMIT 255	       /* NAME_MAX of fs/names/vfs.h */
#define FNV_BASIS  2166136261u /* Fowler, Noll, Vo: FNV-1a, 32 bits */
#define FNV_PRIME  16777619u

int path_component(const char **rest, struct name *name)
{
	const char *p = *rest;
	unsigned int hash = FNV_BASIS;

	while (*p == '/')
		p++;
	name->text = p;
	for (; *p && *p != '/'; p++)
		hash = (hash ^ (unsigned char)*p) * FNV_PRIME;
	name->len = p - name->text;
	name->hash = hash;
	*rest = p;
	if (name->len > NAME_LIMIT)
		return -ENAMETOOLONG;
	return name->len > 0;
}

bool path_at_end(const char *rest, bool *slash)
{
	*slash = *rest == '/';
	while (*rest == '/')
		rest++;
	return !*rest;
}
