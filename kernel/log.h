/*
 * The kernel log, which is kept in a ring in memory and written to the consoles. Also assertions,
 * panic and backtraces.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include "lib/types.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/*
 * Log one line, given without its newline. Lines above the level of `loglevel=` go only to the
 * ring. Never sleeps. May be called anywhere, also in an interrupt.
 */
void log_at(enum log_level level, const char *format, ...) __printf(2, 3);

#define log_error(...)	 log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_DEBUG, __VA_ARGS__)

/*
 * A place to which log lines are written, such as the serial port. write() must not sleep. It must
 * not take a lock that a caller of log_at() may hold.
 */
struct log_sink {
	void (*write)(const char *bytes, size_t len);
	struct log_sink *next;
};

/* Add a sink. It first gets all lines that are in the ring. */
void log_add_sink(struct log_sink *sink);

/*
 * Copy up to `size` bytes of the log from *position on, and advance *position. Positions count all
 * bytes that were ever logged, and bytes that the ring has lost are skipped. Returns the number of
 * bytes copied. Never sleeps.
 */
size_t log_read(unsigned int *position, char *buf, size_t size);
#define LOG_RING_SIZE (16u << 10)

/* ---- records: one for each line, in the order in which they were logged ---- */

#define LOG_TEXT_MAX 976u /* the most bytes of a line's text */
struct log_record {
	unsigned int priority; /* 8 times the facility, plus the level, as in syslog(3) */
	uint64_t microseconds; /* of time_now() */
	size_t len;
	char text[LOG_TEXT_MAX];
};
/*
 * Log a line of up to LOG_TEXT_MAX bytes, without its newline, with a priority as above. Never
 * sleeps.
 */
void log_text(unsigned int priority, const char *text, size_t len);
/*
 * Copy the record with this number. Returns 0, -EAGAIN if it has not been logged yet, or -EPIPE if
 * the ring has lost it. Never sleeps.
 */
int log_record_get(unsigned int number, struct log_record *record);
/*
 * Return the number of the first record in the ring that was logged at `position`, as log_read()
 * counts, or later. The number of the next record is returned if there is none. Never sleeps.
 */
unsigned int log_record_from(unsigned int position);
/* Return the number of the oldest record in the ring, or that of the next one. Never sleeps. */
unsigned int log_record_first(void);
/* Return the number that the next record will have. Never sleeps. */
unsigned int log_record_next(void);

/*
 * Let the console show lines below `level`, as syslog(2) counts: 1 to 8. Returns what it was
 * before. Never sleeps. The caller serialises these calls.
 */
int log_set_console(int level);

/*
 * Print a message, the current task, the registers with which the program entered the kernel, and a
 * backtrace. Then stop all CPUs. Only for errors of the kernel itself.
 */
void panic(const char *format, ...) __printf(1, 2) __noreturn;
/* The same for a fault that the CPU reports. `at` has the kernel's registers at the fault. */
struct trap_frame;
void panic_at(const struct trap_frame *at, const char *format, ...) __printf(2, 3) __noreturn;
/*
 * Say in one line why the kernel cannot start on this machine, with what the loader gave it or with
 * these parameters. Then stop all CPUs. Only before the first program runs.
 */
void cannot_start(const char *format, ...) __printf(1, 2) __noreturn;

/*
 * Returns the name of the kernel function that contains `address`, or "?" if there is none. Sets
 * *offset to the distance from the function's start.
 */
const char *symbol_find(uintptr_t address, unsigned int *offset);
/*
 * Follow the call chain from frame pointer `ebp`, and store up to `max` return addresses. A zero
 * follows if there are fewer.
 */
void stack_walk(const void *ebp, uintptr_t *addresses, unsigned int max);
/* The same for a task that does not run. The first address is where it gave up its CPU. */
struct task;
void stack_walk_task(const struct task *task, uintptr_t *addresses, unsigned int max);
/* Print the addresses that stack_walk() stored, with function names. */
void stack_print(const uintptr_t *addresses, unsigned int max);
/* Print the call chain that starts at frame pointer `ebp`, with function names. */
void backtrace(const void *ebp);

#define assert(cond)                                                                      \
	do {                                                                              \
		if (unlikely(!(cond)))                                                    \
			panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)

#endif
