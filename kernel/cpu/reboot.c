/*
 * reboot(2): restart, halt or power off, or decide what Ctrl-Alt-Delete does. Linux leaves it to
 * the calling program to store what is in memory; here the file systems are left clean.
 */
#include "kernel/capability.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/reboot.h"
#include "kernel/cpu/smp.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mm/vmalloc.h"

#define REBOOT_MAGIC	 0xfee1deadu
#define RB_RESTART	 0x01234567u
#define RB_HALT		 0xcdef0123u
#define RB_POWER_OFF	 0x4321fedcu
#define RB_ENABLE_CAD	 0x89abcdefu
#define RB_DISABLE_CAD	 0u

#define SLEEP_ENABLE	 (1u << 13) /* SLP_EN, ACPI 6.3, 4.8.3.2.1 */
#define SLEEP_TYPE_SHIFT 10
#define CONTROL_ENABLE	 (1u << 5) /* the same in a sleep control register, 4.8.3.7 */
#define CONTROL_SHIFT	 2
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET	 0xfe

void (*before_stop)(void);
bool reboot_on_keys = true;

static bool second_magic_ok(unsigned long magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

/* A fault that no handler can be found for resets the CPU, on every machine. */
static void __noreturn fault_without_handlers(void)
{
	const struct __packed {
		uint16_t limit;
		uint32_t base;
	} none = { 0, 0 };

	irq_disable();
	__asm__ volatile("lidt %0; int3" ::"m"(none));
	__builtin_unreachable();
}

void reboot_now(void)
{
	log_info("restarting");
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	time_delay(100 * NSEC_PER_MSEC);
	fault_without_handlers(); /* there is no keyboard controller, or it does not do it */
}

static void power_off(void)
{
	uint8_t sleep = acpi.sleep_type << CONTROL_SHIFT | CONTROL_ENABLE;

	log_info("power off");
	if (acpi.pm1a_control) {
		outw(acpi.pm1a_control, acpi.sleep_type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
	} else if (acpi.sleep_control && acpi.sleep_in_memory) {
		volatile uint8_t *control = ioremap(acpi.sleep_control, 1);

		if (control)
			*control = sleep;
	} else if (acpi.sleep_control) {
		outb(acpi.sleep_control, sleep);
	}
	time_delay(100 * NSEC_PER_MSEC);
	log_info("the power cannot be switched off by software; it is safe to do it by hand");
}

long sys_reboot(unsigned long magic, unsigned long magic2, unsigned long command)
{
	if (!capable(CAP_SYS_BOOT))
		return refuse(EPERM, "only root may restart or stop the machine");
	if (magic != REBOOT_MAGIC || !second_magic_ok(magic2))
		return refuse(EINVAL, "wrong magic numbers");
	if (command == RB_ENABLE_CAD || command == RB_DISABLE_CAD) {
		reboot_on_keys = command == RB_ENABLE_CAD;
		return 0;
	}
	if (command != RB_RESTART && command != RB_POWER_OFF && command != RB_HALT)
		return refuse(EINVAL, "unknown command");
	if (before_stop)
		before_stop();
	if (command == RB_RESTART)
		reboot_now();
	else if (command == RB_POWER_OFF)
		power_off();
	log_info("halted");
	irq_disable();
	smp_stop_others();
	smp_stop_this_cpu();
}
