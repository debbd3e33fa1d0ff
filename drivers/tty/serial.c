/*
 * Serial ports: the 16550 UART (National Semiconductor PC16550D data sheet). COM1 is a log sink and
 * ttyS0, and COM2 is ttyS1.
 *
 * 1. Output is written to the transmit FIFO whenever that is empty. A writer that finds it not
 *    empty sleeps until the interrupt reports that it is. Output that must not sleep (log and echo)
 *    waits for a while, and is then dropped.
 * 2. Input is read in the interrupt, and never more than the terminal has room for. If it has no
 *    room, the receive interrupt is switched off until throttle(false). Then bytes stay in the
 *    FIFO, and behind it at the sender.
 * 3. port->lock (irqsave) guards the interrupt enable register and the order of output. The lock
 *    order is tty->lock, port->lock.
 * 4. Interrupts are edge-triggered, so the handler goes on until the UART has no more causes.
 * 5. What is typed while the kernel starts is kept: the byte that has come before the FIFO is on in
 *    `early`, and 16 more in the FIFO. The others wait at the sender.
 */
#include "lib/string.h"
#include "drivers/tty/console.h"
#include "drivers/tty/tty.h"
#include "kernel/init.h"
#include "kernel/cpu/irq.h"
#include "kernel/log.h"
#include "kernel/wait.h"

/* PC16550D, table II: registers and their bits. */
enum uart { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCRATCH };
#define UART_FCR	 UART_IIR /* when written */
#define UART_DIVISOR	 UART_DATA /* low half, with LCR_DIVISOR; the high half is the next register */
#define IER_RECEIVE	 1
#define IER_TRANSMIT	 2
#define IIR_NONE	 1
#define IIR_FIFO	 0xc0 /* the FIFOs are on */
#define FCR_ON_14	 0xc1 /* FIFOs on; receive interrupt at 14 bytes */
#define LCR_8N1		 3
#define LCR_DIVISOR	 0x80
#define MCR_DTR_RTS_OUT2 0xb /* OUT2 connects the interrupt line */
#define LSR_DATA	 1
#define LSR_EMPTY	 0x20

#define FIFO_SIZE	 16u
#define DIVISOR_115200	 1u
#define LOG_SPINS	 500000u /* LSR reads for which a byte of the log waits */
#define ECHO_SPINS	 20000u
#define MAX_ROUNDS	 4096u /* in one interrupt; a broken device may never run out of causes */

struct serial_port {
	uint16_t base;
	unsigned int irq;
	spinlock_t lock;
	uint8_t ier; /* lock */
	char early;
	bool has_early;
	struct tty tty;
};

static struct serial_port ports[2]; /* ttyS0, ttyS1 */

static uint8_t port_read(const struct serial_port *port, enum uart reg)
{
	return inb(port->base + reg);
}

static void port_write(const struct serial_port *port, enum uart reg, uint8_t value)
{
	outb(port->base + reg, value);
}

/* ---- finding and setting up ---- */

/*
 * The scratch register keeps the byte that is written to it. Without a UART nothing does.
 */
static bool detect(const struct serial_port *port)
{
	port_write(port, UART_SCRATCH, 0x5a);
	return port_read(port, UART_SCRATCH) == 0x5a && port_read(port, UART_LSR) != 0xff;
}

static void set_up(struct serial_port *port)
{
	port_write(port, UART_IER, 0);
	port_write(port, UART_LCR, LCR_DIVISOR);
	port_write(port, UART_DIVISOR, DIVISOR_115200);
	port_write(port, UART_DIVISOR + 1, 0);
	port_write(port, UART_LCR, LCR_8N1);
	/* Switching the FIFO on clears the receiver, so its byte is read just before. */
	if (!(port_read(port, UART_IIR) & IIR_FIFO) && port_read(port, UART_LSR) & LSR_DATA) {
		port->has_early = true;
		port->early = port_read(port, UART_DATA);
	}
	port_write(port, UART_FCR, FCR_ON_14);
	port_write(port, UART_MCR, MCR_DTR_RTS_OUT2);
}

/* Switch interrupts on or off. port->lock is held. */
static void set_ier(struct serial_port *port, uint8_t bits, bool on)
{
	port->ier = on ? port->ier | bits : port->ier & ~bits;
	port_write(port, UART_IER, port->ier);
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

/* Write as many bytes as fit into the FIFO. Returns their number, or 0 if the FIFO is not empty. */
static size_t send(struct serial_port *port, const char *bytes, size_t len)
{
	unsigned int flags = spin_lock_irqsave(&port->lock);
	size_t n = transmitter_empty(port) ? MIN(len, FIFO_SIZE) : 0;

	for (size_t i = 0; i < n; i++)
		port_write(port, UART_DATA, bytes[i]);
	spin_unlock_irqrestore(&port->lock, flags);
	return n;
}

/*
 * Is the transmitter empty? If not, switch on its interrupt, which comes as soon as it is empty. A
 * writer has joined the queue before it calls this, so an interrupt that comes before it sleeps
 * wakes it too.
 */
static bool serial_can_write(struct tty *tty)
{
	struct serial_port *port = tty->private;
	unsigned int flags = spin_lock_irqsave(&port->lock);
	bool empty = transmitter_empty(port);

	if (!empty)
		set_ier(port, IER_TRANSMIT, true);
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

	set_ier(port, IER_RECEIVE, !stop);
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

/* Read what has come before interrupts are on. */
static void receive_early(struct serial_port *port)
{
	if (port->has_early)
		tty_input(&port->tty, &port->early, 1);
	receive(port);
}

/* Each round looks at all possible causes. Reading MSR and the data acknowledges theirs. */
static void serial_interrupt(void *context)
{
	struct serial_port *port = context;
	bool wake;

	for (unsigned int round = 0; round < MAX_ROUNDS; round++) {
		if (port_read(port, UART_IIR) & IIR_NONE)
			return;
		(void)port_read(port, UART_MSR);
		if (port->ier & IER_RECEIVE)
			receive(port);
		spin_lock(&port->lock);
		wake = port->ier & IER_TRANSMIT && transmitter_empty(port);
		if (wake)
			set_ier(port, IER_TRANSMIT, false);
		spin_unlock(&port->lock);
		if (wake)
			tty_wake_writers(&port->tty);
	}
}

static const struct tty_driver serial_driver = {
	.write = serial_write,
	.throttle = serial_throttle,
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
		receive_early(port);
	if (error == 0)
		error = irq_request(port->irq, false, serial_interrupt, port);
	if (error < 0)
		return error;
	serial_throttle(&port->tty, false);
	log_info("%s: UART at 0x%x, interrupt %u", port->tty.name, port->base, port->irq);
	return 0;
}

static int __init serial_probe(void)
{
	int first = start_port(&ports[0], 64);
	int second = start_port(&ports[1], 65);

	return first < 0 ? first : second;
}
DRIVER(serial, serial_probe);
