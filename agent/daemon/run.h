/* SPDX-License-Identifier: ISC */
/*
 * A run of a task, as a process of its own: what goes wrong in it, be it a
 * dead file system or a crash, is no matter of the daemon's.  The process is a
 * copy of the daemon that does what "dray VERB --json" does; the daemon reads
 * its progress and its log, and stops it by a signal.
 */
#ifndef AGENT_DAEMON_RUN_H
#define AGENT_DAEMON_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/cli/table.h"
#include "agent/daemon/loop.h"
#include "base/jdoc.h"

struct run;

/* Where a run finds what it was passed. */
#define RUN_PASSED_FD 4

/* What main() would do with "dray VERB ARGV..."; returns the exit status. */
typedef int run_main_fn(enum verb_id verb, int argc, char **argv);

/* All of it is borrowed until run_start() returns. */
struct run_order {
	const char *title; /* what its log lines begin with: "task=x" */
	enum verb_id verb;
	char *const *words; /* of its command line */
	size_t words_n;
	const char *timezone; /* its clock's; NULL: the machine's */
	bool takes_orders;    /* by --control-fd, the first of its words then */
	int passed;	      /* a descriptor that it gets as RUN_PASSED_FD; 0:
				 none */
	run_main_fn *main;
};

/* The daemon must have no other thread. */
struct run *run_start(const struct run_order *o, struct loop *l, struct err *e);
/* A process that still goes on is killed. */
void run_free(struct run *r);
AUTO_DEFINE(run, struct run, run_free)

pid_t run_pid(const struct run *r);
/* What is under way is finished, and nothing new begun; the second time, what
 * is under way is given up, too. */
void run_stop(struct run *r);
/* The same, as its time is over. */
void run_end_window(struct run *r);
/* At once: the last resort. */
void run_kill(const struct run *r);
/* In the run's own process, once it has its handlers: signals that came before
 * come now. */
void run_take_signals(void);
/* A line of agent/control_in.h, for what changes while it goes on: false if it
 * listens to nothing (any more). */
bool run_tell(struct run *r, const char *order);
/* How often it was asked for. */
unsigned run_stops(const struct run *r);

/* The last line of progress that it printed, an object; or NULL. */
const struct jdoc_node *run_progress(const struct run *r);

struct run_end {
	int exit_code;	    /* -1: killed */
	int signal;	    /* by which, or 0 */
	char outcome[24];   /* as its summary has it; "" if it has none */
	char message[1000]; /* its last error, or "" */
	bool said;	    /* that is in the log */
	uint64_t run;	    /* its number in the ledger, or 0 */
};

/* Its process was found to be gone, with STATUS of waitpid(). */
void run_reaped(struct run *r, int status, struct run_end *out);

#endif
