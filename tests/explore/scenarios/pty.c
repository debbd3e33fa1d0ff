/* Pseudo-terminals: bytes in both directions, flushes, ^S, full rings, and either end closing. */
#include "drivers/tty/pty.h"
#include "fs/dev/device.h"
#include "fs/events/event_file.h"
#include "fs/file/file.h"
#include "files.h"
#include "shim.h"

#define TCFLSH	 0x540bu
#define TCOFLUSH 1u
#define STOP	 ('S' - 64)
#define START	 ('Q' - 64)
#define LINE_END 0x100u /* as in drivers/tty/ldisc.c */

static const struct file_ops *master_ops;
static struct file *master, *slave;
static struct pty *pty;
static unsigned int got; /* a bit for each byte that a reader has got, from 'a' on; atomic */

int chrdev_register(unsigned int major, unsigned int minor, const char *name, unsigned int mode,
		    const struct file_ops *ops, void *private)
{
	master_ops = ops;
	return 0;
}

static struct file *open_slave(void)
{
	struct file *file = event_file("slave", &tty_file_ops, NULL, O_RDWR);

	must(!IS_ERR(file) && !tty_open_as(&pty->tty, file, false));
	return file;
}

/* Input without echo, whole lines or as it comes. */
static void open_both(unsigned int lflag, unsigned int iflag)
{
	struct termios termios = { .iflag = iflag, .lflag = lflag };

	termios.cc[6] = 1; /* VMIN */
	termios.cc[8] = START;
	termios.cc[9] = STOP;
	got = 0;
	files_open(NULL);
	master = event_file("master", master_ops, NULL, O_RDWR);
	must(!IS_ERR(master) && !master_ops->open(master->inode, master));
	pty = master->private;
	pty->locked = false;
	slave = open_slave();
	tty_set_termios(&pty->tty, &termios, false);
	ex_object(pty, "pty", "pty");
}

static void raw(void)
{
	open_both(0, 0);
}

static void lines(void)
{
	open_both(ICANON, 0);
}

static void with_stop(void)
{
	open_both(0, IXON);
}

/* What was written and has not been read fills the ring. */
static void output_full(void)
{
	raw();
	pty->head = PTY_RING;
}

static void packets(void)
{
	raw();
	pty->packet = true;
}

/* One line has been typed, and a second one fills the ring. */
static void input_full(void)
{
	lines();
	pty->tty.ring[0] = '\n' | LINE_END;
	pty->tty.line_end = 1;
	pty->tty.head = TTY_RING - 1;
}

static ssize_t read_from(struct file *file, char *bytes, size_t n)
{
	struct iter to;

	iter_init_user(&to, bytes, n);
	return file->ops->read(file, &to, NULL);
}

static void write_to(struct file *file, char byte)
{
	struct iter from;

	iter_init_user(&from, &byte, 1);
	must(file->ops->write(file, &from, NULL) == 1);
}

/* Read until a byte comes. None comes twice. */
static void master_reads_until(int byte)
{
	char bytes[2];

	do {
		ssize_t n = read_from(master, bytes, sizeof(bytes));

		must(n > 0);
		for (int i = 0; i < n; i++) {
			must(!(got & 1u << (bytes[i] - 'a')));
			got |= 1u << (bytes[i] - 'a');
		}
	} while (!(got & 1u << (byte - 'a')));
}

static void write_flush_write(int unused)
{
	write_to(slave, 'a');
	must(tty_settings_ioctl(&pty->tty, TCFLSH, TCOFLUSH) == 0);
	write_to(slave, 'b');
}

/* In packet mode a read begins with what has happened, or with 0 and then bytes. */
static void packet_reader(int unused)
{
	char bytes[2], told = 0;

	while (!(got & 2)) {
		ssize_t n = read_from(master, bytes, sizeof(bytes));

		must(bytes[0] ? n == 1 : n == 2);
		told |= bytes[0];
		if (n == 2) {
			must(!(got & 1u << (bytes[1] - 'a')));
			got |= 1u << (bytes[1] - 'a');
		}
	}
	must(told == TIOCPKT_FLUSHWRITE);
}

/* A login program takes the terminal away from those who had it, and reads a line. */
static void hang_up_files(int unused)
{
	must(tty_hang_up_files(&pty->tty) == 0);
	write_to(master, '\n');
}

