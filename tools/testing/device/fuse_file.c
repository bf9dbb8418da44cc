// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about open files.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"
#include "ioctl.h"

static int result(int rc)
{
	return rc < 0 ? -errno : 0;
}

/**
 * open_flags() - the flags with which to open a file for the guest
 * @guest_flags: what the guest says
 *
 * The guest has done O_APPEND already (it sends offsets), and O_DIRECT is
 * between it and its own cache. A guest that caches writes reads around them,
 * also in a file that is only written to.
 *
 * Return: flags for open(2), without those that create.
 */
int open_flags(uint32_t guest_flags)
{
	int flags = guest_flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC | O_NOATIME);

	if (options.writeback && (flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	return flags | O_CLOEXEC;
}

int fuse_open(struct request *req)
{
	const struct fuse_open_in *in = req->arg;
	struct fuse_open_out *out = request_reply(req, sizeof(*out));
	char path[FD_PATH_LEN];
	int fd;

	if (!out)
		return -EIO;
	/* The guest opens special files itself, and here they might block. */
	if (!S_ISREG(req->inode->mode))
		return -EINVAL;
	fd = open(fd_path(path, req->inode->fd), open_flags(in->flags));
	if (fd < 0)
		return -errno;
	out->fh = handle_add(fd);
	return sizeof(*out);
}

int fuse_read(struct request *req)
{
	const struct fuse_read_in *in = req->arg;
	struct handle *handle;
	void *to = request_reply_room(req, in->size);
	ssize_t n;

	if (!to)
		return -EIO;
	handle = handle_get(req, in->fh);
	if (!handle)
		return -EBADF;
	n = pread(handle->fd, to, in->size, in->offset);
	if (n < 0)
		n = -errno;
	handle_put(handle);
	return n;
}

int fuse_write(struct request *req)
{
	const struct fuse_write_in *in = req->arg;
	struct fuse_write_out *out = request_reply(req, sizeof(*out));
	struct handle *handle;
	ssize_t n;

	if (!out)
		return -EIO;
	if (in->size != req->rest_len) {
		count_violation(V_ARGUMENT, req->ring->index, "WRITE whose size is not its data's");
		return -EINVAL;
	}
	handle = handle_get(req, in->fh);
	if (!handle)
		return -EBADF;
	n = pwrite(handle->fd, req->rest, in->size, in->offset);
	if (n < 0)
		n = -errno;
	handle_put(handle);
	if (n < 0)
		return n;
	out->size = n;
	return sizeof(*out);
}

/* A process closes a file: its POSIX locks go, whoever else has it open. */
int fuse_flush(struct request *req)
{
	const struct fuse_flush_in *in = req->arg;

	locks_release(req, in->lock_owner, false);
	return 0;
}

int fuse_release(struct request *req)
{
	const struct fuse_release_in *in = req->arg;

	if (in->release_flags & FUSE_RELEASE_FLOCK_UNLOCK)
		locks_release(req, in->lock_owner, true);
	locks_close(req, in->fh);
	handle_release(req, in->fh);
	return 0;
}

int fuse_fsync(struct request *req)
{
	const struct fuse_fsync_in *in = req->arg;
	struct handle *handle = handle_get(req, in->fh);
	int rc;

	if (!handle)
		return -EBADF;
	if (in->fsync_flags & FUSE_FSYNC_FDATASYNC)
		rc = result(fdatasync(handle->fd));
	else
		rc = result(fsync(handle->fd));
	handle_put(handle);
	return rc;
}

/* syncfs(2) takes no O_PATH descriptor. */
int fuse_syncfs(struct request *req)
{
	char path[FD_PATH_LEN];
	int fd = open(fd_path(path, req->inode->fd), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return -errno;
	rc = result(syncfs(fd));
	close(fd);
	return rc;
}

int fuse_fallocate(struct request *req)
{
	const struct fuse_fallocate_in *in = req->arg;
	struct handle *handle = handle_get(req, in->fh);
	int rc;

	if (!handle)
		return -EBADF;
	rc = result(fallocate(handle->fd, in->mode, in->offset, in->length));
	handle_put(handle);
	return rc;
}

int fuse_lseek(struct request *req)
{
	const struct fuse_lseek_in *in = req->arg;
	struct fuse_lseek_out *out = request_reply(req, sizeof(*out));
	struct handle *handle;
	off_t offset;
	int err;

	if (!out)
		return -EIO;
	handle = handle_get(req, in->fh);
	if (!handle)
		return -EBADF;
	offset = lseek(handle->fd, in->offset, in->whence);
	err = errno;
	handle_put(handle);
	if (offset < 0)
		return -err;
	out->offset = offset;
	return sizeof(*out);
}

int fuse_ioctl(struct request *req)
{
	const struct fuse_ioctl_in *in = req->arg;
	struct fuse_ioctl_out *out;

	if (in->cmd != TESTDEV_IOCTL || in->out_size != TESTDEV_IOCTL_SIZE)
		return -ENOTTY;
	out = request_reply(req, sizeof(*out) + TESTDEV_IOCTL_SIZE);
	if (!out)
		return -EIO;
	*out = (struct fuse_ioctl_out){ 0 };
	memset(out + 1, TESTDEV_IOCTL_BYTE, TESTDEV_IOCTL_SIZE);
	return sizeof(*out) + TESTDEV_IOCTL_SIZE;
}

static ssize_t copy(struct request *req)
{
	const struct fuse_copy_file_range_in *in = req->arg;
	struct handle *from = handle_get(req, in->fh_in);
	struct handle *to = handle_get(req, in->fh_out);
	off_t off_in = in->off_in, off_out = in->off_out;
	ssize_t n = -EBADF;

	if (from && to) {
		n = copy_file_range(from->fd, &off_in, to->fd, &off_out, in->len, in->flags);
		if (n < 0)
			n = -errno;
	}
	handle_put(from);
	handle_put(to);
	return n;
}

int fuse_copy_file_range(struct request *req)
{
	struct fuse_write_out *out = request_reply(req, sizeof(*out));
	ssize_t n;

	if (!out)
		return -EIO;
	n = copy(req);
	if (n < 0)
		return n;
	out->size = n;
	return sizeof(*out);
}

int fuse_copy_file_range_64(struct request *req)
{
	struct fuse_copy_file_range_out *out = request_reply(req, sizeof(*out));
	ssize_t n;

	if (!out)
		return -EIO;
	n = copy(req);
	if (n < 0)
		return n;
	out->bytes_copied = n;
	return sizeof(*out);
}
