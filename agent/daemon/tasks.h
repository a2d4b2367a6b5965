/* SPDX-License-Identifier: ISC */
/*
 * The tasks that the daemon has: what each is doing, what it is to do next,
 * and how many of them may.  One run at a time for each; those that are due
 * while enough others run stand in a queue, first come, first served.
 */
#ifndef AGENT_DAEMON_TASKS_H
#define AGENT_DAEMON_TASKS_H

#include "agent/daemon/conf.h"
#include "agent/daemon/courier.h"
#include "agent/daemon/run.h"
#include "base/json.h"

struct tasks;

struct tasks_config {
	const char *state_dir, *subscriptions_dir;
	const char *const *own; /* as watch_new() has it */
	unsigned max_runs;
	run_main_fn *main; /* NULL: only to be looked at */
	struct loop *loop;
};

struct tasks *tasks_new(const struct tasks_config *config, struct err *e);
/* Runs that go on are killed: tasks_stop_all() first. */
void tasks_free(struct tasks *t);
AUTO_DEFINE(tasks, struct tasks, tasks_free)

/*
 * Those of DIR are the tasks from now on.  A file that makes no sense leaves
 * its task as it was, and is logged; a task whose file is gone ends after its
 * run.
 */
int tasks_load(struct tasks *t, const char *dir,
    const struct conf_words *defaults, int64_t now_us, struct err *e);

/* Other than it was told at first. */
void tasks_set_limit(struct tasks *t, unsigned max_runs);

/* Starts and stops what it is time for.  Returns in how many ms to call again
 * at the latest. */
uint64_t tasks_tick(struct tasks *t, int64_t now_us);
/* Some child has ended: sees which. */
void tasks_reap(struct tasks *t, int64_t now_us);

/* All runs are to end, and none begins: the first time what is under way is
 * finished, the second time it is given up. */
void tasks_stop_all(struct tasks *t);
void tasks_kill_all(struct tasks *t);
unsigned tasks_running(const struct tasks *t);
size_t tasks_count(const struct tasks *t);
/* Whether there is a task NAME; ERR_NOTFOUND. */
int tasks_find(const struct tasks *t, const char *name, struct err *e);
const char *tasks_state_dir(const struct tasks *t);

/* tasks_hand.c.  Of task NAME; ERR_NOTFOUND.  What can't be recorded (a disk
 * that is full) is not done. */
int tasks_start(struct tasks *t, const char *name, struct err *e);
int tasks_stop(
    struct tasks *t, const char *name, int64_t now_us, struct err *e);
int tasks_pause(struct tasks *t, const char *name, bool paused, struct err *e);
/* Of the run that goes on: KEY is bwlimit. */
int tasks_set(struct tasks *t, const char *name, const char *key,
    const char *value, struct err *e);

/*
 * tasks_hold.c: the courier's errand is to tell of a task that is held.  ARG is
 * the struct tasks.
 */
int tasks_errand(void *arg, struct courier_errand *out, struct err *e);
void tasks_errand_done(void *arg);
/* Whether one has an archive that a run has begun. */
bool tasks_archive(void *arg);

/* tasks_show.c: all tasks, or only NAME (not NULL; ERR_NOTFOUND), as members of
 * an array. */
int tasks_show(
    const struct tasks *t, const char *name, struct json *j, struct err *e);

#endif
