/* SPDX-License-Identifier: ISC */
/*
 * The report as one page that needs nothing else: no script, nothing loaded.
 * It is well-formed XML, too.  A browser can't show millions of rows: lists
 * end after HTML_ROWS_MAX.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/report/html.h"
#include "agent/report/report.h"
#include "base/clock.h"
#include "base/text.h"

#define HTML_ROWS_MAX 10000

struct page {
	struct report *r;
	struct buf scratch;
	uint64_t rows; /* of the table that is made */
};

static const char begin_page[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\""
    " content=\"default-src &#39;none&#39;;"
    " style-src &#39;unsafe-inline&#39;\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width\"/>\n"
    "<style>\n"
    "body{font:15px/1.4 sans-serif;max-width:70em;margin:2em auto;"
    "padding:0 1em;color:#222;background:#fff}\n"
    "table{border-collapse:collapse}td,th{text-align:left;"
    "padding:.15em .8em .15em 0;vertical-align:top}\n"
    "td.n{text-align:right}code{word-break:break-all}\n"
    "svg{width:100%;height:10em;border:1px solid #ccc}"
    "polyline{fill:none;stroke:#06c;stroke-width:2}\n"
    "meter{width:20em}.bad{color:#a00}.good{color:#060}\n"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    ".bad{color:#f88}.good{color:#8d8}}\n"
    "</style>\n";

static void
add_name(struct page *p, const char *name, size_t n)
{
	html_name(&p->r->line, &p->scratch, name, n);
}

static void
add_path(struct page *p, const char *path, size_t n)
{
	buf_adds(&p->r->line, "<td><code><bdi>");
	add_name(p, n > 0 ? path : ".", n > 0 ? n : 1);
	buf_adds(&p->r->line, "</bdi></code></td>");
}

static void
add_row(struct page *p, const char *name, const char *value)
{
	struct buf *line = &p->r->line;

	buf_adds(line, "<tr><th>");
	add_name(p, name, strlen(name));
	buf_adds(line, "</th><td>");
	add_name(p, value, strlen(value));
	buf_adds(line, "</td></tr>\n");
}

static void
add_count(struct page *p, const char *name, uint64_t v)
{
	char n[32];

	if (v > 0)
		add_row(p, name, text_count(v, n, sizeof(n)));
}

static void
add_head(struct page *p)
{
	struct report *r = p->r;
	struct buf *line = &r->line;
	const char *state = report_state(r);
	char when[32];

	buf_adds(line, begin_page);
	buf_addf(line, "<title>dray: task %s, run %" PRIu64 "</title>\n",
	    r->task, r->run.id);
	buf_addf(line,
	    "</head>\n<body>\n<h1>Task %s, run %" PRIu64
	    ": <span class=\"%s\">%s</span></h1>\n<table>\n",
	    r->task, r->run.id, strcmp(state, "ok") == 0 ? "good" : "bad",
	    state);
	add_row(p, "From", r->source);
	add_row(p, "To", r->target);
	clock_iso8601(r->run.started_ns, when, sizeof(when));
	add_row(p, "Begun", when);
	if (r->run.ended_ns != 0) {
		clock_iso8601(r->run.ended_ns, when, sizeof(when));
		add_row(p, "Ended", when);
	}
	if (r->run.why[0] != '\0')
		add_row(p, "Ended early", r->run.why);
	if (r->run.retry_of != 0)
		add_count(p, "Retry of run", r->run.retry_of);
	buf_adds(line, "</table>\n");
}

static int
plot(struct page *p, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	AUTO(free) struct series *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (ledger_run_texts(p->r->ledger, p->r->run.id, NULL, &text, e) == -1)
		return -1;
	series_from_text(buf_str(&text), s);
	if (s->n < 2)
		return 0;
	buf_adds(&p->r->line, "<h2>Throughput</h2>\n");
	html_plot(&p->r->line, s);
	return report_flush(p->r, e);
}

static void
add_proofs(struct page *p)
{
	const struct stats_snapshot *s = &p->r->run.stats;
	uint64_t read = s->read_back_items;
	uint64_t by_store =
	    s->verified_items > read ? s->verified_items - read : 0;

	buf_adds(&p->r->line,
	    "<h2>Proof of the files that were moved or adopted</h2>\n"
	    "<table>\n");
	add_count(p, "By the store's checksum", by_store);
	add_count(p, "By reading back", read);
	add_count(p, "None", s->unproved_items);
	if (by_store + read + s->unproved_items == 0)
		add_row(p, "No file was moved", "");
	buf_adds(&p->r->line, "</table>\n");
}

static void
add_sizes(struct page *p, const struct ledger_sums *sums)
{
	struct histogram bars[HISTOGRAM_BARS];
	struct buf *line = &p->r->line;
	uint64_t most = 1;
	char n[32];
	unsigned i;

	histogram_make(sums->sizes, bars);
	for (i = 0; i < HISTOGRAM_BARS; i++)
		if (bars[i].files > most)
			most = bars[i].files;
	buf_adds(line,
	    "<h2>Sizes of the files that were done</h2>\n"
	    "<table>\n");
	for (i = 0; i < HISTOGRAM_BARS; i++)
		buf_addf(line,
		    "<tr><th>%s</th><td class=\"n\">%s</td><td><meter max=\""
		    "%" PRIu64 "\" value=\"%" PRIu64 "\"></meter></td></tr>\n",
		    bars[i].label, text_count(bars[i].files, n, sizeof(n)),
		    most, bars[i].files);
	buf_adds(line, "</table>\n");
}

static void
add_counters(struct page *p)
{
	buf_adds(&p->r->line, "<h2>Counters</h2>\n<table>\n");
#define REPORT_HTML(name) add_count(p, #name, p->r->run.stats.name);
	STATS_COUNTERS(REPORT_HTML)
#undef REPORT_HTML
	buf_adds(&p->r->line, "</table>\n");
}

static int
failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct page *p = arg;
	struct buf *line = &p->r->line;

	if (++p->rows > HTML_ROWS_MAX)
		return 0;
	buf_adds(line, "<tr>");
	add_path(p, f->path, f->path_len);
	buf_addf(line, "<td>%s</td><td>", f->kind);
	add_name(p, f->message, strlen(f->message));
	buf_addf(line, "</td><td class=\"n\">%u</td></tr>\n", f->attempts);
	return report_flush(p->r, e);
}

