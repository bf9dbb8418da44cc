/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between the FUSE clients of kernels.  First the newest, in which a
 * connection has a channel; in older ones the connection itself is what the
 * requests go to.
 */
#ifndef _VIRTIOFS_FUSE_COMPAT_H
#define _VIRTIOFS_FUSE_COMPAT_H

#include <linux/fs_context.h>
#include <linux/highmem.h>

#include "fuse_i.h"

/* What is to come after Linux 7.3 has names of its own for the DAX window of a device */
#ifdef VIRTIOFS_HAVE_FUSE_VDAX
#define dax_mode		vdax_mode
#define fuse_dax_cancel_work	fuse_vdax_cancel_work
#define FUSE_DAX_ALWAYS		FUSE_VDAX_ALWAYS
#define FUSE_DAX_NEVER		FUSE_VDAX_NEVER
#define FUSE_DAX_INODE_USER	FUSE_VDAX_INODE_USER
#endif

#ifdef VIRTIOFS_HAVE_FUSE_CHAN

#include "dev.h"
#include "fuse_dev_i.h"

static inline struct fuse_iqueue *glue_fiq(struct fuse_conn *fc)
{
	return &fc->chan->iq;
}

static inline struct fuse_iqueue *glue_fiq_of_req(struct fuse_req *req)
{
	return &req->chan->iq;
}

static inline int glue_conn_init(struct fuse_conn *fc, struct fuse_mount *fm,
				 struct fs_context *fsc,
				 const struct fuse_iqueue_ops *ops, void *priv)
{
	struct fuse_chan *fch = fuse_chan_new();

	if (!fch)
		return -ENOMEM;
	fuse_iqueue_init(&fch->iq, ops, priv);
	fuse_conn_init(fc, fm, fsc->user_ns, fch);
	return 0;
}

static inline void glue_assign_unique(struct fuse_iqueue *fiq,
				      struct fuse_req *req)
{
	fuse_request_assign_unique(fiq, req);
}

/* Is FUSE_INIT complete?  Its waiters are woken there. */
static inline bool glue_initialized(struct fuse_conn *fc)
{
	/* Pairs with the release in fuse_chan_set_initialized() */
	return smp_load_acquire(&fc->chan->initialized);
}

static inline wait_queue_head_t *glue_init_waitq(struct fuse_conn *fc)
{
	return &fc->chan->blocked_waitq;
}

/* Are there requests, wherever they are? */
static inline bool glue_has_requests(struct fuse_conn *fc)
{
	return atomic_read(&fc->chan->num_waiting);
}

/* Does the FUSE client send requests in the background, or fail them at once? */
static inline bool glue_is_connected(struct fuse_conn *fc)
{
	return READ_ONCE(fc->chan->connected);
}

/* What is written is as safe as the host makes it, so sync(2) waits for it */
static inline void glue_trust_server(struct super_block *sb)
{
	sb->s_iflags &= ~SB_I_NO_DATA_INTEGRITY;
}

/* What is called at the end of a request in the background gets */
#define GLUE_END_ARGS	struct fuse_args *args, int error

/* Seconds that a request may take: what the client asks for counts as well */
static inline unsigned int glue_conn_timeout(struct fuse_conn *fc,
					     unsigned int own)
{
	unsigned int client = fc->chan->timeout.req_timeout / HZ;

	return own && client ? min(own, client) : own ?: client;
}

/* A request outlives the mount that it was made for */
static inline void glue_set_mount(struct fuse_req *req, struct fuse_mount *fm)
{
}

#else

static inline struct fuse_iqueue *glue_fiq(struct fuse_conn *fc)
{
	return &fc->iq;
}

static inline struct fuse_iqueue *glue_fiq_of_req(struct fuse_req *req)
{
	return &req->fm->fc->iq;
}

static inline int glue_conn_init(struct fuse_conn *fc, struct fuse_mount *fm,
				 struct fs_context *fsc,
				 const struct fuse_iqueue_ops *ops, void *priv)
{
	fuse_conn_init(fc, fm, fsc->user_ns, ops, priv);
	return 0;
}

static inline bool glue_initialized(struct fuse_conn *fc)
{
	/* Pairs with the barrier in fuse_set_initialized() */
	return smp_load_acquire(&fc->initialized);
}

static inline wait_queue_head_t *glue_init_waitq(struct fuse_conn *fc)
{
	return &fc->blocked_waitq;
}

static inline bool glue_has_requests(struct fuse_conn *fc)
{
	return atomic_read(&fc->num_waiting);
}

static inline bool glue_is_connected(struct fuse_conn *fc)
{
	return READ_ONCE(fc->connected);
}

static inline void glue_trust_server(struct super_block *sb)
{
}

#define GLUE_END_ARGS	struct fuse_mount *fm, struct fuse_args *args, int error

static inline unsigned int glue_conn_timeout(struct fuse_conn *fc,
					     unsigned int own)
{
	return own;
}

static inline void glue_set_mount(struct fuse_req *req, struct fuse_mount *fm)
{
	req->fm = fm;
}

#endif

/* How the FUSE client hands over a FORGET, an INTERRUPT and a request */
#ifdef VIRTIOFS_HAVE_FUSE_SEND_REQ

