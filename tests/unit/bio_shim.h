/*
 * The block layer's part in unit tests of disk drivers: bios end here. The test defines `checked`,
 * which is called for each bio that is completed.
 */
#ifndef TESTS_UNIT_BIO_SHIM_H
#define TESTS_UNIT_BIO_SHIM_H

#include "drivers/disk/bio.c"

static void checked(struct bio *bio);

void bio_complete(struct bio *bio, int error)
{
	bio->error = error;
	checked(bio);
	if (bio->complete)
		bio->complete(bio);
}

#endif
