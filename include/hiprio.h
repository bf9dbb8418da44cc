/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goes over the hiprio queue: FORGETs of the FUSE client, and INTERRUPTs.
 *
 * Knows FUSE's wire format.  Knows neither the FUSE client nor file systems.
 */
#ifndef _VIRTIOFS_HIPRIO_H
#define _VIRTIOFS_HIPRIO_H

#include <linux/types.h>

struct virtiofs_vq;
struct virtiofs_vq_ops;

/* How long a FORGET waits for others at most, in milliseconds */
#define VIRTIOFS_FORGET_DELAY	100

/* Number of FORGETs that do not wait any longer */
#define VIRTIOFS_FORGET_ENOUGH	512

/**
 * struct virtiofs_forget - lookups of an inode that the guest gives up
 * @nodeid: the inode
 * @nlookup: how many of its lookups
 * @next: link of the queue, while it has the FORGET
 *
 * Laid out as the FUSE client's struct fuse_forget_link, which is what is
 * submitted; fuse_glue.c checks that.  Allocated by kmalloc(), owned by the
 * hiprio queue from submission on.
 */
struct virtiofs_forget {
	u64 nodeid;
	u64 nlookup;
	void *next;
};

/**
 * struct virtiofs_interrupt - a request that the guest would rather not wait for
 * @head: a FORGET of no inode, by which the two are told apart; zeroes
 * @unique: id of the request
 * @done: called when the hiprio queue has no use for it any more.  The error is
 *	-EAGAIN or -ENOSYS if the server said so, what the end of the queue
 *	says, or 0.  Context: process context, no lock held.
 */
struct virtiofs_interrupt {
	struct virtiofs_forget head;
	u64 unique;
	void (*done)(struct virtiofs_interrupt *interrupt, int error);
};

extern const struct virtiofs_vq_ops virtiofs_hiprio_ops;

void virtiofs_hiprio_set_minor(struct virtiofs_vq *vq, u32 minor);
void virtiofs_hiprio_forget(struct virtiofs_vq *vq,
			    struct virtiofs_forget *forget);
void virtiofs_hiprio_interrupt(struct virtiofs_vq *vq,
			       struct virtiofs_interrupt *interrupt);

#endif
