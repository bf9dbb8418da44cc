// SPDX-License-Identifier: GPL-2.0
/*
 * A virtqueue of a virtio-fs device.
 *
 * Submissions go into a ring in the order in which they came, as far as the
 * ring has room, and end with who waits for them, or else in the worker.
 * Knows virtio, but neither FUSE nor file systems.
 */

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtiofs_trace.h"
#include "virtqueue_internal.h"

/* How long a ring that lacked memory waits until it tries again */
#define VQ_RETRY_DELAY	msecs_to_jiffies(10)

/* How long who sleeps waits at the most for others that were woken, in ticks */
#define VQ_LOOK_DELAY	1

/*
 * A ring has as many entries as the host likes.  The memory that it costs the guest has a
 * bound of its own, which is also one for the work of a lock hold: so many requests in the ring
 * at a time, and so many descriptors for one of them.
 */
#define VQ_BUFS_MAX		256U
#define VQ_DESCRIPTORS_MAX	1024U

/* How often the worker looks before others that work on its CPU have their turn */
#define VQ_ROUNDS	8

/**
 * virtiofs_vq_unlock_wake() - drop the lock of a queue, and wake up whose replies were taken
 * @vq: the queue
 * @flags: of spin_lock_irqsave()
 *
 * Sleepers are woken without the lock, since they are about to want it: on other CPUs
 * they would spin while the host has this one wait.
 *
 * Context: under the queue's lock.  Use guard(vq).
 */
void virtiofs_vq_unlock_wake(struct virtiofs_vq *vq, unsigned long flags)
	__releases(&vq->lock)
{
	struct virtiofs_buf *buf, *next;
	LIST_HEAD(answered);

	list_splice_init(&vq->answered, &answered);
	/* Nor shall they wait until this task has the CPU again */
	preempt_disable();
	spin_unlock_irqrestore(&vq->lock, flags);
	list_for_each_entry_safe(buf, next, &answered, node)
		complete(&buf->waiter->end);
	preempt_enable();
}

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
	buf->bytes = sgl->len;
	list_move_tail(&buf->node, &vq->in_ring);
	WRITE_ONCE(vq->nr_in_ring, vq->nr_in_ring + nr);
	vq->bytes_out += sgl->len_out;
	return nr;
}

/*
 * Memory may come without a completion: what is in the ring may be locks that others wait
 * for, and the unlock on the backlog.
 */
static void vq_retry_later(struct virtiofs_vq *vq)
{
	timer_reduce(&vq->timer, jiffies + VQ_RETRY_DELAY);
}

/*
 * The head of the backlog did not go into the ring.  Returns true if it was
 * taken off the backlog, so that the next one can be tried.
 */
static bool vq_add_failed(struct virtiofs_vq *vq, int err)
{
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
	queue_work(virtiofs_wq, &vq->work);
	return true;
}

/* The worker has something to do; it looks into the ring as well */
static void vq_call_worker(struct virtiofs_vq *vq)
{
	vq->reaping = true;
	if (!vq->working)
		queue_work(virtiofs_wq, &vq->work);
}

/* The device gives @buf back, or never will */
static void vq_take(struct virtiofs_vq *vq, struct virtiofs_buf *buf,
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
		if (vq->looking)
			vq->polled += buf->nr;
		list_move_tail(&buf->node, &vq->taken);
		return;
	}
	WRITE_ONCE(vq->nr_answered, vq->nr_answered + 1);
	if (waiter->polls) {
		list_del_init(&buf->node);
		vq->nr_polled--;
		vq->polled++;
	} else {
		list_move_tail(&buf->node, &vq->answered);
		vq->nr_asleep--;
		/* Others may be on another CPU, and the host may have this one wait */
		waiter->looks = vq->nr_cpus == 1;
		vq->nr_woken += waiter->looks;
	}
	/* Who polls looks without the lock, and then goes its way */
	smp_store_release(&waiter->answered, true);
}

