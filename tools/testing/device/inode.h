/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files and directories that the guest knows by a node id, and how often
 * it has looked each of them up.
 *
 * A node id is never used twice, so a guest that goes on using one after it
 * has forgotten it is found out.
 */
#ifndef TESTDEV_INODE_H
#define TESTDEV_INODE_H

#include <linux/fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

/**
 * struct inode - a file or directory
 * @nodeid: the guest's name for it
 * @dev: the host's name for it
 * @ino: the host's name for it
 * @mode: file type, which never changes
 * @fd: O_PATH descriptor
 * @nlookup: how often the guest has been told @nodeid and has not forgotten it
 * @forgotten: how often it has forgotten it
 * @refs: pointers to this struct; one while the guest knows it
 * @tainted: a falsified reply was about it, so @nlookup may be too large
 * @next: in its hash bucket
 */
struct inode {
	uint64_t nodeid;
	dev_t dev;
	ino_t ino;
	mode_t mode;
	int fd;
	uint64_t nlookup;
	uint64_t forgotten;
	unsigned int refs;
	bool tainted;
	struct inode *next;
};

/**
 * struct inode_balance - what the guest still knows, without the root
 * @inodes: number of inodes
 * @lookups: sum of their lookup counts
 * @tainted: inodes that are not in those two, since a lie was told about them
 */
struct inode_balance {
	unsigned long inodes;
	unsigned long lookups;
	unsigned long tainted;
};

/* Long enough for /proc/self/fd/N */
#define FD_PATH_LEN 32

void inode_init(const char *dir);
void inode_reset(void);
struct inode *inode_get(uint64_t nodeid);
void inode_put(struct inode *inode);
int inode_lookup(int fd, struct fuse_entry_out *out);
void inode_forget(uint64_t nodeid, uint64_t n, unsigned int queue);
void inode_taint(uint64_t nodeid);
void inode_balance(struct inode_balance *balance);
void inode_print(FILE *out);

const char *fd_path(char *buf, int fd);
int inode_attr(const struct inode *inode, struct fuse_attr *attr);

#endif
