/* Descriptors, sources and sinks: see files.h. */
#include "fs/file/file.h"
#include "fs/names/vfs_internal.h"
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"
#include "files.h"

struct inode file_inode;
static struct file file;
static struct file_table table;

void files_open_file(struct file *file)
{
	static struct fd_slot slots[FD_MAX];

	for (int i = 0; i < 2; i++) {
		slots[FD_READ0 + 2 * i].file = ends[i].pipe ? &ends[i].reader : NULL;
		slots[FD_WRITE0 + 2 * i].file = ends[i].pipe ? &ends[i].writer : NULL;
	}
	slots[FD_FILE].file = file;
	atomic_set(&table.users, 1);
	table.size = FD_MAX;
	table.slots = slots;
	for (int i = 0; i <= MAX_TASKS; i++)
		ex_tasks[i].files = &table;
}

void files_open(const struct file_ops *ops)
{
	if (atomic_read(&file_inode.refs) == 0)
		atomic_set(&file_inode.refs, 1);
	mutex_init(&file_inode.lock, "inode");
	file = (struct file){
		.ops = ops, .inode = &file_inode, .readable = true, .writable = true
	};
	atomic_set(&file.refs, 1);
	files_open_file(ops ? &file : NULL);
}

int fd_add(struct file *file, bool cloexec)
{
	int fd = FD_MADE;

	while (table.slots[fd].file)
		must(++fd < FD_MAX);
	table.slots[fd].file = file;
	return fd;
}

/* Only one task of a scenario may do this. */
int fd_reserve(unsigned int from, bool cloexec)
{
	int fd = FD_MADE;

	while (table.slots[fd].file || table.slots[fd].used)
		must(++fd < FD_MAX);
	table.slots[fd].used = true;
	return fd;
}

void fd_install(int fd, struct file *file)
{
	table.slots[fd].file = file;
}

void fd_unreserve(int fd)
{
	table.slots[fd].used = false;
}

void files_close_made(int fd)
{
	file_put(table.slots[fd].file);
	table.slots[fd].file = NULL;
}

void inode_get(struct inode *inode)
{
	atomic_inc(&inode->refs);
}

bool inode_owner_or_root(const struct inode *inode)
{
	return true;
}

void inode_put(struct inode *inode)
{
	must(!inode || !atomic_dec_and_test(&inode->refs));
}

/* All sockets have the same one, which nobody looks at. */
struct inode *inode_anonymous(unsigned int mode, const char *kind)
{
	static struct inode inode = { .refs = ATOMIC_INIT(1) };

	inode_get(&inode);
	return &inode;
}

/* Files of scenarios have no names. */
void path_put(const struct path *path)
{
}

void mount_end_writing(struct mount *mount)
{
}

/* Every path leads to the file. */
int path_lookup_user(int dirfd, const char __user *name, unsigned int flags, struct path *path)
{
	static struct dentry dentry = { .inode = &file_inode };

	*path = (struct path){ .dentry = &dentry };
	return 0;
}

int inode_permission(struct inode *inode, unsigned int may)
{
	return 0;
}

spinlock_t dcache_lock = SPINLOCK_INIT("dcache");

void inode_init_special(struct inode *inode, unsigned int mode, unsigned int rdev)
{
}

/* ---- sinks ---- */

static ssize_t take_one_byte(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	void *from = slot_map(slots->slots, 0);

	got_byte(*(unsigned char *)from);
	slot_unmap(slots->slots, from);
	slot_list_consume(slots, 1);
	return 1;
}

const struct file_ops one_byte_sink = { .splice_write = take_one_byte };

/* ---- sources ---- */

static ssize_t give_one_byte(struct file *file, file_off_t *pos, size_t len,
			     struct slot_list *slots)
{
	struct page *page = page_alloc(0, 0);

	if (!page)
		return -ENOMEM;
	*(unsigned char *)page_address_low(page) = 0x30;
	atomic_set(&page->lent, 1);
	slots->slots[slots->nr++] = (struct pipe_slot){ page, 0, 1, &anon_slot_ops, 0, 0 };
	return 1;
}

const struct file_ops one_byte_source = { .splice_read = give_one_byte };

