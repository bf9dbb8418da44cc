// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on a directory, by some threads, without a look at what
 * comes of them: what a guest does while its device lies.
 *
 *   hammer DIRECTORY THREADS STOP-FILE
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_THREADS 64
#define NAMES 16
#define MAX_LEN (128 << 10)

/* So often is looked whether to stop. */
#define ROUND 50

/**
 * struct hammer - one thread
 * @directory: where it works
 * @stop: ends when there is such a file
 * @random: state of its random numbers
 * @buffer: MAX_LEN bytes
 * @path: of the latest name
 */
struct hammer {
	const char *directory;
	const char *stop;
	uint64_t random;
	char *buffer;
	char path[512];
};

static unsigned int below(struct hammer *h, unsigned int limit)
{
	h->random = h->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (h->random >> 33) % limit;
}

static const char *name(struct hammer *h)
{
	snprintf(h->path, sizeof(h->path), "%s/hammer%u", h->directory, below(h, NAMES));
	return h->path;
}

static void use_mapping(struct hammer *h, int fd)
{
	char *p = mmap(NULL, MAX_LEN, PROT_READ, MAP_SHARED, fd, 0);
	ssize_t done;
	int ends[2];

	if (p == MAP_FAILED)
		return;
	/*
	 * By a system call: a look where the device fails would be a signal.  Not
	 * by MADV_POPULATE_READ, which in Linux 6.1 tries for ever then.
	 */
	if (!pipe2(ends, O_NONBLOCK)) {
		done = write(ends[1], p, 1 + below(h, MAX_LEN));
		(void)done;
		close(ends[0]);
		close(ends[1]);
	}
	munmap(p, MAX_LEN);
}

static void use_file(struct hammer *h)
{
	int fd = open(name(h), below(h, 2) ? O_RDWR | O_CREAT : O_RDWR, 0600);
	ssize_t done = 0;

	if (fd < 0)
		return;
	for (unsigned int i = below(h, 4); i; i--) {
		if (below(h, 2))
			done += pread(fd, h->buffer, below(h, MAX_LEN), below(h, MAX_LEN));
		else
			done += pwrite(fd, h->buffer, below(h, MAX_LEN), below(h, MAX_LEN));
	}
	if (!below(h, 4))
		use_mapping(h, fd);
	if (!below(h, 4))
		done += fsync(fd) + ftruncate(fd, below(h, MAX_LEN));
	close(fd);
}

static void use_directory(struct hammer *h)
{
	DIR *dir = opendir(h->directory);

	if (!dir)
		return;
	while (readdir(dir))
		;
	closedir(dir);
}

static void use_xattr(struct hammer *h)
{
	const char *path = name(h);

	setxattr(path, "user.hammer", "value", below(h, 6), 0);
	getxattr(path, "user.hammer", h->buffer, below(h, MAX_LEN));
	listxattr(path, h->buffer, below(h, MAX_LEN));
}

static void use_names(struct hammer *h)
{
	char old[sizeof(h->path)];
	int err = 0;

	snprintf(old, sizeof(old), "%s", name(h));
	switch (below(h, 6)) {
	case 0:
		err = rename(old, name(h));
		break;
	case 1:
		err = link(old, name(h));
		break;
	case 2:
		err = symlink("0", old);
		break;
	case 3:
		err = mkdir(old, 0700);
		break;
	case 4:
		err = rmdir(old);
		break;
	default:
		err = unlink(old);
	}
	if (err && readlink(old, h->buffer, MAX_LEN) > 0)
		unlink(old);
}

static void use_status(struct hammer *h)
{
	struct statfs fs;
	struct stat st;

	if (stat(name(h), &st) && !statfs(h->directory, &fs))
		stat(h->directory, &st);
}

static void *work(void *arg)
{
	static void (*const uses[])(struct hammer *h) = {
		use_file, use_file, use_directory, use_xattr, use_names, use_status, use_status,
	};
	struct hammer *h = arg;

	while (access(h->stop, F_OK)) {
		for (int i = 0; i < ROUND; i++)
			uses[below(h, sizeof(uses) / sizeof(uses[0]))](h);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct hammer hammers[MAX_THREADS];
	pthread_t threads[MAX_THREADS];
	int nr = argc == 4 ? atoi(argv[2]) : 0;

	if (nr < 1 || nr > MAX_THREADS) {
		fprintf(stderr, "usage: hammer DIRECTORY THREADS STOP-FILE\n");
		return 2;
	}
	for (int i = 0; i < nr; i++) {
		hammers[i] = (struct hammer) {
			.directory = argv[1], .stop = argv[3], .random = i,
			.buffer = calloc(1, MAX_LEN),
		};
		if (!hammers[i].buffer || pthread_create(&threads[i], NULL, work, &hammers[i]))
			return 1;
	}
	for (int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
