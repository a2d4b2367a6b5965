/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/daemon/conf_watch.h"
#include "agent/daemon/conf_words.h"
#include "base/text.h"
#include "transfer/url.h"

#define SETTLE_MAX_MS ((uint64_t)3600 * 1000)

int
conf_watch(struct task_conf *t, const char *value, struct err *e)
{
	bool on = true;

	if (strcmp(value, "inotify") == 0) {
		t->watch = WATCH_INOTIFY;
	} else if (strcmp(value, "fanotify") == 0) {
		t->watch = WATCH_FANOTIFY;
	} else {
		if (conf_bool(value, &on, e) == -1)
			return err_set(e, ERR_CONFIG,
			    "neither yes, no, inotify nor fanotify: \"%.100s\"",
			    value);
		t->watch = on ? WATCH_AUTO : WATCH_NO;
	}
	return 0;
}

int
conf_watch_settle(struct task_conf *t, const char *value, struct err *e)
{
	uint64_t ms;

	if (text_parse_duration(value, &ms, e) == -1)
		return -1;
	if (ms > SETTLE_MAX_MS)
		return err_set(e, ERR_CONFIG, "%s is more than an hour", value);
	t->watch_settle_ms = ms;
	return 0;
}

/* Its runs for changes have --changed-from. */
int
conf_watch_check(const struct task_conf *t, struct err *e)
{
	AUTO(store_url) struct store_url *url = store_url_parse(t->source, e);
	struct conf_words words = {.n = 0};
	int rc = url != NULL ? 0 : -1;

	if (rc == 0 && url->scheme != STORE_POSIX)
		rc = err_set(e, ERR_CONFIG,
		    "only a local directory can be watched, not %s: leave it "
		    "to the schedule",
		    url->text);
	if (rc == 0 &&
	    (conf_words_copy(&words, &t->options, e) == -1 ||
		conf_words_add(&words, "--changed-from", "/", e) == -1))
		rc = -1;
	if (rc == 0)
		rc = conf_words_check(&words, t->verb, e);
	conf_words_free(&words);
	if (rc == 0)
		return 0;
	return err_context(e, "%s:%u: watch", t->path, t->watch_line);
}
