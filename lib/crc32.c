/*
 * CRC-32, bit by bit. It is used for a few kilobytes at a time.
 */
#include "lib/crc32.h"

#define POLYNOMIAL 0xedb88320u /* reflected */

uint32_t crc32(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	crc = ~crc;
	while (len--) {
		crc ^= *at++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
	}
	return ~crc;
}
