// SPDX-License-Identifier: GPL-2.0
/*
 * Extended attributes: what is set is what is got and listed, and sizes,
 * flags and name spaces are refused with the errno that says why.
 */
#include <linux/capability.h>
#include <sys/xattr.h>

#include "share.h"

#define MANY 30
#define LARGE (60 << 10)
#define CAPABILITY_SIZE ((ssize_t)XATTR_CAPS_SZ_2)

FIXTURE(xattr) {
	FIXTURE_DATA(share) share;
};

/* A file "f" in a share with attributes; "user.a" is set to "value". */
FIXTURE_SETUP(xattr)
{
	share_setup(_metadata, &self->share, NULL);
	ASSERT_OK(make_file("f", 1, 10));
	if (setxattr("f", "user.a", "value", 5, 0)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		share_teardown(_metadata, &self->share, NULL);
		SKIP(return, "the server has no extended attributes");
	}
}

FIXTURE_TEARDOWN_PARENT(xattr)
{
	share_teardown(_metadata, &self->share, NULL);
}

/* xattr_is - is the attribute @name of "f" exactly @len bytes of text @seed? */
static bool xattr_is(const char *name, unsigned int seed, ssize_t len)
{
	char *buf = buffer(len + 1);

	return getxattr("f", name, buf, len + 1) == len &&
	       wrong_at(buf, len, seed, 0) == -1;
}

static int set_text(const char *name, unsigned int seed, size_t len)
{
	char *buf = buffer(len + 1);

	fill(buf, len, seed, 0);
	return setxattr("f", name, buf, len, 0);
}

/* listed - how often @list, of @len bytes, holds @name */
static int listed(const char *list, ssize_t len, const char *name)
{
	const char *p;
	int count = 0;

	for (p = list; p < list + len; p += strlen(p) + 1)
		count += !strcmp(p, name);
	return count;
}

TEST_F(xattr, values_of_every_size_come_back)
{
	static const int sizes[] = { 0, 1, 2, 255, 256, 1023, 2000, 3000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_OK(set_text("user.b", i, sizes[i]));
		EXPECT_TRUE(xattr_is("user.b", i, sizes[i]));
		EXPECT_EQ(sizes[i], getxattr("f", "user.b", NULL, 0));
	}
	EXPECT_EQ(5, getxattr("f", "user.a", NULL, 0));
}

TEST_F(xattr, a_large_value_comes_back)
{
	if (set_text("user.b", 7, LARGE)) {
		ASSERT_TRUE(errno == ENOSPC || errno == E2BIG);
		SKIP(return, "the server's file system has no room for it: %m");
	}
	EXPECT_TRUE(xattr_is("user.b", 7, LARGE));
	EXPECT_OK(removexattr("f", "user.b"));
	EXPECT_ERRNO(ENODATA, getxattr("f", "user.b", NULL, 0));
}

