// SPDX-License-Identifier: GPL-2.0
/*
 * Many at once: processes and threads on one file and in one directory. The
 * counts are fixed, and so is what must be there in the end.
 */
#include <pthread.h>

#include "share.h"

#define WORKERS 6
#define RECORDS 150
#define RECORD 100
#define CHUNK 5000
#define CHUNKS 40
#define NAMES 60
#define ROUNDS 30
#define SIZE 4096

/* start - fork the workers; a worker gets its number, the parent gets -1 */
static int start(pid_t *pids)
{
	int i;

	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			return i;
	}
	return -1;
}

/* finish - wait for all workers; how many of them failed */
static int finish(const pid_t *pids)
{
	int i, failed = 0;

	for (i = 0; i < WORKERS; i++)
		failed += join(pids[i]) != 0;
	return failed;
}

static int append_records(int worker)
{
	int fd = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644);
	char record[RECORD];
	int i;

	for (i = 0; i < RECORDS; i++) {
		fill(record, RECORD, worker * RECORDS + i, 0);
		memcpy(record, &worker, sizeof(worker));
		memcpy(record + sizeof(worker), &i, sizeof(i));
		if (write(fd, record, RECORD) != RECORD)
			return 1;
	}
	return 0;
}

TEST_F(share, appended_records_are_whole_and_none_is_lost)
{
	const int head = 2 * sizeof(int);
	unsigned char seen[WORKERS][RECORDS] = {};
	char *buf = buffer(WORKERS * RECORDS * RECORD);
	pid_t pids[WORKERS];
	int worker = start(pids), i, n;
	char *p;

	if (worker >= 0)
		_exit(append_records(worker));
	ASSERT_EQ(0, finish(pids));
	ASSERT_EQ(WORKERS * RECORDS * RECORD, size_of("f"));
	ASSERT_EQ(WORKERS * RECORDS * RECORD,
		  read(open("f", O_RDONLY), buf, WORKERS * RECORDS * RECORD));
	for (i = 0; i < WORKERS * RECORDS; i++) {
		p = buf + i * RECORD;
		memcpy(&worker, p, sizeof(worker));
		memcpy(&n, p + sizeof(worker), sizeof(n));
		ASSERT_TRUE(worker >= 0 && worker < WORKERS);
		ASSERT_TRUE(n >= 0 && n < RECORDS);
		ASSERT_EQ(1, ++seen[worker][n]);
		ASSERT_EQ(-1, wrong_at(p + head, RECORD - head,
				       worker * RECORDS + n, head));
	}
}

/*
 * Chunks of all workers alternate, so they share pages.
 *
 * The file is there before they start: the FUSE client believes whatever size
 * the reply to a CREATE says (it comes without a version of the attributes),
 * and clears what others have written behind that meanwhile. Nobody reads until
 * all have ended: when a file changes, the client drops also pages whose WRITE
 * is on its way, and a reader may fetch one again before the server has that.
 */
static int write_chunks(int worker)
{
	int fd = open("f", O_RDWR);
	char buf[CHUNK];
	int i;

	for (i = 0; i < CHUNKS; i++) {
		off_t pos = (off_t)(i * WORKERS + worker) * CHUNK;

		fill(buf, CHUNK, 1, pos);
		if (pwrite(fd, buf, CHUNK, pos) != CHUNK)
			return 1;
	}
	return close(fd) != 0;
}

/* server_has_chunks - all of them, whatever the page cache holds */
static bool server_has_chunks(void)
{
	int fd = open("f", O_RDONLY);
	int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	close(fd);
	return !error && file_is("f", 1, CHUNKS * WORKERS * CHUNK);
}

TEST_F(share, processes_write_chunks_of_one_file)
{
	pid_t pids[WORKERS];
	int worker;

	ASSERT_EQ(0, make_file("f", 0, 0));
	worker = start(pids);
	if (worker >= 0)
		_exit(write_chunks(worker));
	EXPECT_EQ(0, finish(pids));
	EXPECT_TRUE(server_has_chunks());
}

static void *chunk_thread(void *worker)
{
	return (void *)(long)write_chunks((long)worker);
}

TEST_F(share, threads_write_chunks_of_one_file)
{
	pthread_t threads[WORKERS];
	void *failed;
	long i;

	ASSERT_EQ(0, make_file("f", 0, 0));
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, chunk_thread,
					    (void *)i));
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &failed));
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_TRUE(server_has_chunks());
}

