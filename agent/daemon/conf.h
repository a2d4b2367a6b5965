/* SPDX-License-Identifier: ISC */
/*
 * What the daemon is configured to do: dray.conf with the sections [daemon]
 * and [defaults], and a file for each task.  A task's file, NAME.conf, has no
 * sections; its keys are source, target, how it is scheduled, and every long
 * option of dray sync that says what a run does.  [defaults] has such options
 * for all tasks; a task's own replace them.
 */
#ifndef AGENT_DAEMON_CONF_H
#define AGENT_DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/cli/table.h"
#include "agent/daemon/schedule.h"
#include "base/auto.h"
#include "base/err.h"

/* Options as words, "--name=value", in the order of the file. */
struct conf_words {
	char **words;
	const struct option_def **defs; /* what each is */
	size_t n, cap;
};

enum watch_how { WATCH_NO, WATCH_AUTO, WATCH_INOTIFY, WATCH_FANOTIFY };

#define WATCH_SETTLE_MS 2000

struct task_conf {
	char *name;	   /* as task_check_name() wants it */
	char *path;	   /* the file */
	enum verb_id verb; /* VERB_SYNC or VERB_COPY */
	bool enabled;
	char *source, *target; /* both absolute */
	struct conf_words options;
	struct schedule schedule;
	char *timezone; /* NULL: the machine's */
	char plan[17];	/* of what its file says of that: changes with it */
	enum watch_how watch;
	unsigned watch_line; /* of the file, where that stands */
	uint64_t watch_settle_ms;
};

void task_conf_free(struct task_conf *t);
AUTO_DEFINE(task_conf, struct task_conf, task_conf_free)

/*
 * The task of the file at PATH, whose name is NAME.conf.  ERR_CONFIG, mostly
 * with "PATH:LINE: KEY: ".
 */
struct task_conf *task_conf_load(
    const char *path, const struct conf_words *defaults, struct err *e);

/* The same of TEXT (not ""), as if it were that file. */
struct task_conf *task_conf_parse(const char *text, const char *path,
    const struct conf_words *defaults, struct err *e);

struct daemon_conf {
	char *tasks_dir;
	char *state_dir;
	char *subscriptions_dir;
	bool names_subscriptions; /* the file does */
	char *control;		  /* the socket */
	char *control_group;	  /* who may use it; NULL: the process's own */
	unsigned max_runs;	  /* at a time */
	struct conf_words defaults;
};

/*
 * The file at PATH; none at all is one without lines, unless MUST_EXIST.  What
 * it doesn't say is the system's (/etc/dray, /var/lib/dray, /run/dray) for
 * root and for the user dray's service, else below the user's XDG directories.
 */
struct daemon_conf *daemon_conf_load(
    const char *path, bool must_exist, struct err *e);
void daemon_conf_free(struct daemon_conf *c);
AUTO_DEFINE(daemon_conf, struct daemon_conf, daemon_conf_free)

/* Where that file is for this user, unless told; malloc'd. */
char *daemon_conf_path(struct err *e);

/*
 * The tasks of all *.conf files in DIR, by name: *OUT, N of them, to be freed
 * one by one.  What is wrong with one is told to BAD with the task's name, and
 * the others go on.  No DIR: none.
 */
typedef void task_conf_bad_fn(
    void *arg, const char *name, const struct err *why);
int task_conf_load_all(const char *dir, const struct conf_words *defaults,
    task_conf_bad_fn *bad, void *arg, struct task_conf ***out, size_t *n,
    struct err *e);

#endif
