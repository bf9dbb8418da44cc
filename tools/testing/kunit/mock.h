/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device in memory, for KUnit suites.
 *
 * The suites are a part of the driver's module in a build of its own, with
 * CONFIG_VIRTIO_FS_KUNIT_TEST=y: it is loaded in place of the usual virtiofs.ko
 * and runs them when it is loaded, on the code that it brings along, under the
 * kernel's own virtio core.  Nothing is exported for them, and static functions
 * stay out of reach: what is tested is what can be observed.
 */
#ifndef _VIRTIOFS_KUNIT_MOCK_H
#define _VIRTIOFS_KUNIT_MOCK_H

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct kunit;
struct mock_device;
struct virtqueue_info;

/* No driver of the kernel is for devices of this id */
#define MOCK_ID_PLAIN		0xf5f5

#define MOCK_MAX_QUEUES		32
#define MOCK_MAX_SEGS		32

int mock_find_vqs(struct virtio_device *vdev, unsigned int nr,
		  struct virtqueue *rings[], struct virtqueue_info info[]);

#include "kunit_compat.h"

/* How long to wait for what must happen, before it is called a hang */
#define MOCK_PATIENCE		(60 * HZ)

/* A debug kernel takes ten times as long for what is left to chance, and has fewer tries */
#define MOCK_SLOWNESS		(IS_ENABLED(CONFIG_KASAN) ? 4 : 1)

/**
 * struct mock_seg - a run of bytes that a descriptor describes
 * @p: the bytes
 * @len: how many
 */
struct mock_seg {
	void *p;
	u32 len;
};

/**
 * struct mock_chain - a request as the device finds it in a ring
 * @head: what the device gives back
 * @nr_out: number of segments that the device reads
 * @nr_in: number of segments that the device writes
 * @indirect: the descriptors were not in the ring itself
 * @seg: the segments, those that the device reads first
 */
struct mock_chain {
	u16 head;
	unsigned int nr_out;
	unsigned int nr_in;
	bool indirect;
	struct mock_seg seg[MOCK_MAX_SEGS];
};

/**
 * typedef mock_handler_fn - what a device that serves by itself does
 * @mock: the device
 * @index: queue of the request
 * @chain: the request
 *
 * Called under the device's lock, must not sleep.  Returns what the device
 * claims to have written, or MOCK_HOLD if it keeps the request.
 */
typedef s64 (*mock_handler_fn)(struct mock_device *mock, unsigned int index,
			       struct mock_chain *chain);

/* Lengths of 32 bits are all claims that a device can make */
#define MOCK_HOLD	(-1LL)

/**
 * struct mock_queue - the device's side of a queue
 * @mock: the device
 * @ring: the driver's virtqueue; NULL when there is none
 * @enabled: set up by the driver, and not forgotten by a reset since
 * @next_avail: number of requests that were taken out
 * @used: number of requests that were returned
 * @signalled: @used at the last interrupt
 * @notified: number of notifications by the driver
 * @interrupts: number of interrupts that the driver has wanted
 * @spurious: number of interrupts that have found no work
 * @irq: the interrupt, on its way to the driver
 * @serve: serves the queue when there is a handler
 */
struct mock_queue {
	struct mock_device *mock;
	struct virtqueue *ring;
	bool enabled;
	u16 next_avail;
	u16 used;
	u16 signalled;
	unsigned int notified;
	unsigned int interrupts;
	unsigned int spurious;
	struct irq_work irq;
	struct work_struct serve;
};

/**
 * struct mock_device - a virtio device in memory
 * @vdev: what the virtio core sees
 * @test: the test that it is for
 * @plugged: registered with the virtio core
 * @released: the virtio core has dropped its last reference
 * @wq: where the device and the tests work
 * @features: offered feature bits
 * @config: configuration space
 * @ring_size: number of descriptors of each ring
 * @find_error: what finding the queues fails with
 * @refuse_features: the device does not take the features
 * @stray_interrupts: a CPU takes an interrupt of each queue when that is made, before the
 *	device is ready, and when it is deleted, after the reset
 * @affinity: CPUs of each queue, or NULL if the device cannot say
 * @map_fails: there is no memory that the device could get at
 * @mute: the transport cannot notify
 * @prompt: requests are served before the driver's notification is over
 * @handler: serves requests, or NULL if the test does it by hand
 * @private: the test's
 * @fail_nth: which allocation in the driver's probe fails; 0: none
 * @left_nth: how much of @fail_nth was left when probe failed
 * @lock: protects what follows, and that the device touches rings and memory
 *	only while it is live
 * @live: between DRIVER_OK and reset
 * @status: as the specification has it
 * @resets: how often the device was reset
 * @nr_queues: number of queues that the driver has; 0 when it deleted them
 * @found: number of queues that the driver has asked for at last
 * @queue: the queues
 */
struct mock_device {
	struct virtio_device vdev;
	struct kunit *test;
	bool plugged;
	struct completion released;
	struct workqueue_struct *wq;

	u64 features;
	struct virtio_fs_config config;
	unsigned int ring_size;
	int find_error;
	bool refuse_features;
	bool stray_interrupts;
	const struct cpumask *affinity;
	bool map_fails;
	bool mute;
	bool prompt;
	mock_handler_fn handler;
	void *private;
	unsigned int fail_nth;
	unsigned int left_nth;

	spinlock_t lock; /* see above */
	bool live;
	u8 status;
	unsigned int resets;
	unsigned int nr_queues;
	unsigned int found;
	struct mock_queue queue[MOCK_MAX_QUEUES];
};

static inline struct mock_device *mock_of(struct virtio_device *vdev)
{
	return container_of(vdev, struct mock_device, vdev);
}

struct mock_device *mock_new(struct kunit *test, u32 id);
void mock_plug(struct mock_device *mock);
void mock_unplug(struct mock_device *mock);
bool mock_is_bound(struct mock_device *mock);
bool mock_probe_again(struct mock_device *mock);
bool mock_fail_allocation(void);
bool mock_map_memory(struct mock_device *mock);

bool mock_pop(struct mock_device *mock, unsigned int index,
	      struct mock_chain *chain);
void mock_push(struct mock_device *mock, unsigned int index, u32 id, u32 len);
void mock_interrupt(struct mock_device *mock, unsigned int index);
void mock_lose_interrupt(struct mock_device *mock, unsigned int index);
bool mock_is_asked(struct mock_device *mock, unsigned int index);
void mock_answer(struct mock_device *mock, unsigned int index, u32 id, u32 len);
u32 mock_read(struct mock_chain *chain, void *to, u32 len);
u32 mock_write(struct mock_chain *chain, const void *from, u32 len);

bool mock_queue_notify(struct virtqueue *ring);
void mock_queue_serve(struct work_struct *work);
void mock_queue_irq(struct irq_work *irq);

#endif
