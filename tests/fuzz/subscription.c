/* SPDX-License-Identifier: ISC */
/* Settings of a subscription, a line each: "key=value". */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/subscription.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
set_line(struct subscription *s, char *line)
{
	char *value = strchr(line, '=');
	struct err e = ERR_INIT;

	if (value == NULL)
		return;
	*value++ = '\0';
	/* No files are to be opened. */
	if (strstr(value, "file:") != NULL || strcmp(line, "client-cert") == 0)
		return;
	if (subscription_set(s, line, value, &e) == -1 &&
	    (e.kind == ERR_NONE || e.msg[0] == '\0'))
		abort();
}

/* Nothing but whole headers, each of one line. */
static void
check_headers(const struct subscription *s)
{
	AUTO(buf) struct buf out = BUF_SECRET_INIT(1 << 16);
	size_t i;

	access_headers(s->access, NULL, &out);
	for (i = 0; i < out.len; i++)
		if ((out.data[i] > '\0' && out.data[i] < ' ') ||
		    (out.data[i] == '\0' && i > 0 && out.data[i - 1] == '\0'))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	AUTO(subscription)
	struct subscription *s = subscription_new("fuzz", &e);
	AUTO(free) char *text = malloc(size + 1);
	char *line, *next;

	if (s == NULL || text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		set_line(s, line);
	}
	/* What is taken is a URL that no header can be smuggled into. */
	if (subscription_finish(s, &e) == -1)
		return 0;
	check_headers(s);
	if ((s->url == NULL || strpbrk(s->url, " \r\n\t") != NULL ||
		strncmp(s->url, "http", 4) != 0 ||
		(s->guard.plain && s->guard.n == 0)))
		abort();
	return 0;
}
