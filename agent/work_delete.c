/* SPDX-License-Identifier: ISC */
/*
 * Jobs that delete.  Each item is looked at right before: the source must not
 * have it, and what the target has must be what is meant.  What is left open
 * when the job fails may be tried again.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/work_do.h"
#include "transfer/retry.h"

/* Names of what is left in one directory. */
#define LEFT_BYTES ((size_t)16 << 20)
#define SECOND_NS ((int64_t)1000000000)

static bool
is_absent(const struct err *e)
{
	return e->kind == ERR_NOTFOUND || e->kind == ERR_VANISHED;
}

/* 1 if the source has an item of that name and kind, 0, -1. */
static int
source_has(struct worker *me, const struct victim *v, struct err *e)
{
	struct store_stat st;

	if (work_source(me)->stat(me->from, v->key, &st, e) == -1)
		return is_absent(e) ? 0 : -1;
	return (st.type == ITEM_DIR) == (v->is.type == ITEM_DIR);
}

/* No clock and no file system is off by more where nobody touched a file. */
static bool
same_time(int64_t a_ns, int64_t b_ns)
{
	if (a_ns == ITEM_TIME_UNKNOWN || b_ns == ITEM_TIME_UNKNOWN)
		return true;
	return a_ns > b_ns ? a_ns - b_ns < 2 * SECOND_NS
			   : b_ns - a_ns < 2 * SECOND_NS;
}

static bool
still_is(const struct victim *v, const struct store_stat *now)
{
	const struct ledger_target *was = &v->is;

	if (was->type == ITEM_DIR)
		return true;
	if (was->etag[0] != '\0' && now->etag[0] != '\0')
		return strcmp(was->etag, now->etag) == 0;
	if (was->type == ITEM_FILE && now->type == ITEM_FILE)
		return was->size == now->size &&
		    (!now->has_source_mtime ||
			same_time(was->mtime_ns, now->mtime_ns));
	return !v->known || was->type == now->type;
}

/* What the target has in V's place decides, or fails. */
static int
look_at_target(struct worker *me, struct victim *v, struct err *e)
{
	const struct store_driver *ops = me->work.target->ops;
	struct store_stat now;

	if (ops->stat == NULL)
		return 0;
	if (ops->stat(me->session, v->key, &now, e) == -1) {
		if (!is_absent(e))
			return -1;
		v->fate = v->asked ? FATE_DELETED : FATE_ABSENT;
	} else if ((now.type == ITEM_DIR) != (v->is.type == ITEM_DIR)) {
		v->fate = FATE_ABSENT;
	} else if (!still_is(v, &now)) {
		v->fate = FATE_CHANGED;
	}
	return 0;
}

static int
found_one(void *arg, const struct store_list_entry *entry, struct err *e)
{
	(void)entry;
	*(bool *)arg = true;
	return err_set(e, ERR_STOPPED, "that is enough");
}

/* Where directories are but names that others begin with, the store would not
 * mind. */
static int
check_empty(struct worker *me, struct victim *v, struct err *e)
{
	const struct store_driver *ops = me->work.target->ops;
	bool any = false;
	int rc;

	if ((ops->features & STORE_HAS_DIRS) != 0 || me->work.dry_run)
		return 0;
	v->key[v->path_len] = '\0';
	rc = ops->list(me->session, v->key, false, found_one, &any, e);
	v->key[v->path_len] = '/';
	if (any)
		v->fate = FATE_NOT_EMPTY;
	return any || rc == 0 || is_absent(e) ? 0 : -1;
}

static int
look(struct worker *me, struct job *j, struct victim *v, struct err *e)
{
	int rc;

	j->from_source = true;
	rc = v->excluded ? 0 : source_has(me, v, e);
	if (rc == 1)
		v->fate = FATE_RETURNED;
	if (rc != 0)
		return rc;
	j->from_source = false;
	if (look_at_target(me, v, e) == -1)
		return -1;
	return v->fate == FATE_OPEN && v->is.type == ITEM_DIR
	    ? check_empty(me, v, e)
	    : 0;
}

