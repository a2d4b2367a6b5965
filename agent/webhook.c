/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/archive.h"
#include "agent/place.h"
#include "agent/retain.h"
#include "agent/stop.h"
#include "agent/webhook.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "verify/digest.h"

struct webhook {
	const struct options *o;
	struct subscription **subscriptions; /* all of them are enabled */
	size_t n;
	struct subscription **disabled; /* by their files, for now */
	size_t disabled_n;
	bool expected;	  /* somebody may want later what happens now */
	char source[64];  /* urn:uuid:... */
	char *target_url; /* without what only this machine knows */
	char *task;
	const char *state_dir;
	char *dir; /* of the task */
	struct engine_events events;
	struct ledger *ledger; /* borrowed */
	struct keeper_store claims;
	struct dispatch *dispatch; /* NULL: nobody subscribed, or not now */
	char archive_name[40];
	struct archive_order archive_order;
	struct archive *archive; /* NULL: none */
};

void
webhook_free(struct webhook *w)
{
	size_t i;

	if (w == NULL)
		return;
	if (w->dispatch != NULL)
		dispatch_end(w->dispatch, 0, NULL, NULL, NULL);
	if (w->archive != NULL)
		archive_end(w->archive, 0, NULL, NULL);
	for (i = 0; i < w->n; i++)
		subscription_free(w->subscriptions[i]);
	for (i = 0; i < w->disabled_n; i++)
		subscription_free(w->disabled[i]);
	free(w->subscriptions);
	free(w->disabled);
	free(w->target_url);
	free(w->dir);
	free(w->task);
	free(w);
}

/* URLs may hold secrets: what is kept is a digest. */
static int
digest_text(const char *text, uint8_t out[16], struct err *e)
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

/* One setting that an option gave. */
static int
set(struct subscription *s, const char *option, const char *key,
    const char *value, struct err *e)
{
	if (value == NULL || subscription_set(s, key, value, e) == 0)
		return 0;
	return err_context(e, "%s", option);
}

/* What WHERE is known by. */
static int
known_as(const char *prefix, const char *where, char out[40], struct err *e)
{
	uint8_t digest[16];

	if (digest_text(where, digest, e) == -1)
		return -1;
	snprintf(out, 40, "%s-", prefix);
	text_hex(digest, 8, out + strlen(out));
	return 0;
}

/* What --webhook and the options about it ask for. */
static struct subscription *
from_options(const struct options *o, struct err *e)
{
	AUTO(subscription) struct subscription *s = NULL;
	char name[40];
	unsigned i;

	if (known_as("webhook", o->webhook, name, e) == -1)
		return NULL;
	s = subscription_new(name, e);
	if (s == NULL || set(s, "--webhook", "url", o->webhook, e) == -1 ||
	    set(s, "--pattern", "filter", o->pattern, e) == -1 ||
	    set(s, "--ca-bundle", "ca", o->store.ca_bundle, e) == -1)
		return NULL;
	for (i = 0; i < o->webhook_allow_n; i++)
		if (set(s, "--webhook-allow", "allow", o->webhook_allow[i],
			e) == -1)
			return NULL;
	for (i = 0; i < o->webhook_secret_n; i++)
		if (set(s, "--webhook-secret", "secret", o->webhook_secrets[i],
			e) == -1)
			return NULL;
	if (subscription_finish(s, e) == -1) {
		err_context(e, "--webhook");
		return NULL;
	}
	return TAKE(s);
}

/* A file that is wrong doesn't keep the others from being told; what happens
 * meanwhile is for whoever it is of, once it is right. */
static void
bad_file(void *arg, const struct err *why)
{
	struct webhook *w = arg;

	w->expected = true;
	log_error("%s; nothing is sent to this subscription", why->msg);
}

