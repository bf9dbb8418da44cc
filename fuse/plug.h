/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests that a task submits together.
 */
#ifndef _VIRTIOFS_PLUG_H
#define _VIRTIOFS_PLUG_H

#include "virtqueue.h"

#ifdef CONFIG_BLOCK
void virtiofs_plug_submit(struct virtiofs_vq *vq, struct llist_node *link,
			  bool last);
void virtiofs_plug_flush(void);
#else
static inline void virtiofs_plug_submit(struct virtiofs_vq *vq,
					struct llist_node *link, bool last)
{
	virtiofs_vq_submit(vq, link);
}

static inline void virtiofs_plug_flush(void)
{
}
#endif

#endif
