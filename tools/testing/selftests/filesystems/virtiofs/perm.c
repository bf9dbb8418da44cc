// SPDX-License-Identifier: GPL-2.0
/*
 * Permissions: what a user without privileges may do with files of his own,
 * of others and of root.
 */
#include "share.h"

/* owned - a file of @uid with that mode */
static int owned(const char *name, uid_t uid, mode_t mode)
{
	if (make_file(name, 1, 10) || chown(name, uid, uid))
		return -1;
	return chmod(name, mode);
}

/* owned_dir - a directory of @uid with that mode and an empty file in it */
static int owned_dir(const char *name, uid_t uid, mode_t mode)
{
	char file[64];

	snprintf(file, sizeof(file), "%s/f", name);
	if (mkdir(name, 0755) || touch(file) || chown(name, uid, uid))
		return -1;
	return chmod(name, mode);
}

TEST_F(share, mode_bits_are_those_of_owner_group_and_others)
{
	ASSERT_OK(owned("own", USER, 0400));
	ASSERT_OK(owned("others", OTHER, 0604));
	ASSERT_OK(owned("secret", OTHER, 0640));
	ASSERT_OK(owned("shut", USER, 0077));
	AS_USER(USER) {
		EXPECT_TRUE(file_is("own", 1, 10));
		EXPECT_ERRNO(EACCES, open("own", O_WRONLY));
		EXPECT_TRUE(file_is("others", 1, 10));
		EXPECT_ERRNO(EACCES, open("others", O_RDWR));
		EXPECT_ERRNO(EACCES, open("secret", O_RDONLY));
		EXPECT_ERRNO(EACCES, open("shut", O_RDONLY));
		EXPECT_ERRNO(EACCES, truncate("others", 0));
		EXPECT_ERRNO(EACCES, open("others", O_RDONLY | O_TRUNC));
	}
	EXPECT_TRUE(file_is("others", 1, 10));
}

TEST_F(share, supplementary_groups_count)
{
	const gid_t group = OTHER;

	ASSERT_OK(owned("f", OTHER, 0640));
	AS_USER(USER) {
		EXPECT_ERRNO(EACCES, open("f", O_RDONLY));
	}
	ASSERT_OK(setgroups(1, &group));
	ASSERT_OK(setresgid(USER, USER, USER));
	ASSERT_OK(setresuid(USER, USER, USER));
	EXPECT_TRUE(file_is("f", 1, 10));
	EXPECT_ERRNO(EACCES, open("f", O_WRONLY));
}

TEST_F(share, root_may_read_and_write_but_not_run_all)
{
	ASSERT_OK(owned("f", USER, 0));
	EXPECT_TRUE(file_is("f", 1, 10));
	EXPECT_OK(open("f", O_RDWR));
	EXPECT_ERRNO(EACCES, access("f", X_OK));
	ASSERT_OK(chmod("f", 0010));
	EXPECT_OK(access("f", X_OK));
}

TEST_F(share, directories_need_x_to_pass_r_to_list_w_to_change)
{
	ASSERT_OK(owned_dir("no_x", OTHER, 0766));
	ASSERT_OK(owned_dir("no_r", OTHER, 0773));
	ASSERT_OK(owned_dir("no_w", OTHER, 0775));
	AS_USER(USER) {
		EXPECT_OK(open("no_x", O_RDONLY));
		EXPECT_ERRNO(EACCES, open("no_x/f", O_RDONLY));
		EXPECT_ERRNO(EACCES, touch("no_x/g"));
		EXPECT_ERRNO(EACCES, chdir("no_x"));
		EXPECT_ERRNO(EACCES, open("no_r", O_RDONLY));
		EXPECT_OK(open("no_r/f", O_RDONLY));
		EXPECT_OK(touch("no_r/g"));
		EXPECT_OK(open("no_w/f", O_RDONLY));
		EXPECT_ERRNO(EACCES, open("no_w/g", O_RDWR | O_CREAT, 0644));
		EXPECT_ERRNO(EACCES, touch("no_w/g"));
		EXPECT_ERRNO(EACCES, mkdir("no_w/g", 0755));
		EXPECT_ERRNO(EACCES, symlink("f", "no_w/g"));
		EXPECT_ERRNO(EACCES, unlink("no_w/f"));
		EXPECT_ERRNO(EACCES, rename("no_w/f", "no_r/h"));
	}
}

