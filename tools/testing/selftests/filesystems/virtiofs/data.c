// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing: the bytes that were written are the bytes that are
 * read, whatever the sizes, offsets and system calls.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "share.h"

#define MIB (1 << 20)
#define IMAGE (256 << 10)
#define RANDOM_WRITES 200
#define BIG (5 * MIB + 12345)
#define LONG_FILE 16
#define FAR (5LL << 30)

/* On both sides of a page, of a ring's segments and of a request's size. */
static const int odd_sizes[] = {
	1, 7, 511, 512, 513, 4095, 4096, 4097, 8191, 12289, 32767, 65535,
	65536, 65537, 131071, 131073, MIB - 1, MIB, MIB + 1,
};

TEST_F(share, files_of_odd_sizes_come_back)
{
	char name[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(odd_sizes); i++) {
		snprintf(name, sizeof(name), "f%d", odd_sizes[i]);
		ASSERT_OK(make_file(name, i, odd_sizes[i]));
	}
	for (i = 0; i < ARRAY_SIZE(odd_sizes); i++) {
		snprintf(name, sizeof(name), "f%d", odd_sizes[i]);
		EXPECT_TRUE(file_is(name, i, odd_sizes[i]));
		EXPECT_EQ(odd_sizes[i], size_of(name));
	}
}

TEST_F(share, scattered_writes_land_where_they_were_sent)
{
	char *image = buffer(IMAGE), *seen = buffer(IMAGE);
	unsigned int i, size, pos, dice = 1;
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_OK(ftruncate(fd, IMAGE));
	for (i = 0; i < RANDOM_WRITES; i++) {
		dice = dice * 1103515245 + 12345;
		size = odd_sizes[i % 12];
		pos = dice / 8 % (IMAGE - size);
		fill(image + pos, size, i, pos);
		ASSERT_EQ((int)size, pwrite(fd, image + pos, size, pos));
	}
	ASSERT_EQ(IMAGE, pread(fd, seen, IMAGE, 0));
	EXPECT_EQ(0, memcmp(image, seen, IMAGE));

	/* Once more from the server and not from this machine's memory. */
	ASSERT_OK(fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	for (pos = 0; pos < IMAGE; pos += size) {
		size = odd_sizes[pos % 11];
		if (size > IMAGE - pos)
			size = IMAGE - pos;
		ASSERT_EQ((int)size, pread(fd, seen + pos, size, pos));
	}
	EXPECT_EQ(0, memcmp(image, seen, IMAGE));
}

TEST_F(share, one_write_of_many_mebibytes_is_whole)
{
	ASSERT_OK(make_file("f", 1, BIG));
	EXPECT_EQ(BIG, size_of("f"));
	EXPECT_TRUE(file_is("f", 1, BIG));
}

TEST_F(share, a_long_file_comes_back_from_the_server)
{
	char *buf = buffer(MIB);
	int fd, i;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	for (i = 0; i < LONG_FILE; i++) {
		fill(buf, MIB, 7, (off_t)i * MIB);
		ASSERT_EQ(MIB, write(fd, buf, MIB));
	}
	ASSERT_OK(fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	for (i = 0; i < LONG_FILE; i++) {
		ASSERT_EQ(MIB, read(fd, buf, MIB));
		ASSERT_EQ(-1, wrong_at(buf, MIB, 7, (off_t)i * MIB));
	}
	EXPECT_EQ(0, read(fd, buf, MIB));
}

TEST_F(share, single_bytes_make_a_file)
{
	char c;
	int fd, i;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	for (i = 0; i < 300; i++) {
		c = byte_at(1, i);
		ASSERT_EQ(1, write(fd, &c, 1));
	}
	EXPECT_TRUE(file_is("f", 1, 300));
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(1, pread(fd, &c, 1, i));
		ASSERT_EQ((char)byte_at(1, i), c);
	}
}

TEST_F(share, vectors_are_written_and_read_in_order)
{
	static const int len[] = { 3, 0, 4096, 1, 4095, 70000, 513 };
	struct iovec out[ARRAY_SIZE(len)], in[ARRAY_SIZE(len)];
	int total = 0, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		out[i].iov_len = len[i];
		out[i].iov_base = buffer(len[i] + 1);
		fill(out[i].iov_base, len[i], 1, total);
		total += len[i];
		in[ARRAY_SIZE(len) - 1 - i].iov_len = len[i];
		in[ARRAY_SIZE(len) - 1 - i].iov_base = buffer(len[i] + 1);
	}
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_EQ(total, writev(fd, out, ARRAY_SIZE(len)));
	EXPECT_TRUE(file_is("f", 1, total));
	ASSERT_EQ(total, pwritev(fd, out, ARRAY_SIZE(len), 10));
	ASSERT_EQ(total, preadv(fd, in, ARRAY_SIZE(len), 10));
	for (i = 0, total = 0; i < ARRAY_SIZE(len); i++) {
		EXPECT_EQ(-1, wrong_at(in[i].iov_base, in[i].iov_len, 1, total));
		total += in[i].iov_len;
	}
	EXPECT_EQ(total + 10, size_of("f"));
}

