// SPDX-License-Identifier: GPL-2.0
/*
 * How long requests take, by what they are.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/time64.h>

#include "conn.h"

/* Opcodes from here on are counted as one */
#define STATS_OPCODES		64

/* The last of the powers of two has all that is longer, too */
#define STATS_BUCKETS		32

/**
 * struct glue_latency - numbers of requests, by opcode and latency
 * @nr: those that took from 2^n to 2^(n+1) nanoseconds; may wrap
 *
 * One for each CPU.
 */
struct glue_latency {
	u32 nr[STATS_OPCODES][STATS_BUCKETS];
};

#define STATS_NAME(name)						\
	[FUSE_##name] = #name

static const char * const stats_names[STATS_OPCODES] = {
	STATS_NAME(LOOKUP),
	STATS_NAME(GETATTR),
	STATS_NAME(SETATTR),
	STATS_NAME(READLINK),
	STATS_NAME(SYMLINK),
	STATS_NAME(MKNOD),
	STATS_NAME(MKDIR),
	STATS_NAME(UNLINK),
	STATS_NAME(RMDIR),
	STATS_NAME(RENAME),
	STATS_NAME(LINK),
	STATS_NAME(OPEN),
	STATS_NAME(READ),
	STATS_NAME(WRITE),
	STATS_NAME(STATFS),
	STATS_NAME(RELEASE),
	STATS_NAME(FSYNC),
	STATS_NAME(SETXATTR),
	STATS_NAME(GETXATTR),
	STATS_NAME(LISTXATTR),
	STATS_NAME(REMOVEXATTR),
	STATS_NAME(FLUSH),
	STATS_NAME(INIT),
	STATS_NAME(OPENDIR),
	STATS_NAME(READDIR),
	STATS_NAME(RELEASEDIR),
	STATS_NAME(FSYNCDIR),
	STATS_NAME(GETLK),
	STATS_NAME(SETLK),
	STATS_NAME(SETLKW),
	STATS_NAME(ACCESS),
	STATS_NAME(CREATE),
	STATS_NAME(BMAP),
	STATS_NAME(DESTROY),
	STATS_NAME(IOCTL),
	STATS_NAME(POLL),
	STATS_NAME(FALLOCATE),
	STATS_NAME(READDIRPLUS),
	STATS_NAME(RENAME2),
	STATS_NAME(LSEEK),
	STATS_NAME(COPY_FILE_RANGE),
	STATS_NAME(SETUPMAPPING),
	STATS_NAME(REMOVEMAPPING),
	STATS_NAME(SYNCFS),
	STATS_NAME(TMPFILE),
	STATS_NAME(STATX),
};

/**
 * virtiofs_stats_alloc() - make room for the numbers of a connection
 *
 * Context: process context, may sleep.
 * Return: it, or NULL.
 */
struct glue_latency __percpu *virtiofs_stats_alloc(void)
{
	return alloc_percpu(struct glue_latency);
}

/**
 * virtiofs_stats_free() - undo virtiofs_stats_alloc()
 * @latency: the numbers, or NULL
 */
void virtiofs_stats_free(struct glue_latency __percpu *latency)
{
	free_percpu(latency);
}

/**
 * virtiofs_stats_count() - a request is complete
 * @conn: its connection
 * @opcode: what it was
 * @ns: how long the device had it, in nanoseconds
 *
 * Context: any.
 */
void virtiofs_stats_count(struct glue_conn *conn, u32 opcode, u64 ns)
{
	unsigned int bucket = min(ilog2(ns | 1), STATS_BUCKETS - 1);

	opcode = min(opcode, STATS_OPCODES - 1);
	this_cpu_inc(conn->latency->nr[opcode][bucket]);
}

/* Returns the sum of the @buckets of an opcode, which are summed over CPUs */
static u64 stats_sum(struct glue_conn *conn, unsigned int opcode, u64 *buckets)
{
	unsigned int bucket, cpu;
	u64 sum = 0;

	for (bucket = 0; bucket < STATS_BUCKETS; bucket++) {
		buckets[bucket] = 0;
		for_each_possible_cpu(cpu)
			buckets[bucket] += READ_ONCE(per_cpu_ptr(conn->latency,
						cpu)->nr[opcode][bucket]);
		sum += buckets[bucket];
	}
	return sum;
}

/**
 * virtiofs_stats_show_latency() - a line for each kind of request
 * @session: a session that is mounted
 * @m: where they go
 *
 * Name, number, and how many of them took from 1, 2, 4, ... nanoseconds on.
 *
 * Context: process context, may sleep.
 */
void virtiofs_stats_show_latency(struct virtiofs_session *session,
				 struct seq_file *m)
{
	unsigned int opcode, bucket;
	u64 buckets[STATS_BUCKETS];
	u64 sum;

	for (opcode = 0; opcode < STATS_OPCODES; opcode++) {
		sum = stats_sum(session->conn, opcode, buckets);
		if (!sum)
			continue;
		if (stats_names[opcode])
			seq_puts(m, stats_names[opcode]);
		else
			seq_printf(m, "opcode-%u", opcode);
		seq_printf(m, " %llu", sum);
		for (bucket = 0; bucket < STATS_BUCKETS; bucket++)
			seq_printf(m, " %llu", buckets[bucket]);
		seq_putc(m, '\n');
	}
}

/**
 * virtiofs_stats_errors() - number of requests without a good reply
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: the number; errors that the server reports are good replies.
 */
unsigned long virtiofs_stats_errors(struct virtiofs_session *session)
{
	return atomic_long_read(&session->conn->errors);
}

/**
 * virtiofs_stats_oldest_ms() - how long the device has the oldest of its requests
 * @session: a session that is mounted
 *
 * Context: any but interrupts.
 * Return: a number of milliseconds, or 0 if there is none.
 */
unsigned long virtiofs_stats_oldest_ms(struct virtiofs_session *session)
{
	return div_u64(virtiofs_vqs_oldest(session->vqs), NSEC_PER_MSEC);
}