/* Returns true if the device has returned something */
static bool vq_reap(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf;
	unsigned int len;
	u64 now = 0;

	while ((buf = virtqueue_get_buf(vq->ring, &len))) {
		/* Once for all that have come together, since others wait for the lock */
		now = now ?: ktime_get_ns();
		vq_take(vq, buf, len, 0, now);
	}
	/* The device has returned what it never had, and returns no more */
	if (unlikely(virtqueue_is_broken(vq->ring)))
		virtiofs_vqs_kill_async(vq->vqs);
	return now;
}

/**
 * virtiofs_vq_reap() - take all that the device has returned
 * @vq: a queue that is not dead
 *
 * What somebody waits for is handed to them, the rest to the worker.
 *
 * Context: under the queue's lock.
 */
void virtiofs_vq_reap(struct virtiofs_vq *vq)
{
	bool reaped = vq_reap(vq);

	/* Ends that nobody waits for, and room for more */
	if (!list_empty(&vq->taken) || (reaped && vq->backlog.first))
		vq_call_worker(vq);
}

static void vq_disarm(struct virtiofs_vq *vq)
{
	if (vq->callbacks)
		virtqueue_disable_cb(vq->ring);
	WRITE_ONCE(vq->callbacks, false);
}

/*
 * Has the device something that nobody looks for, now or soon?  The worker may be long
 * about to look, as it ends others first, so that is not for who sleeps.
 */
static bool vq_needs_callbacks(struct virtiofs_vq *vq)
{
	if (vq->reaping)
		return vq->nr_asleep;
	return vq->nr_in_ring > vq->nr_polled;
}

static bool vq_lacks_callbacks(struct virtiofs_vq *vq)
{
	return !vq->callbacks && vq_needs_callbacks(vq);
}

/* The device shall tell of what it has.  What it has returned in the meantime is taken. */
static void vq_enable_callbacks(struct virtiofs_vq *vq)
{
	do {
		if (virtqueue_enable_cb(vq->ring)) {
			WRITE_ONCE(vq->callbacks, true);
			return;
		}
		virtqueue_disable_cb(vq->ring);
		virtiofs_vq_reap(vq);
	} while (vq_needs_callbacks(vq));
}

/**
 * virtiofs_vq_arm() - have the device tell of what it has, if that is needed
 * @vq: a queue that is not dead
 *
 * What it has returned in the meantime is taken.  Of those that were woken the last is about
 * to look, and then takes all that has come together; the timer is for callers that do not
 * get the CPU.
 *
 * Context: under the queue's lock.
 */
void virtiofs_vq_arm(struct virtiofs_vq *vq)
{
	if (!vq_lacks_callbacks(vq))
		return;
	if (vq->nr_woken)
		timer_reduce(&vq->timer, jiffies + VQ_LOOK_DELAY);
	else
		vq_enable_callbacks(vq);
}

/**
 * virtiofs_vq_look() - take what the device has returned, and have it tell of the rest
 * @vq: a queue that is not dead
 *
 * Context: under the queue's lock.
 */
void virtiofs_vq_look(struct virtiofs_vq *vq)
{
	vq_disarm(vq);
	virtiofs_vq_reap(vq);
	virtiofs_vq_arm(vq);
}

/*
 * Move submissions from the backlog, where there are some, into the ring, oldest first.
 * Returns true if any has got there.
 */
static bool vq_fill(struct virtiofs_vq *vq)
{
	u64 now = ktime_get_ns();
	bool added = false;
	int nr;

	lockdep_assert_held(&vq->lock);

	if (vq->dead) {
		queue_work(virtiofs_wq, &vq->work);
		return false;
	}
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
	return added;
}

/*
 * Something has come into the ring, for which callbacks are as they shall be when
 * the device sees it.  Returns true if the device has to be notified.
 */
