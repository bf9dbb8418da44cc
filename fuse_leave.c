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
 * While there is an orphan, what must not overtake it is held: the next modification
 * of an inode that it modifies, the RELEASE of its handle, FORGETs of its inodes.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iversion.h>
#include <linux/pagemap.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stat.h>
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

/* COPY_FILE_RANGE uses two handles, nothing uses more */
#define GLUE_HANDLES		2

/**
 * struct glue_handle - a handle of the server
 * @nodeid: the inode that it is of, or 0 if there is none
 * @fh: what the server calls it
 */
struct glue_handle {
	u64 nodeid;
	u64 fh;
};

/**
 * struct glue_orphan - a request whose caller does not wait for the reply
 * @conn: the connection
 * @req: the request, with a reference
 * @args: the caller's arguments, of which only the sizes are left
 * @open: two, as the caller has still to complete the request for itself, and the
 *	device to return it
 * @completion: completes the request, if its caller is not the one who asks
 * @work: does what is left to be done after both
 * @late: what to give back
 * @giveback: arguments of the request that does
 * @node: on the connection's list
 * @nodeid: the inode that the request is for
 * @modifies: the inodes that it modifies, or 0
 * @handles: the handles that it uses or gives back
 * @releases: it gives them back
 * @owner: whose lock it asks for, or 0; the server's name for that
 * @flock: that is one of flock(2)
 * @locks: the device has not said yet whether there is that lock
 * @returned: modifications are not held any more
 * @closed: its owner has closed the file meanwhile
 * @dropped: the server drops the lock, so it is not given back
 * @parked: @work waits for either
 * @held: requests that must not overtake it
 * @forgets: the same for FORGETs
 * @left: the caller is gone; set once, under the lock of the queue that has @req
 * @copy: memory for @req if it has to wait on the backlog, or NULL
 * @max: room at @folios
 * @nr: number of @folios
 * @folios: memory that the device may still use, referenced
 *
 * Made for a caller that is about to go, freed by @work.  @node, and from @locks to
 * @forgets, are under the connection's lock.
 */
struct glue_orphan {
	struct glue_conn *conn;
	struct fuse_req *req;
	struct fuse_args args;
	atomic_t open;
	struct work_struct completion;
	struct work_struct work;
	struct virtiofs_late late;
	struct fuse_args giveback;
	struct list_head node;
	u64 nodeid;
	u64 modifies[GLUE_MODIFIES];
	struct glue_handle handles[GLUE_HANDLES];
	bool releases;
	u64 owner;
	bool flock;
	bool locks;
	bool returned;
	bool closed;
	bool dropped;
	bool parked;
	struct virtiofs_fifo held;
	struct fuse_forget_link *forgets;
	bool left;
	void *copy;
	unsigned int max;
	unsigned int nr;
	struct folio *folios[] __counted_by(max);
};

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

/* The first argument of a request that is about to be submitted */
static const void *glue_first_arg(struct fuse_req *req)
{
	return virtiofs_req_kept(req) ?: req->args->in_args[0].value;
}

