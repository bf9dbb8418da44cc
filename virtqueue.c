// SPDX-License-Identifier: GPL-2.0
/*
 * virtqueues of a virtio-fs device.
 *
 * Submissions go into a ring in the order in which they came, as far as the
 * ring has room, and end with who waits for them, or else in the worker.
 * Knows virtio, but neither FUSE nor file systems.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/group_cpus.h>
#include <linux/interrupt.h>
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/tick.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "virtiofs_trace.h"
#include "virtqueue.h"

/* How long an empty ring that lacked memory waits until it tries again */
#define VQ_RETRY_DELAY	msecs_to_jiffies(10)

/* How long who sleeps waits at the most for others that were woken, in ticks */
#define VQ_LOOK_DELAY	1

/* How often the worker looks before others that work on its CPU have their turn */
#define VQ_ROUNDS	8

/* So many bytes more, and a device may take a nanosecond longer to copy them */
#define VQ_BYTES_PER_NS	4

/* Status of a device that is not there any more: reads find nothing but ones */
#define VQ_STATUS_GONE	0xff

/*
 * Runs the workers that complete requests.  Memory reclaim waits for them, so
 * there is a rescuer, and it is shared with nobody who might block.
 */
static struct workqueue_struct *virtiofs_wq;

/* Resets devices; apart, because memory reclaim may wait for that as well */
static struct workqueue_struct *virtiofs_kill_wq;

/* How long each CPU had been idle when others last wanted it from who polled */
static DEFINE_PER_CPU(u64, vq_idle_us);

/*
 * Sleepers whose replies were taken are woken without the lock, since they are about to want
 * it: on other CPUs they would spin while the host has this one wait.
 */
static void vq_unlock(struct virtiofs_vq *vq, unsigned long flags)
	__releases(&vq->lock)
{
	struct virtiofs_buf *buf, *next;
	LIST_HEAD(answered);

	if (list_empty(&vq->answered)) {
		spin_unlock_irqrestore(&vq->lock, flags);
		return;
	}
	list_splice_init(&vq->answered, &answered);
	/* Nor shall they wait until this task has the CPU again */
	preempt_disable();
	spin_unlock_irqrestore(&vq->lock, flags);
	list_for_each_entry_safe(buf, next, &answered, node)
		complete(&buf->waiter->end);
	preempt_enable();
}

DEFINE_LOCK_GUARD_1(vq, struct virtiofs_vq,
		    spin_lock_irqsave(&_T->lock->lock, _T->flags),
		    vq_unlock(_T->lock, _T->flags), unsigned long flags)

/*
 * Add a run of bytes behind the entries that the device reads (@first is 0)
 * or writes, as a part of the last entry where it goes on in memory.
 */
static bool sgl_add(struct virtiofs_sgl *sgl, unsigned int first,
		    unsigned int *nr, struct page *page, unsigned int len,
		    unsigned int offset)
{
	struct scatterlist *sg;

	if (*nr) {
		sg = &sgl->sg[first + *nr - 1];
		if (sg_phys(sg) + sg->length == page_to_phys(page) + offset &&
		    len <= sgl->max_len - sg->length) {
			sg->length += len;
			return true;
		}
	}
	if (first + *nr >= sgl->max || len > sgl->max_len)
		return false;
	if (*nr)
		sg_unmark_end(sg);
	sg = &sgl->sg[first + (*nr)++];
	sg_unmark_end(sg);
	sg_set_page(sg, page, len, offset);
	sg_mark_end(sg);
	return true;
}

/**
 * virtiofs_sgl_out() - add bytes that the device reads
 * @sgl: scatterlist that a map() function fills
 * @page: first page of the bytes
 * @len: number of bytes
 * @offset: where they begin in @page
 *
 * Runs that follow each other in memory take one descriptor.
 *
 * Context: map(), before the first virtiofs_sgl_in().
 * Return: false if the request needs more descriptors than the ring has.
 */
bool virtiofs_sgl_out(struct virtiofs_sgl *sgl, struct page *page,
		      unsigned int len, unsigned int offset)
{
	sgl->len_out += len;
	return sgl_add(sgl, 0, &sgl->nr_out, page, len, offset);
}

/**
 * virtiofs_sgl_in() - add bytes that the device writes
 * @sgl: scatterlist that a map() function fills
 * @page: first page of the bytes
 * @len: number of bytes
 * @offset: where they begin in @page
 *
 * Context: map(), after the last virtiofs_sgl_out().
 * Return: false if the request needs more descriptors than the ring has.
 */
bool virtiofs_sgl_in(struct virtiofs_sgl *sgl, struct page *page,
		     unsigned int len, unsigned int offset)
{
	sgl->len_in += len;
	return sgl_add(sgl, sgl->nr_out, &sgl->nr_in, page, len, offset);
}

/*
 * Put the submission at @link into the ring, with those behind it that map()
 * takes.  Returns how many, or -errno; -EBUSY: no buf is free.
 */
static int vq_add(struct virtiofs_vq *vq, struct llist_node *link)
{
	struct virtiofs_sgl *sgl = &vq->sgl;
	struct scatterlist *sgs[2];
	struct virtiofs_buf *buf;
	unsigned int nr_out, nr_in;
	int nr, err;

	buf = list_first_entry_or_null(&vq->free, struct virtiofs_buf, node);
	if (!buf)
		return -EBUSY;

	sgl->nr_out = 0;
	sgl->nr_in = 0;
	sgl->len_out = 0;
	sgl->len_in = 0;
	nr = vq->ops->map(link, buf, sgl);
	if (nr < 0)
		return -EINVAL;

	nr_out = sgl->nr_out ? 1 : 0;
	nr_in = sgl->nr_in ? 1 : 0;
	sgs[0] = sgl->sg;
	sgs[nr_out] = sgl->sg + sgl->nr_out;
	err = virtqueue_add_sgs(vq->ring, sgs, nr_out, nr_in, buf, GFP_ATOMIC);
	if (err)
		return err;

	buf->link = link;
	buf->nr = nr;
	buf->waiter = NULL;
	buf->since = ktime_get_ns();
	buf->bytes = sgl->len_out + sgl->len_in;
	list_move_tail(&buf->node, &vq->in_ring);
	vq->nr_in_ring += nr;
	vq->bytes_out += sgl->len_out;
	return nr;
}

