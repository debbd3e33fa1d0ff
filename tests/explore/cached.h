/*
 * For scenarios with a cached file: one page of a file, its disk, and the calls that change it.
 */
#ifndef EXPLORE_CACHED_H
#define EXPLORE_CACHED_H

#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "kernel/wait.h"
#include "shim.h"

/* write(2) changes these two bytes of the page, which are equal unless a write is under way. */
#define FIRST  0
#define SECOND 64
/* Programs store here through their mappings. */
#define STORED 32

extern struct inode cached_inode;
extern struct file cached_file; /* the inode's */

/*
 * The file has one page, clean and full of ones, or dirty; a page of zeros that has not been read
 * yet; or no page and no bytes. For setup.
 */
void cached_page(void);
void cached_dirty_page(void);
void cached_hole(void);
void cached_nothing(void);
/* The bytes of a page. */
unsigned char *page_bytes(struct page *page);
/* The file's page with a reference, or NULL. */
struct page *cached_find(void);
/* Find the page and lend it. Returns it with a reference and one count of `lent`, or NULL. */
struct page *cached_lend(void);

/* Read one byte of the file; -1 at its end. */
int cached_read(file_off_t pos);
/* Tasks: write `value`; truncate to `size` bytes; fsync(2), after which the disk has the page. */
void cached_write(int value);
void cached_truncate(int size);
void cached_sync(int unused);
/* A task that is killed while it starts to write the page back. */
void cached_write_killed(int unused);
/* The file system has no room for any write. */
extern bool cached_no_room;
/* For checks: truncate has removed the page, and nobody holds it. */
void cached_must_be_gone(void);
/* For checks: remove the page from the file. Nobody else holds it. */
void cached_remove(void);
/* The disk: write what it is given until so many syncs have returned. */
void cached_disk(int nr);
extern unsigned char on_disk[PAGE_SIZE];

#endif
