/*
 * acct(2): when a process has ended, a record of it is appended to a file. The format is version 3
 * of acct(5).
 *
 * 1. acct_mutex guards the file, and whether its file system has room. It is held while a record is
 *    written, so records are not mixed.
 * 2. Nothing is written while the file system is nearly full. The three numbers of
 *    /proc/sys/kernel/acct say when: writing goes on with more than the first one of free blocks,
 *    in per cent, and pauses with the second one. The third one is how many seconds later to look
 *    again.
 * 3. The last thread of a process writes the record, after it has given up its memory and its
 *    files, and before the parent is told.
 * 4. A mount is not busy because of the file: unmounting it ends accounting. The process that ends
 *    it, or chooses another file, leaves a last record.
 */
#include "kernel/process/acct.h"
#include "drivers/tty/tty.h"
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "fs/proc/proc.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/process/process.h"
#include "kernel/process/usage.h"
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/vm/iter.h"

enum {			       /* ac_flag */
       ACCT_FORKED = 0x01,     /* has not called exec */
       ACCT_PRIVILEGED = 0x02, /* has used a capability */
       ACCT_KILLED = 0x10,     /* by a signal */
};
#define ACCT_VERSION  3
#define NS_A_TICK     (NSEC_PER_SEC / 100) /* times are in units of 1/100 s */
#define FRACTION_BITS 13
#define POWER_MAX     7
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127

struct acct_record { /* struct acct_v3 */
	uint8_t flag, version;
	uint16_t tty;
	uint32_t exit_status, uid, gid, pid, parent, begun;
	uint32_t elapsed;		       /* a float */
	uint16_t user, system, memory, io, rw; /* these and the next are compressed */
	uint16_t minor_faults, major_faults, swaps;
	char name[TASK_NAME_LEN];
};
_Static_assert(sizeof(struct acct_record) == 64, "struct acct_v3 of Linux");

enum { RESUME, SUSPEND, SECONDS, NR_NUMBERS };

static struct mutex acct_mutex = MUTEX_INIT(acct_mutex);
static struct file *acct_file; /* NULL: accounting is off; may be looked at without the mutex */
static bool has_room;
static uint64_t next_look; /* at the room, by time_now() */
static uint32_t numbers[NR_NUMBERS] = { 4, 2, 30 };

/* ---- numbers of the format ---- */

/* 13 bits and a power of 8, rounded. */
static uint16_t compressed(uint64_t value)
{
	unsigned int power = 0;
	bool up = false;

	while (value >> FRACTION_BITS) {
		up = value & 4;
		value >>= 3;
		power++;
	}
	value += up;
	if (value >> FRACTION_BITS) {
		value >>= 3;
		power++;
	}
	return power > POWER_MAX ? UINT16_MAX : power << FRACTION_BITS | value;
}

/* The bits of a float (IEEE 754) with that value. Lower bits than it has room for are cut off. */
static uint32_t float_bits(uint64_t value)
{
	unsigned int exponent = EXPONENT_BIAS + MANTISSA_BITS;

	if (value == 0)
		return 0;
	for (; value >> (MANTISSA_BITS + 1); value >>= 1)
		exponent++;
	for (; !(value >> MANTISSA_BITS); value <<= 1)
		exponent--;
	return exponent << MANTISSA_BITS | (value & ((1u << MANTISSA_BITS) - 1));
}

static uint64_t ticks(uint64_t ns)
{
	return div_u64(ns, NS_A_TICK, NULL);
}

/* ---- a record ---- */

/* Who the process is, and when it began. tasks_lock is held. */
static struct acct_record begin_record(const struct process *process)
{
	uint64_t elapsed = time_now() - process->started_ns;
	unsigned int tty = process->tty ? process->tty->device : 0;
	struct acct_record record = {
		.version = ACCT_VERSION,
		.tty = MAJOR(tty) << 8 | (MINOR(tty) & 0xff),
		.uid = process->cred.uid,
		.gid = process->cred.gid,
		.pid = process->pid,
		.parent = process->parent ? process->parent->pid : 0,
		.begun = div_u64(time_wall() - elapsed, NSEC_PER_SEC, NULL),
		.elapsed = float_bits(ticks(elapsed)),
	};

	lockdep_held(&tasks_lock);
	strlcpy(record.name, current->name, sizeof(record.name));
	return record;
}

static struct acct_record record_of(struct process *process, unsigned int memory_kib)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct acct_record record = begin_record(process);
	struct usage usage = process_usage(process);

	record.flag = (process->execs ? 0 : ACCT_FORKED) |
		      (process->privileged ? ACCT_PRIVILEGED : 0) |
		      (process->exit_status & 0x7f ? ACCT_KILLED : 0);
	record.exit_status = process->exit_status;
	record.user = compressed(ticks(usage.user));
	record.system = compressed(ticks(usage.system));
	record.memory = compressed(memory_kib);
	record.minor_faults = compressed(usage.minor_faults);
	record.major_faults = compressed(usage.major_faults);
	/* A limit of the process does not bind the record. */
	process->limits[RLIMIT_FSIZE].soft = RLIM_INFINITY;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return record;
}

