// SPDX-License-Identifier: GPL-2.0
/*
 * Locks among the processes of one guest: POSIX record locks, open file
 * description locks and flock.
 */
#include <signal.h>
#include <sys/file.h>

#include "share.h"

#define TURNS 100

FIXTURE(lock) {
	FIXTURE_DATA(share) share;
	int fd;
	int there[2], back[2];
};

/* A file "f" of 100 bytes, and pipes by which two processes take turns. */
FIXTURE_SETUP(lock)
{
	share_setup(_metadata, &self->share, NULL);
	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(self->fd = open("f", O_RDWR));
	ASSERT_OK(pipe(self->there));
	ASSERT_OK(pipe(self->back));
}

FIXTURE_TEARDOWN_PARENT(lock)
{
	share_teardown(_metadata, &self->share, NULL);
}

static int lock(int fd, int command, int type, off_t start, off_t len)
{
	struct flock fl = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	return fcntl(fd, command, &fl);
}

/* holder - the lock in the way of a write lock, as F_GETLK tells */
static struct flock holder(int fd, int command, off_t start, off_t len)
{
	struct flock fl = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = len,
	};

	if (fcntl(fd, command, &fl))
		fl.l_type = -1;
	return fl;
}

TEST_F(lock, a_write_lock_keeps_others_out)
{
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 10, 20));
	pid = fork();
	if (!pid) {
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_WRLCK, 29, 1));
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_RDLCK, 0, 11));
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_RDLCK, 0, 0));
		EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 10));
		EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 30, 0));
		_exit(0);
	}
	EXPECT_EQ(0, join(pid));
}

TEST_F(lock, read_locks_are_shared)
{
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_RDLCK, 0, 10));
	pid = fork();
	if (!pid) {
		EXPECT_OK(lock(self->fd, F_SETLK, F_RDLCK, 0, 10));
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_WRLCK, 0, 10));
		_exit(0);
	}
	EXPECT_EQ(0, join(pid));
	EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 10));
}

TEST_F(lock, getlk_names_who_is_in_the_way)
{
	struct flock fl;
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 10, 20));
	EXPECT_EQ(F_UNLCK, holder(self->fd, F_GETLK, 0, 0).l_type);
	pid = fork();
	if (!pid) {
		fl = holder(self->fd, F_GETLK, 0, 100);
		EXPECT_EQ(F_WRLCK, fl.l_type);
		EXPECT_EQ(10, fl.l_start);
		EXPECT_EQ(20, fl.l_len);
		EXPECT_EQ(getppid(), fl.l_pid);
		EXPECT_EQ(F_UNLCK, holder(self->fd, F_GETLK, 30, 0).l_type);
		_exit(0);
	}
	EXPECT_EQ(0, join(pid));
}

TEST_F(lock, unlocking_the_middle_leaves_two_ends)
{
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 100));
	ASSERT_OK(lock(self->fd, F_SETLK, F_UNLCK, 40, 20));
	ASSERT_OK(lock(self->fd, F_SETLK, F_RDLCK, 90, 10));
	pid = fork();
	if (!pid) {
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_WRLCK, 39, 1));
		EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 40, 20));
		EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_RDLCK, 60, 1));
		EXPECT_OK(lock(self->fd, F_SETLK, F_RDLCK, 90, 10));
		_exit(0);
	}
	EXPECT_EQ(0, join(pid));
}

TEST_F(lock, closing_any_descriptor_gives_the_locks_up)
{
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 0));
	ASSERT_OK(close(open("f", O_RDONLY)));
	pid = fork();
	if (!pid) {
		EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	EXPECT_EQ(0, join(pid));
	/* And so does the end of the process. */
	EXPECT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 0));
}

