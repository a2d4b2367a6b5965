/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/ui_line.h"
#include "agent/ui_summary.h"
#include "base/text.h"

const char *
run_outcome_name(enum run_outcome outcome)
{
	switch (outcome) {
	case RUN_OK:
		return "ok";
	case RUN_FAILURES:
		return "failures";
	case RUN_BAD_CONFIG:
		return "config";
	case RUN_UNREACHABLE:
		return "unreachable";
	case RUN_GUARDED:
		return "guarded";
	case RUN_WINDOW:
		return "window";
	case RUN_FULL:
		return "full";
	case RUN_UNSTABLE:
		return "unstable";
	case RUN_INTERRUPTED:
		return "interrupted";
	}
	return "unknown";
}

int
run_exit_code(enum run_outcome outcome)
{
	switch (outcome) {
	case RUN_OK:
		return 0;
	case RUN_FAILURES:
		return 1;
	case RUN_BAD_CONFIG:
		return 3;
	case RUN_UNREACHABLE:
		return 4;
	case RUN_GUARDED:
		return 7;
	case RUN_WINDOW:
	case RUN_FULL:
		return 6;
	case RUN_UNSTABLE:
		return 5;
	case RUN_INTERRUPTED:
		return 130;
	}
	return 1;
}

static void
label(struct buf *out, const char *name)
{
	buf_addf(out, "  %-11s", name);
}

void
ui_add_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
	char count[32];

	buf_addf(out, "%s %s", text_count(n, count, sizeof(count)),
	    n == 1 ? one : many);
}

static void
add_size(struct buf *out, uint64_t bytes)
{
	char size[24];

	buf_adds(out, text_size(bytes, size, sizeof(size)));
}

/* "  failed     3 items, 1.2 KiB"; nothing if N is 0. */
static void
items_line(struct buf *out, const char *name, uint64_t n, uint64_t bytes,
    const char *note)
{
	if (n == 0)
		return;
	label(out, name);
	ui_add_count(out, n, "item", "items");
	if (bytes > 0) {
		buf_adds(out, ", ");
		add_size(out, bytes);
	}
	buf_addf(out, "%s\n", note);
}

static void
add_moved(struct buf *out, const struct ui_summary *s)
{
	const struct stats_snapshot *c = s->stats;
	bool dry = s->run->dry_run;
	uint64_t items = dry ? c->queued_items : c->done_items;
	uint64_t bytes = dry ? c->queued_bytes : c->done_bytes;
	char time[32];

	/* These have a line of their own. */
	if (!dry && items >= c->metadata_items && bytes >= c->metadata_bytes) {
		items -= c->metadata_items;
		bytes -= c->metadata_bytes;
	}
	label(out, dry ? "would move" : "moved");
	if (items == 0) {
		buf_adds(out, "nothing");
	} else {
		ui_add_count(out, items, "item", "items");
		buf_adds(out, ", ");
		add_size(out, bytes);
	}
	buf_addf(
	    out, ", in %s", text_duration(s->elapsed_ms, time, sizeof(time)));
	if (c->sent_bytes > 0 && s->elapsed_ms > 0) {
		buf_adds(out, ", ");
		add_size(out,
		    (uint64_t)((double)c->sent_bytes * 1000 /
			(double)s->elapsed_ms));
		buf_adds(out, "/s");
	}
	buf_addc(out, '\n');
}

/* What a run would cost, and take at best. */
static void
add_estimate(struct buf *out, const struct ui_summary *s)
{
	const struct stats_snapshot *c = s->stats;
	uint64_t rate = s->options->estimate_rate;
	char time[32];

	if (!s->run->dry_run || rate == 0)
		return;
	label(out, "estimate");
	if (c->estimate_requests > 0) {
		ui_add_count(out, c->estimate_requests, "request", "requests");
		buf_adds(out, ", ");
	}
	add_size(out, c->estimate_bytes);
	buf_addf(out, " to send: %s at ",
	    text_duration(
		(uint64_t)((double)c->estimate_bytes * 1000 / (double)rate),
		time, sizeof(time)));
	add_size(out, rate);
	buf_adds(out, "/s\n");
}

static void
add_resumed(struct buf *out, const struct stats_snapshot *c)
{
	if (c->resumed_parts > 0) {
		label(out, "resumed");
		ui_add_count(out, c->resumed_parts, "part", "parts");
		buf_adds(out, " of ");
		ui_add_count(out, c->resumed_files, "file", "files");
		buf_adds(out, ", ");
		add_size(out, c->resumed_bytes);
		buf_adds(out, ", sent before and not again\n");
	}
	if (c->aborted_uploads > 0) {
		label(out, "cleaned up");
		ui_add_count(out, c->aborted_uploads, "unfinished upload",
		    "unfinished uploads");
		buf_adds(out, " of changed files removed\n");
	}
}

