// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-fs devices (virtio specification 5.11): probe and remove, tags, the file
 * system type.
 *
 * Knows virtio devices and mounts.  Knows neither FUSE nor what the queues
 * carry.
 */

#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "virtio_fs.h"
#include "virtqueue.h"

/*
 * Devices that can be mounted.  The mutex protects the list and that no tag is
 * on it twice.  Nothing waits for a device under it.
 */
static DEFINE_MUTEX(virtiofs_devices_lock);
static LIST_HEAD(virtiofs_devices);

/* How often a tag has come, and the waiters for the next one */
static atomic_t virtiofs_arrivals = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(virtiofs_arrival);

static struct virtiofs_device *device_find(const char *tag)
{
	struct virtiofs_device *dev;

	lockdep_assert_held(&virtiofs_devices_lock);

	list_for_each_entry(dev, &virtiofs_devices, node) {
		if (!strcmp(dev->tag, tag))
			return dev;
	}
	return NULL;
}

static bool device_has_session(struct virtiofs_device *dev)
{
	guard(mutex)(&dev->sessions_lock);
	return !list_empty(&dev->sessions);
}

/* From here on the device can be mounted */
static int device_list(struct virtiofs_device *dev)
{
	struct virtiofs_device *other;
	int err;

	scoped_guard(mutex, &virtiofs_devices_lock) {
		other = device_find(dev->tag);
		if (other) {
			dev_err(&dev->vdev->dev,
				"tag <%s> is that of %s already, give each device its own\n",
				dev->tag, dev_name(&other->vdev->dev));
			return -EEXIST;
		}
		err = virtiofs_sysfs_add(dev);
		if (err)
			return err;
		list_add_tail(&dev->node, &virtiofs_devices);
	}
	atomic_inc(&virtiofs_arrivals);
	wake_up_all(&virtiofs_arrival);
	dev_info(&dev->vdev->dev, "discovered new tag: %s\n", dev->tag);
	kobject_uevent(&dev->kobj, KOBJ_ADD);
	return 0;
}

/* Neither a mount nor a reset of the function finds the device any more */
static void device_unlist(struct virtiofs_device *dev)
{
	guard(mutex)(&virtiofs_devices_lock);
	list_del_init(&dev->node);
	dev_set_drvdata(&dev->vdev->dev, NULL);
}

/* The device that the driver has bound, referenced, or NULL */
static struct virtiofs_device *device_get_bound(struct virtio_device *vdev)
{
	struct virtiofs_device *dev;

	guard(mutex)(&virtiofs_devices_lock);
	dev = dev_get_drvdata(&vdev->dev);
	if (dev)
		kobject_get(&dev->kobj);
	return dev;
}

/* A tag that fills its field has no NUL there */
static int device_read_tag(struct virtiofs_device *dev)
{
	struct virtio_device *vdev = dev->vdev;

	virtio_cread_bytes(vdev, offsetof(struct virtio_fs_config, tag),
			   dev->tag, sizeof_field(struct virtio_fs_config, tag));
	if (!dev->tag[0]) {
		dev_err(&vdev->dev, "the tag is empty, so nothing could mount it\n");
		return -EINVAL;
	}
	/* It would fake lines in the uevent and in /proc/mounts */
	if (strchr(dev->tag, '\n')) {
		dev_err(&vdev->dev, "the tag has a newline in it: <%*pE>\n",
			(int)strlen(dev->tag), dev->tag);
		return -EINVAL;
	}
	return 0;
}

static int device_read_config(struct virtiofs_device *dev)
{
	struct virtio_device *vdev = dev->vdev;
	u32 nr;

	virtio_cread_le(vdev, struct virtio_fs_config, num_request_queues, &nr);
	if (!nr) {
		dev_err(&vdev->dev, "the device has no request queue\n");
		return -EINVAL;
	}
	/* A queue that no CPU uses would be a waste of memory */
	dev->nr_request = min(nr, num_possible_cpus());
	return device_read_tag(dev);
}

/* See struct virtiofs_vqs */
static void device_changed(struct virtiofs_vqs *vqs)
{
	struct virtiofs_device *dev = dev_get_drvdata(&vqs->vdev->dev);

	/* The caller may hold the mutex of the device, as one that resets it does */
	if (dev && !dev->gone)
		schedule_work(&dev->state_work);
}

static int device_start(struct virtiofs_device *dev)
{
	struct virtiofs_vqs *vqs;

	lockdep_assert_held(&dev->lock);

	vqs = virtiofs_vqs_start(dev->vdev, dev->nr_request,
				 &virtiofs_glue_vqs_ops, device_changed);
	if (IS_ERR(vqs))
		return PTR_ERR(vqs);
	dev->vqs = vqs;
	return 0;
}

