// SPDX-License-Identifier: GPL-2.0
/*
 * Callers that have got a signal while they wait for the device: the server is
 * told that they would rather have no result than a late one.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "conn.h"
#include "hiprio.h"

/*
 * How long to wait when the server wants to be asked again, or until it is seen
 * whether the device has the request by now
 */
#define GLUE_AGAIN_DELAY	msecs_to_jiffies(20)

/* How often a caller whose wait was disturbed asks whether it has got a signal */
#define GLUE_SIGNAL_PERIOD	(HZ / 10)

/**
 * enum glue_interrupt_state - where an INTERRUPT is
 * @GLUE_DUE: to be sent a little later, if the device has the request then
 * @GLUE_SENT: with the hiprio queue
 * @GLUE_DONE: complete, whether the server has heeded it or not
 */
enum glue_interrupt_state {
	GLUE_DUE,
	GLUE_SENT,
	GLUE_DONE,
};

/**
 * struct glue_interrupt - the INTERRUPT of a request
 * @hiprio: what is submitted
 * @conn: the connection
 * @req: the request, as long as its caller waits; under the connection's lock
 * @state: where it is; under the connection's lock, or changed by the caller or the watch
 *	while it is not GLUE_SENT
 * @node: on the connection's list, if it is due and the caller is gone
 *
 * Made by the caller, and freed by it.  If that does not wait any more, freed when the hiprio
 * queue is through with it, or, if the server wants to be asked again, by the watch.
 */
struct glue_interrupt {
	struct virtiofs_interrupt hiprio;
	struct list_head node;
	struct glue_conn *conn;
	struct fuse_req *req;
	enum glue_interrupt_state state;
};

/* The caller is gone.  Returns false if @intr has no user any more. */
static bool interrupt_leave(struct glue_interrupt *intr)
{
	lockdep_assert_held(&intr->conn->lock);

	if (intr->state == GLUE_DUE)
		list_add_tail(&intr->node, &intr->conn->interrupts);
	return intr->state != GLUE_DONE;
}

/* See struct virtiofs_interrupt */
static void interrupt_done(struct virtiofs_interrupt *hiprio, int error)
{
	struct glue_interrupt *intr = container_of(hiprio,
						   struct glue_interrupt,
						   hiprio);
	struct glue_conn *conn = intr->conn;
	bool free = false;

	/*
	 * The FUSE client has a flag of its own, but with that set no caller would
	 * tell us of signals, and callers could not be killed.
	 */
	if (error == -ENOSYS)
		WRITE_ONCE(conn->no_interrupt, true);

	spin_lock(&conn->lock);
	WRITE_ONCE(conn->nr_interrupts, conn->nr_interrupts + 1);
	WRITE_ONCE(intr->state, error == -EAGAIN ? GLUE_DUE : GLUE_DONE);
	if (intr->req)
		wake_up(&intr->req->waitq);
	else
		free = !interrupt_leave(intr);
	spin_unlock(&conn->lock);
	if (free)
		kfree(intr);
}

/*
 * Is there a signal that the caller does not block?  A wait ends for other reasons
 * as well, of which the server must not hear: work of io_uring, the freezer.
 */
static bool interrupt_has_signal(void)
{
	/* A task that runs has its own */
	struct sighand_struct *sighand = rcu_dereference_protected(current->sighand, 1);
	sigset_t pending;

	spin_lock_irq(&sighand->siglock);
	sigorsets(&pending, &current->pending.signal,
		  &current->signal->shared_pending.signal);
	sigandnsets(&pending, &pending, &current->blocked);
	spin_unlock_irq(&sighand->siglock);
	return !sigisemptyset(&pending);
}

/*
 * Allocated by the caller, who may sleep and has nothing else to do, so that
 * this cannot fail.
 */
static struct glue_interrupt *interrupt_new(struct glue_conn *conn,
					    struct fuse_req *req)
{
	struct glue_interrupt *intr;

	if (!interrupt_has_signal())
		return NULL;
	intr = kzalloc_obj(*intr, GFP_NOFS | __GFP_NOFAIL);
	intr->hiprio.unique = req->in.h.unique;
	intr->hiprio.done = interrupt_done;
	intr->conn = conn;
	intr->req = req;
	return intr;
}

