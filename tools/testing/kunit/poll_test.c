// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of submitters that poll for their reply or sleep until it comes: whenever the device
 * has a request and nobody polls, it interrupts.
 */

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "plain.h"
#include "virtiofs_trace.h"
#include "virtqueue.h"

#define REQUESTS	VIRTIOFS_VQ_REQUEST
#define LONG		(10ULL * NSEC_PER_SEC)

static const u64 shapes[] = { 0, BIT_ULL(VIRTIO_RING_F_EVENT_IDX) };

static void shape_name(const u64 *features, char *name)
{
	strscpy(name, *features ? "event index" : "flags",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shapes, shape_name);

/* A ring of 8 has room for 4 requests */
#define ROOM	4

#define MEETINGS	100

/* So many replies come while somebody sleeps for another */
#define TOGETHER	10

/* Of these a tick falls into few */
#define TRIES		100

/* Far more replies than a worker ends at a time */
#define CHAIN		100

static struct mock_device *device(struct kunit *test)
{
	return plain_plug(test, *(const u64 *)test->param_value, 2 * ROOM);
}

static unsigned int interrupts(struct mock_device *mock)
{
	return mock->queue[REQUESTS].interrupts;
}

/* Take the only request, and wait for a notification of the next */
static void pop_only(struct mock_device *mock, struct mock_chain *chain)
{
	struct mock_chain none;

	KUNIT_ASSERT_TRUE(mock->test, mock_pop(mock, REQUESTS, chain));
	KUNIT_ASSERT_FALSE(mock->test, mock_pop(mock, REQUESTS, &none));
}

/* Returns true if polling was a hit; nobody sleeps for the reply */
static bool polls(struct mock_device *mock, struct plain_req *req, u64 ns)
{
	return plain_submit_wait(mock, req, ns, 0) == PLAIN_POLLED;
}

static void expect_good(struct kunit *test, struct plain_req *req)
{
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&req->ends));
	KUNIT_EXPECT_EQ(test, 0, req->error);
	KUNIT_EXPECT_EQ(test, ~req->number, req->reply);
}

static void polled_request_needs_no_interrupt(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 5);
	struct virtiofs_vq_stats stats;
	unsigned int i, before;

	plain_be_prompt(mock, true);
	/* With an event index, "never" is "at the first" */
	KUNIT_EXPECT_TRUE(test, polls(mock, &reqs[0], LONG));
	before = interrupts(mock);
	for (i = 1; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, polls(mock, &reqs[i], LONG));
	KUNIT_EXPECT_EQ(test, before, interrupts(mock));
	for (i = 0; i < 5; i++)
		expect_good(test, &reqs[i]);
	virtiofs_vq_stats(plain_vq(mock), &stats);
	KUNIT_EXPECT_EQ(test, 5, stats.polled);
	KUNIT_EXPECT_EQ(test, 5, stats.requests);
	KUNIT_EXPECT_EQ(test, 0, stats.in_flight);
}

static void request_after_a_polled_one_is_told_of(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 3);
	unsigned int before;

	plain_be_prompt(mock, true);
	KUNIT_EXPECT_TRUE(test, polls(mock, &reqs[0], LONG));
	KUNIT_EXPECT_TRUE(test, polls(mock, &reqs[1], LONG));
	plain_be_prompt(mock, false);
	before = interrupts(mock);
	plain_submit(mock, &reqs[2]);
	plain_answer_one(mock);
	plain_wait(mock, 3);
	KUNIT_EXPECT_EQ(test, before + 1, interrupts(mock));
	expect_good(test, &reqs[2]);
}

static void poller_that_leaves_is_told(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);

	KUNIT_EXPECT_FALSE(test, polls(mock, &reqs[0], 1000));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
	plain_answer_one(mock);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, 1, interrupts(mock));
	expect_good(test, &reqs[0]);
}

