// SPDX-License-Identifier: GPL-2.0
/*
 * Directories: making and removing them, long lists, lists that change while
 * they are read, odd names and deep paths.
 */
#include <sys/syscall.h>

#include "share.h"

#define MANY 10000
#define SOME 600
#define DEPTH 40
#define LONG_NAME 250

static const char * const odd_names[] = {
	" ", "  leading", "trailing ", "new\nline", "tab\there", "\x01\x02",
	"-rf", "--", "...", "..a", ".hidden", "back\\slash", "*", "?", "[a-z]",
	"$HOME", "`id`", "'", "\"", "a:b", "a;b", "a|b", "C:\\con", "\xff\xfe",
	"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "caf\xc3", "CASE", "case",
	"user.virtiofs", "\x7f",
};

/* list - names numbered "e<i>" in @dir, counted in seen[i]; others: how many */
static int list(DIR *dir, unsigned char *seen, int count)
{
	struct dirent *entry;
	int i, others = 0;

	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "e%d", &i) == 1 && i >= 0 && i < count)
			seen[i]++;
		else
			others++;
	}
	return others;
}

static int make_entries(const char *dir, int count)
{
	char name[32];
	int i;

	if (mkdir(dir, 0755))
		return -1;
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/e%d", dir, i);
		if (touch(name))
			return -1;
	}
	return 0;
}

/* not_once - how many of the @count entries were not seen exactly once */
static int not_once(const unsigned char *seen, int count)
{
	int i, wrong = 0;

	for (i = 0; i < count; i++)
		wrong += seen[i] != 1;
	return wrong;
}

TEST_F(share, a_directory_is_made_with_its_mode)
{
	struct stat st;

	umask(0);
	ASSERT_OK(mkdir("d", 0751));
	ASSERT_OK(stat("d", &st));
	EXPECT_EQ(S_IFDIR | 0751, (int)st.st_mode);
	ASSERT_OK(mkdir("d/e/", 0700));
	EXPECT_TRUE(exists("d/e"));
	EXPECT_OK(rmdir("d/e"));
	EXPECT_OK(rmdir("d"));
	EXPECT_FALSE(exists("d"));
}

TEST_F(share, mkdir_refuses_what_cannot_be)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(symlink("nowhere", "dangling"));
	EXPECT_ERRNO(EEXIST, mkdir("f", 0755));
	EXPECT_ERRNO(EEXIST, mkdir("d", 0755));
	EXPECT_ERRNO(EEXIST, mkdir("dangling", 0755));
	EXPECT_ERRNO(EEXIST, mkdir(".", 0755));
	EXPECT_ERRNO(ENOENT, mkdir("no/d", 0755));
	EXPECT_ERRNO(ENOENT, mkdir("", 0755));
	EXPECT_ERRNO(ENOTDIR, mkdir("f/d", 0755));
}

TEST_F(share, rmdir_refuses_what_cannot_be)
{
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(touch("d/f"));
	ASSERT_OK(symlink("d", "link"));
	EXPECT_ERRNO(ENOTEMPTY, rmdir("d"));
	EXPECT_ERRNO(ENOTDIR, rmdir("d/f"));
	EXPECT_ERRNO(ENOTDIR, rmdir("link"));
	EXPECT_ERRNO(ENOENT, rmdir("no"));
	EXPECT_ERRNO(EINVAL, rmdir("d/."));
	EXPECT_ERRNO(ENOTEMPTY, rmdir("d/.."));
	EXPECT_ERRNO(EISDIR, unlink("d"));
}

TEST_F(share, a_directory_is_neither_read_nor_written)
{
	char c = 'c';
	int fd;

	ASSERT_OK(fd = open(".", O_RDONLY));
	EXPECT_ERRNO(EISDIR, read(fd, &c, 1));
	EXPECT_ERRNO(EBADF, write(fd, &c, 1));
	EXPECT_ERRNO(EINVAL, ftruncate(fd, 0));
}

TEST_F(share, ten_thousand_entries_are_listed_once_each)
{
	unsigned char *seen = buffer(MANY);
	DIR *dir;

	ASSERT_OK(make_entries("d", MANY));
	ASSERT_NE(NULL, dir = opendir("d"));
	EXPECT_EQ(2, list(dir, seen, MANY));
	EXPECT_EQ(0, not_once(seen, MANY));
	closedir(dir);
}

