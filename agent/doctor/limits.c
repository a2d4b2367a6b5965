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

static void
open_files(const struct doctor *d)
{
	uint64_t need = files_needed(d);
	struct rlimit have;

	if (getrlimit(RLIMIT_NOFILE, &have) == -1)
		return;
	if (have.rlim_cur >= need) {
		findings_add(d->found, FINDING_OK, "open files",
		    "%" PRIu64 " may be open at a time, a run needs %" PRIu64,
		    (uint64_t)have.rlim_cur, need);
		return;
	}
	findings_add(d->found, FINDING_FAIL, "open files",
	    "only %" PRIu64 " may be open at a time, a run needs %" PRIu64,
	    (uint64_t)have.rlim_cur, need);
	findings_next(d->found,
	    "ulimit -n %" PRIu64 " in the shell, LimitNOFILE=%" PRIu64
	    " by systemctl edit dray for the service, or fewer --transfers",
	    need, need);
}

static void
watches(const struct doctor *d)
{
	static const char name[] = "sys/fs/inotify/max_user_watches";
	char text[32];
	uint64_t most;

	if (!proc_number(d, name, NULL, &most)) {
		findings_add(d->found, FINDING_WARN, "inotify",
		    "this kernel has none: changes are found by scans only");
		return;
	}
	if (most >= WATCHES_FEW) {
		findings_add(d->found, FINDING_OK, "inotify",
		    "%s directories can be watched",
		    text_count(most, text, sizeof(text)));
		return;
	}
	findings_add(d->found, FINDING_WARN, "inotify",
	    "only %s directories can be watched, of all programs of a user",
	    text_count(most, text, sizeof(text)));
	findings_next(d->found,
	    "for trees with more: fs.inotify.max_user_watches = 524288 in "
	    "/etc/sysctl.d/60-dray.conf, then sysctl --system");
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
