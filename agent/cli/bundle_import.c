/* SPDX-License-Identifier: ISC */
/* dray bundle import: a run whose source is a bundle. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/bundle_verbs.h"
#include "agent/cli/cmd.h"
#include "agent/cli/sync.h"
#include "agent/engine.h"
#include "agent/task.h"
#include "base/log.h"
#include "transfer/bundle/bundle.h"

/* Meta value: the bundle that was imported, and a letter for each disk: 'y'
 * once it was. */
#define DISKS_KEY "bundle-disks"
#define DISKS_MAX 1000
/* What the ledger calls every bundle: disks have the same place, or not. */
#define SOURCE_NAME "bundle:///"

struct import {
	struct options o;
	bool wrong; /* something is damaged or missing */
};

/* Each line of what was found damaged. */
static void
say_complaints(struct import *i, const struct store *source)
{
	const char *p = bundle_complaints(source);

	while (*p != '\0') {
		int n = (int)strcspn(p, "\n");

		log_error("%.*s", n, p);
		i->wrong = true;
		p += n + (p[n] != '\0');
	}
}

/* Disk M->disk is imported, too: *DISKS are those that are now. */
static int
count_disk(struct ledger *l, const struct bundle_manifest *m,
    char disks[DISKS_MAX + 1], struct err *e)
{
	char was[BUNDLE_ID_LEN + DISKS_MAX + 2] = "";
	char is[sizeof(was)];
	unsigned n = m->disk, i;

	memset(disks, '-', DISKS_MAX);
	if (ledger_meta_get(l, DISKS_KEY, was, sizeof(was), e) == -1)
		return -1;
	if (strncmp(was, m->id, BUNDLE_ID_LEN) == 0 &&
	    was[BUNDLE_ID_LEN] == ' ')
		for (i = 0; i < DISKS_MAX && was[BUNDLE_ID_LEN + 1 + i]; i++) {
			disks[i] = was[BUNDLE_ID_LEN + 1 + i];
			n = i + 1 > n ? i + 1 : n;
		}
	disks[m->disk - 1] = 'y';
	disks[n] = '\0';
	snprintf(is, sizeof(is), "%s %s", m->id, disks);
	return ledger_meta_set(l, DISKS_KEY, is, e) == -1 ||
		ledger_commit(l, e) == -1
	    ? -1
	    : 0;
}

static void
say_missing(struct import *i, const struct bundle_manifest *m,
    const char disks[DISKS_MAX + 1])
{
	unsigned disk;

	for (disk = 1; disk < m->disk; disk++) {
		if (disks[disk - 1] == 'y')
			continue;
		log_error("disk %u of bundle %s was not imported yet: this is "
			  "disk %u",
		    disk, m->id, m->disk);
		i->wrong = true;
	}
	if (m->state == BUNDLE_CLOSED && disks[m->disk] != 'y') {
		log_error("bundle %s goes on on disk %u: import that, too",
		    m->id, m->disk + 1);
		i->wrong = true;
	}
}

static void
after_run(void *arg, struct ledger *l, struct store *source,
    struct store *target, struct engine_result *result)
{
	const struct bundle_manifest *m = bundle_manifest_of(source);
	char disks[DISKS_MAX + 1];
	struct import *i = arg;
	struct err e = ERR_INIT;

	(void)target;
	say_complaints(i, source);
	if (result->why.kind != ERR_NONE || m->disk >= DISKS_MAX ||
	    i->o.dry_run)
		return;
	if (count_disk(l, m, disks, &e) == 0) {
		say_missing(i, m, disks);
		return;
	}
	result->why = e;
	result->outcome = RUN_FAILURES;
}

/* All disks of a bundle are of one task. */
static char *
name_task(const char *bundle, const char *target, struct err *e)
{
	AUTO(store_url) struct store_url *from = store_url_parse(bundle, e);
	AUTO(store_url) struct store_url *to = NULL;
	AUTO(close) int fd = -1;
	struct bundle_manifest m = {0};
	char name[sizeof("bundle:///bundle-") + BUNDLE_ID_LEN];
	int rc;

	if (from != NULL)
		to = store_url_parse(target, e);
	if (to == NULL)
		return NULL;
	fd = open(from->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		err_sys(e, "%s", from->path);
		return NULL;
	}
	rc = bundle_manifest_read(fd, &m, e);
	if (rc == 0)
		err_set(e, ERR_CONFIG, "there is no bundle.json");
	if (rc != 1) {
		err_context(e, "%s", from->path);
		return NULL;
	}
	snprintf(name, sizeof(name), "bundle:///bundle-%s", m.id);
	bundle_manifest_clear(&m);
	return task_name(name, to->text, "", e);
}

int
bundle_import(const struct options *o, char **argv)
{
	struct import i = {.o = *o};
	struct err e = ERR_INIT;
	AUTO(free) char *url = bundle_url(argv[0], &e);
	AUTO(free) char *task = NULL;
	struct sync_order order = {
	    .source = url,
	    .source_name = SOURCE_NAME,
	    .target = argv[1],
	    .after = after_run,
	    .arg = &i,
	};
	int rc;

	if (url == NULL)
		return cmd_fail(&e);
	if (i.o.task == NULL) {
		task = name_task(url, argv[1], &e);
		if (task == NULL)
			return cmd_fail(&e);
		i.o.task = task;
	}
	if (i.o.links == SCAN_LINKS_FOLLOW) {
		err_set(&e, ERR_USAGE,
		    "bundle import: -L: a bundle has no more than its links");
		return cmd_fail(&e);
	}
	i.o.links = SCAN_LINKS_KEEP;
	i.o.hard_links = true;
	i.o.store.keep_xattrs = true;
	i.o.store.keep_acls = true;
	rc = sync_run(&i.o, &order);
	return rc == 0 && i.wrong ? 1 : rc;
}
