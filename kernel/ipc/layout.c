/* Descriptions of System V IPC objects, in their newer and older form. See kernel/ipc/layout.h. */
#include "kernel/ipc/layout.h"
#include "lib/errno.h"
#include "mm/vm/uaccess.h"

#define OVERFLOW_ID 65534u
#define ROUND_SHIFT 15 /* the id's upper part is the sequence number that programs see */

struct ipc64_perm ipc_perm_of(const struct ipc_object *object)
{
	return (struct ipc64_perm){
		.key = object->key,
		.uid = object->uid,
		.gid = object->gid,
		.cuid = object->cuid,
		.cgid = object->cgid,
		.mode = object->mode,
		.seq = object->id >> ROUND_SHIFT,
	};
}

static uint16_t narrow_id(uint32_t id)
{
	return id > UINT16_MAX ? OVERFLOW_ID : id;
}

uint16_t ipc_narrow(uint32_t number)
{
	return MIN(number, (uint32_t)UINT16_MAX);
}

struct ipc_old_perm ipc_old_perm_of(const struct ipc64_perm *perm)
{
	return (struct ipc_old_perm){
		.key = perm->key,
		.uid = narrow_id(perm->uid),
		.gid = narrow_id(perm->gid),
		.cuid = narrow_id(perm->cuid),
		.cgid = narrow_id(perm->cgid),
		.mode = perm->mode,
		.seq = perm->seq,
	};
}

int ipc_perm_from_user(struct ipc64_perm *perm, const void __user *from, bool old)
{
	struct ipc_old_perm narrow;

	if (!old)
		return copy_from_user(perm, from, sizeof(*perm));
	if (copy_from_user(&narrow, from, sizeof(narrow)) < 0)
		return -EFAULT;
	*perm = (struct ipc64_perm){ .uid = narrow.uid, .gid = narrow.gid, .mode = narrow.mode };
	return 0;
}

int ipc_set_locked(struct ipc_object *object, const struct ipc64_perm *perm)
{
	if (perm->uid == UINT32_MAX || perm->gid == UINT32_MAX)
		return -EINVAL;
	object->uid = perm->uid;
	object->gid = perm->gid;
	object->mode = (object->mode & ~0777u) | (perm->mode & 0777);
	return 0;
}
