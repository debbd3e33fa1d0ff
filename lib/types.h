/*
 * The types that every file uses. Fixed-width integers come from the compiler's <stdint.h>.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __i386__
typedef long ssize_t;
#else
#include <sys/types.h> /* host unit tests */
#endif

typedef int64_t file_off_t;   /* a byte offset in a file; a negative one is an error */
typedef uint64_t phys_addr_t; /* a physical address (PAE: up to 52 bits) */
typedef uint64_t sigmask_t;   /* bit n-1 stands for signal n */

#define PAGE_SHIFT    12
#define PAGE_SIZE     (1u << PAGE_SHIFT)
#define PAGE_MASK     (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((x) + PAGE_SIZE - 1) & PAGE_MASK)

#ifndef DEBUG
#define DEBUG 0
#endif
enum { DEBUG_BUILD = DEBUG }; /* for checks of the debug build: if (DEBUG_BUILD) ... */

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)                   \
	({                          \
		typeof(a) _a = (a); \
		typeof(b) _b = (b); \
		_a < _b ? _a : _b;  \
	})
#define MAX(a, b)                   \
	({                          \
		typeof(a) _a = (a); \
		typeof(b) _b = (b); \
		_a > _b ? _a : _b;  \
	})
#define ALIGN_UP(x, a)	   (((x) + (a)-1) & ~((typeof(x))(a)-1))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define likely(x)	   __builtin_expect(!!(x), 1)
#define unlikely(x)	   __builtin_expect(!!(x), 0)
#define __noinline	   __attribute__((noinline))
#define __user		   /* marks a pointer to user memory (mm/vm/uaccess.h) */
#define __packed	   __attribute__((packed))
#define __noreturn	   __attribute__((noreturn))
#define __printf(f, a)	   __attribute__((format(printf, f, a)))
#define __init		   __attribute__((section(".init.text"), cold))
#define __section(s)	   __attribute__((section(s), used))

/* A function that returns a pointer reports an error as ERR_PTR(-ENOENT), for example. */
#define MAX_ERRNO 4095
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}
static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}
static inline bool IS_ERR(const void *ptr)
{
	return (uintptr_t)ptr >= (uintptr_t)-MAX_ERRNO;
}

#endif
