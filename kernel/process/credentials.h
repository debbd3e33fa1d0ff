/*
 * Changing the credentials of the current process (struct credentials, kernel/task.h).
 */
#ifndef KERNEL_PROCESS_CREDENTIALS_H
#define KERNEL_PROCESS_CREDENTIALS_H

#include "kernel/task.h"

enum { /* securebits, capabilities(7); each is followed by a bit that locks it */
       SECURE_NOROOT = 1u << 0,
       SECURE_NO_SETUID_FIXUP = 1u << 2,
       SECURE_KEEP_CAPS = 1u << 4,
       SECURE_NO_CAP_AMBIENT_RAISE = 1u << 6,
       SECURE_BITS = 0x55,
       SECURE_LOCKS = 0xaa,
};

#define OVERFLOW_ID 65534u
/* Returns a user or group as the older calls report it, in 16 bits: OVERFLOW_ID if it is larger. */
static inline uint16_t id_narrow(uint32_t id)
{
	return id > UINT16_MAX ? OVERFLOW_ID : id;
}

/*
 * Give the current process new credentials. If they let it do more or other things, its memory may
 * hold secrets of both users, so other processes may not inspect it any more. Never sleeps.
 */
void credentials_set(const struct credentials *wanted);
/*
 * May the current task look into the process: at its memory, its files, its program? The caller
 * holds a reference to the process, or tasks_lock. Never sleeps.
 */
bool process_may_inspect(const struct process *process);
/* Is the group `gid`, or one of the other groups of the current process? Never sleeps. */
bool credentials_in_group(uint32_t group, uint32_t gid);
/* May it trace the process, or access its memory? The real ids decide, not those for files. */
bool process_may_trace(const struct process *process);
/*
 * After a call has changed the user ids in `new`, change its capabilities as capabilities(7) says.
 */
void credentials_fix_capabilities(struct credentials *new, const struct credentials *old);

/* The file of a program, in so far as it changes the credentials of those that execute it. */
struct program_rights {
	bool set_uid, set_gid;
	uint32_t uid, gid;
};
/*
 * Work out the credentials of the current process after exec. `shared` says that its working
 * directory is shared with another process, which could then mislead the program. Returns true if
 * the program runs with other rights than its caller (AT_SECURE). Never sleeps.
 */
bool credentials_for_exec(struct credentials *new, const struct program_rights *rights,
			  bool shared);
/*
 * May the current process set its groups, and so many? Returns 0, -EPERM or -EINVAL. Never sleeps.
 * groups_set() then sets them, and returns 0.
 */
long groups_check(unsigned int nr);
long groups_set(unsigned int nr, const uint32_t *groups);
/* The options of prctl(2) that concern capabilities. Returns -EINVAL for others. Never sleeps. */
long credentials_prctl(unsigned long option, const unsigned long arguments[4]);

#endif
