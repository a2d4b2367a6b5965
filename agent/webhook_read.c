/* SPDX-License-Identifier: ISC */
/* Whom the options and the files of subscriptions name. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/webhook_in.h"
#include "base/log.h"
#include "base/text.h"

/* What WHERE is known by. */
static int
known_as(const char *prefix, const char *where, char out[40], struct err *e)
{
	uint8_t digest[16];

	if (webhook_digest(where, digest, e) == -1)
		return -1;
	snprintf(out, 40, "%s-", prefix);
	text_hex(digest, 8, out + strlen(out));
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

int
webhook_check_dir(const struct options *o, struct err *e)
{
	const char *dir = o->subscriptions_dir;

	if (dir == o->default_subscriptions_dir || dir[0] == '\0' ||
	    access(dir, F_OK) == 0)
		return 0;
	err_sys(e, "--subscriptions-dir %s", dir);
	e->kind = ERR_CONFIG;
	return -1;
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
int
webhook_archive_name(
    const struct options *o, char out[WEBHOOK_ARCHIVE_NAME_MAX], struct err *e)
{
	AUTO(store_url)
	struct store_url *url = store_url_parse(o->events_archive, e);

	return url != NULL ? known_as("archive", url->text, out, e) : -1;
}

static int
check_archive(struct webhook *w, struct err *e)
{
	AUTO(pattern) struct pattern *p = NULL;

	if (webhook_archive_name(w->o, w->archive_name, e) == -1)
		return -1;
	if (w->o->pattern == NULL)
		return 0;
	p = pattern_new(w->o->pattern, strlen(w->o->pattern), e);
	return p != NULL ? 0 : err_context(e, "--pattern");
}

static int
check_options(const struct options *o, struct err *e)
{
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
	return 0;
}

int
webhook_read(struct webhook *w, struct err *e)
{
	const struct options *o = w->o;

	if (check_options(o, e) == -1 || webhook_check_dir(o, e) == -1 ||
	    load(w, e) == -1)
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
	return 0;
}
