/*
 * prctl: options that concern neither credentials nor the end of a parent.
 */
#include "signals.h"
#include "text_files.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, 1);
}

/* Returns true if the TSC can be read. */
static bool reads_tsc(void)
{
	if (sigsetjmp(back, 1))
		return false;
	__asm__ volatile("rdtsc" ::: "eax", "edx");
	return true;
}

TEST(tsc, 5,
     "PR_SET_TSC: a thread that may not read the TSC gets a SIGSEGV, and so do its children")
{
	int told = 0;

	handle(SIGSEGV, on_fault, 0);
	CHECK_EQ(prctl(PR_GET_TSC, &told), 0);
	CHECK_EQ(told, PR_TSC_ENABLE);
	CHECK(reads_tsc());
	CHECK_EQ(prctl(PR_SET_TSC, PR_TSC_SIGSEGV), 0);
	CHECK(!reads_tsc());
	pid_t child = fork();

	if (child == 0)
		_exit(reads_tsc());
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(prctl(PR_GET_TSC, &told), 0);
	CHECK_EQ(told, PR_TSC_SIGSEGV);
	CHECK_EQ(prctl(PR_SET_TSC, PR_TSC_ENABLE), 0);
	CHECK(reads_tsc());
	CHECK_ERR(prctl(PR_SET_TSC, 3), EINVAL);
}

TEST(slack, 5, "PR_SET_TIMERSLACK: a child begins with its parent's slack, and 0 brings that back")
{
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 70000), 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, 1), 0);
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1);
		CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
		CHECK_EQ(prctl(PR_GET_TIMERSLACK), 70000);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
}

TEST(others, 5, "the address of a thread's number, how CPU time is counted, and huge pages")
{
	int *address, number;

	CHECK_EQ(syscall(SYS_set_tid_address, &number), getpid());
	CHECK_EQ(prctl(PR_GET_TID_ADDRESS, &address), 0);
	CHECK(address == &number);
	CHECK_EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
	CHECK_EQ(prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL), 0);
	CHECK_ERR(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_THP_DISABLE, 0, 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
	CHECK_EQ(prctl(PR_TASK_PERF_EVENTS_DISABLE), 0);
	CHECK_EQ(prctl(PR_TASK_PERF_EVENTS_ENABLE), 0);
	CHECK_ERR(prctl(999), EINVAL);
}

TEST(command_line, 5, "root sets where its command line and its environment lie")
{
	char *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(fresh != MAP_FAILED);
	strcpy(fresh, "renamed");
	CHECK_EQ(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_MM, PR_SET_MM_ARG_END, fresh + 8, 0, 0), 0);
	CHECK(memcmp(contents("/proc/self/cmdline"), "renamed\0", 9) == 0);
	CHECK_EQ(prctl(PR_SET_MM, PR_SET_MM_ENV_START, fresh + 2, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_MM, PR_SET_MM_ENV_END, fresh + 4, 0, 0), 0);
	CHECK(strcmp(contents("/proc/self/environ"), "na") == 0);
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh + 9, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_ENV_END, fresh + 1, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_ARG_START, NULL, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh, 1, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_MM, 99, fresh, 0, 0), EINVAL);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(65534), 0);
		CHECK_ERR(prctl(PR_SET_MM, PR_SET_MM_ARG_START, fresh, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}
