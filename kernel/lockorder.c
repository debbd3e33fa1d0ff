/*
 * The graph of lock classes. See kernel/lockorder.h for the contract.
 *
 * 1. Classes and edges are added, but never removed. To add one, hold `graph_busy` with interrupts
 *    off. It cannot be a spinlock, because spinlocks call this file.
 * 2. An edge is complete before its number is stored in `edge_of`. A known edge can therefore be
 *    looked up without the lock.
 * 3. After the first report, the checker is off.
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

/* The classes of which a task may hold several locks, and in which order. */
static const char *const ordered[] = {
	"epoll",	  /* an outer one before those that it watches, see fs/events/epoll.h */
	"epoll watchers", /* an inner one before those that watch it */
	"inode",	  /* a directory before its entries, see fs/names/vfs.h */
	"page tables", /* fork: the parent's, then the child's, which no other task can reach yet */
};

static struct lock_class {
	const char *name; /* NULL: free. Names are compared by address. */
	enum lock_kind kind;
} classes[MAX_CLASSES];

/* edge_of[from][to] is the edge's number, from 1 on, or 0 if there is no edge. */
static uint16_t edge_of[MAX_CLASSES][MAX_CLASSES];
static uintptr_t stacks[MAX_EDGES][STACK_DEPTH]; /* where each edge was made; [0] is not used */
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

/* Find or add a class. `classes` is a hash table with open addressing. Returns the index in it. */
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
 * Returns true if edges lead from class `from` to class `to`. Then via[c] is the class from which c
 * was reached, so the path can be followed back from its end.
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

/*
 * `to` is wanted under `from`. The other edges of the circle lead from `to` to `from`, see
 * find_way().
 */
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
	if (current) /* NULL early in the boot */
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
