/* Tests lib/crc32.c with known sums. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "lib/crc32.c"

CASE(known_sums)
{
	must(crc32(0, "", 0) == 0);
	must(crc32(0, "123456789", 9) == 0xcbf43926u);
	must(crc32(0, "\0\0\0\0", 4) == 0x2144df1cu);
	ok(true, "the sums of known bytes");
}

CASE(in_pieces)
{
	const char text[] = "The quick brown fox jumps over the lazy dog";
	unsigned int len = sizeof(text) - 1;

	for (unsigned int cut = 0; cut <= len; cut++)
		must(crc32(crc32(0, text, cut), text + cut, len - cut) == 0x414fa339u);
	ok(true, "a sum that is made in two pieces");
}
