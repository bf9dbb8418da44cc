// SPDX-License-Identifier: GPL-2.0
/*
 * Prints what the device's own ioctl brings of a file.
 *
 *   ioctl FILE
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "ioctl.h"

int main(int argc, char **argv)
{
	char page[TESTDEV_IOCTL_SIZE];
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || ioctl(fd, TESTDEV_IOCTL, page) < 0) {
		perror("ioctl");
		return 1;
	}
	return fwrite(page, sizeof(page), 1, stdout) != 1;
}
