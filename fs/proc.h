/*
 * /proc: files that print themselves. Any subsystem registers its own, in a linker section.
 */
#ifndef FS_PROC_H
#define FS_PROC_H

#include "lib/print.h"
#include "lib/types.h"

/*
 * PROC_FILE("meminfo", mode, show, store): show fills `text` (called again with a larger buffer
 * while text->full) when the file is read from its start; store gets what one write(2) brought (a
 * copy, NUL-terminated) and returns 0 or -errno. Either may be NULL. Both may sleep. Directories in
 * the path ("sys/vm/drop_caches") are made as needed.
 */
struct proc_entry {
	const char *path;
	unsigned int mode; /* 0444, 0644, 0200 */
	void (*show)(struct text *text);
	int (*store)(char *input, size_t len);
};
#define PROC_FILE(id, file_path, file_mode, show_function, store_function) \
	static const struct proc_entry __section(".proc_files." #id)       \
		proc_file_##id = { file_path, file_mode, show_function, store_function }

#endif
