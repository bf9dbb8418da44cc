// SPDX-License-Identifier: GPL-2.0
/*
 * What a reply has acquired whose caller is gone.  The server has looked up an inode or
 * opened a file for it, and would keep that until the end of the session.  A lock goes when its
 * owner closes the file, as it does if the caller dies after the reply.
 *
 * Knows FUSE's wire format, neither queues nor the FUSE client.
 */

#include <linux/minmax.h>
#include <linux/string.h>

#include "undo.h"

static void undo_entry(struct virtiofs_undo *undo,
		       const struct fuse_entry_out *entry)
{
	undo->forget = READ_ONCE(entry->nodeid);
}

static void undo_open(struct virtiofs_undo *undo, u64 nodeid, u32 flags,
		      const struct fuse_open_out *open, u32 opcode)
{
	undo->nodeid = nodeid;
	undo->opcode = opcode;
	undo->release.fh = open->fh;
	undo->release.flags = flags;
}

/**
 * virtiofs_undo_reply() - find out what a good reply leaves behind on the server
 * @undo: gets what has to be given back
 * @in: header of the request
 * @args: arguments of the request
 * @first: first argument of the reply, as long as the opcode has it
 * @second: second argument of the reply, if the opcode has one
 *
 * The arguments may lie in memory that the device can still write to.
 *
 * Context: any.
 */
void virtiofs_undo_reply(struct virtiofs_undo *undo,
			 const struct fuse_in_header *in, const void *args,
			 const void *first, const void *second)
{
	const struct fuse_create_in *create = args;
	const struct fuse_open_in *open = args;

	memset(undo, 0, sizeof(*undo));
	switch (in->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		undo_entry(undo, first);
		break;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		undo_entry(undo, first);
		undo_open(undo, undo->forget, create->flags, second,
			  FUSE_RELEASE);
		break;
	case FUSE_OPEN:
		undo_open(undo, in->nodeid, open->flags, first, FUSE_RELEASE);
		break;
	case FUSE_OPENDIR:
		undo_open(undo, in->nodeid, open->flags, first,
			  FUSE_RELEASEDIR);
		break;
	case FUSE_READDIRPLUS:
		undo->entries = true;
		break;
	}
}

/* The directory itself and its parent are no lookups */
static bool undo_is_dot(const struct fuse_dirent *dirent)
{
	return dirent->name[0] == '.' &&
	       (dirent->namelen == 1 ||
		(dirent->namelen == 2 && dirent->name[1] == '.'));
}

/**
 * virtiofs_undo_entry() - walk over the inodes of a READDIRPLUS
 * @entries: the reply, in memory that the device cannot write to
 * @len: its length
 * @pos: where the walk is; begins with 0
 *
 * Context: any.
 * Return: an inode that was looked up once, or 0 at the end.
 */
u64 virtiofs_undo_entry(const void *entries, size_t len, size_t *pos)
{
	const struct fuse_direntplus *plus;
	size_t size;

	while (len - *pos >= FUSE_NAME_OFFSET_DIRENTPLUS) {
		plus = entries + *pos;
		/* Where size_t has 32 bits, the sum might wrap */
		if (!plus->dirent.namelen || plus->dirent.namelen > len - *pos)
			break;
		size = FUSE_DIRENTPLUS_SIZE(plus);
		if (size > len - *pos)
			break;
		*pos += size;
		if (plus->entry_out.nodeid && !undo_is_dot(&plus->dirent))
			return plus->entry_out.nodeid;
	}
	return 0;
}
