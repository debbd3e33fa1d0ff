/*
 * /proc/PID/task/TID and /proc/thread-self: what a thread has that is not the same for its process.
 */
#include "test.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>

static int made[2], leave[2];
static pid_t other;

/* A thread with a directory and a personality of its own. */
static void *wanderer(void *unused)
{
	char byte;

	(void)unused;
	CHECK_EQ(unshare(CLONE_FS), 0);
	CHECK_EQ(chdir("/proc"), 0);
	CHECK(personality(ADDR_NO_RANDOMIZE) != -1);
	other = syscall(SYS_gettid);
	CHECK_EQ(write(made[1], "", 1), 1);
	CHECK_EQ(read(leave[0], &byte, 1), 1);
	return NULL;
}

static void start(pthread_t *thread)
{
	char byte;

	CHECK(pipe(made) == 0 && pipe(leave) == 0);
	CHECK_EQ(pthread_create(thread, NULL, wanderer, NULL), 0);
	CHECK_EQ(read(made[0], &byte, 1), 1);
}

static void end(pthread_t thread)
{
	CHECK_EQ(write(leave[1], "", 1), 1);
	pthread_join(thread, NULL);
}

static const char *link_of(pid_t tid, const char *name)
{
	static char target[128];
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	n = readlink(path, target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n] = 0;
	return target;
}

static ssize_t contents(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read_full(fd, text, size);
	close(fd);
	return n;
}

static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	int nr = 0;

	CHECK(dir != NULL);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

TEST(own_links, 10, "cwd, root and exe of a thread are its own")
{
	pthread_t thread;

	CHECK_EQ(chdir("/tmp"), 0);
	start(&thread);
	CHECK(strcmp(link_of(other, "cwd"), "/proc") == 0);
	CHECK(strcmp(link_of(getpid(), "cwd"), "/tmp") == 0);
	CHECK(strcmp(link_of(other, "root"), "/") == 0);
	CHECK(strcmp(link_of(other, "exe"), "/test/proc_threads") == 0);
	end(thread);
}

TEST(same_files, 10, "other files say the same as those of the process")
{
	static const char *const names[] = { "auxv",	"environ",	 "limits",    "mountinfo",
					     "mounts",	"oom_score_adj", "oom_score", "oom_adj",
					     "cmdline", "comm" };
	static char first[65536], second[65536];
	pthread_t thread;
	char path[64];
	ssize_t n;

	start(&thread);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		n = contents(path, first, sizeof(first));
		snprintf(path, sizeof(path), "/proc/self/task/%d/%s", other, names[i]);
		CHECK_EQ(contents(path, second, sizeof(second)), n);
		if (memcmp(first, second, n))
			test_fail(__FILE__, __LINE__, "%s differs", names[i]);
	}
	snprintf(path, sizeof(path), "/proc/self/task/%d/personality", other);
	CHECK(contents(path, first, sizeof(first)) > 0);
	CHECK_EQ(strtol(first, NULL, 16), ADDR_NO_RANDOMIZE);
	snprintf(path, sizeof(path), "/proc/self/task/%d/smaps_rollup", other);
	CHECK(contents(path, first, sizeof(first)) > 0);
	CHECK(strstr(first, "Rss:") != NULL);
	end(thread);
}

static void *look_at_self(void *unused)
{
	char expected[64], target[64] = "";

	(void)unused;
	snprintf(expected, sizeof(expected), "%d/task/%ld", getpid(), syscall(SYS_gettid));
	CHECK(readlink("/proc/thread-self", target, sizeof(target) - 1) > 0);
	CHECK(strcmp(target, expected) == 0);
	CHECK_EQ(access("/proc/thread-self/comm", R_OK), 0);
	return NULL;
}

TEST(thread_self, 10, "/proc/thread-self leads each thread to its directory")
{
	pthread_t thread;

	look_at_self(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, look_at_self, NULL), 0);
	pthread_join(thread, NULL);
}

/* A thread with a table of its own, which has one descriptor more. */
static void *opener(void *fd)
{
	char byte;

	CHECK_EQ(unshare(CLONE_FILES), 0);
	CHECK_EQ(dup2(leave[0], *(int *)fd), *(int *)fd);
	other = syscall(SYS_gettid);
	CHECK_EQ(write(made[1], "", 1), 1);
	CHECK_EQ(read(leave[0], &byte, 1), 1);
	return NULL;
}

TEST(own_descriptors, 10, "fd and fdinfo of a thread show the table that it has")
{
	char path[64], name[16], text[256] = "", expected[64] = "";
	pthread_t thread;
	struct stat st;
	int fd = 100;
	char byte;

	CHECK(pipe(made) == 0 && pipe(leave) == 0);
	CHECK_EQ(pthread_create(&thread, NULL, opener, &fd), 0);
	CHECK_EQ(read(made[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", leave[0]);
	CHECK(readlink(path, expected, sizeof(expected) - 1) > 0);
	CHECK(strcmp(link_of(other, "fd/100"), expected) == 0);
	snprintf(name, sizeof(name), "fd/%d", leave[0]);
	CHECK(strcmp(link_of(getpid(), name), expected) == 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fdinfo/100", other);
	CHECK(contents(path, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "pos:") != NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", getpid());
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 0500);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd/100", getpid());
	CHECK_ERR(lstat(path, &st), ENOENT);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", other);
	/* The one has descriptor 100, and the other that of the directory which is being read. */
	CHECK_EQ(count_names(path), count_names("/proc/self/fd"));
	end(thread);
}