TEST_F(share, a_vector_has_at_most_1024_parts)
{
	struct iovec iov[IOV_MAX + 1];
	char *buf = buffer(3 * IOV_MAX);
	int fd, i;

	fill(buf, 3 * IOV_MAX, 1, 0);
	for (i = 0; i <= IOV_MAX; i++) {
		iov[i].iov_base = buf + 3 * (i % IOV_MAX);
		iov[i].iov_len = 3;
	}
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	EXPECT_EQ(3 * IOV_MAX, writev(fd, iov, IOV_MAX));
	EXPECT_TRUE(file_is("f", 1, 3 * IOV_MAX));
	EXPECT_ERRNO(EINVAL, writev(fd, iov, IOV_MAX + 1));
	EXPECT_ERRNO(EINVAL, readv(fd, iov, IOV_MAX + 1));
}

TEST_F(share, reading_ends_at_the_end)
{
	char buf[8192];
	int fd;

	ASSERT_OK(make_file("f", 1, 5000));
	ASSERT_OK(fd = open("f", O_RDONLY));
	EXPECT_EQ(5000, pread(fd, buf, 8192, 0));
	EXPECT_EQ(1, pread(fd, buf, 8192, 4999));
	EXPECT_EQ(0, pread(fd, buf, 8192, 5000));
	EXPECT_EQ(0, pread(fd, buf, 8192, 5001));
	EXPECT_EQ(0, pread(fd, buf, 8192, FAR));
	EXPECT_EQ(0, pread(fd, buf, 0, 0));
}

TEST_F(share, a_gap_reads_as_zeros)
{
	char *buf = buffer(200000);
	int fd;

	ASSERT_OK(make_file("f", 1, 5000));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_EQ(1, pwrite(fd, "x", 1, 150001));
	EXPECT_EQ(150002, pread(fd, buf, 200000, 0));
	EXPECT_EQ(-1, wrong_at(buf, 5000, 1, 0));
	EXPECT_EQ(-1, nonzero_at(buf + 5000, 150001 - 5000));
	EXPECT_EQ('x', buf[150001]);
}

