/*
 * reboot(2): the end of the machine. Who calls it has synced before.
 */
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define REBOOT_MAGIC 0xfee1deadu
#define RB_RESTART   0x01234567u
#define RB_HALT	     0xcdef0123u
#define RB_POWER_OFF 0x4321fedcu

static bool second_magic_ok(unsigned long magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

long sys_reboot(unsigned long magic, unsigned long magic2, unsigned long command)
{
	if (current->process->cred.euid != 0)
		return refuse(EPERM, "only root ends the machine");
	if (magic != REBOOT_MAGIC || !second_magic_ok(magic2))
		return refuse(EINVAL, "not the magic numbers");
	switch (command) {
	case RB_RESTART:
		log_info("restarting");
		machine_restart();
	case RB_HALT:
		log_info("halted");
		machine_halt();
	case RB_POWER_OFF:
		log_info("power off");
		machine_power_off();
	}
	return refuse(EINVAL, "no such way to end");
}
