// SPDX-License-Identifier: GPL-2.0
/*
 * Lies in the bytes of a reply. None of them writes outside what the guest
 * has offered: the ring's rules are kept, only the contents are wrong.
 */
#include <linux/fuse.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "lies.h"
#include "random.h"

/* Larger payloads are file contents, which are not worth replaying. */
#define MAX_RECORDED 4096

/**
 * struct record - the latest honest reply to an opcode
 * @len: bytes of payload, 0 for none
 * @payload: the payload
 */
struct record {
	size_t len;
	uint8_t payload[MAX_RECORDED];
};

static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;
static struct record records[MAX_OPCODE];
static atomic_bool recording;

/**
 * lies_record() - remember replies for LIE_REPLAY, or no more
 * @on: which
 */
void lies_record(bool on)
{
	recording = on;
}

static struct fuse_out_header *header(struct request *req)
{
	return (struct fuse_out_header *)req->reply;
}

static size_t payload_len(const struct request *req)
{
	return req->reply_len - sizeof(struct fuse_out_header);
}

/* The reply's length, the header's and the used ring's all say the same. */
static void set_length(struct request *req, size_t payload)
{
	req->reply_len = sizeof(struct fuse_out_header) + payload;
	header(req)->len = req->reply_len;
	req->used = req->reply_len;
}

/**
 * lie_record_reply() - remember an honest reply, if anybody wants to replay it
 * @req: request
 */
void lie_record_reply(const struct request *req)
{
	struct record *record;

	if (!recording || !req->reply || req->in->opcode >= MAX_OPCODE ||
	    payload_len(req) > MAX_RECORDED)
		return;
	record = &records[req->in->opcode];
	pthread_mutex_lock(&record_lock);
	record->len = payload_len(req);
	memcpy(record->payload, req->reply + sizeof(struct fuse_out_header), record->len);
	pthread_mutex_unlock(&record_lock);
}

static bool resize(struct request *req, size_t payload)
{
	size_t all = sizeof(struct fuse_out_header) + payload;
	uint8_t *grown;

	if (all > req->chain.out_bytes)
		return false;
	if (all > req->reply_size) {
		grown = realloc(req->reply, all);
		if (!grown)
			return false;
		memset(grown + req->reply_size, 0xaa, all - req->reply_size);
		req->reply = grown;
		req->reply_size = all;
	}
	set_length(req, payload);
	return true;
}

static bool replay(struct request *req)
{
	struct record *record;
	bool told = false;

	if (req->in->opcode >= MAX_OPCODE)
		return false;
	record = &records[req->in->opcode];
	pthread_mutex_lock(&record_lock);
	if (record->len && resize(req, record->len)) {
		memcpy(req->reply + sizeof(struct fuse_out_header), record->payload, record->len);
		header(req)->error = 0;
		told = true;
	}
	pthread_mutex_unlock(&record_lock);
	return told;
}

static bool corrupt(struct request *req, int64_t bytes)
{
	size_t len = payload_len(req);
	uint8_t *payload = req->reply + sizeof(struct fuse_out_header);

	if (!len)
		return false;
	for (int64_t i = 0; i < 1 + bytes % 8; i++)
		payload[random_below(len)] ^= 1 + random_below(255);
	return true;
}

static size_t entry_size(bool plus, const struct fuse_dirent *dirent)
{
	size_t size = sizeof(*dirent) + dirent->namelen;

	return FUSE_DIRENT_ALIGN(size + (plus ? sizeof(struct fuse_entry_out) : 0));
}

/* The last entry of a directory reply, found by walking the honest ones. */
static struct fuse_dirent *last_entry(struct request *req)
{
	bool plus = req->in->opcode == FUSE_READDIRPLUS;
	uint8_t *p = req->reply + sizeof(struct fuse_out_header);
	uint8_t *end = req->reply + req->reply_len;
	size_t before = plus ? sizeof(struct fuse_entry_out) : 0;
	struct fuse_dirent *dirent = NULL;

	if (!plus && req->in->opcode != FUSE_READDIR)
		return NULL;
	while ((size_t)(end - p) >= before + sizeof(*dirent)) {
		struct fuse_dirent *d = (struct fuse_dirent *)(p + before);

		if (entry_size(plus, d) > (size_t)(end - p))
			break;
		dirent = d;
		p += entry_size(plus, d);
	}
	return dirent;
}

