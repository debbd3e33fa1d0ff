/*
 * The structures of System V IPC in a program's memory, on i386: asm-generic/ipcbuf.h, shmbuf.h and
 * msgbuf.h, asm/sembuf.h, linux/shm.h, sem.h and msg.h.
 *
 * Each structure that tells of an object has an older form, with ids and counts of 16 bits. ipc(2)
 * uses it unless the command has IPC_64. The calls with numbers of their own know only the newer
 * form.
 */
#ifndef KERNEL_IPC_LAYOUT_H
#define KERNEL_IPC_LAYOUT_H

#include "kernel/ipc/ipc.h"

#define IPC_64 0x0100u

struct ipc64_perm {
	int32_t key;
	uint32_t uid, gid, cuid, cgid;
	uint16_t mode, pad1, seq, pad2;
	uint32_t unused[2];
};

struct ipc_old_perm {
	int32_t key;
	uint16_t uid, gid, cuid, cgid, mode, seq;
};

/* A structure's times have 64 bits, at addresses that are a multiple of 4. */
typedef int64_t ipc_time64 __attribute__((aligned(4)));

struct shmid64_ds {
	struct ipc64_perm perm;
	uint32_t size;
	ipc_time64 atime, dtime, ctime;
	uint32_t cpid, lpid, nattch;
	uint32_t unused[2];
};

struct shmid_old_ds {
	struct ipc_old_perm perm;
	int32_t size;
	int32_t atime, dtime, ctime;
	uint16_t cpid, lpid, nattch, unused;
	uint32_t unused2, unused3;
};

struct semid64_ds {
	struct ipc64_perm perm;
	ipc_time64 otime, ctime;
	uint32_t nsems;
	uint32_t unused[2];
};

struct semid_old_ds {
	struct ipc_old_perm perm;
	int32_t otime, ctime;
	uint32_t base, pending, pending_last, undo;
	uint16_t nsems, pad;
};

struct msqid64_ds {
	struct ipc64_perm perm;
	ipc_time64 stime, rtime, ctime;
	uint32_t cbytes, qnum, qbytes;
	uint32_t lspid, lrpid;
	uint32_t unused[2];
};

struct msqid_old_ds {
	struct ipc_old_perm perm;
	uint32_t first, last;
	int32_t stime, rtime, ctime;
	uint32_t lcbytes, lqbytes;
	uint16_t cbytes, qnum, qbytes, lspid, lrpid, pad;
};

_Static_assert(sizeof(struct ipc64_perm) == 36 && sizeof(struct ipc_old_perm) == 16, "ipc_perm");
_Static_assert(sizeof(struct shmid64_ds) == 84 && sizeof(struct shmid_old_ds) == 48, "shmid_ds");
_Static_assert(sizeof(struct semid64_ds) == 64 && sizeof(struct semid_old_ds) == 44, "semid_ds");
_Static_assert(sizeof(struct msqid64_ds) == 88 && sizeof(struct msqid_old_ds) == 56, "msqid_ds");

struct shminfo64 {
	uint32_t shmmax, shmmin, shmmni, shmseg, shmall;
	uint32_t unused[4];
};

struct shm_info {
	int32_t used_ids;
	uint32_t shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes;
};

struct seminfo {
	int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};

struct msginfo {
	int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	uint16_t msgseg, pad;
};

/* Describe an object. table->lock is held. */
struct ipc64_perm ipc_perm_of(const struct ipc_object *object);
/* The older forms of a description, an id, and a number that may be larger than they can hold. */
struct ipc_old_perm ipc_old_perm_of(const struct ipc64_perm *perm);
uint16_t ipc_narrow(uint32_t number);
/*
 * Read the owner and mode of IPC_SET's argument into the perm, which is at the start of both forms.
 * Returns 0 or -EFAULT. May sleep.
 */
int ipc_perm_from_user(struct ipc64_perm *perm, const void __user *from, bool old);
/* Set the object's owner and permissions to those. table->lock is held. Returns 0 or -EINVAL. */
int ipc_set_locked(struct ipc_object *object, const struct ipc64_perm *perm);

/* The commands of the three calls, in either form of their structures. They may sleep. */
long shm_control(int id, int command, void __user *argument, bool old);
long sem_control(int id, int number, int command, unsigned long argument, bool old);
long msg_control(int id, int command, void __user *argument, bool old);

#endif
