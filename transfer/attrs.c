/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/attrs.h"
#include "verify/digest.h"

#define LENGTH_BYTES 4

unsigned
attrs_kind(const char *name)
{
	static const char *const spaces[] = {"user.", "trusted.", "security."};
	size_t i;

	if (strcmp(name, "system.posix_acl_access") == 0 ||
	    strcmp(name, "system.posix_acl_default") == 0)
		return ATTRS_ACLS;
	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		size_t n = strlen(spaces[i]);

		if (strncmp(name, spaces[i], n) == 0 && name[n] != '\0')
			return ATTRS_XATTRS;
	}
	return 0;
}

struct attrs *
attrs_new(unsigned kinds, struct err *e)
{
	struct attrs *a = calloc(1, sizeof(*a));

	if (a == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	else
		a->kinds = kinds;
	return a;
}

static void
attr_free(struct attr *one)
{
	free(one->name);
	free(one->value);
}

void
attrs_free(struct attrs *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->n; i++)
		attr_free(&a->each[i]);
	free(a->each);
	free(a);
}

struct attrs *
attrs_copy(const struct attrs *a, struct err *e)
{
	AUTO(attrs) struct attrs *copy = NULL;
	size_t i;

	if (a == NULL || (copy = attrs_new(a->kinds, e)) == NULL)
		return NULL;
	for (i = 0; i < a->n; i++)
		if (attrs_add(copy, a->each[i].name, a->each[i].value,
			a->each[i].len, e) == -1)
			return NULL;
	return TAKE(copy);
}

