// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue of a virtio-fs device.
 *
 * Submissions go into a ring in the order in which they came, as far as the
 * ring has room, and are completed by their waiters, or else by the worker.
 * Knows virtio, but neither FUSE nor file systems.
 */

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtiofs_trace.h"
#include "virtqueue_internal.h"

/* How long a ring that lacked memory waits until it tries again */
#define VQ_RETRY_DELAY	msecs_to_jiffies(10)

/*
 * A ring has as many entries as the host likes.  The memory that it costs the guest has a
 * bound of its own, which is also one for the work of a lock hold: so many requests in the ring
 * at a time, and so many descriptors for one of them.
 */
#define VQ_BUFS_MAX		256U
#define VQ_DESCRIPTORS_MAX	1024U

/* A section lies in one memory region of the host: regions are plugged by sections */
static unsigned long sgl_section_end(unsigned long pfn)
{
	return ALIGN(pfn + 1, VIRTIOFS_PAGES_PER_SECTION);
}

static bool sg_follows(struct scatterlist *last, struct page *page,
		       unsigned int offset)
{
	return sg_phys(last) + last->length == page_to_phys(page) + offset &&
	       sgl_section_end(page_to_pfn(sg_page(last))) ==
	       sgl_section_end(page_to_pfn(page)) &&
	       page_to_nid(sg_page(last)) == page_to_nid(page);
}

/* Add @len bytes that one descriptor may have */
static bool sgl_add_run(struct virtiofs_sgl *sgl, struct page *page,
			unsigned int len, unsigned int offset)
{
	struct scatterlist *sg = &sgl->sg[sgl->nr];

	if (sgl->nr > sgl->nr_out && sg_follows(sg - 1, page, offset) &&
	    len <= sgl->max_len - sg[-1].length) {
		sg[-1].length += len;
		return true;
	}
	if (sgl->nr >= sgl->max)
		return false;
	sg_set_page(sg, page, len, offset);
	sgl->nr++;
	return true;
}

/**
 * virtiofs_sgl_add() - add bytes that the device reads or, once the reply has begun, writes
 * @sgl: scatterlist that a map() function fills
 * @page: first page of the bytes
 * @len: number of bytes
 * @offset: where they begin, counted from the beginning of @page
 *
 * Runs that follow each other in memory take one descriptor, but none is longer than the
 * device takes, or lies in two memory sections or NUMA nodes: a daemon has mapped each of
 * the host's memory regions at a place of its own.
 *
 * Context: map().
 * Return: false if the request needs more descriptors than the ring has.
 */
bool virtiofs_sgl_add(struct virtiofs_sgl *sgl, struct page *page,
		      unsigned int len, unsigned int offset)
{
	unsigned long pfn = page_to_pfn(page) + (offset >> PAGE_SHIFT);
	unsigned int run;
	u64 left;

	offset = offset_in_page(offset);
	sgl->len += len;
	while (len) {
		left = ((u64)(sgl_section_end(pfn) - pfn) << PAGE_SHIFT) - offset;
		run = min3((u64)len, (u64)sgl->max_len, left);
		if (!sgl_add_run(sgl, pfn_to_page(pfn), run, offset))
			return false;
		len -= run;
		pfn += (offset + run) >> PAGE_SHIFT;
		offset = offset_in_page(offset + run);
	}
	return true;
}

/* Let the ring take what map() has described */
static int vq_add_sgl(struct virtiofs_vq *vq, struct virtiofs_buf *buf)
{
	struct virtiofs_sgl *sgl = &vq->sgl;
	struct scatterlist *sgs[2], *ends[2];
	int err;

	if (!sgl->nr_out)
		virtiofs_sgl_begin_reply(sgl);
	sgs[0] = sgl->sg;
	sgs[1] = sgl->sg + sgl->nr_out;
	ends[0] = sgs[1] - 1;
	ends[1] = sgl->sg + sgl->nr - 1;
	sg_mark_end(ends[0]);
	sg_mark_end(ends[1]);
	err = virtqueue_add_sgs(vq->ring, sgs, 1, sgl->nr > sgl->nr_out, buf,
				GFP_ATOMIC);
	sg_unmark_end(ends[0]);
	sg_unmark_end(ends[1]);
	return err;
}

