/* SPDX-License-Identifier: ISC */
/* dray subscriptions: who is told of events. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "agent/cli/subscriptions.h"
#include "agent/cli/subscriptions_admin.h"
#include "agent/events/subscription.h"
#include "agent/webhook.h"
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

static void
say_ok(const struct subscription *s, bool as_json)
{
	AUTO(buf) struct buf out = BUF_INIT(1024);
	struct json j;

	if (!as_json) {
		printf("%s: ok%s\n", s->name,
		    s->disabled ? ", but not enabled" : "");
		return;
	}
	json_begin(&j, &out);
	json_object(&j, NULL);
	json_str(&j, "name", s->name);
	json_bool(&j, "ok", true);
	json_bool(&j, "enabled", !s->disabled);
	json_object_end(&j);
	puts(buf_str(&out));
}

static int
check(struct book *b)
{
	const char *dir = b->o->subscriptions_dir;
	struct err e = ERR_INIT;
	size_t i;

	/* To a run it is none; whoever checks it means one. */
	if (access(dir, R_OK | X_OK) == -1) {
		err_sys(&e, "%s", dir);
		return cmd_fail(&e);
	}
	for (i = 0; i < b->n && (b->o->json || b->o->verbosity >= 0); i++)
		say_ok(b->all[i], b->o->json);
	if (b->n + b->bad == 0 && b->o->verbosity >= 0 && !b->o->json)
		printf("no subscriptions in %s\n", dir);
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
	if (strcmp(argv[0], "new-secret") == 0 && argc == 1)
		return subscriptions_new_secret(o);
	if (webhook_check_dir(o, &e) == -1 ||
	    subscription_load_all(
		o->subscriptions_dir, count_bad, &b, &b.all, &b.n, &e) == -1)
		return cmd_fail(&e);
	if (strcmp(argv[0], "check") == 0 && argc == 1) {
		rc = check(&b);
	} else if (strcmp(argv[0], "list") == 0 && argc == 1) {
		rc = list(&b, NULL);
	} else if (strcmp(argv[0], "show") == 0 && argc == 2) {
		rc = list(&b, argv[1]);
	} else if (strcmp(argv[0], "test") == 0 && argc == 2) {
		rc = try_named(&b, argv[1], subscriptions_test);
	} else if (strcmp(argv[0], "handshake") == 0 && argc == 2) {
		rc = try_named(&b, argv[1], subscriptions_handshake);
	} else {
		err_set(&e, ERR_USAGE,
		    "dray subscriptions list, check, new-secret, or one of "
		    "show, test, handshake, add, remove, pause, resume, "
		    "disable, enable with a NAME");
		rc = cmd_fail(&e);
	}
	for (i = 0; i < b.n; i++)
		subscription_free(b.all[i]);
	free(b.all);
	return rc;
}