/*
 * The head of the backlog did not go into the ring.  Returns true if it was
 * taken off the backlog, so that the next one can be tried.
 */
static bool vq_add_failed(struct virtiofs_vq *vq, int err)
{
	switch (err) {
	case -EBUSY:
		/* The worker has the bufs and goes on with the backlog */
		return false;
	case -ENOSPC:
	case -ENOMEM:
		/* What is in the ring makes room when it completes */
		if (!list_empty(&vq->in_ring))
			return false;
		if (err == -ENOMEM) {
			timer_reduce(&vq->timer, jiffies + VQ_RETRY_DELAY);
			return false;
		}
		break;
	case -EIO:
		/* The ring is broken, and only a reset mends that */
		virtiofs_vqs_kill_async(vq->vqs);
		return false;
	}
	/* An empty ring is too small for it, and will be at the next try */
	WARN_ON_ONCE(1);
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
		    unsigned int len, int error)
{
	struct virtiofs_waiter *waiter = buf->waiter;

	lockdep_assert_held(&vq->lock);

	buf->took = ktime_get_ns() - buf->since;
	buf->len = len;
	buf->error = error;
	vq->nr_in_ring -= buf->nr;
	buf->others = vq->nr_in_ring;
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

/* Take all that the device has returned */
static void vq_reap(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf;
	unsigned int len;
	bool any = false;

	while ((buf = virtqueue_get_buf(vq->ring, &len))) {
		vq_take(vq, buf, len, 0);
		any = true;
	}
	/* The device has returned what it never had, and returns no more */
	if (unlikely(virtqueue_is_broken(vq->ring)))
		virtiofs_vqs_kill_async(vq->vqs);
	/* Ends that nobody waits for, and room for more */
	if (!list_empty(&vq->taken) || (any && vq->backlog.first))
		vq_call_worker(vq);
}

static void vq_disarm(struct virtiofs_vq *vq)
{
	if (vq->callbacks)
		virtqueue_disable_cb(vq->ring);
	vq->callbacks = false;
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

/*
 * The device shall tell of what it has, if that is needed.  What it has returned in the
 * meantime is taken.
 */
static void vq_arm_now(struct virtiofs_vq *vq)
{
	while (!vq->callbacks && vq_needs_callbacks(vq)) {
		vq->callbacks = virtqueue_enable_cb(vq->ring);
		if (!vq->callbacks) {
			virtqueue_disable_cb(vq->ring);
			vq_reap(vq);
		}
	}
}

/*
 * The same, but who was woken is about to look, and then takes all that has come together.
 * The timer is for callers that do not get the CPU.
 */
static void vq_arm(struct virtiofs_vq *vq)
{
	if (!vq->nr_woken)
		vq_arm_now(vq);
	else if (!vq->callbacks && vq_needs_callbacks(vq))
		timer_reduce(&vq->timer, jiffies + VQ_LOOK_DELAY);
}

/* Somebody has told that the device has returned something, or wants to know */
static void vq_look(struct virtiofs_vq *vq)
{
	vq_disarm(vq);
	vq_reap(vq);
	vq_arm(vq);
}

/*
 * Move submissions from the backlog into the ring, oldest first.  Returns
 * true if there were any.
 */
static bool vq_fill(struct virtiofs_vq *vq)
{
	bool added = false;
	int nr;

	lockdep_assert_held(&vq->lock);

	if (vq->dead) {
		if (vq->backlog.first)
			queue_work(virtiofs_wq, &vq->work);
		return false;
	}
	while (vq->backlog.first) {
		nr = vq_add(vq, vq->backlog.first);
		if (nr > 0) {
			added = true;
			/* They stay linked to each other, for done() */
			while (nr--)
				fifo_pop(&vq->backlog);
		} else if (!vq_add_failed(vq, nr)) {
			trace_virtiofs_backlog(vq->vqs->index, vq->name,
					       vq->backlog.nr);
			break;
		}
	}
	return added;
}

/*
 * Something has come into the ring, for which callbacks are as they shall be when
 * the device sees it.  Returns true if the device has to be notified.
 */
static bool vq_kick_prepare(struct virtiofs_vq *vq)
{
	vq_arm(vq);
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
 * Does nobody else want the CPU?  The scheduler may count a task that has gone to
 * sleep for a while longer, often our worker.  If so, the CPU has been idle since
 * somebody stopped polling for others' sake.
 */
static bool vq_cpu_is_wanted(void)
{
	int cpu = raw_smp_processor_id();
	u64 *idle = per_cpu_ptr(&vq_idle_us, cpu);
	bool wanted = need_resched();

	if (!wanted && !single_task_running())
		wanted = get_cpu_idle_time_us(cpu, NULL) == READ_ONCE(*idle);
	if (wanted)
		WRITE_ONCE(*idle, get_cpu_idle_time_us(cpu, NULL));
	return wanted;
}

/* Number of submissions in the ring that nobody waits for here */
static unsigned int vq_nr_unwaited(struct virtiofs_vq *vq)
{
	return vq->nr_in_ring - vq->nr_polled - vq->nr_asleep;
}

/*
 * Something has come into the ring that nobody waits for here.  Its submitter may do so
 * elsewhere: readers wait for a page, and direct I/O for all of its requests.  If it goes to
 * sleep for that, and nobody else wants the CPU, the worker has it and looks for the
 * reply, so that the CPU need not be woken up for it.
 */
static void vq_look_for(struct virtiofs_vq *vq)
{
	if (vq->reaping || vq->submitter || !READ_ONCE(vq->look_ns) ||
	    vq_cpu_is_wanted() || !score_pays(&vq->score))
		return;
	WRITE_ONCE(vq->submitter, get_task_struct(current));
	vq_call_worker(vq);
	if (!vq_needs_callbacks(vq))
		vq_disarm(vq);
}

/* @waiter, or NULL, gets a buf if the submission has come into the ring */
static void vq_submit(struct virtiofs_vq *vq, struct llist_node *link,
		      struct virtiofs_waiter *waiter)
{
	bool notify = false;

	/*
	 * The ring is notified without the lock, since that may be a slow exit
	 * to the hypervisor.  virtiofs_vqs_kill() waits for this section before
	 * it takes the ring away.
	 */
	guard(rcu)();
	scoped_guard(vq, vq) {
		vq->pending++;
		fifo_push(&vq->backlog, link);
		/* An older backlog waits for a completion, which will feed the ring */
		if (vq->backlog.first == link && vq_fill(vq)) {
			if (waiter)
				vq_attach(vq, link, waiter);
			else
				vq_look_for(vq);
			notify = vq_kick_prepare(vq);
		}
	}
	if (notify)
		virtqueue_notify(vq->ring);
}

/**
 * virtiofs_vq_submit() - submit a request
 * @vq: the queue
 * @link: the request; it belongs to the queue until done() is called for it
 *
 * Cannot fail and does not call done(): what goes wrong is told to done() by
 * the worker.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vq_submit(struct virtiofs_vq *vq, struct llist_node *link)
{
	vq_submit(vq, link, NULL);
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
	bool notify = false;

	/* See vq_submit() */
	guard(rcu)();
	scoped_guard(vq, vq) {
		vq->pending += fifo->nr;
		fifo_splice(&vq->backlog, fifo);
		if (vq->backlog.first && vq_fill(vq)) {
			vq_look_for(vq);
			notify = vq_kick_prepare(vq);
		}
	}
	if (notify)
		virtqueue_notify(vq->ring);
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

	/* See vq_submit() */
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
		virtqueue_notify(vq->ring);
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
		virtqueue_notify(vq->ring);
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

/* The same, and notify it; @nr_answered of them had a waiter */
static void vq_ended(struct virtiofs_vq *vq, unsigned int nr,
		     struct list_head *batch, unsigned int nr_answered)
{
	bool notify;

	guard(rcu)();
	scoped_guard(vq, vq) {
		WRITE_ONCE(vq->nr_answered, vq->nr_answered - nr_answered);
		notify = vq_give_back(vq, nr, batch);
	}
	if (notify)
		virtqueue_notify(vq->ring);
}

/* End the requests of @batch.  Returns how many there were. */
static unsigned int vq_end_bufs(struct virtiofs_vq *vq, struct list_head *batch)
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
	vq_ended(vq, vq_end_bufs(vq, batch), batch, 0);
}

/* For who was woken: those who sleep need not wait any longer for that */
static void vq_look_woken(struct virtiofs_vq *vq)
{
	scoped_guard(vq, vq) {
		vq->nr_woken--;
		if (!vq->dead && vq->nr_in_ring)
			vq_look(vq);
	}
}

/* End the request of a waiter, which has returned */
static void vq_end_waited(struct virtiofs_vq *vq,
			  struct virtiofs_waiter *waiter)
{
	LIST_HEAD(batch);

	if (waiter->looks)
		vq_look_woken(vq);
	list_add(&waiter->buf->node, &batch);
	vq_ended(vq, vq_end_bufs(vq, &batch), &batch, 1);
}

/*
 * Does somebody wait for the CPU whose reply was taken already?  A caller whose replies are
 * there at the first look would go on until its time slice is over, and who was woken, or
 * lost the CPU while it looked, would wait for as long.
 */
static bool vq_answered_want_cpu(struct virtiofs_vq *vq)
{
	return READ_ONCE(vq->nr_answered) && !single_task_running();
}

static bool vq_may_poll(struct virtiofs_vq *vq, u64 until)
{
	return !vq_cpu_is_wanted() && !signal_pending(current) &&
	       !READ_ONCE(vq->dead) && ktime_get_ns() < until;
}

/* How long to look for a reply to @buf, if that is @ns for the smallest */
static u64 vq_look_ns(u64 ns, const struct virtiofs_buf *buf)
{
	return ns + buf->bytes / VQ_BYTES_PER_NS;
}

static void vq_try_reap(struct virtiofs_vq *vq)
{
	unsigned long flags;

	/* If that fails, somebody else is about to look */
	if (!spin_trylock_irqsave(&vq->lock, flags))
		return;
	if (!vq->dead)
		vq_reap(vq);
	vq_unlock(vq, flags);
}

static void vq_looked(struct virtiofs_vq *vq, bool found, u64 since)
{
	if (trace_virtiofs_poll_enabled())
		trace_virtiofs_poll(vq->vqs->index, vq->name, found,
				    ktime_get_ns() - since);
}

/* Returns true if the device has returned the request of @waiter */
static bool vq_poll(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		    u64 ns)
{
	u64 since = ktime_get_ns();
	u64 until = since + vq_look_ns(ns, waiter->buf);
	bool found;

	do {
		cpu_relax();
		vq_try_reap(vq);
		/* What vq_take() has written before is there */
		found = smp_load_acquire(&waiter->answered);
	} while (!found && vq_may_poll(vq, until));
	vq_looked(vq, found, since);
	waiter->late = !found && ktime_get_ns() >= until;
	return found;
}

/*
 * The submitter looks no longer, so the device shall tell.  Returns true if somebody else
 * has taken the reply just now.
 */
static bool vq_poll_end(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter)
{
	scoped_guard(vq, vq) {
		if (waiter->answered)
			return true;
		waiter->polls = false;
		vq->nr_polled--;
		vq->nr_asleep++;
		if (!vq->dead)
			vq_arm(vq);
	}
	return false;
}

/**
 * virtiofs_vq_submit_wait() - submit a request whose end the submitter waits for
 * @vq: the queue, which is there until the submitter waits no more
 * @link: the request; it belongs to the queue until done() is called for it
 * @waiter: memory for this and for virtiofs_vq_wait(), which is to be called if this
 *	returns false
 * @ns: how long to look for the end, in nanoseconds; for a request with many bytes it
 *	may be longer, by what a device takes to copy them
 *
 * As virtiofs_vq_submit(), but done() is called here, and while this looks the device
 * need not interrupt for the request.
 *
 * Context: process context, no lock held that done() takes.  Does not sleep unless
 * done() does.
 * Return: true if the request has ended; false if it has not yet, since it was not looked
 * for, the time is over, the CPU is wanted, there is a signal, or the ring was full.
 */
bool virtiofs_vq_submit_wait(struct virtiofs_vq *vq, struct llist_node *link,
			     struct virtiofs_waiter *waiter, u64 ns)
{
	bool polls = ns && !vq_answered_want_cpu(vq);
	bool found;

	*waiter = (struct virtiofs_waiter){
		.polls = polls,
	};
	init_completion(&waiter->end);
	vq_submit(vq, link, waiter);
	if (!waiter->buf || !polls)
		return false;
	found = vq_poll(vq, waiter, ns) || vq_poll_end(vq, waiter);
	if (found)
		vq_end_waited(vq, waiter);
	return found;
}

/* Returns false if it is too late: then the request is the waiter's to end */
static bool vq_leave(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter)
{
	bool in_time;

	scoped_guard(vq, vq) {
		in_time = !waiter->answered;
		if (in_time) {
			waiter->buf->waiter = NULL;
			vq->nr_asleep--;
		}
	}
	return in_time;
}

/**
 * virtiofs_vq_wait() - wait for the end of a request
 * @vq: the queue
 * @waiter: as virtiofs_vq_submit_wait() has left it
 * @timeout: how long, in jiffies, or MAX_SCHEDULE_TIMEOUT
 *
 * Woken by the interrupt, without a way through the worker.
 *
 * Context: process context, sleeps.
 * Return: true if the request has ended, done() having been called here; false if the
 * worker will end it, since the time is over, there is a signal, or the ring was full.
 */
bool virtiofs_vq_wait(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		      long timeout)
{
	if (!waiter->buf)
		return false;
	if (wait_for_completion_interruptible_timeout(&waiter->end,
						      timeout) <= 0) {
		if (vq_leave(vq, waiter))
			return false;
		/* Who has taken the reply is about to tell */
		wait_for_completion(&waiter->end);
	}
	vq_end_waited(vq, waiter);
	return true;
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
		vq_ended(vq, nr, &none, 0);
}

/* Take the submission at @link off the backlog, if it is there */
static bool vq_cancel(struct virtiofs_vq *vq, struct llist_node *link)
{
	struct llist_node **at = &vq->backlog.first;
	LIST_HEAD(none);

	scoped_guard(vq, vq) {
		while (*at && *at != link)
			at = &(*at)->next;
		if (!*at)
			return false;
		*at = link->next;
		if (!*at)
			vq->backlog.last = at;
		vq->backlog.nr--;
	}
	vq_ended(vq, 1, &none, 0);
	return true;
}

/*
 * For the worker: all that the device has returned, whoever has taken it.  If there is
 * something, more may come while that is ended, so the worker looks again before the
 * device is asked to tell, unless the ring is empty by then.
 */
static void vq_harvest(struct virtiofs_vq *vq, struct list_head *batch)
{
	lockdep_assert_held(&vq->lock);

	vq->reaping = !list_empty(&vq->taken);
	if (vq->nr_in_ring && !vq->dead)
		vq_look(vq);
	list_splice_tail_init(&vq->taken, batch);
}

/* Returns true if the worker has to look again */
static bool vq_end_harvest(struct virtiofs_vq *vq, struct list_head *batch)
{
	unsigned int nr = vq_end_bufs(vq, batch);
	bool notify, again;

	guard(rcu)();
	scoped_guard(vq, vq) {
		notify = vq_give_back(vq, nr, batch);
		again = vq->nr_in_ring || !list_empty(&vq->taken);
		vq->reaping = again;
		vq->working = again;
	}
	if (notify)
		virtqueue_notify(vq->ring);
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
			virtqueue_notify(vq->ring);
	}
	if (!list_empty(&batch))
		again = vq_end_harvest(vq, &batch);
	if (unlikely(failed))
		vq_end_failed(vq);
	return again;
}

/* For the worker, at first: has it been called to look, and who might wait sleeps? */
static bool vq_is_keen(struct virtiofs_vq *vq)
{
	struct task_struct *submitter = READ_ONCE(vq->submitter);

	if (!submitter)
		return false;
	if (!task_is_running(submitter))
		return true;
	/* It has only lost the CPU for nothing */
	score_learn(&vq->score, false);
	return false;
}

/* Returns for how long, or 0 if there is nothing to look for */
static u64 vq_begin_look(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *oldest;
	u64 ns = 0;

	scoped_guard(vq, vq) {
		if (vq_nr_unwaited(vq) && list_empty(&vq->taken)) {
			oldest = list_first_entry(&vq->in_ring,
						  struct virtiofs_buf, node);
			ns = vq_look_ns(READ_ONCE(vq->look_ns), oldest);
			vq->working = true;
			vq->looking = true;
		}
	}
	return ns;
}

static bool vq_may_look(struct virtiofs_vq *vq, u64 until)
{
	return !task_is_running(vq->submitter) && vq_may_poll(vq, until);
}

/* Returns true if it was not in vain */
static bool vq_worker_looks(struct virtiofs_vq *vq)
{
	u64 ns = vq_begin_look(vq);
	u64 since = ktime_get_ns();
	u64 until = since + ns;
	bool found;

	if (!ns)
		return true;
	do {
		cpu_relax();
		vq_try_reap(vq);
		found = !list_empty(&vq->taken);
	} while (!found && vq_may_look(vq, until));

	scoped_guard(vq, vq)
		vq->looking = false;
	vq_looked(vq, found, since);
	if (found || ktime_get_ns() >= until)
		score_learn(&vq->score, found);
	return found;
}

/* For the worker, at last, or in its stead */
static void vq_forget_submitter(struct virtiofs_vq *vq)
{
	struct task_struct *submitter = READ_ONCE(vq->submitter);

	if (!submitter)
		return;
	scoped_guard(vq, vq)
		WRITE_ONCE(vq->submitter, NULL);
	put_task_struct(submitter);
}

static void vq_work(struct work_struct *work)
{
	struct virtiofs_vq *vq = container_of(work, struct virtiofs_vq, work);
	unsigned int rounds = VQ_ROUNDS;
	bool keen = vq_is_keen(vq);
	bool again;

	do {
		keen = keen && vq_worker_looks(vq);
		again = vq_serve(vq);
	} while (again && --rounds);
	vq_forget_submitter(vq);
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
		vq_reap(vq);
		vq_arm_now(vq);
		if (vq->backlog.first)
			vq_call_worker(vq);
	}
}

