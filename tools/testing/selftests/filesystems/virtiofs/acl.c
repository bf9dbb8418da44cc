// SPDX-License-Identifier: GPL-2.0
/*
 * POSIX access control lists, by the attributes that carry them.
 */
#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "share.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NO_ID ACL_UNDEFINED_ID

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[8];
	int count;
};

static void add(struct acl *acl, int tag, int perm, unsigned int id)
{
	struct posix_acl_xattr_entry *e = &acl->entry[acl->count++];

	acl->header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
	e->e_tag = htole16(tag);
	e->e_perm = htole16(perm);
	e->e_id = htole32(id);
}

static size_t acl_size(const struct acl *acl)
{
	return sizeof(acl->header) + acl->count * sizeof(acl->entry[0]);
}

static int set_acl(const char *name, const char *which, const struct acl *acl)
{
	return setxattr(name, which, acl, acl_size(acl), 0);
}

/* with_user - owner rw, one more user, the group, a mask and the others */
static struct acl with_user(unsigned int uid, int user, int group, int mask,
			    int others)
{
	struct acl acl = {};

	add(&acl, ACL_USER_OBJ, 6, NO_ID);
	add(&acl, ACL_USER, user, uid);
	add(&acl, ACL_GROUP_OBJ, group, NO_ID);
	add(&acl, ACL_MASK, mask, NO_ID);
	add(&acl, ACL_OTHER, others, NO_ID);
	return acl;
}

static bool acl_is(const char *name, const char *which, const struct acl *acl)
{
	struct acl seen;

	return getxattr(name, which, &seen, sizeof(seen)) ==
		       (ssize_t)acl_size(acl) &&
	       !memcmp(&seen, acl, acl_size(acl));
}

FIXTURE(acl) {
	FIXTURE_DATA(share) share;
};

/* A file "f", 0600 but for a user who may read it. */
FIXTURE_SETUP(acl)
{
	struct acl acl = with_user(USER, 4, 0, 4, 0);

	share_setup(_metadata, &self->share, NULL);
	ASSERT_OK(make_file("f", 1, 10));
	if (set_acl("f", ACCESS, &acl)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		share_teardown(_metadata, &self->share, NULL);
		SKIP(return, "the server has no access control lists");
	}
}

FIXTURE_TEARDOWN_PARENT(acl)
{
	share_teardown(_metadata, &self->share, NULL);
}

TEST_F(acl, a_list_comes_back_as_it_was_set)
{
	struct acl acl = with_user(USER, 4, 0, 4, 0);

	EXPECT_TRUE(acl_is("f", ACCESS, &acl));
	EXPECT_EQ((ssize_t)acl_size(&acl), getxattr("f", ACCESS, NULL, 0));
	EXPECT_EQ(0640, mode_of("f"));
}

TEST_F(acl, a_named_user_has_the_access_of_the_list)
{
	AS_USER(USER) {
		EXPECT_TRUE(file_is("f", 1, 10));
		EXPECT_ERRNO(EACCES, open("f", O_WRONLY));
		EXPECT_OK(access("f", R_OK));
	}
	AS_USER(OTHER) {
		EXPECT_ERRNO(EACCES, open("f", O_RDONLY));
	}
}

TEST_F(acl, the_mask_limits_a_named_user)
{
	struct acl acl = with_user(USER, 7, 0, 4, 0);

	ASSERT_OK(set_acl("f", ACCESS, &acl));
	AS_USER(USER) {
		EXPECT_OK(open("f", O_RDONLY));
		EXPECT_ERRNO(EACCES, open("f", O_RDWR));
	}
	ASSERT_OK(chmod("f", 0660));
	acl = with_user(USER, 7, 0, 6, 0);
	EXPECT_TRUE(acl_is("f", ACCESS, &acl));
	AS_USER(USER) {
		EXPECT_OK(open("f", O_RDWR));
	}
}

