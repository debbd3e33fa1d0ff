/*
 * ext2-model: random operations on a file system, compared with a model in memory.
 *
 *	ext2-model DISK SEED COUNT [leave | check]
 *
 * It mounts DISK on /mnt, does COUNT operations in the folder model, empties the caches and
 * compares all of it with the model, and does that once more after mounting it again. With `leave`
 * it ends without unmounting, and leaves a deleted file open. With `check` it only compares: the
 * operations are those of the seed, and what they do to the model depends on nothing else. So
 * another kernel can judge what this one has written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TOP	   "/mnt/model"
#define NAMES	   160
#define NAME_IDS   24 /* names in one directory */
#define DEPTH	   4
#define LARGEST	   400000
#define ROOT	   (-1)
#define TARGET_MAX 300
#define ATTRIBUTES 3
#define VALUE_MAX  200 /* so that all of them fit into one block */

enum kind { NOTHING, REGULAR, DIRECTORY, LINK };

struct object {
	enum kind kind;
	int links;
	size_t size;
	char *bytes; /* of a file: LARGEST; of a link: its target */
	struct {
		size_t size; /* 0: there is none */
		char value[VALUE_MAX];
	} attributes[ATTRIBUTES];
};

/* An entry of a directory. */
struct name {
	struct object *object; /* NULL: not in use */
	int parent;	       /* the directory's index in `names`, or ROOT */
	int id;
};

static struct name names[NAMES];
static uint32_t state;
static bool only_model;
static char buf[LARGEST + 100000];

static uint32_t random_below(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (uint64_t)state * n >> 32;
}

static void fail(const char *what, const char *path)
{
	printf("ext2-model: %s: %s (%s)\n", path, what, strerror(errno));
	exit(1);
}

static void path_of(char *path, int parent, int id)
{
	char name[256] = "", one[16];

	if (parent == ROOT)
		strcpy(path, TOP);
	else
		path_of(path, names[parent].parent, names[parent].id);
	/* Every fourth name is long. */
	snprintf(one, sizeof(one), "n%d", id);
	for (int i = id % 4 ? 1 : 20; i > 0; i--)
		strcat(name, one);
	strcat(strcat(path, "/"), name);
}

static int find(int parent, int id)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].object && names[i].parent == parent && names[i].id == id)
			return i;
	return -1;
}

static int depth_of(int name)
{
	return name == ROOT ? 0 : 1 + depth_of(names[name].parent);
}

static bool is_below(int name, int above)
{
	for (; name != ROOT; name = names[name].parent)
		if (name == above)
			return true;
	return false;
}

static bool is_empty(int dir)
{
	for (int i = 0; i < NAMES; i++)
		if (names[i].object && names[i].parent == dir)
			return false;
	return true;
}

static int free_name(void)
{
	for (int i = 0; i < NAMES; i++)
		if (!names[i].object)
			return i;
	return -1;
}

/* A random directory. */
static int some_directory(void)
{
	int at = random_below(NAMES + 40);

	for (; at < NAMES; at++)
		if (names[at].object && names[at].object->kind == DIRECTORY)
			return at;
	return ROOT;
}

static struct object *new_object(enum kind kind)
{
	struct object *object = calloc(1, sizeof(*object));

	object->kind = kind;
	object->links = 1;
	if (kind != DIRECTORY)
		object->bytes = calloc(1, kind == REGULAR ? LARGEST : TARGET_MAX);
	return object;
}

static void drop(int name)
{
	struct object *object = names[name].object;

	names[name].object = NULL;
	if (--object->links == 0) {
		free(object->bytes);
		free(object);
	}
}

static void enter(int name, int parent, int id, struct object *object)
{
	names[name] = (struct name){ object, parent, id };
}

/*
 * ---- operations: each changes the model, and then, unless only the model is wanted, the file
 * system ----
 */

static void check(int name);

static void put(int parent, int id, int name, const char *path)
{
	static const size_t sizes[] = { 1, 100, 1024, 4096, 5000 };
	size_t at = random_below(4) ? random_below(LARGEST - 70000) : random_below(20000);
	size_t n = random_below(3) ? sizes[random_below(5)] : 1 + random_below(69000);
	bool mapped = random_below(4) == 0, synced = random_below(12) == 0;
	struct object *object;
	int fd;

	if (name < 0) {
		name = free_name();
		if (name < 0)
			return;
		enter(name, parent, id, new_object(REGULAR));
	}
	object = names[name].object;
	if (mapped && object->size > 0) {
		at %= object->size;
		n = n < object->size - at ? n : object->size - at;
	}
	for (size_t i = 0; i < n; i++)
		buf[i] = (state >> 16) + i * 7 + (i >> 8);
	memcpy(object->bytes + at, buf, n);
	mapped = mapped && object->size > 0;
	if (at + n > object->size)
		object->size = at + n;
	if (only_model)
		return;
	fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd < 0)
		fail("open", path);
	if (mapped) {
		char *map = mmap(NULL, object->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (map == MAP_FAILED)
			fail("mmap", path);
		memcpy(map + at, buf, n);
		munmap(map, object->size);
	} else if (pwrite(fd, buf, n, at) != (ssize_t)n) {
		fail("write", path);
	}
	if (synced && fsync(fd) < 0)
		fail("fsync", path);
	close(fd);
}

