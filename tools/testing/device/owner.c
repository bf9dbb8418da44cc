// SPDX-License-Identifier: GPL-2.0
/*
 * Reads FILE, past the page cache, into memory that somebody else goes on with.
 * When the call or its caller is gone the memory is filled with a pattern; when a
 * line comes on standard input it is told how many of its bytes are another's.
 *
 *   owner aio FILE      the thread that asks ends, another one takes the answer
 *   owner shared FILE   a child asks, its parent has the same memory
 *   owner vm FILE       the same, and the child has all memory of its parent
 *   owner vfork FILE    the same, and the parent waits until the child is gone
 *
 * Says "asked PID", whose process it is that asks, "back RESULT" when the memory is its own again
 * (the bytes that were read, or the child's wait status), and "overwritten COUNT".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096
#define STACK (64 << 10)
#define PATTERN 0xa5

static unsigned char *buffer;
static int file;

/* What is behind it may end before its output is flushed. */
static void say(const char *word, long number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %ld\n", word, number);

	if (write(1, line, len) != len)
		_exit(2);
}

static void go_on_with_memory(void)
{
	unsigned int others = 0;
	char line[80];

	memset(buffer, PATTERN, SIZE);
	if (!fgets(line, sizeof(line), stdin))
		_exit(2);
	for (int i = 0; i < SIZE; i++)
		others += buffer[i] != PATTERN;
	say("overwritten", others);
	_exit(0);
}

static void *take_event(void *arg)
{
	aio_context_t context = (uintptr_t)arg;
	struct io_event event = { 0 };
	long got;

	do
		got = syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
	while (got < 0 && errno == EINTR);
	say("back", got == 1 ? event.res : -errno);
	go_on_with_memory();
	return NULL;
}

static void aio(void)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = file,
		.aio_buf = (uintptr_t)buffer, .aio_nbytes = SIZE,
	};
	struct iocb *list[] = { &cb };
	aio_context_t context = 0;
	pthread_t thread;

	if (syscall(SYS_io_setup, 1, &context))
		exit(2);
	say("asked", getpid());
	if (syscall(SYS_io_submit, context, 1, list) != 1 ||
	    pthread_create(&thread, NULL, take_event, (void *)(uintptr_t)context))
		exit(2);
	pthread_exit(NULL);
}

static int ask(void *arg)
{
	(void)arg;
	say("asked", getpid());
	_exit(pread(file, buffer, SIZE, 0) != SIZE);
}

/* The flags are those of clone(): what the child has in common with its parent. */
static void child(int flags)
{
	char *stack = malloc(STACK);
	int status = 0;
	pid_t pid;

	if (!stack)
		exit(2);
	pid = clone(ask, stack + STACK, flags | SIGCHLD, NULL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(2);
	say("back", status);
	go_on_with_memory();
}

int main(int argc, char **argv)
{
	const char *how = argc == 3 ? argv[1] : "";
	int sharing = strcmp(how, "shared") ? MAP_PRIVATE : MAP_SHARED;

	file = argc == 3 ? open(argv[2], O_RDONLY | O_DIRECT) : -1;
	buffer = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
	if (file < 0 || buffer == MAP_FAILED) {
		fprintf(stderr, "usage: owner aio|shared|vm|vfork FILE\n");
		return 2;
	}
	if (!strcmp(how, "aio"))
		aio();
	else if (!strcmp(how, "shared"))
		child(0);
	else if (!strcmp(how, "vm"))
		child(CLONE_VM);
	else if (!strcmp(how, "vfork"))
		child(CLONE_VM | CLONE_VFORK);
	return 2;
}
