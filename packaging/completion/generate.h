/* SPDX-License-Identifier: ISC */
/* What shells are told of the command line: made from its tables. */
#ifndef PACKAGING_COMPLETION_GENERATE_H
#define PACKAGING_COMPLETION_GENERATE_H

#include <stdio.h>

#include "agent/cli/table.h"

/* What can stand somewhere. */
enum kind {
	KIND_NONE, /* nothing to be proposed */
	KIND_WORDS,
	KIND_FILES,
	KIND_DIRECTORIES,
	KIND_VERBS,
	KIND_LEDGERS, /* names of tasks that have a ledger */
	KIND_TASKS,   /* of those of the daemon */
	KIND_SUBSCRIPTIONS,
};

struct value {
	enum kind kind;
	const char *words; /* of KIND_WORDS, one space between */
};

#define OPERANDS_MAX 4

/* The argument of D, which takes one. */
struct value value_of_option(const struct option_def *d);
/* Operand N (from 0) of VERB. */
struct value value_of_operand(enum verb_id verb, int n);

/* Copies the next of the space-separated *WORDS to WORD and moves *WORDS behind
 * it; false at the end. */
bool next_word(const char **words, char *word, size_t size);

/* TEXT in single quotes, as shells read it; what MAGIC has gets a backslash. */
void put_quoted(FILE *out, const char *text, const char *magic);

/* Whether D is for people, and taken by VERB. */
bool shown(const struct option_def *d, enum verb_id verb);

void generate_bash(FILE *out);
void generate_zsh(FILE *out);
void generate_fish(FILE *out);

#endif
