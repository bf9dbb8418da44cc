// SPDX-License-Identifier: GPL-2.0
/*
 * Between the FUSE client and the queues: requests become buffers, replies
 * become results, a mount becomes a FUSE connection.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid_namespace.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "fuse_glue.h"
#include "hiprio.h"
#include "late.h"
#include "virtqueue.h"

#include "fuse_i.h"

/*
 * Differences between kernels.  First the newest, in which a connection has a
 * channel; in older ones the connection itself is what the requests go to.
 */
#ifdef VIRTIOFS_HAVE_FUSE_CHAN

#include "dev.h"
#include "fuse_dev_i.h"

static struct fuse_iqueue *glue_fiq(struct fuse_conn *fc)
{
	return &fc->chan->iq;
}

static struct fuse_iqueue *glue_fiq_of_req(struct fuse_req *req)
{
	return &req->chan->iq;
}

static int glue_conn_init(struct fuse_conn *fc, struct fuse_mount *fm,
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

static void glue_assign_unique(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	fuse_request_assign_unique(fiq, req);
}

/* What is called at the end of a request in the background gets */
#define GLUE_END_ARGS	struct fuse_args *args, int error

/* Seconds that a request may take: what the client asks for counts as well */
static unsigned int glue_conn_timeout(struct fuse_conn *fc, unsigned int own)
{
	unsigned int client = fc->chan->timeout.req_timeout / HZ;

	return own && client ? min(own, client) : own ?: client;
}

/* A request outlives the mount that it was made for */
static void glue_set_mount(struct fuse_req *req, struct fuse_mount *fm)
{
}

#else

static struct fuse_iqueue *glue_fiq(struct fuse_conn *fc)
{
	return &fc->iq;
}

static struct fuse_iqueue *glue_fiq_of_req(struct fuse_req *req)
{
	return &req->fm->fc->iq;
}

static int glue_conn_init(struct fuse_conn *fc, struct fuse_mount *fm,
			  struct fs_context *fsc,
			  const struct fuse_iqueue_ops *ops, void *priv)
{
	fuse_conn_init(fc, fm, fsc->user_ns, ops, priv);
	return 0;
}

static void glue_assign_unique(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	if (req->in.h.opcode != FUSE_NOTIFY_REPLY)
		req->in.h.unique = fuse_get_unique(fiq);
}

#define GLUE_END_ARGS	struct fuse_mount *fm, struct fuse_args *args, int error

static unsigned int glue_conn_timeout(struct fuse_conn *fc, unsigned int own)
{
	return own;
}

static void glue_set_mount(struct fuse_req *req, struct fuse_mount *fm)
{
	req->fm = fm;
}

#endif

#ifdef VIRTIOFS_HAVE_FUSE_FOLIOS

static unsigned int glue_nr_pages(struct fuse_args_pages *ap)
{
	return ap->num_folios;
}

static struct page *glue_page(struct fuse_args_pages *ap, unsigned int i)
{
	return folio_page(ap->folios[i], 0);
}

static void glue_zero_page(struct fuse_args_pages *ap, unsigned int i,
			   unsigned int start, unsigned int end)
{
	folio_zero_segment(ap->folios[i], start, end);
}

#else

static unsigned int glue_nr_pages(struct fuse_args_pages *ap)
{
	return ap->num_pages;
}

static struct page *glue_page(struct fuse_args_pages *ap, unsigned int i)
{
	return ap->pages[i];
}

static void glue_zero_page(struct fuse_args_pages *ap, unsigned int i,
			   unsigned int start, unsigned int end)
{
	zero_user_segment(ap->pages[i], start, end);
}

#endif
/* End of differences between kernels */

/* How often requests in flight are looked at */
#define GLUE_WATCH_PERIOD	HZ

/* How old a request is when the device is said not to respond, in seconds */
#define GLUE_SLOW		30

/* How long the device may show no progress while its session is ended */
#define GLUE_UMOUNT_PATIENCE	(30 * HZ)

/* How long a task that exits waits for a reply: nobody can kill it any more */
#define GLUE_EXIT_PATIENCE	(2 * HZ)

/*
 * What FUSE_INIT must not negotiate, in whichever direction: io_uring is a
 * transport of its own, and passthrough takes a server on the same kernel.
 */
#define GLUE_INIT_REFUSED	(BIT_ULL(37) /* FUSE_PASSTHROUGH */ | \
				 BIT_ULL(41) /* FUSE_OVER_IO_URING */ | \
				 BIT_ULL(43) /* FUSE_HAS_IO_URING_BUFPOOL */)

static unsigned int glue_timeout;
module_param_named(timeout, glue_timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "Seconds that the device has to answer a request, for mounts without the option of this name (0, the default: for ever)");

/*
 * Ends requests whose end may block, for instance on a page lock.  The queues'
 * workers must not wait there: the lock may be held until they complete another
 * request.
 */
static struct workqueue_struct *glue_wq;

