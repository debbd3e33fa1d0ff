/* /proc/sysvipc, which lists all objects to everybody, as on Linux, and the limits in /proc/sys/kernel. */
#include "fs/names/mode.h"
#include "fs/proc/proc.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/ipc/sem.h"
#include "kernel/ipc/shm.h"
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

static void shmmax_show(struct text *text)
{
	text_printf(text, "%u\n", SHM_MAX);
}
PROC_FILE(shmmax, "sys/kernel/shmmax", 0444, shmmax_show, NULL);

static void shmall_show(struct text *text)
{
	text_printf(text, "%u\n", SHM_ALL);
}
PROC_FILE(shmall, "sys/kernel/shmall", 0444, shmall_show, NULL);

static void shmmni_show(struct text *text)
{
	text_printf(text, "%u\n", SHM_NR);
}
PROC_FILE(shmmni, "sys/kernel/shmmni", 0444, shmmni_show, NULL);

static void sem_limits_show(struct text *text)
{
	text_printf(text, "%u\t%u\t%u\t%u\n", SEM_NR_IN_SET, SEM_NR, SEM_NR_OPS, SEM_NR_SETS);
}
PROC_FILE(sem_limits, "sys/kernel/sem", 0444, sem_limits_show, NULL);

static void msgmax_show(struct text *text)
{
	text_printf(text, "%u\n", MSG_MAX);
}
PROC_FILE(msgmax, "sys/kernel/msgmax", 0444, msgmax_show, NULL);

static void msgmnb_show(struct text *text)
{
	text_printf(text, "%u\n", MSG_QUEUE_MAX);
}
PROC_FILE(msgmnb, "sys/kernel/msgmnb", 0444, msgmnb_show, NULL);

static void msgmni_show(struct text *text)
{
	text_printf(text, "%u\n", MSG_NR_QUEUES);
}
PROC_FILE(msgmni, "sys/kernel/msgmni", 0444, msgmni_show, NULL);

/* ---- limits of POSIX message queues ---- */

PROC_ENTRY(sys_fs_mqueue, .path = "sys/fs/mqueue", .mode = S_IFDIR | 0555);

static void mqueue_messages_show(struct text *text)
{
	text_printf(text, "%u\n", MQUEUE_MESSAGES);
}
PROC_FILE(msg_default, "sys/fs/mqueue/msg_default", 0444, mqueue_messages_show, NULL);
PROC_FILE(msg_max, "sys/fs/mqueue/msg_max", 0444, mqueue_messages_show, NULL);

static void mqueue_len_show(struct text *text)
{
	text_printf(text, "%u\n", MQUEUE_LEN);
}
PROC_FILE(msgsize_default, "sys/fs/mqueue/msgsize_default", 0444, mqueue_len_show, NULL);
PROC_FILE(msgsize_max, "sys/fs/mqueue/msgsize_max", 0444, mqueue_len_show, NULL);

static void mqueue_queues_show(struct text *text)
{
	text_printf(text, "%u\n", MQUEUE_QUEUES);
}
PROC_FILE(queues_max, "sys/fs/mqueue/queues_max", 0444, mqueue_queues_show, NULL);
