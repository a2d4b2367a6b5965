/* SPDX-License-Identifier: ISC */
/*
 * dray bundle create: a run whose target is a bundle.
 *
 * A task's bundles follow each other: the ledger is of one bundle, and, for
 * --since-last, of those that it adds to.  Which one is being written, and what
 * its disks have so far, is known by bundle.json beside the ledger, a copy of
 * the manifest on the disk.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/bundle_verbs.h"
#include "agent/cli/cmd.h"
#include "agent/cli/sync.h"
#include "agent/engine.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "transfer/bundle/bundle.h"

/* What the ledger calls every bundle of a task. */
#define TARGET_NAME "bundle:///"
/* Meta value: the bundle that the ledger's items are of. */
#define BUNDLE_KEY "bundle"
#define PART_BYTES_LEAST ((uint64_t)256 << 10)

struct create {
	struct options o;
	const char *media;
	char *task;
	int state_fd;		    /* of the task's directory */
	struct bundle_manifest now; /* of the disk that is to be written */
	struct bundle_manifest before;
	struct bundle_order order;
	bool done;
};

static int
refuse(const char *option, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "bundle create: --%s: %s", option, why);
}

/* What says how to treat what a target has. */
static int
check_options(const struct options *o, struct err *e)
{
	const char *why = "a bundle is written anew, and has nothing yet";

	if (o->dry_run)
		return refuse("dry-run", "not of a bundle", e);
	if (o->update)
		return refuse("update", why, e);
	if (o->ignore_existing || o->overwrite != OVERWRITE_ALWAYS)
		return refuse("overwrite", why, e);
	if (o->backup_dir != NULL)
		return refuse("backup-dir", why, e);
	if (o->verify == VERIFY_ALL)
		return refuse("verify",
		    "\"dray bundle verify\" reads what was written", e);
	if (o->volume_bytes != 0 && o->volume_bytes < 8 * PART_BYTES_LEAST)
		return refuse("volume-size", "2M at least", e);
	return 0;
}

/* All that tar holds is kept; a volume has room for some parts. */
static struct options
options_of(const struct options *given)
{
	struct options o = *given;
	uint64_t most = o.volume_bytes / 8;

	if (o.links == SCAN_LINKS_SKIP)
		o.links = SCAN_LINKS_KEEP;
	o.hard_links = true;
	o.store.keep_xattrs = true;
	o.store.keep_acls = true;
	o.verify = VERIFY_NONE;
	o.reconcile = false;
	/* What went meanwhile is left out of the index. */
	o.delete_extra = true;
	o.max_delete_set = o.max_delete_percent = true;
	o.max_delete = 100;
	o.ignore_errors = true;
	if (most != 0 && o.part_bytes > most)
		o.part_bytes = most;
	if (most != 0 && o.threshold_bytes > most)
		o.threshold_bytes = most;
	return o;
}

