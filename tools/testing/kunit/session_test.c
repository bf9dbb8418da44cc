// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of sessions: a mount over the device in memory, which is a FUSE server
 * that knows no more than STATFS, and lies about that.
 */

#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/sched/signal.h>
#include <linux/statfs.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "mock.h"
#include "virtqueue.h"

/* What kern_mount() gives as the source is the name of the type */
#define TAG		"virtiofs"

/* What the server says of the file system */
#define BLOCKS		123456

/**
 * struct lie - how a reply to STATFS is wrong
 * @name: for people
 * @len: length that the header has
 * @used: what the device claims to have written
 * @error: error that the header has
 * @unique: what is added to the request's id
 * @result: what the caller shall get
 */
struct lie {
	const char *name;
	u32 len;
	u32 used;
	s32 error;
	u64 unique;
	int result;
};

#define HEADER	((u32)sizeof(struct fuse_out_header))
#define WHOLE	((u32)(HEADER + sizeof(struct fuse_statfs_out)))

static const struct lie truth = { "no lie", WHOLE, WHOLE };

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

/**
 * struct server - the server behind the device
 * @lie: how the next reply to STATFS is wrong
 * @hold_init: keep FUSE_INIT
 * @hold_statfs: keep STATFS
 * @nr_held: number of requests that were kept
 * @held: the last of them
 * @held_index: queue of that
 * @left: somebody who did a STATFS has its result
 * @changed: woken when one more is
 * @reply: the last reply to STATFS, as it lies in the driver's memory
 * @statfs: gets the result of a STATFS that somebody else does
 * @mnt: the mount
 * @kstatfs: where that goes
 * @result: and its return value
 */
struct server {
	const struct lie *lie;
	bool hold_init;
	bool hold_statfs;
	unsigned int nr_held;
	struct mock_chain held;
	unsigned int held_index;
	struct completion left;
	wait_queue_head_t changed;
	struct fuse_out_header *reply;
	struct work_struct statfs;
	struct vfsmount *mnt;
	struct kstatfs kstatfs;
	int result;
};

static int reply_init(struct mock_chain *chain, u64 unique)
{
	struct {
		struct fuse_out_header oh;
		struct fuse_init_out init;
	} reply = {
		.oh.len = sizeof(reply),
		.oh.unique = unique,
		.init.major = FUSE_KERNEL_VERSION,
		.init.minor = FUSE_KERNEL_MINOR_VERSION,
		.init.max_write = PAGE_SIZE,
	};

	return mock_write(chain, &reply, sizeof(reply));
}

static s64 reply_statfs(struct mock_chain *chain, u64 unique,
			const struct lie *lie)
{
	struct {
		struct fuse_out_header oh;
		struct fuse_statfs_out statfs;
	} reply = {
		.oh.len = lie->len,
		.oh.error = lie->error,
		.oh.unique = unique + lie->unique,
		.statfs.st.blocks = BLOCKS,
	};

	mock_write(chain, &reply, sizeof(reply));
	return lie->used;
}

static int reply_unsupported(struct mock_chain *chain, u64 unique)
{
	struct fuse_out_header oh = {
		.len = sizeof(oh),
		.error = -EOPNOTSUPP,
		.unique = unique,
	};

	return mock_write(chain, &oh, sizeof(oh));
}

static s64 server_hold(struct server *server, unsigned int index,
		       struct mock_chain *chain)
{
	server->held = *chain;
	server->held_index = index;
	server->nr_held++;
	wake_up_all(&server->changed);
	return MOCK_HOLD;
}

static s64 server_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct server *server = mock->private;
	struct fuse_in_header in = {};

	mock_read(chain, &in, sizeof(in));
	switch (in.opcode) {
	case FUSE_INIT:
		if (server->hold_init)
			return server_hold(server, index, chain);
		return reply_init(chain, in.unique);
	case FUSE_STATFS:
		if (server->hold_statfs)
			return server_hold(server, index, chain);
		server->reply = chain->seg[chain->nr_out].p;
		return reply_statfs(chain, in.unique, server->lie);
	case FUSE_FORGET:
	case FUSE_DESTROY:
		return 0;
	default:
		return reply_unsupported(chain, in.unique);
	}
}

static void server_statfs(struct work_struct *work)
{
	struct server *server = container_of(work, struct server, statfs);
	struct path path = {
		.mnt = server->mnt,
		.dentry = server->mnt->mnt_root,
	};

	memset(&server->kstatfs, 0, sizeof(server->kstatfs));
	server->result = vfs_statfs(&path, &server->kstatfs);
}

static struct mock_device *served_device(struct kunit *test)
{
	struct server *server = kunit_kzalloc(test, sizeof(*server), GFP_KERNEL);
	struct mock_device *mock;

	KUNIT_ASSERT_NOT_NULL(test, server);
	server->lie = &truth;
	init_waitqueue_head(&server->changed);
	init_completion(&server->left);
	INIT_WORK(&server->statfs, server_statfs);
	mock = mock_new(test, VIRTIO_ID_FS);
	strscpy_pad(mock->config.tag, TAG);
	mock->private = server;
	mock->handler = server_serve;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

static struct server *server_of(struct mock_device *mock)
{
	return mock->private;
}

static struct vfsmount *try_mount(void)
{
	struct file_system_type *type = get_fs_type(TAG);
	struct vfsmount *mnt;

