// SPDX-License-Identifier: GPL-2.0
/*
 * What suites repeat that have a server of their own.
 */

#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "suite.h"

/* A reply as the FUSE protocol has it; may be called by an interrupt */
s64 suite_reply(struct mock_chain *chain, u64 unique, int error,
		const void *payload, u32 len)
{
	struct {
		struct fuse_out_header oh;
		u8 payload[SUITE_PAYLOAD];
	} *reply;
	s64 written;

	reply = kzalloc_obj(*reply, GFP_ATOMIC);
	if (WARN_ON_ONCE(!reply || len > sizeof(reply->payload))) {
		kfree(reply);
		return 0;
	}
	reply->oh.len = sizeof(reply->oh) + len;
	reply->oh.error = error;
	reply->oh.unique = unique;
	if (len)
		memcpy(reply->payload, payload, len);
	written = mock_write(chain, reply, reply->oh.len);
	kfree(reply);
	return written;
}

s64 suite_reply_init(struct mock_chain *chain, u64 unique, u32 flags)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = PAGE_SIZE,
		.flags = flags,
	};

	return suite_reply(chain, unique, 0, &init, sizeof(init));
}

/* For the server to return: the request is answered later, or never */
s64 suite_hold(struct held *held, unsigned int index, const struct fuse_in_header *in,
	       const struct mock_chain *chain)
{
	held->chain = *chain;
	held->index = index;
	held->in = *in;
	return MOCK_HOLD;
}

void suite_answer(struct mock_device *mock, const struct held *held, s64 len)
{
	mock_answer(mock, held->index, held->chain.head, len);
}

/* A device that is plugged in and bound; ring_size 0: that of the mock */
struct mock_device *suite_device(struct kunit *test, suite_serve_fn serve,
				 void *server, unsigned int ring_size)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	strscpy_pad(mock->config.tag, TAG, sizeof(mock->config.tag));
	if (ring_size)
		mock->ring_size = ring_size;
	mock->private = server;
	mock->handler = serve;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

struct vfsmount *suite_try_mount(void)
{
	struct file_system_type *type = get_fs_type(TAG);
	struct vfsmount *mnt;

	if (!type)
		return ERR_PTR(-ENODEV);
	mnt = kern_mount(type);
	module_put(type->owner);
	return mnt;
}

static void unmount(void *mnt)
{
	kern_unmount(mnt);
}

/* A mount that ends with the test */
struct vfsmount *suite_mount(struct mock_device *mock)
{
	struct vfsmount *mnt = suite_try_mount();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, mnt);
	KUNIT_ASSERT_EQ(mock->test, 0,
			kunit_add_action(mock->test, unmount, mnt));
	return mnt;
}

/* ... or now */
void suite_unmount(struct mock_device *mock, struct vfsmount *mnt)
{
	kunit_release_action(mock->test, unmount, mnt);
}

static int caller_run(void *data)
{
	struct caller *caller = data;

	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
	caller->result = caller->deed(caller);
	flush_signals(current);
	complete(&caller->left);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Returns at once; the task is there until suite_expect_result() */
void suite_call(struct mock_device *mock, struct caller *caller,
		struct vfsmount *mnt, int (*deed)(struct caller *caller))
{
	init_completion(&caller->left);
	caller->mnt = mnt;
	caller->deed = deed;
	caller->task = kthread_run(caller_run, caller, "virtiofs-caller");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(mock->test, caller->task);
}

bool suite_has_left(struct caller *caller, unsigned long patience)
{
	return wait_for_completion_timeout(&caller->left, patience);
}

void suite_expect_result(struct mock_device *mock, struct caller *caller,
			 int result)
{
	KUNIT_EXPECT_TRUE(mock->test, suite_has_left(caller, MOCK_PATIENCE));
	kthread_stop(caller->task);
	KUNIT_EXPECT_EQ(mock->test, result, caller->result);
}
