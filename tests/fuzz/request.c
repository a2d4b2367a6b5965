/* SPDX-License-Identifier: ISC */
/* A line at the control socket: whatever it is, the answer is JSON. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/daemon/conf_words.h"
#include "agent/daemon/ops.h"
#include "agent/daemon/tasks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/dray-fuzz.XXXXXX";
static struct tasks *tasks;

static void
need(bool claim)
{
	if (!claim)
		abort();
}

static void
end(void)
{
	tasks_free(tasks);
}

/* One task, t; nothing is started, and nothing written. */
static void
begin(void)
{
	struct tasks_config config = {
	    .state_dir = dir,
	    .subscriptions_dir = dir,
	};
	struct conf_words defaults = {.n = 0};
	struct err e = ERR_INIT;
	char path[sizeof(dir) + 8];
	FILE *f;

	need(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/t.conf", dir);
	f = fopen(path, "w");
	need(f != NULL && fputs("source = /a\ntarget = /b\n", f) >= 0 &&
	    fclose(f) == 0);
	tasks = tasks_new(&config, &e);
	need(tasks != NULL &&
	    tasks_load(tasks, dir, &defaults, 1711845000000000, &e) == 0);
	need(tasks_count(tasks) == 1);
	unlink(path);
	rmdir(dir);
	atexit(end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	AUTO(jdoc)
	struct jdoc *doc = size <= CONSOLE_LINE_MAX
	    ? jdoc_parse((const char *)data, size, &e)
	    : NULL;
	AUTO(jdoc) struct jdoc *answer = NULL;
	AUTO(buf) struct buf reply = BUF_INIT(1 << 20);
	struct aside_order aside = {.main = NULL};
	const struct jdoc_node *ok;

	if (tasks == NULL)
		begin();
	if (doc == NULL || jdoc_root(doc)->type != JDOC_OBJECT)
		return 0;
	ops_answer(tasks, jdoc_root(doc), &reply, &aside);
	conf_words_free(&aside.words);
	if (aside.main != NULL)
		return 0;
	need(memchr(buf_str(&reply), '\n', reply.len) == NULL);
	answer = jdoc_parse(buf_str(&reply), reply.len, &e);
	need(answer != NULL);
	ok = jdoc_member(jdoc_root(answer), "ok");
	need(ok != NULL && (ok->type == JDOC_TRUE || ok->type == JDOC_FALSE));
	need(ok->type == JDOC_TRUE ||
	    jdoc_member(jdoc_root(answer), "message") != NULL);
	return 0;
}
