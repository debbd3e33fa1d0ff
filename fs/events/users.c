/* What each user has. The contract is in fs/events/users.h. */
#include "fs/events/users.h"
#include "kernel/process/process.h"
#include "mm/slab.h"

struct event_user {
	struct list link;
	uint32_t uid;
	unsigned int refs, has[EVENT_OBJECTS];
};

static spinlock_t users_lock = SPINLOCK_INIT("event users"); /* guards the list and all counts */
static struct list users = LIST_INIT(users);

/*
 * Returns the user with one more reference, or NULL if it is not on the list. users_lock is held.
 */
static struct event_user *find(uint32_t uid)
{
	struct event_user *user;

	list_for_each(user, &users, link) {
		if (user->uid == uid) {
			user->refs++;
			return user;
		}
	}
	return NULL;
}

struct event_user *event_user_get(void)
{
	uint32_t uid = current->process ? current->process->cred.uid : 0;
	struct event_user *user, *fresh;

	spin_lock(&users_lock);
	user = find(uid);
	spin_unlock(&users_lock);
	if (user)
		return user;
	fresh = kzalloc(sizeof(*fresh), 0);
	if (!fresh)
		return NULL;
	fresh->uid = uid;
	fresh->refs = 1;
	spin_lock(&users_lock);
	user = find(uid);
	if (!user)
		list_add(&users, &fresh->link);
	spin_unlock(&users_lock);
	if (!user)
		return fresh;
	kfree(fresh);
	return user;
}

void event_user_put(struct event_user *user)
{
	bool last;

	spin_lock(&users_lock);
	last = --user->refs == 0;
	if (last)
		list_del(&user->link);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

bool event_user_more(struct event_user *user, enum event_object object, unsigned int limit)
{
	bool fits;

	spin_lock(&users_lock);
	fits = user->has[object] < limit;
	user->has[object] += fits;
	spin_unlock(&users_lock);
	return fits;
}

void event_user_less(struct event_user *user, enum event_object object)
{
	spin_lock(&users_lock);
	user->has[object]--;
	spin_unlock(&users_lock);
}