/* While callbacks are on, what has come is for the interrupt, and its worker wants the CPU */
static void caller_gets_what_others_have_submitted_completed(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct mock_chain chain;
	s64 len;

	plain_submit(mock, &reqs[0]);
	pop_only(mock, &chain);
	len = plain_serve(mock, REQUESTS, &chain);
	/* No interrupt, so this is seen by nobody else */
	mock_push(mock, REQUESTS, chain.head, len);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
	plain_be_prompt(mock, true);
	KUNIT_EXPECT_NE(test, PLAIN_LEFT,
			plain_submit_wait(mock, &reqs[1], LONG, MOCK_PATIENCE));
	plain_wait(mock, 2);
	expect_good(test, &reqs[0]);
	expect_good(test, &reqs[1]);
}

static void request_that_a_poller_leaves_behind_is_told_of(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct mock_chain held;

	plain_submit(mock, &reqs[0]);
	pop_only(mock, &held);
	plain_be_prompt(mock, true);
	KUNIT_EXPECT_NE(test, PLAIN_LEFT,
			plain_submit_wait(mock, &reqs[1], LONG, MOCK_PATIENCE));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
	plain_answer(mock, &held);
	plain_wait(mock, 2);
	expect_good(test, &reqs[0]);
}

static void full_ring_is_not_waited_for(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, ROOM + 1);
	unsigned int i;

	for (i = 0; i < ROOM; i++)
		plain_submit(mock, &reqs[i]);
	/* Neither by polling, nor asleep */
	KUNIT_EXPECT_EQ(test, PLAIN_LEFT,
			plain_submit_wait(mock, &reqs[ROOM], LONG,
					  MAX_SCHEDULE_TIMEOUT));
	for (i = 0; i < ROOM; i++)
		plain_answer_one(mock);
	plain_wait(mock, ROOM);
	plain_answer_one(mock);
	plain_wait(mock, ROOM + 1);
	for (i = 0; i <= ROOM; i++)
		expect_good(test, &reqs[i]);
}

/* The poller has missed; now the reply comes, and somebody else reaps */
static void answer_and_reap(void *data, int device, const char *queue,
			    bool ended, u64 ns)
{
	struct mock_device *mock = data;

	plain_answer_one(mock);
	virtiofs_vqs_reap(plain_of(mock)->vqs);
}

static void poller_has_what_is_reaped_while_it_gives_up(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "the kernel is without trace events");
	/* Nothing may end the test while this is registered */
	KUNIT_EXPECT_EQ(test, 0,
			register_trace_virtiofs_poll(answer_and_reap, mock));
	KUNIT_EXPECT_EQ(test, PLAIN_POLLED,
			plain_submit_wait(mock, &reqs[0], 1, MOCK_PATIENCE));
	unregister_trace_virtiofs_poll(answer_and_reap, mock);
	tracepoint_synchronize_unregister();
	expect_good(test, &reqs[0]);
}

static void dead_queue_is_not_polled(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);

	virtiofs_vqs_kill(plain_of(mock)->vqs);
	polls(mock, &reqs[0], LONG);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, reqs[0].error);
}

struct waiter {
	struct work_struct work;
	struct mock_device *mock;
	struct plain_req *req;
	u64 ns;
	long timeout;
	struct task_struct *task;
	enum plain_waited waited;
};

static void waiter_run(struct work_struct *work)
{
	struct waiter *waiter = container_of(work, struct waiter, work);

	waiter->task = current;
	waiter->waited = plain_submit_wait(waiter->mock, waiter->req, waiter->ns,
					   waiter->timeout);
}

/* A request that somebody else waits for, and that the device has */
static void waiter_start(struct waiter *waiter, struct mock_device *mock,
			 struct plain_req *req, u64 ns, long timeout)
{
	struct virtiofs_vq_stats stats;
	u64 before;

	virtiofs_vq_stats(plain_vq(mock), &stats);
	before = stats.in_flight;
	waiter->mock = mock;
	waiter->req = req;
	waiter->ns = ns;
	waiter->timeout = timeout;
	INIT_WORK_ONSTACK(&waiter->work, waiter_run);
	queue_work(mock->wq, &waiter->work);
	while (stats.in_flight == before) {
		schedule_timeout_uninterruptible(1);
		virtiofs_vq_stats(plain_vq(mock), &stats);
	}
}

/* It does not poll, or does no longer */
static void waiter_sleeps(struct waiter *waiter)
{
	while (task_is_running(waiter->task))
		schedule_timeout_uninterruptible(1);
}

