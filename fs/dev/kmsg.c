/*
 * /dev/kmsg: the kernel's log as records, one for each read.
 *
 * 1. Each open file has its own place in the log. If the log has lost the next record, a reader
 *    gets -EPIPE once, and continues with the oldest one.
 * 2. A write is a line of a program. It may begin with its priority in angle brackets.
 * 3. The log wakes nobody, because lines are logged anywhere. So while a file is open, a timer
 *    looks ten times a second whether the log has grown, and wakes the readers.
 */
#include "fs/dev/device.h"
#include "fs/file/poll.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"

#define MEM_MAJOR     1
#define KMSG_MINOR    11
#define LOOK_NS	      (100 * NSEC_PER_MSEC)
#define FACILITY_USER (1u << 3) /* in a priority; 0 is the kernel's alone */
#define FACILITY_MASK (255u << 3)
#define LEVEL_MASK    7u
#define HEAD_MAX      64u /* the most bytes of a record before its text */
#define ESCAPED	      4u  /* a byte as \xHH */

struct kmsg {
	struct mutex lock;
	unsigned int next; /* the number of the record that is read next; lock */
	struct log_record record;
	char text[HEAD_MAX + LOG_TEXT_MAX * ESCAPED + 1]; /* as it is read */
};

static struct wait_queue lines = WAIT_QUEUE_INIT(lines);
static spinlock_t files_lock = SPINLOCK_INIT("kmsg files");
static unsigned int nr_files; /* files_lock */

static void look(struct timer *timer)
{
	static unsigned int seen;
	unsigned int next = log_record_next();

	if (next != seen)
		wake_all(&lines);
	seen = next;
	timer_repeat(timer, time_now() + LOOK_NS);
}

static struct timer look_timer = { .function = look };

/* One more file is open, or one less. */
static void count_file(int change)
{
	spin_lock(&files_lock);
	if (nr_files == 0)
		timer_start(&look_timer, time_now() + LOOK_NS);
	nr_files += change;
	if (nr_files == 0)
		(void)timer_stop(&look_timer);
	spin_unlock(&files_lock);
}

static int kmsg_open(struct inode *inode, struct file *file)
{
	struct kmsg *kmsg = kmalloc(sizeof(*kmsg), 0);

	if (!kmsg)
		return -ENOMEM;
	mutex_init(&kmsg->lock, "kmsg");
	kmsg->next = log_record_first();
	file->private = kmsg;
	count_file(1);
	return 0;
}

static void kmsg_release(struct file *file)
{
	count_file(-1);
	kfree(file->private);
}

/* ---- reading ---- */

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 127 && c != '\\';
}

/* Print the record as it is read. Returns its length. */
static size_t print_record(struct kmsg *kmsg, unsigned int number)
{
	const struct log_record *record = &kmsg->record;
	char *to = kmsg->text;
	size_t n = snprintf(to, HEAD_MAX, "%u,%u,%llu,-;", record->priority, number,
			    record->microseconds);

	for (size_t i = 0; i < record->len; i++) {
		unsigned char c = record->text[i];

		if (is_plain(c))
			to[n++] = c;
		else
			n += snprintf(to + n, ESCAPED + 1, "\\x%02x", c);
	}
	to[n++] = '\n';
	return n;
}

/* Copy the next record. Returns its length, -EAGAIN if there is none yet, or another error. */
static ssize_t read_record(struct kmsg *kmsg, struct iter *to)
{
	unsigned int number;
	size_t len;
	ssize_t n = mutex_lock_killable(&kmsg->lock);

	if (n)
		return n;
	number = kmsg->next;
	n = log_record_get(number, &kmsg->record);
	if (n == -EPIPE)
		kmsg->next = log_record_first();
	if (n == 0) {
		kmsg->next = number + 1;
		len = print_record(kmsg, number);
		if (len > to->left)
			n = refuse(EINVAL, "the record is longer than the buffer");
		else
			n = iter_copy_to(to, kmsg->text, len) < len ? -EFAULT : (ssize_t)len;
	}
	mutex_unlock(&kmsg->lock);
	return n;
}

static bool has_record(struct kmsg *kmsg)
{
	return log_record_next() != READ_ONCE(kmsg->next);
}

static ssize_t kmsg_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct kmsg *kmsg = file->private;
	ssize_t n;

	while ((n = read_record(kmsg, to)) == -EAGAIN && !(file->flags & O_NONBLOCK)) {
		n = wait_event_interruptible(&lines, has_record(kmsg));
		if (n)
			break;
	}
	return n;
}

static unsigned int kmsg_poll(struct file *file, struct poll_table *table)
{
	struct kmsg *kmsg = file->private;
	unsigned int next;

	poll_wait(table, &lines, POLLIN | POLLRDNORM);
	next = READ_ONCE(kmsg->next);
	if (next == log_record_next())
		return 0;
	if ((int)(log_record_first() - next) > 0)
		return POLLIN | POLLRDNORM | POLLERR | POLLPRI;
	return POLLIN | POLLRDNORM;
}

/* Go to the oldest record, to the first one since the log was cleared, or to the next one. */
static file_off_t kmsg_llseek(struct file *file, file_off_t offset, int whence)
{
	struct kmsg *kmsg = file->private;
	unsigned int next;

	if (offset)
		return -ESPIPE;
	if (whence == SEEK_SET)
		next = log_record_first();
	else if (whence == SEEK_DATA)
		next = log_record_from(syslog_cleared());
	else if (whence == SEEK_END)
		next = log_record_next();
	else
		return refuse(EINVAL, "not SEEK_SET, SEEK_DATA or SEEK_END");
	WRITE_ONCE(kmsg->next, next);
	return 0;
}

/* ---- writing ---- */

/* Take the priority off the line, as in "<14>text". Returns it, or the usual one. */
static unsigned int take_priority(const char **line)
{
	unsigned int priority = FACILITY_USER | LOG_WARNING, number = 0;
	const char *at = *line;

	if (*at++ != '<')
		return priority;
	while (*at >= '0' && *at <= '9')
		number = number * 10 + (*at++ - '0');
	if (*at != '>')
		return priority;
	*line = at + 1;
	if (!(number & FACILITY_MASK))
		number |= FACILITY_USER;
	return number & (FACILITY_MASK | LEVEL_MASK);
}

static ssize_t kmsg_write(struct file *file, struct iter *from, file_off_t *pos)
{
	size_t len = from->left;
	unsigned int priority;
	const char *line;
	char *text;

	if (len > LOG_TEXT_MAX)
		return refuse(EINVAL, "the line is too long");
	text = kmalloc(len + 1, 0);
	if (!text)
		return -ENOMEM;
	if (iter_copy_from(from, text, len) < len) {
		kfree(text);
		return -EFAULT;
	}
	text[len] = 0;
	line = text;
	priority = take_priority(&line);
	/* The text ends at a NUL, and without the newline that ends a line. */
	if (*line && line[strlen(line) - 1] == '\n')
		text[line - text + strlen(line) - 1] = 0;
	log_text(priority, line, strlen(line));
	kfree(text);
	return len;
}

static const struct file_ops kmsg_ops = {
	.open = kmsg_open,
	.release = kmsg_release,
	.read = kmsg_read,
	.write = kmsg_write,
	.poll = kmsg_poll,
	.llseek = kmsg_llseek,
	.own_place = true,
};

static void __init kmsg_init(void)
{
	if (chrdev_register(MEM_MAJOR, KMSG_MINOR, "kmsg", 0644, &kmsg_ops, NULL) < 0)
		cannot_start("too little memory for /dev/kmsg");
}
INITCALL(3, kmsg_init);
