// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: mode, owner, times, statx and statfs. Who may change them is
 * the subject of perm.c.
 */
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "share.h"

#define KEEP ((uid_t)-1)

TEST_F(share, chmod_sets_every_permission_bit)
{
	static const int modes[] = { 0, 0001, 0644, 0777, 01777, 02755, 04755, 07777 };
	struct stat st;
	size_t i;
	int fd;

	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(fd = open("f", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_OK(chmod("f", modes[i]));
		EXPECT_EQ(modes[i], mode_of("f"));
		ASSERT_OK(chmod("d", modes[i]));
		EXPECT_EQ(modes[i], mode_of("d"));
	}
	ASSERT_OK(fchmod(fd, 0640));
	EXPECT_EQ(0640, mode_of("f"));
	ASSERT_OK(lstat("f", &st));
	EXPECT_TRUE(S_ISREG(st.st_mode));
	EXPECT_ERRNO(ENOENT, chmod("no", 0644));
}

TEST_F(share, chmod_follows_a_link_and_never_changes_one)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(chmod("l", 0600));
	EXPECT_EQ(0600, mode_of("f"));
	EXPECT_EQ(0777, mode_of("l"));
	EXPECT_ERRNO(EOPNOTSUPP, fchmodat(AT_FDCWD, "l", 0600,
					  AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(0777, mode_of("l"));
}

TEST_F(share, chown_sets_user_and_group_apart)
{
	struct stat st;
	int fd;

	ASSERT_OK(touch("f"));
	ASSERT_OK(chown("f", USER, KEEP));
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	EXPECT_EQ(0, (int)st.st_gid);
	ASSERT_OK(chown("f", KEEP, OTHER));
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	EXPECT_EQ(OTHER, (int)st.st_gid);
	ASSERT_OK(fd = open("f", O_RDONLY));
	ASSERT_OK(fchown(fd, 0, 0));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(0, (int)st.st_uid);
	EXPECT_EQ(0, (int)st.st_gid);
	EXPECT_ERRNO(ENOENT, chown("no", 0, 0));
}

TEST_F(share, lchown_changes_the_link_alone)
{
	struct stat st;

	ASSERT_OK(touch("f"));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(lchown("l", USER, OTHER));
	ASSERT_OK(lstat("l", &st));
	EXPECT_EQ(USER, (int)st.st_uid);
	EXPECT_EQ(OTHER, (int)st.st_gid);
	ASSERT_OK(stat("l", &st));
	EXPECT_EQ(0, (int)st.st_uid);
}

TEST_F(share, ids_are_kept_up_to_their_last)
{
	struct stat st;

	ASSERT_OK(touch("f"));
	if (chown("f", UINT_MAX - 1, UINT_MAX - 1)) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the server does not have all ids");
	}
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(UINT_MAX - 1, st.st_uid);
	EXPECT_EQ(UINT_MAX - 1, st.st_gid);
}

TEST_F(share, chown_takes_the_set_id_bits_off_a_program)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(chmod("f", 06755));
	ASSERT_OK(chmod("d", 06755));
	ASSERT_OK(chown("f", USER, USER));
	ASSERT_OK(chown("d", USER, USER));
	EXPECT_EQ(0755, mode_of("f"));
	EXPECT_EQ(06755, mode_of("d"));
}

TEST_F(share, times_are_kept_to_the_nanosecond)
{
	/* The last second that every file system knows is in 2038. */
	static const struct timespec times[][2] = {
		{ { 0, 0 }, { 1, 1 } },
		{ { 1, 999999999 }, { 1000000000, 123456789 } },
		{ { 1700000001, 100 }, { 2147483647, 999999999 } },
	};
	struct stat st;
	size_t i;
	int fd;

	ASSERT_OK(touch("f"));
	ASSERT_OK(fd = open("f", O_RDONLY));
	for (i = 0; i < ARRAY_SIZE(times); i++) {
		ASSERT_OK(i & 1 ? futimens(fd, times[i]) :
			  utimensat(AT_FDCWD, "f", times[i], 0));
		ASSERT_OK(stat("f", &st));
		EXPECT_EQ(times[i][0].tv_sec, st.st_atim.tv_sec);
		EXPECT_EQ(times[i][0].tv_nsec, st.st_atim.tv_nsec);
		EXPECT_EQ(times[i][1].tv_sec, st.st_mtim.tv_sec);
		EXPECT_EQ(times[i][1].tv_nsec, st.st_mtim.tv_nsec);
	}
}

TEST_F(share, utimensat_can_omit_and_can_say_now)
{
	struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
	struct stat st;

	ASSERT_OK(touch("f"));
	ASSERT_OK(utimensat(AT_FDCWD, "f", times, 0));
	times[0].tv_sec = 3000;
	times[1].tv_nsec = UTIME_OMIT;
	ASSERT_OK(utimensat(AT_FDCWD, "f", times, 0));
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(3000, st.st_atime);
	EXPECT_EQ(2000, st.st_mtime);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	ASSERT_OK(utimensat(AT_FDCWD, "f", times, 0));
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(3000, st.st_atime);
	EXPECT_LT(1000000000, st.st_mtime);
	times[1].tv_nsec = 1000000000;
	EXPECT_ERRNO(EINVAL, utimensat(AT_FDCWD, "f", times, 0));
	EXPECT_ERRNO(ENOENT, utimensat(AT_FDCWD, "no", NULL, 0));
}

TEST_F(share, times_of_a_link_are_its_own)
{
	static const struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
	struct stat st;

	ASSERT_OK(touch("f"));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW));
	ASSERT_OK(lstat("l", &st));
	EXPECT_EQ(2000, st.st_mtime);
	ASSERT_OK(stat("l", &st));
	EXPECT_NE(2000, st.st_mtime);
}

