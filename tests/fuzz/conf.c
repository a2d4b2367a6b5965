/* SPDX-License-Identifier: ISC */
/* The files that say what the daemon does: a task's, and dray.conf. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/daemon/conf.h"
#include "agent/daemon/conf_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/dray-fuzz.XXXXXX";
static char path[sizeof(dir) + 8];

static void
need(bool claim)
{
	if (!claim)
		abort();
}

static void
clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

static void
write_file(const uint8_t *data, size_t size)
{
	FILE *f;

	if (path[0] == '\0') {
		need(mkdtemp(dir) != NULL);
		snprintf(path, sizeof(path), "%s/t.conf", dir);
		atexit(clean_up);
	}
	f = fopen(path, "w");
	need(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

/* What is refused has a place and a reason. */
static void
check_error(const struct err *e)
{
	need(e->kind != ERR_NONE && e->msg[0] != '\0');
	need(e->kind == ERR_NOMEM || strncmp(e->msg, path, strlen(path)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_words defaults = {.n = 0};
	struct schedule_state state = {.since_us = 1711845000000000};
	struct err e = ERR_INIT;
	AUTO(task_conf) struct task_conf *t = NULL;
	AUTO(daemon_conf) struct daemon_conf *d = NULL;

	if (size > 65536)
		return 0;
	write_file(data, size);
	t = task_conf_load(path, &defaults, &e);
	if (t == NULL) {
		check_error(&e);
	} else {
		need(t->source != NULL && t->target != NULL);
		need(strcmp(t->name, "t") == 0);
		schedule_decide(&t->schedule, &state, state.since_us + 1, NULL);
	}
	e = (struct err)ERR_INIT;
	d = daemon_conf_load(path, true, &e);
	if (d == NULL)
		check_error(&e);
	else
		need(d->control[0] == '/' && d->state_dir[0] == '/' &&
		    d->max_runs > 0);
	return 0;
}
