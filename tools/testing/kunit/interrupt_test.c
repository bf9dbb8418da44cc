// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of INTERRUPT: tasks that have got a signal while they wait for the
 * device in memory, which keeps each STATFS until the test answers it.
 */

#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/sched/signal.h>
#include <linux/statfs.h>

#include <kunit/test.h>

#include "hiprio.h"
#include "suite.h"
#include "virtio_fs.h"
#include "virtqueue.h"

#define HIPRIO		VIRTIOFS_VQ_HIPRIO
#define CALLERS		5

/* An INTERRUPT as the specifications of virtio and FUSE have it */
struct interrupt_wire {
	struct fuse_in_header in;
	struct fuse_interrupt_in arg;
};

/**
 * struct server - the server behind the device
 * @mnt: the mount
 * @hold: STATFS is kept
 * @hold_interrupts: INTERRUPT is kept
 * @verdict: error of the reply to an INTERRUPT; 0: there is no reply
 * @nr_statfs: number of STATFS in @statfs
 * @statfs: those that were kept, as they came
 * @nr_interrupts: number of INTERRUPTs that have come
 * @interrupt: the last of them
 * @wire: what it said, and as many bytes more as it should not have
 * @wire_len: bytes in @wire
 * @changed: woken when one more request has come
 */
struct server {
	struct vfsmount *mnt;
	bool hold;
	bool hold_interrupts;
	int verdict;
	unsigned int nr_statfs;
	struct held statfs[CALLERS];
	unsigned int nr_interrupts;
	struct held interrupt;
	u8 wire[sizeof(struct interrupt_wire) + 1];
	unsigned int wire_len;
	wait_queue_head_t changed;
};

static s64 reply_statfs(struct mock_chain *chain, u64 unique, int error)
{
	struct fuse_statfs_out statfs = {};

	return suite_reply(chain, unique, error, &statfs, error ? 0 : sizeof(statfs));
}

static s64 reply_interrupt(struct server *server, struct mock_chain *chain,
			   u64 unique)
{
	if (!server->verdict)
		return 0;
	return suite_reply(chain, unique, server->verdict, NULL, 0);
}

static s64 serve_statfs(struct server *server, unsigned int index,
			const struct fuse_in_header *in, struct mock_chain *chain)
{
	if (!server->hold || WARN_ON_ONCE(server->nr_statfs == CALLERS))
		return reply_statfs(chain, in->unique, 0);
	suite_hold(&server->statfs[server->nr_statfs++], index, in, chain);
	wake_up_all(&server->changed);
	return MOCK_HOLD;
}

static s64 serve_interrupt(struct server *server, unsigned int index,
			   const struct fuse_in_header *in,
			   struct mock_chain *chain)
{
	server->wire_len = mock_read(chain, server->wire, sizeof(server->wire));
	suite_hold(&server->interrupt, index, in, chain);
	server->nr_interrupts++;
	wake_up_all(&server->changed);
	if (server->hold_interrupts)
		return MOCK_HOLD;
	return reply_interrupt(server, chain, in->unique);
}

static s64 server_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct server *server = mock->private;
	struct fuse_in_header in = {};

	mock_read(chain, &in, sizeof(in));
	switch (in.opcode) {
	case FUSE_INIT:
		return suite_reply_init(chain, in.unique, 0);
	case FUSE_STATFS:
		return serve_statfs(server, index, &in, chain);
	case FUSE_INTERRUPT:
		return serve_interrupt(server, index, &in, chain);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_DESTROY:
		return 0;
	default:
		return suite_reply(chain, in.unique, -EOPNOTSUPP, NULL, 0);
	}
}

static struct server *server_of(struct mock_device *mock)
{
	return mock->private;
}

static struct mock_device *mounted_device(struct kunit *test,
					  unsigned int ring_size)
{
	struct server *server = kunit_kzalloc(test, sizeof(*server), GFP_KERNEL);
	struct mock_device *mock;

	KUNIT_ASSERT_NOT_NULL(test, server);
	server->hold = true;
	init_waitqueue_head(&server->changed);
	mock = suite_device(test, server_serve, server, ring_size);
	server->mnt = suite_mount(mock);
	return mock;
}

static int statfs_of(struct caller *caller)
{
	struct path path = {
		.mnt = caller->mnt,
		.dentry = caller->mnt->mnt_root,
	};
	struct kstatfs kstatfs;

	return vfs_statfs(&path, &kstatfs);
}

/* Returns when the server has the request, if it keeps it and the ring has room */
static void call(struct mock_device *mock, struct caller *caller)
{
	struct server *server = server_of(mock);
	unsigned int before = READ_ONCE(server->nr_statfs);

	suite_call(mock, caller, server->mnt, statfs_of);
	if (server->hold && before < mock->ring_size)
		wait_event_timeout(server->changed,
				   READ_ONCE(server->nr_statfs) > before,
				   MOCK_PATIENCE);
}

