// SPDX-License-Identifier: GPL-2.0
/*
 * The list of parked requests and the thread that answers those whose time
 * has come. The list is short (it can't be longer than the rings), so
 * everything here is a plain walk over it.
 *
 * Locks: locks.c calls in here with its mutex held; nothing here calls out
 * with the park lock held, except the grant function of locks.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "counters.h"
#include "park.h"
#include "random.h"

/* How long a gathered request waits for the next one before all are let go. */
#define GATHER_MS 20

/*
 * An INTERRUPT can overtake its request, since it comes by another queue.
 * The latest ones that matched nothing are kept for such a request.
 */
#define EARLY_INTERRUPTS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct list parked = LIST_INIT(parked);
static uint64_t early[EARLY_INTERRUPTS];
static unsigned int next_early;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static struct request *entry(struct list *pos)
{
	return container_of(pos, struct request, park);
}

static void add_locked(struct request *req, enum parked why)
{
	req->parked = why;
	list_add_tail(&parked, &req->park);
}

static void take_locked(struct request *req, struct list *taken)
{
	list_del(&req->park);
	req->parked = PARK_NOT;
	list_add_tail(taken, &req->park);
}

static struct request *pick(struct list *list, enum release_order order)
{
	unsigned int n = 0;
	struct list *pos;

	if (order == ORDER_FIRST)
		return entry(list->next);
	if (order == ORDER_LAST)
		return entry(list->prev);
	list_for_each(pos, list)
		n++;
	n = random_below(n);
	list_for_each(pos, list) {
		if (!n--)
			break;
	}
	return entry(pos);
}

static void answer_all(struct list *list, enum release_order order)
{
	while (!list_empty(list)) {
		struct request *req = pick(list, order);

		list_del(&req->park);
		request_answer(req);
	}
}

/**
 * park_delayed() - answer a request later
 * @req: request
 * @ms: how much later
 */
void park_delayed(struct request *req, unsigned int ms)
{
	pthread_mutex_lock(&lock);
	req->due = now() + ms * 1000000ULL;
	add_locked(req, PARK_DELAYED);
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

/**
 * park_held() - answer a request when a test says so
 * @req: request
 */
void park_held(struct request *req)
{
	pthread_mutex_lock(&lock);
	add_locked(req, PARK_HELD);
	pthread_mutex_unlock(&lock);
}

static void take_group(unsigned int rule, struct list *taken)
{
	struct list *pos, *after;

	list_for_each_safe(pos, after, &parked) {
		if (entry(pos)->parked == PARK_GATHERED && entry(pos)->gather == rule)
			take_locked(entry(pos), taken);
	}
}

/**
 * park_gathered() - collect requests and answer them in another order
 * @req: request, whose plan says how many and in which order
 *
 * Fewer than that are answered when no more come, so nothing waits for ever.
 */
void park_gathered(struct request *req)
{
	enum release_order order = req->plan.order;
	struct list taken = LIST_INIT(taken);
	unsigned int n = 0;
	struct list *pos;

	pthread_mutex_lock(&lock);
	req->gather = req->plan.rule;
	req->due = now() + GATHER_MS * 1000000ULL;
	add_locked(req, PARK_GATHERED);
	list_for_each(pos, &parked) {
		if (entry(pos)->parked == PARK_GATHERED && entry(pos)->gather == req->gather)
			n++;
	}
	if (n >= req->plan.gather)
		take_group(req->gather, &taken);
	else
		pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	answer_all(&taken, order);
}

/**
 * park_interruptible() - let a request wait, but no longer than its caller
 * @req: request
 * @why: what it waits for
 *
 * Return: false if the guest has interrupted it already; it is not parked.
 */
bool park_interruptible(struct request *req, enum parked why)
{
	bool interrupted = false;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < EARLY_INTERRUPTS; i++) {
		if (early[i] && early[i] == req->in->unique) {
			early[i] = 0;
			interrupted = true;
		}
	}
	if (!interrupted)
		add_locked(req, why);
	pthread_mutex_unlock(&lock);
	if (interrupted)
		count(&counters.interrupts_matched);
	return !interrupted;
}

/**
 * park_interrupt() - a FUSE_INTERRUPT has come
 * @unique: of the request that it means
 *
 * Return: true if that request was waiting and now ends with EINTR.
 */
bool park_interrupt(uint64_t unique)
{
	struct list taken = LIST_INIT(taken);
	struct request *req;
	struct list *pos;

	pthread_mutex_lock(&lock);
	list_for_each(pos, &parked) {
		req = entry(pos);
		if (req->in->unique == unique &&
		    (req->parked == PARK_INTERRUPT || req->parked == PARK_LOCK)) {
			take_locked(req, &taken);
			break;
		}
	}
	if (list_empty(&taken))
		early[next_early++ % EARLY_INTERRUPTS] = unique;
	pthread_mutex_unlock(&lock);
	if (list_empty(&taken)) {
		count(&counters.interrupts_late);
		return false;
	}
	count(&counters.interrupts_matched);
	req = entry(taken.next);
	list_del(&req->park);
	request_result(req, -EINTR);
	request_answer(req);
	return true;
}

/**
 * park_take_granted() - take out the lock requests that can now be granted
 * @inode: on which a lock has gone away
 * @grant: takes the lock for a request, or returns false
 * @granted: where they go, in the order in which they came
 */
void park_take_granted(struct inode *inode, bool (*grant)(struct request *req),
		       struct list *granted)
{
	struct list *pos, *after;

