/*
 * Thread-local storage: set_thread_area(2), and CLONE_SETTLS of clone(2).
 *
 * Each task has three TLS segments, which its program describes with struct user_desc. The only
 * kind is the one that C libraries load into %gs: writable data with 32-bit offsets and a limit in
 * pages.
 */
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

struct user_desc {
	uint32_t entry_number, base, limit, flags;
};

/* user_desc.flags: 32 bits, in pages, usable. An empty one is read-only and not present. */
#define DESC_FLAGS 0x51u
#define DESC_EMPTY 0x28u
#define ENTRY_ANY  0xffffffffu
#define LIMIT_MAX  0xfffffu

static long clear(struct task *task, unsigned int i)
{
	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	task->tls[i] = (struct segment_descriptor){ 0 };
	if (task == current)
		segments_load_tls(task);
	return 0;
}

long tls_set(struct task *task, void __user *address, bool may_choose)
{
	struct user_desc desc;
	unsigned int i;

	if (copy_from_user(&desc, address, sizeof(desc)) < 0)
		return -EFAULT;
	if (desc.flags == DESC_EMPTY && !desc.base && !desc.limit)
		return clear(task, desc.entry_number - SEL_TLS_FIRST);
	if (desc.flags != DESC_FLAGS || desc.limit > LIMIT_MAX)
		return refuse(EINVAL, "only writable 32-bit data segments of whole pages");
	i = desc.entry_number - SEL_TLS_FIRST;
	if (desc.entry_number == ENTRY_ANY && may_choose) {
		for (i = 0; i < NR_TLS && task->tls[i].high; i++)
			;
		if (i == NR_TLS)
			return refuse(ESRCH, "all three TLS segments are in use");
		if (put_user_u32(SEL_TLS_FIRST + i, address) < 0)
			return -EFAULT;
	}
	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	task->tls[i] = segment_for_tls(desc.base, desc.limit);
	if (task == current)
		segments_load_tls(task);
	return 0;
}

/* Describe a segment in the way it was described to tls_set(). */
static struct user_desc describe(const struct segment_descriptor *segment, unsigned int i)
{
	uint32_t low = segment->low, high = segment->high;

	if (!high)
		return (struct user_desc){ SEL_TLS_FIRST + i, 0, 0, DESC_EMPTY };
	return (struct user_desc){
		.entry_number = SEL_TLS_FIRST + i,
		.base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000),
		.limit = (low & 0xffff) | (high & 0xf0000),
		.flags = DESC_FLAGS,
	};
}

long tls_get(const struct task *task, unsigned int entry, void __user *to)
{
	unsigned int i = entry - SEL_TLS_FIRST;
	struct user_desc desc;

	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	desc = describe(&task->tls[i], i);
	return copy_to_user(to, &desc, sizeof(desc));
}

long sys_get_thread_area(void __user *address)
{
	uint32_t entry;

	if (get_user_u32(&entry, address) < 0)
		return -EFAULT;
	return tls_get(current, entry, address);
}

long sys_set_thread_area(void __user *address)
{
	return tls_set(current, address, true);
}
