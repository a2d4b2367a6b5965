/* SPDX-License-Identifier: ISC */
/* dray subscriptions: who is told of events. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/events/cloudevent.h"
#include "agent/events/outbox.h"
#include "agent/events/parcel.h"
#include "agent/events/subscription.h"
#include "agent/task.h"
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

/* What the outboxes of all tasks know of a subscription. */
struct sums {
	uint64_t delivered, waiting, dead;
};

static int
add_task(const struct options *o, const char *task, const char *name,
    struct sums *sums, struct err *e)
{
	AUTO(buf) struct buf dir = BUF_INIT(1 << 16);
	AUTO(outbox) struct outbox *box = NULL;
	struct outbox_sub sub = {.id = 0};
	int rc;

	buf_addf(&dir, "%s/%s", o->state_dir, task);
	box = outbox_open(buf_str(&dir), false, e);
	if (box == NULL)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	while ((rc = outbox_sub_next(box, sub.id, &sub, e)) == 1) {
		if (strcmp(sub.name, name) != 0)
			continue;
		sums->delivered += sub.delivered;
		sums->waiting += sub.live;
		sums->dead += sub.dead;
	}
	return rc;
}

static int
add_tasks(
    const struct options *o, const char *name, struct sums *sums, struct err *e)
{
	char **tasks = task_names(o->state_dir, e);
	int rc = tasks != NULL ? 0 : -1;
	size_t i;

	for (i = 0; rc == 0 && tasks[i] != NULL; i++)
		rc = add_task(o, tasks[i], name, sums, e);
	task_names_free(tasks);
	return rc;
}

/* What a URL has behind its host may be a secret. */
static int
host_length(const char *url)
{
	return (int)(strcspn(url + 8, "/?#") + 8);
}

static void
list_json(const struct subscription *s, const struct sums *sums)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct json j;

	json_begin(&j, &out);
	json_object(&j, NULL);
	json_str(&j, "name", s->name);
	json_bool(&j, "enabled", !s->disabled);
	json_string(&j, "host", s->url, (size_t)host_length(s->url));
	json_bool(&j, "filter", s->pattern != NULL);
	json_uint(&j, "delivered", sums->delivered);
	json_uint(&j, "waiting", sums->waiting);
	json_uint(&j, "dead", sums->dead);
	json_object_end(&j);
	puts(buf_str(&out));
}

static int
list(struct book *b)
{
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct subscription *s = b->all[i];
		struct sums sums = {.delivered = 0};

		if (add_tasks(b->o, s->name, &sums, &e) == -1)
			return cmd_fail(&e);
		if (b->o->json)
			list_json(s, &sums);
		else
			printf("%s  %.*s%s  %" PRIu64 " delivered, %" PRIu64
			       " waiting, %" PRIu64 " dead%s\n",
			    s->name, host_length(s->url), s->url,
			    s->pattern != NULL ? "  filtered" : "",
			    sums.delivered, sums.waiting, sums.dead,
			    s->disabled ? "  not enabled" : "");
	}
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
	AUTO(parcel) struct parcel parcel = {.made = NULL};
	char id[CLOUDEVENT_ID_MAX];

	write_test(&body, id);
	if (p == NULL ||
	    parcel_of(&parcel, s, cloudevent_seq(id), body.data, body.len, e) ==
		-1 ||
	    subscription_headers(s, parcel.id, clock_wall_ns() / 1000000000,
		parcel.body, parcel.len, &headers, e) == -1 ||
	    http_many_post(p, s->url, headers.data, headers.len, parcel.body,
		parcel.len, NULL, e) == -1)
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

int
cmd_subscriptions(const struct options *o, int argc, char **argv)
{
	struct book b = {.o = o};
	struct err e = ERR_INIT;
	size_t i;
	int rc;

	if (subscription_load_all(
		o->subscriptions_dir, count_bad, &b, &b.all, &b.n, &e) == -1)
		return cmd_fail(&e);
	if (strcmp(argv[0], "check") == 0 && argc == 1) {
		rc = check(&b);
	} else if (strcmp(argv[0], "list") == 0 && argc == 1) {
		rc = list(&b);
	} else if (strcmp(argv[0], "test") == 0 && argc == 2) {
		rc = test_named(&b, argv[1]);
	} else {
		err_set(&e, ERR_USAGE,
		    "dray subscriptions list, check, or test NAME");
		rc = cmd_fail(&e);
	}
	for (i = 0; i < b.n; i++)
		subscription_free(b.all[i]);
	free(b.all);
	return rc;
}
