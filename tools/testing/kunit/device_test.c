// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the device: its configuration space, and probing that fails.
 */

#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "mock.h"
#include "virtio_fs.h"
#include "virtqueue.h"

static struct mock_device *tagged_device(struct kunit *test, const char *tag)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	memset(mock->config.tag, 0, sizeof(mock->config.tag));
	memcpy(mock->config.tag, tag, strnlen(tag, sizeof(mock->config.tag)));
	mock_plug(mock);
	return mock;
}

/* What the driver takes the tag for */
static const char *tag_of(struct mock_device *mock)
{
	struct virtiofs_device *dev = dev_get_drvdata(&mock->vdev.dev);

	return dev->tag;
}

/* Nothing is left of a probe that failed */
static void expect_refused(struct mock_device *mock)
{
	KUNIT_EXPECT_FALSE(mock->test, mock_is_bound(mock));
	KUNIT_EXPECT_EQ(mock->test, 0, mock->nr_queues);
	KUNIT_EXPECT_FALSE(mock->test, mock->live);
}

static void device_is_accepted(struct kunit *test)
{
	struct mock_device *mock = tagged_device(test, "accepted");

	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	KUNIT_EXPECT_TRUE(test, mock->live);
	KUNIT_EXPECT_STREQ(test, "accepted", tag_of(mock));
	KUNIT_EXPECT_EQ(test, VIRTIOFS_VQ_REQUEST + 1, mock->nr_queues);
}

static void device_that_interrupts_before_it_is_ready_is_accepted(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	mock->stray_interrupts = true;
	mock_plug(mock);
	KUNIT_EXPECT_TRUE(test, mock_is_bound(mock));
	KUNIT_EXPECT_TRUE(test, mock->live);
}

static void device_is_reset_when_the_driver_leaves_it(struct kunit *test)
{
	struct mock_device *mock = tagged_device(test, "left");

	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	device_release_driver(&mock->vdev.dev);
	expect_refused(mock);
	KUNIT_EXPECT_TRUE(test, mock_probe_again(mock));
	KUNIT_EXPECT_TRUE(test, mock->live);
}

/* 36 characters */
#define LONGEST_TAG	"abcdefghijklmnopqrstuvwxyz0123456789"

static void tag_that_fills_its_field_needs_no_nul(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	static_assert(sizeof(mock->config.tag) == sizeof(LONGEST_TAG) - 1);
	memcpy(mock->config.tag, LONGEST_TAG, sizeof(mock->config.tag));
	/* What follows it is not part of it */
	mock->config.num_request_queues = cpu_to_le32(0x41414141);
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	KUNIT_EXPECT_STREQ(test, LONGEST_TAG, tag_of(mock));
}

static void empty_tag_is_refused(struct kunit *test)
{
	expect_refused(tagged_device(test, ""));
}

static const char *const newline_tags[] = { "\n", "a\nb", "fine otherwise\n" };

static void newline_tag_name(const char *const *tag, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%*pE", (int)strlen(*tag), *tag);
}

KUNIT_ARRAY_PARAM(newline_tag, newline_tags, newline_tag_name);

static void tag_with_a_newline_is_refused(struct kunit *test)
{
	const char *const *tag = test->param_value;

	expect_refused(tagged_device(test, *tag));
}

static void tag_of_another_device_is_refused_until_that_goes(struct kunit *test)
{
	struct mock_device *first = tagged_device(test, "twice");
	struct mock_device *second = tagged_device(test, "twice");

	KUNIT_ASSERT_TRUE(test, mock_is_bound(first));
	expect_refused(second);
	KUNIT_EXPECT_TRUE(test, first->live);

	mock_unplug(first);
	KUNIT_EXPECT_TRUE(test, mock_probe_again(second));
}

static void device_without_request_queue_is_refused(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	mock->config.num_request_queues = 0;
	mock_plug(mock);
	expect_refused(mock);
}