/**
 * struct glue_conn - a FUSE connection over the queues of a device
 * @session: the device's side; init-only
 * @fm: the mount that is no submount; lives as long as any; init-only
 * @closed: FORGETs are of no use any more; set once
 * @timeout: seconds that the device has to answer a request, or 0; init-only
 * @abort_entry: on the wait queue that the FUSE client wakes when it aborts
 * @watch: looks after requests in flight, as long as there are any
 * @slow: the device was said not to respond; of @watch alone
 * @watchdog: kills the queues when the end of the session makes no progress
 * @completed: number of requests that had ended when @watchdog last looked
 * @stuck: number of requests that had ended when a task that exits lost its
 *	patience, or U64_MAX
 * @loans_lock: protects @loans; inside of the FUSE client's killsb
 * @loans: lookups that the FUSE client has lent
 * @lock: protects @blocking
 * @blocking: requests whose end may block
 * @end_work: ends them
 *
 * Made by the mount, freed by the FUSE client's last call, ->release().
 */
struct glue_conn {
	struct virtiofs_session *session;
	struct fuse_mount *fm;
	bool closed;
	unsigned int timeout;
	struct wait_queue_entry abort_entry;
	struct delayed_work watch;
	bool slow;
	struct delayed_work watchdog;
	u64 completed;
	u64 stuck;
	struct mutex loans_lock; /* of @loans */
	struct list_head loans;
	spinlock_t lock; /* of @blocking, innermost */
	struct list_head blocking;
	struct work_struct end_work;
};

/**
 * struct glue_fs_context - what a mount asks for
 * @fuse: the FUSE client's part, to which fsc->fs_private points
 * @timeout: see struct glue_conn
 */
struct glue_fs_context {
	struct fuse_fs_context fuse;
	unsigned int timeout;
};

static struct glue_fs_context *glue_context_of(struct fs_context *fsc)
{
	return container_of((struct fuse_fs_context *)fsc->fs_private,
			    struct glue_fs_context, fuse);
}

static struct glue_conn *glue_conn_of(struct fuse_conn *fc)
{
	return glue_fiq(fc)->priv;
}

static struct virtiofs_vq *glue_hiprio(struct glue_conn *conn)
{
	return &conn->session->vqs->vq[VIRTIOFS_VQ_HIPRIO];
}

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
 * @work: does what is left to be done when the reply has come
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
	struct work_struct work;
	struct virtiofs_late late;
	struct fuse_args giveback;
	unsigned int nr;
	struct folio *folios[] __counted_by(nr);
};

/* Instead of an orphan: the reply is there, it is too late to leave */
#define GLUE_ENDED	((struct glue_orphan *)1)

/**
 * struct glue_sub - what we need of a request while it is with us
 * @link: for the queue
 * @orphan: NULL, and then once and for all the orphan that the caller left, or
 *	GLUE_ENDED by done()
 *
 * Lies in the request's @list: we keep it off the lists of the FUSE client,
 * which could end it there while the device still owns it.
 */
struct glue_sub {
	struct llist_node link;
	struct glue_orphan *orphan;
};

static_assert(sizeof(struct glue_sub) <= sizeof_field(struct fuse_req, list));

static struct glue_sub *glue_sub_of(struct fuse_req *req)
{
	return (struct glue_sub *)&req->list;
}

static struct fuse_req *glue_req_of(struct llist_node *link)
{
	return container_of((struct list_head *)link, struct fuse_req, list);
}

/* Bytes of the request that are no pages: header and arguments */
static unsigned int glue_request_len(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	return sizeof(struct fuse_in_header) +
	       fuse_len_args(args->in_numargs - args->in_pages,
			     (struct fuse_arg *)args->in_args);
}

/* Bytes of the longest reply that are no pages; 0 if there is none at all */
static unsigned int glue_reply_len(struct fuse_req *req)
{
	struct fuse_args *args = req->args;

	if (!test_bit(FR_ISREPLY, &req->flags))
		return 0;
	return sizeof(struct fuse_out_header) +
	       fuse_len_args(args->out_numargs - args->out_pages,
			     args->out_args);
}

/* The reply lies behind the request, aligned so that its header can be read */
static unsigned int glue_reply_offset(struct fuse_req *req)
{
	return ALIGN(glue_request_len(req), 8);
}

/*
 * Memory for a request that is too long for a buf, as the setting of a large
 * extended attribute is.  @out.h of the request is ours until the reply goes
 * there, and keeps the pointer meanwhile.
 */
static void *glue_big(struct fuse_req *req)
{
	return (void *)(unsigned long)req->out.h.unique;
}

/*
 * Only calls of user space are long, so there is time to wait for memory.  It
 * has to be in one piece: on a small ring descriptors are rarer than memory.
 */
static void glue_alloc_big(struct fuse_req *req)
{
	unsigned int len = glue_reply_offset(req) + glue_reply_len(req);
	void *big;

	if (likely(len <= VIRTIOFS_BUF_DATA))
		return;
	if (WARN_ON_ONCE(test_bit(FR_BACKGROUND, &req->flags)))
		return;
	while (!(big = kmalloc(len, GFP_NOFS | __GFP_NOWARN |
			       __GFP_RETRY_MAYFAIL)))
		memalloc_retry_wait(GFP_NOFS);
	req->out.h.unique = (unsigned long)big;
}

