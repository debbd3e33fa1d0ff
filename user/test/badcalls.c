/*
 * System calls with arguments that no sane program passes: an errno each, and the kernel stays up.
 */
#include "random.h"
#include "test.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/time.h>

#define LAST_CALL    460
#define CALL_SECONDS 2

/* Calls that end or change the guest itself, wait for ever by design, or (fork) multiply. */
static bool left_out(int nr)
{
	static const int list[] = {
		1 /* exit */,
		2 /* fork */,
		7 /* waitpid */,
		29 /* pause */,
		36 /* sync */,
		37 /* kill */,
		51 /* acct */,
		52 /* umount2 */,
		88 /* reboot */,
		72 /* sigsuspend */,
		119 /* sigreturn */,
		120 /* clone */,
		173 /* rt_sigreturn */,
		179 /* rt_sigsuspend */,
		190 /* vfork */,
		252 /* exit_group */,
		238 /* tkill */,
		270 /* tgkill */,
		178 /* rt_sigqueueinfo */,
		335 /* rt_tgsigqueueinfo */,
		435 /* clone3 */,
		22 /* umount */,
		74 /* sethostname */,
		61 /* chroot */,
		79 /* settimeofday */,
		25 /* stime */,
		264 /* clock_settime */,
		404 /* clock_settime64 */,
		124 /* adjtimex */,
		343 /* clock_adjtime */,
		405 /* clock_adjtime64 */,
		121 /* setdomainname */,
		115 /* swapoff */,
		87 /* swapon */,
		283 /* kexec_load */,
		128 /* init_module */,
		129 /* delete_module */,
		350 /* finit_module */,
		103 /* syslog */,
		101 /* ioperm */,
		110 /* iopl */,
		111 /* vhangup */,
		76 /* old getrlimit */,
		217 /* pivot_root */,
		424 /* pidfd_send_signal */,
		26 /* ptrace */,
	};

	for (unsigned int i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == nr)
			return true;
	return false;
}

/* One call in a child, which may die of it; true if it came back or died within its time. */
static bool survives(int nr, const long a[6])
{
	pid_t child = fork();
	long long end = test_ms() + CALL_SECONDS * 1000;
	int status;

	if (!child) {
		struct itimerval soon = { .it_value.tv_usec = 200000 };
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		setitimer(ITIMER_REAL, &soon, NULL);
		syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(0);
	}
	CHECK(child > 0);
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (test_ms() > end) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return false;
		}
		test_sleep_ms(1);
	}
	return true;
}

/*
 * Some calls make segments, semaphores and queues of messages, which stay until they are removed.
 */
static void remove_ipc(void)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;
	struct shmid_ds segment;
	struct semid_ds set;
	struct msqid_ds queue;
	union {
		void *pointer;
	} info = { &sem }, stat = { &set };
	int last, id;

	for (last = shmctl(0, SHM_INFO, (void *)&shm); last >= 0; last--)
		if ((id = shmctl(last, SHM_STAT, &segment)) >= 0)
			CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	for (last = semctl(0, 0, SEM_INFO, info); last >= 0; last--)
		if ((id = semctl(last, 0, SEM_STAT, stat)) >= 0)
			CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
	for (last = msgctl(0, MSG_INFO, (void *)&msg); last >= 0; last--)
		if ((id = msgctl(last, MSG_STAT, &queue)) >= 0)
			CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static void every_call(const long args[6])
{
	for (int nr = 0; nr <= LAST_CALL; nr++)
		if (!left_out(nr) && !survives(nr, args))
			test_fail(__FILE__, __LINE__, "system call %d does not come back", nr);
	remove_ipc();
}

TEST(null_pointers, 120, "NULL everywhere")
{
	every_call((const long[6]){ 0, 0, 0, 0, 0, 0 });
}

TEST(unmapped, 120, "pointers to where nothing is mapped")
{
	every_call((const long[6]){ 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000 });
}

TEST(kernel_addresses, 120, "pointers into the kernel")
{
	every_call((const long[6]){ 0xc0100000, 0xc0101000, 0xc0102000, 0xc0103000, 0xc0104000,
				    0xc0105000 });
}

