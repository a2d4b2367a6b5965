/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/cli/cmd.h"
#include "agent/cli/help.h"
#include "agent/cli/parse.h"
#include "tests/unit/check.h"

#define WORDS_MAX 24

/* A command line, its outcome. */
struct attempt {
	char text[500];
	char *argv[WORDS_MAX + 1];
	int argc;
	struct options o;
	struct err e;
	int rc;
};

/* LINE without "dray" and the verb; words have one space between them. */
static void
parse(struct attempt *a, enum verb_id verb, const char *line)
{
	char *p = a->text;

	*a = (struct attempt){.rc = 0};
	snprintf(a->text, sizeof(a->text), "%s", line);
	while (*p != '\0' && a->argc < WORDS_MAX) {
		a->argv[a->argc++] = p;
		p += strcspn(p, " ");
		if (*p != '\0')
			*p++ = '\0';
	}
	CHECK(options_init(&a->o, &a->e) == 0);
	a->rc = options_parse(&a->o, verb, &a->argc, a->argv, &a->e);
	if (a->rc == 0)
		a->rc = options_finish(&a->o, verb, &a->e);
}

#define CHECK_ERROR(line, message)                            \
	do {                                                  \
		struct attempt a_;                            \
		parse(&a_, VERB_SYNC, line);                  \
		CHECK(a_.rc == -1 && a_.e.kind == ERR_USAGE); \
		CHECK_STR(a_.e.msg, message);                 \
		options_free(&a_.o);                          \
	} while (0)

/* How many options go by this name. */
static int
takers(const char *name, size_t len)
{
	int n = 0;
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];

		n += words_index(d->name, name, len) != -1;
		n += d->aliases != NULL &&
		    words_index(d->aliases, name, len) != -1;
	}
	return n;
}

static void
no_two_options_share_a_name(void)
{
	const char *word;
	size_t i, j;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];

		CHECK_UINT(takers(d->name, strlen(d->name)), 1);
		for (word = d->aliases; word != NULL && *word != '\0';
		     word += strspn(word, " ")) {
			size_t n = strcspn(word, " ");

			CHECK_UINT(takers(word, n), 1);
			word += n;
		}
		for (j = 0; d->letter != '\0' && j < i; j++)
			CHECK(option_table[j].letter != d->letter);
	}
}

static void
every_option_is_complete(void)
{
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		bool plain = d->kind == OPTION_FLAG || d->kind == OPTION_HELP ||
		    d->kind == OPTION_CUSTOM;

		/* NULL: for programs. */
		CHECK(d->help == NULL || d->help[0] != '\0');
		CHECK(d->verbs != 0);
		CHECK(plain || d->arg != NULL);
		CHECK((d->kind == OPTION_CUSTOM) == (d->set != NULL));
		CHECK(plain || d->width != 0);
		if (d->kind == OPTION_CHOICE || d->kind == OPTION_ENUM)
			CHECK(d->choices != NULL);
		if (d->kind == OPTION_STRING || d->kind == OPTION_CHOICE)
			CHECK_UINT(d->width, sizeof(char *));
	}
}

static void
defaults_are_as_documented(void)
{
	struct attempt a;
	const struct options *o = &a.o;

	setenv("XDG_STATE_HOME", "/xdg", 1);
	parse(&a, VERB_SYNC, "src dst");
	CHECK(a.rc == 0);
	CHECK_UINT(o->transfers, 0);
	CHECK_UINT(o->concurrency, 8);
	CHECK_UINT(o->scan_threads, 0);
	CHECK_UINT(o->part_bytes, 16 << 20);
	CHECK_UINT(o->threshold_bytes, 32 << 20);
	CHECK_UINT(o->memory_bytes, 256 << 20);
	CHECK_UINT(o->retries, 8);
	CHECK_UINT(o->store.timeout_ms, 60000);
	CHECK_UINT(o->stats_ms, 30000);
	CHECK_STR(o->store.checksum, "auto");
	CHECK_STR(o->store.addressing, "auto");
	CHECK_STR(o->format, "text");
	CHECK(o->verify == VERIFY_TRANSFERRED && o->links == SCAN_LINKS_SKIP);
	CHECK(!o->store.payload_unsigned && !o->store.no_verify_tls);
	CHECK(!o->dry_run && !o->json && o->verbosity == 0);
	CHECK(o->progress == PROGRESS_AUTO && o->filter != NULL);
	CHECK_STR(o->state_dir, geteuid() == 0 ? "/var/lib/dray" : "/xdg/dray");
	options_free(&a.o);
}

