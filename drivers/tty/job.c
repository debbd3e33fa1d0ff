/*
 * Job control: sessions, their controlling terminal, and the foreground group.
 *
 * 1. A terminal belongs to at most one session, and a session has at most one terminal.
 *    tty->session (guarded by tty->lock) and process->tty of every process in the session (guarded
 *    by tasks_lock) change together. The lock order is tasks_lock, tty->lock.
 * 2. Only the foreground group may read. A background process that tries to is stopped by SIGTTIN.
 *    A background process that changes the terminal, or writes while TOSTOP is set, gets SIGTTOU.
 * 3. Signals are sent without tty->lock, because sending takes tasks_lock.
 */
#include "drivers/tty/tty.h"
#include "fs/file/open_file.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

enum job_ioctl { /* asm-generic/ioctls.h of Linux */
		 TIOCSCTTY = 0x540e,
		 TIOCGPGRP = 0x540f,
		 TIOCSPGRP = 0x5410,
		 TIOCNOTTY = 0x5422,
		 TIOCGSID = 0x5429,
		 TIOCVHANGUP = 0x5437,
};

struct tty *tty_current(void)
{
	return current->process ? READ_ONCE(current->process->tty) : NULL;
}

struct tty *tty_current_get(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct tty *tty = tty_current();

	if (tty)
		tty_get(tty); /* the session still has its own */
	spin_unlock_irqrestore(&tasks_lock, flags);
	return tty;
}

/* Is the signal blocked or ignored by the current process? */
static bool signal_has_no_effect(int signo)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool nothing = (current->blocked & SIG_BIT(signo)) || signal_action_ignores(process, signo);

	spin_unlock_irqrestore(&tasks_lock, flags);
	return nothing;
}

int tty_check_foreground(struct tty *tty, int signo)
{
	struct process *process = current->process;
	unsigned int flags, foreground;
	bool orphaned;

	if (tty_current() != tty)
		return 0;
	foreground = READ_ONCE(tty->foreground);
	if (foreground == 0 || foreground == process->pgid)
		return 0;
	if (signal_has_no_effect(signo))
		return signo == SIGTTIN ? -EIO : 0;
	flags = spin_lock_irqsave(&tasks_lock);
	orphaned = process_group_orphaned(process->pgid, NULL);
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (orphaned)
		return -EIO;
	signal_send_group(process->pgid, signo, NULL);
	return -ERESTARTSYS;
}

int tty_acquire(struct tty *tty, const struct file *file)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int error = 0;

	spin_lock(&tty->lock);
	if (process->pid != process->sid || (process->tty && process->tty != tty) ||
	    (tty->session != 0 && tty->session != process->sid)) {
		error = -EPERM;
	} else if (file ? tty_file_hung_up(file) : tty->hung_up) {
		error = -EIO;
	} else if (tty->session == 0) {
		tty_get(tty);
		WRITE_ONCE(tty->session, process->sid);
		WRITE_ONCE(tty->foreground, process->pgid);
	}
	if (!error)
		process->tty = tty;
	spin_unlock(&tty->lock);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/*
 * No process has the tty any more. Returns the session that had it, or 0, and its foreground group.
 * The caller drops that session's reference when it has released tasks_lock.
 */
static unsigned int tty_detach(struct tty *tty, unsigned int *foreground)
{
	struct process *process;
	unsigned int session;

	lockdep_held(&tasks_lock);
	spin_lock(&tty->lock);
	session = tty->session;
	*foreground = tty->foreground;
	WRITE_ONCE(tty->session, 0);
	WRITE_ONCE(tty->foreground, 0);
	spin_unlock(&tty->lock);
	list_for_each(process, &all_processes, all_link) {
		if (process->tty == tty)
			process->tty = NULL;
	}
	return session;
}

static void hang_up_group(unsigned int group)
{
	if (group == 0)
		return;
	signal_send_group(group, SIGHUP, NULL);
	signal_send_group(group, SIGCONT, NULL);
}

void tty_leave_session(void)
{
	struct process *process = current->process;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	unsigned int foreground = process->hung_up_group, session = 0;
	struct tty *tty = process->tty;

	process->hung_up_group = 0;
	if (tty)
		session = tty_detach(tty, &foreground);
	spin_unlock_irqrestore(&tasks_lock, flags);
	hang_up_group(foreground);
	if (session)
		tty_put(tty);
}

