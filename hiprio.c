// SPDX-License-Identifier: GPL-2.0
/*
 * FORGET in wire format over the hiprio queue (virtio specification 5.11.6.2,
 * "device operation: high priority queue").
 *
 * Knows the queue and FUSE's wire format, not the FUSE client.
 */

#include <linux/fuse.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "hiprio.h"
#include "virtqueue.h"

/* A FORGET as the device reads it; there is no reply */
struct hiprio_forget_msg {
	struct fuse_in_header in;
	struct fuse_forget_in arg;
};

static_assert(sizeof(struct hiprio_forget_msg) == 48);
static_assert(sizeof(struct hiprio_forget_msg) <= VIRTIOFS_BUF_DATA);
static_assert(sizeof(struct llist_node) == sizeof(void *));

static struct virtiofs_forget *hiprio_forget_of(struct llist_node *link)
{
	return container_of((void **)link, struct virtiofs_forget, next);
}

static int hiprio_map(struct llist_node *link, struct virtiofs_buf *buf,
		      struct virtiofs_sgl *sgl)
{
	struct virtiofs_forget *forget = hiprio_forget_of(link);
	struct hiprio_forget_msg *msg = (void *)buf->data;

	/* Nobody answers a FORGET, so it needs no unique id */
	*msg = (struct hiprio_forget_msg){
		.in.len = sizeof(*msg),
		.in.opcode = FUSE_FORGET,
		.in.nodeid = forget->nodeid,
		.arg.nlookup = forget->nlookup,
	};
	virtiofs_sgl_out(sgl, virt_to_page(msg), sizeof(*msg),
			 offset_in_page(msg));
	return 0;
}

/* Sent, or of no use any more because the device has forgotten everything */
static void hiprio_done(struct llist_node *link, struct virtiofs_buf *buf,
			int error)
{
	kfree(hiprio_forget_of(link));
}

const struct virtiofs_vq_ops virtiofs_hiprio_ops = {
	.map = hiprio_map,
	.done = hiprio_done,
};

/**
 * virtiofs_hiprio_forget() - tell the device to forget lookups of an inode
 * @vq: the hiprio queue
 * @forget: which; freed when the device has returned it
 *
 * Delivered in order, however full the ring is; dropped only by a reset of the
 * device, which ends all lookups.
 *
 * Context: any but interrupts.  Does not sleep, allocates nothing.
 */
void virtiofs_hiprio_forget(struct virtiofs_vq *vq,
			    struct virtiofs_forget *forget)
{
	virtiofs_vq_submit(vq, (struct llist_node *)&forget->next);
}
