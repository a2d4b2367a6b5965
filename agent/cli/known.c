/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <string.h>

#include "agent/cli/known.h"
#include "agent/cli/outboxes.h"

struct known {
	const char *name; /* that is looked for */
	bool found;
	struct buf all; /* "one, two" */
};

static void
auto_known(struct known *k)
{
	buf_free(&k->all);
}

/* Whether the list in ALL has the N bytes of NAME. */
static bool
has(const struct buf *all, const char *name, size_t n)
{
	const char *p = buf_str(all);

	while (*p != '\0') {
		size_t len = strcspn(p, ",");

		if (len == n && memcmp(p, name, n) == 0)
			return true;
		p += len;
		p += strspn(p, ", ");
	}
	return false;
}

static void
add(struct known *k, const char *name, size_t n)
{
	k->found |= strlen(k->name) == n && memcmp(k->name, name, n) == 0;
	if (has(&k->all, name, n))
		return;
	if (k->all.len > 0)
		buf_adds(&k->all, ", ");
	buf_add(&k->all, name, n);
}

static int
add_of_task(void *arg, const char *task, struct outbox *box, struct err *e)
{
	struct known *k = arg;
	struct outbox_sub sub = {.id = 0};
	int rc;

	(void)task;
	while ((rc = outbox_sub_next(box, sub.id, &sub, e)) == 1)
		if (!sub.removed)
			add(k, sub.name, strlen(sub.name));
	return rc;
}

static void
add_files(struct known *k, const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		size_t n = strlen(de->d_name);

		if (de->d_name[0] != '.' && n > 5 &&
		    strcmp(de->d_name + n - 5, ".conf") == 0)
			add(k, de->d_name, n - 5);
	}
	if (d != NULL)
		closedir(d);
}

int
known_subscription(const struct options *o, const char *name, struct err *e)
{
	AUTO(known) struct known k = {.name = name, .all = BUF_INIT(1 << 20)};

	add_files(&k, o->subscriptions_dir);
	/* What can't be looked at is said by whoever needs it. */
	if (outboxes_each(o, OUTBOXES_AGAIN, add_of_task, &k, e) != 0 ||
	    k.found)
		return 0;
	if (buf_failed(&k.all))
		return err_set(e, ERR_NOMEM, "out of memory");
	return err_set(e, ERR_NOTFOUND, "no subscription %.100s; there %s %s",
	    name, k.all.len > 0 ? "are" : "is",
	    k.all.len > 0 ? buf_str(&k.all) : "none");
}
