/* File locks: waiting for a range, freeing it, a kill, and two that would wait for each other. */
#include "fs/file/lock.h"
#include "shim.h"

static struct inode inode;
static struct file files[2]; /* an owner each, of the same inode */
static int inside[2];	     /* how many owners have locked byte 0, and byte 1 */

static void set_up(void)
{
	for (int i = 0; i < 2; i++)
		files[i].inode = &inode;
}

static struct file_lock lock_of(int owner, file_off_t first, file_off_t last)
{
	return (struct file_lock){
		.owner = &files[owner],
		.kind = ADVISORY_RECORD,
		.write = true,
		.first = first,
		.last = last,
		.pid = owner + 1,
	};
}

static void enter(file_off_t at)
{
	must(__atomic_fetch_add(&inside[at], 1, __ATOMIC_SEQ_CST) == 0);
}

static void leave(file_off_t at)
{
	must(__atomic_fetch_sub(&inside[at], 1, __ATOMIC_SEQ_CST) == 1);
}

static void lock_and_unlock(int owner)
{
	struct file_lock lock = lock_of(owner, 0, 0);

	must(lock_set(&files[owner], &lock, true) == 0);
	enter(0);
	leave(0);
	must(lock_clear(&files[owner], &lock) == 0);
}

/* Whoever closes the file takes its locks away. */
static void lock_and_close(int owner)
{
	struct file_lock lock = lock_of(owner, 0, FILE_LOCK_END);

	must(lock_set(&files[owner], &lock, true) == 0);
	enter(0);
	leave(0);
	lock_drop_owner(&files[owner], &files[owner]);
}

static void lock_unless_killed(int owner)
{
	struct file_lock lock = lock_of(owner, 0, 1);
	int error = lock_set(&files[owner], &lock, true);

	must(error == 0 || ex_killed());
	if (error)
		return;
	enter(0);
	leave(0);
	must(lock_clear(&files[owner], &lock) == 0);
}

/*
 * Takes one byte and then the other. If both tasks do that in different orders, one must give up.
 */
static void lock_both(int owner)
{
	struct file_lock first = lock_of(owner, owner, owner),
			 second = lock_of(owner, !owner, !owner);
	int error;

	must(lock_set(&files[owner], &first, true) == 0);
	error = lock_set(&files[owner], &second, true);
	must(error == 0 || error == -EDEADLK);
	if (!error) {
		enter(0);
		leave(0);
	}
	lock_drop_owner(&files[owner], &files[owner]);
}

struct told {
	const void *holder;
	int nr_holders, nr_waiters;
};

static bool note_told(void *context, const struct file_lock *lock, bool waits)
{
	struct told *told = context;

	must(lock->first == 0 && lock->write);
	if (waits) {
		must(lock->owner != told->holder);
		told->nr_waiters++;
	} else {
		must(lock->inode == &inode);
		told->holder = lock->owner;
		told->nr_holders++;
	}
	return true;
}

/* One owner at most has the lock, and waiters are told only behind a lock. */
static void tell_twice(int unused)
{
	struct file file = { .inode = &inode };
	struct told told = { 0 }, told_of_file = { 0 };

	locks_tell(0, note_told, &told);
	must(told.nr_holders <= 1 && told.nr_waiters <= told.nr_holders);
	locks_tell_file(&file, note_told, &told_of_file);
	must(told_of_file.nr_holders <= 1 && told_of_file.nr_waiters == 0);
}

static void kill_first(int unused)
{
	ex_kill(0);
}

static void is_free(void)
{
	must(!inode.locks);
	ex_must_have_freed();
}

SCENARIO(lock_two, "two owners want one byte", set_up, is_free, { "a", lock_and_unlock, 0 },
	 { "b", lock_and_unlock, 1 });

SCENARIO(lock_close, "a lock goes away with its file", set_up, is_free, { "a", lock_and_close, 0 },
	 { "b", lock_and_unlock, 1 });

SCENARIO(lock_killed, "a task is killed while it waits", set_up, is_free,
	 { "killed", lock_unless_killed, 0 }, { "b", lock_and_unlock, 1 },
	 { "killer", kill_first, 0 });

SCENARIO(lock_cross, "two owners that take two bytes in different orders", set_up, is_free,
	 { "a", lock_both, 0 }, { "b", lock_both, 1 });

SCENARIO(lock_told, "/proc/locks and fdinfo are read while locks come, wait and go", set_up,
	 is_free, { "a", lock_and_close, 0 }, { "b", lock_and_unlock, 1 },
	 { "reader", tell_twice, 0 });
