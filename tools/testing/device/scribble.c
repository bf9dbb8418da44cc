// SPDX-License-Identifier: GPL-2.0
/*
 * A header that goes on changing after it was given back, for drivers that
 * look at it twice. Honest and lying bytes alternate for a while, as fast as
 * a thread can write them.
 *
 * Only the header is scribbled on. A driver owns that memory as long as the
 * device lives; the pages behind it go back to the guest's kernel, where
 * scribbling would be a fault of nobody's driver.
 */
#include <linux/fuse.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lies.h"
#include "memory.h"

#define MAX_SCRIBBLERS	4
#define BURST		1000

/**
 * struct scribble - one header to scribble on
 * @ring: of its request
 * @epoch: of that ring; a change ends the scribbling
 * @gpa: where the header lies
 * @ms: how long to go on
 * @honest: what it said
 */
struct scribble {
	struct ring *ring;
	unsigned long epoch;
	uint64_t gpa;
	unsigned int ms;
	struct fuse_out_header honest;
};

static atomic_int scribblers;

static struct fuse_out_header lying(const struct fuse_out_header *honest, unsigned int i)
{
	struct fuse_out_header out = *honest;

	switch (i % 6) {
	case 0:
		out.len = UINT_MAX;
		break;
	case 1:
		out.len = 0;
		break;
	case 2:
		out.error = 5;
		break;
	case 3:
		out.error = INT_MIN;
		break;
	case 4:
		out.unique = ~out.unique;
		break;
	default:
		memset(&out, 0xff, sizeof(out));
	}
	return out;
}

/* The memory lock is held for one burst only, so a new memory table gets its turn. */
static bool burst(const struct scribble *s)
{
	volatile struct fuse_out_header *to;

	memory_read_lock();
	to = memory_guest(s->gpa, sizeof(*to));
	if (!to || s->epoch != s->ring->epoch) {
		memory_unlock();
		return false;
	}
	for (unsigned int i = 0; i < BURST; i++) {
		struct fuse_out_header lie = lying(&s->honest, i);

		*to = lie;
		*to = s->honest;
	}
	memory_unlock();
	return true;
}

static void *scribble(void *arg)
{
	struct scribble *s = arg;
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		if (!burst(s))
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000 +
		 (now.tv_nsec - begin.tv_nsec) / 1000000 < s->ms);
	free(s);
	scribblers--;
	return NULL;
}

/**
 * scribble_start() - begin to scribble on a reply's header
 * @req: request, whose reply is in the guest's memory
 * @ms: how long to go on
 *
 * Context: under the memory lock.
 * Return: false if there is no header in one piece, or too much scribbling.
 */
bool scribble_start(struct request *req, unsigned int ms)
{
	const struct segment *first = &req->chain.segment[req->chain.nr_in];
	struct scribble *s;
	pthread_t thread;

	if (req->written < sizeof(s->honest) || first->len < sizeof(s->honest) || first->gpa % 8)
		return false;
	if (scribblers++ >= MAX_SCRIBBLERS) {
		scribblers--;
		return false;
	}
	s = malloc(sizeof(*s));
	if (!s)
		abort();
	s->ring = req->ring;
	s->epoch = req->epoch;
	s->gpa = first->gpa;
	s->ms = ms;
	memcpy(&s->honest, req->reply, sizeof(s->honest));
	if (pthread_create(&thread, NULL, scribble, s))
		abort();
	pthread_detach(thread);
	return true;
}
