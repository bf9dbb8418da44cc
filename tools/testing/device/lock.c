// SPDX-License-Identifier: GPL-2.0
/*
 * Locks of open files (F_OFD_SETLK) and of processes (F_SETLK), for which a shell has no
 * command.
 *
 *   lock try read|write FILE   succeeds if the lock is to be had now
 *   lock hold read|write FILE  takes the lock, and has it until it is killed
 *   lock upgrade FILE          has a read lock, while another process waits with the
 *                              same open file for a write lock; says its number
 *   lock take read|write FD    takes a lock for the process
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set(int fd, int command, int type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, command, &lock) ? 1 : 0;
}

static int say(long number)
{
	printf("%ld\n", number);
	return fflush(stdout) ? 1 : 0;
}

static int hold(int fd, int type)
{
	if (set(fd, F_OFD_SETLK, type) || say(getpid()))
		return 1;
	pause();
	return 0;
}

static int upgrade(int fd)
{
	pid_t pid;

	if (set(fd, F_OFD_SETLK, F_RDLCK))
		return 1;
	pid = fork();
	if (!pid)
		return set(fd, F_OFD_SETLKW, F_WRLCK);
	if (pid < 0 || say(pid))
		return 1;
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	int fd, type;

	if (argc < 3)
		return 2;
	type = !strcmp(argv[2], "read") ? F_RDLCK : F_WRLCK;
	if (!strcmp(argv[1], "take"))
		return set(atoi(argv[argc - 1]), F_SETLK, type);
	fd = open(argv[argc - 1], O_RDWR);
	if (fd < 0)
		return 1;
	if (!strcmp(argv[1], "upgrade"))
		return upgrade(fd);
	if (!strcmp(argv[1], "try"))
		return set(fd, F_OFD_SETLK, type);
	if (!strcmp(argv[1], "hold"))
		return hold(fd, type);
	return 2;
}
