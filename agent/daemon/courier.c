/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/daemon/conf_words.h"
#include "agent/daemon/courier.h"
#include "base/clock.h"
#include "base/log.h"

#define EVERY_MS 60000
/* A receiver may be down for hours, and have another URL then. */
#define LASTS "1m"

struct courier {
	struct courier_config config;
	struct run *run; /* NULL: at home */
	uint64_t next_ms;
	bool stopped;
};

struct courier *
courier_new(const struct courier_config *config, struct err *e)
{
	struct courier *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->config = *config;
	return c;
}

void
courier_free(struct courier *c)
{
	if (c == NULL)
		return;
	run_free(c->run);
	free(c);
}

void
courier_call(struct courier *c)
{
	c->next_ms = 0;
}

void
courier_recall(struct courier *c)
{
	if (c->run != NULL)
		run_stop(c->run);
	c->next_ms = 0;
}

static bool
has_subscribers(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *de;
	bool found = false;

	while (d != NULL && !found && (de = readdir(d)) != NULL)
		found = de->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return found;
}

static int
compose(const struct courier *c, struct conf_words *w, struct err *e)
{
	const struct {
		const char *name, *value;
	} words[] = {
	    {"-q", NULL},
	    {"--for", LASTS},
	    {"--state-dir", c->config.state_dir},
	    {"--subscriptions-dir", c->config.subscriptions_dir},
	    {"drain", NULL},
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (conf_words_add(w, words[i].name, words[i].value, e) == -1)
			return -1;
	return 0;
}

static void
go(struct courier *c)
{
	struct conf_words words = {.n = 0};
	struct err e = ERR_INIT;

	if (compose(c, &words, &e) == 0) {
		struct run_order order = {
		    .title = "events",
		    .verb = VERB_EVENTS,
		    .words = words.words,
		    .words_n = words.n,
		    .main = c->config.main,
		};

		c->run = run_start(&order, c->config.loop, &e);
	}
	conf_words_free(&words);
	if (c->run == NULL)
		log_error("events: can't be sent: %s", e.msg);
}

uint64_t
courier_tick(struct courier *c, uint64_t now_ms)
{
	if (c->run != NULL || c->stopped)
		return EVERY_MS;
	if (now_ms >= c->next_ms) {
		c->next_ms = now_ms + EVERY_MS;
		if (has_subscribers(c->config.subscriptions_dir))
			go(c);
	}
	return c->next_ms - now_ms;
}

void
courier_reap(struct courier *c, uint64_t now_ms)
{
	struct run_end end;
	int status;

	if (c->run == NULL || waitpid(run_pid(c->run), &status, WNOHANG) <= 0)
		return;
	run_reaped(c->run, status, &end);
	run_free(TAKE(c->run));
	/* What is left waits for its receiver. */
	if (c->next_ms != 0)
		c->next_ms = now_ms + EVERY_MS;
}

void
courier_stop(struct courier *c)
{
	c->stopped = true;
	if (c->run != NULL)
		run_stop(c->run);
}

bool
courier_is_up(const struct courier *c)
{
	return c->run != NULL;
}