/*
 * Put the submission at @link into the ring, with those behind it that map()
 * takes.  Returns how many, or -errno; -EBUSY: no buf is free.
 */
static int vq_add(struct virtiofs_vq *vq, struct llist_node *link, u64 now)
{
	struct virtiofs_sgl *sgl = &vq->sgl;
	struct virtiofs_buf *buf;
	int nr, err;

	lockdep_assert_held(&vq->lock);

	if (list_empty(&vq->free))
		return -EBUSY;
	buf = list_first_entry(&vq->free, struct virtiofs_buf, node);

	sgl->nr = 0;
	sgl->nr_out = 0;
	sgl->len = 0;
	nr = vq->ops->map(link, buf, sgl);
	if (nr < 0)
		return -EINVAL;
	err = vq_add_sgl(vq, buf);
	if (err)
		return err;

	buf->link = link;
	buf->nr = nr;
	buf->waiter = NULL;
	buf->since = now;
	list_move_tail(&buf->node, &vq->in_ring);
	WRITE_ONCE(vq->nr_in_ring, vq->nr_in_ring + nr);
	vq->bytes_out += sgl->len_out;
	return nr;
}

/* Whenever there is something for the worker, @scheduled says that it will take the lock */
static void vq_schedule(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	if (vq->scheduled)
		return;
	vq->scheduled = true;
	queue_work(virtiofs_wq, &vq->work);
}

/*
 * Memory may come without a completion: what is in the ring may be locks that others wait
 * for, and the unlock on the backlog.
 */
static void vq_retry_later(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	timer_reduce(&vq->timer, jiffies + VQ_RETRY_DELAY);
}

/*
 * The head of the backlog did not go into the ring.  Returns true if it was
 * taken off the backlog, so that the next one can be tried.
 */
static bool vq_add_failed(struct virtiofs_vq *vq, int err)
{
	lockdep_assert_held(&vq->lock);

	switch (err) {
	case -EBUSY:
		/* When they are given back, the backlog goes on */
		return false;
	case -ENOSPC:
		/* With an empty ring it is too long, and will be at the next try */
		if (list_empty(&vq->in_ring))
			break;
		/* One would do, but for that there was no memory */
		if (vq->ring->num_free &&
		    virtio_has_feature(vq->vqs->vdev, VIRTIO_RING_F_INDIRECT_DESC))
			vq_retry_later(vq);
		return false;
	case -EIO:
		/* Nothing but a reset mends a ring that is broken */
		if (virtqueue_is_broken(vq->ring)) {
			virtiofs_vqs_kill_async(vq->vqs);
			return false;
		}
		/* So does a packed ring say that it cannot map memory for the device */
		fallthrough;
	case -ENOMEM:
		vq_retry_later(vq);
		return false;
	}
	/* An ioctl() of anybody may be longer than what a small ring carries */
	dev_warn_ratelimited(&vq->vqs->vdev->dev,
			     "a request does not fit into queue %s\n", vq->name);
	fifo_push(&vq->failed, fifo_pop(&vq->backlog));
	vq_schedule(vq);
	return true;
}

/* The device has used @buf, or never will */
static void vq_return_buf(struct virtiofs_vq *vq, struct virtiofs_buf *buf,
			  unsigned int len, int error, u64 now)
{
	struct virtiofs_waiter *waiter = buf->waiter;

	lockdep_assert_held(&vq->lock);

	buf->took = now - buf->since;
	buf->len = len;
	buf->error = error;
	WRITE_ONCE(vq->nr_in_ring, vq->nr_in_ring - buf->nr);
	vq->bytes_in += len;
	if (!waiter) {
		list_move_tail(&buf->node, &vq->used);
		return;
	}
	if (vq->poller == waiter) {
		vq->poller = NULL;
		vq->polled++;
		list_del_init(&buf->node);
	} else {
		vq->nr_sleeping--;
		list_move_tail(&buf->node, &vq->woken);
	}
	/* The poller reads it without the lock; then the waiter may be gone */
	smp_store_release(&waiter->used, true);
}

