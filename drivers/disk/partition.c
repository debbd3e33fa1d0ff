/*
 * Partitions: parts of a disk that are devices of their own (MBR; GPT as in UEFI 2.10, chapter 5).
 *
 * 1. They are found once at boot, before any program runs, on the disks that block_register_next()
 *    or a driver has numbered for them.
 * 2. A partition is a block_device whose `whole` is its disk. The block layer adds the first sector
 *    to each bio, and the disk's driver does the rest.
 * 3. Nothing on the disk is trusted. A partition that is empty or begins behind the disk is left
 *    out, and one that ends there is shortened. A chain of extended partitions is followed for as
 *    many as can have a number.
 */
#include "drivers/disk/block.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "lib/crc32.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/print.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define MAX_PARTITIONS	  (MINORS_PER_DISK - 1)

#define MBR_ENTRIES	  4
#define MBR_SIGNATURE	  0xaa55
#define TYPE_EMPTY	  0x00
#define TYPE_EXTENDED	  0x05
#define TYPE_EXTENDED_LBA 0x0f
#define TYPE_GPT	  0xee
#define FIRST_LOGICAL	  5 /* number of the first partition within an extended one */

struct mbr_entry {
	uint8_t active, first_chs[3], type, last_chs[3];
	uint32_t first, sectors;
} __packed;

struct mbr {
	uint8_t code[446];
	struct mbr_entry entries[MBR_ENTRIES];
	uint16_t signature;
} __packed;
_Static_assert(sizeof(struct mbr) == SECTOR_SIZE, "a sector");

#define GPT_HEADER_SIZE 92
struct gpt_header {
	char signature[8];
	uint32_t revision, size, crc, reserved;
	uint64_t here, backup, first_usable, last_usable;
	uint8_t disk[16];
	uint64_t entries;
	uint32_t nr_entries, entry_size, entries_crc;
} __packed;
_Static_assert(sizeof(struct gpt_header) == GPT_HEADER_SIZE, "the header, 5.3.2");

struct gpt_entry {
	uint8_t type[16], id[16];
	uint64_t first, last;
	uint64_t attributes;
	uint16_t name[36];
} __packed;

#define GPT_ENTRIES_MAX (64u << 10) /* bytes of the table that are read at most */

/* Read `len` bytes, of at most a page, from a sector on. Returns 0, -EIO or -ENOMEM. */
static int read_page(struct block_device *disk, uint64_t sector, void *to, unsigned int len)
{
	struct page *page = page_alloc(0, ALLOC_LOW);
	struct bio *bio = page ? bio_alloc(disk, sector, false, 0) : NULL;
	struct atomic left;
	int error = -ENOMEM;

	if (bio) {
		bio_add(bio, page, 0, ALIGN_UP(len, SECTOR_SIZE));
		bio_submit_all(&bio, 1, &left);
		bio_wait_all_always(&left);
		error = bio->error;
		bio_free(bio);
		memcpy(to, page_address_low(page), len);
	}
	if (page)
		page_put(page);
	return error;
}

static int read_sectors(struct block_device *disk, uint64_t sector, void *to, unsigned int len)
{
	int error = 0;

	for (unsigned int at = 0; at < len && !error; at += PAGE_SIZE)
		error = read_page(disk, sector + at / SECTOR_SIZE, (char *)to + at,
				  MIN(len - at, PAGE_SIZE));
	return error;
}

static void add_partition(struct block_device *disk, unsigned int number, uint64_t first,
			  uint64_t sectors)
{
	struct block_device *part;
	char last = disk->name[strlen(disk->name) - 1];

	if (number > MAX_PARTITIONS || first == 0 || first >= disk->sectors || sectors == 0) {
		log_warning("%s: partition %u, from sector %llu on, is left out", disk->name,
			    number, (unsigned long long)first);
		return;
	}
	if (sectors > disk->sectors - first) {
		log_warning("%s: partition %u ends behind the disk, and is shortened", disk->name,
			    number);
		sectors = disk->sectors - first;
	}
	part = kzalloc(sizeof(*part), 0);
	if (!part) {
		log_warning("%s: no memory for partition %u", disk->name, number);
		return;
	}
	snprintf(part->name, sizeof(part->name), "%s%s%u", disk->name,
		 last >= '0' && last <= '9' ? "p" : "", number);
	part->major = disk->major;
	part->minor = disk->minor + number;
	part->sectors = sectors;
	part->read_only = disk->read_only;
	part->ops = disk->ops;
	part->private = disk->private;
	part->queue_depth = disk->queue_depth;
	part->whole = disk;
	part->first = first;
	block_register(part);
	log_info("%s: %llu KiB", part->name, (unsigned long long)sectors / 2);
}

static bool is_extended(const struct mbr_entry *entry)
{
	return entry->type == TYPE_EXTENDED || entry->type == TYPE_EXTENDED_LBA;
}

