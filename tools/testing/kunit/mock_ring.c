// SPDX-License-Identifier: GPL-2.0
/*
 * The device's side of a split ring in memory (virtio specification 2.7): what
 * an honest device does, and with other arguments what no device should.
 */

#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/io.h>
#include <linux/virtio_config.h>

#include "mock.h"

static void chain_add(struct mock_chain *chain, struct virtio_device *vdev,
		      const struct vring_desc *desc)
{
	unsigned int nr = chain->nr_out + chain->nr_in;

	if (WARN_ON_ONCE(nr == MOCK_MAX_SEGS))
		return;
	chain->seg[nr].p = phys_to_virt(virtio64_to_cpu(vdev, desc->addr));
	chain->seg[nr].len = virtio32_to_cpu(vdev, desc->len);
	if (virtio16_to_cpu(vdev, desc->flags) & VRING_DESC_F_WRITE)
		chain->nr_in++;
	else if (!WARN_ON_ONCE(chain->nr_in))
		chain->nr_out++;
}

static void chain_walk(struct mock_chain *chain, struct virtio_device *vdev,
		       const struct vring_desc *table, u16 next)
{
	u16 flags;

	do {
		flags = virtio16_to_cpu(vdev, table[next].flags);
		if (flags & VRING_DESC_F_INDIRECT) {
			chain->indirect = true;
			table = phys_to_virt(virtio64_to_cpu(vdev,
							     table[next].addr));
			chain_walk(chain, vdev, table, 0);
			return;
		}
		chain_add(chain, vdev, &table[next]);
		next = virtio16_to_cpu(vdev, table[next].next);
	} while (flags & VRING_DESC_F_NEXT);
}

static bool queue_is_empty(struct mock_queue *queue, const struct vring *ring)
{
	struct virtio_device *vdev = &queue->mock->vdev;

	if (virtio16_to_cpu(vdev, READ_ONCE(ring->avail->idx)) != queue->next_avail)
		return false;
	/* Ask to be told of the next; one may have come before the driver saw it */
	vring_avail_event(ring) = cpu_to_virtio16(vdev, queue->next_avail);
	virtio_mb(true);
	return virtio16_to_cpu(vdev, READ_ONCE(ring->avail->idx)) ==
	       queue->next_avail;
}

static bool queue_pop(struct mock_queue *queue, struct mock_chain *chain)
{
	struct virtio_device *vdev = &queue->mock->vdev;
	const struct vring *ring = virtqueue_get_vring(queue->ring);
	unsigned int next;

	if (queue_is_empty(queue, ring))
		return false;
	virtio_rmb(true);
	next = queue->next_avail++ % ring->num;
	memset(chain, 0, sizeof(*chain));
	chain->head = virtio16_to_cpu(vdev, ring->avail->ring[next]);
	chain_walk(chain, vdev, ring->desc, chain->head);
	return true;
}

static void queue_push(struct mock_queue *queue, u32 id, u32 len)
{
	struct virtio_device *vdev = &queue->mock->vdev;
	const struct vring *ring = virtqueue_get_vring(queue->ring);

	ring->used->ring[queue->used % ring->num] = (struct vring_used_elem){
		.id = cpu_to_virtio32(vdev, id),
		.len = cpu_to_virtio32(vdev, len),
	};
	virtio_wmb(true);
	WRITE_ONCE(ring->used->idx, cpu_to_virtio16(vdev, ++queue->used));
}

