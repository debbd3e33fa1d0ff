/*
 * Thread-local storage: three segments of each task in the GDT, which user programs describe by
 * struct user_desc (set_thread_area(2)). Only what C libraries load into %gs: writable data with
 * 32-bit offsets, its limit counted in pages.
 */
#include "kernel/syscalls.h"
#include "kernel/process.h"
#include "kernel/trap.h"
#include "mm/uaccess.h"

struct user_desc {
	uint32_t entry_number, base, limit, flags;
};

/* user_desc.flags: 32 bits, in pages, usable. */
#define DESC_FLAGS 0x51u
#define ENTRY_ANY  0xffffffffu
#define LIMIT_MAX  0xfffffu
/* The same in the upper word of a descriptor (SDM vol. 3, 3.4.5): present, level 3, writable. */
#define SEG_USER_DATA 0x00d0f200u

static unsigned int free_entry(const struct task *task)
{
	for (unsigned int i = 0; i < NR_TLS; i++)
		if (task->tls[i].high == 0)
			return i;
	return NR_TLS;
}

long tls_set(struct task *task, void __user *address, bool may_choose)
{
	struct user_desc desc;
	unsigned int i;

	if (copy_from_user(&desc, address, sizeof(desc)) < 0)
		return -EFAULT;
	if (desc.flags != DESC_FLAGS || desc.limit > LIMIT_MAX)
		return refuse(EINVAL, "only writable 32-bit data segments of whole pages");
	i = desc.entry_number - SEL_TLS_FIRST;
	if (desc.entry_number == ENTRY_ANY && may_choose) {
		i = free_entry(task);
		if (i == NR_TLS)
			return refuse(ESRCH, "all three TLS segments are in use");
		if (put_user_u32(SEL_TLS_FIRST + i, address) < 0)
			return -EFAULT;
	}
	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	task->tls[i] = (struct segment_descriptor){
		.low = (desc.base & 0xffff) << 16 | (desc.limit & 0xffff),
		.high = (desc.base & 0xff000000) | (desc.base >> 16 & 0xff) |
			(desc.limit & 0xf0000) | SEG_USER_DATA,
	};
	if (task == current)
		segments_load_tls(task);
	return 0;
}

long sys_set_thread_area(void __user *address)
{
	return tls_set(current, address, true);
}
