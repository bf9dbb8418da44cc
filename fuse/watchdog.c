// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that do not reply: how long a request may take, and how long the end
 * of a session.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/printk.h>
#include <linux/suspend.h>

#include "conn.h"

/* How often requests in flight are checked */
#define GLUE_WATCH_PERIOD	HZ

/* How old a request is when the device is said not to respond, in seconds */
#define GLUE_SLOW		30

/* How often the device may show no progress while its session ends */
#define GLUE_PATIENCE		30

/**
 * struct glue_oldest - the oldest of the requests that are bound to be complete soon
 * @since: when the device got it, in nanoseconds of ktime_get_ns()
 * @opcode: what it is, or 0 if there is none
 */
struct glue_oldest {
	u64 since;
	u32 opcode;
};

static void watchdog_may_be_oldest(struct glue_oldest *oldest, u64 since,
				   u32 opcode)
{
	if (oldest->opcode && since >= oldest->since)
		return;
	oldest->since = since;
	oldest->opcode = opcode;
}

/* See virtiofs_scan_fn */
static bool watchdog_find_oldest(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);

	/* Waits for another task to unlock */
	if (req->in.h.opcode != FUSE_SETLKW)
		watchdog_may_be_oldest(arg, since, req->in.h.opcode);
	return false;
}

/**
 * struct glue_blocked - the request that waits the longest to get to the device
 * @unique: its id, or 0 if there is none
 * @opcode: what it is
 */
struct glue_blocked {
	u64 unique;
	u32 opcode;
};

/* See virtiofs_scan_fn.  Others on this backlog have come later. */
static bool watchdog_find_blocked(struct llist_node *link, u64 since, void *arg)
{
	struct fuse_req *req = glue_req_of(link);
	struct glue_blocked *blocked = arg;

	if (req->in.h.opcode == FUSE_SETLKW)
		return false;
	if (!blocked->unique || req->in.h.unique < blocked->unique) {
		blocked->unique = req->in.h.unique;
		blocked->opcode = req->in.h.opcode;
	}
	return true;
}

/*
 * A queue goes on in order.  So while the same request waits the longest, its queue takes
 * none: the device has it full of locks, perhaps, whose holders may be behind them.
 */
static void watchdog_add_blocked(struct glue_conn *conn, struct glue_oldest *oldest,
				 u64 now)
{
	struct virtiofs_vqs *vqs = conn->session->vqs;
	struct glue_blocked blocked = {};
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++)
		virtiofs_vq_scan_backlog(&vqs->vq[i], watchdog_find_blocked,
					 &blocked);
	if (blocked.unique != conn->blocked) {
		conn->blocked = blocked.unique;
		conn->blocked_since = now;
	}
	if (blocked.unique)
		watchdog_may_be_oldest(oldest, conn->blocked_since, blocked.opcode);
}

/* What goes over the hiprio queue is never long with a device that works */
static void watchdog_add_hiprio(struct glue_conn *conn, struct glue_oldest *oldest,
				u64 now)
{
	u64 age = virtiofs_vq_oldest(glue_hiprio(conn));

	if (age)
		watchdog_may_be_oldest(oldest, now - age, FUSE_FORGET);
}

