// SPDX-License-Identifier: GPL-2.0
/*
 * A plain driver over the queues of the driver under test.
 */

#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>

#include <kunit/test.h>

#include "plain.h"
#include "virtqueue.h"

/* Offsets in the memory that the queue has for a request */
#define PLAIN_OUT	0
#define PLAIN_IN	8

static struct plain_req *req_of(struct llist_node *link)
{
	return container_of(link, struct plain_req, link);
}

static int plain_map(struct llist_node *link, struct virtiofs_buf *buf,
		     struct virtiofs_sgl *sgl)
{
	struct plain_req *req = req_of(link);
	unsigned int i;

	memcpy(buf->data + PLAIN_OUT, &req->number, sizeof(u32));
	memset(buf->data + PLAIN_IN, 0, sizeof(u32));
	if (!virtiofs_sgl_add_memory(sgl, buf->data + PLAIN_OUT, sizeof(u32)))
		return -E2BIG;
	for (i = 0; i < req->segs; i++) {
		if (!virtiofs_sgl_add(sgl, req->pages, req->seg_len,
				      i * (req->seg_len + req->gap)))
			return -E2BIG;
	}
	virtiofs_sgl_begin_reply(sgl);
	if (!virtiofs_sgl_add_memory(sgl, buf->data + PLAIN_IN, sizeof(u32)))
		return -E2BIG;
	return 1;
}

static void plain_done(struct llist_node *link, struct virtiofs_buf *buf,
		       int error)
{
	struct plain_req *req = req_of(link);
	struct plain *plain = req->plain;

	/* What the callback promises, told by kernels that look */
	might_sleep();
	req->error = error;
	req->had_buf = buf;
	if (buf) {
		req->len = buf->len;
		memcpy(&req->reply, buf->data + PLAIN_IN, sizeof(u32));
	}
	req->turn = atomic_read(&plain->nr_ended);
	atomic_inc(&req->ends);
	req->task = current;
	req->nice = task_nice(current);
	atomic_inc(&plain->nr_ended);
	wake_up_all(&plain->changed);
	if (req->meanwhile)
		schedule_work(req->meanwhile);
	if (req->next)
		virtiofs_vq_submit(virtiofs_vqs_pick(plain->vqs),
				   &req->next->link);
	if (req->goes_on)
		wait_for_completion(req->goes_on);
}

static const struct virtiofs_vq_ops plain_vq_ops = {
	.map = plain_map,
	.done = plain_done,
};

static const struct virtiofs_vqs_ops plain_vqs_ops = {
	.hiprio = &plain_vq_ops,
	.request = &plain_vq_ops,
};

struct plain *plain_of(struct mock_device *mock)
{
	return mock->private;
}

static void plain_changed(struct virtiofs_vqs *vqs)
{
}

static int plain_probe(struct virtio_device *vdev)
{
	struct mock_device *mock = mock_of(vdev);
	struct virtiofs_vqs *vqs;

	vqs = virtiofs_vqs_start(vdev, le32_to_cpu(mock->config.num_request_queues),
				 &plain_vqs_ops, plain_changed);
	if (IS_ERR(vqs))
		return PTR_ERR(vqs);
	plain_of(mock)->vqs = vqs;
	return 0;
}

static void plain_remove(struct virtio_device *vdev)
{
	struct plain *plain = plain_of(mock_of(vdev));

	virtiofs_vqs_kill(plain->vqs);
	virtiofs_vqs_put(plain->vqs);
	plain->vqs = NULL;
}

static const struct virtio_device_id plain_ids[] = {
	{ MOCK_ID_PLAIN, VIRTIO_DEV_ANY_ID },
	{}
};

static struct virtio_driver plain_driver = {
	.driver.name = "virtiofs_kunit",
	.id_table = plain_ids,
	.probe = plain_probe,
	.remove = plain_remove,
};

int plain_register(struct kunit_suite *suite)
{
	return register_virtio_driver(&plain_driver);
}

void plain_unregister(struct kunit_suite *suite)
{
	unregister_virtio_driver(&plain_driver);
}

/* A device for the plain driver, not yet plugged in */
struct mock_device *plain_new(struct kunit *test)
{
	struct plain *plain = kunit_kzalloc(test, sizeof(*plain), GFP_KERNEL);
	struct mock_device *mock;