static void glue_free_big(struct fuse_req *req)
{
	kfree(glue_big(req));
	req->out.h.unique = 0;
}

/* Where header and arguments lie for the device */
static void *glue_memory(struct fuse_req *req, struct virtiofs_buf *buf)
{
	return glue_big(req) ?: buf->data;
}

static void glue_write_request(struct fuse_req *req, void *memory)
{
	struct fuse_args *args = req->args;
	unsigned int i, nr = args->in_numargs - args->in_pages;
	void *p = memory;

	memcpy(p, &req->in.h, sizeof(req->in.h));
	p += sizeof(req->in.h);
	if (req->in.h.opcode == FUSE_INIT) {
		struct fuse_init_in *init = p;

		memcpy(init, args->in_args[0].value, args->in_args[0].size);
		init->flags &= ~lower_32_bits(GLUE_INIT_REFUSED);
		init->flags2 &= ~upper_32_bits(GLUE_INIT_REFUSED);
		return;
	}
	for (i = 0; i < nr; i++) {
		memcpy(p, args->in_args[i].value, args->in_args[i].size);
		p += args->in_args[i].size;
	}
}

typedef bool (*glue_sgl_fn)(struct virtiofs_sgl *sgl, struct page *page,
			    unsigned int len, unsigned int offset);

static bool glue_map_memory(struct virtiofs_sgl *sgl, glue_sgl_fn add,
			    void *memory, unsigned int len)
{
	return add(sgl, virt_to_page(memory), len, offset_in_page(memory));
}

static bool glue_map_pages(struct virtiofs_sgl *sgl, glue_sgl_fn add,
			   struct fuse_args *args, unsigned int len)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i, run;

	for (i = 0; i < glue_nr_pages(ap) && len; i++) {
		run = min(len, ap->descs[i].length);
		if (!add(sgl, glue_page(ap, i), run, ap->descs[i].offset))
			return false;
		len -= run;
	}
	return true;
}

/* See struct virtiofs_vq_ops */
static int glue_map(struct llist_node *link, struct virtiofs_buf *buf,
		    struct virtiofs_sgl *sgl)
{
	struct fuse_req *req = glue_req_of(link);
	struct fuse_args *args = req->args;
	unsigned int offset = glue_reply_offset(req);
	unsigned int len = glue_reply_len(req);
	void *memory = glue_memory(req, buf);

	if (!glue_big(req) && offset + len > VIRTIOFS_BUF_DATA)
		return -E2BIG;

	glue_write_request(req, memory);
	if (!glue_map_memory(sgl, virtiofs_sgl_out, memory,
			     glue_request_len(req)))
		return -E2BIG;
	if (args->in_pages &&
	    !glue_map_pages(sgl, virtiofs_sgl_out, args,
			    args->in_args[args->in_numargs - 1].size))
		return -E2BIG;
	if (!len)
		return 0;

	/* What the device does not write must not be an earlier reply */
	memset(memory + offset, 0, len);
	if (!glue_map_memory(sgl, virtiofs_sgl_in, memory + offset, len))
		return -E2BIG;
	if (args->out_pages &&
	    !glue_map_pages(sgl, virtiofs_sgl_in, args,
			    args->out_args[args->out_numargs - 1].size))
		return -E2BIG;
	return 0;
}

/* A reply shorter than its pages: no old content of theirs may be seen */
static void glue_zero_tail(struct fuse_args *args, unsigned int len)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i, run, offset;

	for (i = 0; i < glue_nr_pages(ap); i++) {
		run = min(len, ap->descs[i].length);
		offset = ap->descs[i].offset;
		if (run < ap->descs[i].length)
			glue_zero_page(ap, i, offset + run,
				       offset + ap->descs[i].length);
		len -= run;
	}
}

/*
 * The one copy of a header that the device might still write to.  Returns what
 * is wrong with it, or NULL.
 */
static const char *glue_read_header(struct fuse_req *req, void *reply,
				    unsigned int used,
				    struct fuse_out_header *oh)
{
	struct fuse_out_header *header = reply;

	oh->len = READ_ONCE(header->len);
	oh->error = READ_ONCE(header->error);
	oh->unique = READ_ONCE(header->unique);

	if (oh->len < sizeof(*oh))
		return "too short for a header";
	/* Some servers do not say how much they wrote */
	if (used && oh->len > used)
		return "longer than what was written";
	if (oh->unique != req->in.h.unique)
		return "to another request";
	if (oh->error > 0 || oh->error <= -512)
		return "with an impossible error";
	if (oh->error && oh->len != sizeof(*oh))
		return "with an error and a payload";
	return NULL;
}

/*
 * Set the length of the last argument by that of the reply.  Returns what is
 * wrong with that length, or NULL.
 */
static const char *glue_fit_args(struct fuse_args *args, unsigned int len)
{
	unsigned int most = fuse_len_args(args->out_numargs, args->out_args);
	struct fuse_arg *last;

	if (len > most)
		return "longer than what was asked for";
	if (len == most)
		return NULL;
	last = &args->out_args[args->out_numargs - 1];
	if (!args->out_argvar || most - len > last->size)
		return "too short";
	last->size -= most - len;
	return NULL;
}

