// SPDX-License-Identifier: GPL-2.0
/*
 * Mounting by tag: the options, the refusals and what they say, several
 * mounts of one share, and the ways in which a mount ends.
 */
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "mounts.h"

#define CYCLES 50
#define MOUNTERS 4
#define SHIFT 100000

/* create - make a superblock with one option; the errno, and what was said */
static int create(const char *source, const char *key, const char *value,
		  char *log, size_t size)
{
	int fd = fsopen("virtiofs", FSOPEN_CLOEXEC), error = 0;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return errno;
	if (source)
		error = ERRNO_OF(fsconfig(fd, FSCONFIG_SET_STRING, "source",
					  source, 0));
	if (!error && key)
		error = ERRNO_OF(fsconfig(fd, value ? FSCONFIG_SET_STRING :
					  FSCONFIG_SET_FLAG, key, value, 0));
	if (!error)
		error = ERRNO_OF(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	while (len < size - 1 && (n = read(fd, log + len, size - 1 - len)) > 0)
		len += n;
	log[len] = 0;
	close(fd);
	return error;
}

static void expect_says(struct __test_metadata *_metadata, const char *log,
			const char *words)
{
	EXPECT_NE(NULL, strstr(log, words))
		TH_LOG("the log is '%s'", log);
}

TEST_F(mounts, an_unknown_tag_is_refused_and_named)
{
	char log[1024];

	EXPECT_EQ(EINVAL, create("no-such-tag", NULL, NULL, log, sizeof(log)));
	expect_says(_metadata, log, "no-such-tag");
	expect_says(_metadata, log, "not found");
	EXPECT_ERRNO(EINVAL, mount_tag("no-such-tag", "a"));
}

/* A tag has up to 36 bytes; no other length, and no part of a tag, is one. */
TEST_F(mounts, only_the_whole_tag_is_found)
{
	char tag[300], log[1024];

	snprintf(tag, sizeof(tag), "%sx", self->tag);
	EXPECT_ERRNO(EINVAL, mount_tag(tag, "a"));
	snprintf(tag, strlen(self->tag), "%s", self->tag);
	EXPECT_ERRNO(EINVAL, mount_tag(tag, "a"));
	memset(tag, 't', sizeof(tag));
	tag[200] = 0;
	EXPECT_ERRNO(EINVAL, mount_tag(tag, "a"));
	EXPECT_EQ(EINVAL, create("", NULL, NULL, log, sizeof(log)));
}

TEST_F(mounts, a_missing_source_is_refused_in_words)
{
	char log[1024];

	EXPECT_EQ(EINVAL, create(NULL, NULL, NULL, log, sizeof(log)));
	expect_says(_metadata, log, "source");
}

TEST_F(mounts, an_unknown_option_is_refused_and_named)
{
	char log[1024];

	EXPECT_EQ(EINVAL, create(self->tag, "bogus", "1", log, sizeof(log)));
	expect_says(_metadata, log, "Unknown parameter");
	expect_says(_metadata, log, "bogus");
	EXPECT_ERRNO(EINVAL, mount(self->tag, "a", "virtiofs", 0, "bogus"));
}

/* These belong to FUSE mounts by descriptor and make no sense with a tag. */
TEST_F(mounts, options_of_other_fuse_mounts_are_refused)
{
	static const char * const options[] = {
		"fd", "rootmode", "user_id", "group_id", "max_read", "blksize",
	};
	char log[1024];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		EXPECT_EQ(EINVAL, create(self->tag, options[i], "1", log,
					 sizeof(log)));
}

TEST_F(mounts, dax_can_be_declined)
{
	char log[1024];

	EXPECT_EQ(0, create(self->tag, "dax", "never", log, sizeof(log)));
	EXPECT_OK(mount(self->tag, "a", "virtiofs", 0, "dax=never"));
}

TEST_F(mounts, an_unknown_kind_of_dax_is_refused_and_named)
{
	char log[1024];

	EXPECT_EQ(EINVAL, create(self->tag, "dax", "bogus", log, sizeof(log)));
	expect_says(_metadata, log, "dax");
}

TEST_F(mounts, dax_without_a_window_is_refused_in_words)
{
	char log[1024];

	/* A share that is mounted already would be joined as it is. */
	if (!self->other)
		SKIP(return, "VIRTIOFS_TAG2 is not set");
	EXPECT_EQ(EINVAL, create(self->other, "dax", "always", log, sizeof(log)));
	expect_says(_metadata, log, "dax");
	EXPECT_EQ(EINVAL, create(self->other, "dax", NULL, log, sizeof(log)));
	expect_says(_metadata, log, "dax");
	EXPECT_OK(mount_tag(self->other, "a"));
}

TEST_F(mounts, users_may_not_mount)
{
	AS_USER(USER) {
		EXPECT_ERRNO(EPERM, mount_tag(self->tag, "a"));
		ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
		EXPECT_ERRNO(EPERM, mount_tag(self->tag, "a"));
	}
}

TEST_F(mounts, a_mount_says_what_it_is)
{
	char line[512], source[256], type[64];
	struct statfs fs;
	int found = 0;
	FILE *file;

	ASSERT_OK(mount_tag(self->tag, "a"));
	ASSERT_OK(statfs("a", &fs));
	EXPECT_EQ(FUSE_SUPER_MAGIC, fs.f_type);
	ASSERT_NE(NULL, file = fopen("/proc/self/mounts", "r"));
	while (fgets(line, sizeof(line), file)) {
		if (!strstr(line, self->path))
			continue;
		found++;
		EXPECT_EQ(2, sscanf(line, "%255s %*s %63s", source, type));
		EXPECT_STREQ(self->tag, source);
		EXPECT_STREQ("virtiofs", type);
	}
	EXPECT_EQ(1, found);
	fclose(file);
}

TEST_F(mounts, two_mounts_of_a_tag_are_one_file_system)
{
	char name[128];
	struct stat a, b;

	ASSERT_OK(mount_tag(self->tag, "a"));
	ASSERT_OK(mount_tag(self->tag, "b"));
	ASSERT_OK(stat("a", &a));
	ASSERT_OK(stat("b", &b));
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_EQ(a.st_ino, b.st_ino);
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(make_file(name, 1, 1000));
	name[0] = 'b';
	EXPECT_TRUE(file_is(name, 1, 1000));
	ASSERT_OK(umount("a"));
	EXPECT_TRUE(file_is(name, 1, 1000));
	EXPECT_OK(unlink(name));
	ASSERT_OK(umount("b"));
}

TEST_F(mounts, two_tags_are_two_file_systems)
{
	char name[128];
	struct stat a, b;

	if (!self->other)
		SKIP(return, "VIRTIOFS_TAG2 is not set");
	ASSERT_OK(mount_tag(self->tag, "a"));
	ASSERT_OK(mount_tag(self->other, "b"));
	ASSERT_OK(stat("a", &a));
	ASSERT_OK(stat("b", &b));
	EXPECT_NE(a.st_dev, b.st_dev);
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(make_file(name, 1, 10));
	name[0] = 'b';
	EXPECT_FALSE(exists(name));
	name[0] = 'a';
	EXPECT_OK(unlink(name));
}

TEST_F(mounts, mounting_at_once_gives_one_file_system)
{
	const char *tag = self->other ?: self->tag;
	pid_t pids[MOUNTERS];
	int i, go[2];
	char c;

	ASSERT_OK(pipe(go));
	for (i = 0; i < MOUNTERS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		close(go[1]);
		ASSERT_OK(unshare(CLONE_NEWNS));
		EXPECT_EQ(0, read(go[0], &c, 1));
		EXPECT_OK(mount_tag(tag, "a"));
		EXPECT_OK(umount("a"));
		EXPECT_OK(mount_tag(tag, "b"));
		EXPECT_OK(umount("b"));
		_exit(0);
	}
	close(go[1]);
	for (i = 0; i < MOUNTERS; i++)
		EXPECT_EQ(0, join(pids[i]));
}

TEST_F(mounts, a_read_only_mount_refuses_every_change)
{
	char name[128];

	ASSERT_OK(mount_tag(self->tag, "a"));
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(make_file(name, 1, 10));
	ASSERT_OK(mount(self->tag, "b", "virtiofs", MS_RDONLY, NULL));
	name[0] = 'b';
	EXPECT_TRUE(file_is(name, 1, 10));
	EXPECT_ERRNO(EROFS, open(name, O_RDWR));
	EXPECT_ERRNO(EROFS, open(name, O_RDONLY | O_TRUNC));
	EXPECT_ERRNO(EROFS, open("b/new", O_WRONLY | O_CREAT, 0644));
	EXPECT_ERRNO(EROFS, mkdir("b/new", 0755));
	EXPECT_ERRNO(EROFS, unlink(name));
	EXPECT_ERRNO(EROFS, rename(name, "b/new"));
	EXPECT_ERRNO(EROFS, link(name, "b/new"));
	EXPECT_ERRNO(EROFS, symlink("x", "b/new"));
	EXPECT_ERRNO(EROFS, truncate(name, 0));
	EXPECT_ERRNO(EROFS, chmod(name, 0600));
	EXPECT_ERRNO(EROFS, utimensat(AT_FDCWD, name, NULL, 0));
	EXPECT_ERRNO(EROFS, setxattr(name, "user.a", "x", 1, 0));
	EXPECT_ERRNO(EROFS, access(name, W_OK));
	name[0] = 'a';
	EXPECT_TRUE(file_is(name, 1, 10));
	EXPECT_OK(unlink(name));
}

TEST_F(mounts, a_mount_can_be_made_read_only_and_back)
{
	const char *tag = self->other ?: self->tag;
	char name[128];

	ASSERT_OK(mount_tag(tag, "a"));
	snprintf(name, sizeof(name), "a/%s", self->name);
	EXPECT_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_ERRNO(EROFS, mkdir(name, 0755));
	EXPECT_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND, NULL));
	EXPECT_OK(mkdir(name, 0755));
	EXPECT_OK(rmdir(name));
}

