/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio-fs device of the guest.
 */
#ifndef _VIRTIOFS_VIRTIO_FS_H
#define _VIRTIOFS_VIRTIO_FS_H

#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/virtio_fs.h>
#include <linux/workqueue.h>

#include "fuse_glue.h"

struct dentry;
struct virtio_device;

/**
 * struct virtiofs_device - a virtio-fs device, from probe to the last user
 * @kobj: /sys/fs/virtiofs/<n>; one reference from probe to remove, and one for
 *	each session
 * @mqs: /sys/fs/virtiofs/<n>/mqs
 * @mq: a directory in @mqs for each queue
 * @debugfs: directory of the device there
 * @node: on the list of devices, under its mutex
 * @vdev: the device below; not to be touched once @gone
 * @tag: name of the file system, as long as the configuration space has room
 *	for and a NUL more; init-only
 * @nr_request: number of request queues; init-only
 * @lock: serializes start, restart, suspend and remove of this one device, and
 *	protects what follows.  May be held across a reset of the device, and is
 *	never taken under the mutex of the list.
 * @gone: removed, or about to be reset by its transport; there is no new session
 * @vqs: the queues that a new session gets; NULL when a restart failed
 * @sessions_lock: protects @sessions, inside @lock
 * @sessions: sessions with the device, the latest first
 * @state_work: tells user space that the state has changed
 */
struct virtiofs_device {
	struct kobject kobj;
	struct kobject *mqs;
	struct kobject **mq;
	struct dentry *debugfs;
	struct list_head node;
	struct virtio_device *vdev;
	char tag[sizeof_field(struct virtio_fs_config, tag) + 1];
	unsigned int nr_request;
	struct mutex lock; /* start, restart, suspend, remove */
	bool gone;
	struct virtiofs_vqs *vqs;
	struct mutex sessions_lock; /* of @sessions */
	struct list_head sessions;
	struct work_struct state_work;
};

/**
 * struct virtiofs_device_session - a session and the device that it is with
 * @session: what the FUSE client's side sees
 * @dev: the device, referenced
 * @node: on the device's list
 */
struct virtiofs_device_session {
	struct virtiofs_session session;
	struct virtiofs_device *dev;
	struct list_head node;
};

void virtiofs_sysfs_init_device(struct virtiofs_device *dev);
int virtiofs_sysfs_add(struct virtiofs_device *dev);
void virtiofs_sysfs_del(struct virtiofs_device *dev);
int virtiofs_sysfs_init(void);
void virtiofs_sysfs_exit(void);

#endif
