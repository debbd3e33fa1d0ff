/* Ending the machine. */
#include "kernel/machine.h"
#include "kernel/apic.h"
#include "kernel/smp.h"
#include "kernel/time.h"

#define SLEEP_ENABLE	 (1u << 13) /* SLP_EN, ACPI 6.3, 4.8.3.2.1 */
#define SLEEP_TYPE_SHIFT 10
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET	 0xfe

void machine_power_off(void)
{
	log_info("power off");
	if (acpi.pm1a_control)
		outw(acpi.pm1a_control, acpi.sleep_type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
	time_delay(100 * NSEC_PER_MSEC);
	log_info("the machine has no power switch that answers: it may be switched off now");
	machine_halt();
}

void machine_restart(void)
{
	log_info("restart");
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	time_delay(100 * NSEC_PER_MSEC);
	machine_halt();
}

void machine_halt(void)
{
	irq_disable();
	smp_stop_others();
	smp_stop_this_cpu();
}
