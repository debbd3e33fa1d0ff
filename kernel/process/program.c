/* Finding, checking and mapping programs. See kernel/process/program.h for the contract. */
#include "kernel/process/program.h"
#include "kernel/syscall.h"
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "fs/names/mount.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

#define PIE_BASE 0x40000000u
#define PIE_MAX	 0x90000000u

/* ---- files ---- */

/* The first bytes of a file, followed by a zero. */
struct first_bytes {
	char bytes[ELF_FIRST_BYTES + 1] __attribute__((aligned(4)));
};

/* Read up to n bytes of the file from a place on. Returns their number, or an error. May sleep. */
static ssize_t read_at(struct file *file, file_off_t at, void *to, size_t n)
{
	struct iter iter;

	if (!file->ops->read)
		return refuse(EACCES, "the file cannot be read");
	iter_init_kernel(&iter, to, n);
	return file->ops->read(file, &iter, &at);
}

/* Open the file and read its first bytes. Returns their number, or an error. May sleep. */
static ssize_t open_at(struct program *program, struct first_bytes *first, const struct path *path)
{
	struct file *file = file_open_program(path);
	int error;

	if (inode_permission(path->dentry->inode, MAY_READ) < 0)
		program->unreadable = true;
	if (IS_ERR(file))
		return PTR_ERR(file);
	program->file = file;
	/* A script, or what is no program, must not be being written either. */
	error = inode_begin_running(path->dentry->inode);
	if (error)
		return error;
	inode_end_running(path->dentry->inode);
	memset(first, 0, sizeof(*first));
	return read_at(file, 0, first->bytes, ELF_FIRST_BYTES);
}

static ssize_t open_program(struct program *program, struct first_bytes *first, const char *name)
{
	struct path path;
	ssize_t result = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (result)
		return result;
	result = open_at(program, first, &path);
	path_put(&path);
	return result;
}

/*
 * Note whose rights the program gives. The lock keeps the mode and the owner together: if root
 * takes a file over, the new owner must not be seen with the old mode. Returns 0 or -ERESTARTSYS.
 * May sleep.
 */
static int note_rights(struct program *program)
{
	struct inode *inode = program->file->inode;
	bool acts = !(program->file->path.mount->flags & MOUNT_NOSUID);

	if (mutex_lock_killable(&inode->lock) < 0)
		return -ERESTARTSYS;
	/* Without execute permission for the group, S_ISGID has another meaning. */
	program->rights = (struct program_rights){
		.set_uid = acts && inode->mode & S_ISUID,
		.set_gid = acts && inode->mode & S_ISGID && inode->mode & 0010,
		.uid = inode->uid,
		.gid = inode->gid,
	};
	mutex_unlock(&inode->lock);
	return 0;
}

