// SPDX-License-Identifier: GPL-2.0
/*
 * virtiofs-testdev: a vhost-user back end for virtio-fs, for tests of the
 * guest's driver only. It can do what an honest daemon does not: serve
 * several queues, be late, answer in another order, and lie.
 *
 *   virtiofs-testdev --socket S --control C --dir D [--tag T] [--queues N]
 *                    [--off FEATURE,...] [--timeout SECONDS] [--writeback]
 *
 * Which file knows what:
 *
 *   vhost.c     the protocol with QEMU      memory.c    the guest's memory
 *   ring*.c     virtqueues                  request.c   a request's way
 *   fuse*.c     the server                  inode.c handle.c   what it has told
 *   faults.c    which request, which fault  lies*.c scribble.c   telling lies
 *   park.c      requests that wait          control.c counters.c log.c   tests
 */
#include <getopt.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "control.h"
#include "inode.h"
#include "options.h"
#include "park.h"
#include "ring.h"
#include "vhost.h"

/* Buffers up to this size come from the heap: mapping each would cost more than the request. */
#define LARGEST_BUFFER (4 << 20)

struct options options = {
	.tag = "testdev",
	.queues = 1,
	.timeout = 1.0,
};

static const struct {
	const char *name;
	unsigned int bit;
} features[] = {
	{ "packed", VIRTIO_F_RING_PACKED },
	{ "in_order", VIRTIO_F_IN_ORDER },
	{ "event_idx", VIRTIO_RING_F_EVENT_IDX },
	{ "indirect", VIRTIO_RING_F_INDIRECT_DESC },
	{ "access_platform", VIRTIO_F_ACCESS_PLATFORM },
};

static void usage(const char *wrong)
{
	fprintf(stderr, "%s\nusage: virtiofs-testdev --socket S --control C --dir D [--tag T]\n"
		"    [--queues 0..%d] [--off packed,in_order,event_idx,indirect,access_platform]\n"
		"    [--timeout SECONDS] [--writeback]\n", wrong, MAX_REQUEST_QUEUES);
	exit(2);
}

static void feature_off(const char *name)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (!strcmp(name, features[i].name)) {
			options.features_off |= 1ULL << features[i].bit;
			return;
		}
	}
	usage("no such feature");
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "control", required_argument, NULL, 'c' },
		{ "dir", required_argument, NULL, 'd' },
		{ "tag", required_argument, NULL, 't' },
		{ "queues", required_argument, NULL, 'q' },
		{ "off", required_argument, NULL, 'o' },
		{ "timeout", required_argument, NULL, 'T' },
		{ "writeback", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	char *word, *save;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's':
			options.socket = optarg;
			break;
		case 'c':
			options.control = optarg;
			break;
		case 'd':
			options.dir = optarg;
			break;
		case 't':
			options.tag = optarg;
			break;
		case 'q':
			options.queues = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			for (word = strtok_r(optarg, ",", &save); word;
			     word = strtok_r(NULL, ",", &save))
				feature_off(word);
			break;
		case 'T':
			options.timeout = strtod(optarg, NULL);
			break;
		case 'w':
			options.writeback = true;
			break;
		default:
			usage("no such option");
		}
	}
	if (!options.socket || !options.control || !options.dir || optind != argc)
		usage("socket, control and dir are needed, and nothing beside the options");
	/* None is what no driver should take. */
	if (options.queues > MAX_REQUEST_QUEUES || options.timeout < 0)
		usage("number out of range");
}

/* Each inode that the guest knows takes a descriptor. */
static void raise_limits(void)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };

	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			perror("setrlimit");
	}
}

int main(int argc, char **argv)
{
	int listen_fd;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(0);
	raise_limits();
	mallopt(M_MMAP_THRESHOLD, LARGEST_BUFFER);
	mallopt(M_TRIM_THRESHOLD, 4 * LARGEST_BUFFER);
	inode_init(options.dir);
	rings_init();
	park_init();
	listen_fd = vhost_listen(options.socket);
	control_init(vhost_listen(options.control));
	printf("ready\n");
	vhost_serve(listen_fd);
	return 0;
}
