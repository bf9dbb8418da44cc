// SPDX-License-Identifier: GPL-2.0
/*
 * Between the FUSE client and the queues: requests become buffers, replies
 * become results.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/highmem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "fuse_conn.h"
#include "hiprio.h"
#include "plug.h"
#include "virtiofs_trace.h"

/* Pages come with the last argument */
static unsigned int glue_in_pages_len(struct fuse_args *args)
{
	return args->in_args[args->in_numargs - 1].size;
}

static unsigned int glue_out_pages_len(struct fuse_args *args)
{
	return args->out_args[args->out_numargs - 1].size;
}

/* Bytes of the request that are no pages: header and arguments */
static unsigned int glue_request_len(struct fuse_req *req,
				     struct fuse_args *args)
{
	unsigned int len = req->in.h.len;

	if (args->in_pages)
		len -= glue_in_pages_len(args);
	return len;
}

/* Bytes of the longest reply that are no pages; 0 if there is none at all */
static unsigned int glue_reply_len(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	if (!test_bit(FR_ISREPLY, &req->flags))
		return 0;
	return sizeof(struct fuse_out_header) +
	       fuse_len_args(args->out_numargs - args->out_pages,
			     args->out_args);
}

/* The reply lies behind the request, aligned so that its header can be read */
static unsigned int glue_reply_offset(struct fuse_req *req,
				      struct fuse_args *args)
{
	return ALIGN(glue_request_len(req, args), 8);
}

/*
 * Memory for a request that is too long for a buf, as the setting of a large
 * extended attribute is.  @out.h of the request is ours until the reply goes
 * there, and keeps the pointer meanwhile.
 */
static void *glue_big(struct fuse_req *req)
{
	return (void *)(unsigned long)req->out.h.unique;
}

static void glue_write_request(struct fuse_req *req, void *memory)
{
	struct fuse_args *args = req->args;
	unsigned int i, nr = args->in_numargs - args->in_pages;
	void *p = memory;

	memcpy(p, &req->in.h, sizeof(req->in.h));
	p += sizeof(req->in.h);
	for (i = 0; i < nr; i++) {
		memcpy(p, args->in_args[i].value, args->in_args[i].size);
		p += args->in_args[i].size;
	}
	if (unlikely(req->in.h.opcode == FUSE_INIT))
		virtiofs_init_offer(memory + sizeof(req->in.h));
}

/*
 * Only calls of user space are long, so there is time to wait for memory, unless the
 * caller is killed: then this returns false.  It has to be in one piece: on a small ring
 * descriptors are rarer than memory.  It is filled here, as the queue has interrupts
 * off when it does that.
 */
static bool glue_alloc_big(struct fuse_req *req)
{
	unsigned int len = glue_reply_offset(req, req->args) +
			   glue_reply_len(req);
	void *big;

	if (likely(len <= VIRTIOFS_BUF_DATA))
		return true;
	if (WARN_ON_ONCE(test_bit(FR_BACKGROUND, &req->flags)))
		return true;
	while (!(big = kzalloc(len, GFP_NOFS | __GFP_NOWARN |
			       __GFP_RETRY_MAYFAIL))) {
		if (fatal_signal_pending(current))
			return false;
		memalloc_retry_wait(GFP_NOFS);
	}
	glue_write_request(req, big);
	req->out.h.unique = (unsigned long)big;
	return true;
}

static_assert(sizeof(struct fuse_in_header) + sizeof(struct fuse_release_in) +
	      sizeof(struct fuse_out_header) <= VIRTIOFS_REQ_KEPT);
static_assert(sizeof(struct fuse_flush_in) <= sizeof(struct fuse_release_in));

/**
 * virtiofs_req_keep() - have a FLUSH or RELEASE do without its caller
 * @req: a request that the device does not have yet
 * @args: what its arguments are from here on; only their sizes are used
 * @copy: zeroes, VIRTIOFS_REQ_KEPT bytes, which now belong to the request
 *
 * Context: under the lock of what has the request, so that it is not complete.
 */
void virtiofs_req_keep(struct fuse_req *req, struct fuse_args *args, void *copy)
{
	glue_write_request(req, copy);
	*args = *req->args;
	req->args = args;
	req->out.h.unique = (unsigned long)copy;
}

/**
 * virtiofs_req_kept() - the arguments of a FLUSH or RELEASE that does without its caller
 * @req: a request that the device does not have yet
 *
 * Context: any.
 * Return: the first of them, or NULL if the caller has them.
 */
