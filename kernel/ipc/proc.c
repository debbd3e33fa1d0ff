/*
 * /proc/sysvipc, which lists all objects to everybody, as on Linux, and the limits in
 * /proc/sys/kernel.
 */
#include "fs/names/mode.h"
#include "fs/proc/proc.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/ipc/sem.h"
#include "kernel/ipc/shm.h"
#include "kernel/syscall.h"
#include "lib/string.h"

PROC_ENTRY(sysvipc, .path = "sysvipc", .mode = S_IFDIR | 0555);

static void show_all(struct text *text, struct ipc_table *table,
		     void (*show)(struct text *text, struct ipc_object *object))
{
	struct ipc_object *object;

	spin_lock(&table->lock);
	object = ipc_next_locked(table, 0);
	for (; object && !text->full; object = ipc_next_locked(table, ipc_slot(object) + 1)) {
		text_printf(text, "%10d %10d  %4o ", object->key, object->id, object->mode);
		show(text, object);
	}
	spin_unlock(&table->lock);
}

static void show_ids(struct text *text, const struct ipc_object *object)
{
	text_printf(text, " %5u %5u %5u %5u", object->uid, object->gid, object->cuid, object->cgid);
}

static void show_time(struct text *text, int64_t time)
{
	text_printf(text, " %10llu", (unsigned long long)time);
}

static void show_segment(struct text *text, struct ipc_object *object)
{
	const struct shm_segment *segment = shm_of(object);

	text_printf(text, "%10u %5u %5u  %5u", segment->size, segment->creator, segment->last,
		    segment->nr_attached);
	show_ids(text, object);
	show_time(text, segment->atime);
	show_time(text, segment->dtime);
	show_time(text, segment->ctime);
	text_printf(text, " %10u %10u\n", shm_resident(segment) * PAGE_SIZE, 0);
}

static void shm_show(struct text *text)
{
	text_printf(text, "       key      shmid perms       size  cpid  lpid nattch   uid   gid  "
			  "cuid  cgid      atime      dtime      ctime        rss       swap\n");
	show_all(text, &shm_table, show_segment);
}
PROC_FILE(sysvipc_shm, "sysvipc/shm", 0444, shm_show, NULL);

static void show_set(struct text *text, struct ipc_object *object)
{
	const struct sem_set *set = sem_set_of(object);

	text_printf(text, "%10u", set->nr);
	show_ids(text, object);
	show_time(text, set->otime);
	show_time(text, set->ctime);
	text_printf(text, "\n");
}

static void sem_show(struct text *text)
{
	text_printf(text, "       key      semid perms      nsems   uid   gid  cuid  cgid      "
			  "otime      ctime\n");
	show_all(text, &sem_table, show_set);
}
PROC_FILE(sysvipc_sem, "sysvipc/sem", 0444, sem_show, NULL);

static void show_queue(struct text *text, struct ipc_object *object)
{
	const struct msg_queue *queue = msg_queue_of(object);

	text_printf(text, " %10u %10u %5u %5u", queue->bytes, queue->nr, queue->sender,
		    queue->receiver);
	show_ids(text, object);
	show_time(text, queue->stime);
	show_time(text, queue->rtime);
	show_time(text, queue->ctime);
	text_printf(text, "\n");
}

static void msg_show(struct text *text)
{
	text_printf(text, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   "
			  "gid  cuid  cgid      stime      rtime      ctime\n");
	show_all(text, &msg_table, show_queue);
}
PROC_FILE(sysvipc_msg, "sysvipc/msg", 0444, msg_show, NULL);

/* ---- limits ---- */

#define SLOTS_MAX 32768u /* objects in a table */

