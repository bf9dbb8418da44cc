/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmark's programs have in common: the clock, the counters that
 * are read before and after, and the line that tells of a measurement.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What cannot be counted is left out of the line, and not said to be 0. */
#define UNKNOWN (-1L)

/**
 * struct counts - what is counted beside the time
 * @interrupts: of the device's queues, from /proc/interrupts
 * @switches: context switches of the whole machine
 * @own: context switches of this process and the children it has waited for
 * @kicks: notifications of the device, as the driver counts them
 */
struct counts {
	long interrupts;
	long switches;
	long own;
	long kicks;
};

void die(const char *what);
uint64_t now(void);
void counts_read(struct counts *counts);
bool run_command(char **command);
void tell(const char *work, uint64_t *samples, size_t nr, uint64_t total,
	  const struct counts *before, const struct counts *after);

#endif
