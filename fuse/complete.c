// SPDX-License-Identifier: GPL-2.0
/*
 * Completions of the FUSE client that may block, and so are not for the task that reaps.
 *
 * One may wait for a page lock, which its holder may keep until another request is
 * complete.  So a completion that may wait for others stands before no
 * other one.  It gets a work item, which has to be allocated; that cannot be done while
 * others wait for memory to be written back, and so it is tried again later.
 *
 * Completions that block shortly, and never for another completion, share a list.
 */

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "conn.h"

/* How long a completion waits if there is no memory for its work item */
#define END_RETRY_DELAY		msecs_to_jiffies(10)

/**
 * struct glue_completion - a completion with a work item of its own
 * @work: does it
 * @req: the request
 */
struct glue_completion {
	struct work_struct work;
	struct fuse_req *req;
};

/**
 * struct glue_completions - completions that were left to a CPU's workers
 * @short_ones: requests whose completion blocks shortly, the last one first
 * @work: completes them
 * @long_ones: requests whose completion may wait for others, the last one first
 * @spread: gives each of those a work item; does not block
 *
 * One for each CPU and connection.  The first of a list queues its work, which
 * takes all of the list.  The connection may go with the last of the requests.
 */
struct glue_completions {
	struct llist_head short_ones;
	struct work_struct work;
	struct llist_head long_ones;
	struct delayed_work spread;
};

/* For short works: completions that block shortly, and the watchdogs of connections */
struct workqueue_struct *virtiofs_glue_wq;

/* For completions that may wait for others, all of which have to run at once */
struct workqueue_struct *virtiofs_complete_wq;

/*
 * Memory that is allocated here must not be waited for by writeback that waits for
 * this worker.
 */
static void complete_req(struct fuse_req *req)
{
	unsigned int noio = memalloc_noio_save();

	INIT_LIST_HEAD(&req->list);
	fuse_request_end(req);
	memalloc_noio_restore(noio);
}

static void complete_short_work(struct work_struct *work)
{
	struct glue_completions *lists = container_of(work, struct glue_completions, work);
	struct llist_node *link, *next;

	link = llist_reverse_order(llist_del_all(&lists->short_ones));
	llist_for_each_safe(link, next, link)
		complete_req(glue_req_of(link));
}

static void complete_work(struct work_struct *work)
{
	struct glue_completion *end = container_of(work, struct glue_completion, work);
	struct fuse_req *req = end->req;

	kfree(end);
	complete_req(req);
}

static bool complete_give_work(struct fuse_req *req)
{
	struct glue_completion *end = kmalloc(sizeof(*end), GFP_NOWAIT | __GFP_NOWARN);

	if (!end)
		return false;
	end->req = req;
	INIT_WORK(&end->work, complete_work);
	queue_work(virtiofs_complete_wq, &end->work);
	return true;
}

/* A list that is not empty has this run again */
static void complete_spread(struct work_struct *work)
{
	struct glue_completions *lists = container_of(to_delayed_work(work),
					      struct glue_completions, spread);
	struct llist_node *link, *next;

	link = llist_reverse_order(llist_del_all(&lists->long_ones));
	llist_for_each_safe(link, next, link) {
		if (complete_give_work(glue_req_of(link)))
			continue;
		if (llist_add(link, &lists->long_ones))
			queue_delayed_work(virtiofs_glue_wq, &lists->spread,
					   END_RETRY_DELAY);
	}
}

/* Pages that a file or several processes share may be locked until a reply comes */
static bool complete_only_anon(struct fuse_args *args)
{
	struct fuse_args_pages *ap = container_of(args, typeof(*ap), args);
	unsigned int i;

	if (!args->user_pages)
		return false;
	for (i = 0; i < glue_nr_pages(ap); i++) {
		if (!folio_test_anon(page_folio(glue_page(ap, i))))
			return false;
	}
	return true;
}

/*
 * May this drop the last reference to an inode, which waits until that is not written back any
 * more?  The end of a RELEASE does; and so does that of a READ or WRITE of the page cache, if
 * there is no RELEASE to be sent.
 */
static bool complete_may_release(struct fuse_conn *fc, struct fuse_req *req)
{
	if (!test_bit(FR_BACKGROUND, &req->flags))
		return false;
	switch (req->in.h.opcode) {
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return true;
	case FUSE_READ:
	case FUSE_WRITE:
		return fc->no_open || !glue_is_connected(fc);
	default:
		return false;
	}
}

/**
 * virtiofs_complete() - complete a request, or have it completed soon
 * @conn: its connection
 * @req: the request, with its result; on no list
 *
 * Context: done().
 */
void virtiofs_complete(struct glue_conn *conn, struct fuse_req *req)
{
	struct glue_completions *lists = raw_cpu_ptr(conn->completions);
	struct llist_node *link = &glue_sub_of(req)->link;

	if (likely(!req->args->may_block) && !complete_may_release(conn->fc, req)) {
		complete_req(req);
	} else if (!req->args->may_block || complete_only_anon(req->args)) {
		if (llist_add(link, &lists->short_ones))
			queue_work(virtiofs_glue_wq, &lists->work);
	} else if (!complete_give_work(req)) {
		if (llist_add(link, &lists->long_ones))
			queue_delayed_work(virtiofs_glue_wq, &lists->spread,
					   END_RETRY_DELAY);
	}
}

/**
 * virtiofs_complete_alloc() - make what virtiofs_complete() needs for a connection
 *
 * Context: process context, may sleep.
 * Return: it, or NULL.
 */
struct glue_completions __percpu *virtiofs_complete_alloc(void)
{
	struct glue_completions __percpu *all = alloc_percpu(struct glue_completions);
	struct glue_completions *lists;
	int cpu;

	if (!all)
		return NULL;
	for_each_possible_cpu(cpu) {
		lists = per_cpu_ptr(all, cpu);
		init_llist_head(&lists->short_ones);
		init_llist_head(&lists->long_ones);
		INIT_WORK(&lists->work, complete_short_work);
		INIT_DELAYED_WORK(&lists->spread, complete_spread);
	}
	return all;
}

/**
 * virtiofs_complete_free() - undo virtiofs_complete_alloc()
 * @all: what it has returned, or NULL; all requests are complete
 *
 * Context: process context.
 */
void virtiofs_complete_free(struct glue_completions __percpu *all)
{
	free_percpu(all);
}

/**
 * virtiofs_complete_init() - create what all connections share
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_complete_init(void)
{
	virtiofs_glue_wq = alloc_workqueue("virtiofs_glue", WQ_MEM_RECLAIM |
					   WQ_PERCPU, 0);
	if (!virtiofs_glue_wq)
		return -ENOMEM;
	virtiofs_complete_wq = alloc_workqueue("virtiofs_complete", WQ_MEM_RECLAIM |
					  WQ_PERCPU, WQ_MAX_ACTIVE);
	if (!virtiofs_complete_wq) {
		destroy_workqueue(virtiofs_glue_wq);
		return -ENOMEM;
	}
	return 0;
}

/**
 * virtiofs_complete_exit() - undo virtiofs_complete_init()
 *
 * Context: module exit, when all connections are gone.
 */
void virtiofs_complete_exit(void)
{
	destroy_workqueue(virtiofs_complete_wq);
	destroy_workqueue(virtiofs_glue_wq);
}