static void queues_are_found_as_far_as_there_are_cpus_for_them(struct kunit *test)
{
	static const u32 numbers[] = { 1, 2, 8, 1000, U32_MAX };
	struct mock_device *mock;
	unsigned int i;

	if (VIRTIOFS_VQ_REQUEST + num_possible_cpus() > MOCK_MAX_QUEUES)
		kunit_skip(test, "there are more CPUs than the device can have queues");
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		mock = mock_new(test, VIRTIO_ID_FS);
		mock->config.num_request_queues = cpu_to_le32(numbers[i]);
		mock_plug(mock);
		KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
		KUNIT_EXPECT_EQ(test,
				VIRTIOFS_VQ_REQUEST +
				min(numbers[i], num_possible_cpus()),
				mock->nr_queues);
		mock_unplug(mock);
	}
}

static void failure_to_find_queues_is_clean(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	mock->find_error = -ENOENT;
	mock_plug(mock);
	expect_refused(mock);
	KUNIT_EXPECT_NE(test, 0, mock->found);

	mock->find_error = 0;
	KUNIT_EXPECT_TRUE(test, mock_probe_again(mock));
}

static void ring_without_room_for_a_request_is_refused(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);

	mock->ring_size = 2;
	mock_plug(mock);
	expect_refused(mock);

	mock->ring_size = VIRTIOFS_VQ_MIN_SIZE;
	KUNIT_EXPECT_TRUE(test, mock_probe_again(mock));
}

/* Whether the kernel makes allocations of this task fail */
static void skip_without_faults(struct kunit *test)
{
#ifdef CONFIG_FAILSLAB
	void *p;

	current->fail_nth = 1;
	p = kmalloc(16, GFP_KERNEL);
	current->fail_nth = 0;
	kfree(p);
	if (p)
		kunit_skip(test, "ignore-gfp-wait is set in /sys/kernel/debug/failslab");
#else
	kunit_skip(test, "the kernel is without failslab (CONFIG_FAILSLAB)");
#endif
}

/*
 * That nothing leaks is seen by kernels that look for leaks, that nothing is
 * left behind by the next probe, which would find the name taken.
 */
static void every_allocation_of_probe_may_fail(struct kunit *test)
{
	struct mock_device *mock = mock_new(test, VIRTIO_ID_FS);
	unsigned int refused = 0;
	bool bound;

	skip_without_faults(test);
	mock->find_error = -ENOENT;
	mock_plug(mock);
	mock->find_error = 0;
	do {
		mock->fail_nth++;
		bound = mock_probe_again(mock);
		if (bound) {
			KUNIT_EXPECT_TRUE(test, mock->live);
			device_release_driver(&mock->vdev.dev);
		} else {
			refused++;
		}
		expect_refused(mock);
	} while (!mock->left_nth);
	KUNIT_EXPECT_TRUE(test, bound);
	kunit_info(test, "%u allocations, without %u of which there is no device\n",
		   mock->fail_nth - 1, refused);

	/* Each queue has at least its memory for requests */
	KUNIT_EXPECT_GT(test, refused, 2 * mock->ring_size);
	mock->fail_nth = 0;
	KUNIT_EXPECT_TRUE(test, mock_probe_again(mock));
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE(device_is_accepted),
	KUNIT_CASE(device_that_interrupts_before_it_is_ready_is_accepted),
	KUNIT_CASE(device_is_reset_when_the_driver_leaves_it),
	KUNIT_CASE(tag_that_fills_its_field_needs_no_nul),
	KUNIT_CASE(empty_tag_is_refused),
	KUNIT_CASE_PARAM(tag_with_a_newline_is_refused, newline_tag_gen_params),
	KUNIT_CASE(tag_of_another_device_is_refused_until_that_goes),
	KUNIT_CASE(device_without_request_queue_is_refused),
	KUNIT_CASE(queues_are_found_as_far_as_there_are_cpus_for_them),
	KUNIT_CASE(failure_to_find_queues_is_clean),
	KUNIT_CASE(ring_without_room_for_a_request_is_refused),
	KUNIT_CASE_SLOW(every_allocation_of_probe_may_fail),
	{}
};

static struct kunit_suite device_suite = {
	.name = "virtiofs_device",
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);
