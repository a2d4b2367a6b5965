/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/cli/verify_out.h"
#include "agent/ui_summary.h"
#include "base/json.h"
#include "base/text.h"

static void
items_line(struct buf *out, const char *name, uint64_t n, const char *note)
{
	if (n == 0)
		return;
	buf_addf(out, "  %-11s", name);
	ui_add_count(out, n, "item", "items");
	buf_addf(out, "%s\n", note);
}

/* By what the contents were compared: size and time are no proof. */
static void
add_proofs(struct buf *out, const struct verify_summary *s)
{
	const struct stats_snapshot *c = &s->stats;
	const struct {
		uint64_t n;
		const char *how;
	} kinds[] = {
	    {c->checked_by_store, "by what the store tells of them"},
	    {c->checked_by_reading, "by reading them"},
	    {c->checked_by_size, "by size and time alone (--deep reads them)"},
	};
	const char *lead = "  contents   ";
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].n == 0)
			continue;
		buf_adds(out, lead);
		ui_add_count(out, kinds[i].n, "file ", "files ");
		buf_addf(out, "%s", kinds[i].how);
		lead = ",\n             ";
	}
	if (lead[0] == ',')
		buf_addc(out, '\n');
}

/* What is compared only if it is asked for. */
static void
add_asked(struct buf *out, const struct verify_summary *s)
{
	const struct options *o = s->options;
	const struct {
		bool asked;
		unsigned aspect;
		bool lacks;
		uint64_t n;
		const char *name, *one, *many;
	} kinds[] = {
	    {o->store.keep_xattrs, CHECK_XATTRS, s->lacks.xattrs,
		s->stats.checked_xattrs, "xattrs", "item", "items"},
	    {o->store.keep_acls, CHECK_ACLS, s->lacks.acls,
		s->stats.checked_acls, "ACLs", "item", "items"},
	    {o->hard_links, CHECK_LINKS, s->lacks.links, s->stats.checked_links,
		"hard links", "name", "names"},
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!kinds[i].asked)
			continue;
		buf_addf(out, "  %-11s", kinds[i].name);
		if ((s->can_tell & kinds[i].aspect) != 0)
			ui_add_count(
			    out, kinds[i].n, kinds[i].one, kinds[i].many);
		else
			buf_adds(out,
			    "not compared: one of the stores doesn't tell");
		buf_adds(out,
		    kinds[i].lacks
			? ", but for what the target could not hold\n"
			: "\n");
	}
}

static const char *
verdict(const struct verify_summary *s)
{
	if (s->why != NULL)
		return "Not all was looked at.";
	if (!s->equal)
		return "The target is NOT equal.";
	if (s->sample.slices > 1)
		return "This part of the target is equal.";
	return "The target is equal.";
}

void
verify_summary_text(struct buf *out, const struct verify_summary *s)
{
	const struct stats_snapshot *c = &s->stats;
	char time[32];

	text_escape(out, s->source, strlen(s->source));
	buf_adds(out, " = ");
	text_escape(out, s->target, strlen(s->target));
	buf_adds(out, "?\n");
	buf_adds(out, "  compared   ");
	ui_add_count(out, c->checked_items, "item", "items");
	buf_addf(
	    out, ", in %s", text_duration(s->elapsed_ms, time, sizeof(time)));
	if (s->sample.slices > 1)
		buf_addf(out, ": part %" PRIu32 " of %" PRIu32,
		    s->sample.slice + 1, s->sample.slices);
	buf_addc(out, '\n');
	items_line(out, "equal", c->checked_equal, "");
	items_line(out, "differ", c->checked_differ, "");
	items_line(out, "missing", c->checked_missing, " not at the target");
	items_line(out, "extra", c->checked_extra,
	    s->options->one_way
		? " at the target only, which is no difference (--one-way)"
		: " at the target only");
	items_line(out, "errors", c->checked_errors, " that can't be told");
	add_proofs(out, s);
	add_asked(out, s);
	ui_add_skipped(out, "left out", c);
	if (s->options->store.no_verify_tls)
		buf_adds(out,
		    "  warning    the server's certificate was not checked "
		    "(--no-verify-ssl)\n");
	buf_addf(out, "%s\n", verdict(s));
}

void
verify_summary_json(struct buf *out, const struct verify_summary *s)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", "summary");
	if (s->task != NULL)
		json_str(&j, "task", s->task);
	json_name(&j, "source", s->source, strlen(s->source));
	json_name(&j, "target", s->target, strlen(s->target));
	json_bool(&j, "equal", s->equal && s->why == NULL);
	json_int(&j, "exit_code", s->exit_code);
	json_uint(&j, "elapsed_ms", s->elapsed_ms);
	json_bool(&j, "deep", s->options->deep);
	if (s->sample.slices > 1) {
		json_uint(&j, "sample_part", s->sample.slice + 1);
		json_uint(&j, "sample_parts", s->sample.slices);
	}
	json_bool(&j, "tls_verified", !s->options->store.no_verify_tls);
	if (s->why != NULL) {
		json_str(&j, "error", err_kind_name(s->why->kind));
		json_str(&j, "message", s->why->msg);
	}
	ui_stats_json(&j, &s->stats);
	json_object_end(&j);
}
