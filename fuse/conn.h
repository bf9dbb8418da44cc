/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the FUSE client's side share: a connection, and a request
 * while it is with us.  No other file sees the FUSE client's private structures.
 */
#ifndef _VIRTIOFS_FUSE_CONN_H
#define _VIRTIOFS_FUSE_CONN_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "fuse_glue.h"
#include "hit_rate.h"
#include "virtqueue.h"

struct glue_completions;
struct glue_latency;
struct glue_orphan;

/* Most microseconds that a reply may be polled for */
#define GLUE_POLL_US_MAX	10000

/* Requests of other opcodes are not polled for */
#define GLUE_POLL_OPCODES	64

/**
 * struct glue_conn - a FUSE connection over the queues of a device
 * @session: the device's side; init-only
 * @fc: the FUSE client's connection, which ends after this; init-only
 * @fm: the mount that is no submount; ends as the last one, which may be earlier
 *	than the connection does; init-only
 * @init_error: result of FUSE_INIT, or -EINPROGRESS
 * @init_major: version of the protocol that the server speaks, if it has said
 * @closed: FORGETs are of no use any more; set once
 * @no_interrupt: the server knows no INTERRUPT; set once
 * @timeout: seconds that the device has to complete a request, or 0
 * @poll_us: how long to poll for a reply before sleeping, in microseconds
 * @poll: hit rate of that, for each opcode
 * @errors: number of requests that were completed without a good reply
 * @latency: how long requests have taken
 * @inodes: number of inodes of all superblocks
 * @sbs: what inodes.c knows of each superblock, by its device number
 * @max_inodes: most of them that are to be there when not all are in use, or 0
 * @abort_entry: on the wait queue that the FUSE client wakes when it aborts
 * @watch: watches requests in flight, as long as there are any
 * @abandon: lets killed callers abandon their requests, at the word of @watch
 * @direct: there may be direct I/O in the background, of which it finds the callers
 * @age: how old @watch has last taken the oldest request for, in seconds
 * @slow: the device was said not to respond; of @watch alone
 * @blocked: id of the request that waits the longest to get to the device, or 0; of
 *	@watch alone
 * @blocked_since: when @watch first saw that, in nanoseconds of ktime_get_ns()
 * @watchdog: kills the queues when the end of the session makes no progress
 * @progress: number of requests but INTERRUPTs that were complete when @watchdog last ran
 * @stalled: how often it was the same
 * @stuck: number of those that were complete when a task that exits lost its
 *	patience, or U64_MAX
 * @orphans: requests whose callers are gone, under @lock
 * @nr_orphans: number of those whose last work is not done
 * @interrupts: INTERRUPTs that are due though their callers are gone, under @lock
 * @nr_interrupts: number of INTERRUPTs that are complete, changed under @lock
 * @completions: those that were left to workers
 * @lock: protects the INTERRUPTs of all requests, and orphans.  Taken under the
 *	FUSE client's locks; no queue's lock is taken under it.
 *
 * Made by the mount, freed by the FUSE client's last call, ->release().
 */
struct glue_conn {
	struct virtiofs_session *session;
	struct fuse_conn *fc;
	struct fuse_mount *fm;
	int init_error;
	u32 init_major;
	bool closed;
	bool no_interrupt;
	unsigned int timeout;
	unsigned int poll_us;
	struct virtiofs_hit_rate poll[GLUE_POLL_OPCODES];
	atomic_long_t errors;
	struct glue_latency __percpu *latency;
	atomic_long_t inodes;
	struct xarray sbs;
	unsigned int max_inodes;
	struct wait_queue_entry abort_entry;
	struct delayed_work watch;
	struct work_struct abandon;
	unsigned int direct;
	unsigned int age;
	bool slow;
	u64 blocked;
	u64 blocked_since;
	struct delayed_work watchdog;
	u64 progress;
	unsigned int stalled;
	u64 stuck;
	struct list_head orphans;
	atomic_t nr_orphans;
	struct list_head interrupts;
	u64 nr_interrupts;
	struct glue_completions __percpu *completions;
	spinlock_t lock; /* of INTERRUPTs and orphans */
};

static inline struct glue_conn *glue_conn_of(struct fuse_conn *fc)
{
	return glue_fiq(fc)->priv;
}

/* How many requests are complete.  A server may want to have an INTERRUPT again and again. */
static inline u64 glue_progress(struct glue_conn *conn)
{
	return virtiofs_vqs_completed(conn->session->vqs) -
	       READ_ONCE(conn->nr_interrupts);
}

/* Were the queues of its session killed?  Then all ends that is sent. */
static inline bool glue_is_killed(struct glue_conn *conn)
{
	return READ_ONCE(conn->session->vqs->state) == VIRTIOFS_KILLED;
}

/* Most bytes that one request reads */
static inline unsigned long glue_max_read(struct fuse_conn *fc)
{
	return min((unsigned long)fc->max_read, fc->max_pages * PAGE_SIZE);
}

static inline struct virtiofs_vq *glue_hiprio(struct glue_conn *conn)
{
	return &conn->session->vqs->vq[VIRTIOFS_VQ_HIPRIO];
}

/**
 * struct glue_sub - what we need of a request while it is with us
 * @link: for the queue
 * @orphan: what its caller has left, or NULL.  Changes once, under the lock of the
 *	queue while the device has the request; so its completion needs no lock.
 *
 * Lies in the request's @list: we keep it off the lists of the FUSE client,
 * which could complete it there while the device still owns it.
 */
