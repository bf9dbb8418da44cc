// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the queues: the order of submissions, how they end, what the ring
 * may be like.
 */

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/sched.h>
#include <linux/virtio_config.h>

#include <kunit/test.h>

#include "plain.h"
#include "virtqueue.h"

#define REQUESTS	VIRTIOFS_VQ_REQUEST

/* Rings differ by these features, and by nothing that a test may depend on */
struct queue_shape {
	const char *name;
	u64 features;
};

static const struct queue_shape queue_shapes[] = {
	{ "indirect, event index", BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
				   BIT_ULL(VIRTIO_RING_F_EVENT_IDX) },
	{ "direct, event index", BIT_ULL(VIRTIO_RING_F_EVENT_IDX) },
	{ "indirect, flags", BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) },
	{ "direct, flags", 0 },
};

static void queue_shape_name(const struct queue_shape *shape, char *name)
{
	strscpy(name, shape->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(queue_shape, queue_shapes, queue_shape_name);

static struct mock_device *shaped_device(struct kunit *test,
					 mock_handler_fn handler)
{
	const struct queue_shape *shape = test->param_value;
	struct mock_device *mock = plain_new(test);

	mock->features = BIT_ULL(VIRTIO_F_VERSION_1) | shape->features;
	mock->handler = handler;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

static const u64 layouts[] = { 0, BIT_ULL(VIRTIO_F_RING_PACKED) };

static void layout_name(const u64 *features, char *name)
{
	strscpy(name, *features ? "packed" : "split", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(layout, layouts, layout_name);

/* A ring of 8 with room for 4 requests, since each takes two descriptors */
#define SMALL_RING	8
#define SMALL_ROOM	4

static struct mock_device *small_device(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);

	mock->features = BIT_ULL(VIRTIO_F_VERSION_1);
	mock->ring_size = SMALL_RING;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

static void submit_all(struct mock_device *mock, struct plain_req *reqs,
		       unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		plain_submit(mock, &reqs[i]);
}

/* Take all that is in the ring; returns how many there were */
static unsigned int pop_all(struct mock_device *mock, struct mock_chain *chains,
			    unsigned int max)
{
	unsigned int nr = 0;

	while (nr < max && mock_pop(mock, REQUESTS, &chains[nr]))
		nr++;
	return nr;
}

static struct mock_chain *new_chains(struct kunit *test, unsigned int nr)
{
	struct mock_chain *chains = kunit_kcalloc(test, nr, sizeof(*chains),
						  GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, chains);
	return chains;
}

static void expect_answered(struct kunit *test, struct plain_req *reqs,
			    unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[i].ends));
		KUNIT_EXPECT_EQ(test, 0, reqs[i].error);
		KUNIT_EXPECT_EQ(test, sizeof(u32), reqs[i].len);
		KUNIT_EXPECT_EQ(test, ~reqs[i].number, reqs[i].reply);
	}
}

static void expect_ended(struct kunit *test, struct plain_req *req, int error)
{
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&req->ends));
	KUNIT_EXPECT_EQ(test, error, req->error);
}

static void a_request_reaches_the_device_and_its_reply_the_caller(struct kunit *test)
{
	struct mock_device *mock = shaped_device(test, NULL);
	struct mock_chain *chain = new_chains(test, 1);
	struct plain_req *req = plain_reqs(mock, 1);

	plain_submit(mock, req);
	KUNIT_EXPECT_EQ(test, 1, mock->queue[REQUESTS].notified);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	KUNIT_EXPECT_EQ(test, 1, chain->nr_out);
	KUNIT_EXPECT_EQ(test, 1, chain->nr_in);
	KUNIT_EXPECT_EQ(test, req->number, plain_number(chain));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&req->ends));
	plain_answer(mock, chain);
	plain_wait(mock, 1);
	expect_answered(test, req, 1);
}

/* With one request at a time, each end depends on an interrupt of its own */
static void no_interrupt_is_missed(struct kunit *test)
{
	struct mock_device *mock = shaped_device(test, plain_serve);
	struct plain_req *reqs = plain_reqs(mock, 500);
	unsigned int i;

	for (i = 0; i < 500; i++) {
		plain_submit(mock, &reqs[i]);
		plain_wait(mock, i + 1);
	}
	expect_answered(test, reqs, 500);
}

