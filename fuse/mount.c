// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts: a session with a device becomes a FUSE connection and a superblock.
 *
 * Knows the FUSE client's private structures.  Knows no virtio.
 */

#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/wait_bit.h>

#include "conn.h"

/* Bytes that are read ahead */
#define GLUE_READAHEAD		SZ_1M

/* Share of all that may be dirty in this kernel, in percent */
#define GLUE_DIRTY_RATIO	40

/* As long as most requests take that the host has in its cache, and not much longer */
#define GLUE_POLL_US		200

static unsigned int glue_poll_us = GLUE_POLL_US;

static int mount_poll_us_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, GLUE_POLL_US_MAX);
}

static const struct kernel_param_ops glue_poll_us_ops = {
	.set = mount_poll_us_set,
	.get = param_get_uint,
};
module_param_cb(poll_us, &glue_poll_us_ops, &glue_poll_us, 0644);
__MODULE_PARM_TYPE(poll_us, "uint");
MODULE_PARM_DESC(poll_us, "Microseconds to poll for a reply before sleeping, for mounts without the option of this name (0: not at all; 200 is the default)");

static unsigned int glue_timeout;
module_param_named(timeout, glue_timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "Seconds that the device has to answer a request, for mounts without the option of this name (0, the default: for ever)");

enum {
	GLUE_OPT_DAX,
	GLUE_OPT_DAX_MODE,
	GLUE_OPT_TIMEOUT,
	GLUE_OPT_MAX_INODES,
	GLUE_OPT_POLL_US,
	GLUE_OPT_WAIT,
};

/**
 * struct glue_fs_context - what a mount asks for
 * @fuse: the FUSE client's part, to which fsc->fs_private points
 * @given: a bit for each of the options that were given
 * @timeout: see struct glue_conn
 * @max_inodes: see struct glue_conn
 * @poll_us: see struct glue_conn
 * @wait: seconds to wait for the tag
 */
struct glue_fs_context {
	struct fuse_fs_context fuse;
	unsigned long given;
	unsigned int timeout;
	unsigned int max_inodes;
	unsigned int poll_us;
	unsigned int wait;
};

static struct glue_fs_context *glue_context_of(struct fs_context *fsc)
{
	return container_of((struct fuse_fs_context *)fsc->fs_private,
			    struct glue_fs_context, fuse);
}

static void mount_conn_free(struct glue_conn *conn)
{
	if (!conn)
		return;
	virtiofs_complete_free(conn->completions);
	virtiofs_stats_free(conn->latency);
	kfree(conn);
}

/* Connections that the FUSE client has not freed */
static atomic_t glue_nr_conns = ATOMIC_INIT(0);

/*
 * The FUSE client's last call, by RCU.  Its control file system may hold a connection
 * a little longer than the superblock lives, which holds the module.
 */
static void mount_conn_gone(struct fuse_conn *fc)
{
	fuse_free_conn(fc);
	if (atomic_dec_and_test(&glue_nr_conns))
		wake_up_var(&glue_nr_conns);
}

/**
 * virtiofs_mount_wait_gone() - wait until there is no connection any more
 *
 * The module's text is freed a grace period later than this returns, so the RCU
 * callback that has woken the caller will have returned from there.
 *
 * Context: module exit, when there is no superblock.
 */
void virtiofs_mount_wait_gone(void)
{
	wait_var_event(&glue_nr_conns, !atomic_read(&glue_nr_conns));
}

/**
 * virtiofs_mount_conn_release() - end a connection
 * @fiq: of the connection
 *
 * Context: process context, may sleep.
 */
void virtiofs_mount_conn_release(struct fuse_iqueue *fiq)
{
	struct glue_conn *conn = fiq->priv;

	conn->session->release(conn->session);
	mount_conn_free(conn);
}

/*
 * The FUSE client aborts the connection: of its own, for "umount -f", or through its
 * control file system.  It has submitted what it had in the background; that, and what
 * the device has, ends with the device's reset.
 */
static int mount_abort(struct wait_queue_entry *entry, unsigned int mode,
		       int flags, void *key)
{
	struct glue_conn *conn = container_of(entry, struct glue_conn,
					      abort_entry);

	virtiofs_vqs_kill_async(conn->session->vqs);
	return 0;
}

static struct glue_conn *mount_conn_alloc(struct virtiofs_session *session)
{
	struct glue_conn *conn = kzalloc_obj(*conn);

