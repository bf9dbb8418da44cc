/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether it pays to do something for replies, as far as is known from those before.
 */
#ifndef _VIRTIOFS_SCORE_H
#define _VIRTIOFS_SCORE_H

#include <linux/compiler.h>
#include <linux/minmax.h>
#include <linux/types.h>

/*
 * What was in vain costs about as much as two times save that were not.  So many losses,
 * and it does not pay.
 */
#define SCORE_LOSS		2
#define SCORE_LOSSES_MAX	16

/* Then every so many times it is tried whether it does now */
#define SCORE_TRY_EVERY		16

/**
 * struct virtiofs_score - whether something pays, as to look for replies of some kind
 * @losses: grows when it was in vain, shrinks when it was not
 * @skipped: how often it was not done since it does not pay
 *
 * Not locked: who looks and learns at the same time does no harm.
 */
struct virtiofs_score {
	u8 losses;
	u8 skipped;
};

static inline bool score_pays(struct virtiofs_score *score)
{
	u8 skipped = READ_ONCE(score->skipped);

	if (READ_ONCE(score->losses) < SCORE_LOSSES_MAX)
		return true;
	WRITE_ONCE(score->skipped, skipped + 1);
	return skipped % SCORE_TRY_EVERY == 0;
}

static inline void score_learn(struct virtiofs_score *score, bool found)
{
	int losses = READ_ONCE(score->losses) + (found ? -1 : SCORE_LOSS);

	WRITE_ONCE(score->losses, clamp(losses, 0, SCORE_LOSSES_MAX));
}

#endif