/* The place of NAME, or where it would be; *THERE says which. */
static size_t
place_of(const struct attrs *a, const char *name, bool *there)
{
	size_t low = 0, high = a->n;

	*there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(name, a->each[mid].name);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Room for one more at place AT. */
static int
make_room(struct attrs *a, size_t at, struct err *e)
{
	size_t cap = a->cap > 0 ? 2 * a->cap : 4;

	if (a->n == a->cap) {
		struct attr *more = realloc(a->each, cap * sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_NOMEM, "out of memory");
		a->each = more;
		a->cap = cap;
	}
	memmove(a->each + at + 1, a->each + at, (a->n - at) * sizeof(*a->each));
	return 0;
}

int
attrs_add(struct attrs *a, const char *name, const void *value, size_t len,
    struct err *e)
{
	size_t name_len = strlen(name), at;
	struct attr one;
	bool there;

	if (name_len > ATTRS_NAME_MAX || len > ATTRS_VALUE_MAX ||
	    attrs_kind(name) == 0)
		return err_set(e, ERR_PROTOCOL,
		    "an extended attribute with a name of %zu and a value of "
		    "%zu bytes can't be one",
		    name_len, len);
	if (a->bytes + name_len + 1 + LENGTH_BYTES + len > ATTRS_BYTES_MAX)
		return err_set(e, ERR_PROTOCOL,
		    "its extended attributes have over %zu bytes together",
		    ATTRS_BYTES_MAX);
	at = place_of(a, name, &there);
	if (there)
		return err_set(e, ERR_PROTOCOL, "an extended attribute twice");
	one = (struct attr){strdup(name), malloc(len + 1), len};
	if (one.name == NULL || one.value == NULL) {
		attr_free(&one);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	if (make_room(a, at, e) == -1) {
		attr_free(&one);
		return -1;
	}
	if (len > 0)
		memcpy(one.value, value, len);
	a->each[at] = one;
	a->n++;
	a->bytes += name_len + 1 + LENGTH_BYTES + len;
	return 0;
}

void
attrs_keep(struct attrs *a, unsigned kinds)
{
	size_t i, n = 0;

	for (i = 0; i < a->n; i++) {
		struct attr *one = &a->each[i];

		if ((attrs_kind(one->name) & kinds) != 0) {
			a->each[n++] = *one;
			continue;
		}
		a->bytes -= strlen(one->name) + 1 + LENGTH_BYTES + one->len;
		attr_free(one);
	}
	a->n = n;
	a->kinds &= kinds;
}

int
attrs_merge(struct attrs *a, const struct attrs *from, struct err *e)
{
	unsigned take = from != NULL ? from->kinds & ~a->kinds : 0;
	size_t i;

	for (i = 0; take != 0 && i < from->n; i++) {
		const struct attr *one = &from->each[i];

		if ((attrs_kind(one->name) & take) != 0 &&
		    attrs_add(a, one->name, one->value, one->len, e) == -1)
			return -1;
	}
	a->kinds |= take;
	return 0;
}

const struct attr *
attrs_find(const struct attrs *a, const char *name)
{
	bool there;
	size_t at = place_of(a, name, &there);

	return there ? &a->each[at] : NULL;
}

bool
attrs_any(const struct attrs *a, unsigned kind)
{
	size_t i;

	for (i = 0; a != NULL && i < a->n; i++)
		if ((attrs_kind(a->each[i].name) & kind) != 0)
			return true;
	return false;
}

static void
length_bytes(size_t len, uint8_t out[LENGTH_BYTES])
{
	out[0] = (uint8_t)(len >> 24);
	out[1] = (uint8_t)(len >> 16);
	out[2] = (uint8_t)(len >> 8);
	out[3] = (uint8_t)len;
}

uint64_t
attrs_mark(const struct attrs *a, unsigned kinds)
{
	uint64_t mark = 0;
	uint8_t length[LENGTH_BYTES];
	size_t i;

	for (i = 0; a != NULL && i < a->n; i++) {
		const struct attr *one = &a->each[i];

		if ((attrs_kind(one->name) & kinds) == 0)
			continue;
		length_bytes(one->len, length);
		mark = crc64nvme(mark, one->name, strlen(one->name) + 1);
		mark = crc64nvme(mark, length, sizeof(length));
		mark = crc64nvme(mark, one->value, one->len);
	}
	return (mark & ~(uint64_t)(ATTRS_XATTRS | ATTRS_ACLS)) | kinds;
}

void
attrs_format(const struct attrs *a, struct buf *out)
{
	uint8_t length[LENGTH_BYTES];
	size_t i;

	for (i = 0; i < a->n; i++) {
		const struct attr *one = &a->each[i];

		length_bytes(one->len, length);
		buf_add(out, one->name, strlen(one->name) + 1);
		buf_add(out, length, sizeof(length));
		buf_add(out, one->value, one->len);
	}
}

/* The first of the *N bytes at *P, which it is taken from; 1, 0 if it is none
 * of A's kinds or nothing like it, -1. */
static int
take_first(struct attrs *a, const uint8_t **p, size_t *n, struct err *e)
{
	const char *name = (const char *)*p;
	size_t name_len = strnlen(name, *n), head = name_len + 1, len;
	const uint8_t *at = *p + head;

	if (*n < head + LENGTH_BYTES)
		return 0;
	len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 |
	    at[3];
	head += LENGTH_BYTES;
	if (len > *n - head || (attrs_kind(name) & a->kinds) == 0)
		return 0;
	*p += head + len;
	*n -= head + len;
	return attrs_add(a, name, at + LENGTH_BYTES, len, e) == 0 ? 1 : -1;
}

struct attrs *
attrs_parse(const void *p, size_t n, unsigned kinds, struct err *e)
{
	AUTO(attrs) struct attrs *a = attrs_new(kinds, e);
	const uint8_t *at = p;
	int rc = 1;

	if (a == NULL)
		return NULL;
	while (n > 0 && rc == 1)
		rc = take_first(a, &at, &n, e);
	if (rc == 1)
		return TAKE(a);
	if (rc == 0)
		err_set(
		    e, ERR_PROTOCOL, "extended attributes that make no sense");
	return NULL;
}
