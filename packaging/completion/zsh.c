/* SPDX-License-Identifier: ISC */
/* For zsh: what _arguments is told for each verb; dray.zsh does the rest. */
#include "config.h"

#include "packaging/completion/generate.h"

/* _arguments ends explanations at these. */
#define MAGIC "\\[]:"

/* The third part of ":MESSAGE:ACTION". */
static void
put_action(FILE *out, struct value v)
{
	static const char *const actions[] = {
	    [KIND_NONE] = "",
	    [KIND_WORDS] = "",
	    [KIND_FILES] = "_files",
	    [KIND_DIRECTORIES] = "_files -/",
	    [KIND_VERBS] = "_dray_verbs",
	    [KIND_LEDGERS] = "_dray_ledgers",
	    [KIND_TASKS] = "_dray_tasks",
	    [KIND_SUBSCRIPTIONS] = "_dray_subscriptions",
	};

	if (v.kind == KIND_WORDS)
		fprintf(out, ":'(%s)'", v.words);
	else
		fprintf(out, ":'%s'", actions[v.kind]);
}

static void
put_option(FILE *out, const struct option_def *d)
{
	fputs("\t\t'*'", out);
	if (d->letter != '\0')
		fprintf(out, "{-%c%s,--%s%s}", d->letter,
		    d->arg != NULL ? "+" : "", d->name,
		    d->arg != NULL ? "=" : "");
	else
		fprintf(out, "'--%s%s'", d->name, d->arg != NULL ? "=" : "");
	fputs("'['", out);
	put_quoted(out, d->help, MAGIC);
	fputs("']'", out);
	if (d->arg != NULL) {
		putc(':', out);
		put_quoted(out, d->arg, MAGIC);
		put_action(out, value_of_option(d));
	}
	fputs(" \\\n", out);
}

static void
put_operands(FILE *out, enum verb_id verb)
{
	const char *rest = verb_table[verb].operands;
	char word[32];
	int n;

	for (n = 0; n < OPERANDS_MAX; n++) {
		if (!next_word(&rest, word, sizeof(word)))
			break;
		fprintf(out, "\t\t%d:", n + 1);
		put_quoted(out, word, MAGIC);
		put_action(out, value_of_operand(verb, n));
		fputs(" \\\n", out);
	}
}

void
generate_zsh(FILE *out)
{
	int verb;
	size_t i;

	fputs("#compdef dray\n\n_dray_verbs() {\n\tlocal -a verbs=(\n", out);
	for (verb = 0; verb < VERB_COUNT; verb++) {
		fprintf(out, "\t\t%s:", verb_table[verb].name);
		put_quoted(out, verb_table[verb].summary, MAGIC);
		putc('\n', out);
	}
	fputs("\t)\n\t_describe -t verbs verb verbs\n}\n\n", out);
	fputs("# _dray_verb VERB\n_dray_verb() {\n\tcase $1 in\n", out);
	for (verb = 0; verb < VERB_COUNT; verb++) {
		fprintf(out, "\t%s)\n\t_arguments -s : \\\n",
		    verb_table[verb].name);
		for (i = 0; i < option_count; i++)
			if (shown(&option_table[i], (enum verb_id)verb))
				put_option(out, &option_table[i]);
		put_operands(out, (enum verb_id)verb);
		fputs("\t\t;;\n", out);
	}
	fputs("\tesac\n}\n", out);
}
