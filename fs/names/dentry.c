/*
 * The dentry cache: names in directories.
 *
 * 1. dcache_lock, a plain spinlock, guards names, the tree, the hash table and the LRU list. A
 *    dentry holds a reference to its parent, so there is always a path up to the root.
 * 2. A name enters the hash with its directory's lock held, after its file system has been searched
 *    for it. So each name has one dentry. A negative dentry may become positive, but not the other
 *    way round: the dentry of a removed name is unhashed, and lookups no longer find it.
 * 3. An unused dentry stays on the LRU list, oldest first, and keeps its inode in memory. The list
 *    is bounded. Memory pressure, drop_caches and unmount shrink it. The dentry of a removed name
 *    is freed at once. With names_stay (tmpfs), an unused dentry that has an inode is on no list,
 *    and only removal or unmount frees it.
 * 4. refs becomes zero, and ceases to be zero, only under dcache_lock.
 * 5. inode_put() may sleep, so it is called after dcache_lock is released. Dentries that are to be
 *    freed are therefore first gathered in a list of victims.
 */
#include "lib/string.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "mm/slab.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

#define FIRST_COOKIE	  2	/* 0 is ".", 1 is ".." */
#define DENTRY_HASH_SIZE  1024u /* a power of two */
#define DENTRY_UNUSED_MAX 2048u /* the LRU list's limit */
#define DENTRIES_A_PAGE	  8u	/* roughly, with their inodes */

spinlock_t dcache_lock = SPINLOCK_INIT("dcache");
static struct list dentry_hash[DENTRY_HASH_SIZE];
static struct list unused = LIST_INIT(unused);
static unsigned int nr_unused;
SLAB_CACHE(dentry_cache, "dentry", struct dentry, 0);

static struct list *hash_chain(const struct dentry *dir, unsigned int hash)
{
	unsigned int key = hash ^ (uintptr_t)dir >> 4;

	return &dentry_hash[(key ^ key >> 16) & (DENTRY_HASH_SIZE - 1)];
}

/* ---- references ---- */

static void dentry_hold(struct dentry *dentry)
{
	lockdep_held(&dcache_lock);
	if (!list_empty(&dentry->lru)) {
		list_del(&dentry->lru);
		nr_unused--;
	}
	atomic_inc(&dentry->refs);
}

/*
 * Remove an unreferenced dentry from the tree and the hash, and add it to the victims. The caller
 * drops its reference to the parent.
 */
static void dentry_remove(struct dentry *dentry, struct list *victims)
{
	lockdep_held(&dcache_lock);
	list_del(&dentry->hash_link);
	list_del(&dentry->sibling);
	list_add_tail(victims, &dentry->lru);
}

static void unused_add(struct dentry *dentry)
{
	list_add_tail(&unused, &dentry->lru);
	nr_unused++;
}

/* Drop a reference. Removed dentries that become unused, up to the root, become victims. */
static void dentry_release(struct dentry *dentry, struct list *victims)
{
	lockdep_held(&dcache_lock);
	while (atomic_dec_and_test(&dentry->refs)) {
		struct dentry *parent = dentry->parent;

		if (!dentry->unhashed) {
			if (!dentry->inode || !dentry->sb->names_stay)
				unused_add(dentry);
			return;
		}
		dentry_remove(dentry, victims);
		if (parent == dentry)
			return;
		dentry = parent;
	}
}

/* Make an unused dentry a victim. */
static void dentry_evict(struct dentry *dentry, struct list *victims)
{
	struct dentry *parent = dentry->parent;

	list_del(&dentry->lru);
	nr_unused--;
	dentry_remove(dentry, victims);
	if (parent != dentry)
		dentry_release(parent, victims);
}

/*
 * Freeing such a dentry's inode would have to wait for its disk. A lookup must not wait for the
 * disk of another file system.
 */
