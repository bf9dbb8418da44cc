// SPDX-License-Identifier: GPL-2.0
/*
 * Copies made by the kernel: copy_file_range, sendfile and splice. The first
 * of them can be done by the server without moving a byte to the guest.
 */
#include <sys/sendfile.h>

#include "share.h"

#define SIZE 300001

FIXTURE(pair) {
	FIXTURE_DATA(share) share;
	int in, out;
};

FIXTURE_SETUP(pair)
{
	share_setup(_metadata, &self->share, NULL);
	ASSERT_OK(make_file("in", 1, SIZE));
	ASSERT_OK(self->in = open("in", O_RDWR));
	ASSERT_OK(self->out = open("out", O_RDWR | O_CREAT | O_EXCL, 0644));
}

FIXTURE_TEARDOWN_PARENT(pair)
{
	share_teardown(_metadata, &self->share, NULL);
}

TEST_F(pair, copy_file_range_copies_a_whole_file)
{
	ssize_t n, done = 0;

	while ((n = copy_file_range(self->in, NULL, self->out, NULL, SIZE, 0)) > 0)
		done += n;
	EXPECT_OK(n);
	EXPECT_EQ(SIZE, done);
	EXPECT_TRUE(file_is("out", 1, SIZE));
	EXPECT_TRUE(file_is("in", 1, SIZE));
	EXPECT_EQ(SIZE, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(SIZE, lseek(self->out, 0, SEEK_CUR));
}

TEST_F(pair, copy_file_range_keeps_to_its_offsets)
{
	char *buf = buffer(SIZE);
	off_t from = 12345, to = 777;

	ASSERT_EQ(54321, copy_file_range(self->in, &from, self->out, &to,
					 54321, 0));
	EXPECT_EQ(12345 + 54321, from);
	EXPECT_EQ(777 + 54321, to);
	EXPECT_EQ(0, lseek(self->in, 0, SEEK_CUR));
	EXPECT_EQ(777 + 54321, pread(self->out, buf, SIZE, 0));
	EXPECT_EQ(-1, nonzero_at(buf, 777));
	EXPECT_EQ(-1, wrong_at(buf + 777, 54321, 1, 12345));
}

/* What has only reached this machine's memory is part of the source too. */
TEST_F(pair, copy_file_range_copies_what_was_just_written)
{
	off_t from = 0, to = 0;
	char *map, *buf = buffer(SIZE);

	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->in, 0);
	if (map == MAP_FAILED) {
		ASSERT_EQ(ENODEV, errno);
		SKIP(return, "the server allows no shared mappings");
	}
	fill(map, SIZE, 2, 0);
	ASSERT_EQ(SIZE, copy_file_range(self->in, &from, self->out, &to, SIZE, 0));
	EXPECT_TRUE(file_is("out", 2, SIZE));

	/* And the target's old pages are gone, though just read. */
	from = 0;
	to = 100;
	fill(buf, 4096, 3, 0);
	ASSERT_EQ(4096, pwrite(self->in, buf, 4096, 0));
	ASSERT_EQ(4096, copy_file_range(self->in, &from, self->out, &to, 4096, 0));
	ASSERT_EQ(SIZE, pread(self->out, buf, SIZE, 0));
	EXPECT_EQ(-1, wrong_at(buf, 100, 2, 0));
	EXPECT_EQ(-1, wrong_at(buf + 100, 4096, 3, 0));
	EXPECT_EQ(-1, wrong_at(buf + 4196, SIZE - 4196, 2, 4196));
}

TEST_F(pair, copy_file_range_copies_within_one_file)
{
	off_t from = 0, to = SIZE;
	char *buf = buffer(SIZE);

	ASSERT_EQ(1000, copy_file_range(self->in, &from, self->in, &to, 1000, 0));
	EXPECT_EQ(SIZE + 1000, size_of("in"));
	EXPECT_EQ(1000, pread(self->in, buf, SIZE, SIZE));
	EXPECT_EQ(-1, wrong_at(buf, 1000, 1, 0));
	from = 0;
	to = 500;
	EXPECT_ERRNO(EINVAL, copy_file_range(self->in, &from, self->in, &to,
					     1000, 0));
}

