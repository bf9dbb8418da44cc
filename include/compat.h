/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What other kernels than the newest spell in another way.  Included before
 * every source file; spellings only, no logic.  The Makefile greps the
 * kernel tree and defines VIRTIOFS_HAVE_x for what it finds there.
 */
#ifndef _VIRTIOFS_COMPAT_H
#define _VIRTIOFS_COMPAT_H

#include <linux/group_cpus.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* In a kernel tree there is none but the kernel's */
#ifndef VIRTIOFS_VERSION
#define VIRTIOFS_VERSION	"unversioned"
#endif

#ifdef VIRTIOFS_HAVE_GROUP_CPUS_NUMMASKS
static inline struct cpumask *virtiofs_group_cpus(unsigned int nr)
{
	unsigned int nr_masks;

	return group_cpus_evenly(nr, &nr_masks);
}
#else
static inline struct cpumask *virtiofs_group_cpus(unsigned int nr)
{
	return group_cpus_evenly(nr);
}
#endif

#ifndef kzalloc_obj
/* The second argument, with nothing added: what was given, or the default. */
#define compat_gfp(nothing, gfp, ...)	((nothing) | (gfp))
#define kzalloc_obj(obj, ...)						\
	kzalloc(sizeof(obj), compat_gfp(0, ##__VA_ARGS__, GFP_KERNEL))
#endif

#ifndef VIRTIOFS_HAVE_INODE_STATE
#define inode_state_read(inode)	((inode)->i_state)
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
