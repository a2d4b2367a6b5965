/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "agent/listing.h"
#include "agent/reach.h"
#include "agent/verify_in.h"
#include "base/clock.h"
#include "transfer/posix/posix.h"

#define WAIT_MS 100
/* A store's answers take their time. */
#define FAR_SCAN_THREADS 16

void
verify_fatal(struct verifier *v, const struct err *e)
{
	if (v->fatal.kind == ERR_NONE)
		v->fatal = *e;
	v->stopping = true;
}

struct job *
verify_job(struct verifier *v, enum job_kind kind, const char *dir,
    size_t dir_len, const char *name, size_t name_len)
{
	struct err e = ERR_INIT;
	struct job *j = job_new(kind, dir, dir_len, name, name_len, &e);

	if (j != NULL && kind == JOB_VERIFY &&
	    (j->check = check_new(&e)) == NULL) {
		job_free(j);
		j = NULL;
	}
	if (j == NULL)
		verify_fatal(v, &e);
	else
		v->jobs++;
	return j;
}

void
verify_job_end(struct verifier *v, struct job *j)
{
	v->jobs--;
	job_free(j);
}

static int
start_workers(struct verifier *v)
{
	struct err e = ERR_INIT;
	struct work w = {
	    .source = v->source,
	    .target = v->target,
	    .rules = &v->rules,
	    .keep_links = v->options->links == SCAN_LINKS_KEEP,
	    .pool = v->pool,
	    .lanes = v->lanes,
	    .inbox = v->inbox,
	    .stats = v->stats,
	    .limits = v->limits,
	    .stop = v->setup->stop_now,
	};

	v->workers = workers_start(&w, v->workers_max, &e);
	if (v->workers == NULL)
		verify_fatal(v, &e);
	return v->workers != NULL ? 0 : -1;
}

void
verify_send(struct verifier *v, struct job *j)
{
	if (v->workers == NULL && start_workers(v) == -1)
		verify_job_end(v, j);
	else if (!lanes_push(v->lanes, j))
		workers_add(v->workers);
}

void
verify_add_lacks(struct check_lacks *out, const struct run_stats *s)
{
	out->owner |= stats_get(s, lack_owner_items) > 0;
	out->mode |= stats_get(s, lack_mode_items) > 0;
	out->mtime |= stats_get(s, lack_time_items) > 0;
	out->xattrs |= stats_get(s, lack_xattr_items) > 0;
	out->acls |= stats_get(s, lack_acl_items) > 0;
	out->links |= stats_get(s, lack_link_items) > 0;
}

int
verify_find_lacks(struct ledger *l, struct check_lacks *out, struct err *e)
{
	struct ledger_run run = {.id = 0};
	uint64_t id = INT64_MAX;
	int rc;

	while ((rc = ledger_run_get(l, id, &run, e)) == 1) {
		out->owner |= run.stats.lack_owner_items > 0;
		out->mode |= run.stats.lack_mode_items > 0;
		out->mtime |= run.stats.lack_time_items > 0;
		out->xattrs |= run.stats.lack_xattr_items > 0;
		out->acls |= run.stats.lack_acl_items > 0;
		out->links |= run.stats.lack_link_items > 0;
		id = run.id - 1;
	}
	return rc;
}

/* By its listing, or else by what it tells of an object. */
static bool
tells_links(const struct store *s)
{
	return (s->ops->features & STORE_LIST_LINKS) != 0 ||
	    (s->ops->features & STORE_LIST_META) == 0;
}

unsigned
verify_can_tell(const struct options *o, const struct store *source,
    const struct store *target)
{
	unsigned can = 0;

	if ((source == NULL || source->ops->attrs != NULL) &&
	    target->ops->attrs != NULL)
		can = check_attrs_aspects(store_attrs_kinds(&o->store));
	if (o->hard_links && (source == NULL || tells_links(source)) &&
	    tells_links(target))
		can |= CHECK_LINKS;
	return can;
}

