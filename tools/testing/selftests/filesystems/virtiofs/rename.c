// SPDX-License-Identifier: GPL-2.0
/*
 * Renaming, with each of its flags, of files, directories and links, open
 * and closed.
 */
#include <sys/sysmacros.h>

#include "share.h"

#define MANY_RENAMES 300

static int rename_flags(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST_F(share, rename_moves_a_file)
{
	long inode;

	ASSERT_OK(make_file("a", 1, 100));
	ASSERT_OK(mkdir("d", 0755));
	inode = inode_of("a");
	ASSERT_OK(rename("a", "b"));
	EXPECT_FALSE(exists("a"));
	EXPECT_TRUE(file_is("b", 1, 100));
	ASSERT_OK(rename("b", "d/c"));
	EXPECT_FALSE(exists("b"));
	EXPECT_TRUE(file_is("d/c", 1, 100));
	EXPECT_EQ(inode, inode_of("d/c"));
	EXPECT_ERRNO(ENOENT, open("a", O_RDONLY));
}

TEST_F(share, rename_moves_a_directory_with_all_in_it)
{
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(mkdir("d/e", 0755));
	ASSERT_OK(mkdir("x", 0755));
	ASSERT_OK(make_file("d/e/f", 1, 100));
	ASSERT_OK(rename("d", "x/y"));
	EXPECT_FALSE(exists("d"));
	EXPECT_FALSE(exists("d/e/f"));
	EXPECT_TRUE(file_is("x/y/e/f", 1, 100));
	EXPECT_EQ(inode_of("x"), inode_of("x/y/.."));
}

TEST_F(share, rename_replaces_a_file_and_leaves_it_to_its_readers)
{
	struct stat st;
	char buf[20];
	int fd;

	ASSERT_OK(make_file("a", 1, 10));
	ASSERT_OK(make_file("b", 2, 20));
	ASSERT_OK(fd = open("b", O_RDONLY));
	ASSERT_OK(rename("a", "b"));
	EXPECT_FALSE(exists("a"));
	EXPECT_TRUE(file_is("b", 1, 10));
	EXPECT_EQ(20, read(fd, buf, 20));
	EXPECT_EQ(-1, wrong_at(buf, 20, 2, 0));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(0, (int)st.st_nlink);
}

TEST_F(share, a_renamed_open_file_goes_on)
{
	char buf[20];
	int fd;

	fill(buf, 20, 1, 0);
	ASSERT_OK(fd = open("a", O_RDWR | O_CREAT, 0644));
	ASSERT_EQ(10, write(fd, buf, 10));
	ASSERT_OK(rename("a", "b"));
	ASSERT_EQ(10, write(fd, buf + 10, 10));
	EXPECT_TRUE(file_is("b", 1, 20));
	EXPECT_EQ(20, pread(fd, buf, 20, 0));
	EXPECT_EQ(-1, wrong_at(buf, 20, 1, 0));
}

TEST_F(share, a_renamed_working_directory_goes_on)
{
	char cwd[PATH_MAX];

	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(mkdir("x", 0755));
	ASSERT_OK(chdir("d"));
	ASSERT_OK(rename("../d", "../x/y"));
	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_NE(NULL, getcwd(cwd, sizeof(cwd)));
	EXPECT_STREQ("/x/y", cwd + strlen(cwd) - 4);
	ASSERT_OK(chdir("../.."));
	EXPECT_TRUE(file_is("x/y/f", 1, 10));
}

TEST_F(share, rename_to_a_link_of_the_same_file_does_nothing)
{
	ASSERT_OK(make_file("a", 1, 10));
	ASSERT_OK(link("a", "b"));
	EXPECT_OK(rename("a", "b"));
	EXPECT_OK(rename("a", "a"));
	EXPECT_EQ(2, links_of("a"));
	EXPECT_EQ(2, links_of("b"));
}

TEST_F(share, rename_moves_a_symlink_and_not_its_target)
{
	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(symlink("f", "a"));
	ASSERT_OK(rename("a", "b"));
	EXPECT_TRUE(file_is("f", 1, 10));
	EXPECT_TRUE(file_is("b", 1, 10));
	EXPECT_EQ(1, size_of("b"));
	ASSERT_OK(make_file("g", 2, 20));
	ASSERT_OK(rename("g", "b"));
	EXPECT_TRUE(file_is("f", 1, 10));
	EXPECT_EQ(20, size_of("b"));
}

TEST_F(share, rename_replaces_only_empty_directories)
{
	ASSERT_OK(mkdir("a", 0755));
	ASSERT_OK(touch("a/in"));
	ASSERT_OK(mkdir("empty", 0755));
	ASSERT_OK(mkdir("full", 0755));
	ASSERT_OK(touch("full/f"));
	EXPECT_ERRNO(ENOTEMPTY, rename("a", "full"));
	EXPECT_OK(rename("a", "empty"));
	EXPECT_TRUE(exists("empty/in"));
	EXPECT_FALSE(exists("a"));
}

TEST_F(share, rename_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(mkdir("d/e", 0755));
	EXPECT_ERRNO(ENOENT, rename("no", "x"));
	EXPECT_ERRNO(ENOENT, rename("f", "no/x"));
	EXPECT_ERRNO(ENOENT, rename("", "x"));
	EXPECT_ERRNO(ENOTDIR, rename("f/x", "x"));
	EXPECT_ERRNO(ENOTDIR, rename("f", "f/x"));
	EXPECT_ERRNO(ENOTDIR, rename("f", "x/"));
	EXPECT_ERRNO(ENOTDIR, rename("d", "f"));
	EXPECT_ERRNO(EISDIR, rename("f", "d"));
	EXPECT_ERRNO(EINVAL, rename("d", "d/e/x"));
	EXPECT_ERRNO(EBUSY, rename("f", "d/e/.."));
	EXPECT_ERRNO(EBUSY, rename("d/.", "x"));
	EXPECT_ERRNO(EXDEV, rename("/proc/self/status", "x"));
	EXPECT_ERRNO(EXDEV, rename("f", "/proc/self/x"));
	EXPECT_ERRNO(EINVAL, rename_flags("f", "x", 1 << 30));
	EXPECT_ERRNO(EINVAL, rename_flags("f", "d", RENAME_NOREPLACE |
					  RENAME_EXCHANGE));
}

TEST_F(share, rename_noreplace_moves_only_to_a_free_name)
{
	ASSERT_OK(make_file("a", 1, 10));
	ASSERT_OK(make_file("b", 2, 20));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(symlink("nowhere", "dangling"));
	if (rename_flags("a", "free", RENAME_NOREPLACE)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the server has no RENAME_NOREPLACE");
	}
	EXPECT_TRUE(file_is("free", 1, 10));
	EXPECT_FALSE(exists("a"));
	EXPECT_ERRNO(EEXIST, rename_flags("free", "b", RENAME_NOREPLACE));
	EXPECT_ERRNO(EEXIST, rename_flags("free", "d", RENAME_NOREPLACE));
	EXPECT_ERRNO(EEXIST, rename_flags("free", "dangling", RENAME_NOREPLACE));
	EXPECT_ERRNO(EEXIST, rename_flags("free", "free", RENAME_NOREPLACE));
	EXPECT_ERRNO(ENOENT, rename_flags("no", "x", RENAME_NOREPLACE));
	EXPECT_TRUE(file_is("b", 2, 20));
	EXPECT_TRUE(file_is("free", 1, 10));
}

TEST_F(share, rename_exchange_swaps_two_files)
{
	ASSERT_OK(make_file("a", 1, 10));
	ASSERT_OK(make_file("b", 2, 20));
	if (rename_flags("a", "b", RENAME_EXCHANGE)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the server has no RENAME_EXCHANGE");
	}
	EXPECT_TRUE(file_is("a", 2, 20));
	EXPECT_TRUE(file_is("b", 1, 10));
	EXPECT_ERRNO(ENOENT, rename_flags("a", "no", RENAME_EXCHANGE));
	EXPECT_ERRNO(ENOENT, rename_flags("no", "a", RENAME_EXCHANGE));
}

TEST_F(share, rename_exchange_swaps_a_file_and_a_directory)
{
	ASSERT_OK(make_file("a", 1, 10));
	ASSERT_OK(mkdir("x", 0755));
	ASSERT_OK(mkdir("x/d", 0755));
	ASSERT_OK(make_file("x/d/f", 2, 20));
	if (rename_flags("a", "x/d", RENAME_EXCHANGE)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the server has no RENAME_EXCHANGE");
	}
	EXPECT_TRUE(file_is("x/d", 1, 10));
	EXPECT_TRUE(file_is("a/f", 2, 20));
	EXPECT_EQ(inode_of("."), inode_of("a/.."));
	EXPECT_ERRNO(EINVAL, rename_flags("x", "x/d", RENAME_EXCHANGE));
}

TEST_F(share, rename_whiteout_leaves_a_whiteout)
{
	struct stat st;

	ASSERT_OK(make_file("a", 1, 10));
	if (rename_flags("a", "b", RENAME_WHITEOUT)) {
		ASSERT_TRUE(errno == EINVAL || errno == EPERM);
		SKIP(return, "the server makes no whiteouts: %m");
	}
	EXPECT_TRUE(file_is("b", 1, 10));
	ASSERT_OK(lstat("a", &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(makedev(0, 0), st.st_rdev);
}

TEST_F(share, a_name_is_right_after_each_of_many_renames)
{
	char from[16] = "f0", to[16];
	int i;

	ASSERT_OK(make_file(from, 1, 100));
	for (i = 1; i <= MANY_RENAMES; i++) {
		snprintf(to, sizeof(to), "f%d", i % 7);
		ASSERT_OK(rename(from, to));
		ASSERT_FALSE(exists(from));
		ASSERT_EQ(100, size_of(to));
		strcpy(from, to);
	}
	EXPECT_TRUE(file_is(to, 1, 100));
}

TEST_F(share, rename_is_for_those_who_may_write_both_directories)
{
	ASSERT_OK(mkdir("mine", 0777));
	ASSERT_OK(chown("mine", USER, USER));
	ASSERT_OK(mkdir("roots", 0755));
	ASSERT_OK(touch("roots/f"));
	AS_USER(USER) {
		ASSERT_OK(touch("mine/f"));
		EXPECT_ERRNO(EACCES, rename("mine/f", "roots/g"));
		EXPECT_ERRNO(EACCES, rename("roots/f", "mine/g"));
		EXPECT_OK(rename("mine/f", "mine/g"));
	}
	EXPECT_TRUE(exists("mine/g"));
	EXPECT_TRUE(exists("roots/f"));
}

SHARE_MAIN
