// SPDX-License-Identifier: GPL-2.0
/*
 * The virtqueues of a virtio-fs device together: from their start to the end of the device,
 * and which CPU has which of them.
 */

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/group_cpus.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "virtiofs_trace.h"
#include "virtqueue_internal.h"

/* Status of a device that is not there any more: reads find nothing but ones */
#define VQ_STATUS_GONE	0xff

/*
 * Runs the workers that complete requests.  Memory reclaim waits for them, so
 * there is a rescuer, and no work that might block shares it.
 */
struct workqueue_struct *virtiofs_wq;

/* Resets devices; apart, because memory reclaim may wait for that as well */
static struct workqueue_struct *virtiofs_kill_wq;

/*
 * With the last of its CPUs the interrupt of a queue is shut down, if the kernel manages it,
 * and started again with the first of them.  What the device has returned meanwhile is looked
 * for when either has happened.  The map needs no change: it has followed such interrupts,
 * so a queue whose interrupt is shut down is that of no CPU that is online.  What it has in
 * flight then, and what a task submits that has just left such a CPU, is for
 * virtiofs_vqs_reap() to find.
 */
static enum cpuhp_state vqs_cpu_dead_state;
static enum cpuhp_state vqs_cpu_online_state;

/* Context: CPU hotplug's lock is held, so no other but the queues' is taken */
static int vqs_cpu_dead(unsigned int cpu, struct hlist_node *node)
{
	virtiofs_vqs_reap(hlist_entry(node, struct virtiofs_vqs, cpu_dead));
	return 0;
}

static int vqs_cpu_online(unsigned int cpu, struct hlist_node *node)
{
	virtiofs_vqs_reap(hlist_entry(node, struct virtiofs_vqs, cpu_online));
	return 0;
}

/* Not before all requests have completed: CPU hotplug may wait for memory, and that for them */
static void vqs_unwatch_cpus(struct virtiofs_vqs *vqs)
{
	cpuhp_state_remove_instance_nocalls(vqs_cpu_online_state,
					    &vqs->cpu_online);
	cpuhp_state_remove_instance_nocalls(vqs_cpu_dead_state, &vqs->cpu_dead);
}

/* Without calls for CPUs that are online this cannot fail */
static void vqs_watch_cpus(struct virtiofs_vqs *vqs)
{
	cpuhp_state_add_instance_nocalls(vqs_cpu_dead_state, &vqs->cpu_dead);
	cpuhp_state_add_instance_nocalls(vqs_cpu_online_state, &vqs->cpu_online);
}

/* Give each request queue the CPUs that its interrupt goes to */
static bool vqs_map_by_interrupt(struct virtiofs_vqs *vqs)
{
	struct virtio_device *vdev = vqs->vdev;
	const struct cpumask *mask;
	unsigned int cpu, q;

	if (!vdev->config->get_vq_affinity)
		return false;
	for_each_possible_cpu(cpu)
		vqs->map[cpu] = 0;
	for (q = VIRTIOFS_VQ_REQUEST; q < vqs->nr; q++) {
		mask = vdev->config->get_vq_affinity(vdev, q);
		if (!mask || cpumask_empty(mask))
			return false;
		for_each_cpu(cpu, mask) {
			/* If they share CPUs, one of them might be left with none */
			if (vqs->map[cpu])
				return false;
			vqs->map[cpu] = q;
		}
	}
	for_each_possible_cpu(cpu) {
		if (!vqs->map[cpu])
			return false;
	}
	return true;
}

/* Without interrupts to go by, spread near CPUs over the same queue */
static void vqs_map_evenly(struct virtiofs_vqs *vqs)
{
	unsigned int nr = vqs->nr - VIRTIOFS_VQ_REQUEST;
	struct cpumask *masks;
	unsigned int cpu, q, i = 0;

	for_each_possible_cpu(cpu)
		vqs->map[cpu] = VIRTIOFS_VQ_REQUEST + i++ % nr;

	masks = virtiofs_group_cpus(nr);
	if (!masks)
		return;
	for (q = 0; q < nr; q++) {
		for_each_cpu(cpu, &masks[q])
			vqs->map[cpu] = VIRTIOFS_VQ_REQUEST + q;
	}
	kfree(masks);
}

