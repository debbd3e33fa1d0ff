/*
 * The owner of a ring is the process that made it. When memory runs out, the pages in a ring count
 * as those of its owner (kernel/process/oom.h).
 */
#ifndef FS_PIPE_OWNERS_H
#define FS_PIPE_OWNERS_H

#include "fs/pipe/ring.h"

/* Make the current process the owner of a ring. Takes a reference to the process. Never sleeps. */
void ring_register(struct ring *ring);
/* Drop the owner of a ring that is about to be freed. Never sleeps. */
void ring_unregister(struct ring *ring);

#endif
