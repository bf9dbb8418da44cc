// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of mounts: what the server says to FUSE_INIT, and what may happen before
 * it says that.
 */

#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
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
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPERM), (void *)suite_try_mount());
	server->init_error = 0;
	expect_mount(mock);
}

static void mount_fails_with_another_version(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server->init_major = FUSE_KERNEL_VERSION + 1;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPROTONOSUPPORT),
			    (void *)suite_try_mount());
	server->init_major = FUSE_KERNEL_VERSION - 1;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EPROTONOSUPPORT),
			    (void *)suite_try_mount());
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

static struct file_system_type *asked_type;
static unsigned long asked_flags;
static mock_handler_fn asked_handler;

/* The latest superblock is that of who asks, and who waits for the reply is just that */
static s64 note_flags(struct mock_device *mock, unsigned int index,
		      struct mock_chain *chain)
{
	struct fuse_in_header in = {};

	mock_read(chain, &in, sizeof(in));
	if (in.opcode == FUSE_INIT)
		asked_flags = hlist_entry(asked_type->fs_supers.first,
					  struct super_block,
					  s_instances)->s_flags;
	return asked_handler(mock, index, chain);
}

/* The reply changes its flags without a lock, so nobody else may do so then */
static void superblock_is_complete_when_the_server_is_asked(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	asked_type = get_fs_type(TAG);
	KUNIT_ASSERT_NOT_NULL(test, asked_type);
	module_put(asked_type->owner);
	asked_handler = mock->handler;
	mock->handler = note_flags;
	mock->prompt = true;
	asked_flags = 0;
	expect_mount(mock);
	KUNIT_EXPECT_NE(test, 0, asked_flags & SB_BORN);
	KUNIT_EXPECT_NE(test, 0, asked_flags & SB_ACTIVE);
}

/* The old one is still there, and its queues may be about to be killed */
static void mount_after_an_abort_is_of_a_new_session(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	unsigned int i, lost = 0;
	struct super_block *sb;
	struct vfsmount *old;

	for (i = 0; i < 100; i++) {
		server_mount(mock);
		old = server->mnt;
		sb = old->mnt_sb;
		sb->s_op->umount_begin(sb);
		server->mnt = suite_try_mount();
		if (IS_ERR(server->mnt) || statfs_with(mock, &truth))
			lost++;
		server_unmount(server);
		server->mnt = old;
		server_unmount(server);
	}
	KUNIT_EXPECT_EQ(test, 0, lost);
}

#ifdef VIRTIOFS_HAVE_RESET_METHODS
static void device_is_not_mounted_in_the_middle_of_a_reset(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	unsigned int resets;

	KUNIT_EXPECT_EQ(test, 0, virtio_device_reset_prepare(&mock->vdev));
	resets = mock->resets;
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENODEV), (void *)suite_try_mount());
	KUNIT_EXPECT_EQ(test, resets, mock->resets);
	KUNIT_EXPECT_EQ(test, 0, virtio_device_reset_done(&mock->vdev));
	expect_mount(mock);
}
#endif

static struct kunit_case mount_cases[] = {
	KUNIT_CASE(mount_fails_as_the_server_says),
	KUNIT_CASE(mount_fails_with_another_version),
	KUNIT_CASE(mount_waits_for_the_server),
	KUNIT_CASE(removal_ends_a_mount),
	KUNIT_CASE(abort_ends_a_mount),
	KUNIT_CASE(killed_mount_leaves_the_device_to_the_next),
	KUNIT_CASE(superblock_is_complete_when_the_server_is_asked),
	KUNIT_CASE_SLOW(mount_after_an_abort_is_of_a_new_session),
#ifdef VIRTIOFS_HAVE_RESET_METHODS
	KUNIT_CASE(device_is_not_mounted_in_the_middle_of_a_reset),
#endif
	{}
};

static struct kunit_suite mount_suite = {
	.name = "virtiofs_mount",
	.test_cases = mount_cases,
};

kunit_test_suite(mount_suite);
