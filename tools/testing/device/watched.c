// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command while there is an inotify watch of a file.
 *
 *   watched FILE COMMAND [ARGUMENT...]
 */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = inotify_init();

	if (argc < 3 || inotify_add_watch(fd, argv[1], IN_DELETE_SELF) < 0) {
		perror("watched");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
