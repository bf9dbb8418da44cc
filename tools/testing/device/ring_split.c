// SPDX-License-Identifier: GPL-2.0
/*
 * The split virtqueue: descriptor table, avail ring, used ring.
 */
#include <linux/virtio_ring.h>
#include <string.h>
#include "memory.h"
#include "ring.h"

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* Lies behind the avail ring: the guest's wish for interrupts. */
static uint16_t *used_event(struct ring *ring)
{
	return &((struct vring_avail *)ring->driver)->ring[ring->num];
}

/* Lies behind the used ring: our wish for kicks. */
static uint16_t *avail_event(struct ring *ring)
{
	return (uint16_t *)&((struct vring_used *)ring->device)->ring[ring->num];
}

static bool split_map(struct ring *ring, uint32_t base)
{
	uint64_t n = ring->num;
	struct vring_used *used;

	if (!n || (n & (n - 1)))
		return false;
	ring->desc = memory_user(ring->desc_addr, n * sizeof(struct vring_desc), 16);
	ring->driver = memory_user(ring->driver_addr, 6 + 2 * n, 2);
	used = memory_user(ring->device_addr, 6 + 8 * n, 4);
	ring->device = used;
	if (!ring->desc || !ring->driver || !used)
		return false;
	ring->avail_idx = base;
	ring->used_idx = load(&used->idx);
	return true;
}

static uint32_t split_base(const struct ring *ring)
{
	return ring->avail_idx;
}

/*
 * Each descriptor is copied before it is looked at: the guest may change it
 * at any time. The walk is bounded by the table's size.
 */
static void walk(struct chain *chain, const uint8_t *table, uint32_t size, uint32_t i, bool nested)
{
	struct vring_desc desc;

	for (uint32_t left = size; left; left--) {
		if (i >= size)
			break;
		memcpy(&desc, table + i * sizeof(desc), sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			const uint8_t *inner = memory_guest(desc.addr, desc.len);
			uint32_t entries = desc.len / sizeof(desc);

			if (nested || (desc.flags & VRING_DESC_F_NEXT) ||
			    entries > MAX_DESCRIPTORS || desc.len % sizeof(desc))
				break;
			if (!inner)
				return chain_outside(chain, desc.addr, desc.len);
			chain->indirect = true;
			return walk(chain, inner, entries, 0, true);
		}
		chain_add(chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return;
		i = desc.next;
	}
	chain_bad(chain, V_CHAIN);
}

static int split_pop(struct ring *ring, struct chain *chain)
{
	struct vring_avail *avail = ring->driver;
	uint16_t idx = load(&avail->idx);
	uint16_t head;

	if (idx == ring->avail_idx)
		return 0;
	if ((uint16_t)(idx - ring->avail_idx) > ring->num)
		return -1;
	head = load(&avail->ring[ring->avail_idx % ring->num]);
	if (head >= ring->num)
		return -1;
	ring->avail_idx++;
	chain->id = head;
	chain->slots = 1;
	walk(chain, ring->desc, ring->num, head, false);
	return 1;
}

static bool wants_interrupt(struct ring *ring, uint16_t old)
{
	struct vring_avail *avail = ring->driver;

	/* Pairs with the barrier between the guest's wish and its next look at the used index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (ring->event_idx)
		return vring_need_event(load(used_event(ring)), ring->used_idx, old);
	return !(load(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

static bool split_push(struct ring *ring, uint16_t id, uint16_t slots, uint32_t len)
{
	struct vring_used *used = ring->device;
	struct vring_used_elem *elem = &used->ring[ring->used_idx % ring->num];
	uint16_t old = ring->used_idx;

	(void)slots;
	elem->id = id;
	elem->len = len;
	ring->used_idx++;
	store(&used->idx, ring->used_idx);
	return wants_interrupt(ring, old);
}

static bool split_rest(struct ring *ring)
{
	struct vring_avail *avail = ring->driver;
	struct vring_used *used = ring->device;

	if (ring->event_idx)
		store(avail_event(ring), ring->avail_idx);
	else
		store(&used->flags, 0);
	/* Pairs with the guest's barrier between its new index and its look at our wish. */
	atomic_thread_fence(memory_order_seq_cst);
	return load(&avail->idx) != ring->avail_idx;
}

/* With event indexes an old index says the same without a word. */
static void split_work(struct ring *ring)
{
	struct vring_used *used = ring->device;

	if (!ring->event_idx)
		store(&used->flags, VRING_USED_F_NO_NOTIFY);
}

const struct ring_ops ring_split_ops = {
	.map = split_map,
	.base = split_base,
	.pop = split_pop,
	.push = split_push,
	.rest = split_rest,
	.work = split_work,
};
