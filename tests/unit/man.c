/* SPDX-License-Identifier: ISC */
/* dray(1) and the command line's tables must tell the same. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>

#include "agent/cli/table.h"
#include "tests/unit/check.h"

static char page[200000];

static int
read_page(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	AUTO(fclose) FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/packaging/man/dray.1",
	    srcdir != NULL ? srcdir : ".");
	f = fopen(path, "r");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	return 0;
}

/* Whether the page has an entry (.It line) with "Fl NAME" and, if there is
 * one, an argument. */
static bool
documents(const char *name, size_t len, bool with_arg)
{
	const char *line;

	for (line = page; line != NULL && *line != '\0';) {
		size_t n = strcspn(line, "\n");
		char text[200], flag[60];
		const char *at;

		snprintf(text, sizeof(text), "%.*s ", (int)n, line);
		snprintf(flag, sizeof(flag), "Fl %.*s ", (int)len, name);
		at = strstr(text, flag);
		if (strncmp(text, ".It ", 4) == 0 && at != NULL &&
		    (strncmp(at + strlen(flag), "Ar ", 3) == 0) == with_arg)
			return true;
		line += n + (line[n] == '\n');
	}
	return false;
}

static void
every_option_is_in_the_manual(void)
{
	const char *word;
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		char name[60];

		snprintf(name, sizeof(name), "-%s", d->name);
		if (d->help == NULL) {
			CHECK(!documents(name, strlen(name), d->arg != NULL));
			continue;
		}
		if (!documents(name, strlen(name), d->arg != NULL)) {
			fprintf(stderr, "not in dray(1): -%s\n", name);
			check_failures++;
		}
		CHECK(d->letter == '\0' || documents(&d->letter, 1, false));
		for (word = d->aliases; word != NULL && *word != '\0';
		     word += strspn(word, " ")) {
			snprintf(name, sizeof(name), "-%.*s",
			    (int)strcspn(word, " "), word);
			CHECK(documents(name, strlen(name), d->arg != NULL));
			word += strcspn(word, " ");
		}
	}
}

static void
the_manual_has_no_option_that_is_not_there(void)
{
	const char *p = page;

	while ((p = strstr(p, "Fl -")) != NULL) {
		size_t n = 0;

		p += 4;
		while (isalnum((unsigned char)p[n]) || p[n] == '-')
			n++;
		if (option_by_name(p, n) == NULL &&
		    strncmp(p, "version", n) != 0) {
			fprintf(stderr, "dray(1) makes up --%.*s\n", (int)n, p);
			check_failures++;
		}
	}
}

static void
every_verb_is_in_the_manual(void)
{
	int i;

	for (i = 0; i < VERB_COUNT; i++) {
		char entry[60];

		snprintf(
		    entry, sizeof(entry), "\n.It Cm %s", verb_table[i].name);
		CHECK(strstr(page, entry) != NULL);
	}
}

int
main(void)
{
	if (read_page() == -1)
		return 1;
	RUN(every_option_is_in_the_manual);
	RUN(the_manual_has_no_option_that_is_not_there);
	RUN(every_verb_is_in_the_manual);
	return check_end();
}
