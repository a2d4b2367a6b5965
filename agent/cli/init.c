/* SPDX-License-Identifier: ISC */
/* dray init: the file of a task, from what is given and asked for. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "agent/cli/init_ask.h"
#include "agent/cli/pair.h"
#include "agent/cli/task_options.h"
#include "agent/daemon/client.h"
#include "agent/doctor/doctor.h"
#include "agent/new_file.h"
#include "agent/task.h"
#include "base/json.h"

#define SYSTEM_DIR "/etc/dray/"

struct init {
	const struct options *o;
	const char *conf_path;
	struct daemon_conf *conf;
	/* What it is to be; malloc'd. */
	char *name, *source, *target, *schedule, *endpoint;
	char *path;
	struct buf text;
};

static void
init_free(struct init *in)
{
	free(in->name);
	free(in->source);
	free(in->target);
	free(in->schedule);
	free(in->endpoint);
	free(in->path);
	buf_free(&in->text);
	daemon_conf_free(in->conf);
}

/* *FIELD becomes GIVEN, or what is answered to QUESTION; CHECK has IN. */
static int
have(struct init *in, char **field, const char *given, const char *question,
    ask_check_fn *check, struct err *e)
{
	if (given == NULL) {
		*field = ask(stdin, stdout, question, check, in, e);
		return *field != NULL ? 0 : -1;
	}
	if (check(in, given, e) == -1)
		return -1;
	*field = strdup(given);
	return *field != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

/* A name that no task has yet; its file. */
static int
check_name(void *arg, const char *name, struct err *e)
{
	struct init *in = arg;
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	if (ask_check_name(NULL, name, e) == -1)
		return -1;
	buf_addf(&path, "%s/%s.conf", in->conf->tasks_dir, name);
	free(in->path);
	in->path = buf_take(&path);
	if (in->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (access(in->path, F_OK) == 0)
		return err_set(e, ERR_EXISTS,
		    "there is a task %s: change %s, or choose another name",
		    name, in->path);
	return 0;
}

static bool
asks_for_endpoint(const struct init *in)
{
	return isatty(STDIN_FILENO) && in->o->store.endpoint_url == NULL &&
	    getenv("AWS_ENDPOINT_URL_S3") == NULL &&
	    getenv("AWS_ENDPOINT_URL") == NULL &&
	    in->o->store.profile == NULL &&
	    (strncmp(in->source, "s3://", 5) == 0 ||
		strncmp(in->target, "s3://", 5) == 0);
}

/* Name, source, target, schedule: as operands and options, or by asking. */
static int
gather(struct init *in, int argc, char **argv, struct err *e)
{
	bool can_ask = isatty(STDIN_FILENO);
	const char *schedule = in->o->schedule;

	if (!can_ask && argc < 3)
		return err_set(e, ERR_USAGE,
		    "dray init NAME SRC DST: there is no terminal to ask at");
	if (schedule == NULL && (!can_ask || argc == 3))
		schedule = "";
	if (have(in, &in->name, argc > 0 ? argv[0] : NULL, "Name of the task",
		check_name, e) == -1 ||
	    have(in, &in->source, argc > 1 ? argv[1] : NULL,
		"Source (/path, s3://bucket/prefix, sftp://user@host/path, "
		"nfs://host/export)",
		ask_check_place, e) == -1 ||
	    have(in, &in->target, argc > 2 ? argv[2] : NULL, "Target",
		ask_check_place, e) == -1)
		return -1;
	if (argc < 3 && asks_for_endpoint(in) &&
	    have(in, &in->endpoint, NULL,
		"URL of the S3 service, if it is not Amazon's",
		ask_check_nothing, e) == -1)
		return -1;
	return have(in, &in->schedule, schedule,
	    "When (\"22:00\", \"Mon..Fri 20:00\", \"every 15m\"; empty: "
	    "when it is told to)",
	    ask_check_schedule, e);
}

static int
add_line(struct init *in, const char *key, const char *value, struct err *e)
{
	const char *p;

	/* The file has no quoting. */
	for (p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			return err_set(e, ERR_USAGE,
			    "%s: a line can't have control characters", key);
	if (value[0] == ' ' || (p != value && p[-1] == ' '))
		return err_set(e, ERR_USAGE,
		    "%s: a line can't begin or end in a space", key);
	buf_addf(&in->text, "%s = %s\n", key, value);
	return 0;
}

/* A path means the same from everywhere then. */
static int
add_place(struct init *in, const char *key, const char *place, struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(place, e);

	if (url == NULL)
		return -1;
	return add_line(
	    in, key, url->scheme == STORE_POSIX ? url->text : place, e);
}

/* The options of the store among those that were given: "--name=value". */
static int
add_given(struct init *in, struct err *e)
{
	const struct buf *given = &in->o->given;
	const char *word, *end = buf_str(given) + given->len;

	for (word = buf_str(given); word < end; word += strlen(word) + 1) {
		const char *name = word + 2;
		size_t n = strcspn(name, "=");
		const struct option_def *d = option_by_name(name, n);

		if (d != NULL && d->group == GROUP_STORE &&
		    add_line(in, d->name, d->arg != NULL ? name + n + 1 : "yes",
			e) == -1)
			return -1;
	}
	return 0;
}

static int
add_settings(struct init *in, struct err *e)
{
	unsigned i;

	for (i = 0; i < in->o->settings_n; i++) {
		const char *setting = in->o->settings[i];
		size_t n = strcspn(setting, "=");
		AUTO(free) char *key = strndup(setting, n);

		if (key == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		/* The last line would hold. */
		if (strcmp(key, "source") == 0 || strcmp(key, "target") == 0)
			return err_set(e, ERR_USAGE,
			    "--set: the %s is an operand: dray init NAME SRC "
			    "DST",
			    key);
		if (add_line(in, key, setting + n + 1, e) == -1)
			return err_context(e, "--set");
	}
	return 0;
}

static int
compose(struct init *in, struct err *e)
{
	buf_adds(&in->text,
	    "# A task of dray daemon; dray-task(5) tells what can be set.\n");
	if (add_place(in, "source", in->source, e) == -1 ||
	    add_place(in, "target", in->target, e) == -1 ||
	    (in->schedule[0] != '\0' &&
		add_line(in, "schedule", in->schedule, e) == -1) ||
	    (in->endpoint != NULL && in->endpoint[0] != '\0' &&
		add_line(in, "endpoint-url", in->endpoint, e) == -1) ||
	    add_given(in, e) == -1 || add_settings(in, e) == -1)
		return -1;
	return buf_failed(&in->text) ? err_set(e, ERR_NOMEM, "out of memory")
				     : 0;
}

/* What dray doctor says of both. */
static int
reach(const struct init *in, const struct pair *p, struct err *e)
{
	AUTO(findings) struct findings *found = findings_new();
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct doctor d = {
	    .o = p->o,
	    .conf_path = in->conf_path,
	    .by_daemon = true,
	    .daemon = client_daemon(in->conf->control),
	    .source = p->source,
	    .target = p->target,
	    .found = found,
	};

	if (found == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	doctor_service(&d);
	doctor_stores(&d);
	findings_text(found, true, &text);
	fputs(buf_str(&text), stderr);
	if (findings_count(found, FINDING_FAIL) == 0 || in->o->force)
		return 0;
	return err_set(e, ERR_CONFIG,
	    "a run would fail as things are, so nothing was written; --force "
	    "writes it all the same");
}

/* As the daemon will read it, before there is anything to read. */
static int
try_out(struct init *in, struct err *e)
{
	AUTO(task_conf)
	struct task_conf *t = task_conf_parse(
	    buf_str(&in->text), in->path, &in->conf->defaults, e);
	AUTO(options) struct options o = {0};
	struct pair p = {.o = &o};
	int rc;

	if (t == NULL || task_options(&o, &t->options, t->verb, e) == -1)
		return -1;
	o.store.stop = in->o->store.stop;
	rc = pair_open(&p, t->source, t->target, e);
	/* What keeps a store from being opened may be mended later. */
	if (rc == 0 || (in->o->force && e->kind != ERR_USAGE))
		rc = rc == 0 ? reach(in, &p, e) : 0;
	pair_free(&p);
	return rc;
}

static void
tell(const struct init *in)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	AUTO(buf) struct buf config = BUF_INIT(1 << 16);
	bool system = strncmp(in->path, SYSTEM_DIR, strlen(SYSTEM_DIR)) == 0;
	struct json j;

	if (in->o->config != NULL)
		buf_addf(&config, " --config %s", in->o->config);
	if (in->o->json) {
		json_begin(&j, &out);
		json_object(&j, NULL);
		json_str(&j, "task", in->name);
		json_str(&j, "path", in->path);
		json_object_end(&j);
		buf_addc(&out, '\n');
	} else if (in->o->verbosity >= 0) {
		buf_addf(&out,
		    "%s is written. Next:\n"
		    "  dray task check %s%s\n",
		    in->path, in->name, buf_str(&config));
		if (system)
			buf_adds(&out, "  systemctl reload-or-restart dray\n");
		else
			buf_addf(&out,
			    "  dray daemon%s    (SIGHUP, if it runs)\n",
			    buf_str(&config));
		buf_addf(&out, "  dray task start %s%s\n", in->name,
		    buf_str(&config));
	}
	fputs(buf_str(&out), stdout);
}

static int
write_task(struct init *in, int argc, char **argv, struct err *e)
{
	AUTO(free)
	char *preset = in->o->config == NULL ? daemon_conf_path(e) : NULL;

	if (in->o->config == NULL && preset == NULL)
		return -1;
	in->conf_path = preset != NULL ? preset : in->o->config;
	in->conf = daemon_conf_load(in->conf_path, preset == NULL, e);
	if (in->conf == NULL || gather(in, argc, argv, e) == -1 ||
	    compose(in, e) == -1 || try_out(in, e) == -1 ||
	    new_file_write(
		in->path, &in->text, 0640, new_file_group(in->path), e) == -1)
		return -1;
	tell(in);
	return 0;
}

int
cmd_init(const struct options *o, int argc, char **argv)
{
	struct init in = {.o = o, .text = BUF_INIT(1 << 20)};
	struct err e = ERR_INIT;
	int rc = write_task(&in, argc, argv, &e);

	init_free(&in);
	return rc == 0 ? 0 : cmd_fail(&e);
}