/* Nothing touches the device after this */
static void device_stop(struct virtiofs_device *dev)
{
	device_unlist(dev);
	scoped_guard(mutex, &dev->lock) {
		/* A mount that has found it gets no session */
		dev->gone = true;
		if (dev->vqs) {
			/* Stop submissions, reset, end what the device had */
			virtiofs_vqs_kill(dev->vqs);
			virtiofs_vqs_put(dev->vqs);
			dev->vqs = NULL;
		} else {
			/* A start that failed may have left it in any state */
			virtiofs_reset(dev->vdev);
		}
	}
	cancel_work_sync(&dev->state_work);
}

static int virtiofs_probe(struct virtio_device *vdev)
{
	struct virtiofs_device *dev;
	int err;

	dev = kzalloc_obj(*dev);
	if (!dev)
		return -ENOMEM;
	virtiofs_sysfs_init_device(dev);
	INIT_LIST_HEAD(&dev->node);
	mutex_init(&dev->lock);
	mutex_init(&dev->sessions_lock);
	INIT_LIST_HEAD(&dev->sessions);
	dev->vdev = vdev;
	dev_set_drvdata(&vdev->dev, dev);

	err = device_read_config(dev);
	if (err)
		goto err_stop;
	scoped_guard(mutex, &dev->lock)
		err = device_start(dev);
	if (err)
		goto err_stop;
	err = device_list(dev);
	if (err)
		goto err_stop;
	return 0;

err_stop:
	device_stop(dev);
	kobject_put(&dev->kobj);
	return err;
}

/*
 * Mounts of the device live on until they are unmounted, and fail cleanly:
 * their sessions hold the dead queues and what is left of the device.
 */
static void virtiofs_remove(struct virtio_device *vdev)
{
	struct virtiofs_device *dev = dev_get_drvdata(&vdev->dev);

	device_stop(dev);
	/* Waits for the users of its files, none of which waits for the device now */
	virtiofs_sysfs_del(dev);
	/* Once, not for each call that will fail */
	if (device_has_session(dev))
		dev_notice(&vdev->dev, "removed while tag <%s> is mounted\n",
			   dev->tag);
	/* Sessions have references of their own */
	kobject_put(&dev->kobj);
}

/* The configuration never changes, so this is the device's call for help */
static void virtiofs_config_changed(struct virtio_device *vdev)
{
	struct virtiofs_vqs *vqs = READ_ONCE(vdev->priv);

	if (vqs)
		virtiofs_vqs_check_async(vqs);
}

/* Bring a device that was reset back to where a driver's probe finds it */
static int device_negotiate(struct virtio_device *vdev)
{
	int err = virtiofs_reset(vdev);

	if (err)
		return err;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	err = vdev->config->finalize_features(vdev);
	if (err)
		return err;
	/* A legacy device knows no such status */
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return 0;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		dev_err(&vdev->dev, "the device refuses its own features after a reset\n");
		return -ENODEV;
	}
	return 0;
}

/* Give the device new queues if a session before has lost its */
static int device_revive(struct virtiofs_device *dev)
{
	int err;

	lockdep_assert_held(&dev->lock);

	if (dev->vqs) {
		/* A kill that was meant for the last session must not meet the next one */
		virtiofs_vqs_flush_kill(dev->vqs);
		if (!virtiofs_vqs_are_dead(dev->vqs))
			return 0;
		virtiofs_vqs_put(dev->vqs);
		dev->vqs = NULL;
	}

	err = device_negotiate(dev->vdev);
	if (err)
		goto err_reset;
	err = device_start(dev);
	if (err)
		goto err_reset;
	device_changed(dev->vqs);
	return 0;

err_reset:
	virtiofs_reset(dev->vdev);
	return err;
}

/* See struct virtiofs_session */
static void session_release(struct virtiofs_session *session)
{
	struct virtiofs_device_session *ds =
		container_of(session, struct virtiofs_device_session, session);

	scoped_guard(mutex, &ds->dev->sessions_lock)
		list_del(&ds->node);
	virtiofs_vqs_put(session->vqs);
	kobject_put(&ds->dev->kobj);
	kfree(ds);
}

/* A session with @dev, whose reference it takes, or ERR_PTR() */
static struct virtiofs_session *session_new(struct virtiofs_device *dev)
{
	struct virtiofs_device_session *ds;
	int err = -ENOMEM;

	ds = kzalloc_obj(*ds);
	if (!ds)
		goto err_put_dev;
	ds->session.tag = dev->tag;
	ds->session.release = session_release;
	ds->dev = dev;