/* The device has returned something.  Context: interrupt. */
static void vq_callback(struct virtqueue *ring)
{
	struct virtiofs_vqs *vqs = READ_ONCE(ring->vdev->priv);
	struct virtiofs_vq *vq;

	/* An interrupt can come late, when the device was reset already */
	if (unlikely(!vqs))
		return;
	vq = &vqs->vq[ring->index];
	scoped_guard(vq, vq) {
		vq->interrupts++;
		/* A device that interrupts before it is told to finds no ring */
		if (!vq->dead && likely(vq->ring))
			vq_look(vq);
	}
}

static void vq_free(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf, *next;

	list_for_each_entry_safe(buf, next, &vq->free, node)
		kfree(buf);
	kfree(vq->sgl.sg);
}

/* Memory for as many requests as the ring has entries, if none merge */
static int vq_alloc(struct virtiofs_vq *vq)
{
	unsigned int size = virtqueue_get_vring_size(vq->ring);
	struct virtiofs_buf *buf;
	unsigned int i;

	vq->sgl.max = size;
	vq->sgl.max_len = min_t(size_t, UINT_MAX,
				virtio_max_dma_size(vq->vqs->vdev));
	vq->sgl.sg = kcalloc(size, sizeof(*vq->sgl.sg), GFP_KERNEL);
	if (!vq->sgl.sg)
		return -ENOMEM;
	sg_init_table(vq->sgl.sg, size);
	for (i = 0; i < size; i++) {
		buf = kmalloc(VIRTIOFS_BUF_SIZE, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
		list_add(&buf->node, &vq->free);
	}
	return 0;
}

static void vq_init(struct virtiofs_vqs *vqs, unsigned int index,
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

/* Give each request queue the CPUs that its interrupt goes to */
static bool vqs_map_by_interrupt(struct virtiofs_vqs *vqs)
{
	struct virtio_device *vdev = vqs->vdev;
	const struct cpumask *mask;
	unsigned int cpu, q;

	if (!vdev->config->get_vq_affinity)
		return false;
	for_each_possible_cpu(cpu)
		vqs->map[cpu] = 0;
	for (q = VIRTIOFS_VQ_REQUEST; q < vqs->nr; q++) {
		mask = vdev->config->get_vq_affinity(vdev, q);
		if (!mask || cpumask_empty(mask))
			return false;
		for_each_cpu(cpu, mask) {
			/* If they share CPUs, one of them might be left with none */
			if (vqs->map[cpu])
				return false;
			vqs->map[cpu] = q;
		}
	}
	for_each_possible_cpu(cpu) {
		if (!vqs->map[cpu])
			return false;
	}
	return true;
}

/* Without interrupts to go by, spread near CPUs over the same queue */
static void vqs_map_evenly(struct virtiofs_vqs *vqs)
{
	unsigned int nr = vqs->nr - VIRTIOFS_VQ_REQUEST;
	struct cpumask *masks;
	unsigned int cpu, q, i = 0;

	for_each_possible_cpu(cpu)
		vqs->map[cpu] = VIRTIOFS_VQ_REQUEST + i++ % nr;

	masks = virtiofs_group_cpus(nr);
	if (!masks)
		return;
	for (q = 0; q < nr; q++) {
		for_each_cpu(cpu, &masks[q])
			vqs->map[cpu] = VIRTIOFS_VQ_REQUEST + q;
	}
	kfree(masks);
}

static void vqs_map(struct virtiofs_vqs *vqs)
{
	unsigned int cpu;

	if (!vqs_map_by_interrupt(vqs))
		vqs_map_evenly(vqs);
	for_each_possible_cpu(cpu)
		vqs->vq[vqs->map[cpu]].nr_cpus++;
}

static int vqs_find(struct virtiofs_vqs *vqs)
{
	/* Forgets are no load, so their interrupt needs no CPU of its own */
	struct irq_affinity desc = { .pre_vectors = VIRTIOFS_VQ_REQUEST };
	struct virtqueue_info *info __free(kfree) = NULL;
	struct virtqueue **rings __free(kfree) = NULL;
	unsigned int i;
	int err;

	info = kcalloc(vqs->nr, sizeof(*info), GFP_KERNEL);
	rings = kcalloc(vqs->nr, sizeof(*rings), GFP_KERNEL);
	if (!info || !rings)
		return -ENOMEM;
	for (i = 0; i < vqs->nr; i++) {
		info[i].name = vqs->vq[i].name;
		info[i].callback = vq_callback;
	}
	/* For vq_callback() */
	vqs->vdev->priv = vqs;
	err = virtio_find_vqs(vqs->vdev, vqs->nr, rings, info, &desc);
	if (err) {
		vqs->vdev->priv = NULL;
		return err;
	}
	for (i = 0; i < vqs->nr; i++)
		vqs->vq[i].ring = rings[i];
	return 0;
}

static int vqs_alloc_bufs(struct virtiofs_vqs *vqs)
{
	unsigned int i, size;
	int err;

	for (i = 0; i < vqs->nr; i++) {
		size = virtqueue_get_vring_size(vqs->vq[i].ring);
		if (size < VIRTIOFS_VQ_MIN_SIZE) {
			dev_err(&vqs->vdev->dev,
				"queue %s has %u entries, at least %u are needed\n",
				vqs->vq[i].name, size, VIRTIOFS_VQ_MIN_SIZE);
			return -EINVAL;
		}
		err = vq_alloc(&vqs->vq[i]);
		if (err)
			return err;
	}
	return 0;
}

static void vqs_free(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++)
		vq_free(&vqs->vq[i]);
	kfree(vqs->map);
	kfree(vqs);
}

static void vqs_kill_work(struct work_struct *work)
{
	virtiofs_vqs_kill(container_of(work, struct virtiofs_vqs, kill_work));
}

/* What is wrong with the device, or NULL */
static const char *vqs_device_fault(struct virtiofs_vqs *vqs)
{
	u8 status = vqs->vdev->config->get_status(vqs->vdev);

	if (status == VQ_STATUS_GONE)
		return "the device is gone";
	if (status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return "the device needs a reset";
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK))
		return "the device was reset, and not by its driver";
	return NULL;
}

