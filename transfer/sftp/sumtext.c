/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/sftp/sumtext.h"

#define LINE_MAX_BYTES 40 /* of a marker, after the nonce */

/* In single quotes nothing but the quote itself means anything. */
static void
quote(struct buf *out, const char *s)
{
	buf_addc(out, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '\'');
}

/* A line of its own, whatever the command left behind. */
static void
mark(struct buf *out, const char *nonce, uint64_t serial)
{
	buf_addf(out, "; r=$?; echo; echo %s %" PRIu64 " $r\n", nonce, serial);
}

void
sumtext_hello(struct buf *out, const char *nonce, const char *command)
{
	buf_adds(out, "LC_ALL=C; export LC_ALL\ndray_sum() { eval ");
	quote(out, command);
	buf_adds(out, "; }\n:");
	mark(out, nonce, 0);
	buf_adds(out,
	    "echo a" SUMTEXT_TRIAL "c | tail -c +2 | head -c 1 | "
	    "dray_sum 2>&1");
	mark(out, nonce, 1);
	buf_adds(out, "exec 2>/dev/null\n");
}

void
sumtext_ask(struct buf *out, const char *nonce, uint64_t serial,
    const char *path, uint64_t offset, uint64_t len)
{
	/* By redirection: no name is taken for an option. */
	if (offset == 0 && len == SUMTEXT_WHOLE)
		buf_adds(out, "{ dray_sum; } <");
	else
		buf_addf(out,
		    "{ tail -c +%" PRIu64 " | head -c %" PRIu64
		    " | dray_sum; } <",
		    offset + 1, len);
	quote(out, path);
	mark(out, nonce, serial);
}

/* "SERIAL STATUS" */
static bool
parse_marker(const char *p, size_t len, struct sumtext_answer *out)
{
	char line[LINE_MAX_BYTES + 1], *end;

	if (len == 0 || len > LINE_MAX_BYTES || memchr(p, '\0', len) != NULL)
		return false;
	memcpy(line, p, len);
	line[len] = '\0';
	if (line[0] < '0' || line[0] > '9')
		return false;
	out->serial = strtoull(line, &end, 10);
	if (end[0] != ' ' || end[1] < '0' || end[1] > '9')
		return false;
	out->status = (unsigned)strtoul(end + 1, &end, 10);
	return *end == '\0';
}

int
sumtext_next(const char *p, size_t n, const char *nonce,
    struct sumtext_answer *out, struct err *e)
{
	struct sumtext_answer a = {.text = p};
	size_t nonce_len = strlen(nonce);
	const char *at, *line, *end;

	at = memmem(p, n, nonce, nonce_len);
	if (at == NULL)
		return 0;
	line = at + nonce_len;
	end = memchr(line, '\n', n - (size_t)(line - p));
	if (end == NULL && n - (size_t)(line - p) <= LINE_MAX_BYTES)
		return 0;
	if (at == p || at[-1] != '\n' || end == NULL || *line != ' ' ||
	    !parse_marker(line + 1, (size_t)(end - line - 1), &a))
		return err_set(
		    e, ERR_PROTOCOL, "the shell's answer makes no sense");
	a.len = (size_t)(at - p);
	a.used = (size_t)(end + 1 - p);
	*out = a;
	return 1;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
sumtext_digest(const char *text, size_t len, uint8_t *out, size_t size)
{
	size_t i = 0;

	while (i < len) {
		size_t from = i;

		while (i < len && !is_space(text[i]))
			i++;
		if (text_unhex(text + from, i - from, out, size))
			return true;
		i++;
	}
	return false;
}
