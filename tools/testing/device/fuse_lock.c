// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX locks and flocks between the guest's processes.
 *
 * They are the device's own, not the host's: waiting for one is parking a
 * request, so no thread blocks, an INTERRUPT ends the wait, and a reset of
 * the device leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include "fuse.h"
#include "handle.h"
#include "inode.h"
#include "park.h"

/**
 * struct lock - one lock
 * @link: in the list of all
 * @nodeid: what is locked
 * @owner: the guest's name for who has it
 * @fh: the handle with which it was taken
 * @flock: a flock, else a POSIX lock; the two know nothing of each other
 * @start: first byte
 * @end: last byte
 * @type: F_RDLCK or F_WRLCK
 * @pid: for GETLK
 */
struct lock {
	struct list link;
	uint64_t nodeid;
	uint64_t owner;
	uint64_t fh;
	bool flock;
	uint64_t start;
	uint64_t end;
	uint32_t type;
	uint32_t pid;
};

/* Protects the list; the park lock is taken inside it. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list locks = LIST_INIT(locks);

static struct lock wanted(const struct request *req)
{
	const struct fuse_lk_in *in = req->arg;
	bool flock = in->lk_flags & FUSE_LK_FLOCK;

	return (struct lock){
		.nodeid = req->in->nodeid,
		.owner = in->owner,
		.fh = in->fh,
		.flock = flock,
		.start = flock ? 0 : in->lk.start,
		.end = flock ? UINT64_MAX : in->lk.end,
		.type = in->lk.type,
		.pid = in->lk.pid,
	};
}

static bool same_space(const struct lock *a, const struct lock *b)
{
	return a->nodeid == b->nodeid && a->flock == b->flock &&
	       a->start <= b->end && b->start <= a->end;
}

static struct lock *conflict(const struct lock *new)
{
	struct list *pos;

	list_for_each(pos, &locks) {
		struct lock *old = container_of(pos, struct lock, link);

		if (same_space(old, new) && old->owner != new->owner &&
		    (old->type == F_WRLCK || new->type == F_WRLCK))
			return old;
	}
	return NULL;
}

static void add(const struct lock *like, uint64_t start, uint64_t end)
{
	struct lock *lock = malloc(sizeof(*lock));

	if (!lock)
		abort();
	*lock = *like;
	lock->start = start;
	lock->end = end;
	list_add_tail(&locks, &lock->link);
}

/* Put a lock (or F_UNLCK) in the place of what its owner has there. */
static void set(const struct lock *new)
{
	struct list *pos, *after;

	list_for_each_safe(pos, after, &locks) {
		struct lock *old = container_of(pos, struct lock, link);

		if (!same_space(old, new) || old->owner != new->owner)
			continue;
		list_del(&old->link);
		if (old->start < new->start)
			add(old, old->start, new->start - 1);
		if (old->end > new->end)
			add(old, new->end + 1, old->end);
		free(old);
	}
	if (new->type != F_UNLCK)
		add(new, new->start, new->end);
}

static bool grant(struct request *req)
{
	struct lock new = wanted(req);

	if (conflict(&new))
		return false;
	/* A lock goes with its open file, also before it comes */
	if (handle_is_open(new.fh))
		set(&new);
	return true;
}

static void finish_granted(struct list *granted)
{
	struct list *pos, *after;

	list_for_each_safe(pos, after, granted) {
		struct request *waiter = container_of(pos, struct request, park);

		list_del(pos);
		request_result(waiter, 0);
		request_finish(waiter);
	}
}

/*
 * Set a lock; one that gets weaker or goes away may end the waiting of
 * others, who are answered once the mutex is dropped.
 */
static int set_lock(struct request *req, const struct lock *new, bool wait)
{
	struct list granted = LIST_INIT(granted);
	int result = 0;

	pthread_mutex_lock(&mutex);
	if (new->type == F_UNLCK || !conflict(new)) {
		set(new);
		park_take_granted(req->inode, grant, &granted);
	} else if (!wait) {
		result = -EAGAIN;
	} else {
		result = park_interruptible(req, PARK_LOCK) ? FUSE_PARKED : -EINTR;
	}
	pthread_mutex_unlock(&mutex);
	finish_granted(&granted);
	return result;
}

int fuse_getlk(struct request *req)
{
	struct fuse_lk_out *out = request_reply(req, sizeof(*out));
	struct lock new = wanted(req);
	const struct lock *old;

	if (!out)
		return -EIO;
	pthread_mutex_lock(&mutex);
	old = conflict(&new);
	if (old)
		out->lk = (struct fuse_file_lock){
			.start = old->start,
			.end = old->end,
			.type = old->type,
			.pid = old->pid,
		};
	else
		out->lk.type = F_UNLCK;
	pthread_mutex_unlock(&mutex);
	return sizeof(*out);
}

static bool is_sane(const struct lock *lock)
{
	return lock->start <= lock->end &&
	       (lock->type == F_RDLCK || lock->type == F_WRLCK || lock->type == F_UNLCK);
}

static int set_wanted(struct request *req, bool wait)
{
	const struct fuse_lk_in *in = req->arg;
	struct handle *handle = handle_get(req, in->fh);
	struct lock new = wanted(req);

	if (!handle)
		return -EBADF;
	handle_put(handle);
	return is_sane(&new) ? set_lock(req, &new, wait) : -EINVAL;
}

int fuse_setlk(struct request *req)
{
	return set_wanted(req, false);
}

int fuse_setlkw(struct request *req)
{
	return set_wanted(req, true);
}

/**
 * locks_release() - an owner lets go of everything in a file
 * @req: request that says so
 * @owner: who
 * @flock: flocks, else POSIX locks
 */
void locks_release(struct request *req, uint64_t owner, bool flock)
{
	const struct lock all = {
		.nodeid = req->in->nodeid,
		.owner = owner,
		.flock = flock,
		.end = UINT64_MAX,
		.type = F_UNLCK,
	};

	set_lock(req, &all, false);
}

/**
 * locks_close() - a handle goes, and with it the locks of its open file (F_OFD_SETLK)
 * @req: request that says so
 * @fh: the handle
 *
 * Flocks are only given back by name, to see whether the guest does.
 */
void locks_close(struct request *req, uint64_t fh)
{
	struct list granted = LIST_INIT(granted);
	struct list *pos, *after;

	pthread_mutex_lock(&mutex);
	list_for_each_safe(pos, after, &locks) {
		struct lock *lock = container_of(pos, struct lock, link);

		if (lock->flock || lock->fh != fh)
			continue;
		list_del(pos);
		free(lock);
	}
	park_take_granted(req->inode, grant, &granted);
	pthread_mutex_unlock(&mutex);
	finish_granted(&granted);
}

/**
 * locks_reset() - the session has ended: drop all locks
 */
void locks_reset(void)
{
	struct list *pos, *after;

	pthread_mutex_lock(&mutex);
	list_for_each_safe(pos, after, &locks) {
		list_del(pos);
		free(container_of(pos, struct lock, link));
	}
	pthread_mutex_unlock(&mutex);
}

/**
 * locks_count() - how many locks there are
 *
 * Return: that number.
 */
unsigned long locks_count(void)
{
	unsigned long n = 0;
	struct list *pos;

	pthread_mutex_lock(&mutex);
	list_for_each(pos, &locks)
		n++;
	pthread_mutex_unlock(&mutex);
	return n;
}
