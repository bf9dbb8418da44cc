// SPDX-License-Identifier: GPL-2.0
/*
 * Single calls to a file system, each timed by itself:
 *
 *   calls DIRECTORY COUNT WORK...
 *
 * The directory has a "file" of FILE_SIZE bytes and a directory "thousand" with
 * 1,000 files. COUNT is for quick calls; slow ones are called less often. The
 * environment's WARM_UP=0 leaves out all calls that are not measured.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mark.h"
#include "measure.h"

#define FILE_SIZE	(64 << 20)
#define PAGE		4096
#define MIB		(1 << 20)

/*
 * Not timed: code that is new to the emulator and to the caches, and calls from
 * which a driver learns whether to look for a reply or to sleep.
 */
#define WARM_UP		400

/* What the calls use */
static int fd;
static char *buffer, *mapping;

/**
 * struct work - one kind of call
 * @name: what it is called in the results
 * @less: how much less often than COUNT it is called
 * @flags: to open "file" with
 * @begin: what else is needed before
 * @prepare: the same, before each call; not timed, but its instructions are counted
 * @call: the i-th call
 * @end: takes away what @begin has made
 */
struct work {
	const char *name;
	unsigned int less;
	int flags;
	void (*begin)(void);
	void (*prepare)(void);
	void (*call)(size_t i);
	void (*end)(void);
};

static void must(bool true_, const char *what)
{
	if (!true_)
		die(what);
}

static void lookup_missing(size_t i)
{
	struct stat st;

	(void)i;
	must(stat("missing", &st) && errno == ENOENT, "stat of a missing name");
}

static void getattr(size_t i)
{
	struct statx stx;

	(void)i;
	must(!statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx),
	     "statx");
}

static void open_close(size_t i)
{
	int other = open("file", O_RDONLY);

	(void)i;
	must(other >= 0 && !close(other), "open");
}

static void create_unlink(size_t i)
{
	int other = open("created", O_CREAT | O_EXCL | O_WRONLY, 0600);

	(void)i;
	must(other >= 0 && !close(other) && !unlink("created"), "create and unlink");
}

static void mkdir_rmdir(size_t i)
{
	(void)i;
	must(!mkdir("made", 0700) && !rmdir("made"), "mkdir and rmdir");
}

static void readdir_1000(size_t i)
{
	DIR *dir = opendir("thousand");
	int names = 0;

	(void)i;
	must(dir, "opendir");
	while (readdir(dir))
		names++;
	must(names == 1002 && !closedir(dir), "readdir");
}

static void read_at(size_t i, size_t size)
{
	must(pread(fd, buffer, size, i * size % FILE_SIZE) == (ssize_t)size, "read");
}

static void write_at(size_t i, size_t size)
{
	must(pwrite(fd, buffer, size, i * size % FILE_SIZE) == (ssize_t)size, "write");
}

static void read_4k(size_t i)
{
	read_at(i, PAGE);
}

static void write_4k(size_t i)
{
	write_at(i, PAGE);
}

static void read_1m(size_t i)
{
	read_at(i, MIB);
}

static void write_1m(size_t i)
{
	write_at(i, MIB);
}

static void sync_file(size_t i)
{
	(void)i;
	must(!fsync(fd), "fsync");
}

static void drop_cached(void)
{
	must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
}

/* No page of the file is in the cache, and none is read before it is touched. */
static void fault_begin(void)
{
	drop_cached();
	mapping = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	must(mapping != MAP_FAILED, "mmap");
	must(!madvise(mapping, FILE_SIZE, MADV_RANDOM), "madvise");
}

static void fault(size_t i)
{
	(void)*(volatile char *)(mapping + i * PAGE % FILE_SIZE);
}

static void fault_end(void)
{
	munmap(mapping, FILE_SIZE);
}

static void read_all(size_t i)
{
	(void)i;
	must(!lseek(fd, 0, SEEK_SET), "lseek");
	for (size_t done = 0; done < FILE_SIZE; done += MIB)
		must(read(fd, buffer, MIB) == MIB, "read");
}

static const struct work works[] = {
	{ "lookup_missing", 1, O_RDONLY, .call = lookup_missing },
	{ "getattr", 1, O_RDONLY, .call = getattr },
	{ "open_close", 1, O_RDONLY, .call = open_close },
	{ "create_unlink", 2, O_RDONLY, .call = create_unlink },
	{ "mkdir_rmdir", 2, O_RDONLY, .call = mkdir_rmdir },
	{ "readdir_1000", 40, O_RDONLY, .call = readdir_1000 },
	{ "read_4k_direct", 1, O_RDONLY | O_DIRECT, .call = read_4k },
	{ "write_4k_direct", 1, O_WRONLY | O_DIRECT, .call = write_4k },
	{ "read_1m_direct", 5, O_RDONLY | O_DIRECT, .call = read_1m },
	{ "write_1m_direct", 5, O_WRONLY | O_DIRECT, .call = write_1m },
	{ "fsync", 2, O_WRONLY, .call = sync_file },
	{ "fault_cold", 1, O_RDONLY, .begin = fault_begin, .call = fault, .end = fault_end },
	{ "read_cold", 50, O_RDONLY, .prepare = drop_cached, .call = read_all },
};

#define NR_WORKS (sizeof(works) / sizeof(works[0]))

static size_t warm_up(void)
{
	const char *said = getenv("WARM_UP");

	return said ? strtoul(said, NULL, 10) : WARM_UP;
}

/* Returns what the i-th call took, in ns. */
static uint64_t call(const struct work *work, size_t i)
{
	uint64_t start;

	if (work->prepare)
		work->prepare();
	start = now();
	work->call(i);
	return now() - start;
}

static void measure(const struct work *work, size_t count)
{
	size_t nr = count / work->less;
	size_t warm = warm_up() / work->less;
	uint64_t *samples, total = 0;
	struct counts before, after;

	if (!nr)
		nr = 1;
	samples = calloc(nr, sizeof(*samples));
	fd = open("file", work->flags);
	must(samples && fd >= 0, "file");
	if (work->begin)
		work->begin();
	for (size_t i = 0; i < warm; i++)
		call(work, i);
	counts_read(&before);
	mark_begin();
	for (size_t i = 0; i < nr; i++) {
		samples[i] = call(work, warm + i);
		total += samples[i];
	}
	mark_end();
	counts_read(&after);
	if (work->end)
		work->end();
	close(fd);
	tell(work->name, samples, nr, total, &before, &after);
	free(samples);
}

static const struct work *find(const char *name)
{
	for (size_t i = 0; i < NR_WORKS; i++) {
		if (!strcmp(works[i].name, name))
			return &works[i];
	}
	fprintf(stderr, "no such work: %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (!count) {
		fprintf(stderr, "usage: calls DIRECTORY COUNT WORK...\n");
		return 2;
	}
	must(!chdir(argv[1]), argv[1]);
	must(!posix_memalign((void **)&buffer, PAGE, MIB), "memory");
	memset(buffer, 'b', MIB);
	for (int i = 3; i < argc; i++)
		measure(find(argv[i]), count);
	return 0;
}
