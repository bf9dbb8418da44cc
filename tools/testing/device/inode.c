// SPDX-License-Identifier: GPL-2.0
/*
 * The table of inodes: by node id (an array that only grows) and by the
 * host's device and inode number (a hash). One mutex for all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "counters.h"
#include "inode.h"
#include "table.h"

#define BUCKETS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table by_id;
static struct inode *by_file[BUCKETS];

/**
 * fd_path() - a path that leads to what a descriptor has open
 * @buf: room for it, FD_PATH_LEN bytes
 * @fd: the descriptor; O_PATH is enough
 *
 * Return: @buf
 */
const char *fd_path(char *buf, int fd)
{
	snprintf(buf, FD_PATH_LEN, "/proc/self/fd/%d", fd);
	return buf;
}

static struct inode **bucket(dev_t dev, ino_t ino)
{
	return &by_file[(ino ^ dev * 31) % BUCKETS];
}

static struct inode *find_locked(dev_t dev, ino_t ino)
{
	struct inode *inode = *bucket(dev, ino);

	while (inode && (inode->dev != dev || inode->ino != ino))
		inode = inode->next;
	return inode;
}

static struct inode *new_locked(int fd, const struct stat *st)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		abort();
	inode->dev = st->st_dev;
	inode->ino = st->st_ino;
	inode->mode = st->st_mode;
	inode->fd = fd;
	inode->refs = 1;
	inode->nodeid = table_add(&by_id, inode);
	inode->next = *bucket(inode->dev, inode->ino);
	*bucket(inode->dev, inode->ino) = inode;
	return inode;
}

static void unref_locked(struct inode *inode)
{
	if (--inode->refs)
		return;
	close(inode->fd);
	free(inode);
}

/* The guest no longer knows it; whoever works on it may go on. */
static void remove_locked(struct inode *inode)
{
	struct inode **at = bucket(inode->dev, inode->ino);

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
	table_remove(&by_id, inode->nodeid);
	unref_locked(inode);
}

/**
 * inode_init() - open the directory that will be the guest's root
 * @dir: its path
 */
void inode_init(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct inode *root;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		perror(dir);
		exit(1);
	}
	pthread_mutex_lock(&lock);
	root = new_locked(fd, &st);
	pthread_mutex_unlock(&lock);
	if (root->nodeid != FUSE_ROOT_ID)
		abort();
}

/**
 * inode_reset() - the session has ended: forget all but the root
 */
void inode_reset(void)
{
	pthread_mutex_lock(&lock);
	for (uint64_t id = FUSE_ROOT_ID + 1; id < by_id.next; id++) {
		struct inode *inode = table_find(&by_id, id);

		if (inode)
			remove_locked(inode);
	}
	pthread_mutex_unlock(&lock);
}

/**
 * inode_get() - find an inode
 * @nodeid: the guest's name for it
 *
 * Return: the inode with a reference, or NULL.
 */
struct inode *inode_get(uint64_t nodeid)
{
	struct inode *inode;

	pthread_mutex_lock(&lock);
	inode = table_find(&by_id, nodeid);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&lock);
	return inode;
}

/**
 * inode_put() - drop a reference
 * @inode: inode or NULL
 */
void inode_put(struct inode *inode)
{
	if (!inode)
		return;
	pthread_mutex_lock(&lock);
	unref_locked(inode);
	pthread_mutex_unlock(&lock);
}

/* Another file system on the host is one in the guest, too. */
static bool is_submount(int fd, const struct stat *st)
{
	struct stat up;

	return S_ISDIR(st->st_mode) && !fstatat(fd, "..", &up, 0) && up.st_dev != st->st_dev;
}

static void fill_attr(int fd, const struct stat *st, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = st->st_size,
		.blocks = st->st_blocks,
		.atime = st->st_atim.tv_sec,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
		.atimensec = st->st_atim.tv_nsec,
		.mtimensec = st->st_mtim.tv_nsec,
		.ctimensec = st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = st->st_rdev,
		.blksize = st->st_blksize,
		.flags = is_submount(fd, st) ? FUSE_ATTR_SUBMOUNT : 0,
	};
}

