// SPDX-License-Identifier: GPL-2.0
/*
 * What must not overtake an orphan: the next modification of an inode that it modifies,
 * locks of its owner, the RELEASE of its handle, FORGETs of its inodes.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fcntl.h>
#include <linux/slab.h>

#include "hiprio.h"
#include "orphan.h"

/* The first argument of a request that is about to be submitted */
static const void *order_first_arg(struct fuse_req *req)
{
	return virtiofs_req_kept(req) ?: req->args->in_args[0].value;
}

/* The inodes that a request with the first argument @arg modifies, as far as it names them */
static void order_find_inodes(struct fuse_req *req, const void *arg,
			      u64 inodes[GLUE_MODIFIES])
{
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
static void order_find_handles(struct fuse_req *req, const void *arg,
			       struct glue_handle handles[GLUE_HANDLES])
{
	const struct fuse_copy_file_range_in *copy = arg;
	const struct fuse_getattr_in *getattr = arg;
	const struct fuse_setattr_in *setattr = arg;

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

static void order_find_owner(struct fuse_req *req, const void *arg,
			     struct glue_uses *uses)
{
	const struct fuse_release_in *release = arg;
	const struct fuse_flush_in *flush = arg;
	const struct fuse_lk_in *lock = arg;

	switch (req->in.h.opcode) {
	case FUSE_SETLK:
	case FUSE_SETLKW:
		uses->owner = lock->owner;
		uses->locks = lock->lk.type != F_UNLCK;
		uses->blocks = uses->locks && req->in.h.opcode == FUSE_SETLKW;
		break;
	case FUSE_FLUSH:
		uses->owner = flush->lock_owner;
		uses->closes = true;
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		if (release->release_flags & FUSE_RELEASE_FLOCK_UNLOCK)
			uses->owner = release->lock_owner;
		uses->closes = true;
	}
}

static void order_find_uses(struct fuse_req *req, const void *arg,
			    struct glue_uses *uses)
{
	memset(uses, 0, sizeof(*uses));
	uses->nodeid = req->in.h.nodeid;
	uses->releases = glue_is_release(req);
	order_find_inodes(req, arg, uses->modifies);
	order_find_handles(req, arg, uses->handles);
	order_find_owner(req, arg, uses);
}

/**
 * virtiofs_order_uses() - find out what a request has to do with
 * @req: a request, whose caller's arguments are there
 * @uses: gets the result
 *
 * Context: any.
 */
void virtiofs_order_uses(struct fuse_req *req, struct glue_uses *uses)
{
	order_find_uses(req, req->args->in_args[0].value, uses);
}

static bool order_modifies_any(const struct glue_orphan *orphan,
			       const u64 inodes[GLUE_MODIFIES])
{
	unsigned int i, j;

	for (i = 0; i < GLUE_MODIFIES; i++) {
		for (j = 0; j < GLUE_MODIFIES; j++) {
			if (inodes[i] && inodes[i] == orphan->uses.modifies[j])
				return true;
		}
	}
	return false;
}

/* Does an orphan use the handle that a FLUSH or RELEASE closes? */
static bool order_closes(const struct glue_uses *uses,
			 const struct glue_orphan *orphan)
{
	const struct glue_handle *handle;
	unsigned int i;

	for (i = 0; i < GLUE_HANDLES; i++) {
		handle = &orphan->uses.handles[i];
		if (handle->nodeid == uses->nodeid &&
		    handle->fh == uses->handles[0].fh)
			return true;
	}
	return false;
}

/*
 * Do both change the locks of one owner?  A FLUSH goes behind a lock, so that a late one ends with
 * its file.  A lock goes behind all else, as an owner that lives would lose it again.  An unlock
 * does not go behind what waits for others, who may wait for that.
 */
static bool order_locks(const struct glue_uses *uses,
			const struct glue_orphan *orphan)
{
	if (!uses->owner || uses->owner != orphan->uses.owner ||
	    uses->nodeid != orphan->uses.nodeid)
		return false;
	if (uses->closes)
		return !orphan->uses.closes && order_closes(uses, orphan);
	return uses->locks || !orphan->uses.blocks;
}

/* Must @req wait for @orphan?  Under the connection's lock. */
static bool order_holds(const struct glue_orphan *orphan, struct fuse_req *req,
			const struct glue_uses *uses)
{
	lockdep_assert_held(&orphan->conn->lock);

	if (orphan->returned || orphan == glue_sub_of(req)->orphan)
		return false;
	if (uses->releases && !orphan->uses.releases && order_closes(uses, orphan))
		return true;
	return order_locks(uses, orphan) ||
	       order_modifies_any(orphan, uses->modifies);
}

static bool order_hold(struct glue_conn *conn, struct fuse_req *req,
		       const struct glue_orphan *but)
{
	struct glue_orphan *orphan;
	struct glue_uses uses;

	lockdep_assert_held(&conn->lock);

	order_find_uses(req, order_first_arg(req), &uses);
	list_for_each_entry(orphan, &conn->orphans, node) {
		if (orphan == but || !order_holds(orphan, req, &uses))
			continue;
		fifo_push(&orphan->held, &glue_sub_of(req)->link);
		return true;
	}
	return false;
}

/**
 * virtiofs_order_hold() - have a request wait if it must not overtake an orphan
 * @conn: the connection
 * @req: a request that is about to be submitted
 *
 * Else what a killed task has left behind could undo what its successor does, or meet
 * another file behind its handle.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if the request is submitted when the orphan is gone.
 */
bool virtiofs_order_hold(struct glue_conn *conn, struct fuse_req *req)
{
	bool held = false;

	/* A task that knows of the killed one's end sees the list as that has left it */
	if (unlikely(!list_empty(&conn->orphans))) {
		scoped_guard(spinlock, &conn->lock)
			held = order_hold(conn, req, NULL);
	}
	return held;
}

/* hiprio.c takes the FUSE client's links as they are */
static_assert(offsetof(struct virtiofs_forget, nodeid) ==
	      offsetof(struct fuse_forget_link, forget_one.nodeid));
static_assert(offsetof(struct virtiofs_forget, nlookup) ==
	      offsetof(struct fuse_forget_link, forget_one.nlookup));
static_assert(offsetof(struct virtiofs_forget, next) ==
	      offsetof(struct fuse_forget_link, next));

/*
 * The same for a FORGET.  The FUSE client may forget an inode when no caller waits for a request
 * for it any more, but the server must not before it has replied to that.
 */
static bool order_hold_forget(struct glue_conn *conn,
			      struct fuse_forget_link *forget)
{
	u64 nodeid = forget->forget_one.nodeid;
	const u64 inodes[GLUE_MODIFIES] = { nodeid };
	struct glue_orphan *orphan;

	if (likely(list_empty(&conn->orphans)))
		return false;
	scoped_guard(spinlock, &conn->lock) {
		list_for_each_entry(orphan, &conn->orphans, node) {
			if (orphan->uses.nodeid != nodeid &&
			    !order_modifies_any(orphan, inodes))
				continue;
			forget->next = orphan->forgets;
			orphan->forgets = forget;
			return true;
		}
	}
	return false;
}

/**
 * virtiofs_order_send_forget() - send a FORGET, unless the session ends
 * @conn: the connection
 * @link: the FORGET, which it gives up
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_order_send_forget(struct glue_conn *conn,
				struct fuse_forget_link *link)
{
	/* The end of the session waits for this */
	guard(rcu)();
	if (READ_ONCE(conn->closed))
		kfree(link);
	else if (!order_hold_forget(conn, link))
		virtiofs_hiprio_forget(glue_hiprio(conn),
				       (struct virtiofs_forget *)link);
	/* A session that ends has nothing watched any more */
	if (!READ_ONCE(conn->closed))
		virtiofs_watchdog_start(conn);
}

/**
 * virtiofs_order_forget() - give lookups back that the FUSE client knows nothing of
 * @conn: the connection
 * @nodeid: the inode
 * @nlookup: how many lookups
 *
 * Context: process context, may sleep.
 */
void virtiofs_order_forget(struct glue_conn *conn, u64 nodeid, u64 nlookup)
{
	struct fuse_forget_link *link;

	link = kzalloc_obj(*link, GFP_NOFS | __GFP_NOFAIL);
	link->forget_one.nodeid = nodeid;
	link->forget_one.nlookup = nlookup;
	virtiofs_order_send_forget(conn, link);
}

/**
 * virtiofs_order_cancel() - take a request back that is held
 * @conn: the connection
 * @req: the request
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: false if it is not held.
 */
bool virtiofs_order_cancel(struct glue_conn *conn, struct fuse_req *req)
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

/**
 * virtiofs_order_scan() - walk over all requests that are held
 * @conn: the connection
 * @fn: called for each with a @since of 0, under the connection's lock
 * @arg: for @fn
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if @fn has returned true.
 */
bool virtiofs_order_scan(struct glue_conn *conn, virtiofs_scan_fn fn, void *arg)
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

/**
 * virtiofs_order_add() - from here on nothing overtakes an orphan
 * @orphan: the orphan
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_order_add(struct glue_orphan *orphan)
{
	scoped_guard(spinlock, &orphan->conn->lock)
		list_add_tail(&orphan->node, &orphan->conn->orphans);
}

/**
 * virtiofs_order_release() - submit what an orphan has held
 * @orphan: the orphan
 *
 * In the order in which that came.  More is held until the last of it is with the device.
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_order_release(struct glue_orphan *orphan)
{
	struct glue_conn *conn = orphan->conn;
	struct llist_node *link;
	bool held;

	for (;;) {
		/* In one go, as a caller with a signal takes back what is held */
		scoped_guard(spinlock, &conn->lock) {
			link = fifo_pop(&orphan->held);
			if (!link) {
				orphan->returned = true;
				return;
			}
			held = order_hold(conn, glue_req_of(link), orphan);
		}
		if (!held)
			virtiofs_vq_submit(virtiofs_vqs_pick(conn->session->vqs),
					   link);
	}
}

/**
 * virtiofs_order_remove() - an orphan has given back all that it had
 * @orphan: the orphan
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_order_remove(struct glue_orphan *orphan)
{
	struct fuse_forget_link *forget, *next;

	virtiofs_order_release(orphan);
	scoped_guard(spinlock, &orphan->conn->lock)
		list_del_init(&orphan->node);
	for (forget = orphan->forgets; forget; forget = next) {
		next = forget->next;
		virtiofs_order_send_forget(orphan->conn, forget);
	}
}
