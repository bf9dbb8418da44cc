// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio device in memory, as the virtio core sees it: features, status,
 * configuration space, making and deleting of rings.
 */

#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/fault-inject.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "mock.h"

#ifdef CONFIG_FAULT_INJECTION
static void mock_set_fail_nth(unsigned int nth)
{
	current->fail_nth = nth;
}

static unsigned int mock_fail_nth(void)
{
	return current->fail_nth;
}
#else
static void mock_set_fail_nth(unsigned int nth)
{
}

static unsigned int mock_fail_nth(void)
{
	return 0;
}
#endif

/**
 * mock_fail_allocation() - have the caller's next allocation that may not sleep fail
 *
 * Return: false if the kernel cannot.
 */
bool mock_fail_allocation(void)
{
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		return false;
	mock_set_fail_nth(1);
	return true;
}

static void mock_get(struct virtio_device *vdev, unsigned int offset, void *buf,
		     unsigned int len)
{
	struct mock_device *mock = mock_of(vdev);

	if (WARN_ON_ONCE(offset + len > sizeof(mock->config)))
		return;
	memcpy(buf, (u8 *)&mock->config + offset, len);
}

static u8 mock_get_status(struct virtio_device *vdev)
{
	return mock_of(vdev)->status;
}

static void mock_set_status(struct virtio_device *vdev, u8 status)
{
	struct mock_device *mock = mock_of(vdev);

	if (mock->refuse_features)
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	scoped_guard(spinlock_irqsave, &mock->lock) {
		mock->status = status;
		mock->live = status & VIRTIO_CONFIG_S_DRIVER_OK;
	}

	/* The driver's probe is between these two */
	if (mock->fail_nth && status & VIRTIO_CONFIG_S_FAILED) {
		mock->left_nth = mock_fail_nth();
		mock_set_fail_nth(0);
	} else if (mock->fail_nth && !mock->live &&
		   status & VIRTIO_CONFIG_S_FEATURES_OK) {
		mock_set_fail_nth(mock->fail_nth);
	}
}

static void mock_reset(struct virtio_device *vdev)
{
	struct mock_device *mock = mock_of(vdev);
	unsigned int i;

	/* A transport waits until the status reads as 0, which that of a gone device never does */
	if (mock->status == 0xff) {
		KUNIT_FAIL(mock->test, "a reset waits for a device that is gone");
		return;
	}
	scoped_guard(spinlock_irqsave, &mock->lock) {
		for (i = 0; i < MOCK_MAX_QUEUES; i++)
			mock->queue[i].enabled = false;
		mock->live = false;
		mock->status = 0;
		mock->resets++;
	}
}

static u64 mock_get_features(struct virtio_device *vdev)
{
	return mock_of(vdev)->features;
}

static int mock_finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);
	return 0;
}

static const char *mock_bus_name(struct virtio_device *vdev)
{
	return "mock";
}

static void stray_interrupt(struct mock_device *mock, struct virtqueue *ring)
{
	if (mock->stray_interrupts)
		ring->callback(ring);
}

static void mock_del_vqs(struct virtio_device *vdev)
{
	struct mock_device *mock = mock_of(vdev);
	struct virtqueue *ring;
	unsigned int i;

	for (i = 0; i < mock->nr_queues; i++) {
		stray_interrupt(mock, mock->queue[i].ring);
		irq_work_sync(&mock->queue[i].irq);
		scoped_guard(spinlock_irqsave, &mock->lock) {
			ring = mock->queue[i].ring;
			mock->queue[i].ring = NULL;
		}
		vring_del_virtqueue(ring);
	}
	mock->nr_queues = 0;
}

int mock_find_vqs(struct virtio_device *vdev, unsigned int nr,
		  struct virtqueue *rings[], struct virtqueue_info info[])
{
	struct mock_device *mock = mock_of(vdev);
	struct mock_queue *queue;
	unsigned int i;

	mock->found = nr;
	if (mock->find_error)
		return mock->find_error;
	if (nr > MOCK_MAX_QUEUES)
		return -ENOSPC;
	for (i = 0; i < nr; i++) {
		rings[i] = vring_create_virtqueue(i, mock->ring_size,
						  SMP_CACHE_BYTES, vdev, true,
						  true, false,
						  mock_queue_notify,
						  info[i].callback,
						  info[i].name);
		if (!rings[i]) {
			mock_del_vqs(vdev);
			return -ENOMEM;
		}
		queue = &mock->queue[i];
		queue->next_avail = 0;
		queue->used = 0;
		queue->signalled = 0;
		queue->notified = 0;
		queue->interrupts = 0;
		queue->spurious = 0;
		queue->enabled = true;
		queue->ring = rings[i];
		mock->nr_queues = i + 1;
		stray_interrupt(mock, rings[i]);
	}
	return 0;
}

static const struct cpumask *mock_get_vq_affinity(struct virtio_device *vdev,
						  int index)
{
	struct mock_device *mock = mock_of(vdev);

	return mock->affinity ? &mock->affinity[index] : NULL;
}

static const struct virtio_config_ops mock_config_ops = {
	.get = mock_get,
	.get_status = mock_get_status,
	.set_status = mock_set_status,
	.reset = mock_reset,
	.find_vqs = mock_compat_find_vqs,
	.del_vqs = mock_del_vqs,
	.get_features = mock_get_features,
	.finalize_features = mock_finalize_features,
	.bus_name = mock_bus_name,
	.get_vq_affinity = mock_get_vq_affinity,
};

#ifdef VIRTIOFS_HAVE_MAP_OPS
static dma_addr_t mock_map_page(union virtio_map map, struct page *page,
				unsigned long offset, size_t size,
				enum dma_data_direction dir, unsigned long attrs)
{
	struct mock_device *mock = dev_get_drvdata(map.dma_dev);

