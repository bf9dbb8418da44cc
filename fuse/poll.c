// SPDX-License-Identifier: GPL-2.0
/*
 * Polling for replies, as its hit rate allows.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include "conn.h"

/**
 * virtiofs_poll_submit() - submit a request, and poll for its reply if that hits often
 * @conn: the connection
 * @vq: a queue
 * @req: a request whose caller waits for it
 * @waiter: for virtiofs_vq_wait(), to be called if this returns false
 *
 * Context: that of the caller.  Polls as virtiofs_vq_submit_wait() does.
 * Return: true if the request is completed; then only its caller's reference is left.
 */
bool virtiofs_poll_submit(struct glue_conn *conn, struct virtiofs_vq *vq,
			  struct fuse_req *req, struct virtiofs_waiter *waiter)
{
	u64 ns = (u64)READ_ONCE(conn->poll_us) * NSEC_PER_USEC;
	u32 opcode = req->in.h.opcode;
	struct virtiofs_hit_rate *rate = NULL;

	if (ns && opcode < GLUE_POLL_OPCODES)
		rate = &conn->poll[opcode];
	return virtiofs_vq_submit_wait(vq, &glue_sub_of(req)->link, waiter, ns,
				       rate);
}

/**
 * virtiofs_poll_us() - how long a task polls for a reply
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
 * virtiofs_poll_set_us() - change how long a task polls for a reply
 * @session: a session that is mounted
 * @us: a number of microseconds, 0 not to poll
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