const void *virtiofs_req_kept(struct fuse_req *req)
{
	if (!glue_sub_of(req)->orphan)
		return NULL;
	return glue_big(req) + sizeof(req->in.h);
}

/**
 * virtiofs_req_free() - free what a request had besides its buf
 * @req: a request that the device does not have
 *
 * Context: any but interrupts.
 */
void virtiofs_req_free(struct fuse_req *req)
{
	if (likely(!glue_big(req)))
		return;
	kfree(glue_big(req));
	req->out.h.unique = 0;
}

/**
 * virtiofs_req_memory() - where header and arguments lie for the device
 * @req: the request
 * @buf: its place in the queue
 *
 * Context: map() or done().
 * Return: the request's header, with the arguments behind it.
 */
void *virtiofs_req_memory(struct fuse_req *req, struct virtiofs_buf *buf)
{
	return glue_big(req) ?: buf->data;
}

static bool glue_map_pages(struct virtiofs_sgl *sgl, struct fuse_args *args,
			   unsigned int len)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i, run;

	for (i = 0; i < glue_nr_pages(ap) && len; i++) {
		run = min(len, ap->descs[i].length);
		if (!virtiofs_sgl_add(sgl, glue_page(ap, i), run,
				      ap->descs[i].offset))
			return false;
		len -= run;
	}
	return true;
}

/* See struct virtiofs_vq_ops */
static int glue_map(struct llist_node *link, struct virtiofs_buf *buf,
		    struct virtiofs_sgl *sgl)
{
	struct fuse_req *req = glue_req_of(link);
	struct fuse_args *args = req->args;
	unsigned int in = glue_request_len(req, args);
	unsigned int out = glue_reply_len(req);
	unsigned int offset = glue_reply_offset(req, args);
	void *memory = virtiofs_req_memory(req, buf);
	void *reply = memory + offset;

	if (unlikely(offset + out > VIRTIOFS_BUF_DATA) && !glue_big(req))
		return -E2BIG;
	if (likely(!glue_big(req))) {
		glue_write_request(req, memory);
		/* What the device does not write must not be an earlier reply */
		memset(reply, 0, out);
	}
	if (!virtiofs_sgl_add_memory(sgl, memory, in))
		return -E2BIG;
	if (args->in_pages &&
	    !glue_map_pages(sgl, args, glue_in_pages_len(args)))
		return -E2BIG;
	if (!out)
		return 1;

	virtiofs_sgl_begin_reply(sgl);
	if (!virtiofs_sgl_add_memory(sgl, reply, out))
		return -E2BIG;
	if (args->out_pages &&
	    !glue_map_pages(sgl, args, glue_out_pages_len(args)))
		return -E2BIG;
	return 1;
}

/* A reply shorter than its pages: no old content of theirs may be seen */
static void glue_zero_tail(struct fuse_args *args, unsigned int len)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i, run, offset;

	for (i = 0; i < glue_nr_pages(ap); i++) {
		run = min(len, ap->descs[i].length);
		offset = ap->descs[i].offset;
		if (run < ap->descs[i].length)
			glue_zero_page(ap, i, offset + run,
				       offset + ap->descs[i].length);
		len -= run;
	}
}

/*
 * Names, and what an IOCTL brings, come into pages that the client has from the
 * allocator for this reply alone.  The server can claim more than it has written, and
 * then user space would see what was there before.  An IOCTL has the same pages for
 * what the device reads.
 */
static void glue_zero_reply(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	switch (req->in.h.opcode) {
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_READLINK:
		glue_zero_tail(args, 0);
		break;
	case FUSE_IOCTL:
		if (args->out_pages)
			glue_zero_tail(args, args->in_pages ?
					     glue_in_pages_len(args) : 0);
	}
}

/*
 * The one copy of a header that the device might still write to.  Returns what
 * is wrong with it, or NULL.
 */
static const char *glue_read_header(struct fuse_req *req, void *reply,
				    unsigned int used,
				    struct fuse_out_header *oh)
{
	struct fuse_out_header *header = reply;

	oh->len = READ_ONCE(header->len);
	oh->error = READ_ONCE(header->error);
	oh->unique = READ_ONCE(header->unique);

	if (oh->len < sizeof(*oh))
		return "too short for a header";
	/* Some servers do not say how much they wrote */
	if (used && oh->len > used)
		return "longer than what was written";
	if (oh->unique != req->in.h.unique)
		return "to another request";
	if (oh->error > 0 || oh->error <= -512)
		return "with an impossible error";
	if (oh->error && oh->len != sizeof(*oh))
		return "with an error and a payload";
	return NULL;
}