static void
begin_table(struct page *p, const char *title, const char *columns)
{
	p->rows = 0;
	buf_addf(
	    &p->r->line, "<h2>%s</h2>\n<table>\n<tr>%s</tr>\n", title, columns);
}

static void
end_table(struct page *p)
{
	char n[32];

	buf_adds(&p->r->line, "</table>\n");
	if (p->rows == 0)
		buf_adds(&p->r->line, "<p>None.</p>\n");
	if (p->rows > HTML_ROWS_MAX)
		buf_addf(&p->r->line,
		    "<p>And %s more: dray report --format csv has all.</p>\n",
		    text_count(p->rows - HTML_ROWS_MAX, n, sizeof(n)));
}

static int
failures(struct page *p, struct err *e)
{
	struct report_causes causes;
	char n[32];
	unsigned i;

	if (report_causes(p->r, &causes, e) == -1)
		return -1;
	begin_table(p, "Not transferred",
	    "<th>Cause</th><th>Items</th><th>What to do</th>");
	p->rows = causes.n;
	for (i = 0; i < causes.n; i++)
		buf_addf(&p->r->line,
		    "<tr><th>%s</th><td class=\"n\">%s</td><td>%s</td></tr>\n",
		    causes.at[i].kind,
		    text_count(causes.at[i].items, n, sizeof(n)),
		    report_next_step(causes.at[i].kind));
	end_table(p);
	if (causes.n == 0)
		return report_flush(p->r, e);
	begin_table(p, "Failures",
	    "<th>Path</th><th>Cause</th><th>Message</th><th>Attempts</th>");
	if (ledger_failures(p->r->ledger, p->r->run.id, failure, p, e) == -1)
		return -1;
	end_table(p);
	return report_flush(p->r, e);
}