TEST_F(mounts, an_open_file_keeps_the_mount_busy)
{
	char name[128], buf[10];
	int fd;

	ASSERT_OK(mount_tag(self->tag, "a"));
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(make_file(name, 1, 10));
	ASSERT_OK(fd = open(name, O_RDONLY));
	ASSERT_OK(unlink(name));
	EXPECT_ERRNO(EBUSY, umount("a"));
	EXPECT_EQ(10, read(fd, buf, 10));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 0));
	ASSERT_OK(close(fd));
	EXPECT_OK(umount("a"));
	EXPECT_ERRNO(EINVAL, umount("a"));
}

TEST_F(mounts, a_detached_mount_lives_until_the_last_close)
{
	const char *tag = self->other ?: self->tag;
	char name[128], buf[10];
	int fd;

	ASSERT_OK(mount_tag(tag, "a"));
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
	ASSERT_OK(unlink(name));
	ASSERT_OK(umount2("a", MNT_DETACH));
	EXPECT_FALSE(exists(name));
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, pread(fd, buf, 10, 0));
	EXPECT_OK(fsync(fd));
	EXPECT_OK(close(fd));
	EXPECT_OK(mount_tag(tag, "a"));
	EXPECT_OK(umount("a"));
}

TEST_F(mounts, fifty_mounts_in_turn_all_find_the_file)
{
	const char *tag = self->other ?: self->tag;
	char name[128];
	int i;

	snprintf(name, sizeof(name), "a/%s", self->name);
	for (i = 0; i < CYCLES; i++) {
		ASSERT_OK(mount_tag(tag, "a"));
		/* Made in the first of them. */
		EXPECT_ERRNO(i ? EEXIST : 0, make_file(name, 1, 10000));
		EXPECT_TRUE(file_is(name, 1, 10000));
		ASSERT_OK(umount("a"));
	}
	ASSERT_OK(mount_tag(tag, "a"));
	EXPECT_OK(unlink(name));
	EXPECT_OK(umount("a"));
}

