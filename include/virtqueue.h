/* SPDX-License-Identifier: GPL-2.0 */
/*
 * virtqueues of a virtio-fs device: submission, backlog, completion, end.
 *
 * Knows virtio and scatterlists.  Knows nothing of FUSE: what a request says
 * is the business of the functions in struct virtiofs_vq_ops.
 */
#ifndef _VIRTIOFS_VIRTQUEUE_H
#define _VIRTIOFS_VIRTQUEUE_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "fifo.h"
#include "hit_rate.h"

struct virtio_device;
struct virtiofs_vq;
struct virtqueue;

/* The device's queues as section 5.11.2 of the virtio specification has them */
enum {
	VIRTIOFS_VQ_HIPRIO,
	VIRTIOFS_VQ_REQUEST,	/* the first of the request queues */
};

/* A request and its reply take a descriptor each, beside their pages */
#define VIRTIOFS_VQ_OVERHEAD	2

/* The smallest ring that can carry a request with pages */
#define VIRTIOFS_VQ_MIN_SIZE	4

/**
 * struct virtiofs_buf - a request's place in a queue, with memory of its own
 * @node: on one of the queue's lists (free, in the ring, used, woken), or on a
 *	batch that is being completed
 * @link: the submission that has this place
 * @nr: how many submissions have it, @link and those linked behind it
 * @waiter: the submitter that waits for it, or NULL
 * @since: when it came into the ring, in nanoseconds of ktime_get_ns()
 * @took: how long the device had it, in nanoseconds
 * @len: number of bytes that the device claims to have written
 * @error: 0, or why the device did not complete the request
 * @data: headers and arguments; written and read by the device
 *
 * Made with the queue, as many as the ring has entries up to a bound, so that nothing is
 * allocated for a request.  Owned by the queue; by the device between map()
 * and its return or the device's reset; from then on by its waiter, if it has
 * one, until done() has run.
 */
struct virtiofs_buf {
	struct list_head node;
	struct llist_node *link;
	unsigned int nr;
	struct virtiofs_waiter *waiter;
	u64 since;
	u64 took;
	unsigned int len;
	int error;
	u8 data[] __aligned(8);
};

/* Bytes of a virtiofs_buf, and what of that is left for data */
#define VIRTIOFS_BUF_SIZE	1024
#define VIRTIOFS_BUF_DATA	(VIRTIOFS_BUF_SIZE - sizeof(struct virtiofs_buf))

/**
 * struct virtiofs_waiter - a submitter that waits for its request
 * @buf: the request's place in the queue, or NULL if it has found none at once
 * @used: the device has used @buf, or never will
 * @done: completed after that, if the submitter sleeps
 *
 * On the submitter's stack, and gone once it has seen @used while it polled, or else @done.
 * @used is written under the queue's lock, and read by the poller without; the others are
 * the submitter's.
 */
struct virtiofs_waiter {
	struct virtiofs_buf *buf;
	bool used;
	struct completion done;
};

/**
 * struct virtiofs_sgl - scatterlist of the request that is being mapped
 * @sg: the entries, what the device reads before what it writes
 * @max: number of entries at @sg, which is that of the ring up to a bound
 * @max_len: longest run of bytes that the device takes as one descriptor
 * @nr: number of entries
 * @nr_out: number of those that the device reads, or 0 until the reply has begun
 * @len: number of bytes
 * @len_out: number of those that the device reads, once the reply has begun
 *
 * One for each queue, used under its lock: the ring has taken what it needs
 * of the entries when virtqueue_add_sgs() returns.
 */
struct virtiofs_sgl {
	struct scatterlist *sg;
	unsigned int max;
	unsigned int max_len;
	unsigned int nr;
	unsigned int nr_out;
	unsigned int len;
	unsigned int len_out;
};

/**
 * struct virtiofs_vq_ops - the submitter's side of a queue
 * @map: Describe the submission at @link, its headers and arguments copied to
 *	@buf.  Add with virtiofs_sgl_add() what the device reads, of which there
 *	is some, and after virtiofs_sgl_begin_reply() what it writes, if there is
 *	a reply.  Those that are linked behind it, up to a NULL, wait as well,
 *	and may become a part of the same request.  May be called several times
 *	before the ring takes the request.  Returns the number of submissions
 *	in it, or -errno that ends the one at @link.  Context: under the queue's
 *	lock.
 * @done: The submissions at @link are through: @buf->nr of them, with the reply
 *	in @buf; or one, if @buf is NULL because the device never had it.
 *	@error is 0 when the device returned the request, else the reason.
 *	Each submission that is not cancelled ends once.
 *	Context: process context, no lock held by the queue; that of the
 *	submitter, if it waits, else the worker's.
 */