	return READ_ONCE(mock->map_fails) ? DMA_MAPPING_ERROR :
					    page_to_phys(page) + offset;
}

static void mock_unmap_page(union virtio_map map, dma_addr_t addr, size_t size,
			    enum dma_data_direction dir, unsigned long attrs)
{
}

static void *mock_map_alloc(union virtio_map map, size_t size, dma_addr_t *addr,
			    gfp_t gfp)
{
	void *p = alloc_pages_exact(size, gfp);

	if (p)
		*addr = virt_to_phys(p);
	return p;
}

static void mock_map_free(union virtio_map map, size_t size, void *p,
			  dma_addr_t addr, unsigned long attrs)
{
	free_pages_exact(p, size);
}

static int mock_mapping_error(union virtio_map map, dma_addr_t addr)
{
	return addr == DMA_MAPPING_ERROR ? -ENOMEM : 0;
}

static bool mock_need_sync(union virtio_map map, dma_addr_t addr)
{
	return false;
}

static size_t mock_max_mapping_size(union virtio_map map)
{
	return SIZE_MAX;
}

static const struct virtio_map_ops mock_map_ops = {
	.map_page = mock_map_page,
	.unmap_page = mock_unmap_page,
	.alloc = mock_map_alloc,
	.free = mock_map_free,
	.need_sync = mock_need_sync,
	.mapping_error = mock_mapping_error,
	.max_mapping_size = mock_max_mapping_size,
};

/**
 * mock_map_memory() - have the driver map all memory that the device is to get at
 * @mock: a device that is not plugged in
 *
 * Return: false if the kernel leaves that to the device's bus.
 */
bool mock_map_memory(struct mock_device *mock)
{
	mock->features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	mock->vdev.map = &mock_map_ops;
	dev_set_drvdata(mock->vdev.dev.parent, mock);
	return true;
}
#else
bool mock_map_memory(struct mock_device *mock)
{
	return false;
}
#endif

static void mock_release(struct device *dev)
{
	complete(&mock_of(dev_to_virtio(dev))->released);
}

static void mock_free(void *data)
{
	struct mock_device *mock = data;

	mock_unplug(mock);
	destroy_workqueue(mock->wq);
}

/* What the device is plugged into; each needs a name of its own */
static struct device *mock_parent(struct kunit *test)
{
	static atomic_t count = ATOMIC_INIT(0);
	struct device *parent;
	char name[24];

	snprintf(name, sizeof(name), "virtiofs-mock.%d", atomic_inc_return(&count));
	parent = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	return parent;
}

/**
 * mock_new() - make a device, not yet plugged in
 * @test: whose end is the device's end
 * @id: VIRTIO_ID_FS or MOCK_ID_PLAIN
 *
 * Return: a healthy device with one request queue.
 */
struct mock_device *mock_new(struct kunit *test, u32 id)
{
	struct mock_device *mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->test = test;
	mock->vdev.id.device = id;
	mock->vdev.config = &mock_config_ops;
	mock->vdev.dev.release = mock_release;
	mock->vdev.dev.parent = mock_parent(test);
	mock->features = BIT_ULL(VIRTIO_F_VERSION_1) |
			 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
			 BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	mock->config.num_request_queues = cpu_to_le32(1);
	strscpy_pad(mock->config.tag, "mock", sizeof(mock->config.tag));
	mock->ring_size = 16;
	spin_lock_init(&mock->lock);
	for (i = 0; i < MOCK_MAX_QUEUES; i++) {
		mock->queue[i].mock = mock;
		INIT_WORK(&mock->queue[i].serve, mock_queue_serve);
		init_irq_work(&mock->queue[i].irq, mock_queue_irq);
	}
	mock->wq = alloc_workqueue("virtiofs_mock", WQ_UNBOUND, 0);
	KUNIT_ASSERT_NOT_NULL(test, mock->wq);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_free, mock));
	return mock;
}

/**
 * mock_plug() - plug the device in
 * @mock: the device
 *
 * If there is a driver for it, that has probed it when this returns.
 */
void mock_plug(struct mock_device *mock)
{
	init_completion(&mock->released);
	KUNIT_ASSERT_EQ(mock->test, 0, register_virtio_device(&mock->vdev));
	mock->plugged = true;
}

/**
 * mock_unplug() - pull the device out, if it is in
 * @mock: the device
 */
void mock_unplug(struct mock_device *mock)
{
	if (!mock->plugged)
		return;
	mock->plugged = false;
	unregister_virtio_device(&mock->vdev);
	/* Nobody but the virtio core has references */
	KUNIT_EXPECT_NE(mock->test, 0,
			wait_for_completion_timeout(&mock->released,
						    MOCK_PATIENCE));
	KUNIT_EXPECT_EQ(mock->test, 0, mock->nr_queues);
	KUNIT_EXPECT_FALSE(mock->test, mock->live);
	flush_workqueue(mock->wq);
}

/**
 * mock_is_bound() - has a driver accepted the device?
 * @mock: the device
 */
bool mock_is_bound(struct mock_device *mock)
{
	return mock->vdev.dev.driver;
}

/**
 * mock_probe_again() - have a driver probe the device that was refused
 * @mock: the device
 *
 * Return: true if the driver has accepted it.
 */
bool mock_probe_again(struct mock_device *mock)
{
	int bound;

	mock->left_nth = 0;
	bound = device_attach(&mock->vdev.dev);
	if (mock->fail_nth && mock_fail_nth()) {
		mock->left_nth = mock_fail_nth();
		mock_set_fail_nth(0);
	}
	return bound == 1;
}
