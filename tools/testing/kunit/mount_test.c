// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of mounts: what the server says to FUSE_INIT, and what may happen before
 * it says that.
 */

#include <linux/kthread.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "server.h"
#include "virtio_fs.h"
#include "virtqueue.h"

static void expect_mount(struct mock_device *mock)
{
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}

static void mount_fails_as_the_server_says(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server->init_error = -EPERM;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPERM), (void *)server_try_mount());
	server->init_error = 0;
	expect_mount(mock);
}

static void mount_fails_with_another_version(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server->init_major = FUSE_KERNEL_VERSION + 1;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPROTONOSUPPORT),
			    (void *)server_try_mount());
	server->init_major = FUSE_KERNEL_VERSION - 1;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPROTONOSUPPORT),
			    (void *)server_try_mount());
	server->init_major = 0;
	expect_mount(mock);
}

static void mount_waits_for_the_server(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	struct task_struct *caller = server_begin_mount(mock);

	KUNIT_EXPECT_FALSE(test, completion_done(&server->left));
	server_answer(mock);
	KUNIT_EXPECT_EQ(test, 0, server_result(mock, caller));
	expect_truth(mock);
	server_unmount(server);
}

static void removal_ends_a_mount(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct task_struct *caller = server_begin_mount(mock);

	mock_unplug(mock);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server_result(mock, caller));
}

static void abort_ends_a_mount(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct task_struct *caller = server_begin_mount(mock);
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);

	virtiofs_vqs_kill_async(dev->vqs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server_result(mock, caller));
	expect_mount(mock);
}

static void killed_mount_leaves_the_device_to_the_next(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct task_struct *caller = server_begin_mount(mock);
	unsigned int resets = mock->resets;

	send_sig(SIGKILL, caller, 1);
	KUNIT_EXPECT_EQ(test, -EINTR, server_result(mock, caller));
	/* What the device still had, it has no more */
	KUNIT_EXPECT_EQ(test, resets + 1, mock->resets);
	expect_mount(mock);
}

static struct kunit_case mount_cases[] = {
	KUNIT_CASE(mount_fails_as_the_server_says),
	KUNIT_CASE(mount_fails_with_another_version),
	KUNIT_CASE(mount_waits_for_the_server),
	KUNIT_CASE(removal_ends_a_mount),
	KUNIT_CASE(abort_ends_a_mount),
	KUNIT_CASE(killed_mount_leaves_the_device_to_the_next),
	{}
};

static struct kunit_suite mount_suite = {
	.name = "virtiofs_mount",
	.test_cases = mount_cases,
};

kunit_test_suite(mount_suite);
