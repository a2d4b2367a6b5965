/* SPDX-License-Identifier: ISC */
/*
 * The command line as data: the verbs and the one table of options.  Parsing,
 * --help and the checks against the man page come from it.  Pure.
 */
#ifndef AGENT_CLI_TABLE_H
#define AGENT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/options.h"
#include "base/err.h"

enum verb_id {
	VERB_SYNC,
	VERB_COPY,
	VERB_VERIFY,
	VERB_LS,
	VERB_STATUS,
	VERB_REPORT,
	VERB_RETRY,
	VERB_PROBE,
	VERB_EVENTS,
	VERB_REPLAYS,
	VERB_SUBSCRIPTIONS,
	VERB_TASK,
	VERB_BUNDLE,
	VERB_DAEMON,
	VERB_DOCTOR,
	VERB_INIT,
	VERB_HELP,
	VERB_VERSION,
	VERB_COUNT
};

struct verb {
	const char *name;
	const char *operands; /* "SRC DST" */
	int min, max;	      /* how many operands */
	const char *summary;  /* one line */
	const char *about;    /* a few sentences; wrapped when shown */
	const char *examples; /* a line each */
};

enum option_kind {
	OPTION_FLAG,	 /* no argument; the field becomes what value says */
	OPTION_UINT,	 /* min..max */
	OPTION_SIZE,	 /* bytes; a bare number counts in units of value */
	OPTION_DURATION, /* milliseconds */
	OPTION_STRING,
	OPTION_CHOICE, /* one of choices, kept as text */
	OPTION_ENUM,   /* one of choices, kept as its index */
	OPTION_CUSTOM, /* set() does it */
	OPTION_HELP,   /* show help instead */
};

enum option_group {
	GROUP_WHAT,
	GROUP_SPEED,
	GROUP_STORE,
	GROUP_EVENTS,
	GROUP_SHOW,
	GROUP_STATE,
	GROUP_COUNT
};

struct option_def {
	const char *name;    /* long, without the dashes */
	const char *aliases; /* other long names, one space between; or NULL */
	char letter;	     /* short name, or 0 */
	enum option_kind kind;
	enum option_group group;
	unsigned verbs;	  /* 1 << enum verb_id: who takes it */
	const char *arg;  /* what help calls the argument; NULL: takes none */
	const char *help; /* NULL: for programs; nowhere told */
	const char *not_verify; /* why verify doesn't take it; or NULL */
	const char *preset;	/* the default as one would type it; or NULL */
	const char *choices;	/* one space between */
	size_t field;		/* offset in struct options */
	size_t width;		/* and size: 1, 4, 8 or a pointer's */
	uint64_t value;
	uint64_t min, max; /* of UINT, SIZE, DURATION; max 0: any */
	/* ARG is NULL if the option takes none. */
	int (*set)(
	    struct options *o, char letter, const char *arg, struct err *e);
};

extern const struct verb verb_table[VERB_COUNT];
extern const struct option_def option_table[];
extern const size_t option_count;

const char *option_group_title(enum option_group group);

/* By any of its long names (LEN bytes), or by letter; NULL if there is none. */
const struct option_def *option_by_name(const char *name, size_t len);
const struct option_def *option_by_letter(char letter);

/* The long name nearest to NAME among those VERB takes, NULL if none is near.
 * VERB is VERB_COUNT for any. */
const char *option_nearest(const char *name, size_t len, enum verb_id verb);

/* VERB_COUNT if there is none of that name. */
enum verb_id verb_by_name(const char *name);

/* ERR_USAGE: NAME is no verb, with the best hint there is. */
int verb_unknown(const char *name, struct err *e);

/* Whether one of the space-separated WORDS is the LEN bytes at S; its index
 * (-1: none). */
int words_index(const char *words, const char *s, size_t len);

#endif