/**
 * inode_attr() - get an inode's attributes
 * @inode: inode
 * @attr: where to put them
 *
 * Return: 0 or -errno.
 */
int inode_attr(const struct inode *inode, struct fuse_attr *attr)
{
	struct stat st;

	if (fstat(inode->fd, &st))
		return -errno;
	fill_attr(inode->fd, &st, attr);
	return 0;
}

/**
 * inode_lookup() - tell the guest of a file
 * @fd: O_PATH descriptor of it, or -1 with errno set; consumed
 * @out: entry for the reply, with the lookup counted
 *
 * Return: 0 or -errno.
 */
int inode_lookup(int fd, struct fuse_entry_out *out)
{
	struct inode *inode;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		int err = -errno;

		close(fd);
		return err;
	}
	fill_attr(fd, &st, &out->attr);
	pthread_mutex_lock(&lock);
	inode = find_locked(st.st_dev, st.st_ino);
	if (inode)
		close(fd);
	else
		inode = new_locked(fd, &st);
	if (inode->nodeid != FUSE_ROOT_ID)
		inode->nlookup++;
	out->nodeid = inode->nodeid;
	pthread_mutex_unlock(&lock);
	out->entry_valid = options.timeout;
	out->entry_valid_nsec = (options.timeout - out->entry_valid) * 1e9;
	out->attr_valid = out->entry_valid;
	out->attr_valid_nsec = out->entry_valid_nsec;
	return 0;
}

/**
 * inode_forget() - the guest forgets a node id
 * @nodeid: which
 * @n: how many lookups of it
 * @queue: where it said so
 */
void inode_forget(uint64_t nodeid, uint64_t n, unsigned int queue)
{
	struct inode *inode;
	bool bad;

	count(&counters.forgets);
	count_add(&counters.forgotten, n);
	if (nodeid == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&lock);
	inode = table_find(&by_id, nodeid);
	bad = !inode || (n > inode->nlookup && !inode->tainted);
	if (inode) {
		if (n > inode->nlookup)
			n = inode->nlookup;
		inode->nlookup -= n;
		inode->forgotten += n;
		if (!inode->nlookup)
			remove_locked(inode);
	}
	pthread_mutex_unlock(&lock);
	if (bad)
		count_violation(V_FORGET, queue, inode ? "more than looked up" : "unknown node");
}

/**
 * inode_taint() - a lie is told about an inode
 * @nodeid: which; it need not exist
 */
void inode_taint(uint64_t nodeid)
{
	struct inode *inode;

	pthread_mutex_lock(&lock);
	inode = table_find(&by_id, nodeid);
	if (inode)
		inode->tainted = true;
	pthread_mutex_unlock(&lock);
}

/**
 * inode_balance() - count what the guest still knows
 * @balance: where to put it
 */
void inode_balance(struct inode_balance *balance)
{
	*balance = (struct inode_balance){ 0 };
	pthread_mutex_lock(&lock);
	for (uint64_t id = FUSE_ROOT_ID + 1; id < by_id.next; id++) {
		const struct inode *inode = table_find(&by_id, id);

		if (!inode)
			continue;
		if (inode->tainted) {
			balance->tainted++;
			continue;
		}
		balance->inodes++;
		balance->lookups += inode->nlookup;
	}
	pthread_mutex_unlock(&lock);
}

/**
 * inode_print() - print the inodes that the guest knows, one a line
 * @out: where to
 */
void inode_print(FILE *out)
{
	char path[FD_PATH_LEN], name[1024];
	ssize_t n;

	pthread_mutex_lock(&lock);
	for (uint64_t id = FUSE_ROOT_ID; id < by_id.next; id++) {
		const struct inode *inode = table_find(&by_id, id);

		if (!inode)
			continue;
		n = readlink(fd_path(path, inode->fd), name, sizeof(name));
		fprintf(out, "node=%llu lookups=%llu forgotten=%llu tainted=%d %.*s\n",
			(unsigned long long)id, (unsigned long long)inode->nlookup,
			(unsigned long long)inode->forgotten, inode->tainted,
			n < 0 ? 0 : (int)n, name);
	}
	pthread_mutex_unlock(&lock);
}