static void waiter_end(struct waiter *waiter)
{
	flush_work(&waiter->work);
	destroy_work_on_stack(&waiter->work);
}

/* The poller's CPU may be taken by another task, or by the hypervisor */
static void what_comes_beside_a_poller_is_interrupted_for(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct mock_chain *chains = kunit_kcalloc(test, 2, sizeof(*chains),
						  GFP_KERNEL);
	struct waiter waiter;
	unsigned int before;

	KUNIT_ASSERT_NOT_NULL(test, chains);
	waiter_start(&waiter, mock, &reqs[0], LONG, MOCK_PATIENCE);
	pop_only(mock, &chains[0]);
	plain_submit(mock, &reqs[1]);
	pop_only(mock, &chains[1]);
	before = interrupts(mock);
	plain_answer(mock, &chains[1]);
	KUNIT_EXPECT_EQ(test, before + 1, interrupts(mock));
	plain_wait(mock, 1);
	expect_good(test, &reqs[1]);
	plain_answer(mock, &chains[0]);
	waiter_end(&waiter);
	plain_wait(mock, 2);
	expect_good(test, &reqs[0]);
}

static void kill_takes_the_ring_from_a_poller(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);
	struct waiter waiter;

	waiter_start(&waiter, mock, &reqs[0], LONG, MOCK_PATIENCE);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[0].ends));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, reqs[0].error);
}

static void sleeper_ends_its_request_itself(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);
	struct waiter waiter;

	waiter_start(&waiter, mock, &reqs[0], 0, MOCK_PATIENCE);
	plain_answer_one(mock);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, waiter.waited);
	KUNIT_EXPECT_PTR_EQ(test, waiter.task, reqs[0].task);
	KUNIT_EXPECT_EQ(test, 1, interrupts(mock));
	expect_good(test, &reqs[0]);
}

static void poller_that_gives_up_sleeps(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);
	struct virtiofs_vq_stats stats;
	struct waiter waiter;

	waiter_start(&waiter, mock, &reqs[0], 1, MOCK_PATIENCE);
	waiter_sleeps(&waiter);
	plain_answer_one(mock);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, waiter.waited);
	expect_good(test, &reqs[0]);
	virtiofs_vq_stats(plain_vq(mock), &stats);
	KUNIT_EXPECT_EQ(test, 0, stats.polled);
}

static void sleeper_that_leaves_lets_the_worker_end_its_request(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);

	KUNIT_EXPECT_EQ(test, PLAIN_LEFT,
			plain_submit_wait(mock, &reqs[0], 0, 1));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
	plain_answer_one(mock);
	plain_wait(mock, 1);
	KUNIT_EXPECT_PTR_NE(test, current, reqs[0].task);
	expect_good(test, &reqs[0]);
}

static void one_interrupt_ends_what_is_waited_for_and_what_is_not(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct waiter waiter;
	struct mock_chain chain;
	s64 len;

	plain_submit(mock, &reqs[0]);
	waiter_start(&waiter, mock, &reqs[1], 0, MOCK_PATIENCE);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, &chain));
	len = plain_serve(mock, REQUESTS, &chain);
	mock_push(mock, REQUESTS, chain.head, len);
	plain_answer_one(mock);
	waiter_end(&waiter);
	plain_wait(mock, 2);
	KUNIT_EXPECT_EQ(test, 1, interrupts(mock));
	KUNIT_EXPECT_PTR_EQ(test, waiter.task, reqs[1].task);
	KUNIT_EXPECT_PTR_NE(test, waiter.task, reqs[0].task);
	expect_good(test, &reqs[0]);
	expect_good(test, &reqs[1]);
}

/* Wait until the device has so many requests */
static void wait_in_flight(struct mock_device *mock, u64 nr)
{
	struct virtiofs_vq_stats stats;
	unsigned long until = jiffies + MOCK_PATIENCE;

	do {
		schedule_timeout_uninterruptible(1);
		virtiofs_vq_stats(plain_vq(mock), &stats);
	} while (stats.in_flight != nr && time_before(jiffies, until));
	KUNIT_EXPECT_EQ(mock->test, nr, stats.in_flight);
}

