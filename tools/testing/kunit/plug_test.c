// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of requests that a task submits together: when they reach the device, in which
 * order, and what it is told.
 */

#include <linux/blkdev.h>
#include <linux/delay.h>

#include <kunit/test.h>

#include "plain.h"
#include "plug.h"
#include "server.h"

#define REQUESTS	VIRTIOFS_VQ_REQUEST

/* As many as are not kept any longer, and room for a few more */
#define ENOUGH		16
#define RING_SIZE	64

static struct mock_device *plug_device(struct kunit *test, unsigned int queues)
{
	struct mock_device *mock = plain_new(test);

	if (!IS_ENABLED(CONFIG_BLOCK))
		kunit_skip(test, "the kernel is without block devices (CONFIG_BLOCK)");
	mock->config.num_request_queues = cpu_to_le32(queues);
	mock->ring_size = RING_SIZE;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

static void submit(struct mock_device *mock, unsigned int index,
		   struct plain_req *reqs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		virtiofs_plug_submit(&plain_of(mock)->vqs->vq[index],
				     &reqs[i].link, false);
}

/* After which the submitter has no more */
static void submit_last(struct mock_device *mock, struct plain_req *req)
{
	virtiofs_plug_submit(&plain_of(mock)->vqs->vq[REQUESTS], &req->link,
			     true);
}

/* The device has them in this order, and no more; it has been notified once for all */
static void expect_together(struct mock_device *mock, unsigned int index,
			    struct plain_req *reqs, unsigned int nr)
{
	struct kunit *test = mock->test;
	struct mock_chain *chain = kunit_kzalloc(test, sizeof(*chain),
						 GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, chain);
	KUNIT_EXPECT_EQ(test, 1, mock->queue[index].notified);
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_TRUE(test, mock_pop(mock, index, chain));
		KUNIT_EXPECT_EQ(test, reqs[i].number, plain_number(chain));
		mock_answer(mock, index, chain->head,
			    plain_serve(mock, index, chain));
	}
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, index, chain));
}

static void expect_ended(struct kunit *test, struct plain_req *reqs,
			 unsigned int nr, int error)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[i].ends));
		KUNIT_EXPECT_EQ(test, error, reqs[i].error);
	}
}

static void requests_of_a_plug_come_together(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 5);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 5);
	KUNIT_EXPECT_EQ(test, 0, mock->queue[REQUESTS].notified);
	blk_finish_plug(&plug);
	expect_together(mock, REQUESTS, reqs, 5);
	plain_wait(mock, 5);
	expect_ended(test, reqs, 5, 0);
}

static void each_queue_has_its_own(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 2);
	struct plain_req *reqs = plain_reqs(mock, 6);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 2);
	submit(mock, REQUESTS + 1, &reqs[3], 3);
	submit(mock, REQUESTS, &reqs[2], 1);
	blk_finish_plug(&plug);
	expect_together(mock, REQUESTS, reqs, 3);
	expect_together(mock, REQUESTS + 1, &reqs[3], 3);
	plain_wait(mock, 6);
	expect_ended(test, reqs, 6, 0);
}

static void without_a_plug_nothing_waits(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *req = plain_reqs(mock, 1);

	submit(mock, REQUESTS, req, 1);
	expect_together(mock, REQUESTS, req, 1);
	plain_wait(mock, 1);
	expect_ended(test, req, 1, 0);
}

static void who_goes_to_sleep_unplugs(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 3);
	msleep(20);
	expect_together(mock, REQUESTS, reqs, 3);
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, 1, mock->queue[REQUESTS].notified);
	plain_wait(mock, 3);
	expect_ended(test, reqs, 3, 0);
}

static void many_do_not_wait_for_more(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, ENOUGH + 1);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, ENOUGH - 1);
	KUNIT_EXPECT_EQ(test, 0, mock->queue[REQUESTS].notified);
	submit(mock, REQUESTS, &reqs[ENOUGH - 1], 1);
	KUNIT_EXPECT_EQ(test, 1, mock->queue[REQUESTS].notified);
	submit(mock, REQUESTS, &reqs[ENOUGH], 1);
	expect_together(mock, REQUESTS, reqs, ENOUGH);
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, 2, mock->queue[REQUESTS].notified);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	expect_ended(test, reqs, ENOUGH, 0);
	expect_ended(test, &reqs[ENOUGH], 1, -ECONNABORTED);
}

/* Nor does it need memory */
static void the_last_does_not_wait_if_it_is_alone(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *req = plain_reqs(mock, 1);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit_last(mock, req);
	KUNIT_EXPECT_TRUE(test, list_empty(&plug.cb_list));
	expect_together(mock, REQUESTS, req, 1);
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, 1, mock->queue[REQUESTS].notified);
	plain_wait(mock, 1);
	expect_ended(test, req, 1, 0);
}

