/*
 * What play does for an operation `pair` (user/test/play.c): a splice between any two descriptors,
 * most of which do not go together. The words say how each one is opened, and what offsets the call
 * gets.
 */
#ifndef USER_TEST_PLAY_PAIRS_H
#define USER_TEST_PLAY_PAIRS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A side of a pair. `fd` is the caller's own if `opened` is set. */
struct side {
	int fd;
	bool opened, has_offset;
	off_t at, *offset;
};

/* The file is opened anew, so that it has a position of its own, which is 0. */
static inline int open_again(int file, const char *how)
{
	static const struct {
		const char *name;
		int flags;
	} ways[] = { { "file", O_RDWR },
		     { "append", O_RDWR | O_APPEND },
		     { "read-only", O_RDONLY },
		     { "write-only", O_WRONLY } };
	char path[32];

	if (!strcmp(how, "folder"))
		return open("/tmp", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(ways[i].name, how))
			return open(path, ways[i].flags);
	return -1;
}

/* The offset is `none`, `nowhere`, or @NUMBER. */
static inline void set_offset(struct side *side, const char *offset)
{
	side->has_offset = *offset == '@';
	side->at = side->has_offset ? strtoll(offset + 1, NULL, 10) : 0;
	side->offset = side->has_offset ? &side->at : NULL;
	if (!strcmp(offset, "nowhere"))
		side->offset = (off_t *)8;
}

static inline void open_side(struct side *side, const int ends[2], bool out, int file,
			     const char *how)
{
	side->opened = false;
	if (!strcmp(how, "pipe")) {
		side->fd = ends[out];
	} else if (!strcmp(how, "wrong-end")) {
		side->fd = ends[!out];
	} else {
		side->fd = open_again(file, how);
		side->opened = side->fd >= 0;
	}
}

/*
 * Returns where a file is after the call. With an offset its own position must still be 0, so the
 * sum is the offset.
 */
static inline off_t end_side(struct side *side)
{
	off_t at = side->at;

	if (!side->opened)
		return 0;
	at += lseek(side->fd, 0, SEEK_CUR);
	close(side->fd);
	return at;
}

/*
 * words: how the two are opened, and their offsets. Sets *moved_to to the place in the file
 * afterwards.
 */
static inline long splice_pair(const int ends[2], int file, const char *const words[4], size_t n,
			       off_t *moved_to)
{
	struct side in, out;
	long result;
	int error;

	open_side(&in, ends, false, file, words[0]);
	open_side(&out, ends, true, file, words[1]);
	set_offset(&in, words[2]);
	set_offset(&out, words[3]);
	result = splice(in.fd, in.offset, out.fd, out.offset, n, 0);
	error = errno;
	*moved_to = end_side(&in) + end_side(&out);
	errno = error;
	return result;
}

#endif
