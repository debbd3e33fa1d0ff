/*
 * How many files may be open, in /proc/sys/fs: by a process, and in all.
 */
#include "text_files.h"

#include <sys/resource.h>

static char number[2][32]; /* of nr_open and file-max, before */

static void keep_numbers(void)
{
	strcpy(number[0], contents("/proc/sys/fs/nr_open"));
	strcpy(number[1], contents("/proc/sys/fs/file-max"));
}

static void restore_numbers(void)
{
	put_text("/proc/sys/fs/nr_open", number[0]);
	put_text("/proc/sys/fs/file-max", number[1]);
}

/* Run a part of a test in a child. Whatever it finds, the numbers are the old ones afterwards. */
static void with_numbers(void (*part)(void))
{
	pid_t child;

	keep_numbers();
	child = fork();
	if (child == 0) {
		part();
		_exit(0);
	}
	int result = test_wait(child);

	restore_numbers();
	CHECK_EQ(result, 0);
}

static void set(const char *name, const char *value)
{
	CHECK_EQ(put_text(name, value), strlen(value));
}

static int set_limit(rlim_t soft, rlim_t hard)
{
	return setrlimit(RLIMIT_NOFILE, &(struct rlimit){ soft, hard });
}

static void few_descriptors(void)
{
	CHECK_ERR(put_text("/proc/sys/fs/nr_open", "31"), EINVAL);
	CHECK_ERR(put_text("/proc/sys/fs/nr_open", "x"), EINVAL);
	set("/proc/sys/fs/nr_open", "200");
	CHECK(strcmp(contents("/proc/sys/fs/nr_open"), "200\n") == 0);
	CHECK_ERR(set_limit(10, 201), EPERM);
	CHECK_ERR(set_limit(10, RLIM_INFINITY), EPERM);
	CHECK_EQ(set_limit(200, 200), 0);
	set("/proc/sys/fs/nr_open", number[0]);
	CHECK_EQ(set_limit(1024, 1024), 0);
	set("/proc/sys/fs/nr_open", "512");
	CHECK_EQ(dup2(0, 511), 511);
	CHECK_ERR(dup2(0, 1000), EBADF);
	CHECK_ERR(fcntl(0, F_DUPFD, 1000), EMFILE);
	set("/proc/sys/fs/nr_open", number[0]);
	CHECK_EQ(dup2(0, 1000), 1000);
}

TEST(descriptors_of_a_process, 10, "nr_open bounds RLIMIT_NOFILE and the tables of descriptors")
{
	with_numbers(few_descriptors);
}

static int open_many(int most)
{
	int n = 0;

	while (n < most && open("/", O_RDONLY) >= 0)
		n++;
	return n;
}

static void few_files(void)
{
	char most[32];

	CHECK_EQ(set_limit(1024, 1024), 0);
	snprintf(most, sizeof(most), "%d", atoi(contents("/proc/sys/fs/file-nr")) + 10);
	set("/proc/sys/fs/file-max", most);
	CHECK_EQ(atoi(contents("/proc/sys/fs/file-max")), atoi(most));
	CHECK_EQ(open_many(900), 900); /* root may open more */
	for (int fd = 20; fd < 1024; fd++)
		close(fd);
	CHECK_EQ(setuid(1000), 0);
	CHECK(open_many(900) < 900);
	CHECK_ERR(open("/", O_RDONLY), ENFILE);
}

TEST(files_of_the_machine, 10, "file-max bounds the open files of all but root")
{
	with_numbers(few_files);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(open("/proc/sys/fs/file-max", O_WRONLY), EACCES);
}
