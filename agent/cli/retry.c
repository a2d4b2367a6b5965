/* SPDX-License-Identifier: ISC */
/* dray retry: a sync of what an earlier run could not do. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/parse.h"
#include "agent/cli/record.h"
#include "agent/cli/sync.h"
#include "agent/ledger.h"
#include "agent/report/report.h"
#include "agent/task.h"
#include "base/log.h"
#include "base/text.h"

/* Beyond that the whole source is looked at: what is as recorded costs little,
 * and memory doesn't depend on how much failed. */
#define PATHS_MAX_BYTES ((size_t)64 << 20)
#define URL_MAX_BYTES 8192

struct retry {
	char *task;
	char source[URL_MAX_BYTES];
	char target[URL_MAX_BYTES];
	uint64_t run;
	struct pathset *paths;
	bool all; /* too many paths: all of the source */
	bool options_unknown;
	struct buf recorded;
	uint64_t items; /* that the run could not do */
};

static int
add_path(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct retry *r = arg;

	r->items++;
	if (r->all || pathset_add(r->paths, f->path, f->path_len, e) == 0)
		return 0;
	if (e->kind != ERR_NOSPACE)
		return -1;
	r->all = true;
	return 0;
}

/* A retry that didn't come to its end leaves what it took up undone. */
static bool
was_cut_off(const struct ledger_run *run)
{
	return run->ended_ns == 0 ||
	    (strcmp(run->outcome, "ok") != 0 &&
		strcmp(run->outcome, "failures") != 0 &&
		strcmp(run->outcome, "unstable") != 0) ||
	    run->why[0] != '\0';
}

static int
collect(struct retry *r, struct ledger *l, const char *name, struct err *e)
{
	struct ledger_run run;
	uint64_t id = INT64_MAX;
	int rc;

	if (name != NULL && text_parse_uint(name, 1, INT64_MAX, &id, e) == -1)
		return -1;
	if (task_find_run(l, r->task, name != NULL ? id : 0, &run, e) == -1)
		return -1;
	if (run.ended_ns == 0 && ledger_in_use(l))
		return err_set(e, ERR_BUSY,
		    "run %" PRIu64 " of task %s still goes on: wait for its "
		    "end, or stop it",
		    run.id, r->task);
	r->run = run.id;
	r->paths = pathset_new(PATHS_MAX_BYTES, e);
	rc = ledger_run_texts(l, run.id, &r->recorded, NULL, e);
	r->options_unknown = rc == 0;
	if (r->paths == NULL || rc == -1 ||
	    ledger_failures(l, run.id, add_path, r, e) == -1)
		return -1;
	while (run.retry_of != 0 && was_cut_off(&run)) {
		id = run.retry_of;
		if (task_find_run(l, r->task, id, &run, e) == -1 ||
		    ledger_failures(l, id, add_path, r, e) == -1)
			return -1;
	}
	pathset_seal(r->paths);
	return 0;
}

static int
read_ledger(
    struct retry *r, const struct options *o, const char *name, struct err *e)
{
	AUTO(ledger) struct ledger *l = NULL;
	int rc;

	l = task_open_for_reading(o->state_dir, o->task, &r->task, e);
	if (l == NULL)
		return -1;
	if (collect(r, l, name, e) == -1)
		return -1;
	rc = ledger_meta_get(l, "source", r->source, sizeof(r->source), e);
	if (rc == 1)
		rc = ledger_meta_get(
		    l, "target", r->target, sizeof(r->target), e);
	if (rc == 0)
		err_set(e, ERR_NOTFOUND,
		    "the ledger of task %s doesn't say of which SRC and DST "
		    "it is",
		    r->task);
	return rc == 1 ? 0 : -1;
}

/* A word as a shell reads it. */
static void
shell_word(struct buf *out, const char *word)
{
	const char *p;

	buf_addc(out, ' ');
	if (*word != '\0' &&
	    strspn(word,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_=/.,:@%+") == strlen(word)) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (p = word; *p != '\0'; p++) {
		if (*p == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *p);
	}
	buf_addc(out, '\'');
}

/* The command that the retry stands for, but for its secrets. */
static void
say(const struct retry *r, const struct options *o)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 20);
	AUTO(buf) struct buf shown = BUF_INIT(4 << 20);
	const char *p = buf_str(&o->recorded), *end = p + o->recorded.len;
	char n[40];

	buf_adds(&line, "dray sync");
	for (; p < end; p += strlen(p) + 1)
		shell_word(&line, *p == '?' ? p + 1 : p);
	shell_word(&line, "--task");
	shell_word(&line, r->task);
	shell_word(&line, r->source);
	shell_word(&line, r->target);
	text_escape(&shown, buf_str(&line), line.len);
	fprintf(stderr, "%s of run %" PRIu64 "%s, as by: %s\n",
	    report_items(r->items, n, sizeof(n)), r->run,
	    r->all ? ", too many to name: all of the source is looked at"
		   : " again, nothing else",
	    buf_str(&shown));
}

/* The words of the run and those given now, as options for its task. */
static int
parse_words(const struct retry *r, const struct options *given, int argc,
    char **argv, struct options *o, struct err *e)
{
	if (options_init(o, e) == -1 ||
	    options_parse(o, VERB_RETRY, &argc, argv, e) == -1 ||
	    options_finish(o, VERB_RETRY, e) == -1)
		return -1;
	o->task = r->task;
	o->store.stop = given->store.stop;
	o->store.limit = given->store.limit;
	return 0;
}

static int
again(const struct retry *r, const struct options *given)
{
	AUTO(free) char **argv = NULL;
	AUTO(free) char *text = NULL; /* the options point into it */
	AUTO(options) struct options o = {0};
	int argc;
	struct sync_order so = {
	    .source = r->source,
	    .target = r->target,
	    .only = r->all ? NULL : r->paths,
	    .retry_of = r->run,
	};
	struct err e = ERR_INIT;

	if (record_combine(
		&r->recorded, &given->given, &argv, &argc, &text, &e) == -1 ||
	    parse_words(r, given, argc, argv, &o, &e) == -1) {
		err_context(&e, "the options of run %" PRIu64, r->run);
		return cmd_fail(&e);
	}
	if (r->options_unknown)
		log_warn("run %" PRIu64 " was an earlier release's, which "
			 "didn't keep its options: those given now are all",
		    r->run);
	if (o.verbosity >= 0)
		say(r, &o);
	return sync_run(&o, &so);
}

static void
nothing_to_do(const struct retry *r, const struct options *o)
{
	if (o->verbosity >= 0)
		fprintf(stderr,
		    "nothing failed in run %" PRIu64 " of task %s: there is "
		    "nothing to do again\n",
		    r->run, r->task);
}

int
cmd_retry(const struct options *o, int argc, char **argv)
{
	struct retry r = {.recorded = BUF_INIT(16 << 20)};
	struct err e = ERR_INIT;
	int rc = 0;

	if (read_ledger(&r, o, argc > 0 ? argv[0] : NULL, &e) == -1)
		rc = cmd_fail(&e);
	else if (r.items == 0)
		nothing_to_do(&r, o);
	else
		rc = again(&r, o);
	pathset_free(r.paths);
	buf_free(&r.recorded);
	free(r.task);
	return rc;
}