static bool is_being_read(const struct dentry *dentry)
{
	return dentry->inode && atomic_read(&dentry->inode->mapping.reads) > 0;
}

static unsigned int free_victims(struct list *victims)
{
	unsigned int nr = 0;

	while (!list_empty(victims)) {
		struct dentry *dentry = list_first(victims, struct dentry, lru);

		list_del(&dentry->lru);
		if (dentry->inode && dentry->inode->nr_links == 0)
			notify_gone(dentry->inode, IN_DELETE_SELF);
		inode_put(dentry->inode);
		kfree(dentry->name);
		slab_free(dentry_cache, dentry);
		nr++;
	}
	return nr;
}

void dentry_get(struct dentry *dentry)
{
	atomic_inc(&dentry->refs); /* the caller has one */
}

void dentry_put(struct dentry *dentry)
{
	struct list victims = LIST_INIT(victims);

	if (!dentry || atomic_dec_not_one(&dentry->refs))
		return;
	spin_lock(&dcache_lock);
	dentry_release(dentry, &victims);
	/* If every inode is being read, the list exceeds its limit for a while. */
	for (unsigned int tries = nr_unused; tries > 0 && nr_unused > DENTRY_UNUSED_MAX; tries--) {
		struct dentry *oldest = list_first(&unused, struct dentry, lru);

		if (is_being_read(oldest)) {
			list_del(&oldest->lru);
			list_add_tail(&unused, &oldest->lru);
		} else {
			dentry_evict(oldest, &victims);
		}
	}
	spin_unlock(&dcache_lock);
	free_victims(&victims);
}

struct dentry *dentry_parent(struct dentry *dentry)
{
	struct dentry *parent;

	spin_lock(&dcache_lock);
	parent = dentry->parent;
	dentry_hold(parent);
	spin_unlock(&dcache_lock);
	return parent;
}

/* ---- making and finding ---- */

static struct dentry *dentry_alloc(struct super_block *sb, const struct name *name)
{
	struct dentry *dentry = slab_alloc(dentry_cache, ALLOC_ZERO);

	if (!dentry)
		return NULL;
	dentry->name = kmalloc(name->len + 1, 0);
	if (!dentry->name) {
		slab_free(dentry_cache, dentry);
		return NULL;
	}
	memcpy(dentry->name, name->text, name->len);
	dentry->name[name->len] = '\0';
	dentry->name_len = name->len;
	dentry->hash = name->hash;
	dentry->sb = sb;
	dentry->parent = dentry;
	atomic_set(&dentry->refs, 1);
	list_init(&dentry->children);
	list_init(&dentry->sibling);
	list_init(&dentry->hash_link);
	list_init(&dentry->lru);
	return dentry;
}

/* Make a dentry without a parent. Takes over the reference to the inode, even on failure. */
static struct dentry *dentry_make_root(struct inode *inode)
{
	struct name name = { "/", 1, 0 };
	struct dentry *dentry = dentry_alloc(inode->sb, &name);

	if (dentry)
		dentry->inode = inode;
	else
		inode_put(inode);
	return dentry;
}

int super_set_root(struct super_block *sb, struct inode *root)
{
	if (IS_ERR(root))
		return PTR_ERR(root);
	sb->root = dentry_make_root(root);
	return sb->root ? 0 : -ENOMEM;
}

struct dentry *dentry_make_nameless(struct inode *inode)
{
	struct dentry *dentry;

	inode_get(inode);
	dentry = dentry_make_root(inode);
	if (dentry)
		dentry->unhashed = true;
	return dentry;
}

struct dentry *dentry_make_deleted(struct dentry *dir, const struct name *name, struct inode *inode)
{
	struct dentry *dentry = dentry_alloc(inode->sb, name);

	if (!dentry) {
		inode_put(inode);
		return NULL;
	}
	dentry->inode = inode;
	dentry->unhashed = true;
	spin_lock(&dcache_lock);
	dentry_hold(dir);
	dentry->parent = dir;
	list_add_tail(&dir->children, &dentry->sibling);
	spin_unlock(&dcache_lock);
	return dentry;
}