/* The names of what runs of ours left in a directory. */
static int
note_leftover(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct buf *keys = arg;

	if (!entry->leftover)
		return 0;
	buf_add(keys, entry->key, entry->key_len);
	buf_addc(keys, '\0');
	return buf_failed(keys) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* Whether the directory V isn't empty for what runs of ours left in it, which
 * is removed. */
static bool
was_ours(struct worker *me, struct victim *v)
{
	const struct store_driver *ops = me->work.target->ops;
	AUTO(buf) struct buf keys = BUF_INIT(LEFT_BYTES);
	struct err e = ERR_INIT;
	size_t at;
	int rc;

	if (ops->sweep == NULL)
		return false;
	v->key[v->path_len] = '\0';
	me->session->tells_leftovers = true;
	rc = ops->list(me->session, v->key, false, note_leftover, &keys, &e);
	me->session->tells_leftovers = false;
	v->key[v->path_len] = '/';
	for (at = 0; rc == 0 && at < keys.len; at += strlen(keys.data + at) + 1)
		rc = ops->sweep(me->session, keys.data + at, &e);
	return rc == 0 && keys.len > 0;
}

static bool
is_not_empty(const struct err *result)
{
	return result->sys == ENOTEMPTY || result->sys == EEXIST;
}

/* V is given up for *E, unless that may pass: -1, J's err is set then. */
static int
failed(struct job *j, struct victim *v, const struct err *e)
{
	if (retry_makes_sense(e->kind) || e->kind == ERR_EXPIRED ||
	    e->kind == ERR_STOPPED) {
		j->err = *e;
		return -1;
	}
	v->fate = FATE_FAILED;
	v->err = *e;
	return 0;
}

static int
settle(struct job *j, struct victim *v, const struct err *result)
{
	bool dir = v->is.type == ITEM_DIR;

	if (result->kind == ERR_NONE) {
		v->fate = FATE_DELETED;
		return 0;
	}
	if (dir && is_not_empty(result)) {
		v->fate = FATE_NOT_EMPTY;
		return 0;
	}
	return failed(j, v, result);
}

/* Those that are open still go to the backup directory; where that leaves
 * them in their places they are open still. */
static int
set_open_aside(struct worker *me, struct job *j)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < j->victim_count; i++) {
		struct victim *v = &j->victims[i];
		struct err e = ERR_INIT;
		bool keep = false;

		if (v->fate != FATE_OPEN || v->is.type == ITEM_DIR)
			continue;
		if (work_set_aside(me, v->key, &keep, &e) == -1)
			rc = failed(j, v, &e) == -1 ? -1 : rc;
		else if (!keep)
			v->fate = FATE_DELETED;
	}
	return rc;
}

/* Those that are open still, all at once. */
static int
remove_open(struct worker *me, struct job *j)
{
	AUTO(free)
	const char **keys = calloc(j->victim_count, sizeof(*keys));
	AUTO(free)
	struct err *results = calloc(j->victim_count, sizeof(*results));
	struct err e = ERR_INIT;
	size_t i, n = 0, at = 0;
	int rc = 0;

	if (keys == NULL || results == NULL)
		return err_set(&j->err, ERR_NOMEM, "out of memory");
	for (i = 0; i < j->victim_count; i++) {
		struct victim *v = &j->victims[i];

		if (v->fate != FATE_OPEN)
			continue;
		v->asked = true;
		keys[n++] = v->key;
	}
	if (n == 0)
		return 0;
	me->work.target->ops->remove(me->session, keys, n, results, &e);
	for (i = 0; i < j->victim_count; i++) {
		struct victim *v = &j->victims[i];
		const char *key = v->key;

		if (v->fate != FATE_OPEN)
			continue;
		if (v->is.type == ITEM_DIR && is_not_empty(&results[at]) &&
		    was_ours(me, v))
			me->work.target->ops->remove(
			    me->session, &key, 1, &results[at], &e);
		if (settle(j, v, &results[at++]) == -1)
			rc = -1;
	}
	return rc;
}

int
work_delete(struct worker *me, struct job *j)
{
	size_t i;

	for (i = 0; i < j->victim_count; i++) {
		struct victim *v = &j->victims[i];
		struct err e = ERR_INIT;

		if (v->fate == FATE_OPEN && look(me, j, v, &e) == -1 &&
		    failed(j, v, &e) == -1)
			return -1;
		if (me->work.dry_run && v->fate == FATE_OPEN)
			v->fate = FATE_DELETED;
	}
	j->from_source = false;
	if (me->work.dry_run)
		return 0;
	if (me->work.backup_dir != NULL && set_open_aside(me, j) == -1)
		return -1;
	return remove_open(me, j);
}
