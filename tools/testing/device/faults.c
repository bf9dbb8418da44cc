// SPDX-License-Identifier: GPL-2.0
/*
 * Fault rules. A rule is a line of words: what it matches, and one action.
 *
 *   [op=NAME] [queue=N] [node=N] [nth=N] [count=N|all] ACTION[=VALUE]
 *
 * It begins with the nth match (1 unless told) and ends after count matches
 * (1 unless told). A rule without op= never applies to INIT, nor to opcodes
 * without a reply: a test that means those names them. Several rules may
 * match one request, each adds its action.
 */
#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "faults.h"
#include "fuse.h"
#include "lies.h"
#include "log.h"
#include "park.h"
#include "random.h"
#include "request.h"

#define MAX_RULES 64
#define COUNT_ALL (~0ULL)

/**
 * struct rule - one rule
 * @id: its number, 0 for an empty place
 * @opcode: that it matches, 0 for any
 * @queue: that it matches, -1 for any
 * @node: that it matches, 0 for any
 * @nth: first match to apply to
 * @count: how many matches to apply to
 * @seen: matches so far
 * @hits: times applied
 * @text: as the test has written it
 * @plan: the action
 */
struct rule {
	unsigned int id;
	unsigned int opcode;
	int queue;
	uint64_t node;
	uint64_t nth;
	uint64_t count;
	uint64_t seen;
	uint64_t hits;
	char text[128];
	struct plan plan;
};

/* Protects the rules and the fuzzing; nothing is called with it held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule rules[MAX_RULES];
static unsigned int last_id;
static struct fuzz fuzz;

/* No rule and no fuzzing: the common case costs one load. */
static atomic_bool active;

static bool parse_number(const char *text, struct lie *lie)
{
	char *end;

	lie->given = true;
	lie->relative = *text == '+' || *text == '-';
	lie->value = lie->relative ? strtoll(text, &end, 0) : (int64_t)strtoull(text, &end, 0);
	return *text && !*end;
}

static bool parse_action(struct rule *rule, const char *name, const char *value)
{
	struct plan *plan = &rule->plan;
	struct lie lie = { 0 };

	if (value && !parse_number(value, &lie))
		return false;
	if (!strcmp(name, "delay")) {
		plan->when = WHEN_DELAYED;
		plan->delay_ms = lie.value;
		return value;
	}
	if (!strcmp(name, "reorder") || !strcmp(name, "shuffle")) {
		plan->when = WHEN_GATHERED;
		plan->gather = value ? lie.value : 4;
		plan->order = *name == 'r' ? ORDER_LAST : ORDER_RANDOM;
		plan->rule = rule->id;
		return true;
	}
	if (!value && !strcmp(name, "hold"))
		plan->when = WHEN_HELD;
	else if (!value && !strcmp(name, "interrupt"))
		plan->when = WHEN_INTERRUPTED;
	else if (!value && !strcmp(name, "die"))
		plan->die = true;
	else if (lies_kind(name, &lie.kind))
		plan->lie[plan->nr_lies++] = lie;
	else
		return false;
	plan->fail = plan->nr_lies && lie.kind == LIE_ERROR;
	if (plan->fail && !value)
		return false;
	if (plan->nr_lies && lie.kind == LIE_REPLAY)
		lies_record(true);
	return true;
}

static bool parse_match(struct rule *rule, const char *name, const char *value)
{
	struct lie number;

	if (!strcmp(name, "op"))
		return fuse_op_number(value, &rule->opcode);
	if (!strcmp(name, "count") && !strcmp(value, "all")) {
		rule->count = COUNT_ALL;
		return true;
	}
	if (!parse_number(value, &number) || number.value < 0)
		return false;
	if (!strcmp(name, "queue"))
		rule->queue = number.value;
	else if (!strcmp(name, "node"))
		rule->node = number.value;
	else if (!strcmp(name, "nth"))
		rule->nth = number.value;
	else if (!strcmp(name, "count"))
		rule->count = number.value;
	else
		return false;
	return true;
}

static bool is_match_word(const char *name)
{
	static const char *const words[] = { "op", "queue", "node", "nth", "count" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(name, words[i]))
			return true;
	}
	return false;
}

static const char *parse(struct rule *rule, char *text)
{
	bool have_action = false;
	char *word, *value, *save;

	for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		if (is_match_word(word)) {
			if (!value || !parse_match(rule, word, value))
				return "bad match";
		} else if (have_action) {
			return "one action a rule";
		} else if (parse_action(rule, word, value)) {
			have_action = true;
		} else {
			return "bad action";
		}
	}
	return have_action ? NULL : "no action";
}

static void update_active(void)
{
	bool any = fuzz.on;

	for (int i = 0; i < MAX_RULES; i++)
		any |= rules[i].id;
	active = any;
}

/**
 * faults_add() - add a rule
 * @text: the rule's words; taken apart
 * @error: why there is no such rule
 *
 * Return: the rule's number, or 0.
 */
