/*
 * /proc as ps, top and lsof read it: the state of processes and threads, and of the machine.
 */
#include "text_files.h"

#include <pthread.h>
#include <dirent.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Returns the numbered field of /proc/PID/stat, from 3 on. */
static long long field(const char *line, int number)
{
	const char *at = strrchr(line, ')');

	CHECK(at);
	for (at++; number > 2 && at; number--)
		at = strchr(at + (number > 3 ? 1 : 0), ' ');
	CHECK(at);
	return atoll(at);
}

/* Returns the text behind "NAME:\t" in a status file, up to the end of its line. */
static const char *line_of(const char *name)
{
	static char line[256];
	const char *at = named_line(text, name);

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

static unsigned long long mask_of(const char *name)
{
	return strtoull(line_of(name), NULL, 16);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(priorities_in_stat, 10, "stat tells priority, nice value, policy and page faults")
{
	struct sched_param param = { .sched_priority = 7 };
	long long before;
	char *memory;

	CHECK_EQ(nice(3), 3);
	contents("/proc/self/stat");
	CHECK_EQ(field(text, 18), 23);
	CHECK_EQ(field(text, 19), 3);
	CHECK_EQ(field(text, 20), 1);
	CHECK_EQ(field(text, 40), 0);
	before = field(text, 10);
	memory = mmap(NULL, 200 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 200; i++)
		memory[i * 4096] = 1;
	CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param), 0);
	contents("/proc/self/stat");
	CHECK_EQ(field(text, 18), -8);
	CHECK_EQ(field(text, 40), 7);
	CHECK_EQ(field(text, 41), SCHED_RR);
	CHECK(field(text, 10) >= before + 200);
}