/* Does the driver ask for an interrupt when as many as @used have been returned? */
static bool queue_is_asked(struct mock_queue *queue, u16 used)
{
	struct virtio_device *vdev = &queue->mock->vdev;
	const struct vring *ring = virtqueue_get_vring(queue->ring);

	virtio_mb(true);
	if (virtio_has_feature(vdev, VIRTIO_RING_F_EVENT_IDX))
		return vring_need_event(virtio16_to_cpu(vdev, vring_used_event(ring)),
					used, queue->signalled);
	return !(virtio16_to_cpu(vdev, READ_ONCE(ring->avail->flags)) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

/* As a device has to, interrupt only if the driver asks for it */
static void queue_interrupt(struct mock_queue *queue)
{
	bool asked = queue_is_asked(queue, queue->used);

	queue->signalled = queue->used;
	if (!asked)
		return;
	queue->interrupts++;
	irq_work_queue(&queue->irq);
}

/* It has come to a CPU */
void mock_queue_irq(struct irq_work *irq)
{
	struct mock_queue *queue = container_of(irq, struct mock_queue, irq);

	if (vring_interrupt(0, queue->ring) == IRQ_NONE)
		queue->spurious++;
}

static bool queue_is_live(struct mock_queue *queue)
{
	lockdep_assert_held(&queue->mock->lock);
	return queue->mock->live && queue->enabled && queue->ring;
}

/**
 * mock_pop() - take the oldest request out of a ring
 * @mock: the device
 * @index: the queue
 * @chain: the request
 *
 * Return: false if there is none.
 */
bool mock_pop(struct mock_device *mock, unsigned int index,
	      struct mock_chain *chain)
{
	struct mock_queue *queue = &mock->queue[index];
	bool popped;

	scoped_guard(spinlock_irqsave, &mock->lock)
		popped = queue_is_live(queue) && queue_pop(queue, chain);
	return popped;
}

/**
 * mock_push() - return a request without an interrupt
 * @mock: the device
 * @index: the queue
 * @id: the request's head
 * @len: what the device claims to have written
 */
void mock_push(struct mock_device *mock, unsigned int index, u32 id, u32 len)
{
	struct mock_queue *queue = &mock->queue[index];

	scoped_guard(spinlock_irqsave, &mock->lock) {
		if (queue_is_live(queue))
			queue_push(queue, id, len);
	}
}

/**
 * mock_interrupt() - interrupt for a queue, if the driver wants it
 * @mock: the device
 * @index: the queue
 */
void mock_interrupt(struct mock_device *mock, unsigned int index)
{
	struct mock_queue *queue = &mock->queue[index];

	scoped_guard(spinlock_irqsave, &mock->lock) {
		if (queue_is_live(queue))
			queue_interrupt(queue);
	}
}

/**
 * mock_lose_interrupt() - the same, but it does not get to the driver
 * @mock: the device
 * @index: the queue
 */
void mock_lose_interrupt(struct mock_device *mock, unsigned int index)
{
	struct mock_queue *queue = &mock->queue[index];

	scoped_guard(spinlock_irqsave, &mock->lock)
		queue->signalled = queue->used;
}

/**
 * mock_is_asked() - whether the driver wants to be told of the next reply
 * @mock: the device
 * @index: the queue
 *
 * It may have seen the reply, and ask no more, when the device comes to interrupt for it.
 */
bool mock_is_asked(struct mock_device *mock, unsigned int index)
{
	struct mock_queue *queue = &mock->queue[index];
	bool asked;

	scoped_guard(spinlock_irqsave, &mock->lock)
		asked = queue_is_live(queue) &&
			queue_is_asked(queue, queue->used + 1);
	return asked;
}

/**
 * mock_answer() - return a request, and interrupt
 * @mock: the device
 * @index: the queue
 * @id: the request's head
 * @len: what the device claims to have written
 */
void mock_answer(struct mock_device *mock, unsigned int index, u32 id, u32 len)
{
	mock_push(mock, index, id, len);
	mock_interrupt(mock, index);
}

static u32 segs_copy(struct mock_seg *seg, unsigned int nr, void *p, u32 len,
		     bool write)
{
	u32 done = 0, run;

	for (; nr && done < len; nr--, seg++, done += run) {
		run = min(len - done, seg->len);
		if (write)
			memcpy(seg->p, p + done, run);
		else
			memcpy(p + done, seg->p, run);
	}
	return done;
}

/**
 * mock_read() - copy the beginning of what the driver has written
 * @chain: a request that was not yet returned
 * @to: where to
 * @len: how much at most
 *
 * Return: number of bytes.
 */
u32 mock_read(struct mock_chain *chain, void *to, u32 len)
{
	return segs_copy(chain->seg, chain->nr_out, to, len, false);
}

/**
 * mock_write() - write a reply
 * @chain: a request that was not yet returned
 * @from: the reply
 * @len: its length
 *
 * Return: number of bytes that there was room for.
 */
u32 mock_write(struct mock_chain *chain, const void *from, u32 len)
{
	return segs_copy(chain->seg + chain->nr_out, chain->nr_in, (void *)from,
			 len, true);
}

static void queue_serve(struct mock_queue *queue)
{
	struct mock_device *mock = queue->mock;
	struct mock_chain chain;
	s64 len;

	while (queue_pop(queue, &chain)) {
		len = mock->handler(mock, queue - mock->queue, &chain);
		if (len != MOCK_HOLD)
			queue_push(queue, chain.head, len);
	}
	queue_interrupt(queue);
}

/* The driver's notification */
bool mock_queue_notify(struct virtqueue *ring)
{
	struct mock_device *mock = mock_of(ring->vdev);
	struct mock_queue *queue = &mock->queue[ring->index];

	if (mock->mute)
		return false;
	scoped_guard(spinlock_irqsave, &mock->lock) {
		queue->notified++;
		if (mock->handler && mock->prompt && queue_is_live(queue))
			queue_serve(queue);
		else if (mock->handler)
			queue_work(mock->wq, &queue->serve);
	}
	return true;
}

/* Serve all requests in the ring, one interrupt at the end */
void mock_queue_serve(struct work_struct *work)
{
	struct mock_queue *queue = container_of(work, struct mock_queue, serve);

	scoped_guard(spinlock_irqsave, &queue->mock->lock) {
		if (queue_is_live(queue))
			queue_serve(queue);
	}
}
