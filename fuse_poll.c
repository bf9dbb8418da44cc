// SPDX-License-Identifier: GPL-2.0
/*
 * Whether it pays to look for a reply instead of sleeping until it comes.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/minmax.h>
#include <linux/sizes.h>

#include "fuse_conn.h"

/* Requests of more bytes than this take longer, and are judged apart */
#define POLL_LARGE		SZ_64K

/* For so many microseconds a worker may keep others of its CPU waiting */
#define POLL_WORKER_US_MAX	1000

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
static struct virtiofs_score *glue_poll_class(struct glue_conn *conn,
					      struct fuse_req *req)
{
	u32 opcode = req->in.h.opcode;

	if (opcode >= GLUE_POLL_OPCODES || glue_may_last(opcode))
		return NULL;
	return &conn->poll[glue_payload(req) > POLL_LARGE][opcode];
}

/**
 * virtiofs_poll_submit() - submit a request, and look for its reply if that pays
 * @conn: the connection
 * @vq: a queue
 * @req: a request whose caller waits for it
 * @waiter: for virtiofs_vq_wait(), to be called if this returns false
 *
 * Context: that of the caller.  Spins as virtiofs_vq_submit_wait() does.
 * Return: true if the request has ended; then only its caller's reference is left.
 */
bool virtiofs_poll_submit(struct glue_conn *conn, struct virtiofs_vq *vq,
			  struct fuse_req *req, struct virtiofs_waiter *waiter)
{
	struct virtiofs_score *score = glue_poll_class(conn, req);
	struct llist_node *link = &glue_sub_of(req)->link;
	u64 ns = (u64)READ_ONCE(conn->poll_us) * NSEC_PER_USEC;
	bool found;

	if (!score || !ns || !score_pays(score))
		return virtiofs_vq_submit_wait(vq, link, waiter, 0);
	found = virtiofs_vq_submit_wait(vq, link, waiter, ns);
	/* Nothing was lost if the CPU was wanted by somebody else */
	if (found || waiter->late)
		score_learn(score, found);
	return found;
}

/**
 * virtiofs_poll_set() - say how long a reply is looked for
 * @conn: the connection
 * @us: a number of microseconds, 0 to have nobody look
 *
 * Holds for callers that wait, and for the workers that look for what nobody waits for, but
 * a worker looks for POLL_WORKER_US_MAX at the longest.
 *
 * Context: any.
 */
void virtiofs_poll_set(struct glue_conn *conn, unsigned int us)
{
	WRITE_ONCE(conn->poll_us, us);
	us = min(us, POLL_WORKER_US_MAX);
	virtiofs_vqs_set_look(conn->session->vqs, (u64)us * NSEC_PER_USEC);
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
	virtiofs_poll_set(session->conn, us);
	return 0;
}