static void a_burst_ends_and_the_ring_goes_on(struct kunit *test)
{
	struct mock_device *mock = shaped_device(test, plain_serve);
	struct plain_req *reqs = plain_reqs(mock, 500);
	unsigned int i;

	for (i = 0; i < 500; i += 100) {
		submit_all(mock, &reqs[i], 100);
		plain_wait(mock, i + 100);
	}
	expect_answered(test, reqs, 500);
}

static void submit_on_full_ring_waits_its_turn(struct kunit *test)
{
	struct mock_chain *chains = new_chains(test, SMALL_RING);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM + 2);

	submit_all(mock, reqs, SMALL_ROOM + 2);
	KUNIT_ASSERT_EQ(test, SMALL_ROOM, pop_all(mock, chains, SMALL_RING));

	plain_answer(mock, &chains[0]);
	plain_wait(mock, 1);
	expect_answered(test, &reqs[0], 1);
	/* Fed before done() was called */
	KUNIT_ASSERT_EQ(test, 1, pop_all(mock, chains + SMALL_ROOM, 1));
	KUNIT_EXPECT_EQ(test, reqs[SMALL_ROOM].number,
			plain_number(&chains[SMALL_ROOM]));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[SMALL_ROOM + 1].ends));
}

static void backlog_is_fifo(struct kunit *test)
{
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 100);
	unsigned int i;

	submit_all(mock, reqs, 100);
	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
		KUNIT_EXPECT_EQ(test, reqs[i].number, plain_number(chain));
		plain_answer(mock, chain);
		plain_wait(mock, i + 1);
		KUNIT_EXPECT_EQ(test, i, reqs[i].turn);
	}
	expect_answered(test, reqs, 100);
}

static void replies_out_of_order_reach_their_requests(struct kunit *test)
{
	struct mock_chain *chains = new_chains(test, SMALL_ROOM);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM);
	unsigned int i;

	submit_all(mock, reqs, SMALL_ROOM);
	KUNIT_ASSERT_EQ(test, SMALL_ROOM, pop_all(mock, chains, SMALL_ROOM));
	for (i = SMALL_ROOM; i--;) {
		plain_answer(mock, &chains[i]);
		plain_wait(mock, SMALL_ROOM - i);
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[i].ends));
	}
	expect_answered(test, reqs, SMALL_ROOM);
}

/* With 5 more segments a request fills most of the ring, so it must wait */
static void long_request_is_not_overtaken(struct kunit *test)
{
	struct mock_chain *chains = new_chains(test, SMALL_RING);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 3);

	reqs[1].segs = 5;
	submit_all(mock, reqs, 3);
	KUNIT_ASSERT_EQ(test, 1, pop_all(mock, chains, SMALL_RING));
	plain_answer(mock, &chains[0]);
	plain_wait(mock, 1);
	KUNIT_ASSERT_EQ(test, 1, pop_all(mock, chains, SMALL_RING));
	KUNIT_EXPECT_EQ(test, reqs[1].number, plain_number(&chains[0]));
	KUNIT_EXPECT_EQ(test, 6, chains[0].nr_out);
	plain_answer(mock, &chains[0]);
	plain_wait(mock, 2);
	KUNIT_ASSERT_EQ(test, 1, pop_all(mock, chains, SMALL_RING));
	plain_answer(mock, &chains[0]);
	plain_wait(mock, 3);
	expect_answered(test, reqs, 3);
}

/* A request as long as the ring needs every descriptor of it */
static void request_as_long_as_the_ring_gets_through(struct kunit *test)
{
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);

	reqs[0].segs = SMALL_RING - VIRTIOFS_VQ_OVERHEAD;
	submit_all(mock, reqs, 2);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	KUNIT_EXPECT_EQ(test, SMALL_RING, chain->nr_out + chain->nr_in);
	plain_answer(mock, chain);
	plain_wait(mock, 1);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	plain_answer(mock, chain);
	plain_wait(mock, 2);
	expect_answered(test, reqs, 2);
}

