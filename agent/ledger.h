/* SPDX-License-Identifier: ISC */
/*
 * The ledger: a task's SQLite database, the one truth about what was sent.
 * Only agent/ledger*.c know SQL.  One thread (the coordinator) uses a ledger.
 *
 * Writes go into an open transaction and count only after ledger_commit():
 * what relies on them must wait for it (upload ids before parts).  Every
 * commit is durable (WAL, synchronous=FULL); batching makes that cheap.
 *
 * Paths and names are bytes (BLOBs).  Directory paths are stored once.
 */
#ifndef AGENT_LEDGER_H
#define AGENT_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/outcome.h"
#include "agent/stats.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "transfer/item.h"
#include "transfer/store.h"
#include "verify/digest.h"

struct ledger;

enum ledger_mode {
	LEDGER_WRITE, /* made if missing; locked: one process owns it */
	LEDGER_READ,  /* ERR_NOTFOUND if missing; not locked */
	LEDGER_DRY,   /* as READ, but an empty one in memory if missing */
	LEDGER_EMPTY, /* one in memory, whatever there is */
};

/*
 * Opens <state_dir>/<task>/ledger.db.  ERR_BUSY names the process that holds
 * it.  A corrupt ledger is set aside (never deleted) when opened for writing:
 * *SET_ASIDE then gets its new path (malloc'd, else NULL), and the caller
 * must reconcile with the target.  ERR_CONFIG: made by a newer dray, or on a
 * network file system.
 */
struct ledger *ledger_open(const char *state_dir, const char *task,
    enum ledger_mode mode, char **set_aside, struct err *e);
/* Rolls back what was not committed.  A ledger that turned out to be corrupt
 * while it was open for writing is set aside: the next run makes a new one. */
void ledger_close(struct ledger *l);
AUTO_DEFINE(ledger, struct ledger, ledger_close)

/* Rows written since the last commit. */
unsigned ledger_uncommitted(const struct ledger *l);
int ledger_commit(struct ledger *l, struct err *e);
/*
 * Forgets the rows written since the last commit, and refuses new ones until
 * ledger_accept(): ids given out since then are void.  A write or commit that
 * fails does the same by itself.
 */
void ledger_rollback(struct ledger *l);
void ledger_accept(struct ledger *l);

/* Named values. get: 1 and a NUL-terminated text in OUT, 0 if not set, -1. */
int ledger_meta_get(
    struct ledger *l, const char *key, char *out, size_t size, struct err *e);
int ledger_meta_set(
    struct ledger *l, const char *key, const char *value, struct err *e);

/* No item is known at the target any more: part of the transaction that a write
 * before has begun. */
int ledger_forget_items(struct ledger *l, struct err *e);

/* The id of directory PATH; 0 if it isn't there and not to be made. */
int ledger_dir_id(struct ledger *l, const char *path, size_t len, bool make,
    int64_t *id, struct err *e);

enum ledger_state {
	LEDGER_PENDING = 1, /* a directory to be set right at the run's end */
	LEDGER_DONE = 2,    /* confirmed by the store */
};

/* A row of the file table. */
struct ledger_file {
	const char *name; /* from diff: valid until the next call */
	size_t name_len;
	enum ledger_state state;
	struct item_stat st;
	uint64_t part_bytes;  /* the digest is over parts of this; 0: whole */
	unsigned digest_have; /* DIGEST_XXH3, _CRC64NVME, _SHA256 bits */
	uint8_t xxh3[16];     /* of the file, or of the list of its parts */
	uint64_t crc64nvme;   /* of the whole file */
	uint8_t sha256[32];   /* as xxh3: of the file, or of the list */
	char etag[STORE_ETAG_MAX];
	char version[STORE_ETAG_MAX]; /* version id, or "" */
	uint64_t run_id;	      /* the run that wrote it last */
	uint64_t attrs; /* attrs_mark() of what was sent; 0: never looked at */
	/*
	 * NLINK above 1: the target's item is linked with those of the file's
	 * other names; 1: with none, or nobody asked; 0: it can't be linked,
	 * and stays as it is.
	 */
	struct item_link link;
	struct outcome outcome;
};

/*
 * Rows of a directory in name order, those with AFTER < name <= UPTO; an
 * AFTER of NULL is the beginning, an UPTO of NULL the end.
 */
int ledger_diff_begin(struct ledger *l, int64_t dir_id, const char *after,
    const char *upto, struct err *e);
/* 1 and a row, 0 at the end, -1. */
int ledger_diff_next(struct ledger *l, struct ledger_file *out, struct err *e);

