/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/work_do.h"

/* 0, or -1 with the job's err set. */
static int
dispatch(struct worker *me, struct job *j)
{
	const struct store_driver *ops = me->work.target->ops;

	switch (j->kind) {
	case JOB_PUT:
		return work_put(me, j);
	case JOB_LINK:
		return work_link(me, j);
	case JOB_HARDLINK:
		return work_hardlink(me, j);
	case JOB_DIR:
		return work_dir(me, j);
	case JOB_ADOPT:
		return work_adopt(me, j);
	case JOB_REHASH:
		return work_rehash(me, j);
	case JOB_BEGIN:
		return work_begin(me, j);
	case JOB_CHECK:
		return work_check(me, j);
	case JOB_PART:
		return work_part(me, j);
	case JOB_COMPLETE:
		return work_complete(me, j);
	case JOB_ABORT:
		return ops->upload_abort(
		    me->session, j->path, j->upload_id, &j->err);
	case JOB_SWEEP:
		return work_sweep(me, j);
	case JOB_LOOK:
		return work_look(me, j);
	case JOB_DELETE:
		return work_delete(me, j);
	case JOB_VERIFY:
		return work_verify(me, j);
	case JOB_VERIFY_PART:
		return work_verify_part(me, j);
	}
	return 0;
}

void
work_do(struct worker *me, struct job *j)
{
	j->proved = j->read_back = false;
	/* What went wrong on the way to success says nothing. */
	if (dispatch(me, j) == 0)
		j->err.kind = ERR_NONE;
	else if (j->up != NULL)
		work_release(me); /* the connection that it is of may be dead */
	/* Only what is recorded is kept. */
	if (j->err.kind != ERR_NONE || j->finding == FOUND_OTHER) {
		attrs_free(j->carried);
		j->carried = NULL;
	}
}
