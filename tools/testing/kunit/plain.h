/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A plain driver over the queues of the driver under test, for KUnit suites:
 * its requests say nothing but a number, and count how often they end.
 */
#ifndef _VIRTIOFS_KUNIT_PLAIN_H
#define _VIRTIOFS_KUNIT_PLAIN_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/llist.h>

#include "mock.h"

struct kunit;
struct task_struct;
struct virtiofs_vq;
struct virtiofs_vqs;
struct work_struct;

/**
 * struct plain - the driver's data of a device
 * @vqs: the queues
 * @nr_ended: number of requests that have ended
 * @changed: woken when a request has ended
 */
struct plain {
	struct virtiofs_vqs *vqs;
	atomic_t nr_ended;
	wait_queue_head_t changed;
};

/**
 * struct plain_req - a request
 * @link: for the queue
 * @plain: the driver's data
 * @number: what the request says; the honest reply is its complement
 * @segs: number of further segments that it comes with
 * @seg_len: number of bytes of each
 * @gap: number of bytes between them
 * @pages: where they are
 * @goes_on: its end lasts until this is completed, or NULL
 * @next: is submitted at its end, or NULL
 * @meanwhile: work for the CPU and at the priority of the worker, or NULL
 * @ends: how often done() was called
 * @turn: how many requests had ended before
 * @had_buf: done() was given a reply
 * @task: who has called done(), for comparison
 * @nice: the nice value of who has called done()
 * @error: what done() was told
 * @len: what the device claims to have written
 * @reply: the reply
 */
struct plain_req {
	struct llist_node link;
	struct plain *plain;
	u32 number;
	unsigned int segs;
	unsigned int seg_len;
	unsigned int gap;
	struct page *pages;
	struct completion *goes_on;
	struct plain_req *next;
	struct work_struct *meanwhile;
	atomic_t ends;
	unsigned int turn;
	bool had_buf;
	struct task_struct *task;
	int nice;
	int error;
	u32 len;
	u32 reply;
};

/**
 * enum plain_waited - what a wait for a request was like
 * @PLAIN_LEFT: the request had not ended when it was over
 * @PLAIN_POLLED: the submitter has looked, and found the end
 * @PLAIN_SLEPT: the submitter has slept until the end
 */
enum plain_waited {
	PLAIN_LEFT,
	PLAIN_POLLED,
	PLAIN_SLEPT,
};

int plain_register(struct kunit_suite *suite);
void plain_unregister(struct kunit_suite *suite);

struct mock_device *plain_new(struct kunit *test);
struct mock_device *plain_plug(struct kunit *test, u64 features,
			       unsigned int ring_size);
struct virtiofs_vq *plain_vq(struct mock_device *mock);
void plain_be_prompt(struct mock_device *mock, bool prompt);
struct plain *plain_of(struct mock_device *mock);
struct plain_req *plain_reqs(struct mock_device *mock, unsigned int nr);
enum plain_waited plain_submit_wait(struct mock_device *mock,
				    struct plain_req *req, u64 ns, long timeout);
void plain_submit(struct mock_device *mock, struct plain_req *req);
void plain_wait(struct mock_device *mock, unsigned int nr);
s64 plain_serve(struct mock_device *mock, unsigned int index,
		struct mock_chain *chain);
void plain_answer(struct mock_device *mock, struct mock_chain *chain);
void plain_answer_one(struct mock_device *mock);
u32 plain_number(struct mock_chain *chain);

#endif
