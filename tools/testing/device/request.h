/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request, from the chain in the ring to the reply in the guest's memory.
 *
 * Who owns it: the thread that took it from the ring, until it is parked
 * (park.h); then whoever takes it out of there. The owner ends with
 * request_finish() or request_answer(), which free it.
 */
#ifndef TESTDEV_REQUEST_H
#define TESTDEV_REQUEST_H

#include <linux/fuse.h>
#include "faults.h"
#include "list.h"
#include "ring.h"

struct inode;

/**
 * enum parked - why a request waits, see park.h
 * @PARK_NOT: it does not
 * @PARK_HELD: for the test to release it
 * @PARK_DELAYED: for its time
 * @PARK_GATHERED: for others, to be answered in another order
 * @PARK_INTERRUPT: for a FUSE_INTERRUPT, and it has not been carried out
 * @PARK_LOCK: for a lock that another owner has
 */
enum parked {
	PARK_NOT,
	PARK_HELD,
	PARK_DELAYED,
	PARK_GATHERED,
	PARK_INTERRUPT,
	PARK_LOCK,
};

/**
 * struct request - one request
 * @link: place in ring->outstanding, under ring->lock
 * @park: place among the parked, under the park lock
 * @parked: why it is there
 * @due: when it is to be answered, if parked with a time (ns)
 * @gather: rule that gathers it, if parked for that
 * @ring: where it came from
 * @epoch: of the ring when it came
 * @chain: its descriptors
 * @done: reply is in place, only its turn has not come (VIRTIO_F_IN_ORDER)
 * @in: copy of all readable bytes; never shorter than a header
 * @in_len: how many they are
 * @arg: the opcode's fixed arguments, in @in
 * @name: names that follow them
 * @rest: what follows the names
 * @rest_len: bytes there
 * @inode: the node that the request is about, with a reference, or NULL
 * @replies: the opcode has a reply
 * @reply: header and payload of the reply, or NULL
 * @reply_size: bytes allocated there
 * @reply_len: bytes to be written to the guest
 * @written: bytes that were written to the guest
 * @used: what the used ring will say
 * @plan: what the fault rules want
 */
struct request {
	struct list link;
	struct list park;
	enum parked parked;
	uint64_t due;
	unsigned int gather;
	struct ring *ring;
	unsigned long epoch;
	struct chain chain;
	bool done;
	struct fuse_in_header *in;
	size_t in_len;
	const void *arg;
	const char *name[2];
	const void *rest;
	size_t rest_len;
	struct inode *inode;
	bool replies;
	uint8_t *reply;
	size_t reply_size;
	size_t reply_len;
	size_t written;
	uint32_t used;
	struct plan plan;
};

/* Ring's side */
struct request *request_new(struct ring *ring, const struct chain *chain);
void request_gather(struct request *req);
void request_arrived(struct request *req);
void request_free(struct request *req);

/* Server's side */
void *request_reply(struct request *req, size_t size);
void *request_reply_room(struct request *req, size_t size);
void request_result(struct request *req, int result);
void request_finish(struct request *req);

/* Park's side */
void request_answer(struct request *req);

#endif