struct virtiofs_vq_ops {
	int (*map)(struct llist_node *link, struct virtiofs_buf *buf,
		   struct virtiofs_sgl *sgl);
	void (*done)(struct llist_node *link, struct virtiofs_buf *buf,
		     int error);
};

/**
 * struct virtiofs_vqs_ops - what kinds of submissions the queues carry
 * @hiprio: for queue VIRTIOFS_VQ_HIPRIO
 * @request: for the request queues
 */
struct virtiofs_vqs_ops {
	const struct virtiofs_vq_ops *hiprio;
	const struct virtiofs_vq_ops *request;
};

/**
 * struct virtiofs_vq_stats - what a queue has done since it was started
 * @requests: number of completed submissions
 * @in_flight: number of submissions that the device has
 * @backlog: number of submissions that wait to get there
 * @polled: number of requests that completed while their submitter polled for them
 * @interrupts: number of interrupts
 * @kicks: number of notifications of the device
 * @bytes_out: number of bytes that the device was given to read
 * @bytes_in: number of bytes that the device says it has written
 */
struct virtiofs_vq_stats {
	u64 requests;
	u64 in_flight;
	u64 backlog;
	u64 polled;
	u64 interrupts;
	u64 kicks;
	u64 bytes_out;
	u64 bytes_in;
};

/**
 * enum virtiofs_vq_state - what reaps next
 * @VQ_IDLE: none, as nothing is in the ring
 * @VQ_POLLED: the one task that polls, for its own request
 * @VQ_SCHEDULED: the worker, or a task that polls
 * @VQ_ARMED: the interrupt, as callbacks are on; in the other states they are off
 */
enum virtiofs_vq_state {
	VQ_IDLE,
	VQ_POLLED,
	VQ_SCHEDULED,
	VQ_ARMED,
};

/**
 * struct virtiofs_vq - one queue
 * @ops: [R] the submitter's functions; see virtiofs_vq_set_ops()
 * @vqs: [I] all queues of the device
 * @name: [I] as in /proc/interrupts and sysfs
 * @lock: the innermost lock of the driver: only map() and functions that scan are called under
 *	it.  Taken by the interrupt.
 * @dead: [R] submissions end with -ENOTCONN through the worker, and the ring is
 *	not touched any more.  Final: a device that starts again gets new queues.
 * @ring: [L] the virtqueue; gone when @dead.  Notified in an RCU section that has begun
 *	under the lock, which is dropped first but on a real-time kernel.
 * @notify: [L] the device is notified when the lock is dropped; false without it
 * @in_ring: [L] bufs that the device owns, the oldest first
 * @nr_in_ring: [R] number of submissions that have them
 * @backlog: [L] submissions that are not in the ring, oldest first
 * @deferred: [L] submissions that are not on the backlog yet, oldest first
 * @failed: [L] submissions that cannot get there, for the worker to complete
 * @free: [L] bufs that are not in use, the last used first
 * @sgl: [L] scratch scatterlist
 * @pending: [R] number of submissions that done() has not finished
 * @completed: [R] number of submissions that done() has finished
 * @idle: woken when @pending becomes 0
 * @state: [R] what reaps next, by the three fields that follow, @nr_in_ring and @dead; in line
 *	with them whenever the lock is free
 * @poller: [L] the waiter that polls, or NULL; it has submitted into an empty ring
 * @nr_sleeping: [L] number of submissions in the ring whose submitters sleep
 * @scheduled: [L] @work is going to take the lock, and then reaps
 * @woken: [L] bufs of sleepers that are woken when the lock is dropped; empty without it
 * @work: completes what has no waiter and what failed, goes on with the backlog
 * @used: [L] bufs that the device has used, for the worker to complete
 * @flush: moves what is deferred to the backlog, pending while there is any
 * @timer: starts @work when the ring lacked memory to take a request
 * @polled: [L] see struct virtiofs_vq_stats, as for the following
 * @interrupts: [L] the same
 * @kicks: [L] the same
 * @bytes_out: [L] the same
 * @bytes_in: [L] the same
 *
 * I: init-only.  L: under @lock.  R: changed under @lock, and read without it where a value of
 * a moment ago does.
 *
 * A submission is deferred, on the backlog, in the ring, its waiter's, on a batch of
 * the worker or on the list of failed ones, and completes exactly once.  Whether the ring is
 * full is decided under the lock hold that puts the submission on the backlog, so no
 * completion can slip in between and leave it there.
 */
