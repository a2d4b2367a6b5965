/* SPDX-License-Identifier: ISC */
/* The pieces of reports, and what a run keeps for them. */
#include "config.h"

#include <stdlib.h>

#include "agent/cli/parse.h"
#include "agent/cli/record.h"
#include "agent/report/csv.h"
#include "agent/report/html.h"
#include "agent/report/report.h"
#include "tests/unit/check.h"

static struct buf out = BUF_INIT(1 << 20);
static struct buf scratch = BUF_INIT(1 << 20);

#define CHECK_FIELD(bytes, want)                                     \
	do {                                                         \
		buf_reset(&out);                                     \
		csv_field(&out, &scratch, bytes, sizeof(bytes) - 1); \
		CHECK_STR(buf_str(&out), want);                      \
	} while (0)

static void
a_csv_field_can_be_read_again(void)
{
	CHECK_FIELD("", "");
	CHECK_FIELD("plain", "plain");
	CHECK_FIELD("a,b", "\"a,b\"");
	CHECK_FIELD("say \"hi\"", "\"say \"\"hi\"\"\"");
	CHECK_FIELD(" led", "\" led\"");
	CHECK_FIELD("two\r\nlines", "two\\x0d\\nlines");
	CHECK_FIELD("back\\slash", "back\\\\slash");
	CHECK_FIELD("\xc3\xa4\xff", "\xc3\xa4\\xff");
	CHECK_FIELD("nul\0here", "nul\\x00here");
}

static void
no_csv_field_begins_a_formula(void)
{
	CHECK_FIELD("=1+1", "\\x3d1+1");
	CHECK_FIELD("+1", "\\x2b1");
	CHECK_FIELD("-1", "\\x2d1");
	CHECK_FIELD("@x", "\\x40x");
	CHECK_FIELD("\t=1", "\\t=1");
	CHECK_FIELD("a=1", "a=1");
}

static void
the_exact_bytes_stand_beside_an_escaped_path(void)
{
	char long_name[200];

	buf_reset(&out);
	csv_path(&out, &scratch, "dir/name", 8);
	CHECK_STR(buf_str(&out), "dir/name,");
	buf_reset(&out);
	csv_path(&out, &scratch, "b\xff", 2);
	CHECK_STR(buf_str(&out), "b\\xff,Yv8=");
	/* In pieces that can be put together. */
	memset(long_name, '\xff', sizeof(long_name));
	buf_reset(&out);
	csv_path(&out, &scratch, long_name, sizeof(long_name));
	CHECK_UINT(strlen(strchr(buf_str(&out), ',') + 1), (200 + 2) / 3 * 4);
	CHECK(strchr(strchr(buf_str(&out), ','), '=') ==
	    buf_str(&out) + out.len - 1);
}

static void
html_has_no_markup_from_names(void)
{
	static const char name[] = "<script>alert('&\"')</script>\x1b\xff";

	buf_reset(&out);
	html_name(&out, &scratch, name, sizeof(name) - 1);
	CHECK_STR(buf_str(&out),
	    "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"
	    "\\x1b\\xff");
}

static void
the_histogram_counts_each_file_once(void)
{
	uint64_t sizes[65], all = 0;
	struct histogram bars[HISTOGRAM_BARS];
	unsigned i;

	for (i = 0; i < 65; i++)
		sizes[i] = i + 1;
	histogram_make(sizes, bars);
	for (i = 0; i < HISTOGRAM_BARS; i++)
		all += bars[i].files;
	CHECK_UINT(all, 65 * 66 / 2);
	CHECK_UINT(bars[0].files, 1);
	/* 1 byte is in class 1, 1,023 bytes in class 10. */
	CHECK_UINT(bars[1].files, 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11);
	CHECK_UINT(bars[2].files, 12 + 13 + 14 + 15);
}

static void
a_series_never_grows_beyond_its_room(void)
{
	struct series *s = calloc(1, sizeof(*s));
	uint64_t ms;
	unsigned i;

	/* A week, in uneven steps; 1,000 bytes a second. */
	for (ms = 0; ms < 7ull * 86400 * 1000; ms += 700 + ms % 900) {
		series_add(s, ms, (struct series_point){ms, ms / 1000});
		CHECK(s->n <= SERIES_MAX);
	}
	CHECK(s->n >= SERIES_MAX / 2 - 1);
	for (i = 0; i < s->n; i++) {
		uint64_t at = (i + 1) * s->step_ms;

		/* What was seen at the first look behind that time. */
		CHECK(s->at[i].bytes >= at && s->at[i].bytes < at + 1600);
	}
	free(s);
}

static void
a_series_is_read_as_it_was_written(void)
{
	struct series *s = calloc(1, sizeof(*s));
	struct series *back = calloc(1, sizeof(*back));
	uint64_t i;

	for (i = 1; i <= 50; i++)
		series_add(s, i * 100, (struct series_point){i * i * 1000, i});
	CHECK_UINT(s->n, 50);
	buf_reset(&out);
	series_to_text(s, &out);
	series_from_text(buf_str(&out), back);
	CHECK(memcmp(s, back, sizeof(*s)) == 0);
	series_from_text("", back);
	CHECK_UINT(back->n, 0);
	series_from_text("0 1 2", back);
	CHECK_UINT(back->n, 0);
	series_from_text("100 1 2 3", back);
	CHECK_UINT(back->n, 1);
	free(s);
	free(back);
}