static void vqs_map(struct virtiofs_vqs *vqs)
{
	if (!vqs_map_by_interrupt(vqs))
		vqs_map_evenly(vqs);
}

static int vqs_find(struct virtiofs_vqs *vqs)
{
	/* Forgets are no load, so their interrupt needs no CPU of its own */
	struct irq_affinity desc = { .pre_vectors = VIRTIOFS_VQ_REQUEST };
	struct virtqueue_info *info __free(kfree) = NULL;
	struct virtqueue **rings __free(kfree) = NULL;
	unsigned int i;
	int err;

	info = kcalloc(vqs->nr, sizeof(*info), GFP_KERNEL);
	rings = kcalloc(vqs->nr, sizeof(*rings), GFP_KERNEL);
	if (!info || !rings)
		return -ENOMEM;
	for (i = 0; i < vqs->nr; i++) {
		info[i].name = vqs->vq[i].name;
		info[i].callback = virtiofs_vq_callback;
	}
	err = virtio_find_vqs(vqs->vdev, vqs->nr, rings, info, &desc);
	if (err)
		return err;
	for (i = 0; i < vqs->nr; i++)
		vqs->vq[i].ring = rings[i];
	return 0;
}

/* Where the memory of a queue should be */
static int vqs_node(struct virtiofs_vqs *vqs, unsigned int q)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (vqs->map[cpu] == q)
			return cpu_to_node(cpu);
	}
	return NUMA_NO_NODE;
}

static int vqs_alloc_bufs(struct virtiofs_vqs *vqs)
{
	unsigned int i, size;
	int err;

	for (i = 0; i < vqs->nr; i++) {
		size = virtqueue_get_vring_size(vqs->vq[i].ring);
		if (size < VIRTIOFS_VQ_MIN_SIZE) {
			dev_err(&vqs->vdev->dev,
				"queue %s has %u entries, at least %u are needed\n",
				vqs->vq[i].name, size, VIRTIOFS_VQ_MIN_SIZE);
			return -EINVAL;
		}
		err = virtiofs_vq_alloc(&vqs->vq[i], vqs_node(vqs, i));
		if (err)
			return err;
	}
	return 0;
}

static void vqs_free(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++)
		virtiofs_vq_free(&vqs->vq[i]);
	kfree(vqs->map);
	kvfree(vqs);
}

static void vqs_kill_work(struct work_struct *work)
{
	virtiofs_vqs_kill(container_of(work, struct virtiofs_vqs, kill_work));
}

/* What is wrong with the device, or NULL */
static const char *vqs_device_fault(struct virtiofs_vqs *vqs)
{
	u8 status = vqs->vdev->config->get_status(vqs->vdev);

	if (status == VQ_STATUS_GONE)
		return "the device is gone";
	if (status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return "the device needs a reset";
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK))
		return "the device was reset, and not by its driver";
	return NULL;
}

static void vqs_check_work(struct work_struct *work)
{
	struct virtiofs_vqs *vqs = container_of(work, struct virtiofs_vqs,
						check_work);
	const char *fault = NULL;

	scoped_guard(mutex, &vqs->lock) {
		if (vqs->state != VIRTIOFS_KILLED)
			fault = vqs_device_fault(vqs);
		if (fault)
			dev_err(&vqs->vdev->dev, "%s\n", fault);
	}
	if (fault)
		virtiofs_vqs_kill(vqs);
}

static struct virtiofs_vqs *vqs_alloc(struct virtio_device *vdev,
				      unsigned int nr,
				      const struct virtiofs_vqs_ops *ops,
				      void (*changed)(struct virtiofs_vqs *))
{
	struct virtiofs_vqs *vqs;
	unsigned int i;

	vqs = kvzalloc(struct_size(vqs, vq, nr), GFP_KERNEL);
	if (!vqs)
		return NULL;
	vqs->nr = nr;
	vqs->map = kcalloc(nr_cpu_ids, sizeof(*vqs->map), GFP_KERNEL);
	if (!vqs->map) {
		kvfree(vqs);
		return NULL;
	}
	kref_init(&vqs->ref);
	vqs->vdev = vdev;
	vqs->index = vdev->index;
	vqs->changed = changed;
	mutex_init(&vqs->lock);
	INIT_WORK(&vqs->kill_work, vqs_kill_work);
	INIT_WORK(&vqs->check_work, vqs_check_work);
	for (i = 0; i < nr; i++)
		virtiofs_vq_init(vqs, i, ops);
	return vqs;
}

