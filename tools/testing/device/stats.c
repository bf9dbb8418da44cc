// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the server for a file's attributes, again and again, without a look at what
 * is cached, and tells how many milliseconds that took in all, and one at most.
 *
 *   stats FILE COUNT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;
	long begin = now_us(), last = begin, longest = 0;
	struct statx st;

	if (count < 1) {
		fprintf(stderr, "usage: stats FILE COUNT\n");
		return 2;
	}
	for (long i = 0; i < count; i++) {
		long now;

		if (statx(AT_FDCWD, argv[1], AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st)) {
			perror(argv[1]);
			return 1;
		}
		now = now_us();
		if (now - last > longest)
			longest = now - last;
		last = now;
	}
	printf("%ld %ld\n", (last - begin) / 1000, longest / 1000);
	return 0;
}
