/* SPDX-License-Identifier: ISC */
/* Inside of the coordinator.  For agent/engine*.c only; one thread. */
#ifndef AGENT_ENGINE_IN_H
#define AGENT_ENGINE_IN_H

#include "agent/delay.h"
#include "agent/engine.h"
#include "agent/given.h"
#include "agent/inbox.h"
#include "agent/lanes.h"
#include "agent/manifest_file.h"
#include "agent/series.h"
#include "agent/work.h"
#include "transfer/retry.h"

/* Jobs alive, wherever they wait, beyond which no batch is looked at. */
#define ENGINE_JOBS_MAX 4096
/* Workers, where neither the user nor a driver names a number. */
#define ENGINE_TRANSFERS 16
/* At most, where they are tried for, or only the source's driver wants more. */
#define ENGINE_TRANSFERS_FAR 64
/* Parts at a time to begin with, where no driver wants more. */
#define ENGINE_PARTS 4
/* Big files under way at a time, at most. */
#define ENGINE_UPLOADS_MAX 64
#define ENGINE_UPLOADS_SERIAL 2
/* Batches waiting beyond which the walkers are held up. */
#define ENGINE_BATCHES_MAX 16
/* A commit is due at so many rows, or after so many milliseconds. */
#define ENGINE_COMMIT_ROWS 1000
#define ENGINE_COMMIT_MS 100
/* Times that a file may change under us in one run. */
#define ENGINE_CHANGES_MAX 5
/* Times that a file is sent again because what arrived is not what was sent */
#define ENGINE_MISMATCHES_MAX 2
/* Items left alone and drift that a run names; what is more is counted. */
#define ENGINE_NOTICES_MAX 100000
/* How often the ledger is told how far the run is: with other rows, alone. */
#define ENGINE_PROGRESS_MS 2000
#define ENGINE_PROGRESS_ALONE_MS 60000
/* Final failures of the store in a row after which the run is given up. */
#define ENGINE_HOPELESS 20
/* Bytes of names that were left at the target, of one run. */
#define ENGINE_LEFTOVERS_MAX ((size_t)64 << 20)
/* Bytes that the description of a store's place takes. */
#define ENGINE_PLACE_MAX 1024

struct link_group;

enum engine_phase {
	PHASE_START,	/* nothing is under way yet */
	PHASE_TRANSFER, /* scan and send */
	PHASE_ORPHANS,	/* abort uploads that nothing took up again, and what
			   intents may have begun */
	PHASE_DELETE,	/* delete at the target what the source has no more */
	PHASE_AGAIN,	/* send what that stood in the way of */
	PHASE_DIRS,	/* set directories right: whatever else is done in one
			   changes its time */
	PHASE_ROOT,	/* and the root, last */
	PHASE_END,
};

struct engine {
	const struct engine_setup *setup;
	const struct options *options;
	struct ledger *ledger;
	struct ui *ui;
	struct run_stats *stats;
	const struct store_driver *ops;
	struct store *source;
	struct store *target;
	struct plan_limits limits;
	unsigned attrs;	    /* kinds of them that are kept */
	bool lists_links;   /* names of one file are known when it is found */
	uint64_t not_given; /* items that the manifest knows nothing of */
	unsigned transfers; /* requests under way at a time, at first */
	unsigned workers_max;
	struct retry_policy retry;
	uint64_t run_id;
	int64_t started_ns;
	uint64_t first_event; /* of this run; 0: none yet */
	uint64_t random;
	uint64_t serial; /* of the last upload */

	struct lanes *lanes;
	struct inbox *inbox;
	struct pool *pool;
	struct workers *workers; /* NULL until the first job */
	struct session *session; /* the coordinator's own, for flush() */
	struct scan *scan;

	enum engine_phase phase;
	bool scan_done;
	bool scan_incomplete; /* something could not be read */
	bool use_target;      /* the target's listing is in the ledger */
	bool reached;	      /* the target answered in this run */
	bool warned_of_temporary;
	bool may_be_left; /* temporary files of an earlier run */
	struct buf
	    leftovers; /* that a listing told of: keys, each with a NUL */
	bool stopping;
	struct err fatal; /* why the run ends early; ERR_NONE if it doesn't */
	struct err no_manifest; /* why there is none, though asked for */
	struct manifest_proof manifest; /* .bytes 0: there is none */
	struct err guarded; /* why nothing was deleted; ERR_NONE if it was */

