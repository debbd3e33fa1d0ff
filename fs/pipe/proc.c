/*
 * Pipes in /proc.
 *
 * /proc/pipes has one line for each pipe, followed by one line for each of its slots in the order
 * in which they will be read:
 *
 *	pipe 23: 2 of 16 slots, first at 15, 1 readers, 1 writers
 *	  cache page 1a2b3 offset 0 length 4096 here
 *	  cache page 1a2b4 offset 0 length 4096 on its way
 *
 * The pipe's number is that of its inode, as in `pipe:[23]` of /proc/self/fd; `first at` is the
 * first slot's place in the ring. A page is named by its frame number, in hexadecimal. A slot's
 * bytes are `here`, `on its way`, `failed` (a read starts over) or `gone` (the page left its file
 * before it was read). A user other than root sees only the pipes that count as that user's.
 *
 * /proc/sys/fs/pipe-max-size and pipe-user-pages-soft are the limits of fs/pipe/limits.h.
 */
#include "fs/pipe/pipe.h"
#include "fs/pipe/limits.h"
#include "fs/proc/proc.h"
#include "fs/names/vfs.h"
#include "lib/string.h"

static const char *slot_state(struct pipe_slot *slot)
{
	switch (slot_confirm(slot)) {
	case 0:
		return "here";
	case -EAGAIN:
		return "on its way";
	case -EIO:
	case -ENOMEM:
		return "failed";
	default:
		return "gone";
	}
}

static void show_pipe(struct text *text, struct pipe *pipe)
{
	struct ring *ring = &pipe->ring;
	unsigned int at;

	spin_lock(&ring->lock);
	text_printf(text, "pipe %u: %u of %u slots, first at %u, %u readers, %u writers\n",
		    (unsigned int)pipe->inode->number, ring_used(ring), ring->nr_slots,
		    ring->tail & (ring->nr_slots - 1), ring->readers, ring->writers);
	for (at = ring->tail; at != ring->head && !text->full; at++) {
		struct pipe_slot *slot = ring_at(ring, at);

		text_printf(text, "  %s page %x offset %u length %u %s\n", slot->ops->kind,
			    page_has(slot->page, PG_DEVICE) ? (unsigned int)slot->page->private
							    : page_frame(slot->page),
			    slot->offset, slot->len, slot_state(slot));
	}
	spin_unlock(&ring->lock);
}

/*
 * pipes_lock keeps every pipe on the list alive. The lines of one pipe show its state at one
 * moment.
 */
static void pipes_show(struct text *text)
{
	struct pipe *pipe;

	spin_lock(&pipes_lock);
	list_for_each(pipe, &all_pipes, link) {
		if (text->full)
			break;
		if (pipe_shown_to_current(pipe))
			show_pipe(text, pipe);
	}
	spin_unlock(&pipes_lock);
}
PROC_FILE(pipes, "pipes", 0444, pipes_show, NULL);

static void max_size_show(struct text *text)
{
	text_printf(text, "%u\n", pipe_max_bytes);
}

static int max_size_store(char *input, size_t len)
{
	unsigned int slots;
	uint32_t bytes;
	int error = parse_u32(input, &bytes);

	if (error)
		return error;
	slots = ring_slots_for(bytes);
	if (slots == 0)
		return -EINVAL;
	WRITE_ONCE(pipe_max_bytes, slots * PAGE_SIZE);
	return 0;
}
PROC_FILE(pipe_max_size, "sys/fs/pipe-max-size", 0644, max_size_show, max_size_store);

static void user_pages_show(struct text *text)
{
	text_printf(text, "%u\n", pipe_user_pages_soft);
}

static int user_pages_store(char *input, size_t len)
{
	uint32_t pages;
	int error = parse_u32(input, &pages);

	if (error)
		return error;
	WRITE_ONCE(pipe_user_pages_soft, pages);
	return 0;
}
PROC_FILE(pipe_user_pages_soft, "sys/fs/pipe-user-pages-soft", 0644, user_pages_show,
	  user_pages_store);
