// SPDX-License-Identifier: GPL-2.0
/*
 * What split and packed rings share: life cycle, the queue's thread, chains,
 * and giving back. See ring.h for who calls what.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "lies.h"
#include "memory.h"
#include "park.h"
#include "request.h"
#include "ring.h"

static struct ring rings[MAX_QUEUES];

void rings_init(void)
{
	for (unsigned int i = 0; i < MAX_QUEUES; i++) {
		struct ring *ring = &rings[i];

		ring->index = i;
		pthread_mutex_init(&ring->lock, NULL);
		list_init(&ring->outstanding);
		ring->call_fd = -1;
		ring->kick_fd = -1;
		ring->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (ring->wake_fd < 0) {
			perror("eventfd");
			exit(1);
		}
	}
}

/**
 * ring_get() - find a ring
 * @index: its number
 *
 * Return: the ring, or NULL if the device has no such queue.
 */
struct ring *ring_get(unsigned int index)
{
	return index <= options.queues ? &rings[index] : NULL;
}

static void wake(struct ring *ring)
{
	eventfd_write(ring->wake_fd, 1);
}

/**
 * chain_bad() - note the first rule that a chain breaks
 * @chain: chain
 * @kind: the rule
 */
void chain_bad(struct chain *chain, enum violation kind)
{
	if (chain->bad == V_NONE)
		chain->bad = kind;
}

/**
 * chain_outside() - note that no one region has what a descriptor describes
 * @chain: chain
 * @gpa: guest physical address
 * @len: bytes
 */
void chain_outside(struct chain *chain, uint64_t gpa, uint64_t len)
{
	chain_bad(chain, memory_crosses(gpa, len) ? V_REGION : V_ADDRESS);
}

static bool chain_has_room(struct chain *chain)
{
	unsigned int room = chain->room ? chain->room * 2 : 8;
	struct segment *grown;

	if (chain->nr < chain->room)
		return true;
	if (chain->nr >= MAX_DESCRIPTORS)
		return false;
	grown = realloc(chain->segment, room * sizeof(*grown));
	if (!grown)
		return false;
	chain->segment = grown;
	chain->room = room;
	return true;
}

/**
 * chain_add() - append a descriptor's buffer to a chain
 * @chain: chain
 * @gpa: guest physical address
 * @len: bytes
 * @writable: for the device to write to, else for it to read
 */
void chain_add(struct chain *chain, uint64_t gpa, uint32_t len, bool writable)
{
	if (!len)
		return chain_bad(chain, V_EMPTY);
	if (!writable && chain->nr > chain->nr_in)
		return chain_bad(chain, V_ORDER);
	if (!memory_guest(gpa, len))
		return chain_outside(chain, gpa, len);
	if (!chain_has_room(chain))
		return chain_bad(chain, V_CHAIN);
	chain->segment[chain->nr++] = (struct segment){ .gpa = gpa, .len = len };
	if (writable) {
		chain->out_bytes += len;
	} else {
		chain->in_bytes += len;
		chain->nr_in = chain->nr;
	}
}

static void note_chain(struct ring *ring, const struct chain *chain)
{
	struct queue_counters *c = &counters.queue[ring->index];

	count(&c->requests);
	count_add(&c->descriptors, chain->nr);
	count_add(&c->indirect, chain->indirect);
	count_add(&c->bytes_in, chain->in_bytes);
	count_max(&c->largest_chain, chain->nr);
	count_max(&c->largest_request, chain->in_bytes + chain->out_bytes);
	count_max(&c->most_in_flight, ring->in_flight);
}

static struct request *pop_locked(struct ring *ring)
{
	struct request *req;
	struct chain chain = { 0 };
	int got;

	if (!ring->device || ring->broken || !ring->enabled)
		return NULL;
	got = ring->ops->pop(ring, &chain);
	if (got < 0) {
		ring->broken = true;
		count_violation(V_RING, ring->index, "it makes no sense, not served any more");
	}
	req = got > 0 ? request_new(ring, &chain) : NULL;
	if (!req) {
		free(chain.segment);
		return NULL;
	}
	list_add_tail(&ring->outstanding, &req->link);
	ring->in_flight++;
	note_chain(ring, &chain);
	return req;
}

/* Take the next chain and copy what it says, while the memory is sure to be there. */
static struct request *pop(struct ring *ring)
{
	struct request *req;

