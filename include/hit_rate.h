/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether to take a chance, as polling is: decided by the hits and misses so far.
 */
#ifndef _VIRTIOFS_HIT_RATE_H
#define _VIRTIOFS_HIT_RATE_H

#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/types.h>

/* After so many misses in a row every 2 ^ HIT_MISSES_MAX-th time is tried */
#define HIT_MISSES_MAX		10

/**
 * struct virtiofs_hit_rate - how a bet has gone lately
 * @misses: how many have missed in a row, up to HIT_MISSES_MAX
 * @skip: how many times not to bet until the next try
 *
 * Not locked: a lost update costs one bet, or the lack of one.
 */
struct virtiofs_hit_rate {
	u8 misses;
	u16 skip;
};

/* Is it to be tried now? */
static inline bool hit_rate_allows(struct virtiofs_hit_rate *rate)
{
	u16 skip = READ_ONCE(rate->skip);

	if (likely(!skip))
		return true;
	WRITE_ONCE(rate->skip, skip - 1);
	return false;
}

/* Each miss in a row doubles the distance to the next try, a hit ends that */
static inline void hit_rate_learn(struct virtiofs_hit_rate *rate, bool hit)
{
	u8 misses = READ_ONCE(rate->misses);

	if (hit) {
		if (misses) {
			WRITE_ONCE(rate->misses, 0);
			WRITE_ONCE(rate->skip, 0);
		}
		return;
	}
	misses = min(misses + 1, HIT_MISSES_MAX);
	WRITE_ONCE(rate->misses, misses);
	WRITE_ONCE(rate->skip, (1U << misses) - 1);
}

#endif
