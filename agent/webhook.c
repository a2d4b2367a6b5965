/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/events/dispatch.h"
#include "agent/events/secret.h"
#include "agent/stop.h"
#include "agent/webhook.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "verify/digest.h"

#define CONCURRENCY 16
#define TIMEOUT_MS 15000
/* Events that everybody had are kept so long, for a look back. */
#define KEEP_NS (14 * INT64_C(86400) * 1000000000)
/* Whoever hasn't been here for so long isn't waited for. */
#define SEEN_NS (14 * INT64_C(86400) * 1000000000)

struct webhook {
	const struct options *o;
	struct guard guard;
	struct signature_keys *keys;
	struct pattern *pattern;
	char name[64];	  /* of the subscription */
	char *dir;	  /* of the task */
	char source[64];  /* urn:uuid:... */
	char *target_url; /* without what only this machine knows */
	char *task;
	struct engine_events events;
	struct dispatch_config config;
	struct dispatch *dispatch;
};

void
webhook_free(struct webhook *w)
{
	struct dispatch_result result;

	if (w == NULL)
		return;
	if (w->dispatch != NULL)
		dispatch_end(w->dispatch, 0, NULL, &result);
	signature_keys_free(w->keys);
	pattern_free(w->pattern);
	free(w->dir);
	free(w->target_url);
	free(w->task);
	free(w);
}