/* However long the sleeper takes to use its reply */
static void room_of_a_sleeper_is_for_the_backlog(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, ROOM + 1);
	struct completion goes_on;
	struct waiter waiter;
	unsigned int i;

	init_completion(&goes_on);
	reqs[0].goes_on = &goes_on;
	waiter_start(&waiter, mock, &reqs[0], 0, MOCK_PATIENCE);
	for (i = 1; i <= ROOM; i++)
		plain_submit(mock, &reqs[i]);
	plain_answer_one(mock);
	plain_wait(mock, 1);
	wait_in_flight(mock, ROOM);
	complete(&goes_on);
	for (i = 0; i < ROOM; i++)
		plain_answer_one(mock);
	waiter_end(&waiter);
	plain_wait(mock, ROOM + 1);
	for (i = 0; i <= ROOM; i++)
		expect_good(test, &reqs[i]);
}

static void answer_meets_a_sleeper_that_leaves(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, MEETINGS);
	unsigned int i, nr_left = 0;
	struct waiter waiter;

	for (i = 0; i < MEETINGS; i++) {
		waiter_start(&waiter, mock, &reqs[i], 0, 2);
		udelay(get_random_u32_below(2 * USEC_PER_SEC / HZ));
		plain_answer_one(mock);
		waiter_end(&waiter);
		plain_wait(mock, i + 1);
		expect_good(test, &reqs[i]);
		nr_left += waiter.waited == PLAIN_LEFT;
	}
	kunit_info(test, "%u of %u have left\n", nr_left, MEETINGS);
}

static void kill_wakes_a_sleeper(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);
	struct waiter waiter;

	waiter_start(&waiter, mock, &reqs[0], 0, MOCK_PATIENCE);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, waiter.waited);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[0].ends));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, reqs[0].error);
}

static void worker_reaps_again_before_callbacks_are_on(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct completion goes_on;

	init_completion(&goes_on);
	reqs[0].goes_on = &goes_on;
	plain_submit(mock, &reqs[0]);
	plain_submit(mock, &reqs[1]);
	plain_submit(mock, &reqs[2]);
	plain_answer_one(mock);
	plain_wait(mock, 1);
	/* The worker is at the end of the first */
	plain_answer_one(mock);
	plain_answer_one(mock);
	complete(&goes_on);
	plain_wait(mock, 3);
	KUNIT_EXPECT_EQ(test, 1, interrupts(mock));
	expect_good(test, &reqs[1]);
	expect_good(test, &reqs[2]);
}

/**
 * struct other - what else there is to do for the CPU of a worker
 * @work: does it
 * @plain: the driver's data
 * @turn: how many requests had ended before
 */
struct other {
	struct work_struct work;
	struct plain *plain;
	int turn;
};

static void other_run(struct work_struct *work)
{
	struct other *other = container_of(work, struct other, work);

	other->turn = atomic_read(&other->plain->nr_ended);
}

static void others_have_their_turn_while_there_always_is_a_reply(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, CHAIN);
	struct other other = { .plain = plain_of(mock) };
	unsigned int i;

	INIT_WORK_ONSTACK(&other.work, other_run);
	reqs[0].meanwhile = &other.work;
	for (i = 0; i < CHAIN - 1; i++)
		reqs[i].next = &reqs[i + 1];
	plain_be_prompt(mock, true);
	plain_submit(mock, &reqs[0]);
	plain_wait(mock, CHAIN);
	flush_work(&other.work);
	destroy_work_on_stack(&other.work);
	KUNIT_EXPECT_LT(test, other.turn, CHAIN);
	for (i = 0; i < CHAIN; i++)
		expect_good(test, &reqs[i]);
}

/* One that took the CPU from them would be interrupted for each reply */
static void worker_has_the_priority_of_the_callers(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 1);

	plain_submit(mock, &reqs[0]);
	plain_answer_one(mock);
	plain_wait(mock, 1);
	expect_good(test, &reqs[0]);
	KUNIT_EXPECT_PTR_NE(test, current, reqs[0].task);
	KUNIT_EXPECT_EQ(test, task_nice(current), reqs[0].nice);
}

