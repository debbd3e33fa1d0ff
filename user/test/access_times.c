/*
 * Access times: which reads set them, and the flags of mounts and opens that change this. And when
 * a file was made.
 */
#include "ext2.h"
#include "names.h"
#include "text_files.h"
#include <sys/sendfile.h>
#include <sys/statvfs.h>

#ifndef MS_STRICTATIME
#define MS_STRICTATIME (1 << 24)
#endif
#define OLD 1000 /* seconds since 1970 */

/* Set both times of a file, without following a link. */
static void set_times(const char *name, time_t atime, time_t mtime)
{
	const struct timespec times[2] = { { .tv_sec = atime }, { .tv_sec = mtime } };

	CHECK_EQ(utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static bool is_old(const char *name)
{
	struct stat st;

	CHECK_EQ(lstat(name, &st), 0);
	return st.st_atime == OLD;
}

static void read_with(const char *name, int flags)
{
	char byte;
	int fd = open(name, O_RDONLY | flags);

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, &byte, 1), 1);
	close(fd);
}

static void read_directory(const char *name)
{
	DIR *dir = opendir(name);

	CHECK(dir && readdir(dir));
	closedir(dir);
}

/* The same for all kinds of files, in the current directory. */
static void each_read_counts(void)
{
	char byte;
	int fd, null, ends[2];
	void *page;

	put("f", "bytes");
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(symlink("f", "s"), 0);
	/* Neither opening a file nor a look at it is a read. */
	set_times("f", OLD, OLD);
	fd = open("f", O_RDWR);
	CHECK(fd >= 0 && is_old("f"));
	CHECK_EQ(pwrite(fd, "B", 1, 0), 1);
	CHECK(is_old("f"));
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK(!is_old("f"));
	/* sendfile, splice and mmap are reads. */
	null = open("/dev/null", O_WRONLY);
	set_times("f", OLD, OLD);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(sendfile(null, fd, NULL, 1), 1);
	CHECK(!is_old("f"));
	set_times("f", OLD, OLD);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(splice(fd, NULL, ends[1], NULL, 1, 0), 1);
	CHECK(!is_old("f"));
	set_times("f", OLD, OLD);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(page != MAP_FAILED && !is_old("f"));
	munmap(page, 4096);
	close(fd);
	close(null);
	close(ends[0]);
	close(ends[1]);
	/* A directory is read by readdir, and not by a walk. A link is read by both. */
	set_times("d", OLD, OLD);
	CHECK(access("d/x", F_OK) < 0 && is_old("d"));
	read_directory("d");
	CHECK(!is_old("d"));
	set_times("s", OLD, OLD);
	CHECK_EQ(readlink("s", &byte, 1), 1);
	CHECK(!is_old("s"));
	set_times("s", OLD, OLD);
	set_times("f", OLD, OLD);
	CHECK_EQ(access("s", F_OK), 0);
	CHECK(!is_old("s") && is_old("f"));
}

TEST(reads, 5,
     "reading files, directories and links sets their access times, in memory and on a disk")
{
	struct stat before, after;

	enter();
	each_read_counts();
	CHECK_EQ(chdir("/"), 0);
	put_image("blank-1k");
	mount_writable();
	CHECK_EQ(chdir(MNT), 0);
	each_read_counts();
	CHECK_EQ(lstat("s", &before), 0);
	forget();
	CHECK_EQ(lstat("s", &after), 0);
	CHECK_EQ(after.st_atime, before.st_atime);
	CHECK_EQ(chdir("/"), 0);
	unmount();
	CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(lstat(MNT "/s", &after), 0);
	CHECK_EQ(after.st_atime, before.st_atime);
	unmount();
	leave();
}

