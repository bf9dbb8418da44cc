// SPDX-License-Identifier: GPL-2.0
/*
 * Whether it pays to look for a reply instead of sleeping until it comes.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#include "fuse_conn.h"

/* Requests of more bytes than this take longer, and are judged apart */
#define POLL_LARGE		SZ_64K

/* When it does not pay, every so many times it is tried whether it does now */
#define POLL_TRY_EVERY		32

/* How much later than usual a reply may come, in nanoseconds */
#define POLL_SLACK		(10 * NSEC_PER_USEC)

/* Requests that may take as long as they like */
static bool glue_may_last(u32 opcode)
{
	switch (opcode) {
	case FUSE_SETLKW:
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_SYNCFS:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case FUSE_IOCTL:
	case FUSE_INIT:
	case FUSE_DESTROY:
		return true;
	default:
		return false;
	}
}

/* Bytes that come or go besides the headers, at most */
static unsigned int glue_payload(struct fuse_req *req)
{
	struct fuse_args *args = req->args;
	unsigned int out = 0;

	if (args->out_numargs)
		out = args->out_args[args->out_numargs - 1].size;
	return max(req->in.h.len, out);
}

/* What is known of requests like @req, or NULL if they never are looked for */
static struct glue_poll *glue_poll_class(struct glue_conn *conn,
					 struct fuse_req *req)
{
	u32 opcode = req->in.h.opcode;

	if (!test_bit(FR_ISREPLY, &req->flags) ||
	    test_bit(FR_BACKGROUND, &req->flags) ||
	    opcode >= GLUE_POLL_OPCODES || glue_may_last(opcode))
		return NULL;
	return &conn->poll[glue_payload(req) > POLL_LARGE][opcode];
}

/* Nanoseconds to look for a reply, or 0 if it is better to sleep */
static u32 glue_poll_budget(struct glue_poll *poll, u32 most)
{
	u32 usual = READ_ONCE(poll->ns), skipped = READ_ONCE(poll->skipped);

	if (!usual)
		return most;
	if (usual <= most)
		return min(most, 2 * usual + POLL_SLACK);
	if (skipped >= POLL_TRY_EVERY) {
		WRITE_ONCE(poll->skipped, 0);
		return most;
	}
	WRITE_ONCE(poll->skipped, skipped + 1);
	return 0;
}

/* A reply has come after so long.  Who learns at the same time does no harm. */
static void glue_poll_learn(struct glue_poll *poll, u32 ns)
{
	u32 usual = READ_ONCE(poll->ns);

	WRITE_ONCE(poll->ns, usual ? usual - usual / 8 + ns / 8 : ns);
}

/* See virtiofs_ended_fn */
static bool glue_is_finished(struct llist_node *link)
{
	return test_bit(FR_FINISHED, &glue_req_of(link)->flags);
}

/**
 * virtiofs_poll_submit() - submit a request, and look for its reply if that pays
 * @conn: the connection
 * @vq: a queue
 * @req: the request; if it is looked for, its caller waits for it
 *
 * Context: that of the caller.  Spins for conn->poll_us at the longest.
 * Return: true if the request has ended; then only its caller's reference is left.
 */
bool virtiofs_poll_submit(struct glue_conn *conn, struct virtiofs_vq *vq,
			  struct fuse_req *req)
{
	struct glue_poll *poll = glue_poll_class(conn, req);
	struct llist_node *link = &glue_sub_of(req)->link;
	u32 most = READ_ONCE(conn->poll_us) * NSEC_PER_USEC;
	u32 budget = poll && most ? glue_poll_budget(poll, most) : 0;
	u64 since;

	if (!budget) {
		virtiofs_vq_submit(vq, link);
		return false;
	}
	since = ktime_get_ns();
	if (virtiofs_vq_submit_poll(vq, link, glue_is_finished, budget)) {
		glue_poll_learn(poll, ktime_get_ns() - since);
		return true;
	}
	/* Nobody knows how long it takes, but it takes too long */
	if (ktime_get_ns() - since >= budget)
		glue_poll_learn(poll, 2 * most);
	return false;
}

/**
 * virtiofs_poll_us() - how long a task looks for a reply
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: a number of microseconds.
 */
unsigned long virtiofs_poll_us(struct virtiofs_session *session)
{
	return READ_ONCE(session->conn->poll_us);
}

/**
 * virtiofs_poll_set_us() - change how long a task looks for a reply
 * @session: a session that is mounted
 * @us: a number of microseconds, 0 to have it sleep at once
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int virtiofs_poll_set_us(struct virtiofs_session *session, unsigned int us)
{
	if (us > GLUE_POLL_US_MAX)
		return -EINVAL;
	WRITE_ONCE(session->conn->poll_us, us);
	return 0;
}
