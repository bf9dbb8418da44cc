/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The FUSE client's side of the driver, as the device's side sees it.
 */
#ifndef _VIRTIOFS_FUSE_GLUE_H
#define _VIRTIOFS_FUSE_GLUE_H

#include <linux/types.h>

struct fs_context;
struct fs_parameter;
struct glue_conn;
struct seq_file;
struct super_block;
struct virtiofs_vqs;
struct virtiofs_vqs_ops;

/**
 * struct virtiofs_session - what a mount holds of a device
 * @vqs: the queues, killed when the device goes or the session is aborted
 * @tag: name of the file system, for messages
 * @conn: the FUSE client's side, once it is mounted; NULL before
 * @release: called once, when the FUSE connection is gone; frees the session
 *
 * Belongs to the FUSE connection from virtiofs_mount_get_tree() on, however
 * that ends.
 */
struct virtiofs_session {
	struct virtiofs_vqs *vqs;
	const char *tag;
	struct glue_conn *conn;
	void (*release)(struct virtiofs_session *session);
};

extern const struct virtiofs_vqs_ops virtiofs_glue_vqs_ops;

int virtiofs_mount_init_fs_context(struct fs_context *fsc);
void virtiofs_mount_free_fs_context(struct fs_context *fsc);
int virtiofs_mount_init_submount(struct fs_context *fsc);
int virtiofs_mount_parse_param(struct fs_context *fsc,
			       struct fs_parameter *param);
unsigned int virtiofs_mount_tag_patience(struct fs_context *fsc);
int virtiofs_mount_reconfigure(struct fs_context *fsc);
int virtiofs_mount_get_tree(struct fs_context *fsc,
			    struct virtiofs_session *session);
void virtiofs_mount_kill_sb(struct super_block *sb);
void virtiofs_mount_wait_gone(void);

unsigned long virtiofs_init_max_read(struct virtiofs_session *session);
unsigned long virtiofs_init_max_write(struct virtiofs_session *session);

unsigned long virtiofs_poll_us(struct virtiofs_session *session);
int virtiofs_poll_set_us(struct virtiofs_session *session, unsigned int us);

unsigned long virtiofs_stats_errors(struct virtiofs_session *session);
unsigned long virtiofs_stats_oldest_ms(struct virtiofs_session *session);
void virtiofs_stats_show_latency(struct virtiofs_session *session,
				 struct seq_file *m);

unsigned long virtiofs_inodes_count(struct virtiofs_session *session);
unsigned long virtiofs_inodes_max(struct virtiofs_session *session);
int virtiofs_inodes_set_max(struct virtiofs_session *session, unsigned int max);
void virtiofs_inodes_prune(struct virtiofs_session *session);

/* Where the kernel's source was at hand, its version was compared with the kernel's */
#ifdef VIRTIOFS_BTF
int virtiofs_btf_check(void);
#else
static inline int virtiofs_btf_check(void)
{
	return 0;
}
#endif

int virtiofs_complete_init(void);
void virtiofs_complete_exit(void);

#endif
