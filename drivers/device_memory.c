/*
 * Device memory as files. Every memory BAR of a PCI device is a file /dev/pci/BB:DD.F/barN.
 *
 * 1. All access uses fake pages (mm/page.h). kmap_local() maps them uncached, a page at a time, so
 *    that a BAR may be larger than the kernel's address space.
 * 2. A slot of device memory has an array of fake pages of its own. The first one counts the
 *    references. The device may change the bytes. The slot promises only the place, and the copy
 *    out of the pipe is the snapshot. It is never stolen.
 * 3. A device that a driver has claimed belongs to that driver. Opening its files returns -EBUSY.
 * 4. Bytes are copied as from memory, in pieces of any width. Registers that need one width are for
 *    mmap.
 */
#include "fs/dev/device.h"
#include "drivers/device_memory.h"
#include "drivers/pci.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/vm.h"
#include "fs/splice/copy.h"

#define PCI_MAJOR  240 /* one of the numbers for local use */
#define SLOT_PAGES 64u /* in one slot at most */
#define NAME_SIZE  32
#define BARS_SHIFT 3
#define MINOR_OF(pci, bar) \
	(((pci)->bus << 8 | (pci)->device << 3 | (pci)->function) << BARS_SHIFT | (bar))

/* ---- any device memory ---- */

//BOOK: device-map
static ssize_t copy(const struct device_memory *memory, struct iter *iter, file_off_t *pos,
		    bool write)
{
	/* Read once: the framebuffer may be resized meanwhile. */
	const file_off_t size = READ_ONCE(memory->size);
	size_t done = 0, copied = 0, n = 0;

	while (iter->left > 0 && *pos < size && copied == n) {
		phys_addr_t phys = memory->phys + *pos;
		unsigned int offset = phys & (PAGE_SIZE - 1);
		struct page fake;
		char *page;

		page_init_device(&fake, phys >> PAGE_SHIFT);
		page = kmap_local(&fake);
		n = MIN(iter->left, (size_t)MIN(PAGE_SIZE - offset, size - *pos));
		copied = write ? iter_copy_from(iter, page + offset, n)
			       : iter_copy_to(iter, page + offset, n);
		kunmap_local(page);
		done += copied;
		*pos += copied;
		if (iter->kind != ITER_KERNEL && signal_pending())
			break;
	}
	return done || copied == n ? (ssize_t)done : -EFAULT;
}

void device_memory_copy(const struct device_memory *memory, void *buffer, unsigned int len,
			bool write)
{
	file_off_t pos = 0;
	struct iter iter;

	iter_init_kernel(&iter, buffer, len);
	copy(memory, &iter, &pos, write);
}

ssize_t device_memory_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return copy(file->private, to, pos, false);
}

ssize_t device_memory_write(struct file *file, struct iter *from, file_off_t *pos)
{
	size_t wanted = from->left;
	ssize_t n = copy(file->private, from, pos, true);

	return n == 0 && wanted > 0 ? -ENOSPC : n;
}

int device_memory_mmap(struct file *file, struct vma *vma)
{
	const struct device_memory *memory = file->private;
	uint64_t end = ((uint64_t)vma->page_offset << PAGE_SHIFT) + (vma->end - vma->start);

	if (!(vma->flags & VMA_SHARED))
		return refuse(EINVAL, "device memory is mapped shared");
	if (memory->phys & (PAGE_SIZE - 1) || end > PAGE_ALIGN((uint64_t)READ_ONCE(memory->size)))
		return refuse(EINVAL, "not whole pages of the device");
	vma->flags |= VMA_DEVICE;
	vma->page_offset += memory->phys >> PAGE_SHIFT;
	return 0;
}

/* ---- slots ---- */

static void mmio_release(struct pipe_slot *slot)
{
	if (atomic_dec_and_test(&slot->page->refs))
		kfree(slot->page);
}

//BOOK: device-slot
static const struct pipe_slot_ops mmio_slot_ops = {
	.kind = "mmio",
	.release = mmio_release,
};

ssize_t device_memory_splice_read(struct file *file, file_off_t *pos, size_t len,
				  struct slot_list *slots)
{
	const struct device_memory *memory = file->private;
	const file_off_t size = READ_ONCE(memory->size); /* once, as in copy() */
	size_t done = 0;

	len = *pos < size ? MIN(len, (size_t)(size - *pos)) : 0;
	while (done < len && slots->nr < slots->max) {
		phys_addr_t phys = memory->phys + *pos;
		unsigned int offset = phys & (PAGE_SIZE - 1);
		unsigned int n = MIN(len - done, (size_t)SLOT_PAGES * PAGE_SIZE - offset);
		unsigned int nr = DIV_ROUND_UP(offset + n, PAGE_SIZE);
		struct page *pages = kmalloc(nr * sizeof(*pages), 0);

		if (!pages)
			return done ? (ssize_t)done : -ENOMEM;
		for (unsigned int i = 0; i < nr; i++)
			page_init_device(&pages[i], (phys >> PAGE_SHIFT) + i);
		slots->slots[slots->nr++] =
			(struct pipe_slot){ pages, offset, n, &mmio_slot_ops, 0, 0, NULL };
		done += n;
		*pos += n;
	}
	return done;
}

/* ---- BARs ---- */

/* A BAR as a file. */
struct bar_file {
	struct device_memory memory;
	struct pci_device *pci;
	char name[NAME_SIZE];
};

static int bar_open(struct inode *inode, struct file *file)
{
	struct bar_file *bar = file->private;

	if (bar->pci->driver)
		return refuse(EBUSY, "the device has a driver");
	pci_enable(bar->pci);
	file->private = &bar->memory;
	return 0;
}

static const struct file_ops bar_ops = {
	.open = bar_open,
	.read = device_memory_read,
	.write = device_memory_write,
	.llseek = generic_llseek,
	.mmap = device_memory_mmap,
	.splice_read = device_memory_splice_read,
	.splice_write = copy_splice_write,
};

static int add_bar(struct pci_device *pci, unsigned int i)
{
	struct bar_file *bar = kzalloc(sizeof(*bar), 0);
	int error;

	if (!bar)
		return -ENOMEM;
	bar->pci = pci;
	bar->memory.phys = pci->bars[i].phys;
	bar->memory.size = pci->bars[i].size;
	snprintf(bar->name, sizeof(bar->name), "pci/%02x:%02x.%x/bar%u", pci->bus, pci->device,
		 pci->function, i);
	error = chrdev_register(PCI_MAJOR, MINOR_OF(pci, i), bar->name, 0600, &bar_ops, bar);
	if (!error)
		chrdev_find(MAKEDEV(PCI_MAJOR, MINOR_OF(pci, i)))->size = bar->memory.size;
	return error;
}

static int __init device_memory_probe(void)
{
	struct pci_device *pci;
	int error = 0;

	list_for_each(pci, &pci_devices, link) {
		for (unsigned int i = 0; i < ARRAY_SIZE(pci->bars) && !error; i++)
			if (pci->bars[i].size)
				error = add_bar(pci, i);
	}
	return error;
}
DRIVER(device_memory, device_memory_probe);
