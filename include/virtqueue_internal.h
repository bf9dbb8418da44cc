/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What virtqueue.c and virtqueue_set.c know of each other.
 */
#ifndef _VIRTIOFS_VIRTQUEUE_INTERNAL_H
#define _VIRTIOFS_VIRTQUEUE_INTERNAL_H

#include <linux/cleanup.h>
#include <linux/spinlock.h>

#include "virtqueue.h"

extern struct workqueue_struct *virtiofs_wq;

/* virtqueue.c */
void virtiofs_vq_unlock(struct virtiofs_vq *vq, unsigned long flags)
	__releases(&vq->lock);

/* guard(vq)() and scoped_guard(vq, ...) hold the lock of a queue, interrupts off */
DEFINE_LOCK_GUARD_1(vq, struct virtiofs_vq,
		    spin_lock_irqsave(&_T->lock->lock, _T->flags),
		    virtiofs_vq_unlock(_T->lock, _T->flags), unsigned long flags)

void virtiofs_vq_init(struct virtiofs_vqs *vqs, unsigned int index,
		      const struct virtiofs_vqs_ops *ops);
int virtiofs_vq_alloc(struct virtiofs_vq *vq, int node);
void virtiofs_vq_free(struct virtiofs_vq *vq);
void virtiofs_vq_callback(struct virtqueue *ring);
void virtiofs_vq_reap(struct virtiofs_vq *vq);
bool virtiofs_vq_cancel(struct virtiofs_vq *vq, struct llist_node *link);
void virtiofs_vq_detach(struct virtiofs_vq *vq);

#endif
