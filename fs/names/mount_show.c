/* Mounts as text: /proc/PID/mounts, as in fstab(5), and /proc/PID/mountinfo, as in proc(5). */
#include "lib/print.h"
#include "lib/string.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "mm/slab.h"

/* Blanks in names are written as octal escapes, as getmntent(3) expects. */
static void show_escaped(struct text *text, const char *string)
{
	for (; *string; string++) {
		if (strchr(" \t\n\\", *string))
			text_printf(text, "\\%03o", (unsigned char)*string);
		else
			text_printf(text, "%c", *string);
	}
}

static void show_options(struct text *text, bool read_only, unsigned int flags)
{
	static const struct {
		unsigned int flag;
		const char *text;
	} names[] = {
		{ MOUNT_NOSUID, ",nosuid" },	       { MOUNT_NODEV, ",nodev" },
		{ MOUNT_NOEXEC, ",noexec" },	       { MOUNT_NOATIME, ",noatime" },
		{ MOUNT_NODIRATIME, ",nodiratime" },   { MOUNT_RELATIME, ",relatime" },
		{ MOUNT_NOSYMFOLLOW, ",nosymfollow" },
	};

	text_printf(text, "%s", read_only ? "ro" : "rw");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			text_printf(text, "%s", names[i].text);
}

/* Print where in its file system the root of a mount is. */
static void show_root(struct text *text, const struct mount *mount)
{
	char *buf = kmalloc(PATH_MAX, 0);
	char *at = buf ? dentry_text(mount->root, buf, PATH_MAX) : NULL;

	show_escaped(text, at ? at : "?");
	kfree(buf);
}

/* What the two files print for a mount that is attached at `point`. */
static void show_mount(struct text *text, struct mount *mount, const char *point)
{
	show_escaped(text, mount->source);
	text_printf(text, " ");
	show_escaped(text, point);
	text_printf(text, " %s ", mount->sb->type->name);
	show_options(text, mount_is_read_only(mount), mount->flags);
	text_printf(text, " 0 0\n");
}

/* The first mount is its own parent. */
static void show_mount_info(struct text *text, struct mount *mount, const char *point)
{
	const struct mount *parent = mount->on.mount ? mount->on.mount : mount;
	const struct super_block *sb = mount->sb;

	text_printf(text, "%u %u %u:%u ", mount->id, parent->id, MAJOR(sb->dev), MINOR(sb->dev));
	show_root(text, mount);
	text_printf(text, " ");
	show_escaped(text, point);
	text_printf(text, " ");
	show_options(text, atomic_read(&mount->writers) < 0, mount->flags);
	text_printf(text, " - %s ", sb->type->name);
	show_escaped(text, mount->source);
	text_printf(text, " %s\n", super_is_read_only(sb) ? "ro" : "rw");
}

static void show_all(struct text *text, const struct path *root,
		     void (*show)(struct text *text, struct mount *mount, const char *point))
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct mount *mount;

	if (!buf)
		return;
	if (mutex_lock_killable(&mount_mutex) < 0) {
		kfree(buf);
		return;
	}
	list_for_each(mount, &mounts, link) {
		const struct path top = { mount, mount->root };
		const char *point = path_text_below(&top, root, buf, PATH_MAX);

		if (point)
			show(text, mount, IS_ERR(point) ? "?" : point);
	}
	mutex_unlock(&mount_mutex);
	kfree(buf);
}

void mounts_show(struct text *text, const struct path *root)
{
	show_all(text, root, show_mount);
}

void mount_info_show(struct text *text, const struct path *root)
{
	show_all(text, root, show_mount_info);
}