/**
 * virtiofs_vqs_start() - find the queues of a device and set it going
 * @vdev: a device whose features are negotiated and that has no queues
 * @nr_request: number of request queues, 1 to the number of possible CPUs
 * @ops: what the queues carry
 * @changed: see struct virtiofs_vqs
 *
 * Sets DRIVER_OK: the queues take submissions when this returns.
 *
 * Context: process context, may sleep.
 * Return: the queues with one reference, or ERR_PTR().
 */
struct virtiofs_vqs *virtiofs_vqs_start(struct virtio_device *vdev,
					unsigned int nr_request,
					const struct virtiofs_vqs_ops *ops,
					void (*changed)(struct virtiofs_vqs *))
{
	struct virtiofs_vqs *vqs;
	int err;

	vqs = vqs_alloc(vdev, VIRTIOFS_VQ_REQUEST + nr_request, ops, changed);
	if (!vqs)
		return ERR_PTR(-ENOMEM);

	err = vqs_find(vqs);
	if (err)
		goto err_free_vqs;
	vqs_map(vqs);
	err = vqs_alloc_bufs(vqs);
	if (err)
		goto err_del_rings;
	vqs_watch_cpus(vqs);
	/* A check of the device's status finds it started */
	scoped_guard(mutex, &vqs->lock) {
		/* The device's interrupt finds the queues by it, and must find them complete */
		smp_store_release(&vdev->priv, vqs);
		virtio_device_ready(vdev);
	}
	return vqs;

err_del_rings:
	vdev->config->del_vqs(vdev);
err_free_vqs:
	vqs_free(vqs);
	return ERR_PTR(err);
}

static void vqs_set_state(struct virtiofs_vqs *vqs,
			  enum virtiofs_vqs_state state)
{
	lockdep_assert_held(&vqs->lock);

	WRITE_ONCE(vqs->state, state);
	trace_virtiofs_state(vqs->index, state);
	vqs->changed(vqs);
}

/**
 * virtiofs_reset() - reset a device, unless it is gone
 * @vdev: the device
 *
 * A reset waits until the device confirms it, and there may be none.
 *
 * Context: process context, sleeps for the reset.
 * Return: 0, or -ENODEV for a device that is gone, and that nothing will be sent to.
 */
int virtiofs_reset(struct virtio_device *vdev)
{
	if (vdev->config->get_status(vdev) == VQ_STATUS_GONE) {
		virtio_break_device(vdev);
		return -ENODEV;
	}
	virtio_reset_device(vdev);
	return 0;
}

static void vqs_kill_locked(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++) {
		scoped_guard(vq, &vqs->vq[i])
			WRITE_ONCE(vqs->vq[i].dead, true);
	}
	/* A task that saw a living queue has notified it after this */
	synchronize_rcu();
	virtiofs_reset(vqs->vdev);
	/* The device's interrupt finds the queues by it */
	WRITE_ONCE(vqs->vdev->priv, NULL);
	/* A worker may wait for what another queue has */
	for (i = 0; i < vqs->nr; i++)
		virtiofs_vq_detach(&vqs->vq[i]);
	for (i = 0; i < vqs->nr; i++) {
		/* The first may have queued itself again; later ones have nothing of the ring's */
		flush_work(&vqs->vq[i].work);
		flush_work(&vqs->vq[i].work);
	}
	vqs->vdev->config->del_vqs(vqs->vdev);
}

/**
 * virtiofs_vqs_kill() - take the device away from its queues
 * @vqs: the queues
 *
 * Stops submissions, resets the device so that it gives up all memory, and has
 * what it had completed with -ECONNABORTED.  Later submissions end with -ENOTCONN.
 * When this returns nothing touches the device any more on behalf of these
 * queues, and a reset device can be started again.  Does nothing the second
 * time.
 *
 * Context: process context, sleeps for a reset of the device, and for the queues' workers.
 */
