/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/verify_out.h"
#include "agent/ui_summary.h"
#include "base/json.h"
#include "base/text.h"

enum list {
	LIST_COMBINED,
	LIST_MATCH,
	LIST_DIFFER,
	LIST_MISSING_ON_SRC,
	LIST_MISSING_ON_DST,
	LIST_ERROR,
	LIST_COUNT
};

struct verify_out {
	const struct options *options;
	struct ui *ui;
	bool out_is_list; /* standard output is one of the lists */
	const char *names[LIST_COUNT];
	FILE *lists[LIST_COUNT]; /* the same file for the same name */
	struct buf line;
};

/* The list named as this one before, or -1. */
static int
same_as(const struct verify_out *out, int list)
{
	int i;

	for (i = 0; i < list; i++)
		if (out->names[i] != NULL &&
		    strcmp(out->names[i], out->names[list]) == 0)
			return i;
	return -1;
}

static int
open_list(struct verify_out *out, int list, struct err *e)
{
	const char *name = out->names[list];
	int same;

	if (name == NULL)
		return 0;
	same = same_as(out, list);
	if (same != -1) {
		out->lists[list] = out->lists[same];
		return 0;
	}
	if (strcmp(name, "-") == 0) {
		out->out_is_list = true;
		out->lists[list] = stdout;
		return 0;
	}
	out->lists[list] = fopen(name, "we");
	return out->lists[list] != NULL ? 0 : err_sys(e, "list %s", name);
}