TEST(all_ones, 120, "-1 everywhere")
{
	every_call((const long[6]){ -1, -1, -1, -1, -1, -1 });
}

TEST(descriptor_and_bad_memory, 120, "a good descriptor with bad memory behind it")
{
	every_call((const long[6]){ 1, 0xbffff000, 0x7fffffff, 0xfffffff0, 1, 0x80000000 });
}

TEST(reads_and_writes, 10,
     "EFAULT from each call that reads or writes user memory, with nothing consumed")
{
	void *bad = (void *)0x1000;
	struct iovec vector = { bad, 10 };
	int fd = open("/etc/passwd", O_RDONLY), out = open("/tmp/badcalls", O_RDWR | O_CREAT, 0600);
	struct stat st;

	CHECK(fd >= 0 && out >= 0);
	CHECK_EQ(unlink("/tmp/badcalls"), 0);
	CHECK_ERR(syscall(SYS_read, fd, bad, 10), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_ERR(syscall(SYS_write, out, bad, 10), EFAULT);
	CHECK_EQ(fstat(out, &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_ERR(readv(fd, &vector, 1), EFAULT);
	CHECK_ERR(writev(out, &vector, 1), EFAULT);
	CHECK_ERR(syscall(SYS_readv, fd, bad, 1), EFAULT);
	CHECK_ERR(syscall(SYS_openat, AT_FDCWD, bad, 0), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8), EFAULT);
	CHECK_ERR(syscall(SYS_getcwd, bad, 100), EFAULT);
	CHECK_ERR(syscall(SYS_uname, bad), EFAULT);
	CHECK_ERR(syscall(SYS_poll, bad, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_nanosleep, bad, NULL), EFAULT);
}

/* Arguments from a generator whose seed is printed: the same seed makes the same calls. */
static long random_argument(void)
{
	static const long odd[] = { 0,		1,	    2,		3,	    -1,	  0x1000,
				    0x7fffffff, 0x80000000, 0xc0000000, 0xfffff000, 4096, 65536 };
	uint32_t r = next_random();

	return r & 1 ? odd[(r >> 8) % (sizeof(odd) / sizeof(odd[0]))] : (long)(r >> 4);
}

TEST(random_arguments, 120, "two thousand calls with random arguments")
{
	random_state = 20050112;
	printf("# seed %u\n", random_state);
	fflush(stdout);
	for (int i = 0; i < 2000; i++) {
		int nr = next_random() % (LAST_CALL + 1);
		long a[6];

		for (int k = 0; k < 6; k++)
			a[k] = random_argument();
		if (!left_out(nr) && !survives(nr, a))
			test_fail(__FILE__, __LINE__,
				  "system call %d (%lx %lx %lx %lx %lx %lx) does not come back", nr,
				  a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	remove_ipc();
}

TEST(which_error, 5, "of a file that cannot and memory that is not there, the file is reported")
{
	char *nowhere = (char *)-4096;
	struct iovec segment = { nowhere, 10 };
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(read(ends[1], nowhere, 10), EBADF);
	CHECK_ERR(write(ends[0], nowhere, 10), EBADF);
	CHECK_ERR(read(ends[0], nowhere, 10), EFAULT);
	CHECK_ERR(write(ends[1], nowhere, 10), EFAULT);
	CHECK_ERR(readv(ends[1], &segment, 0), EBADF);
	CHECK_ERR(writev(ends[0], &segment, 0), EBADF);
	CHECK_EQ(readv(ends[0], &segment, 0), 0);
	CHECK_ERR(pread(ends[0], nowhere, 10, 0), ESPIPE);
	CHECK_ERR(preadv(ends[0], &segment, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(ends[1], nowhere, 10, 0), ESPIPE);
	CHECK_ERR(lseek(ends[0], 0, 5), EINVAL);
	CHECK_ERR(lseek(ends[0], 0, -1), EINVAL);
	CHECK_ERR(lseek(ends[0], 0, SEEK_SET), ESPIPE);
}
