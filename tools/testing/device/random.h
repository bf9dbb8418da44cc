/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that follow from a seed, so that a run can be repeated as
 * far as the timing of several threads allows.
 */
#ifndef TESTDEV_RANDOM_H
#define TESTDEV_RANDOM_H

#include <stdint.h>

void random_seed(uint64_t seed);
uint64_t random_next(void);
uint64_t random_below(uint64_t n);

#endif
