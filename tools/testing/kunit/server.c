// SPDX-License-Identifier: GPL-2.0
/*
 * The FUSE server behind the device in memory.
 */

#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "server.h"
#include "virtqueue.h"

const struct lie truth = { "no lie", WHOLE, WHOLE };

static int reply_init(struct server *server, struct mock_chain *chain,
		      u64 unique)
{
	struct {
		struct fuse_out_header oh;
		struct fuse_init_out init;
	} reply = {
		.oh.len = server->init_error ? HEADER : sizeof(reply),
		.oh.error = server->init_error,
		.oh.unique = unique,
		.init.major = server->init_major ?: FUSE_KERNEL_VERSION,
		.init.minor = FUSE_KERNEL_MINOR_VERSION,
		.init.max_write = PAGE_SIZE,
	};

	return mock_write(chain, &reply, reply.oh.len);
}

s64 server_reply(struct mock_chain *chain, u64 unique, const struct lie *lie)
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

static s64 server_hold(struct mock_device *mock, unsigned int index,
		       struct mock_chain *chain)
{
	struct server *server = server_of(mock);

	server->held = *chain;
	server->held_index = index;
	server->held_resets = mock->resets;
	server->nr_held++;
	wake_up_all(&server->changed);
	return MOCK_HOLD;
}

static s64 server_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct server *server = server_of(mock);
	struct fuse_in_header in = {};

	mock_read(chain, &in, sizeof(in));
	switch (in.opcode) {
	case FUSE_INIT:
		server->nr_init++;
		if (server->hold_init)
			return server_hold(mock, index, chain);
		return reply_init(server, chain, in.unique);
	case FUSE_STATFS:
		if (server->hold_statfs)
			return server_hold(mock, index, chain);
		server->reply = chain->seg[chain->nr_out].p;
		return server_reply(chain, in.unique, server->lie);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_DESTROY:
		return 0;
	default:
		return suite_reply(chain, in.unique, -EOPNOTSUPP, NULL, 0);
	}
}

void server_statfs(struct work_struct *work)
{
	struct server *server = container_of(work, struct server, statfs);
	struct path path = {
		.mnt = server->mnt,
		.dentry = server->mnt->mnt_root,
	};

	memset(&server->kstatfs, 0, sizeof(server->kstatfs));
	server->result = vfs_statfs(&path, &server->kstatfs);
}

struct mock_device *served_device(struct kunit *test)
{
	struct server *server = kunit_kzalloc(test, sizeof(*server), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, server);
	server->lie = &truth;
	init_waitqueue_head(&server->changed);
	init_completion(&server->left);
	INIT_WORK(&server->statfs, server_statfs);
	return suite_device(test, server_serve, server, 0);
}

void server_unmount(void *data)
{
	struct server *server = data;

	if (!IS_ERR_OR_NULL(server->mnt))
		kern_unmount(server->mnt);
	server->mnt = NULL;
}

void server_mount(struct mock_device *mock)
{
	struct server *server = server_of(mock);

	server->mnt = suite_try_mount();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, server->mnt);
	KUNIT_ASSERT_EQ(mock->test, 0,
			kunit_add_action(mock->test, server_unmount, server));
}

int statfs_with(struct mock_device *mock, const struct lie *lie)
{
	struct server *server = server_of(mock);

	server->lie = lie;
	server_statfs(&server->statfs);
	return server->result;
}

void expect_truth(struct mock_device *mock)
{
	KUNIT_EXPECT_EQ(mock->test, 0, statfs_with(mock, &truth));
	KUNIT_EXPECT_EQ(mock->test, BLOCKS, server_of(mock)->kstatfs.f_blocks);
}

/* Have a STATFS wait for the device */
void server_hold_statfs(struct mock_device *mock)
{
	struct server *server = server_of(mock);

	server->hold_statfs = true;
	queue_work(mock->wq, &server->statfs);
	wait_event_timeout(server->changed, READ_ONCE(server->nr_held),
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(mock->test, 1, server->nr_held);
}

static int caller_run(void *data)
{
	struct server *server = data;

	allow_signal(SIGKILL);
	server->deed(&server->statfs);
	complete(&server->left);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void caller_mount(struct work_struct *work)
{
	struct server *server = container_of(work, struct server, statfs);

	server->mnt = suite_try_mount();
	server->result = PTR_ERR_OR_ZERO(server->mnt);
}

static struct task_struct *caller_new(struct mock_device *mock,
				      work_func_t deed)
{
	struct server *server = server_of(mock);
	struct task_struct *caller;

	server->deed = deed;
	server->nr_held = 0;
	reinit_completion(&server->left);
	caller = kthread_run(caller_run, server, "virtiofs-caller");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, caller);
	wait_event_timeout(server->changed, READ_ONCE(server->nr_held),
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(mock->test, 1, server->nr_held);
	return caller;
}

/* A task whose STATFS the device keeps; for kthread_stop() */
struct task_struct *server_call(struct mock_device *mock)
{
	server_of(mock)->hold_statfs = true;
	return caller_new(mock, server_statfs);
}

/* A task whose FUSE_INIT the device keeps, with its mount; for kthread_stop() */
struct task_struct *server_begin_mount(struct mock_device *mock)
{
	server_of(mock)->hold_init = true;
	return caller_new(mock, caller_mount);
}

/* The result that a task of the two above has got */
int server_result(struct mock_device *mock, struct task_struct *caller)
{
	struct server *server = server_of(mock);

	KUNIT_EXPECT_NE(mock->test, 0,
			wait_for_completion_timeout(&server->left,
						    MOCK_PATIENCE));
	kthread_stop(caller);
	server->hold_statfs = false;
	server->hold_init = false;
	return server->result;
}

/* The device gives the reply that it has kept, if it still can */
void server_answer(struct mock_device *mock)
{
	struct server *server = server_of(mock);
	struct fuse_in_header in;
	bool can;
	s64 len;

	spin_lock_irq(&mock->lock);
	can = server->nr_held && server->held_resets == mock->resets &&
	      mock->live;
	if (can) {
		mock_read(&server->held, &in, sizeof(in));
		if (in.opcode == FUSE_INIT)
			len = reply_init(server, &server->held, in.unique);
		else
			len = server_reply(&server->held, in.unique, &truth);
		server->nr_held = 0;
	}
	spin_unlock_irq(&mock->lock);
	if (can)
		mock_answer(mock, server->held_index, server->held.head, len);
}
