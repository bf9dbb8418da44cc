/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What abandon.c, order.c and orphan.c know of each other.
 */
#ifndef _VIRTIOFS_ORPHAN_H
#define _VIRTIOFS_ORPHAN_H

#include "conn.h"
#include "undo.h"

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
 * struct glue_uses - what a request has to do with
 * @nodeid: the inode that it is for
 * @modifies: the inodes that it modifies, or 0
 * @handles: the handles that it uses or gives back
 * @releases: it gives them back
 * @owner: whose locks of the inode it changes, or 0; the server's name for that
 * @locks: it asks for one
 * @blocks: ... and waits until others unlock
 * @closes: it gives back all of them
 */
struct glue_uses {
	u64 nodeid;
	u64 modifies[GLUE_MODIFIES];
	struct glue_handle handles[GLUE_HANDLES];
	bool releases;
	u64 owner;
	bool locks;
	bool blocks;
	bool closes;
};

/**
 * struct glue_orphan - a request whose caller does not wait for the reply
 * @conn: the connection
 * @req: the request, with a reference
 * @args: the caller's arguments, of which only the sizes are left
 * @open: two, as the caller has still to complete the request for itself, and the
 *	device to return it
 * @completion: completes the request, if the caller does not do so itself
 * @work: does what is left to be done after both
 * @undo: what to give back
 * @giveback: arguments of the request that does
 * @node: on the connection's list
 * @uses: what the request has to do with
 * @returned: requests are not held any more
 * @held: requests that must not overtake it
 * @forgets: the same for FORGETs
 * @left: the caller is gone; set once, under the lock of the queue that has @req
 * @copy: memory for @req if it has to wait on the backlog, or NULL
 * @max: room at @folios
 * @nr: number of @folios
 * @folios: memory that the device may still use, referenced
 *
 * Made for a caller that is about to go, freed by @work.  @node, and from @returned to
 * @forgets, are under the connection's lock.
 */
struct glue_orphan {
	struct glue_conn *conn;
	struct fuse_req *req;
	struct fuse_args args;
	atomic_t open;
	struct work_struct completion;
	struct work_struct work;
	struct virtiofs_undo undo;
	struct fuse_args giveback;
	struct list_head node;
	struct glue_uses uses;
	bool returned;
	struct virtiofs_fifo held;
	struct fuse_forget_link *forgets;
	bool left;
	void *copy;
	unsigned int max;
	unsigned int nr;
	struct folio *folios[] __counted_by(max);
};

/* order.c: what must not overtake an orphan */
void virtiofs_order_uses(struct fuse_req *req, struct glue_uses *uses);
void virtiofs_order_add(struct glue_orphan *orphan);
void virtiofs_order_release(struct glue_orphan *orphan);
void virtiofs_order_remove(struct glue_orphan *orphan);
bool virtiofs_order_cancel(struct glue_conn *conn, struct fuse_req *req);
bool virtiofs_order_scan(struct glue_conn *conn, virtiofs_scan_fn fn, void *arg);

/* orphan.c: what it keeps, and gives back */
struct glue_orphan *virtiofs_orphan_new(struct glue_conn *conn,
					struct fuse_req *req,
					const struct glue_uses *uses,
					unsigned int nr_pages);
void virtiofs_orphan_close(struct glue_orphan *orphan);

static inline bool glue_is_release(struct fuse_req *req)
{
	return req->in.h.opcode == FUSE_RELEASE ||
	       req->in.h.opcode == FUSE_RELEASEDIR;
}

#endif
