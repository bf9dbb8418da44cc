// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of devices that are taken away or reset behind the driver's back, or by the
 * kernel with the driver told; and of what a guest does with them that sleeps.
 */

#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "plain.h"
#include "server.h"
#include "virtqueue.h"

/* A device that keeps one request, as if it were gone from now on */
static void device_with_status(struct mock_device *mock, u8 status)
{
	spin_lock_irq(&mock->lock);
	mock->live = false;
	mock->status = status;
	spin_unlock_irq(&mock->lock);
}

static struct plain_req *kept_request(struct mock_device *mock)
{
	struct plain_req *req = plain_reqs(mock, 1);
	struct mock_chain chain;

	mock_plug(mock);
	KUNIT_ASSERT_TRUE(mock->test, mock_is_bound(mock));
	plain_submit(mock, req);
	KUNIT_ASSERT_TRUE(mock->test,
			  mock_pop(mock, VIRTIOFS_VQ_REQUEST, &chain));
	return req;
}

/* Where there was a device, the bus reads ones; waiting for a reset never ends */
static void device_that_is_gone_is_not_waited_for(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *req = kept_request(mock);
	struct virtiofs_vqs *vqs = plain_of(mock)->vqs;
	unsigned int resets = mock->resets;

	device_with_status(mock, 0xff);
	virtiofs_vqs_check_async(vqs);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, req->error);
	flush_work(&vqs->check_work);
	KUNIT_EXPECT_EQ(test, resets, mock->resets);
	/* As the virtio core wants to find it */
	mock->status = 0;
}

static void interrupt_after_the_reset_does_no_harm(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *req = kept_request(mock);

	mock->stray_interrupts = true;
	mock_unplug(mock);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, req->error);
}

static void reset_by_somebody_else_is_noticed(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *req = kept_request(mock);
	struct virtiofs_vqs *vqs = plain_of(mock)->vqs;

	/* A look at a device that works changes nothing */
	virtiofs_vqs_check_async(vqs);
	flush_work(&vqs->check_work);
	plain_wait(mock, 0);

	device_with_status(mock, 0);
	virtiofs_vqs_check_async(vqs);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, req->error);
}

/* The virtio core takes the ring for broken then, and nothing in it completes */
static void transport_that_cannot_notify_ends_what_was_submitted(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *req = plain_reqs(mock, 1);

	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	mock->mute = true;
	plain_submit(mock, req);
	plain_wait(mock, 1);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, req->error);
	KUNIT_EXPECT_TRUE(test, virtiofs_vqs_are_dead(plain_of(mock)->vqs));
}

/* A completion may wait for the end of a request in another queue */
static void kill_completes_what_another_queue_s_worker_waits_for(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	struct completion goes_on;
	struct virtiofs_vqs *vqs;
	struct mock_chain *chain = kunit_kzalloc(test, sizeof(*chain), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, chain);
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	vqs = plain_of(mock)->vqs;
	init_completion(&goes_on);
	reqs[0].goes_on = &goes_on;
	virtiofs_vq_submit(&vqs->vq[VIRTIOFS_VQ_HIPRIO], &reqs[0].link);
	plain_submit(mock, &reqs[1]);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, VIRTIOFS_VQ_HIPRIO, chain));
	mock_answer(mock, VIRTIOFS_VQ_HIPRIO, chain->head,
		    plain_serve(mock, VIRTIOFS_VQ_HIPRIO, chain));

	virtiofs_vqs_kill_async(vqs);
	wait_event_timeout(plain_of(mock)->changed,
			   atomic_read(&reqs[1].ends), 10 * HZ);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[1].ends));
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, reqs[1].error);
	complete(&goes_on);
	plain_wait(mock, 2);
	KUNIT_EXPECT_EQ(test, 0, reqs[0].error);
	flush_work(&vqs->kill_work);
}

/* Tasks that know of no end may go on submitting to a dead device */
static void kill_does_not_wait_for_what_comes_after_it(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *req = plain_reqs(mock, 1);
	struct virtiofs_vqs *vqs;

	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	vqs = plain_of(mock)->vqs;
	req->next = req;
	plain_submit(mock, req);
	virtiofs_vqs_kill_async(vqs);
	wait_event_timeout(plain_of(mock)->changed,
			   !READ_ONCE(mock->nr_queues), 10 * HZ);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_queues);
	KUNIT_EXPECT_LT(test, 1, atomic_read(&req->ends));
	WRITE_ONCE(req->next, NULL);
	flush_work(&vqs->kill_work);
	virtiofs_vqs_drain(vqs);
	KUNIT_EXPECT_EQ(test, -ENOTCONN, req->error);
}

#ifdef CONFIG_PM_SLEEP
static void mounted_device_is_not_suspended(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	server_mount(mock);
	KUNIT_EXPECT_EQ(test, -EBUSY, virtio_device_freeze(&mock->vdev));
	expect_truth(mock);
	KUNIT_EXPECT_EQ(test, 1, server_of(mock)->nr_init);
	server_unmount(server_of(mock));
}

