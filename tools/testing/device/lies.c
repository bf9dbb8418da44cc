// SPDX-License-Identifier: GPL-2.0
/*
 * Telling lies: which ones a request's plan has, when each of them is told,
 * and how many have been. A lie that could not be told (there was no
 * directory entry to falsify, say) is not counted.
 */
#include <limits.h>
#include <string.h>
#include "fuse.h"
#include "lies.h"
#include "log.h"
#include "random.h"

/* Scribbling for this long outlives many looks of the guest at its buffer. */
#define SCRIBBLE_MS 50

static const char *const names[LIE_COUNT] = {
	[LIE_UNIQUE] = "unique",
	[LIE_USED] = "used",
	[LIE_LEN] = "len",
	[LIE_ERROR] = "error",
	[LIE_ERROR_PAYLOAD] = "error_payload",
	[LIE_SILENT] = "silent",
	[LIE_CUT] = "cut",
	[LIE_GROW] = "grow",
	[LIE_CORRUPT] = "corrupt",
	[LIE_HOLLOW] = "hollow",
	[LIE_REPLAY] = "replay",
	[LIE_DIR_CUT] = "dir_cut",
	[LIE_DIR_SLASH] = "dir_slash",
	[LIE_DIR_NUL] = "dir_nul",
	[LIE_DIR_EMPTY] = "dir_empty",
	[LIE_DIR_OVERRUN] = "dir_overrun",
	[LIE_INIT_MAJOR] = "init_major",
	[LIE_INIT_MINOR] = "init_minor",
	[LIE_INIT_FLAGS] = "init_flags",
	[LIE_INIT_FLAGS2] = "init_flags2",
	[LIE_INIT_MAX_WRITE] = "init_max_write",
	[LIE_INIT_MAX_PAGES] = "init_max_pages",
	[LIE_SCRIBBLE] = "scribble",
	[LIE_TWICE] = "twice",
	[LIE_BOGUS] = "bogus",
	[LIE_MUTE] = "mute",
};

static atomic_ulong told[LIE_COUNT];

/**
 * lies_kind() - find a lie by its name
 * @name: its name
 * @kind: where to put it
 *
 * Return: true if there is such a lie.
 */
bool lies_kind(const char *name, enum lie_kind *kind)
{
	for (int i = 0; i < LIE_COUNT; i++) {
		if (!strcmp(name, names[i])) {
			*kind = i;
			return true;
		}
	}
	return false;
}

static void tell(const struct request *req, const struct lie *lie)
{
	count(&told[lie->kind]);
	log_lie(req, names[lie->kind], lie->value);
}

static bool is_late(enum lie_kind kind)
{
	return kind == LIE_SCRIBBLE || kind == LIE_TWICE || kind == LIE_BOGUS || kind == LIE_MUTE;
}

/**
 * lies_tell() - falsify a reply that is about to be written to the guest
 * @req: request
 */
void lies_tell(struct request *req)
{
	if (!req->plan.nr_lies) {
		lie_record_reply(req);
		return;
	}
	/* The guest may not believe a word, so it may not hold what the reply gives it. */
	fuse_taint(req);
	for (unsigned int i = 0; i < req->plan.nr_lies; i++) {
		const struct lie *lie = &req->plan.lie[i];

		if (!is_late(lie->kind) && lie_in_reply(req, lie))
			tell(req, lie);
	}
}

static const struct lie *find(const struct request *req, enum lie_kind kind)
{
	for (unsigned int i = 0; i < req->plan.nr_lies; i++) {
		if (req->plan.lie[i].kind == kind)
			return &req->plan.lie[i];
	}
	return NULL;
}

/**
 * lies_scribble() - go on changing a header that is about to be given back
 * @req: request, whose reply is in the guest's memory
 *
 * Context: under the memory lock.
 */
void lies_scribble(struct request *req)
{
	const struct lie *lie = find(req, LIE_SCRIBBLE);

	if (lie && scribble_start(req, lie->given ? lie->value : SCRIBBLE_MS))
		tell(req, lie);
}

/* An id that no request in flight has. */
static uint16_t free_id(const struct ring *ring)
{
	uint16_t id = random_below(ring->num);
	struct list *pos;

	for (uint32_t tries = 0; tries < ring->num; tries++, id = (id + 1) % ring->num) {
		list_for_each(pos, &ring->outstanding) {
			if (container_of(pos, struct request, link)->chain.id == id)
				break;
		}
		if (pos == &ring->outstanding)
			break;
	}
	return id;
}

