/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/ui_line.h"
#include "base/text.h"

/*
 * An item takes about as long as so many bytes more: 2 ms at 1 Gbit/s.  It
 * need not be exact: it keeps a heap of small files from counting as nothing.
 */
#define ITEM_WORK ((uint64_t)256 * 1024)

#define ETA_AFTER_MS 2000 /* earlier guesses are worth nothing */

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct progress
progress_of(const struct stats_snapshot *s)
{
	uint64_t moved = s->sent_bytes + s->resumed_bytes;
	uint64_t over = s->done_items + s->adopted_items + s->failed_items +
	    s->changed_items + s->vanished_items;

	if (moved < s->done_bytes)
		moved = s->done_bytes;
	moved += s->adopted_bytes;
	return (struct progress){
	    .bytes = least(moved, s->queued_bytes),
	    .total_bytes = s->queued_bytes,
	    .items = least(over, s->queued_items),
	    .total_items = s->queued_items,
	};
}

uint64_t
progress_work(uint64_t bytes, uint64_t items)
{
	return bytes + items * ITEM_WORK;
}

void
rate_add(struct rate *r, uint64_t elapsed_ms, const struct stats_snapshot *s)
{
	const struct progress p = progress_of(s);

	if (r->count > 0 &&
	    elapsed_ms <
		r->samples[(r->count - 1) % RATE_SAMPLES].ms + RATE_STEP_MS)
		return;
	/* Resumed bytes took no time. */
	r->samples[r->count++ % RATE_SAMPLES] = (struct rate_sample){
	    .ms = elapsed_ms,
	    .sent = s->sent_bytes,
	    .work = progress_work(s->sent_bytes, p.items),
	};
}

static const struct rate_sample *
newest(const struct rate *r)
{
	return &r->samples[(r->count - 1) % RATE_SAMPLES];
}

static const struct rate_sample *
oldest(const struct rate *r)
{
	return &r->samples[r->count > RATE_SAMPLES ? r->count % RATE_SAMPLES
						   : 0];
}

static uint64_t
per_second(uint64_t amount, uint64_t ms)
{
	return (uint64_t)((double)amount * 1000 / (double)ms);
}

uint64_t
rate_sent(const struct rate *r)
{
	if (r->count < 2)
		return 0;
	return per_second(
	    newest(r)->sent - oldest(r)->sent, newest(r)->ms - oldest(r)->ms);
}

uint64_t
rate_work(const struct rate *r)
{
	if (r->count < 2)
		return 0;
	return per_second(
	    newest(r)->work - oldest(r)->work, newest(r)->ms - oldest(r)->ms);
}

uint64_t
progress_eta_ms(const struct progress_view *v)
{
	const struct progress p = progress_of(&v->stats);
	uint64_t left =
	    progress_work(p.total_bytes - p.bytes, p.total_items - p.items);

	if (v->work_per_s == 0 || v->elapsed_ms < ETA_AFTER_MS)
		return UINT64_MAX;
	return (uint64_t)((double)left * 1000 / (double)v->work_per_s);
}

#define SEGMENT_MAX 64

/* The parts of the line from left to right. */
enum segment {
	SEG_HEAD,
	SEG_BYTES,
	SEG_RATE,
	SEG_ETA,
	SEG_ITEMS,
	SEG_FAILED,
	SEG_RETRIES,
	SEG_FLIGHT,
	SEG_FOUND,
	SEG_COUNT
};

/* Who goes first when the line is too narrow. */
static const enum segment dispensable[] = {SEG_FLIGHT, SEG_FOUND, SEG_RETRIES,
    SEG_ITEMS, SEG_RATE, SEG_ETA, SEG_FAILED, SEG_BYTES};

struct line {
	char segments[SEG_COUNT][SEGMENT_MAX];
};

static void
write_head(
    struct line *l, const struct progress *p, const struct progress_view *v)
{
	uint64_t done = p->total_bytes > 0 ? p->bytes : p->items;
	uint64_t total = p->total_bytes > 0 ? p->total_bytes : p->total_items;
	unsigned percent = 100;

	if (total > 0)
		percent = (unsigned)((double)done * 100 / (double)total);
	if (percent == 100 && p->items < p->total_items)
		percent = 99;
	if (v->stopping)
		snprintf(l->segments[SEG_HEAD], SEGMENT_MAX, "stopping");
	else if (v->scanning)
		snprintf(l->segments[SEG_HEAD], SEGMENT_MAX, "scanning");
	else
		snprintf(l->segments[SEG_HEAD], SEGMENT_MAX, "%u%%", percent);
}

