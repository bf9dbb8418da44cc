// SPDX-License-Identifier: GPL-2.0
/*
 * The time and the counters of a command as a whole:
 *
 *   run NAME COMMAND [ARGUMENT]...
 */
#include <stdio.h>
#include "measure.h"

int main(int argc, char **argv)
{
	struct counts before, after;
	uint64_t begin, took;

	if (argc < 3) {
		fprintf(stderr, "usage: run NAME COMMAND [ARGUMENT]...\n");
		return 2;
	}
	counts_read(&before);
	begin = now();
	if (!run_command(argv + 2))
		return 1;
	took = now() - begin;
	counts_read(&after);
	tell(argv[1], &took, 1, took, &before, &after);
	return 0;
}
