/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's memory, as the front end shares it with us.
 *
 * Addresses from the guest are translated late, on each access and under the
 * lock, so a new memory table never leaves a stale pointer behind. Whoever
 * holds a translated pointer holds the lock for reading.
 */
#ifndef TESTDEV_MEMORY_H
#define TESTDEV_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_REGIONS 8

/**
 * struct vhost_region - one region of a VHOST_USER_SET_MEM_TABLE message
 * @gpa: where the guest sees it
 * @size: bytes
 * @user_addr: where the front end has mapped it (ring addresses are in these terms)
 * @mmap_offset: where it begins in its file
 */
struct vhost_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

void memory_read_lock(void);
void memory_write_lock(void);
void memory_unlock(void);

int memory_set(const struct vhost_region *region, const int *fds, unsigned int n);
void *memory_guest(uint64_t gpa, uint64_t len);
bool memory_crosses(uint64_t gpa, uint64_t len);
void *memory_user(uint64_t addr, uint64_t len, unsigned int align);

#endif