static bool vq_kick_prepare(struct virtiofs_vq *vq)
{
	virtiofs_vq_arm(vq);
	if (!virtqueue_kick_prepare(vq->ring))
		return false;
	vq->kicks++;
	trace_virtiofs_kick(vq->vqs->index, vq->name, vq->nr_in_ring);
	return true;
}

/* Let the ring have what it has room for; true if the device has to be notified */
static bool vq_feed(struct virtiofs_vq *vq)
{
	return vq->backlog.first && vq_fill(vq) && vq_kick_prepare(vq);
}

/* A transport that cannot notify has broken the ring, and nothing in it completes */
static void vq_notify(struct virtiofs_vq *vq)
{
	if (unlikely(!virtqueue_notify(vq->ring)))
		virtiofs_vqs_kill_async(vq->vqs);
}

/* If @link has just come into the ring, note that its submitter waits for it */
static void vq_attach(struct virtiofs_vq *vq, struct llist_node *link,
		      struct virtiofs_waiter *waiter)
{
	struct virtiofs_buf *buf;

	buf = list_last_entry(&vq->in_ring, struct virtiofs_buf, node);
	if (buf->link != link)
		return;
	buf->waiter = waiter;
	waiter->buf = buf;
	if (waiter->polls)
		vq->nr_polled++;
	else
		vq->nr_asleep++;
	if (vq->nr_in_ring == vq->nr_polled)
		vq_disarm(vq);
}

/*
 * Something has come into the ring that nobody waits for here.  Its submitter may do so
 * elsewhere, and then the worker looks for the reply, unless CPUs share the queue and
 * others are under way: what it takes for them may be for tasks of other CPUs.
 */
static void vq_look_for(struct virtiofs_vq *vq, bool alone)
{
	if (vq->reaping || (vq->nr_cpus > 1 && !alone) ||
	    !virtiofs_vq_set_submitter(vq))
		return;
	vq_call_worker(vq);
	if (!vq_needs_callbacks(vq))
		vq_disarm(vq);
}

/**
 * virtiofs_vq_submit() - submit a request
 * @vq: the queue
 * @link: the request; it belongs to the queue until done() is called for it
 * @waiter: who waits for it, gets a buf if the request has come into the ring; or NULL
 *
 * Cannot fail and does not call done(): what goes wrong is told to done() by
 * the worker.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_submit(struct virtiofs_vq *vq, struct llist_node *link,
			struct virtiofs_waiter *waiter)
{
	bool notify = false, alone;

	/*
	 * The ring is notified without the lock, since that may be a slow exit
	 * to the hypervisor.  virtiofs_vqs_kill() waits for this section before
	 * it takes the ring away.
	 */
	guard(rcu)();
	scoped_guard(vq, vq) {
		vq->pending++;
		fifo_push(&vq->backlog, link);
		alone = !vq->nr_in_ring;
		/* An older backlog waits for a completion, which will feed the ring */
		if (vq->backlog.first == link && vq_fill(vq)) {
			if (waiter)
				vq_attach(vq, link, waiter);
			else if (READ_ONCE(vq->look_ns))
				vq_look_for(vq, alone);
			notify = vq_kick_prepare(vq);
		}
	}
	if (notify)
		vq_notify(vq);
}

/**
 * virtiofs_vq_submit_all() - submit requests that have come together
 * @vq: the queue
 * @fifo: the requests, of which it gives up all; they keep their order
 *
 * As virtiofs_vq_submit() for each, but the device is notified once.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_submit_all(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo)
{
	bool notify = false, alone;

	/* See virtiofs_vq_submit() */
	guard(rcu)();
	scoped_guard(vq, vq) {
		vq->pending += fifo->nr;
		fifo_splice(&vq->backlog, fifo);
		alone = !vq->nr_in_ring;
		if (vq->backlog.first && vq_fill(vq)) {
			if (READ_ONCE(vq->look_ns))
				vq_look_for(vq, alone);
			notify = vq_kick_prepare(vq);
		}
	}
	if (notify)
		vq_notify(vq);
}