/* A signal that is not fatal, and time to notice it */
static void signal_caller(struct mock_device *mock, struct caller *caller)
{
	unsigned long end = jiffies + MOCK_PATIENCE;

	/* It waits for the request first, and might not have begun to */
	while (READ_ONCE(caller->task->__state) != TASK_INTERRUPTIBLE &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	send_sig(SIGUSR1, caller->task, 1);
	while (READ_ONCE(caller->task->__state) != TASK_KILLABLE &&
	       !completion_done(&caller->left) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(mock->test, time_before(jiffies, end));
}

/* What the freezer and io_uring do to a task is no signal */
static void disturb_caller(struct mock_device *mock, struct caller *caller)
{
	unsigned long end = jiffies + MOCK_PATIENCE;

	while (READ_ONCE(caller->task->__state) != TASK_INTERRUPTIBLE &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	set_tsk_thread_flag(caller->task, TIF_SIGPENDING);
	wake_up_process(caller->task);
	while (READ_ONCE(caller->task->__state) != TASK_KILLABLE &&
	       time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_TRUE(mock->test, time_before(jiffies, end));
}

static void expect_interrupts(struct mock_device *mock, unsigned int nr)
{
	struct server *server = server_of(mock);

	wait_event_timeout(server->changed,
			   READ_ONCE(server->nr_interrupts) >= nr,
			   MOCK_PATIENCE);
	KUNIT_EXPECT_EQ(mock->test, nr, server->nr_interrupts);
}

static void answer(struct mock_device *mock, unsigned int nr, int error)
{
	struct held *held = &server_of(mock)->statfs[nr];

	suite_answer(mock, held, reply_statfs(&held->chain, held->in.unique, error));
}

static struct caller *new_callers(struct kunit *test)
{
	struct caller *callers = kunit_kcalloc(test, CALLERS, sizeof(*callers),
					       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, callers);
	return callers;
}

static void interrupt_wire_format(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);
	struct server *server = server_of(mock);
	struct interrupt_wire *wire = (void *)server->wire;

	call(mock, caller);
	signal_caller(mock, caller);
	expect_interrupts(mock, 1);
	KUNIT_EXPECT_EQ(test, HIPRIO, server->interrupt.index);
	KUNIT_EXPECT_EQ(test, sizeof(*wire), server->wire_len);
	KUNIT_EXPECT_EQ(test, sizeof(*wire), wire->in.len);
	KUNIT_EXPECT_EQ(test, server->statfs[0].in.unique | 1, wire->in.unique);
	KUNIT_EXPECT_EQ(test, 0, server->statfs[0].in.unique & 1);
	KUNIT_EXPECT_EQ(test, 0, wire->in.nodeid);
	KUNIT_EXPECT_EQ(test, server->statfs[0].in.unique, wire->arg.unique);
	KUNIT_EXPECT_EQ(test, 1, server->interrupt.chain.nr_in);
	KUNIT_EXPECT_EQ(test, sizeof(struct fuse_out_header),
			server->interrupt.chain.seg[server->interrupt.chain.nr_out].len);
	answer(mock, 0, 0);
	suite_expect_result(mock, caller, 0);
}

static void honoured_interrupt_ends_the_call(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call(mock, caller);
	signal_caller(mock, caller);
	expect_interrupts(mock, 1);
	answer(mock, 0, -EINTR);
	suite_expect_result(mock, caller, -EINTR);
}

static void what_is_no_signal_is_not_told(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call(mock, caller);
	disturb_caller(mock, caller);
	schedule_timeout_uninterruptible(HZ / 10);
	expect_interrupts(mock, 0);
	answer(mock, 0, 0);
	suite_expect_result(mock, caller, 0);
}

static void signal_after_a_disturbance_is_told(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call(mock, caller);
	disturb_caller(mock, caller);
	send_sig(SIGUSR1, caller->task, 1);
	expect_interrupts(mock, 1);
	answer(mock, 0, -EINTR);
	suite_expect_result(mock, caller, -EINTR);
}

static void ignored_interrupt_is_not_repeated(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call(mock, caller);
	signal_caller(mock, caller);
	expect_interrupts(mock, 1);
	send_sig(SIGUSR1, caller->task, 1);
	schedule_timeout_uninterruptible(HZ / 5);
	expect_interrupts(mock, 1);
	answer(mock, 0, 0);
	suite_expect_result(mock, caller, 0);
}

static void expect_repeated(struct mock_device *mock)
{
	struct server *server = server_of(mock);

	wait_event_timeout(server->changed, READ_ONCE(server->nr_interrupts) > 2,
			   MOCK_PATIENCE);
	KUNIT_EXPECT_GT(mock->test, server->nr_interrupts, 2);
}

static void interrupt_is_repeated_when_asked_for(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	server_of(mock)->verdict = -EAGAIN;
	call(mock, caller);
	signal_caller(mock, caller);
	expect_repeated(mock);
	answer(mock, 0, -EINTR);
	suite_expect_result(mock, caller, -EINTR);
}

/* The device has a request and the INTERRUPT that its caller's signal has sent */
static void call_and_interrupt(struct mock_device *mock, struct caller *caller,
			       int verdict)
{
	struct server *server = server_of(mock);

	server->verdict = verdict;
	server->hold_interrupts = true;
	call(mock, caller);
	signal_caller(mock, caller);
	expect_interrupts(mock, 1);
}

/* It replies to the INTERRUPT, or to one that is so much later */
static void answer_interrupt(struct mock_device *mock, u64 later)
{
	struct server *server = server_of(mock);
	struct held *held = &server->interrupt;

	suite_answer(mock, held, reply_interrupt(server, &held->chain,
						 held->in.unique + later));
}

static void one_interrupt_at_a_time(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call_and_interrupt(mock, caller, -EAGAIN);
	schedule_timeout_uninterruptible(HZ / 5);
	expect_interrupts(mock, 1);
	answer_interrupt(mock, 0);
	expect_interrupts(mock, 2);
	answer(mock, 0, 0);
	suite_expect_result(mock, caller, 0);
	answer_interrupt(mock, 0);
}

static void server_without_interrupts_is_not_asked_again(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *callers = new_callers(test);
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);
	struct server *server = server_of(mock);

	server->verdict = -ENOSYS;
	call(mock, &callers[0]);
	signal_caller(mock, &callers[0]);
	expect_interrupts(mock, 1);
	answer(mock, 0, 0);
	suite_expect_result(mock, &callers[0], 0);
	/* The answer has come, and was taken note of */
	virtiofs_vqs_drain(dev->vqs);

	call(mock, &callers[1]);
	signal_caller(mock, &callers[1]);
	/* It can be killed as ever */
	send_sig(SIGKILL, callers[1].task, 1);
	suite_expect_result(mock, &callers[1], -EINTR);
	expect_interrupts(mock, 1);
	answer(mock, 1, 0);
}

static void reply_to_another_interrupt_means_nothing(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *callers = new_callers(test);
	struct server *server = server_of(mock);

	call_and_interrupt(mock, &callers[0], -ENOSYS);
	answer_interrupt(mock, 2);
	answer(mock, 0, 0);
	suite_expect_result(mock, &callers[0], 0);

	server->hold_interrupts = false;
	call(mock, &callers[1]);
	signal_caller(mock, &callers[1]);
	expect_interrupts(mock, 2);
	answer(mock, 1, 0);
	suite_expect_result(mock, &callers[1], 0);
}

static void interrupt_waits_until_the_device_has_the_request(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, CALLERS - 1);
	struct caller *callers = new_callers(test);
	struct caller *last = &callers[CALLERS - 1];
	unsigned int i;

	for (i = 0; i < CALLERS; i++)
		call(mock, &callers[i]);
	signal_caller(mock, last);
	expect_interrupts(mock, 0);

	answer(mock, 0, 0);
	expect_interrupts(mock, 1);
	/* The queues are served side by side */
	wait_event_timeout(server_of(mock)->changed,
			   READ_ONCE(server_of(mock)->nr_statfs) == CALLERS,
			   MOCK_PATIENCE);
	KUNIT_EXPECT_EQ(test, server_of(mock)->statfs[CALLERS - 1].in.unique | 1,
			server_of(mock)->interrupt.in.unique);
	answer(mock, CALLERS - 1, -EINTR);
	suite_expect_result(mock, last, -EINTR);
	for (i = 0; i < CALLERS - 1; i++) {
		if (i)
			answer(mock, i, 0);
		suite_expect_result(mock, &callers[i], 0);
	}
}

static void killed_caller_tells_the_device(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call(mock, caller);
	send_sig(SIGKILL, caller->task, 1);
	suite_expect_result(mock, caller, -EINTR);
	expect_interrupts(mock, 1);
	answer(mock, 0, -EINTR);
}

static void device_is_asked_again_for_a_killed_caller(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	server_of(mock)->verdict = -EAGAIN;
	call(mock, caller);
	send_sig(SIGKILL, caller->task, 1);
	suite_expect_result(mock, caller, -EINTR);
	expect_repeated(mock);
	answer(mock, 0, -EINTR);
}

/**
 * struct answerer - a task that answers a request when the device was asked for it again
 * @caller: the task
 * @mock: the device
 */
struct answerer {
	struct caller caller;
	struct mock_device *mock;
};

static int answer_when_asked_again(struct caller *caller)
{
	struct answerer *answerer = container_of(caller, struct answerer, caller);

	expect_repeated(answerer->mock);
	answer(answerer->mock, 0, -EINTR);
	return 0;
}

static void device_is_asked_again_during_unmount(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);
	struct answerer *answerer = kunit_kzalloc(test, sizeof(*answerer), GFP_KERNEL);
	struct server *server = server_of(mock);
	unsigned int resets = mock->resets;

	KUNIT_ASSERT_NOT_NULL(test, answerer);
	answerer->mock = mock;
	server->verdict = -EAGAIN;
	call(mock, caller);
	send_sig(SIGKILL, caller->task, 1);
	suite_expect_result(mock, caller, -EINTR);
	suite_call(mock, &answerer->caller, server->mnt, answer_when_asked_again);
	suite_unmount(mock, server->mnt);
	suite_expect_result(mock, &answerer->caller, 0);
	KUNIT_EXPECT_EQ(test, resets, mock->resets);
}

