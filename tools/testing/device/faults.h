/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which requests meet with which fault: rules that a test sets, and fuzzing.
 * How a lie is told is the subject of lies.h, how a request waits that of
 * park.h; this only decides.
 */
#ifndef TESTDEV_FAULTS_H
#define TESTDEV_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct request;

/* More rules than this may match one request; the rest don't apply to it. */
#define MAX_LIES 4

/**
 * enum lie_kind - what can be wrong about an answer
 * @LIE_UNIQUE: the header's unique is another one
 * @LIE_USED: used.len is not what was written
 * @LIE_LEN: the header's len is not what was written
 * @LIE_ERROR: any number as error; the request is not carried out
 * @LIE_ERROR_PAYLOAD: any number as error, beside a full payload
 * @LIE_SILENT: nothing is written, used.len is 0
 * @LIE_CUT: the payload is too short, len and used.len agree
 * @LIE_GROW: the payload is too long, len and used.len agree
 * @LIE_CORRUPT: random bytes of the payload are changed
 * @LIE_HOLLOW: the payload is claimed, and not written
 * @LIE_REPLAY: the payload of an earlier reply to the same opcode
 * @LIE_DIR_CUT: the last directory entry ends early
 * @LIE_DIR_SLASH: a name with a slash
 * @LIE_DIR_NUL: a name with a NUL
 * @LIE_DIR_EMPTY: a name of no bytes
 * @LIE_DIR_OVERRUN: a name that goes on behind the reply's end
 * @LIE_INIT_MAJOR: INIT's version
 * @LIE_INIT_MINOR: the same
 * @LIE_INIT_FLAGS: INIT's features
 * @LIE_INIT_FLAGS2: the same, from bit 32 on
 * @LIE_INIT_MAX_WRITE: INIT's limit of a write
 * @LIE_INIT_MAX_PAGES: INIT's limit of a request's pages
 * @LIE_SCRIBBLE: the header goes on changing after it was given back
 * @LIE_TWICE: the chain is given back twice
 * @LIE_BOGUS: a chain is given back that was never offered
 * @LIE_MUTE: no interrupt
 * @LIE_COUNT: how many there are
 */
enum lie_kind {
	LIE_UNIQUE,
	LIE_USED,
	LIE_LEN,
	LIE_ERROR,
	LIE_ERROR_PAYLOAD,
	LIE_SILENT,
	LIE_CUT,
	LIE_GROW,
	LIE_CORRUPT,
	LIE_HOLLOW,
	LIE_REPLAY,
	LIE_DIR_CUT,
	LIE_DIR_SLASH,
	LIE_DIR_NUL,
	LIE_DIR_EMPTY,
	LIE_DIR_OVERRUN,
	LIE_INIT_MAJOR,
	LIE_INIT_MINOR,
	LIE_INIT_FLAGS,
	LIE_INIT_FLAGS2,
	LIE_INIT_MAX_WRITE,
	LIE_INIT_MAX_PAGES,
	LIE_SCRIBBLE,
	LIE_TWICE,
	LIE_BOGUS,
	LIE_MUTE,
	LIE_COUNT,
};

/**
 * struct lie - one lie
 * @kind: which
 * @given: a value was given
 * @relative: the value was given with a sign
 * @value: the value
 */
struct lie {
	enum lie_kind kind;
	bool given;
	bool relative;
	int64_t value;
};

/**
 * enum when - when a request is answered
 * @WHEN_NOW: at once
 * @WHEN_DELAYED: some time later
 * @WHEN_HELD: when a test says so
 * @WHEN_GATHERED: together with others, in another order
 * @WHEN_INTERRUPTED: with EINTR, when the guest interrupts it
 */
enum when {
	WHEN_NOW,
	WHEN_DELAYED,
	WHEN_HELD,
	WHEN_GATHERED,
	WHEN_INTERRUPTED,
};

/**
 * enum release_order - in which order parked requests are answered
 * @ORDER_FIRST: oldest first
 * @ORDER_LAST: newest first
 * @ORDER_RANDOM: any
 */
enum release_order {
	ORDER_FIRST,
	ORDER_LAST,
	ORDER_RANDOM,
};

/**
 * struct plan - what happens to one request
 * @when: when it is answered
 * @delay_ms: WHEN_DELAYED: how much later
 * @gather: WHEN_GATHERED: how many to wait for
 * @order: WHEN_GATHERED: in which order to answer them
 * @rule: WHEN_GATHERED: the rule, which keeps groups apart
 * @die: the device ends without an answer
 * @fail: it is not carried out, since it will be answered with an error
 * @nr_lies: number of lies
 * @lie: the lies
 */
struct plan {
	enum when when;
	unsigned int delay_ms;
	unsigned int gather;
	enum release_order order;
	unsigned int rule;
	bool die;
	bool fail;
	unsigned int nr_lies;
	struct lie lie[MAX_LIES];
};

/**
 * struct fuzz - random faults
 * @on: they are told
 * @header: lies about header and used.len
 * @payload: lies in the payload
 * @ring: lies about the ring itself, which end in a reset
 * @timing: delays and other orders
 * @share: percentage of requests
 * @seed: of the random numbers
 * @left: how many are still to be told, then it ends
 */
struct fuzz {
	bool on;
	bool header;
	bool payload;
	bool ring;
	bool timing;
	unsigned int share;
	uint64_t seed;
	uint64_t left;
};

/* Control socket's side; messages for a test are written to @error */
int faults_add(char *text, const char **error);
bool faults_clear(unsigned int id);
void faults_print(FILE *out);
void faults_fuzz(const struct fuzz *how);
void faults_honest(void);

/* Requests' side */
void faults_plan(struct request *req);

/* Counters' side, in lies.c */
void lies_print(FILE *out);
void lies_reset(void);

#endif