	if (!conn)
		return NULL;
	conn->latency = virtiofs_stats_alloc();
	conn->completions = virtiofs_complete_alloc();
	if (!conn->latency || !conn->completions) {
		mount_conn_free(conn);
		return NULL;
	}
	conn->session = session;
	conn->stuck = U64_MAX;
	conn->init_error = -EINPROGRESS;
	xa_init(&conn->sbs);
	init_waitqueue_func_entry(&conn->abort_entry, mount_abort);
	INIT_LIST_HEAD(&conn->abort_entry.entry);
	virtiofs_watchdog_init(conn);
	INIT_WORK(&conn->abandon, virtiofs_abandon_killed);
	INIT_LIST_HEAD(&conn->orphans);
	INIT_LIST_HEAD(&conn->interrupts);
	spin_lock_init(&conn->lock);
	return conn;
}

/* What the FUSE client may do with a server that is the host */
static void mount_conn_limits(struct fuse_conn *fc,
			      struct virtiofs_session *session)
{
	unsigned int pages = virtiofs_vqs_ring_size(session->vqs) -
			     VIRTIOFS_VQ_OVERHEAD;

	fc->max_pages_limit = min(fc->max_pages_limit, pages);
	/* For a server that does not negotiate it */
	fc->max_pages = min(fc->max_pages, pages);
	glue_use_pages(fc);
	fc->auto_submounts = 1;
	fc->delete_stale = 1;
	fc->sync_fs = 1;
}

/* A connection and its mount, or ERR_PTR() with the session released */
static struct fuse_mount *mount_alloc(struct fs_context *fsc,
				      struct virtiofs_session *session)
{
	struct glue_conn *conn = mount_conn_alloc(session);
	struct fuse_mount *fm = kzalloc_obj(*fm);
	struct fuse_conn *fc = kzalloc_obj(*fc);

	if (!conn || !fm || !fc ||
	    glue_conn_init(fc, fm, fsc, &virtiofs_glue_fiq_ops, conn)) {
		kfree(fc);
		kfree(fm);
		mount_conn_free(conn);
		session->release(session);
		return ERR_PTR(-ENOMEM);
	}
	conn->fc = fc;
	conn->fm = fm;
	conn->timeout = glue_context_of(fsc)->timeout;
	conn->max_inodes = glue_context_of(fsc)->max_inodes;
	fc->release = mount_conn_gone;
	atomic_inc(&glue_nr_conns);
	mount_conn_limits(fc, session);
	return fm;
}

/* The FUSE client's functions, and ours where there is more to say */
static struct super_operations glue_super_ops;
static int (*glue_fuse_show_options)(struct seq_file *m, struct dentry *root);
static int (*glue_fuse_sync_fs)(struct super_block *sb, int wait);
static int (*glue_fuse_statfs)(struct dentry *dentry, struct kstatfs *buf);
static int (*glue_fuse_write_inode)(struct inode *inode,
				    struct writeback_control *wbc);

static int mount_show_options(struct seq_file *m, struct dentry *root)
{
	struct fuse_mount *fm = get_fuse_mount_super(root->d_sb);
	struct glue_conn *conn = glue_conn_of(fm->fc);
	unsigned int max_inodes = READ_ONCE(conn->max_inodes);
	unsigned int timeout = READ_ONCE(conn->timeout);
	unsigned int poll_us = READ_ONCE(conn->poll_us);

	if (timeout)
		seq_printf(m, ",timeout=%u", timeout);
	if (max_inodes)
		seq_printf(m, ",max_inodes=%u", max_inodes);
	if (poll_us != GLUE_POLL_US)
		seq_printf(m, ",poll_us=%u", poll_us);
	return glue_fuse_show_options(m, root);
}

/* Nothing is written yet to a server whose session has not begun */
static int mount_sync_fs(struct super_block *sb, int wait)
{
	struct fuse_conn *fc = get_fuse_conn_super(sb);

	if (!virtiofs_init_is_complete(glue_conn_of(fc)))
		return 0;
	return glue_fuse_sync_fs(sb, wait);
}

/* The FUSE client would wait for that with the superblock locked */
static int mount_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct fuse_conn *fc = get_fuse_conn_super(dentry->d_sb);

	if (virtiofs_init_is_complete(glue_conn_of(fc)))
		return glue_fuse_statfs(dentry, buf);
	buf->f_type = FUSE_SUPER_MAGIC;
	return 0;
}

