// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what goes over the hiprio queue.
 */

#include <linux/fuse.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "hiprio.h"
#include "mock.h"
#include "virtio_fs.h"
#include "virtqueue.h"

#define HIPRIO		VIRTIOFS_VQ_HIPRIO

/* A FORGET as the specifications of virtio and FUSE have it */
struct forget_wire {
	struct fuse_in_header in;
	struct fuse_forget_in arg;
};

/* A BATCH_FORGET of no more than a test looks at */
struct batch_wire {
	struct fuse_in_header in;
	struct fuse_batch_forget_in arg;
	struct fuse_forget_one one[100];
};

static struct mock_device *new_device(struct kunit *test, unsigned int ring_size)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	mock->ring_size = ring_size;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

/* The queue of the device, as the driver has found it */
static struct virtiofs_vq *hiprio_of(struct mock_device *mock)
{
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);

	return &dev->vqs->vq[HIPRIO];
}

static struct virtiofs_forget *new_forget(struct kunit *test, u64 nodeid,
					  u64 nlookup)
{
	struct virtiofs_forget *forget = kzalloc(sizeof(*forget), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, forget);
	forget->nodeid = nodeid;
	forget->nlookup = nlookup;
	return forget;
}

static void forget(struct mock_device *mock, u64 nodeid, u64 nlookup)
{
	virtiofs_hiprio_forget(hiprio_of(mock),
			       new_forget(mock->test, nodeid, nlookup));
}

static void forget_now(struct mock_device *mock, u64 nodeid, u64 nlookup)
{
	forget(mock, nodeid, nlookup);
	virtiofs_vq_flush(hiprio_of(mock));
}

/*
 * FORGETs that come together: the queue's work, which would end their wait,
 * cannot run on this CPU meanwhile.  Returns how often the device was notified
 * before the last one.
 */
static unsigned int forget_together(struct mock_device *mock, unsigned int nr)
{
	struct virtiofs_vq *vq = hiprio_of(mock);
	struct virtiofs_forget **forgets;
	unsigned int i, before, notified;

	forgets = kunit_kcalloc(mock->test, nr, sizeof(*forgets), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(mock->test, forgets);
	for (i = 0; i < nr; i++)
		forgets[i] = new_forget(mock->test, 1000 + i, 1 + i % 3);
	/* Where the queue's lock sleeps, chance has to do */
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
	before = mock->queue[HIPRIO].notified;
	for (i = 0; i < nr - 1; i++)
		virtiofs_hiprio_forget(vq, forgets[i]);
	notified = mock->queue[HIPRIO].notified - before;
	virtiofs_hiprio_forget(vq, forgets[i]);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
	return notified;
}

static struct mock_chain *new_chain(struct kunit *test)
{
	struct mock_chain *chain = kunit_kzalloc(test, sizeof(*chain), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, chain);
	return chain;
}

static void forget_wire_format(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);
	u8 bytes[sizeof(struct forget_wire) + 1];
	struct forget_wire *wire = (void *)bytes;

	forget_now(mock, 0x1122334455667788, 0x99aabbccddeeff00);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_ASSERT_EQ(test, sizeof(*wire), mock_read(chain, bytes, sizeof(bytes)));
	KUNIT_EXPECT_EQ(test, sizeof(*wire), wire->in.len);
	KUNIT_EXPECT_EQ(test, FUSE_FORGET, wire->in.opcode);
	KUNIT_EXPECT_EQ(test, 0x1122334455667788, wire->in.nodeid);
	KUNIT_EXPECT_EQ(test, 0x99aabbccddeeff00, wire->arg.nlookup);
	KUNIT_EXPECT_EQ(test, 0, wire->in.uid);
	KUNIT_EXPECT_EQ(test, 0, wire->in.gid);
	KUNIT_EXPECT_EQ(test, 0, wire->in.pid);
	mock_answer(mock, HIPRIO, chain->head, 0);
}

static void forget_has_no_room_for_a_reply(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);

	forget_now(mock, 2, 1);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_EXPECT_EQ(test, 0, chain->nr_in);
	mock_answer(mock, HIPRIO, chain->head, 0);
}

static void forget_goes_over_the_hiprio_queue_alone(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);

	forget_now(mock, 2, 1);
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, VIRTIOFS_VQ_REQUEST, chain));
	KUNIT_EXPECT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, HIPRIO, chain));
}

