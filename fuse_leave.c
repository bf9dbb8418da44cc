// SPDX-License-Identifier: GPL-2.0
/*
 * Killed callers that abandon their requests.  An orphan keeps what the device
 * may still use, and gives back what a late reply brings.
 *
 * The device owns the memory of a request until it returns that.  So a caller
 * may go only if nobody else can see the memory: there is none but our own copy,
 * the FUSE client has allocated it for this request alone, or it is anonymous
 * memory of a process that dies as a whole.  All other callers wait for the
 * device, as they do everywhere else in the kernel.
 *
 * An orphan that modifies an inode is over before the next modification of that
 * inode is sent: until then that one is held.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "fuse_conn.h"
#include "late.h"
#include "virtiofs_trace.h"

/* How long a task that exits waits for a reply: nobody can kill it any more */
#define GLUE_EXIT_PATIENCE	(2 * HZ)

/* How often a killed caller that cannot go yet asks whether it can */
#define GLUE_LEAVE_PERIOD	(HZ / 10)

/* A RENAME modifies two directories, nothing modifies more */
#define GLUE_MODIFIES		2

/**
 * struct glue_loan - a lookup of an inode, taken from the FUSE client
 * @node: on the connection's list
 * @nodeid: the inode
 * @users: number of orphans that are about it
 *
 * Until the last orphan is over, the FUSE client has one lookup less to forget.
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
 * @open: two, as the caller has still to complete the request for itself, and the
 *	device to return it
 * @completion: completes the request, if its caller is not the one who asks
 * @work: does what is left to be done after both
 * @late: what to give back
 * @giveback: arguments of the request that does
 * @node: on the connection's list of orphans that modify something
 * @modifies: the inodes, or 0; the list is under the connection's lock
 * @held: requests that modify one of them as well, under the connection's lock
 * @left: the caller is gone; set once, under the lock of the queue that has @req
 * @copy: memory for @req if it has to wait on the backlog, or NULL
 * @max: room at @folios
 * @nr: number of @folios
 * @folios: memory that the device may still use, referenced
 *
 * Made for a caller that is about to go, freed by @work.
 */
struct glue_orphan {
	struct glue_conn *conn;
	struct fuse_req *req;
	struct fuse_args args;
	struct glue_loan *loan;
	atomic_t open;
	struct work_struct completion;
	struct work_struct work;
	struct virtiofs_late late;
	struct fuse_args giveback;
	struct list_head node;
	u64 modifies[GLUE_MODIFIES];
	struct virtiofs_fifo held;
	bool left;
	void *copy;
	unsigned int max;
	unsigned int nr;
	struct folio *folios[] __counted_by(max);
};

/* Take a lookup of the inode, if there is one */
static bool glue_take_lookup(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	bool taken;

	spin_lock(&fi->lock);
	taken = fi->nlookup;
	if (taken)
		fi->nlookup--;
	spin_unlock(&fi->lock);
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
	struct glue_loan *loan;
	struct inode *inode;

	if (nodeid == FUSE_ROOT_ID)
		return;
	inode = virtiofs_cache_find(conn, nodeid);
	if (!inode)
		return;
	scoped_guard(mutex, &conn->loans_lock) {
		loan = glue_find_loan(conn, nodeid);
		if (!loan && glue_take_lookup(inode)) {
			loan = kzalloc_obj(*loan, GFP_NOFS | __GFP_NOFAIL);
			loan->nodeid = nodeid;
			list_add(&loan->node, &conn->loans);
		}
		if (loan)
			loan->users++;
		orphan->loan = loan;
	}
	/* Its end may wait */
	iput(inode);
}

