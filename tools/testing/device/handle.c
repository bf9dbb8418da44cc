// SPDX-License-Identifier: GPL-2.0
/*
 * The table of open files. As with node ids, a number is never used twice.
 */
#include <stdlib.h>
#include <unistd.h>
#include "counters.h"
#include "handle.h"
#include "request.h"
#include "table.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table handles;

static void unref_locked(struct handle *handle)
{
	if (--handle->refs)
		return;
	close(handle->fd);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

/**
 * handle_add() - give the guest a number for an open file
 * @fd: descriptor, the table's to close from here on
 *
 * Return: the number.
 */
uint64_t handle_add(int fd)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	uint64_t fh;

	if (!handle)
		abort();
	handle->fd = fd;
	handle->refs = 1;
	pthread_mutex_init(&handle->lock, NULL);
	pthread_mutex_lock(&lock);
	fh = table_add(&handles, handle);
	pthread_mutex_unlock(&lock);
	return fh;
}

/**
 * handle_get() - find an open file; a wrong number is counted
 * @req: request that names it
 * @fh: its number
 *
 * Return: the handle with a reference, or NULL.
 */
struct handle *handle_get(struct request *req, uint64_t fh)
{
	struct handle *handle;

	pthread_mutex_lock(&lock);
	handle = table_find(&handles, fh);
	if (handle)
		handle->refs++;
	pthread_mutex_unlock(&lock);
	if (!handle)
		count_violation(V_HANDLE, req->ring->index, "unknown file handle");
	return handle;
}

/**
 * handle_is_open() - is there such a handle?
 * @fh: its number
 *
 * Return: true if there is.
 */
bool handle_is_open(uint64_t fh)
{
	bool found;

	pthread_mutex_lock(&lock);
	found = table_find(&handles, fh);
	pthread_mutex_unlock(&lock);
	return found;
}

/**
 * handle_put() - drop a reference
 * @handle: handle or NULL
 */
void handle_put(struct handle *handle)
{
	if (!handle)
		return;
	pthread_mutex_lock(&lock);
	unref_locked(handle);
	pthread_mutex_unlock(&lock);
}

/**
 * handle_release() - the guest closes a file
 * @req: request that says so
 * @fh: its number
 */
void handle_release(struct request *req, uint64_t fh)
{
	struct handle *handle = handle_get(req, fh);

	if (!handle)
		return;
	pthread_mutex_lock(&lock);
	/* Two requests may release the same number at once; the table knows one of them. */
	if (table_find(&handles, fh) == handle) {
		table_remove(&handles, fh);
		unref_locked(handle);
	}
	unref_locked(handle);
	pthread_mutex_unlock(&lock);
}

/**
 * handle_taint() - the guest may not have learnt a number
 * @fh: the number
 */
void handle_taint(uint64_t fh)
{
	struct handle *handle;

	pthread_mutex_lock(&lock);
	handle = table_find(&handles, fh);
	if (handle)
		handle->tainted = true;
	pthread_mutex_unlock(&lock);
}

/**
 * handle_reset() - the session has ended: close all
 */
void handle_reset(void)
{
	struct handle *handle;

	pthread_mutex_lock(&lock);
	for (uint64_t fh = 1; fh < handles.next; fh++) {
		handle = table_find(&handles, fh);
		if (!handle)
			continue;
		table_remove(&handles, fh);
		unref_locked(handle);
	}
	pthread_mutex_unlock(&lock);
}

/**
 * handle_count() - how many files the guest has open
 *
 * Return: that number, without those about which a lie was told.
 */
unsigned long handle_count(void)
{
	const struct handle *handle;
	unsigned long n = 0;

	pthread_mutex_lock(&lock);
	for (uint64_t fh = 1; fh < handles.next; fh++) {
		handle = table_find(&handles, fh);
		n += handle && !handle->tainted;
	}
	pthread_mutex_unlock(&lock);
	return n;
}
