// SPDX-License-Identifier: GPL-2.0
/*
 * Calls for a range of a file, for which a shell has no command.
 *
 *   range data|hole OFFSET FILE  tells where the next data, or hole, begin
 *   range store OFFSET FILE      stores a byte through a mapping, and keeps that
 *   range copy LENGTH FROM TO    copies from and to the beginning
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int seek(const char *path, off_t offset, int whence)
{
	int fd = open(path, O_RDONLY);
	off_t found;

	if (fd < 0)
		return 1;
	found = lseek(fd, offset, whence);
	if (found < 0)
		return 1;
	printf("%lld\n", (long long)found);
	return 0;
}

static int store(const char *path, off_t offset)
{
	off_t page = offset & ~(sysconf(_SC_PAGESIZE) - 1);
	int fd = open(path, O_RDWR);
	char *map;

	if (fd < 0)
		return 1;
	map = mmap(NULL, offset - page + 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   page);
	if (map == MAP_FAILED)
		return 1;
	map[offset - page] = 1;
	if (write(STDOUT_FILENO, "stored\n", 7) != 7)
		return 1;
	pause();
	return 0;
}

static int copy(const char *from, const char *to, size_t length)
{
	int in = open(from, O_RDONLY), out = open(to, O_RDWR);

	if (in < 0 || out < 0)
		return 1;
	return copy_file_range(in, NULL, out, NULL, length, 0) < 0;
}

int main(int argc, char **argv)
{
	long long number;

	if (argc < 4)
		return 2;
	number = atoll(argv[2]);
	if (!strcmp(argv[1], "data"))
		return seek(argv[3], number, SEEK_DATA);
	if (!strcmp(argv[1], "hole"))
		return seek(argv[3], number, SEEK_HOLE);
	if (!strcmp(argv[1], "store"))
		return store(argv[3], number);
	if (!strcmp(argv[1], "copy") && argc == 5)
		return copy(argv[3], argv[4], number);
	return 2;
}
