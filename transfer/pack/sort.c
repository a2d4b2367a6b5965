/* SPDX-License-Identifier: ISC */
/*
 * Records in any order become a sorted index: lines are gathered in memory,
 * written as sorted runs, and the runs are merged.  Of equal paths, what was
 * added first comes first all the way.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/scratch.h"
#include "transfer/pack/index_in.h"

#define MEMORY_BYTES ((size_t)32 << 20)
#define MERGE_MAX 32 /* runs that are read at a time, and of one level */
#define OUT_BYTES ((size_t)256 << 10)
#define STOP_LINES 1024 /* between looks whether to stop */

/* A line in the gathered text: its path, then itself. */
struct gathered {
	size_t at;
	uint32_t path_len, text_len;
};

struct pack_sort {
	struct pack_sort_options o;
	struct buf text; /* paths and lines */
	struct buf line;
	struct gathered *lines;
	size_t n, cap;
	struct pack_run *runs; /* the oldest first; levels fall */
	size_t runs_n;
};

struct pack_sort *
pack_sort_new(const struct pack_sort_options *o, struct err *e)
{
	struct pack_sort *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *o;
	if (s->o.memory_bytes == 0)
		s->o.memory_bytes = MEMORY_BYTES;
	buf_init(&s->text, s->o.memory_bytes + 2 * PACK_LINE_MAX);
	buf_init(&s->line, PACK_LINE_MAX);
	return s;
}

void
pack_sort_free(struct pack_sort *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->runs_n; i++)
		pack_run_free(&s->runs[i]);
	free(s->runs);
	free(s->lines);
	buf_free(&s->text);
	buf_free(&s->line);
	free(s);
}

static int
compare_gathered(const void *a, const void *b, void *arg)
{
	const struct gathered *x = a, *y = b;
	const char *text = arg;
	int c = pack_path_compare(
	    text + x->at, x->path_len, text + y->at, y->path_len);

	return c != 0 ? c : x->at < y->at ? -1 : 1;
}

static bool
is_stopped(const struct pack_sort *s)
{
	return s->o.stop != NULL && atomic_load(s->o.stop);
}

