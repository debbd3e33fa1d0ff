/*
 * Options of a mount of a tmpfs. size= is a number of bytes, which is rounded up to pages, and nr_inodes= limits inodes
 * and names. mode= (octal), uid= and gid= are those of the root directory.
 */
#include "fs/tmpfs/space.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/page.h"

enum option { OPTION_SIZE, OPTION_INODES, OPTION_MODE, OPTION_UID, OPTION_GID, NR_OPTIONS };

static const char *const option_names[NR_OPTIONS] = { "size=", "nr_inodes=", "mode=", "uid=",
						      "gid=" };

/* Returns the option that the text begins with, or NR_OPTIONS. */
static enum option option_of(const char *text)
{
	enum option option = 0;

	while (option < NR_OPTIONS &&
	       strncmp(text, option_names[option], strlen(option_names[option])))
		option++;
	return option;
}

static uint64_t parse_octal(const char *text, const char **end)
{
	unsigned int value = 0;

	for (; *text >= '0' && *text <= '7' && value <= 07777; text++)
		value = value * 8 + *text - '0';
	*end = text;
	return value;
}

/* Use the value of an option. Returns false if it is not possible. */
static bool set_option(struct tmpfs *tmpfs, struct tmpfs_root *root, enum option option,
		       uint64_t value)
{
	switch (option) {
	case OPTION_SIZE:
		tmpfs->max_pages = MIN((value + PAGE_SIZE - 1) >> PAGE_SHIFT, (uint64_t)INT32_MAX);
		return value > 0;
	case OPTION_INODES:
		tmpfs->max_inodes = MIN(value, (uint64_t)INT32_MAX);
		return value > 0;
	case OPTION_MODE:
		root->mode = value;
		return value <= 07777;
	case OPTION_UID:
		root->uid = value;
		return value < UINT32_MAX;
	default:
		root->gid = value;
		return value < UINT32_MAX;
	}
}

/* Parse one option, up to a comma. Returns what follows it, or ERR_PTR(-EINVAL). */
static const char *parse_option(struct tmpfs *tmpfs, struct tmpfs_root *root, const char *text)
{
	enum option option = option_of(text);
	const char *number, *end;
	uint64_t value;

	if (option == NR_OPTIONS)
		return ERR_PTR(refuse(EINVAL, "a tmpfs option that is not supported"));
	number = text + strlen(option_names[option]);
	value = option == OPTION_MODE ? parse_octal(number, &end) : parse_size(number, &end);
	if (end == number || (*end && *end != ',') || !set_option(tmpfs, root, option, value))
		return ERR_PTR(refuse(EINVAL, "a tmpfs option takes a number"));
	return *end ? end + 1 : end;
}

int tmpfs_parse_options(struct tmpfs *tmpfs, struct tmpfs_root *root, const char *options)
{
	while (*options) {
		options = parse_option(tmpfs, root, options);
		if (IS_ERR(options))
			return PTR_ERR(options);
	}
	return 0;
}