int faults_add(char *text, const char **error)
{
	struct rule rule = { .queue = -1, .nth = 1, .count = 1 };
	int i;

	snprintf(rule.text, sizeof(rule.text), "%s", text);
	pthread_mutex_lock(&lock);
	rule.id = ++last_id;
	*error = parse(&rule, text);
	for (i = 0; i < MAX_RULES && rules[i].id; i++)
		;
	if (!*error && i == MAX_RULES)
		*error = "too many rules";
	if (!*error) {
		rules[i] = rule;
		update_active();
	}
	pthread_mutex_unlock(&lock);
	return *error ? 0 : rule.id;
}

/**
 * faults_clear() - remove rules
 * @id: which one, 0 for all
 *
 * Return: true if there was such a rule.
 */
bool faults_clear(unsigned int id)
{
	bool found = !id;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_RULES; i++) {
		if (id && rules[i].id != id)
			continue;
		rules[i].id = 0;
		found = true;
	}
	update_active();
	pthread_mutex_unlock(&lock);
	return found;
}

/**
 * faults_print() - print the rules and how often they were applied
 * @out: where to
 */
void faults_print(FILE *out)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_RULES; i++) {
		struct rule *r = &rules[i];

		if (r->id)
			fprintf(out, "%u seen=%llu hits=%llu %s\n", r->id,
				(unsigned long long)r->seen, (unsigned long long)r->hits, r->text);
	}
	if (fuzz.on)
		fprintf(out, "fuzz seed=%llu share=%u left=%llu\n",
			(unsigned long long)fuzz.seed, fuzz.share, (unsigned long long)fuzz.left);
	pthread_mutex_unlock(&lock);
}

/**
 * faults_fuzz() - begin or end random faults
 * @how: which ones and how many
 */
void faults_fuzz(const struct fuzz *how)
{
	pthread_mutex_lock(&lock);
	fuzz = *how;
	if (fuzz.on) {
		random_seed(fuzz.seed);
		fprintf(stderr, "fuzz seed=%llu share=%u\n", (unsigned long long)fuzz.seed,
			fuzz.share);
	}
	update_active();
	pthread_mutex_unlock(&lock);
	if (how->on && how->payload)
		lies_record(true);
}

/**
 * faults_honest() - from here on tell the truth, and answer what waits
 */
void faults_honest(void)
{
	struct fuzz off = { 0 };

	faults_fuzz(&off);
	faults_clear(0);
	lies_record(false);
	park_release_all();
	for (unsigned int i = 0; i <= options.queues; i++)
		ring_stall(ring_get(i), false);
}

static bool matches(struct rule *rule, const struct request *req)
{
	if (!rule->id)
		return false;
	if (rule->opcode ? rule->opcode != req->in->opcode :
			   !req->replies || req->in->opcode == FUSE_INIT)
		return false;
	if (rule->queue >= 0 && (unsigned int)rule->queue != req->ring->index)
		return false;
	if (rule->node && rule->node != req->in->nodeid)
		return false;
	if (++rule->seen < rule->nth || rule->hits >= rule->count)
		return false;
	rule->hits++;
	return true;
}

static void merge(struct plan *plan, const struct plan *more)
{
	if (more->when != WHEN_NOW) {
		plan->when = more->when;
		plan->delay_ms = more->delay_ms;
		plan->gather = more->gather;
		plan->order = more->order;
		plan->rule = more->rule;
	}
	plan->die |= more->die;
	plan->fail |= more->fail;
	for (unsigned int i = 0; i < more->nr_lies && plan->nr_lies < MAX_LIES; i++)
		plan->lie[plan->nr_lies++] = more->lie[i];
}

/* After a lie about what the root is a guest has no more to do with the device. */
static bool fuzz_spares(const struct fuse_in_header *in)
{
	return in->opcode == FUSE_INIT || in->opcode == FUSE_DESTROY ||
	       (in->opcode == FUSE_GETATTR && in->nodeid == FUSE_ROOT_ID);
}

static bool fuzz_applies(const struct request *req)
{
	return fuzz.on && fuzz.left && req->replies && !fuzz_spares(req->in) &&
	       random_below(100) < fuzz.share;
}

static void fuzz_timing(struct plan *plan)
{
	if (random_next() & 1) {
		plan->when = WHEN_DELAYED;
		plan->delay_ms = random_below(20);
	} else {
		plan->when = WHEN_GATHERED;
		plan->gather = 2 + random_below(6);
		plan->order = ORDER_RANDOM;
	}
}

static bool fuzz_lies(void)
{
	return fuzz.header || fuzz.payload || fuzz.ring;
}

static void add_fuzz(struct plan *plan, const struct request *req)
{
	struct lie lie;

	if (!fuzz_applies(req))
		return;
	fuzz.left--;
	/* Among lies that are to be believed most replies have to come at once. */
	if (fuzz.timing && (!fuzz_lies() || !random_below(8)))
		fuzz_timing(plan);
	if (!lies_random(&fuzz, req, &lie) || plan->nr_lies == MAX_LIES)
		return;
	plan->fail |= lie.kind == LIE_ERROR;
	plan->lie[plan->nr_lies++] = lie;
}

/**
 * faults_plan() - decide what happens to a request
 * @req: request, just arrived
 */
void faults_plan(struct request *req)
{
	if (!active)
		return;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < MAX_RULES; i++) {
		if (matches(&rules[i], req))
			merge(&req->plan, &rules[i].plan);
	}
	add_fuzz(&req->plan, req);
	pthread_mutex_unlock(&lock);
}
