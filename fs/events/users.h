/*
 * What each user has of the objects that fs/events limits. The user is the one who made an object,
 * by real user id.
 */
#ifndef FS_EVENTS_USERS_H
#define FS_EVENTS_USERS_H

#include "lib/types.h"

enum event_object { EPOLL_ITEMS, INOTIFY_INSTANCES, INOTIFY_WATCHES, EVENT_OBJECTS };

struct event_user;

/*
 * Returns the current user with a reference, or NULL if there is no memory. May sleep.
 * event_user_put() drops the reference. It never sleeps.
 */
struct event_user *event_user_get(void);
void event_user_put(struct event_user *user);
/*
 * Count one more object, or return false if the user has `limit` of them already. event_user_less()
 * counts one less. Never sleep.
 */
bool event_user_more(struct event_user *user, enum event_object object, unsigned int limit);
void event_user_less(struct event_user *user, enum event_object object);

#endif
