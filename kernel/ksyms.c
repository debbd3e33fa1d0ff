#include "kernel/ksyms.h"
#include "lib/string.h"

/*
 * Made by tools/ksyms: where the first function starts, each one's length up to the next, their
 * names one after the other.
 */
extern const unsigned int ksyms_count, ksyms_first;
extern const unsigned short ksyms_length[];
extern const char ksyms_names[];

const char *ksyms_find(uintptr_t address, unsigned int *offset)
{
	extern const char _init_end[];
	uintptr_t start = ksyms_first;
	const char *name = ksyms_names;

	if (address < start || address >= (uintptr_t)_init_end)
		return NULL;
	for (unsigned int i = 0; i + 1 < ksyms_count && address >= start + ksyms_length[i]; i++) {
		start += ksyms_length[i];
		name += strlen(name) + 1;
	}
	*offset = address - start;
	return name;
}
