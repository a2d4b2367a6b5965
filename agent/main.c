/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "base/secret.h"
#include "transfer/sftp/askpass.h"

/* ssh(1), which we run, asks for a secret: it is its standard output's. */
static int
answer(const char *question)
{
	char secret[SECRET_MAX];
	struct err e = ERR_INIT;
	int rc = askpass_answer(question, secret, &e);

	if (rc == 0)
		rc = printf("%s\n", secret) < 0 || fflush(stdout) != 0 ? -1 : 0;
	else
		fprintf(stderr, "dray: %s\n", e.msg);
	secret_wipe(secret, sizeof(secret));
	return rc == 0 ? 0 : 1;
}

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
	    [VERB_BUNDLE] = cmd_bundle,
	    [VERB_DAEMON] = cmd_daemon,
	    [VERB_DOCTOR] = cmd_doctor,
	    [VERB_INIT] = cmd_init,
	    [VERB_HELP] = cmd_help,
	    [VERB_VERSION] = cmd_version,
	};

	if (askpass_is_asked())
		return answer(argc > 1 ? argv[1] : "");
	return cmd_main(argc, argv, verbs);
}