static void vqs_check_work(struct work_struct *work)
{
	struct virtiofs_vqs *vqs = container_of(work, struct virtiofs_vqs,
						check_work);
	const char *fault = NULL;

	scoped_guard(mutex, &vqs->lock) {
		if (vqs->state != VIRTIOFS_KILLED)
			fault = vqs_device_fault(vqs);
		if (fault)
			dev_err(&vqs->vdev->dev, "%s\n", fault);
	}
	if (fault)
		virtiofs_vqs_kill(vqs);
}

static struct virtiofs_vqs *vqs_alloc(struct virtio_device *vdev,
				      unsigned int nr,
				      const struct virtiofs_vqs_ops *ops,
				      void (*changed)(struct virtiofs_vqs *))
{
	struct virtiofs_vqs *vqs;
	unsigned int i;

	vqs = kzalloc(struct_size(vqs, vq, nr), GFP_KERNEL);
	if (!vqs)
		return NULL;
	vqs->nr = nr;
	vqs->map = kcalloc(nr_cpu_ids, sizeof(*vqs->map), GFP_KERNEL);
	if (!vqs->map) {
		kfree(vqs);
		return NULL;
	}
	kref_init(&vqs->ref);
	vqs->vdev = vdev;
	vqs->index = vdev->index;
	vqs->changed = changed;
	mutex_init(&vqs->lock);
	INIT_WORK(&vqs->kill_work, vqs_kill_work);
	INIT_WORK(&vqs->check_work, vqs_check_work);
	for (i = 0; i < nr; i++)
		vq_init(vqs, i, ops);
	return vqs;
}