/* What is to be compared beside what always is. */
static void
choose_aspects(struct verifier *v)
{
	struct check_rules *r = &v->rules;
	unsigned can = verify_can_tell(v->options, v->source, v->target);

	r->attrs = ((can & CHECK_XATTRS) != 0 ? (unsigned)ATTRS_XATTRS : 0) |
	    ((can & CHECK_ACLS) != 0 ? (unsigned)ATTRS_ACLS : 0);
	r->links = (can & CHECK_LINKS) != 0;
	v->lists_links = !r->links ||
	    ((v->source == NULL ||
		 (v->source->ops->features & STORE_LIST_LINKS) != 0) &&
		(v->target->ops->features & STORE_LIST_LINKS) != 0);
}

/* What an earlier run of the task could not give to the target, nobody can
 * expect there. */
static int
find_rules(struct verifier *v, struct err *e)
{
	struct check_lacks *lacks = &v->rules.not_held;
	bool alone = v->setup->manifest == NULL && !v->setup->recorded;

	v->rules.target = v->target->ops;
	if (v->setup->manifest != NULL)
		*lacks = manifest_in_head(v->setup->manifest)->not_held;
	/* Only root can give files away. */
	if (alone && v->target->ops == &posix_driver && geteuid() != 0)
		lacks->owner = true;
	if (v->setup->lacks != NULL)
		verify_add_lacks(lacks, v->setup->lacks);
	return verify_find_lacks(v->ledger, lacks, e);
}

static struct lanes *
new_lanes(struct verifier *v, struct err *e)
{
	const struct store_driver *to = v->target->ops;
	struct lanes_setup s = {
	    .first = v->options->transfers,
	    .parts = to->parts != 0 ? to->parts : VERIFY_PARTS,
	};

	s.workers = s.first;
	if (s.first == 0) {
		s.first = to->transfers != 0 ? to->transfers : VERIFY_WORKERS;
		s.workers =
		    s.first > VERIFY_WORKERS_MAX ? s.first : VERIFY_WORKERS_MAX;
	}
	v->workers_max = s.workers;
	return lanes_new(&s, e);
}

static int
begin(struct verifier *v, struct err *e)
{
	const struct options *o = v->options;

	v->begun_ns = clock_wall_ns();
	v->random = (uint64_t)v->begun_ns | 1;
	v->retry = (struct retry_policy){
	    .attempts = o->retries,
	    .base_ms = 500,
	    .cap_ms = 30000,
	};
	job_list_init(&v->big);
	job_list_init(&v->reading);
	v->limits = (struct plan_limits){
	    .threshold_bytes = o->threshold_bytes,
	    .part_bytes = o->part_bytes,
	};
	v->lanes = new_lanes(v, e);
	v->inbox = inbox_new(VERIFY_BATCHES_MAX, e);
	v->pool = pool_new(o->memory_bytes, e);
	if (v->lanes == NULL || v->inbox == NULL || v->pool == NULL ||
	    find_rules(v, e) == -1 || ledger_pairs_begin(v->ledger, e) == -1)
		return -1;
	choose_aspects(v);
	return listing_take(
	    v->target, v->ledger, &v->retry, v->setup->stop_soon, e);
}

static bool
deliver(void *arg, struct scan_batch *b)
{
	struct verifier *v = arg;

	return inbox_batch(v->inbox, b);
}

static void
scan_is_done(void *arg)
{
	struct verifier *v = arg;

	inbox_scan_done(v->inbox);
}

static int
begin_scan(struct verifier *v, struct err *e)
{
	struct scan_options so = {
	    .filter = v->options->filter,
	    .links = v->options->links,
	    .threads = v->options->scan_threads,
	    .one_file_system = v->options->one_file_system,
	    .skip_prefix = ".dray-",
	    .retry = v->retry,
	};
	bool local = v->source->ops == &posix_driver;
	int fd = local ? posix_root_fd(v->source, e) : -1;

	if (so.threads == 0 && !local)
		so.threads = FAR_SCAN_THREADS;
	if (local && fd == -1)
		return -1;
	v->scan = scan_start(
	    fd, local ? NULL : v->source, &so, deliver, scan_is_done, v, e);
	return v->scan != NULL ? 0 : -1;
}