static void glue_read_args(struct fuse_req *req, void *p)
{
	struct fuse_args *args = req->args;
	unsigned int i, nr = args->out_numargs - args->out_pages;

	for (i = 0; i < nr; i++) {
		memcpy(args->out_args[i].value, p, args->out_args[i].size);
		p += args->out_args[i].size;
	}
	if (args->out_pages && args->page_zeroing)
		glue_zero_tail(args, args->out_args[nr].size);

	if (req->in.h.opcode == FUSE_INIT) {
		struct fuse_init_out *init = args->out_args[0].value;

		init->flags &= ~lower_32_bits(GLUE_INIT_REFUSED);
		init->flags2 &= ~upper_32_bits(GLUE_INIT_REFUSED);
	}
}

/*
 * The server's result for @req, or -EIO with one message for a reply that lies.
 * If it is 0, the sizes of the arguments are those of the reply.
 */
static int glue_check_reply(struct fuse_req *req, struct glue_conn *conn,
			    struct virtiofs_buf *buf)
{
	void *reply = glue_memory(req, buf) + glue_reply_offset(req);
	struct fuse_out_header oh;
	const char *fault;

	fault = glue_read_header(req, reply, buf->len, &oh);
	if (!fault && !oh.error)
		fault = glue_fit_args(req->args, oh.len - sizeof(oh));
	if (fault) {
		pr_warn_ratelimited("virtiofs: %s: reply to opcode %u is %s (length %u, written %u, error %d)\n",
				    conn->session->tag, req->in.h.opcode, fault,
				    oh.len, buf->len, oh.error);
		return -EIO;
	}
	return oh.error;
}

/* The arguments of the reply, behind its header */
static void *glue_reply_args(struct fuse_req *req, struct virtiofs_buf *buf)
{
	return glue_memory(req, buf) + glue_reply_offset(req) +
	       sizeof(struct fuse_out_header);
}

static int glue_read_reply(struct fuse_req *req, struct virtiofs_buf *buf)
{
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;
	int error;

	/* Servers that end with the session leave its last reply empty */
	if (!buf->len && req->in.h.opcode == FUSE_DESTROY)
		return 0;

	error = glue_check_reply(req, conn, buf);
	if (!error)
		glue_read_args(req, glue_reply_args(req, buf));
	return error;
}

static void glue_end_work(struct work_struct *work)
{
	struct glue_conn *conn = container_of(work, struct glue_conn, end_work);
	struct fuse_req *req;

	for (;;) {
		spin_lock(&conn->lock);
		req = list_first_entry_or_null(&conn->blocking, struct fuse_req,
					       list);
		if (req)
			list_del_init(&req->list);
		spin_unlock(&conn->lock);
		if (!req)
			return;
		fuse_request_end(req);
	}
}

static void glue_end(struct fuse_req *req)
{
	struct glue_conn *conn = glue_fiq_of_req(req)->priv;

	clear_bit(FR_SENT, &req->flags);
	INIT_LIST_HEAD(&req->list);
	if (likely(!req->args->may_block)) {
		fuse_request_end(req);
		return;
	}
	/* Under the lock the request cannot end, and @conn cannot go */
	spin_lock(&conn->lock);
	list_add_tail(&req->list, &conn->blocking);
	queue_work(glue_wq, &conn->end_work);
	spin_unlock(&conn->lock);
}

/* hiprio.c takes the FUSE client's links as they are */
static_assert(offsetof(struct virtiofs_forget, nodeid) ==
	      offsetof(struct fuse_forget_link, forget_one.nodeid));
static_assert(offsetof(struct virtiofs_forget, nlookup) ==
	      offsetof(struct fuse_forget_link, forget_one.nlookup));
static_assert(offsetof(struct virtiofs_forget, next) ==
	      offsetof(struct fuse_forget_link, next));

static void glue_send_forget(struct fuse_iqueue *fiq,
			     struct fuse_forget_link *link)
{
	struct glue_conn *conn = fiq->priv;

	if (READ_ONCE(conn->closed))
		kfree(link);
	else
		virtiofs_hiprio_forget(glue_hiprio(conn),
				       (struct virtiofs_forget *)link);
}

static void glue_forget(struct glue_conn *conn, u64 nodeid, u64 nlookup)
{
	struct fuse_forget_link *link;

	link = kzalloc_obj(*link, GFP_NOFS | __GFP_NOFAIL);
	link->forget_one.nodeid = nodeid;
	link->forget_one.nlookup = nlookup;
	glue_send_forget(glue_fiq(conn->fm->fc), link);
}

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
	struct fuse_conn *fc = conn->fm->fc;
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
	struct fuse_conn *fc = conn->fm->fc;
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
		glue_forget(conn, loan->nodeid, 1);
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

	queue_work(glue_wq, &orphan->work);
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
		glue_forget(orphan->conn, nodeid, 1);
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
		glue_forget(orphan->conn, orphan->late.forget, 1);
	glue_return_lookup(orphan);
	/* It has ended for the FUSE client, so this only puts it */
	fuse_request_end(orphan->req);
	glue_orphan_free(orphan);
}

