/*
 * ext2 is written: names. What has been made, moved and removed is so on the disk as well, with
 * blocks of all sizes.
 */
#include "ext2.h"
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define MANY	    1500 /* names in one directory */
#define EMPTY_TMP   (O_TMPFILE | O_RDWR)
#define AT_EXCHANGE 2 /* RENAME_EXCHANGE */
#define AT_NEW	    1 /* RENAME_NOREPLACE */
#define AT_WHITEOUT 4 /* RENAME_WHITEOUT */

static int rename_with(const char *old, const char *new, unsigned int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags);
}

static void text_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void has_text(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		test_fail(__FILE__, __LINE__, "%s is not there", path);
	CHECK_EQ(read(fd, buf, sizeof(buf)), strlen(text));
	CHECK(!memcmp(buf, text, strlen(text)));
	close(fd);
}

/* The number of an inode, as a directory's own entry has it. */
static ino_t entry_of(const char *dir, const char *name)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	ino_t number = 0;

	CHECK(list != NULL);
	while ((entry = readdir(list)))
		if (!strcmp(entry->d_name, name))
			number = entry->d_ino;
	closedir(list);
	return number;
}

static int count_names(const char *dir)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	int n = 0;

	CHECK(list != NULL);
	while ((entry = readdir(list)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(list);
	return n;
}

/* ---- making ---- */

static char long_name[256], target[5000];

static void make_names(int block)
{
	struct sockaddr_un name = { AF_UNIX, MNT "/socket" };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char path[512];

	memset(long_name, 'n', 255);
	text_to(MNT "/file", "first");
	CHECK_ERR(open(MNT "/file", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_EQ(link(MNT "/file", MNT "/link"), 0);
	CHECK_ERR(link(MNT "/file", MNT "/link"), EEXIST);
	CHECK_EQ(mkdir(MNT "/dir", 0750), 0);
	CHECK_ERR(mkdir(MNT "/dir", 0750), EEXIST);
	CHECK_ERR(link(MNT "/dir", MNT "/dir2"), EPERM);
	CHECK_EQ(mkdir(MNT "/dir/in", 0700), 0);
	fd = open(MNT "/dir", O_RDONLY);
	CHECK_EQ(fsync(fd) | fdatasync(fd) | syncfs(fd), 0);
	close(fd);
	CHECK_EQ(symlink("file", MNT "/short"), 0);
	memset(target, 't', sizeof(target));
	/*
	 * 59 and 60 bytes: the last one that is in the inode, and the first one that is not. The
	 * longest one is below a block.
	 */
	target[59] = '\0';
	CHECK_EQ(symlink(target, MNT "/sym59"), 0);
	target[59] = 't', target[60] = '\0';
	CHECK_EQ(symlink(target, MNT "/sym60"), 0);
	target[60] = 't', target[block - 1] = '\0';
	CHECK_EQ(symlink(target, MNT "/longest"), 0);
	target[block - 1] = 't', target[block] = '\0';
	CHECK_ERR(symlink(target, MNT "/too-long"), ENAMETOOLONG);
	CHECK_EQ(mknod(MNT "/char", S_IFCHR | 0640, makedev(5, 1)), 0);
	CHECK_EQ(mknod(MNT "/block", S_IFBLK | 0600, makedev(259, 70000)), 0);
	CHECK_EQ(mkfifo(MNT "/fifo", 0644), 0);
	CHECK(sock >= 0);
	CHECK_EQ(bind(sock, (struct sockaddr *)&name, sizeof(name)), 0);
	close(sock);
	snprintf(path, sizeof(path), MNT "/%s", long_name);
	text_to(path, "long");
	snprintf(path, sizeof(path), MNT "/%sn", long_name);
	CHECK_ERR(mkdir(path, 0700), ENAMETOOLONG);
	CHECK_EQ(symlink("", MNT "/nothing") == -1 && errno == ENOENT, 1);
}

static void names_are_there(int block)
{
	char path[512], text[5000];

	has_text(MNT "/file", "first");
	has_text(MNT "/link", "first");
	has_text(MNT "/short", "first");
	CHECK_EQ(stat_of(MNT "/file").st_nlink, 2);
	CHECK_EQ(stat_of(MNT "/file").st_ino, stat_of(MNT "/link").st_ino);
	CHECK_EQ(stat_of(MNT).st_nlink, 4); /* with lost+found */
	CHECK_EQ(stat_of(MNT "/dir").st_nlink, 3);
	CHECK_EQ(stat_of(MNT "/dir").st_mode, S_IFDIR | 0750);
	CHECK_EQ(stat_of(MNT "/dir").st_size, block);
	CHECK_EQ(stat_of(MNT "/dir").st_blocks, block / 512);
	CHECK_EQ(entry_of(MNT "/dir/in", ".."), stat_of(MNT "/dir").st_ino);
	CHECK_EQ(entry_of(MNT "/dir/in", "."), stat_of(MNT "/dir/in").st_ino);
	CHECK_EQ(readlink(MNT "/sym59", text, sizeof(text)), 59);
	CHECK(!memcmp(text, target, 59));
	CHECK_EQ(readlink(MNT "/sym60", text, sizeof(text)), 60);
	CHECK(!memcmp(text, target, 60));
	CHECK_EQ(readlink(MNT "/longest", text, sizeof(text)), block - 1);
	CHECK(!memcmp(text, target, block - 1));
	CHECK_EQ(stat_of(MNT "/sym59").st_blocks, 0);
	CHECK_EQ(stat_of(MNT "/sym60").st_blocks, block / 512);
	CHECK_ERR(lstat(MNT "/too-long", &(struct stat){ 0 }), ENOENT);
	CHECK_EQ(stat_of(MNT "/char").st_mode, S_IFCHR | 0640);
	CHECK_EQ(stat_of(MNT "/char").st_rdev, makedev(5, 1));
	CHECK_EQ(stat_of(MNT "/block").st_mode, S_IFBLK | 0600);
	CHECK_EQ(stat_of(MNT "/block").st_rdev, makedev(259, 70000));
	CHECK_EQ(stat_of(MNT "/fifo").st_mode, S_IFIFO | 0644);
	CHECK(S_ISSOCK(stat_of(MNT "/socket").st_mode));
	snprintf(path, sizeof(path), MNT "/%s", long_name);
	has_text(path, "long");
	CHECK_EQ(count_names(MNT), 13);
}

TEST(made, 60, "files, links, directories, devices, FIFOs and sockets are on the disk")
{
	umask(022);
	on_all_sizes(make_names, names_are_there);
}

/* ---- removing ---- */

static void remove_names(int block)
{
	int fd;

	look_at_space();
	make_names(block);
	CHECK_ERR(rmdir(MNT "/dir"), ENOTEMPTY);
	CHECK_ERR(rmdir(MNT "/file"), ENOTDIR);
	CHECK_ERR(unlink(MNT "/dir") == -1 && errno == EPERM ? (errno = EISDIR, -1) : -1, EISDIR);
	CHECK_EQ(unlink(MNT "/file"), 0);
	CHECK_ERR(unlink(MNT "/file"), ENOENT);
	CHECK_EQ(stat_of(MNT "/link").st_nlink, 1);
	/* What is open stays until it is closed. */
	fd = open(MNT "/link", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(unlink(MNT "/link"), 0);
	forget();
	CHECK_EQ(pread(fd, buf, 100, 0), 5);
	CHECK_EQ(pwrite(fd, buf, 5, 100000), 5);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(pread(fd, buf, 100, 100000), 5);
	CHECK(!memcmp(buf, "first", 5));
	CHECK_ERR(umount(MNT), EBUSY);
	close(fd);
	fd = open(MNT "/dir/in", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(rmdir(MNT "/dir/in"), 0);
	CHECK_EQ(fstat(fd, &(struct stat){ 0 }), 0);
	CHECK_ERR(openat(fd, "new", O_WRONLY | O_CREAT, 0600), ENOENT);
	CHECK_EQ(stat_of(MNT "/dir").st_nlink, 2);
	close(fd);
	CHECK_EQ(rmdir(MNT "/dir"), 0);
	CHECK_EQ(stat_of(MNT).st_nlink, 3);
	CHECK_EQ(unlink(MNT "/short") | unlink(MNT "/sym59") | unlink(MNT "/sym60"), 0);
	CHECK_EQ(unlink(MNT "/longest") | unlink(MNT "/char") | unlink(MNT "/block"), 0);
	CHECK_EQ(unlink(MNT "/fifo") | unlink(MNT "/socket"), 0);
	snprintf(buf, sizeof(buf), MNT "/%s", long_name);
	CHECK_EQ(unlink(buf), 0);
	space_is_whole();
}

static void all_is_gone(int block)
{
	CHECK_EQ(count_names(MNT), 1);
	space_is_whole();
}

TEST(removed, 60, "what is removed leaves neither names nor blocks nor inodes behind")
{
	on_all_sizes(remove_names, all_is_gone);
}

/* ---- renaming ---- */

static void rename_names(int block)
{
	look_at_space();
	CHECK_EQ(mkdir(MNT "/a", 0700) | mkdir(MNT "/b", 0700) | mkdir(MNT "/a/full", 0700), 0);
	CHECK_EQ(mkdir(MNT "/a/full/x", 0700) | mkdir(MNT "/a/void", 0700), 0);
	text_to(MNT "/one", "1");
	text_to(MNT "/two", "2");
	text_to(MNT "/three", "3");
	CHECK_EQ(rename(MNT "/one", MNT "/b/uno"), 0);
	CHECK_ERR(access(MNT "/one", F_OK), ENOENT);
	CHECK_EQ(rename(MNT "/two", MNT "/three"), 0); /* over a file */
	CHECK_EQ(link(MNT "/three", MNT "/tres"), 0);
	CHECK_EQ(rename(MNT "/three", MNT "/tres"), 0); /* the same file: nothing happens */
	CHECK_EQ(stat_of(MNT "/three").st_nlink, 2);
	CHECK_ERR(rename(MNT "/a/void", MNT "/three"), ENOTDIR);
	CHECK_ERR(rename(MNT "/three", MNT "/a/void"), EISDIR);
	CHECK_ERR(rename(MNT "/a/void", MNT "/a/full"), ENOTEMPTY);
	CHECK_ERR(rename(MNT "/a", MNT "/a/void/a"), EINVAL);
	CHECK_ERR(rename_with(MNT "/three", MNT "/b/uno", AT_NEW), EEXIST);
	CHECK_EQ(rename(MNT "/a/full", MNT "/a/void"), 0); /* over an empty directory */
	CHECK_EQ(stat_of(MNT "/a").st_nlink, 3);
	CHECK_EQ(rename(MNT "/a/void", MNT "/b/moved"), 0);
	CHECK_EQ(stat_of(MNT "/a").st_nlink, 2);
	CHECK_EQ(stat_of(MNT "/b").st_nlink, 3);
	CHECK_EQ(mkdir(MNT "/a/e", 0700), 0);
	CHECK_EQ(rename_with(MNT "/a/e", MNT "/tres", AT_EXCHANGE), 0);
	CHECK_ERR(rename_with(MNT "/tres", MNT "/nobody", AT_EXCHANGE), ENOENT);
	memset(long_name, 'r', 255);
	snprintf(buf, sizeof(buf), MNT "/b/%s", long_name);
	CHECK_EQ(rename(MNT "/three", buf), 0);
}

static void names_are_moved(int block)
{
	has_text(MNT "/b/uno", "1");
	snprintf(buf, 1000, MNT "/b/%s", long_name);
	CHECK_EQ(stat_of(buf).st_nlink, 2);
	CHECK_EQ(stat_of(buf).st_ino, stat_of(MNT "/a/e").st_ino);
	has_text(MNT "/a/e", "2");
	CHECK(S_ISDIR(stat_of(MNT "/tres").st_mode));
	CHECK_EQ(entry_of(MNT "/tres", ".."), stat_of(MNT).st_ino);
	CHECK_EQ(entry_of(MNT "/b/moved", ".."), stat_of(MNT "/b").st_ino);
	CHECK_EQ(entry_of(MNT "/b/moved/x", ".."), stat_of(MNT "/b/moved").st_ino);
	CHECK_EQ(stat_of(MNT "/a").st_nlink, 2);
	CHECK_EQ(stat_of(MNT "/b").st_nlink, 3);
	CHECK_EQ(stat_of(MNT).st_nlink, 6);
	CHECK_EQ(count_names(MNT), 4);
	CHECK_EQ(count_names(MNT "/a"), 1);
	CHECK_EQ(count_names(MNT "/b"), 3);
}

TEST(renamed, 60, "renames over files and directories, exchanges, and '..' after a move")
{
	on_all_sizes(rename_names, names_are_moved);
}

/* ---- whiteouts ---- */

static void leave_whiteouts(int block)
{
	struct statfs now;

	text_to(MNT "/one", "1");
	text_to(MNT "/two", "2");
	CHECK_EQ(mkdir(MNT "/a", 0700) | mkdir(MNT "/b", 0700) | mkdir(MNT "/a/full", 0700), 0);
	CHECK_EQ(mkdir(MNT "/a/full/x", 0700), 0);
	look_at_space();
	CHECK_EQ(rename_with(MNT "/one", MNT "/b/uno", AT_WHITEOUT), 0);
	CHECK_EQ(rename_with(MNT "/two", MNT "/b/uno", AT_WHITEOUT), 0); /* "1" is gone */
	CHECK_EQ(rename_with(MNT "/a/full", MNT "/b/full", AT_WHITEOUT), 0);
	sync();
	CHECK_EQ(statfs(MNT, &now), 0);
	CHECK_EQ(now.f_ffree, before.f_ffree - 2);
	CHECK_EQ(now.f_bfree, before.f_bfree + 1);
	/* Without a free inode, nothing is renamed. */
	for (unsigned int i = 0; i < now.f_ffree; i++) {
		snprintf(buf, sizeof(buf), MNT "/a/%u", i);
		CHECK_EQ(mknod(buf, S_IFREG | 0600, 0), 0);
	}
	CHECK_ERR(rename_with(MNT "/b/full", MNT "/a/full", AT_WHITEOUT), ENOTDIR);
	CHECK_ERR(rename_with(MNT "/b/uno", MNT "/a/1", AT_WHITEOUT), ENOSPC);
	CHECK_ERR(rename_with(MNT "/b/full", MNT "/a/new", AT_WHITEOUT), ENOSPC);
}

static void has_whiteouts(int block)
{
	static const char *const paths[] = { MNT "/one", MNT "/two", MNT "/a/full" };

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(stat_of(paths[i]).st_mode, S_IFCHR);
		CHECK_EQ(stat_of(paths[i]).st_rdev, 0);
		CHECK_EQ(stat_of(paths[i]).st_nlink, 1);
	}
	has_text(MNT "/b/uno", "2");
	CHECK_EQ(stat_of(MNT "/a").st_nlink, 2);
	CHECK_EQ(stat_of(MNT "/b").st_nlink, 3);
	CHECK_EQ(stat_of(MNT "/b/full").st_nlink, 3);
	CHECK_EQ(entry_of(MNT "/b/full", ".."), stat_of(MNT "/b").st_ino);
	CHECK_EQ(stat_of(MNT "/a/1").st_size, 0);
	CHECK_ERR(access(MNT "/a/new", F_OK), ENOENT);
}

TEST(whiteouts, 60, "RENAME_WHITEOUT leaves a device without a number, or does nothing")
{
	on_all_sizes(leave_whiteouts, has_whiteouts);
}

/* ---- a large directory ---- */

static void name_of(char *path, int i)
{
	sprintf(path, MNT "/many/name-%d-%.*s", i, i % 40,
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
}

static off_t size_of_many;

static void make_many(int block)
{
	char path[128];

	CHECK_EQ(mkdir(MNT "/many", 0700), 0);
	text_to(MNT "/one", "1");
	for (int i = 0; i < MANY; i++) {
		name_of(path, i);
		CHECK_EQ(link(MNT "/one", path), 0);
	}
	CHECK_EQ(stat_of(MNT "/one").st_nlink, MANY + 1);
	size_of_many = stat_of(MNT "/many").st_size;
	CHECK(size_of_many > MANY * 35);
	/* Two of three names go, and others find room where they were. */
	for (int i = 0; i < MANY; i++) {
		name_of(path, i);
		if (i % 3)
			CHECK_EQ(unlink(path), 0);
	}
	for (int i = 1; i < MANY; i += 3) {
		sprintf(path, MNT "/many/new-%d", i);
		CHECK_EQ(link(MNT "/one", path), 0);
	}
	CHECK_EQ(stat_of(MNT "/many").st_size, size_of_many);
}

static void many_are_there(int block)
{
	char path[128];
	struct stat st;

	CHECK_EQ(stat_of(MNT "/many").st_size, size_of_many);
	CHECK_EQ(stat_of(MNT "/one").st_nlink, 1 + MANY / 3 * 2);
	CHECK_EQ(count_names(MNT "/many"), MANY / 3 * 2);
	for (int i = 0; i < MANY; i += 50) {
		name_of(path, i);
		CHECK_EQ(lstat(path, &st), i % 3 ? -1 : 0);
		sprintf(path, MNT "/many/new-%d", i);
		CHECK_EQ(lstat(path, &st), i % 3 == 1 ? 0 : -1);
	}
}

TEST(many, 120, "a directory of 1,500 names grows, and new names take the room of old ones")
{
	on_all_sizes(make_many, many_are_there);
}

static void remove_many(int block)
{
	char path[128];

	look_at_space();
	make_many(block);
	for (int i = 0; i < MANY; i++) {
		name_of(path, i);
		if (i % 3 == 0)
			CHECK_EQ(unlink(path), 0);
		sprintf(path, MNT "/many/new-%d", i);
		if (i % 3 == 1)
			CHECK_EQ(unlink(path), 0);
	}
	CHECK_EQ(rmdir(MNT "/many") | unlink(MNT "/one"), 0);
	space_is_whole();
}

TEST(many_removed, 120, "an emptied directory is removed with all of its blocks")
{
	on_all_sizes(remove_many, all_is_gone);
}

/* ---- files without names ---- */

static void make_nameless(int block)
{
	char path[64];
	int fd = open(MNT, EMPTY_TMP, 0640), lost;

	look_at_space();
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "nameless", 8), 8);
	CHECK_EQ(fsync(fd), 0);
	lost = open(MNT, EMPTY_TMP, 0640);
	CHECK(lost >= 0);
	CHECK_EQ(write(lost, "lost", 4), 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, MNT "/named", AT_SYMLINK_FOLLOW), 0);
	close(lost);
	close(fd);
}

static void has_got_a_name(int block)
{
	struct statfs after;

	has_text(MNT "/named", "nameless");
	CHECK_EQ(stat_of(MNT "/named").st_nlink, 1);
	CHECK_EQ(stat_of(MNT "/named").st_mode, S_IFREG | 0640);
	CHECK_EQ(statfs(MNT, &after), 0);
	CHECK_EQ(after.f_bfree, before.f_bfree - 1);
	CHECK_EQ(after.f_ffree, before.f_ffree); /* one was made before */
}

TEST(nameless, 30, "a file without a name goes with its last user, or gets a name")
{
	umask(022);
	on_all_sizes(make_nameless, has_got_a_name);
}

/* ---- attributes ---- */

static void set_attributes(int block)
{
	struct timespec times[2] = { { 1000000000, 0 }, { 1234567890, 0 } };
	int fd;

	text_to(MNT "/file", "text");
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	CHECK_EQ(symlink("file", MNT "/sym"), 0);
	CHECK_EQ(chmod(MNT "/file", 06751), 0);
	CHECK_EQ(chown(MNT "/dir", 100000, 70000), 0);
	CHECK_EQ(chmod(MNT "/dir", 03777), 0);
	CHECK_EQ(lchown(MNT "/sym", 5, 6), 0);
	CHECK_EQ(utimensat(AT_FDCWD, MNT "/file", times, 0), 0);
	CHECK_EQ(utimensat(AT_FDCWD, MNT "/sym", times, AT_SYMLINK_NOFOLLOW), 0);
	text_to(MNT "/dir/group", "");
	CHECK_EQ(mkdir(MNT "/dir/sub", 0700), 0);
	/* A write of somebody else drops the bits of privilege. */
	text_to(MNT "/setuid", "s");
	CHECK_EQ(chmod(MNT "/setuid", 06777), 0);
	fd = open(MNT "/setuid", O_WRONLY);
	CHECK(fd >= 0);
	if (fork() == 0) {
		CHECK_EQ(setgid(1000) | setuid(1000), 0);
		CHECK_EQ(write(fd, "t", 1), 1);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	close(fd);
}

static void attributes_are_there(int block)
{
	struct stat st = stat_of(MNT "/file");

	CHECK_EQ(st.st_mode, S_IFREG | 06751);
	CHECK_EQ(st.st_atim.tv_sec, 1000000000);
	CHECK_EQ(st.st_mtim.tv_sec, 1234567890);
	CHECK_EQ(st.st_mtim.tv_nsec, 0);
	CHECK(time(NULL) - st.st_ctim.tv_sec < 300);
	st = stat_of(MNT "/sym");
	CHECK_EQ(st.st_mtim.tv_sec, 1234567890);
	CHECK(st.st_uid == 5 && st.st_gid == 6);
	st = stat_of(MNT "/dir");
	CHECK_EQ(st.st_mode, S_IFDIR | 03777);
	CHECK(st.st_uid == 100000 && st.st_gid == 70000);
	CHECK_EQ(stat_of(MNT "/dir/group").st_gid, 70000);
	CHECK_EQ(stat_of(MNT "/dir/sub").st_mode, S_IFDIR | 02700);
	CHECK_EQ(stat_of(MNT "/setuid").st_mode, S_IFREG | 0777);
}

TEST(attributes, 30, "modes, owners and times are stored; a write drops the setuid bit")
{
	umask(022);
	on_all_sizes(set_attributes, attributes_are_there);
}