/* Take all that the device has used.  What has no waiter is the worker's to complete. */
static void vq_reap(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf;
	unsigned int len;
	u64 now = 0;

	lockdep_assert_held(&vq->lock);

	while ((buf = virtqueue_get_buf(vq->ring, &len))) {
		/* Once for all that have come together, since others wait for the lock */
		now = now ?: ktime_get_ns();
		vq_return_buf(vq, buf, len, 0, now);
	}
	/* The device has returned what it never had, and returns no more */
	if (unlikely(virtqueue_is_broken(vq->ring)))
		virtiofs_vqs_kill_async(vq->vqs);
	/* There may be room for the backlog now */
	if (!list_empty(&vq->used) || (now && vq->backlog.first))
		vq_schedule(vq);
}

/* Callbacks are off then, whatever comes next */
static void vq_disarm(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	if (vq->state != VQ_ARMED)
		return;
	virtqueue_disable_cb(vq->ring);
	WRITE_ONCE(vq->state, VQ_IDLE);
}

/*
 * What reaps next?  A poller or the worker may be long about to, as another task or the
 * hypervisor takes their CPU.  So a sleeper needs callbacks, and a poller reaps for itself alone.
 */
static enum virtiofs_vq_state vq_next_state(const struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	if (!vq->nr_in_ring)
		WARN_ON_ONCE(vq->poller || vq->nr_sleeping);
	if (!vq->nr_in_ring || vq->dead)
		return VQ_IDLE;
	if (vq->nr_sleeping)
		return VQ_ARMED;
	if (vq->scheduled)
		return VQ_SCHEDULED;
	return vq->poller && vq->nr_in_ring == 1 ? VQ_POLLED : VQ_ARMED;
}

/* Bring @state in line with what has changed under the lock */
static void vq_update_state(struct virtiofs_vq *vq)
{
	enum virtiofs_vq_state next;

	lockdep_assert_held(&vq->lock);

	while ((next = vq_next_state(vq)) != vq->state) {
		if (next != VQ_ARMED) {
			vq_disarm(vq);
			WRITE_ONCE(vq->state, next);
		} else if (virtqueue_enable_cb(vq->ring)) {
			WRITE_ONCE(vq->state, VQ_ARMED);
		} else {
			/* The device has used something meanwhile, and does not interrupt for it */
			virtqueue_disable_cb(vq->ring);
			vq_reap(vq);
		}
	}
}

static void vq_notify(struct virtiofs_vq *vq, bool notify)
{
	/* A transport that cannot notify has broken the ring, and nothing in it completes */
	if (notify && unlikely(!virtqueue_notify(vq->ring)))
		virtiofs_vqs_kill_async(vq->vqs);
}

/**
 * virtiofs_vq_unlock() - drop the lock of a queue
 * @vq: the queue
 * @flags: of spin_lock_irqsave()
 *
 * The holder of the lock has changed what is in the ring, and its waiters.  What reaps next
 * follows from that, and is decided here for all holders.  The device is notified without
 * the lock if the kernel allows, since that may be a VM exit, and sleepers are woken without
 * it, as they are about to take it.
 *
 * Context: under the queue's lock.  Use guard(vq).
 */
