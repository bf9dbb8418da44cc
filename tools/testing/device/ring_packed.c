// SPDX-License-Identifier: GPL-2.0
/*
 * The packed virtqueue: one descriptor ring, written by both sides, with a
 * wrap counter each to tell new descriptors from old ones.
 */
#include <linux/virtio_ring.h>
#include <string.h>
#include "memory.h"
#include "ring.h"

#define WRAP_BIT	15
#define INDEX_MASK	0x7fff
#define AVAIL_FLAG	(1 << VRING_PACKED_DESC_F_AVAIL)
#define USED_FLAG	(1 << VRING_PACKED_DESC_F_USED)

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

static bool packed_map(struct ring *ring, uint32_t base)
{
	if (!ring->num)
		return false;
	ring->desc = memory_user(ring->desc_addr,
				 ring->num * sizeof(struct vring_packed_desc), 16);
	ring->driver = memory_user(ring->driver_addr, sizeof(struct vring_packed_desc_event), 4);
	ring->device = memory_user(ring->device_addr, sizeof(struct vring_packed_desc_event), 4);
	ring->avail_idx = base & INDEX_MASK;
	ring->avail_wrap = base >> WRAP_BIT & 1;
	ring->used_idx = base >> 16 & INDEX_MASK;
	ring->used_wrap = base >> 31;
	return ring->desc && ring->driver && ring->device &&
	       ring->avail_idx < ring->num && ring->used_idx < ring->num;
}

static uint32_t packed_base(const struct ring *ring)
{
	return ring->avail_idx | ring->avail_wrap << WRAP_BIT |
	       (uint32_t)ring->used_idx << 16 | (uint32_t)ring->used_wrap << 31;
}

static bool is_available(const struct ring *ring)
{
	const struct vring_packed_desc *desc = ring->desc;
	uint16_t flags = load(&desc[ring->avail_idx].flags);
	bool avail = flags & AVAIL_FLAG;
	bool used = flags & USED_FLAG;

	return avail == ring->avail_wrap && used != ring->avail_wrap;
}

static void advance(const struct ring *ring, uint16_t *idx, bool *wrap, uint16_t n)
{
	uint32_t next = (uint32_t)*idx + n;

	if (next >= ring->num) {
		next -= ring->num;
		*wrap = !*wrap;
	}
	*idx = next;
}

static void walk_indirect(struct chain *chain, const struct vring_packed_desc *outer)
{
	const uint8_t *table = memory_guest(outer->addr, outer->len);
	uint32_t entries = outer->len / sizeof(*outer);
	struct vring_packed_desc desc;

	chain->indirect = true;
	if (entries > MAX_DESCRIPTORS || outer->len % sizeof(*outer))
		return chain_bad(chain, V_CHAIN);
	if (!table)
		return chain_outside(chain, outer->addr, outer->len);
	for (uint32_t i = 0; i < entries; i++) {
		memcpy(&desc, table + i * sizeof(desc), sizeof(desc));
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return chain_bad(chain, V_CHAIN);
		chain_add(chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
	}
}

/* As in the split ring, a descriptor is copied before it is looked at. */
static int packed_pop(struct ring *ring, struct chain *chain)
{
	const struct vring_packed_desc *ring_desc = ring->desc;
	struct vring_packed_desc desc;

	if (!is_available(ring))
		return 0;
	do {
		desc = ring_desc[ring->avail_idx];
		advance(ring, &ring->avail_idx, &ring->avail_wrap, 1);
		if (++chain->slots > ring->num)
			return -1;
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (chain->slots > 1 || (desc.flags & VRING_DESC_F_NEXT))
				chain_bad(chain, V_CHAIN);
			else
				walk_indirect(chain, &desc);
		} else {
			chain_add(chain, desc.addr, desc.len, desc.flags & VRING_DESC_F_WRITE);
		}
	} while (desc.flags & VRING_DESC_F_NEXT);
	chain->id = desc.id;
	return 1;
}

/**
 * wants_interrupt() - does the guest want to hear of the chain just given back
 * @ring: ring, with @used_idx past that chain
 * @slots: how far @used_idx has moved
 */
static bool wants_interrupt(struct ring *ring, uint16_t slots)
{
	struct vring_packed_desc_event *event = ring->driver;
	uint16_t off_wrap, flags, off, old = ring->used_idx - slots;

	/* Pairs with the barrier between the guest's wish and its next look at the ring. */
	atomic_thread_fence(memory_order_seq_cst);
	flags = load(&event->flags);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	off_wrap = load(&event->off_wrap);
	off = off_wrap & INDEX_MASK;
	if (off_wrap >> WRAP_BIT != ring->used_wrap)
		off -= ring->num;
	return vring_need_event(off, ring->used_idx, old);
}

/* The flags go last: they are what makes the descriptor used. */
static bool packed_push(struct ring *ring, uint16_t id, uint16_t slots, uint32_t len)
{
	struct vring_packed_desc *desc = (struct vring_packed_desc *)ring->desc + ring->used_idx;
	uint16_t flags = len ? VRING_DESC_F_WRITE : 0;

	desc->id = id;
	desc->len = len;
	if (ring->used_wrap)
		flags |= AVAIL_FLAG | USED_FLAG;
	store(&desc->flags, flags);
	advance(ring, &ring->used_idx, &ring->used_wrap, slots);
	return wants_interrupt(ring, slots);
}

static bool packed_rest(struct ring *ring)
{
	struct vring_packed_desc_event *event = ring->device;

	if (ring->event_idx) {
		store(&event->off_wrap, ring->avail_idx | ring->avail_wrap << WRAP_BIT);
		store(&event->flags, VRING_PACKED_EVENT_FLAG_DESC);
	} else {
		store(&event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
	}
	/* Pairs with the guest's barrier between its descriptors and its look at our wish. */
	atomic_thread_fence(memory_order_seq_cst);
	return is_available(ring);
}

static void packed_work(struct ring *ring)
{
	struct vring_packed_desc_event *event = ring->device;

	store(&event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

const struct ring_ops ring_packed_ops = {
	.map = packed_map,
	.base = packed_base,
	.pop = packed_pop,
	.push = packed_push,
	.rest = packed_rest,
	.work = packed_work,
};
