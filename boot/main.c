/*
 * Booting, from the first line of C to the first program.
 */
#include "drivers/tty/console.h"
#include "drivers/disk/block.h"
#include "drivers/pci.h"
#include "drivers/tty/tty.h"
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "kernel/cpu/apic.h"
#include "kernel/init.h"
#include "boot/machine.h"
#include "kernel/param.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "kernel/cpu/smp.h"
#include "kernel/process/report.h"
#include "mm/boot_memory.h"
#include "mm/pgtable.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"
#include "lib/string.h"

extern void (*const _initcalls_start[])(void), (*const _initcalls_end[])(void);
extern const struct driver _drivers_start[], _drivers_end[];
extern char boot_stack[];

static const struct trap_handlers trap_handlers = {
	.page_fault = page_fault,
	.signal = signal_force,
	.return_to_user = signal_deliver,
	.nmi = report_nmi,
};

static struct task boot_task;
static const char *root_device = "";

static int set_root(const char *value)
{
	root_device = value;
	return 0;
}
KERNEL_PARAM(root, set_root, "ram0, vda, sda or nvme0n1",
	     "the root file system: a disk or partition, e.g. /dev/vda or sda1, or LABEL=name");

/* ---- the first program; the first kernel task becomes process 1 ---- */

static const char *init_path;

static int set_init(const char *value)
{
	if (value[0] != '/')
		return -EINVAL;
	init_path = value;
	return 0;
}
KERNEL_PARAM(init, set_init, "/sbin/init, /bin/init or /bin/sh",
	     "the absolute path of the first program");

static void become_process(struct task *task)
{
	unsigned int flags;

	init_process = process_create(NULL);
	task->files = file_table_create();
	task->fs = fs_context_copy();
	if (!init_process || !task->files || !task->fs)
		cannot_start("too little memory for the first process");
	process_join(task, init_process);
	flags = spin_lock_irqsave(&tasks_lock);
	if (process_link(task, 0) < 0)
		cannot_start("no process id for the first process");
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* Open the console as descriptors 0, 1 and 2. /dev is not mounted yet. */
static void open_console(void)
{
	struct file *file = tty_open_console();

	if (IS_ERR(file)) {
		log_warning("cannot open the console for init: error %d", (int)-PTR_ERR(file));
		return;
	}
	for (int i = 0; i < 3; i++) {
		file_get(file);
		if (fd_add(file, false) < 0)
			log_warning("no descriptor %d for init", i);
	}
	file_put(file);
}

static bool try(const char *path)
{
	const char *const argv[] = { path, NULL };
	const char *const envp[] = { "HOME=/", "TERM=linux", "PATH=/sbin:/bin:/usr/sbin:/usr/bin",
				     NULL };
	int error = exec_path(path, argv, envp, true);

	if (error < 0 && error != -ENOENT)
		log_warning("cannot run %s: error %d", path, -error);
	return error == 0;
}

/* Run the program that init= names, or one of the usual ones. */
//BOOK: start-init
static void start_init(void)
{
	static const char *const places[] = { "/sbin/init", "/bin/init", "/bin/sh" };

	become_process(current);
	open_console();
	if (init_path) {
		if (!try(init_path))
			cannot_start("cannot run %s, which init= names", init_path);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		if (try(places[i]))
			return;
	cannot_start(
		"no init: cannot run /sbin/init, /bin/init or /bin/sh; set another one with init=");
}

/* ---- the first task ---- */

static void drivers_probe(void)
{
	for (const struct driver *driver = _drivers_start; driver < _drivers_end; driver++) {
		int error = driver->probe();

		if (error < 0)
			log_warning("driver %s: error %d", driver->name, error);
	}
}

/*
 * Returns the root disk if root= names none: the RAM disk if there is one, else the first disk that
 * is found.
 */
static const char *default_root(void)
{
	static const char *const disks[] = { "vda", "sda", "nvme0n1" };

	if (boot_module_end)
		return "ram0";
	for (unsigned int i = 0; i < ARRAY_SIZE(disks); i++)
		if (block_find(disks[i]))
			return disks[i];
	return disks[0];
}

//BOOK: first-task
static void kernel_init(void *unused)
{
	const char *root;
	int error;

	smp_start();
	for (void (*const *call)(void) = _initcalls_start; call < _initcalls_end; call++)
		(*call)();
	pci_scan();
	drivers_probe();
	partitions_scan();
	root = root_device[0] ? root_device : default_root();
	error = mount_root(root);
	if (error < 0)
		cannot_start(
			"cannot mount the root file system from %s: error %d; set the disk with root=",
			root, -error);
	start_init();
}

//BOOK: kmain
void kmain(uint32_t magic, uint32_t info);
void kmain(uint32_t magic, uint32_t info)
{
	struct cpu *cpu = &cpus[0];

	traps_init(&trap_handlers);
	cpu->task = &boot_task;
	boot_task.stack = boot_stack;
	strlcpy(boot_task.name, "idle", sizeof(boot_task.name));
	segments_init_cpu(cpu);
	serial_early_init();
	multiboot_devices(magic, info);
	fbcon_early_init();
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
	fbcon_init();
	task_init();
	acpi_init();
	interrupts_init();
	time_init();
	pit_ticks_init();
	sched_init_cpu(cpu, &boot_task);
	cpu->online = true;
	irq_enable();
	tick_arm(TICK_NS);
	if (IS_ERR(kernel_task_start("init", kernel_init, NULL)))
		cannot_start("too little memory for the first task");
	sched_idle();
}
