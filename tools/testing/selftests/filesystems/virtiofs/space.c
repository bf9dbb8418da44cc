// SPDX-License-Identifier: GPL-2.0
/*
 * The size of a file and the space it takes: truncation, holes, fallocate,
 * and a share that is full.
 */
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "share.h"

#define MIB (1 << 20)
#define SPARSE (4 * MIB)
#define ISLAND (2 * MIB)
#define ISLAND_SIZE (64 << 10)
#define SMALL_SHARE (64LL << 20)
#define WRITTEN (4 * MIB)

TEST_F(share, a_file_that_grows_is_filled_with_zeros)
{
	char *buf = buffer(100000);
	int fd;

	ASSERT_OK(make_file("f", 1, 5001));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_OK(ftruncate(fd, 70003));
	EXPECT_EQ(70003, size_of("f"));
	EXPECT_EQ(70003, read(fd, buf, 100000));
	EXPECT_EQ(-1, wrong_at(buf, 5001, 1, 0));
	EXPECT_EQ(-1, nonzero_at(buf + 5001, 70003 - 5001));
	ASSERT_OK(truncate("f", 5001));
	EXPECT_TRUE(file_is("f", 1, 5001));
}

TEST_F(share, what_was_cut_off_does_not_come_back)
{
	static const int cuts[] = { 60000, 8193, 8192, 8191, 4097, 1, 0 };
	char *buf = buffer(65536);
	size_t i;
	int fd;

	ASSERT_OK(make_file("f", 1, 65536));
	ASSERT_OK(fd = open("f", O_RDWR));
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		ASSERT_OK(ftruncate(fd, cuts[i]));
		ASSERT_OK(ftruncate(fd, 65536));
		ASSERT_EQ(65536, pread(fd, buf, 65536, 0));
		EXPECT_EQ(-1, wrong_at(buf, cuts[i], 1, 0));
		EXPECT_EQ(-1, nonzero_at(buf + cuts[i], 65536 - cuts[i]));
	}
}

TEST_F(share, truncate_refuses_what_cannot_be)
{
	int rd, wr;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(rd = open("f", O_RDONLY));
	ASSERT_OK(wr = open("f", O_WRONLY));
	EXPECT_ERRNO(EINVAL, ftruncate(wr, -1));
	EXPECT_ERRNO(EINVAL, ftruncate(rd, 1));
	EXPECT_ERRNO(EINVAL, truncate("f", -1));
	EXPECT_ERRNO(EISDIR, truncate("d", 0));
	EXPECT_ERRNO(ENOENT, truncate("no", 0));
	EXPECT_ERRNO(EBADF, ftruncate(12345, 0));
	EXPECT_TRUE(file_is("f", 1, 10));
}

TEST_F(share, a_sparse_file_takes_little_space)
{
	struct statx st;
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_OK(ftruncate(fd, 1LL << 32));
	ASSERT_EQ(1, pwrite(fd, "x", 1, 1LL << 31));
	ASSERT_OK(fsync(fd));
	/* What the server says: a cache may not know of blocks yet. */
	ASSERT_OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC,
			STATX_SIZE | STATX_BLOCKS, &st));
	EXPECT_EQ(1ULL << 32, st.stx_size);
	EXPECT_LE(1ULL, st.stx_blocks);
	EXPECT_GE(16ULL * MIB / 512, st.stx_blocks);
}

/* island - a hole with data in its middle; the descriptor */
static int island(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644);
	char *buf = buffer(ISLAND_SIZE);

	fill(buf, ISLAND_SIZE, 1, 0);
	if (ftruncate(fd, SPARSE) ||
	    pwrite(fd, buf, ISLAND_SIZE, ISLAND) != ISLAND_SIZE || fsync(fd))
		return -1;
	return fd;
}

/*
 * A file system may report less holes than there are, down to the one at the
 * end of the file, but never data as a hole.
 */
