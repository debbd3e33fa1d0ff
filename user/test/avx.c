/*
 * The AVX registers: they belong to a task, and signal frames have them. Where the CPU has no AVX,
 * or the kernel does not switch it on, a case says so and fails.
 */
#include "user/test/test.h"
#include <sched.h>
#include <ucontext.h>

#define FIRST_MAGIC  0x46505853u
#define SECOND_MAGIC 0x46505845u
#define FSAVE_SIZE   112u /* before the FXSAVE image */
#define SOFTWARE     464u /* where the bytes of the kernel begin, in that image */
#define HIGH	     576u /* where the upper halves of ymm0 to ymm7 are */

struct ymm {
	uint32_t words[8];
};

static bool have_avx(void)
{
	uint32_t a = 1, b, c = 0, d, low, high;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	/* OSXSAVE and AVX */
	if ((c & (1u << 27 | 1u << 28)) != (1u << 27 | 1u << 28))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 7) == 7;
}

static struct ymm pattern(unsigned int seed)
{
	struct ymm ymm;

	for (unsigned int i = 0; i < 8; i++)
		ymm.words[i] = seed * 0x01010101u + i;
	return ymm;
}

static void load(const struct ymm *ymm)
{
	__asm__ volatile("vmovups %0, %%ymm3" ::"m"(*ymm));
}

static struct ymm store(void)
{
	struct ymm ymm;

	__asm__ volatile("vmovups %%ymm3, %0" : "=m"(ymm));
	return ymm;
}

static bool equal(struct ymm a, struct ymm b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void keep(unsigned int seed)
{
	struct ymm mine = pattern(seed);

	load(&mine);
	for (unsigned int i = 0; i < 300; i++) {
		syscall(SYS_sched_yield);
		CHECK(equal(store(), mine));
	}
}

TEST(tasks, 20, "each task has the AVX registers for itself, and a child begins with its parent's")
{
	struct ymm mine = pattern(9);
	int status;

	CHECK(have_avx());
	for (unsigned int i = 1; i <= 4; i++) {
		load(&mine);
		if (fork() == 0) {
			CHECK(equal(store(), mine));
			keep(i);
			_exit(0);
		}
	}
	for (unsigned int i = 1; i <= 4; i++) {
		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
}

static struct ymm in_handler, in_frame, put_in_frame;
static enum { LEAVE, CHANGE, DAMAGE } what;

static void handler(int signo, siginfo_t *info, void *context)
{
	char *frame = (char *)((ucontext_t *)context)->uc_mcontext.fpregs, *image;
	uint32_t extension[5], second;

	in_handler = store();
	CHECK(frame != NULL);
	image = frame + FSAVE_SIZE;
	memcpy(extension, image + SOFTWARE, sizeof(extension));
	CHECK_EQ(extension[0], FIRST_MAGIC);
	CHECK_EQ(extension[2] & 7, 7);
	memcpy(&second, image + extension[4], sizeof(second));
	CHECK_EQ(second, SECOND_MAGIC);
	CHECK_EQ(extension[1], FSAVE_SIZE + extension[4] + sizeof(second));
	memcpy(in_frame.words, image + 160 + 3 * 16, 16);
	memcpy(in_frame.words + 4, image + HIGH + 3 * 16, 16);
	if (what == CHANGE) {
		memcpy(image + 160 + 3 * 16, put_in_frame.words, 16);
		memcpy(image + HIGH + 3 * 16, put_in_frame.words + 4, 16);
	}
	if (what == DAMAGE)
		memset(image + extension[4], 0, sizeof(second));
	load(&put_in_frame);
}

static void raise_with(const struct ymm *mine)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	load(mine);
	syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
}

TEST(signal, 5,
     "a handler begins with clear AVX registers, finds the old ones in its frame, and returns to them")
{
	struct ymm mine = pattern(7), zero = { { 0 } };

	CHECK(have_avx());
	put_in_frame = pattern(11);
	raise_with(&mine);
	CHECK(equal(store(), mine));
	CHECK(equal(in_frame, mine));
	CHECK(equal(in_handler, zero));
}

TEST(changed, 5, "a handler can change the AVX registers to which it returns")
{
	struct ymm mine = pattern(7);

	CHECK(have_avx());
	put_in_frame = pattern(11);
	what = CHANGE;
	raise_with(&mine);
	CHECK(equal(store(), put_in_frame));
}

TEST(damaged, 5, "a frame without its second magic number has the SSE registers only")
{
	struct ymm mine = pattern(7), half = mine;

	CHECK(have_avx());
	put_in_frame = pattern(11);
	what = DAMAGE;
	raise_with(&mine);
	memset(half.words + 4, 0, 16);
	CHECK(equal(store(), half));
}