TEST_F(share, entries_tell_their_type_and_inode)
{
	static const struct {
		const char *name;
		unsigned char type;
	} entries[] = {
		{ "f", DT_REG }, { "d", DT_DIR }, { "l", DT_LNK },
		{ "p", DT_FIFO }, { ".", DT_DIR }, { "..", DT_DIR },
	};
	struct dirent *entry;
	int found = 0;
	size_t i;
	DIR *dir;

	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(symlink("f", "l"));
	ASSERT_OK(mkfifo("p", 0644));
	ASSERT_NE(NULL, dir = opendir("."));
	while ((entry = readdir(dir))) {
		for (i = 0; i < ARRAY_SIZE(entries); i++) {
			if (strcmp(entry->d_name, entries[i].name))
				continue;
			found++;
			EXPECT_EQ(entries[i].type, entry->d_type);
			if (entry->d_name[0] == '.')
				continue;
			EXPECT_EQ(inode_of(entry->d_name), (long)entry->d_ino);
		}
	}
	EXPECT_EQ((int)ARRAY_SIZE(entries), found);
	closedir(dir);
}

TEST_F(share, a_directory_emptied_while_read_is_listed_once_and_empty)
{
	unsigned char *seen = buffer(SOME);
	struct dirent *entry;
	DIR *dir;
	int i;

	ASSERT_OK(make_entries("d", SOME));
	ASSERT_NE(NULL, dir = opendir("d"));
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "e%d", &i) != 1)
			continue;
		seen[i]++;
		ASSERT_OK(unlinkat(dirfd(dir), entry->d_name, 0));
	}
	EXPECT_EQ(0, not_once(seen, SOME));
	closedir(dir);
	EXPECT_OK(rmdir("d"));
}

/* POSIX leaves open what is seen of the others, but not of those that stay. */
TEST_F(share, entries_that_stay_are_listed_once_amid_changes)
{
	unsigned char *seen = buffer(SOME);
	struct dirent *entry;
	int i, changes = 0;
	char name[32];
	DIR *dir;

	ASSERT_OK(make_entries("d", SOME));
	ASSERT_NE(NULL, dir = opendir("d"));
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "e%d", &i) == 1)
			seen[i]++;
		if (changes == SOME / 2)
			continue;
		/* Odd numbers go, new names come. */
		snprintf(name, sizeof(name), "d/e%d", changes * 2 + 1);
		ASSERT_OK(unlink(name));
		snprintf(name, sizeof(name), "d/new%d", changes);
		ASSERT_OK(touch(name));
		changes++;
	}
	closedir(dir);
	for (i = 0; i < SOME; i += 2)
		ASSERT_EQ(1, seen[i]);
	for (i = 1; i < SOME; i += 2)
		ASSERT_GE(1, seen[i]);
}

TEST_F(share, seekdir_returns_to_where_telldir_was)
{
	char names[60][NAME_MAX + 1];
	struct dirent *entry;
	long where[60];
	int i, count = 0;
	DIR *dir;

	ASSERT_OK(make_entries("d", 58));
	ASSERT_NE(NULL, dir = opendir("d"));
	for (count = 0; count < 60; count++) {
		where[count] = telldir(dir);
		ASSERT_NE(NULL, entry = readdir(dir));
		strcpy(names[count], entry->d_name);
	}
	EXPECT_EQ(NULL, readdir(dir));
	for (i = 59; i >= 0; i--) {
		seekdir(dir, where[i]);
		ASSERT_NE(NULL, entry = readdir(dir));
		EXPECT_STREQ(names[i], entry->d_name);
	}
	seekdir(dir, where[30]);
	for (i = 30; i < 60; i++) {
		ASSERT_NE(NULL, entry = readdir(dir));
		EXPECT_STREQ(names[i], entry->d_name);
	}
	closedir(dir);
}

TEST_F(share, rewinddir_shows_what_has_come_and_gone)
{
	unsigned char seen[3] = {};
	DIR *dir;

	ASSERT_OK(make_entries("d", 2));
	ASSERT_NE(NULL, dir = opendir("d"));
	EXPECT_EQ(2, list(dir, seen, 3));
	EXPECT_EQ(1, seen[0] & seen[1]);
	ASSERT_OK(unlink("d/e0"));
	ASSERT_OK(touch("d/e2"));
	memset(seen, 0, sizeof(seen));
	rewinddir(dir);
	EXPECT_EQ(2, list(dir, seen, 3));
	EXPECT_EQ(0, seen[0]);
	EXPECT_EQ(1, seen[1]);
	EXPECT_EQ(1, seen[2]);
	closedir(dir);
}

