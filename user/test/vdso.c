/*
 * The vDSO: a library that the kernel maps into every program, and its clocks.
 */
#include "user/test/vdso.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/time.h>

#define KERNEL_ONLY "LINUX_2.5"
#define CLOCKS	    "LINUX_2.6"

enum { NR_TIME = 13, NR_GETTIMEOFDAY = 78, NR_CLOCK_GETRES = 266, NR_CLOCK_GETTIME64 = 403 };

struct wide_time {
	int64_t sec, nsec;
};
struct narrow_time {
	int32_t sec, nsec;
};

static int (*gettime)(int id, struct narrow_time *to);
static int (*gettime64)(int id, struct wide_time *to);
static int (*getres)(int id, struct narrow_time *to);
static int (*timeofday)(struct narrow_time *to, void *zone);
static int32_t (*seconds)(int32_t *to);

static const int clocks[] = {
	CLOCK_REALTIME,	       CLOCK_MONOTONIC,	       CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
};
#define NR_CLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static void find_clocks(void)
{
	gettime = vdso_symbol("__vdso_clock_gettime", CLOCKS);
	gettime64 = vdso_symbol("__vdso_clock_gettime64", CLOCKS);
	getres = vdso_symbol("__vdso_clock_getres", CLOCKS);
	timeofday = vdso_symbol("__vdso_gettimeofday", CLOCKS);
	seconds = vdso_symbol("__vdso_time", CLOCKS);
}

static long long call_ns(int id)
{
	struct wide_time now;

	CHECK_EQ(direct_call(NR_CLOCK_GETTIME64, id, (long)&now, 0, 0, 0), 0);
	return now.sec * 1000000000ll + now.nsec;
}

static long long vdso_ns(int id)
{
	struct wide_time now;

	CHECK_EQ(gettime64(id, &now), 0);
	CHECK(now.nsec >= 0 && now.nsec < 1000000000);
	return now.sec * 1000000000ll + now.nsec;
}

TEST(symbols, 5, "the auxiliary vector leads to a library with all functions and their versions")
{
	uintptr_t at = getauxval(AT_SYSINFO_EHDR);
	const Elf32_Ehdr *image = (const Elf32_Ehdr *)at;
	const char *name;

	CHECK(at && at % 4096 == 0);
	CHECK(!memcmp(image->e_ident, ELFMAG, SELFMAG));
	CHECK_EQ(image->e_type, ET_DYN);
	CHECK_EQ(image->e_machine, EM_386);
	name = (const char *)vdso_entry(DT_STRTAB) + vdso_entry(DT_SONAME);
	CHECK(!strcmp(name, "linux-gate.so.1"));
	find_clocks();
	CHECK_EQ((uintptr_t)vdso_symbol("__kernel_vsyscall", KERNEL_ONLY), getauxval(AT_SYSINFO));
	CHECK_EQ(at + image->e_entry, getauxval(AT_SYSINFO));
	/* Debuggers know them by these bytes. */
	CHECK(!memcmp(vdso_symbol("__kernel_sigreturn", KERNEL_ONLY), "\x58\xb8\x77\0\0\0\xcd\x80",
		      8));
	CHECK(!memcmp(vdso_symbol("__kernel_rt_sigreturn", KERNEL_ONLY), "\xb8\xad\0\0\0\xcd\x80",
		      7));
}

TEST(agree, 10, "every clock of the vDSO is between two readings by system calls")
{
	find_clocks();
	for (int round = 0; round < 200; round++)
		for (unsigned int i = 0; i < NR_CLOCKS; i++) {
			long long before = call_ns(clocks[i]), wide = vdso_ns(clocks[i]);
			struct narrow_time narrow;

			CHECK(before <= wide);
			CHECK_EQ(gettime(clocks[i], &narrow), 0);
			CHECK(wide <= narrow.sec * 1000000000ll + narrow.nsec);
			CHECK(narrow.sec * 1000000000ll + narrow.nsec <= call_ns(clocks[i]));
		}
}

TEST(moves, 5, "the clocks go on")
{
	long long start[NR_CLOCKS];

	find_clocks();
	for (unsigned int i = 0; i < NR_CLOCKS; i++)
		start[i] = vdso_ns(clocks[i]);
	test_sleep_ms(50);
	for (unsigned int i = 0; i < NR_CLOCKS; i++)
		CHECK(vdso_ns(clocks[i]) - start[i] >= 40000000);
}