TEST_F(lock, setlkw_waits_for_the_other_to_unlock)
{
	char c = 'c';
	pid_t pid;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 100));
	pid = fork();
	if (!pid) {
		EXPECT_TRUE(send_byte(self->there[1]));
		EXPECT_OK(lock(self->fd, F_SETLKW, F_WRLCK, 0, 100));
		/* Written by the other while it had the lock. */
		EXPECT_EQ(1, pread(self->fd, &c, 1, 0));
		EXPECT_EQ('x', c);
		_exit(0);
	}
	EXPECT_TRUE(wait_for_byte(self->there[0]));
	usleep(50000);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 0));
	EXPECT_OK(lock(self->fd, F_SETLK, F_UNLCK, 0, 100));
	EXPECT_EQ(0, join(pid));
}

static void on_signal(int signal)
{
	(void)signal;
}

TEST_F(lock, setlkw_is_interrupted_by_a_signal)
{
	struct sigaction action = { .sa_handler = on_signal };
	int status;
	pid_t pid;

	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 100));
	pid = fork();
	if (!pid) {
		EXPECT_ERRNO(EINTR, lock(self->fd, F_SETLKW, F_WRLCK, 0, 100));
		_exit(0);
	}
	/* The first signals may come before the child waits. */
	while (!waitpid(pid, &status, WNOHANG)) {
		kill(pid, SIGUSR1);
		usleep(10000);
	}
	EXPECT_EQ(0, status);
}

