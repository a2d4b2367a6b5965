/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/daemon/watcher_in.h"

int
watcher_fanotify(struct watcher *w, struct err *e)
{
	(void)w;
	return err_set(e, ERR_UNSUPPORTED, "not yet");
}
