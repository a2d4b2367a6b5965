/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/daemon/courier.h"
#include "base/clock.h"
#include "base/log.h"

#define EVERY_MS 60000
/* After an errand that failed. */
#define AGAIN_MS 600000
/* A receiver may be down for hours, and have another URL then. */
#define LASTS "1m"

struct courier {
	struct courier_config config;
	struct run *run; /* NULL: at home */
	bool on_errand;
	uint64_t next_ms;
	uint64_t errand_ms; /* none before */
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
	    {"drain", NULL},
	};
	size_t i;

	if (conf_words_add_subscriptions(w, c->config.subscriptions_dir, e) ==
	    -1)
		return -1;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (conf_words_add(w, words[i].name, words[i].value, e) == -1)
			return -1;
	return 0;
}

static void
go(struct courier *c, const char *title, enum verb_id verb,
    const struct conf_words *words, run_main_fn *fn)
{
	struct run_order order = {
	    .title = title,
	    .verb = verb,
	    .words = words->words,
	    .words_n = words->n,
	    .main = fn,
	};
	struct err e = ERR_INIT;

	c->run = run_start(&order, c->config.loop, &e);
	if (c->run == NULL)
		log_error("%s: can't be sent: %s", title, e.msg);
}

static void
go_on_errand(struct courier *c, uint64_t now_ms)
{
	struct courier_errand errand = {.title = NULL};
	struct err e = ERR_INIT;
	int rc;

	if (c->config.errand == NULL || now_ms < c->errand_ms)
		return;
	rc = c->config.errand(c->config.arg, &errand, &e);
	if (rc == -1)
		log_error("events: %s", e.msg);
	if (rc != 0)
		c->errand_ms = now_ms + AGAIN_MS;
	if (rc == 1)
		go(c, errand.title, errand.verb, &errand.words,
		    c->config.errand_main);
	c->on_errand = c->run != NULL;
	conf_words_free(&errand.words);
}

static void
go_round(struct courier *c)
{
	struct conf_words words = {.n = 0};
	struct err e = ERR_INIT;

	if (compose(c, &words, &e) == 0)
		go(c, "events", VERB_EVENTS, &words, c->config.main);
	else
		log_error("events: can't be sent: %s", e.msg);
	conf_words_free(&words);
}

uint64_t
courier_tick(struct courier *c, uint64_t now_ms)
{
	if (c->run != NULL || c->stopped)
		return EVERY_MS;
	if (now_ms < c->next_ms)
		return c->next_ms - now_ms;
	c->next_ms = now_ms + EVERY_MS;
	go_on_errand(c, now_ms);
	if (c->run == NULL &&
	    (has_subscribers(c->config.subscriptions_dir) ||
		c->config.archives(c->config.arg)))
		go_round(c);
	return EVERY_MS;
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
	if (c->on_errand && end.exit_code == 0) {
		c->config.errand_done(c->config.arg);
		c->errand_ms = 0;
		c->next_ms = 0;
	}
	c->on_errand = false;
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