int ledger_file_put(struct ledger *l, int64_t dir_id, const char *name,
    size_t name_len, const struct ledger_file *row, struct err *e);

/* A name of a file that has several. */
struct ledger_name {
	struct item_link link;
	struct item_stat st;
	int64_t dir_id; /* and not this one itself */
	const char *name;
	size_t name_len;
};

/* Another name of a file, at the target. */
struct ledger_leader {
	struct ledger_file row; /* without its name */
	char *path;		/* malloc'd */
	size_t path_len;
};

/*
 * A name that was recorded in the very state of NAME, or, without a ctime, by
 * the run RUN_ID: 1, 0 if there is none, -1.
 */
int ledger_leader(struct ledger *l, const struct ledger_name *name,
    uint64_t run_id, struct ledger_leader *out, struct err *e);
/*
 * The same of any state with that size and, if TIMED, mtime.  The content is
 * known (DIGEST_XXH3), and may be another.
 */
int ledger_leader_any(struct ledger *l, const struct ledger_name *name,
    bool timed, struct ledger_leader *out, struct err *e);
/* No name of this file is linked with any other from now on: NLINK, 0 or 1,
 * says what is to become of them. */
int ledger_links_drop(struct ledger *l, const struct item_link *link,
    uint32_t nlink, struct err *e);
/* Whether the file was asked for before in this run: 1, 0, -1.  In a temporary
 * file, not in the ledger. */
int ledger_link_seen(
    struct ledger *l, const struct item_link *link, struct err *e);

/* Directory PATH, if it is done: it is pending once more. */
int ledger_dir_again(
    struct ledger *l, const char *path, size_t len, struct err *e);

/* A pending directory, with the place to go on from. */
struct ledger_pending {
	int64_t at;	/* start with 0: the list is made anew then */
	unsigned depth; /* directories that it is in, below the root */
	int64_t dir_id;
	char *name; /* malloc'd; freed and replaced by each call */
	size_t name_len;
	char *path; /* whole path; malloc'd, same rule */
	size_t path_len;
	struct item_stat st;
	uint64_t run_id; /* the run that wrote it last */
	struct outcome outcome;
};

/*
 * The next pending directory behind *P, the deepest first: 1, 0 if there is
 * none, -1.  Those that become pending meanwhile are not seen.
 */
int ledger_pending_next(
    struct ledger *l, struct ledger_pending *p, struct err *e);
void ledger_pending_free(struct ledger_pending *p);

/* An unfinished upload.  An empty store_id is an intent: begun or not, its
 * id never reached us. */
struct ledger_upload {
	int64_t id;
	int64_t dir_id;
	char *path; /* malloc'd in ledger_uploads() */
	size_t path_len;
	size_t name_len; /* the path's last component */
	struct item_stat st;
	uint64_t part_bytes;
	int64_t begun_ns;
	uint64_t attrs; /* as in ledger_file, of what it was begun with */
	char store_id[STORE_ID_MAX];
};

int ledger_upload_intend(
    struct ledger *l, struct ledger_upload *u, struct err *e); /* fills u->id */
int ledger_upload_begun(struct ledger *l, int64_t id, const char *store_id,
    uint64_t attrs, struct err *e);
/* Forgets an upload and its parts. */
int ledger_upload_drop(struct ledger *l, int64_t id, struct err *e);
/* All of them; *OUT is malloc'd, free with ledger_uploads_free. */
int ledger_uploads(
    struct ledger *l, struct ledger_upload **out, size_t *n, struct err *e);
void ledger_uploads_free(struct ledger_upload *u, size_t n);

int ledger_part_put(struct ledger *l, int64_t upload_id,
    const struct store_part *part, struct err *e);
/* Parts of an upload in order; *OUT is malloc'd. */
int ledger_parts(struct ledger *l, int64_t upload_id, struct store_part **out,
    size_t *n, struct err *e);

/* What the target holds, for a first run or --reconcile: kept in a temporary
 * file, not in memory and not in the ledger. */
struct ledger_target {
	enum item_type type;
	uint64_t size;
	int64_t mtime_ns; /* the source's, or ITEM_TIME_UNKNOWN */
	char etag[STORE_ETAG_MAX];
};
int ledger_target_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_target *t, struct err *e);
/* 1 and *OUT, 0 if the target has no such item, -1.  A directory and anything
 * else of one path are two items. */
int ledger_target_get(struct ledger *l, const char *path, size_t len,
    bool is_dir, struct ledger_target *out, struct err *e);

