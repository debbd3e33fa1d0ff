/*
 * The kernel log: kept in a ring in memory and written to the consoles; assertions and panic.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include "lib/types.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/* One line, without its newline. Lines above the `loglevel=` go to the ring only. Never sleeps;
 * callable from anywhere, interrupts included. */
void log_at(enum log_level level, const char *format, ...) __printf(2, 3);

#define log_error(...)	 log_at(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_at(LOG_DEBUG, __VA_ARGS__)

/* Something that gets log lines, e.g. the serial port: write must not sleep nor take a lock that a
 * log caller may hold. */
struct log_sink {
	void (*write)(const char *bytes, size_t len);
	struct log_sink *next;
};

/* Adds a sink, which first gets what the log holds so far. */
void log_add_sink(struct log_sink *sink);

/*
 * Copy what was logged from *position on (counted in bytes ever logged), as much as fits, and
 * advance it; what the ring has lost by then is skipped. Returns the number of bytes. Never sleeps.
 */
size_t log_read(unsigned int *position, char *buf, size_t size);
#define LOG_RING_SIZE (16u << 10)

/*
 * Prints the message, task, registers (those with which the program entered the kernel) and
 * backtrace, stops all CPUs. For a wrong kernel only.
 */
void panic(const char *format, ...) __printf(1, 2) __noreturn;
/* The same, where the CPU itself found the fault: `at` has the kernel's registers there. */
struct trap_frame;
void panic_at(const struct trap_frame *at, const char *format, ...) __printf(2, 3) __noreturn;

/* The kernel's function that holds `address`, and the distance from its start; "?": none. */
const char *symbol_find(uintptr_t address, unsigned int *offset);
/*
 * The call chain that starts at frame pointer `ebp`: `max` return addresses at most, and behind a
 * shorter chain a zero.
 */
void stack_walk(const void *ebp, uintptr_t *addresses, unsigned int max);
/* The same of a task that does not run: where it gave up its CPU, and its callers. */
struct task;
void stack_walk_task(const struct task *task, uintptr_t *addresses, unsigned int max);
/* Print what stack_walk() found, with function names. */
void stack_print(const uintptr_t *addresses, unsigned int max);
/* Print the call chain that starts at frame pointer `ebp`, with function names. */
void backtrace(const void *ebp);

#define assert(cond)                                                                      \
	do {                                                                              \
		if (unlikely(!(cond)))                                                    \
			panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)

#endif
