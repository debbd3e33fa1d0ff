/*
 * Files in /proc/sys that programs read, and whose values this kernel never changes, and the
 * identifiers in /proc/sys/kernel/random.
 */
#include "fs/proc/proc.h"
#include "fs/names/mode.h"
#include "kernel/mutex.h"
#include "kernel/random.h"

/* A file with a constant text. */
#define FACT(id, path, value)                     \
	static void id##_show(struct text *text)  \
	{                                         \
		text_printf(text, "%s\n", value); \
	}                                         \
	PROC_FILE(id, path, 0444, id##_show, NULL)

/* Nothing taints this kernel: it has no modules, and a fault of its own is a panic. */
FACT(tainted, "sys/kernel/tainted", "0");
/* What calls with 16-bit numbers return for a user or group with a larger number. */
FACT(overflow_uid, "sys/kernel/overflowuid", "65534");
FACT(overflow_gid, "sys/kernel/overflowgid", "65534");
FACT(fs_overflow_uid, "sys/fs/overflowuid", "65534");
FACT(fs_overflow_gid, "sys/fs/overflowgid", "65534");
/* MMAP_MIN */
FACT(mmap_min_addr, "sys/vm/mmap_min_addr", "65536");
/* No memory is kept free: a task that finds none waits for write-back. */
FACT(min_free_kbytes, "sys/vm/min_free_kbytes", "0");
/*
 * Mappings that are obviously too large are refused, and all others are granted: the heuristic,
 * mode 0.
 */
FACT(overcommit_memory, "sys/vm/overcommit_memory", "0");
/* Nothing is swapped out. */
FACT(swappiness, "sys/vm/swappiness", "0");
/* When memory runs out, a process is killed. */
FACT(panic_on_oom, "sys/vm/panic_on_oom", "0");

/*
 * A program of SCHED_RR has the CPU for RR_TICKS ticks. Urgent programs may take all of the time.
 */
FACT(sched_rr_timeslice, "sys/kernel/sched_rr_timeslice_ms", "100");
FACT(sched_rt_period, "sys/kernel/sched_rt_period_us", "1000000");
FACT(sched_rt_runtime, "sys/kernel/sched_rt_runtime_us", "-1");
/* Everybody may read the log. */
FACT(dmesg_restrict, "sys/kernel/dmesg_restrict", "0");

/* ---- random numbers and identifiers ---- */

PROC_ENTRY(sys_kernel_random, .path = "sys/kernel/random", .mode = S_IFDIR | 0555);

/* In bits. The pool is never empty. */
FACT(entropy_available, "sys/kernel/random/entropy_avail", "256");
FACT(entropy_pool_size, "sys/kernel/random/poolsize", "256");

#define UUID_BYTES 16

/* Make a random UUID, of version 4 and variant 1. [RFC 4122, 4.4] */
static void uuid_make(uint8_t *uuid)
{
	random_bytes(uuid, UUID_BYTES);
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

static void uuid_print(struct text *text, const uint8_t *uuid)
{
	for (unsigned int i = 0; i < UUID_BYTES; i++)
		text_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			    uuid[i]);
	text_printf(text, "\n");
}

/* Each read makes another one. */
static void uuid_show(struct text *text)
{
	uint8_t uuid[UUID_BYTES];

	uuid_make(uuid);
	uuid_print(text, uuid);
}
PROC_FILE(random_uuid, "sys/kernel/random/uuid", 0444, uuid_show, NULL);

/* The same until the machine stops. It is made by the first read. */
static void boot_id_show(struct text *text)
{
	static struct mutex lock = MUTEX_INIT(lock);
	static uint8_t id[UUID_BYTES];

	if (mutex_lock_killable(&lock))
		return;
	if (!id[6])
		uuid_make(id);
	mutex_unlock(&lock);
	uuid_print(text, id);
}
PROC_FILE(random_boot_id, "sys/kernel/random/boot_id", 0444, boot_id_show, NULL);