static bool vq_flush(struct virtiofs_vq *vq)
{
	lockdep_assert_held(&vq->lock);

	fifo_splice(&vq->backlog, &vq->deferred);
	return vq_feed(vq);
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
	bool notify = false;

	/* See virtiofs_vq_submit() */
	guard(rcu)();
	scoped_guard(vq, vq) {
		vq->pending++;
		fifo_push(&vq->deferred, link);
		if (!vq->dead && vq->deferred.nr < enough)
			queue_delayed_work(virtiofs_wq, &vq->flush, delay);
		else
			notify = vq_flush(vq);
	}
	if (notify)
		vq_notify(vq);
}

/**
 * virtiofs_vq_flush() - let deferred requests wait no longer
 * @vq: the queue
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_flush(struct virtiofs_vq *vq)
{
	bool notify;

	guard(rcu)();
	scoped_guard(vq, vq)
		notify = vq_flush(vq);
	if (notify)
		vq_notify(vq);
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
	/* Who calls done() does not look here under the lock */
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

/*
 * Account for @nr submissions that have ended, and use what they had.  Returns true if
 * the device has to be notified.
 */
static bool vq_give_back(struct virtiofs_vq *vq, unsigned int nr,
			 struct list_head *batch)
{
	lockdep_assert_held(&vq->lock);

	list_splice_init(batch, &vq->free);
	vq->pending -= nr;
	WRITE_ONCE(vq->completed, vq->completed + nr);
	if (!vq->pending && wq_has_sleeper(&vq->idle))
		wake_up_all(&vq->idle);
	return vq_feed(vq);
}

/* Those who sleep need not wait any longer for @waiter to look */
static void vq_dismiss(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter)
{
	WRITE_ONCE(vq->nr_answered, vq->nr_answered - 1);
	if (!waiter->looks)
		return;
	/* The timer may have given up waiting for it */
	if (vq->nr_woken)
		vq->nr_woken--;
	/* The last one finds most, as the device goes on while the others run */
	if (vq->nr_woken)
		return;
	vq->overdue = false;
	if (!vq->dead && vq->nr_in_ring && !vq->callbacks)
		virtiofs_vq_look(vq);
}

/**
 * virtiofs_vq_ended() - account for submissions that have ended, and use what they had
 * @vq: the queue
 * @nr: how many there are
 * @batch: their bufs
 * @waiter: who has waited for their end, and leaves; or NULL
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_ended(struct virtiofs_vq *vq, unsigned int nr,
		       struct list_head *batch, struct virtiofs_waiter *waiter)
{
	bool notify;

	guard(rcu)();
	scoped_guard(vq, vq) {
		if (waiter)
			vq_dismiss(vq, waiter);
		notify = vq_give_back(vq, nr, batch);
	}
	if (notify)
		vq_notify(vq);
}

/**
 * virtiofs_vq_end_bufs() - end requests
 * @vq: the queue
 * @batch: their bufs, of which it keeps the list
 *
 * Context: process context; calls done().
 * Return: the number of submissions.
 */
unsigned int virtiofs_vq_end_bufs(struct virtiofs_vq *vq, struct list_head *batch)
{
	struct virtiofs_buf *buf;
	unsigned int nr = 0;

	list_for_each_entry(buf, batch, node) {
		nr += buf->nr;
		vq->ops->done(buf->link, buf, buf->error);
		cond_resched();
	}
	return nr;
}

/* The same, and give their bufs back */
static void vq_end_batch(struct virtiofs_vq *vq, struct list_head *batch)
{
	virtiofs_vq_ended(vq, virtiofs_vq_end_bufs(vq, batch), batch, NULL);
}