static void cut(int name, const char *path)
{
	struct object *object = names[name].object;
	size_t size = random_below(5) ? random_below(LARGEST) : random_below(12) * 1024;

	if (size < object->size)
		memset(object->bytes + size, 0, object->size - size);
	object->size = size;
	if (!only_model && truncate(path, size) < 0)
		fail("truncate", path);
}

/* Punch a hole, often with edges inside blocks, and sometimes across the end of the file. */
static void punch(int name, const char *path)
{
	struct object *object = names[name].object;
	size_t at = random_below(object->size + 1),
	       n = 1 + random_below(random_below(3) ? 20000 : LARGEST);
	size_t end = at + n < object->size ? at + n : object->size;
	int fd;

	memset(object->bytes + at, 0, end - at);
	if (only_model)
		return;
	fd = open(path, O_WRONLY);
	if (fd < 0 || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n) < 0)
		fail("fallocate", path);
	close(fd);
}

static void take_away(int name, const char *path)
{
	bool dir = names[name].object->kind == DIRECTORY, full = dir && !is_empty(name);
	int result;

	if (!full)
		drop(name);
	if (only_model)
		return;
	result = dir ? rmdir(path) : unlink(path);
	if (full ? result == 0 || errno != ENOTEMPTY : result < 0)
		fail("remove", path);
}

static void make(int parent, int id, bool dir, const char *path)
{
	int name = free_name();
	char target[TARGET_MAX] = "";
	size_t len = 1 + random_below(TARGET_MAX - 1);

	if (name < 0 || (dir && depth_of(parent) >= DEPTH))
		return;
	enter(name, parent, id, new_object(dir ? DIRECTORY : LINK));
	if (!dir) {
		memset(target, 'a' + id, len);
		memcpy(names[name].object->bytes, target, TARGET_MAX);
		names[name].object->size = len;
	}
	if (!only_model && (dir ? mkdir(path, 0755) : symlink(target, path)) < 0)
		fail("make", path);
}

/* Link or rename to another name, or exchange two. */
static void move(int name, const char *path, bool link_it)
{
	int parent = some_directory(), id = random_below(NAME_IDS), other = find(parent, id), new;
	struct object *object = names[name].object;
	bool dir = object->kind == DIRECTORY;
	char to[2000];

	path_of(to, parent, id);
	if (dir && (link_it || is_below(parent, name) || depth_of(parent) >= DEPTH))
		return;
	if (other >= 0 && (link_it || (names[other].object->kind == DIRECTORY) != dir ||
			   names[other].object == object || (dir && !is_empty(other))))
		return;
	if (link_it) {
		new = free_name();
		if (new < 0)
			return;
		object->links++;
		enter(new, parent, id, object);
	} else {
		if (other >= 0)
			drop(other);
		names[name].parent = parent;
		names[name].id = id;
	}
	if (!only_model && (link_it ? link(path, to) : rename(path, to)) < 0)
		fail(link_it ? "link" : "rename", path);
}

static const char *attribute_name(int i)
{
	static const char *const list[ATTRIBUTES] = { "user.a", "user.second", "trusted.b" };

	return list[i];
}

/* Set an extended attribute, or remove it. */
static void annotate(int name, const char *path)
{
	struct object *object = names[name].object;
	int i = random_below(ATTRIBUTES), had = object->attributes[i].size;
	size_t size = random_below(4) ? 1 + random_below(random_below(2) ? 20 : VALUE_MAX) : 0;

	object->attributes[i].size = size;
	memset(object->attributes[i].value, state >> 16, size);
	if (only_model || (!had && !size))
		return;
	if (size ? setxattr(path, attribute_name(i), object->attributes[i].value, size, 0) < 0
		 : removexattr(path, attribute_name(i)) < 0)
		fail("setxattr", path);
}