static void batch_wire_format(struct kunit *test)
{
	struct batch_wire *wire = kunit_kzalloc(test, sizeof(*wire), GFP_KERNEL);
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);
	u32 len = offsetof(struct batch_wire, one[3]);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, wire);
	virtiofs_hiprio_set_minor(hiprio_of(mock), 16);
	forget_together(mock, 3);
	virtiofs_vq_flush(hiprio_of(mock));
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_ASSERT_EQ(test, len, mock_read(chain, wire, sizeof(*wire)));
	KUNIT_EXPECT_EQ(test, 0, chain->nr_in);
	KUNIT_EXPECT_EQ(test, len, wire->in.len);
	KUNIT_EXPECT_EQ(test, FUSE_BATCH_FORGET, wire->in.opcode);
	KUNIT_EXPECT_EQ(test, 0, wire->in.nodeid);
	KUNIT_EXPECT_EQ(test, 0, wire->in.pid);
	KUNIT_EXPECT_EQ(test, 3, wire->arg.count);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 1000 + i, wire->one[i].nodeid);
		KUNIT_EXPECT_EQ(test, 1 + i, wire->one[i].nlookup);
	}
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, HIPRIO, chain));
	mock_answer(mock, HIPRIO, chain->head, 0);
}

static u32 pop_opcode(struct mock_device *mock, struct mock_chain *chain)
{
	struct fuse_in_header in = {};

	if (mock_pop(mock, HIPRIO, chain))
		mock_read(chain, &in, sizeof(in));
	return in.opcode;
}

static void lone_forget_is_no_batch(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);

	virtiofs_hiprio_set_minor(hiprio_of(mock), FUSE_KERNEL_MINOR_VERSION);
	forget_now(mock, 2, 1);
	KUNIT_EXPECT_EQ(test, FUSE_FORGET, pop_opcode(mock, chain));
}

static void old_server_gets_no_batch(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);
	unsigned int i;

	virtiofs_hiprio_set_minor(hiprio_of(mock), FUSE_KERNEL_MINOR_VERSION);
	virtiofs_hiprio_set_minor(hiprio_of(mock), 15);
	forget_together(mock, 3);
	virtiofs_vq_flush(hiprio_of(mock));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, FUSE_FORGET, pop_opcode(mock, chain));
	KUNIT_EXPECT_EQ(test, 0, pop_opcode(mock, chain));
}

static void forgets_that_come_together_are_told_at_once(struct kunit *test)
{
	struct mock_device *mock = new_device(test, 128);

	KUNIT_EXPECT_EQ(test, 0, forget_together(mock, 100));
	virtiofs_vq_flush(hiprio_of(mock));
	KUNIT_EXPECT_EQ(test, 1, mock->queue[HIPRIO].notified);
}

static void enough_forgets_do_not_wait(struct kunit *test)
{
	struct mock_device *mock = new_device(test, 128);

	virtiofs_hiprio_set_minor(hiprio_of(mock), FUSE_KERNEL_MINOR_VERSION);
	KUNIT_EXPECT_EQ(test, 0, forget_together(mock, VIRTIOFS_FORGET_ENOUGH));
	KUNIT_EXPECT_EQ(test, 1, mock->queue[HIPRIO].notified);
}

#define FORGETS		1000

/* Collects the nodes in the order in which they are forgotten */
struct forgotten {
	wait_queue_head_t changed;
	unsigned int nr;
	unsigned int requests;
	struct batch_wire wire;
	u64 nodeid[FORGETS];
};

static void forgotten_add(struct forgotten *forgotten, u64 nodeid)
{
	if (!WARN_ON_ONCE(forgotten->nr == ARRAY_SIZE(forgotten->nodeid)))
		forgotten->nodeid[forgotten->nr++] = nodeid;
}

static s64 forget_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct forgotten *forgotten = mock->private;
	struct batch_wire *wire = &forgotten->wire;
	unsigned int i;

	mock_read(chain, wire, sizeof(*wire));
	forgotten->requests++;
	if (wire->in.opcode == FUSE_FORGET)
		forgotten_add(forgotten, wire->in.nodeid);
	else if (!WARN_ON_ONCE(wire->in.opcode != FUSE_BATCH_FORGET ||
			       wire->arg.count > ARRAY_SIZE(wire->one)))
		for (i = 0; i < wire->arg.count; i++)
			forgotten_add(forgotten, wire->one[i].nodeid);
	wake_up_all(&forgotten->changed);
	return 0;
}

/* A device that begins to look when the test says so */
static struct mock_device *collecting_device(struct kunit *test, u32 minor)
{
	struct forgotten *forgotten = kunit_kzalloc(test, sizeof(*forgotten),
						    GFP_KERNEL);
	struct mock_device *mock;

	KUNIT_ASSERT_NOT_NULL(test, forgotten);
	init_waitqueue_head(&forgotten->changed);
	mock = new_device(test, 4);
	mock->private = forgotten;
	virtiofs_hiprio_set_minor(hiprio_of(mock), minor);
	return mock;
}

