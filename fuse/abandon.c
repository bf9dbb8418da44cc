// SPDX-License-Identifier: GPL-2.0
/*
 * Killed callers that abandon their requests.
 *
 * The device owns the memory of a request until it returns that.  So a caller
 * may go only if no other task can see the memory: there is none but our own copy,
 * the FUSE client has allocated it for this request alone, or it is anonymous
 * memory of a process that dies as a whole.  All other callers wait for the
 * device, as they do everywhere else in the kernel.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "orphan.h"
#include "virtiofs_trace.h"

/* How long a task that exits waits for a reply: it cannot be killed any more */
#define ABANDON_EXIT_PATIENCE	(2 * HZ)

/* How often a killed caller that cannot go yet asks whether it can */
#define ABANDON_RETRY_PERIOD	(HZ / 10)

/*
 * Does another process use the memory of @task, as after vfork()?  Tasks come
 * and go meanwhile.  A task that dies as a whole gets no new ones, and each that has
 * the memory has a reference to it, so this is true rather than false.  A reader
 * of /proc makes it true for a moment as well, so ask again.
 */
static bool abandon_is_memory_shared(struct task_struct *task)
{
	struct mm_struct *mm = READ_ONCE(task->mm);
	int users, threads = 0;
	struct task_struct *thread;

	if (!mm)
		return true;
	users = atomic_read(&mm->mm_users);
	/* Before the threads are counted, see above */
	smp_rmb();
	rcu_read_lock();
	for_each_thread(task, thread)
		threads += READ_ONCE(thread->mm) == mm;
	rcu_read_unlock();
	return users > threads;
}

/*
 * The task that waits for a request in the background and has been killed, or
 * NULL; under RCU.  One that waits for direct I/O cannot be gone, so its number is
 * that of no other task.  AIO belongs to a process, not to the task that has
 * submitted it, so it has no waiter here.
 */
static struct task_struct *abandon_killed_waiter(struct glue_conn *conn,
						 struct fuse_req *req)
{
	struct fuse_io_args *ia = container_of(req->args, typeof(*ia), ap.args);
	struct task_struct *task;

	if (!test_bit(FR_BACKGROUND, &req->flags) || !req->args->user_pages ||
	    !ia->io->blocking)
		return NULL;
	task = pid_task(find_pid_ns(req->in.h.pid, conn->fc->pid_ns),
			PIDTYPE_PID);
	return task && fatal_signal_pending(task) ? task : NULL;
}

/*
 * May the device keep the pages of a request while their user goes on?  Pages that
 * were pinned for @task are anonymous, and so of this process alone, or of a file or
 * shared.  Memory of the kernel that is read or written directly may be a
 * stack.  Other pages without a mapping were allocated for the request; those with
 * one are in the page cache, where they would be unlocked and filled by another
 * task.
 */
static bool abandon_may_keep_pages(struct fuse_args *args, struct task_struct *task)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	struct page *page;
	unsigned int i;

	if (args->user_pages && abandon_is_memory_shared(task))
		return false;
	for (i = 0; i < glue_nr_pages(ap); i++) {
		page = glue_page(ap, i);
		if (args->user_pages ? !glue_is_private(args, page) :
				       !!READ_ONCE(page_folio(page)->mapping))
			return false;
	}
	return true;
}

/*
 * With writeback caching the FUSE client knows sizes better than the server.  It would
 * not notice what comes of a request that it takes for interrupted.
 */
static bool abandon_hides_size(struct glue_conn *conn, struct fuse_req *req)
{
	const void *arg = req->args->in_args[0].value;

	if (!conn->fc->writeback_cache)
		return false;
	switch (req->in.h.opcode) {
	case FUSE_SETATTR:
		return ((const struct fuse_setattr_in *)arg)->valid & FATTR_SIZE;
	case FUSE_OPEN:
		return ((const struct fuse_open_in *)arg)->flags & O_TRUNC;
	case FUSE_WRITE:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case 53: /* FUSE_COPY_FILE_RANGE_64 */
		return true;
	default:
		return false;
	}
}

/*
 * May the caller of @req go?  Called by the caller, or, for direct I/O, under the
 * lock of the queue that has @req: then the device has not returned it, and its
 * arguments are there.
 */
