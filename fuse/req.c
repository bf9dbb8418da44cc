// SPDX-License-Identifier: GPL-2.0
/*
 * A request of the FUSE client as buffers, and a reply as its result.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/highmem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "conn.h"

/* Pages come with the last argument */
static unsigned int req_in_pages_len(struct fuse_args *args)
{
	return args->in_args[args->in_numargs - 1].size;
}

static unsigned int req_out_pages_len(struct fuse_args *args)
{
	return args->out_args[args->out_numargs - 1].size;
}

/* Bytes of the request that are no pages: header and arguments */
static unsigned int req_len(struct fuse_req *req, struct fuse_args *args)
{
	unsigned int len = req->in.h.len;

	if (args->in_pages)
		len -= req_in_pages_len(args);
	return len;
}

/**
 * virtiofs_req_len() - how much of a request is copied to the device
 * @req: the request
 *
 * Context: any, while the arguments are there.
 * Return: number of bytes that are no pages.
 */
unsigned int virtiofs_req_len(struct fuse_req *req)
{
	return req_len(req, req->args);
}

/**
 * virtiofs_req_reply_len() - how much of the longest reply is copied
 * @req: the request
 *
 * Context: any, while the arguments are there.
 * Return: number of bytes that are no pages; 0 if there is no reply at all.
 */
unsigned int virtiofs_req_reply_len(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	if (!test_bit(FR_ISREPLY, &req->flags))
		return 0;
	return sizeof(struct fuse_out_header) +
	       fuse_len_args(args->out_numargs - args->out_pages,
			     args->out_args);
}

/* The reply lies behind the request, aligned so that its header can be read */
static unsigned int req_reply_offset(struct fuse_req *req,
				     struct fuse_args *args)
{
	return ALIGN(req_len(req, args), 8);
}

/*
 * Memory for a request that is too long for a buf, as the setting of a large
 * extended attribute is.  @out.h of the request is ours until the reply goes
 * there, and keeps the pointer meanwhile.
 */
static void *req_big(struct fuse_req *req)
{
	return (void *)(unsigned long)req->out.h.unique;
}

static void req_write_request(struct fuse_req *req, void *memory)
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
 * Mostly calls of user space are long, so there is time to wait for memory, unless the
 * caller is killed: then this returns false.  In Linux 6.1 direct I/O of the kernel
 * for itself is long as well, and some of it in the background: that has no time, and without
 * memory it fails as what the ring has no room for.  It has to be in one piece: on a small
 * ring descriptors are rarer than memory.  It is filled here, as the queue has interrupts
 * off when it does that.
 */
static bool req_alloc_big(struct fuse_req *req)
{
	unsigned int len = req_reply_offset(req, req->args) +
			   virtiofs_req_reply_len(req);
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;
	bool background = test_bit(FR_BACKGROUND, &req->flags);
	void *big;

	if (likely(len <= VIRTIOFS_BUF_DATA))
		return true;
	while (!(big = kzalloc(len, background ? GFP_NOWAIT | __GFP_NOWARN :
			       GFP_NOFS | __GFP_NOWARN | __GFP_RETRY_MAYFAIL))) {
		/* Ends without it, as it does when the queues were killed */
		if (background || glue_is_killed(conn))
			return true;
		if (fatal_signal_pending(current))
			return false;
		memalloc_retry_wait(GFP_NOFS);
	}
	req_write_request(req, big);
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
	req_write_request(req, copy);
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
	return req_big(req) + sizeof(req->in.h);
}

/**
 * virtiofs_req_free() - free what a request had besides its buf
 * @req: a request that the device does not have
 *
 * Context: any but interrupts.
 */
void virtiofs_req_free(struct fuse_req *req)
{
	if (likely(!req_big(req)))
		return;
	kfree(req_big(req));
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
	return req_big(req) ?: buf->data;
}

