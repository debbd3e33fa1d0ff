/*
 * The personality of a thread: task->personality, as personality(2) sets it.
 */
#ifndef KERNEL_PROCESS_PERSONALITY_H
#define KERNEL_PROCESS_PERSONALITY_H

#include "lib/types.h"

#define ADDR_NO_RANDOMIZE 0x00040000u /* exec places the program's memory at fixed addresses */

/*
 * Set the current thread's personality for the program that exec starts. It stays as it is, but if the
 * program has other rights than its caller (`secure`), it starts without ADDR_NO_RANDOMIZE. Never sleeps.
 */
void personality_exec(bool secure);

#endif