/*
 * What is to be deleted at the target, collected during the scan: in temporary
 * tables as well.  First what the ledger knows and the source has no more;
 * then, if the target was listed, all of it that was not seen at the source.
 */
int ledger_gone_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_target *t, struct err *e);
/* What the ledger has below directory PATH ("" is the root). */
typedef int ledger_below_fn(void *arg, const char *path, size_t len,
    const struct ledger_target *t, struct err *e);
int ledger_below(struct ledger *l, const char *path, size_t len,
    ledger_below_fn *fn, void *arg, struct err *e);
/* The source has PATH: forgotten from the target's listing. */
int ledger_target_seen(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e);
/* All below PATH is to be left alone. */
int ledger_target_seen_below(
    struct ledger *l, const char *path, size_t len, struct err *e);
/* The directories above PATH stay, as it stays. */
int ledger_hold_parents(
    struct ledger *l, const char *path, size_t len, struct err *e);

/* An item that is to go from the target. */
struct ledger_victim {
	int64_t at;	/* start with 0 */
	unsigned depth; /* 0: no directory; else directories, deepest first */
	char *path;	/* malloc'd; freed and replaced by each call */
	size_t path_len;
	struct ledger_target is; /* as the ledger knows it, else as listed */
	bool known;		 /* by the ledger */
	bool there;		 /* the listing, if there was one, has it */
};
/* Puts all that was collected in order; *COUNT is what is there. */
int ledger_victims(
    struct ledger *l, bool listed, uint64_t *count, struct err *e);
/* The next one behind *V: 1, 0 if there is none, -1. */
int ledger_victim_next(
    struct ledger *l, struct ledger_victim *v, struct err *e);
/* 1 if PATH is to go, which is (IS_DIR) or isn't a directory, 0, -1. */
int ledger_victim_has(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e);
/* Directory PATH is not to go any more: 1 if it was, 0, -1. */
int ledger_victim_spare(
    struct ledger *l, const char *path, size_t len, struct err *e);

/* Stored in the ledger: never renumbered. */
enum ledger_fate {
	FATE_OPEN = 1, /* intended: nobody knows whether it was done */
	FATE_DELETED = 2,
	FATE_ABSENT = 3,    /* it was not there */
	FATE_RETURNED = 4,  /* kept: the source has it */
	FATE_CHANGED = 5,   /* kept: somebody else has changed it there */
	FATE_NOT_EMPTY = 6, /* kept: a directory that holds something */
	FATE_FAILED = 7,
};
/* A stable lower-case word. */
const char *ledger_fate_name(enum ledger_fate fate);
/* An intent (FATE_OPEN), committed before the request, and what came of it. */
int ledger_deletion_put(struct ledger *l, uint64_t run_id, const char *path,
    size_t len, enum item_type type, uint64_t size, enum ledger_fate fate,
    struct err *e);
struct ledger_deletion {
	const char *path; /* borrowed */
	size_t path_len;
	enum item_type type;
	uint64_t size;
	enum ledger_fate fate;
};
typedef int ledger_deletion_fn(
    void *arg, const struct ledger_deletion *d, struct err *e);
int ledger_deletions(struct ledger *l, uint64_t run_id, ledger_deletion_fn *fn,
    void *arg, struct err *e);
/* The row of PATH, if it is (IS_DIR) or isn't a directory's. */
int ledger_forget(
    struct ledger *l, const char *path, size_t len, bool is_dir, struct err *e);

/*
 * The target's listing for a verification: with all that a listing tells, and
 * which of it was looked at; in a temporary file, too.  Of one path there may
 * be a directory and something else.
 */
int ledger_listed_begin(struct ledger *l, struct err *e);
int ledger_listed_put(struct ledger *l, const char *path, size_t len,
    const struct store_stat *st, struct err *e);
/*
 * What was listed of PATH, rather of that kind; from now on it was looked at.
 * 1 and *OUT, 0, -1.  ctime and digests aren't kept.
 */
int ledger_listed_take(struct ledger *l, const char *path, size_t len,
    bool is_dir, struct store_stat *out, struct err *e);
/* PATH and all below it count as looked at. */
int ledger_listed_pass(
    struct ledger *l, const char *path, size_t len, struct err *e);
/* Whether there is anything below PATH: 1, 0, -1. */
int ledger_listed_below(
    struct ledger *l, const char *path, size_t len, struct err *e);
/* What was not looked at, by path: 1, 0 at the end, -1.  *PATH is valid until
 * the next call; the other functions must not be called in between. */
int ledger_listed_next(struct ledger *l, const char **path, size_t *len,
    struct store_stat *out, struct err *e);

