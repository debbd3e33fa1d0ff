/*
 * For scenarios with system calls: descriptors, and files that are sources and sinks of slots.
 */
#ifndef EXPLORE_FILES_H
#define EXPLORE_FILES_H

#include "pipes.h"

/* The descriptors, the same for all tasks. */
enum { FD_READ0, FD_WRITE0, FD_READ1, FD_WRITE1, FD_FILE, FD_MADE, FD_MAX = FD_MADE + 3 };

/*
 * Open the pipes that were made, and a file: one with these operations, or that one. In setup,
 * last.
 */
void files_open(const struct file_ops *ops);
void files_open_file(struct file *file);
extern struct inode file_inode;

/* A system call that makes files put them at FD_MADE and behind. For checks: close one of them. */
void files_close_made(int fd);

/* A sink that takes the first byte of what it is offered, and the bytes it took. */
extern const struct file_ops one_byte_sink;
/* A source of one byte that is there: number 0 of writer 3. */
extern const struct file_ops one_byte_source;
/* The same as a file with a position, and its position. */
extern const struct file_ops one_byte_file;
long long file_position(void);

/*
 * A source of the two bytes 0 and 1 of writer 3, which a disk is still reading: file_inode's page
 * 0. As a sink, the file throws away what it gets, like /dev/null. The disk is a task:
 * disk_serve(n) ends the next n reads. The first one ends with an error if disk_failing is set, and
 * as one that was not started if reader_killed is set.
 */
extern const struct file_ops cold_source;
void cold_page_make(void);
void disk_serve(int n);
extern bool disk_failing, reader_killed;
/* Wait for the page as read(2) does, and return 0 or an error. */
int cold_page_wait(void);
/* The page leaves the file before it was read, as by truncate. False: it is being read again. */
bool cold_page_lose(void);
/* The cache's own reference goes. For checks. */
void cold_page_put(void);

/* splice(2) or tee(2); negative errors. */
long splice_bytes(int from, int to, size_t len);
long splice_byte(int from, int to, unsigned int flags);
long tee_byte(int from, int to);
/* A task that moves n bytes from pipe 0 to pipe 1, one at a time. */
void move_bytes(int n);
/* For checks: read what is left in the pipe, without waiting. */
void pipe_drain(int number);

#endif
