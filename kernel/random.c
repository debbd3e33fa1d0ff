/*
 * The random number generator.
 *
 * 1. The state is a ChaCha20 key (RFC 8439). Each request makes one block of key stream. The
 *    block's first half replaces the key. Its second half is the request's own: a short request
 *    returns bytes of it, and a long request uses it as the key of another stream. Bytes that were
 *    handed out can therefore not be computed from a later state, and a long request need not hold
 *    the lock.
 * 2. To stir bytes in, they are XORed into the key, and the key then goes through the block
 *    function.
 * 3. At boot the key is made from RDRAND (if the CPU has it), the jitter of the TSC, and the
 *    clocks. Each request stirs in RDRAND and the TSC. The generator is seeded before the first
 *    program runs, so no call waits, and GRND_NONBLOCK, GRND_RANDOM and GRND_INSECURE make no
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
#define RDRAND_TRIES   10u  /* Intel's advice: if all of them fail, the unit is broken */
#define USER_PIECE     256u /* bytes between two checks for signals */

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

/*
 * Make one block of key stream. Half of it replaces the key. The other half goes to `request`,
 * unless that is NULL.
 */
static void step(uint8_t request[CHACHA_KEY_SIZE])
{
	uint8_t block[CHACHA_BLOCK_SIZE];

	lockdep_held(&random_lock);
	chacha20_block(key, 0, no_nonce, block);
	memcpy(key, block, CHACHA_KEY_SIZE);
	if (request)
		memcpy(request, block + CHACHA_KEY_SIZE, CHACHA_KEY_SIZE);
	memset(block, 0, sizeof(block));
	barrier(); /* or the compiler would leave out the memset, because nothing reads the block */
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

/*
 * Seed the generator. The time that the multiplications take varies with caches, interrupts and the
 * load of the emulator's host.
 */
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
