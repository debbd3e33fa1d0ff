/* Random numbers for tests. The same seed gives the same numbers. */
#ifndef USER_TEST_RANDOM_H
#define USER_TEST_RANDOM_H

#include <stdint.h>

static uint32_t random_state; /* the seed, which is not 0 */

__attribute__((unused)) static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

__attribute__((unused)) static unsigned int random_below(unsigned int n)
{
	return next_random() % n;
}

#endif
