/* SPDX-License-Identifier: ISC */
/* Whole runs of the engine, from a directory to a store in memory. */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include <stdlib.h>

#include "agent/engine_in.h"
#include "tests/fakes/fakestore.h"
#include "tests/unit/check.h"
#include "tests/unit/store_at.h"
#include "tests/unit/tree.h"

#define KIB ((size_t)1 << 10)

/* A source, a target, a state directory, and what a run needs. */
struct rig {
	int fd;	    /* a directory of the test's own */
	int source; /* "src" in it */
	char state[4200];
	struct store *from; /* the same as a store */
	struct store *target;
	struct options o;
	bool reconcile;
	struct run_stats stats;
	atomic_bool stop_soon, stop_now;
	struct engine_result result;
	atomic_uint count; /* for hooks */
};

static inline struct rig
rig_begin(void)
{
	struct err e = ERR_INIT;
	struct rig r = {
	    .fd = tree_begin(),
	    .target = fake_open(),
	    .o = {.transfers = 4,
		.concurrency = 3,
		.scan_threads = 2,
		.part_bytes = 16 * KIB,
		.threshold_bytes = 64 * KIB,
		.memory_bytes = 4096 * KIB,
		.retries = 4,
		.verbosity = -1,
		.verify = VERIFY_TRANSFERRED,
		.progress = PROGRESS_OFF,
		.filter = filter_new(&e)},
	};

	tree_dir(r.fd, "src");
	r.source = openat(r.fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(r.state, sizeof(r.state), "%s/src", tree_path);
	r.from = store_at(r.state);
	snprintf(r.state, sizeof(r.state), "%s/state", tree_path);
	r.o.state_dir = r.state;
	return r;
}

static inline void
rig_end(struct rig *r)
{
	store_close(r->from);
	store_close(r->target);
	filter_free(r->o.filter);
	close(r->source);
	tree_end(r->fd);
}

static inline struct ledger *
open_ledger(struct rig *r, enum ledger_mode mode)
{
	struct err e = ERR_INIT;
	char *aside;
	struct ledger *l = ledger_open(r->state, "task", mode, &aside, &e);

	free(aside);
	if (l == NULL) {
		fprintf(stderr, "%s\n", e.msg);
		exit(99);
	}
	return l;
}

static inline enum run_outcome
run(struct rig *r)
{
	struct err e = ERR_INIT;
	AUTO(ledger)
	struct ledger *l =
	    open_ledger(r, r->o.dry_run ? LEDGER_DRY : LEDGER_WRITE);
	struct ui *ui = ui_new(&r->o, &r->stats, &e);
	struct ui_run about = {.task = "task",
	    .source = "/src",
	    .target = "fake://",
	    .probe = "",
	    .dry_run = r->o.dry_run};
	struct engine_setup setup = {
	    .options = &r->o,
	    .source = r->from,
	    .target = r->target,
	    .ledger = l,
	    .ui = ui,
	    .about = &about,
	    .stats = &r->stats,
	    .reconcile = r->reconcile,
	    .stop_soon = &r->stop_soon,
	    .stop_now = &r->stop_now,
	};

	atomic_store(&r->stop_soon, false);
	memset(&r->stats, 0, sizeof(r->stats));
	engine_run(&setup, &r->result);
	ui_free(ui);
	return r->result.outcome;
}

/* LEN bytes that depend on SEED. */
static inline void
make_file(struct rig *r, const char *name, size_t len, unsigned seed)
{
	int fd = openat(
	    r->source, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	unsigned char *p = malloc(len + 1);
	size_t i;

	seed *= 2654435761U;
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)((seed += 0x9e3779b9) >> 24);
	if (fd == -1 || write(fd, p, len) != (ssize_t)len) {
		perror(name);
		exit(99);
	}
	free(p);
	close(fd);
}

/* Whether the target has exactly what NAME holds now. */
static inline bool
arrived(struct rig *r, const char *name)
{
	struct fake_object *o = fake_find(r->target, name);
	int fd = openat(r->source, name, O_RDONLY | O_CLOEXEC);
	unsigned char *p = NULL;
	struct stat st;
	bool same = false;

	if (o != NULL && fstat(fd, &st) == 0) {
		p = malloc((size_t)st.st_size + 1);
		same = read(fd, p, (size_t)st.st_size) == st.st_size &&
		    o->len == (size_t)st.st_size &&
		    memcmp(o->data, p, o->len) == 0 &&
		    o->st.mtime_ns == item_time_ns(st.st_mtim);
	}
	free(p);
	close(fd);
	return same;
}

/* Whether another run asks the target for nothing. */
static inline bool
nothing_more_to_do(struct rig *r)
{
	unsigned i, calls = 0;

	fake_forget_faults(r->target);
	fake_forget_calls(r->target);
	fake_on_call(r->target, NULL, NULL);
	if (run(r) != RUN_OK)
		return false;
	for (i = 0; i < FAKE_OPS; i++)
		if (i != FAKE_UPLOADS && i != FAKE_PROBE)
			calls += fake_calls(r->target, i);
	return calls == 0;
}

#endif