/* Anybody may ask for one by an ioctl(), and the kernel must not panic of it */
static void request_longer_than_the_ring_fails_without_a_warning(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);
	int warned = test_taint(TAINT_WARN);

	reqs[0].segs = SMALL_RING;
	submit_all(mock, reqs, 2);
	plain_wait(mock, 1);
	expect_ended(test, &reqs[0], -EIO);
	KUNIT_EXPECT_EQ(test, warned, test_taint(TAINT_WARN));
	plain_answer_one(mock);
	plain_wait(mock, 2);
	expect_answered(test, &reqs[1], 1);
}

/* What is in the ring may be a lock that waits for the unlock on the backlog */
static void request_that_lacked_memory_needs_no_completion_to_be_tried_again(struct kunit *test)
{
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = plain_plug(test, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
					      SMALL_RING);
	struct plain_req *reqs = plain_reqs(mock, 2);
	unsigned long until = jiffies + MOCK_PATIENCE;
	bool pops;

	plain_submit(mock, &reqs[0]);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	reqs[1].segs = SMALL_RING - VIRTIOFS_VQ_OVERHEAD;
	if (!mock_fail_allocation())
		kunit_skip(test, "no allocation fails");
	plain_submit(mock, &reqs[1]);
	if (mock_pop(mock, REQUESTS, chain))
		kunit_skip(test, "no allocation has failed");
	do {
		schedule_timeout_uninterruptible(1);
		pops = mock_pop(mock, REQUESTS, chain);
	} while (!pops && time_before(jiffies, until));
	KUNIT_EXPECT_TRUE(test, pops);
	KUNIT_EXPECT_TRUE(test, chain->indirect);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[0].ends));
}

/*
 * The bounce buffers of a guest whose host cannot see its memory may be full for a moment.  No
 * completion need come after that: what is in the ring may be a lock that waits for the unlock.
 */
static void request_whose_memory_is_not_mapped_waits(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct mock_queue *queue = &mock->queue[REQUESTS];
	struct plain_req *reqs = plain_reqs(mock, 2);
	unsigned long until = jiffies + MOCK_PATIENCE;

	mock->features = BIT_ULL(VIRTIO_F_VERSION_1) |
			 *(const u64 *)test->param_value;
	if (!mock_map_memory(mock))
		kunit_skip(test, "it is for the bus to map memory");
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	plain_submit(mock, &reqs[0]);
	KUNIT_EXPECT_EQ(test, 1, queue->notified);
	WRITE_ONCE(mock->map_fails, true);
	plain_submit(mock, &reqs[1]);
	schedule_timeout_uninterruptible(HZ / 10);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&reqs[1].ends));
	WRITE_ONCE(mock->map_fails, false);
	while (READ_ONCE(queue->notified) < 2 && time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ(test, 2, queue->notified);
	KUNIT_EXPECT_FALSE(test, virtiofs_vqs_are_dead(plain_of(mock)->vqs));
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	expect_ended(test, &reqs[1], -ECONNABORTED);
}

static void ring_of_any_size_costs_memory_for_256_requests(struct kunit *test)
{
	struct mock_device *mock = plain_plug(test, 0, 1024);
	struct mock_chain *chains = new_chains(test, 300);
	struct plain_req *reqs = plain_reqs(mock, 300);
	unsigned long until = jiffies + MOCK_PATIENCE;
	unsigned int i, nr;

	submit_all(mock, reqs, 300);
	nr = pop_all(mock, chains, 300);
	KUNIT_ASSERT_EQ(test, 256, nr);
	for (i = 0; i < nr; i++)
		plain_answer(mock, &chains[i]);
	plain_wait(mock, nr);
	while (i < 300 && time_before(jiffies, until)) {
		if (mock_pop(mock, REQUESTS, chains)) {
			plain_answer(mock, chains);
			i++;
		} else {
			schedule_timeout_uninterruptible(1);
		}
	}
	plain_wait(mock, 300);
	expect_answered(test, reqs, 300);
}