static void
a_plot_stays_inside_of_its_frame(void)
{
	struct series *s = calloc(1, sizeof(*s));

	buf_reset(&out);
	html_plot(&out, s);
	CHECK_UINT(out.len, 0);
	series_add(s, 100, (struct series_point){UINT64_MAX / 2000, 1});
	series_add(s, 200, (struct series_point){UINT64_MAX / 2000, 1});
	series_add(s, 300, (struct series_point){UINT64_MAX / 1000, 1});
	html_plot(&out, s);
	CHECK(strstr(buf_str(&out), "points=\"0,0 400,160 800,0\"") != NULL);
	free(s);
}

static void
every_kind_of_error_has_a_next_step(void)
{
	unsigned k;

	for (k = ERR_SYS; k < ERR_KIND_COUNT; k++)
		CHECK(strlen(report_next_step(
			  err_kind_name((enum err_kind)k))) > 5);
}

static struct options o;

/* The options in LINE, words with a '|' between them. */
static void
parse(const char *line)
{
	static char text[500];
	struct err e = ERR_INIT;
	char *argv[20], *at = text, *word;
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	while ((word = strsep(&at, "|")) != NULL)
		argv[argc++] = word;
	CHECK_UINT(options_init(&o, &e), 0);
	CHECK_UINT(options_parse(&o, VERB_SYNC, &argc, argv, &e), 0);
}

/* The words in B with a blank between them. */
static const char *
words(const struct buf *b)
{
	size_t i;

	buf_reset(&out);
	buf_add(&out, buf_str(b), b->len);
	for (i = 0; i < out.len; i++)
		if (out.data[i] == '\0')
			out.data[i] = i + 1 < out.len ? ' ' : '\0';
	return buf_str(&out);
}

static void
no_secret_is_recorded(void)
{
	parse("-l|--proxy|http://me:pa55@proxy:3128|"
	      "--sftp-ssh=sshpass -p pa55 ssh|--exclude|*.tmp|-v|"
	      "--endpoint-url|http://me:pa55@host|--task=t|"
	      "--source-endpoint-url=https://host/a@b|"
	      "--exclude=a:b@c|--ca-bundle=sftp://me@host/x|"
	      "--ca-bundle=sftp://me:pa55@host/x");
	CHECK_STR(words(&o.recorded),
	    "--links ?--proxy ?--sftp-ssh --exclude=*.tmp ?--endpoint-url "
	    "--source-endpoint-url=https://host/a@b --exclude=a:b@c "
	    "--ca-bundle=sftp://me@host/x ?--ca-bundle");
	options_free(&o);
}

/* Who adds an option decides, here or in record.c, whether it may hold one. */
static void
what_may_hold_a_secret_is_known(void)
{
	static const char known[] = "sftp-ssh sftp-checksum webhook";
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < option_count; i++) {
		const struct option_def *d = &option_table[i];
		bool kept;

		if ((d->verbs & 1u << VERB_RETRY) == 0)
			continue;
		CHECK_UINT(options_init(&o, &e), 0);
		record_option(&o, d, d->arg != NULL ? "x" : NULL);
		kept = o.recorded.len == 0 || o.recorded.data[0] != '?';
		if (kept ==
		    (words_index(known, d->name, strlen(d->name)) != -1))
			fprintf(stderr, "--%s\n", d->name);
		CHECK(kept ==
		    (words_index(known, d->name, strlen(d->name)) == -1));
		options_free(&o);
	}
}

static void
recorded_files_are_found_from_everywhere(void)
{
	parse("--exclude-from=/dev/null|--ca-bundle|x.pem|"
	      "--sftp-known-hosts=s3://not/a/path");
	CHECK(strstr(words(&o.recorded), "--exclude-from=/dev/null ") != NULL);
	CHECK(strstr(words(&o.recorded), "--ca-bundle=/") != NULL);
	CHECK(strstr(words(&o.recorded), "hosts=s3://not/a/path") != NULL);
	options_free(&o);
}

static void
a_retry_takes_up_what_was_given(void)
{
	static const char recorded[] =
	    "--links\0--reconcile\0?--sftp-ssh\0--part-size=8M";
	struct buf was = BUF_INIT(1000);
	struct err e = ERR_INIT;
	char **argv, *text;
	int argc;

	buf_add(&was, recorded, sizeof(recorded));
	parse("-v");
	CHECK_UINT(record_combine(&was, &o.given, &argv, &argc, &text, &e), -1);
	CHECK_UINT(e.kind, ERR_USAGE);
	CHECK(strstr(e.msg, "--sftp-ssh") != NULL);
	options_free(&o);
	parse("--sftp-ssh|ssh -4|-v");
	CHECK_UINT(record_combine(&was, &o.given, &argv, &argc, &text, &e), 0);
	CHECK_UINT(argc, 4);
	CHECK_STR(argv[0], "--links");
	CHECK_STR(argv[1], "--part-size=8M");
	CHECK_STR(argv[2], "--sftp-ssh=ssh -4");
	CHECK_STR(argv[3], "--verbose");
	free(argv);
	free(text);
	options_free(&o);
	buf_free(&was);
}

int
main(void)
{
	RUN(a_csv_field_can_be_read_again);
	RUN(no_csv_field_begins_a_formula);
	RUN(the_exact_bytes_stand_beside_an_escaped_path);
	RUN(html_has_no_markup_from_names);
	RUN(the_histogram_counts_each_file_once);
	RUN(a_series_never_grows_beyond_its_room);
	RUN(a_series_is_read_as_it_was_written);
	RUN(a_plot_stays_inside_of_its_frame);
	RUN(every_kind_of_error_has_a_next_step);
	RUN(no_secret_is_recorded);
	RUN(what_may_hold_a_secret_is_known);
	RUN(recorded_files_are_found_from_everywhere);
	RUN(a_retry_takes_up_what_was_given);
	buf_free(&out);
	buf_free(&scratch);
	return check_end();
}
