// SPDX-License-Identifier: GPL-2.0
/*
 * A ring of fixed entries under one lock; formatting waits until a test asks.
 */
#include <pthread.h>
#include "counters.h"
#include "log.h"
#include "request.h"

#define MAX_ENTRIES 4096

/**
 * struct entry - one line of the log
 * @queue: where the request came from
 * @opcode: its opcode
 * @unique: its unique
 * @nodeid: its node
 * @in: readable bytes
 * @out: writable bytes
 * @lie: name of the lie that was told, NULL if this is the request's arrival
 * @value: of the lie
 */
struct entry {
	unsigned int queue;
	unsigned int opcode;
	uint64_t unique;
	uint64_t nodeid;
	size_t in;
	size_t out;
	const char *lie;
	int64_t value;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry entries[MAX_ENTRIES];
static uint64_t nr_entries;

static void append(const struct request *req, const char *lie, int64_t value)
{
	pthread_mutex_lock(&lock);
	entries[nr_entries++ % MAX_ENTRIES] = (struct entry){
		.queue = req->ring->index,
		.opcode = req->in->opcode,
		.unique = req->in->unique,
		.nodeid = req->in->nodeid,
		.in = req->chain.in_bytes,
		.out = req->chain.out_bytes,
		.lie = lie,
		.value = value,
	};
	pthread_mutex_unlock(&lock);
}

/**
 * log_request() - note that a request has arrived
 * @req: request
 */
void log_request(const struct request *req)
{
	append(req, NULL, 0);
}

/**
 * log_lie() - note that a lie was told
 * @req: about this request
 * @lie: its name
 * @value: its value
 */
void log_lie(const struct request *req, const char *lie, int64_t value)
{
	append(req, lie, value);
}

/**
 * log_print() - print the end of the log, one entry a line
 * @out: where to
 * @last: how many entries at most
 */
void log_print(FILE *out, unsigned int last)
{
	char op[32];

	if (last > MAX_ENTRIES)
		last = MAX_ENTRIES;
	pthread_mutex_lock(&lock);
	for (uint64_t i = nr_entries > last ? nr_entries - last : 0; i < nr_entries; i++) {
		const struct entry *e = &entries[i % MAX_ENTRIES];

		counters_op_name(op, sizeof(op), e->opcode);
		fprintf(out, "%llu queue=%u op=%s unique=%llu node=%llu in=%zu out=%zu",
			(unsigned long long)i, e->queue, op, (unsigned long long)e->unique,
			(unsigned long long)e->nodeid, e->in, e->out);
		if (e->lie)
			fprintf(out, " lie=%s value=%lld", e->lie, (long long)e->value);
		fprintf(out, "\n");
	}
	pthread_mutex_unlock(&lock);
}
