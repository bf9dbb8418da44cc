/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First in, first out: submissions that wait.
 */
#ifndef _VIRTIOFS_FIFO_H
#define _VIRTIOFS_FIFO_H

#include <linux/llist.h>

/**
 * struct virtiofs_fifo - singly linked list with a tail
 * @first: the oldest entry, or NULL
 * @last: where the link to the next entry goes
 * @nr: number of entries
 *
 * Links are llist_nodes because that is all the room that the smallest
 * submission has (a FORGET of the FUSE client brings one pointer).
 */
struct virtiofs_fifo {
	struct llist_node *first;
	struct llist_node **last;
	unsigned int nr;
};

static inline void fifo_init(struct virtiofs_fifo *fifo)
{
	fifo->first = NULL;
	fifo->last = &fifo->first;
	fifo->nr = 0;
}

static inline void fifo_push(struct virtiofs_fifo *fifo,
			     struct llist_node *link)
{
	link->next = NULL;
	*fifo->last = link;
	fifo->last = &link->next;
	fifo->nr++;
}

static inline struct llist_node *fifo_pop(struct virtiofs_fifo *fifo)
{
	struct llist_node *link = fifo->first;

	if (link) {
		fifo->first = link->next;
		if (!fifo->first)
			fifo->last = &fifo->first;
		fifo->nr--;
	}
	return link;
}

/* Take @link off, wherever it is.  Returns false if it is not there. */
static inline bool fifo_remove(struct virtiofs_fifo *fifo,
			       struct llist_node *link)
{
	struct llist_node **at = &fifo->first;

	while (*at && *at != link)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = link->next;
	if (!*at)
		fifo->last = at;
	fifo->nr--;
	return true;
}

/* Take the first @nr off, which stay linked to each other; there are as many */
static inline void fifo_drop(struct virtiofs_fifo *fifo, unsigned int nr)
{
	struct llist_node *link = fifo->first;

	fifo->nr -= nr;
	while (nr--)
		link = link->next;
	fifo->first = link;
	if (!link)
		fifo->last = &fifo->first;
}

/* Move all of @from behind the last of @to */
static inline void fifo_splice(struct virtiofs_fifo *to,
			       struct virtiofs_fifo *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->nr += from->nr;
	fifo_init(from);
}

#endif