/* How many descriptors do @nr neighbouring runs of @len bytes take, from @page on? */
static unsigned int descriptors(struct kunit *test, struct page *page,
				unsigned int nr, unsigned int len)
{
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = small_device(test);
	struct plain_req *req = plain_reqs(mock, 1);

	/* Nobody reads them */
	req->pages = page;
	req->segs = nr;
	req->seg_len = len;
	req->gap = 0;
	plain_submit(mock, req);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	plain_answer(mock, chain);
	plain_wait(mock, 1);
	expect_answered(test, req, 1);
	/* The first is the number */
	return chain->nr_out - 1;
}

static void neighbours_take_one_descriptor(struct kunit *test)
{
	struct page *pages = alloc_pages(GFP_KERNEL, 2);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_EXPECT_EQ(test, 1, descriptors(test, pages, 4, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 1, descriptors(test, pages, 2, 2 * PAGE_SIZE));
	__free_pages(pages, 2);
}

/* Each memory section of the guest may be a memory region of its own in the host */
static void no_descriptor_lies_in_two_memory_sections(struct kunit *test)
{
#ifdef CONFIG_SPARSEMEM
	unsigned long pfn = page_to_pfn(ZERO_PAGE(0));
	struct page *before;

	pfn = max(ALIGN_DOWN(pfn, PAGES_PER_SECTION), PAGES_PER_SECTION);
	if (!pfn_valid(pfn - 2) || !pfn_valid(pfn))
		kunit_skip(test, "there is one section of memory");
	before = pfn_to_page(pfn - 2);
	KUNIT_EXPECT_EQ(test, 1, descriptors(test, before, 2, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 2, descriptors(test, before, 4, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 2, descriptors(test, before, 1, 4 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 1, descriptors(test, pfn_to_page(pfn), 2, PAGE_SIZE));
#else
	kunit_skip(test, "the kernel's memory has no sections");
#endif
}

/* As with a bounce buffer */
static void run_that_is_too_long_for_a_descriptor_takes_several(struct kunit *test)
{
	struct page *pages = alloc_pages(GFP_KERNEL, 2);
	struct virtiofs_sgl sgl = { .max = 4, .max_len = PAGE_SIZE + 512 };

	KUNIT_ASSERT_NOT_NULL(test, pages);
	sgl.sg = kunit_kcalloc(test, sgl.max, sizeof(*sgl.sg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sgl.sg);
	sg_init_table(sgl.sg, sgl.max);
	KUNIT_EXPECT_TRUE(test, virtiofs_sgl_add(&sgl, pages, 4 * PAGE_SIZE, 0));
	KUNIT_EXPECT_EQ(test, 4, sgl.nr);
	KUNIT_EXPECT_EQ(test, 4 * PAGE_SIZE, sgl.len);
	KUNIT_EXPECT_EQ(test, page_to_phys(pages) + PAGE_SIZE + 512,
			sg_phys(&sgl.sg[1]));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE - 3 * 512, sgl.sg[3].length);
	KUNIT_EXPECT_FALSE(test, virtiofs_sgl_add(&sgl, pages, 4 * PAGE_SIZE, 0));
	__free_pages(pages, 2);
}

/**
 * struct seen - what a scan has come by
 * @nr: how many
 * @numbers: of those, in order
 * @waits: none of them is in a ring
 */
struct seen {
	unsigned int nr;
	u32 numbers[SMALL_ROOM];
	bool waits;
};

static bool see(struct llist_node *link, u64 since, void *arg)
{
	struct seen *seen = arg;

	seen->numbers[seen->nr++] = container_of(link, struct plain_req, link)->number;
	seen->waits = seen->waits && !since;
	return seen->nr == ARRAY_SIZE(seen->numbers);
}

static void scan_of_the_backlog_sees_who_waits_in_order(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM + 3);
	struct seen seen = { .waits = true };
	unsigned int i;

	submit_all(mock, reqs, SMALL_ROOM);
	KUNIT_EXPECT_FALSE(test, virtiofs_vqs_scan_backlog(plain_of(mock)->vqs,
							   see, &seen));
	KUNIT_EXPECT_EQ(test, 0, seen.nr);
	submit_all(mock, reqs + SMALL_ROOM, 3);
	KUNIT_EXPECT_FALSE(test, virtiofs_vqs_scan_backlog(plain_of(mock)->vqs,
							   see, &seen));
	KUNIT_EXPECT_EQ(test, 3, seen.nr);
	KUNIT_EXPECT_TRUE(test, seen.waits);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, SMALL_ROOM + 1 + i, seen.numbers[i]);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
}

static void one_request_is_found_while_the_device_has_it(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM + 1);
	struct virtiofs_vqs *vqs = plain_of(mock)->vqs;
	struct seen seen = { .waits = true };

	submit_all(mock, reqs, SMALL_ROOM + 1);
	KUNIT_EXPECT_FALSE(test, virtiofs_vqs_has(vqs, &reqs[SMALL_ROOM].link,
						  see, &seen));
	KUNIT_EXPECT_EQ(test, 0, seen.nr);
	KUNIT_EXPECT_TRUE(test, virtiofs_vqs_has(vqs, &reqs[1].link, see, &seen));
	KUNIT_EXPECT_EQ(test, 1, seen.nr);
	KUNIT_EXPECT_EQ(test, reqs[1].number, seen.numbers[0]);
	KUNIT_EXPECT_FALSE(test, seen.waits);
	virtiofs_vqs_kill(vqs);
	KUNIT_EXPECT_FALSE(test, virtiofs_vqs_has(vqs, &reqs[1].link, see, &seen));
}

static void drain_returns_when_all_has_ended(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *reqs = plain_reqs(mock, 1000);

	mock->handler = plain_serve;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	submit_all(mock, reqs, 1000);
	virtiofs_vqs_drain(plain_of(mock)->vqs);
	KUNIT_EXPECT_EQ(test, 1000, atomic_read(&plain_of(mock)->nr_ended));
	KUNIT_EXPECT_EQ(test, 1000, virtiofs_vqs_completed(plain_of(mock)->vqs));
	expect_answered(test, reqs, 1000);
}

static void kill_ends_requests_in_flight_with_econnaborted(struct kunit *test)
{
	struct mock_chain *chains = new_chains(test, SMALL_RING);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM);
	unsigned int i;

	submit_all(mock, reqs, SMALL_ROOM);
	/* Whether the device has looked at them or not */
	KUNIT_ASSERT_EQ(test, 2, pop_all(mock, chains, 2));
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	for (i = 0; i < SMALL_ROOM; i++)
		expect_ended(test, &reqs[i], -ECONNABORTED);
}