/* Returns 0, or -ENOEXEC with the reason in program->image.refused. */
static int check(struct program *program, const struct first_bytes *first, size_t len)
{
	uint64_t size = inode_size(program->file->inode);

	return elf_check(&program->image, first->bytes, MIN((uint64_t)len, size), size);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip(char *at, bool blanks)
{
	while (*at && is_blank(*at) == blanks)
		at++;
	return at;
}

/* "#! interpreter argument" */
static int parse_script(struct script *script, const struct first_bytes *first)
{
	char *at = memcpy(script->line, first->bytes, SCRIPT_LINE_MAX);
	char *end = strchr(at, '\n');
	bool cut = !end && strlen(at) == SCRIPT_LINE_MAX;

	if (!end)
		end = at + strlen(at);
	while (end > at + 2 && is_blank(end[-1]))
		end--;
	*end = '\0';
	script->interpreter = at = skip(at + 2, true);
	if (!*at)
		return refuse(ENOEXEC, "the #! line names no interpreter");
	at = skip(at, false);
	if (!*at && cut)
		return refuse(ENOEXEC, "the interpreter's name is too long");
	if (*at) {
		*at++ = '\0';
		script->argument = skip(at, true);
	}
	return 0;
}

/*
 * The file that was opened, of which `len` bytes have been read, may be a script. Open its
 * interpreter instead, and so on. Returns how many bytes of the last one were read, or an error.
 */
static ssize_t follow_scripts(struct program *program, struct scripts *scripts,
			      struct first_bytes *first, ssize_t len)
{
	while (len >= 2 && memcmp(first->bytes, "#!", 2) == 0) {
		struct script *script = &scripts->chain[scripts->nr];
		int error;

		if (scripts->nr == SCRIPTS_MAX)
			return refuse(ELOOP, "too many scripts are each other's interpreters");
		error = parse_script(script, first);
		if (error < 0)
			return error;
		scripts->nr++;
		program_put(program);
		len = open_program(program, first, script->interpreter);
	}
	return len;
}

static int find(struct program *program, struct scripts *scripts, struct first_bytes *first,
		const char *path, const struct path *at)
{
	ssize_t len = at ? open_at(program, first, at) : open_program(program, first, path);

	len = follow_scripts(program, scripts, first, len);
	if (len < 0)
		return len;
	if (check(program, first, len) < 0)
		return refuse(ENOEXEC, program->image.refused);
	if (program->image.relocatable) {
		if (program->image.high > PIE_MAX)
			return refuse(ENOEXEC, "the program is too large");
		program->bias = PIE_BASE;
	}
	return note_rights(program);
}

int program_find(struct program *program, struct scripts *scripts, const char *path,
		 const struct path *at)
{
	struct first_bytes *first = kmalloc(sizeof(*first), 0);
	int error;

	if (!first)
		return -ENOMEM;
	error = find(program, scripts, first, path, at);
	kfree(first);
	return error;
}

static int find_loader(struct program *loader, const struct program *program,
		       struct first_bytes *first)
{
	const struct elf_image *image = &program->image;
	ssize_t len = read_at(program->file, image->loader_at, first->bytes, image->loader_size);

	if (len < 0)
		return len;
	if (len != (ssize_t)image->loader_size || first->bytes[len - 1])
		return refuse(ENOEXEC, "a loader's name that does not end");
	len = open_program(loader, first, first->bytes);
	if (len < 0)
		return len;
	if (check(loader, first, len) < 0)
		return refuse(ELIBBAD, loader->image.refused);
	if (!loader->image.relocatable)
		return refuse(ELIBBAD, "a loader that has a fixed address");
	return 0;
}

int program_find_loader(struct program *loader, const struct program *program)
{
	struct first_bytes *first = kmalloc(sizeof(*first), 0);
	int error;

	if (!first)
		return -ENOMEM;
	error = find_loader(loader, program, first);
	kfree(first);
	return error;
}

void program_put(struct program *program)
{
	if (program->file)
		file_put(program->file);
	program->file = NULL;
}

/* ---- memory ---- */

static int map_segment(const struct program *program, struct mm *mm,
		       const struct elf_program_header *segment)
{
	uint32_t start = (program->bias + segment->vaddr) & PAGE_MASK;
	uint32_t file_end = PAGE_ALIGN(program->bias + segment->vaddr + segment->filesz);
	uint32_t end = PAGE_ALIGN(program->bias + segment->vaddr + segment->memsz);
	unsigned int flags = VMA_MAY_WRITE | (segment->flags & PF_R ? VMA_READ : 0) |
			     (segment->flags & PF_W ? VMA_WRITE : 0) |
			     (segment->flags & PF_X ? VMA_EXEC : 0);
	int error = 0;

	if (segment->filesz)
		error = mm_map(mm, start, file_end - start, flags, program->file,
			       segment->offset >> PAGE_SHIFT);
	else
		file_end = start;
	if (error == 0 && end > file_end)
		error = mm_map(mm, file_end, end - file_end, flags, NULL, 0);
	return error;
}

int program_map(struct program *program, struct mm *mm)
{
	int error = 0;

	for (unsigned int i = 0; i < program->image.nr_segments && error == 0; i++)
		error = map_segment(program, mm, &program->image.segments[i]);
	return error;
}

int program_map_loader(struct program *loader, struct mm *mm)
{
	uintptr_t start = loader->image.segments[0].vaddr & PAGE_MASK, gap;

	/* No other task uses the address space yet, so the gap stays one. */
	if (mutex_lock_killable(&mm->lock) < 0)
		return -ERESTARTSYS;
	gap = mm_find_gap(mm, loader->image.high - start);
	mutex_unlock(&mm->lock);
	if (!gap)
		return -ENOMEM;
	loader->bias = gap - start;
	return program_map(loader, mm);
}

int program_clear_tails(const struct program *program)
{
	for (unsigned int i = 0; i < program->image.nr_segments; i++) {
		const struct elf_program_header *segment = &program->image.segments[i];
		uint32_t end = program->bias + segment->vaddr + segment->filesz;
		uint32_t room = PAGE_ALIGN(end) - end;

		if (segment->filesz && segment->flags & PF_W && room &&
		    clear_user((void __user *)end, room) < 0)
			return -EFAULT;
	}
	return 0;
}