static void expect_forgotten(struct mock_device *mock, unsigned int nr)
{
	struct forgotten *forgotten = mock->private;
	unsigned int i;

	wait_event_timeout(forgotten->changed, READ_ONCE(forgotten->nr) == nr,
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(mock->test, nr, forgotten->nr);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(mock->test, 1000 + i, forgotten->nodeid[i]);
}

/* A version of the protocol without batches, and one with */
static const u32 minors[] = { 15, FUSE_KERNEL_MINOR_VERSION };

static void minor_name(const u32 *minor, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "7.%u", *minor);
}

KUNIT_ARRAY_PARAM(minor, minors, minor_name);

static void forgets_on_full_ring_are_not_lost(struct kunit *test)
{
	struct mock_device *mock = collecting_device(test,
						     *(u32 *)test->param_value);
	struct forgotten *forgotten = mock->private;
	unsigned int i;

	for (i = 0; i < FORGETS / 2; i++)
		forget_now(mock, 1000 + i, 1);
	KUNIT_EXPECT_EQ(test, 0, forgotten->nr);
	/* Only now the device begins to look */
	mock->handler = forget_serve;
	for (; i < FORGETS; i++)
		forget(mock, 1000 + i, 1);
	queue_work(mock->wq, &mock->queue[HIPRIO].serve);
	expect_forgotten(mock, FORGETS);
}

static void forgets_on_full_ring_become_batches(struct kunit *test)
{
	struct mock_device *mock = collecting_device(test, 16);
	struct forgotten *forgotten = mock->private;
	unsigned int i;

	for (i = 0; i < FORGETS; i++)
		forget_now(mock, 1000 + i, 1);
	mock->handler = forget_serve;
	queue_work(mock->wq, &mock->queue[HIPRIO].serve);
	expect_forgotten(mock, FORGETS);
	/* Four went into the ring as they came */
	KUNIT_EXPECT_LT(test, forgotten->requests, 4 + FORGETS / 40);
}

static void forget_goes_without_being_asked(struct kunit *test)
{
	struct mock_device *mock = collecting_device(test, 16);

	mock->handler = forget_serve;
	forget(mock, 1000, 1);
	expect_forgotten(mock, 1);
}

static void drain_sends_what_waits(struct kunit *test)
{
	struct mock_device *mock = collecting_device(test, 16);
	struct forgotten *forgotten = mock->private;

	mock->handler = forget_serve;
	forget_together(mock, 100);
	virtiofs_vqs_drain(hiprio_of(mock)->vqs);
	KUNIT_EXPECT_EQ(test, 100, forgotten->nr);
}

/* That they are freed then is seen by kernels that look for leaks */
static void forgets_end_with_the_device(struct kunit *test)
{
	struct mock_device *mock = new_device(test, 4);
	struct virtiofs_vqs *vqs = virtiofs_vqs_get(hiprio_of(mock)->vqs);
	unsigned int i;

	virtiofs_hiprio_set_minor(hiprio_of(mock), *(u32 *)test->param_value);
	for (i = 0; i < 100; i++)
		forget_now(mock, 1000 + i, 1);
	forget_together(mock, 100);
	mock_unplug(mock);
	KUNIT_EXPECT_EQ(test, 200, virtiofs_vqs_completed(vqs));
	virtiofs_vqs_put(vqs);
}

static void forget_after_kill_ends(struct kunit *test)
{
	struct mock_device *mock = new_device(test, 4);
	struct virtiofs_vqs *vqs = hiprio_of(mock)->vqs;
	u64 completed;

	virtiofs_vqs_kill(vqs);
	completed = virtiofs_vqs_completed(vqs);
	forget(mock, 2, 1);
	virtiofs_vqs_drain(vqs);
	KUNIT_EXPECT_EQ(test, completed + 1, virtiofs_vqs_completed(vqs));
}

static struct kunit_case hiprio_cases[] = {
	KUNIT_CASE(forget_wire_format),
	KUNIT_CASE(forget_has_no_room_for_a_reply),
	KUNIT_CASE(forget_goes_over_the_hiprio_queue_alone),
	KUNIT_CASE(batch_wire_format),
	KUNIT_CASE(lone_forget_is_no_batch),
	KUNIT_CASE(old_server_gets_no_batch),
	KUNIT_CASE(forgets_that_come_together_are_told_at_once),
	KUNIT_CASE(enough_forgets_do_not_wait),
	KUNIT_CASE_PARAM(forgets_on_full_ring_are_not_lost, minor_gen_params),
	KUNIT_CASE(forgets_on_full_ring_become_batches),
	KUNIT_CASE(forget_goes_without_being_asked),
	KUNIT_CASE(drain_sends_what_waits),
	KUNIT_CASE_PARAM(forgets_end_with_the_device, minor_gen_params),
	KUNIT_CASE(forget_after_kill_ends),
	{}
};

static struct kunit_suite hiprio_suite = {
	.name = "virtiofs_hiprio",
	.test_cases = hiprio_cases,
};

kunit_test_suite(hiprio_suite);