static void kill_ends_the_backlog_without_a_reply(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 100);
	unsigned int i;

	submit_all(mock, reqs, 100);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	for (i = SMALL_ROOM; i < 100; i++) {
		expect_ended(test, &reqs[i], -ECONNABORTED);
		KUNIT_EXPECT_FALSE(test, reqs[i].had_buf);
	}
}

static void kill_takes_the_device_away_before_anything_ends(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM);
	unsigned int resets = mock->resets;

	submit_all(mock, reqs, SMALL_ROOM);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	KUNIT_EXPECT_FALSE(test, mock->live);
	KUNIT_EXPECT_EQ(test, resets + 1, mock->resets);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_queues);
	KUNIT_EXPECT_TRUE(test, virtiofs_vqs_are_dead(plain_of(mock)->vqs));

	virtiofs_vqs_kill(plain_of(mock)->vqs);
	KUNIT_EXPECT_EQ(test, resets + 1, mock->resets);
	KUNIT_EXPECT_EQ(test, SMALL_ROOM, atomic_read(&plain_of(mock)->nr_ended));
}

static void device_reply_before_kill_is_kept(struct kunit *test)
{
	struct mock_chain *chains = new_chains(test, SMALL_ROOM);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM);
	u32 len;

	submit_all(mock, reqs, SMALL_ROOM);
	KUNIT_ASSERT_EQ(test, SMALL_ROOM, pop_all(mock, chains, SMALL_ROOM));
	len = plain_serve(mock, REQUESTS, &chains[1]);
	/* The reset overtakes the interrupt */
	mock_push(mock, REQUESTS, chains[1].head, len);
	virtiofs_vqs_kill(plain_of(mock)->vqs);
	expect_answered(test, &reqs[1], 1);
	expect_ended(test, &reqs[0], -ECONNABORTED);
	expect_ended(test, &reqs[2], -ECONNABORTED);
}

