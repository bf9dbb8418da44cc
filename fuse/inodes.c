// SPDX-License-Identifier: GPL-2.0
/*
 * How many inodes a mount keeps: the host has a file open for each of them, for
 * as long as the guest has it in its cache.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/fs.h>
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

#include "conn.h"

/* So many dentries are scanned before it is asked whether that was enough */
#define GLUE_PRUNE_BATCH	32

/**
 * struct glue_sb - the inodes of a superblock
 * @sb: the superblock; init-only
 * @inodes: their number
 * @rcu: frees it
 */
struct glue_sb {
	struct super_block *sb;
	atomic_long_t inodes;
	struct rcu_head rcu;
};

/* The FUSE client's functions */
static struct inode *(*inodes_fuse_alloc)(struct super_block *sb);
static void (*inodes_fuse_evict)(struct inode *inode);

static struct glue_sb *inodes_sb_of(struct glue_conn *conn,
				    struct super_block *sb)
{
	return xa_load(&conn->sbs, sb->s_dev);
}

static bool inodes_are_too_many(struct glue_conn *conn)
{
	unsigned int max = READ_ONCE(conn->max_inodes);

	return max && atomic_long_read(&conn->inodes) > max;
}

/*
 * The limit cannot hold when more inodes are in use.  A quarter of it may then be unused all
 * the same: without any, each walk of a path would ask the server anew, for everybody.
 */
static bool inodes_are_to_prune(struct glue_conn *conn, struct super_block *sb)
{
	return inodes_are_too_many(conn) &&
	       list_lru_count(&sb->s_dentry_lru) >
	       READ_ONCE(conn->max_inodes) / 4;
}

/*
 * Have the VFS prune dentries of one list, the oldest first, until there are
 * few enough inodes: the FUSE client keeps none without a dentry.  The first
 * time that a dentry comes up that was used again, it is spared.  Returns
 * false if the VFS does not want to now.
 */
static bool inodes_prune_list(struct glue_conn *conn, struct super_block *sb,
			      int nid, struct mem_cgroup *memcg)
{
	unsigned long nr = list_lru_count_one(&sb->s_dentry_lru, nid, memcg);
	struct shrinker *shrinker = compat_sb_shrinker(sb);
	struct shrink_control sc = {
		.gfp_mask = current_gfp_context(GFP_KERNEL),
		.nid = nid,
		.memcg = memcg,
	};
	unsigned long scanned;

	for (scanned = 0; scanned < 2 * nr; scanned += GLUE_PRUNE_BATCH) {
		if (!inodes_are_to_prune(conn, sb))
			break;
		sc.nr_to_scan = GLUE_PRUNE_BATCH;
		if (shrinker->scan_objects(shrinker, &sc) == SHRINK_STOP)
			return false;
		cond_resched();
	}
	return true;
}

/* Lists are by memory node and by memory cgroup, of which the caller's is tried */
static void inodes_prune_sb(struct glue_conn *conn, struct super_block *sb,
			    struct mem_cgroup *memcg)
{
	int nid;

	for_each_online_node(nid) {
		if (!inodes_prune_list(conn, sb, nid, memcg))
			return;
	}
	/* What is left is of other memory cgroups: they lose all that is not in use */
	if (inodes_are_to_prune(conn, sb))
		shrink_dcache_sb(sb);
}

/* Nothing waits for the end of a mount, which takes all inodes anyway */
static void inodes_prune(struct glue_conn *conn)
{
	struct fuse_conn *fc = conn->fc;
	struct mem_cgroup *memcg;
	struct fuse_mount *fm;

	if (!down_read_trylock(&fc->killsb))
		return;
	memcg = get_mem_cgroup_from_mm(current->mm);
	list_for_each_entry(fm, &fc->mounts, fc_entry) {
		/* The end of a superblock frees its shrinker first, under s_umount */
		if (!fm->sb || !inodes_are_too_many(conn) ||
		    !down_read_trylock(&fm->sb->s_umount))
			continue;
		inodes_prune_sb(conn, fm->sb, memcg);
		up_read(&fm->sb->s_umount);
	}
	mem_cgroup_put(memcg);
	up_read(&fc->killsb);
}

/*
 * A task that wants one inode too many makes room for it.  That is what it would do as
 * well if there were no memory for the inode, so the locks that it holds are no
 * hindrance.
 */
static struct inode *inodes_alloc(struct super_block *sb)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_mount_super(sb)->fc);
	struct inode *inode = inodes_fuse_alloc(sb);

	if (!inode)
		return NULL;
	atomic_long_inc(&conn->inodes);
	atomic_long_inc(&inodes_sb_of(conn, sb)->inodes);
	if (unlikely(inodes_are_too_many(conn)))
		inodes_prune(conn);
	return inode;
}

static void inodes_forget(struct fuse_conn *fc,
			  struct fuse_forget_link *forget, u64 nodeid,
				   u64 nlookup)
{
	forget->forget_one.nodeid = nodeid;
	forget->forget_one.nlookup = nlookup;
	virtiofs_order_send_forget(glue_conn_of(fc), forget);
}

/*
 * From the beginning of its superblock's end on the FUSE client gives no inode back,
 * which only DESTROY makes up for.  What it has given back it does not point to any more.
 */
static void inodes_evict(struct inode *inode)
{
	struct fuse_inode *fi = get_fuse_inode(inode);
	struct fuse_conn *fc = get_fuse_conn(inode);
	struct fuse_submount_lookup *shared;

	inodes_fuse_evict(inode);
	if (fi->nlookup && fi->forget) {
		inodes_forget(fc, fi->forget, fi->nodeid, fi->nlookup);
		fi->forget = NULL;
	}
	/* A submount's root shares a lookup with the directory that it covers */
	shared = fi->submount_lookup;
	fi->submount_lookup = NULL;
	if (shared && refcount_dec_and_test(&shared->count)) {
		inodes_forget(fc, shared->forget, shared->nodeid, 1);
		kfree(shared);
	}
}

