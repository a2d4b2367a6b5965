/* SPDX-License-Identifier: ISC */
/* dray replays: events of the past that are sent once more. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/outboxes.h"
#include "agent/events/cloudevent.h"
#include "agent/events/outbox_replay.h"
#include "base/clock.h"
#include "base/json.h"

struct replays {
	const struct options *o;
	const char *name; /* to cancel */
	uint64_t n;
};

static void
show_json(struct buf *out, const char *task, const struct outbox_replay *r,
    const struct outbox_sub *sub)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "name", r->name);
	json_str(&j, "subscription", r->sub);
	json_str(&j, "task", task);
	json_str(&j, "state", r->state);
	cloudevent_time(&j, "from", r->from_ms * 1000000);
	cloudevent_time(&j, "to", r->to_ms * 1000000);
	if (r->pattern[0] != '\0')
		json_str(&j, "pattern", r->pattern);
	json_bool(&j, "new_ids", r->new_ids);
	if (r->rate > 0)
		json_uint(&j, "rate", r->rate);
	json_uint(&j, "delivered", sub->delivered);
	json_uint(&j, "waiting", sub->live);
	json_uint(&j, "dead", sub->dead);
	json_object_end(&j);
}

static void
show_text(struct buf *out, const char *task, const struct outbox_replay *r,
    const struct outbox_sub *sub)
{
	char from[32], to[32];

	clock_iso8601(r->from_ms * 1000000, from, sizeof(from));
	clock_iso8601(r->to_ms * 1000000, to, sizeof(to));
	buf_addf(out,
	    "%s  %s  to %s  task %s  %s - %s  %" PRIu64 " delivered, %" PRIu64
	    " waiting, %" PRIu64 " dead",
	    r->name, r->state, r->sub, task, from, to, sub->delivered,
	    sub->live, sub->dead);
}

/* The counters of the replay R. */
static int
find_sub(struct outbox *box, const struct outbox_replay *r,
    struct outbox_sub *sub, struct err *e)
{
	int rc = outbox_sub_next(box, r->id - 1, sub, e);

	return rc == 0 ? err_set(e, ERR_NOTFOUND, "replay %s is gone", r->name)
		       : rc;
}

static int
list(void *arg, const char *task, struct outbox *box, struct err *e)
{
	const struct replays *all = arg;
	AUTO(outbox_replay) struct outbox_replay r = {.id = 0};
	AUTO(buf) struct buf out = BUF_INIT(1 << 16);
	struct outbox_sub sub;
	int rc;

	while ((rc = outbox_replay_next(box, r.id, &r, e)) == 1) {
		if (find_sub(box, &r, &sub, e) == -1)
			return -1;
		buf_reset(&out);
		if (all->o->json)
			show_json(&out, task, &r, &sub);
		else
			show_text(&out, task, &r, &sub);
		if (buf_failed(&out))
			return err_set(e, ERR_NOMEM, "out of memory");
		puts(buf_str(&out));
	}
	return rc;
}

static int
cancel(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct replays *all = arg;
	AUTO(outbox_replay) struct outbox_replay r = {.id = 0};
	int rc;

	(void)task;
	while ((rc = outbox_replay_next(box, r.id, &r, e)) == 1) {
		if (strcmp(r.name, all->name) != 0)
			continue;
		all->n++;
		if (outbox_replay_end(box, r.id, "cancelled", e) == -1)
			return -1;
	}
	return rc;
}

static void
say_cancelled(const struct replays *all)
{
	if (all->o->json)
		printf("{\"cancelled\":%" PRIu64 "}\n", all->n);
	else if (all->o->verbosity >= 0)
		printf("%s is cancelled in %" PRIu64 " tasks\n", all->name,
		    all->n);
}

int
cmd_replays(const struct options *o, int argc, char **argv)
{
	struct replays all = {.o = o};
	struct err e = ERR_INIT;
	int rc;

	if (strcmp(argv[0], "list") == 0 && argc == 1) {
		rc = outboxes_each(o, OUTBOXES_READ, list, &all, &e);
	} else if (strcmp(argv[0], "cancel") == 0 && argc == 2) {
		all.name = argv[1];
		rc = outboxes_each(o, OUTBOXES_CHANGE, cancel, &all, &e);
		if (rc == 0 && all.n == 0)
			rc = err_set(&e, ERR_NOTFOUND,
			    "no replay %.100s; see dray replays list",
			    all.name);
	} else {
		rc =
		    err_set(&e, ERR_USAGE, "dray replays list, or cancel NAME");
	}
	if (rc != -1 && all.name != NULL)
		say_cancelled(&all);
	return rc != 0 ? cmd_fail(&e) : 0;
}
