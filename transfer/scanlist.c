/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "transfer/scanlist.h"

struct listing {
	struct scandir *d;
	const struct scanlist_options *o;
	size_t prefix_len; /* of the directory's path and its slash */
};

static bool
is_name(const char *name, size_t len)
{
	return len > 0 && len <= SCANLIST_NAME_MAX &&
	    memchr(name, '/', len) == NULL && memchr(name, '\0', len) == NULL &&
	    !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

static void
refuse(
    const struct listing *l, const char *name, size_t len, enum item_type type)
{
	struct err why;

	if (len > 0)
		err_set(&why, ERR_NAME, "can't be the name of a file");
	else if (type == ITEM_DIR)
		err_set(&why, ERR_NAME,
		    "what is below an empty name (\"//\") can't be files");
	else
		err_set(&why, ERR_NAME,
		    "is a directory that has bytes of its own: these can't be "
		    "carried");
	l->o->refuse(l->o->arg, name, len, &why);
}

static int
take(void *arg, const struct store_list_entry *entry, struct err *e)
{
	struct listing *l = arg;
	const char *name = entry->key + l->prefix_len;
	struct item_stat st = item_of_listed(&entry->st);
	struct err why;
	size_t len;

	if (atomic_load(l->o->stop))
		return err_set(e, ERR_STOPPED, "stopped");
	if (entry->key_len < l->prefix_len)
		return err_set(e, ERR_PROTOCOL,
		    "the listing names what was not asked for");
	len = entry->key_len - l->prefix_len;
	if (entry->refused != NULL) {
		err_set(&why, ERR_UNSUPPORTED, "%s", entry->refused);
		l->o->refuse(l->o->arg, name, len, &why);
		return 0;
	}
	if (!is_name(name, len)) {
		refuse(l, name, len, entry->st.type);
		return 0;
	}
	return scandir_add(l->d, name, len, &st, e);
}

static void
twice(void *arg, const char *name)
{
	const struct listing *l = arg;
	struct err why;

	err_set(&why, ERR_NAME,
	    "is the name of a file and of a directory: only the directory can "
	    "be carried");
	l->o->refuse(l->o->arg, name, strlen(name), &why);
}

/* False once it is to stop. */
static bool
pause_ms(int64_t ms, const atomic_bool *stop)
{
	uint64_t until = clock_mono_ms() + (uint64_t)ms;
	struct timespec slice = {.tv_nsec = 20 * 1000000};

	while (clock_mono_ms() < until && !atomic_load(stop))
		nanosleep(&slice, NULL);
	return !atomic_load(stop);
}

int
scanlist_read(struct scandir *d, struct session *c, const char *dir,
    const struct scanlist_options *o, struct err *e)
{
	struct listing l = {.d = d, .o = o};
	unsigned attempt;
	int64_t wait;
	int rc;

	l.prefix_len = strlen(dir) + (*dir != '\0');
	for (attempt = 1;; attempt++) {
		scandir_reset(d);
		o->refuse(o->arg, NULL, 0, NULL);
		c->tells_leftovers = c->tells_refused = true;
		rc = c->store->ops->list(c, dir, false, take, &l, e);
		c->tells_leftovers = c->tells_refused = false;
		if (rc == 0)
			return scandir_end(d, twice, &l, e);
		scandir_reset(d);
		if (e->kind == ERR_EXPIRED && attempt == 1 &&
		    c->store->ops->refresh != NULL &&
		    c->store->ops->refresh(c->store, e) == 0)
			continue;
		wait = retry_delay_ms(
		    &o->retry, attempt, e, (uint64_t)clock_wall_ns());
		if (wait < 0 || !pause_ms(wait, o->stop))
			return -1;
	}
}
