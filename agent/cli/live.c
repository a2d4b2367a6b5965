/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/cli/live.h"
#include "agent/reach.h"
#include "agent/stop.h"
#include "agent/ui_line.h"
#include "base/text.h"

#define EVERY_MS 1000
#define LINE_MAX_BYTES (64 << 10)

struct screen {
	struct ask *ask;
	bool in_place;
	size_t columns; /* 0: any width */
	size_t drawn;	/* lines */
	int answered;	/* as ask_or_look() returned last; -1: not yet */
	struct buf now, before;
};

static uint64_t
number(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_NUMBER ? strtoull(n->text, NULL, 10)
						   : 0;
}

/* The line that the run itself would show. */
static void
add_progress(struct buf *out, const struct jdoc_node *p, size_t columns)
{
	const struct jdoc_node *scanning = jdoc_member(p, "scanning");
	const struct jdoc_node *stats = jdoc_member(p, "stats");
	struct progress_view v = {
	    .in_flight = number(p, "in_flight"),
	    .elapsed_ms = number(p, "elapsed_ms"),
	    .sent_per_s = number(p, "bytes_per_second"),
	    .scanning = scanning != NULL && scanning->type == JDOC_TRUE,
	};

#define STATS_READ(name) v.stats.name = number(stats, #name);
	STATS_COUNTERS(STATS_READ)
#undef STATS_READ
	progress_line(out, &v, columns);
}

static void
add_rest(struct buf *out, const struct jdoc_node *task)
{
	const char *outcome = ask_text(task, "outcome");
	const char *ended = ask_text(task, "ended");
	const char *next = ask_text(task, "next");
	const char *message = ask_text(task, "message");

	if (outcome[0] != '\0' && ended[0] != '\0')
		buf_addf(out, ", last run %s %s", outcome, ended);
	if (next[0] != '\0')
		buf_addf(out, ", next %s", next);
	if (message[0] != '\0') {
		buf_adds(out, ": ");
		text_escape(out, message, strlen(message));
	}
}

static void
add_line(struct screen *s, const struct jdoc_node *task)
{
	const struct jdoc_node *progress = jdoc_member(task, "progress");
	AUTO(buf) struct buf line = BUF_INIT(LINE_MAX_BYTES);

	buf_addf(
	    &line, "%s: %s", ask_text(task, "task"), ask_text(task, "state"));
	if (progress != NULL) {
		size_t used = line.len + 2;

		buf_adds(&line, "  ");
		add_progress(&line, progress,
		    s->columns > used ? s->columns - used : s->columns);
	} else {
		add_rest(&line, task);
	}
	if (s->columns > 0 && line.len > s->columns)
		line.len = s->columns;
	buf_add(&s->now, line.data, line.len);
	buf_addc(&s->now, '\n');
}

/* Each line above its predecessor, or each that is another one below. */
static void
draw(struct screen *s)
{
	const char *line = buf_str(&s->now), *end;
	size_t n = 0;

	if (s->in_place && s->drawn > 0)
		printf("\033[%zuA", s->drawn);
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
		AUTO(buf) struct buf whole = BUF_INIT(LINE_MAX_BYTES);

		buf_addc(&whole, '\n');
		buf_add(&whole, line, (size_t)(end - line) + 1);
		if (s->in_place)
			printf("\r\033[K%s", buf_str(&whole) + 1);
		else if (strstr(buf_str(&s->before), buf_str(&whole)) == NULL)
			fputs(buf_str(&whole) + 1, stdout);
	}
	if (s->in_place)
		fputs("\033[J", stdout);
	s->drawn = n;
	fflush(stdout);
	buf_reset(&s->before);
	buf_addc(&s->before, '\n');
	buf_add(&s->before, s->now.data, s->now.len);
}

static size_t
columns_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col < 2)
		return 80;
	return size.ws_col - 1u;
}

static int
show(struct screen *s, struct err *e)
{
	const struct jdoc_node *n;
	int answered = ask_or_look(s->ask, "status", e);

	if (answered == -1)
		return -1;
	if (answered == 0 && s->answered != 0) {
		ask_say_silence(s->ask);
		s->drawn = 0;
	}
	s->answered = answered;
	s->columns = s->in_place ? columns_of_terminal() : 0;
	buf_reset(&s->now);
	for (n = ask_first(s->ask, "tasks"); n != NULL; n = n->next)
		add_line(s, n);
	draw(s);
	return 0;
}

int
live_view(struct ask *a, const char *task, struct err *e)
{
	const char *term = getenv("TERM");
	struct screen s = {
	    .ask = a,
	    .in_place = isatty(STDOUT_FILENO) == 1 && term != NULL &&
		strcmp(term, "dumb") != 0,
	    .answered = -1,
	    .now = BUF_INIT(ASK_REPLY_MAX),
	    .before = BUF_INIT(ASK_REPLY_MAX),
	};
	int rc;

	a->name = task;
	do {
		rc = show(&s, e);
	} while (rc == 0 && reach_pause(EVERY_MS, stop_soon_flag()));
	buf_free(&s.now);
	buf_free(&s.before);
	return rc;
}