static uint16_t bogus_id(const struct ring *ring, const struct lie *lie)
{
	if (!lie->given)
		return ring->num + 7;
	return lie->value < 0 ? free_id(ring) : lie->value;
}

/**
 * lies_tell_ring() - give back more chains than there are
 * @req: request whose chain has just been given back
 *
 * Context: under ring->lock and the memory lock.
 * Return: true if the guest wants an interrupt for them.
 */
bool lies_tell_ring(struct request *req)
{
	const struct lie *twice = find(req, LIE_TWICE);
	const struct lie *bogus = find(req, LIE_BOGUS);
	struct ring *ring = req->ring;
	bool wanted = false;

	if (twice) {
		wanted |= ring->ops->push(ring, req->chain.id, req->chain.slots, req->used);
		tell(req, twice);
	}
	if (bogus) {
		wanted |= ring->ops->push(ring, bogus_id(ring, bogus), 1, req->used);
		tell(req, bogus);
	}
	return wanted;
}

/**
 * lies_mute() - is the interrupt to be kept back
 * @req: request that has just been given back
 *
 * Return: true if there must be none.
 */
bool lies_mute(struct request *req)
{
	const struct lie *lie = find(req, LIE_MUTE);

	if (lie)
		tell(req, lie);
	return lie;
}

static int64_t random_length(const struct request *req)
{
	const int64_t some[] = {
		0, 1, 8, 15, 16, 17, 24, 4096, INT_MAX, UINT_MAX,
		req->chain.out_bytes, req->chain.out_bytes + 1, random_below(1 << 20),
	};

	return some[random_below(sizeof(some) / sizeof(some[0]))];
}

static int64_t random_error(void)
{
	const int64_t some[] = {
		1, 5, 512, INT_MAX, -511, -512, -513, -514, -516, -517, -529, -1000, -4095, -4096,
		INT_MIN, -1 - (int64_t)random_below(600),
	};

	return some[random_below(sizeof(some) / sizeof(some[0]))];
}

static int64_t random_value(enum lie_kind kind, const struct request *req)
{
	switch (kind) {
	case LIE_USED:
	case LIE_LEN:
		return random_length(req);
	case LIE_ERROR:
	case LIE_ERROR_PAYLOAD:
		return random_error();
	case LIE_BOGUS:
		return random_next() & 1 ? -1 : (int64_t)random_below(1 << 16);
	case LIE_SCRIBBLE:
		return 1 + random_below(5);
	default:
		return random_below(128);
	}
}

static bool allowed(const struct fuzz *fuzz, enum lie_kind kind)
{
	if (kind >= LIE_TWICE)
		return fuzz->ring;
	if (kind >= LIE_CORRUPT && kind <= LIE_DIR_OVERRUN)
		return fuzz->payload;
	if (kind >= LIE_INIT_MAJOR && kind <= LIE_INIT_MAX_PAGES)
		return false;
	return fuzz->header;
}

/**
 * lies_random() - draw a lie
 * @fuzz: which lies may be drawn
 * @req: request that it is for
 * @lie: where to put it
 *
 * Return: false if no lie may be drawn at all.
 */
bool lies_random(const struct fuzz *fuzz, const struct request *req, struct lie *lie)
{
	if (!fuzz->header && !fuzz->payload && !fuzz->ring)
		return false;
	do {
		lie->kind = random_below(LIE_COUNT);
	} while (!allowed(fuzz, lie->kind));
	lie->given = true;
	lie->relative = false;
	lie->value = random_value(lie->kind, req);
	return true;
}

/**
 * lies_print() - print how many lies were told
 * @out: where to
 */
void lies_print(FILE *out)
{
	unsigned long total = 0;

	for (int i = 0; i < LIE_COUNT; i++) {
		if (told[i])
			fprintf(out, "lie.%s %lu\n", names[i], told[i]);
		total += told[i];
	}
	fprintf(out, "lies %lu\n", total);
}

/**
 * lies_reset() - count lies from zero
 */
void lies_reset(void)
{
	for (int i = 0; i < LIE_COUNT; i++)
		told[i] = 0;
}
