/*
 * The kernel log, backtraces and panic. See kernel/log.h for the contract.
 *
 * 1. log_lock (irqsave) guards the ring, the records and the sinks, so that lines of several CPUs
 *    do not mix.
 * 2. If this CPU holds the lock already, because a sink has faulted, a line is written without it.
 * 3. After a panic, lines are written without the lock, because its owner may never release it.
 */
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/cpu/smp.h"
#include "kernel/task.h"
#include "kernel/cpu/trap.h"
#include "lib/print.h"
#include "lib/string.h"

#define LINE_MAX   512	 /* of a message of the kernel's own */
#define PREFIX_MAX 32	 /* the time */
#define LEVEL_MASK 7u	 /* of a priority */
#define RECORDS	   1024u /* as many as the ring has lines at most: the time takes 15 bytes */

static spinlock_t log_lock = SPINLOCK_INIT("log");
static char ring[LOG_RING_SIZE];
static unsigned int ring_head; /* bytes ever written */
/* Where the text of each of the last lines is in the ring. */
static struct record {
	unsigned int start; /* counts as ring_head */
	uint16_t len, priority;
	uint64_t microseconds;
} records[RECORDS];
static unsigned int next_record; /* lines ever written */
static struct log_sink *sinks;
static int console_level = LOG_INFO;
static volatile bool panicking;

static int set_loglevel(const char *value)
{
	uint32_t level;

	if (parse_u32(value, &level) < 0 || level > LOG_DEBUG)
		return -EINVAL;
	console_level = level;
	return 0;
}
KERNEL_PARAM(loglevel, set_loglevel, "6",
	     "3: errors, 4: also warnings, 6: also information, 7: also debugging");

static int set_quiet(const char *value)
{
	console_level = LOG_WARNING;
	param_value_loglevel = "4";
	return 0;
}
KERNEL_PARAM(quiet, set_quiet, "off", "only warnings and errors on the console");

/* Put bytes into the ring, and with `show` also on the consoles. */
static void append(const char *bytes, size_t len, bool show)
{
	for (size_t i = 0; i < len; i++)
		ring[ring_head++ % LOG_RING_SIZE] = bytes[i];
	for (struct log_sink *sink = show ? sinks : NULL; sink; sink = sink->next)
		sink->write(bytes, len);
}

/* `now` is in nanoseconds of time_now(). */
static void emit(unsigned int priority, uint64_t now, const char *text, size_t len)
{
	uint64_t us = now / 1000;
	bool show = (int)(priority & LEVEL_MASK) <= console_level;
	struct record *record = &records[next_record % RECORDS];
	char time[PREFIX_MAX];

	append(time,
	       snprintf(time, sizeof(time), "[%5u.%06u] ", (uint32_t)(now / NSEC_PER_SEC),
			(uint32_t)(us % 1000000)),
	       show);
	*record = (struct record){ ring_head, len, priority, us };
	append(text, len, show);
	append("\n", 1, show);
	WRITE_ONCE(next_record, next_record + 1);
}

void log_text(unsigned int priority, const char *text, size_t len)
{
	uint64_t now = time_now();
	unsigned int flags;

	if (panicking || spin_held(&log_lock)) {
		emit(priority, now, text, len);
		return;
	}
	flags = spin_lock_irqsave(&log_lock);
	emit(priority, now, text, len);
	spin_unlock_irqrestore(&log_lock, flags);
}

void log_at(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX];
	size_t len;
	va_list args;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	log_text(level, line, MIN(len, sizeof(line) - 1));
}

/* ---- records ---- */

/* Has the ring lost the record? It has been logged. log_lock is held. */
static bool is_lost(unsigned int number)
{
	return next_record - number > RECORDS ||
	       ring_head - records[number % RECORDS].start > LOG_RING_SIZE;
}

int log_record_get(unsigned int number, struct log_record *to)
{
	unsigned int flags = spin_lock_irqsave(&log_lock);
	const struct record *record = &records[number % RECORDS];
	int error = 0;

	if (number == next_record)
		error = -EAGAIN;
	else if (is_lost(number))
		error = -EPIPE;
	if (!error) {
		to->priority = record->priority;
		to->microseconds = record->microseconds;
		to->len = record->len;
		for (size_t i = 0; i < to->len; i++)
			to->text[i] = ring[(record->start + i) % LOG_RING_SIZE];
	}
	spin_unlock_irqrestore(&log_lock, flags);
	return error;
}

unsigned int log_record_first(void)
{
	return log_record_from(READ_ONCE(ring_head) - LOG_RING_SIZE);
}

unsigned int log_record_from(unsigned int position)
{
	unsigned int flags = spin_lock_irqsave(&log_lock);
	unsigned int number = next_record - MIN(next_record, RECORDS);

	while (number != next_record &&
	       (is_lost(number) || (int)(records[number % RECORDS].start - position) < 0))
		number++;
	spin_unlock_irqrestore(&log_lock, flags);
	return number;
}

unsigned int log_record_next(void)
{
	return READ_ONCE(next_record);
}

void log_add_sink(struct log_sink *sink)
{
	unsigned int flags = spin_lock_irqsave(&log_lock);

	for (unsigned int i = ring_head > LOG_RING_SIZE ? ring_head - LOG_RING_SIZE : 0;
	     i != ring_head; i++)
		sink->write(&ring[i % LOG_RING_SIZE], 1);
	sink->next = sinks;
	sinks = sink;
	spin_unlock_irqrestore(&log_lock, flags);
}

int log_set_console(int level)
{
	int old = console_level + 1;

	WRITE_ONCE(console_level, level - 1);
	return old;
}

