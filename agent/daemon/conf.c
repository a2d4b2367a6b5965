/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/conf_watch.h"
#include "agent/daemon/conf_words.h"
#include "agent/task.h"
#include "base/buf.h"
#include "base/ini.h"
#include "base/text.h"
#include "transfer/url.h"
#include "verify/digest.h"

#define RUNS_MAX 4
#define SUFFIX ".conf"

static int
set_text(char **field, const char *value, struct err *e)
{
	char *copy;

	if (*value == '\0')
		return err_set(e, ERR_CONFIG, "must not be empty");
	copy = strdup(value);
	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

static int
set_count(unsigned *field, const char *value, unsigned min, unsigned max,
    struct err *e)
{
	uint64_t n;

	if (text_parse_uint(value, min, max, &n, e) == -1)
		return -1;
	*field = (unsigned)n;
	return 0;
}

/* A URL or a path that means the same from everywhere; FIELD gets it as the
 * ledger will know it. */
static int
set_place(char **field, const char *value, struct err *e)
{
	AUTO(store_url) struct store_url *url = NULL;

	if (value[0] != '/' && strstr(value, "://") == NULL)
		return err_set(e, ERR_CONFIG,
		    "neither a URL nor a path from the root: \"%.200s\"",
		    value);
	url = store_url_parse(value, e);
	return url != NULL ? set_text(field, value, e) : -1;
}

static int
set_verb(struct task_conf *t, const char *value, struct err *e)
{
	t->verb = verb_by_name(value);
	if (t->verb == VERB_SYNC || t->verb == VERB_COPY)
		return 0;
	return err_set(
	    e, ERR_CONFIG, "neither sync nor copy: \"%.100s\"", value);
}

/* Of all lines about the schedule, in their order. */
static void
mark_plan(struct task_conf *t, const char *key, const char *value)
{
	uint64_t crc = 0;

	if (!schedule_has_key(key))
		return;
	text_unhex(t->plan, strlen(t->plan), &crc, sizeof(crc));
	crc = crc64nvme(crc, key, strlen(key) + 1);
	crc = crc64nvme(crc, value, strlen(value) + 1);
	text_hex(&crc, sizeof(crc), t->plan);
}

static int
set_schedule(
    struct task_conf *t, const char *key, const char *value, struct err *e)
{
	if (schedule_set(&t->schedule, key, value, e) == -1)
		return -1;
	return strcmp(key, "timezone") == 0 ? set_text(&t->timezone, value, e)
					    : 0;
}

/* 1: done, 0: no key of the task's own, -1. */
static int
set_own(struct task_conf *t, const char *key, const char *value, struct err *e)
{
	int rc;

	if (strcmp(key, "source") == 0)
		rc = set_place(&t->source, value, e);
	else if (strcmp(key, "target") == 0)
		rc = set_place(&t->target, value, e);
	else if (strcmp(key, "verb") == 0)
		rc = set_verb(t, value, e);
	else if (strcmp(key, "enabled") == 0)
		rc = conf_bool(value, &t->enabled, e);
	else if (strcmp(key, "watch") == 0)
		rc = conf_watch(t, value, e);
	else if (strcmp(key, "watch-settle") == 0)
		rc = conf_watch_settle(t, value, e);
	else if (schedule_has_key(key))
		rc = set_schedule(t, key, value, e);
	else
		return 0;
	return rc == 0 ? 1 : err_context(e, "%s", key);
}

static int
bad_line(const struct ini_line *line, struct err *e)
{
	if (e->kind != ERR_NOMEM)
		e->kind = ERR_CONFIG;
	return err_context(e, "%s:%u", line->file, line->number);
}

static int
on_task_line(void *arg, const struct ini_line *line, struct err *e)
{
	struct task_conf *t = arg;
	int rc;

	if (line->section[0] != '\0') {
		err_set(e, ERR_CONFIG, "a task has no sections, but [%.100s]",
		    line->section);
		return bad_line(line, e);
	}
	mark_plan(t, line->key, line->value);
	if (strcmp(line->key, "watch") == 0)
		t->watch_line = line->number;
	rc = set_own(t, line->key, line->value, e);
	if (rc == 0)
		rc = conf_words_set(&t->options, line->key, line->value, e);
	return rc == -1 ? bad_line(line, e) : 0;
}

void
task_conf_free(struct task_conf *t)
{
	if (t == NULL)
		return;
	free(t->name);
	free(t->path);
	free(t->source);
	free(t->target);
	free(t->timezone);
	conf_words_free(&t->options);
	schedule_free(&t->schedule);
	free(t);
}

/* NAME of ".../NAME.conf". */
static char *
name_of(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t n = strlen(base), suffix = strlen(SUFFIX);
	AUTO(free) char *name = NULL;

	if (n <= suffix || strcmp(base + n - suffix, SUFFIX) != 0) {
		err_set(e, ERR_CONFIG,
		    "%s: a task's file is called NAME" SUFFIX, path);
		return NULL;
	}
	name = strndup(base, n - suffix);
	if (name == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (task_check_name(name, e) == -1) {
		e->kind = ERR_CONFIG;
		err_context(e, "%s", path);
		return NULL;
	}
	return TAKE(name);
}

static int
finish_task(const struct task_conf *t, struct err *e)
{
	if (t->source == NULL || t->target == NULL)
		err_set(e, ERR_CONFIG, "no %s is set",
		    t->source == NULL ? "source" : "target");
	else if (conf_words_check(&t->options, t->verb, e) == 0)
		return t->watch != WATCH_NO ? conf_watch_check(t, e) : 0;
	return err_context(e, "%s", t->path);
}

/* The file at PATH, or what is written in F, if that is not NULL. */
static struct task_conf *
load(
    const char *path, FILE *f, const struct conf_words *defaults, struct err *e)
{
	AUTO(task_conf) struct task_conf *t = calloc(1, sizeof(*t));
	char machine[256] = "";

	if (t == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	t->verb = VERB_SYNC;
	t->enabled = true;
	t->watch_settle_ms = WATCH_SETTLE_MS;
	t->path = strdup(path);
	t->name = name_of(path, e);
	if (t->name == NULL)
		return NULL;
	if (t->path == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (gethostname(machine, sizeof(machine) - 1) == -1) {
		err_sys(e, "the name of this machine");
		return NULL;
	}
	if (schedule_init(&t->schedule, t->name, machine, e) == -1 ||
	    conf_words_copy(&t->options, defaults, e) == -1 ||
	    (f != NULL ? ini_read(f, path, on_task_line, t, e)
		       : ini_whole_file(path, on_task_line, t, e)) == -1 ||
	    finish_task(t, e) == -1)
		return NULL;
	return TAKE(t);
}

struct task_conf *
task_conf_load(
    const char *path, const struct conf_words *defaults, struct err *e)
{
	return load(path, NULL, defaults, e);
}

struct task_conf *
task_conf_parse(const char *text, const char *path,
    const struct conf_words *defaults, struct err *e)
{
	AUTO(free) char *copy = strdup(text);
	AUTO(fclose) FILE *f = NULL;

	if (copy == NULL || (f = fmemopen(copy, strlen(copy), "r")) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	return load(path, f, defaults, e);
}

static int
is_conf(const struct dirent *de)
{
	size_t n = strlen(de->d_name), suffix = strlen(SUFFIX);

	return de->d_name[0] != '.' && n > suffix &&
	    strcmp(de->d_name + n - suffix, SUFFIX) == 0;
}

/* Others would have whoever opens them wait. */
static int
check_regular(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return err_sys(e, "%s", path);
	return S_ISREG(st.st_mode)
	    ? 0
	    : err_set(e, ERR_CONFIG, "%s: not a regular file", path);
}

static struct task_conf *
load_in(const char *dir, const char *file, const struct conf_words *defaults,
    struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s", dir, file);
	if (buf_failed(&path)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (check_regular(buf_str(&path), e) == -1)
		return NULL;
	return task_conf_load(buf_str(&path), defaults, e);
}

int
task_conf_load_all(const char *dir, const struct conf_words *defaults,
    task_conf_bad_fn *bad, void *arg, struct task_conf ***out, size_t *n,
    struct err *e)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_conf, alphasort), i;

	*n = 0;
	*out = NULL;
	if (count == -1 && errno == ENOENT)
		return 0;
	if (count == -1)
		return err_sys(e, "%s", dir);
	*out = calloc((size_t)count + 1, sizeof(**out));
	for (i = 0; i < count; i++) {
		char *file = names[i]->d_name;
		struct err why = ERR_INIT;
		struct task_conf *t =
		    *out != NULL ? load_in(dir, file, defaults, &why) : NULL;

		file[strlen(file) - strlen(SUFFIX)] = '\0';
		if (t != NULL)
			(*out)[(*n)++] = t;
		else if (*out != NULL)
			bad(arg, file, &why);
		free(names[i]);
	}
	free(names);
	return *out != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

static int
set_daemon(
    struct daemon_conf *c, const char *key, const char *value, struct err *e)
{
	const struct {
		const char *key;
		char **field;
	} paths[] = {
	    {"tasks-dir", &c->tasks_dir},
	    {"state-dir", &c->state_dir},
	    {"subscriptions-dir", &c->subscriptions_dir},
	    {"control", &c->control},
	};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strcmp(key, paths[i].key) == 0) {
			if (value[0] != '/')
				return err_set(e, ERR_CONFIG,
				    "not a path from the root: \"%.200s\"",
				    value);
			c->names_subscriptions |=
			    paths[i].field == &c->subscriptions_dir;
			return set_text(paths[i].field, value, e);
		}
	if (strcmp(key, "control-group") == 0)
		return set_text(&c->control_group, value, e);
	if (strcmp(key, "max-concurrent-runs") == 0)
		return set_count(&c->max_runs, value, 1, 250, e);
	return err_set(e, ERR_CONFIG,
	    "no such key; there are tasks-dir state-dir subscriptions-dir "
	    "control control-group max-concurrent-runs");
}

static int
on_daemon_line(void *arg, const struct ini_line *line, struct err *e)
{
	struct daemon_conf *c = arg;
	int rc;

	if (strcmp(line->section, "defaults") == 0) {
		rc = conf_words_set(&c->defaults, line->key, line->value, e);
	} else if (strcmp(line->section, "daemon") == 0) {
		rc = set_daemon(c, line->key, line->value, e);
		if (rc == -1)
			err_context(e, "%s", line->key);
	} else {
		rc = err_set(e, ERR_CONFIG,
		    "%s: the sections are [daemon] and [defaults]", line->key);
	}
	return rc == -1 ? bad_line(line, e) : 0;
}

void
daemon_conf_free(struct daemon_conf *c)
{
	if (c == NULL)
		return;
	free(c->tasks_dir);
	free(c->state_dir);
	free(c->subscriptions_dir);
	free(c->control);
	free(c->control_group);
	conf_words_free(&c->defaults);
	free(c);
}

/*
 * A directory of this user's: what a service manager gave (SERVICE), the
 * system's for root, else the one of the XDG Base Directory Specification.
 */
static char *
home_dir(const char *service, const char *root, const char *xdg,
    const char *in_home, struct err *e)
{
	const char *given = service != NULL ? getenv(service) : NULL;
	const char *dir = getenv(xdg), *home = getenv("HOME");
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	char *out;

	if (given != NULL && given[0] == '/')
		buf_add(&path, given, strcspn(given, ":"));
	else if (geteuid() == 0)
		buf_adds(&path, root);
	else if (dir != NULL && dir[0] == '/')
		buf_addf(&path, "%s/dray", dir);
	else if (home != NULL && home[0] == '/')
		buf_addf(&path, "%s/%s/dray", home, in_home);
	else
		buf_adds(&path, root);
	out = buf_take(&path);
	if (out == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return out;
}

static int
preset(struct daemon_conf *c, struct err *e)
{
	AUTO(free)
	char *config = home_dir("CONFIGURATION_DIRECTORY", "/etc/dray",
	    "XDG_CONFIG_HOME", ".config", e);
	AUTO(free)
	char *run = home_dir(
	    "RUNTIME_DIRECTORY", "/run/dray", "XDG_RUNTIME_DIR", ".cache", e);
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	c->state_dir = home_dir("STATE_DIRECTORY", "/var/lib/dray",
	    "XDG_STATE_HOME", ".local/state", e);
	if (config == NULL || run == NULL || c->state_dir == NULL)
		return -1;
	buf_addf(&path, "%s/tasks.d", config);
	c->tasks_dir = buf_take(&path);
	buf_addf(&path, "%s/subscriptions.d", config);
	c->subscriptions_dir = buf_take(&path);
	buf_addf(&path, "%s/control", run);
	c->control = buf_take(&path);
	if (c->tasks_dir == NULL || c->subscriptions_dir == NULL ||
	    c->control == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->max_runs = RUNS_MAX;
	return 0;
}

char *
daemon_conf_path(struct err *e)
{
	AUTO(free)
	char *dir = home_dir("CONFIGURATION_DIRECTORY", "/etc/dray",
	    "XDG_CONFIG_HOME", ".config", e);
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	char *out;

	if (dir == NULL)
		return NULL;
	buf_addf(&path, "%s/dray.conf", dir);
	out = buf_take(&path);
	if (out == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return out;
}

struct daemon_conf *
daemon_conf_load(const char *path, bool must_exist, struct err *e)
{
	AUTO(daemon_conf) struct daemon_conf *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (preset(c, e) == -1)
		return NULL;
	if (ini_whole_file(path, on_daemon_line, c, e) == -1) {
		if (must_exist || e->kind != ERR_NOTFOUND)
			return NULL;
		*e = (struct err)ERR_INIT;
	}
	return TAKE(c);
}
