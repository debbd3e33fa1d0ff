/*
 * Cases that take longer than their time, for the test of the frame itself (tests/guest-tool/hang).
 * This program is not in the root image.
 */
#include "../test.h"

static void work(long long ms)
{
	long long end = test_ms() + ms;

	while (test_ms() < end)
		;
}

TEST(sleeps, 1, "a case that sleeps is ended when its time is over")
{
	test_sleep_ms(20000);
}

TEST(works, 1, "a case that works may take longer than its time")
{
	work(3000);
}

TEST(spins, 1, "a case that works for ever is ended, too")
{
	work(60000);
}
