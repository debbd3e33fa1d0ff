/*
 * Extended attributes of ext2: fs/ext2/xattr.c, with a file system of two blocks. A value that
 * grows moves from the inode to a block of its own, while others read and list the attributes.
 */
#include "cached.h"
#include "fs/ext2/ext2.h"
#include "fs/ext2/xattr_format.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "fs/names/xattr.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define TABLE	   5u /* its first inode is the file's */
#define BLOCK	   6u
#define INODE_SIZE 192u /* its list has room for one attribute with four bytes */
#define BLOCK_SIZE 96u
#define NAME	   "user.n"

static struct ext2_fs fs;
static struct ext2_inode own;
static struct super_block super;
static struct page *pages[2]; /* of TABLE and BLOCK, whose bytes are here */
static char bytes[2][INODE_SIZE];
static bool taken, freed;

/* ---- a small file system in place of fs/ext2/metadata.c and space.c ---- */

static struct page *xattr_page(struct ext2_fs *unused, uint32_t block)
{
	must(block == TABLE || block == BLOCK);
	must(!freed || block == TABLE);
	page_ref(pages[block - TABLE]);
	return pages[block - TABLE];
}

static char *bytes_of(uint32_t block)
{
	return bytes[block - TABLE];
}

static void *xattr_map(struct page *page)
{
	return bytes[page == pages[1]];
}

static int xattr_begin(struct ext2_fs *unused)
{
	mutex_lock(&fs.lock);
	return 0;
}

static int xattr_end(struct ext2_fs *unused, int error)
{
	must(!error);
	mutex_unlock(&fs.lock);
	return error;
}

static int xattr_read(struct ext2_fs *unused, uint32_t block, unsigned int offset, void *to,
		      unsigned int len)
{
	memcpy(to, bytes_of(block) + offset, len);
	return 0;
}

static int xattr_edit(struct ext2_fs *unused, uint32_t block, unsigned int offset, const void *from,
		      unsigned int len)
{
	memcpy(bytes_of(block) + offset, from, len);
	return 0;
}

static int xattr_take(struct ext2_fs *unused, uint32_t goal, unsigned int max, uint32_t *first)
{
	must(!taken);
	taken = true;
	*first = BLOCK;
	return 1;
}

static int xattr_make(struct ext2_fs *unused, uint32_t block)
{
	memset(bytes_of(block), 0, BLOCK_SIZE);
	return 0;
}

static int xattr_give(struct ext2_fs *unused, uint32_t first, unsigned int nr)
{
	must(first == BLOCK && nr == 1 && taken && !freed);
	return 0;
}

static void xattr_forget(struct ext2_fs *unused, uint32_t block)
{
	freed = true;
	memset(bytes_of(block), 0xff, BLOCK_SIZE);
}

static int xattr_damaged(const struct super_block *sb, uint64_t number, const char *what)
{
	must(false);
	return -EIO;
}

static uint32_t xattr_goal(const struct ext2_fs *unused, uint32_t number)
{
	return 0;
}

static int xattr_note(struct ext2_fs *fs, unsigned int word, uint32_t feature)
{
	return 0;
}

static void xattr_nothing(const void *unused)
{
}

/* The name is counted, and must be the only one. */
static int xattr_emit_one(struct xattr_names *names, const char *beginning, const char *rest,
			  size_t rest_len)
{
	must(strcmp(beginning, "user.") == 0 && rest_len == 1 && rest[0] == 'n');
	names->used++;
	return 0;
}

#define ext2_begin	     xattr_begin
#define ext2_end	     xattr_end
#define ext2_page	     xattr_page
#define kmap_local	     xattr_map
#define kunmap_local	     xattr_nothing
#define ext2_read	     xattr_read
#define ext2_edit	     xattr_edit
#define ext2_take_blocks     xattr_take
#define ext2_make_block	     xattr_make
#define ext2_give_blocks     xattr_give
#define ext2_forget	     xattr_forget
#define ext2_damaged	     xattr_damaged
#define ext2_group_goal	     xattr_goal
#define ext2_note_feature    xattr_note
#define ext2_changed	     xattr_nothing
#define inode_status_changed xattr_nothing
#define xattr_emit	     xattr_emit_one
#include "fs/ext2/xattr.c"
#include "fs/ext2/xattr_format.c"

/* ---- the file ---- */

static void set(const char *value)
{
	mutex_lock(&cached_inode.lock);
	must(ext2_xattr_set(&cached_inode, NAME, value, value ? strlen(value) : 0, 0) == 0);
	mutex_unlock(&cached_inode.lock);
}

static void file_with_attribute(void)
{
	cached_nothing();
	cached_inode.private = &own;
	cached_inode.sb = &super;
	super.private = &fs;
	own.inode = &cached_inode;
	own.table_block = TABLE;
	fs.layout = (struct ext2_layout){ .block_size = BLOCK_SIZE,
					  .block_shift = 10,
					  .blocks = BLOCK + 1,
					  .inode_size = INODE_SIZE };
	mutex_init(&fs.lock, "ext2");
	for (int i = 0; i < 2; i++) {
		pages[i] = page_alloc(0, ALLOC_ZERO);
		must(pages[i]);
	}
	memset(bytes, 0, sizeof(bytes));
	taken = freed = false;
	set("old");
	must(own.file_acl == 0);
	ex_count_memory();
}

/* ---- tasks ---- */

static void let_it_grow(int unused)
{
	set("larger");
}

static void let_it_shrink(int unused)
{
	set("new");
}

static void get_it(int unused)
{
	char value[16] = "";
	ssize_t n = ext2_xattr_get(&cached_inode, NAME, value, sizeof(value));

	must(n > 0 && (!strcmp(value, "old") || !strcmp(value, "larger") || !strcmp(value, "new")));
}

static void list_it(int unused)
{
	struct xattr_names names = { .to = NULL };

	must(ext2_xattr_list(&cached_inode, &names) == 0 && names.used == 1);
}

static void has_one_value(void)
{
	get_it(0);
	must(own.file_acl == 0 || own.file_acl == BLOCK);
	must((own.file_acl == BLOCK) == (taken && !freed));
}

SCENARIO(xattr_get, "an attribute is read while it moves from the inode to a block",
	 file_with_attribute, has_one_value, { "setter", let_it_grow, 0 }, { "getter", get_it, 0 });
SCENARIO(xattr_list, "attributes are listed while one moves from the inode to a block",
	 file_with_attribute, has_one_value, { "setter", let_it_grow, 0 },
	 { "lister", list_it, 0 });
SCENARIO(xattr_back, "an attribute moves to a block and back, which is freed, while it is read",
	 file_with_attribute, has_one_value, { "setter", let_it_grow, 0 },
	 { "other", let_it_shrink, 0 }, { "getter", get_it, 0 });
