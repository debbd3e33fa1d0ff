/*
 * The ChaCha20 block function of RFC 8439, section 2.3. It has no state and takes no locks. The
 * RFC's words are little-endian, as those of x86 are.
 */
#include "lib/chacha.h"
#include "lib/string.h"

#define ROUNDS 20

static inline uint32_t rotate(uint32_t word, unsigned int by)
{
	return word << by | word >> (32 - by);
}

/* RFC 8439, 2.1. */
static inline void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

static void double_round(uint32_t s[16])
{
	for (unsigned int i = 0; i < 4; i++) /* columns */
		quarter_round(&s[i], &s[4 + i], &s[8 + i], &s[12 + i]);
	for (unsigned int i = 0; i < 4; i++) /* diagonals */
		quarter_round(&s[i], &s[4 + (i + 1) % 4], &s[8 + (i + 2) % 4],
			      &s[12 + (i + 3) % 4]);
}

void chacha20_block(const uint8_t key[CHACHA_KEY_SIZE], uint32_t counter, const uint32_t nonce[3],
		    uint8_t out[CHACHA_BLOCK_SIZE])
{
	/* "expand 32-byte k" */
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t state[16];

	memcpy(&start[4], key, CHACHA_KEY_SIZE);
	start[12] = counter;
	memcpy(&start[13], nonce, 3 * sizeof(uint32_t));
	memcpy(state, start, sizeof(state));
	for (unsigned int i = 0; i < ROUNDS; i += 2)
		double_round(state);
	for (unsigned int i = 0; i < 16; i++)
		state[i] += start[i];
	memcpy(out, state, CHACHA_BLOCK_SIZE);
}