/* An absolute URL of printable characters, without user and password. */
static int
check_url(struct webhook *w, const char *url, struct err *e)
{
	bool plain = strncmp(url, "http://", 7) == 0;
	const char *p, *host = url + (plain ? 7 : 8);

	if (!plain && strncmp(url, "https://", 8) != 0)
		return err_set(e, ERR_USAGE,
		    "--webhook: not a URL that begins with https://");
	for (p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return err_set(e, ERR_USAGE,
			    "--webhook: spaces, control and non-ASCII "
			    "characters are written as %%XX in a URL");
	if (host[0] == '\0' || strchr("/?#", host[0]) != NULL)
		return err_set(e, ERR_USAGE, "--webhook: no host in the URL");
	if (memchr(host, '@', strcspn(host, "/?#")) != NULL)
		return err_set(e, ERR_USAGE,
		    "--webhook: no user and password in the URL, where "
		    "everybody can read them: use --webhook-secret");
	if (plain && w->o->webhook_allow_n == 0)
		return err_set(e, ERR_USAGE,
		    "--webhook: http:// protects nothing: use https://, or "
		    "name the network that it may be used in with "
		    "--webhook-allow");
	w->guard.plain = plain;
	return 0;
}

static int
read_secrets(struct webhook *w, struct err *e)
{
	char secret[SECRET_MAX];
	unsigned i;
	int rc;

	w->keys = signature_keys_new(e);
	if (w->keys == NULL)
		return -1;
	for (i = 0; i < w->o->webhook_secret_n; i++) {
		if (secret_read(w->o->webhook_secrets[i], secret, e) == -1)
			return err_context(e, "--webhook-secret");
		rc = signature_keys_add(w->keys, secret, e);
		secret_wipe(secret, sizeof(secret));
		if (rc == -1)
			return err_context(
			    e, "--webhook-secret %s", w->o->webhook_secrets[i]);
	}
	return 0;
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

static int
check(struct webhook *w, struct err *e)
{
	const struct options *o = w->o;
	uint8_t digest[16];
	char hex[17];
	unsigned i;

	if (check_url(w, o->webhook, e) == -1)
		return -1;
	for (i = 0; i < o->webhook_allow_n; i++)
		if (guard_allow(&w->guard, o->webhook_allow[i], e) == -1)
			return err_context(e, "--webhook-allow");
	if (o->pattern != NULL) {
		w->pattern = pattern_new(o->pattern, strlen(o->pattern), e);
		if (w->pattern == NULL)
			return err_context(e, "--pattern");
	}
	if (digest_text(o->webhook, digest, e) == -1)
		return -1;
	text_hex(digest, 8, hex);
	snprintf(w->name, sizeof(w->name), "webhook-%s", hex);
	return read_secrets(w, e);
}

int
webhook_new(const struct options *o, struct webhook **out, struct err *e)
{
	AUTO(webhook) struct webhook *w = NULL;

	*out = NULL;
	if (o->webhook == NULL) {
		if (o->webhook_secret_n > 0 || o->webhook_allow_n > 0 ||
		    o->pattern != NULL)
			return err_set(e, ERR_USAGE,
			    "--webhook-secret, --webhook-allow and --pattern "
			    "go with --webhook URL");
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	w->o = o;
	if (check(w, e) == -1)
		return -1;
	if (!o->dry_run)
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
	AUTO(outbox) struct outbox *box = outbox_open(w->dir, true, e);
	int64_t now = clock_wall_ns();
	uint64_t seq;

	if (box == NULL ||
	    outbox_needed(box, (now - SEEN_NS) / 1000000, &seq, e) == -1 ||
	    ledger_event_forget(l, seq, now - KEEP_NS, e) == -1)
		return -1;
	return ledger_commit(l, e);
}

/* The event after which this subscription began, for ever. */
static int
find_start(struct webhook *w, struct ledger *l, uint64_t *start, struct err *e)
{
	char key[80], text[32];
	int rc;

	snprintf(key, sizeof(key), "subscribed %s", w->name);
	rc = ledger_meta_get(l, key, text, sizeof(text), e);
	if (rc == 1)
		*start = strtoull(text, NULL, 10);
	if (rc != 0)
		return rc == 1 ? 0 : -1;
	if (ledger_event_next(l, start, e) == -1)
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
	w->task = strdup(t->name);
	if (t->target->scheme != STORE_POSIX)
		w->target_url = strdup(t->target->text);
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

int
webhook_start(struct webhook *w, const struct webhook_task *task,
    struct ledger *l, const struct engine_events **events, struct err *e)
{
	uint64_t start;

	*events = NULL;
	if (w == NULL)
		return 0;
	if (describe(w, task, e) == -1 || find_start(w, l, &start, e) == -1 ||
	    forget_old(w, l, e) == -1)
		return err_context(e, "--webhook");
	w->config = (struct dispatch_config){
	    .dir = w->dir,
	    .name = w->name,
	    .start = start,
	    .url = w->o->webhook,
	    .pattern = w->pattern,
	    .keys = w->keys,
	    .guard = &w->guard,
	    .ca_bundle = w->o->store.ca_bundle,
	    .policy = &policy_default,
	    .concurrency = CONCURRENCY,
	    .timeout_ms = TIMEOUT_MS,
	};
	w->dispatch = dispatch_start(&w->config, e);
	if (w->dispatch == NULL)
		return err_context(e, "--webhook");
	*events = &w->events;
	return 0;
}

static void
say(const struct dispatch_result *r)
{
	const char *why =
	    r->last.kind != ERR_NONE ? r->last.msg : "there was no time";

	if (r->delivered > 0)
		log_info(
		    "events: %llu delivered", (unsigned long long)r->delivered);
	if (strcmp(r->sub.state, "active") != 0)
		log_warn("events: the webhook wants no more (%s); the next run "
			 "with it tries again",
		    r->sub.reason);
	if (r->dead > 0)
		log_warn("events: %llu were given up; see dray events dead",
		    (unsigned long long)r->dead);
	if (r->left > 0 || r->unrouted)
		log_warn("events: %llu%s are not delivered; the next run of "
			 "this task with the same --webhook goes on (%s)",
		    (unsigned long long)r->left, r->unrouted ? " and more" : "",
		    why);
}

void
webhook_end(struct webhook *w)
{
	struct dispatch_result r;
	/* Who wants the run to end has said so once, and again for this. */
	const atomic_bool *stop =
	    atomic_load(stop_soon_flag()) ? stop_now_flag() : stop_soon_flag();

	if (w == NULL || w->dispatch == NULL)
		return;
	dispatch_end(TAKE(w->dispatch), w->o->events_drain_ms, stop, &r);
	say(&r);
}
