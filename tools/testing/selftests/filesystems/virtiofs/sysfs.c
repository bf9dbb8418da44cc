// SPDX-License-Identifier: GPL-2.0
/*
 * What a device shows of itself below /sys/fs/virtiofs, and the uevents by
 * which it comes and goes.
 */
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "mounts.h"

#define SYSFS "/sys/fs/virtiofs"
#define DRIVER "/sys/bus/virtio/drivers/virtiofs"
#define MAX_CPUS 8192
#define REBINDS 5

/* Room for a directory of SYSFS, and for a file in it. */
#define DIR_LEN 300
#define PATH_LEN 400

/* read_text - the contents of a small file; -1: it cannot be read */
static ssize_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n;
}

/* find - the directory of @tag below SYSFS, in @path; false: there is none */
static bool find(const char *tag, char *path, size_t size)
{
	char file[PATH_LEN], line[64], seen[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(line, sizeof(line), "%s\n", tag);
	dir = opendir(SYSFS);
	while (dir && !found && (entry = readdir(dir))) {
		snprintf(file, sizeof(file), SYSFS "/%s/tag", entry->d_name);
		if (read_text(file, seen, sizeof(seen)) < 0 || strcmp(seen, line))
			continue;
		snprintf(path, size, SYSFS "/%s", entry->d_name);
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* device_of - the name of the virtio device that the directory belongs to */
static bool device_of(const char *dir, char *name, size_t size)
{
	char path[PATH_LEN], target[PATH_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/device", dir);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = 0;
	snprintf(name, size, "%s", strrchr(target, '/') + 1);
	return true;
}

FIXTURE(sysfs) {
	FIXTURE_DATA(mounts) mounts;
	char dir[DIR_LEN];
};

FIXTURE_SETUP(sysfs)
{
	mounts_setup(_metadata, &self->mounts, NULL);
	ASSERT_TRUE(find(self->mounts.tag, self->dir, sizeof(self->dir)));
}

FIXTURE_TEARDOWN_PARENT(sysfs)
{
	mounts_teardown(_metadata, &self->mounts, NULL);
}

TEST_F(sysfs, the_tag_is_a_file_for_all_to_read)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/tag", self->dir);
	EXPECT_EQ(0444, mode_of(path));
}

TEST_F(sysfs, the_device_is_a_virtio_device_of_this_driver)
{
	char path[PATH_LEN], name[64], text[256];

	ASSERT_TRUE(device_of(self->dir, name, sizeof(name)));
	EXPECT_EQ(0, strncmp(name, "virtio", 6));
	snprintf(path, sizeof(path), "%s/device/device", self->dir);
	ASSERT_LT(0, read_text(path, text, sizeof(text)));
	EXPECT_STREQ("0x001a\n", text);
	snprintf(path, sizeof(path), "%s/device/uevent", self->dir);
	ASSERT_LT(0, read_text(path, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "DRIVER=virtiofs\n"));
}

/* queue_file - a file of the queue number @queue */
static ssize_t queue_file(const char *dir, int queue, const char *file,
			  char *buf, size_t size)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/mqs/%d/%s", dir, queue, file);
	return read_text(path, buf, size);
}

TEST_F(sysfs, queues_are_named_hiprio_and_requests)
{
	char name[64], want[64];
	struct dirent *entry;
	int queue, count = 0;
	char path[PATH_LEN];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/mqs", self->dir);
	ASSERT_NE(NULL, dir = opendir(path));
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	ASSERT_LE(2, count);
	ASSERT_LT(0, queue_file(self->dir, 0, "name", name, sizeof(name)));
	EXPECT_STREQ("hiprio\n", name);
	for (queue = 1; queue < count; queue++) {
		ASSERT_LT(0, queue_file(self->dir, queue, "name", name,
					sizeof(name)));
		snprintf(want, sizeof(want), "requests.%d\n", queue - 1);
		EXPECT_STREQ(want, name);
	}
}

/*
 * count_cpus - add up the CPUs of a list such as "0, 1, 2"; how many it has,
 * -1: it is not written like that
 */
static int count_cpus(const char *list, unsigned char *seen)
{
	char again[65536];
	size_t len = 0;
	unsigned int cpu;
	int n, count = 0;

	while (sscanf(list, "%u%n", &cpu, &n) == 1 && cpu < MAX_CPUS) {
		len += snprintf(again + len, sizeof(again) - len, "%s%u",
				count ? ", " : "", cpu);
		seen[cpu]++;
		count++;
		list += n;
		if (*list != ',')
			break;
		list++;
		if (*list != ' ')
			return -1;
	}
	return strcmp(list, "\n") || !len ? -1 : count;
}

/* last_cpu - the highest of the possible CPUs, which are listed as "0-3" */
static int last_cpu(void)
{
	unsigned int first, last;
	char text[256];

	if (read_text("/sys/devices/system/cpu/possible", text, sizeof(text)) < 0)
		return -1;
	switch (sscanf(text, "%u-%u", &first, &last)) {
	case 1:
		return first;
	case 2:
		return last;
	default:
		return -1;
	}
}

TEST_F(sysfs, each_cpu_has_exactly_one_request_queue)
{
	unsigned char seen[MAX_CPUS] = {};
	int queue, cpu, last = last_cpu();
	char text[4096];

	ASSERT_LE(0, last);
	for (queue = 1; queue_file(self->dir, queue, "cpu_list", text,
				   sizeof(text)) > 0; queue++)
		EXPECT_LT(0, count_cpus(text, seen)) {
			TH_LOG("queue %d: '%s'", queue, text);
		}
	EXPECT_LT(1, queue);
	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		ASSERT_EQ(cpu <= last, seen[cpu]);
}

/*
 * The second share is taken from its driver and given back. It must not be
 * mounted anywhere, as that would make another test of this one.
 */
FIXTURE(bind) {
	FIXTURE_DATA(mounts) mounts;
	char dir[DIR_LEN];
	char device[64];
	int events;
};

static bool is_mounted(const char *tag)
{
	char line[512], start[64];
	bool found = false;
	FILE *file;

	snprintf(start, sizeof(start), "%s ", tag);
	file = fopen("/proc/self/mounts", "r");
	while (file && fgets(line, sizeof(line), file))
		found |= !strncmp(line, start, strlen(start));
	if (file)
		fclose(file);
	return found;
}

static int listen_to_uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return fd;
}

FIXTURE_SETUP(bind)
{
	const char *other = getenv("VIRTIOFS_TAG2");

	if (!other)
		SKIP(return, "VIRTIOFS_TAG2 is not set");
	if (is_mounted(other))
		SKIP(return, "%s is mounted", other);
	mounts_setup(_metadata, &self->mounts, NULL);
	ASSERT_TRUE(find(other, self->dir, sizeof(self->dir)));
	ASSERT_TRUE(device_of(self->dir, self->device, sizeof(self->device)));
	self->events = listen_to_uevents();
	ASSERT_LE(0, self->events);
}

FIXTURE_TEARDOWN_PARENT(bind)
{
	mounts_teardown(_metadata, &self->mounts, NULL);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int error = ERRNO_OF(write(fd, text, strlen(text)));

	close(fd);
	errno = error;
	return error ? -1 : 0;
}

/* field - does the uevent have this whole line? Lines end in a zero byte. */
static bool has_field(const char *event, ssize_t len, const char *field)
{
	const char *p;

	for (p = event; p < event + len; p += strlen(p) + 1)
		if (!strcmp(p, field))
			return true;
	return false;
}

/*
 * event_seen - wait for the @action of the object at SYSFS's directory @dir;
 * true: and it carried the @tag. Other objects have their events too.
 */
static bool event_seen(int fd, const char *action, const char *dir,
		       const char *tag)
{
	char event[8192], devpath[300], act[32], tagged[64];
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t n;

	snprintf(act, sizeof(act), "ACTION=%s", action);
	snprintf(devpath, sizeof(devpath), "DEVPATH=%s", dir + strlen("/sys"));
	snprintf(tagged, sizeof(tagged), "TAG=%s", tag);
	while (poll(&ready, 1, 60000) == 1) {
		n = recv(fd, event, sizeof(event) - 1, 0);
		if (n <= 0)
			return false;
		event[n] = 0;
		if (has_field(event, n, act) && has_field(event, n, devpath))
			return has_field(event, n, tagged) &&
			       has_field(event, n, "SUBSYSTEM=virtiofs");
	}
	return false;
}

TEST_F(bind, unbinding_takes_the_tag_away_and_binding_brings_it_back)
{
	const char *tag = self->mounts.other;
	char dir[DIR_LEN];

	ASSERT_OK(write_text(DRIVER "/unbind", self->device));
	EXPECT_TRUE(event_seen(self->events, "remove", self->dir, tag));
	EXPECT_FALSE(find(tag, dir, sizeof(dir)));
	EXPECT_FALSE(exists(self->dir));
	EXPECT_ERRNO(EINVAL, mount_tag(tag, "a"));

	ASSERT_OK(write_text(DRIVER "/bind", self->device));
	ASSERT_TRUE(find(tag, dir, sizeof(dir)));
	EXPECT_TRUE(event_seen(self->events, "add", dir, tag));
	ASSERT_OK(mount_tag(tag, "a"));
	EXPECT_OK(open("a", O_RDONLY));
	EXPECT_ERRNO(EBUSY, umount("a"));
}

TEST_F(bind, a_device_is_bound_again_and_again)
{
	const char *tag = self->mounts.other;
	char name[128], dir[DIR_LEN];
	int i;

	snprintf(name, sizeof(name), "a/%s", self->mounts.name);
	for (i = 0; i < REBINDS; i++) {
		ASSERT_OK(mount_tag(tag, "a"));
		ASSERT_OK(make_file(name, i, 10000));
		EXPECT_TRUE(file_is(name, i, 10000));
		ASSERT_OK(unlink(name));
		ASSERT_OK(umount("a"));
		ASSERT_OK(write_text(DRIVER "/unbind", self->device));
		ASSERT_OK(write_text(DRIVER "/bind", self->device));
		ASSERT_TRUE(find(tag, dir, sizeof(dir)));
	}
}

MOUNTS_MAIN
