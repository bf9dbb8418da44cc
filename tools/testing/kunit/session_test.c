// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of sessions: a mount over the device in memory.
 */

#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "server.h"
#include "virtio_fs.h"
#include "virtqueue.h"

static const struct lie lies[] = {
	{ "an honest error", HEADER, HEADER, -ENOENT, 0, -ENOENT },
	{ "nothing written, but a sane header", WHOLE, 0 },
	{ "an empty header", 0, 0, 0, 0, -EIO },
	{ "a header without a length", 0, WHOLE, 0, 0, -EIO },
	{ "a length below the header", HEADER - 1, WHOLE, 0, 0, -EIO },
	{ "a header alone", HEADER, HEADER, 0, 0, -EIO },
	{ "a byte too short", WHOLE - 1, WHOLE - 1, 0, 0, -EIO },
	{ "a byte too long", WHOLE + 1, WHOLE + 1, 0, 0, -EIO },
	{ "an endless reply", U32_MAX, U32_MAX, 0, 0, -EIO },
	{ "longer than what was written", WHOLE, WHOLE - 1, 0, 0, -EIO },
	{ "the id of another request", WHOLE, WHOLE, 0, 2, -EIO },
	{ "a positive error", HEADER, HEADER, ENOENT, 0, -EIO },
	{ "an error of the kernel's own", HEADER, HEADER, -512, 0, -EIO },
	{ "an error out of range", HEADER, HEADER, S32_MIN, 0, -EIO },
	{ "an error with a payload", WHOLE, WHOLE, -ENOENT, 0, -EIO },
};

static void lie_name(const struct lie *lie, char *desc)
{
	strscpy(desc, lie->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lie, lies, lie_name);

static void mount_finds_the_tag_and_nothing_else(struct kunit *test)
{
	struct mock_device *mock;

	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EINVAL), (void *)suite_try_mount());
	mock = served_device(test);
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
	mock_unplug(mock);
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EINVAL), (void *)suite_try_mount());
}

static void device_can_be_mounted_again(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		server_mount(mock);
		expect_truth(mock);
		server_unmount(server_of(mock));
	}
}

static void lie_ends_its_own_request_alone(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	const struct lie *lie = test->param_value;

	server_mount(mock);
	expect_truth(mock);
	KUNIT_EXPECT_EQ(test, lie->result, statfs_with(mock, lie));
	KUNIT_EXPECT_EQ(test, lie->result ? 0 : BLOCKS,
			server_of(mock)->kstatfs.f_blocks);
	expect_truth(mock);
}

struct scribbler {
	struct work_struct work;
	struct mock_device *mock;
	bool stop;
};

/* The memory belongs to the queue until the device is gone */
static void scribbler_run(struct work_struct *work)
{
	struct scribbler *scribbler = container_of(work, struct scribbler, work);
	struct fuse_out_header *reply;
	u32 len = 0;

	while (!READ_ONCE(scribbler->stop)) {
		reply = READ_ONCE(server_of(scribbler->mock)->reply);
		if (reply)
			WRITE_ONCE(reply->len, len);
		len = len == WHOLE ? U32_MAX : WHOLE;
		cond_resched();
	}
}

static void reply_that_changes_while_it_is_read_does_no_harm(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct scribbler *scribbler;
	unsigned int i, wrong = 0;
	int err;

	scribbler = kunit_kzalloc(test, sizeof(*scribbler), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, scribbler);
	server_mount(mock);
	INIT_WORK(&scribbler->work, scribbler_run);
	scribbler->mock = mock;
	queue_work(mock->wq, &scribbler->work);
	for (i = 0; i < 1000; i++) {
		err = statfs_with(mock, &truth);
		if (err ? err != -EIO : server_of(mock)->kstatfs.f_blocks != BLOCKS)
			wrong++;
	}
	WRITE_ONCE(scribbler->stop, true);
	flush_work(&scribbler->work);
	KUNIT_EXPECT_EQ(test, 0, wrong);
	expect_truth(mock);
}

