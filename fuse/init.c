// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE_INIT: what a session offers, what the server makes of it, and mounts that
 * wait for the reply.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs_context.h>
#include <linux/sched/signal.h>

#include "conn.h"
#include "hiprio.h"

/*
 * What FUSE_INIT must not negotiate, in whichever direction: io_uring is a
 * transport of its own, and passthrough takes a server on the same kernel.
 */
#define GLUE_INIT_REFUSED	(BIT_ULL(37) /* FUSE_PASSTHROUGH */ | \
				 BIT_ULL(41) /* FUSE_OVER_IO_URING */ | \
				 BIT_ULL(43) /* FUSE_HAS_IO_URING_BUFPOOL */)

/**
 * virtiofs_init_offer() - take out what makes no sense here
 * @init: argument of FUSE_INIT, as the device will read it
 *
 * Context: map().
 */
void virtiofs_init_offer(struct fuse_init_in *init)
{
	init->flags &= ~lower_32_bits(GLUE_INIT_REFUSED);
	init->flags2 &= ~upper_32_bits(GLUE_INIT_REFUSED);
}

/**
 * virtiofs_init_done() - there is a reply to FUSE_INIT, or none will come
 * @req: FUSE_INIT, which is not complete for the FUSE client
 * @error: what it will end with
 *
 * Context: done().
 */
void virtiofs_init_done(struct fuse_req *req, int error)
{
	struct fuse_init_out *init = req->args->out_args[0].value;
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;

	conn->init_error = error;
	if (error)
		return;
	init->flags &= ~lower_32_bits(GLUE_INIT_REFUSED);
	init->flags2 &= ~upper_32_bits(GLUE_INIT_REFUSED);
	/* No memory of the guest's is as long as the server likes */
	init->max_write = min(init->max_write, glue_max_direct(conn->fc));
	conn->init_major = init->major;
	virtiofs_hiprio_set_minor(glue_hiprio(conn), init->minor);
}

/**
 * virtiofs_init_max_read() - most bytes that one request reads
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: the number.
 */
unsigned long virtiofs_init_max_read(struct virtiofs_session *session)
{
	return glue_max_read(session->conn->fc);
}

/**
 * virtiofs_init_max_write() - most bytes that one request writes
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: the number.
 */
unsigned long virtiofs_init_max_write(struct virtiofs_session *session)
{
	struct fuse_conn *fc = session->conn->fc;

	return min((unsigned long)fc->max_write, fc->max_pages * PAGE_SIZE);
}

/**
 * virtiofs_init_is_complete() - is FUSE_INIT complete, for better or worse?
 * @conn: a connection
 *
 * Context: any.
 * Return: true if it has.
 */
bool virtiofs_init_is_complete(struct glue_conn *conn)
{
	return glue_initialized(conn->fc);
}

/* 0 if there is a session, or -errno with a message in the log of @fsc */
static int init_result(struct glue_conn *conn, struct fs_context *fsc)
{
	const char *tag = conn->session->tag;
	int error = conn->init_error;

	if (conn->init_major == FUSE_KERNEL_VERSION)
		return 0;
	if (conn->init_major) {
		errorfc(fsc, "tag <%s>: the server speaks version %u of FUSE, and not %u",
			tag, conn->init_major, FUSE_KERNEL_VERSION);
		return -EPROTONOSUPPORT;
	}
	/* The FUSE client had no memory to ask, or was told not to wait */
	if (!error || error == -EINPROGRESS)
		error = glue_is_connected(conn->fc) ? -ENOMEM : -ECONNABORTED;
	if (error == -ECONNABORTED || error == -ENOTCONN)
		errorfc(fsc, "tag <%s>: the connection has ended before the server has answered",
			tag);
	else
		errorfc(fsc, "tag <%s>: there is no session with the server (error %d)",
			tag, error);
	return error;
}

/**
 * virtiofs_init_wait() - wait until FUSE_INIT is complete
 * @fsc: the mount, for messages
 * @conn: its connection
 *
 * Context: process context, without locks.  Sleeps until there is a reply, the
 * connection ends (by a timeout, for one thing), or the caller is killed.
 * Return: 0, or -errno that the mount is to fail with.
 */
int virtiofs_init_wait(struct fs_context *fsc, struct glue_conn *conn)
{
	if (wait_event_killable(*glue_init_waitq(conn->fc),
				virtiofs_init_is_complete(conn)))
		return -EINTR;
	return init_result(conn, fsc);
}
