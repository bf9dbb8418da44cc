// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what goes over the hiprio queue.
 */

#include <linux/fuse.h>
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

static void forget(struct mock_device *mock, u64 nodeid, u64 nlookup)
{
	struct virtiofs_forget *forget = kzalloc(sizeof(*forget), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(mock->test, forget);
	forget->nodeid = nodeid;
	forget->nlookup = nlookup;
	virtiofs_hiprio_forget(hiprio_of(mock), forget);
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

	forget(mock, 0x1122334455667788, 0x99aabbccddeeff00);
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

	forget(mock, 2, 1);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_EXPECT_EQ(test, 0, chain->nr_in);
	mock_answer(mock, HIPRIO, chain->head, 0);
}

static void forget_goes_over_the_hiprio_queue_alone(struct kunit *test)
{
	struct mock_chain *chain = new_chain(test);
	struct mock_device *mock = new_device(test, 16);

	forget(mock, 2, 1);
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, VIRTIOFS_VQ_REQUEST, chain));
	KUNIT_EXPECT_TRUE(test, mock_pop(mock, HIPRIO, chain));
	KUNIT_EXPECT_FALSE(test, mock_pop(mock, HIPRIO, chain));
}

/* Collects the nodes in the order in which they are forgotten */
struct forgotten {
	wait_queue_head_t changed;
	unsigned int nr;
	u64 nodeid[200];
};

static s64 forget_serve(struct mock_device *mock, unsigned int index,
			struct mock_chain *chain)
{
	struct forgotten *forgotten = mock->private;
	struct forget_wire wire = {};

	mock_read(chain, &wire, sizeof(wire));
	if (!WARN_ON_ONCE(forgotten->nr == ARRAY_SIZE(forgotten->nodeid)))
		forgotten->nodeid[forgotten->nr++] = wire.in.nodeid;
	wake_up_all(&forgotten->changed);
	return 0;
}

static void forgets_on_full_ring_are_not_lost(struct kunit *test)
{
	struct forgotten *forgotten = kunit_kzalloc(test, sizeof(*forgotten),
						    GFP_KERNEL);
	struct mock_device *mock;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, forgotten);
	init_waitqueue_head(&forgotten->changed);
	mock = new_device(test, 4);
	mock->private = forgotten;
	for (i = 0; i < 100; i++)
		forget(mock, 1000 + i, 1);
	KUNIT_EXPECT_EQ(test, 0, forgotten->nr);
	/* Only now the device begins to look */
	mock->handler = forget_serve;
	for (; i < 200; i++)
		forget(mock, 1000 + i, 1);
	queue_work(mock->wq, &mock->queue[HIPRIO].serve);

	wait_event_timeout(forgotten->changed, READ_ONCE(forgotten->nr) == 200,
			   MOCK_PATIENCE);
	KUNIT_ASSERT_EQ(test, 200, forgotten->nr);
	for (i = 0; i < 200; i++)
		KUNIT_EXPECT_EQ(test, 1000 + i, forgotten->nodeid[i]);
}

/* That they are freed then is seen by kernels that look for leaks */
static void forgets_in_flight_end_with_the_device(struct kunit *test)
{
	struct mock_device *mock = new_device(test, 4);
	unsigned int i;

	for (i = 0; i < 100; i++)
		forget(mock, 1000 + i, 1);
	mock_unplug(mock);
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
	KUNIT_CASE(forgets_on_full_ring_are_not_lost),
	KUNIT_CASE(forgets_in_flight_end_with_the_device),
	KUNIT_CASE(forget_after_kill_ends),
	{}
};

static struct kunit_suite hiprio_suite = {
	.name = "virtiofs_hiprio",
	.test_cases = hiprio_cases,
};

kunit_test_suite(hiprio_suite);