/* An INTERRUPT that it does not heed is no progress */
static void unmount_ends_though_the_device_wants_to_be_asked_again(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);
	struct server *server = server_of(mock);
	unsigned long since;

	server->verdict = -EAGAIN;
	call(mock, caller);
	send_sig(SIGKILL, caller->task, 1);
	suite_expect_result(mock, caller, -EINTR);
	since = jiffies;
	suite_unmount(mock, server->mnt);
	/* The device is reset after half a minute without progress */
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, since + MOCK_PATIENCE));
}

static void reply_before_that_to_the_interrupt(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);

	call_and_interrupt(mock, caller, -EAGAIN);
	answer(mock, 0, 0);
	suite_expect_result(mock, caller, 0);
	answer_interrupt(mock, 0);
	server_of(mock)->hold = false;
	call(mock, caller);
	suite_expect_result(mock, caller, 0);
	expect_interrupts(mock, 1);
}

static void device_goes_with_an_interrupt_in_flight(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *callers = new_callers(test);

	server_of(mock)->hold_interrupts = true;
	call(mock, &callers[0]);
	call(mock, &callers[1]);
	signal_caller(mock, &callers[0]);
	expect_interrupts(mock, 1);
	send_sig(SIGKILL, callers[1].task, 1);
	suite_expect_result(mock, &callers[1], -EINTR);
	mock_unplug(mock);
	suite_expect_result(mock, &callers[0], -ECONNABORTED);
}

