/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The marks between which instructions.c counts: instructions that do nothing, with
 * an address that nobody else has a reason to give them.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_BEGIN	0x7610f501
#define MARK_END	0x7610f502

static inline void mark_begin(void)
{
	asm volatile("nopl %c0(%%rax)" : : "i" (MARK_BEGIN) : "memory");
}

static inline void mark_end(void)
{
	asm volatile("nopl %c0(%%rax)" : : "i" (MARK_END) : "memory");
}

#endif
