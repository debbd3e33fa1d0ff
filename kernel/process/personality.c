/*
 * personality(2): the kind of system that a thread's programs expect.
 *
 * 1. A thread inherits its personality from the thread that created it, and keeps it across exec. A
 *    program that gives its caller other rights starts without the flags that weaken its protection.
 * 2. Only Linux itself is supported, and flags that this kernel obeys or that describe what it does
 *    anyway. Any other personality is refused, because a program would rely on it.
 */
#include "kernel/process/personality.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define PER_LINUX32	   8u	       /* a 32-bit system, as this one is */
#define ADDR_LIMIT_3GB	   0x08000000u /* programs have 3 GiB here anyway */
#define PERSONALITY_KNOWN  (PER_LINUX32 | ADDR_NO_RANDOMIZE | ADDR_LIMIT_3GB)
#define PERSONALITY_NO_SET 0xffffffffu

long sys_personality(uint32_t wanted)
{
	uint32_t old = current->personality;

	if (wanted == PERSONALITY_NO_SET)
		return old;
	if (wanted & ~PERSONALITY_KNOWN)
		return refuse(EINVAL, "a personality that is not supported");
	current->personality = wanted;
	return old;
}

void personality_exec(bool secure)
{
	if (secure)
		current->personality &= ~ADDR_NO_RANDOMIZE;
}