#ifndef VIRTIOFS_HAVE_FUSE_CHAN
static inline void glue_assign_unique(struct fuse_iqueue *fiq,
				      struct fuse_req *req)
{
	if (req->in.h.opcode != FUSE_NOTIFY_REPLY)
		req->in.h.unique = fuse_get_unique(fiq);
}
#endif

#define GLUE_FIQ_OPS(name, forget, interrupt, req, end)			\
const struct fuse_iqueue_ops name = {					\
	.send_forget = (forget),					\
	.send_interrupt = (interrupt),					\
	.send_req = (req),						\
	.release = (end),						\
}

#else

/*
 * It puts them on lists, and calls with the lock that is to be dropped.  So there is
 * one at a time.  The list of FORGETs has no function in all headers of such kernels.
 */
static inline struct fuse_forget_link *glue_take_forget(struct fuse_iqueue *fiq)
{
	struct fuse_forget_link *forget = fiq->forget_list_head.next;

	fiq->forget_list_head.next = NULL;
	fiq->forget_list_tail = &fiq->forget_list_head;
	spin_unlock(&fiq->lock);
	return forget;
}

static inline struct fuse_req *glue_take_interrupt(struct fuse_iqueue *fiq)
{
	struct fuse_req *req = list_first_entry(&fiq->interrupts, struct fuse_req, intr_entry);

	list_del_init(&req->intr_entry);
	spin_unlock(&fiq->lock);
	return req;
}

static inline struct fuse_req *glue_take_req(struct fuse_iqueue *fiq)
{
	struct fuse_req *req = list_first_entry(&fiq->pending, struct fuse_req, list);

	list_del_init(&req->list);
	spin_unlock(&fiq->lock);
	return req;
}

/* It has one already */
static inline void glue_assign_unique(struct fuse_iqueue *fiq,
				      struct fuse_req *req)
{
}

#define GLUE_FIQ_OPS(name, forget, interrupt, req, end)			\
static void name##_forget(struct fuse_iqueue *fiq)			\
{									\
	forget(fiq, glue_take_forget(fiq));				\
}									\
static void name##_interrupt(struct fuse_iqueue *fiq)			\
{									\
	interrupt(fiq, glue_take_interrupt(fiq));			\
}									\
static void name##_req(struct fuse_iqueue *fiq)				\
{									\
	req(fiq, glue_take_req(fiq));					\
}									\
const struct fuse_iqueue_ops name = {					\
	.wake_forget_and_unlock = name##_forget,			\
	.wake_interrupt_and_unlock = name##_interrupt,			\
	.wake_pending_and_unlock = name##_req,				\
	.release = (end),						\
}

#endif

/*
 * Is this page of a user's direct I/O anonymous memory of that process alone?  What is
 * pinned does not become a child's in a fork().  Without pins a page says so itself, but
 * for huge ones.  For reads the request says whether it is a user's memory at
 * all; for writes it does not, and other memory may belong to other processes.
 */
#ifdef VIRTIOFS_HAVE_FUSE_PINNED
static inline bool glue_is_private(struct fuse_args *args, struct page *page)
{
	return args->is_pinned && folio_test_anon(page_folio(page));
}
#else
static inline bool glue_is_private(struct fuse_args *args, struct page *page)
{
	struct fuse_io_args *ia = container_of(args, typeof(*ia), ap.args);

	return args->out_pages && ia->io->should_dirty && PageAnon(page) &&
	       !PageCompound(page) && PageAnonExclusive(page);
}
#endif

/*
 * Memory of the kernel, if it is much, is to be given as pages.  Where it cannot be, it
 * comes as one argument, which nothing but the most that is read or written bounds.
 */
#ifdef VIRTIOFS_HAVE_FUSE_KVEC_PAGES
static inline void glue_use_pages(struct fuse_conn *fc)
{
	fc->use_pages_for_kvec_io = 1;
}

static inline unsigned int glue_max_direct(struct fuse_conn *fc)
{
	return UINT_MAX;
}
#else
static inline void glue_use_pages(struct fuse_conn *fc)
{
}

static inline unsigned int glue_max_direct(struct fuse_conn *fc)
{
	return fc->max_pages_limit * PAGE_SIZE;
}
#endif

/* What kernels do not know that never send it */
#ifndef VIRTIOFS_HAVE_FUSE_STATX
#define FUSE_STATX	52
#endif

#ifdef VIRTIOFS_HAVE_FUSE_FOLIOS

static inline unsigned int glue_nr_pages(struct fuse_args_pages *ap)
{
	return ap->num_folios;
}

static inline struct page *glue_page(struct fuse_args_pages *ap, unsigned int i)
{
	return folio_page(ap->folios[i], 0);
}

static inline void glue_zero_page(struct fuse_args_pages *ap, unsigned int i,
				  unsigned int start, unsigned int end)
{
	folio_zero_segment(ap->folios[i], start, end);
}

#else

static inline unsigned int glue_nr_pages(struct fuse_args_pages *ap)
{
	return ap->num_pages;
}

static inline struct page *glue_page(struct fuse_args_pages *ap, unsigned int i)
{
	return ap->pages[i];
}

static inline void glue_zero_page(struct fuse_args_pages *ap, unsigned int i,
				  unsigned int start, unsigned int end)
{
	zero_user_segment(ap->pages[i], start, end);
}

#endif

#endif