static void submit_after_kill_ends_with_enotconn(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 3);
	unsigned int i;

	virtiofs_vqs_kill(plain_of(mock)->vqs);
	submit_all(mock, reqs, 3);
	virtiofs_vqs_drain(plain_of(mock)->vqs);
	for (i = 0; i < 3; i++) {
		expect_ended(test, &reqs[i], -ENOTCONN);
		KUNIT_EXPECT_FALSE(test, reqs[i].had_buf);
	}
}

static void kill_from_where_nobody_may_sleep_kills(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, SMALL_ROOM);

	submit_all(mock, reqs, SMALL_ROOM);
	rcu_read_lock();
	virtiofs_vqs_kill_async(plain_of(mock)->vqs);
	virtiofs_vqs_kill_async(plain_of(mock)->vqs);
	rcu_read_unlock();
	plain_wait(mock, SMALL_ROOM);
	expect_ended(test, &reqs[0], -ECONNABORTED);
	KUNIT_EXPECT_TRUE(test, virtiofs_vqs_are_dead(plain_of(mock)->vqs));
}

static void unplugging_ends_requests_in_flight(struct kunit *test)
{
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 100);
	unsigned int i;

	submit_all(mock, reqs, 100);
	mock_unplug(mock);
	for (i = 0; i < 100; i++)
		expect_ended(test, &reqs[i], -ECONNABORTED);
}

static const char *const hostile_lens[] = { "zero", "too long", "endless" };

static void hostile_len_name(const char *const *name, char *desc)
{
	strscpy(desc, *name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(hostile_len, hostile_lens, hostile_len_name);

/* What to make of the length is the business of whoever knows the reply */
static void used_len_that_lies_is_passed_on_and_ends_one_request(struct kunit *test)
{
	static const u32 lens[] = { 0, sizeof(u32) + 1, U32_MAX };
	u32 len = lens[(const char *const *)test->param_value - hostile_lens];
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);

	plain_submit(mock, &reqs[0]);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	mock_answer(mock, REQUESTS, chain->head, len);
	plain_wait(mock, 1);
	expect_ended(test, &reqs[0], 0);
	KUNIT_EXPECT_EQ(test, len, reqs[0].len);
	/* No old reply shines through */
	KUNIT_EXPECT_EQ(test, 0, reqs[0].reply);

	plain_submit(mock, &reqs[1]);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	plain_answer(mock, chain);
	plain_wait(mock, 2);
	expect_answered(test, &reqs[1], 1);
}

/* The ring is broken after that, so all that is in it has to end */
static void expect_broken_ring(struct mock_device *mock, u32 id)
{
	struct plain_req *reqs = plain_reqs(mock, 100);
	struct kunit *test = mock->test;
	unsigned int i;

	submit_all(mock, reqs, 100);
	mock_answer(mock, REQUESTS, id, sizeof(u32));
	plain_wait(mock, 100);
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[i].ends));
		KUNIT_EXPECT_NE(test, 0, reqs[i].error);
	}
	KUNIT_EXPECT_TRUE(test, virtiofs_vqs_are_dead(plain_of(mock)->vqs));
}

static void used_id_outside_of_the_ring_ends_everything(struct kunit *test)
{
	expect_broken_ring(small_device(test), SMALL_RING);
}

/* Descriptor 1 is the second one of a request */
static void used_id_that_is_no_head_ends_everything(struct kunit *test)
{
	expect_broken_ring(small_device(test), 1);
}

