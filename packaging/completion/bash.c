/* SPDX-License-Identifier: ISC */
/* For bash: functions that look things up; dray.bash does the rest. */
#include "config.h"

#include "packaging/completion/generate.h"

/* What the lookups answer: a word for the kind, then the words. */
static void
put_value(FILE *out, struct value v)
{
	static const char *const names[] = {
	    [KIND_NONE] = "none",
	    [KIND_WORDS] = "words",
	    [KIND_FILES] = "files",
	    [KIND_DIRECTORIES] = "directories",
	    [KIND_VERBS] = "verbs",
	    [KIND_LEDGERS] = "ledgers",
	    [KIND_TASKS] = "tasks",
	    [KIND_SUBSCRIPTIONS] = "subscriptions",
	};

	fprintf(out, "echo '%s%s%s'", names[v.kind],
	    v.kind == KIND_WORDS ? " " : "",
	    v.kind == KIND_WORDS ? v.words : "");
}

static void
put_verbs(FILE *out)
{
	int verb;

	fputs("_dray_verbs() { echo '", out);
	for (verb = 0; verb < VERB_COUNT; verb++)
		fprintf(
		    out, "%s%s", verb > 0 ? " " : "", verb_table[verb].name);
	fputs("'; }\n\n", out);
}

static void
put_options(FILE *out)
{
	int verb;
	size_t i;

	fputs("# _dray_options VERB\n_dray_options() {\n\tcase $1 in\n", out);
	for (verb = 0; verb < VERB_COUNT; verb++) {
		fprintf(out, "\t%s) echo '", verb_table[verb].name);
		for (i = 0; i < option_count; i++) {
			const struct option_def *d = &option_table[i];

			if (!shown(d, (enum verb_id)verb))
				continue;
			if (d->letter != '\0')
				fprintf(out, "-%c ", d->letter);
			fprintf(out, "--%s ", d->name);
		}
		fputs("' ;;\n", out);
	}
	fputs("\tesac\n}\n\n", out);
}

static void
put_arguments(FILE *out)
{
	size_t i;

	fputs("# _dray_argument OPTION: fails if it takes none\n"
	      "_dray_argument() {\n\tcase $1 in\n",
	    out);
	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		const char *aliases = d->aliases != NULL ? d->aliases : "";
		char alias[64];

		if (d->arg == NULL)
			continue;
		fprintf(out, "\t--%s", d->name);
		while (next_word(&aliases, alias, sizeof(alias)))
			fprintf(out, " | --%s", alias);
		if (d->letter != '\0')
			fprintf(out, " | -%c", d->letter);
		fputs(") ", out);
		put_value(out, value_of_option(d));
		fputs(" ;;\n", out);
	}
	fputs("\t*) return 1 ;;\n\tesac\n}\n\n", out);
}

static void
put_operands(FILE *out)
{
	int verb, n;

	fputs("# _dray_operand VERB N\n_dray_operand() {\n"
	      "\tcase $1:$2 in\n",
	    out);
	for (verb = 0; verb < VERB_COUNT; verb++)
		for (n = 0; n < OPERANDS_MAX; n++) {
			struct value v =
			    value_of_operand((enum verb_id)verb, n);

			if (v.kind == KIND_NONE)
				continue;
			fprintf(out, "\t%s:%d) ", verb_table[verb].name, n);
			put_value(out, v);
			fputs(" ;;\n", out);
		}
	fputs("\tesac\n}\n", out);
}

void
generate_bash(FILE *out)
{
	fputs("# shellcheck shell=bash\n", out);
	put_verbs(out);
	put_options(out);
	put_arguments(out);
	put_operands(out);
}