/*
 * Set the length of the last argument by that of the reply.  Returns what is
 * wrong with that length, or NULL.
 */
static const char *glue_fit_args(struct fuse_args *args, unsigned int len)
{
	unsigned int most = fuse_len_args(args->out_numargs, args->out_args);
	struct fuse_arg *last;

	if (len > most)
		return "longer than what was asked for";
	if (len == most)
		return NULL;
	last = &args->out_args[args->out_numargs - 1];
	if (!args->out_argvar || most - len > last->size)
		return "too short";
	last->size -= most - len;
	return NULL;
}

static void glue_read_args(struct fuse_req *req, void *p)
{
	struct fuse_args *args = req->args;
	unsigned int i, nr = args->out_numargs - args->out_pages;

	for (i = 0; i < nr; i++) {
		memcpy(args->out_args[i].value, p, args->out_args[i].size);
		p += args->out_args[i].size;
	}
	if (args->out_pages && args->page_zeroing)
		glue_zero_tail(args, args->out_args[nr].size);
}

/**
 * virtiofs_req_check() - look at the header of a reply
 * @req: the request
 * @args: its arguments, or a copy of them; if it succeeded, their sizes become those
 *	of the reply
 * @conn: its connection
 * @buf: its place in the queue
 *
 * Context: done().
 * Return: the server's result, or -EIO with one message for a reply that lies.
 */
int virtiofs_req_check(struct fuse_req *req, struct fuse_args *args,
		       struct glue_conn *conn, struct virtiofs_buf *buf)
{
	void *reply = virtiofs_req_memory(req, buf) + glue_reply_offset(req, args);
	struct fuse_out_header oh;
	const char *fault;

	fault = glue_read_header(req, reply, buf->len, &oh);
	if (!fault && !oh.error)
		fault = glue_fit_args(args, oh.len - sizeof(oh));
	/* Servers that end with the session leave its last reply empty */
	if (fault && !buf->len && req->in.h.opcode == FUSE_DESTROY)
		return 0;
	if (fault) {
		pr_warn_ratelimited("virtiofs: %s: reply to opcode %u is %s (length %u, written %u, error %d)\n",
				    conn->session->tag, req->in.h.opcode, fault,
				    oh.len, buf->len, oh.error);
		atomic_long_inc(&conn->errors);
		return -EIO;
	}
	return oh.error;
}

/**
 * virtiofs_req_reply() - where the arguments of a reply lie
 * @req: the request
 * @args: as for virtiofs_req_check()
 * @buf: its place in the queue
 *
 * Context: done().
 * Return: the arguments, behind the reply's header.
 */
void *virtiofs_req_reply(struct fuse_req *req, struct fuse_args *args,
			 struct virtiofs_buf *buf)
{
	return virtiofs_req_memory(req, buf) + glue_reply_offset(req, args) +
	       sizeof(struct fuse_out_header);
}

static int glue_read_reply(struct fuse_req *req, struct virtiofs_buf *buf)
{
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;
	int error;

	error = virtiofs_req_check(req, req->args, conn, buf);
	if (!error)
		glue_read_args(req, virtiofs_req_reply(req, req->args, buf));
	return error;
}

/* hiprio.c takes the FUSE client's links as they are */
static_assert(offsetof(struct virtiofs_forget, nodeid) ==
	      offsetof(struct fuse_forget_link, forget_one.nodeid));
static_assert(offsetof(struct virtiofs_forget, nlookup) ==
	      offsetof(struct fuse_forget_link, forget_one.nlookup));
static_assert(offsetof(struct virtiofs_forget, next) ==
	      offsetof(struct fuse_forget_link, next));

/**
 * virtiofs_conn_send_forget() - send a FORGET, unless the session ends
 * @conn: the connection
 * @link: the FORGET, which it gives up
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_conn_send_forget(struct glue_conn *conn,
			       struct fuse_forget_link *link)
{
	/* Who ends the session waits for this */
	guard(rcu)();
	if (READ_ONCE(conn->closed))
		kfree(link);
	else if (!virtiofs_leave_hold_forget(conn, link))
		virtiofs_hiprio_forget(glue_hiprio(conn),
				       (struct virtiofs_forget *)link);
	/* A session that ends has nothing watched any more */
	if (!READ_ONCE(conn->closed))
		virtiofs_watch_requests(conn);
}