static void glue_return_lookup(struct glue_orphan *orphan)
{
	struct glue_conn *conn = orphan->conn;
	struct glue_loan *loan = orphan->loan;
	struct inode *inode;

	if (!loan)
		return;
	scoped_guard(mutex, &conn->loans_lock) {
		if (--loan->users)
			return;
		list_del(&loan->node);
		inode = virtiofs_cache_find(conn, loan->nodeid);
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
	struct glue_conn *conn = orphan->conn;
	unsigned int i;

	for (i = 0; i < orphan->nr; i++)
		folio_put(orphan->folios[i]);
	kfree(orphan->copy);
	kvfree(orphan);
	if (atomic_dec_and_test(&conn->nr_orphans))
		wake_up_var(&conn->nr_orphans);
}

/*
 * Drop a reference.  The last one is to a request that is complete.  The connection goes
 * by RCU when nobody has a request, which somebody may wait for.
 */
static void glue_req_put(struct fuse_req *req)
{
	guard(rcu)();
	if (!refcount_dec_not_one(&req->count))
		fuse_request_end(req);
}

static void glue_giveback_end(GLUE_END_ARGS)
{
	struct glue_orphan *orphan = container_of(args, struct glue_orphan,
						  giveback);

	queue_work(virtiofs_end_wq, &orphan->work);
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
	struct fuse_req *req;

	/* The server may want to have its handles back before its inodes */
	if (glue_give_back(orphan))
		return;
	if (orphan->late.entries)
		glue_forget_entries(orphan);
	if (orphan->late.forget)
		virtiofs_conn_forget(orphan->conn, orphan->late.forget, 1);
	glue_return_lookup(orphan);
	req = orphan->req;
	glue_orphan_free(orphan);
	/* The connection stays for the request */
	glue_req_put(req);
}

static void glue_orphan_close(struct glue_orphan *orphan)
{
	if (atomic_dec_and_test(&orphan->open))
		queue_work(virtiofs_end_wq, &orphan->work);
}

/* The inodes that a request modifies, as far as it names them */
static void glue_modified(struct fuse_req *req, u64 inodes[GLUE_MODIFIES])
{
	const void *arg = req->args->in_args[0].value;

	inodes[0] = 0;
	inodes[1] = 0;
	switch (req->in.h.opcode) {
	case FUSE_OPEN:
		if (((const struct fuse_open_in *)arg)->flags & O_TRUNC)
			inodes[0] = req->in.h.nodeid;
		return;
	case FUSE_COPY_FILE_RANGE:
	case 53: /* FUSE_COPY_FILE_RANGE_64 */
		inodes[0] = ((const struct fuse_copy_file_range_in *)arg)->nodeid_out;
		return;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		inodes[1] = ((const struct fuse_rename_in *)arg)->newdir;
		break;
	case FUSE_LINK:
		inodes[1] = ((const struct fuse_link_in *)arg)->oldnodeid;
		break;
	case FUSE_SETATTR:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_CREATE:
	case FUSE_TMPFILE:
	case FUSE_WRITE:
	case FUSE_FALLOCATE:
	case FUSE_IOCTL:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
		break;
	default:
		return;
	}
	inodes[0] = req->in.h.nodeid;
}

static bool glue_modifies_any(const struct glue_orphan *orphan,
			      const u64 inodes[GLUE_MODIFIES])
{
	unsigned int i, j;

	for (i = 0; i < GLUE_MODIFIES; i++) {
		for (j = 0; j < GLUE_MODIFIES; j++) {
			if (inodes[i] && inodes[i] == orphan->modifies[j])
				return true;
		}
	}
	return false;
}

/**
 * virtiofs_leave_hold() - have a request wait if an orphan modifies the same inode
 * @conn: the connection
 * @req: a request that is about to be submitted
 *
 * Else what a killed task has left behind could undo what its successor does.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if the request is submitted when the orphan is over.
 */
bool virtiofs_leave_hold(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_orphan *orphan;
	u64 inodes[GLUE_MODIFIES];

	/* Who knows of the killed task's end sees the list as that has left it */
	if (likely(list_empty(&conn->orphans)))
		return false;
	glue_modified(req, inodes);
	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			if (!glue_modifies_any(orphan, inodes))
				continue;
			fifo_push(&orphan->held, &glue_sub_of(req)->link);
			return true;
		}
	}
	return false;
}

/* Take a request back that is held.  Returns false if it is not. */
static bool glue_cancel_held(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_orphan *orphan;

	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			if (fifo_remove(&orphan->held, &glue_sub_of(req)->link))
				return true;
		}
	}
	return false;
}

/* From here on modifications of the orphan's inodes are held */
static void glue_orphan_hold(struct glue_orphan *orphan)
{
	if (!orphan->modifies[0])
		return;
	scoped_guard(spinlock, &orphan->conn->lock)
		list_add_tail(&orphan->node, &orphan->conn->orphans);
}

