// SPDX-License-Identifier: GPL-2.0
/*
 * Callers that do not wait for the device any more, because they were killed:
 * what the device may still use of theirs is kept, and what it answers late is
 * given back to it.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/pid_namespace.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "fuse_conn.h"
#include "late.h"
#include "virtiofs_trace.h"

/* How long a task that exits waits for a reply: nobody can kill it any more */
#define GLUE_EXIT_PATIENCE	(2 * HZ)

/**
 * struct glue_loan - a lookup of an inode, taken from the FUSE client
 * @node: on the connection's list
 * @nodeid: the inode
 * @users: number of orphans that are about it
 *
 * Until the last orphan ends, the FUSE client has one lookup less to forget.
 */
struct glue_loan {
	struct list_head node;
	u64 nodeid;
	unsigned int users;
};

/**
 * struct glue_orphan - a request whose caller does not wait for the reply
 * @conn: the connection
 * @req: the request, with a reference
 * @args: the caller's arguments, of which only the sizes are left
 * @loan: a lookup of the inode that the request is for, or NULL
 * @open: two, as the caller has still to end the request for itself, and the device
 *	to return it; not used if the device never had it
 * @work: does what is left to be done after both
 * @late: what to give back
 * @giveback: arguments of the request that does
 * @nr: number of @folios
 * @folios: memory that the device may still use, referenced
 *
 * Made by the caller when it leaves, freed by @work.
 */
struct glue_orphan {
	struct glue_conn *conn;
	struct fuse_req *req;
	struct fuse_args args;
	struct glue_loan *loan;
	atomic_t open;
	struct work_struct work;
	struct virtiofs_late late;
	struct fuse_args giveback;
	unsigned int nr;
	struct folio *folios[] __counted_by(nr);
};

static int glue_is_inode(struct inode *inode, void *nodeid)
{
	return get_node_id(inode) == *(u64 *)nodeid;
}

/* The FUSE client's inode, referenced, if it knows it.  Under fc->killsb. */
static struct inode *glue_find_inode(struct fuse_conn *fc, u64 nodeid)
{
	struct inode *inode = NULL;
	struct fuse_mount *fm;

	list_for_each_entry(fm, &fc->mounts, fc_entry) {
		if (fm->sb)
			inode = ilookup5(fm->sb, nodeid, glue_is_inode,
					 &nodeid);
		if (inode)
			break;
	}
	return inode;
}

/* Take a lookup of the inode, if there is one */
static bool glue_take_lookup(struct fuse_conn *fc, u64 nodeid)
{
	struct inode *inode = glue_find_inode(fc, nodeid);
	struct fuse_inode *fi;
	bool taken;

	if (!inode)
		return false;
	fi = get_fuse_inode(inode);
	spin_lock(&fi->lock);
	taken = fi->nlookup;
	if (taken)
		fi->nlookup--;
	spin_unlock(&fi->lock);
	/* The caller of the request has the inode, too */
	iput(inode);
	return taken;
}

static struct glue_loan *glue_find_loan(struct glue_conn *conn, u64 nodeid)
{
	struct glue_loan *loan;

	list_for_each_entry(loan, &conn->loans, node) {
		if (loan->nodeid == nodeid)
			return loan;
	}
	return NULL;
}

/*
 * The FUSE client may forget an inode when nobody waits for a request any more
 * that is about it, but the server shall not before that request has ended.
 */
static void glue_borrow_lookup(struct glue_orphan *orphan, u64 nodeid)
{
	struct glue_conn *conn = orphan->conn;
	struct fuse_conn *fc = conn->fc;
	struct glue_loan *loan;

	if (nodeid == FUSE_ROOT_ID)
		return;
	/*
	 * No mount ends while we have its inode.  The caller may have locks
	 * that come after this one, and where a mount ends, order is over.
	 */
	if (!down_read_trylock(&fc->killsb))
		return;
	mutex_lock(&conn->loans_lock);
	loan = glue_find_loan(conn, nodeid);
	if (!loan && glue_take_lookup(fc, nodeid)) {
		loan = kzalloc_obj(*loan, GFP_NOFS | __GFP_NOFAIL);
		loan->nodeid = nodeid;
		list_add(&loan->node, &conn->loans);
	}
	if (loan)
		loan->users++;
	orphan->loan = loan;
	mutex_unlock(&conn->loans_lock);
	up_read(&fc->killsb);
}

