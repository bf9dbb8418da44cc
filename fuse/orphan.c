// SPDX-License-Identifier: GPL-2.0
/*
 * Orphans: requests whose callers are gone.  An orphan keeps what the device may
 * still use, and gives back what a late reply brings.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/iversion.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/wait_bit.h>

#include "orphan.h"

static void orphan_free(struct glue_orphan *orphan)
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

static void orphan_giveback_end(GLUE_END_ARGS)
{
	struct glue_orphan *orphan = container_of(args, struct glue_orphan,
						  giveback);

	queue_work(virtiofs_complete_wq, &orphan->work);
}

/* Release a handle.  Returns true if @work goes on later. */
static bool orphan_give_back(struct glue_orphan *orphan)
{
	struct fuse_args *args = &orphan->giveback;

	args->opcode = orphan->undo.opcode;
	if (!args->opcode)
		return false;
	orphan->undo.opcode = 0;
	args->nodeid = orphan->undo.nodeid;
	args->in_numargs = 1;
	args->in_args[0].size = sizeof(orphan->undo.release);
	args->in_args[0].value = &orphan->undo.release;
	args->force = true;
	args->nocreds = true;
	args->end = orphan_giveback_end;
	return !fuse_simple_background(orphan->conn->fm, args,
				       GFP_NOFS | __GFP_NOFAIL);
}

/* Entries of a directory come with a lookup each, also if they are not read */
static void orphan_forget_entries(struct glue_orphan *orphan)
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
	while ((nodeid = virtiofs_undo_entry(entries, done, &pos)))
		virtiofs_order_forget(orphan->conn, nodeid, 1);
	kvfree(entries);
}

/* What is cached of an inode may be from before an orphan has modified it */
static void orphan_invalidate_inode(struct glue_conn *conn, u64 nodeid, bool data)
{
	struct fuse_inode *fi;
	struct inode *inode;
	unsigned long dev = 0;

	while ((inode = virtiofs_inodes_next(conn, nodeid, &dev))) {
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

static void orphan_invalidate(struct glue_orphan *orphan)
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
		if (orphan->uses.modifies[i])
			orphan_invalidate_inode(orphan->conn, orphan->uses.modifies[i], data);
	}
}

/* Not in a queue's worker, since an inode's end waits for other requests */
static void orphan_work(struct work_struct *work)
{
	struct glue_orphan *orphan = container_of(work, struct glue_orphan,
						  work);
	struct fuse_req *req;

	/* The server may want to have its handles back before its inodes */
	if (orphan_give_back(orphan))
		return;
	if (orphan->undo.entries)
		orphan_forget_entries(orphan);
	if (orphan->undo.forget)
		virtiofs_order_forget(orphan->conn, orphan->undo.forget, 1);
	virtiofs_order_remove(orphan);
	/* May wait for pages, and so for requests */
	if (orphan->left)
		orphan_invalidate(orphan);
	req = orphan->req;
	orphan_free(orphan);
	/* The connection stays for the request */
	virtiofs_req_put(req);
}

/**
 * virtiofs_orphan_close() - the caller, or the device, is through with an orphan
 * @orphan: the orphan, which is gone after the second call
 *
 * Context: any but interrupts.
 */
void virtiofs_orphan_close(struct glue_orphan *orphan)
{
	if (atomic_dec_and_test(&orphan->open))
		queue_work(virtiofs_complete_wq, &orphan->work);
}

/*
 * Complete the request for its caller.  Direct I/O in the background may block then, so
 * it has a work of its own; the list that others would share is the device's part here.
 */
static void orphan_complete(struct work_struct *work)
{
	struct glue_orphan *orphan = container_of(work, struct glue_orphan,
						  completion);
	unsigned int noio = memalloc_noio_save();

	fuse_request_end(orphan->req);
	memalloc_noio_restore(noio);
	virtiofs_orphan_close(orphan);
}

/**
 * virtiofs_orphan_new() - make an orphan of a request, whose caller is about to go
 * @conn: the connection
 * @req: the request; it gets a reference
 * @uses: what the request has to do with
 * @nr_pages: number of its pages
 *
 * A task that is killed must not stay because memory is short, so this cannot fail.
 *
 * Context: process context, may sleep.
 * Return: the orphan.
 */
struct glue_orphan *virtiofs_orphan_new(struct glue_conn *conn,
					struct fuse_req *req,
					const struct glue_uses *uses,
					unsigned int nr_pages)
{
	struct glue_orphan *orphan;

	orphan = kvzalloc(struct_size(orphan, folios, nr_pages),
			  GFP_NOFS | __GFP_NOFAIL);
	orphan->max = nr_pages;
	orphan->conn = conn;
	orphan->req = req;
	atomic_inc(&conn->nr_orphans);
	refcount_inc(&req->count);
	/* The mount of the caller may end before the orphan does */
	if (!test_bit(FR_BACKGROUND, &req->flags))
		glue_set_mount(req, conn->fm);
	atomic_set(&orphan->open, 2);
	INIT_WORK(&orphan->completion, orphan_complete);
	INIT_WORK(&orphan->work, orphan_work);
	INIT_LIST_HEAD(&orphan->node);
	orphan->uses = *uses;
	fifo_init(&orphan->held);
	return orphan;
}

/**
 * virtiofs_orphan_done() - the device has returned an orphan, or never will
 * @orphan: the orphan; its caller may still be about to complete the request, so
 *	that what completes it is not to be touched, nor what was the caller's
 * @buf: as for done()
 * @error: as for done()
 *
 * Context: done().
 */
void virtiofs_orphan_done(struct glue_orphan *orphan, struct virtiofs_buf *buf,
			  int error)
{
	struct fuse_args *args = &orphan->args;
	struct fuse_req *req = orphan->req;
	void *first;

	if (!error && !virtiofs_req_check(req, args, orphan->conn, buf)) {
		first = virtiofs_req_reply(req, args, buf);
		virtiofs_undo_reply(&orphan->undo, &req->in.h,
				    virtiofs_req_memory(req, buf) + sizeof(req->in.h),
				    first,
				    first + args->out_args[0].size);
	}
	virtiofs_req_free(req);
	virtiofs_order_release(orphan);
	virtiofs_orphan_close(orphan);
}

/**
 * virtiofs_orphan_wait() - wait until orphans have given back what they have
 * @conn: a connection without users, whose queues have nothing to do
 *
 * The wait is bounded as that of virtiofs_vqs_drain() is.
 *
 * Context: process context, sleeps.
 */
void virtiofs_orphan_wait(struct glue_conn *conn)
{
	wait_var_event(&conn->nr_orphans, !atomic_read(&conn->nr_orphans));
}
