// SPDX-License-Identifier: GPL-2.0
/*
 * A task that only computes, beside one that only does file calls: what does
 * the driver leave to the neighbour, and what does the neighbour leave to it?
 *
 *   neighbour FILE CALLS
 *
 * One line has the calls, one after another, another one the time that the neighbour
 * loses for each of them. The neighbour's own line has the time that it takes for what it does in a
 * second when it is alone, beside calls at a fixed rate, so that nobody is charged for
 * being fast.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "measure.h"

#define SECOND		1000000000ULL
/* Long enough to see many of the scheduler's slices */
#define ALONE_US	500000
/* Between two calls, if their rate is fixed: more than a driver takes for one, as a rule */
#define PERIOD		1000000ULL
/* Work between two looks at the counter, so that the memory is not what is measured */
#define SPINS		1000

/* What the neighbour has done, in memory that it shares with the caller */
static volatile uint64_t *done;

static void spin(void)
{
	for (;;) {
		for (volatile int i = 0; i < SPINS; i++)
			;
		(*done)++;
	}
}

static pid_t neighbour_start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		spin();
	}
	return pid;
}

/* What the neighbour does in a second while this task sleeps */
static double alone(void)
{
	uint64_t begin, work;

	usleep(ALONE_US / 5);
	work = *done;
	begin = now();
	usleep(ALONE_US);
	return (double)(*done - work) * SECOND / (now() - begin);
}

static void call(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx))
		die("statx");
}

static void call_all(int fd, uint64_t *samples, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t begin = now();

		call(fd);
		samples[i] = now() - begin;
	}
}

/* Who is late calls at once, so that the rate stays */
static void call_regularly(int fd, size_t nr)
{
	uint64_t begin = now();

	for (size_t i = 0; i < nr; i++) {
		uint64_t at = begin + i * PERIOD;
		struct timespec until = { at / SECOND, at % SECOND };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		call(fd);
	}
}

/* How long the neighbour takes for a second's work beside regular calls */
static uint64_t task(int fd, size_t nr, double rate)
{
	uint64_t begin = now(), work = *done;

	call_regularly(fd, nr);
	work = *done - work;
	return work ? rate * (now() - begin) / work : UINT64_MAX;
}

int main(int argc, char **argv)
{
	size_t nr = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t *samples = calloc(nr, sizeof(*samples));
	struct counts before, after;
	uint64_t begin, took, work;
	double rate;
	pid_t pid;
	int fd;

	if (!nr || !samples) {
		fprintf(stderr, "usage: neighbour FILE CALLS\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || done == MAP_FAILED)
		die(argv[1]);
	pid = neighbour_start();
	rate = alone();
	call_all(fd, samples, nr / 2);
	counts_read(&before);
	work = *done;
	begin = now();
	call_all(fd, samples, nr);
	took = now() - begin;
	work = *done - work;
	counts_read(&after);
	tell("neighbour_calls", samples, nr, took, &before, &after);
	samples[0] = (took - work * SECOND / rate) / nr;
	tell("neighbour_loss", samples, 1, samples[0], NULL, NULL);
	samples[0] = task(fd, nr, rate);
	tell("neighbour_task", samples, 1, samples[0], NULL, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
