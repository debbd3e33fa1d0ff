/*
 * Device memory as files: a PCI device's memory BARs, and the framebuffer.
 */
#ifndef DRIVERS_DEVICE_MEMORY_H
#define DRIVERS_DEVICE_MEMORY_H

#include "fs/splice/splice.h"
#include "fs/file/open_file.h"

/* A range of device addresses; file->private of an open file. */
struct device_memory {
	phys_addr_t phys;
	uint32_t size; /* bytes; may change at any time, within what the device has: read it once */
};

/*
 * File operations for device memory. Each returns what its entry in struct file_ops returns.
 *
 * read	ends at `size`.
 * write	beyond `size` returns -ENOSPC.
 * mmap	makes shared, uncached mappings of whole pages. Returns -EINVAL if the mapping is private or
 *		goes beyond the end, or if the memory does not begin at a page.
 * splice_read	publishes references. The bytes are copied once, when they leave the pipe.
 */
ssize_t device_memory_read(struct file *file, struct iter *to, file_off_t *pos);
ssize_t device_memory_write(struct file *file, struct iter *from, file_off_t *pos);
int device_memory_mmap(struct file *file, struct vma *vma);
ssize_t device_memory_splice_read(struct file *file, file_off_t *pos, size_t len,
				  struct slot_list *slots);

/*
 * Copy the first `len` bytes of device memory to `buffer`, or the other way with `write`. Never
 * sleeps.
 */
void device_memory_copy(const struct device_memory *memory, void *buffer, unsigned int len,
			bool write);

#endif