void virtiofs_vq_unlock(struct virtiofs_vq *vq, unsigned long flags)
	__releases(&vq->lock)
{
	struct virtiofs_buf *buf, *next;
	bool notify = vq->notify;
	LIST_HEAD(woken);

	vq_update_state(vq);
	if (!notify && list_empty(&vq->woken)) {
		spin_unlock_irqrestore(&vq->lock, flags);
		return;
	}
	vq->notify = false;
	list_splice_init(&vq->woken, &woken);
	/* virtiofs_vqs_kill() waits for this before it takes the ring away */
	guard(rcu)();
	/*
	 * Neither the device nor they must wait until this task has the CPU again.  On a
	 * real-time kernel the transport may sleep for a lock, but who waits for this one lends its
	 * holder the priority for that.
	 */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		vq_notify(vq, notify);
	else
		preempt_disable();
	spin_unlock_irqrestore(&vq->lock, flags);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		vq_notify(vq, notify);
	list_for_each_entry_safe(buf, next, &woken, node)
		complete(&buf->waiter->done);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

/* Something has come into the ring */
static void vq_kick(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	if (!virtqueue_kick_prepare(vq->ring))
		return;
	vq->notify = true;
	vq->kicks++;
	trace_virtiofs_kick(vq->vqs->index, vq->name, vq->nr_in_ring);
}

/* Move submissions from the backlog into the ring, as far as it has room, oldest first */
static void vq_fill(struct virtiofs_vq *vq)
{
	bool added = false;
	u64 now;
	int nr;

	lockdep_assert_held(&vq->lock);

	if (!vq->backlog.first)
		return;
	if (vq->dead) {
		vq_schedule(vq);
		return;
	}
	now = ktime_get_ns();
	do {
		nr = vq_add(vq, vq->backlog.first, now);
		if (nr > 0) {
			added = true;
			fifo_drop(&vq->backlog, nr);
		} else if (!vq_add_failed(vq, nr)) {
			trace_virtiofs_backlog(vq->vqs->index, vq->name,
					       vq->backlog.nr);
			break;
		}
	} while (vq->backlog.first);
	if (added)
		vq_kick(vq);
}

/* Does another task want the CPU? */
static bool vq_cpu_is_wanted(void)
{
	return need_resched() || !single_task_running();
}

/*
 * If @link has just come into the ring, its submitter polls or sleeps for it.  Returns true if it
 * polls.
 */
static bool vq_attach(struct virtiofs_vq *vq, struct llist_node *link,
		      struct virtiofs_waiter *waiter, bool poll)
{
	struct virtiofs_buf *buf;

	lockdep_assert_held(&vq->lock);

	if (list_empty(&vq->in_ring))
		return false;
	buf = list_last_entry(&vq->in_ring, struct virtiofs_buf, node);
	if (buf->link != link)
		return false;
	buf->waiter = waiter;
	waiter->buf = buf;
	if (poll)
		vq->poller = waiter;
	else
		vq->nr_sleeping++;
	return poll;
}

/* Returns true if the submitter polls */
static bool vq_submit(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo,
		      struct virtiofs_waiter *waiter,
		      struct virtiofs_hit_rate *rate)
{
	struct llist_node *link = fifo->first;
	bool idle, full;

	scoped_guard(vq, vq) {
		idle = !vq->nr_in_ring;
		full = vq->backlog.first;
		vq->pending += fifo->nr;
		fifo_splice(&vq->backlog, fifo);
		/* An older backlog waits for a completion, which will fill the ring */
		if (full)
			return false;
		vq_fill(vq);
		if (waiter)
			return vq_attach(vq, link, waiter,
					 idle && rate && hit_rate_allows(rate));
	}
	return false;
}

/**
 * virtiofs_vq_submit_all() - submit requests that have come together
 * @vq: the queue
 * @fifo: the requests, of which it gives up all; they keep their order
 *
 * Cannot fail and does not call done(): what goes wrong is told to done() by the worker.
 * The device is notified once.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_submit_all(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo)
{
	vq_submit(vq, fifo, NULL, NULL);
}

/**
 * virtiofs_vq_submit() - submit a request
 * @vq: the queue
 * @link: the request; it belongs to the queue until done() is called for it
 *
 * As virtiofs_vq_submit_all() for one.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_submit(struct virtiofs_vq *vq, struct llist_node *link)
{
	struct virtiofs_fifo fifo;

	fifo_init(&fifo);
	fifo_push(&fifo, link);
	vq_submit(vq, &fifo, NULL, NULL);
}

static void vq_flush(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	fifo_splice(&vq->backlog, &vq->deferred);
	vq_fill(vq);
}

/**
 * virtiofs_vq_defer() - submit a request that may wait for others like it
 * @vq: the queue
 * @link: the request; it belongs to the queue until done() is called for it
 * @enough: number of deferred requests that need not wait any longer
 * @delay: how long the first of them waits at most, in jiffies
 *
 * The device is notified once for all that have come together.  They keep
 * their order, but what is submitted meanwhile overtakes them.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_defer(struct virtiofs_vq *vq, struct llist_node *link,
		       unsigned int enough, unsigned long delay)
{
	scoped_guard(vq, vq) {
		vq->pending++;
		fifo_push(&vq->deferred, link);
		if (!vq->dead && vq->deferred.nr < enough)
			queue_delayed_work(virtiofs_wq, &vq->flush, delay);
		else
			vq_flush(vq);
	}
}

/**
 * virtiofs_vq_flush() - let deferred requests wait no longer
 * @vq: the queue
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_flush(struct virtiofs_vq *vq)
{
	scoped_guard(vq, vq)
		vq_flush(vq);
}

/**
 * virtiofs_vq_set_ops() - change how submissions become requests
 * @vq: the queue
 * @ops: with another map(), but the same done()
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_set_ops(struct virtiofs_vq *vq,
			 const struct virtiofs_vq_ops *ops)
{
	/* The callers of done() read it without the lock */
	scoped_guard(vq, vq)
		WRITE_ONCE(vq->ops, ops);
}