struct dentry *dentry_make_early(struct super_block *sb, const struct name *name)
{
	struct dentry *dentry = dentry_alloc(sb, name);

	if (dentry)
		dentry->unhashed = true; /* so the last dentry_put() frees it */
	return dentry;
}

void dentry_set_inode(struct dentry *dentry, struct inode *inode)
{
	spin_lock(&dcache_lock);
	dentry->inode = inode;
	spin_unlock(&dcache_lock);
}

static struct dentry *dentry_find(struct dentry *dir, const struct name *name)
{
	struct dentry *dentry, *found = NULL;

	spin_lock(&dcache_lock);
	list_for_each(dentry, hash_chain(dir, name->hash), hash_link) {
		if (dentry->hash == name->hash && dentry->parent == dir &&
		    dentry->name_len == name->len && !memcmp(dentry->name, name->text, name->len)) {
			dentry_hold(dentry);
			found = dentry;
			break;
		}
	}
	spin_unlock(&dcache_lock);
	return found;
}

struct dentry *dentry_of_inode(const struct inode *inode)
{
	struct dentry *dentry, *found = NULL;

	spin_lock(&dcache_lock);
	if (inode->sb->root->inode == inode)
		found = inode->sb->root;
	for (unsigned int i = 0; !found && i < DENTRY_HASH_SIZE; i++)
		list_for_each(dentry, &dentry_hash[i], hash_link)
			if (dentry->inode == inode)
				found = dentry;
	if (found)
		dentry_hold(found);
	spin_unlock(&dcache_lock);
	return found;
}

/* Put the dentry into the hash, and behind all others in its directory. */
static void dentry_place(struct dentry *dir, struct dentry *dentry)
{
	static file_off_t last_cookie = FIRST_COOKIE;

	lockdep_held(&dcache_lock);
	dentry_hold(dir);
	dentry->parent = dir;
	dentry->cookie = last_cookie++;
	list_add_tail(&dir->children, &dentry->sibling);
	list_add(hash_chain(dir, dentry->hash), &dentry->hash_link);
}

void dentry_add(struct dentry *dir, struct dentry *dentry, struct inode *inode)
{
	spin_lock(&dcache_lock);
	dentry->inode = inode;
	dentry->unhashed = false;
	dentry_place(dir, dentry);
	spin_unlock(&dcache_lock);
}

/* Is a name that leads to `inode` still valid? NULL means a negative dentry. */
static bool name_is_true(struct dentry *dir, struct inode *inode)
{
	bool (*revalidate)(struct inode *) = dir->inode->ops->revalidate;

	return !revalidate || (inode && revalidate(inode));
}

/* Returns the cached dentry of a name with a reference, or NULL if there is no valid one. */
static struct dentry *dentry_find_valid(struct dentry *dir, const struct name *name)
{
	struct dentry *dentry = dentry_find(dir, name);

	if (!dentry || name_is_true(dir, dentry->inode))
		return dentry;
	dentry_unhash(dentry);
	dentry_put(dentry);
	return NULL;
}

struct search {
	struct dir_context context;
	uint64_t found;
};

static bool compare(struct dir_context *context, const char *name, size_t len, uint64_t number,
		    unsigned int type)
{
	struct search *search = container_of(context, struct search, context);

	if (len != context->wanted->len || memcmp(name, context->wanted->text, len))
		return true;
	search->found = number;
	return false;
}

/*
 * Search the directory for a name that is not cached. Returns its inode with a reference, NULL if
 * the name does not exist, or ERR_PTR.
 */
static struct inode *dentry_search(struct dentry *dir, const struct name *name)
{
	struct search search = { .context = { .emit = compare, .wanted = name } };
	struct inode *inode;
	int error;

