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
 * @less: how much less often than COUNT it is called; 0: once
 * @flags: to open "file" with
 * @begin: what else is needed before
 * @call: the i-th call
 * @end: takes away what @begin has made
 */
struct work {
	const char *name;
	unsigned int less;
	int flags;
	void (*begin)(void);
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

/* No page of the file is in the cache, and none is read before it is touched. */
static void fault_begin(void)
{
	must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
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
	{ "lookup_missing", 1, O_RDONLY, NULL, lookup_missing, NULL },
	{ "getattr", 1, O_RDONLY, NULL, getattr, NULL },
	{ "open_close", 1, O_RDONLY, NULL, open_close, NULL },
	{ "create_unlink", 2, O_RDONLY, NULL, create_unlink, NULL },
	{ "mkdir_rmdir", 2, O_RDONLY, NULL, mkdir_rmdir, NULL },
	{ "readdir_1000", 40, O_RDONLY, NULL, readdir_1000, NULL },
	{ "read_4k_direct", 1, O_RDONLY | O_DIRECT, NULL, read_4k, NULL },
	{ "write_4k_direct", 1, O_WRONLY | O_DIRECT, NULL, write_4k, NULL },
	{ "read_1m_direct", 10, O_RDONLY | O_DIRECT, NULL, read_1m, NULL },
	{ "write_1m_direct", 10, O_WRONLY | O_DIRECT, NULL, write_1m, NULL },
	{ "fsync", 2, O_WRONLY, NULL, sync_file, NULL },
	{ "fault_cold", 1, O_RDONLY, fault_begin, fault, fault_end },
	/* The caches are dropped by who calls the program. */
	{ "read_cold", 0, O_RDONLY, NULL, read_all, NULL },
};

#define NR_WORKS (sizeof(works) / sizeof(works[0]))

static size_t warm_up(void)
{
	const char *said = getenv("WARM_UP");

	return said ? strtoul(said, NULL, 10) : WARM_UP;
}

static void measure(const struct work *work, size_t count)
{
	size_t nr = work->less ? count / work->less : 1;
	size_t warm = work->less ? warm_up() / work->less : 0;
	uint64_t *samples, begin, end;
	struct counts before, after;

	if (!nr)
		nr = 1;
	samples = calloc(nr, sizeof(*samples));
	fd = open("file", work->flags);
	must(samples && fd >= 0, "file");
	if (work->begin)
		work->begin();
	for (size_t i = 0; i < warm; i++)
		work->call(i);
	counts_read(&before);
	mark_begin();
	begin = now();
	for (size_t i = 0; i < nr; i++) {
		uint64_t start = now();

		work->call(warm + i);
		samples[i] = now() - start;
	}
	end = now();
	mark_end();
	counts_read(&after);
	if (work->end)
		work->end();
	close(fd);
	tell(work->name, samples, nr, end - begin, &before, &after);
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
