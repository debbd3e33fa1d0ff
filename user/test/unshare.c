/*
 * unshare(2): a task gets its own copy of what it shares with others.
 */
#include "user/test/test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/sem.h>

static char stack[65536] __attribute__((aligned(16)));
static int file, semaphore, told;

/*
 * Runs a function in a process that shares with the caller what `flags` says. Returns how it ended.
 */
static int shared(int flags, int (*function)(void *))
{
	pid_t child = clone(function, stack + sizeof(stack),
			    flags | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	CHECK(child > 0);
	return test_wait(child);
}

static int keep_files(void *unused)
{
	return unshare(CLONE_FILES) || close(file) || dup2(0, 100) != 100;
}

static int change_files(void *unused)
{
	return unshare(0) || close(file);
}

TEST(unshare_files, 10,
     "what is opened and closed after unshare(CLONE_FILES) is the caller's own affair")
{
	file = dup(0);
	CHECK_EQ(shared(CLONE_FILES, keep_files), 0);
	CHECK(fcntl(file, F_GETFD) >= 0);
	CHECK_ERR(fcntl(100, F_GETFD), EBADF);
	CHECK_EQ(shared(CLONE_FILES, change_files), 0);
	CHECK_ERR(fcntl(file, F_GETFD), EBADF);
}

static int keep_context(void *unused)
{
	return unshare(CLONE_FS) || chdir("/proc") || umask(077) != 027;
}

static int change_context(void *unused)
{
	return unshare(CLONE_FILES) || chdir("/proc") || umask(07) != 027;
}

TEST(unshare_context, 10, "a directory and umask set after unshare(CLONE_FS) are the caller's own")
{
	char name[64];

	CHECK_EQ(chdir("/"), 0);
	umask(027);
	CHECK_EQ(shared(CLONE_FS, keep_context), 0);
	CHECK(getcwd(name, sizeof(name)) && !strcmp(name, "/"));
	CHECK_EQ(umask(027), 027);
	CHECK_EQ(shared(CLONE_FS, change_context), 0);
	CHECK(getcwd(name, sizeof(name)) && !strcmp(name, "/proc"));
	CHECK_EQ(umask(022), 07);
	CHECK_EQ(chdir("/"), 0);
}

static int take(void *alone)
{
	struct sembuf op = { 0, -1, SEM_UNDO };

	return (alone && unshare(CLONE_SYSVSEM)) || semop(semaphore, &op, 1);
}

static int take_alone(void *unused)
{
	return take(&told);
}

TEST(unshare_undo, 10, "after unshare(CLONE_SYSVSEM) semaphores are undone for the caller alone")
{
	struct sembuf op = { 0, -1, SEM_UNDO };

	semaphore = semget(IPC_PRIVATE, 1, 0600);
	CHECK_EQ(semctl(semaphore, 0, SETVAL, 5), 0);
	CHECK_EQ(semop(semaphore, &op, 1), 0);
	CHECK_EQ(shared(CLONE_SYSVSEM, take), 0);
	CHECK_EQ(semctl(semaphore, 0, GETVAL), 3); /* it is undone when the last one ends */
	CHECK_EQ(shared(CLONE_SYSVSEM, take_alone), 0);
	CHECK_EQ(semctl(semaphore, 0, GETVAL), 3);
	CHECK_EQ(unshare(CLONE_SYSVSEM), 0); /* nobody shares any more, so all is undone */
	CHECK_EQ(semctl(semaphore, 0, GETVAL), 5);
	CHECK_EQ(semctl(semaphore, 0, IPC_RMID), 0);
}

static int refused_memory(void *unused)
{
	int result = unshare(CLONE_VM);

	return result == 0 || errno != EINVAL || unshare(CLONE_THREAD) || unshare(CLONE_SIGHAND);
}

static void *refused_thread(void *unused)
{
	CHECK_ERR(unshare(CLONE_THREAD), EINVAL);
	CHECK_ERR(unshare(CLONE_SIGHAND), EINVAL);
	CHECK_ERR(unshare(CLONE_VM), EINVAL);
	CHECK_EQ(unshare(CLONE_FS | CLONE_FILES), 0);
	CHECK_EQ(close(file), 0);
	return NULL;
}

TEST(unshare_refuses, 10, "memory, handlers and threads cannot be unshared if others use them")
{
	pthread_t thread;

	file = dup(0);
	CHECK_EQ(unshare(0), 0);
	CHECK_EQ(unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES), 0);
	CHECK_ERR(unshare(1), EINVAL);
	CHECK_ERR(unshare(CLONE_PARENT), EINVAL);
	CHECK_EQ(shared(0, refused_memory), 0);
	CHECK_EQ(pthread_create(&thread, NULL, refused_thread, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(fcntl(file, F_GETFD) >= 0);
	close(file);
}

TEST(no_namespaces, 10,
     "another user makes no namespaces, and nobody one that would share a directory")
{
	static const unsigned int flags[] = { 0x20000,	  0x02000000, 0x04000000,
					      0x08000000, 0x20000000, 0x40000000 };
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(setuid(1000), 0);
		for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			CHECK_ERR(syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0), EPERM);
			CHECK_ERR(unshare(flags[i]), EPERM);
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_ERR(syscall(SYS_clone, 0x20000 | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}
