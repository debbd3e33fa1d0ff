/* Limits for waits that look again and again. The contract is in kernel/time_limit.h. */
#include "kernel/time_limit.h"
#include "kernel/time.h"

#define LOOKS 16u

struct time_limit time_limit(uint64_t ns)
{
	return (struct time_limit){ .left = ns, .most = ns / LOOKS, .last = time_now() };
}

bool time_limit_over(struct time_limit *limit)
{
	uint64_t now = time_now(), passed = MIN(now - limit->last, limit->most);

	if (limit->left == 0)
		return true;
	limit->last = now;
	limit->left -= MIN(limit->left, passed);
	return false;
}
