/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE server behind the device in memory, for KUnit suites: it knows no more
 * than STATFS, lies about that if it is told to, and can keep what it gets.
 */
#ifndef _VIRTIOFS_KUNIT_SERVER_H
#define _VIRTIOFS_KUNIT_SERVER_H

#include <linux/completion.h>
#include <linux/fuse.h>
#include <linux/statfs.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "suite.h"

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

/**
 * struct server - the server behind the device
 * @lie: how the next reply to STATFS is wrong
 * @init_error: what the next FUSE_INIT ends with
 * @init_major: version of the protocol, if it is not this kernel's
 * @hold_init: keep FUSE_INIT
 * @hold_statfs: keep STATFS
 * @nr_held: number of requests that were kept and not answered
 * @held: the last of them
 * @held_index: queue of that
 * @held_resets: number of resets of the device when it came
 * @nr_init: number of sessions that were begun
 * @left: somebody who did a STATFS has its result
 * @changed: woken when one more is
 * @reply: the last reply to STATFS, as it lies in the driver's memory
 * @deed: what somebody else does
 * @statfs: gets the result of a STATFS that somebody else does
 * @mnt: the mount
 * @kstatfs: where that goes
 * @result: and its return value
 */
struct server {
	const struct lie *lie;
	s32 init_error;
	u32 init_major;
	bool hold_init;
	bool hold_statfs;
	unsigned int nr_held;
	struct mock_chain held;
	unsigned int held_index;
	unsigned int held_resets;
	unsigned int nr_init;
	struct completion left;
	wait_queue_head_t changed;
	struct fuse_out_header *reply;
	work_func_t deed;
	struct work_struct statfs;
	struct vfsmount *mnt;
	struct kstatfs kstatfs;
	int result;
};

extern const struct lie truth;

static inline struct server *server_of(struct mock_device *mock)
{
	return mock->private;
}

struct mock_device *served_device(struct kunit *test);
s64 server_reply(struct mock_chain *chain, u64 unique, const struct lie *lie);
void server_statfs(struct work_struct *work);
void server_hold_statfs(struct mock_device *mock);
void server_mount(struct mock_device *mock);
void server_unmount(void *server);
int statfs_with(struct mock_device *mock, const struct lie *lie);
void expect_truth(struct mock_device *mock);
struct task_struct *server_call(struct mock_device *mock);
struct task_struct *server_begin_mount(struct mock_device *mock);
int server_result(struct mock_device *mock, struct task_struct *caller);
void server_answer(struct mock_device *mock);

#endif
