/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/cli/cmd.h"

int
main(int argc, char **argv)
{
	static cmd_fn *const verbs[VERB_COUNT] = {
	    [VERB_SYNC] = cmd_sync,
	    [VERB_COPY] = cmd_sync,
	    [VERB_VERIFY] = cmd_verify,
	    [VERB_LS] = cmd_ls,
	    [VERB_STATUS] = cmd_status,
	    [VERB_REPORT] = cmd_report,
	    [VERB_RETRY] = cmd_retry,
	    [VERB_PROBE] = cmd_probe,
	    [VERB_EVENTS] = cmd_events,
	    [VERB_REPLAYS] = cmd_replays,
	    [VERB_SUBSCRIPTIONS] = cmd_subscriptions,
	    [VERB_TASK] = cmd_task,
	    [VERB_DAEMON] = cmd_daemon,
	    [VERB_DOCTOR] = cmd_doctor,
	    [VERB_INIT] = cmd_init,
	    [VERB_HELP] = cmd_help,
	    [VERB_VERSION] = cmd_version,
	};

	return cmd_main(argc, argv, verbs);
}
