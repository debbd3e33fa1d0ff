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

/* RFC 8439, 2.1: on the words of the state with these numbers. */
static inline void quarter_round(uint32_t s[16], unsigned int a, unsigned int b, unsigned int c,
				 unsigned int d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

/* RFC 8439, 2.3: the columns, then the diagonals. */
static void double_round(uint32_t s[16])
{
	quarter_round(s, 0, 4, 8, 12);
	quarter_round(s, 1, 5, 9, 13);
	quarter_round(s, 2, 6, 10, 14);
	quarter_round(s, 3, 7, 11, 15);
	quarter_round(s, 0, 5, 10, 15);
	quarter_round(s, 1, 6, 11, 12);
	quarter_round(s, 2, 7, 8, 13);
	quarter_round(s, 3, 4, 9, 14);
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
