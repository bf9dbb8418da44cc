// SPDX-License-Identifier: GPL-2.0
/*
 * Names and what they lead to: hard links, symbolic links, and files that
 * are in use without having a name any more.
 */
#include "share.h"

#define MANY_LINKS 200
#define CHAIN 40

TEST_F(share, hard_links_are_one_file)
{
	ASSERT_OK(make_file("a", 1, 1000));
	ASSERT_OK(link("a", "b"));
	EXPECT_EQ(2, links_of("a"));
	EXPECT_EQ(2, links_of("b"));
	EXPECT_EQ(inode_of("a"), inode_of("b"));
	EXPECT_TRUE(file_is("b", 1, 1000));
	ASSERT_OK(truncate("b", 10));
	EXPECT_TRUE(file_is("a", 1, 10));
	ASSERT_OK(chmod("b", 0600));
	EXPECT_EQ(0600, mode_of("a"));
	ASSERT_OK(unlink("a"));
	EXPECT_EQ(1, links_of("b"));
	EXPECT_TRUE(file_is("b", 1, 10));
}

TEST_F(share, hundreds_of_links_are_counted_up_and_down)
{
	char name[32];
	int i;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(mkdir("d", 0755));
	for (i = 0; i < MANY_LINKS; i++) {
		snprintf(name, sizeof(name), "d/l%d", i);
		ASSERT_OK(link("f", name));
		ASSERT_EQ(i + 2, links_of("f"));
	}
	EXPECT_TRUE(file_is("d/l17", 1, 100));
	for (i = MANY_LINKS; i-- > 0;) {
		snprintf(name, sizeof(name), "d/l%d", i);
		ASSERT_OK(unlink(name));
		ASSERT_EQ(i + 1, links_of("f"));
	}
}

TEST_F(share, link_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(touch("g"));
	ASSERT_OK(mkdir("d", 0755));
	EXPECT_ERRNO(EEXIST, link("f", "g"));
	EXPECT_ERRNO(EEXIST, link("f", "f"));
	EXPECT_ERRNO(EEXIST, link("f", "d"));
	EXPECT_ERRNO(EPERM, link("d", "e"));
	EXPECT_ERRNO(ENOENT, link("no", "e"));
	EXPECT_ERRNO(ENOENT, link("f", "no/e"));
	EXPECT_ERRNO(ENOTDIR, link("f", "g/e"));
	EXPECT_ERRNO(EXDEV, link("/proc/self/status", "e"));
	EXPECT_ERRNO(EINVAL, linkat(AT_FDCWD, "f", AT_FDCWD, "e", 1));
	EXPECT_EQ(1, links_of("f"));
}

