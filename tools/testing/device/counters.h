/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters that a test reads over the control socket. Counting is one atomic
 * addition, so any thread counts without a lock.
 */
#ifndef TESTDEV_COUNTERS_H
#define TESTDEV_COUNTERS_H

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include "options.h"

/* Opcodes from here on share the last counter. */
#define MAX_OPCODE 64

/**
 * enum violation - what a driver or a FUSE client must not do
 * @V_NONE: nothing wrong
 * @V_RING: the ring itself makes no sense (index jump, head out of range)
 * @V_CHAIN: a chain that loops, leaves its table or nests indirect tables
 * @V_EMPTY: a descriptor without bytes
 * @V_ORDER: a readable descriptor after a writable one
 * @V_ADDRESS: a buffer outside the guest's memory
 * @V_REGION: a buffer of one descriptor that lies in several regions of that memory
 * @V_HEADER: fewer readable bytes than a request header takes
 * @V_IN_LEN: the header's len is not the number of readable bytes
 * @V_NO_ROOM: a request that wants a reply, without room for it
 * @V_ROOM: a request without a reply that offers room for one
 * @V_ARGUMENT: arguments shorter than the opcode takes, or a bad name
 * @V_HIPRIO: something else than FORGET, BATCH_FORGET, INTERRUPT on queue 0
 * @V_NOT_HIPRIO: one of those three on a request queue
 * @V_UNIQUE: a unique that is 0 or in use by a request in flight
 * @V_BEFORE_INIT: a request outside a session
 * @V_NODEID: a node id that was never handed out, or is forgotten
 * @V_HANDLE: a file handle that was never handed out, or is released
 * @V_FORGET: more forgotten than was looked up
 * @V_COUNT: how many there are
 */
enum violation {
	V_NONE,
	V_RING,
	V_CHAIN,
	V_EMPTY,
	V_ORDER,
	V_ADDRESS,
	V_REGION,
	V_HEADER,
	V_IN_LEN,
	V_NO_ROOM,
	V_ROOM,
	V_ARGUMENT,
	V_HIPRIO,
	V_NOT_HIPRIO,
	V_UNIQUE,
	V_BEFORE_INIT,
	V_NODEID,
	V_HANDLE,
	V_FORGET,
	V_COUNT,
};

/**
 * struct queue_counters - what one queue saw
 * @requests: chains taken from the ring
 * @replies: chains given back
 * @kicks: notifications from the guest
 * @interrupts: notifications to the guest
 * @suppressed: chains given back while the guest wanted no interrupt
 * @muted: interrupts that a fault kept back
 * @descriptors: descriptors in all chains, those of indirect tables included
 * @indirect: chains that used an indirect table
 * @bytes_in: bytes that the device could read
 * @bytes_out: bytes that the device wrote
 * @largest_chain: most descriptors in one chain
 * @largest_request: most bytes in one chain, readable and writable
 * @overtaking: chains given back before one that came earlier
 * @most_in_flight: most chains taken and not yet given back
 * @busy: nanoseconds from a wake-up of the queue's thread to its next sleep
 */
struct queue_counters {
	atomic_ulong requests;
	atomic_ulong replies;
	atomic_ulong kicks;
	atomic_ulong interrupts;
	atomic_ulong suppressed;
	atomic_ulong muted;
	atomic_ulong descriptors;
	atomic_ulong indirect;
	atomic_ulong bytes_in;
	atomic_ulong bytes_out;
	atomic_ulong largest_chain;
	atomic_ulong largest_request;
	atomic_ulong overtaking;
	atomic_ulong most_in_flight;
	atomic_ulong busy;
};

/**
 * struct counters - all of them
 * @queue: per queue
 * @op: requests per opcode
 * @violation: broken rules, by kind
 * @forgets: node ids named by FORGET and BATCH_FORGET
 * @forgotten: lookups given back by them
 * @interrupts_matched: FUSE_INTERRUPT requests that ended another request
 * @interrupts_late: those that found no request to end
 * @late: requests that a fault let wait before they were answered
 * @dropped: requests lost because their queue was stopped
 * @sessions: FUSE_INIT requests
 * @destroys: FUSE_DESTROY requests
 * @connections: times that a front end has connected
 */
struct counters {
	struct queue_counters queue[MAX_QUEUES];
	atomic_ulong op[MAX_OPCODE];
	atomic_ulong violation[V_COUNT];
	atomic_ulong forgets;
	atomic_ulong forgotten;
	atomic_ulong interrupts_matched;
	atomic_ulong interrupts_late;
	atomic_ulong late;
	atomic_ulong dropped;
	atomic_ulong sessions;
	atomic_ulong destroys;
	atomic_ulong connections;
};

extern struct counters counters;

static inline void count_add(atomic_ulong *counter, unsigned long n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void count(atomic_ulong *counter)
{
	count_add(counter, 1);
}

void count_max(atomic_ulong *counter, unsigned long value);
void count_violation(enum violation kind, unsigned int queue, const char *what);
void counters_reset(void);
void counters_print(FILE *out);
void counters_op_name(char *buf, size_t size, unsigned int opcode);

#endif