static void one_operation(void)
{
	int parent = some_directory(), id = random_below(NAME_IDS), name = find(parent, id);
	unsigned int what = random_below(18);
	enum kind kind = name < 0 ? NOTHING : names[name].object->kind;
	char path[2000];

	path_of(path, parent, id);
	if (what < 6 && (kind == NOTHING || kind == REGULAR))
		put(parent, id, name, path);
	else if (what < 8 && kind == REGULAR)
		cut(name, path);
	else if (what < 9 && kind == REGULAR)
		punch(name, path);
	else if (what < 10 && kind != NOTHING)
		take_away(name, path);
	else if (what < 13 && kind != NOTHING)
		move(name, path, what == 10);
	else if (what < 15 && kind == NOTHING)
		make(parent, id, what == 13, path);
	else if (what == 15 && kind != NOTHING && !only_model)
		check(name);
	else if (what > 15 && (kind == REGULAR || kind == DIRECTORY))
		annotate(name, path);
}

/* ---- comparing ---- */

static void check_attributes(const struct object *object, const char *path)
{
	ssize_t names_size = 0;

	for (int i = 0; i < ATTRIBUTES; i++) {
		size_t size = object->attributes[i].size;
		ssize_t n = lgetxattr(path, attribute_name(i), buf, sizeof(buf));

		if (size == 0
			    ? n >= 0 || errno != ENODATA
			    : n != (ssize_t)size || memcmp(buf, object->attributes[i].value, size))
			fail("wrong attribute", path);
		names_size += size ? strlen(attribute_name(i)) + 1 : 0;
	}
	if (llistxattr(path, NULL, 0) != names_size)
		fail("wrong list of attributes", path);
}

static void check(int name)
{
	struct object *object = names[name].object;
	struct stat st;
	char path[2000];
	int fd;

	path_of(path, names[name].parent, names[name].id);
	if (lstat(path, &st) < 0)
		fail("lstat", path);
	if (object->kind == DIRECTORY ? !S_ISDIR(st.st_mode)
				      : st.st_nlink != (nlink_t)object->links)
		fail("wrong type or number of links", path);
	if (object->kind == LINK && (readlink(path, buf, sizeof(buf)) != (ssize_t)object->size ||
				     memcmp(buf, object->bytes, object->size)))
		fail("wrong target", path);
	check_attributes(object, path);
	if (object->kind != REGULAR)
		return;
	fd = open(path, O_RDONLY);
	if (fd < 0 || st.st_size != (off_t)object->size)
		fail("wrong size", path);
	if (read(fd, buf, sizeof(buf)) != (ssize_t)object->size)
		fail("read", path);
	for (size_t i = 0; i < object->size; i++)
		if (buf[i] != object->bytes[i]) {
			printf("byte %zu of %zu\n", i, object->size);
			fail("wrong bytes", path);
		}
	close(fd);
}

static void count_entries(int parent)
{
	char path[2000] = TOP;
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	if (parent != ROOT)
		path_of(path, names[parent].parent, names[parent].id);
	dir = opendir(path);
	if (!dir)
		fail("opendir", path);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] == 'n';
	closedir(dir);
	for (int i = 0; i < NAMES; i++)
		n -= names[i].object && names[i].parent == parent;
	if (n)
		fail("too many names, or too few", path);
}

static void check_all(void)
{
	count_entries(ROOT);
	for (int i = 0; i < NAMES; i++) {
		if (!names[i].object)
			continue;
		check(i);
		if (names[i].object->kind == DIRECTORY)
			count_entries(i);
	}
}

static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (write(fd, "3", 1) != 1)
		fail("write", "drop_caches");
	close(fd);
}

static void mount_it(const char *disk, unsigned long flags)
{
	if (mount(disk, "/mnt", "ext2", flags, NULL) < 0)
		fail("mount", disk);
}

int main(int argc, char **argv)
{
	const char *how = argc > 4 ? argv[4] : "";
	int count, open_file;

	if (argc < 4)
		return 2;
	state = atoi(argv[2]);
	count = atoi(argv[3]);
	only_model = !strcmp(how, "check");
	mount_it(argv[1], only_model ? MS_RDONLY : 0);
	if (!only_model && mkdir(TOP, 0755) < 0)
		fail("mkdir", TOP);
	for (int i = 0; i < count; i++) {
		one_operation();
		if (!only_model && i % 200 == 199)
			forget();
	}
	if (!strcmp(how, "leave")) {
		open_file = open("/mnt/deleted", O_RDWR | O_CREAT, 0600);
		if (open_file < 0 || unlink("/mnt/deleted") < 0 ||
		    write(open_file, buf, LARGEST) != LARGEST)
			fail("write", "deleted");
		fsync(open_file);
		sync();
		puts("left");
		fflush(stdout);
		for (;;)
			pause();
	}
	forget();
	check_all();
	umount("/mnt");
	if (only_model)
		return 0;
	mount_it(argv[1], 0);
	check_all();
	if (umount("/mnt") < 0)
		fail("umount", "/mnt");
	return 0;
}
