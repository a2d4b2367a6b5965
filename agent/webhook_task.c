/* SPDX-License-Identifier: ISC */
/* The task whose events are told: its name, its numbers, what is kept. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/retain.h"
#include "agent/webhook_in.h"
#include "base/text.h"
#include "verify/digest.h"

int
webhook_digest(const char *text, uint8_t out[16], struct err *e)
{
	AUTO(digester) struct digester *d = digester_new(e);
	struct digest digest;

	if (d == NULL)
		return -1;
	digester_start(d, DIGEST_XXH3);
	digester_update(d, text, strlen(text));
	digester_finish(d, &digest);
	memcpy(out, digest.xxh3, 16);
	return 0;
}

/* A UUID (RFC 9562, version 8) that the same task on the same machine always
 * gets: also when the ledger was lost. */
static int
name_source(struct webhook *w, const struct webhook_task *t, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);
	uint8_t b[16];
	char hex[33];

	buf_addf(&text, "%s\n%s", t->owner, t->name);
	if (webhook_digest(buf_str(&text), b, e) == -1)
		return -1;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x80);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	text_hex(b, sizeof(b), hex);
	snprintf(w->source, sizeof(w->source),
	    "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	    hex + 16, hex + 20);
	return 0;
}

int
webhook_describe(struct webhook *w, const struct webhook_task *t, struct err *e)
{
	static const char *const kinds[] = {
	    [STORE_POSIX] = "posix",
	    [STORE_S3] = "s3",
	    [STORE_BUNDLE] = "bundle",
	    [STORE_ARCHIVE] = "archive",
	    [STORE_SFTP] = "sftp",
	    [STORE_NFS] = "nfs",
	};

	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);

	buf_addf(&dir, "%s/%s", t->state_dir, t->name);
	w->dir = buf_take(&dir);
	w->state_dir = t->state_dir;
	w->task = strdup(t->name);
	if (t->target->scheme != STORE_POSIX)
		w->target_url = store_url_uri(t->target);
	if (w->dir == NULL || w->task == NULL ||
	    (w->target_url == NULL && t->target->scheme != STORE_POSIX))
		return err_set(e, ERR_NOMEM, "out of memory");
	w->events = (struct engine_events){
	    .source = w->source,
	    .task = w->task,
	    .target_kind = kinds[t->target->scheme],
	    .target_url = w->target_url,
	};
	return name_source(w, t, e);
}

/* The event after which a subscription that is new begins. */
static int
find_start(struct ledger *l, const struct subscription_start *how,
    uint64_t *start, struct err *e)
{
	uint64_t first = 1, next;

	if (how->with == START_SEQ)
		first = how->seq;
	if ((how->with == START_TIME &&
		ledger_event_since(l, how->time_ms * 1000000, &first, e) ==
		    -1) ||
	    ledger_event_next(l, &next, e) == -1)
		return -1;
	/* What isn't there yet begins with what comes next. */
	*start = how->with == START_NOW || first > next ? next : first - 1;
	return 0;
}

/* The event after which this subscription begins, for ever: outboxes find it
 * there. */
static int
set_start(struct ledger *l, const char *name,
    const struct subscription_start *how, uint64_t *start, struct err *e)
{
	char key[SUBSCRIPTION_NAME_MAX + 20], text[32];
	int rc;

	snprintf(key, sizeof(key), "subscribed %s", name);
	rc = ledger_meta_get(l, key, text, sizeof(text), e);
	*start = rc == 1 ? strtoull(text, NULL, 10) : 0;
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (find_start(l, how, start, e) == -1)
		return -1;
	snprintf(text, sizeof(text), "%" PRIu64, *start);
	return ledger_meta_set(l, key, text, e);
}

static int
find_newest(const struct webhook *w, bool write, uint64_t *seq, struct err *e)
{
	AUTO(outbox) struct outbox *box = outbox_open_soon(w->dir, write, e);

	return box != NULL ? outbox_newest(box, seq, e) : -1;
}

/* Behind what was told before a ledger was lost, by whatever clock: what comes
 * earlier would be taken for told. */
static int
number_on(const struct webhook *w, struct ledger *l, struct err *e)
{
	struct err why = ERR_INIT;
	uint64_t newest;
	int rc = find_newest(w, false, &newest, &why);

	/* What a crash left undone only a writer can do. */
	if (rc == -1 && why.kind == ERR_SYS)
		rc = find_newest(w, true, &newest, &why);
	if (rc == 0)
		return ledger_event_after(l, newest, e);
	/* Where none were told, or of a file that is no use any more, whoever
	 * needs it tells what is wrong with it. */
	if (why.kind == ERR_NOTFOUND || why.kind == ERR_MISMATCH)
		return 0;
	rc = ledger_event_any(l, e);
	if (rc != 0)
		return rc == 1 ? 0 : -1; /* it has numbers of its own */
	*e = why;
	return err_context(e,
	    "the ledger is new, and what was told before it is not known: try "
	    "again later");
}

/* Those that are sent something, then the others. */
static const struct subscription *
at(const struct webhook *w, size_t i)
{
	return i < w->n ? w->subscriptions[i] : w->disabled[i - w->n];
}

/* Also of one that is sent nothing now. */
int
webhook_set_starts(struct webhook *w, struct ledger *l, struct err *e)
{
	const struct subscription_start now = {.with = START_NOW};
	uint64_t start;
	size_t i;

	if (number_on(w, l, e) == -1 ||
	    ledger_meta_set(l, WEBHOOK_SOURCE, w->source, e) == -1)
		return -1;
	for (i = 0; i < w->n + w->disabled_n; i++) {
		const struct subscription *sub = at(w, i);

		if (set_start(l, sub->name, &sub->start, &start, e) == -1)
			return -1;
	}
	return w->archive_name[0] == '\0'
	    ? 0
	    : set_start(l, w->archive_name, &now, &w->archive_order.start, e);
}

static int
wants(void *arg, const char *name, const struct outbox_event *event,
    struct err *e)
{
	const struct webhook *w = arg;
	size_t i;

	for (i = 0; i < w->n + w->disabled_n; i++) {
		const struct subscription *s = at(w, i);

		if (strcmp(s->name, name) == 0)
			return subscription_wants(
			    s, NULL, event->body, event->len, e);
	}
	return 1; /* of a file that isn't there now: who knows */
}

static const char *
here(void *arg, size_t i)
{
	const struct webhook *w = arg;

	return i < w->n + w->disabled_n ? at(w, i)->name : NULL;
}

int
webhook_retain(struct webhook *w, struct err *e)
{
	struct retain r = {
	    .dir = w->dir,
	    .age_ms = w->o->events_keep_age_ms,
	    .rows = w->o->events_keep_rows,
	    .bytes = w->o->events_keep_bytes,
	    .here = here,
	    .archive = w->archive_name[0] != '\0' ? w->archive_name : NULL,
	    .wants = wants,
	    .arg = w,
	};
	struct err why = ERR_INIT;

	if (retain_events(&r, w->ledger, &why) == 0 || why.kind == ERR_BUSY)
		return 0; /* who has it is done by the next time */
	*e = why;
	return -1;
}
