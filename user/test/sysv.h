/* The lists of System V's objects in /proc/sysvipc. */
#ifndef USER_TEST_SYSV_H
#define USER_TEST_SYSV_H

#include "text_files.h"

/*
 * Check that a list begins with the line `head`, and that just one of its lines begins with
 * `start`. Returns the rest of the list from there on.
 */
__attribute__((unused)) static const char *listed_object(const char *name, const char *head,
							 const char *start)
{
	const char *at = contents("/proc/sysvipc/%s", name), *found = NULL;

	CHECK(!strncmp(at, head, strlen(head)));
	while ((at = strchr(at, '\n')) != NULL) {
		at++;
		if (strncmp(at, start, strlen(start)))
			continue;
		CHECK(!found);
		found = at;
	}
	CHECK(found);
	return found;
}

#endif
