/*
 * A call that fails leaves files, their names and the mounts as they were.
 */
#include "undone.h"
#include "text_files.h"
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- files ---- */

static long truncate_it(void)
{
	return ftruncate(file, 100);
}

BEYOND_TEST(truncate, 20, "a truncate that fails has taken nothing away", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	lend_to_pipe(PAGE);
	until_it_succeeds(truncate_it, file_is_whole);
	CHECK_EQ(lseek(file, 0, SEEK_END), 100);
	pipe_kept(PAGE);
	CHECK_EQ(unlink(NAME), 0);
}

static long create_it(void)
{
	return open(OTHER, O_RDWR | O_CREAT, 0600);
}

static void other_is_not_there(void)
{
	is_not_there(OTHER);
}

static long open_and_truncate(void)
{
	return open(NAME, O_RDWR | O_TRUNC);
}

BEYOND_TEST(open_made_nothing, 20, "an open that fails has neither made a file nor emptied one",
	    NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	until_it_succeeds(create_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(open_and_truncate, file_is_whole);
	CHECK_EQ(lseek(file, 0, SEEK_END), 0);
	CHECK_EQ(unlink(NAME), 0);
}

static long rename_it(void)
{
	return rename(NAME, OTHER);
}

static void both_are_there(void)
{
	struct stat a, b;

	is_whole(file, SEED);
	is_whole(other, SEED + 1);
	CHECK_EQ(stat(NAME, &a), 0);
	CHECK_EQ(stat(OTHER, &b), 0);
	CHECK(a.st_ino != b.st_ino && a.st_nlink == 1 && b.st_nlink == 1);
}

static long link_it(void)
{
	return link(NAME, OTHER);
}

static long symlink_it(void)
{
	return symlink("undone", OTHER);
}

static long mkdir_it(void)
{
	return mkdir(OTHER, 0700);
}

static long mkfifo_it(void)
{
	return mkfifo(OTHER, 0600);
}

static long bind_it(void)
{
	struct sockaddr_un name = { AF_UNIX, OTHER };
	static int sock = -1;

	if (sock < 0)
		sock = socket(AF_UNIX, SOCK_STREAM, 0);
	return sock < 0 ? sock : bind(sock, (struct sockaddr *)&name, sizeof(name));
}

/* Names are looked up anew: those that are cached need no memory. */
static void forget_names(void)
{
	drop_caches("2");
}

BEYOND_TEST(names, 60, "what fails to rename or make a name leaves the names as they were", NO_NTH)
{
	struct stat st;

	set_nth(0);
	file = make(NAME, SEED);
	other = make(OTHER, SEED + 1);
	until_it_succeeds(rename_it, both_are_there);
	is_not_there(NAME);
	is_whole(file, SEED);
	CHECK_EQ(unlink(OTHER), 0);
	forget_names();
	file = make(NAME, SEED);
	until_it_succeeds(link_it, other_is_not_there);
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(symlink_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(mkdir_it, other_is_not_there);
	CHECK_EQ(rmdir(OTHER), 0);
	until_it_succeeds(mkfifo_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	until_it_succeeds(bind_it, other_is_not_there);
	CHECK_EQ(unlink(OTHER), 0);
	CHECK_EQ(unlink(NAME), 0);
}

static long unlink_it(void)
{
	return unlink(NAME);
}

static long move_dir(void)
{
	return rename(OTHER "/a/d", OTHER "/b/e");
}

static void dir_is_there(void)
{
	struct stat a, b;

	CHECK_EQ(access(OTHER "/a/d/f", F_OK), 0);
	is_not_there(OTHER "/b/e");
	CHECK_EQ(stat(OTHER "/a", &a) | stat(OTHER "/b", &b), 0);
	CHECK(a.st_nlink == 3 && b.st_nlink == 2);
}

BEYOND_TEST(removed, 60, "what fails to remove a name or to move a directory leaves them", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	forget_names();
	until_it_succeeds(unlink_it, file_is_whole);
	is_not_there(NAME);
	CHECK_EQ(mkdir(OTHER, 0700) | mkdir(OTHER "/a", 0700) | mkdir(OTHER "/b", 0700), 0);
	CHECK_EQ(mkdir(OTHER "/a/d", 0700), 0);
	close(make(OTHER "/a/d/f", SEED));
	until_it_succeeds(move_dir, dir_is_there);
	CHECK_EQ(unlink(OTHER "/b/e/f") | rmdir(OTHER "/b/e"), 0);
	CHECK_EQ(rmdir(OTHER "/a") | rmdir(OTHER "/b") | rmdir(OTHER), 0);
}

static long mount_it(void)
{
	return mount("none", OTHER, "tmpfs", 0, "size=1M");
}

static void not_mounted(void)
{
	CHECK_ERR(umount(OTHER), EINVAL);
}

static long bind_mount_it(void)
{
	return mount(OTHER, OTHER "/bound", "", MS_BIND | MS_REC, NULL);
}

static void not_mounted_below(void)
{
	CHECK_ERR(umount(OTHER "/bound"), EINVAL);
}

BEYOND_TEST(mounts, 20, "a mount that fails has mounted nothing", NO_NTH)
{
	set_nth(0);
	CHECK_EQ(mkdir(OTHER, 0700), 0);
	until_it_succeeds(mount_it, not_mounted);
	CHECK_EQ(mkdir(OTHER "/in", 0755), 0);
	CHECK_EQ(mkdir(OTHER "/bound", 0755), 0);
	CHECK_EQ(mount("none", OTHER "/in", "tmpfs", 0, ""), 0);
	until_it_succeeds(bind_mount_it, not_mounted_below);
	CHECK_EQ(umount(OTHER "/bound/in"), 0);
	CHECK_EQ(umount(OTHER "/bound"), 0);
	CHECK_EQ(umount(OTHER "/in"), 0);
	CHECK_EQ(umount(OTHER), 0);
	CHECK_EQ(rmdir(OTHER), 0);
}

/* ---- room, holes, files without a name ---- */

static long allocate_it(void)
{
	return fallocate(file, 0, 0, 40 * PAGE);
}

static void has_its_room(void)
{
	struct stat st;

	file_is_whole();
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(st.st_blocks, SIZE / 512);
}

BEYOND_TEST(allocate, 20, "a fallocate that fails has taken no room", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	until_it_succeeds(allocate_it, has_its_room);
	CHECK_EQ(lseek(file, 0, SEEK_END), 40 * PAGE);
	CHECK_EQ(unlink(NAME), 0);
}

static long punch_it(void)
{
	return fallocate(file, 3 /* PUNCH_HOLE | KEEP_SIZE */, 100, 2 * PAGE);
}

BEYOND_TEST(punch, 20, "a hole that cannot be punched whole is not begun", NO_NTH)
{
	set_nth(0);
	file = make(NAME, SEED);
	lend_to_pipe(SIZE);
	until_it_succeeds(punch_it, file_is_whole);
	pipe_kept(SIZE);
	CHECK_EQ(unlink(NAME), 0);
}

static long open_nameless(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static void nothing(void)
{
}

BEYOND_TEST(nameless, 20, "a file without a name is made whole or not at all", NO_NTH)
{
	set_nth(0);
	file = until_it_succeeds(open_nameless, nothing);
	CHECK_EQ(write(file, buf, SIZE), SIZE);
}

static long make_memfd(void)
{
	return syscall(356 /* memfd_create */, "undone", 0);
}

BEYOND_TEST(memory_file, 20, "memfd_create leaves nothing behind when it fails", NO_NTH)
{
	set_nth(0);
	file = until_it_succeeds(make_memfd, nothing);
	CHECK_EQ(write(file, buf, SIZE), SIZE);
}
