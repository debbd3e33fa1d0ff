/*
 * Lists of extended attributes. The contract is in fs/ext2/xattr_format.h.
 */
#include "fs/ext2/xattr_format.h"
#include "lib/errno.h"
#include "lib/string.h"

#define PADDING	   4u
#define END_SIZE   4u /* the zeros behind the last entry */
#define NAME_SHIFT 5u
#define WORD_SHIFT 16u

static unsigned int padded(unsigned int size)
{
	return ALIGN_UP(size, PADDING);
}

static unsigned int entry_size(unsigned int name_len)
{
	return padded(sizeof(struct ext2_disk_xattr) + name_len);
}

static bool is_end(const char *entry)
{
	static const char zeros[END_SIZE];

	return memcmp(entry, zeros, END_SIZE) == 0;
}

int ext2_xattr_read(const struct ext2_xattr_list *list, unsigned int at, struct ext2_xattr *xattr)
{
	const struct ext2_disk_xattr *disk = (const void *)(list->region + at);
	unsigned int len;

	if (at > list->size - END_SIZE)
		return -1;
	if (is_end(list->region + at))
		return 0;
	if (at > list->size - sizeof(*disk) - END_SIZE)
		return -1;
	len = entry_size(disk->name_len);
	if (len > list->size - END_SIZE - at || disk->value_inode ||
	    disk->value_size > list->size || disk->value_offset > list->size - disk->value_size ||
	    (disk->value_size > 0 && disk->value_offset < at + len + END_SIZE))
		return -1;
	*xattr = (struct ext2_xattr){
		.index = disk->index,
		.name_len = disk->name_len,
		.size = disk->value_size,
		.name = (const char *)(disk + 1),
		.value = list->region + disk->value_offset,
	};
	return len;
}

/* The order of the entries in a block. */
static int compare(const struct ext2_xattr *a, const struct ext2_xattr *b)
{
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	return memcmp(a->name, b->name, a->name_len);
}

int ext2_xattr_find(const struct ext2_xattr_list *list, struct ext2_xattr *xattr)
{
	struct ext2_xattr found;
	int len;

	for (unsigned int at = list->first;; at += len) {
		len = ext2_xattr_read(list, at, &found);
		if (len <= 0)
			return len;
		if (compare(&found, xattr) != 0)
			continue;
		xattr->value = found.value;
		xattr->size = found.size;
		return 1;
	}
}

/* ---- hashes ---- */

/* One step of a hash: turn it left by `shift` bits, and mix a word in. */
static uint32_t mix(uint32_t hash, unsigned int shift, uint32_t word)
{
	return (hash << shift | hash >> (32 - shift)) ^ word;
}

/* Of the name, and of the words of the value, with zeros behind it. */
static uint32_t hash_of(const struct ext2_xattr *xattr)
{
	uint32_t hash = 0, word;

	for (unsigned int i = 0; i < xattr->name_len; i++)
		hash = mix(hash, NAME_SHIFT, (unsigned char)xattr->name[i]);
	for (unsigned int i = 0; i < xattr->size; i += sizeof(word)) {
		word = 0;
		memcpy(&word, (const char *)xattr->value + i, MIN(xattr->size - i, 4u));
		hash = mix(hash, WORD_SHIFT, word);
	}
	return hash;
}

uint32_t ext2_xattr_hash(const struct ext2_xattr_list *list)
{
	struct ext2_xattr xattr;
	uint32_t hash = 0;
	int len;

	for (unsigned int at = list->first; (len = ext2_xattr_read(list, at, &xattr)) > 0;
	     at += len) {
		const struct ext2_disk_xattr *disk = (const void *)(list->region + at);

		if (disk->hash == 0) /* says that no other inode should share the block */
			return 0;
		hash = mix(hash, WORD_SHIFT, disk->hash);
	}
	return hash;
}

/* ---- changing ---- */

/* A list that is being written. */
struct writer {
	const struct ext2_xattr_list *list;
	unsigned int at, values; /* the end of the entries, and the beginning of the values */
	int nr;			 /* attributes; or an error */
};

static void add(struct writer *writer, const struct ext2_xattr *xattr)
{
	struct ext2_disk_xattr *disk = (void *)(writer->list->region + writer->at);
	unsigned int len = entry_size(xattr->name_len);

	if (writer->nr < 0)
		return;
	if (writer->at + len + END_SIZE > writer->values ||
	    padded(xattr->size) > writer->values - writer->at - len - END_SIZE) {
		writer->nr = -ENOSPC;
		return;
	}
	writer->values -= padded(xattr->size);
	memcpy(writer->list->region + writer->values, xattr->value, xattr->size);
	*disk = (struct ext2_disk_xattr){
		.name_len = xattr->name_len,
		.index = xattr->index,
		.value_offset = xattr->size ? writer->values : 0,
		.value_size = xattr->size,
		.hash = hash_of(xattr),
	};
	memcpy(disk + 1, xattr->name, xattr->name_len);
	writer->at += len;
	writer->nr++;
}

int ext2_xattr_change(const struct ext2_xattr_list *from, const struct ext2_xattr_list *to,
		      const struct ext2_xattr *xattr)
{
	struct writer writer = { .list = to, .at = to->first, .values = to->size };
	bool placed = xattr->value == NULL;
	struct ext2_xattr old;
	int len = 0;

	for (unsigned int at = to->first; from && (len = ext2_xattr_read(from, at, &old)) > 0;
	     at += len) {
		int order = compare(xattr, &old);

		if (!placed && (order == 0 || (from->sorted && order < 0))) {
			add(&writer, xattr);
			placed = true;
		}
		if (order != 0)
			add(&writer, &old);
	}
	if (!placed)
		add(&writer, xattr);
	return len < 0 ? -EIO : writer.nr;
}