/* The caller has left, and the request with all its memory is ours alone */
static void glue_done_orphan(struct glue_orphan *orphan,
			     struct virtiofs_buf *buf, int error)
{
	struct fuse_req *req = orphan->req;
	void *first;

	req->args = &orphan->args;
	glue_set_mount(req, orphan->conn->fm);
	if (!error && !glue_check_reply(req, orphan->conn, buf)) {
		first = glue_reply_args(req, buf);
		virtiofs_late_reply(&orphan->late, &req->in.h,
				    glue_memory(req, buf) + sizeof(req->in.h),
				    first,
				    first + orphan->args.out_args[0].size);
	}
	glue_free_big(req);
	queue_work(glue_wq, &orphan->work);
}

/* See struct virtiofs_vq_ops */
static void glue_done(struct llist_node *link, struct virtiofs_buf *buf,
		      int error)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_orphan *orphan;

	orphan = xchg(&glue_sub_of(req)->orphan, GLUE_ENDED);
	if (unlikely(orphan)) {
		glue_done_orphan(orphan, buf, error);
		return;
	}
	if (!error && test_bit(FR_ISREPLY, &req->flags))
		error = glue_read_reply(req, buf);
	glue_free_big(req);
	req->out.h.error = error;
	glue_end(req);
}

static const struct virtiofs_vq_ops glue_request_ops = {
	.map = glue_map,
	.done = glue_done,
};

const struct virtiofs_vqs_ops virtiofs_glue_vqs_ops = {
	.hiprio = &virtiofs_hiprio_ops,
	.request = &glue_request_ops,
};

/*
 * The FUSE client sends a FORGET as a request when it could not make an inode
 * of a directory entry.  It must not go over a request queue (virtio
 * specification 5.11.6.2), and ends when it is handed over.
 */
static void glue_send_forget_req(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	const struct fuse_forget_in *in = req->args->in_args[0].value;

	glue_forget(fiq->priv, req->in.h.nodeid, in->nlookup);
	fuse_request_end(req);
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
	orphan = kvzalloc(struct_size(orphan, folios, nr), GFP_NOFS);
	if (!orphan)
		return NULL;
	orphan->conn = conn;
	orphan->req = req;
	orphan->args = *args;
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

	glue_free_big(req);
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
		queue_work(glue_wq, &orphan->work);
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
	if (cmpxchg(&sub->orphan, NULL, orphan)) {
		refcount_dec(&req->count);
		glue_return_lookup(orphan);
		glue_orphan_free(orphan);
		return;
	}
	glue_interrupted(req);
}

/*
 * Called in the task that waits for @req, when it has got a signal for the
 * first time.  A server may ignore an interrupt, so none is sent; but if the
 * signal is fatal the caller need not wait for the server.
 */
static void glue_send_interrupt(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;

	if (!wait_event_killable(req->waitq,
				 test_bit(FR_FINISHED, &req->flags)))
		return;
	if (req->in.h.opcode == FUSE_DESTROY)
		virtiofs_vqs_kill_async(conn->session->vqs);
	else
		glue_leave(conn, req);
}

/*
 * A task that exits takes no signals, so that nothing would end its wait for a
 * server that is gone.  It has no use for the result, either.
 */
