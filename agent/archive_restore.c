/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/archive_restore.h"
#include "agent/events/cloudevent.h"
#include "agent/place.h"
#include "base/clock.h"
#include "base/jdoc.h"
#include "base/scratch.h"

#define HOUR_MS 3600000
#define HOUR_CHARS 14	      /* "2026/11/23/08/" */
#define KEYS_MAX (64 << 20)   /* of a listing */
#define OBJECT_MAX (64 << 20) /* ARCHIVE_BYTES and an event are far less */
#define TYPE_PREFIX "dray."
#define TYPE_SUFFIX ".v1"

/* An archive that is being listed. */
struct search {
	const struct archive_restore *r;
	const char *uuid;
	struct buf keys; /* each with a NUL behind */
};

static void
auto_search(struct search *s)
{
	buf_free(&s->keys);
}

/* Whether an object, by its key, may have events of that time. */
static bool
is_of_time(const struct archive_restore *r, const char *key)
{
	char text[] = "0000-00-00T00:00:00Z";
	int64_t ns;

	memcpy(text, key, 4);
	memcpy(text + 5, key + 5, 2);
	memcpy(text + 8, key + 8, 2);
	memcpy(text + 11, key + 11, 2);
	return clock_parse_iso8601(text, &ns) && ns / 1000000 < r->to_ms &&
	    ns / 1000000 + HOUR_MS > r->from_ms;
}

/* "YYYY/MM/DD/HH/UUID-FIRST-LAST.jsonl" */
static int
note_key(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct search *s = arg;
	size_t uuid_len = strlen(s->uuid);

	if (atomic_load(s->r->stop))
		return err_set(e, ERR_STOPPED, "interrupted");
	if (entry->st.type != ITEM_FILE ||
	    entry->key_len <= HOUR_CHARS + uuid_len ||
	    memcmp(entry->key + HOUR_CHARS, s->uuid, uuid_len) != 0 ||
	    entry->key[HOUR_CHARS + uuid_len] != '-' ||
	    !is_of_time(s->r, entry->key))
		return 0;
	buf_add(&s->keys, entry->key, entry->key_len);
	buf_addc(&s->keys, '\0');
	return buf_failed(&s->keys)
	    ? err_set(e, ERR_NOMEM, "too many objects: say a shorter time")
	    : 0;
}

static const char *
text_at(const struct jdoc_node *event, const char *pointer)
{
	const struct jdoc_node *n = jdoc_at(event, pointer);

	return n != NULL && n->type == JDOC_STRING ? n->text : "";
}

/* "2026-11-23T05:00:00.123Z", or "2026-11-23T05:00:00Z" at a whole second. */
static bool
parse_time(const char *text, int64_t *ms)
{
	char whole[] = "0000-00-00T00:00:00Z";
	size_t n = strlen(text);
	unsigned long behind = 0;
	int64_t ns;

	if (n == 24 && text[19] == '.' && text[23] == 'Z' &&
	    strspn(text + 20, "0123456789") == 3)
		behind = strtoul(text + 20, NULL, 10);
	else if (n != 20 || text[19] != 'Z')
		return false;
	memcpy(whole, text, 19);
	if (!clock_parse_iso8601(whole, &ns))
		return false;
	*ms = ns / 1000000 + (int64_t)behind;
	return true;
}

/* The kind of event without what all of them have; "" if it is none. */
static void
copy_type(const char *type, char *out, size_t size)
{
	size_t n = strlen(type), before = strlen(TYPE_PREFIX);
	size_t around = before + strlen(TYPE_SUFFIX);

	out[0] = '\0';
	if (n <= around || n - around >= size ||
	    strncmp(type, TYPE_PREFIX, before) != 0 ||
	    strcmp(type + n - strlen(TYPE_SUFFIX), TYPE_SUFFIX) != 0)
		return;
	memcpy(out, type + before, n - around);
	out[n - around] = '\0';
}

/* One line: 1 if it wasn't there, 0, -1. */
static int
restore_event(const struct archive_restore *r, struct ledger *l,
    const char *line, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, e);
	const struct jdoc_node *root, *run;
	struct ledger_event ev = {.body = line};
	char type[64];
	int64_t ms = 0;

	if (doc == NULL)
		return -1;
	root = jdoc_root(doc);
	run = jdoc_at(root, "/data/run");
	ev.seq = cloudevent_seq(text_at(root, "/id"));
	ev.key = text_at(root, "/partitionkey");
	ev.type = type;
	copy_type(text_at(root, "/type"), type, sizeof(type));
	if (ev.seq == 0 || ev.key[0] == '\0' || type[0] == '\0' ||
	    (run != NULL && run->type != JDOC_NUMBER) ||
	    !jdoc_is(jdoc_at(root, "/source"), r->source) ||
	    !parse_time(text_at(root, "/time"), &ms))
		return err_set(e, ERR_PROTOCOL, "not an event of this task");
	if (ms < r->from_ms || ms >= r->to_ms)
		return 0;
	ev.time_ns = ms * 1000000;
	/* A task may be held before its first run. */
	ev.run_id = run != NULL ? strtoull(run->text, NULL, 10) : 0;
	ev.ends_run = strcmp(type, "run.completed") == 0 ||
	    strcmp(type, "run.failed") == 0;
	return ledger_event_restore(l, &ev, e);
}

/* TEXT, whose lines end in NULs here. */
static int
restore_lines(const struct archive_restore *r, struct ledger *l, char *text,
    size_t size, uint64_t *n, struct err *e)
{
	unsigned line = 1;
	char *end, *p;

	for (p = text; p < text + size; p = end + 1, line++) {
		int rc;

		end = memchr(p, '\n', (size_t)(text + size - p));
		if (end == NULL)
			return err_set(
			    e, ERR_PROTOCOL, "line %u: it is cut off", line);
		*end = '\0';
		rc = restore_event(r, l, p, (size_t)(end - p), e);
		if (rc == -1)
			return err_context(e, "line %u", line);
		*n += rc == 1;
	}
	return ledger_commit(l, e);
}

static int
restore_object(const struct archive_restore *r, struct ledger *l,
    const char *key, uint64_t *n, struct err *e)
{
	AUTO(close) int fd = scratch_open(e);
	AUTO(free) char *text = NULL;
	struct stat st;
	size_t size;

	if (atomic_load(r->stop))
		return err_set(e, ERR_STOPPED, "interrupted");
	if (fd == -1 || place_get(r->where, key, fd, r->o, r->stop, e) == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		return err_sys(e, "temporary file");
	if (st.st_size > OBJECT_MAX)
		return err_set(e, ERR_PROTOCOL, "too long for an archive's");
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	if (text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (pread(fd, text, size, 0) != (ssize_t)size)
		return err_sys(e, "temporary file");
	return restore_lines(r, l, text, size, n, e);
}

int
archive_restore(const struct archive_restore *r, struct ledger *l, uint64_t *n,
    struct err *e)
{
	AUTO(search)
	struct search s = {.r = r,
	    .uuid = strrchr(r->source, ':') + 1,
	    .keys = BUF_INIT(KEYS_MAX)};
	size_t at;

	*n = 0;
	if (place_list(r->where, r->o, r->stop, note_key, &s, e) == -1)
		return err_context(e, "--from-archive");
	for (at = 0; at < s.keys.len; at += strlen(s.keys.data + at) + 1)
		if (restore_object(r, l, s.keys.data + at, n, e) == -1) {
			ledger_rollback(l);
			ledger_accept(l);
			return err_context(
			    e, "--from-archive: %s", s.keys.data + at);
		}
	return 0;
}
