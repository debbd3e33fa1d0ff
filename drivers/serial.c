/*
 * Serial ports: the 16550 UART (National Semiconductor PC16550D data sheet), COM1 as log sink and
 * ttyS0, COM2 as ttyS1.
 *
 * 1. Output is written into the transmit FIFO whenever that is empty; a writer that finds it full
 *    sleeps until the interrupt says that it is empty. Writers that must not sleep (log, echo) wait
 *    for a while, then drop.
 * 2. Input is read in the interrupt, never more than the terminal has room for. Without room the
 *    receive interrupt is switched off: bytes stay in the FIFO, and behind it at the sender, until
 *    throttle(false).
 * 3. port->lock (irqsave) guards the interrupt enable register and the order of output. tty->lock <
 *    port->lock.
 * 4. Interrupts are edge-triggered: the handler goes on until the UART has nothing more to say.
 */
#include "lib/string.h"
#include "drivers/console.h"
#include "drivers/tty.h"
#include "drivers/tty_ldisc.h"
#include "kernel/init.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/wait.h"

enum uart_register { /* PC16550D, table II */
		     UART_DATA = 0,
		     UART_IER = 1,
		     UART_IIR = 2,
		     UART_FCR = 2,
		     UART_LCR = 3,
		     UART_MCR = 4,
		     UART_LSR = 5,
		     UART_MSR = 6,
		     UART_SCRATCH = 7,
		     UART_DIVISOR_LOW = 0,
		     UART_DIVISOR_HIGH = 1,
};
enum uart_bits {
	IER_RECEIVE = 1,
	IER_TRANSMIT = 2,
	IIR_NONE = 1,
	IIR_CAUSE = 0x0e,
	IIR_TRANSMIT = 2,
	IIR_RECEIVE = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,
	FCR_ON = 1,
	FCR_CLEAR = 6,
	FCR_TRIGGER_14 = 0xc0,
	LCR_8N1 = 3,
	LCR_DIVISOR = 0x80,
	MCR_DTR = 1,
	MCR_RTS = 2,
	MCR_OUT2 = 8, /* OUT2 lets the interrupt out */
	LSR_DATA = 1,
	LSR_EMPTY = 0x20,
	LSR_IDLE = 0x40,
};

#define FIFO_SIZE      16u
#define DIVISOR_115200 1u
#define LOG_SPINS      500000u /* LSR reads that a log line waits at most */
#define ECHO_SPINS     20000u
#define MAX_ROUNDS     4096u /* of one interrupt; more: the device is broken */

struct serial_port {
	uint16_t base;
	unsigned int irq;
	spinlock_t lock;
	uint8_t ier; /* lock */
	bool fifo;
	bool mid_line; /* lock; a program's output stands on an unfinished line */
	struct tty tty;
};

static struct serial_port ports[2]; /* ttyS0, ttyS1 */

static uint8_t port_read(const struct serial_port *port, enum uart_register reg)
{
	return inb(port->base + reg);
}

static void port_write(const struct serial_port *port, enum uart_register reg, uint8_t value)
{
	outb(port->base + reg, value);
}

/* ---- finding and setting up ---- */

/*
 * A register that has no function keeps what is written to it; where there is no UART, nothing
 * does.
 */
static bool detect(const struct serial_port *port)
{
	port_write(port, UART_SCRATCH, 0x5a);
	if (port_read(port, UART_SCRATCH) != 0x5a)
		return false;
	port_write(port, UART_SCRATCH, 0xa5);
	return port_read(port, UART_SCRATCH) == 0xa5 && port_read(port, UART_LSR) != 0xff;
}

static void set_up(struct serial_port *port)
{
	port_write(port, UART_IER, 0);
	port_write(port, UART_LCR, LCR_DIVISOR);
	port_write(port, UART_DIVISOR_LOW, DIVISOR_115200);
	port_write(port, UART_DIVISOR_HIGH, 0);
	port_write(port, UART_LCR, LCR_8N1);
	port_write(port, UART_FCR, FCR_ON | FCR_CLEAR | FCR_TRIGGER_14);
	port->fifo = (port_read(port, UART_IIR) & IIR_FIFO) == IIR_FIFO;
	port_write(port, UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
}

/* ---- output ---- */

static bool transmitter_empty(const struct serial_port *port)
{
	return port_read(port, UART_LSR) & LSR_EMPTY;
}

static bool wait_until_empty(const struct serial_port *port, unsigned int spins)
{
	while (!transmitter_empty(port)) {
		if (spins-- == 0)
			return false;
		cpu_relax();
	}
	return true;
}

/* As much as the empty FIFO takes; 0: it is not empty. */
static size_t fill_fifo(struct serial_port *port, const char *bytes, size_t len)
{
	size_t n = MIN(len, port->fifo ? FIFO_SIZE : 1u);

	if (!transmitter_empty(port))
		return 0;
	for (size_t i = 0; i < n; i++)
		port_write(port, UART_DATA, bytes[i]);
	return n;
}

static size_t send(struct serial_port *port, const char *bytes, size_t len)
{
	unsigned int flags = spin_lock_irqsave(&port->lock);
	size_t n = fill_fifo(port, bytes, len);

	if (n > 0)
		port->mid_line = bytes[n - 1] != '\n';
	spin_unlock_irqrestore(&port->lock, flags);
	return n;
}

/*
 * Is the transmitter empty? If not, its interrupt is asked for, which comes as soon as it is, also
 * if that is before the caller sleeps: a writer has joined the queue by then.
 */
static bool serial_can_write(struct tty *tty)
{
	struct serial_port *port = tty->private;
	unsigned int flags = spin_lock_irqsave(&port->lock);
	bool empty = transmitter_empty(port);

	if (!empty && !(port->ier & IER_TRANSMIT)) {
		port->ier |= IER_TRANSMIT;
		port_write(port, UART_IER, port->ier);
	}
	spin_unlock_irqrestore(&port->lock, flags);
	return empty;
}

static size_t serial_write(struct tty *tty, const char *bytes, size_t len, bool atomic)
{
	struct serial_port *port = tty->private;
	size_t done = 0;

	while (done < len) {
		size_t n = send(port, bytes + done, len - done);

		done += n;
		if (n > 0)
			continue;
		if (atomic ? !wait_until_empty(port, ECHO_SPINS)
			   : wait_event_interruptible(&tty->writable, serial_can_write(tty)) < 0)
			break;
	}
	return done;
}

static void serial_drain(struct tty *tty)
{
	struct serial_port *port = tty->private;

	if (wait_event_interruptible(&tty->writable, serial_can_write(tty)) < 0)
		return;
	/* The last byte is still being shifted out: less than 100 us. */
	for (unsigned int spins = 0; spins < ECHO_SPINS; spins++) {
		if (port_read(port, UART_LSR) & LSR_IDLE)
			return;
		cpu_relax();
	}
}

/* ---- the log ---- */

static void sink_put(struct serial_port *port, char c)
{
	if (wait_until_empty(port, LOG_SPINS))
		port_write(port, UART_DATA, c);
}

static void serial_log(const char *bytes, size_t len)
{
	struct serial_port *port = &ports[0];
	bool locked = sink_lock(&port->lock);

	if (port->mid_line) {
		port->mid_line = false;
		sink_put(port, '\r');
		sink_put(port, '\n');
	}
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			sink_put(port, '\r');
		sink_put(port, bytes[i]);
	}
	if (locked)
		spin_unlock(&port->lock);
}