static void
drop_waiting(struct verifier *v)
{
	struct job *j;

	while ((j = lanes_withdraw(v->lanes)) != NULL ||
	    (j = delay_pop(&v->delayed, UINT64_MAX)) != NULL ||
	    (j = job_list_pop(&v->big)) != NULL) {
		if (j->kind == JOB_VERIFY_PART)
			j->check->jobs--;
		verify_job_end(v, j);
	}
}

/* Files whose parts nobody reads any more. */
static void
drop_reading(struct verifier *v)
{
	struct job *j;

	while ((j = job_list_pop(&v->reading)) != NULL)
		verify_job_end(v, j);
}

static void
stop(struct verifier *v)
{
	v->stopping = true;
	inbox_refuse(v->inbox);
	if (v->scan != NULL)
		scan_stop(v->scan);
	if (atomic_load(v->setup->stop_now))
		pool_stop(v->pool);
	drop_waiting(v);
	if (v->jobs == v->reading.n)
		drop_reading(v);
}

static void
step(struct verifier *v)
{
	bool room = !v->stopping && v->jobs < VERIFY_JOBS_MAX &&
	    v->big.n < VERIFY_BIG_MAX;
	bool walk = v->phase == VERIFY_WALK;
	/* The next items are at hand. */
	bool hurry = v->jobs == 0 || (room && v->source == NULL);
	uint64_t most = hurry && !(walk && v->source != NULL) ? 0 : WAIT_MS;
	struct scan_batch *batch = NULL;
	struct job_list answers;
	struct job *j;
	bool done;

	job_list_init(&answers);
	inbox_take(v->inbox, room && walk,
	    delay_wait_ms(&v->delayed, clock_mono_ms(), most), &answers, &batch,
	    &done);
	while ((j = job_list_pop(&answers)) != NULL)
		verify_answer(v, j);
	if (batch != NULL && !v->stopping)
		verify_batch(v, batch);
	scan_batch_free(batch);
	if (v->source != NULL)
		v->scan_done = done;
	else if (walk && room)
		v->scan_done = verify_manifest(v);
	while (!v->stopping &&
	    (j = delay_pop(&v->delayed, clock_mono_ms())) != NULL)
		lanes_push(v->lanes, j);
	if (!v->stopping)
		verify_start_big(v);
	if (v->phase == VERIFY_EXTRAS && room && verify_extras(v))
		v->phase = VERIFY_END;
}

static void
loop(struct verifier *v)
{
	while (v->phase != VERIFY_END || v->jobs > 0) {
		if (atomic_load(v->setup->stop_soon) || v->stopping)
			stop(v);
		if (v->stopping && v->jobs == 0)
			return;
		if (v->phase == VERIFY_WALK && v->scan_done && v->jobs == 0) {
			atomic_store(&v->stats->scanning, false);
			v->phase = VERIFY_EXTRAS;
		}
		step(v);
	}
}

static void
end(struct verifier *v)
{
	if (v->scan != NULL) {
		inbox_refuse(v->inbox);
		scan_join(v->scan);
	}
	workers_stop(v->workers);
	delay_free(&v->delayed);
	lanes_free(v->lanes);
	inbox_free(v->inbox);
	pool_free(v->pool);
}

int
verify_run(const struct verify_setup *setup, struct err *e)
{
	struct verifier v = {
	    .setup = setup,
	    .options = setup->options,
	    .source = setup->source,
	    .target = setup->target,
	    .ledger = setup->ledger,
	    .stats = setup->stats,
	};
	struct err why = ERR_INIT;

	atomic_store(&setup->stats->scanning, true);
	if (begin(&v, &why) == -1 ||
	    (setup->source != NULL && begin_scan(&v, &why) == -1))
		verify_fatal(&v, &why);
	else
		loop(&v);
	end(&v);
	if (v.fatal.kind == ERR_NONE && v.stopping)
		err_set(&v.fatal, ERR_STOPPED, "stopped");
	if (v.fatal.kind == ERR_NONE)
		return 0;
	*e = v.fatal;
	return -1;
}

bool
verify_is_equal(const struct options *o, const struct run_stats *s)
{
	return stats_get(s, checked_differ) == 0 &&
	    stats_get(s, checked_missing) == 0 &&
	    stats_get(s, checked_errors) == 0 &&
	    (o->one_way || stats_get(s, checked_extra) == 0);
}
