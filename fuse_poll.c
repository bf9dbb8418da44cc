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

/*
 * To look in vain costs about as much as two finds save.  So many losses more than
 * finds, and it does not pay.
 */
#define POLL_LOSS		2
#define POLL_LOSSES_MAX		16

/* Then every so many times it is tried whether it does now */
#define POLL_TRY_EVERY		16

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

	if (opcode >= GLUE_POLL_OPCODES || glue_may_last(opcode))
		return NULL;
	return &conn->poll[glue_payload(req) > POLL_LARGE][opcode];
}

/* Who looks and learns at the same time does no harm */
static bool glue_poll_pays(struct glue_poll *poll)
{
	u8 skipped = READ_ONCE(poll->skipped);

	if (READ_ONCE(poll->losses) < POLL_LOSSES_MAX)
		return true;
	WRITE_ONCE(poll->skipped, skipped + 1);
	return skipped % POLL_TRY_EVERY == 0;
}

static void glue_poll_learn(struct glue_poll *poll, bool found)
{
	u8 losses = READ_ONCE(poll->losses);

	if (found)
		losses -= min(losses, 1);
	else
		losses = min(losses + POLL_LOSS, POLL_LOSSES_MAX);
	WRITE_ONCE(poll->losses, losses);
}

/**
 * virtiofs_poll_submit() - submit a request, and look for its reply if that pays
 * @conn: the connection
 * @vq: a queue
 * @req: a request whose caller waits for it
 * @waiter: for virtiofs_vq_wait(), to be called if this returns false
 *
 * Context: that of the caller.  Spins for conn->poll_us at the longest.
 * Return: true if the request has ended; then only its caller's reference is left.
 */
bool virtiofs_poll_submit(struct glue_conn *conn, struct virtiofs_vq *vq,
			  struct fuse_req *req, struct virtiofs_waiter *waiter)
{
	struct glue_poll *poll = glue_poll_class(conn, req);
	struct llist_node *link = &glue_sub_of(req)->link;
	u64 ns = (u64)READ_ONCE(conn->poll_us) * NSEC_PER_USEC;
	u64 since;

	if (!poll || !ns || !glue_poll_pays(poll))
		return virtiofs_vq_submit_wait(vq, link, waiter, 0);
	since = ktime_get_ns();
	if (virtiofs_vq_submit_wait(vq, link, waiter, ns)) {
		glue_poll_learn(poll, true);
		return true;
	}
	/* Nothing was lost if the CPU was wanted by somebody else */
	if (ktime_get_ns() - since >= ns)
		glue_poll_learn(poll, false);
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