TEST_F(mounts, mounts_end_with_their_namespace)
{
	const char *tag = self->other ?: self->tag;
	char name[128];
	pid_t pid;
	int i;

	snprintf(name, sizeof(name), "a/%s", self->name);
	for (i = 0; i < 5; i++) {
		pid = fork();
		if (!pid) {
			ASSERT_OK(unshare(CLONE_NEWNS));
			ASSERT_OK(mount_tag(tag, "a"));
			ASSERT_OK(chdir("a"));
			EXPECT_OK(open(".", O_RDONLY));
			EXPECT_OK(open(self->name, O_RDWR | O_CREAT, 0644));
			_exit(0);
		}
		EXPECT_EQ(0, join(pid));
		EXPECT_FALSE(exists(name));
	}
	ASSERT_OK(mount_tag(tag, "a"));
	EXPECT_EQ(0, size_of(name));
	EXPECT_OK(unlink(name));
	EXPECT_OK(umount("a"));
}

TEST_F(mounts, syncfs_writes_all_back)
{
	char name[128];
	int fd;

	ASSERT_OK(mount_tag(self->tag, "a"));
	snprintf(name, sizeof(name), "a/%s", self->name);
	ASSERT_OK(make_file(name, 1, 100000));
	ASSERT_OK(fd = open("a", O_RDONLY | O_DIRECTORY));
	EXPECT_OK(syncfs(fd));
	EXPECT_OK(unlink(name));
	EXPECT_OK(syncfs(fd));
}

