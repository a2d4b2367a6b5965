/* SPDX-License-Identifier: ISC */
/* dray events: what happened, who was told, and patterns tried on it. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/cli/cmd.h"
#include "agent/cli/events_verbs.h"
#include "agent/cli/events_verify.h"
#include "agent/events/pattern.h"
#include "base/json.h"

#define EVENT_MAX (1 << 20) /* no event is as long */

static int
read_event(struct buf *text, struct err *e)
{
	char chunk[1 << 14];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		buf_add(text, chunk, n);
	if (ferror(stdin))
		return err_sys(e, "standard input");
	if (buf_failed(text))
		return err_set(
		    e, ERR_USAGE, "event: longer than %d bytes", EVENT_MAX);
	return 0;
}

/* 1, 0, -1 */
static int
match(const char *text, struct err *e)
{
	AUTO(pattern) struct pattern *p = NULL;
	AUTO(buf) struct buf event = BUF_INIT(EVENT_MAX);
	AUTO(jdoc) struct jdoc *doc = NULL;

	if (text == NULL)
		return err_set(e, ERR_USAGE,
		    "say which pattern is to be tried: --pattern PATTERN");
	p = pattern_new(text, strlen(text), e);
	if (p == NULL)
		return err_context(e, "--pattern");
	if (read_event(&event, e) == -1)
		return -1;
	doc = jdoc_parse(buf_str(&event), event.len, e);
	if (doc == NULL)
		return err_context(e, "event");
	if (jdoc_root(doc)->type != JDOC_OBJECT)
		return err_set(e, ERR_USAGE, "event: not an object: {...}");
	return pattern_match(p, jdoc_root(doc), e);
}

static int
cmd_match(const struct options *o)
{
	AUTO(buf) struct buf out = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct json j;
	int rc = match(o->pattern, &e);

	if (rc == -1) {
		cmd_fail(&e);
		return 2; /* 1 would say that it doesn't match */
	}
	if (o->json) {
		json_begin(&j, &out);
		json_object(&j, NULL);
		json_bool(&j, "match", rc == 1);
		json_object_end(&j);
		printf("%s\n", buf_str(&out));
	} else if (o->verbosity >= 0) {
		puts(rc == 1 ? "match" : "no match");
	}
	return rc == 1 ? 0 : 1;
}

static int
cmd_genuine(const struct options *o)
{
	AUTO(buf) struct buf request = BUF_INIT(EVENT_MAX);
	struct err e = ERR_INIT;
	int rc = read_event(&request, &e);

	if (rc == 0)
		rc = events_verify(o, &request, &e);
	if (rc == -1) {
		cmd_fail(&e);
		return 2; /* 1 would say that it is forged */
	}
	return rc == 1 ? 0 : 1;
}

static const struct {
	const char *name;
	events_fn *fn;
	int most; /* operands behind the name */
} verbs[] = {
    {"tail", events_tail, 0},
    {"show", events_show, 1},
    {"attempts", events_attempts, 1},
    {"dead", events_dead, 2},
    {"redrive", events_redrive, 1},
    {"replay", events_replay, 0},
    {"drain", events_drain, 0},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

int
cmd_events(const struct options *o, int argc, char **argv)
{
	struct err e = ERR_INIT;
	size_t i;

	if (strcmp(argv[0], "match") == 0 && argc == 1)
		return cmd_match(o);
	if (strcmp(argv[0], "verify") == 0 && argc == 1)
		return cmd_genuine(o);
	for (i = 0; i < VERBS && strcmp(argv[0], verbs[i].name) != 0; i++)
		;
	if (i == VERBS || argc - 1 > verbs[i].most)
		err_set(&e, ERR_USAGE,
		    "no verb \"events %.100s\"%s; see dray events --help",
		    argv[0], i == VERBS ? "" : " with so many words behind it");
	else if (verbs[i].fn(o, argc - 1, argv + 1, &e) == 0)
		return 0;
	return cmd_fail(&e);
}
