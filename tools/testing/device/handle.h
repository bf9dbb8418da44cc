/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Open files and directories, as the guest names them in fh.
 */
#ifndef TESTDEV_HANDLE_H
#define TESTDEV_HANDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct request;

/**
 * struct handle - an open file or directory
 * @fd: the host's descriptor
 * @refs: pointers to this struct; one while the guest has it open
 * @tainted: the reply with its number was falsified
 * @lock: held while a directory is read, since its position is shared
 */
struct handle {
	int fd;
	unsigned int refs;
	bool tainted;
	pthread_mutex_t lock;
};

uint64_t handle_add(int fd);
struct handle *handle_get(struct request *req, uint64_t fh);
bool handle_is_open(uint64_t fh);
void handle_put(struct handle *handle);
void handle_release(struct request *req, uint64_t fh);
void handle_taint(uint64_t fh);
void handle_reset(void);
unsigned long handle_count(void);

#endif
