/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the command line says, read by everybody and written by main.c only.
 */
#ifndef TESTDEV_OPTIONS_H
#define TESTDEV_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Queue 0 is hiprio, the request queues follow. */
#define MAX_REQUEST_QUEUES	8
#define MAX_QUEUES		(1 + MAX_REQUEST_QUEUES)
#define HIPRIO_QUEUE		0

/**
 * struct options - the command line
 * @socket: path of the vhost-user socket, on which the device listens
 * @control: path of the control socket, on which the device listens
 * @dir: directory that the guest sees as its root
 * @tag: the tag in the config space (vhost-user-fs has its own from QEMU)
 * @queues: number of request queues, without hiprio
 * @features_off: virtio feature bits that are not offered
 * @timeout: seconds for which the guest may cache attributes and names
 * @writeback: let the guest cache writes
 */
struct options {
	const char *socket;
	const char *control;
	const char *dir;
	const char *tag;
	unsigned int queues;
	uint64_t features_off;
	double timeout;
	bool writeback;
};

extern struct options options;

#endif
