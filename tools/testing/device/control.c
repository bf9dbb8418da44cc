// SPDX-License-Identifier: GPL-2.0
/*
 * The control socket: one command a line; the answer is a line that begins
 * with "ok" or "error", or a block of lines that ends with a line ".".
 * The command "help" prints the list below.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control.h"
#include "counters.h"
#include "faults.h"
#include "fuse.h"
#include "handle.h"
#include "inode.h"
#include "log.h"
#include "park.h"
#include "ring.h"
#include "vhost.h"

/* Exit status of a device that a test has told to die; as in request.c. */
#define DIED 9

/**
 * struct command - one command
 * @name: first word of the line
 * @block: the answer is a block
 * @run: does it; @args is the rest of the line, @out where the answer goes
 * @help: arguments and meaning
 */
struct command {
	const char *name;
	bool block;
	void (*run)(char *args, FILE *out);
	const char *help;
};

static void ok(FILE *out)
{
	fprintf(out, "ok\n");
}

static void error(FILE *out, const char *why)
{
	fprintf(out, "error %s\n", why);
}

static void do_counters(char *args, FILE *out)
{
	(void)args;
	counters_print(out);
}

static void do_reset(char *args, FILE *out)
{
	(void)args;
	counters_reset();
	ok(out);
}

static void do_balance(char *args, FILE *out)
{
	struct inode_balance b;

	(void)args;
	inode_balance(&b);
	fprintf(out, "ok inodes=%lu lookups=%lu handles=%lu locks=%lu tainted=%lu\n", b.inodes,
		b.lookups, handle_count(), locks_count(), b.tainted);
}

static void do_inodes(char *args, FILE *out)
{
	(void)args;
	inode_print(out);
}

static void do_parked(char *args, FILE *out)
{
	(void)args;
	park_print(out);
}

static void do_log(char *args, FILE *out)
{
	log_print(out, *args ? strtoul(args, NULL, 0) : ~0U);
}

static void do_fault(char *args, FILE *out)
{
	const char *why;
	int id = faults_add(args, &why);

	if (id)
		fprintf(out, "ok %d\n", id);
	else
		error(out, why);
}

static void do_faults(char *args, FILE *out)
{
	(void)args;
	faults_print(out);
}

static void do_clear(char *args, FILE *out)
{
	if (faults_clear(strtoul(args, NULL, 0)))
		ok(out);
	else
		error(out, "no such rule");
}

static void do_honest(char *args, FILE *out)
{
	(void)args;
	faults_honest();
	ok(out);
}

static bool parse_order(const char *value, enum release_order *order)
{
	if (!strcmp(value, "first"))
		*order = ORDER_FIRST;
	else if (!strcmp(value, "last"))
		*order = ORDER_LAST;
	else if (!strcmp(value, "random"))
		*order = ORDER_RANDOM;
	else
		return false;
	return true;
}

static bool parse_release(struct release *which, const char *name, const char *value)
{
	if (!strcmp(name, "op"))
		return fuse_op_number(value, &which->opcode);
	if (!strcmp(name, "order"))
		return parse_order(value, &which->order);
	if (!strcmp(name, "queue"))
		which->queue = strtol(value, NULL, 0);
	else if (!strcmp(name, "unique"))
		which->unique = strtoull(value, NULL, 0);
	else if (!strcmp(name, "count"))
		which->max = strtoul(value, NULL, 0);
	else
		return false;
	return true;
}

static void do_release(char *args, FILE *out)
{
	struct release which = { .queue = -1, .max = ~0U };
	char *word, *value, *save;

	for (word = strtok_r(args, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (!value || !parse_release(&which, word, value))
			return error(out, "bad word");
	}
	fprintf(out, "ok %u\n", park_release(&which));
}

static struct ring *which_ring(const char *args, FILE *out)
{
	char *end;
	struct ring *ring = ring_get(strtoul(args, &end, 10));

	if (ring && *args && !*end)
		return ring;
	error(out, "no such queue");
	return NULL;
}

static void do_stall(char *args, FILE *out)
{
	struct ring *ring = which_ring(args, out);

	if (!ring)
		return;
	ring_stall(ring, true);
	ok(out);
}

static void do_resume(char *args, FILE *out)
{
	struct ring *ring = which_ring(args, out);

	if (!ring)
		return;
	ring_stall(ring, false);
	ok(out);
}

static void do_interrupt(char *args, FILE *out)
{
	struct ring *ring = which_ring(args, out);

	if (!ring)
		return;
	ring_interrupt(ring);
	ok(out);
}

static bool parse_with(struct fuzz *fuzz, char *list)
{
	char *word, *save;

	fuzz->header = false;
	fuzz->payload = false;
	fuzz->timing = false;
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (!strcmp(word, "header"))
			fuzz->header = true;
		else if (!strcmp(word, "payload"))
			fuzz->payload = true;
		else if (!strcmp(word, "timing"))
			fuzz->timing = true;
		else if (!strcmp(word, "ring"))
			fuzz->ring = true;
		else
			return false;
	}
	return true;
}

