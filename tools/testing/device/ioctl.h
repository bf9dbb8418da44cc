/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one ioctl of the device's files that it answers itself.
 */
#ifndef TESTDEV_IOCTL_H
#define TESTDEV_IOCTL_H

#include <sys/ioctl.h>

/* Brings so many bytes, each TESTDEV_IOCTL_BYTE */
#define TESTDEV_IOCTL_SIZE 4096
#define TESTDEV_IOCTL_BYTE 'i'
#define TESTDEV_IOCTL _IOR('V', 1, char[TESTDEV_IOCTL_SIZE])

#endif
