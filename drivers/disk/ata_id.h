/*
 * What an ATA drive says of itself: the answer to IDENTIFY DEVICE, of 256 words (ATA/ATAPI-8 ACS, 7.16).
 */
#ifndef DRIVERS_DISK_ATA_ID_H
#define DRIVERS_DISK_ATA_ID_H

#include "lib/types.h"

#define ATA_ID_WORDS 256

struct ata_id {
	uint64_t sectors; /* of 512 bytes */
	bool lba48, dma, flush;
	unsigned int queue; /* commands that it queues by itself (NCQ); 0: none */
};

/* Read the answer. Returns NULL, or what keeps the drive from being used, for the log. Never sleeps. */
const char *ata_id_read(struct ata_id *id, const uint16_t *words);

#endif
