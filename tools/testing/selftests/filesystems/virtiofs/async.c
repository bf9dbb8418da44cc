// SPDX-License-Identifier: GPL-2.0
/*
 * Many requests of one process at once: Linux AIO and io_uring, both by
 * their bare system calls.
 */
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>

#include "share.h"

#define BLOCK 16384
#define DEPTH 64
#define ROUNDS 4

/* slot - the blocks are sent in an order of their own: 27 and 64 are coprime */
static int slot(int i)
{
	return i * 27 % DEPTH;
}

/* aio_all - @opcode on all blocks of the file at once; how many went well */
static int aio_all(int fd, int opcode, char *buf)
{
	struct iocb cbs[DEPTH] = {}, *list[DEPTH];
	struct io_event events[DEPTH];
	aio_context_t context = 0;
	int i, done = 0, good = 0;

	if (syscall(SYS_io_setup, DEPTH, &context))
		return -1;
	for (i = 0; i < DEPTH; i++) {
		cbs[i].aio_lio_opcode = opcode;
		cbs[i].aio_fildes = fd;
		cbs[i].aio_buf = (uintptr_t)buf + slot(i) * BLOCK;
		cbs[i].aio_nbytes = BLOCK;
		cbs[i].aio_offset = slot(i) * BLOCK;
		list[i] = &cbs[i];
	}
	for (i = 0; i < DEPTH; i += done) {
		done = syscall(SYS_io_submit, context, DEPTH - i, list + i);
		if (done <= 0)
			break;
	}
	done = syscall(SYS_io_getevents, context, i, i, events, NULL);
	for (i = 0; i < done; i++)
		good += events[i].res == BLOCK;
	syscall(SYS_io_destroy, context);
	return good;
}

static void aio_round_trip(struct __test_metadata *_metadata, int flags)
{
	char *buf = buffer(DEPTH * BLOCK);
	int fd, i;

	fd = open("f", O_RDWR | O_CREAT | flags, 0644);
	if (fd < 0 && flags)
		SKIP(return, "the file system has no O_DIRECT");
	ASSERT_OK(fd);
	for (i = 0; i < ROUNDS; i++) {
		fill(buf, DEPTH * BLOCK, i, 0);
		ASSERT_EQ(DEPTH, aio_all(fd, IOCB_CMD_PWRITE, buf));
		EXPECT_EQ(DEPTH * BLOCK, size_of("f"));
		memset(buf, 0, DEPTH * BLOCK);
		ASSERT_EQ(DEPTH, aio_all(fd, IOCB_CMD_PREAD, buf));
		EXPECT_EQ(-1, wrong_at(buf, DEPTH * BLOCK, i, 0));
	}
	EXPECT_TRUE(file_is("f", ROUNDS - 1, DEPTH * BLOCK));
}

TEST_F(share, aio_moves_all_blocks)
{
	aio_round_trip(_metadata, 0);
}

TEST_F(share, direct_aio_moves_all_blocks)
{
	aio_round_trip(_metadata, O_DIRECT);
}