/* End submissions that the device never had */
static void vq_end_fifo(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo,
			int error)
{
	struct llist_node *link;
	LIST_HEAD(none);
	unsigned int nr = 0;

	while ((link = fifo_pop(fifo))) {
		vq->ops->done(link, NULL, error);
		nr++;
		cond_resched();
	}
	if (nr)
		virtiofs_vq_ended(vq, nr, &none, NULL);
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
	}
	virtiofs_vq_ended(vq, 1, &none, NULL);
	return true;
}

/*
 * For the worker: all that the device has returned, whoever has taken it.  If there is
 * something, more may come while that is ended, so the worker looks again before the
 * device is asked to tell, unless the ring is empty by then.  While callbacks are on the ring
 * is for the interrupt, which may be under way.
 */
static void vq_harvest(struct virtiofs_vq *vq, struct list_head *batch)
{
	lockdep_assert_held(&vq->lock);

	vq->reaping = false;
	if (vq->nr_in_ring && !vq->dead && !vq->callbacks) {
		vq_reap(vq);
		vq->reaping = !list_empty(&vq->taken);
		if (!vq->reaping || vq->nr_asleep)
			virtiofs_vq_arm(vq);
	}
	list_splice_tail_init(&vq->taken, batch);
	/* Or there is room for the backlog, from what was taken as callbacks were enabled */
	vq->reaping |= !list_empty(batch);
}

/* Returns true if the worker has to look again */
static bool vq_end_harvest(struct virtiofs_vq *vq, struct list_head *batch)
{
	unsigned int nr = virtiofs_vq_end_bufs(vq, batch);
	bool notify, again;

	guard(rcu)();
	scoped_guard(vq, vq) {
		notify = vq_give_back(vq, nr, batch);
		again = vq->nr_in_ring || !list_empty(&vq->taken);
		vq->reaping = again;
		vq->working = again;
	}
	if (notify)
		vq_notify(vq);
	return again;
}

/* For the worker: what will never get to the device */
static void vq_end_failed(struct virtiofs_vq *vq)
{
	struct virtiofs_fifo failed, orphans;

	fifo_init(&failed);
	fifo_init(&orphans);
	scoped_guard(vq, vq) {
		fifo_splice(&failed, &vq->failed);
		if (vq->dead)
			fifo_splice(&orphans, &vq->backlog);
	}
	vq_end_fifo(vq, &failed, -EIO);
	vq_end_fifo(vq, &orphans, -ENOTCONN);
}

/* Returns true if the worker has to look again before it may end */
static bool vq_serve(struct virtiofs_vq *vq)
{
	bool notify, again, failed;
	LIST_HEAD(batch);

	scoped_guard(rcu) {
		scoped_guard(vq, vq) {
			vq->working = true;
			vq_harvest(vq, &batch);
			again = vq->reaping;
			vq->working = again;
			failed = vq->failed.first || (vq->dead && vq->backlog.first);
			/* The device goes on while the batch is ended */
			notify = vq_feed(vq);
		}
		if (notify)
			vq_notify(vq);
	}
	if (again)
		again = vq_end_harvest(vq, &batch);
	if (unlikely(failed))
		vq_end_failed(vq);
	return again;
}

static void vq_work(struct work_struct *work)
{
	struct virtiofs_vq *vq = container_of(work, struct virtiofs_vq, work);
	unsigned int rounds = VQ_ROUNDS;
	bool keen = READ_ONCE(vq->submitter) && virtiofs_vq_is_keen(vq);
	bool again;

	do {
		keen = keen && virtiofs_vq_worker_looks(vq);
		again = vq_serve(vq);
	} while (again && --rounds);
	virtiofs_vq_forget_submitter(vq);
	if (!again)
		return;
	/* Others that work on this CPU have their turn */
	scoped_guard(vq, vq) {
		vq->working = false;
		vq_call_worker(vq);
	}
}

