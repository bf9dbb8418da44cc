/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vhost-user protocol, back end's side: one front end at a time, which
 * may leave and come back.
 */
#ifndef TESTDEV_VHOST_H
#define TESTDEV_VHOST_H

#include <stdbool.h>

int vhost_listen(const char *path);
void vhost_serve(int listen_fd);
void vhost_disconnect(void);
bool vhost_config_changed(void);

#endif