size_t log_read(unsigned int *position, char *buf, size_t size)
{
	unsigned int flags = spin_lock_irqsave(&log_lock);
	size_t len;

	if (ring_head - *position > MIN(ring_head, LOG_RING_SIZE))
		*position = ring_head - MIN(ring_head, LOG_RING_SIZE);
	len = MIN(ring_head - *position, size);
	for (size_t i = 0; i < len; i++)
		buf[i] = ring[(*position)++ % LOG_RING_SIZE];
	spin_unlock_irqrestore(&log_lock, flags);
	return len;
}

/* ---- backtraces ---- */

/*
 * Made by tools/ksyms: the address of the first function, the distance from each function to the
 * next, and all names in a row.
 */
extern const unsigned int ksyms_count, ksyms_first;
extern const unsigned short ksyms_length[];
extern const char ksyms_names[];

const char *symbol_find(uintptr_t address, unsigned int *offset)
{
	extern const char _init_end[];
	uintptr_t start = ksyms_first;
	const char *name = ksyms_names;

	*offset = 0;
	if (address < start || address >= (uintptr_t)_init_end)
		return "?";
	for (unsigned int i = 0; i + 1 < ksyms_count && address >= start + ksyms_length[i]; i++) {
		start += ksyms_length[i];
		name += strlen(name) + 1;
	}
	*offset = address - start;
	return name;
}

/* A frame has two words. It can be read if it lies in the stack of `task` or in the boot stack. */
static bool readable_frame(const struct task *task, const uint32_t *frame)
{
	extern char boot_stack[];
	uintptr_t at = (uintptr_t)frame, low = (uintptr_t)boot_stack, size = KERNEL_STACK_SIZE;

	if (at & 3)
		return false;
	if (task && task->stack && at - (uintptr_t)task->stack < size - 8)
		return true;
	return at - low < size - 8;
}

static void walk(const struct task *task, const void *ebp, uintptr_t *addresses, unsigned int max)
{
	const uint32_t *frame = ebp, *last = NULL;
	unsigned int depth = 0;

	while (depth < max && readable_frame(task, frame) && frame > last && frame[1]) {
		addresses[depth++] = frame[1];
		last = frame;
		frame = (const uint32_t *)frame[0];
	}
	if (depth < max)
		addresses[depth] = 0;
}

void stack_walk(const void *ebp, uintptr_t *addresses, unsigned int max)
{
	walk(current, ebp, addresses, max);
}

/*
 * switch_context() has pushed edi, esi, ebx, ebp and its return address, from low to high
 * addresses. The last two are a frame.
 */
void stack_walk_task(const struct task *task, uintptr_t *addresses, unsigned int max)
{
	const uint32_t *frame = (const uint32_t *)READ_ONCE(task->kernel_esp) + 3;

	addresses[0] = 0;
	if (!readable_frame(task, frame))
		return;
	addresses[0] = frame[1];
	walk(task, (const void *)frame[0], addresses + 1, max - 1);
}

void stack_print(const uintptr_t *addresses, unsigned int max)
{
	for (unsigned int i = 0; i < max && addresses[i]; i++) {
		unsigned int offset;
		/*
		 * The call may be the last instruction of its function, if the callee never
		 * returns.
		 */
		const char *name = symbol_find(addresses[i] - 1, &offset);

		log_error("  [%08x] %s+0x%x", addresses[i], name, offset + 1);
	}
}

void backtrace(const void *ebp)
{
	uintptr_t addresses[32];

	stack_walk(ebp, addresses, ARRAY_SIZE(addresses));
	stack_print(addresses, ARRAY_SIZE(addresses));
}

static void print_registers(const struct trap_frame *frame)
{
	unsigned int offset;
	const char *name = symbol_find(frame->eip, &offset);

	log_error("eip [%08x] %s+0x%x cs %04x eflags %08x error %x", frame->eip, name, offset,
		  frame->cs & 0xffff, frame->eflags, frame->error);
	log_error("eax %08x ebx %08x ecx %08x edx %08x", frame->eax, frame->ebx, frame->ecx,
		  frame->edx);
	log_error("esi %08x edi %08x ebp %08x cr2 %08x cr3 %08x", frame->esi, frame->edi,
		  frame->ebp, read_cr2(), read_cr3());
}

/* `at` is NULL unless the CPU reported the fault. The call chain starts at `ebp`. */
static void __noreturn die(const struct trap_frame *at, const void *ebp, const char *format,
			   va_list args)
{
	char message[256];

	irq_disable();
	if (panicking) /* a second fault: the log must do as it is */
		smp_stop_this_cpu();
	panicking = true;
	vsnprintf(message, sizeof(message), format, args);
	log_error("panic: %s", message);
	log_error("CPU %u, task %u (%s)", this_cpu()->id, current ? current->tid : 0,
		  current ? current->name : "none");
	if (!at && current && current->process && trap_from_user(task_frame(current)))
		at = task_frame(current);
	if (at)
		print_registers(at);
	backtrace(ebp);
	log_error("--- end of panic ---");
	smp_stop_others();
	smp_stop_this_cpu();
}

void cannot_start(const char *format, ...)
{
	char message[256];
	va_list args;

	irq_disable();
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	console_level = MAX(console_level, (int)LOG_ERROR); /* whatever loglevel= says */
	log_error("Sluice cannot start: %s", message);
	smp_stop_others();
	smp_stop_this_cpu();
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	die(NULL, __builtin_frame_address(0), format, args);
}

void panic_at(const struct trap_frame *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	die(at, (const void *)at->ebp, format, args);
}