void virtiofs_vqs_kill(struct virtiofs_vqs *vqs)
{
	guard(mutex)(&vqs->lock);
	if (vqs->state == VIRTIOFS_KILLED)
		return;
	vqs_kill_locked(vqs);
	vqs_set_state(vqs, VIRTIOFS_KILLED);
}

/**
 * virtiofs_vqs_kill_async() - have virtiofs_vqs_kill() called soon
 * @vqs: the queues
 *
 * Context: any, does not sleep.  The caller's reference must last until the
 * queues are dead or be put by virtiofs_vqs_put().
 */
void virtiofs_vqs_kill_async(struct virtiofs_vqs *vqs)
{
	queue_work(virtiofs_kill_wq, &vqs->kill_work);
}

/**
 * virtiofs_vqs_check_async() - have the queues killed if the device needs that
 * @vqs: the queues
 *
 * The device says so by NEEDS_RESET (virtio specification 2.1.2); or it is gone, or
 * was reset by another driver, and will never return what it had.
 *
 * Context: any, does not sleep.  As for virtiofs_vqs_kill_async().
 */
void virtiofs_vqs_check_async(struct virtiofs_vqs *vqs)
{
	queue_work(virtiofs_kill_wq, &vqs->check_work);
}

/**
 * virtiofs_vqs_flush_kill() - wait for the calls of the two above so far
 * @vqs: the queues
 *
 * And for a virtiofs_vqs_kill() under way.
 *
 * Context: process context, sleeps for a reset of the device.
 */
void virtiofs_vqs_flush_kill(struct virtiofs_vqs *vqs)
{
	flush_work(&vqs->kill_work);
	flush_work(&vqs->check_work);
	virtiofs_vqs_are_dead(vqs);
}

/**
 * virtiofs_vqs_set_responding() - say whether the device replies in time
 * @vqs: the queues
 * @responding: does it?
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_set_responding(struct virtiofs_vqs *vqs, bool responding)
{
	enum virtiofs_vqs_state state = responding ? VIRTIOFS_RUNNING :
						     VIRTIOFS_NOT_RESPONDING;

	guard(mutex)(&vqs->lock);
	if (vqs->state == VIRTIOFS_KILLED || vqs->state == state)
		return;
	vqs_set_state(vqs, state);
}

/**
 * virtiofs_vqs_scan() - walk over all requests in flight
 * @vqs: the queues
 * @fn: called for each, queue by queue, the oldest first
 * @arg: for @fn
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if @fn has returned true.
 */
bool virtiofs_vqs_scan(struct virtiofs_vqs *vqs, virtiofs_scan_fn fn,
		       void *arg)
{
	struct virtiofs_buf *buf;
	struct virtiofs_vq *vq;
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		vq = &vqs->vq[i];
		scoped_guard(vq, vq) {
			list_for_each_entry(buf, &vq->in_ring, node) {
				if (fn(buf->link, buf->since, arg))
					return true;
			}
		}
	}
	return false;
}

/**
 * virtiofs_vq_scan_backlog() - walk over the requests on a backlog
 * @vq: the queue
 * @fn: called for each, the oldest first, with a @since of 0
 * @arg: for @fn
 *
 * A backlog may be as long as the server lets it be, and interrupts are off.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if @fn has returned true.
 */
bool virtiofs_vq_scan_backlog(struct virtiofs_vq *vq, virtiofs_scan_fn fn,
			      void *arg)
{
	struct llist_node *link;

	scoped_guard(vq, vq) {
		for (link = vq->backlog.first; link; link = link->next) {
			if (fn(link, 0, arg))
				return true;
		}
	}
	return false;
}

/**
 * virtiofs_vqs_scan_backlog() - walk over all requests on the backlogs
 * @vqs: the queues
 * @fn: called for each, queue by queue, the oldest first, with a @since of 0
 * @arg: for @fn
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if @fn has returned true.
 */
bool virtiofs_vqs_scan_backlog(struct virtiofs_vqs *vqs, virtiofs_scan_fn fn,
			       void *arg)
{
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		if (virtiofs_vq_scan_backlog(&vqs->vq[i], fn, arg))
			return true;
	}
	return false;
}

