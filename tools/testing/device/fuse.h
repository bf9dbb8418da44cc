/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The FUSE server over a directory of the host.
 *
 * libfuse's low-level server was considered and does not fit: it trusts the
 * lengths and strings in requests, since they come from its own kernel, while
 * here a broken driver must be counted and not crash the device; 3.17 knows
 * neither SYNCFS nor STATX nor COPY_FILE_RANGE_64; its session can't be ended
 * while requests are held back, as a reset of the device demands; and it
 * hides the INTERRUPT handling and the lookup counts that tests want to see.
 * What it would save, putting structs around system calls, is the small part.
 *
 * fuse.c has the table of opcodes and the session. Each handler gets a
 * request whose arguments are complete, whose names end with NUL and don't
 * lead out of a directory, and whose node exists. It returns the length of
 * the payload that it has put into request_reply(), or -errno.
 *
 * DAX (SETUPMAPPING, REMOVEMAPPING) and notifications are not built. Their
 * places are dax.c and notify.c beside the files named below, two lines in
 * the table, and in vhost.c the SHMEM messages and the layout of the queues.
 */
#ifndef TESTDEV_FUSE_H
#define TESTDEV_FUSE_H

#include <limits.h>
#include "request.h"

/* A handler's result: the request is parked and somebody else ends it. */
#define FUSE_PARKED INT_MAX

/* Requests' side */
bool fuse_op_replies(const struct request *req);
bool fuse_op_may_reply(unsigned int opcode);
bool fuse_op_is_hiprio(unsigned int opcode);
int fuse_carry_out(struct request *req);
void fuse_taint(const struct request *req);

/* For people */
const char *fuse_op_name(unsigned int opcode);
bool fuse_op_number(const char *name, unsigned int *opcode);

/* fuse_name.c: what has a parent and a name */
int fuse_lookup(struct request *req);
int fuse_mknod(struct request *req);
int fuse_mkdir(struct request *req);
int fuse_symlink(struct request *req);
int fuse_link(struct request *req);
int fuse_unlink(struct request *req);
int fuse_rmdir(struct request *req);
int fuse_rename(struct request *req);
int fuse_rename2(struct request *req);
int fuse_create(struct request *req);
int fuse_tmpfile(struct request *req);

/* fuse_attr.c: what an inode is */
int fuse_getattr(struct request *req);
int fuse_setattr(struct request *req);
int fuse_statx(struct request *req);
int fuse_readlink(struct request *req);
int fuse_statfs(struct request *req);
int fuse_setxattr(struct request *req);
int fuse_getxattr(struct request *req);
int fuse_listxattr(struct request *req);
int fuse_removexattr(struct request *req);

/* fuse_file.c: what an open file can do */
int fuse_open(struct request *req);
int fuse_read(struct request *req);
int fuse_write(struct request *req);
int fuse_flush(struct request *req);
int fuse_release(struct request *req);
int fuse_fsync(struct request *req);
int fuse_syncfs(struct request *req);
int fuse_fallocate(struct request *req);
int fuse_lseek(struct request *req);
int fuse_ioctl(struct request *req);
int fuse_copy_file_range(struct request *req);
int fuse_copy_file_range_64(struct request *req);
int open_flags(uint32_t guest_flags);

/* fuse_dir.c: reading directories */
int fuse_opendir(struct request *req);
int fuse_readdir(struct request *req);
int fuse_readdirplus(struct request *req);
int fuse_releasedir(struct request *req);

/* fuse_lock.c: locks between the guest's processes */
int fuse_getlk(struct request *req);
int fuse_setlk(struct request *req);
int fuse_setlkw(struct request *req);
void locks_release(struct request *req, uint64_t owner, bool flock);
void locks_close(struct request *req, uint64_t fh);
void locks_reset(void);
unsigned long locks_count(void);

#endif