/*
 * Extended attributes and ACLs, by their mark (attrs.h), each set once: what
 * rows have only the marks of.
 */
int ledger_attrs_put(
    struct ledger *l, uint64_t mark, const struct attrs *a, struct err *e);
/* The caller's: *OUT is NULL if nothing is known of the mark. */
int ledger_attrs_get(
    struct ledger *l, uint64_t mark, struct attrs **out, struct err *e);

/* What a manifest says of an item, for --metadata-from: in a temporary file,
 * too. */
struct ledger_given {
	struct item_stat st; /* without its attributes */
	/* nlink 1: no other names are known; else 2 (there are others), and
	 * only ino tells which. */
	struct item_link link;
	struct attrs *attrs; /* put: borrowed; get: the caller's */
};
/* The device of files that only a manifest tells the names of. */
#define LEDGER_GIVEN_DEV UINT64_MAX
/* All is put between these two. */
int ledger_given_begin(struct ledger *l, struct err *e);
int ledger_given_end(struct ledger *l, struct err *e);
int ledger_given_put(struct ledger *l, const char *path, size_t len,
    const struct ledger_given *g, struct err *e);
/* 1, 0 if the manifest has no such item, -1. */
int ledger_given_get(struct ledger *l, const char *path, size_t len,
    bool is_dir, struct ledger_given *out, struct err *e);

/* That a name leads to FILE at one side, and to OTHER at the other. */
enum ledger_side { LEDGER_AT_SOURCE, LEDGER_AT_TARGET };
struct ledger_pair {
	enum ledger_side side; /* of FILE, which has several names */
	struct item_link file;
	struct item_link other; /* nlink up to 1: a file of its own */
	const char *path;	/* the name */
	size_t path_len;
};
/* In a temporary file, too; forgets what was there. */
int ledger_pairs_begin(struct ledger *l, struct err *e);
/*
 * Keeps P if it is the first of FILE.  1 if it is, or says what the first
 * said; 0, and the first's name in *NAME (malloc'd; what was there is freed),
 * if not; -1.
 */
int ledger_pair_take(struct ledger *l, const struct ledger_pair *p, char **name,
    size_t *len, struct err *e);

/* Runs. */
struct ledger_run {
	uint64_t id;
	int64_t started_ns;
	int64_t ended_ns; /* 0: going on, or it crashed */
	char outcome[24]; /* "ok", "failures", ... "" while it runs */
	char why[500];	  /* what ended it early, or "" */
	/* While it goes on, or if it was cut off: some seconds old. */
	struct stats_snapshot stats;
	uint64_t retry_of; /* the run whose failures it took up, or 0 */
};

int ledger_run_begin(struct ledger *l, uint64_t *id, struct err *e);
int ledger_run_end(
    struct ledger *l, const struct ledger_run *run, struct err *e);
/* The newest run with an id of at most ID: 1, 0, -1. */
int ledger_run_get(
    struct ledger *l, uint64_t id, struct ledger_run *out, struct err *e);

struct ledger_failure {
	const char *path; /* borrowed */
	size_t path_len;
	const char *kind; /* err_kind_name */
	const char *message;
	unsigned attempts;
	int64_t at_ns;
};

int ledger_failure_put(struct ledger *l, uint64_t run_id,
    const struct ledger_failure *f, struct err *e);
/* Whether one of PATH is known: 1, 0, -1. */
int ledger_failure_has(struct ledger *l, uint64_t run_id, const char *path,
    size_t len, struct err *e);
typedef int ledger_failure_fn(
    void *arg, const struct ledger_failure *f, struct err *e);
int ledger_failures(struct ledger *l, uint64_t run_id, ledger_failure_fn *fn,
    void *arg, struct err *e);

/*
 * Events: what others are to be told, written in the transaction in which it
 * becomes true.  Their numbers only grow, also where the ledger was lost and
 * is made anew: they begin with the time in microseconds.
 */
struct ledger_event {
	uint64_t seq;
	int64_t time_ns;
	const char *type;
	const char *key; /* events of one key are told in order */
	uint64_t run_id;
	bool ends_run;	  /* told after all others of the run */
	const char *body; /* JSON */
};

/* Whether an event was ever written to it: 1, 0, -1. */
int ledger_event_any(struct ledger *l, struct err *e);
/* The number of the next event; each may be asked for once. */
int ledger_event_next(struct ledger *l, uint64_t *seq, struct err *e);
/* It is to be greater than SEQ, whatever the clock says. */
int ledger_event_after(struct ledger *l, uint64_t seq, struct err *e);
int ledger_event_put(
    struct ledger *l, const struct ledger_event *event, struct err *e);
