// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what meets at the end of a request: the device has it, its caller
 * waits, and two things happen to them at the same time.
 */

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mount.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "server.h"
#include "virtio_fs.h"
#include "virtiofs_trace.h"
#include "virtqueue.h"

/* How often each two meet, and how far apart they begin at the most */
#define MEETINGS	(12 / MOCK_SLOWNESS)
#define APART_US	200

/**
 * struct meeting - two things that happen at the same time
 * @mock: the device
 * @caller: has a request that the device keeps
 * @second: what happens in a thread of its own
 * @done: that has happened
 */
struct meeting {
	struct mock_device *mock;
	struct task_struct *caller;
	void (*second)(struct meeting *meeting);
	struct completion done;
};

static void do_answer(struct meeting *meeting)
{
	server_answer(meeting->mock);
}

static void do_kill(struct meeting *meeting)
{
	send_sig(SIGKILL, meeting->caller, 1);
}

/* As "umount -f" */
static void do_abort(struct meeting *meeting)
{
	struct super_block *sb = server_of(meeting->mock)->mnt->mnt_sb;

	sb->s_op->umount_begin(sb);
}

static void do_need_reset(struct meeting *meeting)
{
	struct mock_device *mock = meeting->mock;

	spin_lock_irq(&mock->lock);
	if (mock->live)
		mock->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	spin_unlock_irq(&mock->lock);
	virtio_config_changed(&mock->vdev);
}

static void do_remove(struct meeting *meeting)
{
	mock_unplug(meeting->mock);
}

static void do_unmount(struct meeting *meeting)
{
	server_unmount(server_of(meeting->mock));
}

#ifdef VIRTIOFS_HAVE_RESET_METHODS
/* The kernel does it under the lock that a removal takes */
static void do_reset(struct meeting *meeting)
{
	struct virtio_device *vdev = &meeting->mock->vdev;

	device_lock(&vdev->dev);
	if (vdev->dev.driver && !virtio_device_reset_prepare(vdev))
		virtio_device_reset_done(vdev);
	device_unlock(&vdev->dev);
}
#endif

/**
 * struct pair - what meets
 * @name: for people
 * @left: the caller was killed before
 * @first: what happens in the test's thread
 * @second: what happens in another
 */
struct pair {
	const char *name;
	bool left;
	void (*first)(struct meeting *meeting);
	void (*second)(struct meeting *meeting);
};

static const struct pair pairs[] = {
	{ "answer, kill", false, do_answer, do_kill },
	{ "answer, abort", false, do_answer, do_abort },
	{ "answer, need of a reset", false, do_answer, do_need_reset },
	{ "answer, remove", false, do_remove, do_answer },
	{ "kill, abort", false, do_kill, do_abort },
	{ "kill, need of a reset", false, do_kill, do_need_reset },
	{ "kill, remove", false, do_remove, do_kill },
	{ "abort, abort", false, do_abort, do_abort },
	{ "abort, need of a reset", false, do_abort, do_need_reset },
	{ "abort, remove", false, do_remove, do_abort },
	{ "need of a reset, remove", false, do_remove, do_need_reset },
	{ "late answer, abort", true, do_answer, do_abort },
	{ "late answer, remove", true, do_remove, do_answer },
	{ "late answer, unmount", true, do_unmount, do_answer },
	{ "need of a reset, unmount", true, do_unmount, do_need_reset },
	{ "remove, unmount", true, do_remove, do_unmount },
#ifdef VIRTIOFS_HAVE_RESET_METHODS
	{ "answer, reset", false, do_reset, do_answer },
	{ "late answer, reset", true, do_reset, do_answer },
	{ "kill, reset", false, do_reset, do_kill },
	{ "abort, reset", false, do_reset, do_abort },
	{ "need of a reset, reset", false, do_reset, do_need_reset },
	{ "unmount, reset", true, do_reset, do_unmount },
#endif
};