/**
 * virtiofs_vqs_start() - find the queues of a device and set it going
 * @vdev: a device whose features are negotiated and that has no queues
 * @nr_request: number of request queues, 1 to the number of possible CPUs
 * @ops: what the queues carry
 * @changed: see struct virtiofs_vqs
 *
 * Sets DRIVER_OK: the queues take submissions when this returns.
 *
 * Context: process context, may sleep.
 * Return: the queues with one reference, or ERR_PTR().
 */
struct virtiofs_vqs *virtiofs_vqs_start(struct virtio_device *vdev,
					unsigned int nr_request,
					const struct virtiofs_vqs_ops *ops,
					void (*changed)(struct virtiofs_vqs *))
{
	struct virtiofs_vqs *vqs;
	int err;

	vqs = vqs_alloc(vdev, VIRTIOFS_VQ_REQUEST + nr_request, ops, changed);
	if (!vqs)
		return ERR_PTR(-ENOMEM);

	err = vqs_find(vqs);
	if (err)
		goto err_free_vqs;
	err = vqs_alloc_bufs(vqs);
	if (err)
		goto err_del_rings;
	vqs_map(vqs);
	virtio_device_ready(vdev);
	return vqs;

err_del_rings:
	vdev->config->del_vqs(vdev);
	vdev->priv = NULL;
err_free_vqs:
	vqs_free(vqs);
	return ERR_PTR(err);
}