static void sleeper_is_told_while_the_worker_is_busy(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 3);
	struct completion goes_on;
	struct waiter waiter;

	init_completion(&goes_on);
	reqs[0].goes_on = &goes_on;
	plain_submit(mock, &reqs[0]);
	plain_submit(mock, &reqs[1]);
	plain_answer_one(mock);
	plain_wait(mock, 1);
	waiter_start(&waiter, mock, &reqs[2], 0, MOCK_PATIENCE);
	plain_answer_one(mock);
	plain_answer_one(mock);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, waiter.waited);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[1].ends));
	complete(&goes_on);
	plain_wait(mock, 3);
	expect_good(test, &reqs[1]);
	expect_good(test, &reqs[2]);
}

/**
 * struct sleeper - a caller that goes to sleep, in pieces
 * @req: what it waits for
 * @waiter: for the queue
 *
 * That it was woken does not make it run: it has the CPU when the test says so.
 */
struct sleeper {
	struct plain_req *req;
	struct virtiofs_waiter waiter;
};

static struct sleeper *sleepers(struct mock_device *mock, unsigned int nr)
{
	struct plain_req *reqs = plain_reqs(mock, nr);
	struct sleeper *sleepers;
	unsigned int i;

	sleepers = kunit_kcalloc(mock->test, nr, sizeof(*sleepers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(mock->test, sleepers);
	for (i = 0; i < nr; i++) {
		sleepers[i].req = &reqs[i];
		KUNIT_EXPECT_FALSE(mock->test,
				   virtiofs_vq_submit_wait(plain_vq(mock), &reqs[i].link,
							   &sleepers[i].waiter, 0,
							   NULL));
	}
	return sleepers;
}

static void sleeper_runs(struct mock_device *mock, struct sleeper *sleeper)
{
	KUNIT_EXPECT_TRUE(mock->test,
			  virtiofs_vq_wait(plain_vq(mock), &sleeper->waiter,
					   MOCK_PATIENCE));
	expect_good(mock->test, sleeper->req);
}

static bool is_told(struct sleeper *sleeper)
{
	return completion_done(&sleeper->waiter.done);
}

static unsigned int spurious(struct mock_device *mock)
{
	/* They may come with the tick */
	irq_work_sync(&mock->queue[REQUESTS].irq);
	return mock->queue[REQUESTS].spurious;
}

/* The kernel switches a line off of whose interrupts nearly all are for nothing */
static void interrupt_finds_work_while_one_sleeps_and_another_polls(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct sleeper *sleeper = sleepers(mock, 1);
	struct plain_req *reqs = plain_reqs(mock, TOGETHER);
	struct mock_chain held;
	unsigned int i;

	pop_only(mock, &held);
	plain_be_prompt(mock, true);
	for (i = 0; i < TOGETHER; i++) {
		KUNIT_EXPECT_NE(test, PLAIN_LEFT,
				plain_submit_wait(mock, &reqs[i], LONG,
						  MOCK_PATIENCE));
		expect_good(test, &reqs[i]);
	}
	KUNIT_EXPECT_GE(test, interrupts(mock), TOGETHER);
	KUNIT_EXPECT_EQ(test, 0, spurious(mock));
	plain_answer(mock, &held);
	sleeper_runs(mock, sleeper);
}

/* With an event index the device tells no more until it is asked anew */
static void interrupt_that_was_lost_costs_no_other(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct sleeper *sleeper = sleepers(mock, 2);
	struct mock_chain chain;
	s64 len;

	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, &chain));
	len = plain_serve(mock, REQUESTS, &chain);
	mock_push(mock, REQUESTS, chain.head, len);
	mock_lose_interrupt(mock, REQUESTS);
	KUNIT_EXPECT_FALSE(test, is_told(&sleeper[0]));
	virtiofs_vqs_reap(plain_of(mock)->vqs);
	KUNIT_EXPECT_TRUE(test, is_told(&sleeper[0]));
	sleeper_runs(mock, &sleeper[0]);
	plain_answer_one(mock);
	KUNIT_EXPECT_EQ(test, 1, interrupts(mock));
	sleeper_runs(mock, &sleeper[1]);
}

