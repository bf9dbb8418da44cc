/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all tests of this folder have in common: short words for "this call
 * works" and "this call fails with that errno", bytes that are known by their
 * place, other users and other processes. Knows nothing of a share.
 */
#ifndef VIRTIOFS_COMMON_H
#define VIRTIOFS_COMMON_H

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

/*
 * A debug kernel under emulation is a hundred times slower than a real
 * machine, and no test waits for time to pass: this only ends a hang.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 900

/* What a system call said: 0, or the errno that it failed with. */
#define ERRNO_OF(call) ((long)(call) == -1 ? errno : 0)

#define ASSERT_OK(call) ASSERT_EQ(0, ERRNO_OF(call))
#define EXPECT_OK(call) EXPECT_EQ(0, ERRNO_OF(call))
#define ASSERT_ERRNO(error, call) ASSERT_EQ(error, ERRNO_OF(call))
#define EXPECT_ERRNO(error, call) EXPECT_EQ(error, ERRNO_OF(call))

/* Two users without any privilege; the tests themselves run as root. */
#define USER 1001
#define OTHER 1002

/* need - leave the program as skipped unless its surroundings name @variable */
static inline const char *need(const char *variable)
{
	const char *value = getenv(variable);

	if (!value || !*value)
		ksft_exit_skip("%s is not set\n", variable);
	return value;
}

static inline void need_root(void)
{
	if (geteuid())
		ksft_exit_skip("the tests change users and must start as root\n");
}

/* buffer - @len zero bytes at the start of a page; they last with the test */
static inline void *buffer(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

/* bad_address - the start of a mebibyte that may be neither read nor written */
static inline void *bad_address(void)
{
	void *p = buffer(1 << 20);

	return mprotect(p, 1 << 20, PROT_NONE) ? NULL : p;
}

/* byte_at - the byte number @pos of the endless text number @seed */
static inline unsigned char byte_at(unsigned int seed, uint64_t pos)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ull ^ seed * 0x85ebca6bull;

	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull >> 56;
}

/* fill - write bytes [@pos, @pos + @len) of the text @seed to @buf */
static inline void fill(void *buf, size_t len, unsigned int seed, uint64_t pos)
{
	unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = byte_at(seed, pos + i);
}

/* wrong_at - where @buf first differs from what fill() writes, -1: nowhere */
static inline long wrong_at(const void *buf, size_t len, unsigned int seed,
			    uint64_t pos)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != byte_at(seed, pos + i))
			return i;
	return -1;
}

/* nonzero_at - where @buf first holds another byte than zero, -1: nowhere */
static inline long nonzero_at(const void *buf, size_t len)
{
	const unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i])
			return i;
	return -1;
}

/* make_file - a new file with @len bytes of the text @seed; 0 or -1, errno */
static inline int make_file(const char *name, unsigned int seed, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	char *buf = buffer(len + 1);
	ssize_t n;

	if (fd < 0)
		return -1;
	fill(buf, len, seed, 0);
	n = write(fd, buf, len);
	munmap(buf, len + 1);
	return close(fd) || n != (ssize_t)len ? -1 : 0;
}

/* file_is - does @name hold exactly @len bytes of the text @seed? */
static inline bool file_is(const char *name, unsigned int seed, size_t len)
{
	int fd = open(name, O_RDONLY);
	char *buf = buffer(len + 1);
	ssize_t n = read(fd, buf, len + 1);
	long wrong = n > 0 ? wrong_at(buf, n, seed, 0) : -1;
	bool is = n == (ssize_t)len && wrong < 0;

	if (!is)
		ksft_print_msg("%s: %zd bytes for %zu, wrong at %ld (%s), zeros there: %ld\n",
			       name, n, len, wrong, n < 0 ? strerror(errno) : "-",
			       wrong < 0 ? 0 : nonzero_at(buf + wrong, n - wrong));
	munmap(buf, len + 1);
	close(fd);
	return is;
}

/* touch - an empty file, through mknod: no open, no close */
static inline int touch(const char *name)
{
	return mknod(name, S_IFREG | 0644, 0);
}

static inline bool exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/* size_of, links_of, inode_of - one attribute of a file, -1: no such file */
static inline long long size_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : st.st_size;
}

static inline long links_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : (long)st.st_nlink;
}

static inline long inode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : (long)st.st_ino;
}

/* mode_of - permission bits, set-user-id and the like included */
static inline int mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : (int)(st.st_mode & 07777);
}

/* remove_in - remove all that is in the directory @fd, which is closed */
static inline int remove_in(int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int removed, child, rc = 0;

	if (!dir)
		return -1;
	do {
		removed = 0;
		rewinddir(dir);
		while (!rc && (entry = readdir(dir))) {
			if (!strcmp(entry->d_name, ".") ||
			    !strcmp(entry->d_name, ".."))
				continue;
			removed = 1;
			if (!unlinkat(fd, entry->d_name, 0))
				continue;
			child = openat(fd, entry->d_name,
				       O_DIRECTORY | O_NOFOLLOW);
			rc = child < 0 || remove_in(child) ||
			     unlinkat(fd, entry->d_name, AT_REMOVEDIR);
		}
	} while (removed && !rc);
	closedir(dir);
	return rc ? -1 : 0;
}

static inline int remove_tree(const char *path)
{
	int fd = open(path, O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0 || remove_in(fd))
		return -1;
	return rmdir(path);
}

/* join - the exit status of the child @pid, or minus the signal it died of */
static inline int join(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid))
		return -1;
	return setresuid(uid, uid, uid);
}

/*
 * as_user - fork; true in the child, which has become @uid, and false in the
 * parent, once the child has ended.
 */
static inline bool as_user(uid_t uid)
{
	pid_t pid = fork();
	int rc;

	if (pid == 0) {
		if (become(uid))
			_exit(KSFT_FAIL);
		return true;
	}
	rc = join(pid);
	if (rc) {
		ksft_print_msg("the part as user %u ended with %d\n", uid, rc);
		abort();
	}
	return false;
}

/* AS_USER(uid) { ... } runs the block in another process, as user @uid. */
#define AS_USER(uid) for (bool __child = as_user(uid); __child; _exit(0))

/* wait_for_byte, send_byte - the two ends by which processes take turns */
static inline bool wait_for_byte(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

static inline bool send_byte(int fd)
{
	return write(fd, "x", 1) == 1;
}

#endif /* VIRTIOFS_COMMON_H */
