/* SPDX-License-Identifier: ISC */
/*
 * What dray verify says: a line for each item that isn't as it should be, the
 * lists that rclone check's users know, JSON lines, the summary.
 */
#ifndef AGENT_CLI_VERIFY_OUT_H
#define AGENT_CLI_VERIFY_OUT_H

#include "agent/options.h"
#include "agent/sample.h"
#include "agent/ui.h"
#include "agent/verify.h"
#include "base/auto.h"

struct verify_out;

/* Opens the lists that O names.  O is borrowed. */
struct verify_out *verify_out_new(const struct options *o, struct err *e);
void verify_out_free(struct verify_out *out);
AUTO_DEFINE(verify_out, struct verify_out, verify_out_free)

/* From now on through UI, which is borrowed. */
void verify_out_ui(struct verify_out *out, struct ui *ui);
/* A verify_setup.tell; ARG is the struct verify_out. */
void verify_out_item(void *arg, const struct verify_item *item);
/* All lists are written; ERR_SYS names the one that could not be. */
int verify_out_end(struct verify_out *out, struct err *e);

struct verify_summary {
	const struct options *options;
	const char *source, *target, *task; /* source may be NULL */
	struct sample sample;
	struct check_lacks lacks; /* of the task's runs */
	unsigned can_tell;	  /* verify_can_tell() */
	struct stats_snapshot stats;
	uint64_t elapsed_ms;
	bool equal;
	const struct err *why; /* what ended it early, or NULL */
	int exit_code;
};
/* Pure. */
void verify_summary_text(struct buf *out, const struct verify_summary *s);
void verify_summary_json(struct buf *out, const struct verify_summary *s);
/* To where the lists leave room for it. */
void verify_out_summary(struct verify_out *out, const struct verify_summary *s);

#endif
