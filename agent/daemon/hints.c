/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/hints.h"

#define SETTLES_MOST 10 /* as often as that, for what keeps changing */
#define SLOTS_MIN 64

struct hint {
	uint64_t first_ms, last_ms; /* heard of */
	struct hint *next;	    /* among those that are taken */
	size_t len;
	enum hint_kind kind;
	char path[];
};

struct hints {
	struct hint **slots; /* a power of two of them; open addressing */
	size_t slots_n;
	size_t n, bytes;
	size_t max, max_bytes;
	uint64_t settle_ms;
	uint64_t due_ms;    /* none has settled before that */
	struct hint *taken; /* by the run that goes on */
	bool idle;
	bool all; /* of the source; nothing else is kept then */
	uint64_t all_ms;
	bool all_taken;
};

/* FNV-1a, 64 bits */
static size_t
hash(const char *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325U;

	while (len-- > 0)
		h = (h ^ (unsigned char)*p++) * 0x100000001b3U;
	return (size_t)(h ^ h >> 32);
}

struct hints *
hints_new(size_t max, size_t max_bytes, struct err *e)
{
	struct hints *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->slots = calloc(SLOTS_MIN, sizeof(struct hint *));
	if (h == NULL || h->slots == NULL) {
		free(h);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	h->slots_n = SLOTS_MIN;
	h->max = max;
	h->max_bytes = max_bytes;
	h->due_ms = HINTS_NEVER;
	return h;
}

static void
drop_taken(struct hints *h)
{
	while (h->taken != NULL) {
		struct hint *next = h->taken->next;

		free(h->taken);
		h->taken = next;
	}
	h->all_taken = false;
}

static void
drop_all(struct hints *h)
{
	size_t i;

	for (i = 0; i < h->slots_n; i++) {
		free(h->slots[i]);
		h->slots[i] = NULL;
	}
	h->n = h->bytes = 0;
}

void
hints_free(struct hints *h)
{
	if (h == NULL)
		return;
	drop_taken(h);
	drop_all(h);
	free(h->slots);
	free(h);
}

void
hints_set_settle(struct hints *h, uint64_t settle_ms)
{
	h->settle_ms = settle_ms;
	h->due_ms = 0;
}

/* The slot of PATH, or the free one that it would get. */
static size_t
slot_of(const struct hints *h, const char *path, size_t len)
{
	size_t i = hash(path, len) & (h->slots_n - 1);

	while (h->slots[i] != NULL &&
	    (h->slots[i]->len != len ||
		memcmp(h->slots[i]->path, path, len) != 0))
		i = (i + 1) & (h->slots_n - 1);
	return i;
}

/* Another N slots; what is there moves.  False: out of memory. */
static bool
resize(struct hints *h, size_t n)
{
	struct hint **old = h->slots;
	struct hint **slots = calloc(n, sizeof(struct hint *));
	size_t i, old_n = h->slots_n;

	if (slots == NULL)
		return false;
	h->slots = slots;
	h->slots_n = n;
	for (i = 0; i < old_n; i++)
		if (old[i] != NULL)
			slots[slot_of(h, old[i]->path, old[i]->len)] = old[i];
	free(old);
	return true;
}

static uint64_t
settled_ms(const struct hints *h, const struct hint *at)
{
	uint64_t quiet = at->last_ms + h->settle_ms;
	uint64_t most = at->first_ms + SETTLES_MOST * h->settle_ms;

	return quiet < most && at->kind != HINT_CREATED ? quiet : most;
}

static void
all(struct hints *h, uint64_t now_ms)
{
	drop_all(h);
	if (!h->all)
		h->all_ms = now_ms;
	h->all = true;
}

/* The one that stands for PATH already, or for a directory above it. */
static struct hint *
covering(const struct hints *h, const char *path, size_t len)
{
	struct hint *at = h->slots[slot_of(h, path, len)];
	size_t i;

	if (at != NULL)
		return at;
	for (i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		at = h->slots[slot_of(h, path, i)];
		if (at != NULL && at->kind == HINT_TREE)
			return at;
	}
	return NULL;
}

/* HEARD, once more, of a path of LEN bytes that AT stands for. */
static void
again(struct hint *at, size_t len, const struct hint *heard)
{
	if (heard->kind == HINT_CREATED)
		return;
	if (at->kind == HINT_CREATED ||
	    (at->len == len && heard->kind == HINT_TREE))
		at->kind = heard->kind;
	if (at->first_ms > heard->first_ms)
		at->first_ms = heard->first_ms;
	if (at->last_ms < heard->last_ms)
		at->last_ms = heard->last_ms;
}

static void
put(struct hints *h, const char *path, size_t len, const struct hint *heard)
{
	struct hint *at = covering(h, path, len);

	if (at != NULL) {
		again(at, len, heard);
		return;
	}
	at = malloc(sizeof(*at) + len);
	if (at == NULL ||
	    ((h->n + 1) * 2 > h->slots_n && !resize(h, h->slots_n * 2))) {
		free(at);
		all(h, heard->last_ms);
		return;
	}
	*at = *heard;
	at->len = len;
	memcpy(at->path, path, len);
	h->slots[slot_of(h, path, len)] = at;
	h->n++;
	h->bytes += len;
}

static size_t
depth_of(const struct hint *at)
{
	size_t i, depth = 1;

	for (i = 0; i < at->len; i++)
		depth += at->path[i] == '/';
	return depth;
}

/* Takes those that are DEPTH names deep out, or (0) all: a list. */
static struct hint *
take_out(struct hints *h, size_t depth)
{
	struct hint *list = NULL;
	size_t i;

	for (i = 0; i < h->slots_n; i++) {
		struct hint *at = h->slots[i];

		if (at == NULL || (depth != 0 && depth_of(at) != depth))
			continue;
		at->next = list;
		list = at;
		h->slots[i] = NULL;
		h->n--;
		h->bytes -= at->len;
	}
	/* The others are found from where they belong again. */
	if (list != NULL && h->n > 0 && !resize(h, h->slots_n))
		all(h, list->last_ms);
	return list;
}

static size_t
deepest(const struct hints *h)
{
	size_t i, most = 0;

	for (i = 0; i < h->slots_n; i++) {
		size_t depth = h->slots[i] != NULL ? depth_of(h->slots[i]) : 0;

		if (depth > most)
			most = depth;
	}
	return most;
}

/* Half of the room is to be free: so it isn't done for each one that comes. */
static void
collapse(struct hints *h, uint64_t now_ms)
{
	while (!h->all && (h->n > h->max / 2 || h->bytes > h->max_bytes / 2)) {
		size_t depth = deepest(h);
		struct hint *list = depth > 1 ? take_out(h, depth) : NULL;

		if (list == NULL)
			all(h, now_ms);
		while (list != NULL) {
			struct hint *next = list->next;
			const char *slash = memrchr(list->path, '/', list->len);

			list->kind = HINT_TREE;
			if (!h->all)
				put(h, list->path, (size_t)(slash - list->path),
				    list);
			free(list);
			list = next;
		}
	}
}

void
hints_add(struct hints *h, const char *path, size_t len, enum hint_kind kind,
    uint64_t now_ms)
{
	struct hint heard = {
	    .kind = kind,
	    .first_ms = now_ms,
	    .last_ms = now_ms,
	};
	uint64_t at = settled_ms(h, &heard);

	h->idle = false;
	if (h->due_ms > at)
		h->due_ms = at;
	if (len == 0 && kind == HINT_TREE)
		all(h, now_ms);
	if (h->all)
		return;
	put(h, path, len, &heard);
	if (h->n > h->max || h->bytes > h->max_bytes)
		collapse(h, now_ms);
}

size_t
hints_count(const struct hints *h)
{
	return h->all ? 1 : h->n;
}

uint64_t
hints_due(struct hints *h, uint64_t now_ms)
{
	size_t i;

	if (h->idle || (!h->all && h->n == 0))
		return HINTS_NEVER;
	if (h->all)
		return h->all_ms + h->settle_ms;
	if (now_ms < h->due_ms)
		return h->due_ms;
	/* The first may have changed again since. */
	h->due_ms = HINTS_NEVER;
	for (i = 0; i < h->slots_n; i++) {
		const struct hint *at = h->slots[i];
		uint64_t due = at != NULL ? settled_ms(h, at) : HINTS_NEVER;

		if (due < h->due_ms)
			h->due_ms = due;
	}
	return h->due_ms;
}

void
hints_take_all(struct hints *h)
{
	drop_taken(h);
	drop_all(h);
	h->all = false;
	h->all_taken = true;
}

static void
write_out(const struct hint *at, struct buf *out)
{
	if (at->len == 0)
		buf_addc(out, '.');
	buf_add(out, at->path, at->len);
	if (at->kind == HINT_ALONE)
		buf_adds(out, "/.");
	buf_addc(out, '\0');
}

bool
hints_take(struct hints *h, uint64_t now_ms, struct buf *out)
{
	struct hint *list = h->all ? NULL : take_out(h, 0);

	drop_taken(h);
	while (list != NULL && !h->all) {
		struct hint *next = list->next;

		if (settled_ms(h, list) <= now_ms) {
			write_out(list, out);
			list->next = h->taken;
			h->taken = list;
		} else {
			put(h, list->path, list->len, list);
			free(list);
		}
		list = next;
	}
	if (!h->all && !buf_failed(out))
		return true;
	while (list != NULL) {
		struct hint *next = list->next;

		free(list);
		list = next;
	}
	hints_take_all(h);
	buf_reset(out);
	return false;
}

void
hints_done(struct hints *h)
{
	drop_taken(h);
}

void
hints_return(struct hints *h, bool idle)
{
	bool heard = h->all || h->n > 0;
	struct hint *list = h->taken;

	h->taken = NULL;
	if (h->all_taken) {
		h->all_taken = false;
		all(h, 0);
	}
	while (list != NULL) {
		struct hint *next = list->next;

		if (!h->all)
			put(h, list->path, list->len, list);
		free(list);
		list = next;
	}
	if (!h->all && (h->n > h->max || h->bytes > h->max_bytes))
		collapse(h, 0);
	h->due_ms = 0;
	h->idle = idle && !heard;
}

void
hints_rest(struct hints *h)
{
	h->idle = true;
}
