/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ground of the tests that are given a share: each one runs with a new
 * and empty directory below $VIRTIOFS_DIR as its working directory, and so
 * speaks of the share through relative names.
 */
#ifndef VIRTIOFS_SHARE_H
#define VIRTIOFS_SHARE_H

#include "common.h"

FIXTURE(share) {
	char path[PATH_MAX];
};

FIXTURE_SETUP(share)
{
	snprintf(self->path, sizeof(self->path), "%s/selftest.%d",
		 getenv("VIRTIOFS_DIR"), getpid());
	umask(022);
	ASSERT_OK(mkdir(self->path, 0755));
	ASSERT_OK(chdir(self->path));
}

/* In the parent: its user and working directory are still those of old. */
FIXTURE_TEARDOWN_PARENT(share)
{
	EXPECT_OK(remove_tree(self->path));
}

#define SHARE_MAIN					\
	int main(int argc, char **argv)			\
	{						\
		need("VIRTIOFS_DIR");			\
		need_root();				\
		return test_harness_run(argc, argv);	\
	}

#endif /* VIRTIOFS_SHARE_H */
