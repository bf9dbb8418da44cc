/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What suites repeat that have a server of their own: its replies, the requests that it
 * keeps, a mount of the device in memory, and tasks that get results and signals.
 */
#ifndef _VIRTIOFS_KUNIT_SUITE_H
#define _VIRTIOFS_KUNIT_SUITE_H

#include <linux/completion.h>
#include <linux/fuse.h>

#include "mock.h"

struct kunit;
struct task_struct;
struct vfsmount;

/* What kern_mount() gives as the source is the name of the type */
#define TAG		"virtiofs"

/* Most bytes that a reply has behind its header */
#define SUITE_PAYLOAD	512U

/**
 * struct held - a request that a server keeps
 * @chain: the request
 * @index: its queue
 * @in: its header
 */
struct held {
	struct mock_chain chain;
	unsigned int index;
	struct fuse_in_header in;
};

/**
 * struct caller - a task that does something with a mount
 * @mnt: the mount
 * @deed: what it does
 * @task: the task
 * @left: it has its result
 * @result: the result
 */
struct caller {
	struct vfsmount *mnt;
	int (*deed)(struct caller *caller);
	struct task_struct *task;
	struct completion left;
	int result;
};

typedef s64 (*suite_serve_fn)(struct mock_device *mock, unsigned int index,
			      struct mock_chain *chain);

s64 suite_reply(struct mock_chain *chain, u64 unique, int error,
		const void *payload, u32 len);
s64 suite_reply_init(struct mock_chain *chain, u64 unique, u32 flags);
s64 suite_hold(struct held *held, unsigned int index, const struct fuse_in_header *in,
	       const struct mock_chain *chain);
void suite_answer(struct mock_device *mock, const struct held *held, s64 len);
struct mock_device *suite_device(struct kunit *test, suite_serve_fn serve,
				 void *server, unsigned int ring_size);
struct vfsmount *suite_try_mount(void);
struct vfsmount *suite_mount(struct mock_device *mock);
void suite_unmount(struct mock_device *mock, struct vfsmount *mnt);
void suite_call(struct mock_device *mock, struct caller *caller,
		struct vfsmount *mnt, int (*deed)(struct caller *caller));
bool suite_has_left(struct caller *caller, unsigned long patience);
void suite_expect_result(struct mock_device *mock, struct caller *caller,
			 int result);

#endif
