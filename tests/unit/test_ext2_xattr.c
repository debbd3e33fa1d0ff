/*
 * Tests fs/ext2/xattr_format.c: lists of extended attributes that are good, full, damaged and
 * random.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "fs/ext2/xattr_format.c"

#define SIZE  1024u
#define FIRST sizeof(struct ext2_xattr_block)

static char bytes[2][SIZE] __attribute__((aligned(8)));
static struct ext2_xattr_list one = { bytes[0], FIRST, SIZE, true };
static struct ext2_xattr_list two = { bytes[1], FIRST, SIZE, true };

static struct ext2_xattr attribute(const char *name, const char *value)
{
	return (struct ext2_xattr){
		.index = EXT2_XATTR_USER,
		.name = name,
		.name_len = strlen(name),
		.value = value,
		.size = value ? strlen(value) : 0,
	};
}

/* Change the list `one`. Returns the number of attributes, or an error. */
static int set(const char *name, const char *value)
{
	struct ext2_xattr xattr = attribute(name, value);
	int nr;

	memset(bytes[1], 0, SIZE);
	nr = ext2_xattr_change(&one, &two, &xattr);
	if (nr >= 0)
		memcpy(bytes[0], bytes[1], SIZE);
	return nr;
}

static bool has(const char *name, const char *value)
{
	struct ext2_xattr xattr = attribute(name, NULL);

	return ext2_xattr_find(&one, &xattr) == 1 && xattr.size == strlen(value) &&
	       memcmp(xattr.value, value, xattr.size) == 0;
}

static void begin(bool sorted)
{
	memset(bytes, 0, sizeof(bytes));
	one.sorted = two.sorted = sorted;
}

static const char *order(void)
{
	static char text[100];
	struct ext2_xattr xattr;
	int len;

	text[0] = '\0';
	for (unsigned int at = one.first; (len = ext2_xattr_read(&one, at, &xattr)) > 0; at += len)
		strncat(strcat(text, " "), xattr.name, xattr.name_len);
	return text;
}

CASE(xattr_order)
{
	begin(true);
	ok(set("bb", "1") == 1 && set("c", "2") == 2 && set("aa", "3") == 3 && set("c", "4") == 3 &&
		   strcmp(order(), " c aa bb") == 0,
	   "a block's entries are sorted by length and name");
	ok(has("c", "4") && has("aa", "3") && has("bb", "1"), "they have their values");
	ok(set("aa", NULL) == 2 && strcmp(order(), " c bb") == 0, "one is removed");
	begin(false);
	ok(set("bb", "1") == 1 && set("c", "2") == 2 && set("aa", "3") == 3 &&
		   set("bb", "long value") == 3 && strcmp(order(), " bb c aa") == 0,
	   "an inode's entries keep their order");
}

CASE(xattr_hash)
{
	const struct ext2_disk_xattr *entry = (const void *)(bytes[0] + FIRST);

	begin(true);
	must(set("a", "x") == 1);
	ok(entry->hash == 0x00610078, "the hash of an entry mixes its name and its value");
	ok(ext2_xattr_hash(&one) == entry->hash, "that of a block begins with its first entry's");
	must(set("bc", "") == 2);
	ok(ext2_xattr_hash(&one) == ((0x0078u << 16 | 0x0061u) ^ ('b' << 5 ^ 'c')),
	   "and mixes in the others");
}

CASE(xattr_full)
{
	static char value[SIZE];
	unsigned int room = SIZE - FIRST - sizeof(struct ext2_disk_xattr) - 4 - 4;

	begin(true);
	memset(value, 'v', sizeof(value));
	value[room + 1] = '\0';
	ok(set("name", value) == -ENOSPC, "a value that is too large by one byte does not fit");
	value[room] = '\0';
	ok(set("name", value) == 1 && has("name", value), "the largest one does");
	ok(set("b", "") == -ENOSPC, "and then nothing else");
	ok(set("name", "small") == 1 && set("b", "") == 2, "a smaller value makes room");
}

static bool damaged(unsigned int offset, unsigned int value)
{
	struct ext2_xattr xattr = attribute("zzz", "new"), old = attribute("none", NULL);

	begin(true);
	must(set("name", "value") == 1);
	memcpy(bytes[0] + FIRST + offset, &value, 2);
	return ext2_xattr_change(&one, &two, &xattr) == -EIO && ext2_xattr_find(&one, &old) == -1;
}

CASE(xattr_damages)
{
	ok(damaged(2, SIZE - 4), "a value that reaches behind the end is damage");
	ok(damaged(2, FIRST), "so is one in the entries,");
	ok(damaged(4, 1), "one in another inode,");
	ok(damaged(8, 0xffff), "a size that is too large,");
	begin(true);
	memset(bytes[0] + FIRST, 0xff, SIZE - FIRST);
	ok(ext2_xattr_find(&one, &(struct ext2_xattr){ .index = 1 }) == -1, "and rubbish");
}

/* Rubbish in every place. The sanitizers see each access outside of the region. */
CASE(xattr_fuzz)
{
	uint32_t state = 1;

	for (unsigned int round = 0; round < 200000; round++) {
		struct ext2_xattr xattr = attribute("b", "new value"), find = attribute("zz", NULL);

		begin(round & 1);
		must(set("a", "one") == 1 && set("bb", "a longer value") == 2 && set("c", "") == 3);
		for (int i = 0; i < 3; i++) {
			state = state * 1664525 + 1013904223;
			bytes[0][FIRST + (state >> 8) % 80] = state >> 24;
		}
		(void)ext2_xattr_find(&one, &find);
		(void)ext2_xattr_hash(&one);
		(void)ext2_xattr_change(&one, &two, &xattr);
	}
	ok(true, "nothing in a damaged list leads out of it");
}
