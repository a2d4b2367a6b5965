/* SPDX-License-Identifier: ISC */
/* dray sync, dray copy: one run of a task. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "agent/cli/sync.h"
#include "agent/engine.h"
#include "agent/reach.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define PLACE_MAX 1024

struct sync {
	const struct options *o;
	const struct sync_order *order;
	struct store_url *source;
	struct store_url *target;
	char *task;
	char *backup; /* a key of the target, or NULL */
	char owner[1024];
	struct store_config source_config;
	struct store_config store_config;
	struct store *source_store;
	struct store *store;
	struct ledger *ledger;
	struct ui *ui;
	struct run_stats stats;
	bool reached;
	bool reconcile;
	bool absent; /* dry run: the target isn't there yet */
	char probe[sizeof(((struct store_probe *)0)->text)];
};

static void
sync_free(struct sync *s)
{
	ui_free(s->ui);
	ledger_close(s->ledger);
	store_close(s->store);
	store_close(s->source_store);
	free(s->task);
	free(s->backup);
	store_url_free(s->source);
	store_url_free(s->target);
}

/* The place of S, but for a directory, which URLs tell apart; "" for that. */
static void
place_of(const struct store *s, const struct store_url *url, char *out)
{
	out[0] = '\0';
	if (url->scheme != STORE_POSIX)
		s->ops->place(s, out, PLACE_MAX);
}

/* The real path of what there is of PATH's components. */
static char *
real_beginning(const char *path)
{
	AUTO(free) char *up = strdup(path);
	char *real;

	while (up != NULL && (real = realpath(up, NULL)) == NULL) {
		char *cut = strrchr(up, '/');

		if (cut == NULL || cut == up)
			return NULL;
		*cut = '\0';
	}
	return up != NULL ? real : NULL;
}

static bool
lies_inside(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	return strncmp(inner, outer, n) == 0 &&
	    (inner[n] == '/' || inner[n] == '\0' || n <= 1 ||
		outer[n - 1] == '/');
}

static unsigned
server_port(const struct store_url *u)
{
	return u->scheme == STORE_SFTP && u->port == 0 ? 22 : u->port;
}

/* Whether both are at one: bucket and endpoint, host and port.  Users and
 * options don't make it another. */
static bool
same_server(const struct sync *s)
{
	char from[PLACE_MAX], to[PLACE_MAX];

	place_of(s->source_store, s->source, from);
	place_of(s->store, s->target, to);
	return strcmp(from, to) == 0 &&
	    strcasecmp(s->source->host, s->target->host) == 0 &&
	    server_port(s->source) == server_port(s->target);
}

/* A target inside of its source would grow for ever. */
static int
refuse_inside(const struct sync *s, struct err *e)
{
	AUTO(free) char *source = NULL;
	AUTO(free) char *target = NULL;
	bool inside;

	if (s->source->scheme != s->target->scheme)
		return 0;
	if (s->target->scheme == STORE_POSIX) {
		source = realpath(s->source->path, NULL);
		target = real_beginning(s->target->path);
		inside = source != NULL && target != NULL &&
		    lies_inside(target, source);
	} else {
		inside = same_server(s) &&
		    lies_inside(s->target->path, s->source->path);
	}
	if (!inside)
		return 0;
	return err_set(e, ERR_USAGE,
	    "the target %s lies inside the source %s: it would be copied "
	    "into itself",
	    s->target->text, s->source->text);
}

/* The ledger is locked, so machine, state directory and source name who
 * writes. */
static void
name_owner(struct sync *s)
{
	bool relative = s->o->state_dir[0] != '/';
	AUTO(free) char *here = relative ? realpath(".", NULL) : NULL;
	char host[128] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(s->owner, sizeof(s->owner), "%s:%s/%s %s %s", host,
	    here != NULL ? here : "", s->o->state_dir,
	    s->o->task != NULL ? s->o->task : "", s->source->text);
	s->store_config = s->o->store;
	s->store_config.owner = s->owner;
	s->store_config.defer_sync = true;
	s->store_config.read_back = s->o->verify == VERIFY_TRANSFERRED;
	s->source_config = s->o->store;
	s->source_config.follow_links = s->o->links == SCAN_LINKS_FOLLOW;
	if (s->o->source_endpoint_url != NULL)
		s->source_config.endpoint_url = s->o->source_endpoint_url;
	if (s->o->source_region != NULL)
		s->source_config.region = s->o->source_region;
	if (s->o->source_profile != NULL)
		s->source_config.profile = s->o->source_profile;
}

