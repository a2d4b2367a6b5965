/* SPDX-License-Identifier: ISC */
/*
 * The report as a table (RFC 4180), a header and a line an item.
 *
 * Names and messages are escaped as on a terminal (text_escape), so a field
 * has no control bytes and is UTF-8.  A first byte that a spreadsheet takes
 * for the beginning of a formula is escaped as well ("\x3d" for "="): file
 * names are made by others, and such reports are opened with spreadsheets.
 * Where a path isn't its own bytes for either reason, path_base64 has these.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/report/csv.h"
#include "agent/report/report.h"
#include "base/clock.h"
#include "base/text.h"

struct listing {
	struct report *r;
	struct buf scratch;
};

static void
quoted(struct buf *out, const char *s, size_t n)
{
	size_t i;

	if (memchr(s, ',', n) == NULL && memchr(s, '"', n) == NULL &&
	    (n == 0 || (s[0] != ' ' && s[n - 1] != ' '))) {
		buf_add(out, s, n);
		return;
	}
	buf_addc(out, '"');
	for (i = 0; i < n; i++) {
		if (s[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, s[i]);
	}
	buf_addc(out, '"');
}

bool
csv_field(struct buf *out, struct buf *scratch, const char *s, size_t n)
{
	bool formula = n > 0 && strchr("=+-@", s[0]) != NULL && s[0] != '\0';

	buf_reset(scratch);
	if (formula)
		buf_addf(scratch, "\\x%02x", (unsigned char)s[0]);
	text_escape(scratch, s + formula, n - formula);
	quoted(out, buf_str(scratch), scratch->len);
	return scratch->len != n || memcmp(buf_str(scratch), s, n) != 0;
}

void
csv_path(struct buf *out, struct buf *scratch, const char *path, size_t len)
{
	bool changed = csv_field(out, scratch, path, len);

	buf_addc(out, ',');
	if (!changed)
		return;
	buf_reset(scratch);
	while (len > 0) {
		/* A multiple of 3: the pieces can be put together. */
		size_t n = len < 48 ? len : 48;
		char text[4 * 16 + 1];

		text_base64(path, n, text);
		buf_adds(out, text);
		path += n;
		len -= n;
	}
}

static void
add_text(struct listing *l, const char *s)
{
	buf_addc(&l->r->line, ',');
	csv_field(&l->r->line, &l->scratch, s, strlen(s));
}

static void
add_time(struct listing *l, int64_t ns, bool known)
{
	char when[32] = "";

	if (known)
		clock_iso8601(ns, when, sizeof(when));
	add_text(l, when);
}

static void
begin(struct listing *l, const char *status, const char *path, size_t len)
{
	buf_addf(&l->r->line, "%s,", status);
	csv_path(&l->r->line, &l->scratch, path, len);
}

static int
failure(void *arg, const struct ledger_failure *f, struct err *e)
{
	struct listing *l = arg;

	begin(l, "failed", f->path, f->path_len);
	buf_adds(&l->r->line, ",,,,,,,");
	add_time(l, f->at_ns, true);
	buf_addf(&l->r->line, ",%u", f->attempts);
	add_text(l, f->kind);
	add_text(l, f->message);
	add_text(l, report_next_step(f->kind));
	buf_adds(&l->r->line, "\r\n");
	return report_flush(l->r, e);
}

static int
notice(void *arg, const struct ledger_notice *n, struct err *e)
{
	struct listing *l = arg;

	begin(l, n->what == NOTICE_DRIFT ? "drift" : "skipped", n->path,
	    n->path_len);
	add_text(l, item_type_name(n->type));
	buf_adds(&l->r->line, ",,,,,,,,");
	if (n->what == NOTICE_DRIFT) {
		buf_addc(&l->r->line, ',');
		add_text(l, n->reason);
	} else {
		add_text(l, n->reason);
		buf_addc(&l->r->line, ',');
	}
	buf_adds(&l->r->line, ",\r\n");
	return report_flush(l->r, e);
}

static int
deletion(void *arg, const struct ledger_deletion *d, struct err *e)
{
	struct listing *l = arg;

	begin(l, d->fate == FATE_DELETED ? "deleted" : "not deleted", d->path,
	    d->path_len);
	add_text(l, item_type_name(d->type));
	buf_addf(&l->r->line, ",%" PRIu64 ",,,,,,,", d->size);
	add_text(l, ledger_fate_name(d->fate));
	buf_adds(&l->r->line, ",,\r\n");
	return report_flush(l->r, e);
}

static void
add_digests(struct listing *l, const struct ledger_file *row)
{
	struct buf *line = &l->r->line;
	char hex[33] = "";

	if ((row->digest_have & DIGEST_XXH3) != 0)
		text_hex(row->xxh3, sizeof(row->xxh3), hex);
	buf_addf(line, ",%s", hex);
	buf_addc(line, ',');
	if ((row->digest_have & DIGEST_CRC64NVME) != 0)
		buf_addf(line, "%016" PRIx64, row->crc64nvme);
	add_text(l, row->etag);
}

static int
item(void *arg, const char *path, size_t len, const struct ledger_file *row,
    struct err *e)
{
	struct listing *l = arg;
	struct buf *line = &l->r->line;
	bool file = row->st.type == ITEM_FILE;

	begin(l, outcome_how_name(row->outcome.how), path, len);
	add_text(l, item_type_name(row->st.type));
	buf_addc(line, ',');
	if (file)
		buf_addf(line, "%" PRIu64, row->st.size);
	add_time(l, row->st.mtime_ns, row->st.mtime_ns != ITEM_TIME_UNKNOWN);
	add_text(l, report_proof(row));
	add_digests(l, row);
	add_time(l, row->outcome.done_ns, row->outcome.done_ns != 0);
	buf_addc(line, ',');
	if (row->outcome.attempts > 0)
		buf_addf(line, "%u", row->outcome.attempts);
	buf_adds(line, ",,,\r\n");
	return report_flush(l->r, e);
}

static int
list(struct listing *l, struct err *e)
{
	struct ledger *ledger = l->r->ledger;
	uint64_t run = l->r->run.id;

	if (ledger_failures(ledger, run, failure, l, e) == -1 ||
	    ledger_notices(ledger, run, NOTICE_DRIFT, notice, l, e) == -1)
		return -1;
	if (!l->r->all)
		return 0;
	return ledger_notices(ledger, run, NOTICE_SKIPPED, notice, l, e) ==
		    -1 ||
		ledger_deletions(ledger, run, deletion, l, e) == -1
	    ? -1
	    : ledger_items(ledger, run, item, l, e);
}

int
report_csv(struct report *r, struct err *e)
{
	struct listing l = {.r = r, .scratch = BUF_INIT(1 << 20)};
	int rc;

	buf_adds(&r->line,
	    "status,path,path_base64,type,size,mtime,proof,xxh3,crc64nvme,"
	    "etag,time,attempts,cause,message,next_step\r\n");
	rc = report_flush(r, e);
	if (rc == 0)
		rc = list(&l, e);
	buf_free(&l.scratch);
	return rc;
}
