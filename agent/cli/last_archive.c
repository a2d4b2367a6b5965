/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/cli/last_archive.h"
#include "agent/cli/parse.h"
#include "agent/cli/record.h"

void
last_archive_clear(struct last_archive *l)
{
	options_free(&l->options);
	free(l->argv);
	free(l->text);
}

/* 1 if the words of the last run name an archive, 0, -1. */
static int
read_options(struct ledger *ledger, struct last_archive *l, struct err *e)
{
	AUTO(buf) struct buf words = BUF_INIT(16 << 20);
	struct ledger_run run = {.id = 0};
	int argc, rc = ledger_run_get(ledger, INT64_MAX, &run, e);

	if (rc == 1)
		rc = ledger_run_texts(ledger, run.id, &words, NULL, e);
	if (rc != 1)
		return rc;
	if (record_known(&words, &l->argv, &argc, &l->text, e) == -1 ||
	    options_init(&l->options, e) == -1 ||
	    options_parse(&l->options, VERB_RETRY, &argc, l->argv, e) == -1 ||
	    options_finish(&l->options, VERB_RETRY, e) == -1)
		return err_context(e, "the options of its last run");
	return l->options.events_archive != NULL;
}

int
last_archive_find(struct ledger *ledger, struct last_archive *l, struct err *e)
{
	char key[WEBHOOK_ARCHIVE_NAME_MAX + 20], text[32];
	int rc = read_options(ledger, l, e);

	if (rc != 1)
		return rc;
	if (webhook_archive_name(&l->options, l->name, e) == -1)
		return -1;
	snprintf(key, sizeof(key), "subscribed %s", l->name);
	rc = ledger_meta_get(ledger, key, text, sizeof(text), e);
	if (rc == 1)
		rc = ledger_meta_get(
		    ledger, WEBHOOK_SOURCE, l->source, sizeof(l->source), e);
	if (rc == 1)
		l->start = strtoull(text, NULL, 10);
	return rc;
}
