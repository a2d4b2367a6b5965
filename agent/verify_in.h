/* SPDX-License-Identifier: ISC */
/* Inside of the coordinator of a verification.  For agent/verify_*.c only. */
#ifndef AGENT_VERIFY_IN_H
#define AGENT_VERIFY_IN_H

#include "agent/delay.h"
#include "agent/inbox.h"
#include "agent/lanes.h"
#include "agent/verify.h"
#include "agent/work.h"
#include "transfer/retry.h"

/* As the engine has them (engine_in.h). */
#define VERIFY_JOBS_MAX 4096
/* Workers at first, and at most, where nobody names a number. */
#define VERIFY_WORKERS 16
#define VERIFY_WORKERS_MAX 64
#define VERIFY_BATCHES_MAX 16
/* Parts read at a time, to begin with. */
#define VERIFY_PARTS 4
#define VERIFY_HOPELESS 20
/* Big files that are read in parts at a time. */
#define VERIFY_BIG_MAX 16

enum verify_phase { VERIFY_WALK, VERIFY_EXTRAS, VERIFY_END };

struct verifier {
	const struct verify_setup *setup;
	const struct options *options;
	struct store *source; /* may be NULL */
	struct store *target;
	struct ledger *ledger;
	struct run_stats *stats;
	struct check_rules rules;
	bool lists_links; /* they aren't compared, or the listings tell */
	struct plan_limits limits;
	struct retry_policy retry;
	unsigned workers_max;
	uint64_t random;
	int64_t begun_ns;

	struct lanes *lanes;
	struct inbox *inbox;
	struct pool *pool;
	struct workers *workers;
	struct scan *scan;
	struct delay delayed;

	enum verify_phase phase;
	bool scan_done;
	bool stopping;
	struct err fatal; /* why it ends early */
	size_t jobs;	  /* alive, wherever they are */
	unsigned hopeless;
	struct job_list big;	 /* wait for a place among the big files */
	struct job_list reading; /* big files being read in parts */
};

/* verify_run.c */
void verify_fatal(struct verifier *v, const struct err *e);
struct job *verify_job(struct verifier *v, enum job_kind kind, const char *dir,
    size_t dir_len, const char *name, size_t name_len);
void verify_job_end(struct verifier *v, struct job *j);
void verify_send(struct verifier *v, struct job *j);

/* verify_items.c: what is to be compared with what. */
void verify_batch(struct verifier *v, const struct scan_batch *b);
/* What the manifest has; true once that is all. */
bool verify_manifest(struct verifier *v);
/* What only the target has; true once that is all. */
bool verify_extras(struct verifier *v);

/* verify_links.c */
/* Whether the names that J's file has are those that it should have. */
void verify_links(struct verifier *v, struct job *j);

/* verify_answer.c */
void verify_answer(struct verifier *v, struct job *j);
/* What was found of J, a JOB_VERIFY, is counted and told; ends it. */
void verify_found(struct verifier *v, struct job *j);
/* Starts reading big files while there is room. */
void verify_start_big(struct verifier *v);
/* Something that could not be looked at. */
void verify_trouble(
    struct verifier *v, const char *path, size_t len, const struct err *why);

#endif
