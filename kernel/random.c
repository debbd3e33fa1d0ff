/*
 * The random number generator.
 *
 * 1. The state is a ChaCha20 key (RFC 8439). Each request makes one block of key stream. Its first
 *    half replaces the key. Its second half belongs to this request alone: it is what a short
 *    request gets, and the key of the stream that a longer one gets. So what was given out cannot be
 *    found from the state later, and a long request holds no lock.
 * 2. What is stirred in is exclusive-ored into the key, and the key then goes through the block
 *    function.
 * 3. At boot the key is made of RDRAND (where the CPU has it), the jitter of the TSC and the
 *    clocks; each request adds RDRAND and the TSC once more. There is no time when the generator is
 *    not seeded, so that no call waits: GRND_NONBLOCK, GRND_RANDOM and GRND_INSECURE make no
 *    difference.
 * 4. random_lock (irqsave) guards the key.
 */
#include "kernel/random.h"
#include "kernel/init.h"
#include "kernel/syscalls.h"
#include "lib/chacha.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

#define GRND_NONBLOCK  1u
#define GRND_RANDOM    2u
#define GRND_INSECURE  4u

#define JITTER_SAMPLES 256u
#define RDRAND_TRIES   10u  /* Intel's advice: then the unit is broken */
#define USER_PIECE     256u /* bytes between two looks at pending signals */

static spinlock_t random_lock = SPINLOCK_INIT("random");
static uint8_t key[CHACHA_KEY_SIZE];
static const uint32_t no_nonce[3];

static uint32_t rdrand(void)
{
	uint32_t value = 0;
	uint8_t ok = 0;

	for (unsigned int i = 0; i < RDRAND_TRIES && cpu_has.rdrand && !ok; i++)
		__asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(ok)::"cc");
	return ok ? value : 0;
}

/* Replace the key by a half block of its own stream; the other half goes to `request`, if that is
 * wanted. */
static void step(uint8_t request[CHACHA_KEY_SIZE])
{
	uint8_t block[CHACHA_BLOCK_SIZE];

	lockdep_held(&random_lock);
	chacha20_block(key, 0, no_nonce, block);
	memcpy(key, block, CHACHA_KEY_SIZE);
	if (request)
		memcpy(request, block + CHACHA_KEY_SIZE, CHACHA_KEY_SIZE);
	memset(block, 0, sizeof(block));
	barrier(); /* the block is wiped, although nobody reads it */
}

static void stir(const void *data, size_t n)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < n; i++)
		key[i % CHACHA_KEY_SIZE] ^= bytes[i];
}

void random_add(const void *data, size_t n)
{
	unsigned int flags = spin_lock_irqsave(&random_lock);

	stir(data, n);
	step(NULL);
	spin_unlock_irqrestore(&random_lock, flags);
}

void random_bytes(void *buf, size_t n)
{
	uint32_t fresh[4] = { rdrand(), rdrand(), (uint32_t)read_tsc(), this_cpu()->id };
	uint8_t request[CHACHA_KEY_SIZE];
	uint8_t block[CHACHA_BLOCK_SIZE];
	uint8_t *out = buf;
	unsigned int flags = spin_lock_irqsave(&random_lock);

	stir(fresh, sizeof(fresh));
	step(request);
	spin_unlock_irqrestore(&random_lock, flags);
	if (n <= sizeof(request)) {
		memcpy(buf, request, n);
		n = 0;
	}
	for (uint32_t counter = 0; n > 0; counter++) {
		size_t piece = MIN(n, sizeof(block));

		chacha20_block(request, counter, no_nonce, block);
		memcpy(out, block, piece);
		out += piece;
		n -= piece;
	}
	memset(block, 0, sizeof(block));
	memset(request, 0, sizeof(request));
	barrier();
}

long sys_getrandom(void __user *buf, size_t n, unsigned int flags)
{
	uint8_t piece[USER_PIECE];
	size_t done = 0;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return refuse(EINVAL, "unknown getrandom flag");
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return refuse(EINVAL, "GRND_RANDOM and GRND_INSECURE contradict each other");
	n = MIN(n, (size_t)INT32_MAX);
	while (done < n) {
		size_t len = MIN(n - done, sizeof(piece));

		if (done > 0 && signal_pending())
			break;
		random_bytes(piece, len);
		if (copy_to_user((char __user *)buf + done, piece, len) < 0)
			return done ? (long)done : -EFAULT;
		done += len;
	}
	return done;
}

/* How long a multiplication and a load take differs with caches, interrupts and the emulator's
 * mood. */
static void __init random_seed(void)
{
	uint64_t clocks[2] = { time_wall(), time_now() };
	volatile uint32_t work = 1;

	random_add(clocks, sizeof(clocks));
	for (unsigned int i = 0; i < JITTER_SAMPLES; i++) {
		uint32_t sample[2] = { (uint32_t)read_tsc(), i % 64 == 0 ? rdrand() : work };

		random_add(sample, sizeof(sample));
		for (unsigned int j = sample[0] & 15; j > 0; j--)
			work = work * 1664525u + 1013904223u;
	}
}
INITCALL(0, random_seed);