static int
notice(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct page *p = arg;

	if (++p->rows > HTML_ROWS_MAX)
		return 0;
	buf_adds(&p->r->line, "<tr>");
	add_path(p, n->path, n->path_len);
	buf_adds(&p->r->line, "<td>");
	add_name(p, n->reason, strlen(n->reason));
	buf_adds(&p->r->line, "</td></tr>\n");
	return report_flush(p->r, e);
}

static int
deletion(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct page *p = arg;

	if (++p->rows > HTML_ROWS_MAX)
		return 0;
	buf_adds(&p->r->line, "<tr>");
	add_path(p, d->path, d->path_len);
	buf_addf(&p->r->line, "<td>%s</td></tr>\n", ledger_fate_name(d->fate));
	return report_flush(p->r, e);
}

static int
deletions(struct page *p, struct err *e)
{
	begin_table(p, "To be deleted at the target",
	    "<th>Path</th><th>What became of it</th>");
	if (ledger_deletions(p->r->ledger, p->r->run.id, deletion, p, e) == -1)
		return -1;
	end_table(p);
	return report_flush(p->r, e);
}

static int
item(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct page *p = arg;
	bool file = row->st.type == ITEM_FILE;
	char size[24];

	if (++p->rows > HTML_ROWS_MAX)
		return 0;
	buf_adds(&p->r->line, "<tr>");
	add_path(p, path, len);
	buf_addf(&p->r->line,
	    "<td>%s</td><td class=\"n\">%s</td><td>%s</td></tr>\n",
	    outcome_how_name(row->outcome.how),
	    file ? text_size(row->st.size, size, sizeof(size)) : "",
	    report_proof(row));
	return report_flush(p->r, e);
}

static int
notices(struct page *p, enum notice_kind what, const char *title, struct err *e)
{
	begin_table(p, title, "<th>Path</th><th>Why</th>");
	if (ledger_notices(p->r->ledger, p->r->run.id, what, notice, p, e) ==
	    -1)
		return -1;
	end_table(p);
	return report_flush(p->r, e);
}

static int
lists(struct page *p, struct err *e)
{
	if (failures(p, e) == -1 ||
	    notices(p, NOTICE_DRIFT, "Changed at the target by others", e) ==
		-1)
		return -1;
	if (!p->r->all)
		return 0;
	if (notices(p, NOTICE_SKIPPED, "Left alone", e) == -1 ||
	    deletions(p, e) == -1)
		return -1;
	begin_table(
	    p, "Done", "<th>Path</th><th>How</th><th>Size</th><th>Proof</th>");
	if (ledger_items(p->r->ledger, p->r->run.id, item, p, e) == -1)
		return -1;
	end_table(p);
	return report_flush(p->r, e);
}

static void
add_overwritten(struct page *p, const struct ledger_sums *sums)
{
	uint64_t seen = 0, later;
	char n[40];
	unsigned i;

	for (i = 0; i < HOW_COUNT; i++)
		seen += sums->items[i];
	later = report_overwritten(p->r, seen);
	if (later > 0)
		buf_addf(&p->r->line,
		    "<p>Later runs wrote %s of these again: their reports "
		    "tell of that.</p>\n",
		    report_items(later, n, sizeof(n)));
}

static int
make_page(struct page *p, struct err *e)
{
	struct ledger_sums sums;

	if (ledger_sums(p->r->ledger, p->r->run.id, &sums, e) == -1)
		return -1;
	add_head(p);
	add_overwritten(p, &sums);
	add_proofs(p);
	if (plot(p, e) == -1)
		return -1;
	add_sizes(p, &sums);
	if (lists(p, e) == -1)
		return -1;
	add_counters(p);
	buf_adds(&p->r->line, "</body>\n</html>\n");
	return report_flush(p->r, e);
}

int
report_html(struct report *r, struct err *e)
{
	struct page p = {.r = r, .scratch = BUF_INIT(1 << 20)};
	int rc = make_page(&p, e);

	buf_free(&p.scratch);
	return rc;
}
