// SPDX-License-Identifier: GPL-2.0
/*
 * What a descriptor of a file on the share can do besides moving bytes:
 * flags, duplicates, ioctls, poll, and telling of changes by inotify.
 */
#include <linux/fs.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "share.h"

TEST_F(share, status_flags_are_told_and_changed)
{
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
	EXPECT_EQ(O_RDWR | O_APPEND,
		  fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	ASSERT_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(O_RDWR | O_NONBLOCK,
		  fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(1, pwrite(fd, "X", 1, 0));
	EXPECT_EQ(3, size_of("f"));
	EXPECT_ERRNO(EINVAL, fcntl(fd, 9999));
}

TEST_F(share, duplicates_share_one_offset)
{
	char buf[10];
	int a, b, c;
	pid_t pid;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(a = open("f", O_RDONLY));
	ASSERT_OK(b = dup(a));
	ASSERT_OK(c = open("f", O_RDONLY));
	EXPECT_EQ(10, read(a, buf, 10));
	EXPECT_EQ(10, lseek(b, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(c, 0, SEEK_CUR));
	pid = fork();
	if (!pid)
		_exit(read(a, buf, 10) != 10);
	EXPECT_EQ(0, join(pid));
	EXPECT_EQ(20, lseek(b, 0, SEEK_CUR));
	ASSERT_OK(close(a));
	EXPECT_EQ(10, read(b, buf, 10));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 20));
}

/* send_fd - pass @fd through the socket @to */
static int send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(to, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(from, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

TEST_F(share, a_descriptor_passes_through_a_socket)
{
	int ends[2], fd;
	char buf[10];

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	ASSERT_OK(fd = open("f", O_RDONLY));
	ASSERT_OK(send_fd(ends[0], fd));
	ASSERT_OK(close(fd));
	ASSERT_OK(unlink("f"));
	ASSERT_OK(fd = receive_fd(ends[1]));
	EXPECT_EQ(10, read(fd, buf, 10));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 0));
}

TEST_F(share, files_are_always_ready)
{
	struct pollfd poll_fd = { .events = POLLIN | POLLOUT };

	ASSERT_OK(poll_fd.fd = open("f", O_RDWR | O_CREAT, 0644));
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLIN | POLLOUT, poll_fd.revents);
}

TEST_F(share, ioctls_work_or_say_enotty)
{
	int fd, dir, left = -1, error;
	unsigned long flags = 0;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(fd = open("f", O_RDONLY));
	ASSERT_OK(dir = open(".", O_RDONLY));
	error = ERRNO_OF(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	EXPECT_TRUE(error == 0 || error == ENOTTY);
	error = ERRNO_OF(ioctl(dir, FS_IOC_GETFLAGS, &flags));
	EXPECT_TRUE(error == 0 || error == ENOTTY);
	EXPECT_ERRNO(ENOTTY, ioctl(fd, _IO('?', 77), 0));
	EXPECT_ERRNO(ENOTTY, ioctl(dir, _IO('?', 77), 0));
	ASSERT_EQ(40, lseek(fd, 40, SEEK_SET));
	EXPECT_OK(ioctl(fd, FIONREAD, &left));
	EXPECT_EQ(60, left);
}

FIXTURE(watch) {
	FIXTURE_DATA(share) share;
	int fd;
};

FIXTURE_SETUP(watch)
{
	share_setup(_metadata, &self->share, NULL);
	self->fd = inotify_init1(IN_NONBLOCK);
	if (self->fd < 0) {
		ASSERT_EQ(ENOSYS, errno);
		share_teardown(_metadata, &self->share, NULL);
		SKIP(return, "this kernel has no inotify");
	}
	ASSERT_OK(inotify_add_watch(self->fd, ".", IN_ALL_EVENTS));
}

FIXTURE_TEARDOWN_PARENT(watch)
{
	share_teardown(_metadata, &self->share, NULL);
}

/* events - all that were reported of @name since the last call, in one mask */
static int events(int fd, const char *name)
{
	char buf[4096] __attribute__((aligned(8)));
	struct inotify_event *event;
	int mask = 0;
	ssize_t n, i;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i += sizeof(*event) + event->len) {
			event = (void *)(buf + i);
			if (event->len && !strcmp(event->name, name))
				mask |= event->mask;
		}
	}
	return mask;
}

TEST_F(watch, inotify_tells_of_a_file_made_written_and_closed)
{
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	EXPECT_EQ(IN_CREATE | IN_OPEN, events(self->fd, "f"));
	ASSERT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(IN_MODIFY, events(self->fd, "f"));
	ASSERT_EQ(3, pread(fd, buffer(3), 3, 0));
	EXPECT_EQ(IN_ACCESS, events(self->fd, "f"));
	ASSERT_OK(fchmod(fd, 0600));
	EXPECT_EQ(IN_ATTRIB, events(self->fd, "f"));
	ASSERT_OK(ftruncate(fd, 1));
	EXPECT_EQ(IN_MODIFY, events(self->fd, "f"));
	ASSERT_OK(close(fd));
	EXPECT_EQ(IN_CLOSE_WRITE, events(self->fd, "f"));
}

TEST_F(watch, inotify_tells_of_names_that_move_and_go)
{
	ASSERT_OK(mkdir("d", 0755));
	EXPECT_EQ(IN_CREATE | IN_ISDIR, events(self->fd, "d"));
	ASSERT_OK(touch("a"));
	ASSERT_OK(rename("a", "b"));
	EXPECT_EQ(IN_CREATE | IN_MOVED_FROM, events(self->fd, "a"));
	ASSERT_OK(rename("b", "c"));
	EXPECT_EQ(IN_MOVED_TO, events(self->fd, "c"));
	ASSERT_OK(unlink("c"));
	EXPECT_EQ(IN_DELETE, events(self->fd, "c") & ~IN_ATTRIB);
	ASSERT_OK(rmdir("d"));
	EXPECT_EQ(IN_DELETE | IN_ISDIR, events(self->fd, "d"));
}

SHARE_MAIN