static bool parse_fuzz(struct fuzz *fuzz, const char *name, char *value)
{
	if (!strcmp(name, "with"))
		return parse_with(fuzz, value);
	if (!strcmp(name, "seed"))
		fuzz->seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "share"))
		fuzz->share = strtoul(value, NULL, 0);
	else if (!strcmp(name, "count"))
		fuzz->left = strtoull(value, NULL, 0);
	else
		return false;
	return true;
}

static void do_fuzz(char *args, FILE *out)
{
	struct fuzz fuzz = {
		.on = true, .header = true, .payload = true, .timing = true,
		.share = 50, .left = ~0ULL,
	};
	char *word, *value, *save;

	if (!strcmp(args, "off")) {
		fuzz.on = false;
		*args = '\0';
	}
	for (word = strtok_r(args, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (!value || !parse_fuzz(&fuzz, word, value))
			return error(out, "bad word");
	}
	faults_fuzz(&fuzz);
	fprintf(out, "ok seed=%llu\n", (unsigned long long)fuzz.seed);
}

static void do_config_change(char *args, FILE *out)
{
	(void)args;
	if (vhost_config_changed())
		ok(out);
	else
		error(out, "the front end takes no such message");
}

static void do_disconnect(char *args, FILE *out)
{
	(void)args;
	vhost_disconnect();
	ok(out);
}

static void do_die(char *args, FILE *out)
{
	(void)args;
	(void)out;
	_exit(DIED);
}

static void do_quit(char *args, FILE *out)
{
	(void)args;
	(void)out;
	exit(0);
}

static void do_help(char *args, FILE *out);

static const struct command commands[] = {
	{ "help", true, do_help, "this list" },
	{ "counters", true, do_counters, "all counters, zeros left out where there are many" },
	{ "reset", false, do_reset, "set them to zero" },
	{ "balance", false, do_balance,
	  "what the guest still knows, has open and has locked; the root is not counted" },
	{ "inodes", true, do_inodes, "inodes that the guest knows, with lookup counts" },
	{ "parked", true, do_parked, "requests that wait, and what for" },
	{ "log", true, do_log, "[N]: the latest requests and lies" },
	{ "fault", false, do_fault,
	  "[op=NAME] [queue=N] [node=N] [nth=N] [count=N|all] ACTION[=VALUE]: add a rule" },
	{ "faults", true, do_faults, "the rules, with matches seen and applied" },
	{ "clear", false, do_clear, "[ID]: remove one rule or all" },
	{ "release", false, do_release,
	  "[op=NAME] [queue=N] [unique=N] [count=N] [order=first|last|random]: answer held ones" },
	{ "stall", false, do_stall, "QUEUE: take no more requests from it" },
	{ "resume", false, do_resume, "QUEUE: take requests from it again" },
	{ "interrupt", false, do_interrupt, "QUEUE: interrupt the guest for no reason" },
	{ "fuzz", false, do_fuzz,
	  "off | [seed=N] [share=PERCENT] [count=N] [with=header,payload,timing,ring]" },
	{ "honest", false, do_honest, "no rules, no fuzz, nothing stalled, nothing held" },
	{ "config-change", false, do_config_change, "send a configuration interrupt" },
	{ "disconnect", false, do_disconnect, "drop the front end's connection" },
	{ "die", false, do_die, "exit at once, without an answer" },
	{ "quit", false, do_quit, "exit in good order" },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void do_help(char *args, FILE *out)
{
	(void)args;
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "%s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "actions: delay=MS hold interrupt reorder[=N] shuffle[=N] die\n");
	fprintf(out, "  unique[=N] used[=N] len=N error=N error_payload=N silent cut[=N]\n");
	fprintf(out, "  grow[=N] hollow\n");
	fprintf(out, "  init_major=N init_minor=N init_flags=N init_flags2=N init_max_write=N\n");
	fprintf(out, "  init_max_pages=N (op=INIT)\n");
	fprintf(out, "  corrupt[=N] replay dir_cut dir_slash dir_nul dir_empty dir_overrun\n");
	fprintf(out, "  scribble[=MS] twice bogus[=ID] mute; a sign makes N relative\n");
}

static void run(char *line, FILE *out)
{
	char *args = line + strcspn(line, " ");

	if (*args)
		*args++ = '\0';
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(line, commands[i].name))
			continue;
		commands[i].run(args, out);
		if (commands[i].block)
			fprintf(out, ".\n");
		return;
	}
	error(out, "no such command, try help");
}

static void *serve_client(void *arg)
{
	FILE *in = arg;
	FILE *out = fdopen(dup(fileno(in)), "w");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while (out && (len = getline(&line, &room, in)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		run(line, out);
		if (fflush(out))
			break;
	}
	free(line);
	if (out)
		fclose(out);
	fclose(in);
	return NULL;
}

static void *serve(void *arg)
{
	int listen_fd = (intptr_t)arg;

	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
		pthread_t thread;

		if (!in || pthread_create(&thread, NULL, serve_client, in)) {
			perror("control socket");
			exit(1);
		}
		pthread_detach(thread);
	}
	return NULL;
}

/**
 * control_init() - serve tests on the control socket
 * @listen_fd: socket that they connect to, each served by a thread
 */
void control_init(int listen_fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)listen_fd)) {
		fprintf(stderr, "cannot start a thread\n");
		exit(1);
	}
	pthread_detach(thread);
}
