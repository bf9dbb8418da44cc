// SPDX-License-Identifier: GPL-2.0
/*
 * O_DIRECT: sizes, offsets and buffers at odd places either work with the
 * exact bytes or fail with EINVAL, and the page cache never shows the past.
 */
#include <sys/syscall.h>
#include <sys/uio.h>

#include "share.h"

#define MIB (1 << 20)
#define BLOCK 4096
#define SIZE (MIB + 2 * BLOCK)

FIXTURE(direct) {
	FIXTURE_DATA(share) share;
	int fd;
	char *buf;
};

/* An empty file "f", open for direct I/O, and a buffer that is aligned. */
FIXTURE_SETUP(direct)
{
	share_setup(_metadata, &self->share, NULL);
	self->fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0644);
	if (self->fd < 0) {
		ASSERT_EQ(EINVAL, errno);
		share_teardown(_metadata, &self->share, NULL);
		SKIP(return, "the file system has no O_DIRECT");
	}
	self->buf = buffer(4 * MIB);
}

FIXTURE_TEARDOWN_PARENT(direct)
{
	share_teardown(_metadata, &self->share, NULL);
}

TEST_F(direct, aligned_blocks_come_back)
{
	int fd, i;

	fill(self->buf, SIZE, 1, 0);
	for (i = 0; i < SIZE; i += BLOCK)
		ASSERT_EQ(BLOCK, write(self->fd, self->buf + i, BLOCK));
	EXPECT_TRUE(file_is("f", 1, SIZE));
	memset(self->buf, 0, SIZE);
	ASSERT_OK(fd = open("f", O_RDONLY | O_DIRECT));
	for (i = SIZE - BLOCK; i >= 0; i -= BLOCK)
		ASSERT_EQ(BLOCK, pread(fd, self->buf + i, BLOCK, i));
	EXPECT_EQ(-1, wrong_at(self->buf, SIZE, 1, 0));
}

TEST_F(direct, one_call_moves_mebibytes)
{
	fill(self->buf, 3 * MIB, 1, 0);
	ASSERT_EQ(3 * MIB, write(self->fd, self->buf, 3 * MIB));
	memset(self->buf, 0, 3 * MIB);
	ASSERT_EQ(3 * MIB, pread(self->fd, self->buf, 4 * MIB, 0));
	EXPECT_EQ(-1, wrong_at(self->buf, 3 * MIB, 1, 0));
	EXPECT_TRUE(file_is("f", 1, 3 * MIB));
}

/*
 * odd - write @size bytes at @pos from a buffer @skew bytes off, and read
 * them back the same way; 1: exact, 0: refused with EINVAL, -1: wrong
 */
static int odd(int fd, char *buf, int size, off_t pos, int skew)
{
	ssize_t n;

	fill(buf + skew, size, 5, pos);
	n = pwrite(fd, buf + skew, size, pos);
	if (n < 0)
		return errno == EINVAL ? 0 : -1;
	if (n != size)
		return -1;
	memset(buf, 0, size + skew);
	n = pread(fd, buf + skew, size, pos);
	if (n < 0)
		return errno == EINVAL ? 0 : -1;
	return n == size && wrong_at(buf + skew, size, 5, pos) == -1 &&
	       nonzero_at(buf, skew) == -1 && !buf[skew + size];
}

TEST_F(direct, odd_sizes_offsets_and_buffers_are_exact_or_refused)
{
	static const struct {
		int size, pos, skew;
	} tries[] = {
		{ 1, 0, 0 }, { 511, 0, 0 }, { 512, 512, 512 }, { 513, 1, 1 },
		{ 4096, 1, 0 }, { 4096, 0, 1 }, { 4095, 4097, 3 },
		{ 4097, 100, 4095 }, { 10000, 12345, 67 }, { 65536, 0, 1 },
		{ 65537, 65535, 511 }, { 300000, 7, 2049 }, { MIB, 1, 0 },
		{ MIB, 0, 1 }, { MIB + 1, MIB - 1, 4095 },
	};
	size_t i;

	ASSERT_OK(ftruncate(self->fd, 3 * MIB));
	for (i = 0; i < ARRAY_SIZE(tries); i++)
		EXPECT_NE(-1, odd(self->fd, self->buf, tries[i].size,
				  tries[i].pos, tries[i].skew));
	EXPECT_EQ(3 * MIB, size_of("f"));
}

TEST_F(direct, an_odd_end_is_read_short)
{
	ASSERT_OK(make_file("g", 1, 10001));
	ASSERT_OK(self->fd = open("g", O_RDONLY | O_DIRECT));
	EXPECT_EQ(10001, pread(self->fd, self->buf, 16384, 0));
	EXPECT_EQ(-1, wrong_at(self->buf, 10001, 1, 0));
	EXPECT_EQ(1809, pread(self->fd, self->buf, 4096, 8192));
	EXPECT_EQ(0, pread(self->fd, self->buf, 4096, 12288));
}

TEST_F(direct, buffered_reads_see_direct_writes)
{
	int fd, i;

	ASSERT_OK(fd = open("f", O_RDONLY));
	for (i = 0; i < 5; i++) {
		fill(self->buf, 2 * BLOCK, i, 0);
		ASSERT_EQ(2 * BLOCK, pwrite(self->fd, self->buf, 2 * BLOCK, 0));
		memset(self->buf, 0, 2 * BLOCK);
		ASSERT_EQ(2 * BLOCK, pread(fd, self->buf, 3 * BLOCK, 0));
		EXPECT_EQ(-1, wrong_at(self->buf, 2 * BLOCK, i, 0));
	}
}

