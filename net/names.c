/*
 * Names of AF_UNIX sockets: paths and abstract names. The contract is in net/socket.h.
 */
#include "net/socket.h"
#include "fs/file/file.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "fs/names/lookup.h"

#define NAME_LEN   110u /* sizeof(struct sockaddr_un) */
#define FAMILY_LEN 2u
#define DIGITS	   5u /* of a name that the kernel chooses */

/* Of struct socket; guarded by sockets_lock. */
static struct list abstract_names = LIST_INIT(abstract_names);

/* A name that begins with a NUL is abstract: it is not a path in a file system. */
static bool is_abstract(const struct socket_name *name)
{
	return name->bytes[FAMILY_LEN] == 0;
}

/* Returns the socket with that abstract name and type, or NULL. sockets_lock is held. */
static struct socket *find_abstract(struct socket_name *name, int type)
{
	struct socket *socket;

	list_for_each(socket, &abstract_names, abstract_link) {
		if (socket->type == type && socket->name->len == name->len &&
		    !memcmp(socket->name->bytes, name->bytes, name->len))
			return socket;
	}
	return NULL;
}

struct socket_name *socket_name_from_user(const void __user *from, unsigned int len)
{
	static const uint16_t family = AF_UNIX;
	struct socket_name *name;
	int error = 0;

	if (len <= FAMILY_LEN || len > NAME_LEN)
		return ERR_PTR(refuse(EINVAL, "no address has that length"));
	name = kzalloc(sizeof(*name), 0);
	if (!name)
		return ERR_PTR(-ENOMEM);
	atomic_set(&name->refs, 1);
	if (copy_from_user(name->bytes, from, len))
		error = -EFAULT;
	else if (memcmp(name->bytes, &family, FAMILY_LEN))
		error = refuse(EINVAL, "an address of another family");
	/* A path ends at its first NUL. An abstract name consists of all its bytes. */
	name->len = is_abstract(name) ? len : FAMILY_LEN + strlen(name->bytes + FAMILY_LEN) + 1;
	if (!error)
		return name;
	kfree(name);
	return ERR_PTR(error);
}

int socket_without_family(const void __user *from, unsigned int len)
{
	uint16_t family;

	if (len < FAMILY_LEN || len > ADDRESS_MAX)
		return 0;
	if (copy_from_user(&family, from, sizeof(family)))
		return -EFAULT;
	return family == AF_UNSPEC;
}

int socket_name_to_user(struct socket_name *name, void __user *to, int32_t __user *len)
{
	static const uint16_t family = AF_UNIX;
	const void *bytes = name ? name->bytes : (const void *)&family;
	unsigned int n = name ? name->len : FAMILY_LEN;
	uint32_t room;

	if (get_user_u32(&room, len))
		return -EFAULT;
	if ((int32_t)room < 0)
		return refuse(EINVAL, "a negative length");
	if (copy_to_user(to, bytes, MIN(room, n)))
		return -EFAULT;
	return put_user_u32(n, len);
}

/* Returns the inode at a path, with a reference, or ERR_PTR. `follow` is 0 or LOOKUP_FOLLOW. */
static struct inode *find_node(struct socket_name *name, unsigned int follow)
{
	struct inode *node;
	struct path path;
	int error = path_lookup(AT_FDCWD, name->bytes + FAMILY_LEN, follow, &path);

	if (error)
		return ERR_PTR(error);
	node = path.dentry->inode;
	inode_get(node);
	path_put(&path);
	return node;
}

static struct socket *get_abstract(struct socket_name *name, int type)
{
	struct socket *socket;

	spin_lock(&sockets_lock);
	socket = find_abstract(name, type);
	if (socket)
		atomic_inc(&socket->refs);
	spin_unlock(&sockets_lock);
	return socket ? socket : ERR_PTR(-ECONNREFUSED);
}

static struct socket *find_by_path(struct socket_name *name, int type)
{
	struct inode *node = find_node(name, LOOKUP_FOLLOW);
	struct socket *socket;
	int error;

	if (IS_ERR(node))
		return ERR_PTR(PTR_ERR(node));
	error = inode_permission(node, MAY_WRITE);
	spin_lock(&sockets_lock);
	socket = S_ISSOCK(node->mode) ? node->socket : NULL;
	if (socket)
		atomic_inc(&socket->refs);
	spin_unlock(&sockets_lock);
	inode_put(node);
	if (!error && !socket)
		error = -ECONNREFUSED;
	else if (!error && socket->type != type)
		error = -EPROTOTYPE;
	if (!error)
		return socket;
	if (socket)
		socket_put(socket);
	return ERR_PTR(error);
}

