/*
 * /proc: files that print themselves. Any subsystem registers its own, in a linker section.
 */
#ifndef FS_PROC_PROC_H
#define FS_PROC_PROC_H

#include "lib/print.h"
#include "lib/types.h"

struct dentry;
struct file;
struct mm;
struct process;

struct proc_entry {
	const char *path;  /* "sys/vm/drop_caches"; of what each process has: "/pid/stat" */
	unsigned int mode; /* with its type; no type: a regular file */
	/*
	 * A file: fill `text` (called again with a larger buffer while text->full) when it is read
	 * from its start; or, show_process, the same of a process: 0, -ENOMEM. Both may sleep.
	 */
	void (*show)(struct text *text);
	int (*show_process)(struct process *process, struct text *text);
	/* What one write(2) brought (a copy, NUL-terminated): 0 or -errno. NULL: -EINVAL. */
	int (*store)(char *input, size_t len);
	/* A link of a process (fd: of its number): the path to where it leads. ERR_PTR(-ENOENT). */
	struct dentry *(*link)(struct process *process, unsigned int fd);
};
/* PROC_ENTRY(id, .path = ...); directories have entries of their own. */
#define PROC_ENTRY(id, ...)                                          \
	static const struct proc_entry __section(".proc_files." #id) \
		proc_file_##id = { __VA_ARGS__ }
/* PROC_FILE(meminfo, "meminfo", mode, show, store): either function may be NULL. */
#define PROC_FILE(id, file_path, file_mode, show_function, store_function)            \
	PROC_ENTRY(id, .path = file_path, .mode = file_mode, .show = (show_function), \
		   .store = (store_function))

/* ---- between the files of /proc ---- */

/* The address space of a process, with a reference, for /proc; NULL: kernel task or dead. */
struct mm *process_mm(struct process *process);
/* Its program: the file that is mapped lowest, with a reference; NULL. May sleep. */
struct file *process_program(struct process *process);

#endif