/* After the reset: whatever the device had is ours again */
static void vq_detach(struct virtiofs_vq *vq)
{
	struct virtiofs_fifo orphans;
	struct virtiofs_buf *buf;
	LIST_HEAD(batch);
	unsigned int len;

	/*
	 * A worker that runs from here on sees a dead queue and leaves the
	 * ring alone, and submissions only reach the backlog.
	 */
	timer_shutdown_sync(&vq->timer);
	cancel_delayed_work_sync(&vq->flush);
	cancel_work_sync(&vq->work);
	vq_forget_submitter(vq);

	fifo_init(&orphans);
	scoped_guard(vq, vq) {
		/* Answers that came before the reset are good */
		while ((buf = virtqueue_get_buf(vq->ring, &len)))
			vq_take(vq, buf, len, 0);
		while ((buf = virtqueue_detach_unused_buf(vq->ring)))
			vq_take(vq, buf, 0, -ECONNABORTED);
		list_splice_init(&vq->taken, &batch);
		fifo_splice(&orphans, &vq->failed);
		fifo_splice(&orphans, &vq->backlog);
		fifo_splice(&orphans, &vq->deferred);
	}
	vq_end_batch(vq, &batch);
	vq_end_fifo(vq, &orphans, -ECONNABORTED);
}

