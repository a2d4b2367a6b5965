/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/ini.h"
#include "tests/unit/check.h"

static int
on_line(void *arg, const struct ini_line *l, struct err *e)
{
	if (strcmp(l->key, "refuse") == 0)
		return err_set(
		    e, ERR_CONFIG, "%s:%u: refused", l->file, l->number);
	buf_addf(arg, "%u%s[%s]%s=%s|", l->number, l->indented ? ">" : "",
	    l->section, l->key, l->value);
	return 0;
}

static int
read_text(const char *text, size_t n, struct buf *out, struct err *e)
{
	AUTO(fclose) FILE *f = tmpfile();

	if (f == NULL)
		return err_sys(e, "tmpfile");
	fwrite(text, 1, n, f);
	rewind(f);
	return ini_read(f, "x.conf", on_line, out, e);
}

static void
assignments_come_with_section_and_line(void)
{
	static const char text[] = "\xef\xbb\xbftop = 1\r\n# comment\n"
				   "; another\n\n[ a b ]\nk=v = w ; x\n"
				   "  nested =  y\t\n[c]\nempty =";
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct err e = ERR_INIT;

	CHECK(read_text(text, sizeof(text) - 1, &out, &e) == 0);
	CHECK_STR(buf_str(&out),
	    "1[]top=1|6[a b]k=v = w ; x|"
	    "7>[a b]nested=y|9[c]empty=|");
}

static void
nonsense_is_named_with_file_and_line(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {{"a=b\nword\n", "x.conf:2: expected"},
	    {"[open\n", "x.conf:1: a section must"},
	    {"[ ]\n", "x.conf:1: a section without"},
	    {"= v\n", "x.conf:1: no key"}, {"refuse=1", "x.conf:1: refused"},
	    {"[\n", "x.conf:1: a section must"}};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) struct buf out = BUF_INIT(1000);
		struct err e = ERR_INIT;

		CHECK(read_text(cases[i].text, strlen(cases[i].text), &out,
			  &e) == -1);
		CHECK(e.kind == ERR_CONFIG);
		CHECK(
		    strncmp(e.msg, cases[i].want, strlen(cases[i].want)) == 0);
	}
}

static void
lines_have_a_limit_and_no_nul(void)
{
	AUTO(buf) struct buf out = BUF_INIT(100000);
	AUTO(free) char *text = malloc(INI_LINE_MAX + 10);
	struct err e = ERR_INIT;

	memset(text, 'x', INI_LINE_MAX + 10);
	text[1] = '=';
	text[INI_LINE_MAX - 1] = '\n';
	CHECK(read_text(text, INI_LINE_MAX, &out, &e) == 0);
	text[INI_LINE_MAX - 1] = 'x';
	CHECK(read_text(text, INI_LINE_MAX + 10, &out, &e) == -1);
	CHECK_STR(e.msg, "x.conf:1: line too long");
	text[5] = '\0';
	CHECK(read_text(text, 20, &out, &e) == -1);
	CHECK(strstr(e.msg, "NUL") != NULL);
}

/* Half of a value may be one. */
static void
a_whole_file_ends_with_a_line_break(void)
{
	static const char *const texts[] = {"a = 10\n", "", "a = b\n\n# c\n",
	    "a = 1", "a = 10\nb = ", "a = 10\n# b"};
	char path[] = "/tmp/dray-ini.XXXXXX";
	int fd = mkstemp(path);
	size_t i;

	CHECK(fd != -1);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO(buf) struct buf out = BUF_INIT(1000);
		const char *text = texts[i];
		struct err e = ERR_INIT;
		size_t n = strlen(text);
		bool whole = n == 0 || text[n - 1] == '\n';

		CHECK(ftruncate(fd, 0) == 0 &&
		    pwrite(fd, text, n, 0) == (ssize_t)n);
		CHECK(ini_file(path, on_line, &out, &e) == 0);
		buf_reset(&out);
		CHECK(ini_whole_file(path, on_line, &out, &e) ==
		    (whole ? 0 : -1));
		CHECK(whole ||
		    strstr(e.msg, ": the last line has no end: ") != NULL);
	}
	close(fd);
	unlink(path);
}

static void
a_missing_file_is_told_apart(void)
{
	struct err e = ERR_INIT;

	CHECK(ini_file("/nonexistent/x", on_line, NULL, &e) == -1);
	CHECK(e.kind == ERR_NOTFOUND);
}

int
main(void)
{
	RUN(assignments_come_with_section_and_line);
	RUN(nonsense_is_named_with_file_and_line);
	RUN(lines_have_a_limit_and_no_nul);
	RUN(a_whole_file_ends_with_a_line_break);
	RUN(a_missing_file_is_told_apart);
	return check_end();
}
