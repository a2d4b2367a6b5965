/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/daemon/conf.h"
#include "agent/daemon/conf_words.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static const struct conf_words none;

static const char *
path_of(const char *name)
{
	static char path[5000];

	snprintf(path, sizeof(path), "%s/%s", tree_path, name);
	return path;
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* What the task TEXT is refused for, without the directory; "" if it isn't. */
static const char *
refusal(const char *text)
{
	static struct err e;
	AUTO(task_conf) struct task_conf *t = NULL;

	e = (struct err)ERR_INIT;
	write_file("t.conf", text);
	t = task_conf_load(path_of("t.conf"), &none, &e);
	if (t != NULL)
		return "";
	CHECK_UINT(e.kind, ERR_CONFIG);
	CHECK(strncmp(e.msg, tree_path, strlen(tree_path)) == 0);
	return e.msg + strlen(tree_path) + 1;
}

#define PLACES "source = /a\ntarget = s3://bucket/b\n"

static void
a_task_has_the_options_of_a_run(void)
{
	struct err e = ERR_INIT;
	AUTO(task_conf) struct task_conf *t = NULL;

	write_file("nightly.conf",
	    "# every night\n" PLACES "delete = yes\nexclude = *.tmp\n"
	    "exclude = -x y\nexclude = %h%%\nhard-links = no\npart-size = 64M\n"
	    "enabled = no\nhold-after = 3\n");
	t = task_conf_load(path_of("nightly.conf"), &none, &e);
	CHECK(t != NULL);
	if (t == NULL)
		return;
	CHECK_STR(t->name, "nightly");
	CHECK_STR(t->source, "/a");
	CHECK_STR(t->target, "s3://bucket/b");
	CHECK(
	    t->verb == VERB_SYNC && !t->enabled && t->schedule.hold_after == 3);
	CHECK_UINT(t->options.n, 5);
	CHECK_STR(t->options.words[0], "--delete");
	CHECK_STR(t->options.words[2], "--exclude=-x y");
	CHECK_STR(t->options.words[3], "--exclude=%h%%");
	CHECK_STR(t->options.words[4], "--part-size=64M");
}

static void
each_option_of_a_run_is_a_key(void)
{
	unsigned flags = 0, others = 0;
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *option = &option_table[i];
		struct conf_words w = {.n = 0};
		struct err e = ERR_INIT;
		int rc = conf_words_set(&w, option->name, "yes", &e);

		conf_words_free(&w);
		if ((option->verbs & 1u << VERB_SYNC) == 0) {
			CHECK(
			    strstr(e.msg, "is no option of dray sync") != NULL);
		} else if (strstr(e.msg, "the daemon sees to this") != NULL) {
			CHECK(option->group == GROUP_SHOW ||
			    option->group == GROUP_STATE ||
			    option->kind == OPTION_HELP ||
			    strstr("dry-run dump-filters", option->name));
		} else if (option->arg == NULL) {
			CHECK(rc == 0);
			flags++;
		} else {
			CHECK(rc == 0 || strstr(e.msg, option->name) != NULL);
			CHECK(strstr(e.msg, "no such key") == NULL);
			others++;
		}
	}
	CHECK(flags > 20 && others > 50);
}