static bool lie_in_directory(struct request *req, enum lie_kind kind)
{
	struct fuse_dirent *last = last_entry(req);

	if (!last || !last->namelen)
		return false;
	switch (kind) {
	case LIE_DIR_CUT:
		set_length(req, (uint8_t *)last->name + 1 - req->reply -
			   sizeof(struct fuse_out_header));
		break;
	case LIE_DIR_SLASH:
		last->name[last->namelen / 2] = '/';
		break;
	case LIE_DIR_NUL:
		last->name[last->namelen / 2] = '\0';
		break;
	case LIE_DIR_EMPTY:
		last->namelen = 0;
		break;
	default:
		last->namelen = 4000;
	}
	return true;
}

/* Nothing behind the header reaches the guest, whatever header and used ring say. */
static bool hollow(struct request *req)
{
	if (!payload_len(req))
		return false;
	req->reply_len = sizeof(struct fuse_out_header);
	return true;
}

static int64_t change(int64_t honest, const struct lie *lie)
{
	return lie->relative ? honest + lie->value : lie->value;
}

static const struct {
	size_t offset;
	size_t size;
} init_fields[] = {
	[LIE_INIT_MAJOR] = { offsetof(struct fuse_init_out, major), 4 },
	[LIE_INIT_MINOR] = { offsetof(struct fuse_init_out, minor), 4 },
	[LIE_INIT_FLAGS] = { offsetof(struct fuse_init_out, flags), 4 },
	[LIE_INIT_FLAGS2] = { offsetof(struct fuse_init_out, flags2), 4 },
	[LIE_INIT_MAX_WRITE] = { offsetof(struct fuse_init_out, max_write), 4 },
	[LIE_INIT_MAX_PAGES] = { offsetof(struct fuse_init_out, max_pages), 2 },
};

static bool lie_in_init(struct request *req, const struct lie *lie)
{
	size_t at = sizeof(struct fuse_out_header) + init_fields[lie->kind].offset;

	if (req->in->opcode != FUSE_INIT ||
	    req->reply_len < sizeof(struct fuse_out_header) + sizeof(struct fuse_init_out))
		return false;
	memcpy(req->reply + at, &lie->value, init_fields[lie->kind].size);
	return true;
}

static bool cut(struct request *req, const struct lie *lie)
{
	int64_t len = lie->given ? change(payload_len(req), lie) : (int64_t)payload_len(req) / 2;

	if (!payload_len(req) || len < 0 || len >= (int64_t)payload_len(req))
		return false;
	set_length(req, len);
	return true;
}

/**
 * lie_in_reply() - tell one lie in a reply
 * @req: request, whose reply is about to be written
 * @lie: the lie
 *
 * Return: false if this reply can't carry it.
 */
bool lie_in_reply(struct request *req, const struct lie *lie)
{
	if (lie->kind == LIE_USED) {
		req->used = lie->given ? change(req->used, lie) : 0;
		return true;
	}
	if (!req->reply || !req->reply_len)
		return false;
	switch (lie->kind) {
	case LIE_UNIQUE:
		header(req)->unique = lie->given ? (uint64_t)change(header(req)->unique, lie) :
						   header(req)->unique ^ 0x100;
		return true;
	case LIE_LEN:
		header(req)->len = change(header(req)->len, lie);
		return true;
	case LIE_ERROR:
	case LIE_ERROR_PAYLOAD:
		header(req)->error = lie->value;
		return true;
	case LIE_SILENT:
		req->reply_len = 0;
		req->used = 0;
		return true;
	case LIE_CUT:
		return cut(req, lie);
	case LIE_GROW:
		return resize(req, payload_len(req) + (lie->given ? lie->value : 8));
	case LIE_CORRUPT:
		return corrupt(req, lie->value);
	case LIE_HOLLOW:
		return hollow(req);
	case LIE_REPLAY:
		return replay(req);
	case LIE_INIT_MAJOR ... LIE_INIT_MAX_PAGES:
		return lie_in_init(req, lie);
	default:
		return lie_in_directory(req, lie->kind);
	}
}
