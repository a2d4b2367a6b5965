/* SPDX-License-Identifier: ISC */
/* Writes what completion scripts need to know: generate bash|zsh|fish */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "packaging/completion/generate.h"

/* What the first operand of VERB may be, where its name is WHAT. */
static const char *
what_words(enum verb_id verb)
{
	if (verb == VERB_EVENTS)
		return "tail show attempts dead redrive replay drain match "
		       "verify";
	if (verb == VERB_REPLAYS)
		return "list cancel";
	if (verb == VERB_SUBSCRIPTIONS)
		return "list show check test handshake new-secret add remove "
		       "pause resume disable enable";
	if (verb == VERB_TASK)
		return "list show check start stop pause resume set history";
	return "";
}

bool
next_word(const char **words, char *word, size_t size)
{
	const char *s = *words + strspn(*words, " ");
	size_t n = strcspn(s, " ");

	*words = s + n;
	if (n == 0 || n >= size)
		return false;
	memcpy(word, s, n);
	word[n] = '\0';
	return true;
}

static struct value
value_of_name(enum verb_id verb)
{
	if (verb == VERB_TASK)
		return (struct value){.kind = KIND_TASKS};
	if (verb == VERB_SUBSCRIPTIONS)
		return (struct value){.kind = KIND_SUBSCRIPTIONS};
	return (struct value){.kind = KIND_NONE};
}

struct value
value_of_operand(enum verb_id verb, int n)
{
	static const struct {
		const char *name;
		enum kind kind;
	} kinds[] = {
	    {"SRC", KIND_FILES},
	    {"DST", KIND_FILES},
	    {"URL", KIND_FILES},
	    {"FILE", KIND_FILES},
	    {"TASK", KIND_LEDGERS},
	    {"VERB", KIND_VERBS},
	};
	const char *rest = verb_table[verb].operands;
	char typed[32] = "";
	const char *word;
	size_t i;

	while (n-- >= 0)
		if (!next_word(&rest, typed, sizeof(typed)))
			return (struct value){.kind = KIND_NONE};
	/* "[SRC]" and "[NAME" */
	word = typed + strspn(typed, "[");
	typed[strcspn(typed, "]")] = '\0';
	if (strcmp(word, "WHAT") == 0)
		return (struct value){KIND_WORDS, what_words(verb)};
	if (strcmp(word, "NAME") == 0)
		return value_of_name(verb);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(word, kinds[i].name) == 0)
			return (struct value){.kind = kinds[i].kind};
	return (struct value){.kind = KIND_NONE};
}

struct value
value_of_option(const struct option_def *d)
{
	if (d->choices != NULL)
		return (struct value){KIND_WORDS, d->choices};
	if (strcmp(d->name, "task") == 0)
		return (struct value){.kind = KIND_LEDGERS};
	if (strcmp(d->name, "sub") == 0)
		return (struct value){.kind = KIND_SUBSCRIPTIONS};
	if (strcmp(d->arg, "DIR") == 0)
		return (struct value){.kind = KIND_DIRECTORIES};
	if (strcmp(d->arg, "FILE") == 0 || strcmp(d->arg, "SOCKET") == 0)
		return (struct value){.kind = KIND_FILES};
	return (struct value){.kind = KIND_NONE};
}

void
put_quoted(FILE *out, const char *text, const char *magic)
{
	putc('\'', out);
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs("'\\''", out);
			continue;
		}
		if (strchr(magic, *text) != NULL)
			putc('\\', out);
		putc(*text, out);
	}
	putc('\'', out);
}

bool
shown(const struct option_def *d, enum verb_id verb)
{
	return d->help != NULL && (d->verbs & 1u << verb) != 0;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *shell;
		void (*generate)(FILE *out);
	} shells[] = {
	    {"bash", generate_bash},
	    {"zsh", generate_zsh},
	    {"fish", generate_fish},
	};
	size_t i;

	for (i = 0; argc == 2 && i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[1], shells[i].shell) != 0)
			continue;
		shells[i].generate(stdout);
		if (fflush(stdout) == 0 && !ferror(stdout))
			return 0;
		perror("generate");
		return 1;
	}
	fputs("usage: generate bash|zsh|fish\n", stderr);
	return 2;
}