static void replies_race_with_signals(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, 16);
	struct caller *caller = new_callers(test);
	struct server *server = server_of(mock);
	unsigned int i;

	server->verdict = -EAGAIN;
	for (i = 0; i < 300; i++) {
		server->nr_statfs = 0;
		call(mock, caller);
		send_sig(SIGUSR1, caller->task, 1);
		if (i & 1)
			schedule_timeout_uninterruptible(i % 3);
		answer(mock, 0, 0);
		suite_expect_result(mock, caller, 0);
	}
}

static struct kunit_case interrupt_cases[] = {
	KUNIT_CASE(interrupt_wire_format),
	KUNIT_CASE(honoured_interrupt_ends_the_call),
	KUNIT_CASE(what_is_no_signal_is_not_told),
	KUNIT_CASE(signal_after_a_disturbance_is_told),
	KUNIT_CASE(ignored_interrupt_is_not_repeated),
	KUNIT_CASE(interrupt_is_repeated_when_asked_for),
	KUNIT_CASE(one_interrupt_at_a_time),
	KUNIT_CASE(server_without_interrupts_is_not_asked_again),
	KUNIT_CASE(reply_to_another_interrupt_means_nothing),
	KUNIT_CASE(interrupt_waits_until_the_device_has_the_request),
	KUNIT_CASE(killed_caller_tells_the_device),
	KUNIT_CASE_SLOW(device_is_asked_again_for_a_killed_caller),
	KUNIT_CASE_SLOW(device_is_asked_again_during_unmount),
	KUNIT_CASE_SLOW(unmount_ends_though_the_device_wants_to_be_asked_again),
	KUNIT_CASE(reply_before_that_to_the_interrupt),
	KUNIT_CASE(device_goes_with_an_interrupt_in_flight),
	KUNIT_CASE_SLOW(replies_race_with_signals),
	{}
};

static struct kunit_suite interrupt_suite = {
	.name = "virtiofs_interrupt",
	.test_cases = interrupt_cases,
};

kunit_test_suite(interrupt_suite);
