// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the queues with submitters, device and kill at the same time.
 */

#include <linux/random.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "plain.h"
#include "virtqueue.h"

#define SUBMITTERS	3
#define REQUESTS_EACH	300
#define ALL_REQUESTS	(SUBMITTERS * REQUESTS_EACH)
#define KILLS		(100 / MOCK_SLOWNESS)

struct submitter {
	struct work_struct work;
	struct mock_device *mock;
	struct plain_req *reqs;
};

static void submitter_run(struct work_struct *work)
{
	struct submitter *submitter = container_of(work, struct submitter, work);
	unsigned int i;

	for (i = 0; i < REQUESTS_EACH; i++) {
		plain_submit(submitter->mock, &submitter->reqs[i]);
		cond_resched();
	}
}

static void submitters_start(struct mock_device *mock,
			     struct submitter *submitters,
			     struct plain_req *reqs)
{
	unsigned int i;

	for (i = 0; i < SUBMITTERS; i++) {
		INIT_WORK(&submitters[i].work, submitter_run);
		submitters[i].mock = mock;
		submitters[i].reqs = reqs + i * REQUESTS_EACH;
		queue_work(mock->wq, &submitters[i].work);
	}
}

static struct submitter *submitters_new(struct kunit *test)
{
	struct submitter *submitters = kunit_kcalloc(test, SUBMITTERS,
						     sizeof(*submitters),
						     GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, submitters);
	return submitters;
}

static struct mock_device *serving_device(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);

	mock->handler = plain_serve;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

/* Looked at when nothing can end any more */
static void expect_one_end_each(struct kunit *test, struct plain_req *reqs)
{
	unsigned int i, wrong_ends = 0, wrong_errors = 0, wrong_replies = 0;

	for (i = 0; i < ALL_REQUESTS; i++) {
		if (atomic_read(&reqs[i].ends) != 1)
			wrong_ends++;
		if (!reqs[i].error && reqs[i].reply != ~reqs[i].number)
			wrong_replies++;
		if (reqs[i].error && reqs[i].error != -ECONNABORTED &&
		    reqs[i].error != -ENOTCONN)
			wrong_errors++;
	}
	KUNIT_EXPECT_EQ(test, 0, wrong_ends);
	KUNIT_EXPECT_EQ(test, 0, wrong_errors);
	KUNIT_EXPECT_EQ(test, 0, wrong_replies);
}

static void every_submit_ends_once(struct kunit *test)
{
	struct submitter *submitters = submitters_new(test);
	struct mock_device *mock = serving_device(test);
	struct plain_req *reqs = plain_reqs(mock, ALL_REQUESTS);
	unsigned int i;

	submitters_start(mock, submitters, reqs);
	plain_wait(mock, ALL_REQUESTS);
	mock_unplug(mock);
	expect_one_end_each(test, reqs);
	for (i = 0; i < ALL_REQUESTS; i++)
		KUNIT_EXPECT_EQ(test, 0, reqs[i].error);
}

static void expect_kill_in_time(struct kunit *test, struct submitter *submitters)
{
	struct mock_device *mock = serving_device(test);
	struct plain_req *reqs = plain_reqs(mock, ALL_REQUESTS);
	unsigned int after = get_random_u32_below(ALL_REQUESTS);

	submitters_start(mock, submitters, reqs);
	wait_event_timeout(plain_of(mock)->changed,
			   atomic_read(&plain_of(mock)->nr_ended) >= after,
			   MOCK_PATIENCE);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	plain_wait(mock, ALL_REQUESTS);
	flush_workqueue(mock->wq);
	mock_unplug(mock);
	expect_one_end_each(test, reqs);
}

static void kill_while_worker_and_submitters_run(struct kunit *test)
{
	struct submitter *submitters = submitters_new(test);
	unsigned int i;

	for (i = 0; i < KILLS; i++)
		expect_kill_in_time(test, submitters);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE(every_submit_ends_once),
	KUNIT_CASE_SLOW(kill_while_worker_and_submitters_run),
	{}
};

static struct kunit_suite race_suite = {
	.name = "virtiofs_race",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = race_cases,
};

kunit_test_suite(race_suite);
