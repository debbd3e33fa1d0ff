/* inotify: events are read while watches come, are removed, and end by themselves. */
#include "fs/file/file.h"
#include "fs/names/notify.h"
#include "kernel/syscalls.h"
#include "files.h"
#include "shim.h"

#define IN_IGNORED 0x00008000u
#define IN_ONESHOT 0x80000000u
#define WATCH	   1 /* the number of the first watch */

struct event { /* as a program reads it */
	int32_t wd;
	uint32_t mask, cookie, len;
};

static uint32_t told; /* events that have been read; those that came twice are in `twice` */
static uint32_t twice;

static void watch(uint32_t mask)
{
	told = twice = 0;
	files_open(NULL);
	file_inode.mode = S_IFREG;
	must(sys_inotify_init1(0) == FD_MADE);
	must(sys_inotify_add_watch(FD_MADE, "", mask) == WATCH);
}

static void each_event(void)
{
	watch(IN_ALL_EVENTS);
}

static void one_event(void)
{
	watch(IN_MODIFY | IN_ONESHOT);
}

static ssize_t read_event(struct event *event)
{
	struct file *file = current->files->slots[FD_MADE].file;
	struct iter to;

	iter_init_user(&to, event, sizeof(*event));
	return file->ops->read(file, &to, NULL);
}

static void note(const struct event *event)
{
	must(event->wd == WATCH && event->len == 0);
	twice |= told & event->mask;
	told |= event->mask;
}

static void read_until(int mask)
{
	struct event event;

	do {
		must(read_event(&event) == sizeof(event));
		note(&event);
	} while (!(event.mask & mask));
}

static void read_both(int unused)
{
	struct event event;

	while (told != (IN_MODIFY | IN_ATTRIB)) {
		must(read_event(&event) == sizeof(event));
		note(&event);
	}
}

static void tell(int mask)
{
	notify_inode(&file_inode, mask);
}

static void tell_gone(int unused)
{
	notify_gone(&file_inode, IN_DELETE_SELF);
}

static void remove_it(int unused)
{
	long error = sys_inotify_rm_watch(FD_MADE, WATCH);

	must(error == 0 || error == -EINVAL); /* it has ended */
}

static void watch_again(int unused)
{
	long number = sys_inotify_add_watch(FD_MADE, "", IN_ALL_EVENTS);

	must(number == WATCH || number == WATCH + 1);
}

static void close_it(int unused)
{
	files_close_made(FD_MADE);
}

/* The file and its inode are free, and nothing watches any more. */
static void all_is_given_back(void)
{
	if (current->files->slots[FD_MADE].file)
		close_it(0);
	must(nr_inode_watches == 0 && !file_inode.watches);
	must(atomic_read(&file_inode.refs) == 1);
	ex_must_have_freed();
}

static void each_was_told(void)
{
	must(told == (IN_MODIFY | IN_ATTRIB) && !twice);
	all_is_given_back();
}

/* What is left in the queue ends with one IN_IGNORED. */
static void it_has_ended(void)
{
	struct file *file = current->files->slots[FD_MADE].file;
	struct event event;

	file->flags |= O_NONBLOCK;
	while (read_event(&event) == sizeof(event))
		note(&event);
	must(told & IN_IGNORED && !twice);
	all_is_given_back();
}

SCENARIO(inotify_read, "two events of a file, and a task that reads them", each_event,
	 each_was_told, { "reader", read_both, 0 }, { "writer", tell, IN_MODIFY },
	 { "owner", tell, IN_ATTRIB });

SCENARIO(inotify_remove, "a watch is removed while it ends by its one event", one_event,
	 it_has_ended, { "remover", remove_it, 0 }, { "writer", tell, IN_MODIFY },
	 { "writer1", tell, IN_MODIFY, TWIN });

SCENARIO(inotify_gone, "a watch is removed while its file goes, and the end is read", each_event,
	 it_has_ended, { "reader", read_until, IN_IGNORED }, { "remover", remove_it, 0 },
	 { "file", tell_gone, 0 });

SCENARIO(inotify_again, "the watch of a file ends while the file is watched again", one_event,
	 all_is_given_back, { "watcher", watch_again, 0 }, { "writer", tell, IN_MODIFY });

SCENARIO(inotify_close, "inotify is closed while a watch ends by its event", one_event,
	 all_is_given_back, { "closer", close_it, 0 }, { "writer", tell, IN_MODIFY });
