/*
 * The CRC of ISO 3309, as Ethernet, GPT and zlib use it (polynomial 0x04c11db7, reflected).
 */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H

#include "lib/types.h"

/* Returns the CRC of `len` bytes, continuing from `crc`, which is 0 for the first piece. */
uint32_t crc32(uint32_t crc, const void *bytes, size_t len);

#endif