	if (!type)
		return ERR_PTR(-ENODEV);
	mnt = kern_mount(type);
	module_put(type->owner);
	return mnt;
}

static void server_unmount(void *data)
{
	struct server *server = data;

	if (!IS_ERR_OR_NULL(server->mnt))
		kern_unmount(server->mnt);
	server->mnt = NULL;
}

static void mount_device(struct mock_device *mock)
{
	struct server *server = server_of(mock);

	server->mnt = try_mount();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, server->mnt);
	KUNIT_ASSERT_EQ(mock->test, 0,
			kunit_add_action(mock->test, server_unmount, server));
}

static int statfs_with(struct mock_device *mock, const struct lie *lie)
{
	struct server *server = server_of(mock);

	server->lie = lie;
	server_statfs(&server->statfs);
	return server->result;
}

static void expect_truth(struct mock_device *mock)
{
	KUNIT_EXPECT_EQ(mock->test, 0, statfs_with(mock, &truth));
	KUNIT_EXPECT_EQ(mock->test, BLOCKS, server_of(mock)->kstatfs.f_blocks);
}

/* Have a STATFS wait for the device */
static void hold_statfs(struct mock_device *mock)
{
	struct server *server = server_of(mock);

	server->hold_statfs = true;
	queue_work(mock->wq, &server->statfs);
	wait_event_timeout(server->changed, READ_ONCE(server->nr_held),
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(mock->test, 1, server->nr_held);
}

static void mount_finds_the_tag_and_nothing_else(struct kunit *test)
{
	struct mock_device *mock;

	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EINVAL), (void *)try_mount());
	mock = served_device(test);
	mount_device(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
	mock_unplug(mock);
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EINVAL), (void *)try_mount());
}

static void device_can_be_mounted_again(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		mount_device(mock);
		expect_truth(mock);
		server_unmount(server_of(mock));
	}
}

static void lie_ends_its_own_request_alone(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	const struct lie *lie = test->param_value;

	mount_device(mock);
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
	mount_device(mock);
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

	mount_device(mock);
	expect_truth(mock);
	hold_statfs(mock);
	mock_unplug(mock);
	flush_work(&server->statfs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server->result);

	/* The mount is there, and fails */
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server);
}

static void remove_before_the_first_reply(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server->hold_init = true;
	mount_device(mock);
	wait_event_timeout(server->changed, READ_ONCE(server->nr_held),
			   MOCK_PATIENCE);
	mock_unplug(mock);
	KUNIT_EXPECT_NE(test, 0, statfs_with(mock, &truth));
	server_unmount(server);
}

static int caller_run(void *data)
{
	struct server *server = data;

	allow_signal(SIGKILL);
	server_statfs(&server->statfs);
	complete(&server->left);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* The device has the request of a task, which is killed and waits no more */
static void kill_a_caller(struct mock_device *mock)
{
	struct server *server = server_of(mock);
	struct task_struct *caller;

	server->hold_statfs = true;
	caller = kthread_run(caller_run, server, "virtiofs-caller");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, caller);
	wait_event_timeout(server->changed, READ_ONCE(server->nr_held),
			   MOCK_PATIENCE);
	KUNIT_EXPECT_FALSE(mock->test, completion_done(&server->left));
	send_sig(SIGKILL, caller, 1);
	KUNIT_EXPECT_NE(mock->test, 0,
			wait_for_completion_timeout(&server->left,
						    MOCK_PATIENCE));
	kthread_stop(caller);
	KUNIT_EXPECT_EQ(mock->test, -EINTR, server->result);
	server->hold_statfs = false;
}

static void late_reply_to_a_killed_caller_is_digested(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);
	struct fuse_in_header in;
	s64 len;

	mount_device(mock);
	expect_truth(mock);
	kill_a_caller(mock);
	expect_truth(mock);

	mock_read(&server->held, &in, sizeof(in));
	len = reply_statfs(&server->held, in.unique, &truth);
	mock_answer(mock, server->held_index, server->held.head, len);
	expect_truth(mock);
	server_unmount(server);
}

static void lie_to_a_killed_caller_is_digested(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	mount_device(mock);
	expect_truth(mock);
	kill_a_caller(mock);
	mock_answer(mock, server->held_index, server->held.head, U32_MAX);
	expect_truth(mock);
	server_unmount(server);
}

static void remove_with_the_request_of_a_killed_caller(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	mount_device(mock);
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

	mount_device(mock);
	expect_truth(mock);

	/* A configuration interrupt alone says nothing */
	virtio_config_changed(&mock->vdev);
	expect_truth(mock);

	hold_statfs(mock);
	mock->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_config_changed(&mock->vdev);
	flush_work(&server->statfs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server->result);
	KUNIT_EXPECT_EQ(test, resets + 1, mock->resets);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server);

	server->hold_statfs = false;
	mount_device(mock);
	expect_truth(mock);
}

static struct kunit_case session_cases[] = {
	KUNIT_CASE(mount_finds_the_tag_and_nothing_else),
	KUNIT_CASE(device_can_be_mounted_again),
	KUNIT_CASE_PARAM(lie_ends_its_own_request_alone, lie_gen_params),
	KUNIT_CASE_SLOW(reply_that_changes_while_it_is_read_does_no_harm),
	KUNIT_CASE(remove_with_requests_in_flight),
	KUNIT_CASE(remove_before_the_first_reply),
	KUNIT_CASE(late_reply_to_a_killed_caller_is_digested),
	KUNIT_CASE(lie_to_a_killed_caller_is_digested),
	KUNIT_CASE(remove_with_the_request_of_a_killed_caller),
	KUNIT_CASE(device_that_needs_a_reset_gets_one),
	{}
};

static struct kunit_suite session_suite = {
	.name = "virtiofs_session",
	.test_cases = session_cases,
};

kunit_test_suite(session_suite);
