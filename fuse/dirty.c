// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that the server can only carry out when it has the data that are dirty in this
 * kernel's cache.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/wait.h>

#include "conn.h"

/*
 * Is every WRITE of the page cache complete?  Not all kernels mark the pages until then.  None
 * is under way either while the FUSE client keeps new ones back.
 */
static bool dirty_is_written(struct fuse_inode *fi)
{
	scoped_guard(spinlock, &fi->lock)
		return (!fi->writectr || fi->writectr == FUSE_NOWRITE) &&
		       list_empty(&fi->queued_writes);
	return false;
}

/* What close() is about to report: it stays for that */
static int dirty_error(struct address_space *mapping)
{
	if (test_bit(AS_ENOSPC, &mapping->flags))
		return -ENOSPC;
	return test_bit(AS_EIO, &mapping->flags) ? -EIO : 0;
}

/*
 * The caller holds the inode's lock, so only stores to a map make more pages dirty, or a task
 * in another mount of the same submount, which has an inode of its own for it.  The
 * VFS waits for pages without an eye on signals.  So wait for what is on its way before
 * it meets that, and for what it has sent.
 */
static int dirty_write_back(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct fuse_inode *fi = get_fuse_inode(inode);
	int err;

	if (wait_event_killable(fi->page_waitq, dirty_is_written(fi)))
		return -EINTR;
	err = filemap_fdatawrite(mapping);
	if (err)
		return err;
	if (wait_event_killable(fi->page_waitq, dirty_is_written(fi)))
		return -EINTR;
	return dirty_error(mapping);
}

/**
 * virtiofs_dirty_flush() - have the server know what it needs for a reply
 * @conn: the connection
 * @req: a LSEEK, which is not sent yet
 *
 * The server finds holes and data in what it has.  The FUSE client does not write
 * back before it asks, as it does for COPY_FILE_RANGE; other questions of that kind it
 * never asks.
 *
 * Context: the caller of @req, with the inode locked; sleeps.  A fatal signal ends the wait.
 * Return: false if @req was completed with an error; it can be sent otherwise.
 */
bool virtiofs_dirty_flush(struct glue_conn *conn, struct fuse_req *req)
{
	unsigned long dev = 0;
	struct inode *inode;
	int err = 0;

	while (!err && (inode = virtiofs_inodes_next(conn, req->in.h.nodeid,
						     &dev))) {
		if (S_ISREG(inode->i_mode))
			err = dirty_write_back(inode);
		iput(inode);
	}
	if (!err)
		return true;
	req->out.h.error = err;
	fuse_request_end(req);
	return false;
}