static void remove_with_requests_in_flight(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server_mount(mock);
	expect_truth(mock);
	server_hold_statfs(mock);
	mock_unplug(mock);
	flush_work(&server->statfs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server->result);

	/* The mount is there, and fails */
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server);
}

/* The device has the request of a task, which is killed and waits no more */
static void kill_a_caller(struct mock_device *mock)
{
	struct server *server = server_of(mock);
	struct task_struct *caller;

	caller = server_call(mock);
	KUNIT_EXPECT_FALSE(mock->test, completion_done(&server->left));
	send_sig(SIGKILL, caller, 1);
	KUNIT_EXPECT_EQ(mock->test, -EINTR, server_result(mock, caller));
}

static void late_reply_to_a_killed_caller_is_digested(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	server_mount(mock);
	expect_truth(mock);
	kill_a_caller(mock);
	expect_truth(mock);

	server_answer(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}

static void lie_to_a_killed_caller_is_digested(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server_mount(mock);
	expect_truth(mock);
	kill_a_caller(mock);
	mock_answer(mock, server->held_index, server->held.head, U32_MAX);
	expect_truth(mock);
	server_unmount(server);
}

static void remove_with_the_request_of_a_killed_caller(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	server_mount(mock);
	expect_truth(mock);
	kill_a_caller(mock);
	mock_unplug(mock);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server_of(mock));
}

static void device_that_needs_a_reset_gets_one(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	unsigned int resets = mock->resets;

	server_mount(mock);
	expect_truth(mock);

	/* A configuration interrupt alone says nothing */
	virtio_config_changed(&mock->vdev);
	expect_truth(mock);

	server_hold_statfs(mock);
	mock->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_config_changed(&mock->vdev);
	flush_work(&server->statfs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server->result);
	KUNIT_EXPECT_EQ(test, resets + 1, mock->resets);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server);

	server->hold_statfs = false;
	server_mount(mock);
	expect_truth(mock);
}

/* Where there was a device, the bus reads ones */
static void device_that_is_gone_is_not_mounted(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);

	server_mount(mock);
	server_unmount(server_of(mock));
	spin_lock_irq(&mock->lock);
	mock->live = false;
	mock->status = 0xff;
	spin_unlock_irq(&mock->lock);
	virtio_config_changed(&mock->vdev);
	flush_work(&dev->vqs->check_work);
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENODEV), (void *)suite_try_mount());
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENODEV), (void *)suite_try_mount());

	/* It has come back */
	mock->status = 0;
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}

/* It has no status in which it could agree to its features */
static void legacy_device_is_mounted_after_an_abort(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	struct super_block *sb;

	device_release_driver(&mock->vdev.dev);
	mock->features &= ~BIT_ULL(VIRTIO_F_VERSION_1);
	mock->refuse_features = true;
	KUNIT_ASSERT_TRUE(test, mock_probe_again(mock));
	server_mount(mock);
	expect_truth(mock);
	sb = server->mnt->mnt_sb;
	sb->s_op->umount_begin(sb);
	server_unmount(server);
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server);
}

static struct kunit_case session_cases[] = {
	KUNIT_CASE(mount_finds_the_tag_and_nothing_else),
	KUNIT_CASE(device_can_be_mounted_again),
	KUNIT_CASE_PARAM(lie_ends_its_own_request_alone, lie_gen_params),
	KUNIT_CASE_SLOW(reply_that_changes_while_it_is_read_does_no_harm),
	KUNIT_CASE(remove_with_requests_in_flight),
	KUNIT_CASE(late_reply_to_a_killed_caller_is_digested),
	KUNIT_CASE(lie_to_a_killed_caller_is_digested),
	KUNIT_CASE(remove_with_the_request_of_a_killed_caller),
	KUNIT_CASE(device_that_needs_a_reset_gets_one),
	KUNIT_CASE(device_that_is_gone_is_not_mounted),
	KUNIT_CASE(legacy_device_is_mounted_after_an_abort),
	{}
};

static struct kunit_suite session_suite = {
	.name = "virtiofs_session",
	.test_cases = session_cases,
};

kunit_test_suite(session_suite);