static void close_slave(int byte)
{
	if (byte)
		write_to(slave, byte);
	file_put(slave);
	slave = NULL;
}

static void close_master(int byte)
{
	if (byte)
		write_to(master, byte);
	file_put(master);
	master = NULL;
}

/* The end of the other side comes after its last byte. */
static void master_reads_to_end(int unused)
{
	char byte;

	must(read_from(master, &byte, 1) == 1 && byte == 'a');
	must(read_from(master, &byte, 1) == -EIO);
}

/* What was typed before the end may be lost, but the wait ends. */
static void slave_reads_to_end(int unused)
{
	char byte;
	ssize_t n;

	while ((n = read_from(slave, &byte, 1)) > 0)
		must(byte == 'a');
	must(n == 0 || n == -EIO);
}

static void slave_reads_line(int unused)
{
	char byte;

	must(read_from(slave, &byte, 1) == 1 && byte == '\n');
}

static void slave_writes(int byte)
{
	write_to(slave, byte);
}

static void slave_writes_to_end(int unused)
{
	char byte = 'b';
	struct iter from;
	ssize_t n;

	iter_init_user(&from, &byte, 1);
	n = slave->ops->write(slave, &from, NULL);
	must(n == -EIO);
}

static void master_writes(int byte)
{
	write_to(master, byte);
}

static void master_types_lines(int n)
{
	while (n-- > 0)
		write_to(master, '\n');
}

static void master_reads_some(int n)
{
	char bytes[4];

	must(read_from(master, bytes, n) == n);
}

static void stop_and_start(int unused)
{
	write_to(master, STOP);
	write_to(master, START);
}

static void close_both(void)
{
	if (master)
		close_master(0);
	if (slave)
		close_slave(0);
	ex_must_have_freed();
}

/* The line that was typed afterwards is for a new file. */
static void line_is_left(void)
{
	struct file *file = open_slave();
	char byte;

	file->flags |= O_NONBLOCK;
	must(read_from(file, &byte, 1) == 1 && byte == '\n');
	file_put(file);
	close_both();
}

static void no_line_is_left(void)
{
	char byte;

	slave->flags |= O_NONBLOCK;
	must(read_from(slave, &byte, 1) == -EAGAIN);
	close_both();
}

static void nothing_is_left(void)
{
	char byte;

	master->flags |= O_NONBLOCK;
	must(read_from(master, &byte, 1) == -EAGAIN);
	close_both();
}

SCENARIO(pty_flush,
	 "the master reads while a byte is written, dropped, and a second one is written", raw,
	 nothing_is_left, { "reader", master_reads_until, 'b' },
	 { "writer", write_flush_write, 0 });

SCENARIO(pty_close, "the master reads to the end, when the terminal has been closed", raw,
	 close_both, { "reader", master_reads_to_end, 0 }, { "closer", close_slave, 'a' });

SCENARIO(pty_hang_up, "the terminal is read while its master is closed", raw, close_both,
	 { "reader", slave_reads_to_end, 0 }, { "closer", close_master, 'a' });

SCENARIO(pty_hang_up_writer, "a writer waits for room while the master is closed", output_full,
	 close_both, { "writer", slave_writes_to_end, 0 }, { "closer", close_master, 0 });

SCENARIO(pty_lines, "two readers of the terminal, and two lines", lines, no_line_is_left,
	 { "reader0", slave_reads_line, 0 }, { "reader1", slave_reads_line, 0, TWIN },
	 { "typist", master_types_lines, 2 });

SCENARIO(pty_input_full, "the master waits until a line is read", input_full, close_both,
	 { "reader", slave_reads_line, 0 }, { "typist", master_writes, 'a' });

SCENARIO(pty_output_full, "a writer waits until the master has read", output_full, close_both,
	 { "writer", slave_writes, 'b' }, { "reader", master_reads_some, 2 });

SCENARIO(pty_stop, "output is stopped and goes on", with_stop, close_both,
	 { "writer", slave_writes, 'b' }, { "typist", stop_and_start, 0 });

SCENARIO(pty_packet, "the same in packet mode, where the flush is told", packets, nothing_is_left,
	 { "reader", packet_reader, 0 }, { "writer", write_flush_write, 0 });

SCENARIO(pty_vhangup, "the terminal is taken away from a reader, and then a line is typed", lines,
	 line_is_left, { "reader", slave_reads_to_end, 0 }, { "login", hang_up_files, 0 });
