/*
 * /proc/config.gz: what this kernel has, in the words of Linux's configuration, for programs that
 * ask there.
 *
 * The file is a gzip file with one block that is not compressed (RFC 1951, 3.2.4, and RFC 1952).
 * Only what programs look for is listed. What is not listed is not there.
 */
#include "fs/proc/proc.h"
#include "lib/crc32.h"

static const char config[] = "CONFIG_X86=y\n"
			     "CONFIG_X86_32=y\n"
			     "CONFIG_X86_PAE=y\n"
			     "CONFIG_X86_IOPL_IOPERM=y\n"
			     "CONFIG_SMP=y\n"
			     "CONFIG_HZ=100\n"
			     "CONFIG_HZ_100=y\n"
			     "CONFIG_HIGH_RES_TIMERS=y\n"
			     "CONFIG_POSIX_TIMERS=y\n"
			     "CONFIG_BINFMT_ELF=y\n"
			     "CONFIG_BINFMT_SCRIPT=y\n"
			     "CONFIG_SYSVIPC=y\n"
			     "CONFIG_SYSVIPC_SYSCTL=y\n"
			     "CONFIG_POSIX_MQUEUE=y\n"
			     "CONFIG_POSIX_MQUEUE_SYSCTL=y\n"
			     "CONFIG_CHECKPOINT_RESTORE=y\n"
			     "CONFIG_PROC_CHILDREN=y\n"
			     "CONFIG_KCMP=y\n"
			     "CONFIG_CROSS_MEMORY_ATTACH=y\n"
			     "CONFIG_FUTEX=y\n"
			     "CONFIG_FUTEX_PI=y\n"
			     "CONFIG_MEMBARRIER=y\n"
			     "CONFIG_MULTIUSER=y\n"
			     "CONFIG_UID16=y\n"
			     "CONFIG_SGETMASK_SYSCALL=y\n"
			     "CONFIG_SYSFS_SYSCALL=y\n"
			     "CONFIG_PRINTK=y\n"
			     "CONFIG_EPOLL=y\n"
			     "CONFIG_EVENTFD=y\n"
			     "CONFIG_SIGNALFD=y\n"
			     "CONFIG_TIMERFD=y\n"
			     "CONFIG_INOTIFY_USER=y\n"
			     "CONFIG_FILE_LOCKING=y\n"
			     "CONFIG_ADVISE_SYSCALLS=y\n"
			     "CONFIG_MMU=y\n"
			     "CONFIG_HIGHMEM=y\n"
			     "CONFIG_HUGETLB_PAGE=y\n"
			     "CONFIG_SHMEM=y\n"
			     "CONFIG_TMPFS=y\n"
			     "CONFIG_MEMFD_CREATE=y\n"
			     "CONFIG_BLOCK=y\n"
			     "CONFIG_EXT2_FS=y\n"
			     "CONFIG_EXT3_FS=y\n"
			     "CONFIG_PROC_FS=y\n"
			     "CONFIG_PROC_SYSCTL=y\n"
			     "CONFIG_DEVPTS_FS=y\n"
			     "CONFIG_UNIX98_PTYS=y\n"
			     "CONFIG_TTY=y\n"
			     "CONFIG_NET=y\n"
			     "CONFIG_UNIX=y\n"
			     "CONFIG_IKCONFIG=y\n"
			     "CONFIG_IKCONFIG_PROC=y\n";

#define CONFIG_LEN   (sizeof(config) - 1)
#define STORED_BLOCK 1 /* the last block, not compressed */

static void put_bytes(struct text *text, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		text_printf(text, "%c", (int)(value >> 8 * i & 0xff));
}

static void config_show(struct text *text)
{
	put_bytes(text, 0x00088b1f, 4); /* gzip, deflate, no flags */
	put_bytes(text, 0, 4);		/* no time */
	put_bytes(text, 0x0300, 2);	/* made on Unix */
	put_bytes(text, STORED_BLOCK, 1);
	put_bytes(text, CONFIG_LEN, 2);
	put_bytes(text, ~CONFIG_LEN, 2);
	text_printf(text, "%s", config);
	put_bytes(text, crc32(0, config, CONFIG_LEN), 4);
	put_bytes(text, CONFIG_LEN, 4);
}
PROC_FILE(config, "config.gz", 0444, config_show, NULL);
