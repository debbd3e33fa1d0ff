/* Control messages. The contract is in net/control.h. */
#include "net/control.h"
#include "fs/file/file.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "kernel/time.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"
#include "net/socket.h"

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS 2
#define CONTROL_MAX	20480u /* most bytes that a sender may pass, as on Linux */
#define NOBODY		65534u

struct control_header { /* struct cmsghdr */
	uint32_t len;	/* includes this header */
	int32_t level, type;
};

static size_t align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* ---- from a sender ---- */

static int add_files(struct control *control, const uint32_t *numbers, unsigned int nr)
{
	struct passed_files *files = control->files;

	if (nr == 0)
		return 0;
	if (!files) {
		files = control->files = kzalloc(sizeof(*files), 0);
		if (!files)
			return -ENOMEM;
		list_init(&files->link);
	}
	if (nr > PASSED_FILES_MAX - files->nr)
		return refuse(EINVAL, "more descriptors than a message can have");
	while (nr-- > 0) {
		struct fd fd = fd_get_any(*numbers++); /* a path is passed on, too */

		if (!fd.file)
			return -EBADF;
		file_get(fd.file);
		files->files[files->nr++] = fd.file;
		fd_put(fd);
	}
	return 0;
}

/* To claim to be another sender takes capabilities. */
static int add_sender(struct control *control, const struct sender *sender)
{
	struct credentials *cred = &current->process->cred;
	struct process *process;
	bool pid = sender->pid == current->process->pid || capable(CAP_SYS_ADMIN);
	bool uid = sender->uid == cred->uid || sender->uid == cred->euid ||
		   sender->uid == cred->suid || capable(CAP_SETUID);
	bool gid = sender->gid == cred->gid || sender->gid == cred->egid ||
		   sender->gid == cred->sgid || capable(CAP_SETGID);

	if (!pid || !uid || !gid)
		return -EPERM;
	process = process_find(sender->pid);
	if (!process)
		return -ESRCH;
	process_put(process);
	control->has_sender = true;
	control->sender = *sender;
	return 0;
}

static int add_message(struct control *control, const struct control_header *header)
{
	size_t len = header->len - sizeof(*header);

	if (header->level != SOL_SOCKET)
		return 0;
	if (header->type == SCM_RIGHTS)
		return add_files(control, (const uint32_t *)(header + 1), len / sizeof(uint32_t));
	if (header->type == SCM_CREDENTIALS && len == sizeof(struct sender))
		return add_sender(control, (const struct sender *)(header + 1));
	return refuse(EINVAL, "neither SCM_RIGHTS nor SCM_CREDENTIALS");
}

static int parse(struct control *control, const char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len && len - at >= sizeof(struct control_header)) {
		const struct control_header *header = (const void *)(bytes + at);
		int error;

		if (header->len < sizeof(*header) || header->len > len - at)
			return refuse(EINVAL, "a control message of an impossible length");
		error = add_message(control, header);
		if (error)
			return error;
		at += align(header->len);
	}
	return 0;
}

int control_from_user(struct control *control, const void __user *from, size_t len)
{
	char *bytes;
	int error = 0;

	if (len > CONTROL_MAX)
		return -ENOBUFS;
	if (len == 0)
		return 0;
	bytes = kmalloc(len, 0);
	if (!bytes)
		return -ENOMEM;
	if (copy_from_user(bytes, from, len))
		error = -EFAULT;
	else
		error = parse(control, bytes, len);
	kfree(bytes);
	if (error) {
		passed_files_close(control->files);
		control->files = NULL;
	}
	return error;
}

/* ---- to a receiver ---- */

/* Write the header of a control message, whose `len` bytes of data follow it already. */
static void put_header(struct control_room *room, int type, size_t len)
{
	struct control_header header = { sizeof(header) + len, SOL_SOCKET, type };
	size_t whole = MIN(align(header.len), room->left);

	if (copy_to_user(room->at, &header, sizeof(header))) {
		room->told |= MSG_CTRUNC;
		return;
	}
	room->at += whole;
	room->left -= whole;
}

/* Write a control message, of which a part may have room. */
static void put(struct control_room *room, int type, const void *data, size_t size)
{
	size_t n;

	if (room->left < sizeof(struct control_header)) {
		room->told |= MSG_CTRUNC;
		return;
	}
	n = MIN(size, room->left - sizeof(struct control_header));
	if (n < size)
		room->told |= MSG_CTRUNC;
	if (copy_to_user(room->at + sizeof(struct control_header), data, n))
		room->told |= MSG_CTRUNC;
	else
		put_header(room, type, n);
}

void control_put_sender(struct control_room *room, struct message *message)
{
	struct sender nobody = { 0, NOBODY, NOBODY };

	put(room, SCM_CREDENTIALS, message && message->has_sender ? &message->sender : &nobody,
	    sizeof(nobody));
}

void control_put_time(struct control_room *room, enum timestamp_form form)
{
	uint64_t now = time_wall();
	uint32_t rest;
	int64_t seconds = div_u64(now, NSEC_PER_SEC, &rest);
	bool fine = form == TIMESTAMP_NS || form == TIMESTAMP_NS_WIDE;
	int64_t wide[2] = { seconds, fine ? rest : rest / 1000 };
	int32_t narrow[2] = { wide[0], wide[1] };

	if (form == TIMESTAMP_WIDE || form == TIMESTAMP_NS_WIDE)
		put(room, form, wide, sizeof(wide));
	else
		put(room, form, narrow, sizeof(narrow));
}

/* Install the file as a descriptor, and write its number to `to`. Returns 0 or an error. */
static int install(struct file *file, bool cloexec, char __user *to)
{
	int number = fd_reserve(0, cloexec);

	if (number < 0)
		return number;
	if (put_user_u32(number, (void __user *)to)) {
		fd_unreserve(number);
		return -EFAULT;
	}
	file_get(file);
	fd_install(number, file);
	return 0;
}

void control_put_files(struct control_room *room, struct message *message, bool peek, bool cloexec)
{
	struct passed_files *files = peek ? passed_files_peek(message) : passed_files_take(message);
	char __user *data = room->at + sizeof(struct control_header);
	unsigned int fit = 0, done = 0;

	if (!files)
		return;
	if (room->left > sizeof(struct control_header))
		fit = (room->left - sizeof(struct control_header)) / sizeof(uint32_t);
	while (done < MIN(fit, files->nr) &&
	       !install(files->files[done], cloexec, data + done * sizeof(uint32_t)))
		done++;
	if (done < files->nr)
		room->told |= MSG_CTRUNC;
	if (done > 0)
		put_header(room, SCM_RIGHTS, done * sizeof(uint32_t));
	passed_files_close(files);
}
