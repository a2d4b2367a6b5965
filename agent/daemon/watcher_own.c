/* SPDX-License-Identifier: ISC */
/* What the daemon itself writes to: told of, it would start a run, which
 * writes there, and so for ever. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/watcher_in.h"
#include "base/auto.h"
#include "base/log.h"

/* PATH (both are real) as it is below ROOT, "": the same; NULL: it isn't. */
static const char *
below(const char *root, const char *path)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(path, root, n) != 0)
		return NULL;
	if (path[n] == '\0')
		return path + n;
	return path[n] == '/' ? path + n + 1 : NULL;
}

static void
take(struct watcher *w, const char *root, const char *path)
{
	AUTO(free) char *real = realpath(path, NULL);
	const char *name = real != NULL ? below(root, real) : NULL;

	if (real == NULL)
		return;
	if (below(real, root) != NULL) {
		log_warn("%s is within %s, which the daemon itself writes to: "
			 "what changes is not seen before the schedule's next "
			 "run",
		    w->path, path);
		name = "";
	}
	if (name != NULL)
		buf_add(&w->own, name, strlen(name) + 1);
}

int
watcher_take_own(struct watcher *w, char *const *paths, size_t n, struct err *e)
{
	AUTO(free) char *root = realpath(w->path, NULL);
	size_t i;

	if (root == NULL)
		return err_sys(e, "%s", w->path);
	for (i = 0; i < n; i++)
		take(w, root, paths[i]);
	if (buf_failed(&w->own))
		return err_set(e, ERR_NOMEM, "out of memory");
	return 0;
}

bool
watcher_is_own(const struct watcher *w, const char *path, size_t len)
{
	size_t at = 0, n;

	for (; at < w->own.len; at += n + 1) {
		const char *own = w->own.data + at;

		n = strlen(own);
		if (n == 0 ||
		    (len >= n && memcmp(path, own, n) == 0 &&
			(len == n || path[n] == '/')))
			return true;
	}
	return false;
}
