// SPDX-License-Identifier: GPL-2.0
/*
 * The way of a request: copied from the guest, checked, carried out by the
 * FUSE server, perhaps parked or falsified, copied back, given back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fuse.h"
#include "inode.h"
#include "lies.h"
#include "log.h"
#include "memory.h"
#include "park.h"
#include "request.h"

/* Exit status of a device that a test has told to die. */
#define DIED 9

/**
 * request_new() - a request for a chain
 * @ring: where the chain was taken from
 * @chain: the chain, whose segments become the request's
 *
 * Context: under ring->lock.
 * Return: the request, or NULL without memory.
 */
struct request *request_new(struct ring *ring, const struct chain *chain)
{
	struct request *req = calloc(1, sizeof(*req));

	if (!req)
		return NULL;
	list_init(&req->link);
	list_init(&req->park);
	req->ring = ring;
	req->epoch = ring->epoch;
	req->chain = *chain;
	return req;
}

/**
 * request_gather() - copy what the guest says
 * @req: request
 *
 * There is always a header to look at afterwards, if need be of zeros.
 *
 * Context: under the memory lock.
 */
void request_gather(struct request *req)
{
	const struct chain *chain = &req->chain;
	uint8_t *to;

	req->in_len = chain->in_bytes;
	if (req->in_len < sizeof(*req->in))
		chain_bad(&req->chain, V_HEADER);
	to = calloc(1, req->in_len + sizeof(*req->in));
	if (!to)
		abort();
	req->in = (struct fuse_in_header *)to;
	for (unsigned int i = 0; i < chain->nr_in; i++) {
		const struct segment *s = &chain->segment[i];

		memcpy(to, memory_guest(s->gpa, s->len), s->len);
		to += s->len;
	}
	if (req->in_len >= sizeof(*req->in) && req->in->len != req->in_len)
		chain_bad(&req->chain, V_IN_LEN);
}

/**
 * request_free() - free a request that nobody waits for
 * @req: request
 */
void request_free(struct request *req)
{
	inode_put(req->inode);
	free(req->chain.segment);
	free(req->in);
	free(req->reply);
	free(req);
}

static bool reply_resize(struct request *req, size_t size)
{
	size_t all = sizeof(struct fuse_out_header) + size;
	char what[80];

	if (all > req->chain.out_bytes) {
		snprintf(what, sizeof(what), "opcode %u, a reply of %zu bytes, room for %zu",
			 req->in->opcode, all, req->chain.out_bytes);
		count_violation(V_NO_ROOM, req->ring->index, what);
		return false;
	}
	free(req->reply);
	req->reply = malloc(all);
	req->reply_size = all;
	return req->reply;
}

/**
 * request_reply_room() - room for a reply's payload
 * @req: request
 * @size: bytes of payload at most
 *
 * Return: the payload, uninitialized, or NULL if the guest left no room.
 */
void *request_reply_room(struct request *req, size_t size)
{
	if (!reply_resize(req, size))
		return NULL;
	return req->reply + sizeof(struct fuse_out_header);
}

/**
 * request_reply() - room for a reply's payload, all zeros
 * @req: request
 * @size: bytes of payload
 *
 * Return: the payload or NULL if the guest left no room.
 */
void *request_reply(struct request *req, size_t size)
{
	void *payload = request_reply_room(req, size);

	return payload ? memset(payload, 0, size) : NULL;
}

/**
 * request_result() - write the reply's header
 * @req: request
 * @result: bytes of payload or -errno
 */
void request_result(struct request *req, int result)
{
	struct fuse_out_header *out;

	if (!req->replies)
		return;
	if (result < 0 || !req->reply) {
		if (!reply_resize(req, 0))
			return;
	}
	out = (struct fuse_out_header *)req->reply;
	out->unique = req->in->unique;
	out->error = result < 0 ? result : 0;
	out->len = sizeof(*out) + (result > 0 ? result : 0);
	req->reply_len = out->len;
	req->used = out->len;
}