	scoped_guard(mutex, &dev->lock) {
		err = dev->gone ? -ENODEV : device_revive(dev);
		if (err)
			goto err_free_ds;
		ds->session.vqs = virtiofs_vqs_get(dev->vqs);
	}
	/*
	 * Not under the device's mutex: a prune may hold this one until an
	 * abort or removal of the device, which takes that.
	 */
	err = mutex_lock_killable(&dev->sessions_lock);
	if (err)
		goto err_put_vqs;
	list_add(&ds->node, &dev->sessions);
	mutex_unlock(&dev->sessions_lock);
	return &ds->session;

err_put_vqs:
	virtiofs_vqs_put(ds->session.vqs);
err_free_ds:
	kfree(ds);
err_put_dev:
	kobject_put(&dev->kobj);
	return ERR_PTR(err);
}

static struct virtiofs_device *device_get(const char *tag)
{
	struct virtiofs_device *dev;

	guard(mutex)(&virtiofs_devices_lock);
	dev = device_find(tag);
	if (dev)
		kobject_get(&dev->kobj);
	return dev;
}

static bool device_has_come(int arrivals)
{
	return atomic_read(&virtiofs_arrivals) != arrivals;
}

/*
 * As wait_event_killable_timeout(), for a task that does not keep the guest from suspending.  It
 * has a mutex of the context of its mount, for which no other task waits in earnest.
 */
static long device_wait_arrival(int arrivals, long timeout)
{
	return ___wait_event(virtiofs_arrival,
			     ___wait_cond_timeout(device_has_come(arrivals)),
			     (TASK_KILLABLE | TASK_FREEZABLE_UNSAFE), 0, timeout,
			     __ret = schedule_timeout(__ret));
}

/* The device, referenced, when it is there; or after a time NULL, or ERR_PTR() */
static struct virtiofs_device *device_wait(const char *tag, long timeout)
{
	struct virtiofs_device *dev;
	int arrivals;

	for (;;) {
		arrivals = atomic_read(&virtiofs_arrivals);
		dev = device_get(tag);
		if (dev || !timeout)
			return dev;
		timeout = device_wait_arrival(arrivals, timeout);
		if (timeout < 0)
			return ERR_PTR(-EINTR);
	}
}

/* Tell what could have been meant */
static int tag_not_found(struct fs_context *fsc)
{
	struct virtiofs_device *dev;
	struct seq_buf tags;
	char text[256];

	seq_buf_init(&tags, text, sizeof(text));
	scoped_guard(mutex, &virtiofs_devices_lock) {
		list_for_each_entry(dev, &virtiofs_devices, node)
			seq_buf_printf(&tags, " <%s>", dev->tag);
	}
	if (!seq_buf_used(&tags))
		return invalfc(fsc, "tag <%s> not found: there is no virtiofs device",
			       fsc->source);
	return invalfc(fsc, "tag <%s> not found, there is%s", fsc->source,
		       seq_buf_str(&tags));
}

/* Get the root of a file system whose session has begun, maybe long ago */
static int virtiofs_get_tree(struct fs_context *fsc)
{
	u64 patience = (u64)virtiofs_mount_tag_patience(fsc) * HZ;
	struct virtiofs_session *session;
	struct virtiofs_device *dev;
	int err;

	if (!fsc->source)
		return invalfc(fsc, "no source: give the tag of a virtiofs device");
	do {
		dev = device_wait(fsc->source, min_t(u64, patience, LONG_MAX));
		if (IS_ERR(dev))
			return PTR_ERR(dev);
		if (!dev)
			return tag_not_found(fsc);

		session = session_new(dev);
		if (IS_ERR(session)) {
			errorfc(fsc, "the device of tag <%s> cannot be used",
				fsc->source);
			return PTR_ERR(session);
		}
		err = virtiofs_mount_get_tree(fsc, session);
	} while (err == -ERESTARTNOINTR);
	return err;
}

static const struct fs_context_operations virtiofs_context_ops = {
	.free = virtiofs_mount_free_fs_context,
	.parse_param = virtiofs_mount_parse_param,
	.get_tree = virtiofs_get_tree,
	.reconfigure = virtiofs_mount_reconfigure,
};

static int virtiofs_init_fs_context(struct fs_context *fsc)
{
	if (fsc->purpose == FS_CONTEXT_FOR_SUBMOUNT)
		return virtiofs_mount_init_submount(fsc);

	fsc->ops = &virtiofs_context_ops;
	return virtiofs_mount_init_fs_context(fsc);
}

static struct file_system_type virtiofs_type = {
	.owner = THIS_MODULE,
	.name = "virtiofs",
	.fs_flags = VIRTIOFS_FS_FLAGS,
	.init_fs_context = virtiofs_init_fs_context,
	.kill_sb = virtiofs_mount_kill_sb,
};
MODULE_ALIAS_FS("virtiofs");

