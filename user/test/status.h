/* The exit status of a test program that ran one case. */
#ifndef USER_TEST_STATUS_H
#define USER_TEST_STATUS_H

enum test_status {
	TEST_PASSED = 0,
	TEST_FAILED = 1,  /* by a check of its own */
	TEST_NO_CASE = 2, /* of that name */
	TEST_DIED = 3,	  /* by a signal, out of time, by a system call that is not there, ... */
	TEST_LACKS = 4,	  /* the kernel has not got what the case is about: test_open_own() */
};

#endif
