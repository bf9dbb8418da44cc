// SPDX-License-Identifier: GPL-2.0
/*
 * Times and counters of one measurement. The environment says what is counted:
 *
 *   DEVICE	the virtio device's name, as in /proc/interrupts
 *   KICKS	a pattern of the files in which the driver counts kicks
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "measure.h"

/**
 * die() - end, since nothing can be measured
 * @what: what did not work; errno says why
 */
void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/**
 * now() - the time
 *
 * Return: nanoseconds since some moment.
 */
uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The columns of all CPUs in one row of /proc/interrupts */
static long add_columns(const char *row)
{
	const char *at = strchr(row, ':') + 1;
	long sum = 0;
	char *end;

	for (;;) {
		long n = strtol(at, &end, 10);

		if (end == at || (*end != ' ' && *end != '\n'))
			return sum;
		sum += n;
		at = end;
	}
}

/* All rows of the device but the one for changes of its configuration */
static long read_interrupts(void)
{
	const char *device = getenv("DEVICE");
	char row[1024], prefix[64];
	long sum = UNKNOWN;
	FILE *file;

	if (!device)
		return UNKNOWN;
	snprintf(prefix, sizeof(prefix), " %s-", device);
	file = fopen("/proc/interrupts", "r");
	if (!file)
		die("/proc/interrupts");
	while (fgets(row, sizeof(row), file)) {
		if (!strstr(row, prefix) || strstr(row, "-config"))
			continue;
		sum = (sum == UNKNOWN ? 0 : sum) + add_columns(row);
	}
	fclose(file);
	return sum;
}

static long read_switches(void)
{
	FILE *file = fopen("/proc/stat", "r");
	long n = UNKNOWN;
	char row[4096];

	if (!file)
		die("/proc/stat");
	while (fgets(row, sizeof(row), file) && sscanf(row, "ctxt %ld", &n) != 1)
		;
	fclose(file);
	return n;
}

static long read_own(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return self.ru_nvcsw + self.ru_nivcsw + children.ru_nvcsw + children.ru_nivcsw;
}

static long read_kicks(void)
{
	const char *pattern = getenv("KICKS");
	long sum = UNKNOWN, n;
	glob_t files;

	if (!pattern || glob(pattern, 0, NULL, &files))
		return UNKNOWN;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");

		if (file && fscanf(file, "%ld", &n) == 1)
			sum = (sum == UNKNOWN ? 0 : sum) + n;
		if (file)
			fclose(file);
	}
	globfree(&files);
	return sum;
}

/**
 * counts_read() - read all counters
 * @counts: where to
 */
void counts_read(struct counts *counts)
{
	counts->kicks = read_kicks();
	counts->interrupts = read_interrupts();
	counts->own = read_own();
	counts->switches = read_switches();
}

/**
 * run_command() - run a program to its end
 * @command: its name and arguments, with a NULL behind them
 *
 * The measurement's lines go to standard output, so what it prints does not.
 *
 * Return: true if it has succeeded.
 */
bool run_command(char **command)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(command[0], command);
		die(command[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	return !status;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The smallest sample that this share of all samples does not exceed */
static uint64_t percentile(const uint64_t *sorted, size_t nr, unsigned int percent)
{
	return sorted[(nr * percent + 99) / 100 - 1];
}

static void tell_count(const char *name, long before, long after)
{
	if (before != UNKNOWN && after != UNKNOWN)
		printf(" %s=%ld", name, after - before);
}

/**
 * tell() - print the line of a measurement
 * @work: what was measured
 * @samples: nanoseconds of each call; sorted afterwards
 * @nr: how many
 * @total: nanoseconds of all together
 * @before: counters at the begin, or NULL if they are told of elsewhere
 * @after: counters at the end
 */
void tell(const char *work, uint64_t *samples, size_t nr, uint64_t total,
	  const struct counts *before, const struct counts *after)
{
	qsort(samples, nr, sizeof(*samples), compare);
	printf("work=%s n=%zu p50=%llu p99=%llu total=%llu", work, nr,
	       (unsigned long long)percentile(samples, nr, 50),
	       (unsigned long long)percentile(samples, nr, 99), (unsigned long long)total);
	if (before) {
		tell_count("interrupts", before->interrupts, after->interrupts);
		tell_count("switches", before->switches, after->switches);
		tell_count("own", before->own, after->own);
		tell_count("kicks", before->kicks, after->kicks);
	}
	printf("\n");
	fflush(stdout);
}