static void vqs_set_state(struct virtiofs_vqs *vqs,
			  enum virtiofs_vqs_state state)
{
	lockdep_assert_held(&vqs->lock);

	WRITE_ONCE(vqs->state, state);
	trace_virtiofs_state(vqs->index, state);
	vqs->changed(vqs);
}

static void vqs_kill_locked(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++) {
		scoped_guard(vq, &vqs->vq[i])
			WRITE_ONCE(vqs->vq[i].dead, true);
	}
	/* Whoever saw a living queue has notified it after this */
	synchronize_rcu();
	/* A reset waits until the device answers, and there may be none */
	if (vqs->vdev->config->get_status(vqs->vdev) == VQ_STATUS_GONE)
		virtio_break_device(vqs->vdev);
	else
		virtio_reset_device(vqs->vdev);
	/* The device's interrupt finds the queues by it */
	WRITE_ONCE(vqs->vdev->priv, NULL);
	for (i = 0; i < vqs->nr; i++)
		vq_detach(&vqs->vq[i]);
	vqs->vdev->config->del_vqs(vqs->vdev);
}

/**
 * virtiofs_vqs_kill() - take the device away from its queues
 * @vqs: the queues
 *
 * Stops submissions, resets the device so that it gives up all memory, and
 * ends what it had with -ECONNABORTED.  Later submissions end with -ENOTCONN.
 * When this returns nothing touches the device any more on behalf of these
 * queues, and a reset device can be started again.  Does nothing the second
 * time.
 *
 * Context: process context, sleeps for a reset of the device, calls done().
 */
void virtiofs_vqs_kill(struct virtiofs_vqs *vqs)
{
	guard(mutex)(&vqs->lock);
	if (vqs->state == VIRTIOFS_KILLED)
		return;
	vqs_kill_locked(vqs);
	vqs_set_state(vqs, VIRTIOFS_KILLED);
}

/**
 * virtiofs_vqs_kill_async() - have virtiofs_vqs_kill() called soon
 * @vqs: the queues
 *
 * Context: any, does not sleep.  The caller's reference must last until the
 * queues are dead or be put by virtiofs_vqs_put().
 */
void virtiofs_vqs_kill_async(struct virtiofs_vqs *vqs)
{
	queue_work(virtiofs_kill_wq, &vqs->kill_work);
}

/**
 * virtiofs_vqs_check_async() - have the queues killed if the device needs that
 * @vqs: the queues
 *
 * The device says so by NEEDS_RESET (virtio specification 2.1.2); or it is gone, or
 * was reset by somebody else, and will never return what it had.
 *
 * Context: any, does not sleep.  As for virtiofs_vqs_kill_async().
 */
void virtiofs_vqs_check_async(struct virtiofs_vqs *vqs)
{
	queue_work(virtiofs_kill_wq, &vqs->check_work);
}

/**
 * virtiofs_vqs_set_responding() - say whether the device answers in time
 * @vqs: the queues
 * @responding: does it?
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_set_responding(struct virtiofs_vqs *vqs, bool responding)
{
	enum virtiofs_vqs_state state = responding ? VIRTIOFS_RUNNING :
						     VIRTIOFS_NOT_RESPONDING;

	guard(mutex)(&vqs->lock);
	if (vqs->state == VIRTIOFS_KILLED || vqs->state == state)
		return;
	vqs_set_state(vqs, state);
}

/**
 * virtiofs_vqs_scan() - look at all requests that the device has
 * @vqs: the queues
 * @fn: called for each, queue by queue, the oldest first
 * @arg: for @fn
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if @fn has returned true.
 */
bool virtiofs_vqs_scan(struct virtiofs_vqs *vqs, virtiofs_scan_fn fn,
		       void *arg)
{
	struct virtiofs_buf *buf;
	struct virtiofs_vq *vq;
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		vq = &vqs->vq[i];
		scoped_guard(vq, vq) {
			list_for_each_entry(buf, &vq->in_ring, node) {
				if (fn(buf->link, buf->since, arg))
					return true;
			}
		}
	}
	return false;
}

/**
 * virtiofs_vqs_set_look() - say how long workers look for replies that nobody waits for
 * @vqs: the queues
 * @ns: a number of nanoseconds, or 0 to have them wait for the interrupt
 *
 * What the callers of virtiofs_vq_submit() wait for in another way may so come earlier.  It
 * is done while nobody else wants the CPU, and as long as it pays.
 *
 * Context: any.
 */
