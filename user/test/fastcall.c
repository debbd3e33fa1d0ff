/*
 * System calls through __kernel_vsyscall, which uses sysenter on a CPU that has it.
 */
#include "fastcall.h"
#include "vdso.h"

#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <ucontext.h>

#define HWCAP_SEP (1u << 11)

TEST(form, 5, "the vDSO has sysenter if, and only if, the CPU has it")
{
	unsigned int a, b, c, d, family, model, stepping;
	bool early_pentium_pro;

	CHECK(__get_cpuid(1, &a, &b, &c, &d));
	family = a >> 8 & 15;
	model = (a >> 4 & 15) | (a >> 12 & 0xf0);
	stepping = a & 15;
	early_pentium_pro = family == 6 && model < 3 && stepping < 3;
	CHECK_EQ(has_sysenter(), d & HWCAP_SEP && !early_pentium_pro);
	CHECK_EQ(has_sysenter(), (getauxval(AT_HWCAP) & HWCAP_SEP) != 0);
}

TEST(result, 5, "a call has the result of the call by int, and keeps all other registers")
{
	CHECK_EQ(fast(SYS_getppid, 1, 2, 3, 4, 5, 6), getppid());
	CHECK_EQ(fast(SYS_close, -1, 2, 3, 4, 5, 6), -EBADF);
	CHECK_EQ(fast(400000, 1, 2, 3, 4, 5, 6), -ENOSYS);
	CHECK_EQ(fast(-1, 1, 2, 3, 4, 5, 6), -ENOSYS);
	CHECK_EQ(fast(222, 1, 2, 3, 4, 5, 6), -ENOSYS); /* a number that has no call */
}

TEST(six_arguments, 5, "a call has six arguments")
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char byte, *map;

	CHECK_EQ(pread(fd, &byte, 1, 4096 + 1), 1);
	map = (char *)fast(SYS_mmap2, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 1);
	CHECK((uintptr_t)map < -4096ul);
	CHECK_EQ(map[1], byte);
}

/* ---- the stack that ebp points to ---- */

static uintptr_t bad_stack;

static void crashed(int signo, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	if (r[REG_EAX] != -EFAULT)
		_exit(1);
	_exit((uintptr_t)r[REG_EIP] == landing() && (uintptr_t)r[REG_ESP] == bad_stack ? 42 : 2);
}

static void call_with_bad_stack(uintptr_t at)
{
	static char room[16384];
	stack_t stack = { room, 0, sizeof(room) };
	struct sigaction action = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	bad_stack = at;
	raw_call(SYS_getppid, at);
	_exit(3);
}

TEST(bad_stacks, 10,
     "with a stack that cannot be read, a call fails with EFAULT, and the program goes on")
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t bad[] = {
		0,
		4,
		0xbffffffd,
		0xbfffffff,
		0xc0000000,
		0xc0100000,
		0xfffffffc,
		0xffffffff,
		0xffc00000,
		0xfee00000,
		(uintptr_t)pages + 4096,
		(uintptr_t)pages + 4094,
	};

	CHECK(pages != MAP_FAILED);
	memset(pages, 1, 4096);
	CHECK_EQ(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	for (unsigned int i = 0; has_sysenter() && i < sizeof(bad) / sizeof(bad[0]); i++) {
		pid_t child = fork();

		if (!child)
			call_with_bad_stack(bad[i]);
		if (test_wait(child) != 42)
			test_fail(__FILE__, __LINE__, "not so with 0x%x", (unsigned int)bad[i]);
	}
}

TEST(late_stack, 5, "the stack may be a page that is not in memory yet")
{
	char name[] = "/tmp/late_stack";
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint32_t words[1024], *stack;

	CHECK(fd >= 0);
	CHECK_EQ(unlink(name), 0);
	for (int i = 0; i < 1024; i++)
		words[i] = (uint32_t)raw_back;
	CHECK_EQ(write(fd, words, sizeof(words)), sizeof(words));
	for (int i = 0; has_sysenter() && i < 100; i++) {
		stack = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		CHECK(stack != MAP_FAILED);
		CHECK_EQ(raw_call(SYS_getppid, (uintptr_t)(stack + 10)), getppid());
		CHECK_EQ(munmap(stack, 4096), 0);
	}
}

/* ---- flags and segments ---- */

