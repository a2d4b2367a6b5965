/* SPDX-License-Identifier: ISC */
/*
 * The on-prem agent: one thread that reads what is configured, starts and
 * stops the runs of tasks, and answers at the control socket.  It touches no
 * file tree and no store itself.
 */
#ifndef AGENT_DAEMON_DAEMON_H
#define AGENT_DAEMON_DAEMON_H

#include "agent/daemon/conf.h"
#include "agent/daemon/run.h"

struct daemon_setup {
	const char *conf_path;
	bool conf_must_exist;
	const char *log_file; /* opened again at SIGUSR1; or NULL */
	run_main_fn *main;
	run_main_fn *tell_of_hold; /* a task is held: with a run's words */
};

/*
 * Goes on until SIGTERM or SIGINT: 0, or -1 and *e if it could not begin
 * (ERR_BUSY: another one has the state directory) or go on.
 */
int daemon_run(const struct daemon_setup *setup, struct err *e);

#endif