/* "1.2 of 2.8 GiB": one unit if both have the same; "2.8+": may grow. */
static void
write_bytes(struct line *l, const struct progress *p, const char *plus)
{
	char done[24], total[24];
	char *unit, *total_unit;

	text_size(p->bytes, done, sizeof(done));
	text_size(p->total_bytes, total, sizeof(total));
	unit = strchr(done, ' ');
	total_unit = strchr(total, ' ');
	if (unit != NULL && total_unit != NULL && strcmp(unit, total_unit) == 0)
		*unit = '\0';
	snprintf(l->segments[SEG_BYTES], SEGMENT_MAX, "%s of %.*s%s%s", done,
	    total_unit != NULL ? (int)(total_unit - total) : 24, total, plus,
	    total_unit != NULL ? total_unit : "");
}

static void
write_eta(struct line *l, uint64_t ms, const char *plus)
{
	uint64_t s = (ms + 999) / 1000;
	char *out = l->segments[SEG_ETA];

	if (s < 60)
		snprintf(out, SEGMENT_MAX, "ETA %" PRIu64 "s%s", s, plus);
	else if (s < 3600)
		snprintf(out, SEGMENT_MAX, "ETA %" PRIu64 "m%02us%s", s / 60,
		    (unsigned)(s % 60), plus);
	else if (s < 86400)
		snprintf(out, SEGMENT_MAX, "ETA %" PRIu64 "h%02um%s", s / 3600,
		    (unsigned)(s / 60 % 60), plus);
	else
		snprintf(out, SEGMENT_MAX, "ETA %" PRIu64 "d%02uh%s", s / 86400,
		    (unsigned)(s / 3600 % 24), plus);
}

static void
write_count(char *out, uint64_t n, const char *what)
{
	char count[32];

	if (n > 0)
		snprintf(out, SEGMENT_MAX, "%s %s",
		    text_count(n, count, sizeof(count)), what);
}

static void
write_segments(struct line *l, const struct progress_view *v)
{
	const struct progress p = progress_of(&v->stats);
	const char *plus = v->scanning ? "+" : "";
	uint64_t eta = progress_eta_ms(v);
	char a[32], b[32];

	write_head(l, &p, v);
	if (p.total_bytes > 0) {
		write_bytes(l, &p, plus);
		snprintf(l->segments[SEG_RATE], SEGMENT_MAX, "%s/s",
		    text_size(v->sent_per_s, a, sizeof(a)));
	}
	if (p.total_items > 0) {
		snprintf(l->segments[SEG_ITEMS], SEGMENT_MAX,
		    "%s of %s%s items", text_count(p.items, a, sizeof(a)),
		    text_count(p.total_items, b, sizeof(b)), plus);
		if (eta != UINT64_MAX && !v->stopping)
			write_eta(l, eta, plus);
	}
	write_count(l->segments[SEG_FAILED],
	    v->stats.failed_items + v->stats.unreadable_items, "failed");
	write_count(l->segments[SEG_RETRIES], v->stats.retries,
	    v->stats.retries == 1 ? "retry" : "retries");
	write_count(l->segments[SEG_FLIGHT], v->in_flight, "in flight");
	if (v->scanning || p.total_items == 0)
		write_count(
		    l->segments[SEG_FOUND], v->stats.scanned_items, "found");
}

static size_t
line_width(const struct line *l)
{
	size_t width = 0;
	int i;

	for (i = 0; i < SEG_COUNT; i++)
		if (l->segments[i][0] != '\0')
			width += strlen(l->segments[i]) + (width > 0 ? 2 : 0);
	return width;
}

void
progress_line(struct buf *out, const struct progress_view *v, size_t columns)
{
	struct line l = {{{0}}};
	const size_t n = sizeof(dispensable) / sizeof(dispensable[0]);
	bool first = true;
	size_t i;

	write_segments(&l, v);
	for (i = 0; columns > 0 && line_width(&l) > columns && i < n; i++)
		l.segments[dispensable[i]][0] = '\0';
	if (columns > 0 && columns < SEGMENT_MAX && line_width(&l) > columns)
		l.segments[SEG_HEAD][columns] = '\0';
	for (i = 0; i < SEG_COUNT; i++) {
		if (l.segments[i][0] == '\0')
			continue;
		buf_addf(out, "%s%s", first ? "" : "  ", l.segments[i]);
		first = false;
	}
}
