/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>

#include "agent/files_from.h"
#include "tests/unit/check.h"

static struct pathset *
read_names(const char *text, size_t len, struct files_from_format format,
    struct err *e)
{
	FILE *in = tmpfile();
	struct pathset *p;

	CHECK(fwrite(text, 1, len, in) == len);
	rewind(in);
	p = files_from_stream(in, "list", format, e);
	fclose(in);
	return p;
}

static struct pathset *
names_of(const char *text, size_t len, bool nul, struct err *e)
{
	struct files_from_format format = {.nul = nul};

	return read_names(text, len, format, e);
}

static bool
has(const struct pathset *p, const char *path)
{
	return pathset_has(p, path, strlen(path));
}

static void
names_are_made_as_a_scan_says_them(void)
{
	static const char text[] = "a\n\n# no\n;no\n./#yes\nb//c/\n./d/./e\n\n"
				   " sp \nlast";
	struct err e = ERR_INIT;
	AUTO(pathset)
	struct pathset *p = names_of(text, strlen(text), false, &e);

	CHECK(p != NULL && pathset_count(p) == 6);
	CHECK(has(p, "a") && has(p, "a/below") && has(p, "#yes"));
	CHECK(has(p, "b/c") && has(p, "d/e") && has(p, " sp "));
	CHECK(has(p, "last") && !has(p, "no") && !has(p, "b"));
}

static void
nul_ends_any_name(void)
{
	static const char text[] = "a\nb\0#c\0\0d";
	struct err e = ERR_INIT;
	AUTO(pathset)
	struct pathset *p = names_of(text, sizeof(text) - 1, true, &e);

	CHECK(p != NULL && pathset_count(p) == 3);
	CHECK(has(p, "a\nb") && has(p, "#c") && has(p, "d"));
	CHECK(names_of(text, sizeof(text) - 1, false, &e) == NULL);
	CHECK(strstr(e.msg, "--from0") != NULL);
}

static void
of_what_changed_a_directory_may_be_alone(void)
{
	static const char text[] = "a/.\0b/\0c/./.\0./d";
	struct files_from_format format = {.nul = true, .changed = true};
	struct err e = ERR_INIT;
	AUTO(pathset)
	struct pathset *p = read_names(text, sizeof(text), format, &e);

	CHECK(p != NULL && pathset_count(p) == 4);
	CHECK(!has(p, "a") && !has(p, "a/x") && pathset_leads(p, "a", 1));
	CHECK(!has(p, "c") && pathset_leads(p, "c", 1));
	CHECK(has(p, "b/x") && has(p, "d") && has(p, "d/x"));
}

static void
a_dot_is_all(void)
{
	struct err e = ERR_INIT;
	AUTO(pathset) struct pathset *p = names_of("./\n", 3, false, &e);

	CHECK(p != NULL && has(p, "anything"));
}

static void
what_leads_out_is_refused_with_its_line(void)
{
	static const char *const bad[] = {"ok\n/etc/passwd\n", "ok\n../x\n",
	    "ok\na/../b\n", "ok\na/..\n", "#\n..\n"};
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(names_of(bad[i], strlen(bad[i]), false, &e) == NULL);
		CHECK(e.kind == ERR_USAGE);
		CHECK(strncmp(e.msg, "list:2: ", 8) == 0);
	}
}

static void
too_many_are_refused(void)
{
	FILE *in = tmpfile();
	struct err e = ERR_INIT;
	struct files_from_format format = {.nul = false};
	long i;

	for (i = 0; i < 3000000; i++)
		fprintf(in, "%ld\n", i);
	rewind(in);
	CHECK(files_from_stream(in, "list", format, &e) == NULL);
	CHECK(strstr(e.msg, "too many") != NULL);
	fclose(in);
}

static void
what_was_not_seen_is_known(void)
{
	static const char text[] = "a/x\na/y\na-b\nb\nc/d/e\nb\n";
	struct err e = ERR_INIT;
	AUTO(pathset)
	struct pathset *p = names_of(text, strlen(text), false, &e);
	const char *path;
	size_t i = 0, len;

	pathset_saw(p, "a", 1, true);
	pathset_saw(p, "b", 1, false);
	pathset_saw(p, "c", 1, false);
	pathset_saw(p, "nobody asked", 12, true);
	CHECK(pathset_unseen(p, &i, &path, &len));
	CHECK(len == 3 && memcmp(path, "a-b", 3) == 0);
	i++;
	CHECK(pathset_unseen(p, &i, &path, &len));
	CHECK(len == 5 && memcmp(path, "c/d/e", 5) == 0);
	i++;
	CHECK(!pathset_unseen(p, &i, &path, &len));
}

int
main(void)
{
	RUN(names_are_made_as_a_scan_says_them);
	RUN(nul_ends_any_name);
	RUN(a_dot_is_all);
	RUN(of_what_changed_a_directory_may_be_alone);
	RUN(what_leads_out_is_refused_with_its_line);
	RUN(too_many_are_refused);
	RUN(what_was_not_seen_is_known);
	return check_end();
}
