// SPDX-License-Identifier: GPL-2.0
/*
 * FORGET and INTERRUPT in wire format over the hiprio queue (virtio specification 5.11.6.2,
 * "device operation: high priority queue").
 *
 * Knows the queue and FUSE's wire format, not the FUSE client.
 */

#include <linux/fuse.h>
#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "hiprio.h"
#include "virtiofs_trace.h"
#include "virtqueue.h"

/* The first version of the protocol that has BATCH_FORGET */
#define HIPRIO_BATCH_MINOR	16

/* A FORGET as the device reads it; there is no reply */
struct hiprio_forget_msg {
	struct fuse_in_header in;
	struct fuse_forget_in arg;
};

static_assert(sizeof(struct hiprio_forget_msg) == 48);
static_assert(sizeof(struct hiprio_forget_msg) <= VIRTIOFS_BUF_DATA);
static_assert(sizeof(struct llist_node) == sizeof(void *));

/* Many of them in one request; there is no reply, either */
struct hiprio_batch_msg {
	struct fuse_in_header in;
	struct fuse_batch_forget_in arg;
	struct fuse_forget_one one[];
};

static_assert(sizeof(struct hiprio_batch_msg) == 48);

/* An INTERRUPT; the reply is a header, if there is one */
struct hiprio_interrupt_msg {
	struct fuse_in_header in;
	struct fuse_interrupt_in arg;
	struct fuse_out_header out;
};

static_assert(offsetof(struct hiprio_interrupt_msg, out) == 48);
static_assert(sizeof(struct hiprio_interrupt_msg) <= VIRTIOFS_BUF_DATA);

/* In the id of an INTERRUPT, beside that of its request, which is even */
#define HIPRIO_INTERRUPT_BIT	1

/* As many as a buf has room for */
#define HIPRIO_BATCH_MAX	((VIRTIOFS_BUF_DATA - \
				  sizeof(struct hiprio_batch_msg)) / \
				 sizeof(struct fuse_forget_one))

static struct virtiofs_forget *hiprio_forget_of(struct llist_node *link)
{
	return container_of((void **)link, struct virtiofs_forget, next);
}

/* No inode has the number 0 */
static bool hiprio_is_interrupt(struct llist_node *link)
{
	return !hiprio_forget_of(link)->nodeid;
}

static struct virtiofs_interrupt *hiprio_interrupt_of(struct llist_node *link)
{
	return container_of(hiprio_forget_of(link), struct virtiofs_interrupt,
			    head);
}

static int hiprio_map_interrupt(struct llist_node *link,
				struct virtiofs_buf *buf,
				struct virtiofs_sgl *sgl)
{
	struct virtiofs_interrupt *interrupt = hiprio_interrupt_of(link);
	struct hiprio_interrupt_msg *msg = (void *)buf->data;

	/* A server that does not reply leaves a header of zeroes */
	*msg = (struct hiprio_interrupt_msg){
		.in.len = offsetof(struct hiprio_interrupt_msg, out),
		.in.opcode = FUSE_INTERRUPT,
		.in.unique = interrupt->unique | HIPRIO_INTERRUPT_BIT,
		.arg.unique = interrupt->unique,
	};
	trace_virtiofs_hiprio(FUSE_INTERRUPT, 1, interrupt->unique);
	virtiofs_sgl_add_memory(sgl, msg, msg->in.len);
	virtiofs_sgl_begin_reply(sgl);
	virtiofs_sgl_add_memory(sgl, &msg->out, sizeof(msg->out));
	return 1;
}

/* A FORGET has no reply, so it needs no unique id */
static int hiprio_map_forget(struct llist_node *link, struct virtiofs_buf *buf,
			     struct virtiofs_sgl *sgl)
{
	struct virtiofs_forget *forget = hiprio_forget_of(link);
	struct hiprio_forget_msg *msg = (void *)buf->data;

	*msg = (struct hiprio_forget_msg){
		.in.len = sizeof(*msg),
		.in.opcode = FUSE_FORGET,
		.in.nodeid = forget->nodeid,
		.arg.nlookup = forget->nlookup,
	};
	trace_virtiofs_hiprio(FUSE_FORGET, 1, 0);
	virtiofs_sgl_add_memory(sgl, msg, sizeof(*msg));
	return 1;
}

static int hiprio_map_one(struct llist_node *link, struct virtiofs_buf *buf,
			  struct virtiofs_sgl *sgl)
{
	if (hiprio_is_interrupt(link))
		return hiprio_map_interrupt(link, buf, sgl);
	return hiprio_map_forget(link, buf, sgl);
}