static void
options_may_stand_anywhere(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC, "-n src --task nightly dst -vv -x");
	CHECK(a.rc == 0);
	CHECK_UINT(a.argc, 2);
	CHECK_STR(a.argv[0], "src");
	CHECK_STR(a.argv[1], "dst");
	CHECK_STR(a.o.task, "nightly");
	CHECK(a.o.dry_run && a.o.one_file_system);
	CHECK(a.o.verbosity == 2);
	options_free(&a.o);
}

static void
two_dashes_end_the_options(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC, "-n -- -v --json");
	CHECK(a.rc == 0 && a.o.dry_run && !a.o.json);
	CHECK_UINT(a.argc, 2);
	CHECK_STR(a.argv[0], "-v");
	options_free(&a.o);
	parse(&a, VERB_SYNC, "- dst");
	CHECK_UINT(a.argc, 2);
	options_free(&a.o);
}

static void
values_are_read_in_their_units(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC,
	    "--chunk-size 8 --multipart-threshold=10M --memory 1G "
	    "--numworkers=4 --retry-count 3 --timeout 1m30s --stats 250ms "
	    "--verify none --payload-signing off --addressing path "
	    "--dryrun --no-verify-ssl --endpoint-url=http://h/?a=b -P");
	CHECK(a.rc == 0);
	CHECK_UINT(a.o.part_bytes, 8 << 20);
	CHECK_UINT(a.o.threshold_bytes, 10 << 20);
	CHECK_UINT(a.o.memory_bytes, 1 << 30);
	CHECK_UINT(a.o.transfers, 4);
	CHECK_UINT(a.o.retries, 3);
	CHECK_UINT(a.o.store.timeout_ms, 90000);
	CHECK_UINT(a.o.stats_ms, 250);
	CHECK(a.o.verify == VERIFY_NONE && a.o.store.payload_unsigned);
	CHECK(a.o.dry_run && a.o.store.no_verify_tls);
	CHECK(a.o.progress == PROGRESS_ON);
	CHECK_STR(a.o.store.addressing, "path");
	CHECK_STR(a.o.store.endpoint_url, "http://h/?a=b");
	options_free(&a.o);
}

static void
letters_may_share_a_dash(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC, "-nvxL");
	CHECK(a.rc == 0 && a.o.dry_run && a.o.one_file_system);
	CHECK(a.o.verbosity == 1 && a.o.links == SCAN_LINKS_FOLLOW);
	options_free(&a.o);
}

static void
an_archive_keeps_links_unless_they_are_followed(void)
{
	static const struct {
		const char *words;
		enum scan_links links;
	} cases[] = {{"-a", SCAN_LINKS_KEEP}, {"--archive", SCAN_LINKS_KEEP},
	    {"-aL", SCAN_LINKS_FOLLOW}, {"-La", SCAN_LINKS_FOLLOW},
	    {"-al", SCAN_LINKS_KEEP}};
	struct attempt a;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(&a, VERB_SYNC, cases[i].words);
		CHECK(a.rc == 0 && a.o.links == cases[i].links);
		/* as with rsync */
		CHECK(!a.o.store.keep_xattrs && !a.o.store.keep_acls &&
		    !a.o.store.keep_atimes && !a.o.store.sparse);
		options_free(&a.o);
	}
	parse(&a, VERB_COPY, "-aAXUS");
	CHECK(a.rc == 0 && a.o.store.keep_xattrs && a.o.store.keep_acls &&
	    a.o.store.keep_atimes && a.o.store.sparse);
	options_free(&a.o);
}