static bool vq_has(struct virtiofs_vq *vq, struct llist_node *link,
		   virtiofs_scan_fn fn, void *arg)
{
	struct virtiofs_buf *buf;

	scoped_guard(vq, vq) {
		list_for_each_entry(buf, &vq->in_ring, node) {
			if (buf->link == link) {
				fn(link, buf->since, arg);
				return true;
			}
		}
	}
	return false;
}

/**
 * virtiofs_vqs_has() - does the device have this request?
 * @vqs: the queues
 * @link: a submission; it may have completed, as only its address is used
 * @fn: called for it if the device has it
 * @arg: for @fn
 *
 * The request cannot complete before @fn has returned.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: true if the device has it.
 */
bool virtiofs_vqs_has(struct virtiofs_vqs *vqs, struct llist_node *link,
		      virtiofs_scan_fn fn, void *arg)
{
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		if (vq_has(&vqs->vq[i], link, fn, arg))
			return true;
	}
	return false;
}

/**
 * virtiofs_vqs_reap() - take what devices have returned without an interrupt
 * @vqs: the queues
 *
 * An interrupt may be lost, or switched off with the CPUs that it goes to.  With an event
 * index there is no other one after it until callbacks are enabled anew, as they are here.
 *
 * Context: any but interrupts.  Does not sleep.
 */
void virtiofs_vqs_reap(struct virtiofs_vqs *vqs)
{
	unsigned int i;

	for (i = 0; i < vqs->nr; i++)
		virtiofs_vq_reap(&vqs->vq[i]);
}

/**
 * virtiofs_vq_oldest() - how long the device has the oldest submission of a queue
 * @vq: the queue
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: a number of nanoseconds, or 0 if there is none.
 */
u64 virtiofs_vq_oldest(struct virtiofs_vq *vq)
{
	struct virtiofs_buf *buf;
	u64 since = 0;

	scoped_guard(vq, vq) {
		buf = list_first_entry_or_null(&vq->in_ring,
					       struct virtiofs_buf, node);
		if (buf)
			since = buf->since;
	}
	return since ? ktime_get_ns() - since : 0;
}

/**
 * virtiofs_vqs_oldest() - how long the device has the oldest of its requests
 * @vqs: the queues
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: a number of nanoseconds, or 0 if there is none.
 */
u64 virtiofs_vqs_oldest(struct virtiofs_vqs *vqs)
{
	unsigned int i;
	u64 age = 0;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++)
		age = max(age, virtiofs_vq_oldest(&vqs->vq[i]));
	return age;
}

/**
 * virtiofs_vqs_drain() - wait until all submissions are complete
 * @vqs: the queues
 *
 * A submission whose end submits another one is waited for with that.
 *
 * The wait is bounded by virtiofs_vqs_kill(), which the caller has to arrange for if the
 * device does not reply.
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_drain(struct virtiofs_vqs *vqs)
{
	unsigned int i;
	u64 completed;

	do {
		completed = virtiofs_vqs_completed(vqs);
		for (i = 0; i < vqs->nr; i++) {
			virtiofs_vq_flush(&vqs->vq[i]);
			wait_event(vqs->vq[i].idle,
				   !READ_ONCE(vqs->vq[i].pending));
		}
	} while (virtiofs_vqs_completed(vqs) != completed);
}

/**
 * virtiofs_vqs_cancel() - take a submission back that has not begun
 * @vqs: the queues
 * @link: a submission to one of the request queues
 *
 * Context: process context.  Does not sleep.
 * Return: true if the device never had the submission, and done() will not be
 * called for it; false if it is too late.
 */
bool virtiofs_vqs_cancel(struct virtiofs_vqs *vqs, struct llist_node *link)
{
	unsigned int i;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++) {
		if (virtiofs_vq_cancel(&vqs->vq[i], link))
			return true;
	}
	return false;
}

/**
 * virtiofs_vqs_are_dead() - has the device been taken away from its queues?
 * @vqs: the queues
 *
 * Context: process context, waits for a virtiofs_vqs_kill() under way.
 * Return: true after virtiofs_vqs_kill().
 */
bool virtiofs_vqs_are_dead(struct virtiofs_vqs *vqs)
{
	guard(mutex)(&vqs->lock);
	return vqs->state == VIRTIOFS_KILLED;
}

