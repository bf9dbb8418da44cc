/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a reply has acquired whose caller was killed, and how to give it back.
 *
 * Knows FUSE's wire format.  Knows neither queues nor the FUSE client.
 */
#ifndef _VIRTIOFS_UNDO_H
#define _VIRTIOFS_UNDO_H

#include <linux/fuse.h>

/**
 * struct virtiofs_undo - what has to be given back to the server
 * @forget: inode that was looked up once, or 0
 * @entries: there are entries of a directory, see virtiofs_undo_entry()
 * @nodeid: inode that @opcode is for
 * @opcode: FUSE_RELEASE, FUSE_RELEASEDIR, or 0 if there is nothing to be sent before
 *	the FORGET
 * @release: its argument
 */
struct virtiofs_undo {
	u64 forget;
	bool entries;
	u64 nodeid;
	u32 opcode;
	struct fuse_release_in release;
};

void virtiofs_undo_reply(struct virtiofs_undo *undo,
			 const struct fuse_in_header *in, const void *args,
			 const void *first, const void *second);
u64 virtiofs_undo_entry(const void *entries, size_t len, size_t *pos);

#endif
