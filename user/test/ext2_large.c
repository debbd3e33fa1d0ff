/*
 * A large directory: thousands of names are made, removed, made again and renamed, and read while
 * others go. Each name leads to one of a few files, and after each step the directory has exactly
 * the names that it must have.
 */
#include "ext2.h"

#define NAMES 3000
#define FILES 7
#define LARGE MNT "/large"

static ino_t files[FILES];	/* their inode numbers */
static int leads_to[2 * NAMES]; /* the number of a file plus one; 0: there is no such name */
static int times_read[2 * NAMES];

/* Names from NAMES on are those that renaming gives. */
static void path_of(char *path, int i)
{
	sprintf(path, LARGE "/%s-%d-%.*s", i < NAMES ? "name" : "moved", i, i % 40,
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
}

static void add(int i, int file)
{
	char path[128], old[32];

	path_of(path, i);
	sprintf(old, MNT "/file-%d", file);
	CHECK_EQ(link(old, path), 0);
	CHECK_ERR(link(old, path), EEXIST);
	leads_to[i] = file + 1;
}

static void drop(int i)
{
	char path[128];

	path_of(path, i);
	CHECK_EQ(unlink(path), 0);
	CHECK_ERR(unlink(path), ENOENT);
	leads_to[i] = 0;
}

static void move(int from, int to)
{
	char old[128], new[128];

	path_of(old, from);
	path_of(new, to);
	CHECK_EQ(rename(old, new), 0);
	CHECK_ERR(access(old, F_OK), ENOENT);
	leads_to[to] = leads_to[from];
	leads_to[from] = 0;
}

/* Note that an entry has been read. Returns its name's number, or -1 for "." and "..". */
static int note(const struct dirent *entry)
{
	char path[128];
	int i;

	if (entry->d_name[0] == '.')
		return -1;
	i = atoi(strchr(entry->d_name, '-') + 1);
	CHECK(i >= 0 && i < 2 * NAMES);
	path_of(path, i);
	CHECK(!strcmp(path + strlen(LARGE "/"), entry->d_name));
	times_read[i]++;
	return i;
}

/* The directory has each name once that must be there, with its inode, and no other one. */
static void is_right(void)
{
	DIR *list = opendir(LARGE);
	struct dirent *entry;
	char path[128];
	int i;

	CHECK(list != NULL);
	memset(times_read, 0, sizeof(times_read));
	while ((entry = readdir(list))) {
		i = note(entry);
		if (i >= 0)
			CHECK(leads_to[i] && entry->d_ino == files[leads_to[i] - 1]);
	}
	closedir(list);
	for (i = 0; i < 2 * NAMES; i++) {
		CHECK_EQ(times_read[i], leads_to[i] != 0);
		if (i % 17 == 0) {
			path_of(path, i);
			CHECK_EQ(access(path, F_OK), leads_to[i] ? 0 : -1);
		}
	}
}

/*
 * Read the directory, and remove meanwhile every third name that is read, and others that may come
 * later. A name that stays is read once, and one that goes is read once at most.
 */
static void read_and_remove(void)
{
	DIR *list = opendir(LARGE);
	struct dirent *entry;
	int i, other = 2 * NAMES - 1;

	CHECK(list != NULL);
	memset(times_read, 0, sizeof(times_read));
	for (int nr = 0; (entry = readdir(list)); nr++) {
		i = note(entry);
		if (i < 0 || nr % 3)
			continue;
		if (leads_to[i])
			drop(i);
		other -= 5;
		while (other >= 0 && !leads_to[other])
			other--;
		if (other >= 0)
			drop(other);
	}
	closedir(list);
	for (i = 0; i < 2 * NAMES; i++) {
		CHECK(times_read[i] <= 1);
		CHECK(times_read[i] == 1 || !leads_to[i]);
	}
}

static void change_names(int block)
{
	char path[32];

	memset(leads_to, 0, sizeof(leads_to));
	for (int file = 0; file < FILES; file++) {
		sprintf(path, MNT "/file-%d", file);
		close(make_file(path, 0, 1));
		files[file] = stat_of(path).st_ino;
	}
	CHECK_EQ(mkdir(LARGE, 0700), 0);
	for (int i = 0; i < NAMES; i++)
		add(i, i % FILES);
	is_right();
	/* Two neighbours go, the latter one first, and come again. */
	for (int i = 10; i < NAMES; i += 100) {
		drop(i + 1);
		drop(i);
		add(i, i % FILES);
		add(i + 1, (i + 1) % FILES);
	}
	for (int i = 1; i < NAMES; i += 2)
		drop(i);
	is_right();
	for (int i = 1; i < NAMES; i += 6)
		add(i, (i + 1) % FILES);
	is_right();
	for (int i = 0; i < NAMES; i += 4)
		move(i, NAMES + i);
	for (int i = 2; i + 4 < NAMES; i += 8)
		move(i, i + 4); /* which is there */
	is_right();
	read_and_remove();
	for (int i = 0; i < 2 * NAMES; i += 5)
		if (!leads_to[i])
			add(i, i % FILES);
}

static void names_are_right(int block)
{
	is_right();
	for (int file = 0; file < FILES; file++) {
		char path[32];
		int names = 1;

		for (int i = 0; i < 2 * NAMES; i++)
			names += leads_to[i] == file + 1;
		sprintf(path, MNT "/file-%d", file);
		CHECK_EQ(stat_of(path).st_nlink, names);
	}
}

TEST(changed, 120, "thousands of names are made, removed, made again, renamed and read")
{
	on_all_sizes(change_names, names_are_right);
}
