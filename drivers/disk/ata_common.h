/*
 * What all ATA drives have in common, on IDE channels and on SATA ports: their commands, and what
 * they say of themselves in the answer to IDENTIFY DEVICE (ATA/ATAPI-8 ACS, 7).
 */
#ifndef DRIVERS_DISK_ATA_COMMON_H
#define DRIVERS_DISK_ATA_COMMON_H

#include "lib/types.h"

/* Commands. Those of 48 bits are called EXT in the standard. */
#define READ_SECTORS	 0x20
#define READ_SECTORS_48	 0x24
#define READ_DMA_48	 0x25
#define WRITE_SECTORS	 0x30
#define WRITE_SECTORS_48 0x34
#define WRITE_DMA_48	 0x35
#define READ_QUEUED	 0x60 /* READ FPDMA QUEUED */
#define WRITE_QUEUED	 0x61
#define READ_DMA	 0xc8
#define WRITE_DMA	 0xca
#define FLUSH_CACHE	 0xe7
#define FLUSH_CACHE_48	 0xea
#define IDENTIFY	 0xec

/* The status register, and the bit of the device register that says that sectors have numbers. */
#define STATUS_BSY 0x80u
#define STATUS_DF  0x20u
#define STATUS_DRQ 0x08u
#define STATUS_ERR 0x01u
#define DEVICE_LBA 0x40u

/* Sectors that one command moves at most. One of 48 bits could move more. */
#define SECTORS_28   256u
#define SECTORS_48   32768u

#define SCSI_MAJOR   8 /* of sda and the others, as on Linux */
#define ATA_ID_WORDS 256

struct ata_id {
	uint64_t sectors; /* of 512 bytes */
	bool lba48, dma, flush;
	unsigned int queue; /* commands that it queues by itself (NCQ); 0: none */
};

/*
 * Read the answer. Returns NULL, or what keeps the drive from being used, for the log. Never
 * sleeps.
 */
const char *ata_id_read(struct ata_id *id, const uint16_t *words);

#endif
