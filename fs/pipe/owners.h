/*
 * Who made a ring. When memory runs out, the pages in a ring count as its maker's (kernel/process/oom.h).
 */
#ifndef FS_PIPE_OWNERS_H
#define FS_PIPE_OWNERS_H

#include "fs/pipe/ring.h"

/* The current process has made the ring. Takes a reference to it. Never sleeps. */
void ring_register(struct ring *ring);
/* The ring is about to be freed. Never sleeps. */
void ring_unregister(struct ring *ring);

#endif
