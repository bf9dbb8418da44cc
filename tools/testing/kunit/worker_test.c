// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of workers that poll for replies that nobody waits for in the queue: it saves
 * interrupts, and whenever the device has a request and nobody polls, it interrupts.
 *
 * No worker polls if another task wants the CPU, and whether one does is left to chance.
 */

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/time64.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "plain.h"
#include "virtqueue.h"

#define REQUESTS	VIRTIOFS_VQ_REQUEST
#define LONG		(10ULL * NSEC_PER_SEC)
#define SHORT		NSEC_PER_USEC

/* Of these some find the CPU idle */
#define TRIES		100

/* So many are submitted together, and the ring has room for more */
#define TOGETHER	3
#define RING_SIZE	64

/* Of these some find a CPU on which the worker may run */
#define VAIN		8

static const u64 shapes[] = { 0, BIT_ULL(VIRTIO_RING_F_EVENT_IDX) };

static void shape_name(const u64 *features, char *name)
{
	strscpy(name, *features ? "event index" : "flags",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shapes, shape_name);

/* Its worker polls for so long */
static struct mock_device *device(struct kunit *test, u64 ns)
{
	struct mock_device *mock;

	mock = plain_plug(test, *(const u64 *)test->param_value, RING_SIZE);
	virtiofs_vqs_set_poll(plain_of(mock)->vqs, ns);
	return mock;
}

static u64 polled(struct mock_device *mock)
{
	struct virtiofs_vq_stats stats;

	virtiofs_vq_stats(plain_vq(mock), &stats);
	return stats.polled;
}

/* Nothing is left of what the worker did */
static void expect_rest(struct mock_device *mock)
{
	struct virtiofs_vq_stats stats;

	flush_work(&plain_vq(mock)->work);
	virtiofs_vq_stats(plain_vq(mock), &stats);
	KUNIT_EXPECT_EQ(mock->test, 0, stats.in_flight);
}

/* Returns false if the device need not interrupt for the next reply for a minute */
static bool wait_asked(struct mock_device *mock)
{
	unsigned long until = jiffies + MOCK_PATIENCE;

	while (!mock_is_asked(mock, REQUESTS)) {
		if (time_after(jiffies, until))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/* With luck the worker polls then, if it has an idle CPU */
static void wait_polling(struct mock_device *mock)
{
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		if (!mock_is_asked(mock, REQUESTS))
			return;
		schedule_timeout_uninterruptible(1);
	}
	kunit_info(mock->test, "nobody seems to poll\n");
}

/**
 * struct task - somebody else who submits a request and sleeps until it ends
 * @work: its work
 * @mock: the device
 * @req: the request
 * @waits: in the queue
 * @waited: what became of that
 */
struct task {
	struct work_struct work;
	struct mock_device *mock;
	struct plain_req *req;
	bool waits;
	enum plain_waited waited;
};

static void task_run(struct work_struct *work)
{
	struct task *task = container_of(work, struct task, work);

	if (task->waits) {
		task->waited = plain_submit_wait(task->mock, task->req, 0,
						 MOCK_PATIENCE);
		return;
	}
	plain_submit(task->mock, task->req);
	wait_event_timeout(plain_of(task->mock)->changed,
			   atomic_read(&task->req->ends), MOCK_PATIENCE);
}

static void task_start(struct task *task)
{
	INIT_WORK_ONSTACK(&task->work, task_run);
	queue_work(task->mock->wq, &task->work);
}

static void task_end(struct task *task)
{
	flush_work(&task->work);
	destroy_work_on_stack(&task->work);
}

static void expect_good(struct kunit *test, struct plain_req *req)
{
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&req->ends));
	KUNIT_EXPECT_EQ(test, 0, req->error);
	KUNIT_EXPECT_EQ(test, ~req->number, req->reply);
}

/* As who sleeps when its request is submitted, even if the worker runs before that is over */
static void submit_asleep(struct mock_device *mock, struct plain_req *req)
{
	struct plain *plain = plain_of(mock);
	DEFINE_WAIT(wait);

	prepare_to_wait(&plain->changed, &wait, TASK_UNINTERRUPTIBLE);
	plain_submit(mock, req);
	schedule_timeout(MOCK_PATIENCE);
	finish_wait(&plain->changed, &wait);
}

/* One after the other is answered at once */
static void submit_all(struct mock_device *mock)
{
	struct plain_req *reqs = plain_reqs(mock, TRIES);
	unsigned int i;

	plain_be_prompt(mock, true);
	for (i = 0; i < TRIES; i++) {
		submit_asleep(mock, &reqs[i]);
		plain_wait(mock, i + 1);
		expect_good(mock->test, &reqs[i]);
		/* If it still runs, it might see the next reply as well */
		flush_work(&plain_vq(mock)->work);
	}
	expect_rest(mock);
}