	pthread_mutex_lock(&lock);
	list_for_each_safe(pos, after, &parked) {
		struct request *req = entry(pos);

		if (req->parked == PARK_LOCK && req->inode == inode && grant(req))
			take_locked(req, granted);
	}
	pthread_mutex_unlock(&lock);
}

static bool matches(const struct request *req, const struct release *which)
{
	return req->parked == PARK_HELD &&
	       (!which->opcode || which->opcode == req->in->opcode) &&
	       (which->queue < 0 || (unsigned int)which->queue == req->ring->index) &&
	       (!which->unique || which->unique == req->in->unique);
}

/**
 * park_release() - answer held requests
 * @which: which of them
 *
 * Return: how many were answered.
 */
unsigned int park_release(const struct release *which)
{
	struct list found = LIST_INIT(found);
	struct list taken = LIST_INIT(taken);
	struct list *pos, *after;
	unsigned int n = 0;

	pthread_mutex_lock(&lock);
	list_for_each_safe(pos, after, &parked) {
		if (matches(entry(pos), which))
			take_locked(entry(pos), &found);
	}
	while (!list_empty(&found) && n < which->max) {
		struct request *req = pick(&found, which->order);

		list_del(&req->park);
		list_add_tail(&taken, &req->park);
		n++;
	}
	list_for_each_safe(pos, after, &found) {
		list_del(pos);
		add_locked(entry(pos), PARK_HELD);
	}
	pthread_mutex_unlock(&lock);
	answer_all(&taken, ORDER_FIRST);
	return n;
}

/**
 * park_release_all() - answer everything that waits because of a fault
 *
 * Requests that wait for a lock go on waiting: that is honest. Those that
 * waited for an INTERRUPT were not carried out, so they end with EINTR.
 */
void park_release_all(void)
{
	struct list taken = LIST_INIT(taken);
	struct list *pos, *after;

	pthread_mutex_lock(&lock);
	list_for_each_safe(pos, after, &parked) {
		struct request *req = entry(pos);

		if (req->parked == PARK_LOCK)
			continue;
		if (req->parked == PARK_INTERRUPT)
			request_result(req, -EINTR);
		take_locked(req, &taken);
	}
	pthread_mutex_unlock(&lock);
	answer_all(&taken, ORDER_FIRST);
}

/**
 * park_drop() - forget the parked requests of a ring that has stopped
 * @ring: ring
 */
void park_drop(struct ring *ring)
{
	struct list taken = LIST_INIT(taken);
	struct list *pos, *after;

	pthread_mutex_lock(&lock);
	list_for_each_safe(pos, after, &parked) {
		if (entry(pos)->ring == ring)
			take_locked(entry(pos), &taken);
	}
	pthread_mutex_unlock(&lock);
	list_for_each_safe(pos, after, &taken)
		request_free(entry(pos));
}

/**
 * park_print() - print the parked requests, one a line
 * @out: where to
 */
void park_print(FILE *out)
{
	static const char *const names[] = {
		[PARK_HELD] = "held",
		[PARK_DELAYED] = "delayed",
		[PARK_GATHERED] = "gathered",
		[PARK_INTERRUPT] = "interrupt",
		[PARK_LOCK] = "lock",
	};
	struct list *pos;
	char op[32];

	pthread_mutex_lock(&lock);
	list_for_each(pos, &parked) {
		struct request *req = entry(pos);

		counters_op_name(op, sizeof(op), req->in->opcode);
		fprintf(out, "queue=%u op=%s unique=%llu node=%llu for=%s\n", req->ring->index, op,
			(unsigned long long)req->in->unique,
			(unsigned long long)req->in->nodeid, names[req->parked]);
	}
	pthread_mutex_unlock(&lock);
}

/* Take what is due; return when the next one will be, 0 for never. */
static uint64_t take_due(struct list *taken, enum release_order *order)
{
	uint64_t next = 0, time = now();
	struct list *pos;

	list_for_each(pos, &parked) {
		struct request *req = entry(pos);

		if (req->parked != PARK_DELAYED && req->parked != PARK_GATHERED)
			continue;
		if (req->due > time) {
			if (!next || req->due < next)
				next = req->due;
			continue;
		}
		*order = req->plan.order;
		if (req->parked == PARK_GATHERED)
			take_group(req->gather, taken);
		else
			take_locked(req, taken);
		return time;
	}
	return next;
}

static void *keep_time(void *unused)
{
	enum release_order order = ORDER_FIRST;
	struct list taken = LIST_INIT(taken);
	struct timespec ts;
	uint64_t next;

	pthread_mutex_lock(&lock);
	for (;;) {
		next = take_due(&taken, &order);
		if (!list_empty(&taken)) {
			pthread_mutex_unlock(&lock);
			answer_all(&taken, order);
			pthread_mutex_lock(&lock);
		} else if (next) {
			ts.tv_sec = next / 1000000000;
			ts.tv_nsec = next % 1000000000;
			pthread_cond_timedwait(&changed, &lock, &ts);
		} else {
			pthread_cond_wait(&changed, &lock);
		}
	}
	return unused;
}

/**
 * park_init() - start the thread that keeps the time
 */
void park_init(void)
{
	pthread_condattr_t attr;
	pthread_t thread;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	if (pthread_create(&thread, NULL, keep_time, NULL)) {
		fprintf(stderr, "cannot start a thread\n");
		exit(1);
	}
	pthread_detach(thread);
}