	if (dir->sb->names_stay)
		return NULL;
	error = dir->inode->ops->readdir(dir, &search.context);
	if (!search.found)
		return ERR_PTR(error);
	inode = inode_get_number(dir->sb, search.found);
	if (IS_ERR(inode) || name_is_true(dir, inode))
		return inode;
	inode_put(inode);
	return NULL;
}

struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name)
{
	struct dentry *dentry;
	struct inode *inode;

	assert(mutex_held(&dir->inode->lock));
	if (dir->inode->deleted)
		return ERR_PTR(-ENOENT);
	dentry = dentry_find_valid(dir, name);
	if (dentry)
		return dentry;
	inode = dentry_search(dir, name);
	if (!inode && dir->sb->makes_names)
		return ERR_PTR(-ENOENT);
	if (IS_ERR(inode))
		return (void *)inode;
	dentry = dentry_alloc(dir->sb, name);
	if (!dentry) {
		inode_put(inode);
		return ERR_PTR(-ENOMEM);
	}
	dentry->inode = inode;
	spin_lock(&dcache_lock);
	dentry_place(dir, dentry);
	spin_unlock(&dcache_lock);
	return dentry;
}

struct dentry *dentry_lookup_cached(struct dentry *dir, const struct name *name)
{
	struct dentry *dentry = dentry_find_valid(dir, name);

	return dentry ? dentry : ERR_PTR(-EAGAIN);
}

struct dentry *dentry_lookup(struct dentry *dir, const struct name *name)
{
	struct dentry *dentry = dentry_find_valid(dir, name);
	int error;

	if (dentry)
		return dentry;
	error = mutex_lock_killable(&dir->inode->lock);
	if (error)
		return ERR_PTR(error);
	dentry = dentry_lookup_locked(dir, name);
	mutex_unlock(&dir->inode->lock);
	return dentry;
}

/* ---- changing ---- */

void dentry_unhash(struct dentry *dentry)
{
	struct list victims = LIST_INIT(victims);
	struct dentry *child, *next;

	spin_lock(&dcache_lock);
	list_del(&dentry->hash_link);
	dentry->unhashed = true;
	/* Unused negative dentries below it would keep its inode in memory. */
	list_for_each_safe(child, next, &dentry->children, sibling)
		if (!list_empty(&child->lru))
			dentry_evict(child, &victims); /* the caller's reference keeps dentry */
	spin_unlock(&dcache_lock);
	free_victims(&victims);
}

/* dcache_lock is held. Each is placed anew afterwards, because its hash is another one. */
static void swap_names(struct dentry *a, struct dentry *b)
{
	struct dentry names = *a;

	a->name = b->name;
	a->name_len = b->name_len;
	a->hash = b->hash;
	b->name = names.name;
	b->name_len = names.name_len;
	b->hash = names.hash;
}

void dentry_move(struct dentry *old, struct dentry *target)
{
	struct list victims = LIST_INIT(victims);
	struct dentry *from = old->parent;

	dentry_unhash(target);
	spin_lock(&dcache_lock);
	swap_names(old, target);
	list_del(&old->hash_link);
	list_del(&old->sibling);
	dentry_place(target->parent, old);
	dentry_release(from, &victims);
	spin_unlock(&dcache_lock);
	free_victims(&victims);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct list victims = LIST_INIT(victims);
	struct dentry *a_parent = a->parent, *b_parent = b->parent;

	spin_lock(&dcache_lock);
	swap_names(a, b);
	list_del(&a->hash_link);
	list_del(&a->sibling);
	list_del(&b->hash_link);
	list_del(&b->sibling);
	dentry_place(b_parent, a);
	dentry_place(a_parent, b);
	dentry_release(a_parent, &victims); /* not the last reference: the caller has one */
	dentry_release(b_parent, &victims);
	spin_unlock(&dcache_lock);
}

