/* SPDX-License-Identifier: ISC */
/* dray subscriptions: who is told of events. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/subscriptions_admin.h"
#include "agent/events/cloudevent.h"
#include "agent/events/subscription.h"
#include "base/clock.h"
#include "base/json.h"

#define WAIT_MS 100

struct book {
	const struct options *o;
	struct subscription **all;
	size_t n;
	unsigned bad; /* files that are wrong */
};

static void
count_bad(void *arg, const struct err *why)
{
	struct book *b = arg;

	b->bad++;
	cmd_fail(why);
}

static int
check(struct book *b)
{
	size_t i;

	for (i = 0; i < b->n && b->o->verbosity >= 0; i++)
		printf("%s: ok%s\n", b->all[i]->name,
		    b->all[i]->disabled ? ", but not enabled" : "");
	if (b->n + b->bad == 0 && b->o->verbosity >= 0)
		printf("no subscriptions in %s\n", b->o->subscriptions_dir);
	return b->bad > 0 ? 3 : 0;
}

/* An event that tells nothing; its id isn't one of a task's. */
static void
write_test(struct buf *out, char *id)
{
	struct cloudevent c = {
	    .seq = (uint64_t)(clock_wall_ns() / 1000),
	    .source = "urn:dray:test",
	    .type = "test",
	    .subject = "test",
	    .subject_len = 4,
	    .key = "test",
	    .time_ns = clock_wall_ns(),
	};
	struct json j;

	cloudevent_id(c.seq, id);
	json_begin(&j, out);
	cloudevent_begin(&j, &c);
	cloudevent_end(&j);
}

/* Sends it and waits for the answer. */
static int
send_test(const struct subscription *s, struct http_many *http,
    struct http_many_reply *r, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1 << 16);
	AUTO(buf) struct buf headers = BUF_INIT(1 << 16);
	struct http_many_config config = subscription_http(s);
	struct http_profile *p = http_profile_new(http, &config, e);
	char id[CLOUDEVENT_ID_MAX];

	write_test(&body, id);
	if (p == NULL ||
	    subscription_headers(s, id, clock_wall_ns() / 1000000000, body.data,
		body.len, &headers, e) == -1 ||
	    http_many_post(p, s->url, headers.data, headers.len, body.data,
		body.len, NULL, e) == -1)
		return -1;
	while (!http_many_next(http, r))
		http_many_wait(http, WAIT_MS);
	if (r->refused)
		return err_set(e, ERR_CONFIG,
		    "%s: its address is private or reserved; allow = NETWORK "
		    "opens that",
		    s->name);
	if (r->status == 0)
		return err_set(e, ERR_NET, "%s: %s", s->name, r->err.msg);
	return 0;
}

static int
test(const struct subscription *s, const struct options *o)
{
	struct err e = ERR_INIT;
	AUTO(http_many) struct http_many *http = http_many_new(1, &e);
	struct http_many_reply r;

	if (http == NULL || send_test(s, http, &r, &e) == -1)
		return cmd_fail(&e);
	if (r.status / 100 != 2) {
		err_set(&e, ERR_SERVER, "%s: HTTP %d %.*s", s->name, r.status,
		    (int)(r.text_len < 200 ? r.text_len : 200), r.text);
		return cmd_fail(&e);
	}
	if (o->json)
		printf("{\"name\":\"%s\",\"status\":%d,\"took_ms\":%" PRIu64
		       "}\n",
		    s->name, r.status, r.took_ms);
	else if (o->verbosity >= 0)
		printf("%s: HTTP %d after %" PRIu64 " ms\n", s->name, r.status,
		    r.took_ms);
	return 0;
}

static int
test_named(struct book *b, const char *name)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (strcmp(b->all[i]->name, name) == 0)
			return test(b->all[i], b->o);
	err_set(&e, ERR_NOTFOUND, "no subscription %.100s in %s", name,
	    b->o->subscriptions_dir);
	return cmd_fail(&e);
}

static const struct {
	const char *name;
	subscriptions_admin_fn *fn;
} admin[] = {
    {"add", subscriptions_add},
    {"remove", subscriptions_remove},
    {"enable", subscriptions_enable},
    {"disable", subscriptions_disable},
    {"pause", subscriptions_pause},
    {"resume", subscriptions_resume},
};

/* 0 or the exit status; -1 if it is no verb of these. */
static int
administer(const struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(admin) / sizeof(admin[0]); i++) {
		if (strcmp(argv[0], admin[i].name) != 0 || argc != 2)
			continue;
		return admin[i].fn(o, argv[1], &e) == 0 ? 0 : cmd_fail(&e);
	}
	return -1;
}

static int
list(struct book *b, const char *name)
{
	struct err e = ERR_INIT;

	if (subscriptions_list(b->o, b->all, b->n, name, &e) == -1)
		return cmd_fail(&e);
	return b->bad > 0 ? 3 : 0;
}

int
cmd_subscriptions(const struct options *o, int argc, char **argv)
{
	struct book b = {.o = o};
	struct err e = ERR_INIT;
	size_t i;
	int rc = administer(o, argc, argv);

	if (rc != -1)
		return rc;
	if (subscription_load_all(
		o->subscriptions_dir, count_bad, &b, &b.all, &b.n, &e) == -1)
		return cmd_fail(&e);
	if (strcmp(argv[0], "check") == 0 && argc == 1) {
		rc = check(&b);
	} else if (strcmp(argv[0], "list") == 0 && argc == 1) {
		rc = list(&b, NULL);
	} else if (strcmp(argv[0], "show") == 0 && argc == 2) {
		rc = list(&b, argv[1]);
	} else if (strcmp(argv[0], "test") == 0 && argc == 2) {
		rc = test_named(&b, argv[1]);
	} else {
		err_set(&e, ERR_USAGE,
		    "dray subscriptions list, check, or one of show, test, "
		    "add, remove, pause, resume, disable, enable with a NAME");
		rc = cmd_fail(&e);
	}
	for (i = 0; i < b.n; i++)
		subscription_free(b.all[i]);
	free(b.all);
	return rc;
}