/* A file that can seek: byte 0 is at position 0, and the end behind it. */
static ssize_t give_first_byte(struct file *file, file_off_t *pos, size_t len,
			       struct slot_list *slots)
{
	return *pos > 0 ? 0 : (*pos += give_one_byte(file, pos, len, slots));
}

static file_off_t no_seek(struct file *file, file_off_t offset, int whence)
{
	return -ESPIPE;
}

const struct file_ops one_byte_file = { .splice_read = give_first_byte, .llseek = no_seek };

long long file_position(void)
{
	return file.pos;
}

static struct page *cold;
static struct wait_queue disk_queue;
static spinlock_t disk_lock;
static int requests;
bool disk_failing, reader_killed;

/* A file system may wait for its block map here, so the task must not hold up others. */
static void request(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	for (int i = 0; i < 2; i++)
		must(!ends[i].pipe || !mutex_held(&ends[i].pipe->ring.consumer));
	spin_lock(&disk_lock);
	requests += nr;
	spin_unlock(&disk_lock);
	wake_all(&disk_queue);
}

static const struct mapping_ops cold_mapping_ops = { .read_pages = request, .has_store = true };

static ssize_t give_cold_page(struct file *file, file_off_t *pos, size_t len,
			      struct slot_list *slots)
{
	must(page_get(cold));
	atomic_inc(&cold->lent);
	inode_get(&file_inode);
	slots->slots[slots->nr++] =
		(struct pipe_slot){ cold, 0, 2, &coming_slot_ops, 0, (unsigned long)&file_inode };
	return 2;
}

const struct file_ops cold_source = {
	.splice_read = give_cold_page,
	.splice_write = null_splice_write,
};

void cold_page_make(void)
{
	spin_init(&disk_lock, "disk");
	wait_queue_init(&disk_queue, "disk");
	file_inode.mapping.ops = &cold_mapping_ops;
	file_inode.mapping.inode = &file_inode;
	atomic_set(&file_inode.refs, 1);
	atomic_set(&file_inode.mapping.reads, 1);
	requests = 1;
	cold = page_alloc(0, 0);
	cold->flags = PG_LOCKED;
	cold->mapping = &file_inode.mapping;
	ex_object(&file_inode, "inode", "inode");
}

static bool request_came(void)
{
	bool came;

	spin_lock(&disk_lock);
	came = requests > 0;
	requests -= came;
	spin_unlock(&disk_lock);
	return came;
}

void disk_serve(int n)
{
	for (int i = 0; i < n; i++) {
		wait_event(&disk_queue, request_came());
		if (reader_killed && i == 0)
			set_bits(&cold->flags, PG_NOT_READ);
		if ((disk_failing || reader_killed) && i == 0) {
			page_read_done(cold, false);
			continue;
		}
		((unsigned char *)page_address_low(cold))[0] = 0x30;
		((unsigned char *)page_address_low(cold))[1] = 0x31;
		page_read_done(cold, true);
	}
}

int cold_page_wait(void)
{
	return page_wait_read(cold);
}

bool cold_page_lose(void)
{
	if (!page_trylock(cold))
		return false;
	WRITE_ONCE(cold->mapping, NULL);
	page_unlock(cold);
	return true;
}

void cold_page_put(void)
{
	must(!(cold->flags & PG_LOCKED));
	page_put(cold);
}

/* ---- calls ---- */

long splice_byte(int from, int to, unsigned int flags)
{
	return sys_splice(from, NULL, to, NULL, 1, flags);
}

long splice_bytes(int from, int to, size_t len)
{
	return sys_splice(from, NULL, to, NULL, len, 0);
}

long tee_byte(int from, int to)
{
	return sys_tee(from, to, 1, 0);
}

void move_bytes(int n)
{
	while (n-- > 0)
		must(splice_byte(FD_READ0, FD_WRITE1, 0) == 1);
}

void pipe_drain(int number)
{
	int byte;

	ends[number].reader.flags |= O_NONBLOCK;
	while ((byte = pipe_get_byte(number)) >= 0)
		got_byte(byte);
	must(byte == -EAGAIN || byte == -1);
}