/**
 * virtiofs_vqs_get() - take a reference
 * @vqs: the queues
 *
 * Return: @vqs.
 */
struct virtiofs_vqs *virtiofs_vqs_get(struct virtiofs_vqs *vqs)
{
	kref_get(&vqs->ref);
	return vqs;
}

static void vqs_release(struct kref *ref)
{
	struct virtiofs_vqs *vqs = container_of(ref, struct virtiofs_vqs, ref);
	unsigned int i;

	vqs_unwatch_cpus(vqs);
	/* A submission may end before virtiofs_vq_submit() has returned, which may queue works */
	synchronize_rcu();
	for (i = 0; i < vqs->nr; i++)
		cancel_work_sync(&vqs->vq[i].work);
	cancel_work_sync(&vqs->check_work);
	cancel_work_sync(&vqs->kill_work);
	WARN_ON_ONCE(vqs->state != VIRTIOFS_KILLED);
	vqs_free(vqs);
}

/**
 * virtiofs_vqs_put() - drop a reference
 * @vqs: the queues, killed before the last reference goes
 *
 * Context: process context, may sleep.
 */
void virtiofs_vqs_put(struct virtiofs_vqs *vqs)
{
	kref_put(&vqs->ref, vqs_release);
}

/**
 * virtiofs_vqs_completed() - number of submissions that are complete so far
 * @vqs: the queues
 *
 * Context: any.
 * Return: a number for comparison with an earlier one.
 */
u64 virtiofs_vqs_completed(struct virtiofs_vqs *vqs)
{
	unsigned int i;
	u64 nr = 0;

	for (i = 0; i < vqs->nr; i++)
		nr += READ_ONCE(vqs->vq[i].completed);
	return nr;
}

/**
 * virtiofs_vqs_ring_size() - room in the smallest request queue
 * @vqs: the queues
 *
 * Context: any.
 * Return: number of descriptors, at least VIRTIOFS_VQ_MIN_SIZE.
 */
unsigned int virtiofs_vqs_ring_size(struct virtiofs_vqs *vqs)
{
	unsigned int i, size = UINT_MAX;

	for (i = VIRTIOFS_VQ_REQUEST; i < vqs->nr; i++)
		size = min(size, vqs->vq[i].sgl.max);
	return size;
}

static int vqs_cpu_init(void)
{
	int state;

	/* When the CPU is dead, and its interrupts were moved or shut down */
	state = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN, "fs/virtiofs:dead",
					NULL, vqs_cpu_dead);
	if (state < 0)
		return state;
	vqs_cpu_dead_state = state;
	/* When they are back */
	state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "fs/virtiofs:online",
					vqs_cpu_online, NULL);
	if (state < 0) {
		cpuhp_remove_multi_state(vqs_cpu_dead_state);
		return state;
	}
	vqs_cpu_online_state = state;
	return 0;
}

/**
 * virtiofs_wq_init() - create what the queues of all devices share
 *
 * Context: module init.
 * Return: 0 or -errno.
 */
int virtiofs_wq_init(void)
{
	int err = -ENOMEM;

	/* At the callers' priority, since they wait for it */
	virtiofs_wq = alloc_workqueue("virtiofs", WQ_MEM_RECLAIM | WQ_PERCPU,
				      0);
	if (!virtiofs_wq)
		return err;
	virtiofs_kill_wq = alloc_workqueue("virtiofs_kill", WQ_MEM_RECLAIM |
					   WQ_UNBOUND, 0);
	if (!virtiofs_kill_wq)
		goto err_destroy_wq;
	err = vqs_cpu_init();
	if (err)
		goto err_destroy_kill_wq;
	return 0;

err_destroy_kill_wq:
	destroy_workqueue(virtiofs_kill_wq);
err_destroy_wq:
	destroy_workqueue(virtiofs_wq);
	return err;
}

/**
 * virtiofs_wq_exit() - undo virtiofs_wq_init()
 *
 * Context: module exit, when all queues are gone.
 */
void virtiofs_wq_exit(void)
{
	cpuhp_remove_multi_state(vqs_cpu_online_state);
	cpuhp_remove_multi_state(vqs_cpu_dead_state);
	destroy_workqueue(virtiofs_kill_wq);
	destroy_workqueue(virtiofs_wq);
}
