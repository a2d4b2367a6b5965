/* SPDX-License-Identifier: ISC */
/*
 * Limits of inotify(7): /proc/sys/fs/inotify, each for all processes of a
 * user together, and of a user namespace and those above it.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/daemon/watcher_in.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"

#define LIMITS_DIR "/proc/sys/fs/inotify/"
#define WATCHES_MIN 131072
#define INSTANCES_MIN 512

/* 0: it can't be known. */
static uint64_t
limit(const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(256);
	AUTO(fclose) FILE *f = NULL;
	uint64_t n = 0;

	buf_addf(&path, LIMITS_DIR "%s", name);
	f = fopen(buf_str(&path), "re");
	if (f == NULL || fscanf(f, "%" SCNu64, &n) != 1)
		return 0;
	return n;
}

static uint64_t
power_of_two(uint64_t n, uint64_t from)
{
	while (from < n && from < UINT64_MAX / 2)
		from *= 2;
	return from;
}

int
watcher_too_many_instances(struct err *e)
{
	uint64_t now = limit("max_user_instances");

	return err_set(e, ERR_CONFIG,
	    "can't be watched: this user has all %" PRIu64 " instances of "
	    "inotify that fs.inotify.max_user_instances allows: sysctl "
	    "fs.inotify.max_user_instances=%" PRIu64 " (and a line in "
	    "/etc/sysctl.d), until then the schedule finds what changes",
	    now, power_of_two(now * 2, INSTANCES_MIN));
}

void
watcher_log_unwatched(uint64_t watched, uint64_t unwatched)
{
	uint64_t now = limit("max_user_watches"), all = watched + unwatched;
	uint64_t wanted =
	    power_of_two((now > all ? now : all) + all / 4, WATCHES_MIN);
	char a[32], b[32];

	log_warn("%s of %s directories are not watched, as this user has all "
		 "watches that fs.inotify.max_user_watches (%" PRIu64
		 ") allows: sysctl fs.inotify.max_user_watches=%" PRIu64
		 " (and a line in /etc/sysctl.d); until then the schedule "
		 "finds what changes there",
	    text_count(unwatched, a, sizeof(a)), text_count(all, b, sizeof(b)),
	    now, wanted);
}
