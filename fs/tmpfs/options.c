/*
 * Options of a mount of a tmpfs. size= is a number of bytes, which is rounded up to pages, and
 * nr_inodes= limits inodes and names. For both, 0 is no limit. mode= (octal), uid= and gid= are
 * those of the root directory.
 */
#include "fs/tmpfs/space.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/page.h"

#define NOT_GIVEN UINT32_MAX /* the limit does not change */

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
		return true;
	case OPTION_INODES:
		tmpfs->max_inodes = MIN(value, (uint64_t)INT32_MAX);
		return true;
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

/* May the limit on what is in use become `new`? A limit cannot come where there was none. */
static bool may_limit(unsigned int used, unsigned int old, unsigned int new)
{
	return new == NOT_GIVEN || new == 0 || (old > 0 && used <= new);
}

int tmpfs_change_options(struct super_block *sb, const char *options)
{
	struct tmpfs *tmpfs = sb->private, wanted = {
		.max_pages = NOT_GIVEN,
		.max_inodes = NOT_GIVEN,
	};
	struct tmpfs_root ignored;
	int error = tmpfs_parse_options(&wanted, &ignored, options);

	if (error)
		return error;
	spin_lock(&tmpfs->lock);
	if (!may_limit(tmpfs->pages, tmpfs->max_pages, wanted.max_pages) ||
	    !may_limit(tmpfs->inodes, tmpfs->max_inodes, wanted.max_inodes))
		error = -EINVAL;
	if (!error && wanted.max_pages != NOT_GIVEN)
		tmpfs->max_pages = wanted.max_pages;
	if (!error && wanted.max_inodes != NOT_GIVEN)
		tmpfs->max_inodes = wanted.max_inodes;
	spin_unlock(&tmpfs->lock);
	return error ? refuse(EINVAL, "more is in use than the new limit, or there was none") : 0;
}