/* churn - makes, renames, reads and removes names of its own in one directory */
static int churn(int worker)
{
	char name[32], other[32];
	int i;

	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "d/%d.%d", worker, i);
		snprintf(other, sizeof(other), "d/%d.%d.moved", worker, i);
		if (make_file(name, worker, i) || rename(name, other) ||
		    exists(name) || !file_is(other, worker, i))
			return 1;
		if (i % 3 && unlink(other))
			return 2;
	}
	return 0;
}

TEST_F(share, processes_make_and_remove_names_in_one_directory)
{
	pid_t pids[WORKERS];
	struct dirent *entry;
	int worker, count = 0;
	DIR *dir;

	ASSERT_OK(mkdir("d", 0755));
	worker = start(pids);
	if (worker >= 0)
		_exit(churn(worker));
	EXPECT_EQ(0, finish(pids));
	ASSERT_NE(NULL, dir = opendir("d"));
	while ((entry = readdir(dir)))
		count += !!strstr(entry->d_name, ".moved");
	EXPECT_EQ(WORKERS * NAMES / 3, count);
	closedir(dir);
}

/* race - how often this worker was the one to make, and to remove, the name */
static int race(void)
{
	int i, won = 0;
	char name[16];

	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		won += mkdir(name, 0755) == 0;
	}
	return won;
}

TEST_F(share, each_name_is_made_by_exactly_one)
{
	pid_t pids[WORKERS];
	int worker = start(pids), i, won = 0;

	if (worker >= 0)
		_exit(race());
	for (i = 0; i < WORKERS; i++)
		won += join(pids[i]);
	EXPECT_EQ(ROUNDS, won);
}

static int remove_race(void)
{
	int i, won = 0;
	char name[16];

	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		won += unlink(name) == 0;
	}
	return won;
}

TEST_F(share, each_name_is_removed_by_exactly_one)
{
	int worker, i, won = 0;
	pid_t pids[WORKERS];
	char name[16];

	for (i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_OK(touch(name));
	}
	worker = start(pids);
	if (worker >= 0)
		_exit(remove_race());
	for (i = 0; i < WORKERS; i++)
		won += join(pids[i]);
	EXPECT_EQ(ROUNDS, won);
}

/* A reader finds the old or the new file under the name, never none or half. */
static int read_again_and_again(void)
{
	char buf[SIZE + 1];
	int i, fd, seed;

	for (i = 0; i < 3 * ROUNDS; i++) {
		fd = open("f", O_RDONLY);
		if (fd < 0 || read(fd, buf, sizeof(buf)) != SIZE)
			return 1;
		for (seed = 0; seed <= ROUNDS; seed++)
			if (wrong_at(buf, SIZE, seed, 0) == -1)
				break;
		if (seed > ROUNDS)
			return 2;
		close(fd);
	}
	return 0;
}

TEST_F(share, a_file_replaced_by_rename_is_never_missing_or_half)
{
	pid_t pids[WORKERS];
	int worker, i;

	ASSERT_OK(make_file("f", 0, SIZE));
	worker = start(pids);
	if (worker >= 0)
		_exit(read_again_and_again());
	for (i = 1; i <= ROUNDS; i++) {
		ASSERT_OK(make_file("new", i, SIZE));
		ASSERT_OK(rename("new", "f"));
	}
	EXPECT_EQ(0, finish(pids));
	EXPECT_TRUE(file_is("f", ROUNDS, SIZE));
}

/* While one lists, another makes and removes names: those that stay are seen. */
static int list_again_and_again(void)
{
	struct dirent *entry;
	int i, seen;
	DIR *dir;

	for (i = 0; i < ROUNDS; i++) {
		dir = opendir("d");
		if (!dir)
			return 1;
		for (seen = 0; (entry = readdir(dir));)
			seen += !strncmp(entry->d_name, "stays", 5);
		closedir(dir);
		if (seen != NAMES)
			return 2;
	}
	return 0;
}

TEST_F(share, lists_are_complete_while_the_directory_changes)
{
	pid_t pids[WORKERS];
	char name[32];
	int worker, i;

	ASSERT_OK(mkdir("d", 0755));
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "d/stays%d", i);
		ASSERT_OK(touch(name));
	}
	worker = start(pids);
	if (worker >= 0)
		_exit(list_again_and_again());
	for (i = 0; i < 5 * ROUNDS; i++) {
		snprintf(name, sizeof(name), "d/goes%d", i % 7);
		ASSERT_OK(touch(name));
		ASSERT_OK(unlink(name));
	}
	EXPECT_EQ(0, finish(pids));
}

SHARE_MAIN
