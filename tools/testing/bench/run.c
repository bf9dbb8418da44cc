// SPDX-License-Identifier: GPL-2.0
/*
 * The time and the counters of a command as a whole:
 *
 *   run NAME COMMAND [ARGUMENT]...
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "measure.h"

int main(int argc, char **argv)
{
	struct counts before, after;
	uint64_t begin, took;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: run NAME COMMAND [ARGUMENT]...\n");
		return 2;
	}
	counts_read(&before);
	begin = now();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		/* The measurement's lines go to standard output. */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	took = now() - begin;
	counts_read(&after);
	if (status)
		return 1;
	tell(argv[1], &took, 1, took, &before, &after);
	return 0;
}