/*
 * The FUSE client takes itself for the keeper of a directory's times where another file
 * system of the server begins.  It would search a handle to write them with, but only
 * files have a list of those: where that is, a directory has something else.
 */
static int mount_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	if (!S_ISREG(inode->i_mode))
		return 0;
	return glue_fuse_write_inode(inode, wbc);
}

/* The FUSE client gives its functions no name that we could see */
static int mount_override(struct super_block *sb)
{
	static DEFINE_MUTEX(lock);
	int err = virtiofs_inodes_add_sb(sb);

	if (err)
		return err;
	guard(mutex)(&lock);
	if (!glue_fuse_show_options) {
		glue_super_ops = *sb->s_op;
		glue_fuse_show_options = sb->s_op->show_options;
		glue_super_ops.show_options = mount_show_options;
		glue_fuse_sync_fs = sb->s_op->sync_fs;
		glue_super_ops.sync_fs = mount_sync_fs;
		glue_fuse_statfs = sb->s_op->statfs;
		glue_super_ops.statfs = mount_statfs;
		glue_fuse_write_inode = sb->s_op->write_inode;
		glue_super_ops.write_inode = mount_write_inode;
		virtiofs_inodes_override(&glue_super_ops);
	}
	sb->s_op = &glue_super_ops;
	glue_trust_server(sb);
	return 0;
}

/*
 * The host is as near as a disk, so more is read ahead than the FUSE client would.
 * More may be dirty, too, but not as much as could make others wait if the server
 * dies.
 */
static void mount_set_limits(struct backing_dev_info *bdi)
{
	bdi->ra_pages = GLUE_READAHEAD >> PAGE_SHIFT;
	bdi_set_max_ratio(bdi, GLUE_DIRTY_RATIO);
}

/*
 * For the VFS a superblock is born when the mount has got its root.  Here that is when
 * FUSE_INIT is complete, and until then all tasks that walk over superblocks would wait, as in
 * sync(2).  So it is born as soon as it lacks nothing but what the server says.
 */
static void mount_set_born(struct super_block *sb)
{
	/* A task that finds it born finds all of it */
	smp_store_release(&sb->s_flags, sb->s_flags | SB_ACTIVE | SB_BORN);
	/* Pairs with the barrier between a waiter's enqueueing and its test */
	smp_mb();
	wake_up_var(&sb->s_flags);
}

static int mount_fill_super(struct super_block *sb, struct fs_context *fsc)
{
	struct fuse_fs_context *ctx = fsc->fs_private;
	struct fuse_mount *fm = get_fuse_mount_super(sb);
	struct glue_conn *conn = glue_conn_of(fm->fc);
	int err;

	/* The host is trusted like a disk; its permissions are enforced here */
	ctx->allow_other = 1;
	ctx->default_permissions = 1;
	ctx->destroy = 1;
	ctx->rootmode = S_IFDIR;
	ctx->max_read = glue_max_direct(fm->fc);
	ctx->blksize = SECTOR_SIZE;

	err = fuse_fill_super_common(sb, ctx);
	if (!err)
		err = mount_override(sb);
	if (err)
		return err;
	mount_set_limits(sb->s_bdi);
	WRITE_ONCE(conn->poll_us, glue_context_of(fsc)->poll_us);
	add_wait_queue(&glue_fiq(fm->fc)->waitq, &conn->abort_entry);
	/* A reader that finds a mounted session finds all of it */
	smp_store_release(&conn->session->conn, conn);
	/* The reply changes the superblock's flags, without a lock */
	mount_set_born(sb);
	/* See virtiofs_init_wait() for what becomes of it */
	fuse_send_init(fm);
	return 0;
}

/*
 * A tag that is mounted already is the same file system, also if only a submount of
 * it is left, see virtiofs_mount_kill_sb().  The superblock of a submount is not, nor
 * is that of a session that was aborted, since a device gets new queues after that.
 */
static int mount_test_super(struct super_block *sb, struct fs_context *fsc)
{
	struct fuse_mount *old_fm = get_fuse_mount_super(sb);
	struct fuse_mount *new_fm = fsc->s_fs_info;
	struct glue_conn *old = glue_conn_of(old_fm->fc);
	struct glue_conn *new = glue_conn_of(new_fm->fc);

	return old->session->vqs == new->session->vqs && old->fm == old_fm;
}

