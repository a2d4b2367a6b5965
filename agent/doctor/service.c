/* SPDX-License-Identifier: ISC */
/* What the daemon may do with a task's directories, as its unit confines it. */
#include "config.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/doctor/become.h"

#define WHAT "service"

/* The errno that keeps the service from HOW (access(2)) at PATH, or what there
 * is above it; 0. */
static int
try(const struct service *s, const char *path, int how, int cap)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		AUTO(free) char *at = NULL;

		if (!service_become(s, cap))
			_exit(0);
		at = (how & W_OK) != 0 ? doctor_nearest(path) : strdup(path);
		_exit(at == NULL || access(at, how) == 0 ? 0 : errno);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status))
		return 0;
	return WEXITSTATUS(status);
}

static void
cannot(const struct service *s, const char *what, const char *path, int why)
{
	char user[64];

	account_name(s->uid, user, sizeof(user));
	errno = why;
	findings_add(s->d->found, s->runs ? FINDING_FAIL : FINDING_WARN, WHAT,
	    "the daemon%s, user %s, can't %s %s: %m",
	    s->runs ? "" : " (it doesn't run)", user, what, path);
}

static void
source(const struct service *s, const struct store_url *url)
{
	bool all = (s->caps >> CAP_DAC_OVERRIDE & 1) != 0;
	int why = try(s, url->path, R_OK | X_OK,
	    all ? CAP_DAC_OVERRIDE : CAP_DAC_READ_SEARCH);

	if (why == 0)
		return;
	cannot(s, "read", url->path, why);
	findings_next(s->d->found,
	    "let that user read it, or all trees by "
	    "AmbientCapabilities=CAP_DAC_READ_SEARCH: dray-daemon(8), The "
	    "service");
}

static void
target(const struct service *s, const struct store_url *url)
{
	int why = try(s, url->path, W_OK | X_OK, CAP_DAC_OVERRIDE);

	if (why == 0)
		return;
	cannot(s, "write", url->path, why);
	findings_next(s->d->found,
	    "let that user write there, and the unit by ReadWritePaths=%s: "
	    "dray-daemon(8), The service",
	    url->path);
}

static bool
is_local(const struct store_url *url)
{
	return url != NULL && url->scheme == STORE_POSIX;
}

void
doctor_service(const struct doctor *d)
{
	struct service s;

	if (!d->by_daemon || (!is_local(d->source) && !is_local(d->target)) ||
	    !service_find(&s, d))
		return;
	if (is_local(d->source))
		source(&s, d->source);
	if (is_local(d->target))
		target(&s, d->target);
}
