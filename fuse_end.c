// SPDX-License-Identifier: GPL-2.0
/*
 * Ends of requests that the queue's worker leaves to others.
 *
 * It must not wait where an end may block, for instance on a page lock, which may
 * be held until the worker completes another request.
 */

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "fuse_conn.h"

/**
 * struct glue_ends - ends that were left to a CPU's workers
 * @requests: whose ends they are, the last one first
 * @work: ends them
 *
 * One for each CPU and connection.  Who makes @requests not empty queues @work, once, which takes
 * all of them and touches nothing of this any more: the connection may go with the last
 * of the requests.
 */
struct glue_ends {
	struct llist_head requests;
	struct work_struct work;
};

/* Also for what looks after connections */
struct workqueue_struct *virtiofs_glue_wq;

static void ends_end(struct fuse_req *req)
{
	INIT_LIST_HEAD(&req->list);
	fuse_request_end(req);
}

static void ends_run(struct work_struct *work)
{
	struct glue_ends *ends = container_of(work, struct glue_ends, work);
	struct llist_node *link, *next;

	link = llist_reverse_order(llist_del_all(&ends->requests));
	llist_for_each_safe(link, next, link)
		ends_end(glue_req_of(link));
}

/*
 * If @requests was empty, none of its requests ends before @work is queued, and
 * the connection stays for them.
 */
static void ends_add(struct glue_ends *ends, struct fuse_req *req)
{
	if (llist_add(&glue_sub_of(req)->link, &ends->requests))
		queue_work(virtiofs_glue_wq, &ends->work);
}

/**
 * virtiofs_end() - end a request, or have it ended soon
 * @conn: its connection
 * @req: the request, with its result; belongs to nobody
 * @buf: its place in the queue, or NULL if the device never had it
 *
 * Context: done().
 */
void virtiofs_end(struct glue_conn *conn, struct fuse_req *req,
		  const struct virtiofs_buf *buf)
{
	struct glue_ends *ends = raw_cpu_ptr(conn->ends);

	if (req->args->may_block)
		ends_add(ends, req);
	else
		ends_end(req);
}

/**
 * virtiofs_ends_alloc() - make what virtiofs_end() needs for a connection
 *
 * Context: process context, may sleep.
 * Return: it, or NULL.
 */
struct glue_ends __percpu *virtiofs_ends_alloc(void)
{
	struct glue_ends __percpu *all = alloc_percpu(struct glue_ends);
	struct glue_ends *ends;
	int cpu;

	if (!all)
		return NULL;
	for_each_possible_cpu(cpu) {
		ends = per_cpu_ptr(all, cpu);
		init_llist_head(&ends->requests);
		INIT_WORK(&ends->work, ends_run);
	}
	return all;
}

/**
 * virtiofs_ends_free() - undo virtiofs_ends_alloc()
 * @all: what it has returned, or NULL; all requests have ended
 *
 * Context: process context.
 */
void virtiofs_ends_free(struct glue_ends __percpu *all)
{
	free_percpu(all);
}

/**
 * virtiofs_glue_init() - create what all connections share
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_glue_init(void)
{
	virtiofs_glue_wq = alloc_workqueue("virtiofs_end", WQ_MEM_RECLAIM |
					   WQ_PERCPU, 0);
	return virtiofs_glue_wq ? 0 : -ENOMEM;
}

/**
 * virtiofs_glue_exit() - undo virtiofs_glue_init()
 *
 * Context: module exit, when all connections are gone.
 */
void virtiofs_glue_exit(void)
{
	destroy_workqueue(virtiofs_glue_wq);
}
