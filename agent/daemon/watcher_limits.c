/* SPDX-License-Identifier: ISC */
/*
 * Limits of inotify(7), each for all processes of a user together; in a user
 * namespace also that one's (namespaces(7)).  The length of a queue is each
 * watcher's.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/daemon/watcher_in.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"

#define WATCHES_MIN 131072
#define INSTANCES_MIN 512
#define QUEUE_MIN 65536

/* A sysctl(8), and the file that it is. */
struct limit {
	const char *name, *file;
};

static const struct limit watches[] = {
    {"fs.inotify.max_user_watches", "/proc/sys/fs/inotify/max_user_watches"},
    {"user.max_inotify_watches", "/proc/sys/user/max_inotify_watches"},
};
static const struct limit instances[] = {
    {"fs.inotify.max_user_instances",
	"/proc/sys/fs/inotify/max_user_instances"},
    {"user.max_inotify_instances", "/proc/sys/user/max_inotify_instances"},
};
static const struct limit queues[] = {
    {"fs.inotify.max_queued_events", "/proc/sys/fs/inotify/max_queued_events"},
    {"fs.fanotify.max_queued_events",
	"/proc/sys/fs/fanotify/max_queued_events"},
};

/* 0: it can't be known, as where a service sees no /proc/sys. */
static uint64_t
read_limit(const char *file)
{
	AUTO(fclose) FILE *f = fopen(file, "re");
	char line[32];

	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		return 0;
	return strtoull(line, NULL, 10);
}

/* The lower one of both, and what it is: that of a user namespace may be. */
static const char *
lowest(const struct limit both[2], uint64_t *now)
{
	uint64_t other = read_limit(both[1].file);

	*now = read_limit(both[0].file);
	if (other == 0 || other >= *now)
		return both[0].name;
	*now = other;
	return both[1].name;
}

static uint64_t
power_of_two(uint64_t n, uint64_t from)
{
	while (from < n && from < UINT64_MAX / 2)
		from *= 2;
	return from;
}

/* "NAME (NOW)" */
static void
tell_limit(const char *name, uint64_t now, char *out, size_t size)
{
	if (now != 0)
		snprintf(out, size, "%s (%" PRIu64 ")", name, now);
	else
		snprintf(out, size, "%s", name);
}

int
watcher_too_many_instances(struct err *e)
{
	uint64_t now;
	const char *name = lowest(instances, &now);
	char shown[100];

	tell_limit(name, now, shown, sizeof(shown));
	return err_set(e, ERR_CONFIG,
	    "can't be watched, as this user has all the instances of inotify "
	    "that %s allows: sysctl %s=%" PRIu64 " (and a line in "
	    "/etc/sysctl.d); until then the schedule finds what changes",
	    shown, name, power_of_two(now * 2, INSTANCES_MIN));
}

int
watcher_overflowed(bool by_fanotify, struct err *e)
{
	const struct limit *l = &queues[by_fanotify];
	uint64_t now = read_limit(l->file);
	char shown[100];

	tell_limit(l->name, now, shown, sizeof(shown));
	return err_set(e, ERR_BUSY,
	    "more changes at once than %s holds; if that happens often: sysctl "
	    "%s=%" PRIu64 " (and a line in /etc/sysctl.d)",
	    shown, l->name, power_of_two(now * 2, QUEUE_MIN));
}

void
watcher_log_unwatched(uint64_t watched, uint64_t unwatched)
{
	uint64_t all = watched + unwatched, now;
	const char *name = lowest(watches, &now);
	uint64_t most = now > all ? now : all;
	char shown[100], a[32], b[32];

	tell_limit(name, now, shown, sizeof(shown));
	log_warn("%s of %s directories are not watched, as this user has all "
		 "the watches that %s allows: sysctl %s=%" PRIu64
		 " (and a line in /etc/sysctl.d); until then the schedule "
		 "finds what changes there",
	    text_count(unwatched, a, sizeof(a)), text_count(all, b, sizeof(b)),
	    shown, name, power_of_two(most + all / 4, WATCHES_MIN));
}