static bool mount_is_given(struct glue_fs_context *ctx, unsigned int option)
{
	return ctx->given & BIT(option);
}

static int mount_check_dax(struct fs_context *fsc)
{
	if (glue_context_of(fsc)->fuse.dax_mode == FUSE_DAX_ALWAYS)
		return invalfc(fsc, "dax=always: the device has no DAX window");
	return 0;
}

/* A second mount is the same file system, and cannot have it in another way */
static int mount_check_same(struct fs_context *fsc, struct super_block *sb)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_conn_super(sb));
	struct glue_fs_context *ctx = glue_context_of(fsc);

	/* The other way round, the mount is what is read-only */
	if (sb_rdonly(sb) && !(fsc->sb_flags & SB_RDONLY)) {
		errorfc(fsc, "rw: the tag is mounted read-only");
		return -EBUSY;
	}
	if (mount_is_given(ctx, GLUE_OPT_TIMEOUT) &&
	    ctx->timeout != READ_ONCE(conn->timeout))
		return invalfc(fsc, "timeout=%u: the tag is mounted with %u",
			       ctx->timeout, READ_ONCE(conn->timeout));
	if (mount_is_given(ctx, GLUE_OPT_MAX_INODES) &&
	    ctx->max_inodes != READ_ONCE(conn->max_inodes))
		return invalfc(fsc, "max_inodes=%u: the tag is mounted with %u",
			       ctx->max_inodes, READ_ONCE(conn->max_inodes));
	if (mount_is_given(ctx, GLUE_OPT_POLL_US) &&
	    ctx->poll_us != READ_ONCE(conn->poll_us))
		return invalfc(fsc, "poll_us=%u: the tag is mounted with %u",
			       ctx->poll_us, READ_ONCE(conn->poll_us));
	return 0;
}

/* Begin the session, or see whether the mount is as the one before; unlocks the superblock */
static int mount_get_super(struct fs_context *fsc, struct super_block *sb)
{
	struct glue_conn *conn = glue_conn_of(get_fuse_conn_super(sb));
	int err;

	/* By the end of an older superblock, that sget_fc() has waited for */
	if (glue_is_killed(conn))
		err = -ERESTARTNOINTR;
	else if (sb->s_root)
		err = mount_check_same(fsc, sb);
	else
		err = mount_fill_super(sb, fsc);
	if (err)
		deactivate_locked_super(sb);
	else
		up_write(&sb->s_umount);
	return err;
}

/**
 * virtiofs_mount_get_tree() - get the root of a session's file system
 * @fsc: context made by virtiofs_mount_init_fs_context()
 * @session: the device's side; released by the FUSE client when it is done, or
 *	here if the mount fails or the file system is mounted already
 *
 * Waits for the server with no lock held.
 *
 * Context: process context, sleeps as virtiofs_init_wait() does.
 * Return: 0; -ERESTARTNOINTR if the queues were killed before the session has begun,
 * so that another one should be tried; or -errno with a message in the log of @fsc
 * where it helps.
 */
int virtiofs_mount_get_tree(struct fs_context *fsc,
			    struct virtiofs_session *session)
{
	struct super_block *sb;
	struct glue_conn *conn;
	struct fuse_mount *fm;
	int err;

	err = mount_check_dax(fsc);
	if (err) {
		session->release(session);
		return err;
	}

	fm = mount_alloc(fsc, session);
	if (IS_ERR(fm))
		return PTR_ERR(fm);

	fsc->s_fs_info = fm;
	sb = sget_fc(fsc, mount_test_super, set_anon_super_fc);
	err = PTR_ERR_OR_ZERO(sb);
	if (!err)
		err = mount_get_super(fsc, sb);
	/* Unless a new superblock took it, the mount was of no use */
	if (fsc->s_fs_info == fm)
		fuse_mount_destroy(fm);
	if (err)
		return err;

	conn = glue_conn_of(get_fuse_conn_super(sb));
	err = virtiofs_init_wait(fsc, conn);
	if (err) {
		deactivate_super(sb);
		return err;
	}
	/* As the VFS wants to have it */
	down_write(&sb->s_umount);
	fsc->root = dget(sb->s_root);
	return 0;
}

