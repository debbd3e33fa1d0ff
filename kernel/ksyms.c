#include "kernel/ksyms.h"

/* Made by tools/ksyms: function starts in ascending order, and where each name begins in ksyms_names. */
extern const unsigned int ksyms_count;
extern const unsigned int ksyms_addr[];
extern const unsigned int ksyms_name_off[];
extern const char ksyms_names[];

const char *ksyms_find(uintptr_t address, unsigned int *offset)
{
	unsigned int low = 0, high = ksyms_count;
	extern const char _text[], _init_end[];

	if (address < (uintptr_t)_text || address >= (uintptr_t)_init_end || !ksyms_count || address < ksyms_addr[0])
		return NULL;
	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (ksyms_addr[middle] <= address)
			low = middle;
		else
			high = middle;
	}
	*offset = address - ksyms_addr[low];
	return ksyms_names + ksyms_name_off[low];
}