static void the_last_goes_with_those_before(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 2);
	submit_last(mock, &reqs[2]);
	KUNIT_EXPECT_EQ(test, 0, mock->queue[REQUESTS].notified);
	blk_finish_plug(&plug);
	expect_together(mock, REQUESTS, reqs, 3);
	plain_wait(mock, 3);
	expect_ended(test, reqs, 3, 0);
}

/* As io_uring submits reads from several places of a file */
static void last_ones_wait_while_the_device_is_busy(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 4);
	struct blk_plug plug;
	unsigned int i;

	blk_start_plug(&plug);
	for (i = 0; i < 4; i++)
		submit_last(mock, &reqs[i]);
	expect_together(mock, REQUESTS, reqs, 1);
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, 2, mock->queue[REQUESTS].notified);
	mock->queue[REQUESTS].notified = 1;
	expect_together(mock, REQUESTS, &reqs[1], 3);
	plain_wait(mock, 4);
	expect_ended(test, reqs, 4, 0);
}

/* What the task waits for does not overtake what it has submitted before */
static void a_flush_lets_them_go_first(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 2);
	virtiofs_plug_flush();
	KUNIT_EXPECT_EQ(test, 1, mock->queue[REQUESTS].notified);
	plain_submit(mock, &reqs[2]);
	mock->queue[REQUESTS].notified = 1;
	expect_together(mock, REQUESTS, reqs, 3);
	blk_finish_plug(&plug);
	plain_wait(mock, 3);
	expect_ended(test, reqs, 3, 0);
}

/* Who has plugged requests for, and how often it had been notified at a STATFS */
static struct mock_device *plugged_for;
static unsigned int notified_before;
static mock_handler_fn serve;

static s64 serve_and_look(struct mock_device *mock, unsigned int index,
			  struct mock_chain *chain)
{
	if (index == REQUESTS)
		notified_before = plugged_for->queue[REQUESTS].notified;
	return serve(mock, index, chain);
}

/* So it is with the FUSE client's requests, whichever queue they are for */
static void a_call_goes_after_what_is_plugged(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct mock_device *served = served_device(test);
	struct blk_plug plug;

	server_mount(served);
	serve = served->handler;
	served->handler = serve_and_look;
	served->prompt = true;
	plugged_for = mock;
	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 2);
	expect_truth(served);
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, 1, notified_before);
	expect_together(mock, REQUESTS, reqs, 2);
	plain_wait(mock, 2);
	expect_ended(test, reqs, 2, 0);
}

/* Not asleep, since that would unplug */
static bool watch_the_end(struct virtiofs_vqs *vqs)
{
	unsigned long until = jiffies + MOCK_PATIENCE;

	while (READ_ONCE(vqs->state) != VIRTIOFS_KILLED) {
		if (time_after(jiffies, until))
			return false;
		cond_resched();
	}
	return true;
}

static void queues_may_be_killed_meanwhile(struct kunit *test)
{
	struct mock_device *mock = plug_device(test, 1);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct plain *plain = plain_of(mock);
	struct blk_plug plug;

	blk_start_plug(&plug);
	submit(mock, REQUESTS, reqs, 3);
	virtiofs_vqs_kill_async(plain->vqs);
	KUNIT_EXPECT_TRUE(test, watch_the_end(plain->vqs));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&plain->nr_ended));
	blk_finish_plug(&plug);
	plain_wait(mock, 3);
	expect_ended(test, reqs, 3, -ENOTCONN);
}

static struct kunit_case plug_cases[] = {
	KUNIT_CASE(requests_of_a_plug_come_together),
	KUNIT_CASE(each_queue_has_its_own),
	KUNIT_CASE(without_a_plug_nothing_waits),
	KUNIT_CASE(who_goes_to_sleep_unplugs),
	KUNIT_CASE(many_do_not_wait_for_more),
	KUNIT_CASE(the_last_does_not_wait_if_it_is_alone),
	KUNIT_CASE(the_last_goes_with_those_before),
	KUNIT_CASE(last_ones_wait_while_the_device_is_busy),
	KUNIT_CASE(a_flush_lets_them_go_first),
	KUNIT_CASE(a_call_goes_after_what_is_plugged),
	KUNIT_CASE(queues_may_be_killed_meanwhile),
	{}
};

static struct kunit_suite plug_suite = {
	.name = "virtiofs_plug",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = plug_cases,
};

kunit_test_suite(plug_suite);