	memory_read_lock();
	pthread_mutex_lock(&ring->lock);
	req = pop_locked(ring);
	pthread_mutex_unlock(&ring->lock);
	if (req)
		request_gather(req);
	memory_unlock();
	return req;
}

static void work(struct ring *ring)
{
	memory_read_lock();
	pthread_mutex_lock(&ring->lock);
	if (ring->device && ring->enabled)
		ring->ops->work(ring);
	pthread_mutex_unlock(&ring->lock);
	memory_unlock();
}

static bool rest(struct ring *ring)
{
	bool more = false;

	memory_read_lock();
	pthread_mutex_lock(&ring->lock);
	if (ring->device && ring->enabled && !ring->broken)
		more = ring->ops->rest(ring);
	pthread_mutex_unlock(&ring->lock);
	memory_unlock();
	return more;
}

static void drain(struct ring *ring)
{
	struct request *req;

	do {
		work(ring);
		while (!ring->stop && !ring->stalled) {
			req = pop(ring);
			if (!req)
				break;
			request_arrived(req);
		}
	} while (rest(ring) && !ring->stop && !ring->stalled);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void *serve(void *arg)
{
	struct ring *ring = arg;
	uint64_t awake = now();
	struct pollfd fds[] = {
		{ .fd = ring->kick_fd, .events = POLLIN },
		{ .fd = ring->wake_fd, .events = POLLIN },
	};
	eventfd_t n;

	while (!ring->stop) {
		drain(ring);
		count_add(&counters.queue[ring->index].busy, now() - awake);
		poll(fds, 2, -1);
		awake = now();
		if ((fds[0].revents & POLLIN) && !eventfd_read(ring->kick_fd, &n))
			count_add(&counters.queue[ring->index].kicks, n);
		if (fds[1].revents & POLLIN)
			eventfd_read(ring->wake_fd, &n);
	}
	return NULL;
}

static void map_locked(struct ring *ring, uint32_t base)
{
	if (ring->ops->map(ring, base))
		return;
	fprintf(stderr, "queue %u: ring areas are not in the guest's memory\n", ring->index);
	ring->desc = NULL;
	ring->driver = NULL;
	ring->device = NULL;
}

/**
 * ring_start() - begin to serve a queue
 * @ring: ring, whose size, addresses and base are set
 * @features: what the guest has acknowledged
 * @kick_fd: its notifications; the ring's to close from here on
 */
void ring_start(struct ring *ring, uint64_t features, int kick_fd)
{
	bool packed = features & 1ULL << VIRTIO_F_RING_PACKED;

	ring_stop(ring);
	memory_read_lock();
	pthread_mutex_lock(&ring->lock);
	ring->ops = packed ? &ring_packed_ops : &ring_split_ops;
	ring->event_idx = features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	ring->in_order = features & 1ULL << VIRTIO_F_IN_ORDER;
	ring->broken = false;
	ring->started = true;
	ring->kick_fd = kick_fd;
	map_locked(ring, ring->base);
	pthread_mutex_unlock(&ring->lock);
	memory_unlock();
	ring->stop = false;
	if (pthread_create(&ring->thread, NULL, serve, ring)) {
		fprintf(stderr, "queue %u: cannot start a thread\n", ring->index);
		exit(1);
	}
}

/*
 * Requests that somebody works on are only taken off the list: the epoch
 * tells that somebody, who frees them.
 */
static void forget_outstanding(struct ring *ring)
{
	struct list *pos, *after;

	list_for_each_safe(pos, after, &ring->outstanding) {
		struct request *req = container_of(pos, struct request, link);

		list_del(pos);
		if (req->done)
			request_free(req);
		count(&counters.dropped);
	}
	ring->in_flight = 0;
}

/**
 * ring_stop() - stop serving a queue and lose what is in flight
 * @ring: ring
 *
 * On return nothing touches the guest's memory on this ring's behalf: the
 * thread is gone, parked requests are dropped, and whoever was about to
 * answer one has either done so or finds the epoch changed.
 *
 * Return: the positions for VHOST_USER_GET_VRING_BASE.
 */
uint32_t ring_stop(struct ring *ring)
{
	if (!ring->started)
		return ring->base;
	ring->stop = true;
	wake(ring);
	pthread_join(ring->thread, NULL);
	pthread_mutex_lock(&ring->lock);
	ring->started = false;
	ring->base = ring->ops->base(ring);
	ring->desc = NULL;
	ring->driver = NULL;
	ring->device = NULL;
	ring->epoch++;
	forget_outstanding(ring);
	close(ring->kick_fd);
	ring->kick_fd = -1;
	pthread_mutex_unlock(&ring->lock);
	park_drop(ring);
	memory_write_lock();
	memory_unlock();
	return ring->base;
}

/**
 * ring_enable() - the front end lets a queue work, or not
 * @ring: ring
 * @enable: which
 */
void ring_enable(struct ring *ring, bool enable)
{
	pthread_mutex_lock(&ring->lock);
	ring->enabled = enable;
	pthread_mutex_unlock(&ring->lock);
	wake(ring);
}

/**
 * ring_set_call() - swap the way to tell the guest, at any time
 * @ring: ring, which closes the old one and owns the new one
 * @fd: an eventfd or -1
 */
void ring_set_call(struct ring *ring, int fd)
{
	int old;

	pthread_mutex_lock(&ring->lock);
	old = ring->call_fd;
	ring->call_fd = fd;
	pthread_mutex_unlock(&ring->lock);
	if (old >= 0)
		close(old);
}

/**
 * rings_remap() - find all started rings again in a new memory table
 *
 * Context: under the memory lock, for writing.
 */
void rings_remap(void)
{
	for (unsigned int i = 0; i < MAX_QUEUES; i++) {
		struct ring *ring = &rings[i];

		pthread_mutex_lock(&ring->lock);
		if (ring->started)
			map_locked(ring, ring->ops->base(ring));
		pthread_mutex_unlock(&ring->lock);
	}
}

unsigned long ring_in_flight(unsigned int index)
{
	struct ring *ring = &rings[index];
	unsigned long n;

	pthread_mutex_lock(&ring->lock);
	n = ring->in_flight;
	pthread_mutex_unlock(&ring->lock);
	return n;
}

/**
 * ring_stall() - serve a queue no more, or again, on a test's behalf
 * @ring: ring
 * @stall: which
 */
void ring_stall(struct ring *ring, bool stall)
{
	ring->stalled = stall;
	wake(ring);
}

static void interrupt_locked(struct ring *ring)
{
	count(&counters.queue[ring->index].interrupts);
	if (ring->call_fd >= 0)
		eventfd_write(ring->call_fd, 1);
}

/**
 * ring_interrupt() - interrupt the guest for no reason
 * @ring: ring
 */
void ring_interrupt(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	interrupt_locked(ring);
	pthread_mutex_unlock(&ring->lock);
}

static void give_back_one(struct ring *ring, struct request *req, struct list *gone)
{
	struct queue_counters *c = &counters.queue[ring->index];
	bool wanted;

	if (req->link.prev != &ring->outstanding)
		count(&c->overtaking);
	list_del(&req->link);
	list_add_tail(gone, &req->link);
	ring->in_flight--;
	count(&c->replies);
	count_add(&c->bytes_out, req->written);
	wanted = ring->ops->push(ring, req->chain.id, req->chain.slots, req->used);
	wanted |= lies_tell_ring(req);
	if (!wanted)
		count(&c->suppressed);
	else if (lies_mute(req))
		count(&c->muted);
	else
		interrupt_locked(ring);
}

/**
 * ring_give_back() - give a finished request's chain back to the guest
 * @req: request; it is freed, now or when its turn has come
 *
 * With VIRTIO_F_IN_ORDER a chain waits for all that came before it.
 *
 * Context: under the memory lock.
 */
void ring_give_back(struct request *req)
{
	struct list gone = LIST_INIT(gone);
	struct ring *ring = req->ring;
	struct list *pos, *after;

	pthread_mutex_lock(&ring->lock);
	if (req->epoch != ring->epoch || !ring->device) {
		if (req->epoch == ring->epoch)
			ring->in_flight--;
		list_del(&req->link);
		list_add_tail(&gone, &req->link);
	} else if (ring->in_order) {
		req->done = true;
		list_for_each_safe(pos, after, &ring->outstanding) {
			struct request *first = container_of(pos, struct request, link);

			if (!first->done)
				break;
			give_back_one(ring, first, &gone);
		}
	} else {
		give_back_one(ring, req, &gone);
	}
	pthread_mutex_unlock(&ring->lock);
	list_for_each_safe(pos, after, &gone)
		request_free(container_of(pos, struct request, link));
}