/* Its interrupt may have been for a CPU that has gone, or was shut down until one came */
static void reply_is_reaped_when_a_cpu_goes_or_comes(struct kunit *test)
{
#ifdef CONFIG_HOTPLUG_CPU
	struct mock_device *mock = device(test);
	struct sleeper *sleeper = sleepers(mock, 2);
	unsigned int i, cpu = cpumask_last(cpu_online_mask);
	struct mock_chain chain;
	s64 len;

	if (!cpu)
		kunit_skip(test, "there is only one CPU");
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, &chain));
		len = plain_serve(mock, REQUESTS, &chain);
		mock_push(mock, REQUESTS, chain.head, len);
		mock_lose_interrupt(mock, REQUESTS);
		KUNIT_EXPECT_FALSE(test, is_told(&sleeper[i]));
		KUNIT_EXPECT_EQ(test, 0, i ? add_cpu(cpu) : remove_cpu(cpu));
		KUNIT_EXPECT_TRUE(test, is_told(&sleeper[i]));
		virtiofs_vqs_reap(plain_of(mock)->vqs);
		sleeper_runs(mock, &sleeper[i]);
	}
#else
	kunit_skip(test, "CPUs do not come and go");
#endif
}

/* One that was woken may have to wait until the host lets its CPU run */
static void sleepers_do_not_wait_for_one_that_was_woken(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct sleeper *sleeper;
	unsigned int i;

	if (!arch_irq_work_has_interrupt())
		kunit_skip(test, "interrupts come with the tick");
	sleeper = sleepers(mock, 3);
	for (i = 0; i < 3; i++) {
		plain_answer_one(mock);
		KUNIT_EXPECT_TRUE(test, is_told(&sleeper[i]));
	}
	KUNIT_EXPECT_EQ(test, 3, interrupts(mock));
	for (i = 0; i < 3; i++)
		sleeper_runs(mock, &sleeper[i]);
}

struct answer {
	struct work_struct work;
	struct mock_device *mock;
};

static void answer_run(struct work_struct *work)
{
	plain_answer_one(container_of(work, struct answer, work)->mock);
}

static void see_whether_lock_is_free(struct virtiofs_vq *vq, bool *is_free)
{
	unsigned long flags;

	if (!spin_trylock_irqsave(&vq->lock, flags))
		return;
	*is_free = true;
	spin_unlock_irqrestore(&vq->lock, flags);
}

/* While @sleeper cannot be woken, is its reply taken and the queue's lock free? */
static bool lock_is_free_at_the_wake_up(struct mock_device *mock,
					struct sleeper *sleeper)
{
	struct answer answer = { .mock = mock };
	unsigned long limit;
	bool is_free = false;
	unsigned long flags;

	INIT_WORK_ONSTACK(&answer.work, answer_run);
	raw_spin_lock_irqsave(&sleeper->waiter.done.wait.lock, flags);
	schedule_work_on(cpumask_any_but(cpu_online_mask, smp_processor_id()),
			 &answer.work);
	for (limit = 0; limit < USEC_PER_SEC && !is_free; limit++) {
		udelay(1);
		if (READ_ONCE(sleeper->waiter.used))
			see_whether_lock_is_free(plain_vq(mock), &is_free);
	}
	raw_spin_unlock_irqrestore(&sleeper->waiter.done.wait.lock, flags);
	flush_work(&answer.work);
	destroy_work_on_stack(&answer.work);
	return is_free;
}

/* On another CPU, the first thing that it does is to take the lock */
static void sleeper_is_woken_without_the_lock(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct sleeper *sleeper;

	if (num_online_cpus() < 2)
		kunit_skip(test, "there is only one CPU");
	sleeper = sleepers(mock, 1);
	KUNIT_EXPECT_TRUE(test, lock_is_free_at_the_wake_up(mock, sleeper));
	sleeper_runs(mock, sleeper);
}

/**
 * struct leaver - a sleeper that has got a signal
 * @sleeper: what it waits for
 * @mock: the device
 * @begun: it is about to wait
 * @ended: what virtiofs_vq_wait() has returned
 * @over: completed after that
 */
struct leaver {
	struct sleeper *sleeper;
	struct mock_device *mock;
	bool begun;
	bool ended;
	struct completion over;
};

