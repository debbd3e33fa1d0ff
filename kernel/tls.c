/*
 * Thread-local storage: three segments of each task in the GDT, which user programs describe by
 * struct user_desc (set_thread_area(2)). Only data segments with 32-bit offsets: what C libraries
 * load into %gs.
 */
#include "kernel/syscalls.h"
#include "kernel/tls.h"
#include "kernel/trap.h"
#include "mm/uaccess.h"

struct user_desc {
	uint32_t entry_number, base, limit, flags;
};

/* user_desc.flags */
#define DESC_32BIT	 0x01u
#define DESC_CONTENTS	 0x06u /* 0 data, 2 expands down, 4 and 6 code */
#define DESC_CODE	 0x04u
#define DESC_READ_ONLY	 0x08u
#define DESC_PAGES	 0x10u /* the limit counts pages */
#define DESC_NOT_PRESENT 0x20u
#define DESC_USEABLE	 0x40u
#define DESC_ALL	 0x7fu
#define DESC_EMPTY	 (DESC_READ_ONLY | DESC_NOT_PRESENT)

#define ENTRY_ANY	 0xffffffffu
#define LIMIT_MAX	 0xfffffu

/* The upper word of a descriptor: SDM vol. 3, 3.4.5. */
#define SEG_PRESENT_USER_DATA 0x0000f000u /* present, level 3, code or data */
#define SEG_WRITABLE	      0x00000200u
#define SEG_DOWN	      0x00000400u
#define SEG_USEABLE	      0x00100000u
#define SEG_32BIT	      0x00400000u
#define SEG_PAGES	      0x00800000u

static bool is_empty(const struct user_desc *desc)
{
	return desc->base == 0 && desc->limit == 0 &&
	       (desc->flags == DESC_EMPTY || desc->flags == 0);
}

static struct segment_descriptor descriptor_from(const struct user_desc *desc)
{
	struct segment_descriptor d;

	if (is_empty(desc))
		return (struct segment_descriptor){ 0, 0 };
	d.low = (desc->base & 0xffff) << 16 | (desc->limit & 0xffff);
	d.high = (desc->base & 0xff000000) | (desc->base >> 16 & 0xff) | (desc->limit & 0xf0000) |
		 SEG_PRESENT_USER_DATA | SEG_32BIT;
	if (!(desc->flags & DESC_READ_ONLY))
		d.high |= SEG_WRITABLE;
	if (desc->flags & DESC_CONTENTS)
		d.high |= SEG_DOWN;
	if (desc->flags & DESC_PAGES)
		d.high |= SEG_PAGES;
	if (desc->flags & DESC_USEABLE)
		d.high |= SEG_USEABLE;
	return d;
}

static void descriptor_to(const struct segment_descriptor *d, struct user_desc *desc)
{
	desc->base = d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000);
	desc->limit = (d->low & 0xffff) | (d->high & 0xf0000);
	if (d->high == 0) {
		desc->flags = DESC_EMPTY;
		return;
	}
	desc->flags = DESC_32BIT | (d->high & SEG_WRITABLE ? 0 : DESC_READ_ONLY) |
		      (d->high & SEG_DOWN ? 2 : 0) | (d->high & SEG_PAGES ? DESC_PAGES : 0) |
		      (d->high & SEG_USEABLE ? DESC_USEABLE : 0);
}

static long check(const struct user_desc *desc)
{
	if (is_empty(desc))
		return 0;
	if (desc->flags & ~DESC_ALL || desc->limit > LIMIT_MAX)
		return refuse(EINVAL, "no segment looks like that");
	if (!(desc->flags & DESC_32BIT) || (desc->flags & (DESC_CODE | DESC_NOT_PRESENT)))
		return refuse(EINVAL, "only present 32-bit data segments");
	return 0;
}

static unsigned int free_entry(const struct task *task)
{
	for (unsigned int i = 0; i < NR_TLS; i++)
		if (task->tls[i].high == 0)
			return i;
	return NR_TLS;
}

long tls_set(struct task *task, unsigned long address, bool may_choose)
{
	struct user_desc desc;
	unsigned int i;
	long error;

	if (copy_from_user(&desc, (void __user *)address, sizeof(desc)) < 0)
		return -EFAULT;
	error = check(&desc);
	if (error < 0)
		return error;
	if (desc.entry_number == ENTRY_ANY && may_choose) {
		i = free_entry(task);
		if (i == NR_TLS)
			return refuse(ESRCH, "all three TLS segments are in use");
		if (put_user_u32(SEL_TLS_FIRST + i, (void __user *)address) < 0)
			return -EFAULT;
	} else {
		i = desc.entry_number - SEL_TLS_FIRST;
	}
	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	task->tls[i] = descriptor_from(&desc);
	if (task == current)
		segments_load_tls(task);
	return 0;
}

long sys_set_thread_area(unsigned long address)
{
	return tls_set(current, address, true);
}

long sys_get_thread_area(unsigned long address)
{
	struct user_desc desc;
	unsigned int i;

	if (copy_from_user(&desc, (void __user *)address, sizeof(desc)) < 0)
		return -EFAULT;
	i = desc.entry_number - SEL_TLS_FIRST;
	if (i >= NR_TLS)
		return refuse(EINVAL, "not a TLS entry");
	descriptor_to(&current->tls[i], &desc);
	return copy_to_user((void __user *)address, &desc, sizeof(desc));
}
