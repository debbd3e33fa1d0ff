/*
 * ptrace, /proc/PID/mem and process_vm_readv: the memory of another process, and who may touch it.
 */
#include "ptrace.h"
#include "background.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/uio.h>

static long data_word = 0x11223344;
static void *place;

static __attribute__((noinline)) int answer(void)
{
	__asm__ volatile("nop; nop; nop; nop");
	return 5;
}

static void call_answer(void)
{
	_exit(answer());
}

static void nothing(void)
{
}

static long peek(pid_t child, const void *at)
{
	long word = 0;

	CHECK_EQ(TRACE(PTRACE_PEEKDATA, child, at, &word), 0);
	return word;
}

static int open_memory(pid_t pid, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags);
}

TEST(data, 5, "PEEKDATA and POKEDATA, across pages too; EIO where nothing is mapped")
{
	static char pages[3 * 4096] __attribute__((aligned(4096)));
	pid_t child = start_tracee(nothing);
	long word;

	CHECK_EQ(peek(child, &data_word), 0x11223344);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, &data_word, 0x55667788), 0);
	CHECK_EQ(peek(child, &data_word), 0x55667788);
	CHECK_EQ(data_word, 0x11223344);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, pages + 4094, 0x01020304), 0);
	CHECK_EQ(peek(child, pages + 4094), 0x01020304);
	CHECK_EQ(peek(child, pages + 4096), 0x0102);
	CHECK_ERR(TRACE(PTRACE_PEEKDATA, child, 16, &word), EIO);
	CHECK_ERR(TRACE(PTRACE_PEEKDATA, child, 0xc0000000, &word), EIO);
	CHECK_ERR(TRACE(PTRACE_PEEKDATA, child, 0xbffffffe, &word), EIO);
	CHECK_ERR(TRACE(PTRACE_PEEKDATA, child, 0xfffffffe, &word), EIO);
	CHECK_ERR(TRACE(PTRACE_POKEDATA, child, 0xc0100000, 1), EIO);
	CHECK_ERR(TRACE(PTRACE_PEEKDATA, child, &data_word, 4), EFAULT);
	CHECK_EQ(finish(child), 0);
}

TEST(text_is_copied, 5,
     "a breakpoint in the text of one process is in no other, and not in the file")
{
	pid_t child = start_tracee(call_answer), other = start_tracee(call_answer);
	long word = peek(child, answer), in_file;
	int fd = open("/proc/self/exe", O_RDONLY), copy[4096 / 4], text;

	CHECK_EQ(TRACE(PTRACE_POKETEXT, child, answer, (word & ~0xffl) | 0xcc), 0);
	CHECK_EQ(peek(child, answer), (word & ~0xffl) | 0xcc);
	CHECK_EQ(peek(other, answer), word);
	memcpy(&in_file, (void *)answer, 4);
	CHECK_EQ(in_file, word);
	/* Nor can the program write there now. */
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(peek_user(child, REGISTER_AT(eip)), (long)answer + 1);
	CHECK_EQ(TRACE(PTRACE_POKETEXT, child, answer, word), 0);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eip), answer), 0);
	CHECK_EQ(finish(child), 5);
	CHECK_EQ(finish(other), 5);
	/* A new process of the same program has the old text, too. */
	text = start_tracee(nothing);
	CHECK_EQ(peek(text, answer), word);
	CHECK_EQ(finish(text), 0);
	CHECK(read(fd, copy, sizeof(copy)) > 0);
}

static void write_text(void)
{
	*(volatile char *)place = 1;
}

TEST(text_stays_protected, 5, "memory that a tracer has written is not writable for the tracee")
{
	int status;
	pid_t child;

	place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	child = start_tracee(write_text);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, place, 7), 0);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, place, 8), 0);
	CHECK_EQ(peek(child, place), 8);
	CHECK_EQ(*(int *)place, 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGSEGV);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGSEGV), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status & 0x7f, SIGSEGV);
}

TEST(no_access, 5,
     "a tracer reads and writes PROT_NONE memory, but not a shared mapping that is read-only")
{
	int fd = open("/tmp/ptrace-shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	long *none = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long *shared, *writable;
	pid_t child;

	CHECK(ftruncate(fd, 4096) == 0);
	shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	*none = 99;
	CHECK(mprotect(none, 4096, PROT_NONE) == 0);
	child = start_tracee(nothing);
	CHECK_EQ(peek(child, none), 99);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, none, 98), 0);
	CHECK_EQ(peek(child, none), 98);
	CHECK_ERR(TRACE(PTRACE_POKEDATA, child, shared, 1), EIO);
	CHECK_EQ(TRACE(PTRACE_POKEDATA, child, writable, 3), 0);
	CHECK_EQ(*shared, 3);
	mprotect(none, 4096, PROT_READ);
	CHECK_EQ(*none, 99);
	CHECK_EQ(finish(child), 0);
	unlink("/tmp/ptrace-shared");
}

