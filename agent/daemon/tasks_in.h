/* SPDX-License-Identifier: ISC */
/* Inside of the tasks.  For tasks*.c only. */
#ifndef AGENT_DAEMON_TASKS_IN_H
#define AGENT_DAEMON_TASKS_IN_H

#include "agent/daemon/memory.h"
#include "agent/daemon/tasks.h"
#include "agent/daemon/watch.h"

/* Who wanted a run to end before it was done. */
enum task_stop { STOP_NOBODY, STOP_BY_HAND, STOP_BY_WINDOW, STOP_BY_END };

struct task {
	char *name;
	struct task_conf *conf; /* NULL: broken */
	struct memory memory;
	struct run *run;     /* NULL: doesn't run */
	struct watch *watch; /* NULL: none */
	enum task_stop stop;
	uint64_t queued; /* its number in the queue; 0: not in it */
	unsigned holds;	 /* since the daemon began */
	struct schedule_next next;
	bool gone;	  /* its file is */
	bool seen;	  /* while files are read */
	char broken[500]; /* why its file is; "" if it isn't */
};

struct tasks {
	struct tasks_config config;
	struct task **all; /* by name */
	size_t n;
	uint64_t serial; /* of the queue */
	int64_t now_us;	 /* when files were read */
	bool ending;
	char telling[300]; /* of whom others are being told */
	unsigned told;	   /* of which of its holds */
};

/* NULL if there is none: ERR_NOTFOUND. */
struct task *tasks_named(
    const struct tasks *t, const char *name, struct err *e);
/* What the daemon remembers of TASK is durable. */
int tasks_keep(const struct tasks *t, const struct task *task, struct err *e);
/* The same; what can't be kept is forgotten with the daemon: told, no more. */
void task_remember(const struct tasks *t, const struct task *task);
/* Those whose files are gone, and which don't run, are no tasks any more. */
void tasks_drop_gone(struct tasks *t);

/* tasks_run.c.  What TASK is to do now, by its schedule and by hand. */
void task_decide(struct tasks *t, struct task *task, int64_t now_us);
/* The command line of TASK's run, as is; W is to be freed in any case. */
int tasks_words(const struct tasks *t, const struct task *task,
    struct conf_words *w, struct err *e);

/* tasks_watch.c.  The watch over its source is as its file says. */
void task_watch(struct task *task, const struct tasks_config *config);
/* When the next run is due for what that has seen; 0: there is no need. */
int64_t task_changes_us(const struct task *task, int64_t now_us);
/* A run begins: the list of what it is limited to, the caller's; -1: all. */
int task_changes_begin(struct task *task, int64_t now_us);
/* Adds the words that say so. */
int task_changes_word(struct conf_words *w, struct err *e);
/* And has ended so. */
void task_changes_ended(struct task *task, enum schedule_end end);
/* Watches that are to begin do so; returns WAIT_MS, or less. */
uint64_t tasks_watch_tick(struct tasks *t, uint64_t wait_ms);

#endif