/* The inodes that a request with the first argument @arg modifies, as far as it names them */
static void glue_modified(struct fuse_req *req, const void *arg,
			  u64 inodes[GLUE_MODIFIES])
{

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

/* The handles that it uses or gives back */
static void glue_find_handles(struct fuse_req *req, const void *arg,
			      struct glue_handle handles[GLUE_HANDLES])
{
	const struct fuse_copy_file_range_in *copy = arg;
	const struct fuse_getattr_in *getattr = arg;
	const struct fuse_setattr_in *setattr = arg;

	memset(handles, 0, GLUE_HANDLES * sizeof(*handles));
	switch (req->in.h.opcode) {
	case FUSE_GETATTR:
	case FUSE_STATX: /* Begins as it does */
		if (!(getattr->getattr_flags & FUSE_GETATTR_FH))
			return;
		handles[0].fh = getattr->fh;
		break;
	case FUSE_SETATTR:
		if (!(setattr->valid & FATTR_FH))
			return;
		handles[0].fh = setattr->fh;
		break;
	case FUSE_COPY_FILE_RANGE:
	case 53: /* FUSE_COPY_FILE_RANGE_64 */
		handles[0].fh = copy->fh_in;
		handles[1].fh = copy->fh_out;
		handles[1].nodeid = copy->nodeid_out;
		break;
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_GETLK:
	case FUSE_SETLK:
	case FUSE_SETLKW:
	case FUSE_FALLOCATE:
	case FUSE_LSEEK:
	case FUSE_IOCTL:
	case FUSE_POLL:
		/* All of their arguments begin with it */
		handles[0].fh = *(const u64 *)arg;
		break;
	default:
		return;
	}
	handles[0].nodeid = req->in.h.nodeid;
}

/* Whose lock a request asks for, or 0; and whether that is one of flock(2) */
static u64 glue_lock_owner(struct fuse_req *req, bool *flock)
{
	const struct fuse_lk_in *in = req->args->in_args[0].value;

	if (req->in.h.opcode != FUSE_SETLK && req->in.h.opcode != FUSE_SETLKW)
		return 0;
	*flock = in->lk_flags & FUSE_LK_FLOCK;
	return in->owner;
}

static bool glue_is_release(struct fuse_req *req)
{
	return req->in.h.opcode == FUSE_RELEASE ||
	       req->in.h.opcode == FUSE_RELEASEDIR;
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

/*
 * The file of a lock is closed by its owner.  @dropped: the server drops the lock with that.
 * Under the connection's lock.
 */
static void glue_orphan_closed(struct glue_orphan *orphan, bool dropped)
{
	orphan->closed = true;
	orphan->dropped |= dropped;
	if (!orphan->parked)
		return;
	orphan->parked = false;
	queue_work(virtiofs_end_wq, &orphan->work);
}

/* Is a FLUSH the end of all locks that the owner of an orphan's has of the inode? */
static bool glue_flushes(struct fuse_req *req, const struct glue_orphan *orphan)
{
	const struct fuse_flush_in *in = glue_first_arg(req);

	return orphan->owner && orphan->nodeid == req->in.h.nodeid &&
	       orphan->owner == in->lock_owner;
}

/* Does a RELEASE give back what an orphan uses? */
static bool glue_gives_back(struct fuse_req *req,
			    const struct glue_orphan *orphan)
{
	struct glue_handle handles[GLUE_HANDLES];
	unsigned int i;

	glue_find_handles(req, glue_first_arg(req), handles);
	for (i = 0; i < GLUE_HANDLES; i++) {
		if (orphan->handles[i].nodeid == handles[0].nodeid &&
		    orphan->handles[i].fh == handles[0].fh)
			return true;
	}
	return false;
}

/* Does a RELEASE give back a lock of flock(2)? */
static bool glue_unlocks(struct fuse_req *req)
{
	const struct fuse_release_in *in = glue_first_arg(req);

	return in->release_flags & FUSE_RELEASE_FLOCK_UNLOCK;
}

/*
 * May a RELEASE overtake @orphan, which uses its handle?  It may if it has a place that the unlock
 * needs, or gives back a lock of flock(2) that the orphan may wait for.  Then the lock, if
 * it comes at all, goes with the handle.
 */
static bool glue_passes(struct fuse_req *req, const struct glue_orphan *orphan)
{
	return test_bit(FR_BACKGROUND, &req->flags) ||
	       (orphan->locks && orphan->flock && glue_unlocks(req));
}

/* Is the file of an orphan's lock closed with @req?  Under the connection's lock. */
static void glue_see_close(struct glue_orphan *orphan, struct fuse_req *req)
{
	switch (req->in.h.opcode) {
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		if (glue_gives_back(req, orphan))
			glue_orphan_closed(orphan, orphan->flock &&
					   glue_unlocks(req));
		break;
	case FUSE_FLUSH:
		if (glue_flushes(req, orphan))
			glue_orphan_closed(orphan, !orphan->locks);
	}
}

/* Must @req wait for @orphan?  Under the connection's lock. */
static bool glue_holds(const struct glue_orphan *orphan, struct fuse_req *req,
		       const u64 modifies[GLUE_MODIFIES])
{
	if (!glue_is_release(req))
		return !orphan->returned && glue_modifies_any(orphan, modifies);
	return !orphan->releases && glue_gives_back(req, orphan) &&
	       !glue_passes(req, orphan);
}

static bool glue_hold(struct glue_conn *conn, struct fuse_req *req,
		      const struct glue_orphan *but)
{
	struct glue_orphan *orphan;
	u64 modifies[GLUE_MODIFIES];

	glue_modified(req, glue_first_arg(req), modifies);
	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node)
			glue_see_close(orphan, req);
		list_for_each_entry(orphan, &conn->orphans, node) {
			if (orphan == but || !glue_holds(orphan, req, modifies))
				continue;
			fifo_push(&orphan->held, &glue_sub_of(req)->link);
			return true;
		}
	}
	return false;
}

/**
 * virtiofs_leave_hold() - have a request wait if it must not overtake an orphan
 * @conn: the connection
 * @req: a request that is about to be submitted
 *
 * Else what a killed task has left behind could undo what its successor does, or meet
 * another file behind its handle.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if the request is submitted when the orphan is over.
 */
bool virtiofs_leave_hold(struct glue_conn *conn, struct fuse_req *req)
{
	/* Who knows of the killed task's end sees the list as that has left it */
	return !list_empty(&conn->orphans) && glue_hold(conn, req, NULL);
}