static void glue_return_lookup(struct glue_orphan *orphan)
{
	struct glue_conn *conn = orphan->conn;
	struct fuse_conn *fc = conn->fc;
	struct glue_loan *loan = orphan->loan;
	struct inode *inode;

	if (!loan)
		return;
	guard(rwsem_read)(&fc->killsb);
	scoped_guard(mutex, &conn->loans_lock) {
		if (--loan->users)
			return;
		list_del(&loan->node);
		inode = glue_find_inode(fc, loan->nodeid);
		if (inode) {
			spin_lock(&get_fuse_inode(inode)->lock);
			get_fuse_inode(inode)->nlookup++;
			spin_unlock(&get_fuse_inode(inode)->lock);
		}
	}
	if (inode)
		iput(inode);
	else
		virtiofs_conn_forget(conn, loan->nodeid, 1);
	kfree(loan);
}

static void glue_orphan_free(struct glue_orphan *orphan)
{
	unsigned int i;

	for (i = 0; i < orphan->nr; i++)
		folio_put(orphan->folios[i]);
	kvfree(orphan);
}

static void glue_giveback_end(GLUE_END_ARGS)
{
	struct glue_orphan *orphan = container_of(args, struct glue_orphan,
						  giveback);

	queue_work(virtiofs_glue_wq, &orphan->work);
}

/* Release a handle or unlock a lock.  Returns true if @work goes on later. */
static bool glue_give_back(struct glue_orphan *orphan)
{
	struct fuse_args *args = &orphan->giveback;

	args->opcode = orphan->late.opcode;
	if (!args->opcode)
		return false;
	orphan->late.opcode = 0;
	args->nodeid = orphan->late.nodeid;
	args->in_numargs = 1;
	args->in_args[0].size = orphan->late.len;
	args->in_args[0].value = orphan->late.arg;
	args->force = true;
	args->nocreds = true;
	args->end = glue_giveback_end;
	return !fuse_simple_background(orphan->conn->fm, args,
				       GFP_NOFS | __GFP_NOFAIL);
}

/* Entries of a directory that nobody reads come with a lookup each */
static void glue_forget_entries(struct glue_orphan *orphan)
{
	size_t len = orphan->args.out_args[0].size, pos = 0, done, run;
	void *entries = kvmalloc(len, GFP_NOFS | __GFP_NOFAIL);
	unsigned int i;
	u64 nodeid;

	for (i = 0, done = 0; i < orphan->nr && done < len; i++, done += run) {
		run = min(len - done, PAGE_SIZE);
		memcpy_from_page(entries + done,
				 folio_page(orphan->folios[i], 0), 0, run);
	}
	while ((nodeid = virtiofs_late_entry(entries, done, &pos)))
		virtiofs_conn_forget(orphan->conn, nodeid, 1);
	kvfree(entries);
}

/* Not in a queue's worker, since an inode's end waits for other requests */
static void glue_orphan_work(struct work_struct *work)
{
	struct glue_orphan *orphan = container_of(work, struct glue_orphan,
						  work);

	/* The server may want to have its handles back before its inodes */
	if (glue_give_back(orphan))
		return;
	if (orphan->late.entries)
		glue_forget_entries(orphan);
	if (orphan->late.forget)
		virtiofs_conn_forget(orphan->conn, orphan->late.forget, 1);
	glue_return_lookup(orphan);
	/* It has ended for the FUSE client, so this only puts it */
	fuse_request_end(orphan->req);
	glue_orphan_free(orphan);
}

static void glue_orphan_close(struct glue_orphan *orphan)
{
	if (atomic_dec_and_test(&orphan->open))
		queue_work(virtiofs_glue_wq, &orphan->work);
}

/**
 * virtiofs_leave_done() - a request has ended whose caller has left
 * @orphan: what is left of it; the caller may still be about to end the request, so that
 *	what ends it is not to be touched, nor what was the caller's
 * @buf: as for done()
 * @error: as for done()
 *
 * Context: done().
 */