/* Room for a run more, which is LEVEL's. */
static struct pack_run *
run_new(struct pack_sort *s, unsigned level, struct err *e)
{
	struct pack_run *runs =
	    realloc(s->runs, (s->runs_n + 1) * sizeof(*runs));

	if (runs == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->runs = runs;
	if (pack_run_begin(&runs[s->runs_n], level, e) == -1)
		return NULL;
	return &runs[s->runs_n++];
}

/* What takes the lines of a merge, in order. */
typedef int line_fn(void *arg, const struct pack_line *line, struct err *e);

static int
to_run(void *arg, const struct pack_line *line, struct err *e)
{
	return pack_run_add(arg, line, e);
}

/* Which of the N readers has the next line; all of them have one. */
static size_t
first_of(const struct pack_reader *readers, size_t n)
{
	size_t first = 0, i;

	for (i = 1; i < n; i++) {
		const struct pack_line *a = &readers[first].line;
		const struct pack_line *b = &readers[i].line;

		if (pack_path_compare(
			a->path, a->path_len, b->path, b->path_len) > 0)
			first = i;
	}
	return first;
}

/* Readers of N runs, in their order; those that are empty are left out. */
static int
begin_reading(struct pack_reader *readers, const struct pack_run *runs,
    size_t *n, struct err *e)
{
	size_t have = 0, i;

	for (i = 0; i < *n; i++) {
		struct pack_reader *r = &readers[have];
		int rc;

		*r = (struct pack_reader){
		    .fd = runs[i].fd, .bytes = runs[i].bytes};
		rc = pack_reader_next(r, e);
		if (rc == -1) {
			*n = have + 1;
			return -1;
		}
		have += rc == 1;
	}
	*n = have;
	return 0;
}

/* The lines of N runs at RUNS, all sorted, to FN. */
static int
merge(struct pack_sort *s, const struct pack_run *runs, size_t n, line_fn *fn,
    void *arg, struct err *e)
{
	struct pack_reader readers[MERGE_MAX];
	size_t left = n, i, lines = 0;
	int rc = begin_reading(readers, runs, &left, e);

	n = left;
	while (rc == 0 && left > 0) {
		size_t first = first_of(readers, left);

		if (++lines % STOP_LINES == 0 && is_stopped(s))
			rc = err_set(e, ERR_STOPPED, "stopped");
		if (rc == -1 || fn(arg, &readers[first].line, e) == -1)
			break;
		rc = pack_reader_next(&readers[first], e);
		if (rc == 0) {
			struct pack_reader over = readers[first];

			left--;
			memmove(&readers[first], &readers[first + 1],
			    (left - first) * sizeof(readers[0]));
			readers[left] = over;
		}
		rc = rc == -1 ? -1 : 0;
	}
	for (i = 0; i < n; i++)
		free(readers[i].data);
	return left == 0 && rc == 0 ? 0 : -1;
}

/* The last N runs, of LEVEL or below, become one. */
static int
merge_runs(struct pack_sort *s, size_t n, unsigned level, struct err *e)
{
	size_t from = s->runs_n - n, i;
	struct pack_run *one = run_new(s, level, e);

	if (one == NULL || merge(s, &s->runs[from], n, to_run, one, e) == -1 ||
	    pack_run_end(one, e) == -1)
		return -1;
	for (i = from; i < from + n; i++)
		pack_run_free(&s->runs[i]);
	s->runs[from] = s->runs[from + n];
	s->runs_n = from + 1;
	return 0;
}

/* Where as many runs are of one level as can be merged, they are. */
static int
tidy(struct pack_sort *s, struct err *e)
{
	while (s->runs_n >= MERGE_MAX &&
	    s->runs[s->runs_n - 1].level ==
		s->runs[s->runs_n - MERGE_MAX].level)
		if (merge_runs(s, MERGE_MAX, s->runs[s->runs_n - 1].level + 1,
			e) == -1)
			return -1;
	return 0;
}

/* What was gathered becomes a run. */
static int
spill(struct pack_sort *s, struct err *e)
{
	struct pack_run *run;
	size_t i;

	if (s->n == 0)
		return 0;
	qsort_r(s->lines, s->n, sizeof(s->lines[0]), compare_gathered,
	    s->text.data);
	run = run_new(s, 0, e);
	for (i = 0; run != NULL && i < s->n; i++) {
		const struct gathered *g = &s->lines[i];
		struct pack_line line = {
		    .path = s->text.data + g->at,
		    .path_len = g->path_len,
		    .text = s->text.data + g->at + g->path_len,
		    .text_len = g->text_len,
		};

		if (pack_run_add(run, &line, e) == -1)
			return -1;
	}
	if (run == NULL || pack_run_end(run, e) == -1)
		return -1;
	s->n = 0;
	buf_reset(&s->text);
	return tidy(s, e);
}

static int
room(struct pack_sort *s, struct err *e)
{
	size_t cap = s->cap > 0 ? 2 * s->cap : 1024;
	struct gathered *lines;

	if (s->n < s->cap)
		return 0;
	lines = realloc(s->lines, cap * sizeof(*lines));
	if (lines == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->lines = lines;
	s->cap = cap;
	return 0;
}

int
pack_sort_add(struct pack_sort *s, const struct pack_record *r, struct err *e)
{
	buf_reset(&s->line);
	pack_record_add(&s->line, r);
	if (buf_failed(&s->line))
		return err_set(e, ERR_NAME,
		    "what is known of it takes more than %zu MiB",
		    PACK_LINE_MAX >> 20);
	return pack_sort_add_line(
	    s, r->path, r->path_len, s->line.data, s->line.len, e);
}

int
pack_sort_add_line(struct pack_sort *s, const char *path, size_t path_len,
    const char *line, size_t line_len, struct err *e)
{
	struct gathered *g;

	if (room(s, e) == -1)
		return -1;
	g = &s->lines[s->n];
	g->at = s->text.len;
	g->path_len = (uint32_t)path_len;
	g->text_len = (uint32_t)line_len;
	buf_add(&s->text, path, path_len);
	buf_add(&s->text, line, line_len);
	if (buf_failed(&s->text))
		return err_set(e, ERR_NOMEM, "out of memory");
	s->n++;
	return s->text.len + s->n * sizeof(*g) >= s->o.memory_bytes
	    ? spill(s, e)
	    : 0;
}

/* The index on its way out. */
struct output {
	struct pack_sort *sort;
	int fd;
	struct buf out;
	struct buf held; /* the last line, which others may take the place of */
	struct buf held_path;
	struct pack_written written;
};

static int
flush(struct output *o, struct err *e)
{
	if (buf_failed(&o->out))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (scratch_write(o->fd, buf_str(&o->out), o->out.len, e) == -1)
		return -1;
	o->written.bytes += o->out.len;
	buf_reset(&o->out);
	return 0;
}

static int
put_held(struct output *o, struct err *e)
{
	if (o->held.len == 0)
		return 0;
	buf_add(&o->out, o->held.data, o->held.len);
	o->written.records++;
	buf_reset(&o->held);
	return o->out.len >= OUT_BYTES || buf_failed(&o->out) ? flush(o, e) : 0;
}

/* LINE's path is that of the held one. */
static int
settle(struct output *o, const struct pack_line *line, struct err *e)
{
	const struct pack_sort_options *so = &o->sort->o;
	struct pack_entry kept, next = {0};
	int rc = pack_record_parse(&kept, o->held.data, o->held.len - 1, e);

	if (rc == 0)
		rc =
		    pack_record_parse(&next, line->text, line->text_len - 1, e);
	if (rc == 0) {
		bool replace = so->same(so->arg, &kept, &next);

		buf_reset(&o->held);
		pack_record_add(
		    &o->held, replace ? &next.record : &kept.record);
	}
	pack_entry_clear(&kept);
	pack_entry_clear(&next);
	return rc;
}

static int
to_index(void *arg, const struct pack_line *line, struct err *e)
{
	struct output *o = arg;
	bool again = o->held.len > 0 && o->held_path.len == line->path_len &&
	    memcmp(o->held_path.data, line->path, line->path_len) == 0;

	if (again && o->sort->o.same != NULL)
		return settle(o, line, e);
	if (!again && put_held(o, e) == -1)
		return -1;
	buf_reset(&o->held);
	buf_reset(&o->held_path);
	buf_add(&o->held, line->text, line->text_len);
	buf_add(&o->held_path, line->path, line->path_len);
	return buf_failed(&o->held) || buf_failed(&o->held_path)
	    ? err_set(e, ERR_NOMEM, "out of memory")
	    : 0;
}

int
pack_sort_finish(
    struct pack_sort *s, int fd, struct pack_written *out, struct err *e)
{
	struct output o = {
	    .sort = s,
	    .fd = fd,
	    .out = BUF_INIT(OUT_BYTES + PACK_LINE_MAX),
	    .held = BUF_INIT(PACK_LINE_MAX),
	    .held_path = BUF_INIT(PACK_LINE_MAX),
	};
	int rc = spill(s, e);

	buf_free(&s->text);
	while (rc == 0 && s->runs_n > MERGE_MAX)
		rc = merge_runs(
		    s, MERGE_MAX, s->runs[s->runs_n - MERGE_MAX].level + 1, e);
	if (rc == 0)
		rc = merge(s, s->runs, s->runs_n, to_index, &o, e);
	if (rc == 0)
		rc = put_held(&o, e);
	if (rc == 0)
		rc = flush(&o, e);
	buf_free(&o.out);
	buf_free(&o.held);
	buf_free(&o.held_path);
	if (rc == 0)
		*out = o.written;
	return rc;
}