static void reply_that_the_worker_finds_needs_no_interrupt(struct kunit *test)
{
	struct mock_device *mock = device(test, LONG);
	unsigned int interrupts;

	submit_all(mock);
	interrupts = mock->queue[REQUESTS].interrupts;
	if (!polled(mock))
		kunit_skip(test, "no worker has had a CPU for itself");
	/* With an event index, "never" is "at the first" */
	KUNIT_EXPECT_LE(test, interrupts, TRIES - polled(mock) + 1);
}

static void worker_does_not_poll_unless_it_must(struct kunit *test)
{
	struct mock_device *mock = device(test, 0);

	submit_all(mock);
	KUNIT_EXPECT_EQ(test, 0, polled(mock));
	KUNIT_EXPECT_EQ(test, TRIES, mock->queue[REQUESTS].interrupts);
}

/* Taken one by one, each reply would wake a task */
static void worker_does_not_poll_for_what_was_submitted_together(struct kunit *test)
{
	struct mock_device *mock = device(test, LONG);
	struct plain_req *reqs = plain_reqs(mock, TRIES * TOGETHER);
	struct plain *plain = plain_of(mock);
	struct virtiofs_fifo fifo;
	unsigned int i, k;
	DEFINE_WAIT(wait);

	plain_be_prompt(mock, true);
	for (i = 0; i < TRIES * TOGETHER; i += TOGETHER) {
		fifo_init(&fifo);
		for (k = i; k < i + TOGETHER; k++)
			fifo_push(&fifo, &reqs[k].link);
		prepare_to_wait(&plain->changed, &wait, TASK_UNINTERRUPTIBLE);
		virtiofs_vq_submit_all(plain_vq(mock), &fifo);
		schedule_timeout(MOCK_PATIENCE);
		finish_wait(&plain->changed, &wait);
		plain_wait(mock, k);
	}
	expect_rest(mock);
	KUNIT_EXPECT_EQ(test, 0, polled(mock));
	for (i = 0; i < TRIES * TOGETHER; i++)
		expect_good(test, &reqs[i]);
}

/* Is the device told not to interrupt?  It answers when it shall tell. */
static bool answer_late(struct mock_device *mock, struct plain_req *req)
{
	bool called;

	plain_submit(mock, req);
	called = !mock_is_asked(mock, REQUESTS);
	KUNIT_ASSERT_TRUE(mock->test, wait_asked(mock));
	plain_answer_one(mock);
	plain_wait(mock, req->number);
	expect_good(mock->test, req);
	flush_work(&plain_vq(mock)->work);
	return called;
}

static void reply_after_a_miss_interrupts(struct kunit *test)
{
	struct mock_device *mock = device(test, SHORT);
	struct plain_req *reqs = plain_reqs(mock, 1 + TRIES);
	unsigned int i, before;
	u64 polled_before;

	/* With an event index, "never" is "at the first", whether the worker polls or not */
	answer_late(mock, &reqs[0]);
	before = mock->queue[REQUESTS].interrupts;
	polled_before = polled(mock);
	for (i = 1; i <= TRIES; i++)
		answer_late(mock, &reqs[i]);
	KUNIT_EXPECT_EQ(test, polled_before, polled(mock));
	KUNIT_EXPECT_EQ(test, before + TRIES, mock->queue[REQUESTS].interrupts);
	expect_rest(mock);
}

/* To be woken for nothing is a miss, too, as it takes the CPU from the submitter */
static void worker_that_misses_rarely_polls(struct kunit *test)
{
	struct mock_device *mock = device(test, SHORT);
	struct plain_req *reqs = plain_reqs(mock, 2 * TRIES);
	unsigned int i, nr_called = 0;

	/* That another task has wanted the CPU is no loss, so this may take some */
	for (i = 0; i < TRIES; i++)
		answer_late(mock, &reqs[i]);
	for (; i < 2 * TRIES; i++)
		nr_called += answer_late(mock, &reqs[i]);
	KUNIT_EXPECT_LE(test, nr_called, TRIES / 4);
}

/* It has the CPU, and shall not be kept from it */
static void worker_does_not_poll_while_the_submitter_runs(struct kunit *test)
{
	struct mock_device *mock = device(test, LONG);
	struct plain_req *reqs = plain_reqs(mock, VAIN);
	unsigned long until = jiffies + MOCK_PATIENCE;
	unsigned int i;

	for (i = 0; i < VAIN; i++) {
		plain_submit(mock, &reqs[i]);
		while (!mock_is_asked(mock, REQUESTS) &&
		       time_before(jiffies, until))
			cond_resched();
		KUNIT_ASSERT_TRUE(test, mock_is_asked(mock, REQUESTS));
		plain_answer_one(mock);
		plain_wait(mock, i + 1);
		expect_good(test, &reqs[i]);
	}
	expect_rest(mock);
}