void virtiofs_leave_done(struct glue_orphan *orphan, struct virtiofs_buf *buf,
			 int error)
{
	struct fuse_args *args = &orphan->args;
	struct fuse_req *req = orphan->req;
	void *first;

	if (!error && !virtiofs_req_check(req, args, orphan->conn, buf)) {
		first = virtiofs_req_reply(req, args, buf);
		virtiofs_late_reply(&orphan->late, &req->in.h,
				    virtiofs_req_memory(req, buf) + sizeof(req->in.h),
				    first,
				    first + args->out_args[0].size);
	}
	virtiofs_req_free(req);
	glue_orphan_close(orphan);
}

/*
 * May the device keep the memory of @req when its caller goes on?  Not if that
 * is a page of the page cache: it would be unlocked, and filled by somebody
 * else, before the device writes to it.
 */
static bool glue_may_leave(struct fuse_req *req)
{
	if (!test_bit(FR_ISREPLY, &req->flags))
		return false;
	switch (req->in.h.opcode) {
	case FUSE_INIT:
	case FUSE_DESTROY:
		return false;
	case FUSE_READ:
		return req->args->user_pages;
	default:
		return true;
	}
}

/* An orphan for @req with references to all that the device may use, or NULL */
static struct glue_orphan *glue_orphan_new(struct glue_conn *conn,
					   struct fuse_req *req)
{
	struct fuse_args *args = req->args;
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i, nr = 0;
	struct glue_orphan *orphan;
	struct folio *folio;

	if (args->in_pages || args->out_pages)
		nr = glue_nr_pages(ap);
	/* A task that is killed shall not stay because memory is short */
	orphan = kvzalloc(struct_size(orphan, folios, nr),
			  GFP_NOFS | __GFP_NOFAIL);
	orphan->conn = conn;
	orphan->req = req;
	orphan->args = *args;
	atomic_set(&orphan->open, 2);
	INIT_WORK(&orphan->work, glue_orphan_work);
	orphan->nr = nr;
	for (i = 0; i < nr; i++) {
		folio = page_folio(glue_page(ap, i));
		/* What kmalloc() gave lives as long as its user says */
		if (folio_test_slab(folio) || !folio_try_get(folio)) {
			orphan->nr = i;
			glue_orphan_free(orphan);
			return NULL;
		}
		orphan->folios[i] = folio;
	}
	return orphan;
}

/* End @req for its caller, which does not wait for the device any more */
static void glue_interrupted(struct fuse_req *req)
{
	req->out.h.error = -EINTR;
	clear_bit(FR_SENT, &req->flags);
	fuse_request_end(req);
}

/*
 * The device has never had @req.  If it is to give something back, that has to
 * be done nevertheless.
 */
static void glue_cancelled(struct glue_conn *conn, struct fuse_req *req)
{
	const struct fuse_in_arg *arg = &req->args->in_args[0];
	struct glue_orphan *orphan = NULL;

	trace_virtiofs_reply(conn->session->tag, req->in.h.unique,
			     req->in.h.opcode, -EINTR, 0, 0);
	virtiofs_req_free(req);
	INIT_LIST_HEAD(&req->list);
	switch (req->in.h.opcode) {
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		orphan = kzalloc_obj(*orphan, GFP_NOFS | __GFP_NOFAIL);
		orphan->conn = conn;
		orphan->req = req;
		INIT_WORK(&orphan->work, glue_orphan_work);
		orphan->late.opcode = req->in.h.opcode;
		orphan->late.nodeid = req->in.h.nodeid;
		orphan->late.len = min(arg->size, sizeof(orphan->late.arg));
		memcpy(orphan->late.arg, arg->value, orphan->late.len);
		glue_borrow_lookup(orphan, req->in.h.nodeid);
		refcount_inc(&req->count);
	}
	glue_interrupted(req);
	if (orphan)
		queue_work(virtiofs_glue_wq, &orphan->work);
}

/*
 * The caller of @req has been killed.  Let it go, if that is safe: what the
 * device may still read or write is kept until it returns the request.
 */
