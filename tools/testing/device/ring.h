/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtqueues from the device's side, split and packed.
 *
 * ring.c knows what both formats share: life cycle, descriptor chains, the
 * queue's thread, giving back in order. ring_split.c and ring_packed.c know
 * the layouts. Nobody here knows what a request is; the only way up is
 * request_arrived().
 */
#ifndef TESTDEV_RING_H
#define TESTDEV_RING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "counters.h"
#include "list.h"

struct request;
struct ring;

/* Enough for a 1 MiB request in 4 KiB pages, header and arguments, many times. */
#define MAX_DESCRIPTORS	4096
#define MAX_RING_SIZE	32768

/**
 * struct segment - one descriptor's buffer
 * @gpa: guest physical address, translated on each access
 * @len: bytes
 */
struct segment {
	uint64_t gpa;
	uint32_t len;
};

/**
 * struct chain - one chain of descriptors
 * @id: what the used ring calls it
 * @slots: descriptors that it takes in the ring itself
 * @indirect: it has an indirect table
 * @bad: the first rule that it breaks, or V_NONE
 * @nr: number of segments
 * @nr_in: how many of them, from the first on, the device may only read
 * @room: segments that fit in @segment
 * @in_bytes: bytes in the readable segments
 * @out_bytes: bytes in the writable segments
 * @segment: the buffers, readable ones first
 */
struct chain {
	uint16_t id;
	uint16_t slots;
	bool indirect;
	enum violation bad;
	unsigned int nr;
	unsigned int nr_in;
	unsigned int room;
	size_t in_bytes;
	size_t out_bytes;
	struct segment *segment;
};

/**
 * struct ring_ops - what differs between the two formats
 * @map: find the three areas in memory and take the positions from @base
 * @base: the positions in the form of VHOST_USER_GET_VRING_BASE
 * @pop: take the next chain; 1 got one, 0 there is none, -1 the ring is broken
 * @push: give a chain back; true if the guest wants an interrupt for it
 * @rest: ask the guest for kicks; true if a chain has come in the meantime
 * @work: tell the guest that kicks are not needed
 *
 * Context: all under ring->lock and the memory lock.
 */
struct ring_ops {
	bool (*map)(struct ring *ring, uint32_t base);
	uint32_t (*base)(const struct ring *ring);
	int (*pop)(struct ring *ring, struct chain *chain);
	bool (*push)(struct ring *ring, uint16_t id, uint16_t slots, uint32_t len);
	bool (*rest)(struct ring *ring);
	void (*work)(struct ring *ring);
};

extern const struct ring_ops ring_split_ops;
extern const struct ring_ops ring_packed_ops;

/**
 * struct ring - one virtqueue
 * @index: its number
 * @lock: protects all below it in this struct; taken inside the memory lock
 * @ops: format, chosen by the features when the ring is started
 * @started: between a start and a stop
 * @enabled: the front end lets it work
 * @broken: the guest has written nonsense into the ring
 * @event_idx: both sides say at which index they want to be told
 * @in_order: chains go back in the order in which they came
 * @num: size
 * @base: positions that the front end has set for the next start
 * @desc_addr: descriptor area in the front end's addresses
 * @driver_addr: driver area (avail ring)
 * @device_addr: device area (used ring)
 * @desc: the same, mapped; NULL if there is no such memory
 * @driver: see @desc
 * @device: see @desc
 * @avail_idx: position of the next chain to take
 * @used_idx: position of the next chain to give back
 * @avail_wrap: packed ring's wrap counter at @avail_idx
 * @used_wrap: packed ring's wrap counter at @used_idx
 * @outstanding: requests taken and not yet given back, oldest first
 * @in_flight: how many they are
 * @epoch: changes when the ring stops, so that older requests are known.
 *	Written under @lock, read by others under the memory lock.
 * @call_fd: tells the guest; -1 for none
 * @kick_fd: the guest tells us
 * @wake_fd: our other threads tell the queue's thread
 * @thread: serves the queue while it is started
 * @stop: the thread is to end
 * @stalled: a test wants the queue not to be served
 */
struct ring {
	unsigned int index;
	pthread_mutex_t lock;
	const struct ring_ops *ops;
	bool started;
	bool enabled;
	bool broken;
	bool event_idx;
	bool in_order;
	uint32_t num;
	uint32_t base;
	uint64_t desc_addr;
	uint64_t driver_addr;
	uint64_t device_addr;
	void *desc;
	void *driver;
	void *device;
	uint16_t avail_idx;
	uint16_t used_idx;
	bool avail_wrap;
	bool used_wrap;
	struct list outstanding;
	unsigned long in_flight;
	atomic_ulong epoch;
	int call_fd;
	int kick_fd;
	int wake_fd;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool stalled;
};

/* Front end's side (vhost.c) */
void rings_init(void);
struct ring *ring_get(unsigned int index);
void ring_start(struct ring *ring, uint64_t features, int kick_fd);
uint32_t ring_stop(struct ring *ring);
void ring_enable(struct ring *ring, bool enable);
void ring_set_call(struct ring *ring, int fd);
void rings_remap(void);

/* Test's side (control.c, counters.c) */
unsigned long ring_in_flight(unsigned int index);
void ring_stall(struct ring *ring, bool stall);
void ring_interrupt(struct ring *ring);

/* Requests' side (request.c, lies.c) */
void ring_give_back(struct request *req);

/* Layouts' side (ring_split.c, ring_packed.c) */
void chain_add(struct chain *chain, uint64_t gpa, uint32_t len, bool writable);
void chain_bad(struct chain *chain, enum violation kind);
void chain_outside(struct chain *chain, uint64_t gpa, uint64_t len);

#endif