	size_t jobs;		      /* alive, wherever they are */
	size_t uploads;		      /* alive */
	struct job_list big;	      /* wait for a place among the uploads */
	struct job_list after_commit; /* rely on rows not committed yet */
	struct delay delayed;	      /* to be tried again */
	struct link_group *leading[256]; /* files whose other names wait */
	size_t unled;		   /* of these, whose leader is yet to come */
	uint32_t link_id;	   /* the last that was given */
	struct ledger_upload *old; /* unfinished uploads of earlier runs */
	size_t old_n;
	struct ledger_pending pending;
	bool pending_held;   /* it waits for those of the depth before */
	unsigned dirs_depth; /* of the directories being set right */
	bool root_touched;
	int64_t touched[64];   /* ids of directories known as pending, some */
	uint64_t listed_items; /* at the target, in its listing */
	uint64_t victims;      /* items that are to be deleted */
	struct ledger_victim victim;
	bool deleting;		 /* there may be more */
	unsigned victim_depth;	 /* of those being deleted */
	struct job_list blocked; /* wait for what is to be deleted */
	char source_recorded[ENGINE_PLACE_MAX]; /* by an earlier run, or "" */
	char source_scanned[ENGINE_PLACE_MAX];
	uint64_t committed_ms;
	uint64_t progress_ms; /* when the ledger was told last */
	unsigned notices;     /* recorded in this run */
	struct series series;
	unsigned hopeless; /* final failures of the store in a row */
	unsigned expired;  /* answers in a row that credentials expired */
};

/* engine.c */
/* Ends the run early, for *E. */
void engine_fatal(struct engine *en, const struct err *e);
/* The ledger could not be written: nothing can go on.  Returns -1. */
int engine_ledger_failed(struct engine *en, const struct err *e);

/* engine_loop.c */
/* Goes through the phases of the run, until all is done or it is to end. */
void engine_loop(struct engine *en);

/* engine_send.c */
/* A new job for an item; NULL (and the run ends) without memory. */
struct job *engine_job(struct engine *en, enum job_kind kind, const char *dir,
    size_t dir_len, const char *name, size_t name_len);
void engine_job_end(struct engine *en, struct job *j);
/* Hands a job to the workers (started when the first one comes); makes sure
 * before that the target was reached, if it will be needed. */
void engine_send(struct engine *en, struct job *j);
/* Sends again later. */
void engine_delay(struct engine *en, struct job *j, uint64_t ms);
/* What was recorded becomes durable; what relied on that may go. */
void engine_commit(struct engine *en);
/* Makes sure the target was reached in this run; -1 if the run ends. */
int engine_reach(struct engine *en);
/* After failures of the store: ends the run if it doesn't answer any more. */
void engine_ask_the_store(struct engine *en);

/* engine_delete.c */
/* Whether PATH is --backup-dir, or below it. */
bool engine_is_backup(const struct engine *en, const char *path, size_t len);
/* The ledger's ROW is of what the source has no more. */
void engine_gone(struct engine *en, const char *path, size_t len,
    const struct ledger_file *row);
/* The source has this; what lies below a directory is not known if it wasn't
 * walked. */
void engine_seen(struct engine *en, const char *path, size_t len, bool is_dir,
    bool is_walked);
/* The target has this. */
int engine_listed(struct engine *en, const char *path, size_t len,
    const struct ledger_target *t, struct err *e);
/* True if J, for its err, waits now for what is to be deleted. */
bool engine_put_off(struct engine *en, struct job *j);
/* Those that waited go on. */
void engine_unblock(struct engine *en);
/* What place the source is now, and was. */
int engine_source_place(struct engine *en, struct err *e);
/* All is collected: decides whether it goes. */
void engine_begin_deletions(struct engine *en);
/* Makes jobs of what is to go, a bounded number. */
void engine_feed_deletions(struct engine *en);
void engine_delete_answer(struct engine *en, struct job *j);
void engine_end_deletions(struct engine *en);

/* engine_diff.c: what is to be done about a batch. */
void engine_batch(struct engine *en, struct scan_batch *b);

/* engine_count.c */
/* Counts B, and tells of what was left alone or could not be looked at. */
void engine_count(struct engine *en, const struct scan_batch *b);

/* engine_target.c */
/* Lists the target into the ledger's temporary table. */
void engine_list_target(struct engine *en);

