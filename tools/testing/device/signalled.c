// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that get a signal while they wait: each of COUNT processes makes one
 * call, with a handler for SIGUSR1. When a line comes on standard input each
 * gets that signal. In the end it is told how many calls ended how.
 *
 *   signalled flock|readdir|readlink|statfs FILE COUNT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_COUNT 1000

/* Exit status of a call that was not made. */
#define NO_CALL 255

static void handler(int number)
{
	(void)number;
}

static int call_flock(const char *path)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		exit(NO_CALL);
	return flock(fd, LOCK_EX) ? errno : 0;
}

static int call_readdir(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir)
		exit(NO_CALL);
	errno = 0;
	while (readdir(dir))
		;
	return errno;
}

static int call_readlink(const char *path)
{
	char target[PATH_MAX];

	return readlink(path, target, sizeof(target)) < 0 ? errno : 0;
}

static int call_statfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) ? errno : 0;
}

static const struct {
	const char *name;
	int (*make)(const char *path);
} calls[] = {
	{ "flock", call_flock },
	{ "readdir", call_readdir },
	{ "readlink", call_readlink },
	{ "statfs", call_statfs },
};

/* The exit status is the call's errno. */
static pid_t start(const char *name, const char *path)
{
	const struct sigaction action = { .sa_handler = handler };
	pid_t pid = fork();

	if (pid)
		return pid;
	sigaction(SIGUSR1, &action, NULL);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!strcmp(name, calls[i].name))
			exit(calls[i].make(path));
	}
	exit(NO_CALL);
}

static void tell(const unsigned int *ended, unsigned int killed)
{
	for (int err = 0; err < 256; err++) {
		if (ended[err])
			printf("%u %s\n", ended[err], strerror(err));
	}
	if (killed)
		printf("%u killed\n", killed);
}

int main(int argc, char **argv)
{
	unsigned int ended[256] = { 0 }, killed = 0;
	int count = argc == 4 ? atoi(argv[3]) : 0;
	pid_t pids[MAX_COUNT];
	char line[80];
	int status;

	if (count < 1 || count > MAX_COUNT) {
		fprintf(stderr, "usage: signalled CALL FILE COUNT\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		pids[i] = start(argv[1], argv[2]);
	if (fgets(line, sizeof(line), stdin)) {
		for (int i = 0; i < count; i++)
			kill(pids[i], SIGUSR1);
	}
	while (wait(&status) > 0) {
		if (WIFEXITED(status))
			ended[WEXITSTATUS(status)]++;
		else
			killed++;
	}
	tell(ended, killed);
	return 0;
}
