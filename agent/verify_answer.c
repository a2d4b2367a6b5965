/* SPDX-License-Identifier: ISC */
/* What workers found, what failures mean, and big files in parts. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/verify_in.h"
#include "base/clock.h"

static void
count(struct verifier *v, enum check_status status, const struct check *c)
{
	struct run_stats *s = v->stats;

	stats_add(s, checked_items, 1);
	switch (status) {
	case CHECK_MATCH:
		stats_add(s, checked_equal, 1);
		break;
	case CHECK_DIFFER:
		stats_add(s, checked_differ, 1);
		break;
	case CHECK_MISSING_ON_SRC:
		stats_add(s, checked_extra, 1);
		return;
	case CHECK_MISSING_ON_DST:
		stats_add(s, checked_missing, 1);
		return;
	case CHECK_ERROR:
		stats_add(s, checked_errors, 1);
		return;
	case CHECK_SKIPPED:
	case CHECK_STATUS_COUNT:
		return;
	}
	stats_add(s, checked_xattrs, (c->compared & CHECK_XATTRS) != 0);
	stats_add(s, checked_acls, (c->compared & CHECK_ACLS) != 0);
	stats_add(s, checked_links, (c->compared & CHECK_LINKS) != 0);
	if (c->want.type != ITEM_FILE)
		return;
	if (c->proof == BY_STORE)
		stats_add(s, checked_by_store, 1);
	else if (c->proof == BY_READING)
		stats_add(s, checked_by_reading, 1);
	else if ((c->differs & (CHECK_TYPE | CHECK_SIZE)) == 0)
		stats_add(s, checked_by_size, 1);
}

static void
tell(struct verifier *v, const struct verify_item *item)
{
	count(v, item->status, item->check);
	v->setup->tell(v->setup->arg, item);
}

void
verify_found(struct verifier *v, struct job *j)
{
	const struct check *c = j->check;
	struct verify_item item = {
	    .path = j->path,
	    .path_len = j->path_len,
	    .check = c,
	};

	verify_links(v, j);
	item.status = c->status;
	stats_add(v->stats, done_items, 1);
	if (c->want.type == ITEM_FILE && c->deep)
		stats_add(v->stats, done_bytes, c->want.size);
	if (c->status != CHECK_SKIPPED)
		tell(v, &item);
	verify_job_end(v, j);
}

void
verify_trouble(
    struct verifier *v, const char *path, size_t len, const struct err *why)
{
	struct verify_item item = {
	    .path = path,
	    .path_len = len,
	    .status = CHECK_ERROR,
	    .err = why,
	};

	tell(v, &item);
}

static bool
is_hopeless(const struct job *j)
{
	switch ((int)j->err.kind) {
	case ERR_NET:
	case ERR_SERVER:
	case ERR_THROTTLE:
	case ERR_EXPIRED:
	case ERR_SKEW:
		return true;
	case ERR_DENIED:
		return j->err.sys == 0 && !j->from_source;
	default:
		return false;
	}
}

/* J, for its err, could not be told; ends it. */
static void
failed(struct verifier *v, struct job *j)
{
	bool hopeless = is_hopeless(j);
	struct err why = j->err;

	if (j->from_source && !(v->source->ops->features & STORE_IS_LOCAL))
		err_context(&why, "at the source");
	stats_add(v->stats, done_items, 1);
	verify_trouble(v, j->path, j->path_len, &why);
	verify_job_end(v, j);
	if (!hopeless || ++v->hopeless < VERIFY_HOPELESS)
		return;
	err_context(
	    &why, "given up after %d items in a row failed", VERIFY_HOPELESS);
	verify_fatal(v, &why);
}

static uint64_t
next_random(struct verifier *v)
{
	/* xorshift64; https://doi.org/10.18637/jss.v008.i14 */
	v->random ^= v->random << 13;
	v->random ^= v->random >> 7;
	v->random ^= v->random << 17;
	return v->random;
}

static bool
refresh(struct store *s)
{
	struct err ignored = ERR_INIT;

	return s != NULL && s->ops->refresh != NULL &&
	    s->ops->refresh(s, &ignored) == 0;
}

/* Takes J for another try, if that makes sense. */
static bool
again(struct verifier *v, struct job *j)
{
	int64_t wait =
	    retry_delay_ms(&v->retry, j->attempts + 1, &j->err, next_random(v));
	struct err e;

	if (j->err.kind == ERR_EXPIRED && !j->refreshed) {
		j->refreshed = true;
		if (refresh(j->from_source ? v->source : v->target))
			wait = 0;
	}
	if (j->err.kind == ERR_THROTTLE)
		stats_add(v->stats, throttled, 1);
	if (wait < 0)
		return false;
	j->attempts++;
	stats_add(v->stats, retries, 1);
	j->due_ms = clock_mono_ms() + (uint64_t)wait;
	if (delay_push(&v->delayed, j) == 0)
		return true;
	err_set(&e, ERR_NOMEM, "out of memory");
	verify_fatal(v, &e);
	return false;
}

