/* The limits of fs/events in /proc/sys/fs. */
#include "fs/events/epoll.h"
#include "fs/proc/proc.h"
#include "lib/string.h"

PROC_ENTRY(sys_fs_epoll, .path = "sys/fs/epoll", .mode = S_IFDIR | 0555);

static void max_user_watches_show(struct text *text)
{
	text_printf(text, "%u\n", READ_ONCE(epoll_max_user_watches));
}

static int max_user_watches_store(char *input, size_t len)
{
	uint32_t watches;
	int error = parse_u32(input, &watches);

	if (!error)
		WRITE_ONCE(epoll_max_user_watches, watches);
	return error;
}
PROC_FILE(epoll_max_user_watches, "sys/fs/epoll/max_user_watches", 0644, max_user_watches_show,
	  max_user_watches_store);
