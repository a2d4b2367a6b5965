/* SPDX-License-Identifier: ISC */
/*
 * What a person or a script sees of a run: the live line, plain progress
 * lines, one line per item with -v, JSON lines with --json, the summary.
 * The engine calls ui_*() from its coordinator only; a thread of the ui's own
 * draws the progress.
 */
#ifndef AGENT_UI_H
#define AGENT_UI_H

#include <stddef.h>

#include "agent/options.h"
#include "agent/stats.h"
#include "base/err.h"

enum ui_action {
	UI_SENT,     /* file, whole or in parts: confirmed */
	UI_ADOPTED,  /* was there already */
	UI_METADATA, /* only metadata set */
	UI_DIR,	     /* directory made or set right */
	UI_LINK,     /* symlink made */
	UI_DELETED,  /* at the target */
	UI_SKIPPED,  /* left as it is; err.msg says why */
	UI_HARDLINK, /* another name of a file that was sent */
	UI_FAILED,
	UI_CHANGED,
	UI_VANISHED,
	UI_UNREADABLE,
	UI_RETRY,      /* will be tried again; err says why */
	UI_DIFFERS,    /* --verify all found it so, or could not tell */
	UI_DRIFT,      /* target differs from what was recorded */
	UI_WOULD_SEND, /* --dry-run */
	UI_WOULD_MKDIR,
	UI_WOULD_LINK,
	UI_WOULD_HARDLINK,
	UI_WOULD_ADOPT,
	UI_WOULD_SET_METADATA,
	UI_WOULD_DELETE,
};

enum run_outcome {
	RUN_OK,		 /* exit 0 */
	RUN_FAILURES,	 /* 1: some items failed */
	RUN_BAD_CONFIG,	 /* 3 */
	RUN_UNREACHABLE, /* 4: the store */
	RUN_GUARDED,	 /* 7: nothing was deleted, as it seemed too much */
	RUN_WINDOW,	 /* 6: its time was over */
	RUN_FULL,	 /* 6: a target that has an end is full */
	RUN_UNSTABLE,	 /* 5: some sources changed or vanished, no worse */
	RUN_INTERRUPTED, /* 130 */
};

struct ui_run {
	const char *task;
	const char *source; /* canonical */
	const char *target;
	const char *probe; /* one line: what the store was found to be, or "" */
	uint64_t run_id;
	bool dry_run;
};

struct ui;

/* STATS is borrowed until ui_free. */
struct ui *ui_new(
    const struct options *o, const struct run_stats *stats, struct err *e);
/* Ends the display; prints nothing more. */
void ui_free(struct ui *u);

/* The run begins; draw from now on.  R is borrowed until ui_free. */
void ui_begin(struct ui *u, const struct ui_run *r);

/*
 * PATH is bytes; SIZE 0 where it means nothing; ERR NULL where all is well.
 * What went wrong is logged here, as "PATH: err.msg": the message needs no
 * path, and the caller doesn't log.
 */
void ui_item(struct ui *u, enum ui_action action, const char *path, size_t len,
    uint64_t size, const struct err *err);

/* TEXT, whole lines, to standard output. */
void ui_print(struct ui *u, const char *text, size_t len);
/* Draws no more; ui_print() still works. */
void ui_stop(struct ui *u);

/*
 * The run is over: stop drawing, print the summary (not with -q, unless
 * something failed) or the last JSON line.  WHY is NULL, or what ended the run
 * early: it is logged here.
 */
void ui_end(struct ui *u, enum run_outcome outcome,
    const struct stats_snapshot *s, uint64_t elapsed_ms, const struct err *why);

int run_exit_code(enum run_outcome outcome);

#endif