static void interrupt_put(struct glue_interrupt *intr)
{
	struct glue_conn *conn = intr->conn;
	bool free;

	spin_lock(&conn->lock);
	intr->req = NULL;
	free = !interrupt_leave(intr);
	spin_unlock(&conn->lock);
	if (free)
		kfree(intr);
}

static bool interrupt_is_finished(struct fuse_req *req)
{
	return test_bit(FR_FINISHED, &req->flags);
}

/* See virtiofs_scan_fn */
static bool interrupt_is_link(struct llist_node *link, u64 since, void *arg)
{
	return link == arg;
}

/* Has the device the request?  It need not be told of one that it never gets. */
static bool interrupt_is_in_flight(struct glue_conn *conn, struct fuse_req *req)
{
	return virtiofs_vqs_scan(conn->session->vqs, interrupt_is_link,
				 &glue_sub_of(req)->link);
}

/* See virtiofs_scan_fn */
static bool interrupt_is_for(struct llist_node *link, u64 since, void *arg)
{
	const struct glue_interrupt *intr = arg;

	return glue_req_of(link)->in.h.unique == intr->hiprio.unique;
}

static void interrupt_send(struct glue_interrupt *intr)
{
	WRITE_ONCE(intr->state, GLUE_SENT);
	virtiofs_hiprio_interrupt(glue_hiprio(intr->conn), &intr->hiprio);
}

static bool interrupt_is_due(struct glue_interrupt *intr)
{
	return READ_ONCE(intr->state) == GLUE_DUE &&
	       !READ_ONCE(intr->conn->no_interrupt);
}

/* Returns 0 if @req is complete, -ERESTARTSYS if its caller was killed */
static int interrupt_wait(struct fuse_req *req, struct glue_interrupt *intr)
{
	long left, delay;
	bool due;

	if (interrupt_is_in_flight(intr->conn, req))
		interrupt_send(intr);
	for (;;) {
		due = interrupt_is_due(intr);
		delay = due ? GLUE_AGAIN_DELAY : MAX_SCHEDULE_TIMEOUT;
		left = wait_event_killable_timeout(req->waitq,
						   interrupt_is_finished(req) ||
						   due != interrupt_is_due(intr),
						   delay);
		if (left < 0 || interrupt_is_finished(req))
			return min(left, 0L);
		/* The whole delay has passed */
		if (!left && interrupt_is_in_flight(intr->conn, req))
			interrupt_send(intr);
	}
}

/**
 * virtiofs_interrupt_wait() - wait for a reply after a signal
 * @conn: the connection
 * @req: a request whose caller has got a signal
 *
 * Sends INTERRUPT while the device has the request: when it comes into the
 * ring, if it is not there yet; one at a time; once, unless the server wants
 * to be asked again.  The server may ignore it all, and what it makes of it is
 * the reply to the request.
 *
 * Context: the caller; sleeps.
 * Return: 0 if the request is complete, -ERESTARTSYS if the caller was killed.
 */
int virtiofs_interrupt_wait(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_interrupt *intr;
	int err;

	if (READ_ONCE(conn->no_interrupt) || req->in.h.opcode == FUSE_DESTROY)
		return wait_event_killable(req->waitq, interrupt_is_finished(req));
	/* The FUSE client calls only once, so a caller without a signal asks again */
	while (!(intr = interrupt_new(conn, req))) {
		long left = wait_event_killable_timeout(req->waitq,
							interrupt_is_finished(req),
							GLUE_SIGNAL_PERIOD);

		if (left)
			return min(left, 0L);
	}
	err = interrupt_wait(req, intr);
	interrupt_put(intr);
	return err;
}

/**
 * virtiofs_interrupt_again() - send what is due, though its caller is gone
 * @conn: the connection
 *
 * What a killed caller has left to the device may keep others waiting: a lock, the handle of a
 * file, the end of the session.
 *
 * Context: the watch.
 */
void virtiofs_interrupt_again(struct glue_conn *conn)
{
	struct glue_interrupt *intr, *next;
	LIST_HEAD(due);

	/* The end of the session waits for this */
	guard(rcu)();
	scoped_guard(spinlock, &conn->lock)
		list_splice_init(&conn->interrupts, &due);
	list_for_each_entry_safe(intr, next, &due, node) {
		if (!READ_ONCE(conn->no_interrupt) &&
		    virtiofs_vqs_scan(conn->session->vqs, interrupt_is_for, intr))
			interrupt_send(intr);
		else
			kfree(intr);
	}
}