/* The device is said to respond, or not, when that has changed */
static void watchdog_set_slow(struct glue_conn *conn, bool slow, u32 opcode,
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

static void watchdog_watch(struct work_struct *work)
{
	struct glue_conn *conn = container_of(to_delayed_work(work),
					      struct glue_conn, watch);
	unsigned int timeout = glue_conn_timeout(conn->fc,
						 READ_ONCE(conn->timeout));
	unsigned int slow = timeout ? clamp(timeout / 2, 1U, GLUE_SLOW) : GLUE_SLOW;
	struct glue_oldest oldest = {};
	u64 now = ktime_get_ns();
	unsigned int age = 0;

	virtiofs_vqs_reap(conn->session->vqs);
	virtiofs_interrupt_again(conn);
	queue_work(virtiofs_complete_wq, &conn->abandon);
	virtiofs_vqs_scan(conn->session->vqs, watchdog_find_oldest, &oldest);
	watchdog_add_blocked(conn, &oldest, now);
	watchdog_add_hiprio(conn, &oldest, now);
	if (oldest.opcode && oldest.since < now)
		age = div_u64(now - oldest.since, NSEC_PER_SEC);
	/* The clock may have gone on while neither guest nor device ran */
	age = min(age, conn->age + 2);
	conn->age = age;
	if (timeout && age >= timeout) {
		pr_err("virtiofs: %s: opcode %u is not answered for %u s, ending the connection\n",
		       conn->session->tag, oldest.opcode, age);
		virtiofs_vqs_kill_async(conn->session->vqs);
		return;
	}
	/* A lock may be waited for as long as it likes, but not with a device that is gone */
	if (age || virtiofs_vqs_oldest(conn->session->vqs) >= NSEC_PER_SEC)
		virtiofs_vqs_check_async(conn->session->vqs);
	watchdog_set_slow(conn, age >= slow, oldest.opcode, age);
	/* The sync of a suspend waits for the device, unless something is more urgent */
	if (conn->slow)
		pm_system_wakeup();
	if (glue_has_requests(conn->fc) ||
	    virtiofs_vq_has_pending(glue_hiprio(conn)))
		queue_delayed_work(virtiofs_glue_wq, &conn->watch,
				   GLUE_WATCH_PERIOD);
}

static void watchdog_unmount(struct work_struct *work)
{
	struct glue_conn *conn = container_of(to_delayed_work(work),
					      struct glue_conn, watchdog);
	struct virtiofs_vqs *vqs = conn->session->vqs;
	u64 progress;

	/* An interrupt may not come */
	virtiofs_vqs_reap(vqs);
	progress = glue_progress(conn);
	if (progress != conn->progress)
		conn->stalled = 0;
	conn->progress = progress;
	if (++conn->stalled == GLUE_PATIENCE) {
		pr_warn("virtiofs: %s: no answer during unmount, resetting the device\n",
			conn->session->tag);
		virtiofs_vqs_kill_async(vqs);
	}
	queue_delayed_work(virtiofs_glue_wq, &conn->watchdog,
			   GLUE_WATCH_PERIOD);
}

/**
 * virtiofs_watchdog_init() - make ready to watch a connection
 * @conn: a new connection
 */
void virtiofs_watchdog_init(struct glue_conn *conn)
{
	INIT_DELAYED_WORK(&conn->watch, watchdog_watch);
	INIT_DELAYED_WORK(&conn->watchdog, watchdog_unmount);
}

/**
 * virtiofs_watchdog_start() - watch requests until there are none any more
 * @conn: a connection with a request
 *
 * Context: any.
 */
void virtiofs_watchdog_start(struct glue_conn *conn)
{
	if (!delayed_work_pending(&conn->watch))
		queue_delayed_work(virtiofs_glue_wq, &conn->watch,
				   GLUE_WATCH_PERIOD);
}

/**
 * virtiofs_watchdog_begin_unmount() - have the end of a session end
 * @conn: the connection
 *
 * Reaps each second, and kills the queues if nothing completes GLUE_PATIENCE times.
 */
void virtiofs_watchdog_begin_unmount(struct glue_conn *conn)
{
	conn->progress = glue_progress(conn);
	conn->stalled = 0;
	queue_delayed_work(virtiofs_glue_wq, &conn->watchdog,
			   GLUE_WATCH_PERIOD);
}

/**
 * virtiofs_watchdog_end_unmount() - undo virtiofs_watchdog_begin_unmount()
 * @conn: the connection
 *
 * Context: process context, may sleep.
 */
void virtiofs_watchdog_end_unmount(struct glue_conn *conn)
{
	cancel_delayed_work_sync(&conn->watchdog);
}

/**
 * virtiofs_watchdog_stop() - watch a connection no longer
 * @conn: a connection without requests
 *
 * Context: process context, may sleep.
 */
void virtiofs_watchdog_stop(struct glue_conn *conn)
{
	cancel_delayed_work_sync(&conn->watch);
	cancel_work_sync(&conn->abandon);
	/* The session has ended, so that these go */
	virtiofs_interrupt_again(conn);
	/* The next session may have the same queues */
	if (conn->slow)
		virtiofs_vqs_set_responding(conn->session->vqs, true);
}