/* The orphan is over: what it has held goes to the device */
static void glue_orphan_release(struct glue_orphan *orphan)
{
	struct glue_conn *conn = orphan->conn;
	struct virtiofs_fifo held;
	struct llist_node *link;

	fifo_init(&held);
	scoped_guard(spinlock, &conn->lock) {
		list_del_init(&orphan->node);
		fifo_splice(&held, &orphan->held);
	}
	while ((link = fifo_pop(&held))) {
		if (!virtiofs_leave_hold(conn, glue_req_of(link)))
			virtiofs_vq_submit(virtiofs_vqs_pick(conn->session->vqs),
					   link);
	}
}

/**
 * virtiofs_leave_done() - the device has returned an orphan, or never will
 * @orphan: the orphan; its caller may still be about to complete the request, so
 *	that what completes it is not to be touched, nor what was the caller's
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
	glue_orphan_release(orphan);
	glue_orphan_close(orphan);
}

/*
 * Does another process use the memory of @task, as after vfork()?  Tasks come
 * and go meanwhile.  A task that dies as a whole gets no new ones, and each that has
 * the memory has a reference to it, so this is true rather than false.  Whoever
 * only looks at the memory for a moment makes it true as well, so ask again.
 */
static bool glue_is_memory_shared(struct task_struct *task)
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
 * submitted it: for that nobody here waits.
 */
static struct task_struct *glue_killed_waiter(struct glue_conn *conn,
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
 * one are in the page cache, where they would be unlocked and filled by somebody
 * else.
 */
static bool glue_may_keep_pages(struct fuse_args *args, struct task_struct *task)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	struct folio *folio;
	unsigned int i;

	if (args->user_pages && (!args->is_pinned || glue_is_memory_shared(task)))
		return false;
	for (i = 0; i < glue_nr_pages(ap); i++) {
		folio = page_folio(glue_page(ap, i));
		if (args->user_pages ? !folio_test_anon(folio) :
				       !!READ_ONCE(folio->mapping))
			return false;
	}
	return true;
}

/*
 * May the caller of @req go?  Called by the caller, or, for direct I/O, under the
 * lock of the queue that has @req: then the device has not returned it, and its
 * arguments are there.
 */
static bool glue_may_leave(struct glue_conn *conn, struct fuse_req *req)
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
		task = glue_killed_waiter(conn, req);
	if (!task)
		return false;
	return !(args->in_pages || args->out_pages) ||
	       glue_may_keep_pages(args, task);
}

/**
 * struct glue_leaver - a caller that is about to abandon its request
 * @conn: the connection
 * @req: the request; referenced if it is in the background
 * @background: it is, and so its arguments are there only under a lock
 * @modifies: see struct glue_orphan
 * @nr_pages: number of its pages
 *
 * What an orphan has to be made for, while the arguments of the request are known
 * to be there.
 */
struct glue_leaver {
	struct glue_conn *conn;
	struct fuse_req *req;
	bool background;
	u64 modifies[GLUE_MODIFIES];
	unsigned int nr_pages;
};

static void glue_leaver_init(struct glue_leaver *leaver, struct fuse_req *req)
{
	struct fuse_args *args = req->args;
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);

	leaver->req = req;
	leaver->background = test_bit(FR_BACKGROUND, &req->flags);
	leaver->nr_pages = args->in_pages || args->out_pages ?
			   glue_nr_pages(ap) : 0;
	glue_modified(req, leaver->modifies);
}

/*
 * Complete the request for its caller.  Direct I/O in the background may block then, so
 * it has a work of its own; the list that others would share is the device's part here.
 */
static void glue_orphan_complete(struct work_struct *work)
{
	struct glue_orphan *orphan = container_of(work, struct glue_orphan,
						  completion);
	unsigned int noio = memalloc_noio_save();

	fuse_request_end(orphan->req);
	memalloc_noio_restore(noio);
	glue_orphan_close(orphan);
}

/* A task that is killed must not stay because memory is short */
static struct glue_orphan *glue_orphan_new(struct glue_leaver *leaver)
{
	struct glue_orphan *orphan;