TEST_F(pair, copy_file_range_ends_at_the_end)
{
	off_t from = SIZE - 10, to = 0;

	EXPECT_EQ(10, copy_file_range(self->in, &from, self->out, &to, 1000, 0));
	EXPECT_EQ(0, copy_file_range(self->in, &from, self->out, &to, 1000, 0));
	from = SIZE + 1000;
	EXPECT_EQ(0, copy_file_range(self->in, &from, self->out, &to, 1000, 0));
	EXPECT_EQ(10, size_of("out"));
}

TEST_F(pair, copy_file_range_refuses_what_cannot_be)
{
	int rd, wr, append, dir, memory;

	ASSERT_OK(rd = open("in", O_RDONLY));
	ASSERT_OK(wr = open("out", O_WRONLY));
	ASSERT_OK(append = open("out", O_WRONLY | O_APPEND));
	ASSERT_OK(dir = open(".", O_RDONLY));
	ASSERT_OK(memory = memfd_create("memory", 0));
	ASSERT_EQ(10, write(memory, "0123456789", 10));
	ASSERT_EQ(0, lseek(memory, 0, SEEK_SET));
	EXPECT_ERRNO(EBADF, copy_file_range(wr, NULL, wr, NULL, 10, 0));
	EXPECT_ERRNO(EBADF, copy_file_range(rd, NULL, rd, NULL, 10, 0));
	EXPECT_ERRNO(EBADF, copy_file_range(rd, NULL, append, NULL, 10, 0));
	EXPECT_ERRNO(EISDIR, copy_file_range(dir, NULL, wr, NULL, 10, 0));
	EXPECT_ERRNO(EINVAL, copy_file_range(rd, NULL, wr, NULL, 10, 1));
	EXPECT_ERRNO(EXDEV, copy_file_range(memory, NULL, wr, NULL, 10, 0));
	EXPECT_ERRNO(EXDEV, copy_file_range(rd, NULL, memory, NULL, 10, 0));
	EXPECT_EQ(0, size_of("out"));
}

TEST_F(pair, sendfile_copies_on_the_share)
{
	off_t from = 0;

	ASSERT_EQ(SIZE, sendfile(self->out, self->in, &from, SIZE));
	EXPECT_TRUE(file_is("out", 1, SIZE));
	EXPECT_EQ(0, sendfile(self->out, self->in, &from, 100));
}

/* through_pipe - splice from one file to another; the bytes that came through */
static ssize_t through_pipe(int in, int out, size_t len)
{
	ssize_t n, m, done = 0;
	int ends[2];

	if (pipe(ends))
		return -1;
	while (len && (n = splice(in, NULL, ends[1], NULL, len, 0)) > 0) {
		len -= n;
		for (; n > 0; n -= m, done += m) {
			m = splice(ends[0], NULL, out, NULL, n, 0);
			if (m <= 0)
				return done;
		}
	}
	close(ends[0]);
	close(ends[1]);
	return done;
}

TEST_F(pair, splice_moves_a_file_through_a_pipe)
{
	EXPECT_EQ(SIZE, through_pipe(self->in, self->out, SIZE));
	EXPECT_TRUE(file_is("out", 1, SIZE));
}

TEST_F(pair, splice_moves_an_uncached_file_with_direct_io)
{
	ssize_t n;

	ASSERT_OK(fsync(self->in));
	if (fcntl(self->in, F_SETFL, O_DIRECT)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the file system has no O_DIRECT");
	}
	n = through_pipe(self->in, self->out, 65536);
	EXPECT_EQ(65536, n);
	EXPECT_TRUE(file_is("out", 1, 65536));
}

SHARE_MAIN
