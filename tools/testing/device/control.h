/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket, by which a test reads counters and sets faults.
 */
#ifndef TESTDEV_CONTROL_H
#define TESTDEV_CONTROL_H

void control_init(int listen_fd);

#endif
