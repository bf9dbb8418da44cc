/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How lies are told: the bytes of a reply, the used ring, the interrupt.
 */
#ifndef TESTDEV_LIES_H
#define TESTDEV_LIES_H

#include "faults.h"
#include "request.h"

/* Rules' side (faults.c) */
bool lies_kind(const char *name, enum lie_kind *kind);
bool lies_random(const struct fuzz *fuzz, const struct request *req, struct lie *lie);
void lies_record(bool on);

/* Replies' side (request.c, ring.c) */
void lies_tell(struct request *req);
void lies_scribble(struct request *req);
bool lies_tell_ring(struct request *req);
bool lies_mute(struct request *req);

/* Bytes' side (lies_reply.c) */
bool lie_in_reply(struct request *req, const struct lie *lie);
void lie_record_reply(const struct request *req);

/* Scribbling's side (scribble.c) */
bool scribble_start(struct request *req, unsigned int ms);

#endif
