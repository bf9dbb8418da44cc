// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory: mapping the front end's files, and finding in them what
 * an address means. Addresses are the guest's word, so each range is checked
 * against its region without a sum that could wrap.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include "memory.h"

struct mapping {
	struct vhost_region region;
	uint8_t *start;
	void *map;
	size_t map_len;
};

static struct mapping table[MAX_REGIONS];
static unsigned int nr_regions;

/*
 * Protects the table and with it every pointer into the guest's memory. The
 * writer is preferred: a queue under load would otherwise starve a new table.
 */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void memory_read_lock(void)
{
	pthread_rwlock_rdlock(&lock);
}

void memory_write_lock(void)
{
	pthread_rwlock_wrlock(&lock);
}

void memory_unlock(void)
{
	pthread_rwlock_unlock(&lock);
}

static int map_region(struct mapping *m, const struct vhost_region *region, int fd)
{
	m->region = *region;
	if (__builtin_add_overflow(region->size, region->mmap_offset, &m->map_len))
		return -EINVAL;
	m->map = mmap(NULL, m->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m->map == MAP_FAILED)
		return -errno;
	m->start = (uint8_t *)m->map + region->mmap_offset;
	return 0;
}

/**
 * memory_set() - replace the memory table
 * @region: the new table
 * @fds: a file for each region; they stay the caller's to close
 * @n: number of regions, 0 to forget all memory
 *
 * Context: under the lock, for writing.
 * Return: 0 or -errno; after an error there is no memory at all.
 */
int memory_set(const struct vhost_region *region, const int *fds, unsigned int n)
{
	int err = 0;

	for (unsigned int i = 0; i < nr_regions; i++)
		munmap(table[i].map, table[i].map_len);
	for (nr_regions = 0; nr_regions < n && !err; nr_regions++) {
		err = map_region(&table[nr_regions], &region[nr_regions], fds[nr_regions]);
		if (err)
			break;
	}
	if (!err)
		return 0;
	fprintf(stderr, "cannot map memory region %u: %d\n", nr_regions, err);
	memory_set(NULL, NULL, 0);
	return err;
}

static bool inside(uint64_t addr, uint64_t len, uint64_t start, uint64_t size)
{
	return addr >= start && addr - start < size && len <= size - (addr - start);
}

/**
 * memory_guest() - find a range of guest physical memory
 * @gpa: where it begins
 * @len: bytes; all of them must lie in one region
 *
 * Context: under the lock; the pointer is good until it is dropped.
 * Return: a pointer, or NULL if the guest has no such memory.
 */
void *memory_guest(uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < nr_regions; i++) {
		const struct vhost_region *r = &table[i].region;

		if (inside(gpa, len, r->gpa, r->size))
			return table[i].start + (gpa - r->gpa);
	}
	return NULL;
}

/* Bytes of a region from an address on, 0 if there is none. */
static uint64_t left_of_region(uint64_t gpa)
{
	for (unsigned int i = 0; i < nr_regions; i++) {
		const struct vhost_region *r = &table[i].region;

		if (inside(gpa, 1, r->gpa, r->size))
			return r->size - (gpa - r->gpa);
	}
	return 0;
}

/**
 * memory_crosses() - does a range lie in several regions
 * @gpa: where it begins
 * @len: bytes
 *
 * Neighbouring regions of the guest are apart in our address space, so that such
 * a range cannot be used, though the guest has all of it.
 *
 * Context: under the lock.
 * Return: true if no one region has the range, and all of them together have it.
 */
bool memory_crosses(uint64_t gpa, uint64_t len)
{
	uint64_t part = left_of_region(gpa);

	if (!part || part >= len)
		return false;
	while (part && part < len) {
		gpa += part;
		len -= part;
		part = left_of_region(gpa);
	}
	return part;
}

/**
 * memory_user() - find a range given in the front end's addresses
 * @addr: where it begins
 * @len: bytes
 * @align: power of two that the result must be aligned to
 *
 * Context: under the lock; the pointer is good until it is dropped.
 * Return: a pointer, or NULL if there is no such memory.
 */
void *memory_user(uint64_t addr, uint64_t len, unsigned int align)
{
	for (unsigned int i = 0; i < nr_regions; i++) {
		const struct vhost_region *r = &table[i].region;
		uint8_t *p;

		if (!inside(addr, len, r->user_addr, r->size))
			continue;
		p = table[i].start + (addr - r->user_addr);
		return (uintptr_t)p % align ? NULL : p;
	}
	return NULL;
}
