/* SPDX-License-Identifier: ISC */
/* dray subscriptions add, remove: their files. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/outboxes.h"
#include "agent/cli/subscriptions_admin.h"
#include "agent/events/control.h"
#include "agent/events/shared.h"
#include "agent/new_file.h"
#include "base/clock.h"

static int
path_of(
    const struct options *o, const char *name, struct buf *out, struct err *e)
{
	buf_addf(out, "%s/%s.conf", o->subscriptions_dir, name);
	return buf_failed(out) ? err_set(e, ERR_NOMEM, "out of memory") : 0;
}

bool
subscriptions_has_file(const struct options *o, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	return path_of(o, name, &path, &e) == 0 &&
	    access(buf_str(&path), F_OK) == 0;
}

/* A line of the file that is tried on S first. */
static int
add_line(struct buf *out, struct subscription *s, const char *key,
    const char *value, struct err *e)
{
	const char *p;

	if (subscription_set(s, key, value, e) == -1)
		return err_context(e, "%s", key);
	/* The file has no quoting. */
	for (p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			return err_set(e, ERR_USAGE,
			    "%s: a line can't have control characters", key);
	buf_addf(out, "%s = %s\n", key, value);
	return 0;
}

static int
add_setting(
    struct buf *out, struct subscription *s, const char *setting, struct err *e)
{
	const char *equals = strchr(setting, '=');
	char key[64];

	snprintf(key, sizeof(key), "%.*s",
	    (int)(equals - setting < 60 ? equals - setting : 60), setting);
	return add_line(out, s, key, equals + 1, e);
}

/* What the options say, as a file. */
static int
compose(
    const struct options *o, const char *name, struct buf *out, struct err *e)
{
	AUTO(subscription) struct subscription *s = subscription_new(name, e);
	unsigned i;

	if (s == NULL)
		return -1;
	if (o->url == NULL)
		return err_set(e, ERR_USAGE,
		    "where to? dray subscriptions add NAME --url URL");
	if (add_line(out, s, "url", o->url, e) == -1 ||
	    (o->pattern != NULL &&
		add_line(out, s, "filter", o->pattern, e) == -1))
		return -1;
	for (i = 0; i < o->webhook_secret_n; i++)
		if (add_line(out, s, "secret", o->webhook_secrets[i], e) == -1)
			return -1;
	for (i = 0; i < o->webhook_allow_n; i++)
		if (add_line(out, s, "allow", o->webhook_allow[i], e) == -1)
			return -1;
	for (i = 0; i < o->settings_n; i++)
		if (add_setting(out, s, o->settings[i], e) == -1)
			return -1;
	if (buf_failed(out))
		return err_set(e, ERR_NOMEM, "out of memory");
	return subscription_finish(s, e);
}

int
subscriptions_add(const struct options *o, const char *name, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	AUTO(subscription) struct subscription *check = NULL;
	gid_t group;

	if (compose(o, name, &text, e) == -1 ||
	    path_of(o, name, &path, e) == -1)
		return -1;
	/* A URL may be a secret: of whoever runs tasks. */
	group = new_file_group(buf_str(&path));
	if (new_file_write(buf_str(&path), &text,
		group != NEW_FILE_GROUP_KEPT ? 0640 : 0600, group, e) == -1)
		return -1;
	/* What can't be read as it was meant must not stay. */
	check = subscription_load(buf_str(&path), e);
	if (check == NULL) {
		unlink(buf_str(&path));
		return -1;
	}
	if (o->json)
		printf("{\"name\":\"%s\"}\n", name);
	else if (o->verbosity >= 0)
		printf("%s: written to %s; try it by dray subscriptions test "
		       "%s\n",
		    name, buf_str(&path), name);
	return 0;
}

static int
forget(void *arg, const char *task, struct outbox *box, struct err *e)
{
	(void)task;
	return outbox_unsubscribe(box, arg, e);
}

/* Runs under way stop sending before what waits is forgotten. */
static int
stop_and_forget(const struct options *o, const char *name, struct err *e)
{
	AUTO(control) struct control *c = NULL;
	AUTO(free) char *copy = strdup(name);

	if (copy == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c = control_open(o->state_dir, true, e);
	if (c == NULL || control_set(c, name, CONTROL_ACTIVE, "", 0, e) == -1 ||
	    control_set(c, name, CONTROL_DISABLED, CONTROL_REMOVED,
		clock_wall_ns() / 1000000, e) == -1)
		return -1;
	return outboxes_each(o, OUTBOXES_CHANGE, forget, copy, e) == 0 ? 0 : -1;
}

int
subscriptions_remove(const struct options *o, const char *name, struct err *e)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);
	struct err none = ERR_INIT;
	uint64_t waiting = 0;

	if (path_of(o, name, &path, e) == -1)
		return -1;
	if (!subscriptions_has_file(o, name))
		return err_set(e, ERR_NOTFOUND, "no subscription %.100s in %s",
		    name, o->subscriptions_dir);
	/* Before the first run there is nothing to wait. */
	if (subscriptions_waiting(o, name, &waiting, &none) == -1 &&
	    none.kind != ERR_NOTFOUND && !o->force) {
		*e = none;
		return -1;
	}
	if (waiting > 0 && !o->force)
		return err_set(e, ERR_CONFLICT,
		    "%" PRIu64 " events wait for %s: send them by dray events "
		    "drain, or give them up by --force",
		    waiting, name);
	if (unlink(buf_str(&path)) == -1)
		return err_sys(e, "%s", buf_str(&path));
	shared_forget(o->state_dir, name);
	if (none.kind != ERR_NOTFOUND && stop_and_forget(o, name, e) == -1)
		return -1;
	if (o->json)
		printf("{\"removed\":\"%s\"}\n", name);
	else if (o->verbosity >= 0)
		printf("%s: removed\n", name);
	return 0;
}
