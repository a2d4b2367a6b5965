/* SPDX-License-Identifier: ISC */
/* The verbs, and how the command line reaches them. */
#ifndef AGENT_CLI_CMD_H
#define AGENT_CLI_CMD_H

#include "agent/cli/table.h"
#include "agent/options.h"
#include "base/err.h"

/* ARGV holds the ARGC operands, as many as the verb takes.  Returns the
 * process's exit status. */
typedef int cmd_fn(const struct options *o, int argc, char **argv);

cmd_fn cmd_sync;
cmd_fn cmd_verify;
cmd_fn cmd_status;
cmd_fn cmd_report;
cmd_fn cmd_retry;
cmd_fn cmd_ls;
cmd_fn cmd_probe;
cmd_fn cmd_events;
cmd_fn cmd_replays;
cmd_fn cmd_subscriptions;
cmd_fn cmd_task;
cmd_fn cmd_bundle;
cmd_fn cmd_daemon;
cmd_fn cmd_held; /* no verb: in a process of the daemon's */
cmd_fn cmd_doctor;
cmd_fn cmd_init;
cmd_fn cmd_help;
cmd_fn cmd_version;

/* The exit status that goes with KIND. */
int cmd_exit_code(enum err_kind kind);

/* Logs *E; returns the exit status that goes with its kind. */
int cmd_fail(const struct err *e);

/* Warns that a damaged ledger is kept as ASIDE, unless that is NULL. */
void cmd_say_aside(const char *aside);

/* Options, log, and CMD, which does what VERB asks for: all but the verb's
 * name of a command line.  Returns the exit status. */
int cmd_run(enum verb_id verb, int argc, char **argv, cmd_fn *cmd);

/*
 * Signals, options, log and dispatch to VERBS (indexed by enum verb_id):
 * all of main().  Returns the exit status.
 */
int cmd_main(int argc, char **argv, cmd_fn *const verbs[VERB_COUNT]);

#endif
