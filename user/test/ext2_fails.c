/*
 * ext2 is written, and the disk fails, or is silent while a program is killed. What has failed has
 * changed nothing.
 */
#include "ext2_undone.h"

#define NO_GATE "lacks /proc/gate: Linux has no disk that fails when a test says so"

static void fail_requests(int n)
{
	char text[32];

	snprintf(text, sizeof(text), "fail %d", n);
	gate_control(text);
}

BEYOND_TEST(
	commit_fails, 30,
	"after an error of the disk fsync is EIO, everything else EROFS, and what was stored is there",
	NO_GATE)
{
	int file, old;

	gate_control("open");
	put_image("blank-4k");
	mount_writable();
	close(make_file(FILE, 20000, SEED));
	forget();
	file = make_file(MNT "/new", 5000, SEED);
	CHECK_EQ(fsync(file), 0);
	CHECK_EQ(mkdir(MNT "/lost", 0700), 0);
	old = open(FILE, O_RDWR);
	CHECK(old >= 0);
	fail_requests(1000);
	CHECK_ERR(syncfs(file), EIO);
	fail_requests(0);
	CHECK_ERR(mkdir(MNT "/dir", 0700), EROFS);
	CHECK_ERR(unlink(FILE), EROFS);
	CHECK_ERR(rename(FILE, MNT "/f"), EROFS);
	CHECK_ERR(pwrite(old, "x", 1, 900000), EROFS);
	CHECK_ERR(fsync(file), EIO);
	CHECK_ERR(syncfs(old), EIO);
	close(old);
	close(file);
	is_file(FILE, 20000, SEED);
	unmount();
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
	is_file(FILE, 20000, SEED);
	is_file(MNT "/new", 5000, SEED);
	is_not_there(MNT "/lost");
	unmount();
}

BEYOND_TEST(reads_fail, 30,
	    "a block of metadata that cannot be read fails an operation, and nothing more", NO_GATE)
{
	gate_control("open");
	put_image("blank-1k");
	mount_writable();
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	close(make_file(FILE, 20000, SEED));
	ino = stat_of(FILE).st_ino;
	CHECK_EQ(statfs(MNT, &before), 0);
	forget();
	fail_requests(1);
	CHECK_ERR(mkdir(OTHER_1, 0700), EIO);
	fail_requests(0);
	nothing_has_changed();
	forget();
	fail_requests(1);
	CHECK_ERR(unlink(FILE), EIO);
	fail_requests(0);
	nothing_has_changed();
	CHECK_EQ(mkdir(OTHER_1, 0700) | rmdir(OTHER_1) | unlink(FILE), 0);
	forget();
	unmount();
}

/*
 * The last user of a deleted file is killed while the disk is silent: its blocks are freed all the
 * same.
 */
BEYOND_TEST(killed, 30, "a deleted file is freed although its last user was killed", NO_GATE)
{
	int ready[2];
	pid_t child;
	char byte;

	gate_control("open");
	start("blank-1k");
	CHECK_EQ(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int file = make_file(MNT "/dir/gone", 400000, SEED);

		CHECK_EQ(unlink(MNT "/dir/gone"), 0);
		CHECK_EQ(write(ready[1], "", 1), 1);
		for (;;)
			pause();
		close(file);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	forget();
	gate_control("close");
	CHECK_EQ(kill(child, SIGKILL), 0);
	test_sleep_ms(300);
	gate_control("open");
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	nothing_has_changed();
	finish();
}

/*
 * A deleted file whose blocks could not be freed is in the list of orphans on the disk, which only
 * a check mends.
 */
BEYOND_TEST(unfreed, 30, "a disk on which blocks could not be freed is not clean", NO_GATE)
{
	uint16_t state;
	int file;

	gate_control("open");
	start("blank-1k");
	file = make_file(MNT "/dir/gone", 400000, SEED);
	CHECK_EQ(unlink(MNT "/dir/gone"), 0);
	forget();
	fail_requests(1);
	close(file);
	fail_requests(0);
	forget();
	unmount();
	CHECK_EQ(pread(disk, &state, 2, 1024 + 58), 2);
	CHECK_EQ(state, 0);
	/* The next mount frees them. */
	mount_writable();
	nothing_has_changed();
	unmount();
}

/* Each request of the disk that a change of an attribute needs fails once. */
BEYOND_TEST(attribute_reads_fail, 30,
	    "an attribute that cannot be read is EIO, and a change of it changes nothing", NO_GATE)
{
	char got[sizeof(note)], text[32];
	int file, nth = 0, result, error;

	gate_control("open");
	start("blank-1k");
	memset(note, 'n', sizeof(note));
	file = open(FILE, O_RDWR);
	CHECK_EQ(fsetxattr(file, "user.note", note, 500, 0), 0);
	forget();
	CHECK_EQ(statfs(MNT, &before), 0);
	fail_requests(1);
	CHECK_ERR(fgetxattr(file, "user.note", got, sizeof(got)), EIO);
	CHECK_EQ(fgetxattr(file, "user.note", got, sizeof(got)), 500);
	do {
		forget();
		snprintf(text, sizeof(text), "skip %d", nth++);
		gate_control(text);
		fail_requests(1);
		result = fsetxattr(file, "user.note", note, 600, 0);
		error = errno;
		CHECK(result == 0 || error == EIO);
		gate_control("skip 0");
		fail_requests(0);
		note_is(result < 0 ? 500 : 600);
		if (result < 0)
			nothing_has_changed();
	} while (result < 0);
	CHECK(nth > 1);
	close(file);
	finish();
}