struct virtiofs_vq {
	const struct virtiofs_vq_ops *ops;
	struct virtiofs_vqs *vqs;
	char name[24];

	/* Ring */
	spinlock_t lock ____cacheline_aligned_in_smp;
	bool dead;
	struct virtqueue *ring;
	bool notify;
	struct list_head in_ring;
	unsigned int nr_in_ring;
	struct virtiofs_fifo backlog;
	struct virtiofs_fifo deferred;
	struct virtiofs_fifo failed;
	struct list_head free;
	struct virtiofs_sgl sgl;
	unsigned int pending;
	u64 completed;
	wait_queue_head_t idle;

	/* Wait */
	enum virtiofs_vq_state state;
	struct virtiofs_waiter *poller;
	unsigned int nr_sleeping;
	bool scheduled;
	struct list_head woken;

	/* Worker */
	struct work_struct work;
	struct list_head used;
	struct delayed_work flush;
	struct timer_list timer;

	/* Statistics */
	u64 polled;
	u64 interrupts;
	u64 kicks;
	u64 bytes_out;
	u64 bytes_in;
};

/**
 * enum virtiofs_vqs_state - how queues are doing
 * @VIRTIOFS_RUNNING: as they should
 * @VIRTIOFS_NOT_RESPONDING: the device keeps a request for long
 * @VIRTIOFS_KILLED: the device was taken away from them
 */
enum virtiofs_vqs_state {
	VIRTIOFS_RUNNING,
	VIRTIOFS_NOT_RESPONDING,
	VIRTIOFS_KILLED,
};

/**
 * typedef virtiofs_scan_fn - called for a submission that is not complete
 * @link: the submission
 * @since: when it came into the ring, in nanoseconds of ktime_get_ns(); 0 on the backlog
 * @arg: of virtiofs_vqs_scan()
 *
 * Called under the queue's lock.  Returns true to end the scan.
 */
typedef bool (*virtiofs_scan_fn)(struct llist_node *link, u64 since,
				 void *arg);

/**
 * struct virtiofs_vqs - the queues of a device, from start to kill
 * @ref: one for the device, one for each session
 * @vdev: the device; not to be touched once killed
 * @index: its number, for trace events; init-only
 * @changed: called when @state has changed, under @lock, and never again once
 *	virtiofs_vqs_kill() has returned; must not sleep
 * @lock: serializes virtiofs_vqs_kill(); may be held across a device reset
 * @state: how the queues are doing; changed under @lock.  KILLED is final: the
 *	device was reset and the rings are gone.
 * @kill_work: virtiofs_vqs_kill() for those who cannot sleep
 * @check_work: asks whether the device still works
 * @cpu_dead: on the list of those that are told when a CPU has gone
 * @cpu_online: on the list of those that are told when one has come
 * @map: for each possible CPU the index of its request queue; init-only
 * @nr: number of queues, hiprio included; init-only
 * @vq: the queues
 */
struct virtiofs_vqs {
	struct kref ref;
	struct virtio_device *vdev;
	int index;
	void (*changed)(struct virtiofs_vqs *vqs);
	struct mutex lock; /* kill */
	enum virtiofs_vqs_state state;
	struct work_struct kill_work;
	struct work_struct check_work;
	struct hlist_node cpu_dead;
	struct hlist_node cpu_online;
	unsigned int *map;
	unsigned int nr;
	struct virtiofs_vq vq[] __counted_by(nr);
};

bool virtiofs_sgl_add(struct virtiofs_sgl *sgl, struct page *page,
		      unsigned int len, unsigned int offset);

/**
 * virtiofs_sgl_add_memory() - add bytes of the kernel's linear mapping
 * @sgl: scatterlist that a map() function fills
 * @memory: the bytes
 * @len: how many they are
 *
 * Context: map().
 * Return: as virtiofs_sgl_add().
 */
static inline bool virtiofs_sgl_add_memory(struct virtiofs_sgl *sgl,
					   void *memory, unsigned int len)
{
	return virtiofs_sgl_add(sgl, virt_to_page(memory), len,
				offset_in_page(memory));
}

/**
 * virtiofs_sgl_begin_reply() - what is added from here on is for the device to write
 * @sgl: scatterlist that a map() function fills, to which it has added something
 *
 * Context: map().
 */
