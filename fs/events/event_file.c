/* Making the files of events. The contract is in fs/events/event_file.h. */
#include "fs/events/event_file.h"

struct file *event_file(const char *kind, const struct file_ops *ops, void *private,
			unsigned int flags)
{
	struct inode *inode = inode_anonymous(0600, kind);
	struct file *file = (void *)inode;

	if (!IS_ERR(inode))
		file = file_alloc(inode, ops, flags & (O_ACCMODE | O_NONBLOCK));
	if (!IS_ERR(file))
		file->private = private;
	return file;
}
