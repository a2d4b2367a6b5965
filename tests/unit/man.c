/* SPDX-License-Identifier: ISC */
/*
 * The manual and the command line's tables must tell the same: each verb's
 * page has the options that it takes, and no others.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <wordexp.h>

#include "agent/cli/parse.h"
#include "agent/cli/table.h"
#include "agent/daemon/conf.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

#define DIR_OF_PAGES "packaging/man/"
#define PAGE_MAX 200000

struct page {
	char name[60]; /* of the file */
	char text[PAGE_MAX];
};

/* Those of verbs are built, others are sources. */
static bool
read_page(struct page *p, const char *name)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *f;

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->text[0] = '\0';
	snprintf(path, sizeof(path), DIR_OF_PAGES "%s", name);
	f = fopen(path, "r");
	if (f == NULL) {
		snprintf(path, sizeof(path), "%s/" DIR_OF_PAGES "%s",
		    srcdir != NULL ? srcdir : ".", name);
		f = fopen(path, "r");
	}
	if (f == NULL) {
		perror(path);
		return false;
	}
	p->text[fread(p->text, 1, PAGE_MAX - 1, f)] = '\0';
	fclose(f);
	return true;
}

static bool
page_of_verb(struct page *p, int verb)
{
	char name[60];

	snprintf(name, sizeof(name), "dray-%s.%d", verb_table[verb].name,
	    verb == VERB_DAEMON ? 8 : 1);
	return read_page(p, name);
}

/* These are in dray(1). */
static bool
has_no_page(int verb)
{
	return verb == VERB_HELP || verb == VERB_VERSION;
}

static bool
takes(int verb, const struct option_def *d)
{
	return (d->verbs & 1u << verb) != 0 && d->help != NULL;
}

static void
complain(const struct page *p, const char *what, const char *name, size_t len)
{
	fprintf(stderr, "%s %s %.*s\n", p->name, what, (int)len, name);
	check_failures++;
}

/* Whether the page has an entry (.It line) with "Fl NAME" and, if there is
 * one, an argument. */
static bool
documents(const struct page *p, const char *name, size_t len, bool with_arg)
{
	const char *line;

	for (line = p->text; *line != '\0';) {
		size_t n = strcspn(line, "\n");
		char text[300], flag[60];
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
check_name(
    const struct page *p, const struct option_def *d, const char *name, int len)
{
	char flag[60];

	snprintf(flag, sizeof(flag), "-%.*s", len, name);
	if (!documents(p, flag, strlen(flag), d->arg != NULL))
		complain(p, "has no entry of", flag, strlen(flag));
}

static void
each_page_has_the_options_of_its_verb(void)
{
	static struct page p;
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++) {
		size_t i;

		if (has_no_page(verb))
			continue;
		CHECK(page_of_verb(&p, verb));
		for (i = 0; i < option_count; i++) {
			const struct option_def *d = &option_table[i];
			const char *word = d->aliases;

			if (!takes(verb, d))
				continue;
			check_name(&p, d, d->name, (int)strlen(d->name));
			if (d->letter != '\0' &&
			    !documents(&p, &d->letter, 1, false))
				complain(&p, "has no entry of", &d->letter, 1);
			while (word != NULL && *word != '\0') {
				int n = (int)strcspn(word, " ");

				check_name(&p, d, word, n);
				word += n;
				word += strspn(word, " ");
			}
		}
	}
}

/* An option at AT, behind "Fl "; its length into *LEN. */
static const struct option_def *
option_at(const char *at, size_t *len)
{
	*len = 1;
	if (at[0] != '-')
		return option_by_letter(at[0]);
	while (isalnum((unsigned char)at[*len]) || at[*len] == '-')
		++*len;
	return option_by_name(at + 1, *len - 1);
}

static void
each_entry_is_an_option_that_the_verb_takes(void)
{
	static struct page p;
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++) {
		const char *line;

		if (has_no_page(verb) || !page_of_verb(&p, verb))
			continue;
		for (line = p.text; *line != '\0';) {
			const char *end = line + strcspn(line, "\n");
			const char *at = line;

			if (strncmp(line, ".It Fl ", 7) != 0)
				at = end;
			while (at < end && (at = strstr(at, "Fl ")) != NULL &&
			    at < end) {
				size_t n;
				const struct option_def *d =
				    option_at(at += 3, &n);

				if (d == NULL || !takes(verb, d))
					complain(&p, "makes up", at, n);
			}
			line = end + (*end == '\n');
		}
	}
}

/* "Fl -" of an option of dray; of other programs' there is none in the pages
 * but as literal text. */
static void
check_mentions(const struct page *p)
{
	const char *at = p->text;

	while ((at = strstr(at, "Fl -")) != NULL) {
		size_t n;

		at += 3;
		if (option_at(at, &n) == NULL &&
		    strncmp(at, "-version", n) != 0)
			complain(p, "speaks of", at, n);
	}
}

/* Besides those of verbs. */
static const char *const others[] = {"dray.1", "dray-control.5", "dray-json.5",
    "dray-manifest.5", "dray-subscriptions.5", "dray-task.5", "dray.conf.5",
    "dray-events.7", "dray-stores.7"};

static void
no_page_speaks_of_an_option_that_is_not_there(void)
{
	static struct page p;
	size_t i;
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++)
		if (!has_no_page(verb) && page_of_verb(&p, verb))
			check_mentions(&p);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CHECK(read_page(&p, others[i]));
		check_mentions(&p);
	}
}

