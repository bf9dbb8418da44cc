/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers for pointers: from 1 on, and none is given twice, so that an old
 * number is known to be old. The array only grows, by 8 bytes a number,
 * which is nothing for as long as a test runs.
 */
#ifndef TESTDEV_TABLE_H
#define TESTDEV_TABLE_H

#include <stdint.h>
#include <stdlib.h>

/**
 * struct table - the numbers
 * @slot: pointer for each number, NULL for none
 * @next: number that will be given next, 0 before the first
 * @size: numbers that fit in @slot
 */
struct table {
	void **slot;
	uint64_t next;
	uint64_t size;
};

/**
 * table_add() - give a number to a pointer
 * @table: table
 * @p: pointer
 *
 * Return: its number.
 */
static inline uint64_t table_add(struct table *table, void *p)
{
	if (!table->next)
		table->next = 1;
	if (table->next >= table->size) {
		table->size = table->size ? table->size * 2 : 1024;
		table->slot = realloc(table->slot, table->size * sizeof(*table->slot));
		if (!table->slot)
			abort();
	}
	table->slot[table->next] = p;
	return table->next++;
}

static inline void *table_find(const struct table *table, uint64_t number)
{
	return number && number < table->next ? table->slot[number] : NULL;
}

static inline void table_remove(struct table *table, uint64_t number)
{
	table->slot[number] = NULL;
}

#endif
