/*
 * runner: runs the guest tests one case after the other and prints TAP.
 *
 *	runner [-x PATTERN]... [-t SECONDS] [PATTERN...]
 *
 * It runs the cases whose "program: case" contains one of the patterns, or all cases if there is no
 * pattern, but none that contains a pattern after -x, and none whose time limit is longer than that
 * of -t.
 *
 * 1. On Sluice, /proc/leaks is read before and after each case. A case fails if there are fewer
 *    free pages, or more slab objects, open files or tasks after it. Caches are emptied before each
 *    reading.
 * 2. On another kernel, a case that is marked as beyond Linux must fail by one of its own checks.
 *    If its reason begins with `lacks`, it must fail because the file named there is missing. The
 *    result line says so.
 * 3. The name of each case goes to the console before it begins, so that the kernel's log shows
 *    which case was running when the kernel died.
 * 4. The exit status is 0 if all cases passed, 1 if one failed, and 2 if there was no case to run.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

#define DIRECTORY    "/test"
#define MAX_COUNTS   16
#define MAX_LEFT_OUT 8
#define SETTLE_MS    2000
#define GATE_USED    (4u << 20)
#define PAGE	     4096u
#define STACK_USED   (32u << 10)

struct counts {
	int nr;
	char name[MAX_COUNTS][32];
	long value[MAX_COUNTS];
};

static bool on_sluice;
static char *left_out[MAX_LEFT_OUT]; /* the patterns after -x */
static int longest = INT_MAX;	     /* seconds after -t */
static int number, failures;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			perror(path);
		close(fd);
	}
}

static void read_counts(struct counts *counts)
{
	FILE *file;

	counts->nr = 0;
	write_file("/proc/sys/vm/drop_caches", "3");
	file = fopen("/proc/leaks", "r");
	if (!file)
		return;
	while (counts->nr < MAX_COUNTS &&
	       fscanf(file, "%31s %ld", counts->name[counts->nr], &counts->value[counts->nr]) == 2)
		counts->nr++;
	fclose(file);
}

/*
 * Returns true if there are fewer free pages or more of anything else. With `say`, prints the
 * difference.
 */
static bool leaked(const struct counts *before, const struct counts *after, bool say)
{
	bool any = before->nr != after->nr || after->nr == 0;

	if (any && say)
		printf("# /proc/leaks cannot be read\n");
	for (int i = 0; i < after->nr && i < before->nr; i++) {
		bool free_count = !strncmp(after->name[i], "free", 4);
		long more = free_count ? before->value[i] - after->value[i]
				       : after->value[i] - before->value[i];

		if (more <= 0)
			continue;
		any = true;
		if (say)
			printf("# leak: %s was %ld, is %ld\n", after->name[i], before->value[i],
			       after->value[i]);
	}
	return any;
}

/*
 * What a killed child held may be freed a little later, so look again for a while before calling it
 * a leak.
 */
static bool leak_check(const struct counts *before)
{
	struct timespec wait = { 0, 20000000 };
	struct counts after;

	for (int ms = 0; ms < SETTLE_MS; ms += 20) {
		read_counts(&after);
		if (!leaked(before, &after, false))
			return false;
		nanosleep(&wait, NULL);
	}
	return leaked(before, &after, true);
}

/* Names the case in the kernel's log. A user at the console sees it in our output anyway. */
static void announce(const char *base, const char *name)
{
	char line[512];

	if (isatty(1))
		return;
	snprintf(line, sizeof(line), "runner: %.255s: %.200s\n", base, name);
	write_file("/dev/console", line);
}

/*
 * Returns whether a case that is beyond this kernel failed as it must. If the reason names a file
 * that the kernel lacks, the case must have missed that file.
 */
static bool failed_as_it_must(int status, const char *beyond)
{
	char path[64];

	if (sscanf(beyond, "lacks %63[^: ]", path) == 1)
		return status == TEST_LACKS && access(path, F_OK) < 0;
	return status == TEST_FAILED;
}

/* A case that was killed may have left the gate closed and tasks waiting for it. */
static void open_gate(void)
{
	write_file("/proc/gate", "fail 0");
	write_file("/proc/gate", "open");
}

/*
 * Runs a program with one argument. Returns its output, which the caller closes, and its wait
 * status. The output goes to a file. A reader of a pipe would have to wait for every process that a
 * case has left behind, and the kernel's pipes may be what does not work.
 */
static FILE *run_program(const char *program, const char *argument, int *status)
{
	FILE *out = tmpfile();
	pid_t child;

	if (!out)
		return NULL;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		dup2(fileno(out), 1);
		dup2(fileno(out), 2);
		close(fileno(out));
		execl(program, program, argument, (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, status, 0) < 0 && errno == EINTR)
		;
	rewind(out);
	return out;
}

