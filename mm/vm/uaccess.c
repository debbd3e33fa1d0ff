/*
 * Copies from and to user memory.
 *
 * 1. Every instruction here that accesses user memory has an entry in the exception table. After a
 *    fault that cannot be resolved, execution continues at the fixup, and the copy returns how far
 *    it came.
 * 2. Counts are exact to the byte. If a wide copy faults, a string move of words repeats the step
 *    that failed. If that faults, single bytes are copied up to the one that is not accessible.
 * 3. With SMAP, user memory can be accessed only between user_access_begin() and user_access_end().
 *    Their instructions are 3-byte no-ops until uaccess_init() patches them, so they need no
 *    branch.
 */
#include "mm/vm/usercopy.h"
#include "kernel/cpu/cpu.h"
#include "lib/string.h"
#include "mm/page.h"

#define STRING_PIECE 128u /* bytes of a string that are copied at once; divides a page */

struct smap_site {
	uint8_t *address;
	uint32_t opcode; /* third byte of stac, clac */
};
extern const struct smap_site _smap_sites_start[], _smap_sites_end[];

void user_access_stop(void)
{
	user_access_end();
}

void uaccess_init(void)
{
	if (!cpu_has.smap)
		return;
	for (const struct smap_site *site = _smap_sites_start; site < _smap_sites_end; site++) {
		site->address[0] = 0x0f;
		site->address[1] = 0x01;
		site->address[2] = site->opcode;
	}
}

/* The contract is in mm/vm/usercopy.h. */
size_t user_copy_steps(void *dst, const void *src, size_t n)
{
	size_t whole = n & ~(WIDE_COPY_STEP - 1);
	ssize_t at = -(ssize_t)whole;
	char saved[WIDE_COPY_STEP];

	WIDE_COPY(dst + whole, src + whole, at, saved,
		  EX_TABLE("10b", "18b") EX_TABLE("11b", "18b") EX_TABLE("12b", "18b")
			  EX_TABLE("13b", "18b") EX_TABLE("14b", "18b") EX_TABLE("15b", "18b")
				  EX_TABLE("16b", "18b") EX_TABLE("17b", "18b"));
	return whole + at;
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	return !user_range_ok(src, n) || user_copy(dst, src, n) > 0 ? -EFAULT : 0;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	return !user_range_ok(dst, n) || user_copy(dst, src, n) > 0 ? -EFAULT : 0;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	return user_range_ok(src, n) ? user_copy_nofault(dst, src, n) : 0;
}

int clear_user(void __user *dst, size_t n)
{
	size_t words = n / 4;

	if (!user_range_ok(dst, n))
		return -EFAULT;
	user_access_begin();
	__asm__ volatile("1:	rep stosl\n"
			 "	movl %2, %0\n"
			 "2:	rep stosb\n"
			 "3:\n"
			 "	.pushsection .text.fixup, \"ax\"\n"
			 "4:	leal (%2, %0, 4), %0\n"
			 "	jmp 2b\n"
			 "	.popsection\n" EX_TABLE("1b", "4b") EX_TABLE("2b", "3b")
			 : "+c"(words), "+D"(dst)
			 : "r"(n % 4), "a"(0)
			 : "memory");
	user_access_end();
	return words ? -EFAULT : 0;
}

/* Move operand 2 to operand 1. If that faults, set operand 0 to operand 3. */
#define MOVE_WORD                             \
	"1:	movl %2, %1\n"                    \
	"2:\n"                                \
	"	.pushsection .text.fixup, \"ax\"\n" \
	"3:	movl %3, %0\n"                    \
	"	jmp 2b\n"                           \
	"	.popsection\n" EX_TABLE("1b", "3b")

/* Copy one 32-bit word, between user_access_begin() and user_access_end(). Return 0 or -EFAULT. */
static inline int load_word(uint32_t *value, const uint32_t __user *src)
{
	int error = 0;

	__asm__ volatile(MOVE_WORD : "+r"(error), "=r"(*value) : "m"(*src), "i"(-EFAULT));
	return error;
}

static inline int store_word(uint32_t value, uint32_t __user *dst)
{
	int error = 0;

	__asm__ volatile(MOVE_WORD : "+r"(error), "=m"(*dst) : "r"(value), "i"(-EFAULT));
	return error;
}

int get_user_u64(uint64_t *value, const void __user *src)
{
	uint32_t *words = (uint32_t *)value;
	int error;

	if (!user_range_ok(src, sizeof(*value)))
		return -EFAULT;
	user_access_begin();
	error = load_word(&words[0], src);
	if (!error)
		error = load_word(&words[1], src + sizeof(words[0]));
	user_access_end();
	return error;
}

int put_user_u64(uint64_t value, void __user *dst)
{
	int error;

	if (!user_range_ok(dst, sizeof(value)))
		return -EFAULT;
	user_access_begin();
	error = store_word(value, dst);
	if (!error)
		error = store_word(value >> 32, dst + sizeof(uint32_t));
	user_access_end();
	return error;
}

int user_exchange_nofault(uint32_t __user *at, uint32_t *old, uint32_t new)
{
	int error = 0;

	if (!user_range_ok(at, sizeof(*at)))
		return -EFAULT;
	pagefault_disable();
	user_access_begin();
	__asm__ volatile("1:	lock cmpxchgl %3, %1\n"
			 "2:\n"
			 "	.pushsection .text.fixup, \"ax\"\n"
			 "3:	movl %4, %0\n"
			 "	jmp 2b\n"
			 "	.popsection\n" EX_TABLE("1b", "3b")
			 : "+r"(error), "+m"(*at), "+a"(*old)
			 : "r"(new), "i"(-EFAULT)
			 : "memory", "cc");
	user_access_end();
	pagefault_enable();
	return error;
}

ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size)
{
	size_t done = 0;

	while (done < size) {
		/*
		 * A piece ends within the page that has the end of the string. Most strings are
		 * short.
		 */
		size_t n = MIN(size - done, STRING_PIECE - (uintptr_t)(src + done) % STRING_PIECE);
		size_t len;

		if (copy_from_user(dst + done, src + done, n) < 0)
			return -EFAULT;
		len = strnlen(dst + done, n);
		done += len;
		if (len < n)
			return done;
	}
	return -ENAMETOOLONG;
}