static void glue_wait_exiting(struct glue_conn *conn, struct fuse_req *req)
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
	task = pid_task(find_pid_ns(req->in.h.pid, conn->fm->fc->pid_ns),
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
static bool glue_find_killed(struct llist_node *link, unsigned long since,
			     void *arg)
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

/*
 * Direct I/O may be sent in the background, and its caller waits for all of it
 * without an eye on signals.
 */
static void glue_leave_killed(struct glue_conn *conn)
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

/**
 * struct glue_oldest - the oldest of the requests that have to be answered soon
 * @since: when the device got it, in jiffies
 * @opcode: what it is, or 0 if there is none
 */
struct glue_oldest {
	unsigned long since;
	u32 opcode;
};

/* See virtiofs_scan_fn */
static bool glue_find_oldest(struct llist_node *link, unsigned long since,
			     void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_oldest *oldest = arg;

	/* Waits for somebody else to unlock */
	if (req->in.h.opcode == FUSE_SETLKW)
		return false;
	if (!oldest->opcode || time_before(since, oldest->since)) {
		oldest->since = since;
		oldest->opcode = req->in.h.opcode;
	}
	return false;
}

/* The device is said to respond, or not, when that has changed */
static void glue_set_slow(struct glue_conn *conn, bool slow, u32 opcode,
			  unsigned int age)
{
	if (slow == conn->slow)
		return;
	conn->slow = slow;
	virtiofs_vqs_set_responding(conn->session->vqs, !slow);
	if (slow)
		pr_warn("virtiofs: %s: not responding (opcode %u is not answered for %u s)\n",
			conn->session->tag, opcode, age);
	else
		pr_warn("virtiofs: %s: responding again\n",
			conn->session->tag);
}

static void glue_watch_work(struct work_struct *work)
{
	struct glue_conn *conn = container_of(to_delayed_work(work),
					      struct glue_conn, watch);
	unsigned int timeout = glue_conn_timeout(conn->fm->fc, conn->timeout);
	unsigned int slow = timeout ? min(timeout / 2, GLUE_SLOW) : GLUE_SLOW;
	struct glue_oldest oldest = {};
	unsigned int age = 0;

	glue_leave_killed(conn);
	virtiofs_vqs_scan(conn->session->vqs, glue_find_oldest, &oldest);
	if (oldest.opcode)
		age = (jiffies - oldest.since) / HZ;
	if (timeout && age >= timeout) {
		pr_err("virtiofs: %s: opcode %u is not answered for %u s, ending the connection\n",
		       conn->session->tag, oldest.opcode, age);
		virtiofs_vqs_kill_async(conn->session->vqs);
		return;
	}
	glue_set_slow(conn, oldest.opcode && age >= slow, oldest.opcode, age);
	if (!virtiofs_vqs_are_idle(conn->session->vqs))
		queue_delayed_work(glue_wq, &conn->watch, GLUE_WATCH_PERIOD);
}

static void glue_send_req(struct fuse_iqueue *fiq, struct fuse_req *req)
{
	struct glue_conn *conn = fiq->priv;
	bool background = test_bit(FR_BACKGROUND, &req->flags);

	glue_assign_unique(fiq, req);
	clear_bit(FR_PENDING, &req->flags);
	if (unlikely(req->in.h.opcode == FUSE_FORGET)) {
		glue_send_forget_req(fiq, req);
		return;
	}
	set_bit(FR_SENT, &req->flags);
	glue_alloc_big(req);
	glue_sub_of(req)->orphan = NULL;
	virtiofs_vq_submit(virtiofs_vqs_pick(conn->session->vqs),
			   &glue_sub_of(req)->link);
	if (!delayed_work_pending(&conn->watch))
		queue_delayed_work(glue_wq, &conn->watch, GLUE_WATCH_PERIOD);
	/* The caller has a reference to a request that it waits for */
	if (unlikely(current->flags & PF_EXITING) && !background)
		glue_wait_exiting(conn, req);
}

/* The connection's last call */
static void glue_release(struct fuse_iqueue *fiq)
{
	struct glue_conn *conn = fiq->priv;

	flush_work(&conn->end_work);
	cancel_delayed_work_sync(&conn->watch);
	conn->session->release(conn->session);
	kfree(conn);
}

static const struct fuse_iqueue_ops glue_fiq_ops = {
	.send_forget = glue_send_forget,
	.send_interrupt = glue_send_interrupt,
	.send_req = glue_send_req,
	.release = glue_release,
};

/*
 * The FUSE client aborts the connection: of its own, or because somebody asked
 * by "umount -f" or through its control file system.  It has ended what we have
 * not got; what the device has ends with the device's reset.
 */
static int glue_abort(struct wait_queue_entry *entry, unsigned int mode,
		      int flags, void *key)
{
	struct glue_conn *conn = container_of(entry, struct glue_conn,
					      abort_entry);

	virtiofs_vqs_kill_async(conn->session->vqs);
	return 0;
}

static void glue_watchdog(struct work_struct *work)
{
	struct glue_conn *conn = container_of(to_delayed_work(work),
					      struct glue_conn, watchdog);
	u64 completed = virtiofs_vqs_completed(conn->session->vqs);

	if (completed == conn->completed) {
		pr_warn("virtiofs: %s: no answer during unmount, resetting the device\n",
			conn->session->tag);
		virtiofs_vqs_kill_async(conn->session->vqs);
		return;
	}
	conn->completed = completed;
	queue_delayed_work(glue_wq, &conn->watchdog, GLUE_UMOUNT_PATIENCE);
}

static struct glue_conn *glue_conn_alloc(struct virtiofs_session *session)
{
	struct glue_conn *conn = kzalloc_obj(*conn);

	if (!conn)
		return NULL;
	conn->session = session;
	conn->stuck = U64_MAX;
	init_waitqueue_func_entry(&conn->abort_entry, glue_abort);
	INIT_LIST_HEAD(&conn->abort_entry.entry);
	INIT_DELAYED_WORK(&conn->watch, glue_watch_work);
	INIT_DELAYED_WORK(&conn->watchdog, glue_watchdog);
	mutex_init(&conn->loans_lock);
	INIT_LIST_HEAD(&conn->loans);
	spin_lock_init(&conn->lock);
	INIT_LIST_HEAD(&conn->blocking);
	INIT_WORK(&conn->end_work, glue_end_work);
	return conn;
}

/* What the FUSE client may do with a server that is the host */
static void glue_conn_limits(struct fuse_conn *fc,
			     struct virtiofs_session *session)
{
	unsigned int pages = virtiofs_vqs_ring_size(session->vqs) -
			     VIRTIOFS_VQ_OVERHEAD;

	fc->max_pages_limit = min(fc->max_pages_limit, pages);
	/* For a server that does not negotiate it */
	fc->max_pages = min(fc->max_pages, pages);
	fc->use_pages_for_kvec_io = 1;
	fc->auto_submounts = 1;
	fc->delete_stale = 1;
	fc->sync_fs = 1;
}

/* A connection and its mount, or ERR_PTR() with the session released */
static struct fuse_mount *glue_mount_alloc(struct fs_context *fsc,
					   struct virtiofs_session *session)
{
	struct glue_conn *conn = glue_conn_alloc(session);
	struct fuse_mount *fm = kzalloc_obj(*fm);
	struct fuse_conn *fc = kzalloc_obj(*fc);

	if (!conn || !fm || !fc ||
	    glue_conn_init(fc, fm, fsc, &glue_fiq_ops, conn)) {
		kfree(fc);
		kfree(fm);
		kfree(conn);
		session->release(session);
		return ERR_PTR(-ENOMEM);
	}
	conn->fm = fm;
	conn->timeout = glue_context_of(fsc)->timeout;
	fc->release = fuse_free_conn;
	glue_conn_limits(fc, session);
	return fm;
}

/* The FUSE client's functions, and ours where there is more to say */
static struct super_operations glue_super_ops;
static int (*glue_fuse_show_options)(struct seq_file *m, struct dentry *root);

static int glue_show_options(struct seq_file *m, struct dentry *root)
{
	struct fuse_mount *fm = get_fuse_mount_super(root->d_sb);
	unsigned int timeout = glue_conn_of(fm->fc)->timeout;

	if (timeout)
		seq_printf(m, ",timeout=%u", timeout);
	return glue_fuse_show_options(m, root);
}

/* The FUSE client gives its functions no name that we could see */
static void glue_override(struct super_block *sb)
{
	static DEFINE_MUTEX(lock);

	guard(mutex)(&lock);
	if (!glue_fuse_show_options) {
		glue_super_ops = *sb->s_op;
		glue_fuse_show_options = sb->s_op->show_options;
		glue_super_ops.show_options = glue_show_options;
	}
	sb->s_op = &glue_super_ops;
}

static int glue_fill_super(struct super_block *sb, struct fs_context *fsc)
{
	struct fuse_fs_context *ctx = fsc->fs_private;
	struct fuse_mount *fm = get_fuse_mount_super(sb);
	struct glue_conn *conn = glue_conn_of(fm->fc);
	int err;

	/* The host is trusted like a disk; its permissions are enforced here */
	ctx->allow_other = 1;
	ctx->default_permissions = 1;
	ctx->destroy = 1;
	ctx->rootmode = S_IFDIR;
	ctx->max_read = UINT_MAX;
	ctx->blksize = SECTOR_SIZE;

	err = fuse_fill_super_common(sb, ctx);
	if (err)
		return err;
	glue_override(sb);
	add_wait_queue(&glue_fiq(fm->fc)->waitq, &conn->abort_entry);
	/* What goes wrong with FUSE_INIT is told to the first call */
	fuse_send_init(fm);
	sb->s_flags |= SB_ACTIVE;
	return 0;
}

/*
 * A tag that is mounted already is the same file system.  The superblock of one
 * of its submounts is not, nor is that of a session that was aborted, since a
 * device gets new queues after that.
 */
static int glue_test_super(struct super_block *sb, struct fs_context *fsc)
{
	struct fuse_mount *old_fm = get_fuse_mount_super(sb);
	struct fuse_mount *new_fm = fsc->s_fs_info;
	struct glue_conn *old = glue_conn_of(old_fm->fc);
	struct glue_conn *new = glue_conn_of(new_fm->fc);

	return old->session->vqs == new->session->vqs && old->fm == old_fm;
}

/**
 * virtiofs_glue_get_tree() - get the root of a session's file system
 * @fsc: context made by virtiofs_glue_init_fs_context()
 * @session: the device's side; released by the FUSE client when it is done, or
 *	here if the mount fails or the file system is mounted already
 *
 * Context: process context, may sleep.
 * Return: 0, or -errno with a message in the log of @fsc where it helps.
 */
int virtiofs_glue_get_tree(struct fs_context *fsc,
			   struct virtiofs_session *session)
{
	struct fuse_fs_context *ctx = fsc->fs_private;
	struct fuse_mount *fm;
	struct super_block *sb;
	int err;

	if (ctx->dax_mode == FUSE_DAX_ALWAYS) {
		session->release(session);
		return invalf(fsc, "dax=always: the device has no DAX window");
	}

	fm = glue_mount_alloc(fsc, session);
	if (IS_ERR(fm))
		return PTR_ERR(fm);

	fsc->s_fs_info = fm;
	sb = sget_fc(fsc, glue_test_super, set_anon_super_fc);
	/* Unless a new superblock took it, the mount was of no use */
	if (fsc->s_fs_info == fm)
		fuse_mount_destroy(fm);
	if (IS_ERR(sb))
		return PTR_ERR(sb);

	err = sb->s_root ? 0 : glue_fill_super(sb, fsc);
	if (err)
		deactivate_locked_super(sb);
	else
		fsc->root = dget(sb->s_root);
	return err;
}

/* End the session with the host; takes as long as the device shows progress */
static void glue_conn_destroy(struct fuse_mount *fm)
{
	struct glue_conn *conn = glue_conn_of(fm->fc);

	if (IS_ENABLED(CONFIG_FUSE_DAX))
		fuse_dax_cancel_work(fm->fc);

	/* The FUSE client aborts the connection in the end, which is no abort */
	remove_wait_queue(&glue_fiq(fm->fc)->waitq, &conn->abort_entry);
	conn->completed = virtiofs_vqs_completed(conn->session->vqs);
	queue_delayed_work(glue_wq, &conn->watchdog, GLUE_UMOUNT_PATIENCE);

	/* DESTROY overtakes nothing, and the host forgets all inodes then */
	WRITE_ONCE(conn->closed, true);
	virtiofs_vqs_drain(conn->session->vqs);
	fuse_conn_destroy(fm);

	cancel_delayed_work_sync(&conn->watchdog);
}

/**
 * virtiofs_glue_kill_sb() - end a superblock
 * @sb: superblock of a mount or of a submount
 *
 * Context: process context, sleeps until the device has answered DESTROY, or
 * has shown no progress for GLUE_UMOUNT_PATIENCE and was reset.
 */
void virtiofs_glue_kill_sb(struct super_block *sb)
{
	struct fuse_mount *fm = get_fuse_mount_super(sb);
	struct fuse_mount *root = glue_conn_of(fm->fc)->fm;
	/* Without a root there was no session, since the mount failed */
	bool last = !sb->s_root;

	if (sb->s_root && fuse_mount_remove(fm)) {
		last = true;
		glue_conn_destroy(fm);
	}
	kill_anon_super(sb);
	/* Requests whose callers have left need a mount while there is any */
	if (fm != root)
		fuse_mount_destroy(fm);
	if (last)
		fuse_mount_destroy(root);
}

enum {
	GLUE_OPT_DAX,
	GLUE_OPT_DAX_MODE,
	GLUE_OPT_TIMEOUT,
};

static const struct constant_table glue_dax_modes[] = {
	{ "inode",	FUSE_DAX_INODE_USER },
	{ "never",	FUSE_DAX_NEVER },
	{ "always",	FUSE_DAX_ALWAYS },
	{}
};

static const struct fs_parameter_spec glue_params[] = {
	fsparam_flag("dax", GLUE_OPT_DAX),
	fsparam_enum("dax", GLUE_OPT_DAX_MODE, glue_dax_modes),
	fsparam_u32("timeout", GLUE_OPT_TIMEOUT),
	{}
};

/**
 * virtiofs_glue_parse_param() - take a mount option
 * @fsc: context made by virtiofs_glue_init_fs_context()
 * @param: the option
 *
 * Return: 0, -ENOPARAM if the option is not known here, or -EINVAL.
 */
int virtiofs_glue_parse_param(struct fs_context *fsc,
			      struct fs_parameter *param)
{
	struct glue_fs_context *ctx = glue_context_of(fsc);
	struct fs_parse_result result;
	int opt = fs_parse(fsc, glue_params, param, &result);

	switch (opt) {
	case GLUE_OPT_DAX:
		ctx->fuse.dax_mode = FUSE_DAX_ALWAYS;
		return 0;
	case GLUE_OPT_DAX_MODE:
		ctx->fuse.dax_mode = result.uint_32;
		return 0;
	case GLUE_OPT_TIMEOUT:
		ctx->timeout = result.uint_32;
		return 0;
	default:
		return opt;
	}
}

/**
 * virtiofs_glue_init_fs_context() - begin a mount
 * @fsc: gets the FUSE client's part of the context
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_glue_init_fs_context(struct fs_context *fsc)
{
	struct glue_fs_context *ctx = kzalloc_obj(*ctx);

	if (!ctx)
		return -ENOMEM;
	ctx->timeout = READ_ONCE(glue_timeout);
	fsc->fs_private = &ctx->fuse;
	return 0;
}

/**
 * virtiofs_glue_free_fs_context() - undo virtiofs_glue_init_fs_context()
 * @fsc: the context
 */
void virtiofs_glue_free_fs_context(struct fs_context *fsc)
{
	kfree(glue_context_of(fsc));
}

/**
 * virtiofs_glue_init_submount() - begin the mount of what the host announced
 * @fsc: context of a submount, which the FUSE client takes over
 *
 * Return: 0 or -errno.
 */
int virtiofs_glue_init_submount(struct fs_context *fsc)
{
	return fuse_init_fs_context_submount(fsc);
}

/**
 * virtiofs_glue_init() - create what all connections share
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_glue_init(void)
{
	glue_wq = alloc_workqueue("virtiofs_end", WQ_MEM_RECLAIM | WQ_UNBOUND,
				  0);
	return glue_wq ? 0 : -ENOMEM;
}

/**
 * virtiofs_glue_exit() - undo virtiofs_glue_init()
 *
 * Context: module exit, when all connections are gone.
 */
void virtiofs_glue_exit(void)
{
	destroy_workqueue(glue_wq);
}