/**
 * virtiofs_vq_stats() - what a queue has done
 * @vq: the queue
 * @stats: gets the numbers, which belong together
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_stats(struct virtiofs_vq *vq, struct virtiofs_vq_stats *stats)
{
	scoped_guard(vq, vq) {
		*stats = (struct virtiofs_vq_stats){
			.requests = vq->completed,
			.in_flight = vq->nr_in_ring,
			.backlog = vq->backlog.nr + vq->deferred.nr,
			.polled = vq->polled,
			.interrupts = vq->interrupts,
			.kicks = vq->kicks,
			.bytes_out = vq->bytes_out,
			.bytes_in = vq->bytes_in,
		};
	}
}

static void vq_flush_work(struct work_struct *work)
{
	virtiofs_vq_flush(container_of(to_delayed_work(work),
				       struct virtiofs_vq, flush));
}

/* Account for @nr completed submissions, and use what they had */
static void vq_give_back(struct virtiofs_vq *vq, unsigned int nr,
			 struct list_head *batch)
{
	lockdep_assert_held(&vq->lock);

	list_splice_init(batch, &vq->free);
	vq->pending -= nr;
	WRITE_ONCE(vq->completed, vq->completed + nr);
	if (!vq->pending && wq_has_sleeper(&vq->idle))
		wake_up_all(&vq->idle);
	vq_fill(vq);
}

/* Is there more for the worker than what it has just completed? */
static bool vq_worker_goes_on(const struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	if (!list_empty(&vq->used) || vq->failed.first)
		return true;
	if (vq->dead)
		return vq->backlog.first;
	return vq->nr_in_ring && !vq->nr_sleeping;
}

/*
 * Complete the requests of @batch.  More may be used meanwhile, so the worker reaps once
 * more before callbacks are on.  Returns true if it has to.
 */
static bool vq_complete(struct virtiofs_vq *vq, struct list_head *batch,
			bool by_worker)
{
	struct virtiofs_buf *buf;
	unsigned int nr = 0;

	list_for_each_entry(buf, batch, node) {
		nr += buf->nr;
		vq->ops->done(buf->link, buf, buf->error);
		cond_resched();
	}
	scoped_guard(vq, vq) {
		vq_give_back(vq, nr, batch);
		if (by_worker) {
			by_worker = vq_worker_goes_on(vq);
			vq->scheduled = by_worker;
		}
	}
	return by_worker;
}

/* Complete submissions that the device never had */
static void vq_complete_fifo(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo,
			     int error)
{
	struct llist_node *link;
	unsigned int nr = 0;
	LIST_HEAD(none);

	while ((link = fifo_pop(fifo))) {
		vq->ops->done(link, NULL, error);
		nr++;
		cond_resched();
	}
	scoped_guard(vq, vq)
		vq_give_back(vq, nr, &none);
}

/**
 * virtiofs_vq_cancel() - take a submission off the backlog
 * @vq: the queue
 * @link: the submission
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: false if it is not there.
 */
bool virtiofs_vq_cancel(struct virtiofs_vq *vq, struct llist_node *link)
{
	LIST_HEAD(none);

	scoped_guard(vq, vq) {
		if (!fifo_remove(&vq->backlog, link))
			return false;
		vq_give_back(vq, 1, &none);
	}
	return true;
}

