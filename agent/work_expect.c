/* SPDX-License-Identifier: ISC */
/* Writing only over what is known: --overwrite. */
#include "config.h"

#include <string.h>

#include "agent/work_do.h"
#include "base/buf.h"

static enum job_expect
expectation(const struct job *j, const struct store_stat **was)
{
	*was = j->up != NULL ? &j->up->expected : &j->expected;
	return j->up != NULL ? j->up->expect : j->expect;
}

static int
conflict(struct job *j, const char *what)
{
	return err_set(
	    &j->err, ERR_CONFLICT, "not replaced: somebody else has %s", what);
}

static bool
still_is(const struct worker *me, const struct store_stat *now,
    const struct store_stat *was)
{
	struct err ignored;

	if (was->etag[0] != '\0' && now->etag[0] != '\0')
		return strcmp(was->etag, now->etag) == 0;
	return store_check_still(me->work.target->ops, now, was, &ignored) == 0;
}

int
work_set_aside(struct worker *me, const char *key, bool *keep, struct err *e)
{
	const struct store_driver *ops = me->work.target->ops;
	AUTO(buf) struct buf to = BUF_INIT(1 << 20);

	buf_addf(&to, "%s/%s", me->work.backup_dir, key);
	if (buf_failed(&to))
		return err_set(e, ERR_NOMEM, "out of memory");
	if (ops->set_aside == NULL)
		return err_set(e, ERR_UNSUPPORTED,
		    "the target can't keep it in the backup directory");
	if (ops->check_key(me->work.target, buf_str(&to), ITEM_FILE, e) == 0 &&
	    ops->set_aside(me->session, key, buf_str(&to), keep, e) == 0)
		return 0;
	/* What can't be kept isn't replaced. */
	if (e->kind == ERR_NOTFOUND)
		e->kind = ERR_SERVER;
	return err_context(e, "keeping it in the backup directory");
}

/* What J replaces is kept. */
static int
keep_old(struct worker *me, struct job *j, const struct store_stat *there,
    struct store_expect *x)
{
	bool keep = true;

	if (me->work.backup_dir == NULL || there->type == ITEM_DIR)
		return 0;
	if (work_set_aside(me, j->path, &keep, &j->err) == -1)
		return -1;
	if (!keep)
		x->was = NULL;
	return 0;
}

int
work_expect(struct worker *me, struct job *j, struct store_expect *x)
{
	const struct store_stat *was;
	enum job_expect expect = expectation(j, &was);
	struct store_stat now;

	me->session->expect = NULL;
	if (expect == EXPECT_ANYTHING && me->work.backup_dir == NULL)
		return 0;
	x->was = expect == EXPECT_WAS ? was : NULL;
	if (me->work.target->ops->stat(me->session, j->path, &now, &j->err) ==
	    -1) {
		if (j->err.kind != ERR_NOTFOUND)
			return -1;
		if (expect == EXPECT_WAS)
			return conflict(j, "removed it");
	} else if (expect == EXPECT_NOTHING && now.type != ITEM_DIR) {
		return conflict(j, "put something there");
	} else if (expect == EXPECT_WAS && !still_is(me, &now, was)) {
		return conflict(j, "changed it");
	} else if (!me->work.dry_run && keep_old(me, j, &now, x) == -1) {
		return -1;
	}
	if (expect != EXPECT_ANYTHING)
		me->session->expect = x;
	return 0;
}

int
work_written(struct worker *me, struct job *j, int rc)
{
	const struct item_stat *meta = j->up != NULL ? &j->up->meta : &j->st;
	struct err refused = j->err, differs;
	struct store_stat now;

	me->session->expect = NULL;
	if (rc == 0 || j->err.kind != ERR_CONFLICT)
		return rc;
	if (me->work.target->ops->stat(me->session, j->path, &now, &j->err) ==
		0 &&
	    now.type == meta->type && now.size == j->st.size &&
	    now.has_source_mtime &&
	    store_same_time(
		me->work.target->ops, now.mtime_ns, meta->mtime_ns) &&
	    (j->attempts > 0 || (now.digest.have & j->digest.have) != 0) &&
	    work_check_source(&now.digest, &j->digest, &differs) == 0) {
		job_finds(j, &now);
		j->receipt.proved = (now.digest.have & j->digest.have) != 0;
		return 0;
	}
	j->err = refused;
	return -1;
}
