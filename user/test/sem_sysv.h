/* System V semaphores: what their tests share. */
#ifndef USER_TEST_SEM_SYSV_H
#define USER_TEST_SEM_SYSV_H

#include "background.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#define KEY 0x5e62
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif
/* The numbers of the calls on i386. */
enum { DIRECT_SEMGET = 393, DIRECT_SEMCTL, DIRECT_SEMTIMEDOP = 420 };

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

struct semid64 { /* linux/sem.h on i386 */
	int key;
	unsigned int uid, gid, cuid, cgid;
	unsigned short mode, pad1, seq, pad2;
	unsigned int unused[2];
	unsigned int otime, otime_high, ctime, ctime_high, nsems, unused2[2];
};

__attribute__((unused)) static int id;

__attribute__((unused)) static void set_up(int nr)
{
	id = semget(IPC_PRIVATE, nr, 0600);
	CHECK(id >= 0);
}

__attribute__((unused)) static void clean_up(void)
{
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

__attribute__((unused)) static int op(int number, int change, int flags)
{
	struct sembuf sops = { number, change, flags };

	return semop(id, &sops, 1);
}

__attribute__((unused)) static int value(int number)
{
	return semctl(id, number, GETVAL);
}

__attribute__((unused)) static void set(int number, int to)
{
	CHECK_EQ(semctl(id, number, SETVAL, (union semun){ .val = to }), 0);
}

/* Wait until that many tasks wait for the semaphore. */
__attribute__((unused)) static void await(int number, int command, int nr)
{
	while (semctl(id, number, command) != nr)
		test_sleep_ms(1);
}

#endif
