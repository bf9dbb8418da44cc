// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: shared ones are the file, private ones are not, and beyond the
 * end of the file there is nothing.
 */
#include <setjmp.h>
#include <signal.h>

#include "share.h"

#define PAGE ((int)sysconf(_SC_PAGESIZE))
#define SIZE (3 * PAGE + 100)
#define LARGE (4 << 20)

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

/* signal_at - the signal that reading, or writing, one byte raises; 0: none */
static int signal_at(volatile char *p, bool write)
{
	int signal = sigsetjmp(fault, 1);

	if (signal)
		return signal;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

FIXTURE(map) {
	FIXTURE_DATA(share) share;
	int fd;
	char *p;
};

/* A file "f" of three pages and a bit, mapped shared and writable. */
FIXTURE_SETUP(map)
{
	struct sigaction action = { .sa_handler = on_fault };

	share_setup(_metadata, &self->share, NULL);
	ASSERT_OK(sigaction(SIGBUS, &action, NULL));
	ASSERT_OK(sigaction(SIGSEGV, &action, NULL));
	ASSERT_OK(make_file("f", 1, SIZE));
	ASSERT_OK(self->fd = open("f", O_RDWR));
	self->p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       self->fd, 0);
	if (self->p == MAP_FAILED) {
		ASSERT_EQ(ENODEV, errno);
		share_teardown(_metadata, &self->share, NULL);
		SKIP(return, "the server allows no shared mappings");
	}
}

FIXTURE_TEARDOWN_PARENT(map)
{
	share_teardown(_metadata, &self->share, NULL);
}

TEST_F(map, a_mapping_shows_the_file)
{
	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 1, 0));
	EXPECT_EQ(-1, nonzero_at(self->p + SIZE, 4 * PAGE - SIZE));
}

TEST_F(map, what_is_stored_is_read_at_once)
{
	char *buf = buffer(SIZE);

	fill(self->p + 100, 5000, 2, 0);
	ASSERT_EQ(SIZE, pread(self->fd, buf, SIZE, 0));
	EXPECT_EQ(-1, wrong_at(buf, 100, 1, 0));
	EXPECT_EQ(-1, wrong_at(buf + 100, 5000, 2, 0));
	EXPECT_EQ(-1, wrong_at(buf + 5100, SIZE - 5100, 1, 5100));
}

TEST_F(map, what_is_written_is_loaded_at_once)
{
	char *buf = buffer(5000);

	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 1, 0));
	fill(buf, 5000, 2, 0);
	ASSERT_EQ(5000, pwrite(self->fd, buf, 5000, 100));
	EXPECT_EQ(-1, wrong_at(self->p + 100, 5000, 2, 0));
	EXPECT_EQ(-1, wrong_at(self->p + 5100, SIZE - 5100, 1, 5100));
}

TEST_F(map, what_was_synced_is_on_the_server)
{
	fill(self->p, SIZE, 2, 0);
	EXPECT_OK(msync(self->p, SIZE, MS_SYNC));
	ASSERT_OK(munmap(self->p, 16 * PAGE));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_OK(close(self->fd));
	EXPECT_TRUE(file_is("f", 2, SIZE));
}

TEST_F(map, what_was_not_synced_is_not_lost_with_the_mapping)
{
	fill(self->p, SIZE, 2, 0);
	EXPECT_OK(msync(self->p, SIZE, MS_ASYNC));
	ASSERT_OK(munmap(self->p, 16 * PAGE));
	ASSERT_OK(fsync(self->fd));
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(file_is("f", 2, SIZE));
	EXPECT_ERRNO(ENOMEM, msync(self->p, SIZE, MS_SYNC));
}

TEST_F(map, a_mapping_outlives_its_descriptor_and_its_name)
{
	ASSERT_OK(unlink("f"));
	ASSERT_OK(close(self->fd));
	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 1, 0));
	fill(self->p, SIZE, 2, 0);
	EXPECT_OK(msync(self->p, SIZE, MS_SYNC));
	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 2, 0));
}

TEST_F(map, a_private_mapping_stays_private)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       self->fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	fill(p, SIZE, 3, 0);
	EXPECT_EQ(-1, wrong_at(p, SIZE, 3, 0));
	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 1, 0));
	EXPECT_OK(msync(p, SIZE, MS_SYNC));
	EXPECT_TRUE(file_is("f", 1, SIZE));
}

TEST_F(map, two_mappings_are_one_file)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       self->fd, PAGE);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	p[17] = 'x';
	EXPECT_EQ('x', self->p[PAGE + 17]);
	pid = fork();
	if (!pid) {
		self->p[PAGE + 18] = 'y';
		_exit(0);
	}
	ASSERT_EQ(0, join(pid));
	EXPECT_EQ('y', p[18]);
}