/* Nobody has looked for a while, or there may be memory again */
static void vq_timer(struct timer_list *timer)
{
	struct virtiofs_vq *vq = container_of(timer, struct virtiofs_vq, timer);

	scoped_guard(vq, vq) {
		if (vq->dead)
			return;
		/* Who has not looked for a whole tick does not get the CPU */
		if (vq->overdue)
			vq->nr_woken = 0;
		vq->overdue = vq->nr_woken;
		if (!vq->callbacks)
			virtiofs_vq_reap(vq);
		if (vq_lacks_callbacks(vq))
			vq_enable_callbacks(vq);
		if (vq->backlog.first)
			vq_call_worker(vq);
	}
}

/*
 * Shall the worker take what the device has returned, as it has to end it?  The interrupt
 * may have come to a task that holds a lock of the FUSE client, for which others spin.
 * Sleepers need not wait for the worker, unless it and they are of the same CPU and it
 * begins at once.
 */
static bool vq_is_for_worker(struct virtiofs_vq *vq)
{
	if (!virtiofs_vq_nr_unwaited(vq))
		return false;
	return !vq->nr_asleep || (vq->nr_cpus == 1 && !vq->working);
}

static void vq_interrupt(struct virtiofs_vq *vq)
{
	if (vq_is_for_worker(vq)) {
		vq_disarm(vq);
		vq_call_worker(vq);
	} else {
		virtiofs_vq_look(vq);
	}
}

/**
 * virtiofs_vq_callback() - the device has returned something
 * @ring: the virtqueue
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
 * virtiofs_vq_detach() - end whatever a device had that was reset
 * @vq: a dead queue
 *
 * Context: process context, sleeps; calls done().
 */
void virtiofs_vq_detach(struct virtiofs_vq *vq)
{
	struct virtiofs_fifo orphans;
	struct virtiofs_buf *buf;
	LIST_HEAD(batch);
	unsigned int len;
	u64 now;

	/*
	 * A worker that runs from here on sees a dead queue and leaves the
	 * ring alone, and submissions only reach the backlog.
	 */
	timer_shutdown_sync(&vq->timer);
	cancel_delayed_work_sync(&vq->flush);
	cancel_work_sync(&vq->work);
	virtiofs_vq_forget_submitter(vq);

	fifo_init(&orphans);
	now = ktime_get_ns();
	scoped_guard(vq, vq) {
		/* Answers that came before the reset are good */
		while ((buf = virtqueue_get_buf(vq->ring, &len)))
			vq_take(vq, buf, len, 0, now);
		while ((buf = virtqueue_detach_unused_buf(vq->ring)))
			vq_take(vq, buf, 0, -ECONNABORTED, now);
		list_splice_init(&vq->taken, &batch);
		fifo_splice(&orphans, &vq->failed);
		fifo_splice(&orphans, &vq->backlog);
		fifo_splice(&orphans, &vq->deferred);
	}
	vq_end_batch(vq, &batch);
	vq_end_fifo(vq, &orphans, -ECONNABORTED);
}

/**
 * virtiofs_vq_free() - undo virtiofs_vq_alloc()
 * @vq: a queue that nobody uses
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
		strscpy(vq->name, "hiprio");
	} else {
		vq->ops = ops->request;
		snprintf(vq->name, sizeof(vq->name), "requests.%u",
			 index - VIRTIOFS_VQ_REQUEST);
	}
	spin_lock_init(&vq->lock);
	fifo_init(&vq->backlog);
	fifo_init(&vq->deferred);
	fifo_init(&vq->failed);
	/* As rings are made */
	vq->callbacks = true;
	INIT_LIST_HEAD(&vq->free);
	INIT_LIST_HEAD(&vq->in_ring);
	INIT_LIST_HEAD(&vq->taken);
	INIT_LIST_HEAD(&vq->answered);
	INIT_WORK(&vq->work, vq_work);
	INIT_DELAYED_WORK(&vq->flush, vq_flush_work);
	timer_setup(&vq->timer, vq_timer, 0);
	init_waitqueue_head(&vq->idle);
}
