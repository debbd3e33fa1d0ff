/*
 * The system calls with information about the whole machine: sysinfo, syslog. Structures have the
 * layout of Linux/i386.
 */
#include "kernel/syscalls.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

/* struct sysinfo of Linux/i386; memory is counted in units of `mem_unit` bytes. */
struct sysinfo {
	int32_t uptime;
	uint32_t loads[NR_LOADS];
	uint32_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
	uint16_t procs, pad;
	uint32_t total_high, free_high;
	uint32_t mem_unit;
	char padding[8];
};

long sys_sysinfo(void __user *buf)
{
	struct memory_stats memory;
	struct sysinfo info = { .mem_unit = PAGE_SIZE };

	memcpy(info.loads, sched_loads, sizeof(info.loads));
	memory_stats(&memory);
	info.uptime = div_u64(time_now(), NSEC_PER_SEC, NULL);
	info.total_ram = memory.total;
	info.free_ram = memory.free;
	info.total_high = memory.total - memory.low_total;
	info.free_high = memory.free - memory.low_free;
	info.procs = MIN(atomic_read(&nr_tasks), UINT16_MAX);
	return copy_to_user(buf, &info, sizeof(info));
}