/* Returns the program's exit status. Its output becomes comments, except its own result lines. */
static int run_case(const char *program, const char *name)
{
	char line[1024];
	int status;
	FILE *out = run_program(program, name, &status);

	if (!out)
		return -1;
	while (fgets(line, sizeof(line), out)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "ok ", 3) && strncmp(line, "not ok ", 7) &&
		    strncmp(line, "1..", 3))
			printf("%s%s\n", line[0] == '#' ? "" : "# ", line);
	}
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void one_case(const char *base, const char *program, const char *name, const char *beyond)
{
	bool is_beyond = strcmp(beyond, "-") != 0, passed;
	struct counts before;
	int status;

	announce(base, name);
	if (on_sluice)
		read_counts(&before);
	status = run_case(program, name);
	passed = status == 0;
	if (on_sluice)
		open_gate();
	if (on_sluice && leak_check(&before))
		passed = false;
	if (!on_sluice && is_beyond)
		passed = failed_as_it_must(status, beyond);
	failures += !passed;
	printf("%s %d - %s: %s%s%s%s\n", passed ? "ok" : "not ok", ++number, base, name,
	       !on_sluice && is_beyond ? " (must fail here: " : "",
	       !on_sluice && is_beyond ? beyond : "", !on_sluice && is_beyond ? ")" : "");
	fflush(stdout);
}

static bool wanted(const char *base, const char *name, char **patterns)
{
	char full[512];

	snprintf(full, sizeof(full), "%.255s: %.200s", base, name);
	for (int i = 0; i < MAX_LEFT_OUT && left_out[i]; i++)
		if (strstr(full, left_out[i]))
			return false;
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (strstr(full, *patterns))
			return true;
	return false;
}

static void one_program(const char *base, char **patterns)
{
	char program[300], line[1024], (*lines)[1024] = NULL;
	int nr = 0, status = 0;
	FILE *list;

	snprintf(program, sizeof(program), DIRECTORY "/%s", base);
	list = run_program(program, "--list", &status);
	while (list && fgets(line, sizeof(line), list)) {
		lines = realloc(lines, (nr + 1) * sizeof(*lines));
		if (!lines)
			exit(2);
		memcpy(lines[nr++], line, sizeof(line));
	}
	if (!list || fclose(list) != 0 || status != 0) {
		printf("not ok %d - %s: does not list its cases\n", ++number, base);
		failures++;
	}
	for (int i = 0; i < nr; i++) {
		char *name = strtok(lines[i], "\t"), *seconds = strtok(NULL, "\t"),
		     *beyond = strtok(NULL, "\t");

		if (name && seconds && beyond && atoi(seconds) <= longest &&
		    wanted(base, name, patterns))
			one_case(base, program, name, beyond);
	}
	free(lines);
}

static int is_program(const struct dirent *entry)
{
	char path[sizeof(DIRECTORY) + 256];
	struct stat st;

	snprintf(path, sizeof(path), DIRECTORY "/%.255s", entry->d_name);
	return strcmp(entry->d_name, "runner") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/*
 * The gate's disk keeps a page for everything that was ever written to it, so write to the part
 * that tests use before pages are counted.
 */
static void fill_gate(void)
{
	static const char zeros[65536];
	int fd = open("/dev/gate0", O_WRONLY);

	for (size_t n = 0; fd >= 0 && n < GATE_USED; n += sizeof(zeros))
		if (write(fd, zeros, sizeof(zeros)) != sizeof(zeros))
			break;
	if (fd >= 0 && fsync(fd) < 0)
		perror("/dev/gate0");
	close(fd);
}

/* Touches every page of this program. See touch_own_pages(). */
static int touch_program(struct dl_phdr_info *program, size_t size, void *unused)
{
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &program->dlpi_phdr[i];
		uintptr_t at = program->dlpi_addr + header->p_vaddr, end = at + header->p_memsz;

		if (header->p_type != PT_LOAD)
			continue;
		for (; at < end; at = (at / PAGE + 1) * PAGE) {
			volatile char *byte = (char *)at;
			char value = *byte;

			if (header->p_flags & PF_W)
				*byte = value;
		}
	}
	return 0;
}

/*
 * A page of the runner that is first used while a case runs would count as a leak of the case. This
 * touches the stack as well.
 */
static void touch_own_pages(void)
{
	volatile char stack[STACK_USED];

	for (size_t at = 0; at < sizeof(stack); at += PAGE)
		stack[at] = 0;
	dl_iterate_phdr(touch_program, NULL);
}

static void read_options(int argc, char **argv)
{
	int option, n = 0;

	while ((option = getopt(argc, argv, "+x:t:")) != -1) {
		if (option == 't') {
			longest = atoi(optarg);
		} else if (option != 'x') {
			exit(2);
		} else if (n == MAX_LEFT_OUT) {
			fprintf(stderr, "runner: at most %d patterns may follow -x\n",
				MAX_LEFT_OUT);
			exit(2);
		} else {
			left_out[n++] = optarg;
		}
	}
}

int main(int argc, char **argv)
{
	struct dirent **names;
	struct utsname name;
	int nr = scandir(DIRECTORY, &names, is_program, alphasort);

	read_options(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	uname(&name);
	on_sluice = strstr(name.release, "sluice") != NULL;
	printf("# %s\n",
	       name.release); /* our output keeps a page that cases must not be charged for */
	if (on_sluice) {
		fill_gate();
		touch_own_pages();
	}
	for (int i = 0; i < nr; i++)
		one_program(names[i]->d_name, argv + optind);
	printf("1..%d\n", number);
	return number == 0 ? 2 : failures != 0;
}
