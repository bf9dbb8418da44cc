// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a file to the kernel, which closes it in a thread of its own: the file is on its
 * way through a socket that nobody but the message itself can reach.
 *
 *   inflight FILE
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[3], others[2];

	if (argc != 2 || socketpair(AF_UNIX, SOCK_DGRAM, 0, fds))
		return 2;
	fds[2] = open(argv[1], O_RDONLY);
	if (fds[2] < 0)
		return 1;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	if (sendmsg(fds[0], &msg, 0) != 1)
		return 1;
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	/* The end of any socket makes the kernel look for such messages */
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, others))
		return 1;
	close(others[0]);
	close(others[1]);
	return 0;
}
