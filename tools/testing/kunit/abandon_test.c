// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of killed callers, on a server with two files whose requests it keeps:
 * whose memory a caller may leave to the device, and in which order inodes are
 * modified then.
 */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/sched/signal.h>

#include <kunit/test.h>

#include "suite.h"

#define CALLERS		3
#define HELD		4
#define BYTES		512
#define PATTERN		0x5a

/* Time in which what must not happen would */
#define A_WHILE		(HZ / 2)

/**
 * struct server - a server with the files "2", "3", ..., which are its inodes
 * @mnt: the mount
 * @keep: opcode of the requests that it keeps
 * @flags: of FUSE_INIT
 * @nr: number of requests in @held
 * @held: those that it has kept, as they came
 * @changed: woken when one more has come
 */
struct server {
	struct vfsmount *mnt;
	u32 keep;
	u32 flags;
	unsigned int nr;
	struct held held[HELD];
	wait_queue_head_t changed;
};

/**
 * struct opener - a task that does something with a file
 * @caller: the task
 * @name: name of the file
 * @deed: what it does
 */
struct opener {
	struct caller caller;
	const char *name;
	int (*deed)(struct file *file);
};

static struct fuse_attr attr_of(u64 nodeid)
{
	return (struct fuse_attr){
		.ino = nodeid,
		.mode = nodeid == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
		.size = PAGE_SIZE,
	};
}

static s64 reply_attr(struct mock_chain *chain, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr = attr_of(in->nodeid) };

	return suite_reply(chain, in->unique, 0, &out, sizeof(out));
}

/* Names are numbers of inodes */
static s64 reply_lookup(struct mock_chain *chain, const struct fuse_in_header *in)
{
	struct {
		struct fuse_in_header in;
		char name;
	} wire;
	struct fuse_entry_out out = { .entry_valid = 1000 };

	mock_read(chain, &wire, sizeof(wire.in) + 1);
	out.nodeid = wire.name - '0';
	out.attr = attr_of(out.nodeid);
	return suite_reply(chain, in->unique, 0, &out, sizeof(out));
}

static s64 reply_read(struct mock_chain *chain, const struct fuse_in_header *in)
{
	u8 bytes[BYTES];

	memset(bytes, PATTERN, sizeof(bytes));
	return suite_reply(chain, in->unique, 0, bytes, sizeof(bytes));
}

static s64 server_reply(struct server *server, struct mock_chain *chain,
			const struct fuse_in_header *in)
{
	struct fuse_open_out open = { .open_flags = FOPEN_DIRECT_IO };

	switch (in->opcode) {
	case FUSE_INIT:
		return suite_reply_init(chain, in->unique, server->flags);
	case FUSE_LOOKUP:
		return reply_lookup(chain, in);
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return reply_attr(chain, in);
	case FUSE_OPEN:
		return suite_reply(chain, in->unique, 0, &open, sizeof(open));
	case FUSE_READ:
		return reply_read(chain, in);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return suite_reply(chain, in->unique, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_DESTROY:
		return 0;
	default:
		return suite_reply(chain, in->unique, -EOPNOTSUPP, NULL, 0);
	}
}

static s64 server_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct server *server = mock->private;
	struct fuse_in_header in = {};

	mock_read(chain, &in, sizeof(in));
	if (in.opcode != server->keep || WARN_ON_ONCE(server->nr == HELD))
		return server_reply(server, chain, &in);
	suite_hold(&server->held[server->nr++], index, &in, chain);
	wake_up_all(&server->changed);
	return MOCK_HOLD;
}

static struct mock_device *mounted_with(struct kunit *test, u32 keep, u32 flags)
{
	struct server *server = kunit_kzalloc(test, sizeof(*server), GFP_KERNEL);
	struct mock_device *mock;

	KUNIT_ASSERT_NOT_NULL(test, server);
	server->keep = keep;
	server->flags = flags;
	init_waitqueue_head(&server->changed);
	mock = suite_device(test, server_serve, server, 0);
	server->mnt = suite_mount(mock);
	return mock;
}

static struct mock_device *mounted_device(struct kunit *test, u32 keep)
{
	return mounted_with(test, keep, 0);
}

