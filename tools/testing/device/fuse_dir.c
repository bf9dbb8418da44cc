// SPDX-License-Identifier: GPL-2.0
/*
 * Reading directories, with and without attributes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"

/* How much is read from the host at once, whatever the guest has room for. */
#define HOST_ROOM 32768

int fuse_opendir(struct request *req)
{
	struct fuse_open_out *out = request_reply(req, sizeof(*out));
	char path[FD_PATH_LEN];
	int fd;

	if (!out)
		return -EIO;
	if (!S_ISDIR(req->inode->mode))
		return -ENOTDIR;
	fd = open(fd_path(path, req->inode->fd), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	out->fh = handle_add(fd);
	return sizeof(*out);
}

int fuse_releasedir(struct request *req)
{
	const struct fuse_release_in *in = req->arg;

	handle_release(req, in->fh);
	return 0;
}

static void fill_dirent(struct fuse_dirent *out, const struct dirent64 *d, size_t len)
{
	out->ino = d->d_ino;
	out->off = d->d_off;
	out->type = d->d_type;
	out->namelen = len;
	memcpy(out->name, d->d_name, len);
}

/* An entry that vanishes meanwhile is told without attributes (node id 0). */
static void look_up(const struct request *req, const char *name, struct fuse_entry_out *out)
{
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return;
	if (inode_lookup(openat(req->inode->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), out))
		memset(out, 0, sizeof(*out));
}

/* Append one entry at @to; 0 if it does not fit in @room. */
static size_t pack(const struct request *req, const struct dirent64 *d, uint8_t *to, size_t room,
		   bool plus)
{
	size_t len = strlen(d->d_name);
	size_t before = plus ? sizeof(struct fuse_entry_out) : 0;
	size_t size = FUSE_DIRENT_ALIGN(before + FUSE_NAME_OFFSET + len);

	if (size > room)
		return 0;
	memset(to, 0, size);
	if (plus)
		look_up(req, d->d_name, (struct fuse_entry_out *)to);
	fill_dirent((struct fuse_dirent *)(to + before), d, len);
	return size;
}

/*
 * Reading goes on at the offset of the last entry that fitted, so what did
 * not fit of a host's bufferful is read again with the next request.
 */
static ssize_t read_entries(struct request *req, struct handle *handle, uint8_t *to, bool plus)
{
	const struct fuse_read_in *in = req->arg;
	char buf[HOST_ROOM] __attribute__((aligned(8)));
	size_t used = 0, size;
	ssize_t got;

	if (lseek(handle->fd, in->offset, SEEK_SET) < 0)
		return -errno;
	while ((got = getdents64(handle->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *d = (const struct dirent64 *)(buf + at);

			size = pack(req, d, to + used, in->size - used, plus);
			if (!size)
				return used ? (ssize_t)used : -EINVAL;
			used += size;
			at += d->d_reclen;
		}
	}
	return got < 0 && !used ? -errno : (ssize_t)used;
}

static int read_directory(struct request *req, bool plus)
{
	const struct fuse_read_in *in = req->arg;
	void *to = request_reply_room(req, in->size);
	struct handle *handle;
	ssize_t n;

	if (!to)
		return -EIO;
	handle = handle_get(req, in->fh);
	if (!handle)
		return -EBADF;
	pthread_mutex_lock(&handle->lock);
	n = read_entries(req, handle, to, plus);
	pthread_mutex_unlock(&handle->lock);
	handle_put(handle);
	return n;
}

int fuse_readdir(struct request *req)
{
	return read_directory(req, false);
}

int fuse_readdirplus(struct request *req)
{
	return read_directory(req, true);
}