PROC_NUMBER(shmmax, "sys/kernel/shmmax", shm_max, 0, UINT32_MAX);
PROC_NUMBER(shmall, "sys/kernel/shmall", shm_all, 0, UINT32_MAX);
PROC_NUMBER(shmmni, "sys/kernel/shmmni", shm_table.limit, 0, SLOTS_MAX);
PROC_NUMBER(msgmax, "sys/kernel/msgmax", msg_max, 0, INT32_MAX);
PROC_NUMBER(msgmnb, "sys/kernel/msgmnb", msg_queue_max, 0, INT32_MAX);
PROC_NUMBER(msgmni, "sys/kernel/msgmni", msg_table.limit, 0, SLOTS_MAX);

static void sem_limits_show(struct text *text)
{
	text_printf(text, "%u\t%u\t%u\t%u\n", sem_in_set_max, sem_all_max, sem_ops_max,
		    sem_table.limit);
}

/* Fewer than four numbers change only the first limits. */
static int sem_limits_store(char *input, size_t len)
{
	unsigned int *const limits[] = { &sem_in_set_max, &sem_all_max, &sem_ops_max,
					 &sem_table.limit };
	static const uint32_t highest[] = { SEM_IN_SET_HIGHEST, INT32_MAX, SEM_OPS_HIGHEST,
					    SLOTS_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(limits) && *input && *input != '\n'; i++) {
		char *end = input;
		bool last;
		int error;

		while (*end && *end != ' ' && *end != '\t')
			end++;
		last = !*end;
		*end = '\0';
		error = proc_store_number(limits[i], input, 0, highest[i]);
		if (error || last)
			return error;
		for (input = end + 1; *input == ' ' || *input == '\t'; input++)
			;
	}
	return 0;
}
PROC_FILE(sem_limits, "sys/kernel/sem", 0644, sem_limits_show, sem_limits_store);

/* ---- the id of the next object, for programs that restore a process ---- */

static void show_wish(struct text *text, struct ipc_table *table)
{
	text_printf(text, "%d\n", READ_ONCE(table->wished));
}

static int store_wish(struct ipc_table *table, const char *input)
{
	uint32_t id;
	int error = parse_u32(input, &id);

	if (error)
		return error;
	if (id > INT32_MAX)
		return refuse(EINVAL, "not an id");
	spin_lock(&table->lock);
	table->wished = (int)id;
	spin_unlock(&table->lock);
	return 0;
}

#define NEXT_ID(kind, table)                                                              \
	static void kind##_next_show(struct text *text)                                   \
	{                                                                                 \
		show_wish(text, &(table));                                                \
	}                                                                                 \
	static int kind##_next_store(char *input, size_t len)                             \
	{                                                                                 \
		return store_wish(&(table), input);                                       \
	}                                                                                 \
	PROC_FILE(kind##_next_id, "sys/kernel/" #kind "_next_id", 0644, kind##_next_show, \
		  kind##_next_store)
NEXT_ID(msg, msg_table);
NEXT_ID(sem, sem_table);
NEXT_ID(shm, shm_table);

/* ---- limits of POSIX message queues ---- */

PROC_ENTRY(sys_fs_mqueue, .path = "sys/fs/mqueue", .mode = S_IFDIR | 0555);
PROC_NUMBER(mq_msg_default, "sys/fs/mqueue/msg_default", mqueue_limits.messages_default, 1,
	    MQUEUE_MESSAGES_HARD);
PROC_NUMBER(mq_msg_max, "sys/fs/mqueue/msg_max", mqueue_limits.messages, 1, MQUEUE_MESSAGES_HARD);
PROC_NUMBER(mq_msgsize_default, "sys/fs/mqueue/msgsize_default", mqueue_limits.len_default, 128,
	    MQUEUE_LEN_HARD);
PROC_NUMBER(mq_msgsize_max, "sys/fs/mqueue/msgsize_max", mqueue_limits.len, 128, MQUEUE_LEN_HARD);
PROC_NUMBER(mq_queues_max, "sys/fs/mqueue/queues_max", mqueue_limits.queues, 0, INT32_MAX);
