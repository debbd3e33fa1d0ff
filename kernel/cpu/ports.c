/* Which ports of IO a program may use. See kernel/cpu/ports.h. */
#include "kernel/cpu/ports.h"
#include "kernel/capability.h"
#include "kernel/cpu/trap.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"

void ports_load(struct cpu *cpu, const struct task *next)
{
	const struct port_rights *rights = next->ports;

	if (next->io_level == IO_LEVEL_ALL)
		segments_allow_ports(cpu, NULL);
	else if (rights)
		segments_allow_ports(cpu, rights->denied);
	else
		segments_forbid_ports(cpu);
	cpu->ports_open = rights || next->io_level == IO_LEVEL_ALL;
}

void ports_inherit(struct task *task)
{
	task->ports = current->ports;
	task->io_level = current->io_level;
	if (task->ports)
		atomic_inc(&task->ports->refs);
}

static void put(struct port_rights *rights)
{
	if (rights && atomic_dec_and_test(&rights->refs))
		kfree(rights);
}

void ports_drop(struct task *task)
{
	put(task->ports);
	task->ports = NULL;
}

/* The rights of the current task have changed. */
static void load_own(void)
{
	unsigned int flags = irq_save();

	ports_load(this_cpu(), current);
	irq_restore(flags);
}

/* Returns the current task's rights, for it alone, or NULL if there is no memory. May sleep. */
static struct port_rights *own_rights(void)
{
	struct port_rights *old = current->ports, *rights = old;

	if (old && atomic_read(&old->refs) == 1)
		return old;
	rights = kmalloc(sizeof(*rights), 0);
	if (!rights)
		return NULL;
	atomic_set(&rights->refs, 1);
	if (old)
		memcpy(rights->denied, old->denied, sizeof(rights->denied));
	else
		memset(rights->denied, 0xff, sizeof(rights->denied));
	current->ports = rights;
	put(old);
	return rights;
}

long sys_ioperm(unsigned long from, unsigned long nr, int on)
{
	struct port_rights *rights;

	if (nr == 0 || from >= NR_PORTS || nr > NR_PORTS - from)
		return refuse(EINVAL, "no ports, or more than there are");
	if (on && !capable(CAP_SYS_RAWIO))
		return refuse(EPERM, "no CAP_SYS_RAWIO");
	if (!on && !current->ports)
		return 0;
	rights = own_rights();
	if (!rights)
		return -ENOMEM;
	for (unsigned long port = from; port < from + nr; port++) {
		if (on)
			rights->denied[port / 8] &= ~(1u << port % 8);
		else
			rights->denied[port / 8] |= 1u << port % 8;
	}
	load_own();
	return 0;
}

long sys_iopl(unsigned int level)
{
	if (level > IO_LEVEL_ALL)
		return refuse(EINVAL, "a level is from 0 to 3");
	if (level > current->io_level && !capable(CAP_SYS_RAWIO))
		return refuse(EPERM, "no CAP_SYS_RAWIO");
	current->io_level = level;
	load_own();
	return 0;
}
