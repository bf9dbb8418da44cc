// SPDX-License-Identifier: GPL-2.0
/*
 * Requests that a task submits together, for which it has plugged block devices:
 * readahead, writeback and AIO do.  They wait until it unplugs or goes to sleep, and the
 * device is notified once.
 *
 * Knows the block layer's plugs.  Knows no virtio.
 */

#include <linux/blkdev.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "plug.h"

/* So many are worth a notification of their own */
#define PLUG_MAX	16

/**
 * struct plug - what a task has submitted to a queue while it plugs
 * @cb: on the task's plug; its @data is the queue
 * @fifo: the submissions, oldest first
 *
 * The queue is there as long as there are submissions.
 */
struct plug {
	struct blk_plug_cb cb;
	struct virtiofs_fifo fifo;
};

static void plug_flush(struct plug *plug)
{
	if (plug->fifo.first)
		virtiofs_vq_submit_all(plug->cb.data, &plug->fifo);
}

static void plug_end(struct blk_plug_cb *cb, bool from_schedule)
{
	struct plug *plug = container_of(cb, struct plug, cb);

	plug_flush(plug);
	kfree(plug);
}

/* Is there nothing that a request could go together with, nor anything under way? */
static bool plug_is_alone(struct virtiofs_vq *vq)
{
	return list_empty(&current->plug->cb_list) && virtiofs_vq_is_idle(vq);
}

/**
 * virtiofs_plug_submit() - submit a background request
 * @vq: the queue
 * @link: the request; it belongs to the queue until done() is called for it
 * @last: its submitter has no more requests to go together with it
 *
 * As virtiofs_vq_submit(), but if the task plugs, the request stays with it for a while.
 * The last one does not if it is alone, which saves the memory for a list.  While the
 * device is busy it does, since the task may have submitters one after the other.
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_plug_submit(struct virtiofs_vq *vq, struct llist_node *link,
			  bool last)
{
	struct blk_plug_cb *cb = NULL;
	struct plug *plug;

	if (current->plug && !(last && plug_is_alone(vq)))
		cb = blk_check_plugged(plug_end, vq, sizeof(*plug));
	if (!cb) {
		virtiofs_vq_submit(vq, link);
		return;
	}
	plug = container_of(cb, struct plug, cb);
	/* A new one comes with zeroes */
	if (!plug->fifo.last)
		fifo_init(&plug->fifo);
	fifo_push(&plug->fifo, link);
	if (plug->fifo.nr == PLUG_MAX)
		plug_flush(plug);
}

/**
 * virtiofs_plug_flush() - let requests that the task has submitted go to the device
 *
 * For a task that submits something that must not overtake them, or waits without sleeping.
 *
 * Context: process context.  Does not sleep.
 */
void virtiofs_plug_flush(void)
{
	struct blk_plug *plug = current->plug;
	struct blk_plug_cb *cb;

	if (likely(!plug))
		return;
	list_for_each_entry(cb, &plug->cb_list, list) {
		if (cb->callback == plug_end)
			plug_flush(container_of(cb, struct plug, cb));
	}
}