struct socket *socket_find(struct socket_name *name, int type)
{
	return is_abstract(name) ? get_abstract(name, type) : find_by_path(name, type);
}

static int bind_abstract(struct socket *socket, struct socket_name *name)
{
	int error = 0;

	spin_lock(&sockets_lock);
	if (socket->name) {
		error = refuse(EINVAL, "the socket already has a name");
	} else if (find_abstract(name, socket->type)) {
		error = -EADDRINUSE;
	} else {
		store_release(&socket->name, socket_name_get(name));
		list_add(&abstract_names, &socket->abstract_link);
	}
	spin_unlock(&sockets_lock);
	return error;
}

/* Refuse a second name. As on Linux, it counts more that the name is taken. */
static int bind_again(struct socket_name *name)
{
	struct inode *node = is_abstract(name) ? ERR_PTR(-ENOENT) : find_node(name, 0);

	if (IS_ERR(node))
		return refuse(EINVAL, "the socket has a name");
	inode_put(node);
	return -EADDRINUSE;
}

static int bind_to_path(struct socket *socket, struct socket_name *name)
{
	struct inode *node;
	int error = path_make_node(AT_FDCWD, name->bytes + FAMILY_LEN, S_IFSOCK | 0777, 0);

	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	node = find_node(name, 0);
	if (IS_ERR(node))
		return PTR_ERR(node);
	spin_lock(&sockets_lock);
	if (socket->name) {
		error = refuse(EINVAL, "the socket already has a name");
	} else if (!S_ISSOCK(node->mode) || node->socket) {
		error = -EADDRINUSE;
	} else {
		store_release(&socket->name, socket_name_get(name));
		socket->node = node;
		node->socket = socket;
	}
	spin_unlock(&sockets_lock);
	if (error)
		inode_put(node);
	return error;
}

/*
 * Give the socket an abstract name that no other one has: five hexadecimal digits. It keeps the
 * name that it may have. Returns 0, -ENOMEM, or -ENOSPC if all such names are in use.
 */
static int bind_to_any(struct socket *socket)
{
	static struct atomic last = ATOMIC_INIT(0);
	struct socket_name *name = kzalloc(sizeof(*name), 0);
	int error = -EADDRINUSE;

	if (!name)
		return -ENOMEM;
	atomic_set(&name->refs, 1);
	memcpy(name->bytes, &(uint16_t){ AF_UNIX }, FAMILY_LEN);
	name->len = FAMILY_LEN + 1 + DIGITS;
	for (unsigned int i = 0; i < 1u << 4 * DIGITS && error == -EADDRINUSE; i++) {
		snprintf(name->bytes + FAMILY_LEN + 1, DIGITS + 1, "%05x",
			 (unsigned int)atomic_add_return(&last, 1) & ((1u << 4 * DIGITS) - 1));
		error = load_acquire(&socket->name) ? 0 : bind_abstract(socket, name);
	}
	socket_name_put(name);
	return error == -EADDRINUSE ? -ENOSPC : error;
}

/* An address that is only a family asks for any name. */
static int bind_to_family(struct socket *socket, const void __user *address)
{
	uint16_t family;

	if (copy_from_user(&family, address, sizeof(family)))
		return -EFAULT;
	if (family != AF_UNIX)
		return refuse(EINVAL, "an address of another family");
	return bind_to_any(socket);
}

long socket_bind(struct file *file, const void __user *address, unsigned int len)
{
	struct socket *socket = file->private;
	struct socket_name *name;
	long error;

	if (len == FAMILY_LEN)
		return bind_to_family(socket, address);
	name = socket_name_from_user(address, len);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (load_acquire(&socket->name))
		error = bind_again(name);
	else
		error = is_abstract(name) ? bind_abstract(socket, name)
					  : bind_to_path(socket, name);
	socket_name_put(name);
	return error;
}

long socket_getsockname(struct file *file, void __user *address, int32_t __user *len)
{
	struct socket *socket = file->private;

	return socket_name_to_user(load_acquire(&socket->name), address, len);
}

long socket_getpeername(struct file *file, void __user *address, int32_t __user *len)
{
	struct socket *peer = socket_peer(file->private);
	long error;

	if (!peer)
		return -ENOTCONN;
	error = socket_name_to_user(load_acquire(&peer->name), address, len);
	socket_put(peer);
	return error;
}
