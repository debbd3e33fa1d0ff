/*
 * ipc(2): all calls of System V IPC under one number. The C libraries still use it for those that
 * have no number of their own, semop(2) above all, and old programs use it for all.
 */
#include "kernel/ipc/layout.h"
#include "kernel/ipc/sem.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "mm/vm/uaccess.h"

enum ipc_calls { /* linux/ipc.h */
		 SEMOP = 1,
		 SEMGET = 2,
		 SEMCTL = 3,
		 SEMTIMEDOP = 4,
		 MSGSND = 11,
		 MSGRCV = 12,
		 MSGGET = 13,
		 MSGCTL = 14,
		 SHMAT = 21,
		 SHMDT = 22,
		 SHMGET = 23,
		 SHMCTL = 24,
};
#define CALL(word)	 ((word)&0xffff)
#define VERSION(word)	 ((word) >> 16)
#define IS_OLD(command)	 (!((command)&IPC_64))
#define COMMAND(command) ((int)((command) & ~IPC_64))

static long semctl_at(int id, int number, unsigned int command, const void __user *argument)
{
	uint32_t value;

	if (!argument)
		return refuse(EINVAL, "there is no pointer to the argument");
	if (get_user_u32(&value, argument) < 0)
		return -EFAULT;
	return sem_control(id, number, COMMAND(command), value, IS_OLD(command));
}

/* The oldest form of msgrcv has the buffer and the type in memory. */
static long msgrcv_at(int id, const void __user *arguments, size_t len, unsigned int flags)
{
	uint32_t pair[2];

	if (!arguments)
		return refuse(EINVAL, "there is no pointer to the arguments");
	if (copy_from_user(pair, arguments, sizeof(pair)) < 0)
		return -EFAULT;
	return sys_msgrcv(id, (void __user *)(uintptr_t)pair[0], len, (int32_t)pair[1], flags);
}

/* The address does not fit into a result that may be an error, so it is written to memory. */
static long shmat_to(int id, uintptr_t at, unsigned int flags, void __user *to)
{
	long result = sys_shmat(id, at, flags);

	if ((unsigned long)result >= (unsigned long)-MAX_ERRNO)
		return result;
	return put_user_u32(result, to);
}

long sys_ipc(unsigned int word, int first, unsigned long second, unsigned long third,
	     void __user *pointer, long fifth)
{
	switch (CALL(word)) {
	case SEMOP:
		return sem_timed_operate(first, pointer, second, NULL, false);
	case SEMTIMEDOP:
		return sem_timed_operate(first, pointer, second, (void __user *)fifth, false);
	case SEMGET:
		return sys_semget(first, second, third);
	case SEMCTL:
		return semctl_at(first, second, third, pointer);
	case MSGSND:
		return sys_msgsnd(first, pointer, second, third);
	case MSGRCV:
		return VERSION(word) == 0 ? msgrcv_at(first, pointer, second, third)
					  : sys_msgrcv(first, pointer, second, fifth, third);
	case MSGGET:
		return sys_msgget(first, second);
	case MSGCTL:
		return msg_control(first, COMMAND(second), pointer, IS_OLD(second));
	case SHMAT:
		return VERSION(word) == 1
			       ? refuse(EINVAL, "a form that only iBCS2 programs use")
			       : shmat_to(first, (uintptr_t)pointer, second, (void __user *)third);
	case SHMDT:
		return sys_shmdt((uintptr_t)pointer);
	case SHMGET:
		return sys_shmget(first, second, third);
	case SHMCTL:
		return shm_control(first, COMMAND(second), pointer, IS_OLD(second));
	default: /* no such operation: Linux answers with this, too */
		return -ENOSYS;
	}
}
