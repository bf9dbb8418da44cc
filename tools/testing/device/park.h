/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that wait for something: a time, a test, each other, a FUSE
 * INTERRUPT, a lock. All of them are in one list under one lock, and whoever
 * takes one out owns it.
 */
#ifndef TESTDEV_PARK_H
#define TESTDEV_PARK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "list.h"
#include "request.h"

/**
 * struct release - which held requests to release
 * @opcode: of this opcode, 0 for all
 * @queue: from this queue, -1 for all
 * @unique: with this unique, 0 for all
 * @max: no more than so many
 * @order: in which order
 */
struct release {
	unsigned int opcode;
	int queue;
	uint64_t unique;
	unsigned int max;
	enum release_order order;
};

void park_init(void);

/* Parking: requests that are answered as they are */
void park_delayed(struct request *req, unsigned int ms);
void park_held(struct request *req);
void park_gathered(struct request *req);

/* Parking: requests that end early if the guest interrupts them */
bool park_interruptible(struct request *req, enum parked why);

/* Taking out */
unsigned int park_release(const struct release *which);
void park_release_all(void);
bool park_interrupt(uint64_t unique);
void park_take_granted(struct inode *inode, bool (*grant)(struct request *req),
		       struct list *granted);
void park_drop(struct ring *ring);

void park_print(FILE *out);

#endif