TEST(flags, 5, "a call keeps the program's flags, and works with all of them")
{
	static const uint32_t flags[] = {
		0, FLAGS_DF, FLAGS_AC, FLAGS_NT, FLAGS_ID, FLAGS_DF | FLAGS_AC | FLAGS_NT, 0x8d5,
	};
	char from[64], to[64];
	int p[2];

	landing();
	CHECK_EQ(pipe(p), 0);
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct registers out = { SYS_write, p[1], (uint32_t)from,  64, 0,
					 0,	    0,	  0x202 | flags[i] };
		struct registers in = {
			SYS_read, p[0], (uint32_t)to, 64, 0, 0, 0, 0x202 | flags[i]
		};

		for (int n = 0; n < 64; n++)
			from[n] = n * (i + 1);
		fast_call(&out);
		fast_call(&in);
		CHECK_EQ(out.eax, 64);
		CHECK_EQ(in.eax, 64);
		CHECK(!memcmp(from, to, 64));
		CHECK_EQ(out.eflags, 0x202 | flags[i]);
		CHECK_EQ(in.eflags, 0x202 | flags[i]);
	}
}

TEST(segments, 5, "a call works with any segments")
{
	char from[64] = "through the pipe", to[64] = "";
	uint32_t data;
	int p[2];

	landing();
	CHECK_EQ(pipe(p), 0);
	struct registers out = { SYS_write, p[1], (uint32_t)from, 64, 0, 0, 0, 0x202 };
	struct registers in = { SYS_read, p[0], (uint32_t)to, 64, 0, 0, 0, 0x202 };

	__asm__("movl %%ds, %0" : "=r"(data));
	for (int i = 0; i < 100; i++) {
		odd_call(&out);
		CHECK_EQ(out.eax, 64);
		CHECK_EQ(odd_selectors[0], data & 0xffff);
		CHECK_EQ(odd_selectors[1], 0);
		odd_call(&in);
		CHECK_EQ(in.eax, 64);
		CHECK(!memcmp(from, to, 64));
		out.eax = SYS_write;
		in.eax = SYS_read;
	}
}

/*
 * Gives up the segment of gs, and reads a byte to a page that is not there yet. Returns an exit
 * status.
 */
static int read_without_segment(int fd, char *fresh)
{
	uint32_t selector, area[4] = { 0, 0, 0, 8 | 32 /* not readable, not present: empty */ };

	__asm__ volatile("movl %%gs, %0\n\tmovl %1, %%gs" : "=&r"(selector) : "r"(0));
	area[0] = selector >> 3;
	if (direct_call(SYS_set_thread_area, (long)area, 0, 0, 0, 0) ||
	    direct_call(SYS_read, fd, (long)fresh, 1, 0, 0) != 1)
		return 1;
	return *fresh == 'x' ? 0 : 2;
}

TEST(no_segment, 5, "a task without a segment can follow one that has a segment in gs")
{
	char *fresh =
		mmap(NULL, 4096 * 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int p[2];

	CHECK(fresh != MAP_FAILED);
	CHECK_EQ(pipe(p), 0);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child)
			direct_call(SYS_exit_group, read_without_segment(p[0], fresh + 4096 * i), 0,
				    0, 0, 0);
		test_sleep_ms(5);
		CHECK_EQ(write(p[1], "x", 1), 1);
		CHECK_EQ(test_wait(child), 0);
	}
}

static volatile unsigned int traps;
static volatile bool trapped_behind;

static void step(int signo, siginfo_t *info, void *context)
{
	const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	uintptr_t eip = r[REG_EIP];

	traps++;
	if (eip >= landing() && eip < landing() + 4)
		trapped_behind = true;
}

TEST(trap_flag, 10, "a program that traps after every instruction can make calls")
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };

	landing();
	CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
	for (int i = 0; i < 20; i++) {
		struct registers r = { SYS_getppid, 1, 2, 3, 4, 5, 6, 0x202 | FLAGS_TF };

		traps = 0;
		trapped_behind = false;
		fast_call(&r);
		CHECK_EQ(r.eax, getppid());
		CHECK_EQ(r.ebp, 6);
		CHECK_EQ(r.eflags & FLAGS_TF, FLAGS_TF);
		CHECK(traps > 20 && traps < 60);
		CHECK(trapped_behind);
	}
}

/* ---- signals ---- */

static int ends[2];
static volatile int handled;

static void write_byte(int signo)
{
	handled++;
	CHECK_EQ(write(ends[1], "x", 1), 1);
}

TEST(restart, 10, "a call that a signal interrupts starts again with all its arguments")
{
	struct itimerval soon = { .it_value = { 0, 50000 } };
	struct sigaction action = { .sa_handler = write_byte, .sa_flags = SA_RESTART };
	char byte = 0;

	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 2; i++) {
		handled = 0;
		CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
		CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
		CHECK_EQ(fast(SYS_read, ends[0], (long)&byte, 1, 44, 55, 66), i ? -EINTR : 1);
		CHECK_EQ(handled, 1);
		CHECK_EQ(byte, i ? 0 : 'x');
		byte = 0;
		action.sa_flags = 0;
	}
}

