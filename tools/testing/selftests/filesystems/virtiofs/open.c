// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and creating files: what each flag does, and which errno each
 * impossible wish gets.
 */
#include <sys/sendfile.h>

#include "share.h"

#define OPEN_FILES 400

TEST_F(share, create_makes_an_empty_file_of_that_mode)
{
	struct stat st;
	int fd;

	umask(0);
	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0653));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(S_IFREG | 0653, (int)st.st_mode);
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(1, (int)st.st_nlink);
	EXPECT_EQ(0, (int)st.st_uid);
	EXPECT_EQ(0, (int)st.st_gid);
	EXPECT_EQ(inode_of("f"), (long)st.st_ino);
}

TEST_F(share, create_subtracts_the_umask)
{
	umask(027);
	ASSERT_OK(close(open("f", O_WRONLY | O_CREAT, 0666)));
	ASSERT_OK(mkdir("d", 0777));
	ASSERT_OK(mknod("n", S_IFREG | 0666, 0));
	EXPECT_EQ(0640, mode_of("f"));
	EXPECT_EQ(0750, mode_of("d"));
	EXPECT_EQ(0640, mode_of("n"));
}

TEST_F(share, a_read_only_mode_binds_the_next_open_only)
{
	int fd;

	ASSERT_OK(fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0));
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, size_of("f"));
	EXPECT_EQ(0, mode_of("f"));
}

TEST_F(share, create_opens_an_existing_file_as_it_is)
{
	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(close(open("f", O_RDWR | O_CREAT, 0600)));
	EXPECT_TRUE(file_is("f", 1, 100));
	EXPECT_EQ(0644, mode_of("f"));
}