TEST_F(xattr, a_descriptor_or_a_path_leads_to_the_same)
{
	char buf[16];
	int fd;

	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(fd = open("f", O_RDONLY));
	EXPECT_EQ(5, fgetxattr(fd, "user.a", buf, sizeof(buf)));
	EXPECT_EQ(5, getxattr("l", "user.a", buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp("value", buf, 5));
	ASSERT_OK(fsetxattr(fd, "user.b", "x", 1, 0));
	EXPECT_EQ(1, lgetxattr("f", "user.b", buf, sizeof(buf)));
	ASSERT_OK(fremovexattr(fd, "user.b"));
	EXPECT_ERRNO(ENODATA, getxattr("f", "user.b", buf, sizeof(buf)));
}

TEST_F(xattr, directories_have_them_and_links_have_not)
{
	char buf[16];

	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(setxattr("d", "user.b", "dir", 3, 0));
	EXPECT_EQ(3, getxattr("d", "user.b", buf, sizeof(buf)));
	EXPECT_ERRNO(EPERM, lsetxattr("l", "user.b", "x", 1, 0));
	EXPECT_ERRNO(ENODATA, lgetxattr("l", "user.a", buf, sizeof(buf)));
}

TEST_F(xattr, flags_tell_creating_from_replacing)
{
	EXPECT_ERRNO(EEXIST, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	EXPECT_ERRNO(ENODATA, setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
	EXPECT_ERRNO(EINVAL, setxattr("f", "user.b", "x", 1, 0x40));
	EXPECT_EQ(5, getxattr("f", "user.a", NULL, 0));
	EXPECT_OK(setxattr("f", "user.a", "x", 1, XATTR_REPLACE));
	EXPECT_EQ(1, getxattr("f", "user.a", NULL, 0));
	EXPECT_OK(setxattr("f", "user.b", "xx", 2, XATTR_CREATE));
	EXPECT_EQ(2, getxattr("f", "user.b", NULL, 0));
}

TEST_F(xattr, a_small_buffer_gives_erange)
{
	char buf[16] = "................";

	EXPECT_ERRNO(ERANGE, getxattr("f", "user.a", buf, 4));
	EXPECT_EQ('.', buf[0]);
	EXPECT_EQ(5, getxattr("f", "user.a", buf, 5));
	EXPECT_EQ(0, memcmp("value.", buf, 6));
	EXPECT_ERRNO(ERANGE, listxattr("f", buf, 3));
}

TEST_F(xattr, names_and_values_have_their_limits)
{
	char name[300] = "user.";

	memset(name + 5, 'n', sizeof(name) - 5);
	name[XATTR_NAME_MAX] = 0;
	ASSERT_OK(setxattr("f", name, "x", 1, 0));
	EXPECT_EQ(1, getxattr("f", name, NULL, 0));
	name[XATTR_NAME_MAX] = 'n';
	name[XATTR_NAME_MAX + 1] = 0;
	EXPECT_ERRNO(ERANGE, setxattr("f", name, "x", 1, 0));
	EXPECT_ERRNO(ERANGE, getxattr("f", name, NULL, 0));
	EXPECT_ERRNO(ERANGE, setxattr("f", "", "x", 1, 0));
	EXPECT_ERRNO(E2BIG, set_text("user.b", 1, XATTR_SIZE_MAX + 1));
}

TEST_F(xattr, what_is_not_there_is_not_found)
{
	EXPECT_ERRNO(ENODATA, getxattr("f", "user.no", NULL, 0));
	EXPECT_ERRNO(ENODATA, removexattr("f", "user.no"));
	EXPECT_ERRNO(ENOENT, getxattr("no", "user.a", NULL, 0));
	EXPECT_ERRNO(ENOENT, setxattr("no", "user.a", "x", 1, 0));
	EXPECT_ERRNO(ENOENT, listxattr("no", NULL, 0));
	EXPECT_ERRNO(EOPNOTSUPP, setxattr("f", "nowhere.a", "x", 1, 0));
	EXPECT_ERRNO(EOPNOTSUPP, getxattr("f", "nowhere.a", NULL, 0));
	EXPECT_ERRNO(EBADF, fgetxattr(12345, "user.a", NULL, 0));
}

TEST_F(xattr, the_list_has_every_name_once)
{
	char *list = buffer(4096);
	char name[32];
	ssize_t len;
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "user.number%d", i);
		ASSERT_OK(set_text(name, i, i));
	}
	len = listxattr("f", NULL, 0);
	ASSERT_LT(0, len);
	EXPECT_EQ(len, listxattr("f", list, 4096));
	EXPECT_EQ(1, listed(list, len, "user.a"));
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "user.number%d", i);
		EXPECT_EQ(1, listed(list, len, name));
		EXPECT_TRUE(xattr_is(name, i, i));
	}
	EXPECT_ERRNO(ERANGE, listxattr("f", list, len - 1));
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "user.number%d", i);
		ASSERT_OK(removexattr("f", name));
	}
	len = listxattr("f", list, 4096);
	EXPECT_EQ(1, listed(list, len, "user.a"));
	EXPECT_EQ(0, listed(list, len, "user.number0"));
}