TEST(wall, 5, "gettimeofday and time agree with the system calls")
{
	struct narrow_time before, now, after;
	int32_t zone[2] = { 1, 1 }, first, stored = 0, told;

	find_clocks();
	for (int round = 0; round < 200; round++) {
		CHECK_EQ(direct_call(NR_GETTIMEOFDAY, (long)&before, 0, 0, 0, 0), 0);
		CHECK_EQ(timeofday(&now, zone), 0);
		CHECK_EQ(direct_call(NR_GETTIMEOFDAY, (long)&after, 0, 0, 0, 0), 0);
		CHECK(before.sec * 1000000ll + before.nsec <= now.sec * 1000000ll + now.nsec);
		CHECK(now.sec * 1000000ll + now.nsec <= after.sec * 1000000ll + after.nsec);
		first = direct_call(NR_TIME, 0, 0, 0, 0, 0);
		told = seconds(&stored);
		CHECK_EQ(told, stored);
		CHECK(first <= told && told <= direct_call(NR_TIME, 0, 0, 0, 0, 0));
		CHECK(seconds(NULL) >= told);
	}
	CHECK_EQ(zone[0], 0);
	CHECK_EQ(zone[1], 0);
	CHECK_EQ(timeofday(NULL, NULL), 0);
}

TEST(resolution, 5, "clock_getres says what the system call says")
{
	struct narrow_time told, call;

	find_clocks();
	for (unsigned int i = 0; i < NR_CLOCKS; i++) {
		CHECK_EQ(getres(clocks[i], &told), 0);
		CHECK_EQ(direct_call(NR_CLOCK_GETRES, clocks[i], (long)&call, 0, 0, 0), 0);
		CHECK_EQ(told.sec, call.sec);
		CHECK_EQ(told.nsec, call.nsec);
		CHECK_EQ(getres(clocks[i], NULL), 0);
	}
}

TEST(other_clocks, 5, "other clocks and their errors are those of the system call")
{
	struct narrow_time narrow = { -1, -1 };
	struct wide_time wide = { -1, -1 };

	find_clocks();
	CHECK_EQ(gettime(CLOCK_PROCESS_CPUTIME_ID, &narrow), 0);
	CHECK(narrow.sec >= 0 && narrow.nsec >= 0);
	CHECK_EQ(gettime64(CLOCK_THREAD_CPUTIME_ID, &wide), 0);
	CHECK(wide.sec >= 0 && wide.nsec >= 0);
	CHECK_EQ(gettime(1000, &narrow), -EINVAL);
	CHECK_EQ(gettime64(1000, &wide), -EINVAL);
	CHECK_EQ(getres(1000, &narrow), -EINVAL);
	CHECK_EQ(gettime(CLOCK_PROCESS_CPUTIME_ID, (void *)16), -EFAULT);
}

TEST(bad_pointer, 5, "a bad pointer is a SIGSEGV, or EFAULT where the call reads the clock")
{
	for (int which = 0; which < 4; which++) {
		pid_t child = fork();
		int status;

		if (!child) {
			void *bad = (void *)16;

			find_clocks();
			_exit(-(which == 0   ? gettime(CLOCK_MONOTONIC, bad)
				: which == 1 ? gettime64(CLOCK_MONOTONIC, bad)
				: which == 2 ? timeofday(bad, NULL)
					     : seconds(bad)));
		}
		status = test_wait(child);
		CHECK(status == 128 + SIGSEGV || status == EFAULT);
	}
}

/*
 * Reads the clock in turn by the call and by the vDSO, and compares it with the last time that any
 * process has read.
 */