TEST_F(map, beyond_the_last_page_there_is_sigbus)
{
	EXPECT_EQ(0, signal_at(self->p + SIZE, false));
	EXPECT_EQ(SIGBUS, signal_at(self->p + 4 * PAGE, false));
	EXPECT_EQ(SIGBUS, signal_at(self->p + 4 * PAGE, true));
	EXPECT_EQ(SIGBUS, signal_at(self->p + 15 * PAGE, false));
	EXPECT_EQ(SIZE, size_of("f"));
}

TEST_F(map, a_mapping_grows_and_shrinks_with_the_file)
{
	EXPECT_EQ(SIGBUS, signal_at(self->p + 5 * PAGE, false));
	ASSERT_OK(ftruncate(self->fd, 6 * PAGE));
	EXPECT_EQ(0, signal_at(self->p + 5 * PAGE, false));
	EXPECT_EQ(-1, nonzero_at(self->p + SIZE, 6 * PAGE - SIZE));
	self->p[5 * PAGE] = 'x';
	ASSERT_OK(ftruncate(self->fd, PAGE + 1));
	EXPECT_EQ(SIGBUS, signal_at(self->p + 5 * PAGE, false));
	EXPECT_EQ(SIGBUS, signal_at(self->p + 2 * PAGE, true));
	EXPECT_EQ(0, signal_at(self->p + PAGE, true));
	EXPECT_EQ(-1, nonzero_at(self->p + PAGE + 1, PAGE - 1));
	ASSERT_OK(ftruncate(self->fd, 6 * PAGE));
	EXPECT_EQ(0, self->p[5 * PAGE]);
}

TEST_F(map, a_mapping_allows_what_the_descriptor_does)
{
	int rd, wr;

	ASSERT_OK(rd = open("f", O_RDONLY));
	ASSERT_OK(wr = open("f", O_WRONLY));
	EXPECT_ERRNO(EACCES, mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, rd, 0));
	EXPECT_ERRNO(EACCES, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wr, 0));
	EXPECT_ERRNO(EACCES, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wr, 0));
	EXPECT_OK(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, rd, 0));
	EXPECT_ERRNO(EINVAL, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rd, 100));
	EXPECT_ERRNO(EINVAL, mmap(NULL, 0, PROT_READ, MAP_SHARED, rd, 0));
	EXPECT_ERRNO(EBADF, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 12345, 0));
	EXPECT_ERRNO(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				  open(".", O_RDONLY), 0));
	ASSERT_OK(mprotect(self->p, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, signal_at(self->p, true));
}

TEST_F(map, dropped_pages_are_read_again)
{
	EXPECT_EQ(-1, wrong_at(self->p, SIZE, 1, 0));
	fill(self->p, PAGE, 2, 0);
	EXPECT_OK(madvise(self->p, 4 * PAGE, MADV_DONTNEED));
	EXPECT_EQ(-1, wrong_at(self->p, PAGE, 2, 0));
	EXPECT_EQ(-1, wrong_at(self->p + PAGE, SIZE - PAGE, 1, PAGE));
	EXPECT_OK(mlock(self->p, 3 * PAGE));
	EXPECT_OK(munlock(self->p, 3 * PAGE));
}

/* read(2) into, and write(2) out of, pages that are files of the share too. */
TEST_F(map, a_mapping_is_a_buffer_for_another_file)
{
	int fd;

	ASSERT_OK(make_file("g", 2, SIZE));
	ASSERT_OK(fd = open("g", O_RDWR));
	ASSERT_EQ(SIZE, pread(fd, self->p, SIZE, 0));
	EXPECT_TRUE(file_is("f", 2, SIZE));
	fill(self->p, SIZE, 3, 0);
	ASSERT_EQ(SIZE, pwrite(fd, self->p, SIZE, 0));
	EXPECT_TRUE(file_is("g", 3, SIZE));
}

TEST_F(map, a_file_may_be_written_out_of_its_own_mapping)
{
	char *buf = buffer(2 * PAGE);

	ASSERT_EQ(2 * PAGE, pwrite(self->fd, self->p, 2 * PAGE, 4 * PAGE));
	ASSERT_EQ(2 * PAGE, pread(self->fd, buf, 2 * PAGE, 4 * PAGE));
	EXPECT_EQ(-1, wrong_at(buf, 2 * PAGE, 1, 0));
	EXPECT_EQ(6 * PAGE, size_of("f"));
}

TEST_F(map, a_large_file_written_by_stores_alone_is_whole)
{
	int fd;
	char *p;

	ASSERT_OK(fd = open("g", O_RDWR | O_CREAT, 0644));
	ASSERT_OK(ftruncate(fd, LARGE));
	p = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, LARGE, 4, 0);
	ASSERT_OK(munmap(p, LARGE));
	ASSERT_OK(fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(file_is("g", 4, LARGE));
}

SHARE_MAIN