TEST_F(lock, two_that_wait_for_each_other_get_edeadlk)
{
	pid_t pid;
	int first, second;

	ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 0, 1));
	pid = fork();
	if (!pid) {
		ASSERT_OK(lock(self->fd, F_SETLK, F_WRLCK, 1, 1));
		ASSERT_TRUE(send_byte(self->there[1]));
		first = ERRNO_OF(lock(self->fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(first);
	}
	ASSERT_TRUE(wait_for_byte(self->there[0]));
	second = ERRNO_OF(lock(self->fd, F_SETLKW, F_WRLCK, 1, 1));
	ASSERT_OK(lock(self->fd, F_SETLK, F_UNLCK, 0, 0));
	first = join(pid);
	/* Whoever came last is told; the other gets the lock. */
	EXPECT_EQ(EDEADLK, first + second);
}

TEST_F(lock, a_counter_under_a_lock_loses_no_count)
{
	int i, count = 0;
	pid_t pid;

	ASSERT_EQ((int)sizeof(count), pwrite(self->fd, &count, sizeof(count), 0));
	pid = fork();
	for (i = 0; i < TURNS; i++) {
		ASSERT_OK(lock(self->fd, F_SETLKW, F_WRLCK, 0, sizeof(count)));
		ASSERT_EQ((int)sizeof(count),
			  pread(self->fd, &count, sizeof(count), 0));
		count++;
		ASSERT_EQ((int)sizeof(count),
			  pwrite(self->fd, &count, sizeof(count), 0));
		ASSERT_OK(lock(self->fd, F_SETLK, F_UNLCK, 0, sizeof(count)));
	}
	if (!pid)
		_exit(0);
	EXPECT_EQ(0, join(pid));
	ASSERT_EQ((int)sizeof(count), pread(self->fd, &count, sizeof(count), 0));
	EXPECT_EQ(2 * TURNS, count);
}

TEST_F(lock, locks_that_cannot_be_are_refused)
{
	int rd, wr;

	ASSERT_OK(rd = open("f", O_RDONLY));
	ASSERT_OK(wr = open("f", O_WRONLY));
	EXPECT_ERRNO(EBADF, lock(rd, F_SETLK, F_WRLCK, 0, 1));
	EXPECT_ERRNO(EBADF, lock(wr, F_SETLK, F_RDLCK, 0, 1));
	EXPECT_ERRNO(EINVAL, lock(self->fd, F_SETLK, 77, 0, 1));
	EXPECT_ERRNO(EINVAL, lock(self->fd, F_SETLK, F_WRLCK, -1, 1));
	EXPECT_ERRNO(EINVAL, lock(self->fd, F_SETLK, F_WRLCK, 0, -1));
	EXPECT_ERRNO(EBADF, lock(12345, F_SETLK, F_WRLCK, 0, 1));
}

TEST_F(lock, ofd_locks_belong_to_the_open_file)
{
	int other, same;

	ASSERT_OK(other = open("f", O_RDWR));
	ASSERT_OK(same = dup(self->fd));
	ASSERT_OK(lock(self->fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	EXPECT_ERRNO(EAGAIN, lock(other, F_OFD_SETLK, F_WRLCK, 0, 10));
	EXPECT_EQ(F_WRLCK, holder(other, F_OFD_GETLK, 0, 10).l_type);
	EXPECT_EQ(-1, holder(other, F_OFD_GETLK, 0, 10).l_pid);
	EXPECT_OK(lock(same, F_OFD_SETLK, F_RDLCK, 0, 10));
	EXPECT_OK(lock(other, F_OFD_SETLK, F_RDLCK, 0, 10));
	EXPECT_ERRNO(EAGAIN, lock(self->fd, F_SETLK, F_WRLCK, 0, 10));
	ASSERT_OK(close(other));
	ASSERT_OK(close(self->fd));
	ASSERT_OK(other = open("f", O_RDWR));
	EXPECT_ERRNO(EAGAIN, lock(other, F_OFD_SETLK, F_WRLCK, 0, 10));
	ASSERT_OK(close(same));
	EXPECT_OK(lock(other, F_OFD_SETLK, F_WRLCK, 0, 10));
}

TEST_F(lock, flock_is_exclusive_or_shared)
{
	int other;

	ASSERT_OK(other = open("f", O_RDONLY));
	ASSERT_OK(flock(self->fd, LOCK_EX));
	EXPECT_ERRNO(EWOULDBLOCK, flock(other, LOCK_SH | LOCK_NB));
	EXPECT_ERRNO(EWOULDBLOCK, flock(other, LOCK_EX | LOCK_NB));
	ASSERT_OK(flock(self->fd, LOCK_SH));
	EXPECT_OK(flock(other, LOCK_SH | LOCK_NB));
	EXPECT_ERRNO(EWOULDBLOCK, flock(other, LOCK_EX | LOCK_NB));
	ASSERT_OK(flock(self->fd, LOCK_UN));
	EXPECT_OK(flock(other, LOCK_EX | LOCK_NB));
	ASSERT_OK(close(other));
	EXPECT_OK(flock(self->fd, LOCK_EX | LOCK_NB));
	EXPECT_ERRNO(EINVAL, flock(self->fd, 64));
}

TEST_F(lock, flock_waits_for_the_other_process)
{
	pid_t pid;
	char c = 0;
	int fd;

	ASSERT_OK(flock(self->fd, LOCK_EX));
	pid = fork();
	if (!pid) {
		/* A descriptor of one's own: that of the parent has the lock. */
		ASSERT_OK(fd = open("f", O_RDWR));
		EXPECT_TRUE(send_byte(self->there[1]));
		EXPECT_OK(flock(fd, LOCK_EX));
		EXPECT_EQ(1, pread(fd, &c, 1, 0));
		EXPECT_EQ('x', c);
		_exit(0);
	}
	EXPECT_TRUE(wait_for_byte(self->there[0]));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, 0));
	EXPECT_OK(flock(self->fd, LOCK_UN));
	EXPECT_EQ(0, join(pid));
}

TEST_F(lock, flock_is_kept_by_a_child_that_has_the_descriptor)
{
	pid_t pid;
	int other;

	ASSERT_OK(other = open("f", O_RDWR));
	ASSERT_OK(flock(self->fd, LOCK_EX));
	pid = fork();
	if (!pid) {
		EXPECT_TRUE(wait_for_byte(self->back[0]));
		_exit(0);
	}
	ASSERT_OK(close(self->fd));
	EXPECT_ERRNO(EWOULDBLOCK, flock(other, LOCK_EX | LOCK_NB));
	EXPECT_TRUE(send_byte(self->back[1]));
	EXPECT_EQ(0, join(pid));
	EXPECT_OK(flock(other, LOCK_EX | LOCK_NB));
}

SHARE_MAIN