static void
what_makes_no_sense_is_refused_with_its_line(void)
{
	CHECK_STR(refusal(PLACES), "");
	CHECK_STR(refusal("source = /a\n"), "t.conf: no target is set");
	CHECK_STR(refusal(PLACES "exlude = x\n"),
	    "t.conf:3: exlude: no such key; did you mean exclude?");
	CHECK_STR(refusal(PLACES "delete = maybe\n"),
	    "t.conf:3: delete: neither yes nor no: \"maybe\"");
	CHECK_STR(refusal(PLACES "dry-run = yes\n"),
	    "t.conf:3: dry-run: the daemon sees to this itself");
	CHECK_STR(refusal(PLACES "json = yes\n"),
	    "t.conf:3: json: the daemon sees to this itself");
	CHECK_STR(refusal(PLACES "state-dir = /x\n"),
	    "t.conf:3: state-dir: the daemon sees to this itself");
	CHECK_STR(refusal(PLACES "deep = yes\n"),
	    "t.conf:3: deep is no option of dray sync");
	CHECK_STR(refusal(PLACES "[more]\nx = y\n"),
	    "t.conf:4: a task has no sections, but [more]");
	CHECK_STR(refusal("source = a/b\n"),
	    "t.conf:1: source: neither a URL nor a path from the root: "
	    "\"a/b\"");
	CHECK(strncmp(refusal("source = s3://\n"), "t.conf:1: source: ", 18) ==
	    0);
	CHECK(strncmp(refusal(PLACES "part-size = lots\n"),
		  "t.conf:3: --part-size: ", 23) == 0);
	/* Each is right, and together they are not. */
	CHECK(strncmp(refusal(PLACES "max-delete = 5\n"),
		  "t.conf: --max-delete", 20) == 0);
	/* What only sync takes. */
	CHECK(strstr(refusal(PLACES "verb = copy\ndelete = yes\n"),
		  "no option of dray copy") != NULL);
	CHECK(strstr(refusal("source"), "t.conf:1: ") == refusal("source"));
}

static void
a_name_must_be_a_tasks(void)
{
	struct err e = ERR_INIT;

	write_file("a b.conf", PLACES);
	CHECK(task_conf_load(path_of("a b.conf"), &none, &e) == NULL);
	CHECK_UINT(e.kind, ERR_CONFIG);
	CHECK(task_conf_load(path_of("absent.conf"), &none, &e) == NULL);
	CHECK_UINT(e.kind, ERR_NOTFOUND);
	CHECK(task_conf_load(path_of("t.txt"), &none, &e) == NULL);
}

static void
defaults_come_first_and_can_be_taken_back(void)
{
	struct err e = ERR_INIT;
	AUTO(daemon_conf) struct daemon_conf *c = NULL;
	AUTO(task_conf) struct task_conf *t = NULL;

	write_file("dray.conf",
	    "[daemon]\ntasks-dir = /t\nmax-concurrent-runs = 7\n"
	    "[defaults]\nlinks = yes\ntransfers = 4\n");
	c = daemon_conf_load(path_of("dray.conf"), true, &e);
	CHECK(c != NULL);
	if (c == NULL)
		return;
	CHECK_STR(c->tasks_dir, "/t");
	CHECK_UINT(c->max_runs, 7);
	write_file(
	    "t.conf", PLACES "links = no\ncopy-links = yes\ntransfers = 9\n");
	t = task_conf_load(path_of("t.conf"), &c->defaults, &e);
	CHECK(t != NULL);
	if (t == NULL)
		return;
	CHECK_UINT(t->options.n, 3);
	CHECK_STR(t->options.words[0], "--transfers=4");
	CHECK_STR(t->options.words[1], "--copy-links");
	CHECK_STR(t->options.words[2], "--transfers=9");
}

static const char *
daemon_refusal(const char *text)
{
	static struct err e;
	AUTO(daemon_conf) struct daemon_conf *c = NULL;

	e = (struct err)ERR_INIT;
	write_file("dray.conf", text);
	c = daemon_conf_load(path_of("dray.conf"), true, &e);
	return c != NULL ? "" : e.msg + strlen(tree_path) + 1;
}