TEST_F(share, exclusive_create_refuses_any_existing_name)
{
	ASSERT_OK(touch("f"));
	ASSERT_OK(mkdir("d", 0755));
	ASSERT_OK(symlink("nowhere", "dangling"));
	EXPECT_ERRNO(EEXIST, open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	EXPECT_ERRNO(EEXIST, open("d", O_RDWR | O_CREAT | O_EXCL, 0644));
	EXPECT_ERRNO(EEXIST, open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
	EXPECT_FALSE(exists("nowhere"));
}

TEST_F(share, create_through_a_dangling_link_makes_its_target)
{
	ASSERT_OK(symlink("target", "dangling"));
	EXPECT_ERRNO(ENOENT, open("dangling", O_RDWR));
	ASSERT_OK(close(open("dangling", O_RDWR | O_CREAT, 0644)));
	EXPECT_EQ(0, size_of("target"));
}

TEST_F(share, missing_names_give_enoent)
{
	struct stat st;

	EXPECT_ERRNO(ENOENT, open("no", O_RDONLY));
	EXPECT_ERRNO(ENOENT, open("no", O_RDWR | O_TRUNC));
	EXPECT_ERRNO(ENOENT, open("no/f", O_RDWR | O_CREAT, 0644));
	EXPECT_ERRNO(ENOENT, open("", O_RDONLY));
	EXPECT_ERRNO(ENOENT, stat("no", &st));
	EXPECT_ERRNO(ENOENT, unlink("no"));
}

/* The client may remember that a name is missing, but not past its creation. */
TEST_F(share, a_name_found_missing_is_found_once_it_is_made)
{
	char name[16];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_ERRNO(ENOENT, open(name, O_RDONLY));
		ASSERT_OK(make_file(name, i, 10));
		ASSERT_TRUE(file_is(name, i, 10));
		ASSERT_OK(unlink(name));
		ASSERT_ERRNO(ENOENT, open(name, O_RDONLY));
	}
}

TEST_F(share, truncate_flag_empties_the_file)
{
	ASSERT_OK(make_file("f", 1, 70000));
	ASSERT_OK(close(open("f", O_WRONLY | O_TRUNC)));
	EXPECT_EQ(0, size_of("f"));
	EXPECT_TRUE(file_is("f", 1, 0));
}

TEST_F(share, directories_open_for_reading_alone)
{
	ASSERT_OK(mkdir("d", 0755));
	EXPECT_OK(open("d", O_RDONLY));
	EXPECT_OK(open("d", O_RDONLY | O_DIRECTORY));
	EXPECT_ERRNO(EISDIR, open("d", O_WRONLY));
	EXPECT_ERRNO(EISDIR, open("d", O_RDWR));
	EXPECT_ERRNO(EISDIR, open("d", O_RDONLY | O_CREAT, 0755));
	EXPECT_ERRNO(EISDIR, open("d/", O_RDWR | O_CREAT, 0755));
}

TEST_F(share, files_are_no_directories)
{
	struct stat st;

	ASSERT_OK(touch("f"));
	EXPECT_ERRNO(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	EXPECT_ERRNO(ENOTDIR, open("f/", O_RDONLY));
	EXPECT_ERRNO(ENOTDIR, open("f/x", O_RDONLY));
	EXPECT_ERRNO(ENOTDIR, open("f/x", O_RDWR | O_CREAT, 0644));
	EXPECT_ERRNO(ENOTDIR, mkdir("f/x", 0755));
	EXPECT_ERRNO(ENOTDIR, stat("f/x", &st));
}

TEST_F(share, nofollow_refuses_a_link_and_path_opens_it)
{
	struct stat st;
	int fd;

	ASSERT_OK(touch("f"));
	ASSERT_OK(symlink("f", "link"));
	EXPECT_ERRNO(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
	ASSERT_OK(fd = open("link", O_PATH | O_NOFOLLOW));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_TRUE(S_ISLNK(st.st_mode));
}

TEST_F(share, links_in_a_ring_give_eloop)
{
	struct stat st;

	ASSERT_OK(symlink("b", "a"));
	ASSERT_OK(symlink("a", "b"));
	EXPECT_ERRNO(ELOOP, open("a", O_RDONLY));
	EXPECT_ERRNO(ELOOP, open("a", O_RDWR | O_CREAT, 0644));
	EXPECT_ERRNO(ELOOP, open("a/x", O_RDONLY));
	EXPECT_ERRNO(ELOOP, stat("b", &st));
}

TEST_F(share, access_is_what_the_file_was_opened_for)
{
	char c = 'c';
	int rd, wr, path;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(rd = open("f", O_RDONLY));
	ASSERT_OK(wr = open("f", O_WRONLY));
	ASSERT_OK(path = open("f", O_PATH));
	EXPECT_ERRNO(EBADF, write(rd, &c, 1));
	EXPECT_ERRNO(EBADF, pwrite(rd, &c, 1, 0));
	EXPECT_ERRNO(EINVAL, ftruncate(rd, 0));
	EXPECT_ERRNO(EBADF, read(wr, &c, 1));
	EXPECT_ERRNO(EBADF, pread(wr, &c, 1, 0));
	EXPECT_ERRNO(EBADF, read(path, &c, 1));
	EXPECT_ERRNO(EBADF, write(path, &c, 1));
	EXPECT_ERRNO(EBADF, fchmod(path, 0600));
	EXPECT_ERRNO(EBADF, fsync(path));
	EXPECT_TRUE(file_is("f", 1, 10));
}

TEST_F(share, a_path_descriptor_reopens_the_file_under_any_name)
{
	char proc[64];
	char buf[16];
	int path, fd;

	ASSERT_OK(make_file("f", 1, 10));
	ASSERT_OK(path = open("f", O_PATH));
	ASSERT_OK(rename("f", "moved"));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", path);
	ASSERT_OK(fd = open(proc, O_RDONLY));
	EXPECT_EQ(10, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 0));
}

TEST_F(share, names_end_at_255_bytes)
{
	char name[300];
	struct stat st;

	ASSERT_OK(touch("f"));
	memset(name, 'n', sizeof(name));
	name[255] = 0;
	ASSERT_OK(make_file(name, 1, 10));
	EXPECT_TRUE(file_is(name, 1, 10));
	EXPECT_OK(unlink(name));

	name[255] = 'n';
	name[256] = 0;
	EXPECT_ERRNO(ENAMETOOLONG, open(name, O_RDONLY));
	EXPECT_ERRNO(ENAMETOOLONG, open(name, O_RDWR | O_CREAT, 0644));
	EXPECT_ERRNO(ENAMETOOLONG, stat(name, &st));
	EXPECT_ERRNO(ENAMETOOLONG, mkdir(name, 0755));
	EXPECT_ERRNO(ENAMETOOLONG, touch(name));
	EXPECT_ERRNO(ENAMETOOLONG, symlink("f", name));
	EXPECT_ERRNO(ENAMETOOLONG, link("f", name));
	EXPECT_ERRNO(ENAMETOOLONG, rename("f", name));
	EXPECT_ERRNO(ENAMETOOLONG, unlink(name));
	EXPECT_ERRNO(ENAMETOOLONG, rmdir(name));
}

TEST_F(share, paths_end_before_path_max)
{
	char path[PATH_MAX + 1];
	int i;

	/* "./././f": 4095 bytes are a path, 4096 are not. */
	ASSERT_OK(make_file("f", 1, 10));
	for (i = 0; i < PATH_MAX; i += 2)
		memcpy(path + i, "./", 2);
	strcpy(path + PATH_MAX - 2, "f");
	EXPECT_TRUE(file_is(path, 1, 10));
	strcpy(path + PATH_MAX - 2, "/f");
	EXPECT_ERRNO(ENAMETOOLONG, open(path, O_RDONLY));
}

/* copy_of_me - this very program, as a file on the share */
static int copy_of_me(const char *name)
{
	int in = open("/proc/self/exe", O_RDONLY);
	int out = open(name, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	close(in);
	return close(out) ? -1 : n;
}

TEST_F(share, a_program_on_the_share_runs)
{
	pid_t pid;

	ASSERT_OK(copy_of_me("program"));
	pid = fork();
	if (!pid) {
		fclose(stderr);
		execl("./program", "program", "-h", NULL);
		_exit(1);
	}
	/* The harness ends so when it is asked for help. */
	EXPECT_EQ(KSFT_SKIP, join(pid));
}

TEST_F(share, a_running_program_cannot_be_written)
{
	int go[2];
	pid_t pid;
	char c;
	int fd;

	ASSERT_OK(copy_of_me("program"));
	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		/* With no variable and no argument it would skip at once. */
		setenv("SHARE_HOLD", "1", 1);
		execl("./program", "program", NULL);
		_exit(1);
	}
	close(go[1]);
	/* The pipe is at its end when execve() has closed the other side. */
	EXPECT_EQ(0, read(go[0], &c, 1));
	EXPECT_ERRNO(ETXTBSY, open("program", O_WRONLY));
	EXPECT_ERRNO(ETXTBSY, truncate("program", 0));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, join(pid));
	EXPECT_OK(fd = open("program", O_WRONLY));
	close(fd);
}

TEST_F(share, a_file_being_written_cannot_be_run)
{
	pid_t pid;
	int fd;

	ASSERT_OK(copy_of_me("program"));
	ASSERT_OK(fd = open("program", O_WRONLY));
	pid = fork();
	if (!pid) {
		execl("./program", "program", "-h", NULL);
		_exit(errno);
	}
	EXPECT_EQ(ETXTBSY, join(pid));
}

TEST_F(share, tmpfile_gets_its_name_from_linkat)
{
	char proc[64];
	struct stat st;
	int fd;

	fd = open(".", O_TMPFILE | O_RDWR, 0640);
	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP(return, "the server has no O_TMPFILE");
	ASSERT_OK(fd);
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(0, (int)st.st_nlink);
	EXPECT_EQ(S_IFREG | 0640, (int)st.st_mode);
	ASSERT_EQ(3, write(fd, "abc", 3));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ASSERT_OK(linkat(AT_FDCWD, proc, AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
	EXPECT_EQ(3, size_of("f"));
	EXPECT_EQ(1, links_of("f"));
	EXPECT_EQ(0640, mode_of("f"));
}

TEST_F(share, exclusive_tmpfile_never_gets_a_name)
{
	char proc[64];
	int fd;

	fd = open(".", O_TMPFILE | O_EXCL | O_RDWR, 0640);
	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP(return, "the server has no O_TMPFILE");
	ASSERT_OK(fd);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	EXPECT_ERRNO(ENOENT, linkat(AT_FDCWD, proc, AT_FDCWD, "f",
				    AT_SYMLINK_FOLLOW));
}

TEST_F(share, tmpfile_wishes_that_cannot_be)
{
	ASSERT_OK(touch("f"));
	EXPECT_ERRNO(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0640));
	EXPECT_ERRNO(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0640));
	EXPECT_ERRNO(ENOENT, open("no", O_TMPFILE | O_RDWR, 0640));
}

TEST_F(share, hundreds_of_files_are_open_at_once)
{
	int fds[OPEN_FILES];
	char name[16];
	char buf[64];
	int i;

	for (i = 0; i < OPEN_FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_OK(fds[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
		fill(buf, sizeof(buf), i, 0);
		ASSERT_EQ(64, write(fds[i], buf, sizeof(buf)));
	}
	for (i = OPEN_FILES - 1; i >= 0; i--) {
		ASSERT_EQ(64, pread(fds[i], buf, sizeof(buf), 0));
		EXPECT_EQ(-1, wrong_at(buf, sizeof(buf), i, 0));
		EXPECT_OK(close(fds[i]));
	}
}

TEST_F(share, noatime_is_for_the_owner)
{
	ASSERT_OK(make_file("f", 1, 10));
	EXPECT_OK(open("f", O_RDONLY | O_NOATIME));
	AS_USER(USER) {
		EXPECT_OK(open("f", O_RDONLY));
		EXPECT_ERRNO(EPERM, open("f", O_RDONLY | O_NOATIME));
	}
}

TEST_F(share, a_file_handle_leads_back_to_its_file)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int fd, root, mount;
	char buf[16];

	ASSERT_OK(make_file("f", 1, 10));
	if (name_to_handle_at(AT_FDCWD, "f", &h.handle, &mount, 0)) {
		ASSERT_EQ(EOPNOTSUPP, errno);
		SKIP(return, "this mount gives out no file handles");
	}
	ASSERT_OK(root = open(".", O_RDONLY | O_DIRECTORY));
	ASSERT_OK(rename("f", "moved"));
	fd = open_by_handle_at(root, &h.handle, O_RDONLY);
	if (fd < 0 && errno == ESTALE)
		SKIP(return, "the server does not find files by their handle");
	ASSERT_OK(fd);
	EXPECT_EQ(10, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-1, wrong_at(buf, 10, 1, 0));
}

int main(int argc, char **argv)
{
	/* Run by a_running_program_cannot_be_written(): just be there. */
	if (getenv("SHARE_HOLD"))
		pause();
	need("VIRTIOFS_DIR");
	need_root();
	return test_harness_run(argc, argv);
}