/* Once callbacks are on, as there is another request, the interrupt reaps for all */
static bool vq_may_poll(struct virtiofs_vq *vq, u64 until)
{
	return READ_ONCE(vq->state) != VQ_ARMED && !vq_cpu_is_wanted() &&
	       !signal_pending(current) && !READ_ONCE(vq->dead) &&
	       ktime_get_ns() < until;
}

/* While callbacks are on the interrupt reaps, and must not find the ring empty */
static void vq_try_reap(struct virtiofs_vq *vq)
{
	unsigned long flags;

	/* The holder of the lock may be about to reap as well */
	if (READ_ONCE(vq->state) == VQ_ARMED ||
	    !spin_trylock_irqsave(&vq->lock, flags))
		return;
	if (!vq->dead && vq->state != VQ_ARMED)
		vq_reap(vq);
	virtiofs_vq_unlock(vq, flags);
}

/*
 * Poll for at most @ns, while no other task wants the CPU.  Returns
 * true for a hit.  One that took far too long counts as a miss, since the host had other use for
 * the CPU.
 */
static bool vq_poll(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		    u64 ns, struct virtiofs_hit_rate *rate)
{
	u64 since = ktime_get_ns(), took;
	bool hit, goes_on = true;

	/* What vq_return_buf() has written before is there then */
	while (!(hit = smp_load_acquire(&waiter->used)) && goes_on) {
		cpu_relax();
		vq_try_reap(vq);
		goes_on = vq_may_poll(vq, since + ns);
	}
	took = ktime_get_ns() - since;
	/*
	 * A signal or another task says nothing of the device.  A request that has come meanwhile
	 * counts: where others do, it does not pay to begin.
	 */
	if (hit || !(vq_cpu_is_wanted() || signal_pending(current)))
		hit_rate_learn(rate, hit && took < 2 * ns);
	trace_virtiofs_poll(vq->vqs->index, vq->name, hit, took);
	return hit;
}

/* The poller goes to sleep.  Returns false if its reply has come just now. */
static bool vq_end_poll(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter)
{
	scoped_guard(vq, vq) {
		if (waiter->used)
			return false;
		vq->poller = NULL;
		vq->nr_sleeping++;
	}
	return true;
}

static void vq_complete_waited(struct virtiofs_vq *vq,
			       struct virtiofs_waiter *waiter)
{
	LIST_HEAD(batch);

	list_add(&waiter->buf->node, &batch);
	vq_complete(vq, &batch, false);
}

/**
 * virtiofs_vq_submit_wait() - submit a request whose completion the submitter waits for
 * @vq: the queue, which is there until the submitter waits no more
 * @link: the request; it belongs to the queue until done() is called for it
 * @waiter: memory for this and for virtiofs_vq_wait(), which is to be called if this
 *	returns false
 * @ns: how long to poll, in nanoseconds
 * @rate: hit rate of polling for such requests, or NULL not to poll
 *
 * As virtiofs_vq_submit(), but done() is called by the submitter.  The submitter into an empty
 * queue polls: then the device need not interrupt, unless others come and sleep.
 *
 * Context: process context, no lock held that done() takes.  Does not sleep unless
 * done() does.
 * Return: true if the request is completed; false if it is not, since it was not polled for,
 * the time is up, another task wants the CPU, there is a signal, or the ring was full.
 */
bool virtiofs_vq_submit_wait(struct virtiofs_vq *vq, struct llist_node *link,
			     struct virtiofs_waiter *waiter, u64 ns,
			     struct virtiofs_hit_rate *rate)
{
	struct virtiofs_fifo fifo;

	waiter->buf = NULL;
	waiter->used = false;
	init_completion(&waiter->done);
	fifo_init(&fifo);
	fifo_push(&fifo, link);
	if (!vq_submit(vq, &fifo, waiter, rate) ||
	    (!vq_poll(vq, waiter, ns, rate) && vq_end_poll(vq, waiter)))
		return false;
	vq_complete_waited(vq, waiter);
	return true;
}

/* Returns false if the request was reaped already: then it is the waiter's to complete */
static bool vq_detach_waiter(struct virtiofs_vq *vq,
			     struct virtiofs_waiter *waiter)
{
	scoped_guard(vq, vq) {
		if (waiter->used)
			return false;
		waiter->buf->waiter = NULL;
		vq->nr_sleeping--;
	}
	return true;
}

