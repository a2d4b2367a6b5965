/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "transfer/bundle/lines.h"
#include "transfer/pack/index.h"

#define FIRST_BYTES ((size_t)1 << 16)

struct lines {
	int fd;
	char *data;
	size_t cap, len, at; /* lines begin at AT */
	uint64_t read_bytes; /* of the file */
	uint64_t number;
	uint64_t bytes;
};

struct lines *
lines_new(int fd, struct err *e)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->data = malloc(FIRST_BYTES);
	if (l == NULL || l->data == NULL) {
		free(l);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->fd = fd;
	l->cap = FIRST_BYTES;
	return l;
}

void
lines_free(struct lines *l)
{
	if (l != NULL)
		free(l->data);
	free(l);
}

/* 1, 0 at the end, -1. */
static int
read_more(struct lines *l, struct err *e)
{
	ssize_t n;

	memmove(l->data, l->data + l->at, l->len - l->at);
	l->len -= l->at;
	l->at = 0;
	if (l->len == l->cap) {
		char *more;

		if (l->cap > PACK_LINE_MAX)
			return err_set(e, ERR_PROTOCOL,
			    "line %llu is longer than any is",
			    (unsigned long long)l->number + 1);
		more = realloc(l->data, 2 * l->cap);
		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		l->data = more;
		l->cap *= 2;
	}
	do
		n = pread(l->fd, l->data + l->len, l->cap - l->len,
		    (off_t)l->read_bytes);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_sys(e, "read");
	l->len += (size_t)n;
	l->read_bytes += (uint64_t)n;
	return n > 0;
}

int
lines_next(struct lines *l, const char **line, size_t *len, struct err *e)
{
	size_t seen = 0;
	const char *end;
	int rc;

	while ((end = memchr(l->data + l->at + seen, '\n',
		    l->len - l->at - seen)) == NULL) {
		seen = l->len - l->at;
		rc = read_more(l, e);
		if (rc != 1)
			return rc;
	}
	*line = l->data + l->at;
	*len = (size_t)(end - *line);
	l->at += *len + 1;
	l->bytes += *len + 1;
	l->number++;
	return 1;
}

uint64_t
lines_number(const struct lines *l)
{
	return l->number;
}

uint64_t
lines_bytes(const struct lines *l)
{
	return l->bytes;
}