/* End the session with the host; takes as long as the device shows progress */
static void mount_conn_destroy(struct fuse_mount *fm)
{
	struct glue_conn *conn = glue_conn_of(fm->fc);

	if (IS_ENABLED(CONFIG_FUSE_DAX))
		fuse_dax_cancel_work(fm->fc);

	virtiofs_watchdog_begin_unmount(conn);

	/* The mounting tasks do not wait for a session any more */
	if (conn->init_error == -EINPROGRESS)
		virtiofs_vqs_kill(conn->session->vqs);

	/* DESTROY overtakes nothing, and the host forgets all inodes then */
	WRITE_ONCE(conn->closed, true);
	/* A task that has not seen that has sent its FORGET by then */
	synchronize_rcu();
	virtiofs_vqs_drain(conn->session->vqs);
	virtiofs_orphan_wait(conn);
	/* The watch has sent the last INTERRUPT for one by then */
	synchronize_rcu();
	/* Those that the FUSE client has kept back come when others are complete */
	while (glue_has_requests(fm->fc)) {
		schedule_timeout_uninterruptible(1);
		virtiofs_vqs_drain(conn->session->vqs);
	}
	/* The last of them may have been counted before it was complete */
	virtiofs_vqs_drain(conn->session->vqs);
	/* The FUSE client aborts the connection in the end, which is no abort */
	remove_wait_queue(&glue_fiq(fm->fc)->waitq, &conn->abort_entry);
	fuse_conn_destroy(fm);

	virtiofs_watchdog_end_unmount(conn);
	/* The next session may have the same queues: what was for this one is done */
	virtiofs_watchdog_stop(conn);
	virtiofs_vqs_flush_kill(conn->session->vqs);
}

/**
 * virtiofs_mount_kill_sb() - end a superblock
 * @sb: superblock of a mount or of a submount
 *
 * Each submount keeps the superblock of the share active, mounted or not, so that is
 * the last of the session, and another mount of the tag finds it.  Without a root the
 * mount has failed, and there was neither.
 *
 * Context: process context, sleeps until DESTROY is complete, or
 * has shown no progress for 30 seconds and was reset.  While the session
 * goes on for other superblocks, until the requests that keep inodes of @sb are complete.
 */
void virtiofs_mount_kill_sb(struct super_block *sb)
{
	struct fuse_mount *fm = get_fuse_mount_super(sb);
	struct fuse_mount *share = glue_conn_of(fm->fc)->fm;
	struct super_block *kept = NULL;

	if (sb->s_root) {
		if (fm != share)
			kept = share->sb;
		if (fuse_mount_remove(fm))
			mount_conn_destroy(fm);
	}
	/* Unlocks it, too */
	kill_anon_super(sb);
	fuse_mount_destroy(fm);
	if (kept)
		deactivate_super(kept);
}

static const struct constant_table glue_dax_modes[] = {
	{ "inode",	FUSE_DAX_INODE_USER },
	{ "never",	FUSE_DAX_NEVER },
	{ "always",	FUSE_DAX_ALWAYS },
	{}
};

static const struct fs_parameter_spec glue_params[] = {
	fsparam_flag("dax", GLUE_OPT_DAX),
	fsparam_enum("dax", GLUE_OPT_DAX_MODE, glue_dax_modes),
	fsparam_u32("timeout", GLUE_OPT_TIMEOUT),
	fsparam_u32("max_inodes", GLUE_OPT_MAX_INODES),
	fsparam_u32("poll_us", GLUE_OPT_POLL_US),
	fsparam_u32("wait", GLUE_OPT_WAIT),
	{}
};

/**
 * virtiofs_mount_parse_param() - take a mount option
 * @fsc: context made by virtiofs_mount_init_fs_context()
 * @param: the option
 *
 * Return: 0, -ENOPARAM if the option is not known here, or -EINVAL.
 */
int virtiofs_mount_parse_param(struct fs_context *fsc,
			       struct fs_parameter *param)
{
	struct glue_fs_context *ctx = glue_context_of(fsc);
	struct fs_parse_result result;
	int opt = fs_parse(fsc, glue_params, param, &result);

