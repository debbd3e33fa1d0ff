/*
 * For the scenarios with pipes: pipes, their ends, and tasks that put and take numbered bytes.
 */
#ifndef EXPLORE_PIPES_H
#define EXPLORE_PIPES_H

#include "fs/pipe/pipe.h"
#include "fs/file/open_file.h"
#include "shim.h"

/* Pipe `number` (0, 1) and its ends. */
struct ends {
	struct pipe *pipe;
	struct file reader, writer,
		packets; /* packets: a writer with O_DIRECT, no end of its own */
};
extern struct ends ends[2];

/* A pipe with so many slots, one reader and one writer. */
void pipe_make(int number, unsigned int slots);

/*
 * Each byte is a writer's number (0..3) times 16 plus its place in what that writer writes (0..15).
 * An argument of a task has the writer's number in its high digit, the number of bytes in its low
 * one.
 */
#define FROM(writer, bytes) ((writer)*16 + (bytes))

/* Tasks for pipe 0; each byte is a call of its own. */
void put_bytes(int from);
void put_packets(int from);
void put_and_close(int from);
void put_packets_and_close(int from);
/* All bytes in one call. */
void put_at_once(int from);
/* Read so many bytes, one a call. */
void get_bytes(int n);
/* Read until the end. */
void get_to_end(int unused);
void close_reader(int unused);
/* The same of any pipe. */
void pipe_put_byte(int number, unsigned char byte, bool packet);
/* The byte, or an error; -1 at the end of file. */
int pipe_get_byte(int number);

/*
 * A task that waits for the first slot and looks twice at its first byte, without taking it. The
 * byte is 1 or 2, and the same both times.
 */
void pipe_look_twice(int unused);
/* For checks: pipe 0 has one of these bytes. Takes and returns it, and closes both ends. */
int pipe_must_have(unsigned char one, unsigned char other);

/* A reader has got this byte. */
void got_byte(unsigned char byte);
/* Each writer's bytes below `n` were got once, and in order unless there are several readers. */
void must_have_got(int writer, unsigned int n, bool in_order);
/*
 * Checks at the end of scenarios with pipe 0: writer 0's two bytes were got, in order or in any
 * order, or one byte of writer 0 and one of writer 1. Then nothing is left, and the pipe is at
 * rest.
 */
void pipe_gave_two_in_order(void);
void pipe_gave_two(void);
void pipe_gave_one_of_each(void);
/* Nobody holds or waits for a lock of the pipe, and it is empty; then both ends are closed. */
void pipe_must_be_at_rest(int number);

#endif