/**
 * virtiofs_leave_hold_forget() - the same for a FORGET
 * @conn: the connection
 * @forget: the FORGET
 *
 * The FUSE client may forget an inode when nobody waits for a request any more that is
 * about it, but the server shall not before it has answered that.
 *
 * Context: process context.  Does not sleep.
 * Return: true if the FORGET is sent when the orphan is over.
 */
bool virtiofs_leave_hold_forget(struct glue_conn *conn,
				struct fuse_forget_link *forget)
{
	u64 nodeid = forget->forget_one.nodeid;
	const u64 inodes[GLUE_MODIFIES] = { nodeid };
	struct glue_orphan *orphan;

	if (likely(list_empty(&conn->orphans)))
		return false;
	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			if (orphan->nodeid != nodeid &&
			    !glue_modifies_any(orphan, inodes))
				continue;
			forget->next = orphan->forgets;
			orphan->forgets = forget;
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

/* As virtiofs_vqs_scan_backlog(), for requests that are held; under the connection's lock */
static bool glue_scan_held(struct glue_conn *conn, virtiofs_scan_fn fn,
			   void *arg)
{
	struct glue_orphan *orphan;
	struct llist_node *link;

	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			for (link = orphan->held.first; link; link = link->next) {
				if (fn(link, 0, arg))
					return true;
			}
		}
	}
	return false;
}

static void glue_orphan_list(struct glue_orphan *orphan)
{
	scoped_guard(spinlock, &orphan->conn->lock)
		list_add_tail(&orphan->node, &orphan->conn->orphans);
}

/*
 * What the orphan has held goes to the device, in its order.  More of it is held until
 * the last one is there.  With @unlist the orphan leaves the list then.
 */
static void glue_orphan_release(struct glue_orphan *orphan, bool unlist)
{
	struct glue_conn *conn = orphan->conn;
	struct llist_node *link;

	for (;;) {
		scoped_guard(spinlock, &conn->lock) {
			link = fifo_pop(&orphan->held);
			if (!link) {
				orphan->returned = true;
				if (unlist)
					list_del_init(&orphan->node);
				return;
			}
		}
		if (!glue_hold(conn, glue_req_of(link), orphan))
			virtiofs_vq_submit(virtiofs_vqs_pick(conn->session->vqs),
					   link);
	}
}

/* The orphan is over */
static void glue_orphan_unlist(struct glue_orphan *orphan)
{
	struct fuse_forget_link *forget, *next;

	glue_orphan_release(orphan, true);
	for (forget = orphan->forgets; forget; forget = next) {
		next = forget->next;
		virtiofs_conn_send_forget(orphan->conn, forget);
	}
}

/*
 * A lock belongs to an open file or to a process, which may be more than the task that
 * was killed.  So one that comes late stays, as it does when a caller gets it and dies, until
 * its owner closes the file.  It is given back by us if the server does not drop it then.
 */
static bool glue_orphan_park(struct glue_orphan *orphan)
{
	if (orphan->late.opcode != FUSE_SETLK)
		return false;
	/* As soon as it is parked, somebody else may have its work go on */
	scoped_guard(spinlock, &orphan->conn->lock) {
		if (orphan->dropped)
			orphan->late.opcode = 0;
		orphan->parked = !orphan->closed;
		return orphan->parked;
	}
	return false;
}

/* What is cached of an inode may be from before an orphan has modified it */
static void glue_invalidate(struct glue_conn *conn, u64 nodeid, bool data)
{
	struct fuse_inode *fi;
	struct inode *inode;
	unsigned long dev = 0;

	while ((inode = virtiofs_cache_next(conn, nodeid, &dev))) {
		fi = get_fuse_inode(inode);
		spin_lock(&fi->lock);
		fi->attr_version = atomic64_inc_return(&conn->fc->attr_version);
		spin_unlock(&fi->lock);
		set_mask_bits(&fi->inval_mask, 0, STATX_BASIC_STATS);
		if (S_ISDIR(inode->i_mode))
			inode_maybe_inc_iversion(inode, false);
		else if (data)
			invalidate_inode_pages2(inode->i_mapping);
		iput(inode);
	}
}

static void glue_orphan_invalidate(struct glue_orphan *orphan)
{
	unsigned int i;
	bool data = false;

	switch (orphan->args.opcode) {
	case FUSE_WRITE:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case 53: /* FUSE_COPY_FILE_RANGE_64 */
		data = true;
	}
	for (i = 0; i < GLUE_MODIFIES; i++) {
		if (orphan->modifies[i])
			glue_invalidate(orphan->conn, orphan->modifies[i], data);
	}
}

