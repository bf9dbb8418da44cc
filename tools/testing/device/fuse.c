// SPDX-License-Identifier: GPL-2.0
/*
 * The table of opcodes, the check of a request's arguments against it, and
 * the session: INIT, DESTROY, FORGET, INTERRUPT. See fuse.h for the rest.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"
#include "park.h"

/* With smaller ones the kernel would send fields that we don't look for. */
#define MIN_MINOR	31
#define MAX_WRITE	(1 << 20)
#define MAX_PAGES	(MAX_WRITE / 4096)

#define WANTED_FLAGS							\
	(FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC |	\
	 FUSE_BIG_WRITES | FUSE_FLOCK_LOCKS | FUSE_AUTO_INVAL_DATA |	\
	 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO |	\
	 FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_SUBMOUNTS |	\
	 FUSE_INIT_EXT | FUSE_ALLOW_IDMAP)

/**
 * struct op - an opcode
 * @name: for people
 * @handler: carries it out
 * @in_size: bytes of fixed arguments
 * @names: how many strings follow them
 * @any_name: bit for each string that need not be a file's name
 * @no_node: the header's node id means nothing, or the handler looks at it
 */
struct op {
	const char *name;
	int (*handler)(struct request *req);
	size_t in_size;
	unsigned int names;
	unsigned int any_name;
	bool no_node;
};

static atomic_bool in_session;

static int fuse_init(struct request *req);
static int fuse_destroy(struct request *req);
static int fuse_forget(struct request *req);
static int fuse_batch_forget(struct request *req);
static int fuse_interrupt(struct request *req);

static const struct op ops[MAX_OPCODE] = {
	[FUSE_INIT] = { "INIT", fuse_init, 16, .no_node = true },
	[FUSE_DESTROY] = { "DESTROY", fuse_destroy, .no_node = true },
	[FUSE_FORGET] = { "FORGET", fuse_forget, sizeof(struct fuse_forget_in), .no_node = true },
	[FUSE_BATCH_FORGET] = { "BATCH_FORGET", fuse_batch_forget,
				sizeof(struct fuse_batch_forget_in), .no_node = true },
	[FUSE_INTERRUPT] = { "INTERRUPT", fuse_interrupt,
			     sizeof(struct fuse_interrupt_in), .no_node = true },

	[FUSE_LOOKUP] = { "LOOKUP", fuse_lookup, 0, 1 },
	[FUSE_MKNOD] = { "MKNOD", fuse_mknod, sizeof(struct fuse_mknod_in), 1 },
	[FUSE_MKDIR] = { "MKDIR", fuse_mkdir, sizeof(struct fuse_mkdir_in), 1 },
	[FUSE_SYMLINK] = { "SYMLINK", fuse_symlink, 0, 2, .any_name = 2 },
	[FUSE_LINK] = { "LINK", fuse_link, sizeof(struct fuse_link_in), 1 },
	[FUSE_UNLINK] = { "UNLINK", fuse_unlink, 0, 1 },
	[FUSE_RMDIR] = { "RMDIR", fuse_rmdir, 0, 1 },
	[FUSE_RENAME] = { "RENAME", fuse_rename, sizeof(struct fuse_rename_in), 2 },
	[FUSE_RENAME2] = { "RENAME2", fuse_rename2, sizeof(struct fuse_rename2_in), 2 },
	[FUSE_CREATE] = { "CREATE", fuse_create, sizeof(struct fuse_create_in), 1 },
	[FUSE_TMPFILE] = { "TMPFILE", fuse_tmpfile, sizeof(struct fuse_create_in), 1,
			   .any_name = 1 },

	[FUSE_GETATTR] = { "GETATTR", fuse_getattr, sizeof(struct fuse_getattr_in) },
	[FUSE_SETATTR] = { "SETATTR", fuse_setattr, sizeof(struct fuse_setattr_in) },
	[FUSE_STATX] = { "STATX", fuse_statx, sizeof(struct fuse_statx_in) },
	[FUSE_READLINK] = { "READLINK", fuse_readlink },
	[FUSE_STATFS] = { "STATFS", fuse_statfs },
	[FUSE_SETXATTR] = { "SETXATTR", fuse_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 1,
			    .any_name = 1 },
	[FUSE_GETXATTR] = { "GETXATTR", fuse_getxattr, sizeof(struct fuse_getxattr_in), 1,
			    .any_name = 1 },
	[FUSE_LISTXATTR] = { "LISTXATTR", fuse_listxattr, sizeof(struct fuse_getxattr_in) },
	[FUSE_REMOVEXATTR] = { "REMOVEXATTR", fuse_removexattr, 0, 1, .any_name = 1 },

	[FUSE_OPEN] = { "OPEN", fuse_open, sizeof(struct fuse_open_in) },
	[FUSE_READ] = { "READ", fuse_read, sizeof(struct fuse_read_in) },
	[FUSE_WRITE] = { "WRITE", fuse_write, sizeof(struct fuse_write_in) },
	[FUSE_FLUSH] = { "FLUSH", fuse_flush, sizeof(struct fuse_flush_in) },
	[FUSE_RELEASE] = { "RELEASE", fuse_release, sizeof(struct fuse_release_in) },
	[FUSE_FSYNC] = { "FSYNC", fuse_fsync, sizeof(struct fuse_fsync_in) },
	[FUSE_SYNCFS] = { "SYNCFS", fuse_syncfs },
	[FUSE_FALLOCATE] = { "FALLOCATE", fuse_fallocate, sizeof(struct fuse_fallocate_in) },
	[FUSE_LSEEK] = { "LSEEK", fuse_lseek, sizeof(struct fuse_lseek_in) },
	[FUSE_IOCTL] = { "IOCTL", fuse_ioctl, sizeof(struct fuse_ioctl_in) },
	[FUSE_COPY_FILE_RANGE] = { "COPY_FILE_RANGE", fuse_copy_file_range,
				   sizeof(struct fuse_copy_file_range_in) },
	[FUSE_COPY_FILE_RANGE_64] = { "COPY_FILE_RANGE_64", fuse_copy_file_range_64,
				      sizeof(struct fuse_copy_file_range_in) },

	[FUSE_OPENDIR] = { "OPENDIR", fuse_opendir, sizeof(struct fuse_open_in) },
	[FUSE_READDIR] = { "READDIR", fuse_readdir, sizeof(struct fuse_read_in) },
	[FUSE_READDIRPLUS] = { "READDIRPLUS", fuse_readdirplus, sizeof(struct fuse_read_in) },
	[FUSE_RELEASEDIR] = { "RELEASEDIR", fuse_releasedir, sizeof(struct fuse_release_in) },
	[FUSE_FSYNCDIR] = { "FSYNCDIR", fuse_fsync, sizeof(struct fuse_fsync_in) },

	[FUSE_GETLK] = { "GETLK", fuse_getlk, sizeof(struct fuse_lk_in) },
	[FUSE_SETLK] = { "SETLK", fuse_setlk, sizeof(struct fuse_lk_in) },
	[FUSE_SETLKW] = { "SETLKW", fuse_setlkw, sizeof(struct fuse_lk_in) },

	/* Known by name, answered with ENOSYS */
	[FUSE_ACCESS] = { "ACCESS" },
	[FUSE_BMAP] = { "BMAP" },
	[FUSE_POLL] = { "POLL" },
	[FUSE_NOTIFY_REPLY] = { "NOTIFY_REPLY" },
	[FUSE_SETUPMAPPING] = { "SETUPMAPPING" },
	[FUSE_REMOVEMAPPING] = { "REMOVEMAPPING" },
};

