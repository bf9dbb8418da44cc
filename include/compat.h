/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What other kernels than the newest spell in another way.  Included before
 * every source file; spellings only, no logic.  The Makefile greps the
 * kernel tree and defines VIRTIOFS_HAVE_x for what it finds there.
 */
#ifndef _VIRTIOFS_COMPAT_H
#define _VIRTIOFS_COMPAT_H

#include <linux/cleanup.h>
#include <linux/group_cpus.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* In a kernel tree there is none but the kernel's */
#ifndef VIRTIOFS_VERSION
#define VIRTIOFS_VERSION	"unversioned"
#endif

#ifdef VIRTIOFS_HAVE_VIRTQUEUE_INFO
#define VIRTIOFS_HAVE_GROUP_CPUS
#else
#include <linux/virtio_config.h>

struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};

static inline int compat_find_vqs(struct virtio_device *vdev, unsigned int nr,
				  struct virtqueue *rings[],
				  struct virtqueue_info info[],
				  struct irq_affinity *desc)
{
	vq_callback_t **callbacks __free(kfree) = NULL;
	const char **names __free(kfree) = NULL;
	unsigned int i;

	callbacks = kcalloc(nr, sizeof(*callbacks), GFP_KERNEL);
	names = kcalloc(nr, sizeof(*names), GFP_KERNEL);
	if (!callbacks || !names)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		callbacks[i] = info[i].callback;
		names[i] = info[i].name;
	}
	return virtio_find_vqs(vdev, nr, rings, callbacks, names, desc);
}

#define virtio_find_vqs(...)	compat_find_vqs(__VA_ARGS__)
#endif

#ifdef VIRTIOFS_HAVE_GROUP_CPUS_NUMMASKS
static inline struct cpumask *virtiofs_group_cpus(unsigned int nr)
{
	unsigned int nr_masks;

	return group_cpus_evenly(nr, &nr_masks);
}
#elif defined(VIRTIOFS_HAVE_GROUP_CPUS)
static inline struct cpumask *virtiofs_group_cpus(unsigned int nr)
{
	return group_cpus_evenly(nr);
}
#else
/* There is such a function, but not for modules */
static inline struct cpumask *virtiofs_group_cpus(unsigned int nr)
{
	return NULL;
}
#endif

#ifndef kzalloc_obj
/* The second argument, with nothing added: what was given, or the default. */
#define compat_gfp(nothing, gfp, ...)	((nothing) | (gfp))
#define kzalloc_obj(obj, ...)						\
	kzalloc(sizeof(obj), compat_gfp(0, ##__VA_ARGS__, GFP_KERNEL))
#endif

#ifndef __counted_by
#define __counted_by(member)
#endif

#ifndef VIRTIOFS_HAVE_SEQ_BUF_STR
#include <linux/seq_buf.h>

static inline const char *seq_buf_str(struct seq_buf *s)
{
	seq_buf_terminate(s);
	return s->buffer;
}
#endif

#ifndef VIRTIOFS_HAVE_INODE_STATE
#define inode_state_read(inode)	((inode)->i_state)
#endif

#ifdef VIRTIOFS_HAVE_SHRINK_POINTER
#define compat_sb_shrinker(sb)	((sb)->s_shrink)
#else
#define compat_sb_shrinker(sb)	(&(sb)->s_shrink)
#endif

#ifdef VIRTIOFS_HAVE_UEVENT_CONST
#define VIRTIOFS_UEVENT_CONST	const
#else
#define VIRTIOFS_UEVENT_CONST
#endif

/* A FUSE client that knows nothing of idmapped mounts would show wrong owners */
#ifdef VIRTIOFS_HAVE_FUSE_IDMAP
#define VIRTIOFS_FS_FLAGS	FS_ALLOW_IDMAP
#else
#define VIRTIOFS_FS_FLAGS	0
#endif

/* Methods of a virtio driver for a reset of its device by the transport */
#ifdef VIRTIOFS_HAVE_RESET_METHODS
#define VIRTIOFS_RESET_METHODS(prepare, done)				\
	.reset_prepare = (prepare), .reset_done = (done),
#else
#define VIRTIOFS_RESET_METHODS(prepare, done)
#endif

/* Without a sparse map, memory is in one piece and cannot be plugged */
#ifdef CONFIG_SPARSEMEM
#define VIRTIOFS_PAGES_PER_SECTION	PAGES_PER_SECTION
#else
#define VIRTIOFS_PAGES_PER_SECTION	(1UL << (BITS_PER_LONG - 1 - PAGE_SHIFT))
#endif

#ifndef VIRTIOFS_HAVE_WQ_PERCPU
#define WQ_PERCPU	0
#endif

#endif
