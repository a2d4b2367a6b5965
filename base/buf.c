/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf)BUF_INIT(max);
}

static void
give_back(struct buf *b)
{
	if (b->secret && b->data != NULL)
		explicit_bzero(b->data, b->cap);
	free(b->data);
}

void
buf_free(struct buf *b)
{
	bool secret = b->secret;

	give_back(b);
	buf_init(b, b->max);
	b->secret = secret;
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* realloc() would leave a copy behind. */
static char *
move_secret(struct buf *b, size_t cap)
{
	char *p = malloc(cap);

	if (p == NULL)
		return NULL;
	if (b->data != NULL)
		memcpy(p, b->data, b->len);
	give_back(b);
	return p;
}

/* Makes room for N more bytes and a NUL. */
static bool
reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap : 64;
	char *p;

	if (b->failed || b->max < b->len || n > b->max - b->len ||
	    b->max == SIZE_MAX) {
		b->failed = true;
		return false;
	}
	if (b->len + n + 1 <= b->cap)
		return true;
	while (cap < b->len + n + 1)
		cap = cap > SIZE_MAX / 2 ? b->len + n + 1 : cap * 2;
	p = b->secret ? move_secret(b, cap) : realloc(b->data, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void
buf_expect(struct buf *b, size_t n)
{
	reserve(b, n);
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list ap;
	int n;

	/* Mostly it fits, and is written once. */
	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		if (room > 0)
			b->data[b->len] = '\0';
		b->failed = true;
		return;
	}
	if ((size_t)n >= room) {
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

const char *
buf_str(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *
buf_take(struct buf *b)
{
	char *p;

	buf_add(b, "", 0);
	if (b->failed)
		return NULL;
	p = b->data;
	buf_init(b, b->max);
	return p;
}