static void scatter(struct request *req)
{
	const struct chain *chain = &req->chain;
	const uint8_t *from = req->reply;
	size_t left = req->reply_len;

	for (unsigned int i = chain->nr_in; i < chain->nr && left; i++) {
		const struct segment *s = &chain->segment[i];
		size_t n = left < s->len ? left : s->len;
		void *to = memory_guest(s->gpa, s->len);

		/* The guest's memory can have changed since the chain was checked. */
		if (!to)
			break;
		memcpy(to, from, n);
		from += n;
		left -= n;
		req->written += n;
	}
}

/**
 * request_answer() - write the reply to the guest and give the chain back
 * @req: request; gone afterwards
 */
void request_answer(struct request *req)
{
	lies_tell(req);
	memory_read_lock();
	if (req->epoch == req->ring->epoch) {
		scatter(req);
		lies_scribble(req);
	}
	ring_give_back(req);
	memory_unlock();
}

/**
 * request_finish() - a request is carried out: answer it when the plan says so
 * @req: request; no longer the caller's
 */
void request_finish(struct request *req)
{
	if (req->plan.when != WHEN_NOW)
		count(&counters.late);
	switch (req->plan.when) {
	case WHEN_DELAYED:
		park_delayed(req, req->plan.delay_ms);
		break;
	case WHEN_HELD:
		park_held(req);
		break;
	case WHEN_GATHERED:
		park_gathered(req);
		break;
	default:
		request_answer(req);
	}
}

static void carry_out(struct request *req)
{
	int result;

	if (req->plan.when == WHEN_INTERRUPTED) {
		if (park_interruptible(req, PARK_INTERRUPT))
			return;
		result = -EINTR;
	} else if (req->plan.fail) {
		result = -EIO;
	} else {
		result = fuse_carry_out(req);
		if (result == FUSE_PARKED)
			return;
	}
	request_result(req, result);
	request_finish(req);
}

static bool unique_in_use(struct request *req)
{
	struct ring *ring = req->ring;
	struct list *pos;
	bool found = false;

	pthread_mutex_lock(&ring->lock);
	list_for_each(pos, &ring->outstanding) {
		struct request *other = container_of(pos, struct request, link);

		if (other != req && other->in->unique == req->in->unique)
			found = true;
	}
	pthread_mutex_unlock(&ring->lock);
	return found;
}

static bool check_wire(struct request *req)
{
	unsigned int queue = req->ring->index;
	char what[80];

	snprintf(what, sizeof(what), "opcode %u, %zu bytes in, %zu out", req->in->opcode,
		 req->chain.in_bytes, req->chain.out_bytes);
	if (req->replies && req->chain.out_bytes < sizeof(struct fuse_out_header))
		chain_bad(&req->chain, V_NO_ROOM);
	if (req->chain.bad != V_NONE) {
		count_violation(req->chain.bad, queue, what);
		return false;
	}
	if (queue == HIPRIO_QUEUE && !fuse_op_is_hiprio(req->in->opcode))
		count_violation(V_HIPRIO, queue, what);
	if (queue != HIPRIO_QUEUE && fuse_op_is_hiprio(req->in->opcode))
		count_violation(V_NOT_HIPRIO, queue, what);
	if (req->replies && (!req->in->unique || unique_in_use(req)))
		count_violation(V_UNIQUE, queue, what);
	if (!req->replies && req->chain.out_bytes && !fuse_op_may_reply(req->in->opcode))
		count_violation(V_ROOM, queue, what);
	return true;
}

/**
 * request_arrived() - handle a request just taken from the ring
 * @req: request, no longer the caller's
 *
 * A chain that is malformed goes back with an error, if it has room for one.
 */
void request_arrived(struct request *req)
{
	unsigned int op = req->in->opcode;

	req->replies = fuse_op_replies(req);
	log_request(req);
	count(&counters.op[op < MAX_OPCODE ? op : MAX_OPCODE - 1]);
	if (!check_wire(req)) {
		if (req->chain.bad != V_NO_ROOM)
			request_result(req, -EINVAL);
		request_answer(req);
		return;
	}
	faults_plan(req);
	if (req->plan.die) {
		fprintf(stderr, "dying on a test's behalf\n");
		_exit(DIED);
	}
	carry_out(req);
}