static void device_in_no_use_is_suspended_and_comes_back(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(&mock->vdev));
	KUNIT_EXPECT_FALSE(test, mock->live);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_queues);
	KUNIT_ASSERT_EQ(test, 0, virtio_device_restore(&mock->vdev));
	KUNIT_EXPECT_TRUE(test, mock->live);
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}

/* The virtio core takes no device back that is not reset */
static void device_that_does_not_come_back_is_unbound_reset(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(&mock->vdev));
	mock->find_error = -ENOENT;
	KUNIT_EXPECT_EQ(test, 0, virtio_device_restore(&mock->vdev));
	device_release_driver(&mock->vdev.dev);
	KUNIT_EXPECT_EQ(test, VIRTIO_CONFIG_S_ACKNOWLEDGE, mock->status);
	mock->find_error = 0;
}

static void device_that_does_not_come_back_is_tried_again(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	KUNIT_ASSERT_EQ(test, 0, virtio_device_freeze(&mock->vdev));
	mock->find_error = -ENOENT;
	KUNIT_EXPECT_EQ(test, 0, virtio_device_restore(&mock->vdev));
	KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-ENOENT), (void *)suite_try_mount());
	mock->find_error = 0;
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}
#endif

#ifdef VIRTIOFS_HAVE_RESET_METHODS
static void reset_of_the_function_ends_the_session(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct server *server = server_of(mock);

	server_mount(mock);
	server_hold_statfs(mock);
	KUNIT_EXPECT_EQ(test, 0, virtio_device_reset_prepare(&mock->vdev));
	KUNIT_EXPECT_FALSE(test, mock->live);
	flush_work(&server->statfs);
	KUNIT_EXPECT_EQ(test, -ECONNABORTED, server->result);
	KUNIT_EXPECT_EQ(test, 0, virtio_device_reset_done(&mock->vdev));

	server->hold_statfs = false;
	KUNIT_EXPECT_EQ(test, -ENOTCONN, statfs_with(mock, &truth));
	server_unmount(server);
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server);
}
#endif

#ifdef VIRTIOFS_HAVE_RESET_METHODS
/* Who resets a function does not hold the lock under which a driver is bound to its child */
static void reset_in_the_middle_of_an_unbind_finds_no_device(struct kunit *test)
{
	struct mock_device *mock = served_device(test);
	struct virtio_driver *driver = drv_to_virtio(mock->vdev.dev.driver);

	device_release_driver(&mock->vdev.dev);
	KUNIT_EXPECT_EQ(test, 0, driver->reset_prepare(&mock->vdev));
	KUNIT_EXPECT_EQ(test, 0, driver->reset_done(&mock->vdev));
	KUNIT_EXPECT_FALSE(test, mock->live);
}
#endif

#ifdef VIRTIOFS_HAVE_RESET_METHODS
/* The driver was bound between the two, so nobody told it of the first */
static void reset_that_was_not_announced_costs_the_queues(struct kunit *test)
{
	struct mock_device *mock = served_device(test);

	KUNIT_EXPECT_EQ(test, 0, virtio_device_reset_done(&mock->vdev));
	server_mount(mock);
	expect_truth(mock);
	server_unmount(server_of(mock));
}
#endif

static struct kunit_case reset_cases[] = {
	KUNIT_CASE(device_that_is_gone_is_not_waited_for),
	KUNIT_CASE(interrupt_after_the_reset_does_no_harm),
	KUNIT_CASE(reset_by_somebody_else_is_noticed),
	KUNIT_CASE(transport_that_cannot_notify_ends_what_was_submitted),
	KUNIT_CASE(kill_completes_what_another_queue_s_worker_waits_for),
	KUNIT_CASE(kill_does_not_wait_for_what_comes_after_it),
	{}
};

static struct kunit_suite reset_suite = {
	.name = "virtiofs_reset",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = reset_cases,
};

static struct kunit_case sleep_cases[] = {
#ifdef CONFIG_PM_SLEEP
	KUNIT_CASE(mounted_device_is_not_suspended),
	KUNIT_CASE(device_in_no_use_is_suspended_and_comes_back),
	KUNIT_CASE(device_that_does_not_come_back_is_unbound_reset),
	KUNIT_CASE(device_that_does_not_come_back_is_tried_again),
#endif
#ifdef VIRTIOFS_HAVE_RESET_METHODS
	KUNIT_CASE(reset_of_the_function_ends_the_session),
	KUNIT_CASE(reset_in_the_middle_of_an_unbind_finds_no_device),
	KUNIT_CASE(reset_that_was_not_announced_costs_the_queues),
#endif
	{}
};

static struct kunit_suite sleep_suite = {
	.name = "virtiofs_sleep",
	.test_cases = sleep_cases,
};

kunit_test_suite(reset_suite);
kunit_test_suite(sleep_suite);
