/*
 * Reading the answer to IDENTIFY DEVICE.
 */
#include "drivers/disk/ata_common.h"

#define CAPABILITIES	  49
#define SIZE_28		  60 /* and 61 */
#define QUEUE_DEPTH	  75
#define SATA		  76
#define COMMANDS	  83
#define SIZE_48		  100 /* to 103 */
#define SECTOR_SIZE_WORD  106

#define CAPABILITY_DMA	  (1u << 8)
#define CAPABILITY_LBA	  (1u << 9)
#define SATA_NCQ	  (1u << 8)
#define COMMANDS_48	  (1u << 10)
#define COMMANDS_FLUSH	  (1u << 12)
#define COMMANDS_FLUSH_48 (1u << 13)
/* The word of the sector's size is there if its two highest bits are 01. */
#define SIZE_WORD	0xc000u
#define SIZE_WORD_THERE 0x4000u
#define SIZE_LARGE	(1u << 12) /* logical sectors are longer than 512 bytes */

/* The words of the commands and of the sector's size are there if their two highest bits are 01. */
static bool is_there(uint16_t word)
{
	return (word & 0xc000u) == 0x4000u;
}

static uint64_t number(const uint16_t *words, unsigned int first, unsigned int nr)
{
	uint64_t value = 0;

	while (nr--)
		value = value << 16 | words[first + nr];
	return value;
}

const char *ata_id_read(struct ata_id *id, const uint16_t *words)
{
	if (!(words[CAPABILITIES] & CAPABILITY_LBA))
		return "its sectors have no numbers (no LBA)";
	if (is_there(words[SECTOR_SIZE_WORD]) && words[SECTOR_SIZE_WORD] & SIZE_LARGE)
		return "its sectors are longer than 512 bytes";
	id->dma = words[CAPABILITIES] & CAPABILITY_DMA;
	id->lba48 = is_there(words[COMMANDS]) && words[COMMANDS] & COMMANDS_48;
	id->flush =
		is_there(words[COMMANDS]) && words[COMMANDS] & (COMMANDS_FLUSH | COMMANDS_FLUSH_48);
	/* A command has so many bits for the sector. */
	id->sectors = id->lba48 ? MIN(number(words, SIZE_48, 4), 1ull << 48)
				: MIN(number(words, SIZE_28, 2), 1ull << 28);
	id->queue = words[SATA] != 0xffff && words[SATA] & SATA_NCQ ? (words[QUEUE_DEPTH] & 31u) + 1
								    : 0;
	return NULL;
}
