/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/bwlimit.h"
#include "agent/control_in.h"
#include "base/jdoc.h"
#include "base/log.h"
#include "base/text.h"

static int
unknown(const char *what, const struct jdoc_node *node, struct err *e)
{
	char name[60];

	return err_set(e, ERR_USAGE, "unknown %s \"%s\"", what,
	    text_escaped(node->key, node->key_len, name, sizeof(name)));
}

static int
parse_set(const struct jdoc_node *set, struct control *out, struct err *e)
{
	const struct jdoc_node *node;

	if (set->type != JDOC_OBJECT)
		return err_set(e, ERR_USAGE, "\"set\" must be an object");
	for (node = set->child; node != NULL; node = node->next) {
		if (!jdoc_key_is(node, "bwlimit"))
			return unknown("setting", node, e);
		if (node->type != JDOC_STRING)
			return err_set(
			    e, ERR_USAGE, "\"bwlimit\" must be a string");
		if (bwlimit_parse(node->text, &out->bwlimit, e) == -1)
			return err_context(e, "bwlimit");
		out->has_bwlimit = true;
	}
	return 0;
}

int
control_parse(const char *line, size_t len, struct control *out, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, e);
	const struct jdoc_node *node;
	struct control c = {.stop = CONTROL_GO_ON};

	if (doc == NULL)
		return -1;
	if (jdoc_root(doc)->type != JDOC_OBJECT)
		return err_set(e, ERR_USAGE, "not an object");
	for (node = jdoc_root(doc)->child; node != NULL; node = node->next) {
		if (jdoc_key_is(node, "set")) {
			if (parse_set(node, &c, e) == -1)
				return -1;
		} else if (!jdoc_key_is(node, "stop")) {
			return unknown("order", node, e);
		} else if (jdoc_is(node, "window")) {
			c.stop = CONTROL_STOP_WINDOW;
		} else if (jdoc_is(node, "now")) {
			c.stop = CONTROL_STOP_NOW;
		} else {
			return err_set(e, ERR_USAGE,
			    "\"stop\" must be \"window\" or \"now\"");
		}
	}
	*out = c;
	return 0;
}

void
control_in_init(struct control_in *c, int fd)
{
	c->fd = fd;
	c->too_long = false;
	buf_init(&c->line, CONTROL_LINE_MAX);
}

void
control_in_free(struct control_in *c)
{
	buf_free(&c->line);
}

/* The line is complete. */
static void
take_line(struct control_in *c,
    void (*fn)(void *arg, const struct control *order), void *arg)
{
	struct control order;
	struct err e = ERR_INIT;

	if (c->too_long)
		log_warn("control: ignored: a line of more than %d bytes",
		    CONTROL_LINE_MAX);
	else if (control_parse(buf_str(&c->line), c->line.len, &order, &e) == 0)
		fn(arg, &order);
	else
		log_warn("control: ignored: %s", e.msg);
	buf_reset(&c->line);
	c->too_long = false;
}

bool
control_in_read(struct control_in *c,
    void (*fn)(void *arg, const struct control *order), void *arg)
{
	char data[CONTROL_LINE_MAX];
	const char *p = data, *end;
	ssize_t n = read(c->fd, data, sizeof(data));
	size_t left;

	if (n == -1)
		return errno == EINTR || errno == EAGAIN;
	for (left = (size_t)n; left > 0; left -= (size_t)(end - p), p = end) {
		const char *newline = memchr(p, '\n', left);

		end = newline != NULL ? newline + 1 : p + left;
		buf_add(&c->line, p,
		    newline != NULL ? (size_t)(newline - p) : left);
		if (buf_failed(&c->line)) {
			c->too_long = true;
			buf_reset(&c->line);
		}
		if (newline != NULL)
			take_line(c, fn, arg);
	}
	return n > 0;
}