TEST(relatime, 5, "by default, a read sets the time if the file has changed since, or after a day")
{
	time_t now = time(NULL);
	struct stat st;

	enter();
	put("f", "bytes");
	/*
	 * Later than the last change, and less than a day old. (The time of status change is always
	 * the present.)
	 */
	set_times("f", now + 1000, OLD);
	read_with("f", 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_atime, now + 1000);
	/* Many reads in between do not hide that it changes. */
	for (int i = 0; i < 3; i++)
		read_with("f", 0);
	set_times("f", now + 1000, now + 2000);
	read_with("f", 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK(st.st_atime < now + 1000);
	set_times("f", OLD, OLD - 1);
	read_with("f", 0);
	CHECK(!is_old("f"));
	leave();
}

TEST(noatime, 5,
     "O_NOATIME, noatime and nodiratime spare the times, strictatime none, and remounting keeps them")
{
	const time_t late = time(NULL) + 1000;
	struct statvfs fs;
	struct stat st, again;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("m/d", 0755), 0);
	put("m/f", "bytes");
	set_times("m/f", OLD, OLD);
	set_times("m/d", OLD, OLD);
	read_with("m/f", O_NOATIME);
	CHECK(is_old("m/f"));
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_NOATIME, NULL), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT, NULL), 0);
	read_with("m/f", 0);
	read_directory("m/d");
	CHECK(is_old("m/f") && is_old("m/d"));
	CHECK_EQ(statvfs("m", &fs), 0);
	CHECK_EQ(fs.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RELATIME), ST_NOATIME);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_NODIRATIME, NULL), 0);
	read_with("m/f", 0);
	read_directory("m/d");
	CHECK(!is_old("m/f") && is_old("m/d"));
	CHECK_EQ(statvfs("m", &fs), 0);
	CHECK_EQ(fs.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RELATIME),
		 ST_NODIRATIME | ST_RELATIME);
	/* With relatime, a time later than the change would stay. */
	read_with("m/f", 0);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_STRICTATIME, NULL), 0);
	set_times("m/f", late, OLD);
	read_with("m/f", 0);
	CHECK_EQ(stat("m/f", &st), 0);
	CHECK(st.st_atime < late);
	test_sleep_ms(20);
	read_with("m/f", 0);
	CHECK_EQ(stat("m/f", &again), 0);
	CHECK(again.st_atim.tv_sec > st.st_atim.tv_sec ||
	      again.st_atim.tv_nsec > st.st_atim.tv_nsec);
	CHECK_EQ(statvfs("m", &fs), 0);
	CHECK_EQ(fs.f_flag & (ST_NOATIME | ST_NODIRATIME | ST_RELATIME), 0);
	/* A mount that is read-only sets no times, and sets them again when it is writable. */
	set_times("m/f", OLD, OLD);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	read_with("m/f", 0);
	CHECK(is_old("m/f"));
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT, NULL), 0);
	read_with("m/f", 0);
	CHECK(!is_old("m/f"));
	CHECK_EQ(umount("m"), 0);
	leave();
}

/* Does /proc/mounts have these options for a directory? */
static bool mounted_with(const char *dir, const char *options)
{
	char line[256];

	snprintf(line, sizeof(line), " %s/%s tmpfs %s", DIR_NAME, dir, options);
	return strstr(contents("/proc/mounts"), line);
}

TEST(options, 5, "/proc/mounts tells the rule for access times; nosymfollow refuses links")
{
	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK(mounted_with("m", "rw,relatime"));
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NOATIME | MS_NODIRATIME,
		       NULL),
		 0);
	CHECK(mounted_with("m", "rw,nosuid,noatime,nodiratime"));
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | MS_STRICTATIME, NULL), 0);
	CHECK(mounted_with("m", "rw") && !mounted_with("m", "rw,relatime"));
	put("m/f", "bytes");
	CHECK_EQ(symlink("f", "m/s"), 0);
	CHECK_EQ(access("m/s", F_OK), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_REMOUNT | 256, NULL), 0);
	CHECK_ERR(access("m/s", F_OK), ELOOP);
	CHECK_EQ(faccessat(AT_FDCWD, "m/s", F_OK, AT_SYMLINK_NOFOLLOW), 0);
	CHECK(mounted_with("m", "rw,nosymfollow"));
	CHECK_EQ(umount("m"), 0);
	leave();
}

#define STATX_BIRTH 0x800

/* Returns the time in ns when a file was made, or 0 if its file system does not keep that. */
static uint64_t birth_of(const char *name)
{
	uint64_t st[32]; /* struct statx: the mask, and from the 80th byte on the time */

	CHECK_EQ(syscall(SYS_statx, AT_FDCWD, name, 0, STATX_BIRTH, st), 0);
	return st[0] & STATX_BIRTH ? st[10] * 1000000000 + (uint32_t)st[11] : 0;
}

TEST(birth, 5, "tmpfs keeps the time when a file was made, whatever is done to the file")
{
	int fd = open("/tmp/born", O_RDWR | O_CREAT, 0600);
	uint64_t birth = birth_of("/tmp/born"), changed;
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	changed = st.st_ctim.tv_sec * 1000000000ull + st.st_ctim.tv_nsec;
	CHECK(birth != 0);
	CHECK_EQ(birth, changed);
	test_sleep_ms(50);
	CHECK_EQ(write(fd, "x", 1), 1);
	set_times("/tmp/born", OLD, OLD);
	CHECK_EQ(fchmod(fd, 0644), 0);
	CHECK_EQ(rename("/tmp/born", "/tmp/renamed"), 0);
	CHECK_EQ(birth_of("/tmp/renamed"), birth);
	CHECK_EQ(birth_of("/proc"), 0);
	close(fd);
	CHECK_EQ(unlink("/tmp/renamed"), 0);
}