struct glue_sub {
	struct llist_node link;
	struct glue_orphan *orphan;
};

static_assert(sizeof(struct glue_sub) <= sizeof_field(struct fuse_req, list));

static inline struct glue_sub *glue_sub_of(struct fuse_req *req)
{
	return (struct glue_sub *)&req->list;
}

static inline struct fuse_req *glue_req_of(struct llist_node *link)
{
	return container_of((struct list_head *)link, struct fuse_req, list);
}

/* fuse_glue.c: the FUSE client's functions */
extern const struct fuse_iqueue_ops virtiofs_glue_fiq_ops;

/* req.c: requests as buffers */

/* Room for a FLUSH or RELEASE without its caller, and for the reply */
#define VIRTIOFS_REQ_KEPT	128

bool virtiofs_req_prepare(struct fuse_req *req);
int virtiofs_req_map(struct llist_node *link, struct virtiofs_buf *buf,
		     struct virtiofs_sgl *sgl);
int virtiofs_req_read(struct fuse_req *req, struct virtiofs_buf *buf);
unsigned int virtiofs_req_len(struct fuse_req *req);
unsigned int virtiofs_req_reply_len(struct fuse_req *req);
void *virtiofs_req_memory(struct fuse_req *req, struct virtiofs_buf *buf);
int virtiofs_req_check(struct fuse_req *req, struct fuse_args *args,
		       struct glue_conn *conn, struct virtiofs_buf *buf);
void *virtiofs_req_reply(struct fuse_req *req, struct fuse_args *args,
			 struct virtiofs_buf *buf);
void virtiofs_req_keep(struct fuse_req *req, struct fuse_args *args, void *copy);
const void *virtiofs_req_kept(struct fuse_req *req);
void virtiofs_req_free(struct fuse_req *req);
void virtiofs_req_put(struct fuse_req *req);

/* init.c: the beginning of a session */
void virtiofs_init_offer(struct fuse_init_in *init);
void virtiofs_init_done(struct fuse_req *req, int error);
bool virtiofs_init_is_complete(struct glue_conn *conn);
int virtiofs_init_wait(struct fs_context *fsc, struct glue_conn *conn);

/* complete.c: completions that may block */
extern struct workqueue_struct *virtiofs_glue_wq;
extern struct workqueue_struct *virtiofs_complete_wq;

struct glue_completions __percpu *virtiofs_complete_alloc(void);
void virtiofs_complete_free(struct glue_completions __percpu *all);
void virtiofs_complete(struct glue_conn *conn, struct fuse_req *req);

/* poll.c: replies that are polled for */
bool virtiofs_poll_submit(struct glue_conn *conn, struct virtiofs_vq *vq,
			  struct fuse_req *req, struct virtiofs_waiter *waiter);

/* interrupt.c: callers that have got a signal */
int virtiofs_interrupt_wait(struct glue_conn *conn, struct fuse_req *req);
void virtiofs_interrupt_again(struct glue_conn *conn);

/* abandon.c: callers that do not wait */
void virtiofs_abandon_signalled(struct fuse_iqueue *fiq, struct fuse_req *req);
bool virtiofs_abandon_is_exiting(struct fuse_req *req);
void virtiofs_abandon_exiting(struct glue_conn *conn, struct fuse_req *req);
void virtiofs_abandon_held(struct glue_conn *conn, struct fuse_req *req);
void virtiofs_abandon_killed(struct work_struct *work);

/* order.c: what must not overtake what they have left */
bool virtiofs_order_hold(struct glue_conn *conn, struct fuse_req *req);
void virtiofs_order_send_forget(struct glue_conn *conn,
				struct fuse_forget_link *link);
void virtiofs_order_forget(struct glue_conn *conn, u64 nodeid, u64 nlookup);

/* orphan.c: what they have left */
void virtiofs_orphan_done(struct glue_orphan *orphan, struct virtiofs_buf *buf,
			  int error);
void virtiofs_orphan_wait(struct glue_conn *conn);

/* watchdog.c: devices that do not reply */
void virtiofs_watchdog_init(struct glue_conn *conn);
void virtiofs_watchdog_start(struct glue_conn *conn);
void virtiofs_watchdog_begin_unmount(struct glue_conn *conn);
void virtiofs_watchdog_end_unmount(struct glue_conn *conn);
void virtiofs_watchdog_stop(struct glue_conn *conn);

/* inodes.c: inodes that are kept */
void virtiofs_inodes_override(struct super_operations *ops);
int virtiofs_inodes_add_sb(struct super_block *sb);
struct inode *virtiofs_inodes_next(struct glue_conn *conn, u64 nodeid,
				   unsigned long *dev);

/* dirty.c: data that the server has not got yet */
bool virtiofs_dirty_flush(struct glue_conn *conn, struct fuse_req *req);

/* stats.c: how long requests take */
struct glue_latency __percpu *virtiofs_stats_alloc(void);
void virtiofs_stats_free(struct glue_latency __percpu *latency);
void virtiofs_stats_count(struct glue_conn *conn, u32 opcode, u64 ns);

/* mount.c: connections and mounts */
void virtiofs_mount_conn_release(struct fuse_iqueue *fiq);

#endif