void
ui_add_skipped(
    struct buf *out, const char *name, const struct stats_snapshot *c)
{
	const struct {
		uint64_t n;
		const char *one, *many;
	} kinds[] = {
	    {c->skipped_links, "symbolic link (see -l, -L)",
		"symbolic links (see -l, -L)"},
	    {c->special_items, "fifo, socket or device",
		"fifos, sockets or devices"},
	    {c->excluded_items, "excluded", "excluded"},
	    {c->existing_items, "at the target already",
		"at the target already"},
	    {c->newer_items, "newer at the target", "newer at the target"},
	};
	const char *lead = "";
	size_t i;

	if (c->skipped_links + c->special_items + c->excluded_items +
		c->existing_items + c->newer_items ==
	    0)
		return;
	label(out, name);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].n == 0)
			continue;
		buf_adds(out, lead);
		ui_add_count(out, kinds[i].n, kinds[i].one, kinds[i].many);
		lead = ", ";
	}
	buf_addc(out, '\n');
}

/* --verify all */
static void
add_checked(struct buf *out, const struct stats_snapshot *c)
{
	if (c->checked_items == 0)
		return;
	label(out, "compared");
	ui_add_count(out, c->checked_items, "item", "items");
	buf_adds(out, " with the target: ");
	ui_add_count(out, c->checked_equal, "is equal", "are equal");
	buf_adds(out, "; contents of ");
	ui_add_count(out, c->checked_by_store, "file", "files");
	buf_adds(out, "\n              by what the store tells, of ");
	ui_add_count(out, c->checked_by_size, "file", "files");
	buf_adds(out, " by size and time alone\n");
	if (c->checked_xattrs + c->checked_acls + c->checked_links > 0) {
		buf_adds(out, "              xattrs of ");
		ui_add_count(out, c->checked_xattrs, "item", "items");
		buf_adds(out, ", ACLs of ");
		ui_add_count(out, c->checked_acls, "item", "items");
		buf_adds(out, ", hard links of ");
		ui_add_count(out, c->checked_links, "name\n", "names\n");
	}
	items_line(out, "differ", c->checked_differ, 0, "");
	items_line(out, "missing", c->checked_missing, 0, " not at the target");
	items_line(out, "extra", c->checked_extra, 0,
	    " at the target only, left there");
	items_line(
	    out, "not told", c->checked_errors, 0, " could not be compared");
}

static void
add_verification(struct buf *out, const struct ui_summary *s)
{
	const struct stats_snapshot *c = s->stats;

	if (s->options->store.no_verify_tls) {
		label(out, "warning");
		buf_adds(out,
		    "the server's certificate was not checked "
		    "(--no-verify-ssl)\n");
	}
	add_checked(out, c);
	if (s->run->dry_run || c->done_items + c->adopted_items == 0)
		return;
	if (c->verified_items > 0) {
		label(out, "verified");
		ui_add_count(out, c->verified_items, "file", "files");
		buf_adds(out, ", by the target's checksum or read back\n");
	} else if (s->options->verify == VERIFY_NONE) {
		label(out, "verified");
		buf_adds(out, "nothing (--verify none)\n");
	} else if (c->sent_bytes + c->adopted_bytes > 0) {
		label(out, "verified");
		buf_adds(out, "nothing\n");
	}
	items_line(out, "shared", c->cloned_items, 0,
	    ", blocks shared with the source, nothing copied");
}

static void
add_retries(struct buf *out, const struct stats_snapshot *c)
{
	if (c->retries == 0)
		return;
	label(out, "retries");
	ui_add_count(out, c->retries, "request", "requests");
	buf_adds(out, " repeated");
	if (c->throttled > 0) {
		buf_adds(out, "; slowed down ");
		ui_add_count(out, c->throttled, "time", "times");
		buf_adds(out, " as the target asked");
	}
	buf_addc(out, '\n');
}

/* The command that tells more about this task. */
static void
add_report_command(struct buf *out, const struct ui_summary *s)
{
	const struct options *o = s->options;

	buf_adds(out, "dray report");
	if (o->state_dir != NULL && o->state_dir != o->default_state_dir)
		buf_addf(out, " --state-dir '%s'", o->state_dir);
	buf_addf(out, " --task '%s'", s->run->task);
}

static void
add_kept(struct buf *out, const struct stats_snapshot *c)
{
	if (c->kept_parts > 0) {
		buf_adds(out, ";\n");
		ui_add_count(out, c->kept_parts, "part", "parts");
		buf_adds(out, " (");
		add_size(out, c->kept_bytes);
		buf_adds(out, ") of unfinished files are kept");
	}
	buf_adds(out, ".\n");
}

/* What is left of what was found: of the rest nothing is known. */
static void
add_left(struct buf *out, const struct stats_snapshot *c)
{
	struct progress p = progress_of(c);

	buf_adds(out, " Found, and still to do: ");
	ui_add_count(out, p.total_items - p.items, "item", "items");
	buf_adds(out, ", ");
	add_size(out, p.total_bytes - p.bytes);
	buf_adds(out, ".\n");
}