TEST_F(share, writing_renews_the_times_of_a_file)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct stat st;
	int fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_OK(futimens(fd, old));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(1000, st.st_mtime);
	EXPECT_LT(1000, st.st_ctime);
	ASSERT_EQ(1, write(fd, "x", 1));
	ASSERT_OK(fsync(fd));
	ASSERT_OK(stat("f", &st));
	EXPECT_LT(1000, st.st_mtime);
	ASSERT_OK(futimens(fd, old));
	ASSERT_OK(ftruncate(fd, 5));
	ASSERT_OK(stat("f", &st));
	EXPECT_LT(1000, st.st_mtime);
	ASSERT_OK(futimens(fd, old));
	ASSERT_OK(fchmod(fd, 0600));
	ASSERT_OK(stat("f", &st));
	EXPECT_EQ(1000, st.st_mtime);
}

TEST_F(share, statx_says_what_stat_says)
{
	struct statx stx;
	struct stat st;

	ASSERT_OK(make_file("f", 1, 5000));
	ASSERT_OK(stat("f", &st));
	ASSERT_OK(statx(AT_FDCWD, "f", AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS, &stx));
	EXPECT_EQ(STATX_BASIC_STATS, stx.stx_mask & STATX_BASIC_STATS);
	EXPECT_EQ(st.st_mode, stx.stx_mode);
	EXPECT_EQ(st.st_nlink, stx.stx_nlink);
	EXPECT_EQ(st.st_uid, stx.stx_uid);
	EXPECT_EQ(st.st_gid, stx.stx_gid);
	EXPECT_EQ(st.st_ino, stx.stx_ino);
	EXPECT_EQ(5000, (int)stx.stx_size);
	EXPECT_EQ(st.st_blocks, (blkcnt_t)stx.stx_blocks);
	EXPECT_EQ(st.st_mtim.tv_sec, stx.stx_mtime.tv_sec);
	EXPECT_EQ((unsigned int)st.st_mtim.tv_nsec, stx.stx_mtime.tv_nsec);
	EXPECT_EQ((unsigned int)st.st_ctim.tv_nsec, stx.stx_ctime.tv_nsec);
	EXPECT_EQ(st.st_dev, makedev(stx.stx_dev_major, stx.stx_dev_minor));
}

TEST_F(share, statx_asks_the_server_or_does_not)
{
	struct statx stx;
	int fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(fd = open("f", O_RDWR));
	ASSERT_EQ(5, pwrite(fd, "01234", 5, 10));
	ASSERT_OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &stx));
	EXPECT_EQ(15, (int)stx.stx_size);
	ASSERT_OK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, &stx));
	EXPECT_EQ(15, (int)stx.stx_size);
	EXPECT_ERRNO(EINVAL, statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC |
				   AT_STATX_DONT_SYNC, STATX_SIZE, &stx));
	EXPECT_ERRNO(ENOENT, statx(AT_FDCWD, "no", 0, STATX_SIZE, &stx));
}

TEST_F(share, the_birth_time_stays)
{
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct statx before, after;

	ASSERT_OK(touch("f"));
	ASSERT_OK(statx(AT_FDCWD, "f", 0, STATX_BTIME | STATX_MTIME, &before));
	if (!(before.stx_mask & STATX_BTIME))
		SKIP(return, "the server tells no birth time");
	EXPECT_LT(1000000000, before.stx_btime.tv_sec);
	EXPECT_GE(before.stx_mtime.tv_sec + 1, before.stx_btime.tv_sec);
	ASSERT_OK(utimensat(AT_FDCWD, "f", old, 0));
	ASSERT_OK(statx(AT_FDCWD, "f", 0, STATX_BTIME, &after));
	EXPECT_EQ(before.stx_btime.tv_sec, after.stx_btime.tv_sec);
	EXPECT_EQ(before.stx_btime.tv_nsec, after.stx_btime.tv_nsec);
}

TEST_F(share, statfs_is_sane)
{
	struct statfs fs, other;
	struct statvfs vfs;
	int fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(fd = open("f", O_RDONLY));
	ASSERT_OK(statfs(".", &fs));
	EXPECT_LT(0, (long)fs.f_blocks);
	EXPECT_LE(fs.f_bfree, fs.f_blocks);
	EXPECT_LE(fs.f_bavail, fs.f_bfree);
	EXPECT_LE(fs.f_ffree, fs.f_files);
	EXPECT_LE(512, fs.f_bsize);
	EXPECT_EQ(0, fs.f_bsize & (fs.f_bsize - 1));
	EXPECT_EQ(NAME_MAX, fs.f_namelen);
	ASSERT_OK(fstatfs(fd, &other));
	EXPECT_EQ(fs.f_blocks, other.f_blocks);
	EXPECT_EQ(fs.f_type, other.f_type);
	ASSERT_OK(statvfs("f", &vfs));
	EXPECT_EQ(fs.f_blocks, vfs.f_blocks);
	EXPECT_EQ(0, (int)(vfs.f_flag & ST_RDONLY));
	EXPECT_ERRNO(ENOENT, statfs("no", &fs));
}

TEST_F(share, all_files_of_a_directory_are_on_one_device)
{
	struct stat dir, file;

	ASSERT_OK(touch("f"));
	ASSERT_OK(stat(".", &dir));
	ASSERT_OK(stat("f", &file));
	EXPECT_EQ(dir.st_dev, file.st_dev);
	EXPECT_NE(dir.st_ino, file.st_ino);
}

SHARE_MAIN
