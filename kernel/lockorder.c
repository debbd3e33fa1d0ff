/*
 * The graph of lock classes. The contract stands in kernel/lockorder.h.
 *
 * 1. Classes and edges are only ever added, under `graph_busy` (a lock of its own kind: spinlocks
 *    come here) with interrupts off. Its place in `edge_of` is set last: whoever sees it need not
 *    take the lock, so that an order that is known costs a look.
 * 2. Once a fault is reported nothing is watched any more.
 */
#include "kernel/lockorder.h"
#include "kernel/atomic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/task.h"
#include "lib/string.h"

#define MAX_CLASSES 256
#define MAX_EDGES   1024
#define STACK_DEPTH 12
#define NO_CLASS    0xffff

/* Classes of which a task may hold several, and in which order. */
static const char *const ordered[] = {
	"inode",       /* a directory before what is in it: fs/names/vfs.h */
	"page tables", /* fork: the parent's before those of the child, which nobody else knows */
};

static struct lock_class {
	const char *name; /* NULL: free. Two names are one if the pointers are. */
	enum lock_kind kind;
} classes[MAX_CLASSES];

/* Was the second class wanted under the first? Its number, from 1; 0: no. */
static uint16_t edge_of[MAX_CLASSES][MAX_CLASSES];
static uintptr_t stacks[MAX_EDGES][STACK_DEPTH]; /* of who drew it; [0] is not used */
static unsigned int nr_edges;

static struct lock_holds spinlocks_of[MAX_CPUS];
static volatile unsigned int graph_busy;
static bool off;

static unsigned int graph_lock(void)
{
	unsigned int flags = irq_save();

	while (__sync_lock_test_and_set(&graph_busy, 1))
		cpu_relax();
	return flags;
}

static void graph_unlock(unsigned int flags)
{
	__sync_lock_release(&graph_busy);
	irq_restore(flags);
}

/* A hash table with open addressing; a class is its place. */
static unsigned int class_of(const char *name, enum lock_kind kind)
{
	unsigned int first = ((uintptr_t)name >> 2) * 31 + kind, i = first % MAX_CLASSES, flags;

	while (classes[i].name && (classes[i].name != name || classes[i].kind != kind))
		i = (i + 1) % MAX_CLASSES;
	if (classes[i].name)
		return i;
	flags = graph_lock();
	while (classes[i].name && (classes[i].name != name || classes[i].kind != kind)) {
		i = (i + 1) % MAX_CLASSES;
		assert(i != first % MAX_CLASSES);
	}
	classes[i].kind = kind;
	barrier();
	classes[i].name = name;
	graph_unlock(flags);
	return i;
}

static bool may_nest(unsigned int class)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ordered); i++)
		if (strcmp(classes[class].name, ordered[i]) == 0)
			return true;
	return false;
}

/*
 * Is there a way from class `from` to class `to`? via[c] is then the class from which c was reached,
 * so that the way can be told from its end.
 */
static bool find_way(unsigned int from, unsigned int to, uint16_t via[MAX_CLASSES])
{
	uint16_t reached[MAX_CLASSES];
	unsigned int nr = 0;

	memset(via, 0xff, MAX_CLASSES * sizeof(*via));
	reached[nr++] = from;
	for (unsigned int i = 0; i < nr; i++) {
		for (unsigned int next = 0; next < MAX_CLASSES; next++) {
			if (!edge_of[reached[i]][next] || next == from || via[next] != NO_CLASS)
				continue;
			via[next] = reached[i];
			reached[nr++] = next;
		}
	}
	return via[to] != NO_CLASS;
}

/* `to` is wanted under `from` now; the other edges of the circle lead from `to` to `from`. */
static void report(unsigned int from, unsigned int to, const uint16_t via[MAX_CLASSES])
{
	for (unsigned int at = from; at != to; at = via[at]) {
		log_error("lock order: %s was wanted under %s by", classes[at].name,
			  classes[via[at]].name);
		stack_print(stacks[edge_of[via[at]][at]], STACK_DEPTH);
	}
	panic("lock order: %s is wanted under %s, and has been taken before it", classes[to].name,
	      classes[from].name);
}

static void add_edge(unsigned int from, unsigned int to)
{
	uint16_t via[MAX_CLASSES];
	unsigned int flags = graph_lock();
	bool circle = from == to ? !may_nest(from) : find_way(to, from, via);

	if (circle) {
		off = true;
		graph_unlock(flags);
		report(from, to, via);
	}
	if (!edge_of[from][to]) {
		assert(nr_edges + 1 < MAX_EDGES);
		stack_walk(__builtin_frame_address(0), stacks[++nr_edges], STACK_DEPTH);
		edge_of[from][to] = nr_edges;
	}
	graph_unlock(flags);
}

static void wanted_after(const struct lock_holds *holds, unsigned int class)
{
	for (unsigned int i = 0; i < holds->nr; i++)
		if (!edge_of[holds->held[i].class][class])
			add_edge(holds->held[i].class, class);
}

static struct lock_holds *holds_of(enum lock_kind kind)
{
	return kind == LOCK_SPIN ? &spinlocks_of[this_cpu()->id] : &current->mutexes;
}

void lock_wanted(const char *name, enum lock_kind kind)
{
	const struct lock_holds *spinlocks = holds_of(LOCK_SPIN);
	unsigned int class;

	if (off)
		return;
	if (kind == LOCK_MUTEX && spinlocks->nr) {
		off = true;
		panic("lock order: mutex %s is wanted under spinlock %s", name,
		      classes[spinlocks->held[spinlocks->nr - 1].class].name);
	}
	class = class_of(name, kind);
	wanted_after(spinlocks, class);
	if (current) /* not at the first locks of the boot */
		wanted_after(holds_of(LOCK_MUTEX), class);
}

void lock_taken(const void *lock, const char *name, enum lock_kind kind)
{
	struct lock_holds *holds = holds_of(kind);
	unsigned int flags, class;

	if (off)
		return;
	class = class_of(name, kind);
	flags = irq_save();
	assert(holds->nr < ARRAY_SIZE(holds->held));
	holds->held[holds->nr].lock = lock;
	holds->held[holds->nr++].class = class;
	irq_restore(flags);
}

void lock_given(const void *lock, enum lock_kind kind)
{
	struct lock_holds *holds = holds_of(kind);
	unsigned int flags = irq_save();

	for (unsigned int i = holds->nr; i-- > 0;) {
		if (holds->held[i].lock != lock)
			continue;
		holds->held[i] = holds->held[--holds->nr];
		break;
	}
	irq_restore(flags);
}
