/*
 * Commits of ext2 against operations: fs/ext2/metadata.c, commit.c and journal.c.
 */
#include "fs/ext2/journal.h"
#include "small_ext2.h"

/* The timer has just fired, and finds nothing to commit. */
static void commit_is_due(void)
{
	small_mounted();
	small_fs.due = true;
}

/*
 * A transaction of two blocks takes four in the log. Then more than half of it is used, and a
 * checkpoint follows.
 */
static void first_is_checkpointed(void)
{
	small_mounted();
	small_open_log(12);
	small_fs.log.used = 3; /* by older transactions, which have been forgotten */
	small_crashes = true;
}

/* ---- tasks ---- */

/* An operation. Returns the transaction that it belongs to. */
static uint32_t operate(unsigned char byte, int error)
{
	uint32_t id;

	must(ext2_begin(&small_fs) == 0);
	must(ext2_edit(&small_fs, SMALL_A, 0, &byte, 1) == 0);
	must(ext2_edit(&small_fs, SMALL_B, 0, &byte, 1) == 0);
	id = small_fs.running->id;
	must(ext2_end(&small_fs, error) == error);
	return id;
}

static void operation(int last)
{
	for (int byte = 1; byte <= last; byte++)
		(void)operate(byte, 0);
}

static void operation_and_undone_one(int byte)
{
	(void)operate(byte, 0);
	(void)operate(SMALL_UNDONE, -ENOSPC);
}

/* Commit so many times, as the file system's task does for itself. */
static void commit(int times)
{
	while (times-- > 0) {
		must(ext2_commit_wait(&small_fs, 0) == 0);
		must(small_lasting(SMALL_A) == small_lasting(SMALL_B));
	}
}

/* An operation that waits for its commit, and then the end. */
static void operate_and_wait(int unused)
{
	uint32_t id = operate(1, 0);

	must(ext2_commit_wait(&small_fs, id) == 0);
	must(small_stored[SMALL_A] == 1 && small_stored[SMALL_B] == 1);
	must(ext2_commit_stop(&small_fs) == 0);
}

/* An operation, then the timer of the task that commits, which is enough, and then the end. */
static void operate_until_due(int unused)
{
	uint32_t id = operate(1, 0);

	ex_tick();
	wait_event(&small_fs.commit_queue, (int32_t)(small_fs.committed - id) >= 0);
	must(small_stored[SMALL_A] == 1 && small_stored[SMALL_B] == 1);
	must(ext2_commit_stop(&small_fs) == 0);
}

/* ---- what holds in the end ---- */

static unsigned char byte_of(unsigned int block)
{
	unsigned char byte;

	must(ext2_read(&small_fs, block, 0, &byte, 1) == 0);
	return byte;
}

/* One more commit brings everything to the disk. Nothing is lent any more. */
static void lasts(unsigned char byte)
{
	must(byte_of(SMALL_A) == byte && byte_of(SMALL_B) == byte);
	if (!small_fs.stopped) {
		small_fs.task = current;
		commit(1);
	}
	must(small_lasting(SMALL_A) == byte && small_lasting(SMALL_B) == byte);
	small_is_idle();
	must(small_stored[SMALL_A] == byte && small_stored[SMALL_B] == byte);
}

static void one_lasts(void)
{
	lasts(1);
}

static void two_last(void)
{
	lasts(2);
}

SCENARIO(ext2_commit, "a commit lends two blocks that an operation changes", small_mounted,
	 one_lasts, { "commit", commit, 1 }, { "operation", operation, 1 });

SCENARIO(ext2_two_commits, "two commits and two operations", small_mounted, two_last,
	 { "commit", commit, 2 }, { "operations", operation, 2 });

SCENARIO(ext2_undone, "an operation is undone while another one is committed", small_mounted,
	 one_lasts, { "commit", commit, 1 }, { "operations", operation_and_undone_one, 1 });

SCENARIO(ext2_journal,
	 "two operations while a commit goes through the journal, and a checkpoint follows",
	 first_is_checkpointed, two_last, { "commit", commit, 1 }, { "operations", operation, 2 });

SCENARIO(ext2_empty, "a commit that may find nothing to store, and an operation", small_log_is_open,
	 one_lasts, { "commit", commit, 1 }, { "operation", operation, 1 });

SCENARIO(ext2_checkpoint, "two commits, each with a checkpoint, and two operations",
	 first_is_checkpointed, two_last, { "commit", commit, 2 }, { "operations", operation, 2 });

SCENARIO(ext2_wait, "an operation waits for its commit, and then the task that commits ends",
	 small_mounted, one_lasts, { "task", small_task, 0 }, { "operation", operate_and_wait, 0 });

SCENARIO(ext2_due, "an operation is committed when the timer fires, and nobody asks for it",
	 commit_is_due, one_lasts, { "task", small_task, 0 },
	 { "operation", operate_until_due, 0 });