static struct log_sink serial_sink = { .write = serial_log };

static void init_port(struct serial_port *port, uint16_t base, unsigned int irq, const char *name)
{
	port->base = base;
	port->irq = irq;
	spin_init(&port->lock, name);
	strlcpy(port->tty.name, name, sizeof(port->tty.name));
}

void serial_early_init(void)
{
	init_port(&ports[0], 0x3f8, 4, "ttyS0");
	init_port(&ports[1], 0x2f8, 3, "ttyS1");
	if (!detect(&ports[0]))
		return;
	set_up(&ports[0]);
	log_add_sink(&serial_sink);
}

/* ---- input and interrupts ---- */

static void serial_throttle(struct tty *tty, bool stop)
{
	struct serial_port *port = tty->private;
	unsigned int flags = spin_lock_irqsave(&port->lock);

	if (stop)
		port->ier &= ~IER_RECEIVE;
	else
		port->ier |= IER_RECEIVE;
	port_write(port, UART_IER, port->ier);
	spin_unlock_irqrestore(&port->lock, flags);
}

static void receive(struct serial_port *port)
{
	char buf[FIFO_SIZE];
	size_t n, room;

	do {
		room = tty_input_room(&port->tty);
		n = 0;
		while (n < MIN(room, sizeof(buf)) && (port_read(port, UART_LSR) & LSR_DATA))
			buf[n++] = port_read(port, UART_DATA);
		tty_input(&port->tty, buf, n);
	} while (n == sizeof(buf));
}

static void transmitted(struct serial_port *port)
{
	spin_lock(&port->lock);
	port->ier &= ~IER_TRANSMIT;
	port_write(port, UART_IER, port->ier);
	spin_unlock(&port->lock);
	tty_wake_writers(&port->tty);
}

static void serial_interrupt(void *context)
{
	struct serial_port *port = context;

	for (unsigned int round = 0; round < MAX_ROUNDS; round++) {
		uint8_t cause = port_read(port, UART_IIR);

		if (cause & IIR_NONE)
			return;
		switch (cause & IIR_CAUSE) {
		case IIR_RECEIVE:
		case IIR_TIMEOUT:
			receive(port);
			break;
		case IIR_TRANSMIT:
			transmitted(port);
			break;
		case IIR_LINE:
			(void)port_read(port, UART_LSR);
			break;
		default:
			(void)port_read(port, UART_MSR);
		}
	}
}

static const struct tty_driver serial_driver = {
	.write = serial_write,
	.throttle = serial_throttle,
	.drain = serial_drain,
	.can_write = serial_can_write,
};

static int start_port(struct serial_port *port, unsigned int minor)
{
	int error;

	if (!detect(port)) {
		log_info("%s: no UART at 0x%x", port->tty.name, port->base);
		return 0;
	}
	(void)wait_until_empty(port, LOG_SPINS); /* log lines may still be in the FIFO */
	set_up(port);
	port->tty.driver = &serial_driver;
	port->tty.private = port;
	error = tty_register(&port->tty, 4, minor);
	if (error == 0)
		error = irq_request(port->irq, false, serial_interrupt, port, port->tty.name);
	if (error < 0)
		return error;
	serial_throttle(&port->tty, false);
	log_info("%s: UART at 0x%x, interrupt %u%s", port->tty.name, port->base, port->irq,
		 port->fifo ? "" : ", no FIFO");
	return 0;
}

static int __init serial_probe(void)
{
	int first = start_port(&ports[0], 64);
	int second = start_port(&ports[1], 65);

	return first < 0 ? first : second;
}
DRIVER(serial, serial_probe);
