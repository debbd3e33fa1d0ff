/*
 * The ChaCha20 block function (RFC 8439, 2.3).
 */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include "lib/types.h"

#define CHACHA_KEY_SIZE	  32
#define CHACHA_BLOCK_SIZE 64

/*
 * Compute 64 bytes of key stream from a key, a block counter and a nonce (three little-endian
 * words).
 */
void chacha20_block(const uint8_t key[CHACHA_KEY_SIZE], uint32_t counter, const uint32_t nonce[3],
		    uint8_t out[CHACHA_BLOCK_SIZE]);

#endif
