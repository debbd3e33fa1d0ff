/*
 * From the first line of C to the first program.
 */
#include "drivers/console.h"
#include "drivers/pci.h"
#include "fs/vfs.h"
#include "kernel/apic.h"
#include "kernel/init.h"
#include "kernel/machine.h"
#include "kernel/param.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/trap.h"
#include "kernel/smp.h"
#include "mm/kmap.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "mm/vmalloc.h"
#include "lib/string.h"

extern void (*const _initcalls_start[])(void), (*const _initcalls_end[])(void);
extern const struct driver _drivers_start[], _drivers_end[];
extern char boot_stack[];

static struct task boot_task;
static char root_device[32];

static int set_root(const char *value)
{
	return strlcpy(root_device, value, sizeof(root_device)) < sizeof(root_device) ? 0 : -EINVAL;
}
KERNEL_PARAM(root, set_root, "the disk that holds the root file system, e.g. /dev/vda");

static void drivers_probe(void)
{
	for (const struct driver *driver = _drivers_start; driver < _drivers_end; driver++) {
		int error = driver->probe();

		if (error < 0)
			log_warning("driver %s: error %d", driver->name, error);
	}
}

/* The first disk there is, if root= does not say: a RAM disk before a real one. */
static const char *default_root(void)
{
	return boot_module_end ? "ram0" : "vda";
}

//BOOK: first-task
static void kernel_init(void *unused)
{
	const char *root = root_device[0] ? root_device : default_root();
	int error;

	smp_start();
	for (void (*const *call)(void) = _initcalls_start; call < _initcalls_end; call++)
		(*call)();
	pci_scan();
	drivers_probe();
	error = mount_root(root);
	if (error < 0)
		panic("cannot mount the root file system from %s: error %d; root= names the disk",
		      root, -error);
	start_init(NULL);
}

//BOOK: kmain
void kmain(uint32_t magic, uint32_t info);
void kmain(uint32_t magic, uint32_t info)
{
	struct cpu *cpu = &cpus[0];

	cpu->task = &boot_task;
	boot_task.stack = boot_stack;
	strlcpy(boot_task.name, "idle", sizeof(boot_task.name));
	segments_init_cpu(cpu);
	serial_early_init();
	vga_early_init();
	multiboot_init(magic, info);
	params_parse();
	log_info("Sluice 6.8.0");
	cpu_detect();
	cpu_enable_features();
	uaccess_init();
	pgtable_init();
	segments_set_fault_cr3(kernel_cr3);
	page_init();
	slab_init();
	task_init();
	acpi_init();
	interrupts_init();
	time_init();
	sched_init_cpu(cpu, &boot_task);
	cpu->online = true;
	irq_enable();
	tick_arm(TICK_NS);
	if (IS_ERR(kernel_task_start("init", kernel_init, NULL)))
		panic("no memory for the first task");
	sched_idle();
}