static void race(volatile long long *latest, int rounds)
{
	find_clocks();
	for (int i = 0; i < rounds; i++) {
		long long seen = __atomic_load_n(latest, __ATOMIC_SEQ_CST);
		long long now = i % 2 ? vdso_ns(CLOCK_MONOTONIC) : call_ns(CLOCK_MONOTONIC);

		CHECK(now >= seen);
		while (seen < now &&
		       !__atomic_compare_exchange_n(latest, &seen, now, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
	}
}

TEST(never_backwards, 20, "no CPU reads a time before one that another CPU has read")
{
	volatile long long *latest =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[3];

	CHECK(latest != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i]) {
			race(latest, 20000);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

/* Does the file of this process's first thread have a line that ends so? */
static bool is_listed(const char *path, const char *end)
{
	char name[64], line[512];
	bool found = false;
	FILE *file;

	snprintf(name, sizeof(name), path, getpid());
	file = fopen(name, "r");
	CHECK(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, end);
	fclose(file);
	return found;
}

TEST(areas, 5, "maps of a process and of its threads has the two areas, which cannot be written")
{
	struct area vvar, vdso;

	CHECK(find_area("[vvar]", &vvar));
	CHECK(find_area("[vdso]", &vdso));
	CHECK(!strcmp(vvar.access, "r--p"));
	CHECK(!strcmp(vdso.access, "r-xp"));
	CHECK_EQ(vdso.start, getauxval(AT_SYSINFO_EHDR));
	CHECK_EQ(vvar.end, vdso.start);
	CHECK(is_listed("/proc/self/task/%d/maps", "[vdso]"));
	CHECK_ERR(mprotect((void *)vvar.start, 4096, PROT_READ | PROT_WRITE), EACCES);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (!child) {
			*(volatile char *)(i ? vdso.start : vvar.start) = 1;
			_exit(0);
		}
		CHECK_EQ(test_wait(child), 128 + SIGSEGV);
	}
}

TEST(after_fork, 5, "a child has the vDSO where its parent has it")
{
	pid_t child = fork();

	if (!child) {
		struct area area;

		CHECK(find_area("[vdso]", &area));
		CHECK_EQ(area.start, getauxval(AT_SYSINFO_EHDR));
		find_clocks();
		CHECK(call_ns(CLOCK_MONOTONIC) <= vdso_ns(CLOCK_MONOTONIC));
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}

/* Runs a case of this program as a new program. */
static int run_again(const char *name)
{
	pid_t child = fork();

	if (!child) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		execl("/proc/self/exe", "vdso", name, NULL);
		_exit(99);
	}
	return test_wait(child);
}

#define UNUSED_BYTE 15 /* of the ELF header */

TEST(own_copy, 10, "who makes the library writable changes a copy of its own")
{
	char *image = (char *)getauxval(AT_SYSINFO_EHDR);
	int before = image[UNUSED_BYTE], go[2];
	struct area vdso;
	pid_t child;
	char byte;

	CHECK(find_area("[vdso]", &vdso));
	CHECK_EQ(pipe(go), 0);
	child = fork();
	if (!child) {
		read(go[0], &byte, 1);
		_exit(image[UNUSED_BYTE] == before ? 0 : 1);
	}
	CHECK_EQ(mprotect(image, vdso.end - vdso.start, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	image[UNUSED_BYTE] = before + 1;
	write(go[1], "x", 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(run_again("symbols"), 0);
	CHECK_EQ(image[UNUSED_BYTE], before + 1);
	CHECK_EQ(mprotect(image, vdso.end - vdso.start, PROT_READ | PROT_EXEC), 0);
	find_clocks();
	CHECK(call_ns(CLOCK_MONOTONIC) <= vdso_ns(CLOCK_MONOTONIC));
}

TEST(after_exec, 10, "a new program has a vDSO, whatever the old one has done to its own")
{
	struct area vvar, vdso;
	pid_t child;

	CHECK_EQ(run_again("agree"), 0);
	CHECK(find_area("[vvar]", &vvar) && find_area("[vdso]", &vdso));
	child = fork();
	if (!child) {
		char *const arguments[] = { "vdso", "moves", NULL };
		long null = direct_call(SYS_open, (long)"/dev/null", O_WRONLY, 0, 0, 0);

		direct_call(SYS_dup2, null, 1, 0, 0, 0);
		direct_call(SYS_munmap, vvar.start, vdso.end - vvar.start, 0, 0, 0);
		direct_call(SYS_execve, (long)"/proc/self/exe", (long)arguments, (long)environ, 0,
			    0);
		direct_call(SYS_exit_group, 99, 0, 0, 0, 0);
	}
	CHECK_EQ(test_wait(child), 0);
}

static volatile int got;

static void handler(int signo)
{
	got = signo;
}

/* Sends a signal to a handler that returns through the vDSO. Uses no function of the C library. */
static bool comes_back(void)
{
	struct kernel_action action = { handler, 0, NULL, { 0, 0 } };

	got = 0;
	direct_call(SYS_rt_sigaction, SIGUSR1, (long)&action, 0, 8, 0);
	direct_call(SYS_kill, direct_call(SYS_getpid, 0, 0, 0, 0, 0), SIGUSR1, 0, 0, 0);
	return got == SIGUSR1;
}

TEST(unmapped, 10, "a program without its vDSO goes on, but a handler does not come back")
{
	struct area vvar, vdso;

	CHECK(find_area("[vvar]", &vvar) && find_area("[vdso]", &vdso));
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (!child) {
			long error =
				direct_call(SYS_munmap, vvar.start, vdso.end - vvar.start, 0, 0, 0);

			if (error == 0 && i && comes_back())
				error = 1;
			direct_call(SYS_exit_group, error ? 1 : 7, 0, 0, 0, 0);
		}
		CHECK_EQ(test_wait(child), i ? 128 + SIGSEGV : 7);
	}
}

TEST(moved, 10, "mremap moves the vDSO, and handlers come back through it")
{
	struct area vvar, vdso;
	pid_t child;

	CHECK(find_area("[vvar]", &vvar) && find_area("[vdso]", &vdso));
	child = fork();
	if (!child) {
		size_t data = vvar.end - vvar.start, code = vdso.end - vdso.start;
		char *room = mmap(NULL, data + code, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int flags = MREMAP_MAYMOVE | MREMAP_FIXED, (*moved)(int id, struct wide_time *to);
		struct wide_time now;

		find_clocks();
		moved = (void *)(room + data + ((char *)gettime64 - (char *)vdso.start));
		if (direct_call(SYS_mremap, vvar.start, data, data, flags, (long)room) !=
			    (long)room ||
		    direct_call(SYS_mremap, vdso.start, code, code, flags, (long)room + data) !=
			    (long)room + data)
			direct_call(SYS_exit_group, 1, 0, 0, 0, 0);
		if (!comes_back() || moved(CLOCK_MONOTONIC, &now) || now.sec < 0)
			direct_call(SYS_exit_group, 2, 0, 0, 0, 0);
		direct_call(SYS_exit_group, 0, 0, 0, 0, 0);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(replaced, 5, "a fixed mapping can take the place of the vDSO")
{
	struct area vdso;
	pid_t child;

	CHECK(find_area("[vdso]", &vdso));
	child = fork();
	if (!child) {
		long map[6] = { /* what old_mmap takes */
				vdso.start,
				vdso.end - vdso.start,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				-1,
				0
		};
		bool right = direct_call(SYS_mmap, (long)map, 0, 0, 0, 0) == (long)vdso.start &&
			     *(volatile char *)vdso.start == 0;

		direct_call(SYS_exit_group, right ? 0 : 1, 0, 0, 0, 0);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(debugger, 10, "a debugger reads the library, and its breakpoints are in one process only")
{
	uintptr_t entry = getauxval(AT_SYSINFO);
	pid_t child = fork();
	unsigned char bytes[4];
	int status, mem;
	long word;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		direct_call(SYS_getppid, 0, 0, 0, 0, 0);
		getppid();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, child, (void *)entry, 0);
	CHECK(errno == 0 && !memcmp(&word, (void *)entry, 4));
	mem = open("/proc/self/mem", O_RDONLY);
	CHECK_EQ(pread(mem, bytes, 4, getauxval(AT_SYSINFO_EHDR)), 4);
	CHECK(!memcmp(bytes, ELFMAG, SELFMAG));
	CHECK_EQ(ptrace(PTRACE_POKETEXT, child, (void *)entry, (void *)((word & ~0xff) | 0xcc)), 0);
	CHECK_EQ(ptrace(PTRACE_CONT, child, 0, 0), 0);
	/* The C library of a child that is stopped there has called the function. */
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTRAP);
	CHECK(*(unsigned char *)entry != 0xcc);
	kill(child, SIGKILL);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}
