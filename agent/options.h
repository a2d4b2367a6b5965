/* SPDX-License-Identifier: ISC */
/*
 * What a run is asked to do.  cli/ fills it from the command line (one table:
 * parsing, --help and completion come from it), the engine reads it.  Strings
 * point into argv or are owned by the options.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "transfer/filter.h"
#include "transfer/scan.h"
#include "transfer/store.h"

enum verify_mode { VERIFY_NONE, VERIFY_TRANSFERRED, VERIFY_ALL };
/* By what a file counts as the one that was sent. */
enum compare_mode {
	COMPARE_TIMES,	  /* and size, inode...: read if only these moved */
	COMPARE_CHECKSUM, /* content, always read */
	COMPARE_SIZE,
	COMPARE_NOTHING, /* all is sent */
};
/* What may be replaced at the target. */
enum overwrite_mode {
	OVERWRITE_ALWAYS,
	OVERWRITE_UNCHANGED, /* only what was sent by this task */
	OVERWRITE_NEVER,
};
enum progress_mode { PROGRESS_AUTO, PROGRESS_ON, PROGRESS_OFF };

#define OPTIONS_SECRETS_MAX 8
#define OPTIONS_NETWORKS_MAX 16
#define OPTIONS_SETTINGS_MAX 64

struct options {
	/* What */
	const char *task;      /* --task: the ledger's name; NULL: derived */
	const char *state_dir; /* never NULL after options_finish() */
	/* What state_dir points to unless --state-dir was given; owned. */
	char *default_state_dir;
	/* As with the state directory; "": none. */
	const char *subscriptions_dir;
	char *default_subscriptions_dir;
	bool dry_run;
	bool reconcile;
	bool sha256;		   /* is taken of each file, too */
	const char *metadata_from; /* a manifest, instead of the source */
	const char *manifest; /* where to write it; verify: where to read it */
	bool deep;	      /* verify: read the target's bytes */
	uint32_t sample_slices; /* verify: one of so many; 0, 1: all */
	bool one_way; /* verify: what only the target has doesn't count */
	struct filter *filter;	  /* owned; never NULL */
	const char *files_from;	  /* a list of what to look at; "-": stdin */
	const char *changed_from; /* a list of what may have changed */
	bool from0;		  /* names of either end in NUL */
	enum scan_links links;
	bool one_file_system;
	bool archive; /* -a: links are kept, unless they are followed */
	bool hard_links;
	enum verify_mode verify;
	enum compare_mode compare;
	enum overwrite_mode overwrite;
	char lock_until[32];  /* what store.lock_until points to */
	bool update;	      /* leave what is newer at the target */
	bool ignore_existing; /* leave what is at the target */
	uint64_t min_size, max_size;
	bool max_size_set;
	uint64_t min_age_ms, max_age_ms; /* 0: any */
	/* Deleting what the source has no more */
	bool delete_extra;
	bool delete_excluded;
	bool ignore_errors;
	bool accept_source;	/* whatever place it is now */
	const char *backup_dir; /* relative, or by URL */
	const char *source_marker;
	bool max_delete_set;
	bool max_delete_percent;
	uint64_t max_delete;

	/* How */
	unsigned transfers;    /* workers; 0: as the target likes it */
	unsigned concurrency;  /* parts of one file at a time */
	unsigned scan_threads; /* 0: by the kind of source */
	uint64_t part_bytes;
	uint64_t threshold_bytes;
	uint64_t memory_bytes;
	unsigned retries;	   /* attempts of one request in all */
	uint64_t bwlimit;	   /* bytes a second; 0: off */
	const char *bwlimit_table; /* by the time of day, instead; or NULL */
	uint64_t max_duration_ms;  /* 0: any */
	int control_fd;		   /* orders come from there; -1: none do */
	struct store_config store;
	/* Where an S3 source needs others than the target. */
	const char *source_endpoint_url;
	const char *source_region;
	const char *source_profile;

	/* Events */
	const char *pattern; /* of the events that are wanted; NULL: all */
	const char *webhook; /* URL to send events to, or NULL */
	const char *webhook_secrets[OPTIONS_SECRETS_MAX]; /* references */
	unsigned webhook_secret_n;
	const char *webhook_allow[OPTIONS_NETWORKS_MAX];
	unsigned webhook_allow_n;
	const char *events_archive;  /* where to write them all, or NULL */
	uint64_t events_keep_age_ms; /* what everybody had */
	uint64_t events_keep_rows;   /* whoever waits; 0: any number */
	uint64_t events_keep_bytes;  /* likewise */
	const char *test_event;	     /* subscriptions test: a type */
	bool ed25519;		  /* subscriptions new-secret: a pair of keys */
	uint64_t events_drain_ms; /* waited for them at a run's end */
	/* What the verbs about events are to look at, or to do */
	const char *of_subscription; /* NULL: of all */
	const char *of_event;	     /* by its id; NULL: any */
	const char *of_reason;
	bool failed_only;
	bool follow;
	int64_t since_ms, from_ms, to_ms; /* 0: not given */
	const char *replay_name;
	bool new_ids;
	bool from_archive;
	uint64_t replay_rate;
	/* Subscriptions: what their files say */
	const char *url;
	const char *settings[OPTIONS_SETTINGS_MAX]; /* "key=value" */
	unsigned settings_n;
	bool force;

	/* init: when the task is to run; NULL: not told */
	const char *schedule;

	/* The daemon, and those who ask it */
	const char *config;  /* dray.conf; NULL: where this user's is */
	const char *control; /* its socket; NULL: as the configuration says */

	/* What a person sees */
	int verbosity; /* -1 quiet, 0, 1 (each item), 2 (debug) */
	bool json;
	bool watch;
	bool no_items; /* with json: only what needs attention */
	const char *log_file;
	uint64_t stats_ms; /* between plain progress lines; 0: none */
	enum progress_mode progress;
	const char *format; /* report, status: "text" or "json"; report: more */
	const char *level;  /* report: "errors", "all"; NULL: by the format */
	const char *output; /* report: a file, or a directory; NULL: stdout */
	/* verify: lists of paths; "-" is standard output */
	const char *combined, *match, *differ, *missing_on_src, *missing_on_dst,
	    *error;
	uint64_t estimate_rate;	 /* bytes a second, in a dry run */
	uint64_t volume_bytes;	 /* bundle create: of one; 0: any number */
	uint32_t compress_level; /* bundle create: of zstd; 0: none */
	bool since_last;	 /* bundle create: what changed since */
	bool recursive;		 /* ls: all below, not the children only */
	bool dump_filters;	 /* print the filter rules, do nothing else */

	/* The options as given, NUL-terminated: all, and those that say what a
	 * run does without what may be secret; such a one is "?--name". */
	struct buf given;
	struct buf recorded;
};

#endif
