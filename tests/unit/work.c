/* SPDX-License-Identifier: ISC */
/* One worker's jobs, done in this thread. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "agent/work_do.h"
#include "base/clock.h"
#include "tests/fakes/fakestore.h"
#include "tests/unit/check.h"
#include "tests/unit/store_at.h"
#include "tests/unit/tree.h"

struct rig {
	int fd;	    /* a directory of the test's own */
	int source; /* "src" in it */
	atomic_bool stop;
	struct run_stats stats;
	struct worker w;
};

static void
rig_begin(struct rig *r)
{
	struct err e = ERR_INIT;
	char path[4200];

	memset(r, 0, sizeof(*r));
	r->fd = tree_begin();
	tree_dir(r->fd, "src");
	r->source = openat(r->fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/src", tree_path);
	r->w.work = (struct work){
	    .source = store_at(path),
	    .target = fake_open(),
	    .stats = &r->stats,
	    .limits = {.threshold_bytes = 1 << 16, .put_max_bytes = 1 << 16},
	    .read_back = true,
	    .stop = &r->stop,
	};
	r->w.from = store_connect(r->w.work.source, &e);
	r->w.session = store_connect(r->w.work.target, &e);
	r->w.digester = digester_new(&e);
	r->w.own = malloc(WORK_OWN_BYTES);
}

static void
rig_end(struct rig *r)
{
	free(r->w.own);
	digester_free(r->w.digester);
	store_disconnect(r->w.from);
	store_close(r->w.work.source);
	store_disconnect(r->w.session);
	store_close(r->w.work.target);
	close(r->source);
	tree_end(r->fd);
}

static struct job *
make_job(enum job_kind kind, const char *name)
{
	struct err e = ERR_INIT;
	struct job *j = job_new(kind, "", 0, name, strlen(name), &e);

	if (j == NULL)
		exit(99);
	return j;
}

/* "thing" is a symlink and a regular file in turn. */
static void *
swap_things(void *arg)
{
	struct rig *r = arg;

	while (!atomic_load(&r->stop))
		renameat2(r->source, "thing", r->fd, "other", RENAME_EXCHANGE);
	return NULL;
}

static void
a_file_in_a_links_place_is_no_link(void)
{
	struct rig r;
	unsigned taken = 0, changed = 0, other = 0;
	uint64_t until_ms;
	pthread_t t;

	rig_begin(&r);
	CHECK(symlinkat("somewhere", r.source, "thing") == 0);
	tree_file(r.fd, "other", "bytes");
	until_ms = clock_mono_ms() + 500;
	CHECK(pthread_create(&t, NULL, swap_things, &r) == 0);
	while (clock_mono_ms() < until_ms && other == 0) {
		struct job *j = make_job(JOB_LINK, "thing");

		/* The store refuses a symlink that is a file. */
		work_do(&r.w, j);
		if (j->err.kind == ERR_NONE)
			taken++;
		else if (j->err.kind == ERR_CHANGED)
			changed++;
		else if (other++ == 0)
			fprintf(stderr, "%s\n", j->err.msg);
		job_free(j);
	}
	atomic_store(&r.stop, true);
	pthread_join(t, NULL);
	CHECK(taken > 0 && changed > 0);
	CHECK_UINT(other, 0);
	rig_end(&r);
}

static enum err_kind
do_dir(struct rig *r)
{
	struct job *j = make_job(JOB_DIR, "d");
	enum err_kind kind;

	j->st = (struct item_stat){.type = ITEM_DIR};
	work_do(&r->w, j);
	kind = j->err.kind;
	job_free(j);
	return kind;
}

/* Neither store has directories: "d/" is an item if the source has it. */
static void
no_marker_is_made_that_the_source_has_not(void)
{
	struct item_stat st = {.type = ITEM_DIR, .mode = S_IFDIR | 0755};
	struct err e = ERR_INIT;
	struct rig r;

	rig_begin(&r);
	store_disconnect(r.w.from);
	store_close(r.w.work.source);
	r.w.work.source = fake_open();
	r.w.from = store_connect(r.w.work.source, &e);
	CHECK(do_dir(&r) == ERR_NONE);
	CHECK_UINT(fake_calls(r.w.work.target, FAKE_MKDIR), 0);
	CHECK(r.w.work.source->ops->mkdir(r.w.from, "d", &st, &e) == 0);
	CHECK(do_dir(&r) == ERR_NONE);
	CHECK_UINT(fake_calls(r.w.work.target, FAKE_MKDIR), 1);
	rig_end(&r);
}

int
main(void)
{
	RUN(a_file_in_a_links_place_is_no_link);
	RUN(no_marker_is_made_that_the_source_has_not);
	return check_end();
}