static inline void virtiofs_sgl_begin_reply(struct virtiofs_sgl *sgl)
{
	sgl->nr_out = sgl->nr;
	sgl->len_out = sgl->len;
}

/**
 * virtiofs_vq_is_idle() - has the device nothing to do?
 * @vq: the queue
 *
 * Context: any.
 * Return: true if nothing was in the ring just now.
 */
static inline bool virtiofs_vq_is_idle(struct virtiofs_vq *vq)
{
	return !READ_ONCE(vq->nr_in_ring);
}

/**
 * virtiofs_vq_has_pending() - has a queue anything to do?
 * @vq: the queue
 *
 * Context: any.
 * Return: true if there was just now a submission that has not completed.
 */
static inline bool virtiofs_vq_has_pending(struct virtiofs_vq *vq)
{
	return READ_ONCE(vq->pending);
}

void virtiofs_vq_submit(struct virtiofs_vq *vq, struct llist_node *link);
void virtiofs_vq_submit_all(struct virtiofs_vq *vq, struct virtiofs_fifo *fifo);
bool virtiofs_vq_submit_wait(struct virtiofs_vq *vq, struct llist_node *link,
			     struct virtiofs_waiter *waiter, u64 ns,
			     struct virtiofs_hit_rate *rate);
bool virtiofs_vq_wait(struct virtiofs_vq *vq, struct virtiofs_waiter *waiter,
		      long timeout);
void virtiofs_vq_defer(struct virtiofs_vq *vq, struct llist_node *link,
		       unsigned int enough, unsigned long delay);
void virtiofs_vq_flush(struct virtiofs_vq *vq);
void virtiofs_vq_set_ops(struct virtiofs_vq *vq,
			 const struct virtiofs_vq_ops *ops);
void virtiofs_vq_stats(struct virtiofs_vq *vq, struct virtiofs_vq_stats *stats);

int virtiofs_reset(struct virtio_device *vdev);
struct virtiofs_vqs *virtiofs_vqs_start(struct virtio_device *vdev,
					unsigned int nr_request,
					const struct virtiofs_vqs_ops *ops,
					void (*changed)(struct virtiofs_vqs *));
void virtiofs_vqs_kill(struct virtiofs_vqs *vqs);
void virtiofs_vqs_kill_async(struct virtiofs_vqs *vqs);
void virtiofs_vqs_check_async(struct virtiofs_vqs *vqs);
void virtiofs_vqs_flush_kill(struct virtiofs_vqs *vqs);
void virtiofs_vqs_set_responding(struct virtiofs_vqs *vqs, bool responding);
bool virtiofs_vqs_scan(struct virtiofs_vqs *vqs, virtiofs_scan_fn fn,
		       void *arg);
bool virtiofs_vq_scan_backlog(struct virtiofs_vq *vq, virtiofs_scan_fn fn,
			      void *arg);
bool virtiofs_vqs_scan_backlog(struct virtiofs_vqs *vqs, virtiofs_scan_fn fn,
			       void *arg);
bool virtiofs_vqs_has(struct virtiofs_vqs *vqs, struct llist_node *link,
		      virtiofs_scan_fn fn, void *arg);
void virtiofs_vqs_reap(struct virtiofs_vqs *vqs);
u64 virtiofs_vq_oldest(struct virtiofs_vq *vq);
u64 virtiofs_vqs_oldest(struct virtiofs_vqs *vqs);
void virtiofs_vqs_drain(struct virtiofs_vqs *vqs);
bool virtiofs_vqs_cancel(struct virtiofs_vqs *vqs, struct llist_node *link);
bool virtiofs_vqs_are_dead(struct virtiofs_vqs *vqs);
struct virtiofs_vqs *virtiofs_vqs_get(struct virtiofs_vqs *vqs);
void virtiofs_vqs_put(struct virtiofs_vqs *vqs);
u64 virtiofs_vqs_completed(struct virtiofs_vqs *vqs);
unsigned int virtiofs_vqs_ring_size(struct virtiofs_vqs *vqs);

/**
 * virtiofs_vqs_pick() - choose a request queue for the caller
 * @vqs: the queues
 *
 * Context: any.  A task that moves to another CPU loses nothing but locality.
 * Return: a request queue, never the hiprio queue.
 */
static inline struct virtiofs_vq *virtiofs_vqs_pick(struct virtiofs_vqs *vqs)
{
	return &vqs->vq[vqs->map[raw_smp_processor_id()]];
}

int virtiofs_wq_init(void);
void virtiofs_wq_exit(void);

#endif