TEST_F(share, holes_are_zeros_and_data_is_not_missed)
{
	off_t data, hole = 0;
	char *buf = buffer(SPARSE);
	int fd, found = 0;

	ASSERT_OK(fd = island());
	while (hole < SPARSE) {
		data = lseek(fd, hole, SEEK_DATA);
		if (data < 0) {
			ASSERT_EQ(ENXIO, errno);
			data = SPARSE;
		}
		ASSERT_LE(hole, data);
		ASSERT_GE(SPARSE, data);
		ASSERT_EQ(data - hole, pread(fd, buf, data - hole, hole));
		EXPECT_EQ(-1, nonzero_at(buf, data - hole));
		if (data == SPARSE)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		ASSERT_LT(data, hole);
		ASSERT_GE(SPARSE, hole);
		if (data <= ISLAND && ISLAND + ISLAND_SIZE <= hole)
			found++;
	}
	EXPECT_EQ(1, found);
	ASSERT_EQ(ISLAND_SIZE, pread(fd, buf, ISLAND_SIZE, ISLAND));
	EXPECT_EQ(-1, wrong_at(buf, ISLAND_SIZE, 1, 0));
}

TEST_F(share, every_file_ends_in_a_hole)
{
	int fd;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(fd = open("f", O_RDONLY));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(99, lseek(fd, 99, SEEK_DATA));
	EXPECT_EQ(100, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(100, lseek(fd, 99, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(fd, 100, SEEK_DATA));
	EXPECT_ERRNO(ENXIO, lseek(fd, 100, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(fd, 1000, SEEK_HOLE));
	EXPECT_ERRNO(ENXIO, lseek(fd, -1, SEEK_DATA));
}

/* The server has them not yet, if this kernel may write back later. */
TEST_F(share, data_that_were_just_written_are_no_hole)
{
	off_t data;
	char *map;
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT, 0644));
	ASSERT_EQ(WRITTEN, write(fd, buffer(WRITTEN), WRITTEN));
	EXPECT_EQ(0, lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(WRITTEN, lseek(fd, 0, SEEK_HOLE));
	ASSERT_EQ(WRITTEN, pwrite(fd, buffer(WRITTEN), WRITTEN, WRITTEN));
	EXPECT_EQ(2 * WRITTEN, lseek(fd, 0, SEEK_HOLE));
	EXPECT_EQ(2 * WRITTEN - 1, lseek(fd, 2 * WRITTEN - 1, SEEK_DATA));

	ASSERT_OK(ftruncate(fd, 3 * WRITTEN));
	map = mmap(NULL, WRITTEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   2 * WRITTEN);
	ASSERT_NE(MAP_FAILED, map);
	map[WRITTEN / 2] = 1;
	data = lseek(fd, 2 * WRITTEN, SEEK_DATA);
	EXPECT_LE(2 * WRITTEN, data);
	EXPECT_GE(2 * WRITTEN + WRITTEN / 2, data);
}

TEST_F(share, fallocate_extends_and_keeps_the_bytes)
{
	char *buf = buffer(100000);
	struct stat st;
	int fd;

	ASSERT_OK(make_file("f", 1, 5001));
	ASSERT_OK(fd = open("f", O_RDWR));
	if (fallocate(fd, 0, 1000, 60001)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "the server has no fallocate");
	}
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(61001, st.st_size);
	EXPECT_LE(61001 / 512, st.st_blocks);
	EXPECT_EQ(61001, read(fd, buf, 100000));
	EXPECT_EQ(-1, wrong_at(buf, 5001, 1, 0));
	EXPECT_EQ(-1, nonzero_at(buf + 5001, 61001 - 5001));
}

TEST_F(share, fallocate_can_keep_the_size)
{
	struct stat st;
	int fd;

	ASSERT_OK(make_file("f", 1, 5001));
	ASSERT_OK(fd = open("f", O_RDWR));
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, MIB)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "the server has no FALLOC_FL_KEEP_SIZE");
	}
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(5001, st.st_size);
	EXPECT_LE(MIB / 512, st.st_blocks);
	EXPECT_TRUE(file_is("f", 1, 5001));
}