static bool abandon_is_safe(struct glue_conn *conn, struct fuse_req *req)
{
	struct task_struct *task = current;
	struct fuse_args *args = req->args;

	if (!test_bit(FR_ISREPLY, &req->flags))
		return false;
	switch (req->in.h.opcode) {
	case FUSE_INIT:
	case FUSE_DESTROY:
	case FUSE_SETUPMAPPING:
	case FUSE_REMOVEMAPPING:
		return false;
	}
	guard(rcu)();
	if (test_bit(FR_BACKGROUND, &req->flags))
		task = abandon_killed_waiter(conn, req);
	if (!task || abandon_hides_size(conn, req))
		return false;
	return !(args->in_pages || args->out_pages) ||
	       abandon_may_keep_pages(args, task);
}

/**
 * struct abandoned - a request that its caller is about to abandon
 * @conn: the connection
 * @req: the request; referenced if it is in the background
 * @background: it is, and so its arguments are there only under a lock
 * @uses: what it has to do with
 * @nr_pages: number of its pages
 *
 * What an orphan has to be made for, while the arguments of the request are known
 * to be there.
 */
struct abandoned {
	struct glue_conn *conn;
	struct fuse_req *req;
	bool background;
	struct glue_uses uses;
	unsigned int nr_pages;
};

static void abandon_init(struct abandoned *call, struct fuse_req *req)
{
	struct fuse_args *args = req->args;
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);

	call->req = req;
	call->background = test_bit(FR_BACKGROUND, &req->flags);
	call->nr_pages = args->in_pages || args->out_pages ?
			 glue_nr_pages(ap) : 0;
	virtiofs_order_uses(req, &call->uses);
}

static bool abandon_keep_pages(struct glue_orphan *orphan, struct fuse_args *args)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	struct folio *folio;
	unsigned int i;

	if (!args->in_pages && !args->out_pages)
		return true;
	for (i = 0; i < glue_nr_pages(ap); i++) {
		folio = page_folio(glue_page(ap, i));
		if (i == orphan->max || !folio_try_get(folio))
			return false;
		orphan->folios[orphan->nr++] = folio;
	}
	return true;
}

/*
 * See virtiofs_scan_fn.  The device has the request, and its reply waits for the
 * lock of the queue: from here on it is the orphan's.
 */
static bool abandon_in_ring(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_orphan *orphan = arg;

	if (!abandon_is_safe(orphan->conn, req) ||
	    !abandon_keep_pages(orphan, req->args))
		return true;
	orphan->args = *req->args;
	orphan->left = true;
	glue_sub_of(req)->orphan = orphan;
	return true;
}

/*
 * See virtiofs_scan_fn.  The same for a request on the backlog that the server has to
 * get nevertheless, in its place: what is left of its arguments is a copy.
 */
static bool abandon_on_backlog(struct llist_node *link, u64 since, void *arg)
{
	struct glue_orphan *orphan = arg;
	struct fuse_req *req = glue_req_of(link);

	if (req != orphan->req)
		return false;
	orphan->left = true;
	virtiofs_req_keep(req, &orphan->args, orphan->copy);
	orphan->copy = NULL;
	glue_sub_of(req)->orphan = orphan;
	return true;
}

/* The caller does not wait for the device any more */
static void abandon_set_left(struct fuse_req *req, int error)
{
	req->out.h.error = error;
	clear_bit(FR_SENT, &req->flags);
}

/* The device has never had the request, and never will */
static void abandon_cancelled(struct abandoned *call)
{
	struct fuse_req *req = call->req;

	trace_virtiofs_reply(call->conn->session->tag, req->in.h.unique,
			     req->in.h.opcode, -EINTR, 0, 0);
	virtiofs_req_free(req);
	abandon_set_left(req, -EINTR);
	virtiofs_complete(call->conn, req);
}

/* Take the request back, if the device has not got it */
static bool abandon_cancel(struct glue_conn *conn, struct fuse_req *req)
{
	return virtiofs_vqs_cancel(conn->session->vqs, &glue_sub_of(req)->link) ||
	       virtiofs_order_cancel(conn, req);
}

static bool abandon_is_lock(struct fuse_req *req)
{
	return req->in.h.opcode == FUSE_SETLK || req->in.h.opcode == FUSE_SETLKW;
}

/*
 * What a dying caller is told.  The FUSE client has RELEASE unlock a flock only if there has been
 * one, and one that is asked for may be about to come.  Kernel threads do not die.
 */