/* See 2. acct_mutex is held. */
static void look_at_room(struct super_block *sb)
{
	struct fs_statistics st = { 0 };
	uint64_t usable;

	if (time_now() < next_look)
		return;
	next_look = time_now() + numbers[SECONDS] * NSEC_PER_SEC;
	if (sb->ops->statfs)
		sb->ops->statfs(sb, &st);
	usable = (st.free - MIN(st.free, st.kept)) * 100;
	if (has_room && usable <= st.blocks * numbers[SUSPEND])
		has_room = false;
	else if (!has_room && usable >= st.blocks * numbers[RESUME])
		has_room = true;
	else
		return;
	log_info("process accounting %s", has_room ? "goes on" : "pauses: the disk is nearly full");
}

static void append(struct file *file, const struct acct_record *record)
{
	struct iter iter;
	file_off_t pos = 0; /* O_APPEND */

	iter_init_kernel(&iter, (void *)record, sizeof(*record));
	file_tell_moved(file, 1, file->ops->write(file, &iter, &pos));
}

/* Append a record if accounting is on, and the file system has room. acct_mutex is held. */
static void append_if_room(const struct acct_record *record)
{
	if (!acct_file)
		return;
	look_at_room(acct_file->inode->sb);
	if (has_room)
		append(acct_file, record);
}

void acct_process(struct process *process, unsigned int memory_kib)
{
	struct acct_record record;

	if (!READ_ONCE(acct_file))
		return;
	record = record_of(process, memory_kib);
	/* What has killed the task has done its work, and does not interrupt the write. */
	current->finishing = true;
	mutex_lock(&acct_mutex);
	append_if_room(&record);
	mutex_unlock(&acct_mutex);
	current->finishing = false;
}

/* ---- the call ---- */

/*
 * Let another file, or none, take the place of the file, and return that. The last record is that
 * of the process which does this, and tells nothing of what it has used. acct_mutex is held.
 */
static struct file *replace_file(struct file *file)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct acct_record record = begin_record(current->process);
	struct file *old = acct_file;

	spin_unlock_irqrestore(&tasks_lock, flags);
	append_if_room(&record);
	WRITE_ONCE(acct_file, file);
	has_room = false;
	next_look = 0;
	return old;
}

/* Takes over the reference to the file, and puts the old one. */
static int set_file(struct file *file)
{
	int error = mutex_lock_killable(&acct_mutex);
	struct file *old = file;

	if (!error) {
		old = replace_file(file);
		mutex_unlock(&acct_mutex);
	}
	if (old)
		file_put(old);
	return error;
}

/* A mount is about to be unmounted. */
static void leave_mount(const struct mount *mount)
{
	struct file *file = NULL;

	if (mutex_lock_killable(&acct_mutex))
		return; /* it stays busy */
	if (acct_file && acct_file->path.mount == mount)
		file = replace_file(NULL);
	mutex_unlock(&acct_mutex);
	if (file)
		file_put(file);
}

long sys_acct(const char __user *name)
{
	struct file *file;
	struct path path;
	int error;

	if (!capable(CAP_SYS_PACCT))
		return -EPERM;
	if (!name)
		return set_file(NULL);
	error = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	if (error)
		return error;
	file = file_open_path(&path, O_WRONLY | O_APPEND | O_LARGEFILE);
	path_put(&path);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (S_ISREG(file->inode->mode) && file->ops->write)
		return set_file(file);
	error = S_ISREG(file->inode->mode) ? -EIO : refuse(EACCES, "not a regular file");
	file_put(file);
	return error;
}

/* ---- /proc/sys/kernel/acct ---- */

static void acct_show(struct text *text)
{
	text_printf(text, "%u\t%u\t%u\n", numbers[RESUME], numbers[SUSPEND], numbers[SECONDS]);
}

static char *skip(char *at, bool blanks)
{
	while (*at && (*at == ' ' || *at == '\t' || *at == '\n') == blanks)
		at++;
	return at;
}

/* Fewer than three numbers change the first ones. */
static int acct_store(char *input, size_t len)
{
	input = skip(input, true);
	for (unsigned int i = 0; i < NR_NUMBERS && *input; i++) {
		char *end = skip(input, false), *next = skip(end, true);
		int error;

		*end = '\0';
		error = proc_store_number(&numbers[i], input, 0, INT32_MAX);
		if (error)
			return error;
		input = next;
	}
	return 0;
}
PROC_FILE(acct, "sys/kernel/acct", 0644, acct_show, acct_store);

static void acct_init(void)
{
	before_unmount = leave_mount;
}
INITCALL(3, acct_init);
