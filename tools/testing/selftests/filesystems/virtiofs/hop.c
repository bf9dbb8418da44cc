// SPDX-License-Identifier: GPL-2.0
/*
 * One task that is on another CPU at each step, and so may speak to the server
 * over another queue: it finds what it has done itself.
 */
#include <sched.h>

#include "share.h"

#define ROUNDS 30
#define SIZE 5000

/* hop - to the next one of the CPUs that the task may run on */
static int hop(const cpu_set_t *allowed, int *cpu)
{
	cpu_set_t one;

	do {
		*cpu = (*cpu + 1) % CPU_SETSIZE;
	} while (!CPU_ISSET(*cpu, allowed));
	CPU_ZERO(&one);
	CPU_SET(*cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

#define HOP() ASSERT_OK(hop(&allowed, &cpu))

TEST_F(share, a_task_that_changes_cpus_finds_what_it_has_done)
{
	char wrote[SIZE], found[SIZE];
	cpu_set_t allowed;
	int i, fd, cpu = 0;

	ASSERT_OK(sched_getaffinity(0, sizeof(allowed), &allowed));
	for (i = 0; i < ROUNDS; i++) {
		fill(wrote, SIZE, i, 0);
		HOP();
		ASSERT_OK(fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0644));
		HOP();
		ASSERT_EQ(SIZE, pwrite(fd, wrote, SIZE, 0));
		HOP();
		ASSERT_EQ(SIZE, pread(fd, found, SIZE, 0));
		EXPECT_EQ(0, memcmp(wrote, found, SIZE));
		HOP();
		ASSERT_OK(fsync(fd));
		HOP();
		ASSERT_OK(rename("a", "b"));
		HOP();
		ASSERT_OK(close(fd));
		HOP();
		EXPECT_EQ(SIZE, size_of("b"));
		EXPECT_FALSE(exists("a"));
		HOP();
		ASSERT_OK(unlink("b"));
		HOP();
		EXPECT_FALSE(exists("b"));
	}
}

SHARE_MAIN