void virtiofs_vqs_set_look(struct virtiofs_vqs *vqs, u64 ns)
{
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++)
		WRITE_ONCE(vqs->vq[i].look_ns, ns);
}

/**
 * virtiofs_vqs_oldest() - how long the device has the oldest of its requests
 * @vqs: the queues
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: a number of nanoseconds, or 0 if there is none.
 */
u64 virtiofs_vqs_oldest(struct virtiofs_vqs *vqs)
{
	u64 now = ktime_get_ns(), since = now;
	struct virtiofs_buf *buf;
	struct virtiofs_vq *vq;
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		vq = &vqs->vq[i];
		scoped_guard(vq, vq) {
			buf = list_first_entry_or_null(&vq->in_ring,
						       struct virtiofs_buf,
						       node);
			if (buf)
				since = min(since, buf->since);
		}
	}
	return now - since;
}

/**
 * virtiofs_vqs_drain() - wait until all submissions have ended
 * @vqs: the queues
 *
 * The wait is bounded by virtiofs_vqs_kill(), which somebody has to call if the
 * device does not answer.
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_drain(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++) {
		virtiofs_vq_flush(&vqs->vq[i]);
		wait_event(vqs->vq[i].idle, !READ_ONCE(vqs->vq[i].pending));
	}
}

/**
 * virtiofs_vqs_cancel() - take a submission back that has not begun
 * @vqs: the queues
 * @link: a submission to one of the request queues
 *
 * Context: process context.  Does not sleep.
 * Return: true if the device never had the submission, and done() will not be
 * called for it; false if it is too late.
 */
bool virtiofs_vqs_cancel(struct virtiofs_vqs *vqs, struct llist_node *link)
{
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		if (vq_cancel(&vqs->vq[i], link))
			return true;
	}
	return false;
}

/**
 * virtiofs_vqs_are_dead() - has the device been taken away from its queues?
 * @vqs: the queues
 *
 * Context: process context, waits for a virtiofs_vqs_kill() under way.
 * Return: true after virtiofs_vqs_kill().
 */
bool virtiofs_vqs_are_dead(struct virtiofs_vqs *vqs)
{
	guard(mutex)(&vqs->lock);
	return vqs->state == VIRTIOFS_KILLED;
}

/**
 * virtiofs_vqs_get() - take a reference
 * @vqs: the queues
 *
 * Return: @vqs.
 */
struct virtiofs_vqs *virtiofs_vqs_get(struct virtiofs_vqs *vqs)
{
	kref_get(&vqs->ref);
	return vqs;
}

static void vqs_release(struct kref *ref)
{
	struct virtiofs_vqs *vqs = container_of(ref, struct virtiofs_vqs, ref);
	unsigned int i;

	cancel_work_sync(&vqs->kill_work);
	cancel_work_sync(&vqs->check_work);
	for (i = 0; i < vqs->nr; i++)
		cancel_work_sync(&vqs->vq[i].work);
	WARN_ON_ONCE(vqs->state != VIRTIOFS_KILLED);
	/* A submission may end before virtiofs_vq_submit() has returned */
	synchronize_rcu();
	vqs_free(vqs);
}

/**
 * virtiofs_vqs_put() - drop a reference
 * @vqs: the queues, killed before the last reference goes
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_put(struct virtiofs_vqs *vqs)
{
	kref_put(&vqs->ref, vqs_release);
}

/**
 * virtiofs_vqs_pick() - choose a request queue for the caller
 * @vqs: the queues
 *
 * Context: any.  A task that moves to another CPU loses nothing but locality.
 * Return: a request queue, never the hiprio queue.
 */
struct virtiofs_vq *virtiofs_vqs_pick(struct virtiofs_vqs *vqs)
{
	return &vqs->vq[vqs->map[raw_smp_processor_id()]];
}

/**
 * virtiofs_vqs_completed() - number of submissions that have ended so far
 * @vqs: the queues
 *
 * Context: any.
 * Return: a number for comparison with an earlier one.
 */
u64 virtiofs_vqs_completed(struct virtiofs_vqs *vqs)
{
	unsigned int i;
	u64 nr = 0;

	for (i = 0; i < vqs->nr; i++)
		nr += READ_ONCE(vqs->vq[i].completed);
	return nr;
}

/**
 * virtiofs_vqs_ring_size() - room in the smallest request queue
 * @vqs: the queues
 *
 * Context: any.
 * Return: number of descriptors, at least VIRTIOFS_VQ_MIN_SIZE.
 */
unsigned int virtiofs_vqs_ring_size(struct virtiofs_vqs *vqs)
{
	unsigned int i, size = UINT_MAX;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++)
		size = min(size, vqs->vq[i].sgl.max);
	return size;
}

/**
 * virtiofs_wq_init() - create what the queues of all devices share
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_wq_init(void)
{
	/* At the callers' priority: while they run, replies come together */
	virtiofs_wq = alloc_workqueue("virtiofs", WQ_MEM_RECLAIM | WQ_PERCPU,
				      0);
	if (!virtiofs_wq)
		return -ENOMEM;
	virtiofs_kill_wq = alloc_workqueue("virtiofs_kill", WQ_MEM_RECLAIM |
					   WQ_UNBOUND, 0);
	if (!virtiofs_kill_wq) {
		destroy_workqueue(virtiofs_wq);
		return -ENOMEM;
	}
	return 0;
}

/**
 * virtiofs_wq_exit() - undo virtiofs_wq_init()
 *
 * Context: module exit, when all queues are gone.
 */
void virtiofs_wq_exit(void)
{
	destroy_workqueue(virtiofs_kill_wq);
	destroy_workqueue(virtiofs_wq);
}
