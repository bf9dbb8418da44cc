// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's emulator: the instructions that a guest executes between the two
 * marks of mark.h, by the block of code to which they belong:
 *
 *   qemu-system-x86_64 -plugin file=instructions.so,out=FILE
 *
 * The file gets a line "record" for each pair of marks, and behind it a line for each
 * block: its address in the kernel, or 0 for all of user space, how many of its instructions
 * were executed, and how often it was. There is only one vCPU.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mark.h"
#include "plugin.h"

EXPORTED int qemu_plugin_version = PLUGIN_VERSION;

/* A hash table of blocks, far larger than a kernel has of them; an address is never 1 */
#define BLOCKS_SHIFT	20
#define BLOCKS		(1 << BLOCKS_SHIFT)
#define KERNEL		(1ULL << 63)
#define USER		1

/* What is counted of a block */
enum { INSTRUCTIONS, RUNS, COUNTS };

static uint64_t addresses[BLOCKS];
static struct qemu_plugin_scoreboard *counts;
static FILE *out;

static size_t block_of(uint64_t address)
{
	size_t at = (address * 0x9e3779b97f4a7c15ULL) >> (64 - BLOCKS_SHIFT);

	while (addresses[at] && addresses[at] != address)
		at = (at + 1) % BLOCKS;
	addresses[at] = address;
	return at;
}

static uint64_t *counters(void)
{
	return qemu_plugin_scoreboard_find(counts, 0);
}

static void begin(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	memset(counters(), 0, BLOCKS * COUNTS * sizeof(uint64_t));
}

static void end(unsigned int vcpu, void *data)
{
	uint64_t *counter = counters();

	(void)vcpu;
	(void)data;
	fprintf(out, "record\n");
	for (size_t i = 0; i < BLOCKS; i++, counter += COUNTS) {
		if (counter[RUNS])
			fprintf(out, "%llx %llu %llu\n",
				(unsigned long long)(addresses[i] == USER ? 0 : addresses[i]),
				(unsigned long long)counter[INSTRUCTIONS],
				(unsigned long long)counter[RUNS]);
	}
	fflush(out);
}

/* nopl of an address of 32 bits */
static const unsigned char nopl[] = { 0x0f, 0x1f, 0x80 };

static void find_mark(struct qemu_plugin_insn *insn)
{
	unsigned char code[sizeof(nopl) + sizeof(uint32_t)];
	uint32_t mark;

	if (qemu_plugin_insn_data(insn, code, sizeof(code)) != sizeof(code) ||
	    memcmp(code, nopl, sizeof(nopl)))
		return;
	memcpy(&mark, code + sizeof(nopl), sizeof(mark));
	if (mark == MARK_BEGIN)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, QEMU_PLUGIN_CB_NO_REGS,
						       NULL);
	if (mark == MARK_END)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, end, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void count(struct qemu_plugin_tb *tb, size_t offset, uint64_t number)
{
	struct qemu_plugin_u64 entry = { .score = counts, .offset = offset * sizeof(uint64_t) };

	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
							  entry, number);
}

static void translated(struct qemu_plugin_tb *tb, void *data)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	size_t nr = qemu_plugin_tb_n_insns(tb);
	size_t at;

	(void)data;
	if (!(address & KERNEL)) {
		for (size_t i = 0; i < nr; i++)
			find_mark(qemu_plugin_tb_get_insn(tb, i));
		address = USER;
	}
	at = block_of(address) * COUNTS;
	count(tb, at + INSTRUCTIONS, nr);
	count(tb, at + RUNS, 1);
}

EXPORTED int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return 1;
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return 1;
	counts = qemu_plugin_scoreboard_new(BLOCKS * COUNTS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
	return 0;
}