static int leaver_run(void *data)
{
	struct leaver *leaver = data;

	allow_signal(SIGINT);
	send_sig(SIGINT, current, 1);
	WRITE_ONCE(leaver->begun, true);
	leaver->ended = virtiofs_vq_wait(plain_vq(leaver->mock),
					 &leaver->sleeper->waiter,
					 MOCK_PATIENCE);
	complete(&leaver->over);
	return 0;
}

/* Under this lock @flag becomes true soon, or the test will say what is wrong */
static void spin_until(const bool *flag)
{
	unsigned long limit;

	for (limit = 0; limit < USEC_PER_SEC && !READ_ONCE(*flag); limit++)
		udelay(1);
}

/*
 * Who waits on @cpus[0] has a signal, and comes to the wake-up's lock before the answer
 * from @cpus[1] does.
 */
static void leave_before_the_wake_up(struct leaver *leaver, unsigned int *cpus)
{
	struct answer answer = { .mock = leaver->mock };
	struct virtiofs_waiter *waiter = &leaver->sleeper->waiter;
	struct task_struct *task;
	unsigned long flags;

	task = kthread_create(leaver_run, leaver, "leaver");
	KUNIT_ASSERT_FALSE(leaver->mock->test, IS_ERR(task));
	kthread_bind(task, cpus[0]);
	INIT_WORK_ONSTACK(&answer.work, answer_run);
	raw_spin_lock_irqsave(&waiter->done.wait.lock, flags);
	wake_up_process(task);
	spin_until(&leaver->begun);
	udelay(USEC_PER_MSEC);
	schedule_work_on(cpus[1], &answer.work);
	spin_until(&waiter->used);
	raw_spin_unlock_irqrestore(&waiter->done.wait.lock, flags);
	flush_work(&answer.work);
	destroy_work_on_stack(&answer.work);
	wait_for_completion(&leaver->over);
}

/* It goes on only when it was woken, as its memory is on its stack */
static void sleeper_that_leaves_too_late_waits_to_be_woken(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct leaver leaver = { .mock = mock };
	unsigned int cpu, nr = 0, cpus[2];

	if (num_online_cpus() < 3)
		kunit_skip(test, "there are fewer than three CPUs");
	init_completion(&leaver.over);
	leaver.sleeper = sleepers(mock, 1);
	migrate_disable();
	for_each_online_cpu(cpu) {
		if (cpu != smp_processor_id() && nr < ARRAY_SIZE(cpus))
			cpus[nr++] = cpu;
	}
	leave_before_the_wake_up(&leaver, cpus);
	migrate_enable();
	KUNIT_EXPECT_TRUE(test, leaver.ended);
	KUNIT_EXPECT_FALSE(test, completion_done(&leaver.sleeper->waiter.done));
	expect_good(test, leaver.sleeper->req);
}

/* The poller is the one whose request the device has alone */
static void second_submitter_sleeps(struct kunit *test)
{
	struct mock_device *mock = device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct mock_chain held;
	struct waiter waiter;

	plain_submit(mock, &reqs[0]);
	pop_only(mock, &held);
	waiter_start(&waiter, mock, &reqs[1], LONG, MOCK_PATIENCE);
	waiter_sleeps(&waiter);
	KUNIT_EXPECT_TRUE(test, mock_is_asked(mock, REQUESTS));
	plain_answer_one(mock);
	waiter_end(&waiter);
	KUNIT_EXPECT_EQ(test, PLAIN_SLEPT, waiter.waited);
	expect_good(test, &reqs[1]);
	plain_answer(mock, &held);
	plain_wait(mock, 2);
	expect_good(test, &reqs[0]);
}

/* How many requests go without a poll until the next one */
static unsigned int skipped(struct virtiofs_hit_rate *rate)
{
	unsigned int nr = 0;

	while (!hit_rate_allows(rate))
		nr++;
	return nr;
}

static void each_miss_doubles_the_distance_to_the_next_poll(struct kunit *test)
{
	struct virtiofs_hit_rate rate = {};
	unsigned int miss;

	KUNIT_EXPECT_EQ(test, 0, skipped(&rate));
	for (miss = 1; miss <= HIT_MISSES_MAX + 2; miss++) {
		hit_rate_learn(&rate, false);
		KUNIT_EXPECT_EQ(test, (1 << min(miss, HIT_MISSES_MAX)) - 1,
				skipped(&rate));
	}
}