TEST(status_lines, 10, "status tells ids, signals, capabilities, memory and switches")
{
	gid_t groups[2] = { 11, 22 };
	sigset_t set;
	char *memory =
		mmap(NULL, 512 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int uid[4];

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, nothing);
	memset(memory, 1, 512 << 12);
	munmap(memory, 512 << 12);
	test_sleep_ms(2);
	CHECK_EQ(syscall(SYS_setgroups32, 2, groups), 0);
	CHECK_EQ(prctl(PR_SET_NAME, "a name"), 0);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(setresuid(5, 6, 0), 0);
	contents("/proc/self/status");
	CHECK(strcmp(line_of("Name"), "a name") == 0);
	CHECK_EQ(atoi(line_of("Tgid")), getpid());
	CHECK_EQ(atoi(line_of("PPid")), getppid());
	CHECK_EQ(atoi(line_of("TracerPid")), 0);
	CHECK_EQ(sscanf(line_of("Uid"), "%u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]), 4);
	CHECK(uid[0] == 5 && uid[1] == 6 && uid[2] == 0 && uid[3] == 6);
	CHECK(strncmp(line_of("Groups"), "11 22", 5) == 0);
	CHECK_EQ(atoi(line_of("Threads")), 1);
	CHECK(atoi(line_of("VmHWM")) >= 1800); /* Linux counts some pages later */
	CHECK(atoi(line_of("VmHWM")) >= atoi(line_of("VmRSS")) + 1024);
	CHECK(atoi(line_of("VmStk")) > 0 && atoi(line_of("VmExe")) > 0);
	CHECK(mask_of("SigBlk") & 1ull << (SIGUSR1 - 1));
	CHECK((mask_of("SigPnd") | mask_of("ShdPnd")) & 1ull << (SIGUSR1 - 1));
	CHECK(mask_of("SigIgn") & 1ull << (SIGUSR2 - 1));
	CHECK(mask_of("SigCgt") & 1ull << (SIGHUP - 1));
	CHECK_EQ(mask_of("CapEff"), 0);
	CHECK(mask_of("CapPrm") == mask_of("CapBnd") && mask_of("CapBnd") > 0xffffffff);
	CHECK_EQ(mask_of("CapInh"), 0);
	CHECK_EQ(atoi(line_of("NoNewPrivs")), 1);
	CHECK(mask_of("Cpus_allowed") & 1);
	CHECK(atoi(line_of("voluntary_ctxt_switches")) >= 0);
	CHECK(atoi(line_of("nonvoluntary_ctxt_switches")) >= 0);
}

/* ---- threads ---- */

static volatile int tid;
static volatile bool stop;

static void *thread(void *arg)
{
	prctl(PR_SET_NAME, "second");
	tid = syscall(SYS_gettid);
	while (!stop)
		test_sleep_ms(1);
	return arg;
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int nr = 0;

	CHECK(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

TEST(threads_in_proc, 20, "each thread has a directory in task, with its own state")
{
	char path[64];
	pthread_t other;

	CHECK_EQ(entries("/proc/self/task"), 1);
	CHECK_EQ(pthread_create(&other, NULL, thread, NULL), 0);
	while (!tid)
		sched_yield();
	CHECK_EQ(entries("/proc/self/task"), 2);
	contents("/proc/%d/task/%d/comm", getpid(), tid);
	CHECK(strcmp(text, "second\n") == 0);
	contents("/proc/%d/task/%d/comm", getpid(), getpid());
	CHECK(strcmp(text, "second\n") != 0);
	contents("/proc/%d/task/%d/status", getpid(), tid);
	CHECK_EQ(atoi(line_of("Pid")), tid);
	CHECK_EQ(atoi(line_of("Tgid")), getpid());
	CHECK_EQ(atoi(contents("/proc/%d/task/%d/stat", getpid(), tid)), tid);
	CHECK_EQ(field(text, 20), 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d", getppid());
	CHECK_ERR(access(path, F_OK), ENOENT);
	stop = true;
	pthread_join(other, NULL);
	/* It has given its memory back by now, but may be on its way out. */
	while (entries("/proc/self/task") > 1)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
}

/* ---- links, descriptors, memory ---- */

TEST(links_and_descriptors, 10, "cwd, root and fdinfo are those of the process")
{
	char target[64] = "", path[64];
	long long pos;
	unsigned int flags;
	int fd;

	CHECK_EQ(chdir("/tmp"), 0);
	CHECK_EQ(readlink("/proc/self/cwd", target, sizeof(target) - 1), 4);
	CHECK(strcmp(target, "/tmp") == 0);
	CHECK_EQ(readlink("/proc/self/root", target, sizeof(target)), 1);
	fd = open("/tmp/proc_status", O_RDWR | O_CREAT | O_APPEND, 0600);
	CHECK_EQ(write(fd, "12345", 5), 5);
	contents("/proc/self/fdinfo/%d", fd);
	CHECK_EQ(sscanf(text, "pos:\t%lld\nflags:\t%o", &pos, &flags), 2);
	CHECK_EQ(pos, 5);
	CHECK_EQ(flags & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK_ERR(open(path, O_RDONLY), ENOENT);
	unlink("/tmp/proc_status");
}

TEST(environment, 20, "environ has the strings with which the program started")
{
	int ends[2];
	pid_t child;
	char byte;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		char *const env[] = { "FIRST=1", "SECOND=two", NULL };

		dup2(ends[1], 1);
		execle("/bin/sh", "sh", "-c", "echo; kill -STOP $$", NULL, env);
		_exit(1);
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	contents("/proc/%d/environ", child);
	CHECK(memcmp(text, "FIRST=1\0SECOND=two\0", 19) == 0);
	kill(child, SIGKILL);
	test_wait(child);
}

TEST(limits_in_proc, 5, "limits lists the limits of the process")
{
	struct rlimit limit = { 4711, 4712 };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	contents("/proc/self/limits");
	CHECK(strstr(text,
		     "Max open files            4711                 4712                 files"));
	CHECK(strstr(text, "Max core file size"));
	CHECK(strncmp(text, "Limit                     Soft Limit", 36) == 0);
}

TEST(statm_pages, 5, "statm counts pages as stat does")
{
	long size, resident, shared, code;

	contents("/proc/self/statm");
	CHECK_EQ(sscanf(text, "%ld %ld %ld %ld", &size, &resident, &shared, &code), 4);
	CHECK(size > resident && resident > 0 && code > 0);
	contents("/proc/self/stat");
	CHECK_EQ(field(text, 23), size * 4096);
}

TEST(personality_in_proc, 5, "personality shows the flags")
{
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
	CHECK(strcmp(contents("/proc/self/personality"), "00040000\n") == 0);
}

/* ---- the machine ---- */

static unsigned long long number(const char *format, const char *name)
{
	const char *at = strstr(text, name);
	unsigned long long value;

	CHECK(at && sscanf(at, format, &value) == 1);
	return value;
}

TEST(machine_state, 20, "stat and loadavg count: CPU time, switches, tasks that run")
{
	unsigned long long user, nice_time, system, idle, before, switches, processes;
	double loads[3];
	int runnable, all, newest;

	contents("/proc/stat");
	CHECK_EQ(sscanf(text, "cpu %llu %llu %llu %llu", &user, &nice_time, &system, &idle), 4);
	switches = number("\nctxt %llu", "\nctxt ");
	processes = number("\nprocesses %llu", "\nprocesses ");
	CHECK(number("\nprocs_running %llu", "\nprocs_running ") >= 1);
	CHECK(number("\nbtime %llu", "\nbtime ") > 1000000000);
	test_sleep_ms(20);
	if (fork() == 0)
		_exit(0);
	wait(NULL);
	before = user + nice_time + system;
	/* On a busy host this takes longer than 100 ms. */
	do {
		contents("/proc/stat");
		CHECK_EQ(sscanf(text, "cpu %llu %llu %llu", &user, &nice_time, &system), 3);
	} while (user + nice_time + system < before + 10);
	CHECK(number("\nctxt %llu", "\nctxt ") >= switches + 2);
	CHECK(number("\nprocesses %llu", "\nprocesses ") >= processes + 1);

	contents("/proc/loadavg");
	CHECK_EQ(sscanf(text, "%lf %lf %lf %d/%d %d", &loads[0], &loads[1], &loads[2], &runnable,
			&all, &newest),
		 6);
	CHECK(runnable >= 1 && all >= runnable && newest >= 1);
}

static void read_uptime(double *up, double *idle)
{
	contents("/proc/uptime");
	CHECK_EQ(sscanf(text, "%lf %lf", up, idle), 2);
}

/*
 * With several CPUs, this program keeps one of them busy and looks every 100 ms. Now and then a
 * host that is busy may let all of them wait, and Linux counts too little.
 */
TEST(idle_time, 20, "the idle time of a CPU counts up to now, although it does not wake up")
{
	double up, idle, next_up, next_idle;
	int still = 0;

	read_uptime(&up, &idle);
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1) {
		for (int i = 0; i < 10 && still == 0; i++) {
			test_sleep_ms(300);
			read_uptime(&next_up, &next_idle);
			still += next_idle - idle > 0.1;
			idle = next_idle;
		}
		CHECK_EQ(still, 1);
		return;
	}
	for (int i = 0; i < 15; i++) {
		do
			read_uptime(&next_up, &next_idle);
		while (next_up < up + 0.1);
		still += next_idle < idle + 0.02;
		up = next_up;
		idle = next_idle;
	}
	CHECK(still < 6);
}

/* The load that earlier cases have left behind falls, so there must be more processes than that. */
TEST(load_rises, 60, "processes that run for seconds raise the load average")
{
	double before, after = 0;
	pid_t children[200];
	unsigned int nr;

	contents("/proc/loadavg");
	before = atof(text);
	nr = (unsigned int)before + 2;
	CHECK(nr <= 200);
	for (unsigned int i = 0; i < nr; i++) {
		children[i] = fork();
		if (children[i] == 0)
			for (;;)
				;
	}
	while (after <= before || after < 0.05) {
		test_sleep_ms(500);
		contents("/proc/loadavg");
		after = atof(text);
	}
	for (unsigned int i = 0; i < nr; i++) {
		kill(children[i], SIGKILL);
		test_wait(children[i]);
	}
}

TEST(kernel_files, 5, "version, sys/kernel, swaps and partitions are there")
{
	CHECK(strncmp(contents("/proc/version"), "Linux version ", 14) == 0);
	CHECK(strcmp(contents("/proc/sys/kernel/ostype"), "Linux\n") == 0);
	CHECK(strlen(contents("/proc/sys/kernel/osrelease")) > 3);
	CHECK(strlen(contents("/proc/sys/kernel/hostname")) > 1);
	CHECK(atoi(contents("/proc/sys/kernel/pid_max")) >= 32768);
	CHECK(atoi(contents("/proc/sys/kernel/ngroups_max")) >= 32);
	CHECK_EQ(atoi(contents("/proc/sys/kernel/cap_last_cap")), 40);
	CHECK(strncmp(contents("/proc/swaps"), "Filename\t\t\t\tType\t\t", 18) == 0);
	CHECK(strncmp(contents("/proc/partitions"), "major minor  #blocks  name\n\n", 28) == 0);
	CHECK(strlen(contents("/proc/cmdline")) > 3);
}