/* What the device is busy with may be others', and the next interrupt is for all */
static void worker_does_not_poll_beside_others(struct kunit *test)
{
	struct mock_device *mock = device(test, 0);
	struct plain_req *reqs = plain_reqs(mock, 1 + VAIN);
	unsigned int i;

	plain_submit(mock, &reqs[0]);
	virtiofs_vqs_set_poll(plain_of(mock)->vqs, LONG);
	for (i = 1; i <= VAIN; i++) {
		plain_submit(mock, &reqs[i]);
		KUNIT_EXPECT_TRUE(test, mock_is_asked(mock, REQUESTS));
		schedule_timeout_uninterruptible(1);
		KUNIT_EXPECT_TRUE(test, mock_is_asked(mock, REQUESTS));
	}
	for (i = 0; i <= VAIN; i++)
		plain_answer_one(mock);
	plain_wait(mock, 1 + VAIN);
	KUNIT_EXPECT_EQ(test, 0, polled(mock));
	expect_rest(mock);
}

/* A waiter gets its reply, whatever the worker polls for */
static void sleeper_is_woken_while_the_worker_polls(struct kunit *test)
{
	struct mock_device *mock = device(test, LONG);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct task task = { .mock = mock, .req = &reqs[0] };
	struct task sleeper = { .mock = mock, .req = &reqs[1], .waits = true };
	struct mock_chain *held = kunit_kzalloc(test, sizeof(*held), GFP_KERNEL);
	struct mock_chain *none = kunit_kzalloc(test, sizeof(*none), GFP_KERNEL);

	KUNIT_ASSERT_TRUE(test, held && none);
	task_start(&task);
	wait_polling(mock);
	/* And from now on the device is notified of the next */
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, held));
	KUNIT_ASSERT_FALSE(test, mock_pop(mock, REQUESTS, none));
	plain_be_prompt(mock, true);
	task_start(&sleeper);
	task_end(&sleeper);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, sleeper.waited);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
	expect_good(test, &reqs[1]);
	plain_answer(mock, held);
	task_end(&task);
	expect_good(test, &reqs[0]);
	expect_rest(mock);
}

static void kill_takes_the_ring_from_a_worker_that_polls(struct kunit *test)
{
	struct mock_device *mock = device(test, LONG);
	struct plain_req *reqs = plain_reqs(mock, 1);
	struct task task = { .mock = mock, .req = &reqs[0] };

	task_start(&task);
	wait_polling(mock);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[0].ends));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, reqs[0].error);
	task_end(&task);
	expect_rest(mock);
}

static void answer_meets_a_worker_that_gives_up(struct kunit *test)
{
	struct mock_device *mock = device(test, 100 * NSEC_PER_USEC);
	struct plain_req *reqs = plain_reqs(mock, TRIES);
	struct task task = { .mock = mock };
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		task.req = &reqs[i];
		task_start(&task);
		while (!READ_ONCE(plain_vq(mock)->nr_in_ring))
			cond_resched();
		udelay(get_random_u32_below(200));
		plain_answer_one(mock);
		task_end(&task);
		expect_good(test, &reqs[i]);
	}
	kunit_info(test, "%llu of %u were found\n", polled(mock), TRIES);
	expect_rest(mock);
}

static struct kunit_case worker_cases[] = {
	KUNIT_CASE_PARAM(reply_that_the_worker_finds_needs_no_interrupt,
			 shape_gen_params),
	KUNIT_CASE_PARAM(worker_does_not_poll_unless_it_must, shape_gen_params),
	KUNIT_CASE_PARAM(worker_does_not_poll_for_what_was_submitted_together,
			 shape_gen_params),
	KUNIT_CASE_PARAM(reply_after_a_miss_interrupts, shape_gen_params),
	KUNIT_CASE_PARAM(worker_that_misses_rarely_polls, shape_gen_params),
	KUNIT_CASE_PARAM(worker_does_not_poll_while_the_submitter_runs,
			 shape_gen_params),
	KUNIT_CASE_PARAM(worker_does_not_poll_beside_others, shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_is_woken_while_the_worker_polls,
			 shape_gen_params),
	KUNIT_CASE_PARAM(kill_takes_the_ring_from_a_worker_that_polls,
			 shape_gen_params),
	KUNIT_CASE_PARAM(answer_meets_a_worker_that_gives_up, shape_gen_params),
	{}
};

static struct kunit_suite worker_suite = {
	.name = "virtiofs_worker",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = worker_cases,
};

kunit_test_suite(worker_suite);
