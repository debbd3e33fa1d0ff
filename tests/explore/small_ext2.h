/*
 * For scenarios with commits of ext2: a file system with a disk that writes at once. An operation
 * gives the blocks SMALL_A and SMALL_B the same byte, and the numbers of operations grow. With a
 * journal, the two are equal after each write when the log has been replayed, as a mount after a
 * crash would do it.
 */
#ifndef EXPLORE_SMALL_EXT2_H
#define EXPLORE_SMALL_EXT2_H

#include "fs/ext2/ext2.h"
#include "shim.h"

#define SMALL_A	     10u
#define SMALL_B	     12u
#define SMALL_BLOCKS 16u /* those behind them are the journal's, and the first is its superblock */
#define SMALL_UNDONE 99	 /* a byte that never lasts */

extern struct ext2_fs small_fs;
extern struct super_block small_super;
extern unsigned char small_stored[SMALL_BLOCKS]; /* the first byte of each block on the disk */
extern bool small_crashes; /* after each write, it is as if there were a crash */
/* Called before a commit block is written. In setup. */
extern void (*small_at_commit_block)(void);

/* Mount the file system. Task 0 is the one that commits. For setup, as the next three. */
void small_mounted(void);
/* A block that has been read. */
void small_add_block(unsigned int block);
/* The file system has a journal with so many blocks. */
void small_open_log(unsigned int blocks);
/* The same with room for all transactions, and each write is followed by a crash. */
void small_log_is_open(void);
/* A file without bytes of its own. Its size is stored in that block. */
void small_make_file(struct inode *inode, struct ext2_inode *own, unsigned int block);

/* What a mount would find in a block after a crash. */
unsigned char small_lasting(unsigned int block);
/* The file system's task. */
void small_task(int unused);
/* For checks: nothing is being committed, the journal is empty, and nothing is lent any more. */
void small_is_idle(void);

#endif
