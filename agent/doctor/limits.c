/* SPDX-License-Identifier: ISC */
/* proc(5), inotify(7). */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/doctor/doctor.h"
#include "agent/engine.h"
#include "base/text.h"

#define FILES_OF_ITS_OWN 64 /* ledger, log, libraries, events */
#define SCANNERS_FAR 16
#define WATCHES_FEW 65536
#define WATCHES_GOOD ((uint64_t)524288) /* half a GiB, if all are taken */
#define MEMORY_OF_ITS_OWN (64 << 20) /* besides the buffers; measured: 58 M */

static void
in_proc(const struct doctor *d, const char *name, struct buf *out)
{
	buf_addf(out, "%s/%s", d->proc, name);
}

/* The number in NAME below /proc; behind LABEL, if that is not NULL. */
static bool
proc_number(
    const struct doctor *d, const char *name, const char *label, uint64_t *out)
{
	AUTO(buf) struct buf path = BUF_INIT(4096);
	AUTO(fclose) FILE *f = NULL;
	char line[256];

	in_proc(d, name, &path);
	f = fopen(buf_str(&path), "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t n = label != NULL ? strlen(label) : 0;
		char *end;

		if (n > 0 && strncmp(line, label, n) != 0)
			continue;
		*out = strtoull(line + n, &end, 10);
		return end != line + n;
	}
	return false;
}

/* Of a worker: what it reads and what it writes.  SFTP shares connections. */
static unsigned
files_of_worker(const struct store_url *url)
{
	return url != NULL && url->scheme == STORE_SFTP ? 0 : 1;
}

static uint64_t
files_needed(const struct doctor *d)
{
	const struct store_driver *from = NULL, *to = NULL;
	unsigned workers = d->o->transfers != 0 ? d->o->transfers : 16;
	unsigned scanners =
	    d->o->scan_threads != 0 ? d->o->scan_threads : SCANNERS_FAR;

	if (d->source != NULL)
		from = store_driver_of(d->source);
	if (d->target != NULL)
		to = store_driver_of(d->target);
	if (from != NULL && to != NULL)
		workers = engine_transfers(d->o, from, to);
	return FILES_OF_ITS_OWN + 2 * (uint64_t)scanners +
	    (uint64_t)workers *
	    (files_of_worker(d->source) + files_of_worker(d->target));
}

static bool
daemon_runs_it(const struct doctor *d)
{
	return d->by_daemon && d->daemon > 0;
}

/* How many the daemon, or else this process, may have open. */
static bool
files_allowed(const struct doctor *d, uint64_t *most)
{
	struct rlimit own;
	char name[64];

	snprintf(name, sizeof(name), "%d/limits", (int)d->daemon);
	if (daemon_runs_it(d) && proc_number(d, name, "Max open files", most))
		return true;
	if (getrlimit(RLIMIT_NOFILE, &own) == -1)
		return false;
	*most = own.rlim_cur;
	return true;
}

static void
open_files(const struct doctor *d)
{
	uint64_t need = files_needed(d), most;
	const char *whose = daemon_runs_it(d) ? " in the daemon" : "";

	if (!files_allowed(d, &most))
		return;
	if (most >= need) {
		findings_add(d->found, FINDING_OK, "open files",
		    "%" PRIu64 " may be open at a time%s, a run needs %" PRIu64,
		    most, whose, need);
		return;
	}
	findings_add(d->found, FINDING_FAIL, "open files",
	    "only %" PRIu64 " may be open at a time%s, a run needs %" PRIu64,
	    most, whose, need);
	findings_next(d->found,
	    "ulimit -n %" PRIu64 " in the shell, LimitNOFILE=%" PRIu64
	    " by systemctl edit dray for the service, or fewer --transfers",
	    need, need);
}

/* Of this user; in a user namespace that one's limit may be lower. */
static bool
watches_allowed(const struct doctor *d, const char **name, uint64_t *most)
{
	uint64_t other;

	*name = "fs.inotify.max_user_watches";
	if (!proc_number(d, "sys/fs/inotify/max_user_watches", NULL, most))
		return false;
	if (proc_number(d, "sys/user/max_inotify_watches", NULL, &other) &&
	    other < *most) {
		*name = "user.max_inotify_watches";
		*most = other;
	}
	return true;
}

/* One for each directory; those of the task and some to come. */
static uint64_t
watches_needed(const struct doctor *d)
{
	return d->dirs > 0 ? d->dirs + d->dirs / 4 : WATCHES_FEW;
}

static void
watches(const struct doctor *d)
{
	uint64_t need = watches_needed(d), most;
	char text[32], dirs[32] = "";
	const char *name;

	if (!watches_allowed(d, &name, &most)) {
		findings_add(d->found, FINDING_WARN, "inotify",
		    "not to be seen here: whether sources can be watched is "
		    "not known");
		findings_next(d->found, "a schedule finds what changes, too");
		return;
	}
	text_count(most, text, sizeof(text));
	if (d->dirs > 0)
		text_count(d->dirs, dirs, sizeof(dirs));
	if (most >= need) {
		findings_add(d->found, FINDING_OK, "inotify",
		    "%s directories can be watched%s%s", text,
		    d->dirs > 0 ? ", the task has " : "", dirs);
		return;
	}
	findings_add(d->found, FINDING_WARN, "inotify",
	    "only %s directories can be watched, of all tasks together%s%s",
	    text, d->dirs > 0 ? ", and this one has " : "", dirs);
	findings_next(d->found,
	    "if sources are to be watched: %s = %" PRIu64
	    " in /etc/sysctl.d/60-dray.conf, then sysctl --system",
	    name, need > WATCHES_GOOD ? need : WATCHES_GOOD);
}

static void
memory(const struct doctor *d)
{
	uint64_t need = d->o->memory_bytes + MEMORY_OF_ITS_OWN, free_kib;
	char needed[16], left[16];

	if (!proc_number(d, "meminfo", "MemAvailable:", &free_kib))
		return;
	text_size(need, needed, sizeof(needed));
	text_size(free_kib * 1024, left, sizeof(left));
	if (free_kib * 1024 >= need) {
		findings_add(d->found, FINDING_OK, "memory",
		    "%s are available, a run takes up to %s", left, needed);
		return;
	}
	findings_add(d->found, FINDING_WARN, "memory",
	    "%s are available, but a run takes up to %s", left, needed);
	findings_next(d->found, "a smaller --memory and --part-size");
}

void
doctor_limits(const struct doctor *d)
{
	open_files(d);
	memory(d);
	watches(d);
}
