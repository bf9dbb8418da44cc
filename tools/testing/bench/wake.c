// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs on this machine that one thread wakes another one up by an
 * eventfd, as a guest's QEMU does with its device: half of a round trip.
 *
 *   wake COUNT [CPU CPU]	the CPUs that the two threads have to themselves
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include "measure.h"

static int there, back;

static void *answer(void *arg)
{
	eventfd_t n;

	(void)arg;
	while (!eventfd_read(there, &n) && !eventfd_write(back, 1))
		;
	return NULL;
}

static void place(pthread_t thread, const char *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(strtoul(cpu, NULL, 10), &set);
	if (pthread_setaffinity_np(thread, sizeof(set), &set))
		die("a CPU");
}

int main(int argc, char **argv)
{
	size_t nr = argc == 2 || argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t *samples = calloc(nr, sizeof(*samples)), begin = now();
	struct counts before, after;
	pthread_t thread;
	eventfd_t n;

	if (!nr || !samples) {
		fprintf(stderr, "usage: wake COUNT [CPU CPU]\n");
		return 2;
	}
	there = eventfd(0, 0);
	back = eventfd(0, 0);
	if (there < 0 || back < 0 || pthread_create(&thread, NULL, answer, NULL))
		die("a second thread");
	if (argc == 4) {
		place(pthread_self(), argv[2]);
		place(thread, argv[3]);
	}
	counts_read(&before);
	for (size_t i = 0; i < nr; i++) {
		uint64_t sent = now();

		if (eventfd_write(there, 1) || eventfd_read(back, &n))
			die("eventfd");
		samples[i] = (now() - sent) / 2;
	}
	counts_read(&after);
	tell("wake", samples, nr, now() - begin, &before, &after);
	return 0;
}
