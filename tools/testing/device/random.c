// SPDX-License-Identifier: GPL-2.0
/*
 * A counter put through a mixing function: any thread may draw a number
 * without a lock, and the n-th number is the same in every run.
 */
#include <stdatomic.h>
#include "random.h"

/* The golden ratio's fraction; an odd step visits all 2^64 states. */
#define STEP 0x9e3779b97f4a7c15ULL

static atomic_ullong state;

/**
 * random_seed() - begin a sequence
 * @seed: which one
 */
void random_seed(uint64_t seed)
{
	atomic_store(&state, seed);
}

/**
 * random_next() - draw a number
 *
 * Return: 64 random bits.
 */
uint64_t random_next(void)
{
	uint64_t x = atomic_fetch_add(&state, STEP) + STEP;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/**
 * random_below() - draw a number from a range
 * @n: the range's size
 *
 * Return: a number below @n, or 0 if @n is 0.
 */
uint64_t random_below(uint64_t n)
{
	return n ? random_next() % n : 0;
}