/* shifted_namespace - a user namespace in which user 0 is user SHIFT outside */
static int shifted_namespace(void)
{
	int go[2], fd, n;
	char path[64];
	pid_t pid;

	if (pipe(go))
		return -1;
	pid = fork();
	if (!pid) {
		close(go[0]);
		if (!unshare(CLONE_NEWUSER))
			send_byte(go[1]);
		pause();
	}
	close(go[1]);
	if (!wait_for_byte(go[0]))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = open(path, O_WRONLY);
	n = dprintf(fd, "0 %d 65536", SHIFT);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	fd = open(path, O_WRONLY);
	n = n > 0 ? dprintf(fd, "0 %d 65536", SHIFT) : n;
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = n > 0 ? open(path, O_RDONLY) : -1;
	kill(pid, SIGKILL);
	join(pid);
	return fd;
}

TEST_F(mounts, an_idmapped_mount_shifts_the_owners)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	char dir[128], file[160];
	struct stat st;
	int fd;

	attr.userns_fd = shifted_namespace();
	if ((int)attr.userns_fd < 0)
		SKIP(return, "this kernel has no user namespaces");
	ASSERT_OK(mount_tag(self->tag, "a"));
	ASSERT_OK(fd = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE));
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
		ASSERT_EQ(EINVAL, errno);
		SKIP(return, "the server allows no idmapped mounts");
	}
	ASSERT_OK(move_mount(fd, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
	snprintf(dir, sizeof(dir), "b/%s", self->name);
	snprintf(file, sizeof(file), "%s/f", dir);
	dir[0] = 'a';
	ASSERT_OK(mkdir(dir, 0755));
	dir[0] = 'b';
	ASSERT_OK(stat(dir, &st));
	EXPECT_EQ(SHIFT, (int)st.st_uid);
	EXPECT_EQ(SHIFT, (int)st.st_gid);
	AS_USER(SHIFT) {
		EXPECT_OK(make_file(file, 1, 10));
	}
	/* This user has no name on the other side of the shift. */
	EXPECT_ERRNO(EOVERFLOW, touch("b/nobodys"));
	file[0] = 'a';
	ASSERT_OK(stat(file, &st));
	EXPECT_EQ(0, (int)st.st_uid);
	EXPECT_EQ(0, (int)st.st_gid);
	EXPECT_OK(unlink(file));
	EXPECT_OK(rmdir(dir));
}

MOUNTS_MAIN
