// SPDX-License-Identifier: GPL-2.0
/*
 * Requests about a name in a directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"

/**
 * struct created - reply to CREATE and TMPFILE
 * @entry: the new file
 * @open: its handle
 */
struct created {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

static int result(int rc)
{
	return rc < 0 ? -errno : 0;
}

static int open_path(int dir, const char *name)
{
	return openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Reply with the entry of a file; @fd is consumed, as is errno if it is -1. */
static int reply_entry(struct request *req, int fd)
{
	struct fuse_entry_out *out;
	int err;

	if (fd < 0)
		return -errno;
	out = request_reply(req, sizeof(*out));
	if (!out) {
		close(fd);
		return -EIO;
	}
	err = inode_lookup(fd, out);
	return err ? err : (int)sizeof(*out);
}

/*
 * We run as root, so a new file is given to the guest's user afterwards. As
 * in any file system, a set-group-id directory passes its group on. Giving
 * away clears set-id bits, which the guest has asked for, so they come last.
 */
static void give_away(const struct request *req, int fd, mode_t mode)
{
	const struct fuse_in_header *in = req->in;
	char path[FD_PATH_LEN];
	gid_t gid = in->gid;
	struct stat dir;

	if (geteuid())
		return;
	if (!fstat(req->inode->fd, &dir) && (dir.st_mode & S_ISGID))
		gid = dir.st_gid;
	if (fchownat(fd, "", in->uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return;
	if ((mode & (S_ISUID | S_ISGID)) && chmod(fd_path(path, fd), mode & 07777))
		return;
}

static int reply_new(struct request *req, mode_t mode)
{
	int fd = open_path(req->inode->fd, req->name[0]);

	if (fd >= 0)
		give_away(req, fd, mode);
	return reply_entry(req, fd);
}

int fuse_lookup(struct request *req)
{
	return reply_entry(req, open_path(req->inode->fd, req->name[0]));
}

int fuse_mknod(struct request *req)
{
	const struct fuse_mknod_in *in = req->arg;

	if (mknodat(req->inode->fd, req->name[0], in->mode, in->rdev))
		return -errno;
	return reply_new(req, in->mode);
}

int fuse_mkdir(struct request *req)
{
	const struct fuse_mkdir_in *in = req->arg;

	if (mkdirat(req->inode->fd, req->name[0], in->mode))
		return -errno;
	/* A directory keeps its set-id bits when it is given away. */
	return reply_new(req, 0);
}

int fuse_symlink(struct request *req)
{
	if (symlinkat(req->name[1], req->inode->fd, req->name[0]))
		return -errno;
	return reply_new(req, 0);
}

int fuse_link(struct request *req)
{
	const struct fuse_link_in *in = req->arg;
	struct inode *old = inode_get(in->oldnodeid);
	char path[FD_PATH_LEN];
	int rc;

	if (!old)
		return -ESTALE;
	rc = result(linkat(AT_FDCWD, fd_path(path, old->fd), req->inode->fd, req->name[0],
			   AT_SYMLINK_FOLLOW));
	inode_put(old);
	if (rc)
		return rc;
	return fuse_lookup(req);
}

int fuse_unlink(struct request *req)
{
	return result(unlinkat(req->inode->fd, req->name[0], 0));
}

int fuse_rmdir(struct request *req)
{
	return result(unlinkat(req->inode->fd, req->name[0], AT_REMOVEDIR));
}

static int rename_to(struct request *req, uint64_t newdir, unsigned int flags)
{
	struct inode *to = inode_get(newdir);
	int rc;

	if (!to)
		return -ESTALE;
	rc = result(renameat2(req->inode->fd, req->name[0], to->fd, req->name[1], flags));
	inode_put(to);
	return rc;
}

int fuse_rename(struct request *req)
{
	const struct fuse_rename_in *in = req->arg;

	return rename_to(req, in->newdir, 0);
}

int fuse_rename2(struct request *req)
{
	const struct fuse_rename2_in *in = req->arg;

	return rename_to(req, in->newdir, in->flags);
}

static int reply_created(struct request *req, int fd)
{
	char path[FD_PATH_LEN];
	struct created *out;
	int err;

	static_assert(sizeof(*out) == sizeof(out->entry) + sizeof(out->open), "wire format");
	out = request_reply(req, sizeof(*out));
	if (!out) {
		close(fd);
		return -EIO;
	}
	err = inode_lookup(open(fd_path(path, fd), O_PATH | O_CLOEXEC), &out->entry);
	if (err) {
		close(fd);
		return err;
	}
	out->open.fh = handle_add(fd);
	return sizeof(*out);
}

/*
 * Only a file that is new is given to the guest's user, so an existing one is
 * opened in a second step. O_NONBLOCK keeps a FIFO of that name from blocking
 * the queue; it means nothing to regular files.
 */
int fuse_create(struct request *req)
{
	const struct fuse_create_in *in = req->arg;
	int flags = open_flags(in->flags) | O_NOFOLLOW | O_NONBLOCK;
	int fd;

	fd = openat(req->inode->fd, req->name[0], flags | O_CREAT | O_EXCL, in->mode & 07777);
	if (fd >= 0)
		give_away(req, fd, in->mode);
	else if (errno == EEXIST && !(in->flags & O_EXCL))
		fd = openat(req->inode->fd, req->name[0], flags);
	if (fd < 0)
		return -errno;
	return reply_created(req, fd);
}

int fuse_tmpfile(struct request *req)
{
	const struct fuse_create_in *in = req->arg;
	int flags = open_flags(in->flags) | O_TMPFILE | (in->flags & O_EXCL);
	char path[FD_PATH_LEN];
	int fd = open(fd_path(path, req->inode->fd), flags, in->mode & 07777);

	if (fd < 0)
		return -errno;
	give_away(req, fd, in->mode);
	return reply_created(req, fd);
}