/* The last of a superblock may be what its end waits for: then both go at once */
static void inodes_destroy(struct inode *inode)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_conn(inode));
	struct glue_sb *counted = inodes_sb_of(conn, inode->i_sb);

	atomic_long_dec(&conn->inodes);
	if (atomic_long_dec_and_test(&counted->inodes))
		wake_up_var(counted);
}

/*
 * A file that is closed while some of it is read ahead keeps its inode until the
 * READ is complete, and RELEASE then.  Only with its last superblock does
 * the FUSE client wait for requests.
 */
static void inodes_put_super(struct super_block *sb)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_mount_super(sb)->fc);
	struct glue_sb *counted = inodes_sb_of(conn, sb);

	wait_var_event(counted, !atomic_long_read(&counted->inodes));
	xa_erase(&conn->sbs, sb->s_dev);
	kfree_rcu(counted, rcu);
}

/**
 * virtiofs_inodes_override() - count inodes
 * @ops: functions of superblocks, which are the FUSE client's so far
 */
void virtiofs_inodes_override(struct super_operations *ops)
{
	inodes_fuse_alloc = ops->alloc_inode;
	ops->alloc_inode = inodes_alloc;
	inodes_fuse_evict = ops->evict_inode;
	ops->evict_inode = inodes_evict;
	/* The FUSE client has none of these */
	ops->destroy_inode = inodes_destroy;
	ops->put_super = inodes_put_super;
}

/**
 * virtiofs_inodes_add_sb() - count inodes of a superblock
 * @sb: gets the functions of virtiofs_inodes_override() next, and has no inode but
 *	its root
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_inodes_add_sb(struct super_block *sb)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_mount_super(sb)->fc);
	struct glue_sb *counted = kzalloc_obj(*counted);
	int err;

	if (!counted)
		return -ENOMEM;
	counted->sb = sb;
	atomic_long_set(&counted->inodes, 1);
	err = xa_insert(&conn->sbs, sb->s_dev, counted, GFP_KERNEL);
	if (err) {
		kfree(counted);
		return err;
	}
	atomic_long_inc(&conn->inodes);
	return 0;
}

/* An inode is filled in after others can find it */
static bool inodes_is_new(struct inode *inode)
{
	scoped_guard(spinlock, &inode->i_lock)
		return inode_state_read(inode) & I_NEW;
	return false;
}

static int inodes_match(struct inode *inode, void *nodeid)
{
	return get_node_id(inode) == *(u64 *)nodeid;
}

/**
 * virtiofs_inodes_next() - find an inode by the server's number
 * @conn: the connection
 * @nodeid: the number
 * @dev: where to go on; 0 at first
 *
 * What lies in a submount has an inode for each place at which that is walked into.
 * Takes none of the FUSE client's locks, as the caller may have some.  Nothing is
 * cached yet of an inode that is being made, and so it is left out.
 *
 * Context: any but interrupts.  Does not sleep.
 * Return: the next inode, referenced, or NULL if there is no more.
 */
struct inode *virtiofs_inodes_next(struct glue_conn *conn, u64 nodeid,
				   unsigned long *dev)
{
	struct glue_sb *counted;
	struct inode *inode;
	unsigned long index;

	guard(rcu)();
	xa_for_each_start(&conn->sbs, index, counted, *dev) {
		*dev = index + 1;
		inode = find_inode_rcu(counted->sb, nodeid, inodes_match,
				       &nodeid);
		if (inode && !inodes_is_new(inode) && igrab(inode))
			return inode;
	}
	return NULL;
}

/**
 * virtiofs_inodes_count() - number of inodes that are in the cache or in use
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: the number, submounts included.
 */
unsigned long virtiofs_inodes_count(struct virtiofs_session *session)
{
	return atomic_long_read(&session->conn->inodes);
}

/**
 * virtiofs_inodes_max() - most inodes that are to be in the cache
 * @session: a session that is mounted
 *
 * Context: any.
 * Return: the number, or 0 if there is no limit.
 */
unsigned long virtiofs_inodes_max(struct virtiofs_session *session)
{
	return READ_ONCE(session->conn->max_inodes);
}

/**
 * virtiofs_inodes_set_max() - change the most inodes that are to be in the cache
 * @session: a session that is mounted
 * @max: the number, or 0 for no limit
 *
 * Context: process context, may sleep.
 * Return: 0.
 */
int virtiofs_inodes_set_max(struct virtiofs_session *session, unsigned int max)
{
	WRITE_ONCE(session->conn->max_inodes, max);
	inodes_prune(session->conn);
	return 0;
}

/**
 * virtiofs_inodes_prune() - drop all inodes that are not in use
 * @session: a session that is mounted
 *
 * The host knows of it when this returns, as far as the device is in time.
 *
 * Context: process context, may sleep.
 */
void virtiofs_inodes_prune(struct virtiofs_session *session)
{
	struct glue_conn *conn = session->conn;
	struct fuse_conn *fc = conn->fc;
	struct fuse_mount *fm;

	scoped_guard(rwsem_read, &fc->killsb) {
		list_for_each_entry(fm, &fc->mounts, fc_entry) {
			if (fm->sb)
				shrink_dcache_sb(fm->sb);
		}
	}
	virtiofs_vq_flush(glue_hiprio(conn));
}