/*
 * erases - does fallocate(@mode) turn just the range into zeros? The file is
 * read before, so a client that keeps old pages is found out. -1: unsupported
 */
static int erases(int mode, const char *name)
{
	const int from = 5000, to = 150001, size = 200000;
	char *buf = buffer(size);
	int fd;

	if (make_file(name, 1, size) || !file_is(name, 1, size))
		return 0;
	fd = open(name, O_RDWR);
	if (fallocate(fd, mode, from, to - from))
		return errno == EOPNOTSUPP ? -1 : 0;
	return pread(fd, buf, size, 0) == size &&
	       size_of(name) == size &&
	       wrong_at(buf, from, 1, 0) == -1 &&
	       nonzero_at(buf + from, to - from) == -1 &&
	       wrong_at(buf + to, size - to, 1, to) == -1;
}

TEST_F(share, a_punched_hole_is_zeros_and_nothing_else_is)
{
	int rc = erases(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "f");

	if (rc < 0)
		SKIP(return, "the server's file system punches no holes");
	EXPECT_EQ(1, rc);
}

TEST_F(share, a_zeroed_range_is_zeros_and_nothing_else_is)
{
	int rc = erases(FALLOC_FL_ZERO_RANGE, "f");
	int fd;

	if (rc < 0)
		SKIP(return, "the server's file system zeroes no ranges");
	EXPECT_EQ(1, rc);
	EXPECT_EQ(1, erases(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "g"));
	ASSERT_OK(fd = open("f", O_RDWR));
	EXPECT_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 190000, 20000));
	EXPECT_EQ(210000, size_of("f"));
	EXPECT_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			    200000, 20000));
	EXPECT_EQ(210000, size_of("f"));
}

TEST_F(share, fallocate_refuses_what_cannot_be)
{
	int rd, wr, dir, ends[2];

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(rd = open("f", O_RDONLY));
	ASSERT_OK(wr = open("f", O_WRONLY));
	ASSERT_OK(dir = open(".", O_RDONLY));
	ASSERT_OK(pipe(ends));
	EXPECT_ERRNO(EINVAL, fallocate(wr, 0, 0, 0));
	EXPECT_ERRNO(EINVAL, fallocate(wr, 0, -1, 10));
	EXPECT_ERRNO(EINVAL, fallocate(wr, 0, 0, -1));
	EXPECT_ERRNO(EFBIG, fallocate(wr, 0, LLONG_MAX, 1));
	EXPECT_ERRNO(EBADF, fallocate(rd, 0, 0, 10));
	EXPECT_ERRNO(EBADF, fallocate(dir, 0, 0, 10));
	EXPECT_ERRNO(ESPIPE, fallocate(ends[1], 0, 0, 10));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(wr, FALLOC_FL_PUNCH_HOLE, 0, 10));
	EXPECT_ERRNO(EOPNOTSUPP, fallocate(wr, 1 << 30, 0, 10));
	EXPECT_TRUE(file_is("f", 1, 10));
}

TEST_F(share, a_full_share_gives_enospc_and_recovers)
{
	char *buf = buffer(MIB);
	struct statfs fs;
	ssize_t n;
	int fd;

	ASSERT_OK(statfs(".", &fs));
	if ((long long)fs.f_blocks * fs.f_bsize > SMALL_SHARE)
		SKIP(return, "the share is larger than 64 MiB");
	fill(buf, MIB, 1, 0);
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	while (size_of("f") < 2 * SMALL_SHARE && (n = write(fd, buf, MIB)) > 0)
		;
	/* With a write-back cache only fsync(2) has the whole truth. */
	EXPECT_ERRNO(ENOSPC, n < 0 ? -1 : fsync(fd));
	ASSERT_OK(statfs(".", &fs));
	EXPECT_GT(MIB, (long long)fs.f_bavail * fs.f_bsize);
	ASSERT_OK(ftruncate(fd, 0));
	ASSERT_OK(make_file("g", 1, MIB));
	EXPECT_TRUE(file_is("g", 1, MIB));
}

SHARE_MAIN