/* Those of files, without the disabled ones, and room for one more. */
static int
load(struct webhook *w, struct err *e)
{
	struct subscription **all;
	size_t n, i;

	if (subscription_load_all(
		w->o->subscriptions_dir, bad_file, w, &all, &n, e) == -1)
		return -1;
	w->subscriptions = calloc(n + 1, sizeof(*w->subscriptions));
	w->disabled = calloc(n + 1, sizeof(*w->disabled));
	for (i = 0; i < n; i++)
		if (w->subscriptions == NULL || w->disabled == NULL)
			subscription_free(all[i]);
		else if (all[i]->disabled)
			w->disabled[w->disabled_n++] = all[i];
		else
			w->subscriptions[w->n++] = all[i];
	free(all);
	w->expected = w->expected || w->disabled_n > 0;
	return w->subscriptions != NULL && w->disabled != NULL
	    ? 0
	    : err_set(e, ERR_NOMEM, "out of memory");
}

/* Receivers share what connections there are. */
static void
share_connections(struct webhook *w)
{
	uint64_t share = w->n > 0 ? dispatch_connections() / w->n : 0;
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->subscriptions[i]->concurrency > share)
			w->subscriptions[i]->concurrency =
			    share > 0 ? share : 1;
}

/* By its URL, so that it is the same one however it is written. */
static int
check_archive(struct webhook *w, struct err *e)
{
	AUTO(store_url)
	struct store_url *url = store_url_parse(w->o->events_archive, e);
	AUTO(pattern) struct pattern *p = NULL;

	if (url == NULL ||
	    known_as("archive", url->text, w->archive_name, e) == -1)
		return -1;
	if (w->o->pattern == NULL)
		return 0;
	p = pattern_new(w->o->pattern, strlen(w->o->pattern), e);
	return p != NULL ? 0 : err_context(e, "--pattern");
}

/* As struct keeper_store has it; ARG is the webhook. */
static int
put_claim(void *arg, const char *where, const void *data, size_t len,
    const atomic_bool *stop, struct err *e)
{
	const struct webhook *w = arg;
	struct options o = *w->o;
	AUTO(close) int fd = place_scratch(e);

	if (fd == -1)
		return -1;
	if (pwrite(fd, data, len, 0) != (ssize_t)len)
		return err_sys(e, "temporary file (see TMPDIR)");
	o.store.stop = stop;
	return place_write(where, fd, len, &o, w->task, stop, e);
}

int
webhook_new(const struct options *o, struct webhook **out, struct err *e)
{
	AUTO(webhook) struct webhook *w = NULL;

	*out = NULL;
	if (o->webhook == NULL &&
	    (o->webhook_secret_n > 0 || o->webhook_allow_n > 0))
		return err_set(e, ERR_USAGE,
		    "--webhook-secret and --webhook-allow go with --webhook "
		    "URL");
	if (o->webhook == NULL && o->events_archive == NULL &&
	    o->pattern != NULL)
		return err_set(e, ERR_USAGE,
		    "--pattern goes with --webhook URL or --events-archive "
		    "FILE");
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->o = o;
	w->claims = (struct keeper_store){.put = put_claim, .arg = w};
	if (load(w, e) == -1)
		return -1;
	if (o->webhook != NULL) {
		w->subscriptions[w->n] = from_options(o, e);
		if (w->subscriptions[w->n] == NULL)
			return -1;
		w->n++;
	}
	if (o->events_archive != NULL && check_archive(w, e) == -1)
		return err_context(e, "--events-archive");
	share_connections(w);
	if ((w->n > 0 || w->expected || o->events_archive != NULL) &&
	    !o->dry_run)
		*out = TAKE(w);
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
	if (digest_text(buf_str(&text), b, e) == -1)
		return -1;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x80);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	text_hex(b, sizeof(b), hex);
	snprintf(w->source, sizeof(w->source),
	    "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	    hex + 16, hex + 20);
	return 0;
}

static int
wants(void *arg, const char *name, const struct outbox_event *event,
    struct err *e)
{
	const struct webhook *w = arg;
	size_t i;

	for (i = 0; i < w->n; i++)
		if (strcmp(w->subscriptions[i]->name, name) == 0)
			return archive_wants(
			    w->subscriptions[i]->pattern, event, e);
	return 1; /* of a file that isn't there now: who knows */
}

