/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/task.h"
#include "base/buf.h"
#include "verify/digest.h"

#define NAME_MAX_BYTES 100

static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789._-";

char *
task_name(
    const char *source, const char *target, const char *endpoint, struct err *e)
{
	AUTO(buf) struct buf name = BUF_INIT(256);
	const char *base = strrchr(source, '/');
	uint64_t crc = crc64nvme(0, source, strlen(source) + 1);
	char *out;
	size_t i;

	base = base != NULL ? base + 1 : source;
	for (i = 0; i < 40 && base[i] != '\0'; i++)
		buf_addc(
		    &name, strchr(allowed, base[i]) != NULL ? base[i] : '_');
	if (name.len == 0)
		buf_adds(&name, "root");
	if (name.data[0] == '.')
		name.data[0] = '_';
	crc = crc64nvme(crc, target, strlen(target));
	if (endpoint[0] != '\0')
		crc = crc64nvme(crc, endpoint, strlen(endpoint));
	buf_addf(&name, "-%016" PRIx64, crc);
	out = buf_take(&name);
	if (out == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return out;
}

int
task_check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_BYTES || name[0] == '.' ||
	    strspn(name, allowed) < n)
		return err_set(e, ERR_USAGE,
		    "not a task name: \"%s\" (letters, digits, '.', '_' and "
		    "'-', not beginning with '.', at most %d of them)",
		    name, NAME_MAX_BYTES);
	return 0;
}

static char *
ledger_path(const char *state_dir, const char *name)
{
	AUTO(buf) struct buf path = BUF_INIT(1 << 16);

	buf_addf(&path, "%s/%s/ledger.db", state_dir, name);
	return buf_take(&path);
}

bool
task_exists(const char *state_dir, const char *name)
{
	AUTO(free) char *path = ledger_path(state_dir, name);

	return path != NULL && access(path, F_OK) == 0;
}

static int
has_ledger(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

char **
task_names(const char *state_dir, struct err *e)
{
	struct dirent **found = NULL;
	char **names;
	size_t n = 0;
	int i, count = scandir(state_dir, &found, has_ledger, alphasort);

	if (count == -1 && errno != ENOENT) {
		err_sys(e, "state directory %s", state_dir);
		return NULL;
	}
	names = calloc((size_t)(count > 0 ? count : 0) + 1, sizeof(*names));
	for (i = 0; i < count; i++) {
		if (names != NULL && task_exists(state_dir, found[i]->d_name))
			names[n++] = strdup(found[i]->d_name);
		free(found[i]);
	}
	free(found);
	if (names == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return names;
}

void
task_names_free(char **names)
{
	size_t i;

	for (i = 0; names != NULL && names[i] != NULL; i++)
		free(names[i]);
	free(names);
}

/* Which of NAMES is meant, if none was named. */
static const char *
only_task(char **names, const char *state_dir, struct err *e)
{
	AUTO(buf) struct buf list = BUF_INIT(300);
	size_t i;

	if (names[0] == NULL) {
		err_set(e, ERR_NOTFOUND,
		    "no task has run yet (state directory %s): see --state-dir",
		    state_dir);
		return NULL;
	}
	if (names[1] == NULL)
		return names[0];
	/* What is too long for a message is cut. */
	for (i = 0; names[i] != NULL && !buf_failed(&list); i++)
		buf_addf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
	err_set(e, ERR_USAGE, "say by --task which one is meant: %s%s",
	    buf_str(&list), buf_failed(&list) ? ", ... (dray status)" : "");
	return NULL;
}

struct ledger *
task_open_for_reading(
    const char *state_dir, const char *name, char **found, struct err *e)
{
	char **names = NULL, *aside;

	*found = NULL;
	if (name == NULL) {
		names = task_names(state_dir, e);
		name = names != NULL ? only_task(names, state_dir, e) : NULL;
	}
	if (name != NULL && (*found = strdup(name)) == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	task_names_free(names);
	return *found != NULL
	    ? ledger_open(state_dir, *found, LEDGER_READ, &aside, e)
	    : NULL;
}

int
task_find_run(struct ledger *l, const char *name, uint64_t id,
    struct ledger_run *out, struct err *e)
{
	struct ledger_run run;
	int rc = ledger_run_get(l, INT64_MAX, &run, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_NOTFOUND, "task %s has no run yet", name);
	if (id != 0 && id < run.id)
		rc = ledger_run_get(l, id, out, e);
	else
		*out = run;
	if (rc == -1)
		return -1;
	if (rc == 0 || (id != 0 && out->id != id))
		return err_set(e, ERR_NOTFOUND,
		    "task %s has no run %" PRIu64 ": its last one is %" PRIu64,
		    name, id, run.id);
	return 0;
}