TEST_F(share, new_files_belong_to_who_made_them)
{
	struct stat st;

	ASSERT_OK(owned_dir("d", USER, 0755));
	AS_USER(USER) {
		EXPECT_OK(make_file("d/file", 1, 10));
		EXPECT_OK(mkdir("d/dir", 0700));
		EXPECT_OK(symlink("x", "d/link"));
		EXPECT_OK(mkfifo("d/fifo", 0600));
		EXPECT_TRUE(file_is("d/file", 1, 10));
	}
	ASSERT_OK(stat("d/file", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	EXPECT_EQ(USER, (int)st.st_gid);
	ASSERT_OK(stat("d/dir", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	ASSERT_OK(lstat("d/link", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	ASSERT_OK(lstat("d/fifo", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
}

TEST_F(share, a_setgid_directory_passes_its_group_on)
{
	struct stat st;

	ASSERT_OK(owned_dir("d", USER, 0755));
	ASSERT_OK(chown("d", USER, OTHER));
	ASSERT_OK(chmod("d", 02775));
	AS_USER(USER) {
		EXPECT_OK(touch("d/file"));
		EXPECT_OK(mkdir("d/dir", 0755));
	}
	ASSERT_OK(stat("d/file", &st));
	EXPECT_EQ(OTHER, (int)st.st_gid);
	EXPECT_EQ(0644, mode_of("d/file"));
	ASSERT_OK(stat("d/dir", &st));
	EXPECT_EQ(OTHER, (int)st.st_gid);
	EXPECT_EQ(02755, mode_of("d/dir"));
}

TEST_F(share, a_sticky_directory_protects_files_of_others)
{
	ASSERT_OK(owned_dir("d", 0, 01777));
	ASSERT_OK(owned("d/theirs", OTHER, 0666));
	AS_USER(USER) {
		EXPECT_OK(touch("d/mine"));
		EXPECT_OK(open("d/theirs", O_RDWR));
		EXPECT_ERRNO(EPERM, unlink("d/theirs"));
		EXPECT_ERRNO(EPERM, rename("d/theirs", "d/x"));
		EXPECT_ERRNO(EPERM, rename("d/mine", "d/theirs"));
		EXPECT_OK(rename("d/mine", "d/y"));
		EXPECT_OK(unlink("d/y"));
	}
	EXPECT_TRUE(exists("d/theirs"));
}

TEST_F(share, attributes_are_the_owners_to_change)
{
	static const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

	ASSERT_OK(owned("own", USER, 0644));
	ASSERT_OK(owned("theirs", OTHER, 0666));
	AS_USER(USER) {
		EXPECT_OK(chmod("own", 0600));
		EXPECT_OK(utimensat(AT_FDCWD, "own", times, 0));
		EXPECT_ERRNO(EPERM, chown("own", OTHER, -1));
		EXPECT_ERRNO(EPERM, chown("own", -1, OTHER));
		EXPECT_ERRNO(EPERM, chmod("theirs", 0600));
		EXPECT_ERRNO(EPERM, utimensat(AT_FDCWD, "theirs", times, 0));
		EXPECT_OK(utimensat(AT_FDCWD, "theirs", NULL, 0));
		EXPECT_ERRNO(EPERM, chown("theirs", USER, -1));
	}
	EXPECT_EQ(0600, mode_of("own"));
	EXPECT_EQ(0666, mode_of("theirs"));
}

TEST_F(share, access_asks_for_the_real_user)
{
	ASSERT_OK(owned("f", 0, 0600));
	ASSERT_OK(owned("g", 0, 0644));
	EXPECT_OK(access("f", R_OK | W_OK));
	EXPECT_ERRNO(EACCES, access("f", X_OK));
	EXPECT_ERRNO(ENOENT, access("no", F_OK));
	EXPECT_ERRNO(EINVAL, access("f", 64));
	ASSERT_OK(setresuid(USER, 0, 0));
	EXPECT_ERRNO(EACCES, access("f", R_OK));
	EXPECT_OK(access("f", F_OK));
	EXPECT_OK(access("g", R_OK));
	EXPECT_ERRNO(EACCES, access("g", W_OK));
	EXPECT_OK(faccessat(AT_FDCWD, "f", R_OK | W_OK, AT_EACCESS));
}

TEST_F(share, a_descriptor_outlives_the_permission)
{
	char buf[10];
	int fd;

	ASSERT_OK(owned("f", USER, 0600));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_OK(chmod("f", 0));
	ASSERT_OK(chown("f", OTHER, OTHER));
	AS_USER(USER) {
		EXPECT_EQ(10, pread(fd, buf, 10, 0));
		EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
		EXPECT_OK(ftruncate(fd, 5));
		EXPECT_ERRNO(EACCES, open("f", O_RDONLY));
	}
	EXPECT_EQ(5, size_of("f"));
}

TEST_F(share, writing_by_another_takes_the_set_id_bits_off)
{
	int fd;

	ASSERT_OK(owned("written", USER, 06777));
	ASSERT_OK(owned("cut", USER, 06777));
	ASSERT_OK(owned("roots", USER, 06777));
	AS_USER(OTHER) {
		ASSERT_OK(fd = open("written", O_WRONLY));
		EXPECT_EQ(1, write(fd, "x", 1));
		EXPECT_OK(truncate("cut", 1));
	}
	EXPECT_EQ(0777, mode_of("written"));
	EXPECT_EQ(0777, mode_of("cut"));
	ASSERT_OK(fd = open("roots", O_WRONLY));
	EXPECT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(06777, mode_of("roots"));
}

TEST_F(share, setgid_is_not_for_a_group_one_is_not_in)
{
	ASSERT_OK(owned("f", USER, 0755));
	ASSERT_OK(chown("f", USER, OTHER));
	AS_USER(USER) {
		EXPECT_OK(chmod("f", 06755));
		EXPECT_EQ(04755, mode_of("f"));
	}
}

TEST_F(share, device_nodes_are_for_root)
{
	ASSERT_OK(owned_dir("d", USER, 0755));
	AS_USER(USER) {
		EXPECT_ERRNO(EPERM, mknod("d/null", S_IFCHR | 0666, 0x103));
		EXPECT_ERRNO(EPERM, mknod("d/disk", S_IFBLK | 0666, 0x800));
		EXPECT_OK(mknod("d/fifo", S_IFIFO | 0666, 0));
	}
}

SHARE_MAIN
