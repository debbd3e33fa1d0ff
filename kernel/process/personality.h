/*
 * The personality of a thread: task->personality, as personality(2) sets it.
 */
#ifndef KERNEL_PROCESS_PERSONALITY_H
#define KERNEL_PROCESS_PERSONALITY_H

#include "lib/types.h"

#define UNAME26		  0x00020000u /* uname tells a release 2.6 */
#define ADDR_NO_RANDOMIZE 0x00040000u /* exec places the program's memory at fixed addresses */
#define READ_IMPLIES_EXEC 0x00400000u /* memory that can be read can be executed */
#define STICKY_TIMEOUTS \
	0x04000000u /* select and poll do not write back what is left of the timeout */

/*
 * Set the current thread's personality for the program that exec starts. It stays as it is, but if
 * the program has other rights than its caller (`secure`), it starts without ADDR_NO_RANDOMIZE and
 * READ_IMPLIES_EXEC. Never sleeps.
 */
void personality_exec(bool secure);

#endif
