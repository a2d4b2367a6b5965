/* SPDX-License-Identifier: ISC */
/* For fish: one `complete` for each verb, option and operand; dray.fish has
 * the conditions. */
#include "config.h"

#include "packaging/completion/generate.h"

/* fish's own meaning within single quotes; put_quoted() does the quote. */
#define MAGIC "\\"

static void
put_value(FILE *out, struct value v)
{
	switch (v.kind) {
	case KIND_NONE:
		break;
	case KIND_WORDS:
		fprintf(out, " -a '%s'", v.words);
		break;
	case KIND_FILES:
		fputs(" -F", out);
		break;
	case KIND_DIRECTORIES:
		fputs(" -a '(__fish_complete_directories)'", out);
		break;
	case KIND_VERBS:
		fputs(" -a '$__dray_verbs'", out);
		break;
	case KIND_LEDGERS:
		fputs(" -a '(__dray_ledgers)'", out);
		break;
	case KIND_TASKS:
		fputs(" -a '(__dray_tasks)'", out);
		break;
	case KIND_SUBSCRIPTIONS:
		fputs(" -a '(__dray_subscriptions)'", out);
		break;
	}
}

static void
put_option(FILE *out, const struct option_def *d)
{
	int verb;

	fputs("complete -c dray -n '__dray_is", out);
	for (verb = 0; verb < VERB_COUNT; verb++)
		if (shown(d, (enum verb_id)verb))
			fprintf(out, " %s", verb_table[verb].name);
	fprintf(out, "' -l %s", d->name);
	if (d->letter != '\0')
		fprintf(out, " -s %c", d->letter);
	fputs(" -d ", out);
	put_quoted(out, d->help, MAGIC);
	if (d->arg != NULL) {
		struct value v = value_of_option(d);

		fputs(v.kind == KIND_FILES ? " -r" : " -x", out);
		put_value(out, v);
	}
	putc('\n', out);
}

static void
put_verb(FILE *out, enum verb_id verb)
{
	const struct verb *v = &verb_table[verb];
	int n;

	fprintf(out, "complete -c dray -n __dray_no_verb -a %s -d ", v->name);
	put_quoted(out, v->summary, MAGIC);
	putc('\n', out);
	for (n = 0; n < OPERANDS_MAX; n++) {
		struct value value = value_of_operand(verb, n);

		if (value.kind == KIND_NONE)
			continue;
		fprintf(
		    out, "complete -c dray -n '__dray_at %s %d'", v->name, n);
		put_value(out, value);
		putc('\n', out);
	}
}

/* Options that take the next word, so that it is no operand. */
static void
put_takers(FILE *out)
{
	size_t i;

	fputs("set -g __dray_takers", out);
	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		const char *aliases = d->aliases != NULL ? d->aliases : "";
		char alias[64];

		if (d->arg == NULL)
			continue;
		fprintf(out, " --%s", d->name);
		while (next_word(&aliases, alias, sizeof(alias)))
			fprintf(out, " --%s", alias);
		if (d->letter != '\0')
			fprintf(out, " -%c", d->letter);
	}
	putc('\n', out);
}

void
generate_fish(FILE *out)
{
	int verb;
	size_t i;

	put_takers(out);
	fputs("set -g __dray_verbs", out);
	for (verb = 0; verb < VERB_COUNT; verb++)
		fprintf(out, " %s", verb_table[verb].name);
	fputs("\n\ncomplete -c dray -f\n", out);
	for (verb = 0; verb < VERB_COUNT; verb++)
		put_verb(out, (enum verb_id)verb);
	for (i = 0; i < option_count; i++)
		if (option_table[i].help != NULL)
			put_option(out, &option_table[i]);
}