static void
filters_keep_their_order(void)
{
	AUTO(buf) struct buf rules = BUF_INIT(1000);
	struct attempt a;
	const char *first, *second, *third;

	parse(&a, VERB_SYNC, "--exclude one --include=two --exclude three");
	CHECK(a.rc == 0);
	filter_dump(a.o.filter, &rules);
	first = strstr(buf_str(&rules), "one");
	second = strstr(buf_str(&rules), "two");
	third = strstr(buf_str(&rules), "three");
	CHECK(first != NULL && second > first && third > second);
	options_free(&a.o);
}

static void
an_error_names_the_option_and_the_reason(void)
{
	CHECK_ERROR(
	    "--exclud x", "no option --exclud; did you mean --exclude?");
	CHECK_ERROR("--zzzzz", "no option --zzzzz; see dray sync --help");
	CHECK_ERROR("-nz", "no option -z; see dray sync --help");
	CHECK_ERROR("--part-size big",
	    "--part-size: not a size (like 64M or 1.5G): \"big\"");
	CHECK_ERROR("--part-size=0", "--part-size: at least 1 B: \"0\"");
	CHECK_ERROR(
	    "--transfers 0", "--transfers: not a number from 1 to 1024: \"0\"");
	CHECK_ERROR("--timeout 0", "--timeout: too short: \"0\"");
	CHECK_ERROR("--verify some",
	    "--verify: not one of none transferred all: \"some\"");
	CHECK_ERROR("--task", "--task needs a value: NAME");
	CHECK_ERROR("--task=", "--task: must not be empty");
	CHECK_ERROR("--dry-run=yes", "--dry-run takes no value");
	CHECK_ERROR("--help=x", "--help takes no value");
	CHECK_ERROR("--recursive", "--recursive is no option of dray sync");
	CHECK_ERROR("--task ../x",
	    "--task: not a task name: \"../x\" (letters, digits, '.', '_' and "
	    "'-', not beginning with '.', at most 100 of them)");
	CHECK_ERROR("--task a+b",
	    "--task: not a task name: \"a+b\" (letters, digits, '.', '_' and "
	    "'-', not beginning with '.', at most 100 of them)");
}

static void
options_must_agree(void)
{
	CHECK_ERROR("-l -L",
	    "-L: -l and -L exclude each other: store symbolic links, or what "
	    "they lead to");
	CHECK_ERROR("-qv", "-v: -q and -v exclude each other");
	CHECK_ERROR("-v --quiet", "--quiet: -q and -v exclude each other");
	CHECK_ERROR("--part-size 200M",
	    "--memory: 256.0 MiB can't hold two buffers of 200.0 MiB: raise "
	    "it, or lower --part-size");
	CHECK_ERROR("--memory 32M",
	    "--memory: 32.0 MiB can't hold two buffers of 32.0 MiB: raise "
	    "it, or lower --multipart-threshold");
}

static void
json_and_format_mean_the_same(void)
{
	struct attempt a;

	parse(&a, VERB_REPORT, "--json");
	CHECK_STR(a.o.format, "json");
	options_free(&a.o);
	parse(&a, VERB_REPORT, "--format json 7");
	CHECK(a.o.json && a.argc == 1);
	CHECK_UINT(a.o.stats_ms, 1000);
	options_free(&a.o);
}

static void
the_state_has_a_place(void)
{
	struct attempt a;

	parse(&a, VERB_STATUS, "--state-dir here");
	CHECK_STR(a.o.state_dir, "here");
	CHECK(a.o.state_dir != a.o.default_state_dir);
	options_free(&a.o);
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/u", 1);
	parse(&a, VERB_STATUS, "");
	CHECK_STR(a.o.state_dir,
	    geteuid() == 0 ? "/var/lib/dray" : "/home/u/.local/state/dray");
	options_free(&a.o);
}