/* A buffer for one name at a time is enough, one for none is refused. */
TEST_F(share, small_buffers_list_everything)
{
	const int small = 64;
	char *buf = buffer(sizeof(struct dirent));
	int i, fd, n, count = 0;

	ASSERT_OK(make_entries("d", 100));
	ASSERT_OK(fd = open("d", O_RDONLY | O_DIRECTORY));
	EXPECT_ERRNO(EINVAL, syscall(SYS_getdents64, fd, buf, 8));
	while ((n = syscall(SYS_getdents64, fd, buf, small)) > 0)
		for (i = 0; i < n; i += ((struct dirent *)(buf + i))->d_reclen)
			count++;
	EXPECT_OK(n);
	EXPECT_EQ(102, count);
	EXPECT_ERRNO(ENOTDIR, syscall(SYS_getdents64,
				      open("d/e0", O_RDONLY), buf, small));
}

TEST_F(share, odd_names_are_kept_as_they_are)
{
	unsigned char seen[ARRAY_SIZE(odd_names)] = {};
	struct dirent *entry;
	size_t i;
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(odd_names); i++)
		ASSERT_OK(make_file(odd_names[i], i, i + 1));
	ASSERT_NE(NULL, dir = opendir("."));
	while ((entry = readdir(dir)))
		for (i = 0; i < ARRAY_SIZE(odd_names); i++)
			seen[i] += !strcmp(entry->d_name, odd_names[i]);
	closedir(dir);
	EXPECT_EQ(0, not_once(seen, ARRAY_SIZE(odd_names)));
	for (i = 0; i < ARRAY_SIZE(odd_names); i++)
		EXPECT_TRUE(file_is(odd_names[i], i, i + 1));
}

TEST_F(share, long_names_are_listed_whole)
{
	char name[NAME_MAX + 1] = {};
	struct dirent *entry;
	int i, found = 0;
	DIR *dir;

	ASSERT_OK(mkdir("d", 0755));
	ASSERT_NE(NULL, dir = opendir("d"));
	for (i = 0; i < 100; i++) {
		memset(name, 'a' + i % 26, NAME_MAX);
		name[i] = '.';
		ASSERT_OK(mknodat(dirfd(dir), name, S_IFREG | 0644, 0));
	}
	rewinddir(dir);
	while ((entry = readdir(dir)))
		found += strlen(entry->d_name) == NAME_MAX;
	EXPECT_EQ(100, found);
	closedir(dir);
}

TEST_F(share, paths_go_deeper_than_path_max)
{
	char name[LONG_NAME + 1] = {};
	char cwd[PATH_MAX];
	int i;

	memset(name, 'd', LONG_NAME);
	for (i = 0; i < DEPTH; i++) {
		ASSERT_OK(mkdir(name, 0755));
		ASSERT_OK(chdir(name));
	}
	ASSERT_OK(make_file("bottom", 1, 1000));
	EXPECT_TRUE(file_is("bottom", 1, 1000));
	EXPECT_ERRNO(ENAMETOOLONG, syscall(SYS_getcwd, cwd, sizeof(cwd)));
	for (i = 0; i < DEPTH; i++)
		ASSERT_OK(chdir(".."));
	EXPECT_EQ(0, memcmp(getcwd(cwd, sizeof(cwd)), self->path,
			    strlen(self->path)));
}

TEST_F(share, a_removed_directory_is_empty_and_stays_so)
{
	struct stat st;
	char buf[1024];
	int fd;

	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(chdir("d"));
	ASSERT_OK(fd = open(".", O_RDONLY | O_DIRECTORY));
	ASSERT_OK(rmdir("../d"));
	EXPECT_ERRNO(ENOENT, syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	EXPECT_ERRNO(ENOENT, open("f", O_RDWR | O_CREAT, 0644));
	EXPECT_ERRNO(ENOENT, mkdir("e", 0755));
	EXPECT_ERRNO(ENOENT, syscall(SYS_getcwd, buf, sizeof(buf)));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_TRUE(S_ISDIR(st.st_mode));
}

TEST_F(share, changes_renew_the_time_of_the_directory)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat st;

	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(utimensat(AT_FDCWD, "d", old, 0));
	ASSERT_OK(touch("d/f"));
	ASSERT_OK(stat("d", &st));
	EXPECT_LT(1, st.st_mtime);
	ASSERT_OK(utimensat(AT_FDCWD, "d", old, 0));
	ASSERT_OK(unlink("d/f"));
	ASSERT_OK(stat("d", &st));
	EXPECT_LT(1, st.st_mtime);
}

SHARE_MAIN