static void
add_next_step(struct buf *out, const struct ui_summary *s)
{
	const struct stats_snapshot *c = s->stats;

	switch (s->outcome) {
	case RUN_OK:
		if (s->run->dry_run)
			buf_adds(out, "Nothing was changed (--dry-run).\n");
		break;
	case RUN_FAILURES:
		buf_adds(out,
		    "Not all went well. See what failed and why:\n"
		    "  ");
		add_report_command(out, s);
		buf_adds(out,
		    "\nThe same command again tries those items again; "
		    "dray retry tries only them.\n");
		break;
	case RUN_GUARDED:
		buf_adds(out, "Nothing was deleted: see the message above.\n");
		break;
	case RUN_UNSTABLE:
		buf_adds(out,
		    "Some files changed or vanished while they were "
		    "read. The same command again\ntakes them as "
		    "they are then.\n");
		break;
	case RUN_INTERRUPTED:
	case RUN_UNREACHABLE:
		buf_addf(out, "%s. Run the same command again to resume",
		    s->outcome == RUN_INTERRUPTED ? "Interrupted"
						  : "A store was not reached");
		add_kept(out, c);
		break;
	case RUN_WINDOW:
		buf_adds(out, "Stopped, as its time was over.");
		add_left(out, c);
		buf_adds(out, "Run the same command again to go on");
		add_kept(out, c);
		break;
	case RUN_FULL:
		buf_adds(out, "Stopped, as the disk is full.");
		add_left(out, c);
		break;
	case RUN_BAD_CONFIG:
		buf_adds(out,
		    "Not started. See the message above; dray probe "
		    "checks a target by itself.\n");
		break;
	}
}

void
ui_summary_text(struct buf *out, const struct ui_summary *s)
{
	const struct stats_snapshot *c = s->stats;

	text_escape(out, s->run->source, strlen(s->run->source));
	buf_adds(out, " -> ");
	text_escape(out, s->run->target, strlen(s->run->target));
	buf_addf(out, "  (task %s, run %llu)\n", s->run->task,
	    (unsigned long long)s->run->run_id);
	if (s->outcome != RUN_BAD_CONFIG) {
		add_moved(out, s);
		add_estimate(out, s);
		add_resumed(out, c);
	}
	items_line(out, "metadata", c->metadata_items, 0,
	    " set right without moving contents");
	items_line(out, "linked", c->linked_items, 0,
	    " by hard links: contents went once");
	items_line(out, "adopted", c->adopted_items, c->adopted_bytes,
	    ", there already");
	items_line(
	    out, "unchanged", c->unchanged_items, c->unchanged_bytes, "");
	ui_add_skipped(out, "skipped", c);
	items_line(out, s->run->dry_run ? "would del." : "deleted",
	    c->deleted_items, c->deleted_bytes, " at the target");
	items_line(out, "kept", c->kept_items, 0,
	    " of what was to be deleted (see -v)");
	items_line(out, "gone", c->gone_items, 0,
	    " no longer at the source, kept at the target");
	items_line(out, "drift", c->drift_items, 0,
	    " changed or deleted at the target by others");
	items_line(out, "failed", c->failed_items, 0, "");
	items_line(out, "unreadable", c->unreadable_items, 0, "");
	items_line(out, "changed", c->changed_items, 0,
	    " changed while read, not taken");
	items_line(
	    out, "vanished", c->vanished_items, 0, " vanished before read");
	items_line(
	    out, "not held", c->lack_owner_items, 0, " without owner or group");
	items_line(out, "not held", c->lack_mode_items, 0, " without mode");
	items_line(
	    out, "not held", c->lack_time_items, 0, " without the exact time");
	items_line(out, "not held", c->lack_xattr_items, 0,
	    " without some extended attribute");
	items_line(out, "not held", c->lack_acl_items, 0, " without ACL");
	items_line(out, "not held", c->lack_link_items, 0,
	    " as hard links, but as files of their own");
	add_retries(out, c);
	add_verification(out, s);
	if (s->run->probe[0] != '\0') {
		label(out, "target");
		text_escape(out, s->run->probe, strlen(s->run->probe));
		buf_addc(out, '\n');
	}
	add_next_step(out, s);
}

void
ui_stats_json(struct json *j, const struct stats_snapshot *s)
{
	json_object(j, "stats");
#define STATS_JSON(name) json_uint(j, #name, s->name);
	STATS_COUNTERS(STATS_JSON)
#undef STATS_JSON
	json_object_end(j);
}

void
ui_summary_json(struct buf *out, const struct ui_summary *s)
{
	static const char *const modes[] = {"none", "transferred", "all"};
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", "summary");
	json_str(&j, "task", s->run->task);
	json_uint(&j, "run", s->run->run_id);
	json_name(&j, "source", s->run->source, strlen(s->run->source));
	json_name(&j, "target", s->run->target, strlen(s->run->target));
	json_bool(&j, "dry_run", s->run->dry_run);
	json_str(&j, "outcome", run_outcome_name(s->outcome));
	json_int(&j, "exit_code", run_exit_code(s->outcome));
	json_uint(&j, "elapsed_ms", s->elapsed_ms);
	json_str(&j, "verify", modes[s->options->verify]);
	json_bool(&j, "tls_verified", !s->options->store.no_verify_tls);
	if (s->why != NULL) {
		json_str(&j, "error", err_kind_name(s->why->kind));
		json_str(&j, "message", s->why->msg);
	}
	ui_stats_json(&j, s->stats);
	json_object_end(&j);
}