struct verify_out *
verify_out_new(const struct options *o, struct err *e)
{
	AUTO(verify_out) struct verify_out *out = calloc(1, sizeof(*out));
	int i;

	if (out == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	out->options = o;
	buf_init(&out->line, 1 << 20);
	out->names[LIST_COMBINED] = o->combined;
	out->names[LIST_MATCH] = o->match;
	out->names[LIST_DIFFER] = o->differ;
	out->names[LIST_MISSING_ON_SRC] = o->missing_on_src;
	out->names[LIST_MISSING_ON_DST] = o->missing_on_dst;
	out->names[LIST_ERROR] = o->error;
	for (i = 0; i < LIST_COUNT; i++)
		if (open_list(out, i, e) == -1)
			return NULL;
	if (out->out_is_list && o->json) {
		err_set(e, ERR_USAGE,
		    "--json and a list on standard output (-) exclude each "
		    "other");
		return NULL;
	}
	return TAKE(out);
}

/* Closes those that are files of ours; the name of one that is not whole. */
static const char *
close_lists(struct verify_out *out)
{
	const char *bad = NULL;
	int i;

	for (i = 0; i < LIST_COUNT; i++) {
		FILE *f = out->lists[i];
		int failed;

		if (f == NULL || f == stdout || same_as(out, i) != -1)
			continue;
		failed = ferror(f);
		if (fclose(f) != 0 || failed)
			bad = out->names[i];
	}
	memset(out->lists, 0, sizeof(out->lists));
	return bad;
}

void
verify_out_free(struct verify_out *out)
{
	if (out == NULL)
		return;
	close_lists(out);
	buf_free(&out->line);
	free(out);
}

int
verify_out_end(struct verify_out *out, struct err *e)
{
	const char *bad = close_lists(out);

	return bad == NULL ? 0 : err_sys(e, "list %s", bad);
}

void
verify_out_ui(struct verify_out *out, struct ui *ui)
{
	out->ui = ui;
}

static enum list
list_of(enum check_status status)
{
	switch (status) {
	case CHECK_MATCH:
		return LIST_MATCH;
	case CHECK_DIFFER:
		return LIST_DIFFER;
	case CHECK_MISSING_ON_SRC:
		return LIST_MISSING_ON_SRC;
	case CHECK_MISSING_ON_DST:
		return LIST_MISSING_ON_DST;
	case CHECK_ERROR:
	case CHECK_SKIPPED:
	case CHECK_STATUS_COUNT:
		break;
	}
	return LIST_ERROR;
}

static void
add_path(struct buf *line, const struct verify_item *item)
{
	if (item->path_len > 0)
		text_escape(line, item->path, item->path_len);
	else
		buf_addc(line, '.');
}

/* The line in out->line goes to F, or, for NULL, to where people read. */
static void
put_line(struct verify_out *out, FILE *f)
{
	buf_addc(&out->line, '\n');
	if (f == NULL || f == stdout)
		ui_print(out->ui, buf_str(&out->line), out->line.len);
	else
		fwrite(buf_str(&out->line), 1, out->line.len, f);
}

static void
put_lists(struct verify_out *out, const struct verify_item *item)
{
	FILE *own = out->lists[list_of(item->status)];

	if (out->lists[LIST_COMBINED] != NULL) {
		buf_reset(&out->line);
		buf_addf(&out->line, "%c ", check_symbol(item->status));
		add_path(&out->line, item);
		put_line(out, out->lists[LIST_COMBINED]);
	}
	if (own != NULL) {
		buf_reset(&out->line);
		add_path(&out->line, item);
		put_line(out, own);
	}
}

/* Why the item isn't as it should be. */
static void
add_reason(struct buf *text, const struct verify_item *item)
{
	switch (item->status) {
	case CHECK_DIFFER:
		check_explain(text, item->check);
		return;
	case CHECK_MISSING_ON_SRC:
		buf_adds(text, "at the target only");
		return;
	case CHECK_MISSING_ON_DST:
		buf_adds(text, "not at the target");
		return;
	case CHECK_ERROR:
		text_escape(text, item->err->msg, strlen(item->err->msg));
		return;
	case CHECK_MATCH:
	case CHECK_SKIPPED:
	case CHECK_STATUS_COUNT:
		return;
	}
}

static bool
is_fine(const struct verify_out *out, enum check_status status)
{
	return status == CHECK_MATCH ||
	    (status == CHECK_MISSING_ON_SRC && out->options->one_way);
}

static void
put_text(struct verify_out *out, const struct verify_item *item)
{
	bool fine = is_fine(out, item->status);

	if (fine && out->options->verbosity < 1)
		return;
	buf_reset(&out->line);
	buf_addf(&out->line, "%c ", check_symbol(item->status));
	add_path(&out->line, item);
	if (item->status != CHECK_MATCH) {
		buf_adds(&out->line, ": ");
		add_reason(&out->line, item);
	}
	put_line(out, NULL);
}

static void
json_aspects(struct json *j, const char *key, unsigned aspects)
{
	unsigned a;

	json_array(j, key);
	for (a = CHECK_TYPE; a <= CHECK_LAST; a <<= 1)
		if ((aspects & a) != 0)
			json_str(j, NULL, check_aspect_name(a));
	json_array_end(j);
}

static void
put_json(struct verify_out *out, const struct verify_item *item)
{
	AUTO(buf) struct buf reason = BUF_INIT(1 << 16);
	char symbol[2] = {check_symbol(item->status), '\0'};
	const struct check *c = item->check;
	struct json j;

	buf_reset(&out->line);
	json_begin(&j, &out->line);
	json_object(&j, NULL);
	json_str(&j, "type", "check");
	json_str(&j, "status", check_status_name(item->status));
	json_str(&j, "symbol", symbol);
	json_name(&j, "path", item->path, item->path_len);
	if (c != NULL) {
		json_uint(&j, "size",
		    item->status == CHECK_MISSING_ON_SRC ? c->now.size
							 : c->want.size);
		json_aspects(&j, "compared", c->compared);
		json_aspects(&j, "differs", c->differs);
		json_str(&j, "proof", check_by_name(c->proof));
	}
	add_reason(&reason, item);
	if (item->err != NULL)
		json_str(&j, "error", err_kind_name(item->err->kind));
	if (reason.len > 0)
		json_string(&j, "message", buf_str(&reason), reason.len);
	json_object_end(&j);
	put_line(out, NULL);
}

void
verify_out_item(void *arg, const struct verify_item *item)
{
	struct verify_out *out = arg;

	put_lists(out, item);
	if (out->options->json)
		put_json(out, item);
	else if (!out->out_is_list)
		put_text(out, item);
}

void
verify_out_summary(struct verify_out *out, const struct verify_summary *s)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);

	if (out->options->json) {
		verify_summary_json(&text, s);
		buf_addc(&text, '\n');
	} else if (out->options->verbosity >= 0 || !s->equal) {
		verify_summary_text(&text, s);
	}
	if (out->out_is_list)
		fputs(buf_str(&text), stderr);
	else
		ui_print(out->ui, buf_str(&text), text.len);
}