TEST_F(share, link_links_the_link_unless_told_to_follow)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(link("l", "a"));
	ASSERT_OK(linkat(AT_FDCWD, "l", AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
	EXPECT_EQ(inode_of("l"), inode_of("a"));
	EXPECT_EQ(inode_of("f"), inode_of("b"));
	EXPECT_EQ(2, links_of("l"));
	EXPECT_EQ(2, links_of("f"));
}

TEST_F(share, an_open_file_gets_another_name_by_its_descriptor)
{
	int fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(fd = open("f", O_RDONLY));
	ASSERT_OK(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	EXPECT_EQ(2, links_of("f"));
	ASSERT_OK(unlink("f"));
	ASSERT_OK(unlink("g"));
	EXPECT_ERRNO(ENOENT, linkat(fd, "", AT_FDCWD, "h", AT_EMPTY_PATH));
}

TEST_F(share, symlinks_of_every_length_are_read_as_written)
{
	static const int lengths[] = { 1, 59, 60, 61, 255, 256, 1000, 1023, };
	char target[PATH_MAX], seen[PATH_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(target, 'a' + i, lengths[i]);
		target[lengths[i]] = 0;
		ASSERT_OK(symlink(target, "l"));
		EXPECT_EQ(lengths[i], size_of("l"));
		EXPECT_EQ(lengths[i], readlink("l", seen, sizeof(seen)));
		EXPECT_EQ(0, memcmp(target, seen, lengths[i]));
		ASSERT_OK(unlink("l"));
	}
}

TEST_F(share, a_symlink_is_nearly_as_long_as_path_max)
{
	char target[PATH_MAX + 1], seen[PATH_MAX];

	memset(target, 't', sizeof(target));
	target[PATH_MAX] = 0;
	EXPECT_ERRNO(ENAMETOOLONG, symlink(target, "l"));
	target[PATH_MAX - 1] = 0;
	if (symlink(target, "l")) {
		ASSERT_EQ(ENAMETOOLONG, errno);
		SKIP(return, "the server's file system has shorter links");
	}
	EXPECT_EQ(PATH_MAX - 1, size_of("l"));
	EXPECT_EQ(PATH_MAX - 1, readlink("l", seen, sizeof(seen)));
	EXPECT_EQ(0, memcmp(target, seen, PATH_MAX - 1));
}

TEST_F(share, readlink_cuts_at_the_buffer_and_adds_nothing)
{
	char seen[8] = "........";

	ASSERT_OK(symlink("abcdef", "l"));
	EXPECT_EQ(3, readlink("l", seen, 3));
	EXPECT_EQ(0, memcmp("abc.....", seen, 8));
	EXPECT_EQ(6, readlink("l", seen, 8));
	EXPECT_EQ(0, memcmp("abcdef..", seen, 8));
	EXPECT_ERRNO(EINVAL, readlink(".", seen, 8));
	EXPECT_ERRNO(ENOENT, readlink("no", seen, 8));
}

TEST_F(share, a_symlink_holds_any_bytes)
{
	static const char target[] = "\xff/\t\n\x01//..//\xc3";
	char seen[32];

	ASSERT_OK(symlink(target, "l"));
	EXPECT_EQ((int)sizeof(target) - 1, readlink("l", seen, sizeof(seen)));
	EXPECT_EQ(0, memcmp(target, seen, sizeof(target) - 1));
}

TEST_F(share, symlink_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	EXPECT_ERRNO(EEXIST, symlink("x", "f"));
	EXPECT_ERRNO(ENOENT, symlink("", "l"));
	EXPECT_ERRNO(ENOENT, symlink("x", ""));
	EXPECT_ERRNO(ENOENT, symlink("x", "no/l"));
	EXPECT_ERRNO(ENOTDIR, symlink("x", "f/l"));
}

TEST_F(share, symlinks_are_followed_from_where_they_lie)
{
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(mkdir("d/e", 0755));
	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(symlink("../../f", "d/e/up"));
	ASSERT_OK(symlink("d/e", "down"));
	EXPECT_TRUE(file_is("d/e/up", 1, 10));
	EXPECT_TRUE(file_is("down/up", 1, 10));
	ASSERT_OK(make_file("down/g", 2, 20));
	EXPECT_TRUE(file_is("d/e/g", 2, 20));
}

TEST_F(share, forty_links_are_followed_and_no_more)
{
	char name[16], target[16];
	int i;

	ASSERT_OK(make_file("l0", 1, 10));
	for (i = 1; i <= CHAIN + 1; i++) {
		snprintf(target, sizeof(target), "l%d", i - 1);
		snprintf(name, sizeof(name), "l%d", i);
		ASSERT_OK(symlink(target, name));
	}
	EXPECT_TRUE(file_is("l40", 1, 10));
	EXPECT_ERRNO(ELOOP, open("l41", O_RDONLY));
}

TEST_F(share, an_unlinked_open_file_goes_on)
{
	char *buf = buffer(20000);
	struct stat st;
	int fd;

	ASSERT_OK(make_file("f", 1, 10000));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_OK(unlink("f"));
	EXPECT_ERRNO(ENOENT, open("f", O_RDONLY));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(0, (int)st.st_nlink);
	EXPECT_EQ(10000, st.st_size);

	EXPECT_EQ(10000, pread(fd, buf, 20000, 0));
	EXPECT_EQ(-1, wrong_at(buf, 10000, 1, 0));
	fill(buf, 5000, 1, 10000);
	EXPECT_EQ(5000, pwrite(fd, buf, 5000, 10000));
	EXPECT_OK(ftruncate(fd, 14000));
	EXPECT_OK(fchmod(fd, 0600));
	EXPECT_OK(fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(14000, pread(fd, buf, 20000, 0));
	EXPECT_EQ(-1, wrong_at(buf, 14000, 1, 0));
	EXPECT_OK(close(fd));
}

TEST_F(share, a_new_file_of_an_unlinked_name_is_another_file)
{
	char buf[20];
	int fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_OK(unlink("f"));
	ASSERT_OK(make_file("f", 2, 20));
	EXPECT_EQ(10, pread(fd, buf, 20, 0));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 0));
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	EXPECT_TRUE(file_is("f", 2, 20));
}

TEST_F(share, unlink_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	EXPECT_ERRNO(ENOENT, unlink("no"));
	EXPECT_ERRNO(ENOENT, unlink(""));
	EXPECT_ERRNO(EISDIR, unlink("d"));
	EXPECT_ERRNO(ENOTDIR, unlink("f/x"));
	EXPECT_ERRNO(ENOTDIR, unlink("f/"));
	EXPECT_TRUE(exists("f"));
}

TEST_F(share, unlinking_a_symlink_leaves_its_target)
{
	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(unlink("l"));
	EXPECT_TRUE(file_is("f", 1, 10));
}

SHARE_MAIN
