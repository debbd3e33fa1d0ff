/*
 * runner: runs the guest tests one case after the other and prints TAP.
 *
 *	runner [PATTERN...]	cases whose "program: case" contains one of the patterns; all without any
 *
 * 1. On Sluice, /proc/leaks is read before and after each case; a case after which pages, slab
 *    objects, open files or tasks are missing has failed. Caches are emptied before both readings.
 * 2. On another kernel, a case that is marked as beyond Linux must fail there, by a check of its own,
 *    or, if its reason begins with `lacks`, by missing the very file that is named there. The line
 *    says so.
 * 3. The console is told which case begins, so that a kernel's log shows what it died of.
 * 4. Exit status: 0 all is well, 1 something failed, 2 nothing to run.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#define DIRECTORY  "/test"
#define MAX_COUNTS 16
#define SETTLE_MS  2000
#define GATE_USED  (4u << 20)

struct counts {
	int nr;
	char name[MAX_COUNTS][32];
	long value[MAX_COUNTS];
};

static bool on_sluice;
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

/* True if something got less (free pages) or more (anything else). Says what, if `say`. */
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
 * What a killed child held goes away in its own time: look again for a while before calling it a
 * leak.
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

/* For who reads a kernel's log only: a user at the console has our output there. */
static void announce(const char *base, const char *name)
{
	char line[512];

	if (isatty(1))
		return;
	snprintf(line, sizeof(line), "runner: %.255s: %.200s\n", base, name);
	write_file("/dev/console", line);
}

/*
 * Did a case that is beyond this kernel fail as it must? Where something is lacking, it is that
 * which the case has missed.
 */
static bool failed_as_it_must(int status, const char *beyond)
{
	char path[64];

	if (sscanf(beyond, "lacks %63[^: ]", path) == 1)
		return status == TEST_LACKS && access(path, F_OK) < 0;
	return status == TEST_FAILED;
}

/* A case that was killed may have left the gate closed, and what waits for it. */
static void open_gate(void)
{
	write_file("/proc/gate", "fail 0");
	write_file("/proc/gate", "open");
}

/*
 * The program's own exit status; its output, but for its own result lines, becomes comments. The
 * output goes to a file: at the end of a pipe one would wait for every process that a case has left
 * behind.
 */
static int run_case(const char *program, const char *name)
{
	FILE *out = tmpfile();
	char line[1024];
	pid_t child;
	int status;

	if (!out)
		return -1;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		dup2(fileno(out), 1);
		dup2(fileno(out), 2);
		close(fileno(out));
		execl(program, program, name, (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	rewind(out);
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
	int nr = 0;
	FILE *list;

	snprintf(program, sizeof(program), DIRECTORY "/%s --list", base);
	list = popen(program, "r");
	while (list && fgets(line, sizeof(line), list)) {
		lines = realloc(lines, (nr + 1) * sizeof(*lines));
		if (!lines)
			exit(2);
		memcpy(lines[nr++], line, sizeof(line));
	}
	if (!list || pclose(list) != 0) {
		printf("not ok %d - %s: does not list its cases\n", ++number, base);
		failures++;
	}
	program[strcspn(program, " ")] = '\0';
	for (int i = 0; i < nr; i++) {
		char *name = strtok(lines[i], "\t"), *seconds = strtok(NULL, "\t"),
		     *beyond = strtok(NULL, "\t");

		if (name && seconds && beyond && wanted(base, name, patterns))
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
 * The gate's disk keeps a page for all that was ever written to it: write what tests use before
 * pages are counted.
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

int main(int argc, char **argv)
{
	struct dirent **names;
	struct utsname name;
	int nr = scandir(DIRECTORY, &names, is_program, alphasort);

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	uname(&name);
	on_sluice = strstr(name.release, "sluice") != NULL;
	if (on_sluice)
		fill_gate();
	for (int i = 0; i < nr; i++)
		one_program(names[i]->d_name, argv + 1);
	printf("1..%d\n", number);
	return number == 0 ? 2 : failures != 0;
}
