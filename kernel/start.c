/*
 * The first program: the first kernel task becomes process 1.
 */
#include "drivers/tty.h"
#include "fs/file.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/process.h"
#include "kernel/trace.h"
#include "lib/string.h"

static char init_path[128];

static int set_init(const char *value)
{
	if (value[0] != '/' || strlcpy(init_path, value, sizeof(init_path)) >= sizeof(init_path))
		return -EINVAL;
	return 0;
}
KERNEL_PARAM(init, set_init, "the first program, with its whole path");

static void become_process(struct task *task)
{
	struct process *process = process_create(NULL);
	unsigned int flags;

	task->files = file_table_create();
	task->fs = fs_context_copy();
	if (!process || !task->files || !task->fs)
		panic("no memory for the first process");
	flags = spin_lock_irqsave(&tasks_lock);
	if (process_link(process, task) < 0)
		panic("no number for the first process");
	init_process = process;
	spin_unlock_irqrestore(&tasks_lock, flags);
	trace_first_task(task);
}

/* Descriptors 0, 1 and 2; /dev is not mounted yet. */
static void open_console(void)
{
	struct file *file = tty_open_console();

	if (IS_ERR(file)) {
		log_warning("init has no console: error %d", (int)-PTR_ERR(file));
		return;
	}
	for (int i = 0; i < 3; i++) {
		file_get(file);
		if (fd_add(file, false) < 0)
			log_warning("init lacks descriptor %d", i);
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

//BOOK: start-init
void start_init(void *unused)
{
	static const char *const places[] = { "/sbin/init", "/bin/init", "/bin/sh" };

	become_process(current);
	open_console();
	if (init_path[0]) {
		if (!try(init_path))
			panic("cannot run %s, which init= names", init_path);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		if (try(places[i]))
			return;
	panic("no init: none of /sbin/init, /bin/init, /bin/sh can be run; init= names another");
}