TEST_F(acl, a_list_that_says_no_more_than_the_mode_becomes_it)
{
	struct acl acl = {};

	add(&acl, ACL_USER_OBJ, 7, NO_ID);
	add(&acl, ACL_GROUP_OBJ, 5, NO_ID);
	add(&acl, ACL_OTHER, 1, NO_ID);
	ASSERT_OK(set_acl("f", ACCESS, &acl));
	EXPECT_EQ(0751, mode_of("f"));
	EXPECT_ERRNO(ENODATA, getxattr("f", ACCESS, NULL, 0));
}

TEST_F(acl, a_removed_list_is_gone)
{
	ASSERT_OK(removexattr("f", ACCESS));
	EXPECT_ERRNO(ENODATA, getxattr("f", ACCESS, NULL, 0));
	ASSERT_OK(chmod("f", 0600));
	AS_USER(USER) {
		EXPECT_ERRNO(EACCES, open("f", O_RDONLY));
	}
}

TEST_F(acl, new_files_inherit_the_default_list)
{
	struct acl acl = with_user(USER, 6, 4, 6, 0);

	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(set_acl("d", DEFAULT, &acl));
	EXPECT_TRUE(acl_is("d", DEFAULT, &acl));
	umask(077);
	ASSERT_OK(close(open("d/f", O_WRONLY | O_CREAT | O_EXCL, 0666)));
	ASSERT_OK(mkdir("d/e", 0777));
	/* The list stands in the place of the umask. */
	EXPECT_EQ(0660, mode_of("d/f"));
	EXPECT_TRUE(acl_is("d/f", ACCESS, &acl));
	EXPECT_TRUE(acl_is("d/e", DEFAULT, &acl));
	AS_USER(USER) {
		EXPECT_OK(open("d/f", O_RDWR));
	}
	AS_USER(OTHER) {
		EXPECT_ERRNO(EACCES, open("d/f", O_RDONLY));
	}
	ASSERT_OK(close(open("d/g", O_WRONLY | O_CREAT | O_EXCL, 0600)));
	acl = with_user(USER, 6, 4, 0, 0);
	EXPECT_TRUE(acl_is("d/g", ACCESS, &acl));
}

TEST_F(acl, only_directories_have_a_default)
{
	struct acl acl = with_user(USER, 6, 4, 6, 0);

	EXPECT_ERRNO(EACCES, set_acl("f", DEFAULT, &acl));
	EXPECT_ERRNO(ENODATA, getxattr(".", DEFAULT, NULL, 0));
}

TEST_F(acl, a_list_that_makes_no_sense_is_refused)
{
	struct acl no_mask = {}, twice = {}, version = with_user(USER, 4, 0, 4, 0);

	add(&no_mask, ACL_USER_OBJ, 6, NO_ID);
	add(&no_mask, ACL_USER, 6, USER);
	add(&no_mask, ACL_GROUP_OBJ, 4, NO_ID);
	add(&no_mask, ACL_OTHER, 4, NO_ID);
	EXPECT_ERRNO(EINVAL, set_acl("f", ACCESS, &no_mask));
	add(&twice, ACL_USER_OBJ, 6, NO_ID);
	add(&twice, ACL_USER_OBJ, 6, NO_ID);
	EXPECT_ERRNO(EINVAL, set_acl("f", ACCESS, &twice));
	EXPECT_ERRNO(EINVAL, setxattr("f", ACCESS, &version, 11, 0));
	version.header.a_version = htole32(77);
	EXPECT_ERRNO(EOPNOTSUPP, set_acl("f", ACCESS, &version));
	EXPECT_EQ(0640, mode_of("f"));
}

TEST_F(acl, a_list_is_the_owners_to_change)
{
	struct acl acl = with_user(OTHER, 6, 6, 6, 6);

	AS_USER(USER) {
		EXPECT_ERRNO(EPERM, set_acl("f", ACCESS, &acl));
		EXPECT_ERRNO(EPERM, removexattr("f", ACCESS));
		EXPECT_LT(0, getxattr("f", ACCESS, NULL, 0));
	}
}

SHARE_MAIN
