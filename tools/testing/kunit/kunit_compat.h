/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KUnit and virtio of older kernels lack that the suites use.
 */
#ifndef VIRTIOFS_KUNIT_COMPAT_H
#define VIRTIOFS_KUNIT_COMPAT_H

#include <linux/device.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>
#include <kunit/resource.h>

#ifdef VIRTIOFS_HAVE_KUNIT_DEVICE
#include <kunit/device.h>
#else

struct kunit_action {
	void (*action)(void *context);
	void *context;
};

static inline void kunit_compat_run(struct kunit_resource *res)
{
	struct kunit_action *one = res->data;

	one->action(one->context);
	kfree(one);
}

static inline int kunit_add_action(struct kunit *test, void (*action)(void *context), void *context)
{
	struct kunit_action *one = kmalloc(sizeof(*one), GFP_KERNEL);

	if (!one)
		return -ENOMEM;
	one->action = action;
	one->context = context;
	if (kunit_alloc_resource(test, NULL, kunit_compat_run, GFP_KERNEL, one))
		return 0;
	kfree(one);
	return -ENOMEM;
}

static inline int kunit_add_action_or_reset(struct kunit *test, void (*action)(void *context),
					    void *context)
{
	int err = kunit_add_action(test, action, context);

	if (err)
		action(context);
	return err;
}

static inline bool kunit_compat_is(struct kunit *test, struct kunit_resource *res, void *wanted)
{
	const struct kunit_action *one = res->data, *other = wanted;

	return res->free == kunit_compat_run && one->action == other->action &&
	       one->context == other->context;
}

static inline void kunit_release_action(struct kunit *test, void (*action)(void *context),
					void *context)
{
	struct kunit_action wanted = { action, context };

	kunit_destroy_resource(test, kunit_compat_is, &wanted);
}

static inline void kunit_compat_unregister(void *device)
{
	root_device_unregister(device);
}

static inline struct device *kunit_device_register(struct kunit *test, const char *name)
{
	struct device *device = __root_device_register(name, NULL);

	if (!IS_ERR(device) && kunit_add_action_or_reset(test, kunit_compat_unregister, device))
		return ERR_PTR(-ENOMEM);
	return device;
}

#define KUNIT_CASE_SLOW(name)	KUNIT_CASE(name)

/*
 * The suites of a module would run before its driver is there.  So each has a
 * parameter: 1 runs it, 0 is to be written before the module is unloaded.
 */
#ifdef MODULE
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>

static inline int kunit_compat_suite(const char *value, const struct kernel_param *param)
{
	struct kunit_suite *suites[] = { param->arg };
	bool yes;
	int err = kstrtobool(value, &yes);

	if (err)
		return err;
	if (yes)
		return __kunit_test_suites_init(suites, 1);
	__kunit_test_suites_exit(suites, 1);
	return 0;
}

#undef kunit_test_suite
#define kunit_test_suite(suite)						\
	static const struct kernel_param_ops suite##_ops = {		\
		.set = kunit_compat_suite,				\
	};								\
	module_param_cb(run_##suite, &suite##_ops, &(suite), 0200)
#endif
#endif

#ifndef VIRTIOFS_HAVE_IDMAP
#define nop_mnt_idmap	init_user_ns
#endif

/* Does the driver give the kernel's own memory to the device, for direct I/O? */
#ifdef VIRTIOFS_HAVE_FUSE_KVEC_PAGES
#define MOCK_MAPS_KERNEL_MEMORY	true
#else
#define MOCK_MAPS_KERNEL_MEMORY	false
#endif

/* A method of a device, for the function in the newest form that serves it */
#ifdef VIRTIOFS_HAVE_VIRTQUEUE_INFO
static inline int mock_compat_find_vqs(struct virtio_device *vdev, unsigned int nr,
				       struct virtqueue *rings[], struct virtqueue_info info[],
				       struct irq_affinity *desc)
{
	return mock_find_vqs(vdev, nr, rings, info);
}
#else
static inline int mock_compat_find_vqs(struct virtio_device *vdev, unsigned int nr,
				       struct virtqueue *rings[], vq_callback_t *callbacks[],
				       const char * const names[], const bool *contexts,
				       struct irq_affinity *desc)
{
	struct virtqueue_info info[MOCK_MAX_QUEUES];
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, nr, MOCK_MAX_QUEUES); i++) {
		info[i].name = names[i];
		info[i].callback = callbacks[i];
	}
	return mock_find_vqs(vdev, nr, rings, info);
}
#endif

#endif