	KUNIT_ASSERT_NOT_NULL(test, plain);
	init_waitqueue_head(&plain->changed);
	mock = mock_new(test, MOCK_ID_PLAIN);
	mock->private = plain;
	return mock;
}

/* The same, plugged in, with features beside those that each has */
struct mock_device *plain_plug(struct kunit *test, u64 features,
			       unsigned int ring_size)
{
	struct mock_device *mock = plain_new(test);

	mock->features = BIT_ULL(VIRTIO_F_VERSION_1) | features;
	mock->ring_size = ring_size;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

/* The first request queue */
struct virtiofs_vq *plain_vq(struct mock_device *mock)
{
	return &plain_of(mock)->vqs->vq[VIRTIOFS_VQ_REQUEST];
}

/* From now on requests are answered at once, or never */
void plain_be_prompt(struct mock_device *mock, bool prompt)
{
	spin_lock_irq(&mock->lock);
	mock->prompt = prompt;
	mock->handler = prompt ? plain_serve : NULL;
	spin_unlock_irq(&mock->lock);
}

/* The queues need the requests until the device is gone */
static void plain_unplug(void *mock)
{
	mock_unplug(mock);
}

/* Requests with numbers from 1 on */
struct plain_req *plain_reqs(struct mock_device *mock, unsigned int nr)
{
	struct plain_req *reqs = kunit_kcalloc(mock->test, nr, sizeof(*reqs),
					       GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(mock->test, reqs);
	KUNIT_ASSERT_EQ(mock->test, 0,
			kunit_add_action(mock->test, plain_unplug, mock));
	for (i = 0; i < nr; i++) {
		reqs[i].plain = plain_of(mock);
		reqs[i].number = i + 1;
		reqs[i].pages = ZERO_PAGE(0);
		reqs[i].seg_len = 1;
		/* They do not merge */
		reqs[i].gap = 1;
	}
	return reqs;
}

/* To the first request queue */
void plain_submit(struct mock_device *mock, struct plain_req *req)
{
	virtiofs_vq_submit(plain_vq(mock), &req->link);
}

/* The same, poll for the reply, and then wait for it */
enum plain_waited plain_submit_wait(struct mock_device *mock,
				    struct plain_req *req, u64 ns, long timeout)
{
	struct virtiofs_vq *vq = plain_vq(mock);
	struct virtiofs_hit_rate rate = {};
	struct virtiofs_waiter waiter;

	if (virtiofs_vq_submit_wait(vq, &req->link, &waiter, ns,
				    ns ? &rate : NULL))
		return PLAIN_POLLED;
	if (virtiofs_vq_wait(vq, &waiter, timeout))
		return PLAIN_SLEPT;
	return PLAIN_LEFT;
}

/* Wait until so many requests have ended */
void plain_wait(struct mock_device *mock, unsigned int nr)
{
	struct plain *plain = plain_of(mock);

	wait_event_timeout(plain->changed, atomic_read(&plain->nr_ended) >= nr,
			   MOCK_PATIENCE);
	KUNIT_EXPECT_EQ(mock->test, nr, atomic_read(&plain->nr_ended));
}

/* What a request says, as the device reads it */
u32 plain_number(struct mock_chain *chain)
{
	u32 number = 0;

	mock_read(chain, &number, sizeof(number));
	return number;
}

/* An honest reply to one request */
s64 plain_serve(struct mock_device *mock, unsigned int index,
		struct mock_chain *chain)
{
	u32 reply = ~plain_number(chain);

	return mock_write(chain, &reply, sizeof(reply));
}

/* ... and given back */
void plain_answer(struct mock_device *mock, struct mock_chain *chain)
{
	s64 len = plain_serve(mock, VIRTIOFS_VQ_REQUEST, chain);

	mock_answer(mock, VIRTIOFS_VQ_REQUEST, chain->head, len);
}

/* The oldest request that the device has not answered */
void plain_answer_one(struct mock_device *mock)
{
	struct mock_chain chain;

	KUNIT_ASSERT_TRUE(mock->test,
			  mock_pop(mock, VIRTIOFS_VQ_REQUEST, &chain));
	plain_answer(mock, &chain);
}