static int
new_id(char out[BUNDLE_ID_LEN + 1], struct err *e)
{
	unsigned char bytes[BUNDLE_ID_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_sys(e, "getrandom");
	text_hex(bytes, sizeof(bytes), out);
	return 0;
}

static int
make_dir(const char *path, struct err *e)
{
	AUTO(free) char *copy = strdup(path);
	char *p;

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (p = strchr(copy + 1, '/');; p = strchr(p + 1, '/')) {
		if (p != NULL)
			*p = '\0';
		if (mkdir(copy, 0700) == -1 && errno != EEXIST)
			return err_sys(e, "state directory %s", copy);
		if (p == NULL)
			return 0;
		*p = '/';
	}
}

static int
open_state(struct create *c, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s", c->o.state_dir, c->task);
	if (make_dir(buf_str(&path), e) == -1)
		return -1;
	c->state_fd = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->state_fd == -1 ? err_sys(e, "%s", buf_str(&path)) : 0;
}

/* What is on MEDIA already, if that is of the bundle being written and a run
 * was cut off before it could note that it was done. */
static int
catch_up(struct create *c, struct err *e)
{
	AUTO(close) int fd = open(c->media, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bundle_manifest m = {0};
	int rc;

	if (fd == -1)
		return 0;
	rc = bundle_manifest_read(fd, &m, e);
	if (rc == -1)
		return err_context(e, "%s", c->media);
	if (rc == 0)
		return 0;
	if (m.state == BUNDLE_WRITING || strcmp(m.id, c->now.id) != 0 ||
	    m.disk != c->now.disk) {
		bundle_manifest_clear(&m);
		return 0;
	}
	bundle_manifest_clear(&c->now);
	c->now = m;
	return bundle_manifest_write(c->state_fd, &c->now, e);
}

/* The disk after those that are full. */
static void
next_disk(struct create *c)
{
	c->before = c->now;
	memset(&c->now, 0, sizeof(c->now));
	memcpy(c->now.id, c->before.id, sizeof(c->now.id));
	memcpy(c->now.base, c->before.base, sizeof(c->now.base));
	c->now.disk = c->before.disk + 1;
	c->now.compressed = c->before.compressed;
}

static int
new_bundle(struct create *c, bool known, struct err *e)
{
	struct bundle_manifest m = {
	    .disk = 1, .compressed = c->o.compress_level > 0};

	if (c->o.since_last && !known)
		return err_set(e, ERR_USAGE,
		    "--since-last: no bundle of this source was made yet "
		    "(task %s): leave it out for the first",
		    c->task);
	if (new_id(m.id, e) == -1)
		return -1;
	if (c->o.since_last)
		memcpy(m.base, c->now.id, sizeof(m.base));
	bundle_manifest_clear(&c->now);
	c->now = m;
	return 0;
}

/* Which bundle, and which disk of it, is to be written. */
static int
choose(struct create *c, struct err *e)
{
	int rc = bundle_manifest_read(c->state_fd, &c->now, e);

	if (rc == -1)
		return err_context(e, "state of task %s", c->task);
	if (rc == 1 && c->now.state == BUNDLE_WRITING && catch_up(c, e) == -1)
		return -1;
	if (rc == 1 && c->now.state == BUNDLE_CLOSED)
		next_disk(c);
	else if ((rc == 0 || c->now.state == BUNDLE_COMPLETE) &&
	    new_bundle(c, rc == 1, e) == -1)
		return -1;
	if (c->now.compressed != (c->o.compress_level > 0))
		return err_set(e, ERR_USAGE,
		    "bundle %s was begun %s --compress: go on in the same way",
		    c->now.id, c->now.compressed ? "with" : "without");
	c->order = (struct bundle_order){
	    .id = c->now.id,
	    .base = c->now.base,
	    .volume_bytes = c->o.volume_bytes,
	    .level = (int)c->o.compress_level,
	    .disk = c->now.disk,
	    .before = c->before.n > 0 ? &c->before : NULL,
	};
	return 0;
}

/* What is noted of a disk that is being written: those before it, too. */
static int
note(struct create *c, struct err *e)
{
	struct bundle_manifest m = c->now;
	int rc;

	if (c->before.n > 0) {
		m.volumes = c->before.volumes;
		m.n = c->before.n;
	}
	m.state = BUNDLE_WRITING;
	m.created_ns = clock_wall_ns();
	rc = bundle_manifest_write(c->state_fd, &m, e);
	return rc;
}

/* The ledger is of this bundle from now on. */
static int
before_run(void *arg, struct ledger *l, struct err *e)
{
	struct create *c = arg;
	char was[BUNDLE_ID_LEN + 1] = "";
	int rc = ledger_meta_get(l, BUNDLE_KEY, was, sizeof(was), e);

	if (rc == -1)
		return -1;
	if (rc == 1 && strcmp(was, c->now.id) == 0)
		return 0;
	if (ledger_meta_set(l, BUNDLE_KEY, c->now.id, e) == -1 ||
	    (c->now.base[0] == '\0' &&
		(ledger_forget_items(l, e) == -1 ||
		    ledger_meta_set(l, "root", "", e) == -1)))
		return -1;
	return ledger_commit(l, e);
}

/* Whether all was done that could be; or the disk is full. */
static bool
is_over(const struct engine_result *r, enum bundle_state *state)
{
	*state = r->outcome == RUN_FULL ? BUNDLE_CLOSED : BUNDLE_COMPLETE;
	if (r->outcome == RUN_GUARDED || r->outcome == RUN_FULL)
		return true;
	return (r->outcome == RUN_OK || r->outcome == RUN_UNSTABLE ||
		   r->outcome == RUN_FAILURES) &&
	    r->why.kind == ERR_NONE;
}

static void
after_run(void *arg, struct ledger *l, struct store *source,
    struct store *target, struct engine_result *result)
{
	struct create *c = arg;
	struct bundle_manifest m;
	enum bundle_state state;
	struct err e = ERR_INIT;

	(void)l;
	(void)source;
	if (!is_over(result, &state))
		return;
	if (bundle_finish(target, state, &m, &e) == 0) {
		bundle_manifest_clear(&c->now);
		c->now = m;
		c->done = true;
		if (bundle_manifest_write(c->state_fd, &c->now, &e) == 0)
			return;
	}
	result->why = e;
	result->outcome = RUN_FAILURES;
}

static void
print_json(const struct create *c)
{
	AUTO(buf) struct buf line = BUF_INIT(1 << 16);
	struct json j;

	json_begin(&j, &line);
	json_object(&j, NULL);
	json_str(&j, "type", "bundle");
	json_str(&j, "id", c->now.id);
	json_uint(&j, "disk", c->now.disk);
	json_bool(&j, "complete", c->now.state == BUNDLE_COMPLETE);
	json_uint(&j, "items", c->now.items);
	json_uint(&j, "bytes", c->now.bytes);
	json_uint(&j, "gone_items", c->now.gone_items);
	json_str(&j, "manifest_sha256", c->now.digest);
	json_object_end(&j);
	printf("%s\n", buf_str(&line));
}

static void
print_result(const struct create *c)
{
	char items[32], size[16];

	if (c->o.json) {
		print_json(c);
		return;
	}
	if (c->o.verbosity < 0)
		return;
	printf("bundle %s, disk %u: %s items, %s\n", c->now.id, c->now.disk,
	    text_count(c->now.items, items, sizeof(items)),
	    text_size(c->now.bytes, size, sizeof(size)));
	if (c->now.gone_items > 0)
		printf("%s items are gone since bundle %s\n",
		    text_count(c->now.gone_items, items, sizeof(items)),
		    c->now.base);
	printf("manifest sha256 %s\n", c->now.digest);
}

static int
run(struct create *c, const char *source, const char *url)
{
	struct sync_order order = {
	    .source = source,
	    .target = url,
	    .target_name = TARGET_NAME,
	    .bundle = &c->order,
	    .before = before_run,
	    .after = after_run,
	    .arg = c,
	};
	int rc = sync_run(&c->o, &order);

	if (!c->done)
		return rc;
	print_result(c);
	if (c->now.state == BUNDLE_CLOSED)
		log_warn("disk %u is full, and ends with what it has: go on "
			 "with the next one by dray bundle create %s MEDIA",
		    c->now.disk, source);
	return rc;
}

static int
prepare(struct create *c, const char *source, struct err *e)
{
	AUTO(store_url) struct store_url *url = NULL;

	if (check_options(&c->o, e) == -1)
		return -1;
	url = store_url_parse(source, e);
	if (url == NULL)
		return err_context(e, "source");
	c->task = c->o.task != NULL ? strdup(c->o.task)
				    : task_name(url->text, TARGET_NAME, "", e);
	if (c->task == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->o.task = c->task;
	if (open_state(c, e) == -1 || choose(c, e) == -1)
		return -1;
	return note(c, e);
}

int
bundle_create(const struct options *o, char **argv)
{
	struct create c = {.media = argv[1], .state_fd = -1};
	struct err e = ERR_INIT;
	AUTO(free) char *url = bundle_url(argv[1], &e);
	int rc;

	if (url == NULL)
		return cmd_fail(&e);
	c.o = *o;
	if (prepare(&c, argv[0], &e) == -1) {
		rc = cmd_fail(&e);
	} else {
		c.o = options_of(&c.o);
		rc = run(&c, argv[0], url);
	}
	bundle_manifest_clear(&c.now);
	bundle_manifest_clear(&c.before);
	if (c.state_fd != -1)
		close(c.state_fd);
	free(c.task);
	return rc;
}
