// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of what is read out of replies that nobody waits for.
 */

#include <linux/fcntl.h>

#include <kunit/test.h>

#include "undo.h"

static const struct fuse_entry_out entry = { .nodeid = 77 };
static const struct fuse_open_out opened = { .fh = 88 };

static struct virtiofs_undo undo_of(u32 opcode, const void *args,
				    const void *first, const void *second)
{
	struct fuse_in_header in = { .opcode = opcode, .nodeid = 66 };
	struct virtiofs_undo undo;

	memset(&undo, 0xff, sizeof(undo));
	virtiofs_undo_reply(&undo, &in, args, first, second);
	return undo;
}

static void names_cost_a_lookup(struct kunit *test)
{
	static const u32 opcodes[] = {
		FUSE_LOOKUP, FUSE_MKNOD, FUSE_MKDIR, FUSE_SYMLINK, FUSE_LINK,
	};
	struct virtiofs_undo undo;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
		undo = undo_of(opcodes[i], NULL, &entry, NULL);
		KUNIT_EXPECT_EQ(test, 77, undo.forget);
		KUNIT_EXPECT_EQ(test, 0, undo.opcode);
		KUNIT_EXPECT_FALSE(test, undo.entries);
	}
}

static void handles_are_released(struct kunit *test)
{
	struct fuse_open_in open = { .flags = O_RDWR };
	struct virtiofs_undo undo = undo_of(FUSE_OPEN, &open, &opened, NULL);

	KUNIT_EXPECT_EQ(test, 0, undo.forget);
	KUNIT_EXPECT_EQ(test, FUSE_RELEASE, undo.opcode);
	KUNIT_EXPECT_EQ(test, 66, undo.nodeid);
	KUNIT_EXPECT_EQ(test, 88, undo.release.fh);
	KUNIT_EXPECT_EQ(test, O_RDWR, undo.release.flags);

	undo = undo_of(FUSE_OPENDIR, &open, &opened, NULL);
	KUNIT_EXPECT_EQ(test, FUSE_RELEASEDIR, undo.opcode);
}

static void created_file_is_released_and_forgotten(struct kunit *test)
{
	struct fuse_create_in create = { .flags = O_WRONLY };
	struct virtiofs_undo undo = undo_of(FUSE_CREATE, &create, &entry,
					    &opened);

	KUNIT_EXPECT_EQ(test, 77, undo.forget);
	KUNIT_EXPECT_EQ(test, FUSE_RELEASE, undo.opcode);
	KUNIT_EXPECT_EQ(test, 77, undo.nodeid);
	KUNIT_EXPECT_EQ(test, 88, undo.release.fh);
	KUNIT_EXPECT_EQ(test, O_WRONLY, undo.release.flags);
}

static void locks_are_left_to_their_owner(struct kunit *test)
{
	struct fuse_lk_in lk = {
		.fh = 88,
		.owner = 99,
		.lk = { .start = 1, .end = 2, .type = F_WRLCK },
	};
	struct virtiofs_undo undo = undo_of(FUSE_SETLKW, &lk, NULL, NULL);

	KUNIT_EXPECT_EQ(test, 0, undo.opcode);
}

static void other_replies_leave_nothing_behind(struct kunit *test)
{
	struct virtiofs_undo undo = undo_of(FUSE_STATFS, NULL, NULL, NULL);

	KUNIT_EXPECT_EQ(test, 0, undo.forget);
	KUNIT_EXPECT_EQ(test, 0, undo.opcode);
	KUNIT_EXPECT_FALSE(test, undo.entries);
}

/* Add an entry to a reply to READDIRPLUS; returns where the next one goes */
static size_t add_entry(void *entries, size_t pos, u64 nodeid,
			const char *name, u32 namelen)
{
	struct fuse_direntplus *plus = entries + pos;

	plus->entry_out.nodeid = nodeid;
	plus->dirent.namelen = namelen;
	memcpy(plus->dirent.name, name, strlen(name));
	return pos + FUSE_DIRENTPLUS_SIZE(plus);
}

static void entries_are_walked(struct kunit *test)
{
	void *entries = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	size_t len = 0, pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, entries);
	len = add_entry(entries, len, 1, ".", 1);
	len = add_entry(entries, len, 2, "..", 2);
	len = add_entry(entries, len, 3, "..c", 3);
	len = add_entry(entries, len, 0, "not looked up", 13);
	len = add_entry(entries, len, 5, "e", 1);
	KUNIT_EXPECT_EQ(test, 3, virtiofs_undo_entry(entries, len, &pos));
	KUNIT_EXPECT_EQ(test, 5, virtiofs_undo_entry(entries, len, &pos));
	KUNIT_EXPECT_EQ(test, 0, virtiofs_undo_entry(entries, len, &pos));
	KUNIT_EXPECT_EQ(test, len, pos);
}

static void entries_that_overrun_end_the_walk(struct kunit *test)
{
	static const u32 lengths[] = {
		0, 300, 0xffffff60, 0xffffff61, 0xffffff62, 0xffffff63,
		0xffffff64, 0xffffff65, 0xffffff66, 0xffffff67, 0xffffff68,
		0xffffff69, U32_MAX - 3, U32_MAX,
	};
	void *entries = kunit_kzalloc(test, 512, GFP_KERNEL);
	size_t len, pos;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, entries);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		pos = 0;
		len = add_entry(entries, 0, 3, "first", 5);
		add_entry(entries, len, 4, "second", lengths[i]);
		KUNIT_EXPECT_EQ(test, 3, virtiofs_undo_entry(entries, 512, &pos));
		KUNIT_EXPECT_EQ(test, 0, virtiofs_undo_entry(entries, 512, &pos));
	}
	pos = 0;
	KUNIT_EXPECT_EQ(test, 0, virtiofs_undo_entry(entries, len - 1, &pos));
	KUNIT_EXPECT_EQ(test, 0, virtiofs_undo_entry(entries, 0, &pos));
}

static struct kunit_case undo_cases[] = {
	KUNIT_CASE(names_cost_a_lookup),
	KUNIT_CASE(handles_are_released),
	KUNIT_CASE(created_file_is_released_and_forgotten),
	KUNIT_CASE(locks_are_left_to_their_owner),
	KUNIT_CASE(other_replies_leave_nothing_behind),
	KUNIT_CASE(entries_are_walked),
	KUNIT_CASE(entries_that_overrun_end_the_walk),
	{}
};

static struct kunit_suite undo_suite = {
	.name = "virtiofs_undo",
	.test_cases = undo_cases,
};

kunit_test_suite(undo_suite);