/* engine_dry.c */
/* J is not done, but told; ends J. */
void engine_would(struct engine *en, struct job *j, enum ui_action action);
/* The same where J would write; what it expects there is looked at first. */
void engine_would_write(
    struct engine *en, struct job *j, enum ui_action action);
/* What J would cost. */
void engine_estimate(struct engine *en, const struct job *j);

/* engine_item.c */
/* Queues the file of J (kind is set by its size). */
void engine_queue_file(struct engine *en, struct job *j);
/* J goes to work, or a dry run tells of it. */
void engine_submit(struct engine *en, struct job *j);
/* An answer to any job but those of an upload. */
void engine_item_answer(struct engine *en, struct job *j);
/* The digests that are recorded of what J did. */
unsigned engine_digests(const struct engine *en, const struct job *j);
int engine_record(
    struct engine *en, const struct job *j, const struct ledger_file *row);
/* J's item is not to be done any more: neither it nor its bytes are queued. */
void engine_not_queued(struct engine *en, const struct job *j);
/*
 * ST as it is recorded of a file that was read from READ_NS on: without a
 * ctime if a change since then might not show in it.  The next run looks at
 * the content again then.
 */
struct item_stat engine_settled(const struct item_stat *st, int64_t read_ns);

/* What the ledger knows of ROW's item at the target, as it was sent. */
struct store_stat engine_known(const struct ledger_file *row);
/* J was looked at, and there is nothing to be moved; ends it. */
void engine_unchanged(struct engine *en, struct job *j);

/* engine_failed.c */
/*
 * The one retry policy: true if J (whose err says why it failed) was taken
 * for another try; false if it is final.
 */
bool engine_try_again(struct engine *en, struct job *j);
/*
 * True if J, for its err, may be begun anew from the file's first byte: it is
 * a JOB_PUT then and waits for its turn.
 */
bool engine_start_over(struct engine *en, struct job *j);
/* Gives an item up for its err, in whatever way its kind asks for; ends J. */
void engine_item_failed(struct engine *en, struct job *j);
/* Reports a failure that has no job. */
void engine_failure(struct engine *en, enum ui_action action, const char *path,
    size_t len, const struct err *e, unsigned attempts);

/* engine_links.c: files with several names. */
/* What can't be told of them is said. */
void engine_links_begin(struct engine *en);
/*
 * J is to be sent, adopted or hashed.  True if it was taken: it waits for
 * another name of its file, or becomes a link to it.  False: it goes on as it
 * is; others may wait for it then.
 */
bool engine_links_take(struct engine *en, struct job *j);
/* J's content is to be sent, unless it becomes a link. */
void engine_links_send(struct engine *en, struct job *j);
/* J, a FOUND_GROUP, goes on. */
void engine_links_found(struct engine *en, struct job *j);
/* J, a JOB_HARDLINK, could not be linked to its leader. */
void engine_links_not_linked(struct engine *en, struct job *j);
/* J's item is done, or given up: what waited for it goes on. */
void engine_links_over(struct engine *en, struct job *j);
/* What J's row, which turns done, is to say. */
struct item_link engine_links_record(struct engine *en, const struct job *j);
/* No further name will come, or none can be taken: what waits for one that
 * began to be uploaded in an earlier run goes on. */
void engine_links_expect_no_more(struct engine *en);
/* A job that waits for another name, if any. */
struct job *engine_links_withdraw(struct engine *en);

/* engine_outcome.c: what reports will tell. */
/* What became of J's item, now: how it was done, and what proves it. */
struct outcome engine_outcome(
    const struct engine *en, const struct job *j, enum outcome_how how);
/* Counts what proves a file that turned up at the target. */
void engine_count_proof(struct engine *en, const struct outcome *o);
/*
 * PATH, of TYPE, is left alone for REASON, a word: "fifo", "symlink",
 * "existing".  The caller counts it.
 */
void engine_skipped(struct engine *en, const char *path, size_t len,
    enum item_type type, const char *reason);
/* J's item is not what was sent; it will be sent again. */
void engine_drifted(
    struct engine *en, const struct job *j, const struct err *why);
/* Tells the ledger how far the run is, if that is due or at its END. */
void engine_progress(struct engine *en, bool end);
/* The new run: what it was asked to do; what is too old is forgotten. */
int engine_begin_run(struct engine *en, struct err *e);

/* engine_event.c: into the open transaction; 0, or -1 and *e. */
int engine_event_done(struct engine *en, const struct job *j,
    const struct ledger_file *row, struct err *e);
