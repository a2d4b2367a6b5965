/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/place.h"
#include "agent/stop.h"
#include "agent/webhook.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "verify/digest.h"

/* Events that everybody had are kept so long, for a look back. */
#define KEEP_NS (14 * INT64_C(86400) * 1000000000)
/* Whoever hasn't been here for so long isn't waited for. */
#define SEEN_NS (14 * INT64_C(86400) * 1000000000)

struct webhook {
	const struct options *o;
	struct subscription **subscriptions; /* all of them are enabled */
	size_t n;
	char source[64];  /* urn:uuid:... */
	char *target_url; /* without what only this machine knows */
	char *task;
	const char *state_dir;
	struct engine_events events;
	struct keeper_store claims;
	struct dispatch *dispatch;
};

void
webhook_free(struct webhook *w)
{
	size_t i;

	if (w == NULL)
		return;
	if (w->dispatch != NULL)
		dispatch_end(w->dispatch, 0, NULL, NULL, NULL);
	for (i = 0; i < w->n; i++)
		subscription_free(w->subscriptions[i]);
	free(w->subscriptions);
	free(w->target_url);
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

/* What --webhook and the options about it ask for. */
static struct subscription *
from_options(const struct options *o, struct err *e)
{
	AUTO(subscription) struct subscription *s = NULL;
	uint8_t digest[16];
	char name[40] = "webhook-";
	unsigned i;

	if (digest_text(o->webhook, digest, e) == -1)
		return NULL;
	text_hex(digest, 8, name + strlen(name));
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

/* A file that is wrong doesn't keep the others from being told. */
static void
bad_file(void *arg, const struct err *why)
{
	(void)arg;
	log_error("%s; nothing is sent to this subscription", why->msg);
}

/* Those of files, without the disabled ones, and room for one more. */
static int
load(struct webhook *w, struct err *e)
{
	struct subscription **all;
	size_t n, i;

	if (subscription_load_all(
		w->o->subscriptions_dir, bad_file, NULL, &all, &n, e) == -1)
		return -1;
	w->subscriptions = calloc(n + 1, sizeof(*w->subscriptions));
	for (i = 0; i < n; i++)
		if (w->subscriptions != NULL && !all[i]->disabled)
			w->subscriptions[w->n++] = all[i];
		else
			subscription_free(all[i]);
	free(all);
	return w->subscriptions != NULL
	    ? 0
	    : err_set(e, ERR_NOMEM, "out of memory");
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
	    (o->webhook_secret_n > 0 || o->webhook_allow_n > 0 ||
		o->pattern != NULL))
		return err_set(e, ERR_USAGE,
		    "--webhook-secret, --webhook-allow and --pattern go with "
		    "--webhook URL");
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
	if (w->n > 0 && !o->dry_run)
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

/* What no subscription can ask for any more. */
static int
forget_old(struct webhook *w, struct ledger *l, struct err *e)
{
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	AUTO(outbox) struct outbox *box = NULL;
	int64_t now = clock_wall_ns();
	uint64_t seq;

	buf_addf(&dir, "%s/%s", w->state_dir, w->task);
	box = outbox_open(buf_str(&dir), true, e);
	if (box == NULL ||
	    outbox_needed(box, (now - SEEN_NS) / 1000000, &seq, e) == -1 ||
	    ledger_event_forget(l, seq, now - KEEP_NS, e) == -1)
		return -1;
	return ledger_commit(l, e);
}

/* The event after which this subscription begins, for ever: outboxes find it
 * there. */
static int
set_start(struct ledger *l, const struct subscription *s, struct err *e)
{
	char key[SUBSCRIPTION_NAME_MAX + 20], text[32];
	uint64_t start = 0;
	int rc;

	snprintf(key, sizeof(key), "subscribed %s", s->name);
	rc = ledger_meta_get(l, key, text, sizeof(text), e);
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (!s->from_beginning && ledger_event_next(l, &start, e) == -1)
		return -1;
	snprintf(text, sizeof(text), "%" PRIu64, start);
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

	w->state_dir = t->state_dir;
	w->task = strdup(t->name);
	if (t->target->scheme != STORE_POSIX)
		w->target_url = store_url_uri(t->target);
	if (w->task == NULL ||
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

static int
begin_dispatch(struct webhook *w, struct ledger *l, struct err *e)
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
	size_t i;

	for (i = 0; i < w->n; i++)
		if (set_start(l, w->subscriptions[i], e) == -1)
			return -1;
	if (forget_old(w, l, e) == -1)
		return -1;
	w->dispatch = dispatch_start(&setup, e);
	return w->dispatch != NULL ? 0 : -1;
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
	if (describe(w, task, e) == -1 || begin_dispatch(w, l, e) == -1)
		return err_context(e, "events");
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
	const char *why =
	    r->last.kind != ERR_NONE ? r->last.msg : "there was no time";
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
		    r->unrouted ? " and more" : "", name, why);
}

void
webhook_end(struct webhook *w)
{
	/* Who wants the run to end has said so once, and again for this. */
	const atomic_bool *stop =
	    atomic_load(stop_soon_flag()) ? stop_now_flag() : stop_soon_flag();

	if (w == NULL || w->dispatch == NULL)
		return;
	dispatch_end(
	    TAKE(w->dispatch), w->o->events_drain_ms, stop, webhook_say, NULL);
}
