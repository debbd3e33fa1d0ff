/*
 * A program for a debugger: functions that call each other, a variable to watch, threads, a child.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct account {
	int balance;
	const char *owner;
};

static volatile int total;
static pthread_barrier_t both;

__attribute__((noinline)) int deposit(struct account *account, int amount)
{
	account->balance += amount;
	total += amount;
	return account->balance;
}

__attribute__((noinline)) int pay(struct account *account, int times)
{
	int balance = 0;

	for (int i = 1; i <= times; i++)
		balance = deposit(account, i * 10);
	return balance;
}

void *worker(void *arg)
{
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	return arg;
}

void meet(void)
{
	pthread_t thread;

	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&thread, NULL, worker, NULL);
	pthread_barrier_wait(&both);
	puts("met");
	pthread_barrier_wait(&both);
	pthread_join(thread, NULL);
}

int child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(7);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct account account = { 5, "anna" };

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("balance %d\n", pay(&account, 3));
	if (argc > 1 && argv[1][0] == 's')
		for (;;)
			sleep(1000);
	meet();
	printf("child %d, total %d\n", child(), total);
	if (argc > 1 && argv[1][0] == 'c')
		*(volatile int *)8 = 1;
	return 3;
}