TEST_F(share, aio_at_the_end_is_short_and_errors_are_told)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_nbytes = BLOCK,
	}, *list = &cb;
	aio_context_t context = 0;
	struct io_event event;

	ASSERT_OK(make_file("f", 1, 100));
	ASSERT_OK(syscall(SYS_io_setup, 1, &context));
	ASSERT_OK(cb.aio_fildes = open("f", O_RDONLY));
	cb.aio_buf = (uintptr_t)buffer(BLOCK);
	ASSERT_EQ(1, syscall(SYS_io_submit, context, 1, &list));
	ASSERT_EQ(1, syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	EXPECT_EQ(100, (int)event.res);
	cb.aio_offset = 100;
	ASSERT_EQ(1, syscall(SYS_io_submit, context, 1, &list));
	ASSERT_EQ(1, syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	EXPECT_EQ(0, (int)event.res);
	cb.aio_lio_opcode = IOCB_CMD_PWRITE;
	EXPECT_ERRNO(EBADF, syscall(SYS_io_submit, context, 1, &list));
}

/* A ring as the kernel made it; one thread uses it. */
struct ring {
	int fd;
	unsigned int mask;
	unsigned int *sq_tail, *cq_head, *cq_tail;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int ring_init(struct ring *ring)
{
	struct io_uring_params p = {};
	unsigned int *array, i;
	size_t size, sq_size;
	char *rings;

	ring->fd = syscall(SYS_io_uring_setup, DEPTH, &p);
	if (ring->fd < 0)
		return -1;
	/* Since Linux 5.4 both rings are in one mapping. */
	size = p.cq_off.cqes + p.cq_entries * sizeof(*ring->cqes);
	sq_size = p.sq_off.array + p.sq_entries * sizeof(*array);
	rings = mmap(NULL, size > sq_size ? size : sq_size,
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
		     IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p.sq_entries * sizeof(*ring->sqes),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	if (rings == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -1;
	ring->mask = p.sq_entries - 1;
	ring->sq_tail = (void *)(rings + p.sq_off.tail);
	ring->cq_head = (void *)(rings + p.cq_off.head);
	ring->cq_tail = (void *)(rings + p.cq_off.tail);
	ring->cqes = (void *)(rings + p.cq_off.cqes);
	array = (void *)(rings + p.sq_off.array);
	for (i = 0; i < p.sq_entries; i++)
		array[i] = i;
	return 0;
}

/* ring_next - the next request to fill in; ring_run() sends it */
static struct io_uring_sqe *ring_next(struct ring *ring, int opcode, int fd)
{
	unsigned int tail = *ring->sq_tail;
	struct io_uring_sqe *sqe = &ring->sqes[tail & ring->mask];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = tail;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

/* ring_run - send @count requests; how many of them returned @result */
static int ring_run(struct ring *ring, int count, int result)
{
	unsigned int head = *ring->cq_head, cq_mask = 2 * ring->mask + 1;
	int good = 0;

	if (syscall(SYS_io_uring_enter, ring->fd, count, count,
		    IORING_ENTER_GETEVENTS, NULL, 0) != count)
		return -1;
	while (head != __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		good += ring->cqes[head++ & cq_mask].res == result;
	__atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
	return good;
}

static int ring_all(struct ring *ring, int fd, int opcode, char *buf)
{
	struct io_uring_sqe *sqe;
	int i;

	for (i = 0; i < DEPTH; i++) {
		sqe = ring_next(ring, opcode, fd);
		sqe->addr = (uintptr_t)buf + slot(i) * BLOCK;
		sqe->len = BLOCK;
		sqe->off = slot(i) * BLOCK;
	}
	return ring_run(ring, DEPTH, BLOCK);
}

static void ring_round_trip(struct __test_metadata *_metadata, int flags)
{
	char *buf = buffer(DEPTH * BLOCK);
	struct ring ring;
	int fd, i;

	if (ring_init(&ring)) {
		ASSERT_TRUE(errno == ENOSYS || errno == EPERM);
		SKIP(return, "this kernel has no io_uring: %m");
	}
	fd = open("f", O_RDWR | O_CREAT | flags, 0644);
	if (fd < 0 && flags)
		SKIP(return, "the file system has no O_DIRECT");
	ASSERT_OK(fd);
	for (i = 0; i < ROUNDS; i++) {
		fill(buf, DEPTH * BLOCK, i, 0);
		ASSERT_EQ(DEPTH, ring_all(&ring, fd, IORING_OP_WRITE, buf));
		memset(buf, 0, DEPTH * BLOCK);
		ASSERT_EQ(DEPTH, ring_all(&ring, fd, IORING_OP_READ, buf));
		EXPECT_EQ(-1, wrong_at(buf, DEPTH * BLOCK, i, 0));
	}
	EXPECT_TRUE(file_is("f", ROUNDS - 1, DEPTH * BLOCK));
}

TEST_F(share, io_uring_moves_all_blocks)
{
	ring_round_trip(_metadata, 0);
}

TEST_F(share, direct_io_uring_moves_all_blocks)
{
	ring_round_trip(_metadata, O_DIRECT);
}

TEST_F(share, io_uring_makes_and_removes_names)
{
	char names[DEPTH][16];
	struct io_uring_sqe *sqe;
	struct ring ring;
	int i;

	if (ring_init(&ring)) {
		ASSERT_TRUE(errno == ENOSYS || errno == EPERM);
		SKIP(return, "this kernel has no io_uring: %m");
	}
	for (i = 0; i < DEPTH; i++) {
		snprintf(names[i], sizeof(names[i]), "d%d", i);
		sqe = ring_next(&ring, IORING_OP_MKDIRAT, AT_FDCWD);
		sqe->addr = (uintptr_t)names[i];
		sqe->len = 0755;
	}
	EXPECT_EQ(DEPTH, ring_run(&ring, DEPTH, 0));
	for (i = 0; i < DEPTH; i++)
		EXPECT_EQ(0755, mode_of(names[i]));
	for (i = 0; i < DEPTH; i++) {
		sqe = ring_next(&ring, IORING_OP_UNLINKAT, AT_FDCWD);
		sqe->addr = (uintptr_t)names[i];
		/* Half of the wishes are wrong: no flag, no directory. */
		sqe->unlink_flags = i & 1 ? AT_REMOVEDIR : 0;
	}
	EXPECT_EQ(DEPTH / 2, ring_run(&ring, DEPTH, -EISDIR));
	for (i = 0; i < DEPTH; i++)
		EXPECT_EQ(!(i & 1), exists(names[i]));
}

SHARE_MAIN
