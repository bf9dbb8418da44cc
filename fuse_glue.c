// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE client's transport: its requests go to the queues, where their callers
 * poll or sleep for them, and come back with results.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/sched.h>

#include "fuse/conn.h"
#include "fuse/plug.h"
#include "hiprio.h"
#include "virtiofs_trace.h"

static void glue_trace_request(struct glue_conn *conn, struct virtiofs_vq *vq,
			       struct fuse_req *req)
{
	if (trace_virtiofs_request_enabled())
		trace_virtiofs_request(conn->session->tag, vq->name,
				       req->in.h.unique, req->in.h.opcode,
				       req->in.h.nodeid, req->in.h.len,
				       virtiofs_req_len(req));
}

/* Of an orphan's reply only the header is copied, as its arguments are not there any more */
static void glue_trace_reply(struct glue_conn *conn, struct fuse_req *req,
			     struct virtiofs_buf *buf, int error,
			     bool has_args)
{
	unsigned int copied = 0;

	if (!trace_virtiofs_reply_enabled())
		return;
	if (buf && test_bit(FR_ISREPLY, &req->flags))
		copied = has_args && !error ? virtiofs_req_reply_len(req) :
					      sizeof(struct fuse_out_header);
	trace_virtiofs_reply(conn->session->tag, req->in.h.unique,
			     req->in.h.opcode, error, buf ? buf->took : 0,
			     copied);
}

/* See struct virtiofs_vq_ops */
static void glue_done(struct llist_node *link, struct virtiofs_buf *buf,
		      int error)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_orphan *orphan = glue_sub_of(req)->orphan;
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;

	if (unlikely(error))
		atomic_long_inc(&conn->errors);
	else
		virtiofs_stats_count(conn, req->in.h.opcode, buf->took);
	if (unlikely(orphan)) {
		glue_trace_reply(conn, req, buf, error, false);
		virtiofs_orphan_done(orphan, buf, error);
		return;
	}
	if (!error && test_bit(FR_ISREPLY, &req->flags))
		error = virtiofs_req_read(req, buf);
	if (unlikely(req->in.h.opcode == FUSE_INIT))
		virtiofs_init_done(req, error);
	virtiofs_req_free(req);
	glue_trace_reply(conn, req, buf, error, true);
	req->out.h.error = error;
	clear_bit(FR_SENT, &req->flags);
	virtiofs_complete(conn, req);
}

static const struct virtiofs_vq_ops glue_request_ops = {
	.map = virtiofs_req_map,
	.done = glue_done,
};

const struct virtiofs_vqs_ops virtiofs_glue_vqs_ops = {
	.hiprio = &virtiofs_hiprio_ops,
	.request = &glue_request_ops,
};

static void glue_send_forget(struct fuse_iqueue *fiq,
			     struct fuse_forget_link *link)
{
	virtiofs_order_send_forget(fiq->priv, link);
}

/*
 * The FUSE client sends a FORGET as a request when it could not make an inode
 * of a directory entry.  It must not go over a request queue (virtio
 * specification 5.11.6.2), and ends when it is handed over.
 */
static void glue_send_forget_req(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	const struct fuse_forget_in *in = req->args->in_args[0].value;

	virtiofs_order_forget(fiq->priv, req->in.h.nodeid, in->nlookup);
	fuse_request_end(req);
}

/*
 * The caller waits here already, where the interrupt wakes it up and it ends the
 * request itself.  With a signal it goes on waiting in the FUSE client, which
 * knows what to do about that.
 */
static void glue_submit_sync(struct glue_conn *conn, struct virtiofs_vq *vq,
			     struct fuse_req *req)
{
	bool exiting = virtiofs_abandon_is_exiting(req);
	struct virtiofs_waiter waiter;

	if (virtiofs_poll_submit(conn, vq, req, &waiter))
		return;
	virtiofs_watchdog_start(conn);
	if (virtiofs_vq_wait(vq, &waiter, exiting ? 0 : MAX_SCHEDULE_TIMEOUT))
		return;
	/* The caller has a reference to a request that it waits for */
	if (unlikely(exiting))
		virtiofs_abandon_exiting(conn, req);
}

/* Killed while there was no memory for the request */
static void glue_fail_req(struct fuse_req *req)
{
	INIT_LIST_HEAD(&req->list);
	clear_bit(FR_SENT, &req->flags);
	req->out.h.error = -EINTR;
	fuse_request_end(req);
}

/*
 * Background READs into the page cache are readahead's.  It fills its
 * requests, so one that could be longer is its last, or ends at pages that are there
 * already, and then there is one notification more.
 */
static bool glue_is_last(struct glue_conn *conn, struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	return args->page_zeroing && req->in.h.opcode == FUSE_READ &&
	       args->out_args[args->out_numargs - 1].size < glue_max_read(conn->fc);
}

static void glue_send_req(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;
	bool sync = test_bit(FR_ISREPLY, &req->flags) &&
		    !test_bit(FR_BACKGROUND, &req->flags);
	struct virtiofs_vq *vq = virtiofs_vqs_pick(conn->session->vqs);

	glue_assign_unique(fiq, req);
	clear_bit(FR_PENDING, &req->flags);
	if (unlikely(req->in.h.opcode == FUSE_FORGET)) {
		glue_send_forget_req(fiq, req);
		return;
	}
	if (unlikely(req->in.h.opcode == FUSE_LSEEK) &&
	    !virtiofs_dirty_flush(conn, req))
		return;
	set_bit(FR_SENT, &req->flags);
	if (!virtiofs_req_prepare(req)) {
		glue_fail_req(req);
		return;
	}
	glue_trace_request(conn, vq, req);
	/* The mount that it was made for may end in the request's end */
	if (!sync)
		glue_set_mount(req, conn->fm);
	if (!sync && req->args->user_pages) {
		/* After the request has been counted: see virtiofs_abandon_killed() */
		smp_store_release(&conn->direct, 1);
	}
	if (unlikely(virtiofs_order_hold(conn, req))) {
		virtiofs_watchdog_start(conn);
		if (sync)
			virtiofs_abandon_held(conn, req);
	} else if (sync) {
		virtiofs_plug_flush();
		glue_submit_sync(conn, vq, req);
	} else {
		virtiofs_plug_submit(vq, &glue_sub_of(req)->link,
				     glue_is_last(conn, req));
		virtiofs_watchdog_start(conn);
	}
}

GLUE_FIQ_OPS(virtiofs_glue_fiq_ops, glue_send_forget, virtiofs_abandon_signalled, glue_send_req,
	     virtiofs_mount_conn_release);