static void
the_daemons_own_settings_are_checked(void)
{
	struct err e = ERR_INIT;
	AUTO(daemon_conf) struct daemon_conf *c = NULL;

	CHECK_STR(daemon_refusal("x = y\n"),
	    "dray.conf:1: x: the sections are [daemon] and [defaults]");
	CHECK(strncmp(daemon_refusal("[daemon]\nx = y\n"),
		  "dray.conf:2: x: no such key; there are ", 39) == 0);
	CHECK_STR(daemon_refusal("[daemon]\ncontrol = here\n"),
	    "dray.conf:2: control: not a path from the root: \"here\"");
	CHECK(strncmp(daemon_refusal("[daemon]\nmax-concurrent-runs = 0\n"),
		  "dray.conf:2: max-concurrent-runs: ", 34) == 0);
	CHECK(strncmp(daemon_refusal("[defaults]\nsource = /x\n"),
		  "dray.conf:2: source: no such key", 32) == 0);
	CHECK(daemon_conf_load(path_of("absent"), true, &e) == NULL);
	c = daemon_conf_load(path_of("absent"), false, &e);
	CHECK(c != NULL && c->max_runs > 0);
}

struct heard {
	size_t n;
	char name[64];
};

static void
on_bad(void *arg, const char *name, const struct err *why)
{
	struct heard *h = arg;

	CHECK(why->kind == ERR_CONFIG);
	h->n++;
	snprintf(h->name, sizeof(h->name), "%s", name);
}

/* What is cut off within a line is refused; what is whole up to a line's end
 * can't be told from what was meant, but has no half of a value. */
static void
a_file_that_is_cut_off_holds_no_half_of_a_line(void)
{
	static const char text[] = "# nightly\n" PLACES "bwlimit = 10M\n"
				   "schedule = 02:30\nhold-after = 13\n";
	static const char settings[] =
	    "[daemon]\nmax-concurrent-runs = 12\ncontrol = /run/x\n"
	    "[defaults]\nbwlimit = 10M\n";
	char part[sizeof(text) + sizeof(settings)];
	size_t n;

	for (n = 1; n < sizeof(text); n++) {
		bool whole = text[n - 1] == '\n';
		const char *said;

		snprintf(part, n + 1, "%s", text);
		said = refusal(part);
		if (whole && strstr(part, "target") != NULL)
			CHECK_STR(said, "");
		else
			CHECK(
			    strstr(said, whole ? "is set" : "no end") != NULL);
	}
	for (n = 1; n < sizeof(settings); n++) {
		snprintf(part, n + 1, "%s", settings);
		CHECK((*daemon_refusal(part) == '\0') ==
		    (settings[n - 1] == '\n'));
	}
}

static void
one_bad_file_leaves_the_others(void)
{
	struct heard heard = {.n = 0};
	struct task_conf **all;
	struct err e = ERR_INIT;
	size_t n, i;

	CHECK(mkdir(path_of("tasks.d"), 0700) == 0);
	write_file("tasks.d/b.conf", PLACES);
	write_file("tasks.d/a.conf", PLACES);
	write_file("tasks.d/half.conf", "source = /a\ntarg");
	write_file("tasks.d/note.txt", "not a task");
	write_file("tasks.d/.hidden.conf", "neither");
	CHECK(task_conf_load_all(path_of("tasks.d"), &none, on_bad, &heard,
		  &all, &n, &e) == 0);
	CHECK_UINT(n, 2);
	CHECK_UINT(heard.n, 1);
	CHECK_STR(heard.name, "half");
	for (i = 0; i < n; i++) {
		CHECK_STR(all[i]->name, i == 0 ? "a" : "b");
		task_conf_free(all[i]);
	}
	free(all);
	CHECK(task_conf_load_all(
		  path_of("nosuch"), &none, on_bad, &heard, &all, &n, &e) == 0);
	CHECK_UINT(n, 0);
	free(all);
}

int
main(void)
{
	int fd = tree_begin();

	RUN(a_task_has_the_options_of_a_run);
	RUN(each_option_of_a_run_is_a_key);
	RUN(what_makes_no_sense_is_refused_with_its_line);
	RUN(a_name_must_be_a_tasks);
	RUN(defaults_come_first_and_can_be_taken_back);
	RUN(the_daemons_own_settings_are_checked);
	RUN(a_file_that_is_cut_off_holds_no_half_of_a_line);
	RUN(one_bad_file_leaves_the_others);
	tree_end(fd);
	return check_end();
}