static int open_and_do(struct caller *caller)
{
	struct opener *opener = container_of(caller, struct opener, caller);
	struct file *file;
	int result;

	file = file_open_root_mnt(caller->mnt, opener->name, O_RDWR, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	result = opener->deed(file);
	flush_signals(current);
	fput(file);
	return result;
}

static void call(struct mock_device *mock, struct opener *opener,
		 const char *name, int (*deed)(struct file *file))
{
	struct server *server = mock->private;

	opener->name = name;
	opener->deed = deed;
	suite_call(mock, &opener->caller, server->mnt, open_and_do);
}

static void expect_held(struct mock_device *mock, unsigned int nr)
{
	struct server *server = mock->private;

	wait_event_timeout(server->changed, READ_ONCE(server->nr) >= nr,
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(mock->test, nr, server->nr);
}

/* Nothing comes in a while */
static void expect_no_more(struct mock_device *mock, unsigned int nr)
{
	struct server *server = mock->private;

	schedule_timeout_uninterruptible(A_WHILE);
	KUNIT_EXPECT_EQ(mock->test, nr, READ_ONCE(server->nr));
}

static void answer(struct mock_device *mock, unsigned int nr)
{
	struct server *server = mock->private;
	struct held *held = &server->held[nr];

	suite_answer(mock, held, server_reply(server, &held->chain, &held->in));
}

static void expect_result(struct mock_device *mock, struct opener *opener,
			  int result)
{
	suite_expect_result(mock, &opener->caller, result);
}

static void kill(struct opener *opener)
{
	send_sig(SIGKILL, opener->caller.task, 1);
}

static void expect_stays(struct mock_device *mock, struct opener *opener)
{
	KUNIT_EXPECT_FALSE(mock->test, suite_has_left(&opener->caller, A_WHILE));
}

static struct opener *new_callers(struct kunit *test)
{
	struct opener *callers = kunit_kcalloc(test, CALLERS, sizeof(*callers),
					       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, callers);
	return callers;
}

/* Returns how many bytes are right */
static int read_to_stack(struct file *file)
{
	u8 bytes[BYTES] = {};
	loff_t pos = 0;
	ssize_t len;
	int n = 0;

	len = kernel_read(file, bytes, sizeof(bytes), &pos);
	if (len < 0)
		return len;
	while (n < len && bytes[n] == PATTERN)
		n++;
	return n;
}

static int change_mode(struct file *file)
{
	struct iattr attr = {
		.ia_valid = ATTR_MODE,
		.ia_mode = S_IFREG | 0600,
	};
	struct dentry *dentry = file->f_path.dentry;
	int err;

	inode_lock(d_inode(dentry));
	err = notify_change(&nop_mnt_idmap, dentry, &attr, NULL);
	inode_unlock(d_inode(dentry));
	return err;
}

static int truncate(struct file *file)
{
	return vfs_truncate(&file->f_path, 1);
}

/* A caller that was killed has left a modification of "2" to the device */
static void leave_modification(struct mock_device *mock, struct opener *caller)
{
	call(mock, caller, "2", change_mode);
	expect_held(mock, 1);
	kill(caller);
	expect_result(mock, caller, -EINTR);
}

/* A stack goes to another task when its task is over */
static void killed_reader_does_not_leave_its_stack_to_the_device(struct kunit *test)
{
	struct mock_device *mock;
	struct opener *caller;

	if (!MOCK_MAPS_KERNEL_MEMORY)
		kunit_skip(test, "the kernel's own memory is copied");
	mock = mounted_device(test, FUSE_READ);
	caller = new_callers(test);
	call(mock, caller, "2", read_to_stack);
	expect_held(mock, 1);
	kill(caller);
	expect_stays(mock, caller);
	answer(mock, 0);
	expect_result(mock, caller, BYTES);
}

static void killed_caller_leaves_what_has_no_payload(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, FUSE_SETATTR);

	leave_modification(mock, new_callers(test));
	answer(mock, 0);
}

/* With writeback caching the FUSE client asks no server for the size */
static void killed_caller_waits_for_a_size_that_only_it_would_know(struct kunit *test)
{
	struct mock_device *mock = mounted_with(test, FUSE_SETATTR, FUSE_WRITEBACK_CACHE);
	struct opener *callers = new_callers(test);

	leave_modification(mock, &callers[0]);
	answer(mock, 0);
	call(mock, &callers[1], "3", truncate);
	expect_held(mock, 2);
	kill(&callers[1]);
	expect_stays(mock, &callers[1]);
	answer(mock, 1);
	expect_result(mock, &callers[1], 0);
}

static void modification_waits_for_what_was_left_of_the_last(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, FUSE_SETATTR);
	struct opener *callers = new_callers(test);

	leave_modification(mock, &callers[0]);
	call(mock, &callers[1], "2", change_mode);
	expect_no_more(mock, 1);
	answer(mock, 0);
	expect_held(mock, 2);
	answer(mock, 1);
	expect_result(mock, &callers[1], 0);
}

static void modification_of_another_inode_does_not_wait(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, FUSE_SETATTR);
	struct opener *callers = new_callers(test);

	leave_modification(mock, &callers[0]);
	call(mock, &callers[1], "3", change_mode);
	expect_held(mock, 2);
	answer(mock, 1);
	expect_result(mock, &callers[1], 0);
	answer(mock, 0);
}

static void modification_that_waits_can_be_killed(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, FUSE_SETATTR);
	struct opener *callers = new_callers(test);

	leave_modification(mock, &callers[0]);
	call(mock, &callers[1], "2", change_mode);
	expect_no_more(mock, 1);
	kill(&callers[1]);
	expect_result(mock, &callers[1], -EINTR);
	answer(mock, 0);
	expect_no_more(mock, 1);
}

static void removal_completes_a_modification_that_waits(struct kunit *test)
{
	struct mock_device *mock = mounted_device(test, FUSE_SETATTR);
	struct opener *callers = new_callers(test);

	leave_modification(mock, &callers[0]);
	call(mock, &callers[1], "2", change_mode);
	expect_no_more(mock, 1);
	mock_unplug(mock);
	expect_result(mock, &callers[1], -ENOTCONN);
}

static struct kunit_case abandon_cases[] = {
	KUNIT_CASE(killed_reader_does_not_leave_its_stack_to_the_device),
	KUNIT_CASE(killed_caller_leaves_what_has_no_payload),
	KUNIT_CASE(killed_caller_waits_for_a_size_that_only_it_would_know),
	KUNIT_CASE(modification_waits_for_what_was_left_of_the_last),
	KUNIT_CASE(modification_of_another_inode_does_not_wait),
	KUNIT_CASE(modification_that_waits_can_be_killed),
	KUNIT_CASE(removal_completes_a_modification_that_waits),
	{}
};

static struct kunit_suite abandon_suite = {
	.name = "virtiofs_abandon",
	.test_cases = abandon_cases,
};

kunit_test_suite(abandon_suite);
