// SPDX-License-Identifier: GPL-2.0
/*
 * The vhost-user protocol: what the front end sets up, and when it starts
 * and stops the queues.
 *
 * A queue starts when its kick descriptor comes and stops when its base is
 * asked for. A reset by the guest is no message of its own: the front end
 * stops all queues and begins anew.
 *
 * Not built: shared memory for a DAX window (GET_SHMEM_CONFIG, and SHMEM_MAP
 * over the back end's channel) and a notification queue (feature bit 0,
 * queue 1). A file dax.c and a row in the table of messages are the place of
 * the first; ring_get() and options.queues know the layout that the second
 * would change.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "counters.h"
#include "memory.h"
#include "options.h"
#include "ring.h"
#include "vhost.h"

#define MAX_FDS		MAX_REGIONS
#define MAX_PAYLOAD	4096

#define FLAG_VERSION	1
#define FLAG_REPLY	(1 << 2)
#define FLAG_NEED_REPLY	(1 << 3)

/* In the payload of messages that bring a descriptor for a queue. */
#define VRING_INDEX	0xff
#define VRING_NO_FD	(1 << 8)

#define F_PROTOCOL_FEATURES	30

#define PROTOCOL_F_MQ		0
#define PROTOCOL_F_REPLY_ACK	3
#define PROTOCOL_F_BACKEND_REQ	5
#define PROTOCOL_F_CONFIG	9

#define BACKEND_CONFIG_CHANGE_MSG 2

enum message_kind {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SET_BACKEND_REQ_FD = 21,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
	NR_MESSAGES,
};

struct header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct vring_state {
	uint32_t index;
	uint32_t value;
};

struct vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct memory_table {
	uint32_t nr;
	uint32_t padding;
	struct vhost_region region[MAX_REGIONS];
};

struct config_space {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t bytes[256];
};

/* The config space of device id 26, with the field that follows in newer specs. */
struct fs_config {
	struct virtio_fs_config fs;
	uint32_t notify_buf_size;
};

/**
 * struct message - one message, received or to be sent as its reply
 * @header: what precedes it on the wire
 * @u64: payload, as a number
 * @state: payload, about a queue
 * @addr: payload, about a queue's addresses
 * @memory: payload, the memory table
 * @config: payload, a part of the config space
 * @bytes: payload
 * @fd: descriptors that came with it; a handler that keeps one puts -1 there
 * @nr_fds: how many
 */
struct message {
	struct header header;
	union {
		uint64_t u64;
		struct vring_state state;
		struct vring_addr addr;
		struct memory_table memory;
		struct config_space config;
		uint8_t bytes[MAX_PAYLOAD];
	};
	int fd[MAX_FDS];
	unsigned int nr_fds;
};

/* All but @conn and @backend are used by the one thread that serves. */
static struct {
	pthread_mutex_t lock;	/* of @conn, @backend and @protocol for other threads */
	int conn;
	int backend;
	uint64_t features;
	uint64_t protocol;
} vhost = { .lock = PTHREAD_MUTEX_INITIALIZER, .conn = -1, .backend = -1 };

/**
 * struct handler - what to do with a kind of message
 * @handle: returns 0 or -errno, in @msg the reply's payload if there is one
 * @size: least payload
 * @replies: there is a reply with a payload
 * @name: for people
 */
struct handler {
	int (*handle)(struct message *msg);
	uint32_t size;
	bool replies;
	const char *name;
};

static int reply_u64(struct message *msg, uint64_t value)
{
	msg->u64 = value;
	msg->header.size = sizeof(msg->u64);
	return 0;
}

static int get_features(struct message *msg)
{
	uint64_t offered = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << F_PROTOCOL_FEATURES |
			   1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |
			   1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_F_IN_ORDER |
			   1ULL << VIRTIO_F_ACCESS_PLATFORM;

	return reply_u64(msg, offered & ~options.features_off);
}

static int set_features(struct message *msg)
{
	vhost.features = msg->u64;
	return 0;
}

