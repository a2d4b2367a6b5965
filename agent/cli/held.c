/* SPDX-License-Identifier: ISC */
/* What others are told of a task that the daemon holds: an event of the task's,
 * with the options and operands of its runs. */
#include "config.h"

#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/pair.h"
#include "agent/daemon/memory.h"
#include "agent/events/cloudevent.h"
#include "agent/ledger.h"
#include "agent/webhook.h"
#include "base/clock.h"

#define BODY_MAX (64 << 10)

struct telling {
	const struct options *o;
	struct pair pair;
	struct memory memory;
	struct webhook *webhook;
	struct ledger *ledger;
};

/* The event into the ledger, durably. */
static int
write_event(struct telling *t, const struct engine_events *who, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(BODY_MAX);
	struct ledger_event row = {
	    .time_ns = clock_wall_ns(),
	    .type = "task.held",
	    .key = who->task,
	};
	struct cloudevent c = {
	    .source = who->source,
	    .type = row.type,
	    .key = who->task,
	    .subject = who->task,
	    .subject_len = strlen(who->task),
	    .time_ns = row.time_ns,
	};
	struct ledger_run last = {.id = 0};
	const char *message = t->memory.message;
	struct json j;

	if (ledger_run_get(t->ledger, INT64_MAX, &last, e) == -1 ||
	    ledger_event_next(t->ledger, &c.seq, e) == -1)
		return -1;
	row.seq = c.seq;
	row.run_id = last.id;
	json_begin(&j, &body);
	cloudevent_begin(&j, &c);
	json_str(&j, "task", who->task);
	if (last.id != 0)
		json_uint(&j, "run", last.id);
	json_uint(&j, "failures", t->memory.schedule.failures);
	json_string(&j, "message", message, strlen(message));
	cloudevent_end(&j);
	if (buf_failed(&body))
		return err_set(e, ERR_NOMEM, "out of memory");
	row.body = buf_str(&body);
	if (ledger_event_put(t->ledger, &row, e) == -1)
		return -1;
	return ledger_commit(t->ledger, e);
}

static int
tell(struct telling *t, struct err *e)
{
	struct webhook_task whose = {
	    .state_dir = t->o->state_dir,
	    .name = t->o->task,
	    .owner = t->pair.owner,
	    .target = t->pair.target,
	};
	const struct engine_events *events;
	AUTO(free) char *aside = NULL;

	t->ledger =
	    ledger_open(t->o->state_dir, t->o->task, LEDGER_WRITE, &aside, e);
	cmd_say_aside(aside);
	if (t->ledger == NULL ||
	    webhook_start(t->webhook, &whose, t->ledger, &events, e) == -1 ||
	    write_event(t, events, e) == -1)
		return -1;
	webhook_end(t->webhook);
	return 0;
}

int
cmd_held(const struct options *o, int argc, char **argv)
{
	struct telling t = {.o = o, .pair.o = o};
	struct err e = ERR_INIT;
	int rc = 0;

	(void)argc;
	if (pair_name(&t.pair, argv[0], argv[1], &e) == -1 ||
	    memory_read(o->state_dir, o->task, &t.memory, &e) == -1 ||
	    webhook_new(o, &t.webhook, &e) == -1 ||
	    (t.webhook != NULL && tell(&t, &e) == -1)) {
		err_context(&e, "nobody can be told that it is held");
		rc = cmd_fail(&e);
	}
	webhook_free(t.webhook);
	ledger_close(t.ledger);
	pair_free(&t.pair);
	return rc;
}
