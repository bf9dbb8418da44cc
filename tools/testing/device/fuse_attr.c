// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about what an inode is: attributes, symbolic links, extended
 * attributes, the file system around it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"

static int result(int rc)
{
	return rc < 0 ? -errno : 0;
}

static int reply_attr(struct request *req)
{
	struct fuse_attr_out *out = request_reply(req, sizeof(*out));
	int err;

	if (!out)
		return -EIO;
	out->attr_valid = options.timeout;
	out->attr_valid_nsec = (options.timeout - out->attr_valid) * 1e9;
	err = inode_attr(req->inode, &out->attr);
	return err ? err : (int)sizeof(*out);
}

int fuse_getattr(struct request *req)
{
	return reply_attr(req);
}

static int set_owner(struct request *req, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	if (!(in->valid & (FATTR_UID | FATTR_GID)))
		return 0;
	return result(fchownat(req->inode->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

static int set_size(struct request *req, const struct fuse_setattr_in *in)
{
	char path[FD_PATH_LEN];
	struct handle *handle;
	int rc;

	if (!(in->valid & FATTR_SIZE))
		return 0;
	if (!(in->valid & FATTR_FH))
		return result(truncate(fd_path(path, req->inode->fd), in->size));
	handle = handle_get(req, in->fh);
	if (!handle)
		return -EBADF;
	rc = result(ftruncate(handle->fd, in->size));
	handle_put(handle);
	return rc;
}

static struct timespec time_to_set(bool set, bool to_now, uint64_t sec, uint32_t nsec)
{
	struct timespec ts = { .tv_nsec = UTIME_OMIT };

	if (set && to_now)
		ts.tv_nsec = UTIME_NOW;
	else if (set)
		ts = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
	return ts;
}

static int set_times(struct request *req, const struct fuse_setattr_in *in)
{
	struct timespec ts[2] = {
		time_to_set(in->valid & FATTR_ATIME, in->valid & FATTR_ATIME_NOW,
			    in->atime, in->atimensec),
		time_to_set(in->valid & FATTR_MTIME, in->valid & FATTR_MTIME_NOW,
			    in->mtime, in->mtimensec),
	};

	if (!(in->valid & (FATTR_ATIME | FATTR_MTIME)))
		return 0;
	return result(utimensat(req->inode->fd, "", ts, AT_EMPTY_PATH));
}

/* The owner goes first: changing it clears set-id bits that the mode may bring. */
int fuse_setattr(struct request *req)
{
	const struct fuse_setattr_in *in = req->arg;
	char path[FD_PATH_LEN];
	int err;

	err = set_owner(req, in);
	if (!err && (in->valid & FATTR_MODE))
		err = result(chmod(fd_path(path, req->inode->fd), in->mode & 07777));
	if (!err)
		err = set_size(req, in);
	if (!err)
		err = set_times(req, in);
	return err ? err : reply_attr(req);
}

static struct fuse_sx_time sx_time(const struct statx_timestamp *ts)
{
	return (struct fuse_sx_time){ .tv_sec = ts->tv_sec, .tv_nsec = ts->tv_nsec };
}

static void fill_statx(const struct statx *st, struct fuse_statx *out)
{
	*out = (struct fuse_statx){
		.mask = st->stx_mask,
		.blksize = st->stx_blksize,
		.attributes = st->stx_attributes,
		.nlink = st->stx_nlink,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		.mode = st->stx_mode,
		.ino = st->stx_ino,
		.size = st->stx_size,
		.blocks = st->stx_blocks,
		.attributes_mask = st->stx_attributes_mask,
		.atime = sx_time(&st->stx_atime),
		.btime = sx_time(&st->stx_btime),
		.ctime = sx_time(&st->stx_ctime),
		.mtime = sx_time(&st->stx_mtime),
		.rdev_major = st->stx_rdev_major,
		.rdev_minor = st->stx_rdev_minor,
		.dev_major = st->stx_dev_major,
		.dev_minor = st->stx_dev_minor,
	};
}

int fuse_statx(struct request *req)
{
	const struct fuse_statx_in *in = req->arg;
	struct fuse_statx_out *out = request_reply(req, sizeof(*out));
	unsigned int mask = in->sx_mask & (STATX_BASIC_STATS | STATX_BTIME);
	struct statx st;

	if (!out)
		return -EIO;
	if (statx(req->inode->fd, "", AT_EMPTY_PATH, mask, &st))
		return -errno;
	out->attr_valid = options.timeout;
	out->attr_valid_nsec = (options.timeout - out->attr_valid) * 1e9;
	fill_statx(&st, &out->stat);
	return sizeof(*out);
}

int fuse_readlink(struct request *req)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(req->inode->fd, "", target, sizeof(target));
	void *out;

	if (len < 0)
		return -errno;
	out = request_reply_room(req, len);
	if (!out)
		return -EIO;
	memcpy(out, target, len);
	return len;
}

int fuse_statfs(struct request *req)
{
	struct fuse_statfs_out *out = request_reply(req, sizeof(*out));
	struct statvfs st;

	if (!out)
		return -EIO;
	if (fstatvfs(req->inode->fd, &st))
		return -errno;
	out->st = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = st.f_bsize,
		.namelen = st.f_namemax,
		.frsize = st.f_frsize,
	};
	return sizeof(*out);
}

int fuse_setxattr(struct request *req)
{
	const struct fuse_setxattr_in *in = req->arg;
	char path[FD_PATH_LEN];

	if (in->size > req->rest_len) {
		count_violation(V_ARGUMENT, req->ring->index, "SETXATTR with too few bytes");
		return -EINVAL;
	}
	return result(setxattr(fd_path(path, req->inode->fd), req->name[0], req->rest, in->size,
			       in->flags));
}

/* Without a name, list them. A size of 0 asks how much room is needed. */
static int reply_xattr(struct request *req, const char *name, uint32_t size)
{
	struct fuse_getxattr_out *out;
	char path[FD_PATH_LEN];
	char *value = NULL;
	ssize_t len;

	if (size > XATTR_SIZE_MAX)
		size = XATTR_SIZE_MAX;
	if (size) {
		value = request_reply_room(req, size);
		if (!value)
			return -EIO;
	}
	fd_path(path, req->inode->fd);
	len = name ? getxattr(path, name, value, size) : listxattr(path, value, size);
	if (len < 0)
		return -errno;
	if (size)
		return len;
	out = request_reply(req, sizeof(*out));
	if (!out)
		return -EIO;
	out->size = len;
	return sizeof(*out);
}

int fuse_getxattr(struct request *req)
{
	const struct fuse_getxattr_in *in = req->arg;

	return reply_xattr(req, req->name[0], in->size);
}

int fuse_listxattr(struct request *req)
{
	const struct fuse_getxattr_in *in = req->arg;

	return reply_xattr(req, NULL, in->size);
}

int fuse_removexattr(struct request *req)
{
	char path[FD_PATH_LEN];

	return result(removexattr(fd_path(path, req->inode->fd), req->name[0]));
}
