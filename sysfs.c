// SPDX-License-Identifier: GPL-2.0
/*
 * What a virtio-fs device shows in sysfs and debugfs, and tells udev.
 *
 * Documentation/ABI/testing/sysfs-fs-virtiofs describes the files.  Knows devices and
 * their sessions.  Knows neither FUSE nor what the queues carry.
 */

#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/virtio.h>

#include "virtio_fs.h"
#include "virtqueue.h"

/* /sys/fs/virtiofs */
static struct kset *virtiofs_kset;

/* .../debug/virtiofs */
static struct dentry *virtiofs_debugfs;

static struct mutex *lock_interruptible(struct mutex *lock)
{
	return mutex_lock_interruptible(lock) ? NULL : lock;
}

static void unlock(struct mutex *held)
{
	if (held)
		mutex_unlock(held);
}

/* A mutex until the end of the function, or NULL if a signal came first */
DEFINE_CLASS(lock_intr, struct mutex *, unlock(_T), lock_interruptible(lock),
	     struct mutex *lock)

static struct virtiofs_device *device_of(const struct kobject *kobj)
{
	return container_of(kobj, struct virtiofs_device, kobj);
}

static ssize_t tag_show(struct kobject *kobj, struct kobj_attribute *attr,
			char *buf)
{
	return sysfs_emit(buf, "%s\n", device_of(kobj)->tag);
}

static const char *device_state(struct virtiofs_device *dev)
{
	static const char * const names[] = {
		[VIRTIOFS_RUNNING] = "running",
		[VIRTIOFS_NOT_RESPONDING] = "not responding",
		[VIRTIOFS_KILLED] = "aborted",
	};

	lockdep_assert_held(&dev->lock);

	return names[dev->vqs ? READ_ONCE(dev->vqs->state) : VIRTIOFS_KILLED];
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct virtiofs_device *dev = device_of(kobj);

	CLASS(lock_intr, held)(&dev->lock);

	if (!held)
		return -EINTR;
	return sysfs_emit(buf, "%s\n", device_state(dev));
}

/* As "umount -f", for a share whose mount point is not known */
static ssize_t abort_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	struct virtiofs_device *dev = device_of(kobj);
	bool yes;
	int err = kstrtobool(buf, &yes);

	if (err || !yes)
		return -EINVAL;
	CLASS(lock_intr, held)(&dev->lock);

	if (!held)
		return -EINTR;
	if (dev->vqs)
		virtiofs_vqs_kill(dev->vqs);
	return count;
}

/*
 * The session that is mounted, or NULL.  An older one that was aborted may be
 * mounted as well, but the host knows nothing of that any more.
 */
static struct virtiofs_session *device_session(struct virtiofs_device *dev)
{
	struct virtiofs_device_session *ds;

	lockdep_assert_held(&dev->sessions_lock);

	list_for_each_entry(ds, &dev->sessions, node) {
		/* Pairs with the store by the mount */
		if (smp_load_acquire(&ds->session.conn))
			return &ds->session;
	}
	return NULL;
}

/**
 * struct session_attr - a file with a number of the session that is mounted
 * @attr: the file
 * @value: returns the number
 * @set: changes it, or NULL
 */
struct session_attr {
	struct kobj_attribute attr;
	unsigned long (*value)(struct virtiofs_session *session);
	int (*set)(struct virtiofs_session *session, unsigned int value);
};

static ssize_t session_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct session_attr *file = container_of(attr, struct session_attr, attr);
	struct virtiofs_device *dev = device_of(kobj);
	struct virtiofs_session *session;

	CLASS(lock_intr, held)(&dev->sessions_lock);

	if (!held)
		return -EINTR;
	session = device_session(dev);
	if (session)
		return sysfs_emit(buf, "%lu\n", file->value(session));
	return -ENODEV;
}

static ssize_t session_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	struct session_attr *file = container_of(attr, struct session_attr, attr);
	struct virtiofs_device *dev = device_of(kobj);
	struct virtiofs_session *session;
	unsigned int value;
	int err = kstrtouint(buf, 0, &value);

	if (err)
		return err;
	CLASS(lock_intr, held)(&dev->sessions_lock);

	if (!held)
		return -EINTR;
	session = device_session(dev);
	if (session)
		return file->set(session, value) ?: count;
	return -ENODEV;
}

static ssize_t prune_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	struct virtiofs_device *dev = device_of(kobj);
	struct virtiofs_session *session;
	bool yes;
	int err = kstrtobool(buf, &yes);

	if (err || !yes)
		return -EINVAL;
	CLASS(lock_intr, held)(&dev->sessions_lock);

	if (!held)
		return -EINTR;
	session = device_session(dev);
	if (!session)
		return -ENODEV;
	virtiofs_inodes_prune(session);
	return count;
}

static struct kobj_attribute device_tag_attr = __ATTR_RO(tag);
static struct kobj_attribute device_state_attr = __ATTR_RO(state);
static struct kobj_attribute device_abort_attr = __ATTR_WO(abort);
static struct kobj_attribute device_prune_attr = __ATTR_WO(prune);