static void used_id_that_was_returned_before_ends_everything(struct kunit *test)
{
	struct mock_chain *chain = new_chains(test, 1);
	struct mock_device *mock = small_device(test);
	struct plain_req *reqs = plain_reqs(mock, 2);

	submit_all(mock, reqs, 2);
	KUNIT_ASSERT_TRUE(test, mock_pop(mock, REQUESTS, chain));
	plain_serve(mock, REQUESTS, chain);
	mock_push(mock, REQUESTS, chain->head, sizeof(u32));
	mock_answer(mock, REQUESTS, chain->head, sizeof(u32));
	plain_wait(mock, 2);
	expect_answered(test, &reqs[0], 1);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&reqs[1].ends));
	KUNIT_EXPECT_NE(test, 0, reqs[1].error);
}

static void ring_that_is_too_small_is_refused(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);

	mock->ring_size = VIRTIOFS_VQ_MIN_SIZE / 2;
	mock_plug(mock);
	KUNIT_EXPECT_FALSE(test, mock_is_bound(mock));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_queues);

	mock->ring_size = VIRTIOFS_VQ_MIN_SIZE;
	KUNIT_EXPECT_TRUE(test, mock_probe_again(mock));
}

/* Each possible CPU has a request queue, and no queue is without a CPU */
static void expect_full_map(struct mock_device *mock, unsigned int nr)
{
	struct virtiofs_vqs *vqs = plain_of(mock)->vqs;
	unsigned long used = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		KUNIT_EXPECT_GE(mock->test, vqs->map[cpu], VIRTIOFS_VQ_REQUEST);
		KUNIT_EXPECT_LT(mock->test, vqs->map[cpu],
				VIRTIOFS_VQ_REQUEST + nr);
		__set_bit(vqs->map[cpu], &used);
	}
	KUNIT_EXPECT_EQ(mock->test, nr, hweight_long(used));
}

static void every_cpu_and_every_queue_has_its_place_in_the_map(struct kunit *test)
{
	struct mock_device *mock;
	unsigned int nr;

	for (nr = 1; nr <= min(num_possible_cpus(), 8); nr++) {
		mock = plain_new(test);
		mock->config.num_request_queues = cpu_to_le32(nr);
		mock_plug(mock);
		KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
		KUNIT_EXPECT_EQ(test, VIRTIOFS_VQ_REQUEST + nr, mock->nr_queues);
		expect_full_map(mock, nr);
		mock_unplug(mock);
	}
}

/* A device with two request queues whose interrupts go to certain CPUs */
static struct mock_device *affine_device(struct kunit *test,
					 struct cpumask *masks)
{
	struct mock_device *mock = plain_new(test);

	mock->config.num_request_queues = cpu_to_le32(2);
	mock->affinity = masks;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	return mock;
}

static struct cpumask *new_masks(struct kunit *test)
{
	struct cpumask *masks = kunit_kcalloc(test, REQUESTS + 2, sizeof(*masks),
					      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, masks);
	return masks;
}

static void map_follows_the_interrupts(struct kunit *test)
{
	struct cpumask *masks = new_masks(test);
	unsigned int cpu, last = 0;
	struct mock_device *mock;

	for_each_possible_cpu(cpu) {
		cpumask_set_cpu(cpu, &masks[REQUESTS + 1]);
		last = cpu;
	}
	/* The last CPU has a queue for itself, if there are two */
	if (num_possible_cpus() < 2)
		kunit_skip(test, "there is only one CPU");
	cpumask_clear_cpu(last, &masks[REQUESTS + 1]);
	cpumask_set_cpu(last, &masks[REQUESTS]);
	mock = affine_device(test, masks);
	for_each_possible_cpu(cpu)
		KUNIT_EXPECT_EQ(test, cpu == last ? REQUESTS : REQUESTS + 1,
				plain_of(mock)->vqs->map[cpu]);
}

static void map_does_without_interrupts_that_leave_out_a_cpu(struct kunit *test)
{
	struct cpumask *masks = new_masks(test);

	if (num_possible_cpus() < 3)
		kunit_skip(test, "there are fewer than three CPUs");
	cpumask_set_cpu(0, &masks[REQUESTS]);
	cpumask_set_cpu(1, &masks[REQUESTS + 1]);
	expect_full_map(affine_device(test, masks), 2);
}