TEST(mem_file, 5,
     "/proc/PID/mem reads and writes at an address, and fails with EIO where nothing is")
{
	pid_t child = start_child(NULL);
	int fd = open_memory(child, O_RDWR);
	long word = 0;

	CHECK(fd >= 0);
	CHECK_EQ(pread(fd, &word, 4, (long)&data_word), 4);
	CHECK_EQ(word, 0x11223344);
	word = 77;
	CHECK_EQ(pwrite(fd, &word, 4, (long)&data_word), 4);
	CHECK_EQ(pread(fd, &word, 4, (long)&data_word), 4);
	CHECK_EQ(word, 77);
	CHECK_ERR(pread(fd, &word, 4, 16), EIO);
	CHECK_ERR(pread(fd, &word, 4, 0xc0000000), EIO);
	kill_tracee(child);
	close(fd);
}

TEST(vm_calls, 5, "process_vm_readv and writev copy pieces, and stop where memory ends")
{
	static char from[10000], to[10000];
	struct iovec own[3] = { { to, 100 }, { to + 100, 0 }, { to + 100, 9900 } };
	struct iovec other[2] = { { from, 5000 }, { from + 5000, 5000 } };
	char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	munmap(end + 4096, 4096);
	test_fill(from, sizeof(from), 1, 0);
	child = start_child(NULL);
	memset(from, 0, sizeof(from));
	CHECK_EQ(process_vm_readv(child, own, 3, other, 2, 0), 10000);
	CHECK_EQ(test_differs(to, sizeof(to), 1, 0), 10000);
	to[9000] = 42;
	CHECK_EQ(process_vm_writev(child, own, 3, other, 2, 0), 10000);
	to[9000] = 0;
	CHECK_EQ(process_vm_readv(child, own, 3, other, 2, 0), 10000);
	CHECK_EQ(to[9000], 42);
	other[0] = (struct iovec){ end + 4000, 200 };
	CHECK_EQ(process_vm_readv(child, own, 3, other, 1, 0), 96);
	other[0] = (struct iovec){ end + 4096, 200 };
	CHECK_ERR(process_vm_readv(child, own, 3, other, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(child, own, 3, other, 1, 1), EINVAL);
	other[0] = (struct iovec){ from, 5000 };
	own[0].iov_base = (void *)16;
	CHECK_ERR(process_vm_readv(child, own, 1, other, 1, 0), EFAULT);
	/* What the process may not write, it does not write. */
	own[0] = (struct iovec){ to, 4 };
	other[0] = (struct iovec){ (void *)answer, 4 };
	CHECK_ERR(process_vm_writev(child, own, 1, other, 1, 0), EFAULT);
	kill_tracee(child);
	CHECK_ERR(process_vm_readv(child, own, 1, other, 1, 0), ESRCH);
}

/* ---- rights ---- */

static void become(int uid)
{
	if (setgid(uid) || setuid(uid) || prctl(PR_SET_DUMPABLE, 1))
		_exit(90);
}

static void be_user(void)
{
	become(1000);
}

static void be_hidden(void)
{
	become(1000);
	prctl(PR_SET_DUMPABLE, 0);
}

/* Returns the errors of ATTACH, process_vm_readv and opening /proc/PID/mem, as user 1000. */
static int errors_of(pid_t target)
{
	struct iovec own = { &place, 4 }, other = { &data_word, 4 };
	pid_t child = fork();

	if (!child) {
		int attach, vm, mem;

		become(1000);
		attach = TRACE(PTRACE_ATTACH, target, 0, 0) ? errno : 0;
		vm = process_vm_readv(target, &own, 1, &other, 1, 0) < 0 ? errno : 0;
		mem = open_memory(target, O_RDONLY) < 0 ? errno : 0;
		_exit(attach == EPERM && vm == EPERM && mem == EACCES ? 1
		      : attach || vm || mem			      ? 2
								      : 0);
	}
	return test_wait(child);
}

TEST(rights, 10, "a user traces own processes, but not root's, nor those that are not dumpable")
{
	pid_t own = start_child(be_user), hidden = start_child(be_hidden), root = start_child(NULL);

	await_sleep(own);
	await_sleep(hidden);
	CHECK_EQ(errors_of(own), 0);
	CHECK_EQ(errors_of(hidden), 1);
	CHECK_EQ(errors_of(root), 1);
	kill_tracee(own);
	kill_tracee(hidden);
	kill_tracee(root);
}

/* ---- races ---- */

static pid_t victim;
static volatile int over;

static void *kill_soon(void *arg)
{
	for (int i = 0; i < 30; i++)
		sched_yield();
	kill(victim, SIGKILL);
	return arg;
}

static void spin(void)
{
	for (;;)
		over++;
}

TEST(kill_while_looking, 20,
     "SIGKILL while the tracer reads and writes: each request works or is ESRCH")
{
	for (int i = 0; i < 30; i++) {
		struct user_regs_struct regs;
		pthread_t thread;
		int status, error;

		victim = start_tracee(spin);
		CHECK_EQ(pthread_create(&thread, NULL, kill_soon, NULL), 0);
		for (;;) {
			if (TRACE(PTRACE_GETREGS, victim, 0, &regs) ||
			    TRACE(PTRACE_SETREGS, victim, 0, &regs) ||
			    TRACE(PTRACE_POKEDATA, victim, &over, 1))
				break;
		}
		error = errno;
		CHECK(error == ESRCH || error == EIO);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(waitpid(victim, &status, 0), victim);
		CHECK_EQ(status, SIGKILL);
	}
}