static bool req_map_pages(struct virtiofs_sgl *sgl, struct fuse_args *args,
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

/**
 * virtiofs_req_map() - describe a request to the ring
 * @link: the request
 * @buf: its place in the queue
 * @sgl: scatterlist
 *
 * See struct virtiofs_vq_ops.
 *
 * Context: under the queue's lock.
 * Return: 1, as each is a request of its own, or -E2BIG.
 */
int virtiofs_req_map(struct llist_node *link, struct virtiofs_buf *buf,
		     struct virtiofs_sgl *sgl)
{
	struct fuse_req *req = glue_req_of(link);
	struct fuse_args *args = req->args;
	unsigned int in = req_len(req, args);
	unsigned int out = virtiofs_req_reply_len(req);
	unsigned int offset = req_reply_offset(req, args);
	void *memory = virtiofs_req_memory(req, buf);
	void *reply = memory + offset;

	if (unlikely(offset + out > VIRTIOFS_BUF_DATA) && !req_big(req))
		return -E2BIG;
	if (likely(!req_big(req))) {
		req_write_request(req, memory);
		/* What the device does not write must not be an earlier reply */
		memset(reply, 0, out);
	}
	if (!virtiofs_sgl_add_memory(sgl, memory, in))
		return -E2BIG;
	if (args->in_pages &&
	    !req_map_pages(sgl, args, req_in_pages_len(args)))
		return -E2BIG;
	if (!out)
		return 1;

	virtiofs_sgl_begin_reply(sgl);
	if (!virtiofs_sgl_add_memory(sgl, reply, out))
		return -E2BIG;
	if (args->out_pages &&
	    !req_map_pages(sgl, args, req_out_pages_len(args)))
		return -E2BIG;
	return 1;
}

/* A reply shorter than its pages: no old content of theirs may be seen */
static void req_zero_tail(struct fuse_args *args, unsigned int len)
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
static void req_zero_reply(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	switch (req->in.h.opcode) {
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_READLINK:
		req_zero_tail(args, 0);
		break;
	case FUSE_IOCTL:
		if (args->out_pages)
			req_zero_tail(args, args->in_pages ?
					     req_in_pages_len(args) : 0);
	}
}

/**
 * virtiofs_req_prepare() - make a request ready to be submitted
 * @req: the request
 *
 * Context: that of the submission.  Sleeps only if the request is too long for a buf.
 * Return: false if the caller was killed while there was no memory.
 */
bool virtiofs_req_prepare(struct fuse_req *req)
{
	glue_sub_of(req)->orphan = NULL;
	if (!req_alloc_big(req))
		return false;
	req_zero_reply(req);
	return true;
}

/*
 * The one copy of a header that the device might still write to.  Returns what
 * is wrong with it, or NULL.
 */
static const char *req_read_header(struct fuse_req *req, void *reply,
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
static const char *req_fit_args(struct fuse_args *args, unsigned int len)
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

static void req_read_args(struct fuse_req *req, void *p)
{
	struct fuse_args *args = req->args;
	unsigned int i, nr = args->out_numargs - args->out_pages;

	for (i = 0; i < nr; i++) {
		memcpy(args->out_args[i].value, p, args->out_args[i].size);
		p += args->out_args[i].size;
	}
	if (args->out_pages && args->page_zeroing)
		req_zero_tail(args, args->out_args[nr].size);
}

/**
 * virtiofs_req_check() - check the header of a reply
 * @req: the request
 * @args: its arguments, or a copy of them; if it succeeded, their sizes become those
 *	of the reply
 * @conn: its connection
 * @buf: its place in the queue
 *
 * Context: done().
 * Return: the server's result, or -EIO with one message for a malformed reply.
 */
int virtiofs_req_check(struct fuse_req *req, struct fuse_args *args,
		       struct glue_conn *conn, struct virtiofs_buf *buf)
{
	void *reply = virtiofs_req_memory(req, buf) + req_reply_offset(req, args);
	struct fuse_out_header oh;
	const char *fault;

	fault = req_read_header(req, reply, buf->len, &oh);
	if (!fault && !oh.error)
		fault = req_fit_args(args, oh.len - sizeof(oh));
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
	return virtiofs_req_memory(req, buf) + req_reply_offset(req, args) +
	       sizeof(struct fuse_out_header);
}

/**
 * virtiofs_req_read() - take the reply to a request
 * @req: the request, which gets the arguments of a good reply
 * @buf: its place in the queue
 *
 * Context: done().
 * Return: as virtiofs_req_check().
 */
int virtiofs_req_read(struct fuse_req *req, struct virtiofs_buf *buf)
{
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;
	int error;

	error = virtiofs_req_check(req, req->args, conn, buf);
	if (!error)
		req_read_args(req, virtiofs_req_reply(req, req->args, buf));
	return error;
}

/**
 * virtiofs_req_put() - drop a reference
 * @req: the request, which is complete if the reference is the last one
 *
 * The connection goes by RCU when the last request is gone, for which its end may wait.
 *
 * Context: process context.
 */
void virtiofs_req_put(struct fuse_req *req)
{
	guard(rcu)();
	if (!refcount_dec_not_one(&req->count))
		fuse_request_end(req);
}
