// SPDX-License-Identifier: GPL-2.0
/*
 * Where the CPUs are while a command runs:
 *
 *   profile NAME COMMAND [ARGUMENT]...
 *
 * The kernel's CPU clock samples all that they do. A place is a module, a function
 * of the kernel itself, "user" or "idle".
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "measure.h"

#define FREQUENCY	4000
#define RING_PAGES	1024
#define PAGE		4096
#define MAX_CPUS	8
#define NAME_LEN	256

struct symbol {
	uint64_t address;
	char name[NAME_LEN];
};

struct place {
	char name[NAME_LEN];
	unsigned long samples;
};

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
};

static struct symbol *symbols;
static size_t nr_symbols;
static struct place *places;
static size_t nr_places;
static unsigned long nr_samples;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static int by_samples(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->samples < y->samples) - (x->samples > y->samples);
}

/* Functions; those of a module have its name instead of their own */
static void symbols_read(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], name[256], module[256];
	uint64_t address;
	char type;
	int fields;

	if (!file)
		die("/proc/kallsyms");
	while (fgets(line, sizeof(line), file)) {
		fields = sscanf(line, "%lx %c %255s %255s", &address, &type, name, module);
		if (fields < 3 || (type != 't' && type != 'T'))
			continue;
		if (!(nr_symbols & (nr_symbols - 1)))
			symbols = realloc(symbols, 2 * (nr_symbols + 1) * sizeof(*symbols));
		if (!symbols)
			die("symbols");
		symbols[nr_symbols].address = address;
		snprintf(symbols[nr_symbols++].name, NAME_LEN, "%s", fields == 4 ? module : name);
	}
	fclose(file);
	qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
}

static const char *symbol_at(uint64_t address)
{
	size_t low = 0, high = nr_symbols;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	return nr_symbols ? symbols[low].name : "unknown";
}

static const char *place_of(const struct sample *sample)
{
	const char *name;

	if ((sample->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER)
		return "user";
	name = symbol_at(sample->ip);
	/* The idle task serves interrupts as well */
	if (!sample->pid && (strstr(name, "idle") || strstr(name, "halt")))
		return "idle";
	return name;
}

static void count_one(const char *name)
{
	size_t i;

	nr_samples++;
	for (i = 0; i < nr_places; i++) {
		if (!strcmp(places[i].name, name)) {
			places[i].samples++;
			return;
		}
	}
	places = realloc(places, (nr_places + 1) * sizeof(*places));
	if (!places)
		die("places");
	places[nr_places] = (struct place){ .samples = 1 };
	snprintf(places[nr_places++].name, NAME_LEN, "%s", name);
}

static void *ring_open(int cpu, int *fd)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = FREQUENCY,
		.freq = 1,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
		.disabled = 1,
	};
	void *ring;

	*fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
	if (*fd < 0)
		die("perf_event_open");
	ring = mmap(NULL, (1 + RING_PAGES) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (ring == MAP_FAILED)
		die("mmap");
	return ring;
}

/* It is large enough for all, so it never wraps around */
static void ring_count(void *ring)
{
	const struct perf_event_mmap_page *head = ring;
	uint64_t at, end = head->data_head;

	__sync_synchronize();
	for (at = 0; at < end;) {
		const struct sample *sample = ring + PAGE + at;

		if (sample->header.type == PERF_RECORD_LOST) {
			fprintf(stderr, "profile: too many samples\n");
			exit(1);
		}
		if (sample->header.type == PERF_RECORD_SAMPLE)
			count_one(place_of(sample));
		at += sample->header.size;
	}
}

int main(int argc, char **argv)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), cpu, fd[MAX_CPUS];
	void *ring[MAX_CPUS];
	size_t i;

	if (argc < 3 || cpus > MAX_CPUS) {
		fprintf(stderr, "usage: profile NAME COMMAND [ARGUMENT]...\n");
		return 2;
	}
	symbols_read();
	for (cpu = 0; cpu < cpus; cpu++)
		ring[cpu] = ring_open(cpu, &fd[cpu]);
	for (cpu = 0; cpu < cpus; cpu++)
		ioctl(fd[cpu], PERF_EVENT_IOC_ENABLE, 0);
	if (!run_command(argv + 2))
		return 1;
	for (cpu = 0; cpu < cpus; cpu++)
		ioctl(fd[cpu], PERF_EVENT_IOC_DISABLE, 0);
	for (cpu = 0; cpu < cpus; cpu++)
		ring_count(ring[cpu]);
	qsort(places, nr_places, sizeof(*places), by_samples);
	for (i = 0; i < nr_places; i++)
		printf("work=%s place=%s samples=%lu n=%lu\n", argv[1], places[i].name,
		       places[i].samples, nr_samples);
	return 0;
}