static int abandon_error(struct fuse_req *req)
{
	return abandon_is_lock(req) && !(current->flags & PF_KTHREAD) ? 0 : -EINTR;
}

/* Handles and locks are given back even without a waiter */
static bool abandon_is_giveback(struct fuse_req *req)
{
	switch (req->in.h.opcode) {
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return true;
	default:
		return false;
	}
}

static void abandon_where_it_is(struct glue_orphan *orphan)
{
	struct virtiofs_vqs *vqs = orphan->conn->session->vqs;
	struct fuse_req *req = orphan->req;

	if (abandon_is_giveback(req)) {
		orphan->copy = kzalloc(VIRTIOFS_REQ_KEPT,
				       GFP_NOFS | __GFP_NOFAIL);
		if (virtiofs_vqs_scan_backlog(vqs, abandon_on_backlog, orphan) ||
		    virtiofs_order_scan(orphan->conn, abandon_on_backlog, orphan))
			return;
	}
	virtiofs_vqs_has(vqs, &glue_sub_of(req)->link, abandon_in_ring,
			 orphan);
}

/*
 * The caller has been killed.  Let it go, if that is safe.  Returns true if its
 * request is complete, or about to be.
 */
static bool abandon(struct abandoned *call)
{
	struct glue_conn *conn = call->conn;
	struct fuse_req *req = call->req;
	struct glue_orphan *orphan;

	if (!abandon_is_giveback(req) && abandon_cancel(conn, req)) {
		abandon_cancelled(call);
		return true;
	}
	if (!call->background && !abandon_is_safe(conn, req))
		return false;
	orphan = virtiofs_orphan_new(conn, req, &call->uses, call->nr_pages);
	/* First, as a task that sees that the caller is gone may modify its inode */
	virtiofs_order_add(orphan);
	abandon_where_it_is(orphan);
	if (!orphan->left) {
		/* There is nothing that its work would have to wait for */
		queue_work(virtiofs_complete_wq, &orphan->work);
		return false;
	}
	trace_virtiofs_abandon(conn->session->tag, req->in.h.unique,
			       req->in.h.opcode);
	abandon_set_left(req, abandon_error(req));
	if (call->background) {
		queue_work(virtiofs_complete_wq, &orphan->completion);
		return true;
	}
	fuse_request_end(req);
	virtiofs_orphan_close(orphan);
	return true;
}

/* The same for the caller itself, whose arguments are its own */
static bool abandon_own(struct glue_conn *conn, struct fuse_req *req)
{
	struct abandoned call = { .conn = conn };

	abandon_init(&call, req);
	return abandon(&call);
}

static bool abandon_is_finished(struct fuse_req *req)
{
	return test_bit(FR_FINISHED, &req->flags);
}

/**
 * virtiofs_abandon_signalled() - the caller of a request has got a signal
 * @fiq: of the connection
 * @req: the request, which the caller waits for
 *
 * The server is told of the signal, but may ignore it.  If the signal is fatal
 * the caller need not wait for the server, unless it would leave memory to the
 * device that others use.
 *
 * Context: the caller, for its first signal; sleeps.
 */
void virtiofs_abandon_signalled(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;
	struct abandoned call = { .conn = conn, .req = req };
	struct glue_uses uses;

	/* A server would end the wait for a lock, but does not know of it yet */
	virtiofs_order_uses(req, &uses);
	if (uses.locks && abandon_cancel(conn, req)) {
		abandon_cancelled(&call);
		return;
	}
	if (!virtiofs_interrupt_wait(conn, req))
		return;
	if (req->in.h.opcode == FUSE_DESTROY) {
		virtiofs_vqs_kill_async(conn->session->vqs);
		return;
	}
	while (!abandon_is_finished(req) && !abandon_own(conn, req))
		wait_event_timeout(req->waitq, abandon_is_finished(req),
				   ABANDON_RETRY_PERIOD);
}

/**
 * virtiofs_abandon_is_exiting() - is virtiofs_abandon_exiting() for the caller of a request?
 * @req: a request that its caller will wait for
 *
 * No signal ends the wait of a task that exits, nor that of the kernel's worker which closes
 * files for all file systems.
 *
 * Context: the caller.
 * Return: true if it is.
 */