static struct session_attr device_errors_attr = {
	__ATTR(errors, 0444, session_show, NULL), virtiofs_stats_errors
};

static struct session_attr device_oldest_ms_attr = {
	__ATTR(oldest_ms, 0444, session_show, NULL), virtiofs_stats_oldest_ms
};

static struct session_attr device_max_read_attr = {
	__ATTR(max_read, 0444, session_show, NULL), virtiofs_init_max_read
};

static struct session_attr device_max_write_attr = {
	__ATTR(max_write, 0444, session_show, NULL), virtiofs_init_max_write
};

static struct session_attr device_inodes_attr = {
	__ATTR(inodes, 0444, session_show, NULL), virtiofs_inodes_count
};

static struct session_attr device_poll_us_attr = {
	__ATTR(poll_us, 0644, session_show, session_store),
	virtiofs_poll_us, virtiofs_poll_set_us
};

static struct session_attr device_max_inodes_attr = {
	__ATTR(max_inodes, 0644, session_show, session_store),
	virtiofs_inodes_max, virtiofs_inodes_set_max
};

static struct attribute *device_attrs[] = {
	&device_tag_attr.attr,
	&device_state_attr.attr,
	&device_abort_attr.attr,
	&device_errors_attr.attr.attr,
	&device_oldest_ms_attr.attr.attr,
	&device_max_read_attr.attr.attr,
	&device_max_write_attr.attr.attr,
	&device_poll_us_attr.attr.attr,
	&device_inodes_attr.attr.attr,
	&device_max_inodes_attr.attr.attr,
	&device_prune_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(device);

static void device_release(struct kobject *kobj)
{
	struct virtiofs_device *dev = device_of(kobj);

	kfree(dev->mq);
	kfree(dev);
}

static const struct kobj_type device_ktype = {
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = device_groups,
	.release = device_release,
};

/* Directories of queues are named by the queue's index */
static unsigned int mq_index(struct kobject *kobj)
{
	unsigned int index = 0;

	WARN_ON_ONCE(kstrtouint(kobject_name(kobj), 10, &index));
	return index;
}

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	unsigned int index = mq_index(kobj);

	if (index == VIRTIOFS_VQ_HIPRIO)
		return sysfs_emit(buf, "hiprio\n");
	return sysfs_emit(buf, "requests.%u\n", index - VIRTIOFS_VQ_REQUEST);
}

/* A FORGET comes from any CPU; a request from those that the map says */
static ssize_t cpu_list_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	struct virtiofs_device *dev = device_of(kobj->parent->parent);
	unsigned int index = mq_index(kobj);
	unsigned int cpu;
	int len = 0;

	CLASS(lock_intr, held)(&dev->lock);

	if (!held)
		return -EINTR;
	if (!dev->vqs)
		return -ENODEV;
	for_each_possible_cpu(cpu) {
		if (index == VIRTIOFS_VQ_HIPRIO ||
		    dev->vqs->map[cpu] == index)
			len += sysfs_emit_at(buf, len, "%s%u",
					     len ? ", " : "", cpu);
	}
	return len + sysfs_emit_at(buf, len, "\n");
}

/**
 * struct mq_stat - a file with one of a queue's numbers
 * @attr: the file
 * @offset: where the number is in struct virtiofs_vq_stats
 */
struct mq_stat {
	struct kobj_attribute attr;
	size_t offset;
};

static ssize_t mq_stat_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct virtiofs_device *dev = device_of(kobj->parent->parent);
	struct mq_stat *stat = container_of(attr, struct mq_stat, attr);
	struct virtiofs_vq_stats stats;

	CLASS(lock_intr, held)(&dev->lock);

	if (!held)
		return -EINTR;
	if (!dev->vqs)
		return -ENODEV;
	virtiofs_vq_stats(&dev->vqs->vq[mq_index(kobj)], &stats);
	return sysfs_emit(buf, "%llu\n", *(u64 *)((void *)&stats + stat->offset));
}

static struct mq_stat mq_stats[] = {
	{ __ATTR(requests, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, requests) },
	{ __ATTR(in_flight, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, in_flight) },
	{ __ATTR(backlog, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, backlog) },
	{ __ATTR(polled, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, polled) },
	{ __ATTR(interrupts, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, interrupts) },
	{ __ATTR(kicks, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, kicks) },
	{ __ATTR(bytes_out, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, bytes_out) },
	{ __ATTR(bytes_in, 0444, mq_stat_show, NULL),
	  offsetof(struct virtiofs_vq_stats, bytes_in) },
};

static struct kobj_attribute mq_name_attr = __ATTR_RO(name);
static struct kobj_attribute mq_cpu_list_attr = __ATTR_RO(cpu_list);

static const struct attribute *mq_attrs[] = {
	&mq_name_attr.attr,
	&mq_cpu_list_attr.attr,
	&mq_stats[0].attr.attr,
	&mq_stats[1].attr.attr,
	&mq_stats[2].attr.attr,
	&mq_stats[3].attr.attr,
	&mq_stats[4].attr.attr,
	&mq_stats[5].attr.attr,
	&mq_stats[6].attr.attr,
	&mq_stats[7].attr.attr,
	NULL
};