TEST(restart_of_a_sleep, 10, "a sleep goes on for the rest of its time after a stop")
{
	long time[2] = { 0, 200000000 }; /* seconds, nanoseconds */
	pid_t child = fork();

	if (!child) {
		long long start = test_ms();

		CHECK_EQ(fast(SYS_nanosleep, (long)time, 0, 33, 44, 55, 66), 0);
		CHECK(test_ms() - start >= 200);
		_exit(0);
	}
	test_sleep_ms(50);
	kill(child, SIGSTOP);
	test_sleep_ms(20);
	kill(child, SIGCONT);
	CHECK_EQ(test_wait(child), 0);
}

static void change(int signo, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	handled = r[REG_EIP] == (greg_t)landing() && r[REG_EBX] == getpid() && r[REG_EBP] == 66;
	r[REG_EAX] = 1234;
	r[REG_EDI] = 4321;
}

TEST(handler, 5, "a handler sees the registers of the call, and may change them")
{
	struct sigaction action = { .sa_sigaction = change, .sa_flags = SA_SIGINFO };
	struct registers r = { SYS_kill, getpid(), SIGUSR1, 33, 44, 55, 66, 0x202 };

	landing();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	fast_call(&r);
	CHECK_EQ(handled, 1);
	CHECK_EQ(r.eax, 1234);
	CHECK_EQ(r.edi, 4321);
	CHECK_EQ(r.esi, 44);
	CHECK_EQ(r.ebp, 66);
}

/* ---- new tasks ---- */

TEST(forks, 5, "fork and a new program by the fast call")
{
	char *const arguments[] = { "fastcall", "result", NULL };
	long child = fast(SYS_fork, 1, 2, 3, 4, 5, 6);

	if (!child) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		fast(SYS_execve, (long)"/proc/self/exe", (long)arguments, (long)environ, 0, 0, 0);
		_exit(99);
	}
	CHECK(child > 0);
	CHECK_EQ(test_wait(child), 0);
}

void exit_with_7(void);
__asm__("exit_with_7:\n"
	"	movl $1, %eax\n"
	"	movl $7, %ebx\n"
	"	int $0x80\n");

TEST(new_stack, 5, "clone by the fast call begins on the child's own stack")
{
	static uintptr_t stack[1024];
	long child;

	for (int i = 0; i < 1024; i++)
		stack[i] = (uintptr_t)exit_with_7;
	child = fast(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, (long)(stack + 512), 0, 0, 0, 6);
	CHECK(child > 0);
	CHECK_EQ(test_wait(child), 7);
}

TEST(every_cpu, 10, "the fast call works on every CPU")
{
	cpu_set_t all, one;

	CHECK_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_COUNT(&all); cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
		for (int i = 0; i < 1000; i++)
			CHECK_EQ(fast(SYS_getppid, 1, 2, 3, 4, 5, 6), getppid());
	}
}

/* ---- a vDSO that moves ---- */

static volatile int stage;
static struct registers thread_call = { SYS_getpid, 1, 2, 3, 4, 5, 6, 0x202 };

static void *other_thread(void *unused)
{
	stage = 1;
	while (stage != 2)
		;
	fast_call(&thread_call);
	stage = 3;
	for (;;)
		;
	return NULL;
}

TEST(moved, 10, "when the vDSO has moved, calls of every thread return to its new place")
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);
	pid_t child = fork();

	if (!child) {
		char *room = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct registers r = { SYS_getpid, 1, 2, 3, 4, 5, 6, 0x202 };
		pthread_t thread;
		long moved;

		landing();
		CHECK_EQ(pthread_create(&thread, NULL, other_thread, NULL), 0);
		while (stage != 1)
			direct_call(SYS_sched_yield, 0, 0, 0, 0, 0);
		/* On Linux the library may have two pages. The first has the code. */
		moved = direct_call(SYS_mremap, start, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
				    (long)room);
		if (moved == -EINVAL)
			moved = direct_call(SYS_mremap, start, 8192, 8192,
					    MREMAP_MAYMOVE | MREMAP_FIXED, (long)room);
		if (moved != (long)room)
			direct_call(SYS_exit_group, 1, 0, 0, 0, 0);
		fast_entry += (uintptr_t)room - start;
		stage = 2;
		while (stage != 3)
			direct_call(SYS_sched_yield, 0, 0, 0, 0, 0);
		fast_call(&r);
		direct_call(SYS_exit_group, r.eax == thread_call.eax ? 0 : 2, 0, 0, 0, 0);
	}
	CHECK_EQ(test_wait(child), 0);
}
