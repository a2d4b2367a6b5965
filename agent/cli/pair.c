/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/cli/pair.h"
#include "agent/reach.h"
#include "agent/stop.h"
#include "agent/task.h"
#include "transfer/posix/posix.h"

void
pair_free(struct pair *p)
{
	store_close(p->target_store);
	store_close(p->source_store);
	free(p->task);
	free(p->backup);
	store_url_free(p->source);
	store_url_free(p->target);
}

/* The place of S, but for a directory, which URLs tell apart; "" for that. */
static void
place_of(const struct store *s, const struct store_url *url, char *out)
{
	out[0] = '\0';
	if (url->scheme != STORE_POSIX)
		s->ops->place(s, out, PAIR_PLACE_MAX);
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
same_server(const struct pair *p)
{
	char from[PAIR_PLACE_MAX], to[PAIR_PLACE_MAX];

	place_of(p->source_store, p->source, from);
	place_of(p->target_store, p->target, to);
	return strcmp(from, to) == 0 &&
	    strcasecmp(p->source->host, p->target->host) == 0 &&
	    server_port(p->source) == server_port(p->target);
}

/* A target inside of its source would grow for ever. */
static int
refuse_inside(const struct pair *p, struct err *e)
{
	AUTO(free) char *source = NULL;
	AUTO(free) char *target = NULL;
	bool inside;

	if (p->source->scheme != p->target->scheme)
		return 0;
	if (p->target->scheme == STORE_POSIX) {
		source = realpath(p->source->path, NULL);
		target = real_beginning(p->target->path);
		inside = source != NULL && target != NULL &&
		    lies_inside(target, source);
	} else {
		inside = same_server(p) &&
		    lies_inside(p->target->path, p->source->path);
	}
	if (!inside)
		return 0;
	return err_set(e, ERR_USAGE,
	    "the target %s lies inside the source %s: it would be copied "
	    "into itself",
	    p->target->text, p->source->text);
}

struct store_config
pair_source_config(const struct options *o)
{
	struct store_config config = o->store;

	config.follow_links = o->links == SCAN_LINKS_FOLLOW;
	if (o->source_endpoint_url != NULL)
		config.endpoint_url = o->source_endpoint_url;
	if (o->source_region != NULL)
		config.region = o->source_region;
	if (o->source_profile != NULL)
		config.profile = o->source_profile;
	return config;
}

/* The ledger is locked, so machine, state directory and source name who
 * writes. */
static void
name_owner(struct pair *p)
{
	bool relative = p->o->state_dir[0] != '/';
	AUTO(free) char *here = relative ? realpath(".", NULL) : NULL;
	char host[128] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(p->owner, sizeof(p->owner), "%s:%s/%s %s %s", host,
	    here != NULL ? here : "", p->o->state_dir,
	    p->o->task != NULL ? p->o->task : "", p->source->text);
	p->target_config = p->o->store;
	p->target_config.owner = p->owner;
	p->target_config.defer_sync = true;
	p->target_config.bundle = p->bundle;
	p->target_config.read_back = p->o->verify != VERIFY_NONE;
	p->source_config = pair_source_config(p->o);
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
name_backup(struct pair *p, struct err *e)
{
	const char *given = p->o->backup_dir, *key = given;
	AUTO(store_url) struct store_url *url = NULL;
	size_t n = strlen(p->target->path);

	if (given == NULL)
		return 0;
	if (given[0] == '/' || strstr(given, "://") != NULL) {
		url = store_url_parse(given, e);
		if (url == NULL)
			return err_context(e, "--backup-dir");
		key = "";
		if (url->scheme == p->target->scheme &&
		    strcasecmp(url->host, p->target->host) == 0 &&
		    lies_inside(url->path, p->target->path))
			key = url->path + n;
		key += strspn(key, "/");
	}
	p->backup = strdup(key);
	if (p->backup == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = strlen(p->backup);
	if (n > 0 && p->backup[n - 1] == '/')
		p->backup[n - 1] = '\0';
	if (p->backup[0] != '\0' && is_key(p->backup))
		return 0;
	return err_set(e, ERR_USAGE,
	    "--backup-dir %s: it must lie in the target %s", given,
	    p->target->text);
}

/* The same URLs at other endpoints are other tasks. */
static int
name_task(struct pair *p, struct err *e)
{
	char both[2 * PAIR_PLACE_MAX + 2];
	size_t n;

	place_of(p->target_store, p->target, both);
	n = strlen(both);
	if (p->source->scheme != STORE_POSIX) {
		both[n++] = '\n';
		place_of(p->source_store, p->source, both + n);
	}
	p->task = p->o->task != NULL
	    ? strdup(p->o->task)
	    : task_name(p->source->text, p->target->text, both, e);
	if (p->task == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

static int
check_options(const struct pair *p, struct err *e)
{
	if (p->source->scheme == STORE_POSIX)
		return 0;
	if (p->o->links == SCAN_LINKS_FOLLOW)
		return err_set(e, ERR_USAGE,
		    "-L works with a local source only, not with %s",
		    p->source->text);
	if (p->o->one_file_system)
		return err_set(e, ERR_USAGE,
		    "-x works with a local source only, not with %s",
		    p->source->text);
	return 0;
}

/* The likely mistakes with a local source, in words of their own. */
static int
check_source(const struct pair *p, struct err *e)
{
	AUTO(close) int fd = -1;

	if (p->source->scheme != STORE_POSIX)
		return 0;
	fd = open(p->source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 && errno == ENOTDIR)
		return err_set(e, ERR_CONFIG,
		    "source %s: not a directory; name the one that it is in, "
		    "with --include",
		    p->source->text);
	if (fd == -1)
		return err_sys(e, "source %s", p->source->text);
	return 0;
}

int
pair_name(struct pair *p, const char *source, const char *target, struct err *e)
{
	p->source = store_url_parse(source, e);
	if (p->source == NULL)
		return err_context(e, "source");
	p->target = store_url_parse(target, e);
	if (p->target == NULL)
		return err_context(e, "target");
	if (check_options(p, e) == -1)
		return -1;
	name_owner(p);
	return 0;
}

int
pair_open(struct pair *p, const char *source, const char *target, struct err *e)
{
	if (pair_name(p, source, target, e) == -1)
		return -1;
	p->source_store = store_open(p->source, &p->source_config, e);
	if (p->source_store == NULL)
		return err_context(e, "source %s", p->source->text);
	/* Between local disks a limit would be none otherwise. */
	p->target_config.limit_local = p->source->scheme == STORE_POSIX &&
	    !posix_is_remote(p->source_store);
	p->target_store = store_open(p->target, &p->target_config, e);
	if (p->target_store == NULL)
		return err_context(e, "target %s", p->target->text);
	if (p->target_store->ops->put == NULL)
		return err_set(e, ERR_USAGE,
		    "target %s: can only be read; \"dray bundle create\" makes "
		    "bundles",
		    p->target->text);
	if (refuse_inside(p, e) == -1 || name_backup(p, e) == -1)
		return -1;
	return name_task(p, e);
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
check_prefix(struct pair *p, struct err *e)
{
	const struct store_driver *ops = p->source_store->ops;
	AUTO(session) struct session *c = store_connect(p->source_store, e);
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

int
pair_reach_source(struct pair *p, struct err *e)
{
	struct reach_options ro = {
	    .attempts = p->o->retries,
	    .stop = stop_soon_flag(),
	};
	struct store_probe probe;

	if (check_source(p, e) == -1)
		return -1;
	if (reach_store(p->source_store, &ro, &probe, e) == -1 ||
	    (p->source->scheme == STORE_S3 && p->source->path[0] != '\0' &&
		check_prefix(p, e) == -1))
		return err_context(e, "source %s", p->source->text);
	return 0;
}

int
pair_open_target(struct pair *p, const char *target, struct err *e)
{
	p->target = store_url_parse(target, e);
	if (p->target == NULL)
		return err_context(e, "target");
	p->target_config = p->o->store;
	p->target_store = store_open(p->target, &p->target_config, e);
	if (p->target_store == NULL)
		return err_context(e, "target %s", p->target->text);
	return 0;
}
