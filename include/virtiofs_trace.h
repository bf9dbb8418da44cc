/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events.  Numbers and texts only, so that every file can have them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM virtiofs

#if !defined(_VIRTIOFS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VIRTIOFS_TRACE_H

#include <linux/tracepoint.h>

/* Linux 6.1 wants to be told the source of a string once more */
#ifdef VIRTIOFS_HAVE_ASSIGN_STR_SRC
#define compat_assign_str(field)	__assign_str(field, field)
#else
#define compat_assign_str(field)	__assign_str(field)
#endif

/* A request goes to a queue: @copied bytes of it, and where the other ones lie */
TRACE_EVENT(virtiofs_request,
	TP_PROTO(const char *tag, const char *queue, u64 unique, u32 opcode,
		 u64 nodeid, u32 len, u32 copied),
	TP_ARGS(tag, queue, unique, opcode, nodeid, len, copied),
	TP_STRUCT__entry(
		__string(tag, tag)
		__string(queue, queue)
		__field(u64, unique)
		__field(u64, nodeid)
		__field(u32, opcode)
		__field(u32, len)
		__field(u32, copied)
	),
	TP_fast_assign(
		compat_assign_str(tag);
		compat_assign_str(queue);
		__entry->unique = unique;
		__entry->nodeid = nodeid;
		__entry->opcode = opcode;
		__entry->len = len;
		__entry->copied = copied;
	),
	TP_printk("tag=%s queue=%s unique=%llu opcode=%u nodeid=%llu len=%u copied=%u",
		  __get_str(tag), __get_str(queue), __entry->unique,
		  __entry->opcode, __entry->nodeid, __entry->len,
		  __entry->copied)
);

/* A request is complete: the device had it for @ns, or never; @copied bytes of a reply */
TRACE_EVENT(virtiofs_reply,
	TP_PROTO(const char *tag, u64 unique, u32 opcode, int error, u64 ns,
		 u32 copied),
	TP_ARGS(tag, unique, opcode, error, ns, copied),
	TP_STRUCT__entry(
		__string(tag, tag)
		__field(u64, unique)
		__field(u64, ns)
		__field(u32, opcode)
		__field(int, error)
		__field(u32, copied)
	),
	TP_fast_assign(
		compat_assign_str(tag);
		__entry->unique = unique;
		__entry->ns = ns;
		__entry->opcode = opcode;
		__entry->error = error;
		__entry->copied = copied;
	),
	TP_printk("tag=%s unique=%llu opcode=%u error=%d ns=%llu copied=%u",
		  __get_str(tag), __entry->unique, __entry->opcode,
		  __entry->error, __entry->ns, __entry->copied)
);

/* The caller of a request was killed and waits no more; the device still has it */
TRACE_EVENT(virtiofs_abandon,
	TP_PROTO(const char *tag, u64 unique, u32 opcode),
	TP_ARGS(tag, unique, opcode),
	TP_STRUCT__entry(
		__string(tag, tag)
		__field(u64, unique)
		__field(u32, opcode)
	),
	TP_fast_assign(
		compat_assign_str(tag);
		__entry->unique = unique;
		__entry->opcode = opcode;
	),
	TP_printk("tag=%s unique=%llu opcode=%u", __get_str(tag),
		  __entry->unique, __entry->opcode)
);

/* FORGETs or an INTERRUPT (then @unique is that of its request) */
TRACE_EVENT(virtiofs_hiprio,
	TP_PROTO(u32 opcode, unsigned int nr, u64 unique),
	TP_ARGS(opcode, nr, unique),
	TP_STRUCT__entry(
		__field(u64, unique)
		__field(u32, opcode)
		__field(unsigned int, nr)
	),
	TP_fast_assign(
		__entry->unique = unique;
		__entry->opcode = opcode;
		__entry->nr = nr;
	),
	TP_printk("opcode=%u nr=%u unique=%llu", __entry->opcode, __entry->nr,
		  __entry->unique)
);

/* The ring is full: @nr submissions wait */
TRACE_EVENT(virtiofs_backlog,
	TP_PROTO(int device, const char *queue, unsigned int nr),
	TP_ARGS(device, queue, nr),
	TP_STRUCT__entry(
		__string(queue, queue)
		__field(int, device)
		__field(unsigned int, nr)
	),
	TP_fast_assign(
		compat_assign_str(queue);
		__entry->device = device;
		__entry->nr = nr;
	),
	TP_printk("device=%d queue=%s nr=%u", __entry->device,
		  __get_str(queue), __entry->nr)
);

/* The device is notified */
TRACE_EVENT(virtiofs_kick,
	TP_PROTO(int device, const char *queue, unsigned int in_flight),
	TP_ARGS(device, queue, in_flight),
	TP_STRUCT__entry(
		__string(queue, queue)
		__field(int, device)
		__field(unsigned int, in_flight)
	),
	TP_fast_assign(
		compat_assign_str(queue);
		__entry->device = device;
		__entry->in_flight = in_flight;
	),
	TP_printk("device=%d queue=%s in_flight=%u", __entry->device,
		  __get_str(queue), __entry->in_flight)
);

/* A task has polled for a reply, with a hit or a miss */
TRACE_EVENT(virtiofs_poll,
	TP_PROTO(int device, const char *queue, bool ended, u64 ns),
	TP_ARGS(device, queue, ended, ns),
	TP_STRUCT__entry(
		__string(queue, queue)
		__field(int, device)
		__field(bool, ended)
		__field(u64, ns)
	),
	TP_fast_assign(
		compat_assign_str(queue);
		__entry->device = device;
		__entry->ended = ended;
		__entry->ns = ns;
	),
	TP_printk("device=%d queue=%s ended=%d ns=%llu", __entry->device,
		  __get_str(queue), __entry->ended, __entry->ns)
);

/* The queues of a device are running (0), not responding (1) or killed (2) */
TRACE_EVENT(virtiofs_state,
	TP_PROTO(int device, int state),
	TP_ARGS(device, state),
	TP_STRUCT__entry(
		__field(int, device)
		__field(int, state)
	),
	TP_fast_assign(
		__entry->device = device;
		__entry->state = state;
	),
	TP_printk("device=%d state=%s", __entry->device,
		  __print_symbolic(__entry->state,
				   { 0, "running" },
				   { 1, "not responding" },
				   { 2, "aborted" }))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE virtiofs_trace
#include <trace/define_trace.h>