/**
 * virtiofs_vq_wait() - sleep until a request is completed
 * @vq: the queue
 * @waiter: as virtiofs_vq_submit_wait() has left it
 * @timeout: how long, in jiffies, or MAX_SCHEDULE_TIMEOUT
 *
 * Woken by the interrupt, without a way through the worker.
 *
 * Context: process context, sleeps.
 * Return: true if the request is completed, done() having been called here; false if the
 * worker will complete it, since the time is up, there is a signal, or the ring was full.
 */
bool virtiofs_vq_wait(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		      long timeout)
{
	if (!waiter->buf)
		return false;
	if (wait_for_completion_interruptible_timeout(&waiter->done,
						      timeout) <= 0) {
		if (vq_detach_waiter(vq, waiter))
			return false;
		/* The task that has reaped is about to wake this one */
		wait_for_completion(&waiter->done);
	}
	vq_complete_waited(vq, waiter);
	return true;
}

/* For the worker: what will never get to the device */
static void vq_complete_failed(struct virtiofs_vq *vq)
{
	struct virtiofs_fifo failed, backlog;
	int error = -EIO;

	fifo_init(&failed);
	fifo_init(&backlog);
	scoped_guard(vq, vq) {
		fifo_splice(&failed, &vq->failed);
		if (vq->dead) {
			error = -ECONNABORTED;
			fifo_splice(&backlog, &vq->backlog);
		}
	}
	vq_complete_fifo(vq, &failed, error);
	vq_complete_fifo(vq, &backlog, -ENOTCONN);
}

/* One batch.  Returns true if there may be another. */
static bool vq_work_batch(struct virtiofs_vq *vq)
{
	LIST_HEAD(batch);
	bool failed;

	scoped_guard(vq, vq) {
		if (!vq->dead && vq->state != VQ_ARMED)
			vq_reap(vq);
		list_splice_init(&vq->used, &batch);
		/* The device goes on while the batch is completed */
		vq_fill(vq);
		failed = vq->failed.first || (vq->dead && vq->backlog.first);
		vq->scheduled = failed || !list_empty(&batch);
	}
	if (unlikely(failed))
		vq_complete_failed(vq);
	return (failed || !list_empty(&batch)) && vq_complete(vq, &batch, true);
}

static void vq_work(struct work_struct *work)
{
	struct virtiofs_vq *vq = container_of(work, struct virtiofs_vq, work);

	/* Other work on this CPU has its turn in between */
	if (vq_work_batch(vq))
		queue_work(virtiofs_wq, work);
}

/* There may be memory again */
static void vq_timer(struct timer_list *timer)
{
	struct virtiofs_vq *vq = container_of(timer, struct virtiofs_vq, timer);

	scoped_guard(vq, vq) {
		if (!vq->dead && vq->backlog.first)
			vq_schedule(vq);
	}
}

/* With an event index the device interrupts no more until callbacks are enabled anew */
static void vq_interrupt(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	vq_disarm(vq);
	if (vq->nr_sleeping || vq->poller)
		vq_reap(vq);
	else if (vq->nr_in_ring)
		vq_schedule(vq);
}

/**
 * virtiofs_vq_callback() - the device has used buffers
 * @ring: the virtqueue
 *
 * Wakes the sleepers among their waiters, and leaves the rest to the worker.
 *
 * Context: interrupt.
 */
void virtiofs_vq_callback(struct virtqueue *ring)
{
	struct virtiofs_vqs *vqs = READ_ONCE(ring->vdev->priv);
	struct virtiofs_vq *vq;

	/* An interrupt can come early, or late, when the device was reset already */
	if (unlikely(!vqs))
		return;
	vq = &vqs->vq[ring->index];
	scoped_guard(vq, vq) {
		vq->interrupts++;
		if (!vq->dead)
			vq_interrupt(vq);
	}
}

/**
 * virtiofs_vq_reap() - take what the device has used without an interrupt
 * @vq: the queue
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_reap(struct virtiofs_vq *vq)
{
	if (virtiofs_vq_is_idle(vq))
		return;
	scoped_guard(vq, vq) {
		if (!vq->dead) {
			vq_disarm(vq);
			vq_reap(vq);
		}
	}
}

/**
 * virtiofs_vq_detach() - have whatever a device had that was reset completed
 * @vq: a dead queue
 *
 * Wakes its waiters, and leaves the rest to the worker.
 *
 * Context: process context, may sleep.
 */