/*
 * The chain of an extended partition: each link is a sector like an MBR. Its first entry is a
 * partition, relative to the link, and its second one leads to the next link, relative to the
 * extended partition.
 */
static void add_logical(struct block_device *disk, uint32_t extended)
{
	struct mbr link;
	uint32_t next = 0;

	for (unsigned int number = FIRST_LOGICAL; number <= MAX_PARTITIONS; number++) {
		uint64_t at = (uint64_t)extended + next;

		if (read_page(disk, at, &link, sizeof(link)) || link.signature != MBR_SIGNATURE)
			return;
		if (link.entries[0].type != TYPE_EMPTY)
			add_partition(disk, number, at + link.entries[0].first,
				      link.entries[0].sectors);
		if (!is_extended(&link.entries[1]) || link.entries[1].first == 0)
			return;
		next = link.entries[1].first;
	}
}

static void add_mbr(struct block_device *disk, const struct mbr *mbr)
{
	bool extended = false; /* one has been found; there may be only one */

	for (unsigned int i = 0; i < MBR_ENTRIES; i++) {
		const struct mbr_entry *entry = &mbr->entries[i];

		if (is_extended(entry) && !extended) {
			extended = true;
			add_logical(disk, entry->first);
		} else if (is_extended(entry)) {
			log_warning("%s: a second extended partition is left out", disk->name);
		} else if (entry->type != TYPE_EMPTY) {
			add_partition(disk, i + 1, entry->first, entry->sectors);
		}
	}
}

/*
 * An MBR and a file system's first sector look alike. In the MBR each entry is active or not, and
 * nothing else.
 */
static bool is_mbr(const struct mbr *mbr)
{
	if (mbr->signature != MBR_SIGNATURE)
		return false;
	for (unsigned int i = 0; i < MBR_ENTRIES; i++)
		if (mbr->entries[i].active & 0x7f)
			return false;
	return true;
}

static bool gpt_is_right(struct gpt_header *header)
{
	uint32_t crc = header->crc;

	header->crc = 0;
	return header->size == GPT_HEADER_SIZE && crc32(0, header, sizeof(*header)) == crc &&
	       header->here == 1 && header->entry_size >= sizeof(struct gpt_entry) &&
	       header->entry_size <= PAGE_SIZE && header->nr_entries > 0 &&
	       header->nr_entries <= GPT_ENTRIES_MAX / header->entry_size;
}

static void add_gpt_entries(struct block_device *disk, const struct gpt_header *header,
			    const char *table)
{
	static const uint8_t unused[16];

	for (unsigned int i = 0; i < header->nr_entries; i++) {
		const struct gpt_entry *entry = (const void *)(table + i * header->entry_size);

		if (memcmp(entry->type, unused, sizeof(unused)))
			add_partition(disk, i + 1, entry->first,
				      entry->last < entry->first ? 0
								 : entry->last - entry->first + 1);
	}
}

static void add_gpt(struct block_device *disk)
{
	struct gpt_header header;
	unsigned int len;
	char *table;
	int error = read_page(disk, 1, &header, sizeof(header));

	if (error || memcmp(header.signature, "EFI PART", 8) || !gpt_is_right(&header)) {
		log_warning("%s: its GPT is damaged; no partitions", disk->name);
		return;
	}
	len = header.nr_entries * header.entry_size;
	table = kmalloc(len, 0);
	error = table ? read_sectors(disk, header.entries, table, len) : -ENOMEM;
	if (error || crc32(0, table, len) != header.entries_crc)
		log_warning("%s: the table of its GPT %s; no partitions", disk->name,
			    error ? "cannot be read" : "is damaged");
	else
		add_gpt_entries(disk, &header, table);
	kfree(table);
}

static void scan(struct block_device *disk)
{
	struct mbr mbr;
	int error = read_page(disk, 0, &mbr, sizeof(mbr));

	if (error)
		log_warning("%s: its first sector cannot be read (error %d); no partitions",
			    disk->name, -error);
	else if (is_mbr(&mbr) && mbr.entries[0].type == TYPE_GPT)
		add_gpt(disk);
	else if (is_mbr(&mbr))
		add_mbr(disk, &mbr);
}

static bool wanted = true;

static int set_wanted(const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return -EINVAL;
	wanted = strcmp(value, "on") == 0;
	return 0;
}
KERNEL_PARAM(partitions, set_wanted, "on", "on or off: whether the disks' tables are read at boot");

void partitions_scan(void)
{
	struct block_device *disk;

	if (!wanted)
		return;
	/* Partitions join the end of the list, and are passed over there. */
	list_for_each(disk, &block_devices, link)
		if (!disk->whole && disk->may_have_partitions && disk->sectors > 0)
			scan(disk);
}
