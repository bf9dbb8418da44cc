// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are no files: FIFOs, sockets and device nodes. Their names are
 * the server's, what happens behind them is this kernel's.
 */
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "share.h"

static const struct sockaddr_un address = {
	.sun_family = AF_UNIX,
	.sun_path = "socket",
};

static const struct sockaddr *const here = (const struct sockaddr *)&address;

TEST_F(share, every_kind_of_node_keeps_its_kind)
{
	static const struct {
		mode_t kind;
		int major, minor;
	} nodes[] = {
		{ S_IFREG, 0, 0 }, { S_IFIFO, 0, 0 }, { S_IFSOCK, 0, 0 },
		{ S_IFCHR, 1, 3 }, { S_IFBLK, 7, 200 }, { S_IFCHR, 300, 70000 },
	};
	struct stat st;
	dev_t device;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		device = makedev(nodes[i].major, nodes[i].minor);
		if (mknod("n", nodes[i].kind | 0620, device)) {
			ASSERT_EQ(EPERM, errno);
			SKIP(return, "the server may make no device nodes");
		}
		ASSERT_OK(lstat("n", &st));
		EXPECT_EQ(nodes[i].kind, st.st_mode & S_IFMT);
		EXPECT_EQ(0600, (int)(st.st_mode & 07777));
		EXPECT_EQ(device, st.st_rdev);
		ASSERT_OK(unlink("n"));
	}
}

TEST_F(share, mknod_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	EXPECT_ERRNO(EEXIST, mkfifo("f", 0644));
	EXPECT_ERRNO(EEXIST, touch("f"));
	EXPECT_ERRNO(ENOENT, mkfifo("no/p", 0644));
	EXPECT_ERRNO(ENOTDIR, mkfifo("f/p", 0644));
	EXPECT_ERRNO(EPERM, mknod("d", S_IFDIR | 0755, 0));
	EXPECT_ERRNO(EINVAL, mknod("x", S_IFLNK | 0755, 0));
}

TEST_F(share, a_fifo_carries_bytes_between_processes)
{
	char *buf = buffer(200000);
	ssize_t n, done = 0;
	pid_t pid;
	int fd;

	ASSERT_OK(mkfifo("p", 0600));
	pid = fork();
	if (!pid) {
		ASSERT_OK(fd = open("p", O_WRONLY));
		fill(buf, 200000, 1, 0);
		EXPECT_EQ(200000, write(fd, buf, 200000));
		_exit(0);
	}
	ASSERT_OK(fd = open("p", O_RDONLY));
	while ((n = read(fd, buf + done, 200000 - done)) > 0)
		done += n;
	EXPECT_EQ(200000, done);
	EXPECT_EQ(-1, wrong_at(buf, 200000, 1, 0));
	EXPECT_EQ(0, join(pid));
	EXPECT_EQ(0, size_of("p"));
}

TEST_F(share, a_fifo_without_a_reader_gives_enxio)
{
	int rd, wr;
	char c;

	ASSERT_OK(mkfifo("p", 0600));
	EXPECT_ERRNO(ENXIO, open("p", O_WRONLY | O_NONBLOCK));
	ASSERT_OK(rd = open("p", O_RDONLY | O_NONBLOCK));
	EXPECT_EQ(0, read(rd, &c, 1));
	ASSERT_OK(wr = open("p", O_WRONLY | O_NONBLOCK));
	EXPECT_ERRNO(EAGAIN, read(rd, &c, 1));
	EXPECT_ERRNO(ESPIPE, lseek(rd, 0, SEEK_SET));
	EXPECT_ERRNO(EINVAL, ftruncate(wr, 0));
}

TEST_F(share, a_device_node_is_this_kernels_device)
{
	char buf[10] = "..........";
	int fd;

	if (mknod("zero", S_IFCHR | 0666, makedev(1, 5))) {
		ASSERT_EQ(EPERM, errno);
		SKIP(return, "the server may make no device nodes");
	}
	fd = open("zero", O_RDWR);
	if (fd < 0 && errno == EACCES)
		SKIP(return, "the share is mounted with nodev");
	ASSERT_OK(fd);
	EXPECT_EQ(10, read(fd, buf, 10));
	EXPECT_EQ(-1, nonzero_at(buf, 10));
	ASSERT_OK(mknod("none", S_IFCHR | 0666, makedev(499, 1234)));
	EXPECT_ERRNO(ENXIO, open("none", O_RDWR));
}

TEST_F(share, a_socket_is_found_by_its_name)
{
	int server, client, peer;
	struct stat st;
	char buf[10];

	ASSERT_OK(server = socket(AF_UNIX, SOCK_STREAM, 0));
	ASSERT_OK(client = socket(AF_UNIX, SOCK_STREAM, 0));
	EXPECT_ERRNO(ENOENT, connect(client, here, sizeof(address)));
	ASSERT_OK(bind(server, here, sizeof(address)));
	ASSERT_OK(lstat("socket", &st));
	EXPECT_TRUE(S_ISSOCK(st.st_mode));
	EXPECT_ERRNO(ECONNREFUSED, connect(client, here, sizeof(address)));
	ASSERT_OK(listen(server, 1));
	ASSERT_OK(connect(client, here, sizeof(address)));
	ASSERT_OK(peer = accept(server, NULL, NULL));
	EXPECT_EQ(5, write(client, "hello", 5));
	EXPECT_EQ(5, read(peer, buf, 10));
	EXPECT_EQ(0, memcmp("hello", buf, 5));
	EXPECT_ERRNO(ENXIO, open("socket", O_RDWR));
	ASSERT_OK(client = socket(AF_UNIX, SOCK_STREAM, 0));
	EXPECT_ERRNO(EADDRINUSE, bind(client, here, sizeof(address)));
	ASSERT_OK(unlink("socket"));
	EXPECT_ERRNO(ENOENT, connect(client, here, sizeof(address)));
}

SHARE_MAIN