void virtiofs_vq_detach(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf;
	unsigned int len;
	u64 now;

	/* From here on submissions only reach the backlog */
	timer_shutdown_sync(&vq->timer);
	cancel_delayed_work_sync(&vq->flush);

	now = ktime_get_ns();
	scoped_guard(vq, vq) {
		/* Replies that came before the reset are good */
		while ((buf = virtqueue_get_buf(vq->ring, &len)))
			vq_return_buf(vq, buf, len, 0, now);
		while ((buf = virtqueue_detach_unused_buf(vq->ring)))
			vq_return_buf(vq, buf, 0, -ECONNABORTED, now);
		/* Those that came before the kill end like what the device had */
		fifo_splice(&vq->failed, &vq->backlog);
		fifo_splice(&vq->failed, &vq->deferred);
		vq_schedule(vq);
	}
}

/**
 * virtiofs_vq_free() - undo virtiofs_vq_alloc()
 * @vq: a queue without users
 *
 * Context: any.
 */
void virtiofs_vq_free(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf, *next;

	list_for_each_entry_safe(buf, next, &vq->free, node)
		kfree(buf);
	kfree(vq->sgl.sg);
}

/**
 * virtiofs_vq_alloc() - get memory for as many requests as the ring has entries
 * @vq: a queue with its ring
 * @node: the NUMA node of the CPUs that use it
 *
 * So many are in the ring if none are merged, but at most VQ_BUFS_MAX: the others wait on the
 * backlog.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_vq_alloc(struct virtiofs_vq *vq, int node)
{
	unsigned int size = min(virtqueue_get_vring_size(vq->ring),
				VQ_DESCRIPTORS_MAX);
	struct virtiofs_buf *buf;
	unsigned int i;

	vq->sgl.max = size;
	vq->sgl.max_len = min_t(size_t, UINT_MAX,
				virtio_max_dma_size(vq->vqs->vdev));
	vq->sgl.sg = kcalloc_node(size, sizeof(*vq->sgl.sg), GFP_KERNEL, node);
	if (!vq->sgl.sg)
		return -ENOMEM;
	sg_init_table(vq->sgl.sg, size);
	for (i = 0; i < min(size, VQ_BUFS_MAX); i++) {
		buf = kmalloc_node(VIRTIOFS_BUF_SIZE, GFP_KERNEL, node);
		if (!buf)
			return -ENOMEM;
		list_add(&buf->node, &vq->free);
	}
	return 0;
}

/**
 * virtiofs_vq_init() - make an empty queue
 * @vqs: the queues of the device, zeroes
 * @index: which of them
 * @ops: what the queues carry
 *
 * Context: any.
 */
void virtiofs_vq_init(struct virtiofs_vqs *vqs, unsigned int index,
		      const struct virtiofs_vqs_ops *ops)
{
	struct virtiofs_vq *vq = &vqs->vq[index];

	vq->vqs = vqs;
	if (index == VIRTIOFS_VQ_HIPRIO) {
		vq->ops = ops->hiprio;
		strscpy(vq->name, "hiprio", sizeof(vq->name));
	} else {
		vq->ops = ops->request;
		snprintf(vq->name, sizeof(vq->name), "requests.%u",
			 index - VIRTIOFS_VQ_REQUEST);
	}
	spin_lock_init(&vq->lock);
	fifo_init(&vq->backlog);
	fifo_init(&vq->deferred);
	fifo_init(&vq->failed);
	/* As rings are made, with callbacks on */
	vq->state = VQ_ARMED;
	INIT_LIST_HEAD(&vq->free);
	INIT_LIST_HEAD(&vq->in_ring);
	INIT_LIST_HEAD(&vq->used);
	INIT_LIST_HEAD(&vq->woken);
	INIT_WORK(&vq->work, vq_work);
	INIT_DELAYED_WORK(&vq->flush, vq_flush_work);
	timer_setup(&vq->timer, vq_timer, 0);
	init_waitqueue_head(&vq->idle);
}