/* Not in a queue's worker, since an inode's end waits for other requests */
static void glue_orphan_work(struct work_struct *work)
{
	struct glue_orphan *orphan = container_of(work, struct glue_orphan,
						  work);
	struct fuse_req *req;

	if (glue_orphan_park(orphan))
		return;
	/* The server may want to have its handles back before its inodes */
	if (glue_give_back(orphan))
		return;
	if (orphan->late.entries)
		glue_forget_entries(orphan);
	if (orphan->late.forget)
		virtiofs_conn_forget(orphan->conn, orphan->late.forget, 1);
	glue_orphan_unlist(orphan);
	/* May wait for pages, and so for requests */
	if (orphan->left)
		glue_orphan_invalidate(orphan);
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
	/* From here on it has the lock, or will not get it */
	scoped_guard(spinlock, &orphan->conn->lock)
		orphan->locks = false;
	/* An unlock goes before the RELEASE of the handle */
	if (orphan->late.opcode != FUSE_SETLK)
		glue_orphan_release(orphan, false);
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
 * With writeback caching the FUSE client knows sizes better than the server.  It would
 * not notice what comes of a request that it takes for interrupted.
 */
static bool glue_must_know_size(struct glue_conn *conn, struct fuse_req *req)
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
	if (!task || glue_must_know_size(conn, req))
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
 * @handles: the same
 * @owner: the same
 * @flock: the same
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
	struct glue_handle handles[GLUE_HANDLES];
	u64 owner;
	bool flock;
	unsigned int nr_pages;
};

static void glue_leaver_init(struct glue_leaver *leaver, struct fuse_req *req)
{
	struct fuse_args *args = req->args;
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	const void *arg = args->in_args[0].value;

	leaver->req = req;
	leaver->background = test_bit(FR_BACKGROUND, &req->flags);
	leaver->nr_pages = args->in_pages || args->out_pages ?
			   glue_nr_pages(ap) : 0;
	glue_modified(req, arg, leaver->modifies);
	glue_find_handles(req, arg, leaver->handles);
	leaver->owner = glue_lock_owner(req, &leaver->flock);
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
	orphan->nodeid = leaver->req->in.h.nodeid;
	memcpy(orphan->modifies, leaver->modifies, sizeof(orphan->modifies));
	memcpy(orphan->handles, leaver->handles, sizeof(orphan->handles));
	orphan->releases = glue_is_release(leaver->req);
	orphan->owner = leaver->owner;
	orphan->flock = leaver->flock;
	orphan->locks = leaver->owner;
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
		orphan->copy = kzalloc(VIRTIOFS_REQ_KEPT,
				       GFP_NOFS | __GFP_NOFAIL);
		if (virtiofs_vqs_scan_backlog(vqs, glue_leave_waiting, orphan) ||
		    glue_scan_held(orphan->conn, glue_leave_waiting, orphan))
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
	/* First, as whoever sees that the caller is gone may modify its inode */
	glue_orphan_list(orphan);
	glue_leave_queue(orphan);
	if (!orphan->left) {
		/* There is nothing that its work would have to wait for */
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
	/* The request may be on its way to a queue */
	while (!glue_is_finished(req) && !glue_leave_own(conn, req) &&
	       glue_may_leave(conn, req))
		wait_event_timeout(req->waitq, glue_is_finished(req),
				   GLUE_LEAVE_PERIOD);
}

/**
 * virtiofs_leave_is_exiting() - is virtiofs_leave_exiting() for the caller of a request?
 * @req: a request that its caller will wait for
 *
 * No signal ends the wait of a task that exits, nor that of the kernel's worker which closes
 * files for all file systems.
 *
 * Context: the caller.
 * Return: true if it is.
 */
bool virtiofs_leave_is_exiting(struct fuse_req *req)
{
	return current->flags & PF_EXITING ||
	       (current->flags & PF_KTHREAD && glue_is_release(req));
}

/**
 * virtiofs_leave_held() - a request is held that was about to be submitted
 * @conn: the connection
 * @req: the request, with a reference of the caller if that waits for it
 *
 * Nobody has to wait for a RELEASE.  So it is complete for the FUSE client, and sent from a
 * copy.
 *
 * Context: that of the submission.  Sleeps only if the caller waits for the request.
 */
void virtiofs_leave_held(struct glue_conn *conn, struct fuse_req *req)
{
	if (test_bit(FR_BACKGROUND, &req->flags))
		return;
	if (glue_is_release(req)) {
		while (!glue_is_finished(req) && !glue_leave_own(conn, req))
			wait_event_timeout(req->waitq, glue_is_finished(req),
					   GLUE_LEAVE_PERIOD);
	} else if (virtiofs_leave_is_exiting(req)) {
		virtiofs_leave_exiting(conn, req);
	}
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
	       glue_scan_held(conn, glue_find_waiting, &leaver) ||
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
	struct glue_orphan *orphan;

	/* No RELEASE will come, with which locks would be given back */
	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node)
			glue_orphan_closed(orphan, false);
	}
	wait_var_event(&conn->nr_orphans, !atomic_read(&conn->nr_orphans));
}