TEST_F(direct, direct_reads_see_buffered_writes)
{
	int fd, i;

	ASSERT_OK(fd = open("f", O_RDWR));
	for (i = 0; i < 5; i++) {
		fill(self->buf, 2 * BLOCK, i, 0);
		ASSERT_EQ(2 * BLOCK, pwrite(fd, self->buf, 2 * BLOCK, 0));
		memset(self->buf, 0, 2 * BLOCK);
		ASSERT_EQ(2 * BLOCK, pread(self->fd, self->buf, 2 * BLOCK, 0));
		EXPECT_EQ(-1, wrong_at(self->buf, 2 * BLOCK, i, 0));
	}
}

TEST_F(direct, a_write_behind_the_end_leaves_zeros)
{
	char *buf = buffer(8 * BLOCK);

	fill(self->buf, BLOCK, 1, 0);
	ASSERT_EQ(BLOCK, pwrite(self->fd, self->buf, BLOCK, 5 * BLOCK));
	EXPECT_EQ(6 * BLOCK, size_of("f"));
	ASSERT_EQ(6 * BLOCK, pread(self->fd, buf, 8 * BLOCK, 0));
	EXPECT_EQ(-1, nonzero_at(buf, 5 * BLOCK));
	EXPECT_EQ(-1, wrong_at(buf + 5 * BLOCK, BLOCK, 1, 0));
}

TEST_F(direct, direct_appends_go_to_the_end)
{
	int fd;

	fill(self->buf, 3 * BLOCK, 1, 0);
	ASSERT_OK(fd = open("f", O_WRONLY | O_APPEND | O_DIRECT));
	ASSERT_EQ(BLOCK, write(fd, self->buf, BLOCK));
	ASSERT_EQ(BLOCK, write(self->fd, self->buf, BLOCK));
	ASSERT_EQ(2 * BLOCK, write(fd, self->buf + BLOCK, 2 * BLOCK));
	EXPECT_TRUE(file_is("f", 1, 3 * BLOCK));
}

TEST_F(direct, vectors_of_blocks_come_back_in_order)
{
	struct iovec iov[5];
	int i;

	fill(self->buf, 5 * BLOCK, 1, 0);
	for (i = 0; i < 5; i++) {
		iov[i].iov_base = self->buf + i * BLOCK;
		iov[i].iov_len = BLOCK;
	}
	ASSERT_EQ(5 * BLOCK, pwritev(self->fd, iov, 5, 0));
	for (i = 0; i < 5; i++)
		iov[i].iov_base = self->buf + MIB + (4 - i) * 2 * BLOCK;
	ASSERT_EQ(5 * BLOCK, preadv(self->fd, iov, 5, 0));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-1, wrong_at(iov[i].iov_base, BLOCK, 1, i * BLOCK));
}

TEST_F(direct, a_bad_address_gives_efault)
{
	void *bad = bad_address();

	fill(self->buf, 2 * BLOCK, 1, 0);
	ASSERT_EQ(2 * BLOCK, pwrite(self->fd, self->buf, 2 * BLOCK, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->fd, bad, BLOCK, 0));
	EXPECT_ERRNO(EFAULT, pread(self->fd, bad, BLOCK, 0));
	EXPECT_TRUE(file_is("f", 1, 2 * BLOCK));
}

TEST_F(direct, the_flag_can_be_switched)
{
	int fd;

	ASSERT_OK(make_file("g", 1, 2 * BLOCK));
	ASSERT_OK(fd = open("g", O_RDWR));
	ASSERT_OK(fcntl(fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(O_DIRECT, fcntl(fd, F_GETFL) & O_DIRECT);
	ASSERT_EQ(2 * BLOCK, pread(fd, self->buf, 2 * BLOCK, 0));
	EXPECT_EQ(-1, wrong_at(self->buf, 2 * BLOCK, 1, 0));
	ASSERT_OK(fcntl(fd, F_SETFL, 0));
	ASSERT_EQ(7, pread(fd, self->buf, 7, 3));
	EXPECT_EQ(-1, wrong_at(self->buf, 7, 1, 3));
}

TEST_F(direct, a_mapping_of_another_file_is_a_buffer)
{
	char *map;
	int fd;

	ASSERT_OK(make_file("g", 1, SIZE));
	ASSERT_OK(fd = open("g", O_RDWR));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		ASSERT_EQ(ENODEV, errno);
		SKIP(return, "the server allows no shared mappings");
	}
	ASSERT_EQ(SIZE, pwrite(self->fd, map, SIZE, 0));
	EXPECT_TRUE(file_is("f", 1, SIZE));
	fill(self->buf, SIZE, 2, 0);
	ASSERT_EQ(SIZE, pwrite(self->fd, self->buf, SIZE, 0));
	ASSERT_EQ(SIZE, pread(self->fd, map, SIZE, 0));
	EXPECT_TRUE(file_is("g", 2, SIZE));
}

/*
 * The kernel reads a module in one piece into its own memory, which is no
 * user's page; this one is read and then found to be none.  It is longer than any
 * memory that the kernel has in one piece.
 */
TEST_F(direct, the_kernel_itself_can_read)
{
	int fd;

	ASSERT_OK(make_file("g", 1, 5 * MIB));
	ASSERT_OK(fd = open("g", O_RDONLY | O_DIRECT));
	if (syscall(SYS_finit_module, fd, "", 0) && errno != ENOEXEC) {
		ASSERT_TRUE(errno == ENOSYS || errno == EPERM);
		SKIP(return, "this kernel loads no modules: %m");
	}
	EXPECT_ERRNO(ENOEXEC, syscall(SYS_finit_module, fd, "", 0));
	EXPECT_TRUE(file_is("g", 1, 5 * MIB));
}

SHARE_MAIN