static void hit_has_each_request_polled_for_again(struct kunit *test)
{
	struct virtiofs_hit_rate rate = {};
	unsigned int miss;

	for (miss = 0; miss < HIT_MISSES_MAX; miss++)
		hit_rate_learn(&rate, false);
	skipped(&rate);
	hit_rate_learn(&rate, true);
	KUNIT_EXPECT_EQ(test, 0, skipped(&rate));
	KUNIT_EXPECT_EQ(test, 0, skipped(&rate));
	hit_rate_learn(&rate, false);
	KUNIT_EXPECT_EQ(test, 1, skipped(&rate));
}

static struct kunit_case poll_cases[] = {
	KUNIT_CASE_PARAM(polled_request_needs_no_interrupt, shape_gen_params),
	KUNIT_CASE_PARAM(request_after_a_polled_one_is_told_of,
			 shape_gen_params),
	KUNIT_CASE_PARAM(poller_that_leaves_is_told, shape_gen_params),
	KUNIT_CASE_PARAM(caller_gets_what_others_have_submitted_completed,
			 shape_gen_params),
	KUNIT_CASE_PARAM(request_that_a_poller_leaves_behind_is_told_of,
			 shape_gen_params),
	KUNIT_CASE_PARAM(full_ring_is_not_waited_for, shape_gen_params),
	KUNIT_CASE_PARAM(poller_has_what_is_reaped_while_it_gives_up,
			 shape_gen_params),
	KUNIT_CASE_PARAM(dead_queue_is_not_polled, shape_gen_params),
	KUNIT_CASE_PARAM(what_comes_beside_a_poller_is_interrupted_for, shape_gen_params),
	KUNIT_CASE_PARAM(kill_takes_the_ring_from_a_poller, shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_ends_its_request_itself, shape_gen_params),
	KUNIT_CASE_PARAM(poller_that_gives_up_sleeps, shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_that_leaves_lets_the_worker_end_its_request,
			 shape_gen_params),
	KUNIT_CASE_PARAM(one_interrupt_ends_what_is_waited_for_and_what_is_not,
			 shape_gen_params),
	KUNIT_CASE_PARAM(room_of_a_sleeper_is_for_the_backlog, shape_gen_params),
	KUNIT_CASE_PARAM(answer_meets_a_sleeper_that_leaves, shape_gen_params),
	KUNIT_CASE_PARAM(kill_wakes_a_sleeper, shape_gen_params),
	KUNIT_CASE_PARAM(worker_reaps_again_before_callbacks_are_on, shape_gen_params),
	KUNIT_CASE_PARAM(others_have_their_turn_while_there_always_is_a_reply,
			 shape_gen_params),
	KUNIT_CASE_PARAM(worker_has_the_priority_of_the_callers,
			 shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_is_told_while_the_worker_is_busy,
			 shape_gen_params),
	KUNIT_CASE_PARAM(interrupt_finds_work_while_one_sleeps_and_another_polls,
			 shape_gen_params),
	KUNIT_CASE_PARAM(interrupt_that_was_lost_costs_no_other,
			 shape_gen_params),
	KUNIT_CASE_PARAM(reply_is_reaped_when_a_cpu_goes_or_comes,
			 shape_gen_params),
	KUNIT_CASE_PARAM(sleepers_do_not_wait_for_one_that_was_woken,
			 shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_is_woken_without_the_lock, shape_gen_params),
	KUNIT_CASE_PARAM(sleeper_that_leaves_too_late_waits_to_be_woken,
			 shape_gen_params),
	KUNIT_CASE_PARAM(second_submitter_sleeps, shape_gen_params),
	KUNIT_CASE(each_miss_doubles_the_distance_to_the_next_poll),
	KUNIT_CASE(hit_has_each_request_polled_for_again),
	{}
};

static struct kunit_suite poll_suite = {
	.name = "virtiofs_poll",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = poll_cases,
};

kunit_test_suite(poll_suite);