	orphan = kvzalloc(struct_size(orphan, folios, leaver->nr_pages),
			  GFP_NOFS | __GFP_NOFAIL);
	orphan->max = leaver->nr_pages;
	orphan->conn = leaver->conn;
	orphan->req = leaver->req;
	atomic_inc(&orphan->conn->nr_orphans);
	refcount_inc(&orphan->req->count);
	/* The mount of the caller may end before the orphan does */
	if (!leaver->background)
		glue_set_mount(orphan->req, orphan->conn->fm);
	atomic_set(&orphan->open, 2);
	INIT_WORK(&orphan->completion, glue_orphan_complete);
	INIT_WORK(&orphan->work, glue_orphan_work);
	INIT_LIST_HEAD(&orphan->node);
	memcpy(orphan->modifies, leaver->modifies, sizeof(orphan->modifies));
	fifo_init(&orphan->held);
	return orphan;
}

static bool glue_keep_pages(struct glue_orphan *orphan, struct fuse_args *args)
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
static bool glue_leave_locked(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_orphan *orphan = arg;

	if (!glue_may_leave(orphan->conn, req) ||
	    !glue_keep_pages(orphan, req->args))
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
static bool glue_leave_waiting(struct llist_node *link, u64 since, void *arg)
{
	struct glue_orphan *orphan = arg;
	struct fuse_req *req = glue_req_of(link);

	if (req != orphan->req)
		return false;
	orphan->args = *req->args;
	orphan->left = true;
	virtiofs_req_keep(req, &orphan->args, orphan->copy);
	orphan->copy = NULL;
	glue_sub_of(req)->orphan = orphan;
	return true;
}

/* The caller does not wait for the device any more */
static void glue_set_interrupted(struct fuse_req *req)
{
	req->out.h.error = -EINTR;
	clear_bit(FR_SENT, &req->flags);
}

/* The device has never had the request, and never will */
static void glue_cancelled(struct glue_leaver *leaver)
{
	struct fuse_req *req = leaver->req;

	trace_virtiofs_reply(leaver->conn->session->tag, req->in.h.unique,
			     req->in.h.opcode, -EINTR, 0, 0);
	virtiofs_req_free(req);
	glue_set_interrupted(req);
	virtiofs_end(leaver->conn, req);
}

/* Handles and locks are given back even if nobody waits for that */
static bool glue_is_giveback(struct fuse_req *req)
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

static void glue_leave_queue(struct glue_orphan *orphan)
{
	struct virtiofs_vqs *vqs = orphan->conn->session->vqs;
	struct fuse_req *req = orphan->req;

	if (glue_is_giveback(req)) {
		orphan->copy = virtiofs_req_copy(req);
		if (virtiofs_vqs_scan_backlog(vqs, glue_leave_waiting, orphan))
			return;
	}
	virtiofs_vqs_has(vqs, &glue_sub_of(req)->link, glue_leave_locked,
			 orphan);
}

/*
 * The caller has been killed.  Let it go, if that is safe.  Returns true if its
 * request is complete, or about to be.
 */
static bool glue_leave(struct glue_leaver *leaver)
{
	struct glue_conn *conn = leaver->conn;
	struct fuse_req *req = leaver->req;
	struct glue_orphan *orphan;

	if (!glue_is_giveback(req) &&
	    (virtiofs_vqs_cancel(conn->session->vqs, &glue_sub_of(req)->link) ||
	     glue_cancel_held(conn, req))) {
		glue_cancelled(leaver);
		return true;
	}
	if (!leaver->background && !glue_may_leave(conn, req))
		return false;
	orphan = glue_orphan_new(leaver);
	glue_borrow_lookup(orphan, req->in.h.nodeid);
	/* First, as whoever sees that the caller is gone may modify its inode */
	glue_orphan_hold(orphan);
	glue_leave_queue(orphan);
	if (!orphan->left) {
		glue_orphan_release(orphan);
		/* Not here, as the end of an inode may wait for others */
		queue_work(virtiofs_end_wq, &orphan->work);
		return false;
	}
	trace_virtiofs_leave(conn->session->tag, req->in.h.unique,
			     req->in.h.opcode);
	glue_set_interrupted(req);
	if (leaver->background) {
		queue_work(virtiofs_end_wq, &orphan->completion);
		return true;
	}
	fuse_request_end(req);
	glue_orphan_close(orphan);
	return true;
}

/* The same for the caller itself, whose arguments are its own */
static bool glue_leave_own(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_leaver leaver = { .conn = conn };

	glue_leaver_init(&leaver, req);
	return glue_leave(&leaver);
}

static bool glue_is_finished(struct fuse_req *req)
{
	return test_bit(FR_FINISHED, &req->flags);
}

/**
 * virtiofs_leave_signalled() - the caller of a request has got a signal
 * @fiq: of the connection
 * @req: the request, which the caller waits for
 *
 * The server is told of the signal, but may ignore it.  If the signal is fatal
 * the caller need not wait for the server, unless it would leave memory to the
 * device that others use.
 *
 * Context: the caller, for its first signal; sleeps.
 */
void virtiofs_leave_signalled(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;

	if (!virtiofs_interrupt_wait(conn, req))
		return;
	if (req->in.h.opcode == FUSE_DESTROY) {
		virtiofs_vqs_kill_async(conn->session->vqs);
		return;
	}
	while (!glue_is_finished(req) && !glue_leave_own(conn, req))
		wait_event_timeout(req->waitq, glue_is_finished(req),
				   GLUE_LEAVE_PERIOD);
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
	if (wait_event_timeout(req->waitq, glue_is_finished(req),
			       stuck ? 0 : GLUE_EXIT_PATIENCE))
		return;
	/* A task with many open files loses patience once, not for each */
	WRITE_ONCE(conn->stuck, virtiofs_vqs_completed(conn->session->vqs));
	glue_leave_own(conn, req);
}

static bool glue_found(struct glue_leaver *leaver, struct fuse_req *req)
{
	/* The device has it, or nobody yet, so it is not complete */
	refcount_inc(&req->count);
	glue_leaver_init(leaver, req);
	return true;
}

/* See virtiofs_scan_fn.  Takes a reference to the request that was found. */
static bool glue_find_killed(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_leaver *leaver = arg;

	return test_bit(FR_BACKGROUND, &req->flags) &&
	       !glue_sub_of(req)->orphan && glue_may_leave(leaver->conn, req) &&
	       glue_found(leaver, req);
}

/* The same for requests that the device does not have, whatever their memory is */
static bool glue_find_waiting(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_leaver *leaver = arg;

	guard(rcu)();
	return glue_killed_waiter(leaver->conn, req) && glue_found(leaver, req);
}

/* See glue_find_waiting() */
static bool glue_find_held(struct glue_leaver *leaver)
{
	struct glue_conn *conn = leaver->conn;
	struct glue_orphan *orphan;
	struct llist_node *link;

	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			for (link = orphan->held.first; link; link = link->next) {
				if (glue_find_waiting(link, 0, leaver))
					return true;
			}
		}
	}
	return false;
}