static bool
knows_digest(const struct job *whole)
{
	return whole->check->known &&
	    (whole->was.digest.have & DIGEST_XXH3) != 0;
}

static void
send_part(struct verifier *v, struct job *whole)
{
	struct check *c = whole->check;
	struct job *j =
	    verify_job(v, JOB_VERIFY_PART, "", 0, whole->path, whole->path_len);

	if (j == NULL)
		return;
	j->check = c;
	j->st = whole->st;
	j->was.digest = whole->was.digest;
	j->part = ++c->next;
	c->jobs++;
	verify_send(v, j);
}

/* All parts are read, or one could not be. */
static void
end_parts(struct verifier *v, struct job *j)
{
	struct check *c = j->check;
	uint8_t list[16];
	bool same = c->bad_part == 0;

	if (j->err.kind != ERR_NONE) {
		failed(v, j);
		return;
	}
	if (knows_digest(j)) {
		digest_of_list(c->part->xxh3, c->parts, list);
		same = memcmp(list, j->was.digest.xxh3, sizeof(list)) == 0;
	}
	c->proof = BY_READING;
	c->compared |= CHECK_CONTENT;
	if (!same)
		c->differs |= CHECK_CONTENT;
	c->status = c->differs != 0 ? CHECK_DIFFER : CHECK_MATCH;
	verify_found(v, j);
}

/* More parts of the files that are being read; done ones are told. */
static void
feed_parts(struct verifier *v)
{
	struct job_list still;
	struct job *j;

	job_list_init(&still);
	while ((j = job_list_pop(&v->reading)) != NULL) {
		struct check *c = j->check;
		bool over = j->err.kind != ERR_NONE || c->bad_part > 0;

		while (!over && !v->stopping && c->next < c->parts &&
		    c->jobs < v->options->concurrency)
			send_part(v, j);
		if (c->jobs == 0 && (over || c->done == c->parts))
			end_parts(v, j);
		else
			job_list_push(&still, j);
	}
	while ((j = job_list_pop(&still)) != NULL)
		job_list_push(&v->reading, j);
}

void
verify_start_big(struct verifier *v)
{
	struct err e;
	struct job *j;

	while (v->reading.n < VERIFY_BIG_MAX &&
	    (j = job_list_pop(&v->big)) != NULL) {
		struct check *c = j->check;

		c->parts = (uint32_t)((c->want.size + c->part_bytes - 1) /
		    c->part_bytes);
		c->part = calloc(c->parts, sizeof(*c->part));
		if (c->part == NULL) {
			err_set(&e, ERR_NOMEM, "out of memory");
			verify_fatal(v, &e);
		}
		job_list_push(&v->reading, j);
		if (c->part == NULL)
			return;
	}
	feed_parts(v);
}

/* The file's job, in reading, has J's check. */
static struct job *
whole_of(const struct verifier *v, const struct job *part)
{
	struct job *j = v->reading.head;

	while (j->check != part->check)
		j = j->next;
	return j;
}

static void
part_answer(struct verifier *v, struct job *part)
{
	struct check *c = part->check;
	struct job *j;

	if (part->err.kind != ERR_NONE && !v->stopping &&
	    part->err.kind != ERR_STOPPED && again(v, part))
		return;
	j = whole_of(v, part);
	c->jobs--;
	c->done++;
	if (part->err.kind != ERR_NONE) {
		j->err = part->err;
		j->from_source = part->from_source;
	} else if (part->finding == FOUND_OTHER &&
	    (c->bad_part == 0 || part->part < c->bad_part)) {
		c->bad_part = part->part;
	}
	verify_job_end(v, part);
}

void
verify_answer(struct verifier *v, struct job *j)
{
	if (j->err.kind == ERR_NONE)
		v->hopeless = 0;
	if (j->kind == JOB_VERIFY_PART) {
		part_answer(v, j);
		return;
	}
	if (j->err.kind == ERR_NONE && j->check->in_parts) {
		job_list_push(&v->big, j);
		return;
	}
	if (j->err.kind == ERR_NONE) {
		verify_found(v, j);
		return;
	}
	if (v->stopping || j->err.kind == ERR_STOPPED) {
		verify_job_end(v, j);
		return;
	}
	if (!again(v, j))
		failed(v, j);
}