/* `finally`: the other end was closed. Otherwise the tty is only taken away from its files. */
static void hang_up(struct tty *tty, bool finally)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	unsigned int foreground, session;
	struct process *leader = NULL, *process;

	spin_lock(&tty->lock);
	if (finally)
		WRITE_ONCE(tty->hung_up, true);
	else
		WRITE_ONCE(tty->hang_ups, tty->hang_ups + 1);
	spin_unlock(&tty->lock);
	session = tty_detach(tty, &foreground);
	list_for_each(process, &all_processes, all_link) {
		if (session && process->pid == session && process->sid == session)
			leader = process;
	}
	if (leader) {
		leader->hung_up_group = foreground;
		signal_send_locked(leader, NULL, SIGHUP, NULL);
		signal_send_locked(leader, NULL, SIGCONT, NULL);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	/*
	 * A reader or writer joins its queue first, and then looks at hung_up or hang_ups. So it
	 * has seen the change, or is woken here.
	 */
	wake_all_for(&tty->readable, WAKE_STATE);
	wake_all_for(&tty->writable, WAKE_STATE);
	if (session)
		tty_put(tty);
}

void tty_hang_up(struct tty *tty)
{
	hang_up(tty, true);
}

/* With read_lock held, no old file takes bytes that are for a new one. */
int tty_hang_up_files(struct tty *tty)
{
	int error = mutex_lock_killable(&tty->read_lock);

	if (error)
		return error;
	hang_up(tty, false);
	tty_reset(tty);
	mutex_unlock(&tty->read_lock);
	return 0;
}

long sys_vhangup(void)
{
	struct tty *tty;
	int error = 0;

	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty = tty_current_get();
	if (tty) {
		error = tty_hang_up_files(tty);
		tty_put(tty);
	}
	return error;
}

void tty_signal_foreground(struct tty *tty, int signo)
{
	unsigned int foreground = READ_ONCE(tty->foreground);

	if (foreground != 0)
		signal_send_group(foreground, signo, NULL);
}

/* The current process gives its terminal up. With the leader, the whole session does. */
static long give_up(struct tty *tty)
{
	struct process *process = current->process;
	unsigned int flags;

	if (tty_current() != tty)
		return -ENOTTY;
	if (process->pid == process->sid) {
		tty_leave_session();
		return 0;
	}
	flags = spin_lock_irqsave(&tasks_lock);
	process->tty = NULL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

/* Returns the session of a process group, or 0 if there is no such group. */
static unsigned int group_session(unsigned int pgid)
{
	struct process *process;

	lockdep_held(&tasks_lock);
	list_for_each(process, &all_processes, all_link) {
		if (process->pgid == pgid)
			return process->sid;
	}
	return 0;
}

static long set_foreground(struct tty *tty, unsigned long argument)
{
	unsigned int sid = current->process->sid;
	unsigned int flags, group_sid;
	uint32_t pgid;
	long error;

	if (tty_current() != tty || READ_ONCE(tty->session) != sid)
		return -ENOTTY;
	if (get_user_u32(&pgid, (void __user *)argument) < 0)
		return -EFAULT;
	if (pgid == 0 || pgid > INT32_MAX)
		return refuse(EINVAL, "no such process group");
	error = tty_check_foreground(tty, SIGTTOU);
	if (error < 0)
		return error;

	flags = spin_lock_irqsave(&tasks_lock);
	spin_lock(&tty->lock);
	group_sid = group_session(pgid);
	if (tty->session != sid)
		error = -ENOTTY;
	else if (group_sid == 0)
		error = -ESRCH;
	else if (group_sid != sid)
		error = -EPERM;
	else
		WRITE_ONCE(tty->foreground, pgid);
	spin_unlock(&tty->lock);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

long tty_job_ioctl(struct tty *tty, const struct file *file, unsigned int command,
		   unsigned long argument)
{
	switch (command) {
	case TIOCSCTTY: /* the argument may ask to steal another session's terminal: never done */
		return tty_acquire(tty, file);
	case TIOCNOTTY:
		return give_up(tty);
	case TIOCVHANGUP:
		if (!file)
			return -ENOTTY;
		return capable(CAP_SYS_ADMIN) ? tty_hang_up_files(tty) : -EPERM;
	case TIOCSPGRP:
		return set_foreground(tty, argument);
	case TIOCGPGRP:
	case TIOCGSID:
		if (tty_current() != tty)
			return -ENOTTY;
		return put_user_u32(command == TIOCGSID ? READ_ONCE(tty->session)
							: READ_ONCE(tty->foreground),
				    (void __user *)argument);
	}
	return -ENOTTY;
}
