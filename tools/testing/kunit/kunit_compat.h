/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KUnit and virtio of older kernels lack that the suites use.  Found by
 * the headers that there are, since nothing but the suites needs it.
 */
#ifndef VIRTIOFS_KUNIT_COMPAT_H
#define VIRTIOFS_KUNIT_COMPAT_H

#include <linux/device.h>
#include <linux/err.h>
#include <linux/slab.h>

#include <kunit/test.h>
#include <kunit/resource.h>

#if __has_include(<kunit/device.h>)
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
	return kunit_alloc_resource(test, NULL, kunit_compat_run, GFP_KERNEL, one) ? 0 : -ENOMEM;
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

/* A method of a device, which a function in the newest form serves */
#ifdef VIRTIOFS_HAVE_VIRTQUEUE_INFO
#define MOCK_FIND_VQS(method, find)					\
static int method(struct virtio_device *vdev, unsigned int nr,		\
		struct virtqueue *rings[], struct virtqueue_info info[], \
		struct irq_affinity *desc)				\
{									\
	return find(vdev, nr, rings, info);				\
}
#else
#define MOCK_FIND_VQS(method, find)					\
static int method(struct virtio_device *vdev, unsigned int nr,		\
		struct virtqueue *rings[], vq_callback_t *callbacks[],	\
		const char * const names[], const bool *contexts,	\
		struct irq_affinity *desc)				\
{									\
	struct virtqueue_info info[MOCK_MAX_QUEUES];			\
	unsigned int i;							\
									\
	for (i = 0; i < min_t(unsigned int, nr, MOCK_MAX_QUEUES); i++) { \
		info[i].name = names[i];				\
		info[i].callback = callbacks[i];			\
	}								\
	return find(vdev, nr, rings, info);				\
}
#endif

#endif