static void
help_is_an_answer_not_an_error(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC, "-n --help --nonsense");
	CHECK(a.rc == 1);
	options_free(&a.o);
	parse(&a, VERB_LS, "-h");
	CHECK(a.rc == 1);
	options_free(&a.o);
}

static void
help_fits_eighty_columns_and_names_all(void)
{
	int verb;

	for (verb = 0; verb < VERB_COUNT; verb++) {
		AUTO(buf) struct buf text = BUF_INIT(1 << 20);
		const char *p;
		size_t i;

		help_verb(&text, (enum verb_id)verb);
		for (p = buf_str(&text); *p != '\0'; p++) {
			size_t n = strcspn(p, "\n");

			CHECK(n <= 80 && p[n] == '\n');
			CHECK(n == 0 || p[n - 1] != ' ');
			p += n;
		}
		for (i = 0; i < option_count; i++) {
			char name[60];

			snprintf(
			    name, sizeof(name), "--%s", option_table[i].name);
			CHECK((option_table[i].verbs & 1u << verb) == 0 ||
			    (option_table[i].help != NULL) ==
				(strstr(buf_str(&text), name) != NULL));
		}
	}
}

static void
a_verification_compares_what_a_run_kept(void)
{
	struct attempt a;

	parse(&a, VERB_VERIFY, "-aHAX src dst");
	CHECK(a.rc == 0);
	CHECK(a.o.links == SCAN_LINKS_KEEP && a.o.hard_links &&
	    a.o.store.keep_acls && a.o.store.keep_xattrs);
	options_free(&a.o);
	parse(&a, VERB_VERIFY, "-aHAXU src dst");
	CHECK(a.rc == -1);
	CHECK_STR(a.e.msg,
	    "-U is no option of dray verify: reading a file changes them, so "
	    "they can't be compared");
	options_free(&a.o);
	parse(&a, VERB_VERIFY, "--delete src dst");
	CHECK_STR(a.e.msg, "--delete is no option of dray verify");
	options_free(&a.o);
}

static void
the_verb_is_found_among_options(void)
{
	char *argv[] = {(char[]){"--task"}, (char[]){"ls"}, (char[]){"-nv"},
	    (char[]){"sync"}, (char[]){"src"}, NULL};
	char *none[] = {(char[]){"-v"}, (char[]){"--"}, (char[]){"sync"}, NULL};
	int argc = 5;

	CHECK_STR(options_take_verb(&argc, argv), "sync");
	CHECK_UINT(argc, 4);
	CHECK_STR(argv[3], "src");
	argc = 3;
	CHECK(options_take_verb(&argc, none) == NULL);
}

static void
a_strange_verb_gets_a_hint(void)
{
	struct err e = ERR_INIT;

	CHECK(verb_by_name("sync") == VERB_SYNC);
	CHECK(verb_by_name("cp") == VERB_COUNT);
	CHECK(verb_unknown("cp", &e) == -1 && e.kind == ERR_USAGE);
	CHECK(strstr(e.msg, "dray copy SRC DST") != NULL);
	CHECK(verb_by_name("check") == VERB_VERIFY);
	verb_unknown("compare", &e);
	CHECK(strstr(e.msg, "dray verify") != NULL);
	verb_unknown("snyc", &e);
	CHECK_STR(e.msg, "no verb \"snyc\"; did you mean \"sync\"?");
	verb_unknown("/data", &e);
	CHECK(strstr(e.msg, "dray sync SRC DST") != NULL);
}

static int called;

static int
fake_sync(const struct options *o, int argc, char **argv)
{
	CHECK(argc == 2 && o->store.stop != NULL);
	CHECK_STR(argv[1], "dst");
	called++;
	return 5;
}

static int
run(int argc, const char *const *words)
{
	static cmd_fn *const verbs[VERB_COUNT] = {
	    [VERB_SYNC] = fake_sync,
	    [VERB_COPY] = fake_sync,
	    [VERB_HELP] = cmd_help,
	    [VERB_VERSION] = cmd_version,
	};
	char *argv[WORDS_MAX] = {NULL};
	int i, rc;

	for (i = 0; i < argc; i++)
		argv[i] = strdup(words[i]);
	called = 0;
	rc = cmd_main(argc,
	    (char *[]){argv[0], argv[1], argv[2], argv[3], argv[4], NULL},
	    verbs);
	for (i = 0; i < argc; i++)
		free(argv[i]);
	return rc;
}