static void
the_first_page_leads_to_each_verb(void)
{
	static struct page p;
	int verb;

	CHECK(read_page(&p, "dray.1"));
	for (verb = 0; verb < VERB_COUNT; verb++) {
		const char *name = verb_table[verb].name;
		char text[80];

		snprintf(text, sizeof(text), "\n.It Cm %s", name);
		if (strstr(p.text, text) == NULL)
			complain(&p, "has no verb", name, strlen(name));
		snprintf(text, sizeof(text), "\n.Xr dray-%s %d", name,
		    verb == VERB_DAEMON ? 8 : 1);
		if (!has_no_page(verb) && strstr(p.text, text) == NULL)
			complain(
			    &p, "doesn't name", text + 5, strlen(text + 5));
	}
}

#define WORDS_MAX 40

/* The command line WORDS, without the program: 0 if it is taken. */
static int
try_words(int n, char **words, struct err *e)
{
	AUTO(options) struct options o = {0};
	const char *name = options_take_verb(&n, words);
	enum verb_id verb = name != NULL ? verb_by_name(name) : VERB_COUNT;

	if (verb == VERB_COUNT)
		return err_set(e, ERR_USAGE, "no verb");
	if (options_init(&o, e) == -1 ||
	    options_parse(&o, verb, &n, words, e) != 0 ||
	    options_finish(&o, verb, e) == -1)
		return -1;
	return options_check_operands(verb, n, e);
}

/* "dray VERB ...", as a shell would call it, up to the next program. */
static void
check_command(const struct page *p, char *command)
{
	struct err e = ERR_INIT;
	char *words[WORDS_MAX] = {NULL};
	wordexp_t all;
	size_t i;

	command[strcspn(command, "<>|)")] = '\0';
	if (wordexp(command, &all, WRDE_NOCMD | WRDE_UNDEF) != 0) {
		complain(p, "has no command", command, strlen(command));
		return;
	}
	/* They are moved about. */
	for (i = 1; i < all.we_wordc && i < WORDS_MAX; i++)
		words[i - 1] = all.we_wordv[i];
	if (try_words((int)i - 1, words, &e) == -1) {
		complain(p, "has a command that is refused:", command,
		    strlen(command));
		fprintf(stderr, "%s\n", e.msg);
	}
	wordfree(&all);
}

/* What a line of .Dl shows behind what COMMAND has; whether it goes on. */
static bool
add_shown(char *command, size_t size, const char *text, size_t len)
{
	size_t had = strlen(command);
	bool quoted = len > 1 && text[0] == '"' && text[len - 1] == '"';
	char *end;

	snprintf(command + had, size - had, "%.*s",
	    (int)(quoted ? len - 2 : len), quoted ? text + 1 : text);
	end = strstr(command + had, "\\e");
	if (end != NULL)
		*end = '\0';
	return end != NULL;
}

/* Commands are on lines of .Dl; one that ends in a backslash goes on. */
static unsigned
check_commands(const struct page *p)
{
	const char *line;
	char command[1000] = "";
	unsigned n = 0;

	for (line = p->text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, ".Dl ", 4) == 0 &&
		    !add_shown(command, sizeof(command), line + 4, len - 4)) {
			if (strncmp(command, "dray ", 5) == 0) {
				check_command(p, command);
				n++;
			}
			command[0] = '\0';
		}
		line += len + (line[len] == '\n');
	}
	return n;
}

static void
examples_are_commands_that_dray_takes(void)
{
	static struct page p;
	unsigned n = 0;
	size_t i;
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++)
		if (!has_no_page(verb) && page_of_verb(&p, verb))
			n += check_commands(&p);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (read_page(&p, others[i]))
			n += check_commands(&p);
	CHECK(n > 40);
}

static void
the_help_shows_commands_that_dray_takes(void)
{
	static struct page p;
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++) {
		const char *line = verb_table[verb].examples;

		snprintf(
		    p.name, sizeof(p.name), "help %s", verb_table[verb].name);
		while (*line != '\0') {
			size_t n = strcspn(line, "\n");
			char command[1000];

			snprintf(
			    command, sizeof(command), "%.*s", (int)n, line);
			check_command(&p, command);
			line += n + (line[n] == '\n');
		}
	}
}

/* What the daemon says that there is, in its own words. */
static void
the_settings_of_the_daemon_are_in_its_page(void)
{
	static struct page p;
	int fd = tree_begin();
	struct err e = ERR_INIT;
	char path[8192];
	const char *key;
	size_t n = 0;

	tree_file(fd, "dray.conf", "[daemon]\nbogus = 1\n");
	snprintf(path, sizeof(path), "%s/dray.conf", tree_path);
	CHECK(read_page(&p, "dray.conf.5"));
	CHECK(daemon_conf_load(path, true, &e) == NULL);
	key = strstr(e.msg, "there are ");
	CHECK(key != NULL);
	for (key += key != NULL ? 10 : 0; key != NULL && *key != '\0'; n++) {
		int len = (int)strcspn(key, " ");
		char entry[80];

		snprintf(entry, sizeof(entry), "\n.It Cm %.*s Ns =", len, key);
		if (strstr(p.text, entry) == NULL)
			complain(&p, "has no key", key, (size_t)len);
		key += len;
		key += strspn(key, " ");
	}
	CHECK(n >= 6);
	tree_end(fd);
}

int
main(void)
{
	RUN(each_page_has_the_options_of_its_verb);
	RUN(each_entry_is_an_option_that_the_verb_takes);
	RUN(no_page_speaks_of_an_option_that_is_not_there);
	RUN(examples_are_commands_that_dray_takes);
	RUN(the_help_shows_commands_that_dray_takes);
	RUN(the_first_page_leads_to_each_verb);
	RUN(the_settings_of_the_daemon_are_in_its_page);
	return check_end();
}
