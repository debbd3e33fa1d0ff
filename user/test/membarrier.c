/*
 * membarrier, sched_setattr, ioprio_set.
 */
#include "user/test/test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define SCHED_SETATTR	351
#define SCHED_GETATTR	352
#define MEMBARRIER	375

#define GLOBAL		1
#define GLOBAL_FAST	2
#define REGISTER_GLOBAL 4
#define PRIVATE		8
#define REGISTER	16

static int barrier(int command, unsigned int flags)
{
	return syscall(MEMBARRIER, command, flags, 0);
}

TEST(commands, 5, "the commands that exist, and those that need a registration")
{
	int known = barrier(0, 0), status;

	CHECK_EQ(known & 31, 31);
	CHECK_ERR(barrier(0, 1), EINVAL);
	CHECK_ERR(barrier(GLOBAL, 1), EINVAL);
	CHECK_ERR(barrier(3, 0), EINVAL);
	CHECK_ERR(barrier(1 << 20, 0), EINVAL);
	CHECK_EQ(barrier(GLOBAL, 0), 0);
	CHECK_EQ(barrier(GLOBAL_FAST, 0), 0);
	CHECK_EQ(barrier(REGISTER_GLOBAL, 0), 0);
	CHECK_ERR(barrier(PRIVATE, 0), EPERM);
	CHECK_EQ(barrier(REGISTER, 0), 0);
	CHECK_EQ(barrier(PRIVATE, 0), 0);
	pid_t child = fork();

	if (child == 0)
		_exit(barrier(PRIVATE, 0));
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

/*
 * Two threads each say that they are inside and then look at the other one. Only one of them pays
 * for the order, with membarrier. Without it both may find nobody inside.
 */
static volatile int inside[2], both, done;
static volatile unsigned int rounds[2];
static bool one_cpu; /* where the other thread gets its turn only if this one gives it */

static void spin(void)
{
	if (one_cpu)
		sched_yield();
}

static void *fast_side(void *arg)
{
	while (!done) {
		while (rounds[0] == rounds[1] && !done)
			spin();
		inside[0] = 1;
		__asm__ volatile("" ::: "memory");
		both += inside[1] == 0;
		rounds[0]++;
	}
	return NULL;
}

TEST(order, 20, "a barrier on the CPUs of the other threads orders what they do")
{
	pthread_t thread;

	one_cpu = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	CHECK_EQ(barrier(REGISTER, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, fast_side, NULL), 0);
	for (int i = 0; i < 300; i++) {
		inside[0] = inside[1] = both = 0;
		__sync_synchronize();
		rounds[1]++;
		inside[1] = 1;
		CHECK_EQ(barrier(PRIVATE, 0), 0);
		int missed = inside[0] == 0;

		while (rounds[0] != rounds[1])
			spin();
		CHECK(!(missed && both));
	}
	done = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* ---- attributes ---- */

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t lowest, highest, unknown;
};

static long set_attributes(const struct attributes *attributes, unsigned int flags)
{
	return syscall(SCHED_SETATTR, 0, attributes, flags);
}

static long get_attributes(struct attributes *attributes, unsigned int size, unsigned int flags)
{
	return syscall(SCHED_GETATTR, 0, attributes, size, flags);
}

TEST(attributes, 5, "sched_setattr sets policy, nice value and priority, or keeps them")
{
	struct attributes wanted = { .size = 48, .policy = SCHED_FIFO, .priority = 7 }, got;

	CHECK_EQ(set_attributes(&wanted, 0), 0);
	CHECK_EQ(get_attributes(&got, 56, 0), 0);
	CHECK(got.size == 56 && got.policy == SCHED_FIFO && got.priority == 7 && got.nice == 0);
	wanted = (struct attributes){ .size = 48, .policy = 3, .nice = 5, .flags = 1 };
	CHECK_EQ(set_attributes(&wanted, 0), 0);
	CHECK_EQ(get_attributes(&got, 48, 0), 0);
	CHECK(got.size == 48 && got.policy == 3 && got.nice == 5 && got.priority == 0);
	CHECK_EQ(got.flags, 1);
	wanted = (struct attributes){ .size = 48, .policy = 99, .nice = 6, .flags = 1 | 8 };
	CHECK_EQ(set_attributes(&wanted, 0), 0);
	CHECK_EQ(get_attributes(&got, 48, 0), 0);
	CHECK(got.policy == 3 && got.nice == 6);
	CHECK_ERR(set_attributes(NULL, 0), EINVAL);
	CHECK_ERR(set_attributes((void *)8, 0), EFAULT);
	CHECK_ERR(set_attributes(&wanted, 1), EINVAL);
	CHECK_ERR(get_attributes(&got, 47, 0), EINVAL);
	CHECK_ERR(get_attributes(&got, 48, 1), EINVAL);
	wanted = (struct attributes){ .size = 48, .policy = 99 };
	CHECK_ERR(set_attributes(&wanted, 0), EINVAL);
	wanted = (struct attributes){ .size = 48, .policy = SCHED_FIFO };
	CHECK_ERR(set_attributes(&wanted, 0), EINVAL);
	wanted = (struct attributes){ .size = 60, .unknown = 1 };
	CHECK_ERR(set_attributes(&wanted, 0), E2BIG);
	CHECK_EQ(wanted.size, 56);
	wanted = (struct attributes){ .size = 60 };
	CHECK_EQ(set_attributes(&wanted, 0), 0);
	CHECK_EQ(setuid(1000), 0);
	wanted = (struct attributes){ .size = 48, .policy = SCHED_FIFO, .priority = 7 };
	CHECK_ERR(set_attributes(&wanted, 0), EPERM);
	wanted = (struct attributes){ .size = 48, .nice = -1 };
	CHECK_ERR(set_attributes(&wanted, 0), EPERM);
}

/* ---- priorities of disk requests ---- */

static int get_io(int which, int who)
{
	return syscall(SYS_ioprio_get, which, who);
}

static int set_io(int which, int who, int priority)
{
	return syscall(SYS_ioprio_set, which, who, priority);
}

TEST(io_priorities, 5,
     "a class and a level are kept and inherited; without them the nice value counts")
{
	int status;

	CHECK_EQ(get_io(1, 0), 0);
	CHECK_EQ(setpgid(0, 0), 0);
	CHECK_EQ(get_io(2, 0), 2 << 13 | 4);
	CHECK_EQ(setpriority(PRIO_PROCESS, 0, 10), 0);
	CHECK_EQ(get_io(2, 0), 2 << 13 | 6);
	CHECK_EQ(set_io(1, 0, 2 << 13 | 1), 0);
	CHECK_EQ(get_io(1, getpid()), 2 << 13 | 1);
	pid_t child = fork();

	if (child == 0)
		_exit(get_io(1, 0) == (2 << 13 | 1) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(set_io(1, 0, 1 << 13 | 7), 0);
	CHECK_EQ(set_io(1, 0, 3 << 13), 0);
	CHECK_EQ(get_io(1, 0), 3 << 13);
	CHECK_ERR(set_io(1, 0, 2 << 13 | 8), EINVAL);
	CHECK_ERR(set_io(1, 0, 4 << 13), EINVAL);
	CHECK_ERR(set_io(1, 0, 1), EINVAL);
	CHECK_ERR(set_io(4, 0, 3 << 13), EINVAL);
	CHECK_ERR(get_io(0, 0), EINVAL);
	CHECK_ERR(get_io(1, 4000000), ESRCH);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(set_io(1, 0, 1 << 13), EPERM);
	CHECK_ERR(set_io(1, 1, 3 << 13), EPERM);
	CHECK_EQ(set_io(1, 0, 0), 0);
}
