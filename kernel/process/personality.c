/*
 * personality(2): the kind of system that a thread's programs expect.
 *
 * 1. A thread inherits its personality from the thread that created it, and keeps it across exec. A
 *    program that gives its caller other rights starts without the flags that weaken its
 *    protection.
 * 2. Every value is kept and told, as on Linux. Its lowest byte, the kind of system, changes
 *    nothing: programs of other systems do not run here. Of the flags, those in personality.h are
 *    obeyed. The others describe what this kernel does anyway, or concern what it does not have,
 *    such as a mapping of the first page.
 */
#include "kernel/process/personality.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define PERSONALITY_NO_SET 0xffffffffu

long sys_personality(uint32_t wanted)
{
	uint32_t old = current->personality;

	if (wanted != PERSONALITY_NO_SET)
		current->personality = wanted;
	return old;
}

void personality_exec(bool secure)
{
	if (secure)
		current->personality &= ~(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
}
