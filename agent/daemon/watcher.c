/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/cmd.h"
#include "agent/cli/parse.h"
#include "agent/daemon/run.h"
#include "agent/daemon/watcher.h"
#include "agent/daemon/watcher_in.h"
#include "base/log.h"
#include "transfer/filter.h"
#include "transfer/posix/posix.h"
#include "transfer/scandir.h"
#include "transfer/url.h"

#define PATH_BYTES_MAX ((size_t)512 << 10)
#define OUT_MAX ((size_t)8 << 20)
#define OUT_FLUSH ((size_t)64 << 10)
#define TEMPORARY ".dray-" /* as the scan passes over */

bool
watcher_tell(struct watcher *w, enum watch_kind kind, const struct buf *dir,
    const char *name, bool is_dir)
{
	AUTO(buf) struct buf path = BUF_INIT(PATH_BYTES_MAX);

	buf_add(&path, dir->data, dir->len);
	if (dir->len > 0 && *name != '\0')
		buf_addc(&path, '/');
	buf_adds(&path, name);
	if (buf_failed(&path)) {
		watcher_tell_all(w);
		return true;
	}
	if (scandir_is_temporary(name, TEMPORARY) ||
	    watcher_is_own(w, buf_str(&path), path.len) ||
	    (path.len > 0 &&
		!filter_passes_from_root(
		    w->options->filter, buf_str(&path), path.len, is_dir)))
		return false;
	/* Events come in packs. */
	if (w->last_kind == kind && w->last.len == path.len && path.len > 0 &&
	    memcmp(w->last.data, path.data, path.len) == 0)
		return true;
	buf_reset(&w->last);
	buf_add(&w->last, path.data, path.len);
	w->last_kind = kind;
	watch_wire_put(&w->out, kind, buf_str(&path), path.len);
	if (w->out.len >= OUT_FLUSH)
		watcher_flush(w);
	return true;
}

void
watcher_tell_all(struct watcher *w)
{
	watch_wire_put(&w->out, WATCH_TREE, "", 0);
}

void
watcher_tell_state(struct watcher *w, const struct watch_state *s)
{
	watch_wire_put(&w->out, WATCH_STATE, s, sizeof(*s));
	watcher_flush(w);
}

void
watcher_flush(struct watcher *w)
{
	size_t at = 0;

	while (at < w->out.len) {
		ssize_t n = write(w->out_fd, w->out.data + at, w->out.len - at);

		if (n == -1 && errno != EINTR)
			_exit(1);
		at += n > 0 ? (size_t)n : 0;
	}
	if (buf_failed(&w->out))
		_exit(1);
	buf_reset(&w->out);
	/* The same again is another change from now on. */
	buf_reset(&w->last);
}

static int
open_root(struct watcher *w, struct stat *st, struct err *e)
{
	w->root_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->root_fd == -1 || fstat(w->root_fd, st) == -1)
		return err_sys(e, "%s", w->path);
	return 0;
}

int
watcher_enter(struct watcher *w, struct err *e)
{
	struct stat st;

	if (open_root(w, &st, e) == -1)
		return -1;
	if (st.st_dev != w->root_dev || st.st_ino != w->root_ino)
		return err_set(e, ERR_VANISHED,
		    "%s is not the directory that it was", w->path);
	return 0;
}

void
watcher_leave(struct watcher *w)
{
	if (w->root_fd != -1)
		close(w->root_fd);
	w->root_fd = -1;
	if (chdir("/") == -1)
		_exit(1);
}

static int
look_at_root(struct watcher *w, struct err *e)
{
	struct stat st;

	if (open_root(w, &st, e) == -1)
		return -1;
	watcher_leave(w);
	w->root_dev = st.st_dev;
	w->root_ino = st.st_ino;
	if (posix_path_is_remote(w->path))
		log_warn("%s is on a file system of the network: what others "
			 "change there is not seen before the schedule's next "
			 "run",
		    w->path);
	if (w->options->links == SCAN_LINKS_FOLLOW)
		log_warn("--copy-links: what changes behind symbolic links is "
			 "not seen before the schedule's next run");
	return 0;
}

static int
watch(struct watcher *w, const char *how, struct err *e)
{
	if (look_at_root(w, e) == -1)
		return -1;
	if (strcmp(how, "inotify") != 0) {
		watcher_fanotify(w, e);
		if (strcmp(how, "fanotify") == 0 ||
		    (e->kind != ERR_UNSUPPORTED && e->kind != ERR_DENIED))
			return -1;
		log_debug("not by fanotify: %s", e->msg);
		*e = (struct err)ERR_INIT;
	}
	return watcher_inotify(w, e);
}

int
watcher_main(enum verb_id verb, int argc, char **argv)
{
	AUTO(options) struct options o = {0};
	AUTO(store_url) struct store_url *url = NULL;
	struct watcher w = {
	    .options = &o,
	    .root_fd = -1,
	    .out_fd = RUN_PASSED_FD,
	    .own = BUF_INIT(PATH_BYTES_MAX),
	    .out = BUF_INIT(OUT_MAX),
	    .last = BUF_INIT(PATH_BYTES_MAX),
	    .last_kind = WATCH_KINDS,
	};
	struct err e = ERR_INIT;

	run_take_signals();
	if (options_init(&o, &e) == 0 &&
	    options_parse(&o, verb, &argc, argv, &e) == 0 &&
	    options_finish(&o, verb, &e) == 0 &&
	    (url = store_url_parse(argv[1], &e)) != NULL) {
		w.path = url->path;
		if (watcher_take_own(&w, argv + 2, (size_t)argc - 2, &e) == 0)
			watch(&w, argv[0], &e);
	}
	buf_free(&w.own);
	buf_free(&w.out);
	buf_free(&w.last);
	return cmd_fail(&e);
}
