/* Waiting for bios: drivers/disk/block.c, with disks that answer at any time. */
#include "drivers/disk/block.h"
#include "kernel/wait.h"
#include "shim.h"

#define TURNS 3

static spinlock_t disk_lock;
static struct wait_queue disk_queue;
static struct list submitted; /* bios that the disk has not answered, guarded by disk_lock */
static unsigned int nr_submitted;
static unsigned int failing; /* the number of the bio that fails, from 1 on; 0: none */
static bool in_turn;	     /* only one may be in flight */

static void submit(struct block_device *device, struct bio *bio)
{
	must(!in_turn || atomic_read(&device->in_flight) == 1);
	spin_lock(&disk_lock);
	list_add_tail(&submitted, &bio->link);
	nr_submitted++;
	must(bio->sector == nr_submitted);
	spin_unlock(&disk_lock);
	wake_all(&disk_queue);
}

static const struct block_device_ops ops = { .submit = submit };
static struct block_device device = { .ops = &ops, .sectors = 100 };

static void disk_is_idle(void)
{
	spin_init(&disk_lock, "disk");
	wait_queue_init(&disk_queue, "disk");
	list_init(&submitted);
	ex_count_memory();
}

static void turns(void)
{
	disk_is_idle();
	in_turn = true;
}

static void second_fails(void)
{
	turns();
	failing = 2;
}

static struct bio *take_bio(void)
{
	struct bio *bio = NULL;

	spin_lock(&disk_lock);
	if (!list_empty(&submitted)) {
		bio = list_first(&submitted, struct bio, link);
		list_del(&bio->link);
	}
	spin_unlock(&disk_lock);
	return bio;
}

/* Answer so many bios. */
static void serve(int n)
{
	while (n-- > 0) {
		struct bio *bio;

		wait_event(&disk_queue, (bio = take_bio()) != NULL);
		bio_complete(bio, bio->sector == failing ? -EIO : 0);
	}
}

static void make_bios(struct bio **bios, int nr)
{
	for (int i = 0; i < nr; i++) {
		bios[i] = bio_alloc(&device, i + 1, true, 0);
		bio_add(bios[i], zero_page, 0, SECTOR_SIZE);
	}
}

static void free_bios(struct bio **bios, int nr)
{
	while (nr-- > 0)
		bio_free(bios[nr]);
}

static void write_in_turn(int expected)
{
	struct bio *bios[TURNS];

	make_bios(bios, TURNS);
	must(bio_do_in_turn(bios, TURNS) == expected);
	must(nr_submitted == (failing ? failing : TURNS));
	free_bios(bios, TURNS);
}

static void write_two_at_once(int unused)
{
	struct bio *bios[2];
	struct atomic left;

	make_bios(bios, 2);
	bio_submit_all(bios, 2, &left);
	must(bio_wait_all(&left) == 0);
	free_bios(bios, 2);
}

static void nothing_is_left(void)
{
	must(list_empty(&submitted) && atomic_read(&device.in_flight) == 0);
	ex_must_have_freed();
}

SCENARIO(bio_in_turn, "bios that are submitted one after the other, as the disk answers", turns,
	 nothing_is_left, { "writer", write_in_turn, 0 }, { "disk", serve, TURNS });

SCENARIO(bio_in_turn_fails, "the second of three fails, and the third is not submitted",
	 second_fails, nothing_is_left, { "writer", write_in_turn, -EIO }, { "disk", serve, 2 });

SCENARIO(bio_all, "bios that are submitted together, and answered by two interrupts at once",
	 disk_is_idle, nothing_is_left, { "writer", write_two_at_once, 0 }, { "disk0", serve, 1 },
	 { "disk1", serve, 1, TWIN });