static int get_protocol_features(struct message *msg)
{
	return reply_u64(msg, 1ULL << PROTOCOL_F_MQ | 1ULL << PROTOCOL_F_REPLY_ACK |
			 1ULL << PROTOCOL_F_BACKEND_REQ | 1ULL << PROTOCOL_F_CONFIG);
}

static int set_protocol_features(struct message *msg)
{
	pthread_mutex_lock(&vhost.lock);
	vhost.protocol = msg->u64;
	pthread_mutex_unlock(&vhost.lock);
	return 0;
}

static int get_queue_num(struct message *msg)
{
	return reply_u64(msg, 1 + options.queues);
}

static int nothing(struct message *msg)
{
	(void)msg;
	return 0;
}

/* Rings that run are found again in the new table before the lock is dropped. */
static int set_mem_table(struct message *msg)
{
	const struct memory_table *m = &msg->memory;
	size_t size = offsetof(struct memory_table, region) + m->nr * sizeof(m->region[0]);
	int err;

	if (m->nr > MAX_REGIONS || msg->header.size < size || msg->nr_fds != m->nr)
		return -EINVAL;
	memory_write_lock();
	err = memory_set(m->region, msg->fd, m->nr);
	rings_remap();
	memory_unlock();
	return err;
}

static int set_vring_num(struct message *msg)
{
	struct ring *ring = ring_get(msg->state.index);

	if (!ring || msg->state.value > MAX_RING_SIZE)
		return -EINVAL;
	ring->num = msg->state.value;
	return 0;
}

static int set_vring_addr(struct message *msg)
{
	struct ring *ring = ring_get(msg->addr.index);

	if (!ring)
		return -EINVAL;
	ring->desc_addr = msg->addr.desc;
	ring->driver_addr = msg->addr.avail;
	ring->device_addr = msg->addr.used;
	return 0;
}

static int set_vring_base(struct message *msg)
{
	struct ring *ring = ring_get(msg->state.index);

	if (!ring)
		return -EINVAL;
	ring->base = msg->state.value;
	return 0;
}

static int get_vring_base(struct message *msg)
{
	struct ring *ring = ring_get(msg->state.index);

	if (!ring)
		return -EINVAL;
	msg->state.value = ring_stop(ring);
	msg->header.size = sizeof(msg->state);
	return 0;
}

/* The descriptor that came with a queue's message, or -1. */
static int take_fd(struct message *msg)
{
	int fd;

	if ((msg->u64 & VRING_NO_FD) || !msg->nr_fds)
		return -1;
	fd = msg->fd[0];
	msg->fd[0] = -1;
	return fd;
}