int engine_event_deleted(
    struct engine *en, const struct victim *v, struct err *e);
int engine_event_failed(
    struct engine *en, const struct ledger_failure *f, struct err *e);
int engine_event_run_started(struct engine *en, struct err *e);
int engine_event_run_ended(struct engine *en,
    const struct engine_result *result, const struct ledger_run *run,
    struct err *e);

/* engine_named.c */
/* Reports what was named (setup->only_named) and did not turn up. */
void engine_absent(struct engine *en);

/* engine_dirs.c */
/*
 * What J does at the target changes the directory that it is in (its time, and
 * its mode where it was closed): that is to be set right at the run's end, as
 * surely as J's row is written.  Where directories aren't items: nothing.
 */
void engine_touched(struct engine *en, const struct job *j);
/* The same for directory PATH itself ("" is the root). */
void engine_touched_in(struct engine *en, const char *path, size_t len);
/* Makes jobs of directories that wait to be set right, a bounded number. */
void engine_feed_dirs(struct engine *en);
/* Makes a job of the root, if it isn't what the ledger says. */
void engine_send_root(struct engine *en);
/*
 * What the root is to have: 1, and *ATTRS is the caller's (NULL before), or
 * NULL; 0 if the source's store doesn't know; -1.
 */
int engine_root(struct engine *en, struct item_stat *st, struct attrs **attrs,
    struct err *e);
/* The root's job is over, well or not; ends it. */
void engine_root_answer(struct engine *en, struct job *j);

/* engine_given.c */
/* With --metadata-from: reads the manifest. */
int engine_given_load(struct engine *en, struct err *e);
/*
 * What it says of PATH, which the source tells ST of: 1, and the attributes of
 * *OUT are the caller's; 0, *OUT is all 0, and it is counted; or -1.
 */
int engine_given(struct engine *en, const char *path, size_t len,
    const struct item_stat *st, struct given *out);
/* J, a JOB_DIR whose metadata is as its row has it, gets what was given. */
int engine_given_dir(struct engine *en, struct job *j);
/* How many items it didn't know is said. */
void engine_given_report(struct engine *en);
/* What J's ROW, which turns done, has only the mark of. */
int engine_keep_attrs(
    struct engine *en, const struct job *j, const struct ledger_file *row);

/* engine_manifest.c */
/* With --manifest: writes it. */
void engine_manifest(struct engine *en);

/* engine_verify.c */
/* With --verify all: each item of the task, also those of other runs. */
void engine_verify(struct engine *en);

/* engine_upload.c */
/* Starts uploads of waiting big files while there is room. */
void engine_start_uploads(struct engine *en);
void engine_upload_answer(struct engine *en, struct job *j);
/* Frees an upload once its last job is over. */
void engine_upload_release(struct engine *en, struct upload *up);

/* engine_left.c: what runs that were cut off left at the target. */
/* A listing told of KEY. */
void engine_leftover(struct engine *en, const char *key, size_t len);
/* Before the new run begins: did the last one end, and leave nothing? */
int engine_suspect_leftovers(struct engine *en, struct err *e);
/* Removes it.  No job may be alive. */
void engine_sweep_leftovers(struct engine *en);
/* At the run's end: what is left is for the next one. */
int engine_leftovers_end(struct engine *en, struct err *e);

/* engine_old.c: uploads of earlier runs, and intents. */
void engine_load_uploads(struct engine *en);
/* The unfinished upload of an earlier run for J's path, or NULL. */
struct ledger_upload *engine_find_old(struct engine *en, const struct job *j);
enum engine_old { OLD_NONE, OLD_OWN, OLD_OTHER };
/* Whether an earlier run began to upload J's file, under J's name or, as it
 * is now, under another. */
enum engine_old engine_old_upload(struct engine *en, const struct job *j);
/* A job that aborts U, which the store knows as STORE_ID; of a JOB_SWEEP that
 * is the one to spare. */
void engine_abort_one(struct engine *en, enum job_kind kind,
    const struct ledger_upload *u, const char *store_id);
/* Jobs that abort the uploads of earlier runs that nothing took up again. */
void engine_abort_old(struct engine *en);
/* Jobs that look for what intents may have begun.  No upload may be alive. */
void engine_sweep_intents(struct engine *en);
/* Whether nothing can come of J's intent any more, once it was swept. */
bool engine_intent_is_settled(const struct job *j);

#endif
