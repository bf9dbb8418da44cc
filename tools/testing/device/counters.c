// SPDX-License-Identifier: GPL-2.0
/*
 * The counters and their printed form: one "name value" a line, zeros left
 * out except for the few that a test always asks for.
 */
#include <string.h>
#include "counters.h"
#include "faults.h"
#include "fuse.h"
#include "ring.h"

/* Of each kind: enough to see what went wrong, too few to fill a disk under a fuzz run. */
#define MAX_MESSAGES 10

struct counters counters;

static const char *const violation_names[V_COUNT] = {
	[V_RING] = "ring",
	[V_CHAIN] = "chain",
	[V_EMPTY] = "empty_descriptor",
	[V_ORDER] = "descriptor_order",
	[V_ADDRESS] = "address",
	[V_REGION] = "region",
	[V_HEADER] = "short_header",
	[V_IN_LEN] = "in_len",
	[V_NO_ROOM] = "no_room",
	[V_ROOM] = "needless_room",
	[V_ARGUMENT] = "argument",
	[V_HIPRIO] = "hiprio",
	[V_NOT_HIPRIO] = "not_hiprio",
	[V_UNIQUE] = "unique",
	[V_BEFORE_INIT] = "before_init",
	[V_NODEID] = "nodeid",
	[V_HANDLE] = "handle",
	[V_FORGET] = "forget",
};

/**
 * count_max() - keep the largest value seen
 * @counter: where it is kept
 * @value: one more candidate
 */
void count_max(atomic_ulong *counter, unsigned long value)
{
	unsigned long seen = atomic_load(counter);

	while (value > seen && !atomic_compare_exchange_weak(counter, &seen, value))
		;
}

/**
 * count_violation() - count a broken rule and say so on stderr
 * @kind: which rule
 * @queue: the queue that it came by
 * @what: details for a reader
 */
void count_violation(enum violation kind, unsigned int queue, const char *what)
{
	static atomic_uint messages[V_COUNT];

	count(&counters.violation[kind]);
	if (atomic_fetch_add(&messages[kind], 1) < MAX_MESSAGES)
		fprintf(stderr, "violation %s on queue %u: %s\n", violation_names[kind], queue,
			what);
}

/**
 * counters_reset() - set all counters to zero
 */
void counters_reset(void)
{
	atomic_ulong *p = (atomic_ulong *)&counters;

	static_assert(sizeof(counters) % sizeof(*p) == 0, "counters hold nothing else");
	for (size_t i = 0; i < sizeof(counters) / sizeof(*p); i++)
		atomic_store(&p[i], 0);
	lies_reset();
}

static void print_queue(FILE *out, unsigned int i)
{
	struct queue_counters *q = &counters.queue[i];
	const struct {
		const char *name;
		unsigned long value;
	} row[] = {
		{ "size", ring_get(i)->num },
		{ "requests", q->requests },
		{ "replies", q->replies },
		{ "in_flight", ring_in_flight(i) },
		{ "kicks", q->kicks },
		{ "interrupts", q->interrupts },
		{ "suppressed", q->suppressed },
		{ "muted", q->muted },
		{ "descriptors", q->descriptors },
		{ "indirect", q->indirect },
		{ "bytes_in", q->bytes_in },
		{ "bytes_out", q->bytes_out },
		{ "largest_chain", q->largest_chain },
		{ "largest_request", q->largest_request },
		{ "overtaking", q->overtaking },
		{ "most_in_flight", q->most_in_flight },
		{ "busy", q->busy },
	};

	for (size_t n = 0; n < sizeof(row) / sizeof(row[0]); n++)
		fprintf(out, "queue.%u.%s %lu\n", i, row[n].name, row[n].value);
}

static void print_violations(FILE *out)
{
	unsigned long total = 0;

	for (int i = V_NONE + 1; i < V_COUNT; i++) {
		unsigned long n = counters.violation[i];

		if (n)
			fprintf(out, "violation.%s %lu\n", violation_names[i], n);
		total += n;
	}
	fprintf(out, "violations %lu\n", total);
}

/**
 * counters_op_name() - name of an opcode, or its number if it has none
 * @buf: where to put it
 * @size: how much fits there
 * @opcode: the opcode
 */
void counters_op_name(char *buf, size_t size, unsigned int opcode)
{
	const char *name = fuse_op_name(opcode);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%u", opcode);
}

/**
 * counters_print() - print all counters, one "name value" a line
 * @out: where to
 */
void counters_print(FILE *out)
{
	unsigned long requests = 0, in_flight = 0, overtaking = 0;
	char name[32];

	for (unsigned int i = 0; i <= options.queues; i++) {
		print_queue(out, i);
		requests += counters.queue[i].requests;
		in_flight += ring_in_flight(i);
		overtaking += counters.queue[i].overtaking;
	}
	for (unsigned int i = 0; i < MAX_OPCODE; i++) {
		if (!counters.op[i])
			continue;
		counters_op_name(name, sizeof(name), i);
		fprintf(out, "op.%s %lu\n", name, counters.op[i]);
	}
	print_violations(out);
	lies_print(out);
	fprintf(out, "requests %lu\nin_flight %lu\n", requests, in_flight);
	fprintf(out, "forgets %lu\nforgotten %lu\n", counters.forgets, counters.forgotten);
	fprintf(out, "interrupts_matched %lu\ninterrupts_late %lu\n",
		counters.interrupts_matched, counters.interrupts_late);
	fprintf(out, "late %lu\novertaking %lu\n", counters.late, overtaking);
	fprintf(out, "dropped %lu\nsessions %lu\ndestroys %lu\nconnections %lu\n",
		counters.dropped, counters.sessions, counters.destroys, counters.connections);
}