static const struct virtio_device_id virtiofs_ids[] = {
	{ VIRTIO_ID_FS, VIRTIO_DEV_ANY_ID },
	{}
};
MODULE_DEVICE_TABLE(virtio, virtiofs_ids);

/*
 * The virtio core resets a device when the guest wakes up, and that is the end of
 * a session: hosts forget all about it.  So the device can only be suspended
 * while it has no session.
 */
static int virtiofs_freeze(struct virtio_device *vdev)
{
	struct virtiofs_device *dev = dev_get_drvdata(&vdev->dev);

	guard(mutex)(&dev->lock);
	if (device_has_session(dev)) {
		dev_err(&vdev->dev, "suspend would end the session, unmount tag <%s> first\n",
			dev->tag);
		return -EBUSY;
	}
	if (dev->vqs)
		virtiofs_vqs_kill(dev->vqs);
	return 0;
}

/* The transport is about to reset the device's function, which ends the session as well */
static int __maybe_unused virtiofs_reset_prepare(struct virtio_device *vdev)
{
	struct virtiofs_device *dev = device_get_bound(vdev);

	if (!dev)
		return 0;
	scoped_guard(mutex, &dev->lock) {
		if (dev->vqs)
			virtiofs_vqs_kill(dev->vqs);
		dev->gone = true;
		if (device_has_session(dev))
			dev_notice(&vdev->dev, "reset while tag <%s> is mounted\n",
				   dev->tag);
	}
	kobject_put(&dev->kobj);
	return 0;
}

/*
 * The virtio core has reset the device.  If the driver was bound in the middle of a
 * reset of the function, this is the first that it hears of it: its queues are lost,
 * or not yet made.  If the device does not start now, it is tried again for the
 * next mount.
 */
static int virtiofs_restore(struct virtio_device *vdev)
{
	struct virtiofs_device *dev = device_get_bound(vdev);
	int err = 0;

	if (!dev)
		return 0;
	scoped_guard(mutex, &dev->lock) {
		/* It may have been removed in between, and that is final */
		if (dev_get_drvdata(&vdev->dev) != dev)
			break;
		dev->gone = false;
		if (!dev->vqs)
			break;
		virtiofs_vqs_kill(dev->vqs);
		err = device_revive(dev);
	}
	if (err)
		dev_err(&vdev->dev, "the device does not start again (%d)\n", err);
	kobject_put(&dev->kobj);
	return 0;
}

static struct virtio_driver virtiofs_driver = {
	/* Not that of the module, which may have another one */
	.driver.name = "virtiofs",
	.id_table = virtiofs_ids,
	.probe = virtiofs_probe,
	.remove = virtiofs_remove,
	.config_changed = virtiofs_config_changed,
	.freeze = pm_sleep_ptr(virtiofs_freeze),
	.restore = pm_sleep_ptr(virtiofs_restore),
	VIRTIOFS_RESET_METHODS(virtiofs_reset_prepare, virtiofs_restore)
};

static int __init virtiofs_init(void)
{
	int err;

	err = virtiofs_btf_check();
	if (err)
		return err;
	/* First, because this tells whether the name is free */
	err = register_filesystem(&virtiofs_type);
	if (err) {
		pr_err("virtiofs: this kernel has a virtiofs driver built in; boot it with initcall_blacklist=virtio_fs_init to have a module take its place\n");
		return err;
	}
	err = virtiofs_wq_init();
	if (err)
		goto err_unregister_fs;
	err = virtiofs_complete_init();
	if (err)
		goto err_wq_exit;
	err = virtiofs_sysfs_init();
	if (err)
		goto err_glue_exit;
	err = register_virtio_driver(&virtiofs_driver);
	if (err)
		goto err_sysfs_exit;
	return 0;

err_sysfs_exit:
	virtiofs_sysfs_exit();
err_glue_exit:
	virtiofs_complete_exit();
err_wq_exit:
	virtiofs_wq_exit();
err_unregister_fs:
	unregister_filesystem(&virtiofs_type);
	return err;
}
module_init(virtiofs_init);

static void __exit virtiofs_exit(void)
{
	unregister_virtio_driver(&virtiofs_driver);
	virtiofs_mount_wait_gone();
	virtiofs_sysfs_exit();
	virtiofs_complete_exit();
	virtiofs_wq_exit();
	unregister_filesystem(&virtiofs_type);
}
module_exit(virtiofs_exit);

MODULE_DESCRIPTION("Virtio file system driver");
MODULE_VERSION(VIRTIOFS_VERSION);
MODULE_LICENSE("GPL");