static int set_vring_kick(struct message *msg)
{
	struct ring *ring = ring_get(msg->u64 & VRING_INDEX);
	int fd = take_fd(msg);

	/* A queue without kicks would have to be polled, which nobody here does. */
	if (!ring || fd < 0) {
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	ring_start(ring, vhost.features, fd);
	if (!(vhost.features & 1ULL << F_PROTOCOL_FEATURES))
		ring_enable(ring, true);
	return 0;
}

static int set_vring_call(struct message *msg)
{
	struct ring *ring = ring_get(msg->u64 & VRING_INDEX);

	if (!ring)
		return -EINVAL;
	ring_set_call(ring, take_fd(msg));
	return 0;
}

static int set_vring_enable(struct message *msg)
{
	struct ring *ring = ring_get(msg->state.index);

	if (!ring)
		return -EINVAL;
	ring_enable(ring, msg->state.value);
	return 0;
}

static int set_backend_fd(struct message *msg)
{
	int old;

	if (!msg->nr_fds)
		return -EINVAL;
	pthread_mutex_lock(&vhost.lock);
	old = vhost.backend;
	vhost.backend = msg->fd[0];
	pthread_mutex_unlock(&vhost.lock);
	msg->fd[0] = -1;
	if (old >= 0)
		close(old);
	return 0;
}

static int get_config(struct message *msg)
{
	struct fs_config config = { .fs.num_request_queues = options.queues };
	struct config_space *c = &msg->config;
	size_t head = offsetof(struct config_space, bytes);

	if (c->size > sizeof(c->bytes) || c->offset > sizeof(c->bytes) - c->size ||
	    msg->header.size < head + c->size)
		return -EINVAL;
	/* The tag fills its field without a NUL if it is that long. */
	memcpy(config.fs.tag, options.tag, strnlen(options.tag, sizeof(config.fs.tag)));
	memset(c->bytes, 0, sizeof(c->bytes));
	if (c->offset < sizeof(config))
		memcpy(c->bytes, (uint8_t *)&config + c->offset,
		       c->size < sizeof(config) - c->offset ? c->size :
							      sizeof(config) - c->offset);
	msg->header.size = head + c->size;
	return 0;
}

static const struct handler handlers[NR_MESSAGES] = {
	[GET_FEATURES] = { get_features, 0, true, "GET_FEATURES" },
	[SET_FEATURES] = { set_features, 8, false, "SET_FEATURES" },
	[SET_OWNER] = { nothing, 0, false, "SET_OWNER" },
	[RESET_OWNER] = { nothing, 0, false, "RESET_OWNER" },
	[SET_MEM_TABLE] = { set_mem_table, 8, false, "SET_MEM_TABLE" },
	[SET_VRING_NUM] = { set_vring_num, 8, false, "SET_VRING_NUM" },
	[SET_VRING_ADDR] = { set_vring_addr, 40, false, "SET_VRING_ADDR" },
	[SET_VRING_BASE] = { set_vring_base, 8, false, "SET_VRING_BASE" },
	[GET_VRING_BASE] = { get_vring_base, 8, true, "GET_VRING_BASE" },
	[SET_VRING_KICK] = { set_vring_kick, 8, false, "SET_VRING_KICK" },
	[SET_VRING_CALL] = { set_vring_call, 8, false, "SET_VRING_CALL" },
	[SET_VRING_ERR] = { nothing, 8, false, "SET_VRING_ERR" },
	[GET_PROTOCOL_FEATURES] = { get_protocol_features, 0, true, "GET_PROTOCOL_FEATURES" },
	[SET_PROTOCOL_FEATURES] = { set_protocol_features, 8, false, "SET_PROTOCOL_FEATURES" },
	[GET_QUEUE_NUM] = { get_queue_num, 0, true, "GET_QUEUE_NUM" },
	[SET_VRING_ENABLE] = { set_vring_enable, 8, false, "SET_VRING_ENABLE" },
	[SET_BACKEND_REQ_FD] = { set_backend_fd, 0, false, "SET_BACKEND_REQ_FD" },
	[GET_CONFIG] = { get_config, 12, true, "GET_CONFIG" },
	[SET_CONFIG] = { nothing, 12, false, "SET_CONFIG" },
};

static void take_fds(struct msghdr *hdr, struct message *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		msg->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(msg->fd, CMSG_DATA(c), msg->nr_fds * sizeof(int));
	}
}

static bool read_all(int fd, void *buf, size_t size)
{
	return !size || recv(fd, buf, size, MSG_WAITALL) == (ssize_t)size;
}