static void glue_send_forget(struct fuse_iqueue *fiq,
			     struct fuse_forget_link *link)
{
	virtiofs_conn_send_forget(fiq->priv, link);
}

/**
 * virtiofs_conn_forget() - give lookups back that the FUSE client knows nothing of
 * @conn: the connection
 * @nodeid: the inode
 * @nlookup: how many lookups
 *
 * Context: process context, may sleep.
 */
void virtiofs_conn_forget(struct glue_conn *conn, u64 nodeid, u64 nlookup)
{
	struct fuse_forget_link *link;

	link = kzalloc_obj(*link, GFP_NOFS | __GFP_NOFAIL);
	link->forget_one.nodeid = nodeid;
	link->forget_one.nlookup = nlookup;
	virtiofs_conn_send_forget(conn, link);
}

static void glue_trace_request(struct glue_conn *conn, struct virtiofs_vq *vq,
			       struct fuse_req *req)
{
	if (trace_virtiofs_request_enabled())
		trace_virtiofs_request(conn->session->tag, vq->name,
				       req->in.h.unique, req->in.h.opcode,
				       req->in.h.nodeid, req->in.h.len,
				       glue_request_len(req, req->args));
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
		copied = has_args && !error ? glue_reply_len(req) :
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
		virtiofs_leave_done(orphan, buf, error);
		return;
	}
	if (!error && test_bit(FR_ISREPLY, &req->flags))
		error = glue_read_reply(req, buf);
	if (unlikely(req->in.h.opcode == FUSE_INIT))
		virtiofs_init_done(req, error);
	virtiofs_req_free(req);
	glue_trace_reply(conn, req, buf, error, true);
	req->out.h.error = error;
	clear_bit(FR_SENT, &req->flags);
	virtiofs_end(conn, req);
}

static const struct virtiofs_vq_ops glue_request_ops = {
	.map = glue_map,
	.done = glue_done,
};

const struct virtiofs_vqs_ops virtiofs_glue_vqs_ops = {
	.hiprio = &virtiofs_hiprio_ops,
	.request = &glue_request_ops,
};

/*
 * The FUSE client sends a FORGET as a request when it could not make an inode
 * of a directory entry.  It must not go over a request queue (virtio
 * specification 5.11.6.2), and ends when it is handed over.
 */
static void glue_send_forget_req(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	const struct fuse_forget_in *in = req->args->in_args[0].value;

	virtiofs_conn_forget(fiq->priv, req->in.h.nodeid, in->nlookup);
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
	bool exiting = virtiofs_leave_is_exiting(req);
	struct virtiofs_waiter waiter;

	if (virtiofs_poll_submit(conn, vq, req, &waiter))
		return;
	virtiofs_watch_requests(conn);
	if (virtiofs_vq_wait(vq, &waiter, exiting ? 0 : MAX_SCHEDULE_TIMEOUT))
		return;
	/* The caller has a reference to a request that it waits for */
	if (unlikely(exiting))
		virtiofs_leave_exiting(conn, req);
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
 * Of what nobody waits for, READs into the page cache are readahead's.  It fills its
 * requests, so one that could be longer is its last, or ends at pages that are there
 * already, and then there is one notification more.
 */
static bool glue_is_last(struct glue_conn *conn, struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	return args->page_zeroing && req->in.h.opcode == FUSE_READ &&
	       glue_out_pages_len(args) < glue_max_read(conn->fc);
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
	if (!glue_alloc_big(req)) {
		glue_fail_req(req);
		return;
	}
	glue_zero_reply(req);
	glue_sub_of(req)->orphan = NULL;
	glue_trace_request(conn, vq, req);
	/* The mount that it was made for may end in the request's end */
	if (!sync)
		glue_set_mount(req, conn->fm);
	if (unlikely(virtiofs_leave_hold(conn, req))) {
		virtiofs_watch_requests(conn);
		virtiofs_leave_held(conn, req);
	} else if (sync) {
		virtiofs_plug_flush();
		glue_submit_sync(conn, vq, req);
	} else {
		virtiofs_plug_submit(vq, &glue_sub_of(req)->link,
				     glue_is_last(conn, req));
		virtiofs_watch_requests(conn);
	}
}

const struct fuse_iqueue_ops virtiofs_glue_fiq_ops = {
	.send_forget = glue_send_forget,
	.send_interrupt = virtiofs_leave_signalled,
	.send_req = glue_send_req,
	.release = virtiofs_conn_release,
};