TEST_F(share, offsets_above_four_gibibytes_are_kept_whole)
{
	char buf[5000];
	int fd;

	fill(buf, sizeof(buf), 1, 0);
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_EQ(5000, pwrite(fd, buf, 5000, FAR + 3));
	EXPECT_EQ(FAR + 5003, size_of("f"));
	ASSERT_OK(fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(5000, pread(fd, buf, 5000, FAR + 3));
	EXPECT_EQ(-1, wrong_at(buf, 5000, 1, 0));
	EXPECT_EQ(5000, pread(fd, buf, 5000, (FAR & 0xffffffff) + 3));
	EXPECT_EQ(-1, nonzero_at(buf, 5000));
}

TEST_F(share, the_offset_follows_reads_and_writes)
{
	char buf[100];
	int fd;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(fd = open("f", O_RDWR));
	EXPECT_EQ(10, read(fd, buf, 10));
	EXPECT_EQ(10, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(10, pread(fd, buf, 10, 50));
	EXPECT_EQ(10, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(10, pwrite(fd, "0123456789", 10, 90));
	EXPECT_EQ(10, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(95, lseek(fd, -5, SEEK_END));
	EXPECT_EQ(5, read(fd, buf, 10));
	EXPECT_EQ(0, memcmp("56789", buf, 5));
	EXPECT_EQ(300, lseek(fd, 200, SEEK_END));
	EXPECT_EQ(0, read(fd, buf, 10));
	EXPECT_EQ(100, size_of("f"));
	EXPECT_ERRNO(EINVAL, lseek(fd, -1, SEEK_SET));
	EXPECT_ERRNO(EINVAL, lseek(fd, -101, SEEK_END));
	EXPECT_ERRNO(EINVAL, lseek(fd, 0, 77));
	EXPECT_EQ(300, lseek(fd, 0, SEEK_CUR));
}

TEST_F(share, append_writes_at_the_end_wherever_the_offset_is)
{
	char buf[100];
	int a, b;

	fill(buf, sizeof(buf), 1, 0);
	ASSERT_OK(a = open("f", O_RDWR | O_CREAT | O_APPEND, 0644));
	ASSERT_OK(b = open("f", O_RDWR | O_APPEND));
	EXPECT_EQ(10, write(a, buf, 10));
	EXPECT_EQ(20, write(b, buf + 10, 20));
	EXPECT_EQ(0, lseek(a, 0, SEEK_SET));
	EXPECT_EQ(30, write(a, buf + 30, 30));
	/* Linux appends with pwrite(2) also, as its manual page admits. */
	EXPECT_EQ(40, pwrite(b, buf + 60, 40, 5));
	EXPECT_TRUE(file_is("f", 1, 100));
}

TEST_F(share, append_goes_behind_what_another_descriptor_wrote)
{
	char buf[100];
	int a, b, i;

	fill(buf, sizeof(buf), 1, 0);
	ASSERT_OK(a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644));
	ASSERT_OK(b = open("f", O_WRONLY));
	for (i = 0; i < 100; i += 10) {
		EXPECT_EQ(5, write(a, buf + i, 5));
		EXPECT_EQ(5, pwrite(b, buf + i + 5, 5, i + 5));
	}
	EXPECT_TRUE(file_is("f", 1, 100));
}

TEST_F(share, descriptors_of_one_file_see_each_other)
{
	char buf[100];
	int a, b;

	ASSERT_OK(a = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_OK(b = open("f", O_RDWR));
	EXPECT_EQ(0, read(b, buf, 100));
	EXPECT_EQ(3, write(a, "abc", 3));
	EXPECT_EQ(3, read(b, buf, 100));
	EXPECT_EQ(0, memcmp("abc", buf, 3));
	EXPECT_EQ(1, pwrite(b, "X", 1, 1));
	EXPECT_EQ(3, pread(a, buf, 100, 0));
	EXPECT_EQ(0, memcmp("aXc", buf, 3));
	ASSERT_OK(ftruncate(a, 1));
	EXPECT_EQ(1, pread(b, buf, 100, 0));
}

TEST_F(share, a_bad_address_gives_efault_and_changes_nothing)
{
	void *bad = bad_address();
	struct iovec iov = { .iov_base = bad, .iov_len = 5000 };
	int fd;

	ASSERT_OK(make_file("f", 1, 10000));
	ASSERT_OK(fd = open("f", O_RDWR));
	EXPECT_ERRNO(EFAULT, write(fd, bad, 5000));
	EXPECT_ERRNO(EFAULT, writev(fd, &iov, 1));
	EXPECT_ERRNO(EFAULT, read(fd, bad, 5000));
	EXPECT_ERRNO(EFAULT, readv(fd, &iov, 1));
	EXPECT_ERRNO(EFAULT, readv(fd, bad, 1));
	EXPECT_TRUE(file_is("f", 1, 10000));
}

TEST_F(share, offsets_out_of_range_give_einval)
{
	char c = 'c';
	int fd;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(fd = open("f", O_RDWR));
	EXPECT_ERRNO(EINVAL, pread(fd, &c, 1, -1));
	EXPECT_ERRNO(EINVAL, pwrite(fd, &c, 1, -1));
	EXPECT_ERRNO(EINVAL, pwrite(fd, &c, 1, LLONG_MAX));
	EXPECT_TRUE(file_is("f", 1, 100));
}

TEST_F(share, the_file_size_limit_shortens_then_refuses)
{
	struct rlimit limit = { .rlim_cur = 10000, .rlim_max = 10000 };
	char buf[4000];
	int fd;

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	EXPECT_EQ(4000, pwrite(fd, buf, 4000, 4000));
	EXPECT_EQ(2000, pwrite(fd, buf, 4000, 8000));
	EXPECT_ERRNO(EFBIG, pwrite(fd, buf, 4000, 10000));
	EXPECT_ERRNO(EFBIG, ftruncate(fd, 10001));
	EXPECT_OK(ftruncate(fd, 10000));
	EXPECT_EQ(10000, size_of("f"));
}

TEST_F(share, the_signal_of_the_file_size_limit_is_sent)
{
	struct rlimit limit = { .rlim_cur = 10, .rlim_max = 10 };
	pid_t pid = fork();
	int fd;

	if (!pid) {
		setrlimit(RLIMIT_FSIZE, &limit);
		fd = open("f", O_RDWR | O_CREAT, 0644);
		_exit(pwrite(fd, "x", 1, 10));
	}
	EXPECT_EQ(-SIGXFSZ, join(pid));
	EXPECT_EQ(0, size_of("f"));
}

TEST_F(share, every_sync_returns_zero)
{
	char buf[10000];
	int fd, ro, dir;

	fill(buf, sizeof(buf), 1, 0);
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_OK(ro = open("f", O_RDONLY));
	ASSERT_OK(dir = open(".", O_RDONLY | O_DIRECTORY));
	ASSERT_EQ(10000, write(fd, buf, 10000));
	EXPECT_OK(fsync(fd));
	EXPECT_OK(fdatasync(fd));
	EXPECT_OK(fsync(ro));
	EXPECT_OK(fsync(dir));
	EXPECT_OK(syncfs(fd));
	EXPECT_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE |
				  SYNC_FILE_RANGE_WAIT_AFTER));
	EXPECT_ERRNO(EBADF, fsync(12345));
	EXPECT_ERRNO(EBADF, syncfs(12345));
}

TEST_F(share, synchronous_writes_arrive)
{
	struct iovec iov;
	char buf[300];
	int fd;

	fill(buf, sizeof(buf), 1, 0);
	ASSERT_OK(fd = open("f", O_WRONLY | O_CREAT | O_SYNC, 0644));
	EXPECT_EQ(100, write(fd, buf, 100));
	close(fd);
	ASSERT_OK(fd = open("f", O_WRONLY | O_DSYNC));
	EXPECT_EQ(100, pwrite(fd, buf + 100, 100, 100));
	iov.iov_base = buf + 200;
	iov.iov_len = 50;
	EXPECT_EQ(50, pwritev2(fd, &iov, 1, 200, RWF_DSYNC));
	iov.iov_base = buf + 250;
	EXPECT_EQ(50, pwritev2(fd, &iov, 1, 0, RWF_APPEND));
	EXPECT_TRUE(file_is("f", 1, 300));
	EXPECT_ERRNO(EOPNOTSUPP, pwritev2(fd, &iov, 1, 0, 1 << 30));
}

TEST_F(share, advice_changes_no_byte)
{
	static const int advice[] = {
		POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM, POSIX_FADV_WILLNEED,
		POSIX_FADV_NOREUSE, POSIX_FADV_DONTNEED, POSIX_FADV_NORMAL,
	};
	size_t i;
	int fd, ends[2];

	ASSERT_OK(make_file("f", 1, 300001));
	ASSERT_OK(fd = open("f", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(0, posix_fadvise(fd, 5000, 200000, advice[i]));
		EXPECT_TRUE(file_is("f", 1, 300001));
	}
	EXPECT_OK(readahead(fd, 0, 300001));
	EXPECT_TRUE(file_is("f", 1, 300001));
	EXPECT_EQ(EINVAL, posix_fadvise(fd, 0, 0, 99));
	EXPECT_EQ(EBADF, posix_fadvise(12345, 0, 0, POSIX_FADV_NORMAL));
	ASSERT_OK(pipe(ends));
	EXPECT_EQ(ESPIPE, posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL));
}

SHARE_MAIN