	if (opt < 0)
		return opt;
	ctx->given |= BIT(opt);
	switch (opt) {
	case GLUE_OPT_DAX:
		ctx->fuse.dax_mode = FUSE_DAX_ALWAYS;
		return 0;
	case GLUE_OPT_DAX_MODE:
		ctx->fuse.dax_mode = result.uint_32;
		return 0;
	case GLUE_OPT_TIMEOUT:
		ctx->timeout = result.uint_32;
		return 0;
	case GLUE_OPT_MAX_INODES:
		ctx->max_inodes = result.uint_32;
		return 0;
	case GLUE_OPT_POLL_US:
		if (result.uint_32 > GLUE_POLL_US_MAX)
			return invalfc(fsc, "poll_us=%u: at most %u are possible",
				       result.uint_32, GLUE_POLL_US_MAX);
		ctx->poll_us = result.uint_32;
		return 0;
	case GLUE_OPT_WAIT:
		ctx->wait = result.uint_32;
		return 0;
	}
	return -ENOPARAM;
}

/**
 * virtiofs_mount_tag_patience() - how long a mount waits for its tag to appear
 * @fsc: context made by virtiofs_mount_init_fs_context()
 *
 * Return: a number of seconds.
 */
unsigned int virtiofs_mount_tag_patience(struct fs_context *fsc)
{
	return glue_context_of(fsc)->wait;
}

/**
 * virtiofs_mount_reconfigure() - change a mount
 * @fsc: context made by virtiofs_mount_init_fs_context(), for a remount
 *
 * Context: process context, may sleep.
 * Return: 0, or -errno with a message in the log of @fsc.
 */
int virtiofs_mount_reconfigure(struct fs_context *fsc)
{
	struct super_block *sb = fsc->root->d_sb;
	struct glue_conn *conn = glue_conn_of(get_fuse_conn_super(sb));
	struct glue_fs_context *ctx = glue_context_of(fsc);
	int err = mount_check_dax(fsc);

	if (err)
		return err;
	err = sync_filesystem(sb);
	if (err)
		return err;
	if (mount_is_given(ctx, GLUE_OPT_TIMEOUT))
		WRITE_ONCE(conn->timeout, ctx->timeout);
	if (mount_is_given(ctx, GLUE_OPT_MAX_INODES))
		virtiofs_inodes_set_max(conn->session, ctx->max_inodes);
	if (mount_is_given(ctx, GLUE_OPT_POLL_US))
		WRITE_ONCE(conn->poll_us, ctx->poll_us);
	return 0;
}

/**
 * virtiofs_mount_init_fs_context() - begin a mount
 * @fsc: gets the FUSE client's part of the context
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int virtiofs_mount_init_fs_context(struct fs_context *fsc)
{
	struct glue_fs_context *ctx = kzalloc_obj(*ctx);

	if (!ctx)
		return -ENOMEM;
	ctx->timeout = READ_ONCE(glue_timeout);
	ctx->poll_us = READ_ONCE(glue_poll_us);
	fsc->fs_private = &ctx->fuse;
	return 0;
}

/**
 * virtiofs_mount_free_fs_context() - undo virtiofs_mount_init_fs_context()
 * @fsc: the context
 */
void virtiofs_mount_free_fs_context(struct fs_context *fsc)
{
	if (fsc->fs_private)
		kfree(glue_context_of(fsc));
}

/* The FUSE client's functions of a submount */
static const struct fs_context_operations *glue_fuse_submount_ops;

static int mount_get_submount(struct fs_context *fsc)
{
	int err = READ_ONCE(glue_fuse_submount_ops)->get_tree(fsc);
	struct super_block *sb;

	if (err)
		return err;
	sb = fsc->root->d_sb;
	/* It is active, as the path to the submount begins there; see the end of @sb */
	atomic_inc(&glue_conn_of(get_fuse_conn_super(sb))->fm->sb->s_active);
	err = mount_override(sb);
	if (err) {
		dput(fsc->root);
		fsc->root = NULL;
		deactivate_locked_super(sb);
	}
	return err;
}

static const struct fs_context_operations glue_submount_ops = {
	.get_tree = mount_get_submount,
};

/**
 * virtiofs_mount_init_submount() - begin the mount of what the host announced
 * @fsc: context of a submount, which the FUSE client takes over
 *
 * Return: 0 or -errno.
 */
int virtiofs_mount_init_submount(struct fs_context *fsc)
{
	int err = fuse_init_fs_context_submount(fsc);

	if (!err) {
		WRITE_ONCE(glue_fuse_submount_ops, fsc->ops);
		fsc->ops = &glue_submount_ops;
	}
	return err;
}