bool dentry_below(struct dentry *dentry, struct dentry *ancestor)
{
	bool found;

	spin_lock(&dcache_lock);
	while (dentry != ancestor && dentry->parent != dentry)
		dentry = dentry->parent;
	found = dentry == ancestor;
	spin_unlock(&dcache_lock);
	return found;
}

/* ---- directories whose names stay ---- */

int dentry_readdir(struct dentry *dir, struct dir_context *context)
{
	struct dentry *child;

	if (!dir_emit_dots(context, dir->inode->number, dir->parent->inode->number))
		return 0;
	spin_lock(&dcache_lock); /* held over emit, which fills a kernel buffer and never sleeps */
	list_for_each(child, &dir->children, sibling) {
		if (child->cookie < context->pos || !child->inode || child->unhashed)
			continue;
		context->pos = child->cookie;
		if (!context->emit(context, child->name, child->name_len, child->inode->number,
				   DT_OF_MODE(child->inode->mode)))
			break;
		context->pos++;
	}
	spin_unlock(&dcache_lock);
	return 0;
}

bool dentry_is_empty(struct dentry *dir)
{
	struct dentry *child;
	bool empty = true;

	spin_lock(&dcache_lock);
	list_for_each(child, &dir->children, sibling)
		empty &= !child->inode || child->unhashed;
	spin_unlock(&dcache_lock);
	return empty;
}

/* ---- giving back ---- */

/*
 * Evict up to `wanted` unused dentries of one file system, or of any if sb is NULL, oldest first.
 * Those whose inodes have pages are evicted only if `thorough`. Returns how many were freed.
 */
static unsigned int evict_unused(unsigned int wanted, const struct super_block *sb, bool thorough)
{
	struct list victims = LIST_INIT(victims);
	struct list *link;

	spin_lock(&dcache_lock);
	for (link = unused.next; link != &unused && wanted > 0; link = link->next) {
		struct dentry *dentry = list_entry(link, struct dentry, lru);
		struct inode *inode = dentry->inode;

		if (sb ? dentry->sb != sb : is_being_read(dentry))
			continue;
		if (!thorough && inode &&
		    (inode->mapping.pages.count || atomic_read(&inode->mapping.reads) ||
		     inode->nr_links == 0))
			continue;
		link = link->prev; /* its parent may join the list's end: visited later */
		dentry_evict(dentry, &victims);
		wanted--;
	}
	spin_unlock(&dcache_lock);
	return free_victims(&victims);
}

void dentry_drop_all(struct super_block *sb)
{
	struct dentry *dentry;

	spin_lock(&dcache_lock);
	for (unsigned int i = 0; sb->names_stay && i < DENTRY_HASH_SIZE; i++)
		list_for_each(dentry, &dentry_hash[i], hash_link)
			if (dentry->sb == sb && atomic_read(&dentry->refs) == 0 &&
			    list_empty(&dentry->lru))
				unused_add(dentry);
	sb->names_stay = false;
	spin_unlock(&dcache_lock);
	evict_unused(UINT32_MAX, sb, true);
	sb->root->unhashed = true;
	dentry_put(sb->root);
}

unsigned int dcache_shrink(unsigned int wanted)
{
	return evict_unused(wanted, NULL, true);
}

/*
 * Called when an allocation finds too little memory. The allocating task may hold any lock, so
 * evict only dentries whose inodes have no pages: then nothing needs to be written or waited for.
 * The page cache has its own shrinker for pages.
 */
static unsigned int shrink_for_memory(unsigned int wanted)
{
	return DIV_ROUND_UP(evict_unused(wanted * DENTRIES_A_PAGE, NULL, false), DENTRIES_A_PAGE);
}

static struct shrinker dentry_shrinker = { .shrink = shrink_for_memory };

static void dentry_init(void)
{
	for (unsigned int i = 0; i < DENTRY_HASH_SIZE; i++)
		list_init(&dentry_hash[i]);
	shrinker_register(&dentry_shrinker);
}
INITCALL(1, dentry_init);