static void map_does_without_interrupts_that_share_cpus(struct kunit *test)
{
	struct cpumask *masks = new_masks(test);
	unsigned int cpu;

	if (num_possible_cpus() < 2)
		kunit_skip(test, "there is only one CPU");
	for_each_possible_cpu(cpu) {
		cpumask_set_cpu(cpu, &masks[REQUESTS]);
		cpumask_set_cpu(cpu, &masks[REQUESTS + 1]);
	}
	expect_full_map(affine_device(test, masks), 2);
}

static void requests_of_all_queues_end(struct kunit *test)
{
	struct mock_device *mock = plain_new(test);
	struct plain_req *reqs = plain_reqs(mock, 400);
	unsigned int i;

	mock->config.num_request_queues = cpu_to_le32(4);
	mock->handler = plain_serve;
	mock_plug(mock);
	KUNIT_ASSERT_TRUE(test, mock_is_bound(mock));
	for (i = 0; i < 400; i++)
		virtiofs_vq_submit(&plain_of(mock)->vqs->vq[REQUESTS + i % 4],
				   &reqs[i].link);
	plain_wait(mock, 400);
	expect_answered(test, reqs, 400);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, 100, mock->queue[REQUESTS + i].used);
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE_PARAM(a_request_reaches_the_device_and_its_reply_the_caller,
			 queue_shape_gen_params),
	KUNIT_CASE_PARAM(no_interrupt_is_missed, queue_shape_gen_params),
	KUNIT_CASE_PARAM(a_burst_ends_and_the_ring_goes_on, queue_shape_gen_params),
	KUNIT_CASE(submit_on_full_ring_waits_its_turn),
	KUNIT_CASE(backlog_is_fifo),
	KUNIT_CASE(replies_out_of_order_reach_their_requests),
	KUNIT_CASE(long_request_is_not_overtaken),
	KUNIT_CASE(request_as_long_as_the_ring_gets_through),
	KUNIT_CASE(request_longer_than_the_ring_fails_without_a_warning),
	KUNIT_CASE(request_that_lacked_memory_needs_no_completion_to_be_tried_again),
	KUNIT_CASE_PARAM(request_whose_memory_is_not_mapped_waits, layout_gen_params),
	KUNIT_CASE(ring_of_any_size_costs_memory_for_256_requests),
	KUNIT_CASE(neighbours_take_one_descriptor),
	KUNIT_CASE(no_descriptor_lies_in_two_memory_sections),
	KUNIT_CASE(run_that_is_too_long_for_a_descriptor_takes_several),
	KUNIT_CASE(scan_of_the_backlog_sees_who_waits_in_order),
	KUNIT_CASE(one_request_is_found_while_the_device_has_it),
	KUNIT_CASE(drain_returns_when_all_has_ended),
	KUNIT_CASE(kill_ends_requests_in_flight_with_econnaborted),
	KUNIT_CASE(kill_ends_the_backlog_without_a_reply),
	KUNIT_CASE(kill_takes_the_device_away_before_anything_ends),
	KUNIT_CASE(device_reply_before_kill_is_kept),
	KUNIT_CASE(submit_after_kill_ends_with_enotconn),
	KUNIT_CASE(kill_from_where_nobody_may_sleep_kills),
	KUNIT_CASE(unplugging_ends_requests_in_flight),
	KUNIT_CASE_PARAM(used_len_that_lies_is_passed_on_and_ends_one_request,
			 hostile_len_gen_params),
	KUNIT_CASE(used_id_outside_of_the_ring_ends_everything),
	KUNIT_CASE(used_id_that_is_no_head_ends_everything),
	KUNIT_CASE(used_id_that_was_returned_before_ends_everything),
	KUNIT_CASE(ring_that_is_too_small_is_refused),
	KUNIT_CASE(every_cpu_and_every_queue_has_its_place_in_the_map),
	KUNIT_CASE(map_follows_the_interrupts),
	KUNIT_CASE(map_does_without_interrupts_that_leave_out_a_cpu),
	KUNIT_CASE(map_does_without_interrupts_that_share_cpus),
	KUNIT_CASE(requests_of_all_queues_end),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "virtiofs_queue",
	.suite_init = plain_register,
	.suite_exit = plain_unregister,
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
