/* SPDX-License-Identifier: ISC */
/*
 * Templates and what they are filled with: the first line is the template, the
 * second is the names' pointers, the rest is the event.  What comes out is
 * always JSON.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The line at *AT, and *AT behind it. */
static const char *
line(const char **at, const char *end, size_t *len)
{
	const char *s = *at;
	const char *nl = s < end ? memchr(s, '\n', (size_t)(end - s)) : NULL;

	*len = (size_t)((nl != NULL ? nl : end) - s);
	*at = nl != NULL ? nl + 1 : end;
	return s;
}

static void
refused(const struct err *e)
{
	if (e->kind != ERR_CONFIG || e->msg[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *text;
	AUTO(template) struct template *t = NULL;
	AUTO(template_paths) struct template_paths *p = NULL;
	AUTO(jdoc) struct jdoc *event = NULL, *made = NULL;
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	size_t len;

	if (size == 0 || size > 8192)
		return 0;
	text = line(&at, end, &len);
	t = template_new(text, len, &e);
	if (t == NULL)
		refused(&e);
	text = line(&at, end, &len);
	p = template_paths_new(text, len, &e);
	if (p == NULL)
		refused(&e);
	if (t == NULL || p == NULL)
		return 0;
	if (template_bind(t, p, &e) == -1) {
		refused(&e);
		return 0;
	}
	event = jdoc_parse(at, (size_t)(end - at), &e);
	if (event == NULL)
		return 0;
	template_fill(t, jdoc_root(event), &out);
	if (buf_failed(&out))
		return 0;
	made = jdoc_parse(buf_str(&out), out.len, &e);
	/* Two that are deep make one that is too deep. */
	if (made == NULL && strstr(e.msg, "nested too deeply") == NULL)
		abort();
	return 0;
}
