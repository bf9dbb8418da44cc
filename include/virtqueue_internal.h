/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What virtqueue.c, virtqueue_wait.c and virtqueue_device.c know of each other.
 */
#ifndef _VIRTIOFS_VIRTQUEUE_INTERNAL_H
#define _VIRTIOFS_VIRTQUEUE_INTERNAL_H

#include <linux/cleanup.h>
#include <linux/spinlock.h>

#include "virtqueue.h"

extern struct workqueue_struct *virtiofs_wq;

/* virtqueue.c */
void virtiofs_vq_unlock_wake(struct virtiofs_vq *vq, unsigned long flags)
	__releases(&vq->lock);

/**
 * virtiofs_vq_unlock() - drop the lock of a queue
 * @vq: the queue
 * @flags: of spin_lock_irqsave()
 *
 * Context: under the queue's lock.  See virtiofs_vq_unlock_wake().
 */
static inline void virtiofs_vq_unlock(struct virtiofs_vq *vq,
				      unsigned long flags)
	__releases(&vq->lock)
{
	if (likely(list_empty(&vq->answered)))
		spin_unlock_irqrestore(&vq->lock, flags);
	else
		virtiofs_vq_unlock_wake(vq, flags);
}

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
void virtiofs_vq_arm(struct virtiofs_vq *vq);
void virtiofs_vq_look(struct virtiofs_vq *vq);
unsigned int virtiofs_vq_end_bufs(struct virtiofs_vq *vq,
				  struct list_head *batch);
void virtiofs_vq_ended(struct virtiofs_vq *vq, unsigned int nr,
		       struct list_head *batch, struct virtiofs_waiter *waiter);
bool virtiofs_vq_cancel(struct virtiofs_vq *vq, struct llist_node *link);
void virtiofs_vq_detach(struct virtiofs_vq *vq);

/**
 * virtiofs_vq_nr_unwaited() - how many that nobody waits for here does the ring have?
 * @vq: the queue
 *
 * Context: under the queue's lock.
 * Return: number of submissions.
 */
static inline unsigned int virtiofs_vq_nr_unwaited(const struct virtiofs_vq *vq)
{
	return vq->nr_in_ring - vq->nr_polled - vq->nr_asleep;
}

/* virtqueue_wait.c */
bool virtiofs_vq_set_submitter(struct virtiofs_vq *vq);
bool virtiofs_vq_is_keen(struct virtiofs_vq *vq);
bool virtiofs_vq_worker_looks(struct virtiofs_vq *vq);
void virtiofs_vq_put_submitter(struct virtiofs_vq *vq);

/**
 * virtiofs_vq_forget_submitter() - the worker looks for nobody any more
 * @vq: the queue
 *
 * Context: the worker, at last, or in its stead.
 */
static inline void virtiofs_vq_forget_submitter(struct virtiofs_vq *vq)
{
	if (READ_ONCE(vq->submitter))
		virtiofs_vq_put_submitter(vq);
}

#endif