/**
 * fuse_op_name() - name of an opcode
 * @opcode: opcode, of which there need not be any
 *
 * Return: the name or NULL.
 */
const char *fuse_op_name(unsigned int opcode)
{
	return opcode < MAX_OPCODE ? ops[opcode].name : NULL;
}

/**
 * fuse_op_number() - find an opcode
 * @name: its name, or its number in digits
 * @opcode: where to put it
 *
 * Return: true if there is one.
 */
bool fuse_op_number(const char *name, unsigned int *opcode)
{
	char *end;

	for (unsigned int i = 0; i < MAX_OPCODE; i++) {
		if (ops[i].name && !strcmp(ops[i].name, name)) {
			*opcode = i;
			return true;
		}
	}
	*opcode = strtoul(name, &end, 10);
	return *name && !*end && *opcode;
}

/**
 * fuse_op_is_hiprio() - does an opcode belong on queue 0
 * @opcode: opcode
 *
 * Return: true if it belongs there and nowhere else.
 */
bool fuse_op_is_hiprio(unsigned int opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

/**
 * fuse_op_may_reply() - may a driver leave room for a reply, or not, as it likes
 * @opcode: opcode
 *
 * Return: true for INTERRUPT, which has a reply in one case only.
 */
bool fuse_op_may_reply(unsigned int opcode)
{
	return opcode == FUSE_INTERRUPT;
}

/**
 * fuse_op_replies() - is a request to be answered
 * @req: request
 *
 * Return: true unless it is one of the few without a reply.
 */
bool fuse_op_replies(const struct request *req)
{
	if (fuse_op_may_reply(req->in->opcode))
		return req->chain.out_bytes >= sizeof(struct fuse_out_header);
	return !fuse_op_is_hiprio(req->in->opcode);
}

static bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

/* Find the arguments and names; false if there are fewer than the opcode has. */
static bool parse(struct request *req, const struct op *op)
{
	const char *at = (const char *)(req->in + 1);
	size_t left = req->in_len - sizeof(*req->in);

	req->arg = at;
	if (left < op->in_size)
		return false;
	at += op->in_size;
	left -= op->in_size;
	for (unsigned int i = 0; i < op->names; i++) {
		size_t len = strnlen(at, left);

		if (len == left)
			return false;
		if (!(op->any_name & 1 << i) && !is_file_name(at))
			return false;
		req->name[i] = at;
		at += len + 1;
		left -= len + 1;
	}
	req->rest = at;
	req->rest_len = left;
	return true;
}

static int complain(struct request *req, enum violation kind, int err)
{
	char op[32], what[80];

	counters_op_name(op, sizeof(op), req->in->opcode);
	snprintf(what, sizeof(what), "%s of node %llu", op, (unsigned long long)req->in->nodeid);
	count_violation(kind, req->ring->index, what);
	return err;
}

/**
 * fuse_carry_out() - do what a request says
 * @req: request
 *
 * Return: bytes of payload, -errno, or FUSE_PARKED.
 */
int fuse_carry_out(struct request *req)
{
	unsigned int opcode = req->in->opcode;
	const struct op *op = opcode < MAX_OPCODE ? &ops[opcode] : NULL;

	if (!op || !op->handler)
		return -ENOSYS;
	if (!in_session && opcode != FUSE_INIT)
		return complain(req, V_BEFORE_INIT, -ENOTCONN);
	if (!parse(req, op))
		return complain(req, V_ARGUMENT, -EINVAL);
	if (!op->no_node) {
		req->inode = inode_get(req->in->nodeid);
		if (!req->inode)
			return complain(req, V_NODEID, -ESTALE);
	}
	return op->handler(req);
}

static void end_session(void)
{
	in_session = false;
	locks_reset();
	handle_reset();
	inode_reset();
}

/* What the guest's client can do; an older one says less. */
static uint64_t init_flags(const struct request *req)
{
	const struct fuse_init_in *in = req->arg;

	if (req->in_len < sizeof(*req->in) + sizeof(*in) || !(in->flags & FUSE_INIT_EXT))
		return in->flags & ~(uint32_t)FUSE_INIT_EXT;
	return in->flags | (uint64_t)in->flags2 << 32;
}

/* A new INIT ends the session before it, if the guest has not. */
static int fuse_init(struct request *req)
{
	const struct fuse_init_in *in = req->arg;
	uint64_t flags = WANTED_FLAGS | (options.writeback ? FUSE_WRITEBACK_CACHE : 0);
	struct fuse_init_out *out;

	count(&counters.sessions);
	if (in->major != FUSE_KERNEL_VERSION || in->minor < MIN_MINOR)
		return -EPROTO;
	end_session();
	out = request_reply(req, sizeof(*out));
	if (!out)
		return -EIO;
	out->major = FUSE_KERNEL_VERSION;
	out->minor = FUSE_KERNEL_MINOR_VERSION;
	out->max_readahead = in->max_readahead;
	flags &= init_flags(req);
	out->flags = flags;
	out->flags2 = flags >> 32;
	out->max_background = UINT16_MAX;
	out->congestion_threshold = UINT16_MAX / 4 * 3;
	out->max_write = MAX_WRITE;
	out->max_pages = MAX_PAGES;
	out->time_gran = 1;
	in_session = true;
	return sizeof(*out);
}

static int fuse_destroy(struct request *req)
{
	(void)req;
	count(&counters.destroys);
	end_session();
	return 0;
}

static int fuse_forget(struct request *req)
{
	const struct fuse_forget_in *in = req->arg;

	inode_forget(req->in->nodeid, in->nlookup, req->ring->index);
	return 0;
}

static int fuse_batch_forget(struct request *req)
{
	const struct fuse_batch_forget_in *in = req->arg;
	const struct fuse_forget_one *one = req->rest;

	if (req->rest_len != in->count * sizeof(*one))
		return complain(req, V_ARGUMENT, -EINVAL);
	for (uint32_t i = 0; i < in->count; i++)
		inode_forget(one[i].nodeid, one[i].nlookup, req->ring->index);
	return 0;
}

static int fuse_interrupt(struct request *req)
{
	const struct fuse_interrupt_in *in = req->arg;

	park_interrupt(in->unique);
	return 0;
}

static void taint_directory(const uint8_t *p, const uint8_t *end)
{
	while ((size_t)(end - p) >= FUSE_NAME_OFFSET_DIRENTPLUS) {
		const struct fuse_direntplus *d = (const struct fuse_direntplus *)p;

		inode_taint(d->entry_out.nodeid);
		if (FUSE_DIRENTPLUS_SIZE(d) > (size_t)(end - p))
			break;
		p += FUSE_DIRENTPLUS_SIZE(d);
	}
}

/**
 * fuse_taint() - the guest may not take what an honest reply gives it
 * @req: request, whose reply is about to be falsified
 *
 * From here on nobody can say how often the guest has looked up a node, or
 * which files it has open, so these leave the balance.
 */
void fuse_taint(const struct request *req)
{
	const uint8_t *payload = req->reply + sizeof(struct fuse_out_header);
	const uint8_t *end = req->reply + req->reply_len;
	const struct fuse_open_out *open;

	if (!req->reply || end <= payload)
		return;
	switch (req->in->opcode) {
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		open = (const void *)(payload + sizeof(struct fuse_entry_out));
		handle_taint(open->fh);
		/* fall through */
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		inode_taint(((const struct fuse_entry_out *)payload)->nodeid);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		handle_taint(((const struct fuse_open_out *)payload)->fh);
		break;
	case FUSE_READDIRPLUS:
		taint_directory(payload, end);
		break;
	}
}