static int
retain(struct webhook *w, struct err *e)
{
	struct retain r = {
	    .dir = w->dir,
	    .age_ms = w->o->events_keep_age_ms,
	    .rows = w->o->events_keep_rows,
	    .bytes = w->o->events_keep_bytes,
	    .wants = wants,
	    .arg = w,
	};

	return retain_events(&r, w->ledger, e);
}

/* The event after which this subscription begins, for ever: outboxes find it
 * there. */
static int
set_start(struct ledger *l, const char *name, bool from_beginning,
    uint64_t *start, struct err *e)
{
	char key[SUBSCRIPTION_NAME_MAX + 20], text[32];
	int rc;

	snprintf(key, sizeof(key), "subscribed %s", name);
	rc = ledger_meta_get(l, key, text, sizeof(text), e);
	*start = rc == 1 ? strtoull(text, NULL, 10) : 0;
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (!from_beginning && ledger_event_next(l, start, e) == -1)
		return -1;
	snprintf(text, sizeof(text), "%" PRIu64, *start);
	return ledger_meta_set(l, key, text, e);
}

static int
describe(struct webhook *w, const struct webhook_task *t, struct err *e)
{
	static const char *const kinds[] = {
	    [STORE_POSIX] = "posix",
	    [STORE_S3] = "s3",
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

/* Where each begins, also one that is sent nothing now. */
static int
set_starts(struct webhook *w, struct ledger *l, struct err *e)
{
	uint64_t start;
	size_t i;

	for (i = 0; i < w->n + w->disabled_n; i++) {
		const struct subscription *sub =
		    i < w->n ? w->subscriptions[i] : w->disabled[i - w->n];

		if (set_start(l, sub->name, sub->from_beginning, &start, e) ==
		    -1)
			return -1;
	}
	return w->archive_name[0] == '\0'
	    ? 0
	    : set_start(l, w->archive_name, false, &w->archive_order.start, e);
}

/* Behind what was told before a ledger was lost, by whatever clock: what comes
 * earlier would be taken for told. */
static int
number_on(const struct webhook *w, struct ledger *l, struct err *e)
{
	struct err none = ERR_INIT;
	AUTO(outbox) struct outbox *box = outbox_open(w->dir, false, &none);
	uint64_t newest;

	/* Whoever needs it tells what is wrong with it. */
	if (box == NULL || outbox_newest(box, &newest, &none) == -1)
		return 0;
	return ledger_event_after(l, newest, e);
}

/* Transfers don't wait for deliveries, whatever keeps these. */
static void
tell_later(const char *how, const struct err *why)
{
	log_warn("events: %s; what happens now is %s", why->msg, how);
}

static void
begin_dispatch(struct webhook *w)
{
	const char *task = w->task;
	struct dispatch_setup setup = {
	    .state_dir = w->state_dir,
	    .tasks = &task,
	    .tasks_n = 1,
	    .subscriptions = w->subscriptions,
	    .subscriptions_n = w->n,
	    .claims = &w->claims,
	    .revived =
		w->o->webhook != NULL ? w->subscriptions[w->n - 1]->name : NULL,
	};
	struct err e = ERR_INIT;

	if (retain(w, &e) == 0 && w->n == 0)
		return;
	if (e.kind == ERR_NONE)
		w->dispatch = dispatch_start(&setup, &e);
	if (w->dispatch == NULL)
		tell_later("told by a later run, or dray events drain", &e);
}

static void
begin_archive(struct webhook *w, const char *owner)
{
	struct archive_order *order = &w->archive_order;
	struct err e = ERR_INIT;

	if (w->o->events_archive == NULL)
		return;
	order->o = w->o;
	order->dir = w->dir;
	order->where = w->o->events_archive;
	order->owner = owner;
	order->name = w->archive_name;
	order->source = w->source;
	w->archive = archive_start(order, &e);
	if (w->archive == NULL)
		tell_later("archived by a later run", &e);
}

const struct keeper_store *
webhook_claims(const struct webhook *w)
{
	return &w->claims;
}

struct subscription *const *
webhook_subscriptions(const struct webhook *w, size_t *n)
{
	*n = w->n;
	return w->subscriptions;
}

int
webhook_start(struct webhook *w, const struct webhook_task *task,
    struct ledger *l, const struct engine_events **events, struct err *e)
{
	*events = NULL;
	if (w == NULL)
		return 0;
	w->ledger = l;
	if (describe(w, task, e) == -1 || number_on(w, l, e) == -1 ||
	    set_starts(w, l, e) == -1 || ledger_commit(l, e) == -1)
		return err_context(e, "events");
	begin_dispatch(w);
	begin_archive(w, task->owner);
	*events = &w->events;
	return 0;
}

/* Of a replay its name, too. */
static void
name_of(const struct stream_result *r, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", r->name,
	    r->replay[0] != '\0' ? ", replay " : "", r->replay);
}

static void
say_state(const struct stream_result *r, const char *name)
{
	if (r->state == CONTROL_PAUSED)
		log_warn("events: %s is paused (%s): dray subscriptions resume "
			 "%s",
		    name, r->reason, r->name);
	else if (r->state == CONTROL_DISABLED)
		log_warn("events: %s is disabled (%s): dray subscriptions "
			 "enable %s",
		    name, r->reason, r->name);
}

void
webhook_say(void *arg, const struct stream_result *r)
{
	char name[200];

	(void)arg;
	if (r->name == NULL) {
		log_warn("events: task %s: %s", r->task, r->last.msg);
		return;
	}
	name_of(r, name, sizeof(name));
	if (r->delivered > 0)
		log_info("events: %llu delivered to %s",
		    (unsigned long long)r->delivered, name);
	say_state(r, name);
	if (r->dead > 0)
		log_warn("events: %llu to %s were given up; see dray events "
			 "dead",
		    (unsigned long long)r->dead, name);
	if (r->waiting > 0 || r->unrouted)
		log_warn("events: %llu%s to %s are not delivered; the next run "
			 "of this task goes on, or dray events drain (%s)",
		    (unsigned long long)r->waiting,
		    r->unrouted ? " and more" : "", name, r->last.msg);
}

static void
end_dispatch(struct webhook *w, const atomic_bool *stop)
{
	dispatch_end(
	    TAKE(w->dispatch), w->o->events_drain_ms, stop, webhook_say, NULL);
}

static void
end_archive(struct webhook *w, uint64_t ms, const atomic_bool *stop)
{
	const char *where = w->o->events_archive;
	struct archive_result r;

	archive_end(TAKE(w->archive), ms, stop, &r);
	if (r.objects > 0)
		log_info("events: %llu archived in %llu objects of %s",
		    (unsigned long long)r.events, (unsigned long long)r.objects,
		    where);
	if (r.left)
		log_warn("events: not all are archived in %s; the next run of "
			 "this task goes on (%s)",
		    where, r.last.msg);
}

void
webhook_end(struct webhook *w)
{
	/* Who wants the run to end has said so once, and again for this. */
	const atomic_bool *stop =
	    atomic_load(stop_soon_flag()) ? stop_now_flag() : stop_soon_flag();
	uint64_t begun = clock_mono_ms(), spent;
	struct err e = ERR_INIT;

	if (w == NULL)
		return;
	if (w->archive != NULL)
		archive_finish(w->archive);
	if (w->dispatch != NULL)
		end_dispatch(w, stop);
	spent = clock_mono_ms() - begun;
	if (w->archive != NULL)
		end_archive(w,
		    spent < w->o->events_drain_ms
			? w->o->events_drain_ms - spent
			: 0,
		    stop);
	/* Whose ledger takes nothing more has been told so. */
	if (retain(w, &e) == -1 && e.kind != ERR_STOPPED)
		log_warn("events: %s", e.msg);
}
