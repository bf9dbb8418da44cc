// SPDX-License-Identifier: GPL-2.0
/*
 * Who waits for what a virtqueue brings: callers that look for their reply or sleep until it
 * is there, and the worker that looks for those of others.
 */

#include <linux/completion.h>
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/task.h>
#include <linux/smp.h>
#include <linux/tick.h>

#include "virtiofs_trace.h"
#include "virtqueue_internal.h"

/* So many bytes more, and a device may take a nanosecond longer to copy them */
#define VQ_BYTES_PER_NS	2

/* How long each CPU had been idle when others last wanted it from who polled */
static DEFINE_PER_CPU(u64, vq_idle_us);

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

/* While callbacks are on the interrupt does it, and must not find the ring empty */
static void vq_try_reap(struct virtiofs_vq *vq)
{
	unsigned long flags;

	/* If the lock is not free, somebody else is about to look */
	if (READ_ONCE(vq->callbacks) ||
	    !spin_trylock_irqsave(&vq->lock, flags))
		return;
	if (!vq->dead && !vq->callbacks)
		virtiofs_vq_reap(vq);
	virtiofs_vq_unlock(vq, flags);
}

static void vq_looked(struct virtiofs_vq *vq, bool found, u64 since)
{
	if (trace_virtiofs_poll_enabled())
		trace_virtiofs_poll(vq->vqs->index, vq->name, found,
				    ktime_get_ns() - since);
}

/* End the request of a waiter, which has returned */
static void vq_end_waited(struct virtiofs_vq *vq,
			  struct virtiofs_waiter *waiter)
{
	LIST_HEAD(batch);

	list_add(&waiter->buf->node, &batch);
	virtiofs_vq_ended(vq, virtiofs_vq_end_bufs(vq, &batch), &batch, waiter);
}

/* Returns true if the device has returned the request of @waiter */
static bool vq_poll(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		    u64 ns)
{
	u64 since = ktime_get_ns();
	u64 until = since + vq_look_ns(ns, waiter->buf);
	bool found, goes_on = true;

	/* What vq_take() has written before @answered is there */
	while (!(found = smp_load_acquire(&waiter->answered)) && goes_on) {
		cpu_relax();
		vq_try_reap(vq);
		goes_on = vq_may_poll(vq, until);
	}
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
			virtiofs_vq_arm(vq);
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
	virtiofs_vq_submit(vq, link, waiter);
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

/**
 * virtiofs_vq_set_submitter() - shall the worker look for what this task has submitted?
 * @vq: the queue
 *
 * The task may wait for it elsewhere: readers wait for a page, and direct I/O for all of its
 * requests.  If it goes to sleep for that, and nobody else wants the CPU, the worker has it and
 * looks for the reply, so that the CPU need not be woken up for it.
 *
 * Context: under the queue's lock, if workers look at all.
 * Return: true if the worker is to be called; then it calls virtiofs_vq_forget_submitter().
 */
bool virtiofs_vq_set_submitter(struct virtiofs_vq *vq)
{
	if (vq->submitter || vq_cpu_is_wanted() || !score_pays(&vq->score))
		return false;
	WRITE_ONCE(vq->submitter, get_task_struct(current));
	return true;
}

/**
 * virtiofs_vq_is_keen() - shall the worker look for replies?
 * @vq: the queue
 *
 * Context: the worker, at first, if there is a submitter.
 * Return: true if who might wait sleeps.
 */
bool virtiofs_vq_is_keen(struct virtiofs_vq *vq)
{
	if (!task_is_running(vq->submitter))
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
		if (virtiofs_vq_nr_unwaited(vq) && list_empty(&vq->taken)) {
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

/**
 * virtiofs_vq_worker_looks() - look for replies that nobody waits for
 * @vq: the queue
 *
 * Context: the worker.  Spins for a while.
 * Return: true if it was not in vain.
 */
bool virtiofs_vq_worker_looks(struct virtiofs_vq *vq)
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

/**
 * virtiofs_vq_put_submitter() - the worker looks for nobody any more
 * @vq: a queue with a submitter
 *
 * Context: the worker, at last, or in its stead.
 */
void virtiofs_vq_put_submitter(struct virtiofs_vq *vq)
{
	struct task_struct *submitter = vq->submitter;

	scoped_guard(vq, vq)
		WRITE_ONCE(vq->submitter, NULL);
	put_task_struct(submitter);
}
