/*
 * For tests of __kernel_vsyscall: calls of it with all registers as the test wants them.
 */
#ifndef USER_TEST_FASTCALL_H
#define USER_TEST_FASTCALL_H

#include "test.h"

#include <sys/auxv.h>

#define FLAGS_TF 0x100u
#define FLAGS_DF 0x400u
#define FLAGS_NT 0x4000u
#define FLAGS_AC 0x40000u
#define FLAGS_ID 0x200000u

/* What fast_call() loads before the call, and stores after it. */
struct registers {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, eflags;
};

/*
 * All three call *fast_entry. odd_call() does so with null selectors in ds, es and gs, and ds's
 * value in fs. traced_call() has an int3 before the call.
 */
void fast_call(struct registers *registers);
void odd_call(struct registers *registers);
void traced_call(struct registers *registers);
extern char traced_returned[];	  /* where the call in traced_call() returns to */
extern uint32_t odd_selectors[2]; /* fs and gs after odd_call() */

/*
 * Performs a call by `sysenter` here, with any stack. The place to which it returns must lead to
 * raw_back.
 */
long raw_call(long number, uintptr_t stack);
extern char raw_back[];

uintptr_t fast_entry;

#define CALL_WITH(before, label, after)                                                   \
	"	pushal\n"                                                                       \
	"	movl 36(%esp), %eax\n"                                                          \
	"	pushl %eax\n"                                                                   \
	"	pushl 28(%eax)\n"                                                               \
	"	popfl\n"                                                                        \
	"	movl 4(%eax), %ebx\n"                                                           \
	"	movl 8(%eax), %ecx\n"                                                           \
	"	movl 12(%eax), %edx\n"                                                          \
	"	movl 16(%eax), %esi\n"                                                          \
	"	movl 20(%eax), %edi\n"                                                          \
	"	movl 24(%eax), %ebp\n"                                                          \
	"	movl (%eax), %eax\n" before "	call *%cs:fast_entry\n" label "	pushfl\n" \
	"	pushl %eax\n" after "	movl 8(%esp), %eax\n"                               \
	"	movl %ebx, 4(%eax)\n"                                                           \
	"	movl %ecx, 8(%eax)\n"                                                           \
	"	movl %edx, 12(%eax)\n"                                                          \
	"	movl %esi, 16(%eax)\n"                                                          \
	"	movl %edi, 20(%eax)\n"                                                          \
	"	movl %ebp, 24(%eax)\n"                                                          \
	"	popl (%eax)\n"                                                                  \
	"	popl 28(%eax)\n"                                                                \
	"	pushl $0x202\n"                                                                 \
	"	popfl\n"                                                                        \
	"	addl $4, %esp\n"                                                                \
	"	popal\n"                                                                        \
	"	ret\n"

__asm__(".text\n"
	"fast_call:\n" CALL_WITH("", "", "") "traced_call:\n" CALL_WITH(
		"	int3\n", "traced_returned:\n",
		"") "odd_call:\n"
		    "	pushl %gs\n"
		    "	movl 8(%esp), %eax\n"
		    "	pushl %eax\n"
		    "	call odd_call_inner\n"
		    "	addl $4, %esp\n"
		    "	popl %gs\n"
		    "	ret\n"
		    "odd_call_inner:\n" CALL_WITH(
			    "	pushl %ebx\n"
			    "	movl %ds, %ebx\n"
			    "	movl %ebx, %fs\n"
			    "	xorl %ebx, %ebx\n"
			    "	movl %ebx, %ds\n"
			    "	movl %ebx, %es\n"
			    "	movl %ebx, %gs\n"
			    "	popl %ebx\n",
			    "",
			    "	pushl %ss\n"
			    "	popl %ds\n"
			    "	pushl %ss\n"
			    "	popl %es\n"
			    "	movw %fs, odd_selectors\n"
			    "	movw %gs, odd_selectors + 4\n") "raw_call:\n"
								"	pushal\n"
								"	movl %esp, raw_saved\n"
								"	movl 36(%esp), %eax\n"
								"	movl 40(%esp), %ebp\n"
								"	sysenter\n"
								"raw_back:\n"
								"	movl raw_saved, %esp\n"
								"	movl %eax, 28(%esp)\n"
								"	popal\n"
								"	ret\n"
								".local raw_saved\n"
								".comm raw_saved, 4\n"
								".comm odd_selectors, 8\n");

/* Finds two bytes in __kernel_vsyscall, and returns the address of the first, or 0. */
__attribute__((unused)) static uintptr_t find_instruction(const char bytes[2])
{
	const char *entry = (const char *)getauxval(AT_SYSINFO);

	fast_entry = (uintptr_t)entry;
	CHECK(entry);
	for (int i = 0; i < 14; i++)
		if (!memcmp(entry + i, bytes, 2))
			return (uintptr_t)entry + i;
	return 0;
}

/* Where a call returns to, in the vDSO. */
__attribute__((unused)) static uintptr_t landing(void)
{
	uintptr_t at = find_instruction("\xcd\x80"); /* int $0x80 */

	CHECK(at);
	return at + 2;
}

__attribute__((unused)) static bool has_sysenter(void)
{
	return find_instruction("\x0f\x34") != 0;
}

/*
 * Makes a call with distinct arguments. Checks that every register is as it was. Returns the
 * result.
 */
__attribute__((unused)) static long fast(long number, long a, long b, long c, long d, long e,
					 long f)
{
	struct registers r = { number, a, b, c, d, e, f, 0x202 };

	landing();
	fast_call(&r);
	CHECK_EQ(r.ebx, (uint32_t)a);
	CHECK_EQ(r.ecx, (uint32_t)b);
	CHECK_EQ(r.edx, (uint32_t)c);
	CHECK_EQ(r.esi, (uint32_t)d);
	CHECK_EQ(r.edi, (uint32_t)e);
	CHECK_EQ(r.ebp, (uint32_t)f);
	return r.eax;
}

#endif