/* One that was forgotten, with its number: 1, 0 if it is there, -1. */
int ledger_event_restore(
    struct ledger *l, const struct ledger_event *event, struct err *e);
/* The first event since TIME_NS; INT64_MAX if there is none. */
int ledger_event_since(
    struct ledger *l, int64_t time_ns, uint64_t *seq, struct err *e);
/* All before *SEQ are more than ROWS, or than BYTES together (0: any); 0 if
 * none are.  To be committed: it remembers how many there are. */
int ledger_event_over(struct ledger *l, uint64_t rows, uint64_t bytes,
    uint64_t *seq, struct err *e);
/* Forgets events from FROM on and before TO, of which there may be *MORE: a
 * transaction is not to be endless. */
#define LEDGER_EVENT_FORGET_MAX 10000
int ledger_event_forget(
    struct ledger *l, uint64_t from, uint64_t to, bool *more, struct err *e);

/*
 * Failures, notices and items are kept for reports and retries: failures (and
 * how the run went on over time) of the last LEDGER_FAILURE_RUNS, notices of
 * the last LEDGER_NOTICE_RUNS.
 */
#define LEDGER_FAILURE_RUNS 100
#define LEDGER_NOTICE_RUNS 10
/* Forgets what is too old now that run RUN_ID begins. */
int ledger_run_forget(struct ledger *l, uint64_t run_id, struct err *e);

/* What the run was asked to do: WORDS are NUL-terminated options. */
int ledger_run_ask(struct ledger *l, uint64_t run_id, const struct buf *words,
    uint64_t retry_of, struct err *e);
/* How far it is; SERIES as series_to_text(). */
int ledger_run_progress(struct ledger *l, uint64_t run_id,
    const struct stats_snapshot *stats, const char *series, struct err *e);
/* Appends either; NULL for what isn't wanted.  1; 0 if the words were not
 * kept, by an earlier release; -1. */
int ledger_run_texts(struct ledger *l, uint64_t run_id, struct buf *words,
    struct buf *series, struct err *e);

/* What is said of items that didn't fail.  Stored: keep the numbers. */
enum notice_kind {
	NOTICE_SKIPPED = 1, /* left alone; reason: a word, as "fifo" */
	NOTICE_DRIFT = 2,   /* others changed it at the target; sent again */
};

struct ledger_notice {
	enum notice_kind what;
	const char *path; /* borrowed */
	size_t path_len;
	enum item_type type;
	const char *reason;
};

int ledger_notice_put(struct ledger *l, uint64_t run_id,
    const struct ledger_notice *n, struct err *e);
typedef int ledger_notice_fn(
    void *arg, const struct ledger_notice *n, struct err *e);
/* In the order of paths, as failures are. */
int ledger_notices(struct ledger *l, uint64_t run_id, enum notice_kind what,
    ledger_notice_fn *fn, void *arg, struct err *e);

/* All that is read from now on, until it is closed, is of one moment. */
int ledger_read_begin(struct ledger *l, struct err *e);
/* Whether a process has it open for writing now. */
bool ledger_in_use(struct ledger *l);

/* Items done by a run and not by a later one. */
struct ledger_sums {
	uint64_t items[HOW_COUNT];
	uint64_t bytes[HOW_COUNT]; /* of files */
	/* Files whose content came to be, or was, at the target. */
	uint64_t proofs[PROOF_COUNT];
	uint64_t sizes[65]; /* [0]: empty; [n]: less than 2^n bytes */
};
int ledger_sums(
    struct ledger *l, uint64_t run_id, struct ledger_sums *out, struct err *e);

/* The same items, directory by directory and name by name; PATH is whole. */
typedef int ledger_item_fn(void *arg, const char *path, size_t len,
    const struct ledger_file *row, struct err *e);
int ledger_items(struct ledger *l, uint64_t run_id, ledger_item_fn *fn,
    void *arg, struct err *e);
/* All rows, directory by directory, in the order of paths and names. */
int ledger_all(struct ledger *l, ledger_item_fn *fn, void *arg, struct err *e);
/* Items and bytes recorded as done in all. */
int ledger_totals(
    struct ledger *l, uint64_t *items, uint64_t *bytes, struct err *e);
/* Directories of the source that were ever seen to hold something. */
int ledger_count_dirs(struct ledger *l, uint64_t *n, struct err *e);

/* Of SQLite, as "3.40.1". */
const char *ledger_library_version(void);

#endif