bool virtiofs_abandon_is_exiting(struct fuse_req *req)
{
	return current->flags & PF_EXITING ||
	       (current->flags & PF_KTHREAD && glue_is_release(req));
}

/**
 * virtiofs_abandon_exiting() - wait for a reply in a task that exits
 * @conn: the connection
 * @req: a request that was submitted, with a reference of the caller
 *
 * A task that exits takes no signals, so that nothing would end its wait for a
 * server that is gone.  It has no use for the result, either.
 *
 * Context: the caller; sleeps for ABANDON_EXIT_PATIENCE at the longest.
 */
void virtiofs_abandon_exiting(struct glue_conn *conn, struct fuse_req *req)
{
	bool stuck = READ_ONCE(conn->stuck) == glue_progress(conn);

	if (req->in.h.opcode == FUSE_DESTROY)
		return;
	if (wait_event_timeout(req->waitq, abandon_is_finished(req),
			       stuck ? 0 : ABANDON_EXIT_PATIENCE))
		return;
	/* A task with many open files loses patience once, not for each */
	WRITE_ONCE(conn->stuck, glue_progress(conn));
	/* The request may be on its way to a queue */
	while (!abandon_is_finished(req) && !abandon_own(conn, req) &&
	       abandon_is_safe(conn, req))
		wait_event_timeout(req->waitq, abandon_is_finished(req),
				   ABANDON_RETRY_PERIOD);
}

/**
 * virtiofs_abandon_held() - a request is held that was about to be submitted
 * @conn: the connection
 * @req: the request, with a reference of the caller, which waits for it
 *
 * A RELEASE needs no waiter, nor does the FLUSH of a task that exits.  So it is complete for
 * the FUSE client, and sent from a copy.
 *
 * Context: the caller; sleeps.
 */
void virtiofs_abandon_held(struct glue_conn *conn, struct fuse_req *req)
{
	bool exits = virtiofs_abandon_is_exiting(req);

	if (glue_is_release(req) || (exits && abandon_is_giveback(req))) {
		while (!abandon_is_finished(req) && !abandon_own(conn, req))
			wait_event_timeout(req->waitq, abandon_is_finished(req),
					   ABANDON_RETRY_PERIOD);
	} else if (exits) {
		virtiofs_abandon_exiting(conn, req);
	}
}

static bool abandon_found(struct abandoned *call, struct fuse_req *req)
{
	/* It is in flight or waits to be, so it is not complete */
	refcount_inc(&req->count);
	abandon_init(call, req);
	return true;
}

/* See virtiofs_scan_fn.  Takes a reference to the request that was found. */
static bool abandon_find_killed(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct abandoned *call = arg;

	return test_bit(FR_BACKGROUND, &req->flags) &&
	       !glue_sub_of(req)->orphan && abandon_is_safe(call->conn, req) &&
	       abandon_found(call, req);
}

/* The same for requests that the device does not have, whatever their memory is */
static bool abandon_find_waiting(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct abandoned *call = arg;

	guard(rcu)();
	return abandon_killed_waiter(call->conn, req) && abandon_found(call, req);
}

/**
 * virtiofs_abandon_killed() - let callers go that do not notice their signals
 * @work: of the connection; the watch queues it, and must not wait for it
 *
 * Direct I/O may be sent in the background, and its caller waits for all of it
 * without an eye on signals.
 *
 * Context: process context, may sleep.
 */
void virtiofs_abandon_killed(struct work_struct *work)
{
	struct glue_conn *conn = container_of(work, struct glue_conn, abandon);
	struct virtiofs_vqs *vqs = conn->session->vqs;
	struct abandoned call = { .conn = conn };
	/* Without it a long backlog is not worth a scan */
	bool direct = xchg(&conn->direct, 0);
	bool left;

	if (!direct)
		return;
	/* A request counts before it sets this */
	if (glue_has_requests(conn->fc))
		WRITE_ONCE(conn->direct, 1);
	while (virtiofs_vqs_scan_backlog(vqs, abandon_find_waiting, &call) ||
	       virtiofs_order_scan(conn, abandon_find_waiting, &call) ||
	       virtiofs_vqs_scan(vqs, abandon_find_killed, &call)) {
		left = abandon(&call);
		virtiofs_req_put(call.req);
		/* Something has come in between; there is a next time */
		if (!left)
			return;
	}
}