TEST_F(xattr, user_attributes_need_the_file_permission)
{
	ASSERT_OK(chmod("f", 0604));
	ASSERT_OK(make_file("shut", 1, 10));
	ASSERT_OK(setxattr("shut", "user.a", "x", 1, 0));
	ASSERT_OK(chmod("shut", 0600));
	AS_USER(USER) {
		EXPECT_EQ(5, getxattr("f", "user.a", NULL, 0));
		EXPECT_ERRNO(EACCES, setxattr("f", "user.b", "x", 1, 0));
		EXPECT_ERRNO(EACCES, removexattr("f", "user.a"));
		EXPECT_ERRNO(EACCES, getxattr("shut", "user.a", NULL, 0));
	}
}

TEST_F(xattr, trusted_attributes_are_for_root)
{
	char *list = buffer(4096);
	ssize_t len;

	ASSERT_OK(chmod("f", 0666));
	if (setxattr("f", "trusted.a", "secret", 6, 0)) {
		ASSERT_TRUE(errno == EPERM || errno == EOPNOTSUPP);
		SKIP(return, "the server may set no trusted attribute: %m");
	}
	EXPECT_EQ(6, getxattr("f", "trusted.a", NULL, 0));
	len = listxattr("f", list, 4096);
	EXPECT_EQ(1, listed(list, len, "trusted.a"));
	AS_USER(USER) {
		EXPECT_ERRNO(ENODATA, getxattr("f", "trusted.a", NULL, 0));
		EXPECT_ERRNO(EPERM, setxattr("f", "trusted.a", "x", 1, 0));
	}
	EXPECT_OK(removexattr("f", "trusted.a"));
}

/* A capability of the kind that a file can hold: CAP_NET_RAW. */
static const struct vfs_cap_data capability = {
	.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
	.data = { { .permitted = 1 << CAP_NET_RAW } },
};

static int set_capability(const char *name)
{
	return setxattr(name, "security.capability", &capability,
			XATTR_CAPS_SZ_2, 0);
}

TEST_F(xattr, a_file_capability_is_kept_until_the_file_is_written)
{
	struct vfs_cap_data seen;
	int fd;

	if (set_capability("f")) {
		ASSERT_TRUE(errno == EPERM || errno == EOPNOTSUPP);
		SKIP(return, "the server may set no file capability: %m");
	}
	ASSERT_EQ(CAPABILITY_SIZE,
		  getxattr("f", "security.capability", &seen, sizeof(seen)));
	EXPECT_EQ(0, memcmp(&capability, &seen, XATTR_CAPS_SZ_2));
	ASSERT_OK(fd = open("f", O_WRONLY));
	ASSERT_EQ(1, write(fd, "x", 1));
	EXPECT_ERRNO(ENODATA, getxattr("f", "security.capability", NULL, 0));
}

TEST_F(xattr, a_file_capability_is_for_root_to_set)
{
	if (set_capability("f")) {
		ASSERT_TRUE(errno == EPERM || errno == EOPNOTSUPP);
		SKIP(return, "the server may set no file capability: %m");
	}
	ASSERT_OK(make_file("own", 1, 10));
	ASSERT_OK(chown("own", USER, USER));
	AS_USER(USER) {
		EXPECT_ERRNO(EPERM, set_capability("own"));
		EXPECT_EQ(CAPABILITY_SIZE,
			  getxattr("f", "security.capability", NULL, 0));
	}
}

TEST_F(xattr, attributes_follow_the_file_and_end_with_it)
{
	ASSERT_OK(rename("f", "g"));
	EXPECT_EQ(5, getxattr("g", "user.a", NULL, 0));
	ASSERT_OK(link("g", "h"));
	EXPECT_EQ(5, getxattr("h", "user.a", NULL, 0));
	ASSERT_OK(unlink("g"));
	ASSERT_OK(unlink("h"));
	ASSERT_OK(touch("g"));
	EXPECT_ERRNO(ENODATA, getxattr("g", "user.a", NULL, 0));
}

SHARE_MAIN
