/* Whether a program may read the TSC itself. See kernel/cpu/tsc.h. */
#include "kernel/cpu/tsc.h"

#define CR4_TSD (1u << 2)

void tsc_load(struct cpu *cpu, bool forbidden)
{
	cpu->no_tsc = forbidden;
	write_cr4(forbidden ? read_cr4() | CR4_TSD : read_cr4() & ~CR4_TSD);
}

void tsc_forbid(bool forbidden)
{
	unsigned int flags = irq_save();

	current->no_tsc = forbidden;
	tsc_switch(this_cpu(), current);
	irq_restore(flags);
}
