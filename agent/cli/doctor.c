/* SPDX-License-Identifier: ISC */
/* dray doctor */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/task_options.h"
#include "agent/daemon/client.h"
#include "agent/doctor/become.h"
#include "agent/ledger.h"
#include "agent/task.h"

/* What is looked at: the operands, or a task. */
struct subject {
	struct store_url *source, *target;
	struct task_conf *task;
	struct options task_options;
};

static void
subject_free(struct subject *s)
{
	store_url_free(s->source);
	store_url_free(s->target);
	options_free(&s->task_options);
	task_conf_free(s->task);
}

static int
parse_places(
    struct subject *s, const char *source, const char *target, struct err *e)
{
	if (source != NULL && (s->source = store_url_parse(source, e)) == NULL)
		return err_context(e, "source");
	if (target != NULL && (s->target = store_url_parse(target, e)) == NULL)
		return err_context(e, "target");
	return 0;
}

/* The task of its file in the daemon's configuration. */
static int
load_task(struct subject *s, const struct daemon_conf *conf, const char *name,
    struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s.conf", conf->tasks_dir, name);
	if (buf_failed(&path))
		return err_set(e, ERR_NOMEM, "out of memory");
	s->task = task_conf_load(buf_str(&path), &conf->defaults, e);
	if (s->task == NULL)
		return e->kind == ERR_NOTFOUND
		    ? err_context(e, "no task %s; see dray task list", name)
		    : -1;
	if (task_options(
		&s->task_options, &s->task->options, s->task->verb, e) == -1)
		return -1;
	return parse_places(s, s->task->source, s->task->target, e);
}

/* 0 if it has not run yet. */
static uint64_t
count_dirs(const char *state_dir, const char *task)
{
	AUTO(ledger) struct ledger *l = NULL;
	struct err e = ERR_INIT;
	uint64_t n = 0;
	char *aside;

	if (task == NULL || !task_exists(state_dir, task))
		return 0;
	l = ledger_open(state_dir, task, LEDGER_READ, &aside, &e);
	if (l == NULL || ledger_count_dirs(l, &n, &e) == -1)
		return 0;
	return n;
}

static void
examine(struct doctor *d)
{
	doctor_libraries(d);
	doctor_limits(d);
	doctor_state(d);
	doctor_files(d);
	doctor_clock(d);
	doctor_service(d);
	doctor_stores(d);
}

static int
report(const struct options *o, const struct findings *f, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);

	if (o->json)
		findings_json(f, &out);
	else
		findings_text(f, o->verbosity < 0, &out);
	if (findings_failed(f) || buf_failed(&out))
		return err_set(e, ERR_NOMEM, "out of memory");
	fputs(buf_str(&out), stdout);
	return 0;
}

static int
diagnose(const struct options *o, int argc, char **argv, struct subject *s,
    struct err *e)
{
	AUTO(findings) struct findings *found = findings_new();
	AUTO(free) char *preset = daemon_conf_path(e);
	AUTO(daemon_conf) struct daemon_conf *conf = NULL;
	const char *path = o->config != NULL ? o->config : preset;
	struct doctor d = {
	    .o = o, .conf_path = path, .proc = "/proc", .found = found};
	struct err why = ERR_INIT;

	if (path == NULL || found == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d.conf = conf = daemon_conf_load(path, o->config != NULL, &why);
	if (conf != NULL)
		d.daemon = client_daemon(conf->control);
	else
		findings_add(
		    found, FINDING_FAIL, "configuration", "%s", why.msg);
	if (conf == NULL && o->task != NULL) {
		*e = why;
		return -1;
	}
	if (o->task != NULL && load_task(s, conf, o->task, e) == -1)
		return -1;
	if (o->task != NULL) {
		d.o = &s->task_options;
		d.by_daemon = true;
		service_take_environment(&d);
	} else if (parse_places(s, argc > 0 ? argv[0] : NULL,
		       argc > 1 ? argv[1] : NULL, e) == -1) {
		return -1;
	}
	d.source = s->source;
	d.target = s->target;
	d.state_dir = o->state_dir;
	/* The daemon's, unless another one was asked for. */
	if (conf != NULL && o->state_dir == o->default_state_dir)
		d.state_dir = conf->state_dir;
	d.dirs = count_dirs(d.state_dir, o->task);
	examine(&d);
	if (report(o, found, e) == -1)
		return -1;
	return findings_count(found, FINDING_FAIL) > 0;
}

int
cmd_doctor(const struct options *o, int argc, char **argv)
{
	struct subject s = {.source = NULL};
	struct err e = ERR_INIT;
	int rc;

	if (o->task != NULL && argc > 0)
		rc = err_set(&e, ERR_USAGE,
		    "--task %s names source and target already: leave out %s",
		    o->task, argv[0]);
	else
		rc = diagnose(o, argc, argv, &s, &e);
	subject_free(&s);
	return rc == -1 ? cmd_fail(&e) : rc;
}