static bool receive(int conn, struct message *msg)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct iovec iov = { &msg->header, sizeof(msg->header) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	memset(msg, 0, sizeof(*msg));
	if (recvmsg(conn, &hdr, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(msg->header))
		return false;
	take_fds(&hdr, msg);
	if (msg->header.size > sizeof(msg->bytes)) {
		fprintf(stderr, "vhost-user: message %u is too long\n", msg->header.request);
		return false;
	}
	return read_all(conn, msg->bytes, msg->header.size);
}

static bool send_message(int conn, const struct message *msg)
{
	struct iovec iov[2] = {
		{ (void *)&msg->header, sizeof(msg->header) },
		{ (void *)msg->bytes, msg->header.size },
	};
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t size = sizeof(msg->header) + msg->header.size;

	return sendmsg(conn, &hdr, MSG_NOSIGNAL) == size;
}

static void close_fds(struct message *msg)
{
	for (unsigned int i = 0; i < msg->nr_fds; i++) {
		if (msg->fd[i] >= 0)
			close(msg->fd[i]);
	}
}

/* False if the front end is gone or out of step. */
static bool handle(int conn, struct message *msg)
{
	bool need_reply = (msg->header.flags & FLAG_NEED_REPLY) &&
			  (vhost.protocol & 1ULL << PROTOCOL_F_REPLY_ACK);
	uint32_t kind = msg->header.request;
	const struct handler *h = kind < NR_MESSAGES ? &handlers[kind] : NULL;
	int err;

	if (!h || !h->handle || msg->header.size < h->size)
		err = -EOPNOTSUPP;
	else
		err = h->handle(msg);
	if (err)
		fprintf(stderr, "vhost-user: message %u %s: %d\n", kind,
			h && h->name ? h->name : "(unknown)", err);
	if (h && h->replies) {
		/* An empty reply is how an error with a payload is told. */
		if (err)
			msg->header.size = 0;
	} else if (need_reply) {
		reply_u64(msg, !!err);
	} else {
		return true;
	}
	msg->header.flags = FLAG_VERSION | FLAG_REPLY;
	return send_message(conn, msg);
}

static void set_conn(int conn)
{
	pthread_mutex_lock(&vhost.lock);
	vhost.conn = conn;
	if (conn < 0 && vhost.backend >= 0) {
		close(vhost.backend);
		vhost.backend = -1;
	}
	pthread_mutex_unlock(&vhost.lock);
}

static void stop_all(void)
{
	for (unsigned int i = 0; i <= options.queues; i++) {
		struct ring *ring = ring_get(i);

		ring_enable(ring, false);
		ring_stop(ring);
		ring_set_call(ring, -1);
	}
	memory_write_lock();
	memory_set(NULL, NULL, 0);
	memory_unlock();
}

static void serve_front_end(int conn)
{
	static struct message msg;
	bool going = true;

	count(&counters.connections);
	set_conn(conn);
	while (going && receive(conn, &msg)) {
		going = handle(conn, &msg);
		close_fds(&msg);
	}
	stop_all();
	set_conn(-1);
	vhost.features = 0;
	vhost.protocol = 0;
	close(conn);
}

/**
 * vhost_serve() - serve front ends, one after the other, for ever
 * @listen_fd: socket that they connect to
 *
 * The FUSE session outlives a front end's connection: one that comes back
 * finds the node ids that its guest knows.
 */
void vhost_serve(int listen_fd)
{
	for (;;) {
		int conn = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0) {
			perror("accept");
			exit(1);
		}
		serve_front_end(conn);
	}
}

/**
 * vhost_listen() - make a UNIX socket and listen on it
 * @path: its path; what was there before is removed
 *
 * Return: the socket. There is no going on without one.
 */
int vhost_listen(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "%s: path of a socket is too long\n", path);
		exit(1);
	}
	strcpy(addr.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8)) {
		perror(path);
		exit(1);
	}
	return fd;
}

/**
 * vhost_disconnect() - leave the front end, as a crash would
 */
void vhost_disconnect(void)
{
	pthread_mutex_lock(&vhost.lock);
	if (vhost.conn >= 0)
		shutdown(vhost.conn, SHUT_RDWR);
	pthread_mutex_unlock(&vhost.lock);
}

/**
 * vhost_config_changed() - tell the guest that its config space has changed
 *
 * This is as near as a back end comes to VIRTIO_CONFIG_S_NEEDS_RESET: the
 * status register is the front end's, and no message sets a bit in it.
 * vhost-user-fs has no use for this message either, vhost-user-test-device
 * passes it on as a configuration interrupt.
 *
 * Return: false if the front end has no channel for it.
 */
bool vhost_config_changed(void)
{
	struct message msg = {
		.header = { .request = BACKEND_CONFIG_CHANGE_MSG, .flags = FLAG_VERSION },
	};
	bool sent = false;

	pthread_mutex_lock(&vhost.lock);
	if (vhost.backend >= 0 && (vhost.protocol & 1ULL << PROTOCOL_F_CONFIG))
		sent = send_message(vhost.backend, &msg);
	pthread_mutex_unlock(&vhost.lock);
	return sent;
}
