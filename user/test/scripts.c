/*
 * Scripts: how exec finds the interpreter that the first line names, also if that is a script.
 */
#include "test.h"

static char said[4096];

static const char *path_of(int number)
{
	static char path[32];

	snprintf(path, sizeof(path), "/tmp/script%d", number);
	return path;
}

static void make_file(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
	close(fd);
}

/* Make a chain of so many scripts. The interpreter of the last one is echo. */
static void make_chain(int nr)
{
	char line[64];

	make_file(path_of(1), "#! /bin/echo one \n");
	for (int i = 2; i <= nr; i++) {
		snprintf(line, sizeof(line), "#!/tmp/script%d %s", i - 1, i % 2 ? "\n" : "even\n");
		make_file(path_of(i), line);
	}
}

/* Execute the script with the arguments "x" and "y". Returns its exit status, or 100 + errno. */
static int run(const char *path)
{
	int ends[2];
	ssize_t n;

	CHECK_EQ(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		dup2(ends[1], 1);
		execl(path, "name", "x", "y", NULL);
		_exit(100 + errno);
	}
	close(ends[1]);
	n = read_full(ends[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = 0;
	close(ends[0]);
	return test_wait(child);
}

static void expect(const char *path, const char *text)
{
	CHECK_EQ(run(path), 0);
	if (strcmp(said, text))
		test_fail(__FILE__, __LINE__, "%s said: %s", path, said);
}

TEST(nested, 10, "the interpreter of a script may be a script, in chains of up to five")
{
	make_chain(6);
	expect("/tmp/script1", "one /tmp/script1 x y\n");
	expect("/tmp/script2", "one /tmp/script1 even /tmp/script2 x y\n");
	expect("/tmp/script3", "one /tmp/script1 even /tmp/script2 /tmp/script3 x y\n");
	expect("/tmp/script5", "one /tmp/script1 even /tmp/script2 /tmp/script3 even /tmp/script4 "
			       "/tmp/script5 x y\n");
	CHECK_EQ(run("/tmp/script6"), 100 + ELOOP);
	make_file("/tmp/script1", "#!/tmp/script1\n");
	CHECK_EQ(run("/tmp/script1"), 100 + ELOOP);
	make_file("/tmp/script1", "#!/tmp/nothing\n");
	CHECK_EQ(run("/tmp/script3"), 100 + ENOENT);
	make_file("/tmp/script1", "#!/tmp\n");
	CHECK_EQ(run("/tmp/script3"), 100 + EACCES);
	make_file("/tmp/script1", "neither\n");
	CHECK_EQ(run("/tmp/script3"), 100 + ENOEXEC);
	make_file("/tmp/script1", "#!/bin/echo\n");
	CHECK_EQ(chmod("/tmp/script1", 0644), 0);
	CHECK_EQ(run("/tmp/script3"), 100 + EACCES);
	for (int i = 1; i <= 6; i++)
		CHECK_EQ(unlink(path_of(i)), 0);
}

TEST(first_line, 10, "blanks, one argument, lines without an end or a name, and long ones")
{
	static char line[512];
	char expected[512];

	make_file("/tmp/script", "#!/bin/echo");
	expect("/tmp/script", "/tmp/script x y\n");
	make_file("/tmp/script", "#!\t /bin/echo \t a  b\t \nrest\n");
	expect("/tmp/script", "a  b /tmp/script x y\n");
	make_file("/tmp/script", "#!\n/bin/echo\n");
	CHECK_EQ(run("/tmp/script"), 100 + ENOEXEC);
	memset(line, 'a', 400);
	memcpy(line, "#!/bin/echo ", 12);
	make_file("/tmp/script", line);
	snprintf(expected, sizeof(expected), "%.*s /tmp/script x y\n", 255 - 12, line + 12);
	expect("/tmp/script", expected);
	line[11] = 'a';
	make_file("/tmp/script", line);
	CHECK_EQ(run("/tmp/script"), 100 + ENOEXEC);
	CHECK_EQ(unlink("/tmp/script"), 0);
}