static void pair_name(const struct pair *pair, char *desc)
{
	strscpy(desc, pair->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pair, pairs, pair_name);

static void wait_a_moment(void)
{
	udelay(get_random_u32_below(APART_US));
}

static int second_run(void *data)
{
	struct meeting *meeting = data;

	wait_a_moment();
	meeting->second(meeting);
	complete(&meeting->done);
	return 0;
}

static void meet(struct meeting *meeting, const struct pair *pair)
{
	struct kunit *test = meeting->mock->test;
	struct task_struct *thread;

	meeting->second = pair->second;
	init_completion(&meeting->done);
	thread = kthread_run(second_run, meeting, "virtiofs-meets");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	wait_a_moment();
	pair->first(meeting);
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&meeting->done,
							     MOCK_PATIENCE));
}

static bool is_fair_end(int result)
{
	switch (result) {
	case 0:
	case -EINTR:
	case -ECONNABORTED:
	case -ENOTCONN:
		return true;
	default:
		return false;
	}
}

static void expect_return(struct meeting *meeting)
{
	struct kunit *test = meeting->mock->test;
	struct server *server = server_of(meeting->mock);

	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&server->left,
							     MOCK_PATIENCE));
	KUNIT_EXPECT_TRUE(test, is_fair_end(server->result));
}

static void expect_good_end(struct kunit *test, const struct pair *pair)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	struct meeting meeting = { .mock = mock };

	server_mount(mock);
	expect_truth(mock);
	meeting.caller = server_call(mock);
	if (pair->left) {
		do_kill(&meeting);
		expect_return(&meeting);
	}
	meet(&meeting, pair);
	if (!pair->left) {
		server_answer(mock);
		expect_return(&meeting);
	}
	kthread_stop(meeting.caller);

	/* Whatever has happened, the device can be used again */
	server_answer(mock);
	server->hold_statfs = false;
	server_unmount(server);
	if (!mock->plugged)
		return;
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server);
	mock_unplug(mock);
}

static void two_meet_and_the_request_ends_once(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < MEETINGS; i++)
		expect_good_end(test, test->param_value);
}

/**
 * struct pause - a caller that is held while it leaves
 * @caller: the caller
 * @begun: it has left its request to the device, and has not ended it for itself
 * @over: it may go on
 */
struct pause {
	struct task_struct *caller;
	struct completion begun;
	bool over;
};

static void pause_caller(void *data, const char *tag, u64 unique, u32 opcode)
{
	unsigned long end = jiffies + MOCK_PATIENCE;
	struct pause *pause = data;

	if (current != pause->caller)
		return;
	complete(&pause->begun);
	while (!READ_ONCE(pause->over) && time_before(jiffies, end))
		cpu_relax();
}

/* The kernel warns of a request that ends while it counts as sent */
static void answer_comes_while_the_caller_leaves(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);
	struct pause pause = {};

	if (num_online_cpus() < 2)
		kunit_skip(test, "there is only one CPU");
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "the kernel is without trace events");
	init_completion(&pause.begun);
	server_mount(mock);
	pause.caller = server_call(mock);
	/* Nothing may end the test while this is registered */
	KUNIT_EXPECT_EQ(test, 0, register_trace_virtiofs_abandon(pause_caller,
								 &pause));
	send_sig(SIGKILL, pause.caller, 1);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&pause.begun,
							     MOCK_PATIENCE));
	server_answer(mock);
	virtiofs_vqs_drain(dev->vqs);
	/* What is left of it is done by another worker, and not now */
	msleep(20);
	WRITE_ONCE(pause.over, true);
	KUNIT_EXPECT_EQ(test, -EINTR, server_result(mock, pause.caller));
	unregister_trace_virtiofs_abandon(pause_caller, &pause);
	tracepoint_synchronize_unregister();
	expect_truth(mock);
	server_unmount(server_of(mock));
}

static struct kunit_case meet_cases[] = {
	KUNIT_CASE_PARAM(two_meet_and_the_request_ends_once, pair_gen_params),
	KUNIT_CASE(answer_comes_while_the_caller_leaves),
	{}
};

static struct kunit_suite meet_suite = {
	.name = "virtiofs_meet",
	.test_cases = meet_cases,
};

kunit_test_suite(meet_suite);
