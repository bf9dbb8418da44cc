/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ground of the tests that mount for themselves: a mount namespace of
 * their own, two empty directories "a" and "b", and the tags they may mount.
 */
#ifndef VIRTIOFS_MOUNTS_H
#define VIRTIOFS_MOUNTS_H

#include <sched.h>
#include <sys/mount.h>

#include "common.h"

static inline int mount_tag(const char *tag, const char *dir)
{
	return mount(tag, dir, "virtiofs", 0, NULL);
}

FIXTURE(mounts) {
	char path[64];
	const char *tag;	/* of a share, which may be mounted elsewhere */
	const char *other;	/* of another share that is not, or NULL */
	char name[64];		/* of a file, for no other test's use */
};

FIXTURE_SETUP(mounts)
{
	self->tag = getenv("VIRTIOFS_TAG");
	self->other = getenv("VIRTIOFS_TAG2");
	snprintf(self->name, sizeof(self->name), "selftest.%d", getpid());
	strcpy(self->path, "/tmp/virtiofs.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->path));
	ASSERT_OK(chmod(self->path, 0755));
	ASSERT_OK(chdir(self->path));
	ASSERT_OK(mkdir("a", 0755));
	ASSERT_OK(mkdir("b", 0755));
	ASSERT_OK(unshare(CLONE_NEWNS));
	ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* In the parent, where nothing was mounted: what is removed is our own. */
FIXTURE_TEARDOWN_PARENT(mounts)
{
	EXPECT_OK(remove_tree(self->path));
}

#define MOUNTS_MAIN					\
	int main(int argc, char **argv)			\
	{						\
		need("VIRTIOFS_TAG");			\
		need_root();				\
		return test_harness_run(argc, argv);	\
	}

#endif /* VIRTIOFS_MOUNTS_H */