static void glue_leave(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_sub *sub = glue_sub_of(req);
	struct glue_orphan *orphan;

	if (virtiofs_vqs_cancel(conn->session->vqs, &sub->link)) {
		glue_cancelled(conn, req);
		return;
	}
	if (!glue_may_leave(req))
		return;
	orphan = glue_orphan_new(conn, req);
	if (!orphan)
		return;
	glue_borrow_lookup(orphan, req->in.h.nodeid);
	refcount_inc(&req->count);
	/* The mount of the caller may end before the request does */
	glue_set_mount(req, conn->fm);
	if (cmpxchg(&sub->orphan, NULL, orphan)) {
		refcount_dec(&req->count);
		glue_return_lookup(orphan);
		glue_orphan_free(orphan);
		return;
	}
	trace_virtiofs_leave(conn->session->tag, req->in.h.unique,
			     req->in.h.opcode);
	glue_interrupted(req);
	glue_orphan_close(orphan);
}

/**
 * virtiofs_leave_signalled() - the caller of a request has got a signal
 * @fiq: of the connection
 * @req: the request, which the caller waits for
 *
 * The server is told of the signal, but may ignore it; if the signal is fatal
 * the caller need not wait for the server.
 *
 * Context: the caller, for its first signal; sleeps.
 */
void virtiofs_leave_signalled(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;

	if (!virtiofs_interrupt_wait(conn, req))
		return;
	if (req->in.h.opcode == FUSE_DESTROY)
		virtiofs_vqs_kill_async(conn->session->vqs);
	else
		glue_leave(conn, req);
}

/**
 * virtiofs_leave_exiting() - wait for a reply in a task that exits
 * @conn: the connection
 * @req: a request that was submitted, with a reference of the caller
 *
 * A task that exits takes no signals, so that nothing would end its wait for a
 * server that is gone.  It has no use for the result, either.
 *
 * Context: the caller; sleeps for GLUE_EXIT_PATIENCE at the longest.
 */
void virtiofs_leave_exiting(struct glue_conn *conn, struct fuse_req *req)
{
	u64 completed = virtiofs_vqs_completed(conn->session->vqs);
	bool stuck = READ_ONCE(conn->stuck) == completed;

	if (req->in.h.opcode == FUSE_DESTROY)
		return;
	if (wait_event_timeout(req->waitq, test_bit(FR_FINISHED, &req->flags),
			       stuck ? 0 : GLUE_EXIT_PATIENCE))
		return;
	/* A task with many open files loses patience once, not for each */
	WRITE_ONCE(conn->stuck, virtiofs_vqs_completed(conn->session->vqs));
	glue_leave(conn, req);
}

/* Has the task that has sent @req been killed, or does it exit? */
static bool glue_is_killed(struct glue_conn *conn, struct fuse_req *req)
{
	struct task_struct *task;
	bool killed;

	rcu_read_lock();
	task = pid_task(find_pid_ns(req->in.h.pid, conn->fc->pid_ns),
			PIDTYPE_PID);
	killed = task && (fatal_signal_pending(task) ||
			  (READ_ONCE(task->flags) & PF_EXITING));
	rcu_read_unlock();
	return killed;
}

/**
 * struct glue_find - a search for a request whose caller has been killed
 * @conn: the connection
 * @found: the request, with a reference
 */
struct glue_find {
	struct glue_conn *conn;
	struct fuse_req *found;
};

/* See virtiofs_scan_fn */
static bool glue_find_killed(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_find *find = arg;

	if (!test_bit(FR_BACKGROUND, &req->flags) ||
	    READ_ONCE(glue_sub_of(req)->orphan) || !req->args->user_pages ||
	    !glue_is_killed(find->conn, req))
		return false;
	/* It is in the ring, so it cannot have ended */
	refcount_inc(&req->count);
	find->found = req;
	return true;
}

/**
 * virtiofs_leave_killed() - let callers go that nobody tells of their signals
 * @conn: the connection
 *
 * Direct I/O may be sent in the background, and its caller waits for all of it
 * without an eye on signals.
 *
 * Context: process context, may sleep.
 */
void virtiofs_leave_killed(struct glue_conn *conn)
{
	struct glue_find find = { .conn = conn };
	struct fuse_req *req;
	bool left;

	while (virtiofs_vqs_scan(conn->session->vqs, glue_find_killed, &find)) {
		req = find.found;
		glue_leave(conn, req);
		left = test_bit(FR_FINISHED, &req->flags);
		/* The last reference is one to a request that has ended */
		if (!refcount_dec_not_one(&req->count))
			fuse_request_end(req);
		if (!left)
			return;
	}
}
