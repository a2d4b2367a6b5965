/* SPDX-License-Identifier: ISC */
/* dray subscriptions: who is told of events. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/subscriptions.h"
#include "agent/events/outbox.h"
#include "agent/events/subscription.h"
#include "agent/task.h"
#include "base/json.h"

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

static const struct subscription *
find(struct book *b, const char *name, struct err *e)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (strcmp(b->all[i]->name, name) == 0)
			return b->all[i];
	err_set(e, ERR_NOTFOUND, "no subscription %.100s in %s", name,
	    b->o->subscriptions_dir);
	return NULL;
}

static int
try_named(struct book *b, const char *name, subscriptions_try_fn *how)
{
	struct err e = ERR_INIT;
	const struct subscription *s = find(b, name, &e);

	return s != NULL ? how(s, b->o) : cmd_fail(&e);
}

int
cmd_subscriptions(const struct options *o, int argc, char **argv)
{
	struct book b = {.o = o};
	struct err e = ERR_INIT;
	size_t i;
	int rc;

	if (strcmp(argv[0], "new-secret") == 0 && argc == 1)
		return subscriptions_new_secret(o);
	if (subscription_load_all(
		o->subscriptions_dir, count_bad, &b, &b.all, &b.n, &e) == -1)
		return cmd_fail(&e);
	if (strcmp(argv[0], "check") == 0 && argc == 1) {
		rc = check(&b);
	} else if (strcmp(argv[0], "list") == 0 && argc == 1) {
		rc = list(&b);
	} else if (strcmp(argv[0], "test") == 0 && argc == 2) {
		rc = try_named(&b, argv[1], subscriptions_test);
	} else if (strcmp(argv[0], "handshake") == 0 && argc == 2) {
		rc = try_named(&b, argv[1], subscriptions_handshake);
	} else {
		err_set(&e, ERR_USAGE,
		    "dray subscriptions list, check, test NAME, handshake "
		    "NAME, or new-secret");
		rc = cmd_fail(&e);
	}
	for (i = 0; i < b.n; i++)
		subscription_free(b.all[i]);
	free(b.all);
	return rc;
}
