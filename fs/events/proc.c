/* The limits of fs/events in /proc/sys/fs. */
#include "fs/events/epoll.h"
#include "fs/events/inotify.h"
#include "fs/proc/proc.h"
#include "lib/string.h"

PROC_ENTRY(sys_fs_epoll, .path = "sys/fs/epoll", .mode = S_IFDIR | 0555);

PROC_ENTRY(sys_fs_inotify, .path = "sys/fs/inotify", .mode = S_IFDIR | 0555);

static int store(unsigned int *limit, const char *input)
{
	uint32_t value;
	int error = parse_u32(input, &value);

	if (!error)
		WRITE_ONCE(*limit, value);
	return error;
}

#define LIMIT_FILE(limit, path)                              \
	static void limit##_show(struct text *text)          \
	{                                                    \
		text_printf(text, "%u\n", READ_ONCE(limit)); \
	}                                                    \
	static int limit##_store(char *input, size_t len)    \
	{                                                    \
		return store(&limit, input);                 \
	}                                                    \
	PROC_FILE(limit, path, 0644, limit##_show, limit##_store)

LIMIT_FILE(epoll_max_user_watches, "sys/fs/epoll/max_user_watches");
LIMIT_FILE(inotify_max_queued_events, "sys/fs/inotify/max_queued_events");
LIMIT_FILE(inotify_max_user_instances, "sys/fs/inotify/max_user_instances");
LIMIT_FILE(inotify_max_user_watches, "sys/fs/inotify/max_user_watches");
