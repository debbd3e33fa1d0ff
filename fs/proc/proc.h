/*
 * /proc: files that print themselves. Any subsystem can register files, which go into a linker
 * section.
 *
 *	PROC_FILE(meminfo, "meminfo", 0444, meminfo_show, NULL);
 */
#ifndef FS_PROC_PROC_H
#define FS_PROC_PROC_H

#include "kernel/atomic.h"
#include "lib/print.h"
#include "lib/types.h"

struct dir_context;
struct inode;
struct path;
struct file;
struct iter;
struct mm;
struct process;

struct proc_entry {
	const char *path;     /* "sys/vm/drop_caches", or "/pid/stat" for a file of each process */
	unsigned int mode;    /* type and permissions; without a type it is a regular file */
	bool (*exists)(void); /* NULL: always */
	/*
	 * Print the file into `text`. Called when the file is read from its start, and again with a
	 * larger buffer while text->full is set. show_process() prints a file of a process, and
	 * returns 0 or an error. `number` is that of process_file() for a file in a directory
	 * fdinfo, that of the thread for others below /proc/PID/task, otherwise 0. Both may sleep.
	 */
	void (*show)(struct text *text);
	int (*show_process)(struct process *process, unsigned int number, struct text *text);
	/*
	 * For a file of a process that is not text: read or write bytes at *pos, and advance both.
	 * The caller may inspect the process. Returns the number of bytes, or an error. May sleep.
	 */
	ssize_t (*transfer)(struct process *process, struct iter *iter, file_off_t *pos,
			    bool write);
	/*
	 * Process the bytes of one write(2). `input` is a copy of them, terminated by NUL. Returns
	 * 0 or a negative errno. May sleep. NULL: writing returns -EIO.
	 */
	int (*store)(char *input, size_t len);
	/* The same for a file of a process or thread. NULL: writing returns -EINVAL. */
	int (*store_process)(struct process *process, unsigned int number, char *input, size_t len);
	/*
	 * Follow a symbolic link of a process. `number` is that of process_file() for a descriptor,
	 * or the thread of another link below /proc/PID/task, otherwise 0. Writes the path it leads
	 * to, with references, to `result`. Returns 0, -ENOENT or -ENOMEM.
	 */
	int (*link)(struct process *process, unsigned int number, struct path *result);
	/*
	 * Write the text of another symbolic link. Returns its length without the NUL, or an error.
	 */
	ssize_t (*text)(char *buf, size_t size);
	/*
	 * Emit the names of a directory that are numbers, after its other names. In the path of
	 * such a name, "N" stands for the number. Returns 0 or an error. May sleep.
	 */
	int (*numbers)(struct inode *dir, struct dir_context *context);
	bool of_descriptor; /* the number is that of a descriptor, and without the descriptor there is no such name */
};
/*
 * PROC_ENTRY(id, .path = ...) registers an entry. Directories need entries too. The compiler would
 * leave gaps between large structures, which in a section become entries of their own.
 */
#define PROC_ENTRY(id, ...)                                                                      \
	static const struct proc_entry __section(".proc_files." #id) __attribute__((aligned(4))) \
	proc_file_##id = { __VA_ARGS__ }
/* Register a file of the machine. Either function may be NULL. */
#define PROC_FILE(id, file_path, file_mode, show_function, store_function)            \
	PROC_ENTRY(id, .path = file_path, .mode = file_mode, .show = (show_function), \
		   .store = (store_function))

/*
 * Set *number to the decimal number in `input`, as a store function. Returns 0, -EINVAL or -ERANGE.
 * Never sleeps.
 */
int proc_store_number(uint32_t *number, const char *input, uint32_t low, uint32_t high);
/* Register a file with an unsigned int that root may set to a value from `low` to `high`. */
#define PROC_NUMBER(id, file_path, number, low, high)                  \
	static void id##_show(struct text *text)                       \
	{                                                              \
		text_printf(text, "%u\n", READ_ONCE(number));          \
	}                                                              \
	static int id##_store(char *input, size_t len)                 \
	{                                                              \
		return proc_store_number(&(number), input, low, high); \
	}                                                              \
	PROC_FILE(id, file_path, 0644, id##_show, id##_store)

/* ---- between the files of /proc ---- */

/*
 * Returns the address space of a process with a reference, or NULL if it has none (a zombie). Takes
 * tasks_lock.
 */
struct mm *process_mm(struct process *process);
/*
 * Returns an open file of a process with a reference, or NULL if the descriptor is not open. The
 * number is that of a descriptor. If the threads have several tables and the one of thread `tid` is
 * meant, it has `tid` above its lower 16 bits. Never sleeps.
 */
struct file *process_file(struct process *process, unsigned int number);
/* Returns the program file of a process with a reference, or NULL if it has none. May sleep. */
struct file *process_program(struct process *process);

#endif