static_assert(ARRAY_SIZE(mq_attrs) == ARRAY_SIZE(mq_stats) + 3);

static void device_del_mqs(struct virtiofs_device *dev)
{
	unsigned int i;

	for (i = 0; i < VIRTIOFS_VQ_REQUEST + dev->nr_request; i++)
		kobject_put(dev->mq[i]);
	kobject_put(dev->mqs);
}

static int device_add_mqs(struct virtiofs_device *dev)
{
	unsigned int i, nr = VIRTIOFS_VQ_REQUEST + dev->nr_request;
	char name[12];
	int err;

	dev->mq = kcalloc(nr, sizeof(*dev->mq), GFP_KERNEL);
	if (!dev->mq)
		return -ENOMEM;
	dev->mqs = kobject_create_and_add("mqs", &dev->kobj);
	if (!dev->mqs)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%u", i);
		dev->mq[i] = kobject_create_and_add(name, dev->mqs);
		err = dev->mq[i] ? sysfs_create_files(dev->mq[i], mq_attrs) :
				   -ENOMEM;
		if (err) {
			device_del_mqs(dev);
			return err;
		}
	}
	return 0;
}

/* For people: the format of these files may change */
static int latency_show(struct seq_file *m, void *unused)
{
	struct virtiofs_device *dev = m->private;
	struct virtiofs_session *session;

	CLASS(lock_intr, held)(&dev->sessions_lock);

	if (!held)
		return -EINTR;
	session = device_session(dev);
	if (session)
		virtiofs_stats_show_latency(session, m);
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(latency);

static void device_add_debugfs(struct virtiofs_device *dev)
{
	dev->debugfs = debugfs_create_dir(kobject_name(&dev->kobj),
					  virtiofs_debugfs);
	debugfs_create_file("latency", 0400, dev->debugfs, dev, &latency_fops);
}

/**
 * virtiofs_sysfs_add() - show a device in sysfs and debugfs
 * @dev: the device; its directory is numbered like its virtio device
 *
 * Context: process context, sleeps.
 * Return: 0 or -errno.
 */
int virtiofs_sysfs_add(struct virtiofs_device *dev)
{
	int err;

	dev->kobj.kset = virtiofs_kset;
	err = kobject_add(&dev->kobj, NULL, "%d", dev->vdev->index);
	if (err)
		return err;
	err = sysfs_create_link(&dev->kobj, &dev->vdev->dev.kobj, "device");
	if (err)
		goto err_del_kobj;
	err = device_add_mqs(dev);
	if (err)
		goto err_del_link;
	device_add_debugfs(dev);
	return 0;

err_del_link:
	sysfs_remove_link(&dev->kobj, "device");
err_del_kobj:
	kobject_del(&dev->kobj);
	return err;
}

/**
 * virtiofs_sysfs_del() - undo virtiofs_sysfs_add()
 * @dev: the device
 *
 * Waits for the users of its files.
 *
 * Context: process context, sleeps; not under the device's mutexes.
 */
void virtiofs_sysfs_del(struct virtiofs_device *dev)
{
	debugfs_remove(dev->debugfs);
	device_del_mqs(dev);
	sysfs_remove_link(&dev->kobj, "device");
	kobject_del(&dev->kobj);
}

static void device_state_work(struct work_struct *work)
{
	struct virtiofs_device *dev = container_of(work, struct virtiofs_device,
						   state_work);
	char state[32];
	char *env[2] = { state };

	scoped_guard(mutex, &dev->lock)
		snprintf(state, sizeof(state), "STATE=%s", device_state(dev));
	kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, env);
}

/**
 * virtiofs_sysfs_init_device() - prepare a new device for virtiofs_sysfs_add()
 * @dev: the device; from here on its memory goes with the last reference to its kobject
 *
 * Context: any.
 */
void virtiofs_sysfs_init_device(struct virtiofs_device *dev)
{
	kobject_init(&dev->kobj, &device_ktype);
	INIT_WORK(&dev->state_work, device_state_work);
}

static int virtiofs_uevent(VIRTIOFS_UEVENT_CONST struct kobject *kobj,
			   struct kobj_uevent_env *env)
{
	return add_uevent_var(env, "TAG=%s", device_of(kobj)->tag);
}

static const struct kset_uevent_ops virtiofs_uevent_ops = {
	.uevent = virtiofs_uevent,
};

/**
 * virtiofs_sysfs_init() - make the directories that devices are shown in
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int __init virtiofs_sysfs_init(void)
{
	virtiofs_kset = kset_create_and_add("virtiofs", &virtiofs_uevent_ops,
					    fs_kobj);
	if (!virtiofs_kset)
		return -ENOMEM;
	virtiofs_debugfs = debugfs_create_dir("virtiofs", NULL);
	return 0;
}

/**
 * virtiofs_sysfs_exit() - undo virtiofs_sysfs_init()
 *
 * Context: module exit, or its init that has failed.
 */
void virtiofs_sysfs_exit(void)
{
	debugfs_remove(virtiofs_debugfs);
	kset_unregister(virtiofs_kset);
}
