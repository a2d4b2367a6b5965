/* SPDX-License-Identifier: ISC */
/* dray daemon */
#include "config.h"

#include "agent/cli/cmd.h"
#include "agent/daemon/daemon.h"
#include "agent/stop.h"
#include "base/log.h"

/* These in processes of their own. */
static int
do_work(enum verb_id verb, int argc, char **argv)
{
	stop_init();
	run_take_signals();
	return cmd_run(
	    verb, argc, argv, verb == VERB_EVENTS ? cmd_events : cmd_sync);
}

static int
tell_of_hold(enum verb_id verb, int argc, char **argv)
{
	stop_init();
	run_take_signals();
	return cmd_run(verb, argc, argv, cmd_held);
}

int
cmd_daemon(const struct options *o, int argc, char **argv)
{
	AUTO(free) char *preset = NULL;
	struct daemon_setup setup = {
	    .conf_path = o->config,
	    .conf_must_exist = o->config != NULL,
	    .log_file = o->log_file,
	    .main = do_work,
	    .tell_of_hold = tell_of_hold,
	};
	struct err e = ERR_INIT;

	(void)argc;
	(void)argv;
	if (setup.conf_path == NULL) {
		preset = daemon_conf_path(&e);
		if (preset == NULL)
			return cmd_fail(&e);
		setup.conf_path = preset;
	}
	/* A service says what it does. */
	if (o->verbosity == 0)
		log_set_level(LOG_INFO);
	return daemon_run(&setup, &e) == 0 ? 0 : cmd_fail(&e);
}