/* As a scan would name it. */
static bool
is_key(const char *p)
{
	while (*p != '\0') {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (*p == '/' && *++p == '\0')
			return false;
	}
	return true;
}

/* --backup-dir as a key of the target, which it must lie in. */
static int
name_backup(struct sync *s, struct err *e)
{
	const char *given = s->o->backup_dir, *key = given;
	AUTO(store_url) struct store_url *url = NULL;
	size_t n = strlen(s->target->path);

	if (given == NULL)
		return 0;
	if (given[0] == '/' || strstr(given, "://") != NULL) {
		url = store_url_parse(given, e);
		if (url == NULL)
			return err_context(e, "--backup-dir");
		key = "";
		if (url->scheme == s->target->scheme &&
		    strcasecmp(url->host, s->target->host) == 0 &&
		    lies_inside(url->path, s->target->path))
			key = url->path + n;
		key += strspn(key, "/");
	}
	s->backup = strdup(key);
	if (s->backup == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = strlen(s->backup);
	if (n > 0 && s->backup[n - 1] == '/')
		s->backup[n - 1] = '\0';
	if (s->backup[0] != '\0' && is_key(s->backup))
		return 0;
	return err_set(e, ERR_USAGE,
	    "--backup-dir %s: it must lie in the target %s", given,
	    s->target->text);
}

/* The same URLs at other endpoints are other tasks. */
static int
name_task(struct sync *s, struct err *e)
{
	char both[2 * PLACE_MAX + 2];
	size_t n;

	place_of(s->store, s->target, both);
	n = strlen(both);
	if (s->source->scheme != STORE_POSIX) {
		both[n++] = '\n';
		place_of(s->source_store, s->source, both + n);
	}
	s->task = s->o->task != NULL
	    ? strdup(s->o->task)
	    : task_name(s->source->text, s->target->text, both, e);
	if (s->task == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

/* The likely mistakes with a local source, in words of their own. */
static int
check_source(const struct sync *s, struct err *e)
{
	AUTO(close) int fd = -1;

	if (s->source->scheme != STORE_POSIX) {
		if (s->o->links == SCAN_LINKS_FOLLOW)
			return err_set(e, ERR_USAGE,
			    "-L works with a local source only, not with %s",
			    s->source->text);
		if (s->o->one_file_system)
			return err_set(e, ERR_USAGE,
			    "-x works with a local source only, not with %s",
			    s->source->text);
		return 0;
	}
	fd = open(s->source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == ENOTDIR)
		return err_set(e, ERR_CONFIG,
		    "source %s: not a directory; name the one that it is in, "
		    "with --include",
		    s->source->text);
	if (fd == -1)
		return err_sys(e, "source %s", s->source->text);
	return 0;
}

static int
open_both(struct sync *s, struct err *e)
{
	s->source = store_url_parse(s->order->source, e);
	if (s->source == NULL)
		return err_context(e, "source");
	s->target = store_url_parse(s->order->target, e);
	if (s->target == NULL)
		return err_context(e, "target");
	if (check_source(s, e) == -1)
		return -1;
	name_owner(s);
	s->source_store = store_open(s->source, &s->source_config, e);
	if (s->source_store == NULL)
		return err_context(e, "source %s", s->source->text);
	s->store = store_open(s->target, &s->store_config, e);
	if (s->store == NULL)
		return err_context(e, "target %s", s->target->text);
	if (refuse_inside(s, e) == -1 || name_backup(s, e) == -1)
		return -1;
	return name_task(s, e);
}

static int
seen_one(void *arg, const struct store_list_entry *entry, struct err *e)
{
	(void)entry;
	*(bool *)arg = true;
	return err_set(e, ERR_STOPPED, "that is enough");
}

/* A prefix that nothing begins with is most likely mistyped. */
static int
check_prefix(struct sync *s, struct err *e)
{
	const struct store_driver *ops = s->source_store->ops;
	AUTO(session) struct session *c = store_connect(s->source_store, e);
	struct store_stat st;
	bool any = false;

	if (c == NULL)
		return -1;
	if (ops->list(c, "", false, seen_one, &any, e) == -1 && !any)
		return -1;
	/* An empty directory is one with a marker. */
	if (any || ops->stat(c, "", &st, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	return err_set(
	    e, ERR_CONFIG, "there is nothing with that prefix: check it");
}

static int
reach_source(struct sync *s, struct err *e)
{
	struct reach_options ro = {
	    .attempts = s->o->retries,
	    .stop = stop_soon_flag(),
	};
	struct store_probe probe;

	if (reach_store(s->source_store, &ro, &probe, e) == -1 ||
	    (s->source->scheme == STORE_S3 && s->source->path[0] != '\0' &&
		check_prefix(s, e) == -1))
		return err_context(e, "source %s", s->source->text);
	return 0;
}

static int
reach(struct sync *s, bool checksum, struct store_probe *probe, struct err *e)
{
	struct reach_options ro = {
	    .create = !s->o->dry_run,
	    .checksum = checksum && !s->o->dry_run,
	    .attempts = s->o->retries,
	    .stop = stop_soon_flag(),
	};

	if (reach_store(s->store, &ro, probe, e) == -1) {
		if (!s->o->dry_run || s->target->scheme != STORE_POSIX ||
		    e->kind != ERR_NOTFOUND)
			return err_context(e, "target %s", s->target->text);
		/* The directory that the run would make. */
		s->absent = true;
		*probe = (struct store_probe){.text = "not there yet"};
	}
	s->reached = true;
	snprintf(s->probe, sizeof(s->probe), "%s", probe->text);
	return 0;
}

/* A ledger belongs to one source and one target. */
static int
check_pair(struct sync *s, struct err *e)
{
	const char *const keys[] = {"source", "target"};
	const char *const are[] = {s->source->text, s->target->text};
	char was[4096];
	int i, rc;

	for (i = 0; i < 2; i++) {
		rc = ledger_meta_get(s->ledger, keys[i], was, sizeof(was), e);
		if (rc == -1)
			return -1;
		if (rc == 1 && strncmp(was, are[i], sizeof(was) - 1) != 0)
			return err_set(e, ERR_CONFIG,
			    "task %s belongs to another %s, %s: choose "
			    "another --task",
			    s->task, keys[i], was);
		if (rc == 0 && !s->o->dry_run &&
		    ledger_meta_set(s->ledger, keys[i], are[i], e) == -1)
			return -1;
	}
	return 0;
}

/* Where the run has been: what the next one must find again. */
static int
remember_place(struct sync *s, struct err *e)
{
	char now[PLACE_MAX];

	s->store->ops->place(s->store, now, sizeof(now));
	if (s->o->dry_run || now[0] == '\0')
		return 0;
	if (ledger_meta_set(s->ledger, "place", now, e) == -1)
		return -1;
	return ledger_commit(s->ledger, e);
}

/*
 * The same URL may name another place now: another endpoint, or what lies
 * under a file system that isn't mounted.  Another endpoint is most likely a
 * mistake; with another directory the ledger is compared with what is there.
 */
static int
check_place(struct sync *s, struct err *e)
{
	char was[PLACE_MAX], now[PLACE_MAX];
	int rc = ledger_meta_get(s->ledger, "place", was, sizeof(was), e);

	if (rc == -1)
		return -1;
	s->store->ops->place(s->store, now, sizeof(now));
	if (rc == 0)
		return remember_place(s, e);
	if (strcmp(was, now) == 0)
		return 0;
	if (s->target->scheme != STORE_POSIX && !s->o->reconcile)
		return err_set(e, ERR_CONFIG,
		    "the ledger of task %s is of %s, not of %s: choose "
		    "another --task, or --reconcile if it is the same store",
		    s->task, was, now);
	log_warn("%s is not the place that it was in the last run: comparing "
		 "with what is there",
	    s->target->text);
	s->reconcile = true;
	return 0;
}

/*
 * What an earlier run found the store to be, so that a run with nothing to do
 * needn't ask it anything.  Returns 1 if it is known.
 */
static int
recall_probe(struct sync *s, struct err *e)
{
	const char *wish = s->o->store.checksum;
	bool asked = wish == NULL || strcmp(wish, "auto") == 0;
	unsigned algo;
	char name[32];
	int rc = ledger_meta_get(s->ledger, "checksum", name, sizeof(name), e);

	if (rc == 1)
		rc = ledger_meta_get(
		    s->ledger, "probe", s->probe, sizeof(s->probe), e);
	algo = rc == 1 && asked ? digest_by_name(name) : 0;
	if (algo == 0)
		return rc;
	s->store->ops->set_checksum(s->store, algo);
	return (s->store->ops->digests(s->store) & algo) != 0;
}

/* Whether the ledger has yet to be compared with what the target holds. */
static int
needs_reconcile(struct sync *s, struct err *e)
{
	char reconciled[8];
	int rc = ledger_meta_get(
	    s->ledger, "reconciled", reconciled, sizeof(reconciled), e);

	s->reconcile = s->o->reconcile || rc == 0;
	if (rc == -1 || !s->o->delete_extra)
		return rc == -1 ? -1 : 0;
	/* A mirror has nothing but what the source has: look once. */
	rc = ledger_meta_get(
	    s->ledger, "mirrored", reconciled, sizeof(reconciled), e);
	s->reconcile = s->reconcile || rc == 0;
	return rc == -1 ? -1 : 0;
}

static int
remember_probe(struct sync *s, const struct store_probe *probe, struct err *e)
{
	const char *name = digest_name((enum digest_algo)probe->checksum);

	if (s->o->dry_run)
		return 0;
	if (ledger_meta_set(
		s->ledger, "checksum", name != NULL ? name : "none", e) == -1)
		return -1;
	return ledger_meta_set(s->ledger, "probe", probe->text, e);
}

static int
open_ledger(struct sync *s, struct err *e)
{
	bool known = task_exists(s->o->state_dir, s->task);
	struct store_probe probe;
	AUTO(free) char *aside = NULL;
	int rc;

	/* No ledger for a target that was never reached. */
	if (!known && reach(s, true, &probe, e) == -1)
		return -1;
	s->ledger = ledger_open(s->o->state_dir, s->task,
	    s->o->dry_run ? LEDGER_DRY : LEDGER_WRITE, &aside, e);
	if (s->ledger == NULL || check_pair(s, e) == -1)
		return -1;
	if (aside != NULL)
		log_warn("the ledger was damaged and is kept as %s; a new one "
			 "is made from what the target holds",
		    aside);
	if (needs_reconcile(s, e) == -1 || check_place(s, e) == -1)
		return -1;
	rc = s->reached ? 0 : recall_probe(s, e);
	if (rc == 0 && (s->reached || reach(s, true, &probe, e) == 0))
		rc = remember_probe(s, &probe, e);
	else if (rc == 0)
		rc = -1;
	if (s->absent)
		s->reconcile = false;
	if (rc == -1)
		return -1;
	return s->o->dry_run ? 0 : ledger_commit(s->ledger, e);
}

static int
run(struct sync *s)
{
	struct ui_run about = {
	    .task = s->task,
	    .source = s->source->text,
	    .target = s->target->text,
	    .probe = s->probe,
	    .dry_run = s->o->dry_run,
	};
	struct engine_setup setup = {
	    .options = s->o,
	    .source = s->source_store,
	    .target = s->store,
	    .ledger = s->ledger,
	    .ui = s->ui,
	    .about = &about,
	    .stats = &s->stats,
	    .backup_dir = s->backup,
	    .reached = s->reached,
	    .reconcile = s->reconcile,
	    .only = s->order->only,
	    .retry_of = s->order->retry_of,
	    .stop_soon = stop_soon_flag(),
	    .stop_now = stop_now_flag(),
	};
	struct engine_result result;
	struct stats_snapshot end;

	if (store_attrs_kinds(&s->o->store) != 0 &&
	    (s->source_store->ops->features & STORE_HAS_ATTRS) == 0)
		log_warn("%s tells no extended attributes and ACLs: with -X "
			 "and -A nothing is kept of them",
		    s->source->text);
	s->stats.started_mono_ms = clock_mono_ms();
	atomic_store(&s->stats.scanning, true);
	engine_run(&setup, &result);
	if (result.outcome != RUN_INTERRUPTED && result.why.kind == ERR_NONE)
		remember_place(s, &result.why);
	end = stats_snapshot(&s->stats);
	ui_end(s->ui, result.outcome, &end,
	    clock_mono_ms() - s->stats.started_mono_ms,
	    result.why.kind != ERR_NONE ? &result.why : NULL);
	return run_exit_code(result.outcome);
}

int
sync_run(const struct options *o, const struct sync_order *order)
{
	struct sync s = {.o = o, .order = order};
	struct err e = ERR_INIT;
	int rc;

	if (open_both(&s, &e) == -1 || reach_source(&s, &e) == -1 ||
	    open_ledger(&s, &e) == -1) {
		rc = cmd_fail(&e);
	} else {
		s.ui = ui_new(o, &s.stats, &e);
		rc = s.ui != NULL ? run(&s) : cmd_fail(&e);
	}
	sync_free(&s);
	return rc;
}

int
cmd_sync(const struct options *o, int argc, char **argv)
{
	struct sync_order order = {.source = argv[0], .target = argv[1]};

	(void)argc;
	return sync_run(o, &order);
}
