/* Signals about what happens in a directory. The contract is in fs/file/dnotify.h. */
#include "fs/file/dnotify.h"
#include "fs/file/file.h"
#include "fs/file/owner.h"
#include "fs/names/notify.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "mm/slab.h"

#define DN_MULTISHOT 0x80000000u
#define DN_EVENTS    0x0000003fu

struct dir_request {
	struct inode_watch watch;
	struct list link;
	struct file *file; /* without a reference: the request ends before the file does */
	const struct file_table *table; /* only compared */
	bool stays;			/* DN_MULTISHOT */
};

bool dir_notify_enabled = true;

static struct list requests = LIST_INIT(requests); /* inode_watch_lock, as all of them */
static unsigned int nr_requests;		   /* may be read without the lock */

/* The events of DN_*, by bit. */
static const uint32_t events[] = {
	IN_ACCESS,		     /* DN_ACCESS */
	IN_MODIFY,		     /* DN_MODIFY */
	IN_CREATE | IN_MOVED_TO,     /* DN_CREATE */
	IN_DELETE | IN_MOVED_FROM,   /* DN_DELETE */
	IN_MOVED_FROM | IN_MOVED_TO, /* DN_RENAME */
	IN_ATTRIB,		     /* DN_ATTRIB */
};

static uint32_t events_of(unsigned int mask)
{
	uint32_t result = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++)
		if (mask & 1u << i)
			result |= events[i];
	return result;
}

static bool request_notify(struct inode_watch *watch, const struct file_event *event)
{
	struct dir_request *request = container_of(watch, struct dir_request, watch);

	file_owner_tell(request->file);
	return !request->stays;
}

static void request_ended(struct inode_watch *watch)
{
	struct dir_request *request = container_of(watch, struct dir_request, watch);

	lockdep_held(&inode_watch_lock);
	list_del(&request->link);
	WRITE_ONCE(nr_requests, nr_requests - 1);
	kfree(request);
}

/* The request of a file and a table. NULL: of any table. */
static struct dir_request *request_of(const struct file *file, const struct file_table *table)
{
	struct dir_request *request;

	lockdep_held(&inode_watch_lock);
	list_for_each(request, &requests, link)
		if (request->file == file && (!table || request->table == table))
			return request;
	return NULL;
}

/* End a request. Returns whether there was one. */
static bool end_one(const struct file *file, const struct file_table *table)
{
	struct inode *inode = NULL;
	struct dir_request *request;

	spin_lock(&inode_watch_lock);
	request = request_of(file, table);
	if (request) {
		inode = inode_watch_remove(&request->watch);
		request_ended(&request->watch);
	}
	spin_unlock(&inode_watch_lock);
	inode_put(inode);
	return inode;
}

/* A task that ends has no table any more. Then the last reference to the file ends the request. */
void dir_notify_closed(struct file *file)
{
	if (unlikely(READ_ONCE(nr_requests)) && current->files)
		(void)end_one(file, current->files);
}

void dir_notify_released(struct file *file)
{
	while (unlikely(READ_ONCE(nr_requests)) && end_one(file, NULL))
		;
}

/* Enter the request, or add its events to the one that there is. */
static void enter(struct dir_request *new)
{
	struct dir_request *request;

	spin_lock(&inode_watch_lock);
	request = request_of(new->file, new->table);
	if (request) {
		request->watch.mask |= new->watch.mask;
		request->stays |= new->stays;
	} else {
		inode_get(new->watch.inode);
		inode_watch_add(&new->watch);
		list_add_tail(&requests, &new->link);
		WRITE_ONCE(nr_requests, nr_requests + 1);
	}
	spin_unlock(&inode_watch_lock);
	if (request)
		kfree(new);
}

long dir_notify_set(unsigned int fd, struct file *file, unsigned int mask)
{
	struct dir_request *request;
	long error;

	if (!dir_notify_enabled)
		return refuse(EINVAL, "not allowed: /proc/sys/fs/dir-notify-enable");
	if (!(mask & ~DN_MULTISHOT)) {
		dir_notify_closed(file);
		return 0;
	}
	if (!S_ISDIR(file->inode->mode))
		return -ENOTDIR;
	request = kzalloc(sizeof(*request), 0);
	if (!request)
		return -ENOMEM;
	error = file_owner_default(file, fd);
	if (error) {
		kfree(request);
		return error;
	}
	request->watch.inode = file->inode;
	request->watch.mask = events_of(mask & DN_EVENTS);
	request->watch.notify = request_notify;
	request->watch.ended = request_ended;
	request->file = file;
	request->table = current->files;
	request->stays = mask & DN_MULTISHOT;
	enter(request);
	return 0;
}