static int hiprio_map_batch(struct llist_node *link, struct virtiofs_buf *buf,
			    struct virtiofs_sgl *sgl)
{
	struct hiprio_batch_msg *msg = (void *)buf->data;
	struct virtiofs_forget *forget;
	unsigned int nr;

	if (hiprio_is_interrupt(link) || !link->next ||
	    hiprio_is_interrupt(link->next))
		return hiprio_map_one(link, buf, sgl);
	for (nr = 0; link && nr < HIPRIO_BATCH_MAX; link = link->next, nr++) {
		if (hiprio_is_interrupt(link))
			break;
		forget = hiprio_forget_of(link);
		msg->one[nr].nodeid = forget->nodeid;
		msg->one[nr].nlookup = forget->nlookup;
	}
	msg->in = (struct fuse_in_header){
		.len = struct_size(msg, one, nr),
		.opcode = FUSE_BATCH_FORGET,
	};
	msg->arg = (struct fuse_batch_forget_in){ .count = nr };
	trace_virtiofs_hiprio(FUSE_BATCH_FORGET, nr, 0);
	virtiofs_sgl_add_memory(sgl, msg, msg->in.len);
	return nr;
}

/* What the server says to an INTERRUPT; other replies than these mean nothing */
static int hiprio_interrupt_error(struct virtiofs_interrupt *interrupt,
				  struct virtiofs_buf *buf)
{
	struct hiprio_interrupt_msg *msg = (void *)buf->data;
	s32 error = READ_ONCE(msg->out.error);

	if (READ_ONCE(msg->out.unique) !=
	    (interrupt->unique | HIPRIO_INTERRUPT_BIT))
		return 0;
	return error == -EAGAIN || error == -ENOSYS ? error : 0;
}

/* Sent, or of no use any more because the device has forgotten everything */
static void hiprio_done(struct llist_node *link, struct virtiofs_buf *buf,
			int error)
{
	struct virtiofs_interrupt *interrupt = hiprio_interrupt_of(link);
	unsigned int nr = buf ? buf->nr : 1;
	struct llist_node *next;

	if (hiprio_is_interrupt(link)) {
		if (!error)
			error = hiprio_interrupt_error(interrupt, buf);
		interrupt->done(interrupt, error);
		return;
	}
	for (; nr; link = next, nr--) {
		next = link->next;
		kfree(hiprio_forget_of(link));
	}
}

/* Until the server has said that it knows more */
const struct virtiofs_vq_ops virtiofs_hiprio_ops = {
	.map = hiprio_map_one,
	.done = hiprio_done,
};

static const struct virtiofs_vq_ops hiprio_batch_ops = {
	.map = hiprio_map_batch,
	.done = hiprio_done,
};

/**
 * virtiofs_hiprio_set_minor() - a session with a server begins
 * @vq: the hiprio queue
 * @minor: version of the protocol that the server speaks, 7.@minor
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_hiprio_set_minor(struct virtiofs_vq *vq, u32 minor)
{
	virtiofs_vq_set_ops(vq, minor < HIPRIO_BATCH_MINOR ?
				&virtiofs_hiprio_ops : &hiprio_batch_ops);
}

/**
 * virtiofs_hiprio_forget() - tell the device to forget lookups of an inode
 * @vq: the hiprio queue
 * @forget: which; freed when the device has returned it
 *
 * Waits for others, for VIRTIOFS_FORGET_DELAY at most.  Delivered in order,
 * however full the ring is; dropped only by a reset of the device, which ends
 * all lookups.
 *
 * Context: any but interrupts.  Does not sleep, allocates nothing.
 */
void virtiofs_hiprio_forget(struct virtiofs_vq *vq,
			    struct virtiofs_forget *forget)
{
	/* What a server has that lies */
	if (unlikely(!forget->nodeid)) {
		kfree(forget);
		return;
	}
	virtiofs_vq_defer(vq, (struct llist_node *)&forget->next,
			  VIRTIOFS_FORGET_ENOUGH,
			  msecs_to_jiffies(VIRTIOFS_FORGET_DELAY));
}

/**
 * virtiofs_hiprio_interrupt() - ask the device not to go on with a request
 * @vq: the hiprio queue
 * @interrupt: which; belongs to the queue until its done() is called
 *
 * Goes before FORGETs that wait for others.
 *
 * Context: any but interrupts.  Does not sleep, allocates nothing.
 */
void virtiofs_hiprio_interrupt(struct virtiofs_vq *vq,
			       struct virtiofs_interrupt *interrupt)
{
	virtiofs_vq_submit(vq, (struct llist_node *)&interrupt->head.next);
}