/**
 * virtiofs_leave_killed() - let callers go that nobody tells of their signals
 * @work: of the connection; the watch queues it, and must not wait for it
 *
 * Direct I/O may be sent in the background, and its caller waits for all of it
 * without an eye on signals.
 *
 * Context: process context, may sleep.
 */
void virtiofs_leave_killed(struct work_struct *work)
{
	struct glue_conn *conn = container_of(work, struct glue_conn, leave);
	struct virtiofs_vqs *vqs = conn->session->vqs;
	struct glue_leaver leaver = { .conn = conn };
	bool left;

	while (virtiofs_vqs_scan_backlog(vqs, glue_find_waiting, &leaver) ||
	       glue_find_held(&leaver) ||
	       virtiofs_vqs_scan(vqs, glue_find_killed, &leaver)) {
		left = glue_leave(&leaver);
		glue_req_put(leaver.req);
		/* Something has come in between; there is a next time */
		if (!left)
			return;
	}
}

/**
 * virtiofs_leave_wait() - wait until orphans have given back what they have
 * @conn: a connection that nobody uses any more, and whose queues have nothing to do
 *
 * The wait is bounded as that of virtiofs_vqs_drain() is.
 *
 * Context: process context, sleeps.
 */
void virtiofs_leave_wait(struct glue_conn *conn)
{
	wait_var_event(&conn->nr_orphans, !atomic_read(&conn->nr_orphans));
}
