/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/cli/cmd.h"
#include "agent/cli/help.h"
#include "agent/cli/parse.h"
#include "agent/stop.h"
#include "base/log.h"
#include "base/text.h"

int
cmd_exit_code(enum err_kind kind)
{
	switch (kind) {
	case ERR_NONE:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_CONFIG:
	case ERR_DENIED:
	case ERR_EXPIRED:
	case ERR_SKEW:
	case ERR_NOTFOUND:
		return 3;
	case ERR_NET:
	case ERR_THROTTLE:
	case ERR_SERVER:
		return 4;
	case ERR_STOPPED:
		return atomic_load(stop_window_flag()) ? 6 : 130;
	case ERR_GUARD:
		return 7;
	case ERR_SYS:
	case ERR_NOMEM:
	case ERR_NOSPACE:
	case ERR_GONE:
	case ERR_EXISTS:
	case ERR_CONFLICT:
	case ERR_MISMATCH:
	case ERR_CHANGED:
	case ERR_VANISHED:
	case ERR_NAME:
	case ERR_PROTOCOL:
	case ERR_UNSUPPORTED:
	case ERR_BUSY:
	case ERR_KIND_COUNT:
		break;
	}
	return 1;
}

void
cmd_say_aside(const char *aside)
{
	if (aside != NULL)
		log_warn("the ledger was damaged and is kept as %s; a new one "
			 "is made from what the target holds",
		    aside);
}

int
cmd_fail(const struct err *e)
{
	/* A store's message and what was typed may hold any bytes. */
	AUTO(buf) struct buf text = BUF_INIT(1 << 16);

	text_escape(&text, e->msg, strlen(e->msg));
	log_error("%s", buf_str(&text));
	return cmd_exit_code(e->kind);
}

static int
show(const struct buf *text, FILE *where)
{
	fputs(buf_str(text), where);
	return 0;
}

static int
show_verb(enum verb_id verb)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);

	help_verb(&text, verb);
	return show(&text, stdout);
}

static int
show_overview(FILE *where)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);

	help_overview(&text);
	return show(&text, where);
}

int
cmd_help(const struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	enum verb_id verb;

	(void)o;
	if (argc == 0)
		return show_overview(stdout);
	verb = verb_by_name(argv[0]);
	if (verb == VERB_COUNT) {
		verb_unknown(argv[0], &e);
		return cmd_fail(&e);
	}
	return show_verb(verb);
}

int
cmd_version(const struct options *o, int argc, char **argv)
{
	(void)o;
	(void)argc;
	(void)argv;
	printf("dray %s\n", PACKAGE_VERSION);
	return 0;
}

/* What is left are options. */
static int
without_verb(int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc == 0) {
		show_overview(stderr);
		return 2;
	}
	if (strcmp(argv[0], "--version") == 0)
		return cmd_version(NULL, 0, NULL);
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
		return show_overview(stdout);
	err_set(&e, ERR_USAGE, "no verb given; see dray help");
	return cmd_fail(&e);
}

static int
dump_filters(const struct options *o)
{
	AUTO(buf) struct buf rules = BUF_INIT(64 << 20);

	filter_dump(o->filter, &rules);
	return show(&rules, stdout);
}

static int
set_up_log(const struct options *o, struct err *e)
{
	static const enum log_level levels[] = {
	    LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};

	enum log_level level = levels[o->verbosity + 1];

	/* A log file is asked for to be read later: -q is for the terminal. */
	if (o->log_file != NULL && level < LOG_INFO)
		level = LOG_INFO;
	log_set_level(level);
	log_find_journal();
	return o->log_file != NULL ? log_open(o->log_file, e) : 0;
}

int
cmd_run(enum verb_id verb, int argc, char **argv, cmd_fn *cmd)
{
	AUTO(options) struct options o = {0};
	AUTO(limit) struct limit *limit = NULL;
	struct err e = ERR_INIT;
	int rc;

	if (options_init(&o, &e) == -1)
		return cmd_fail(&e);
	rc = options_parse(&o, verb, &argc, argv, &e);
	if (rc == 1)
		return show_verb(verb);
	if (rc == -1 || options_finish(&o, verb, &e) == -1)
		return cmd_fail(&e);
	if (o.dump_filters)
		return dump_filters(&o);
	if (options_check_operands(verb, argc, &e) == -1 ||
	    set_up_log(&o, &e) == -1)
		return cmd_fail(&e);
	o.store.stop = stop_now_flag();
	o.store.limit = limit = limit_new(o.store.stop, &e);
	if (limit == NULL)
		return cmd_fail(&e);
	return cmd(&o, argc, argv);
}

/* Soft limits are low for the sake of programs that select(2): none here. */
static void
take_all_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int
cmd_main(int argc, char **argv, cmd_fn *const verbs[VERB_COUNT])
{
	int n = argc > 0 ? argc - 1 : 0;
	const char *name;
	struct err e = ERR_INIT;
	enum verb_id verb;
	int rc;

	stop_init();
	take_all_descriptors();
	name = options_take_verb(&n, argv + 1);
	if (name == NULL) {
		rc = without_verb(n, argv + 1);
	} else {
		verb = verb_by_name(name);
		if (verb == VERB_COUNT) {
			verb_unknown(name, &e);
			return cmd_fail(&e);
		}
		rc = cmd_run(verb, n, argv + 1, verbs[verb]);
	}
	/* A reader who has left (EPIPE) has seen enough. */
	if (fflush(stdout) == EOF && errno != EPIPE) {
		log_error("standard output: %m");
		rc = rc == 0 ? 1 : rc;
	}
	log_close();
	return rc;
}