#define LINE(...)                                                 \
	run((int)(sizeof((const char *[]){"dray", __VA_ARGS__}) / \
		sizeof(char *)),                                  \
	    (const char *[]){"dray", __VA_ARGS__})

static void
the_exit_status_tells_usage_from_work(void)
{
	CHECK(LINE("sync", "-n", "src", "dst") == 5 && called == 1);
	CHECK(LINE("-n", "copy", "src", "dst") == 5 && called == 1);
	CHECK(LINE("sync", "src") == 2 && called == 0);
	CHECK(LINE("sync", "a", "b", "dst") == 2 && called == 0);
	CHECK(LINE("sync", "--nonsense", "src", "dst") == 2 && called == 0);
	CHECK(LINE("sync", "--log-file=/nowhere/x", "s", "dst") == 3);
	CHECK(LINE("sync", "--dump-filters") == 0 && called == 0);
	CHECK(LINE("sync", "--help") == 0 && called == 0);
	CHECK(LINE("snyc") == 2 && LINE("help", "snyc") == 2);
	CHECK(LINE("help") == 0 && LINE("help", "ls") == 0);
	CHECK(LINE("--help") == 0 && LINE("--version") == 0);
	CHECK(LINE("version") == 0 && LINE("-n") == 2);
	CHECK(run(1, (const char *[]){"dray"}) == 2);
}

static void
contradictions_are_refused(void)
{
	CHECK_ERROR("-c -I",
	    "-I: -c, -I and --size-only exclude each other: compare contents, "
	    "nothing, or sizes");
	CHECK_ERROR("--size-only -c",
	    "-c: -c, -I and --size-only exclude each other: compare contents, "
	    "nothing, or sizes");
	CHECK_ERROR("--min-size 2K --max-size 1K",
	    "--max-size is less than --min-size: nothing would be left");
	CHECK_ERROR("--min-age 2h --max-age 1h",
	    "--max-age is less than --min-age: nothing would be left");
	CHECK_ERROR("--max-delete 3",
	    "--max-delete goes with --delete: nothing is deleted without it");
	CHECK_ERROR("--delete-excluded",
	    "--delete-excluded goes with --delete: nothing is deleted without "
	    "it");
}

static void
sizes_to_choose_by_are_bytes(void)
{
	struct attempt a;

	parse(&a, VERB_SYNC, "--min-size 10 --max-size 2K -c -c");
	CHECK_UINT(a.rc, 0);
	CHECK_UINT(a.o.min_size, 10);
	CHECK_UINT(a.o.max_size, 2048);
	CHECK(a.o.compare == COMPARE_CHECKSUM);
	options_free(&a.o);
}

int
main(void)
{
	RUN(no_two_options_share_a_name);
	RUN(every_option_is_complete);
	RUN(defaults_are_as_documented);
	RUN(options_may_stand_anywhere);
	RUN(two_dashes_end_the_options);
	RUN(values_are_read_in_their_units);
	RUN(letters_may_share_a_dash);
	RUN(an_archive_keeps_links_unless_they_are_followed);
	RUN(filters_keep_their_order);
	RUN(an_error_names_the_option_and_the_reason);
	RUN(options_must_agree);
	RUN(json_and_format_mean_the_same);
	RUN(the_state_has_a_place);
	RUN(help_is_an_answer_not_an_error);
	RUN(help_fits_eighty_columns_and_names_all);
	RUN(a_verification_compares_what_a_run_kept);
	RUN(the_verb_is_found_among_options);
	RUN(a_strange_verb_gets_a_hint);
	RUN(the_exit_status_tells_usage_from_work);
	RUN(contradictions_are_refused);
	RUN(sizes_to_choose_by_are_bytes);
	return check_end();
}
