/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "base/text.h"
#include "transfer/s3/attrtext.h"

static size_t
base64_len(size_t n)
{
	return 4 * ((n + 2) / 3);
}

bool
attrtext_is_long(const struct buf *bytes)
{
	return base64_len(bytes->len) > ATTRTEXT_MAX;
}

void
attrtext_format(unsigned kinds, const struct buf *bytes, const char *digest,
    struct buf *out)
{
	char base64[ATTRTEXT_MAX + 1];

	if ((kinds & ATTRS_XATTRS) != 0)
		buf_addc(out, 'x');
	if ((kinds & ATTRS_ACLS) != 0)
		buf_addc(out, 'a');
	buf_addc(out, ':');
	if (attrtext_is_long(bytes)) {
		buf_adds(out, ATTRTEXT_DIGEST);
		buf_adds(out, digest);
	} else {
		text_base64(buf_str(bytes), bytes->len, base64);
		buf_adds(out, base64);
	}
}

static struct attrs *
nonsense(struct err *e)
{
	err_set(e, ERR_PROTOCOL, "no extended attributes of dray");
	return NULL;
}

/* The bytes that N characters of base64 stand for; SIZE_MAX: none do. */
static size_t
unbase64_len(const char *s, size_t n)
{
	size_t pad = n > 0 && s[n - 1] == '=';

	if (n % 4 != 0)
		return SIZE_MAX;
	if (n > 1 && s[n - 2] == '=')
		pad++;
	return n / 4 * 3 - pad;
}

/* A malloc'd copy of what N characters of base64 stand for, or NULL. */
static void *
unbase64(const char *s, size_t n, size_t *len)
{
	AUTO(free) void *bytes = NULL;

	*len = unbase64_len(s, n);
	if (*len == SIZE_MAX || (bytes = malloc(*len + 1)) == NULL ||
	    !text_unbase64(s, n, bytes, *len))
		return NULL;
	return TAKE(bytes);
}

struct attrs *
attrtext_parse(
    const char *text, unsigned *kinds, const char **digest, struct err *e)
{
	const size_t mark = strlen(ATTRTEXT_DIGEST);
	AUTO(free) void *bytes = NULL;
	unsigned found = 0;
	size_t len;

	*digest = NULL;
	for (; *text == 'x' || *text == 'a'; text++)
		found |= *text == 'x' ? ATTRS_XATTRS : ATTRS_ACLS;
	if (found == 0 || *text++ != ':')
		return nonsense(e);
	*kinds = found;
	if (strncmp(text, ATTRTEXT_DIGEST, mark) == 0) {
		text += mark;
		if (strlen(text) != ATTRTEXT_DIGEST_LEN ||
		    strspn(text, "0123456789abcdef") != ATTRTEXT_DIGEST_LEN)
			return nonsense(e);
		*digest = text;
		return NULL;
	}
	bytes = unbase64(text, strlen(text), &len);
	return bytes != NULL ? attrs_parse(bytes, len, found, e) : nonsense(e);
}

static void
skip_space(const char **s)
{
	*s += strspn(*s, " \t\r\n");
}

static bool
take_char(const char **s, char c)
{
	skip_space(s);
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* A JSON string without escapes, which neither names nor base64 need there. */
static bool
take_string(const char **s, const char **out, size_t *len)
{
	if (!take_char(s, '"'))
		return false;
	*out = *s;
	*len = strcspn(*s, "\"\\");
	*s += *len;
	return take_char(s, '"');
}

/* "name":"base64"; 1 if it was taken, 0 if it is no such thing, -1. */
static int
take_pair(const char **s, struct attrs *a, struct err *e)
{
	char name[ATTRS_NAME_MAX + 1];
	const char *n, *v;
	size_t n_len, v_len, len;
	AUTO(free) void *value = NULL;

	if (!take_string(s, &n, &n_len) || n_len >= sizeof(name) ||
	    !take_char(s, ':') || !take_string(s, &v, &v_len) ||
	    (value = unbase64(v, v_len, &len)) == NULL)
		return 0;
	memcpy(name, n, n_len);
	name[n_len] = '\0';
	/* What can't be carried is passed over. */
	if (attrs_kind(name) != 0 && attrs_add(a, name, value, len, e) == -1)
		return -1;
	return 1;
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* Percent-decodes S; no byte becomes a NUL. */
static bool
decode(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		int high, low;

		if (*s != '%') {
			buf_addc(out, *s);
			continue;
		}
		high = hex_digit(s[1]);
		low = high >= 0 ? hex_digit(s[2]) : -1;
		if (low < 0 || (high == 0 && low == 0))
			return false;
		buf_addc(out, (char)(high << 4 | low));
		s += 2;
	}
	return !buf_failed(out);
}

struct attrs *
attrtext_parse_s3fs(const char *text, struct err *e)
{
	AUTO(attrs) struct attrs *a = attrs_new(ATTRS_XATTRS, e);
	AUTO(buf) struct buf json = BUF_INIT(64 << 10);
	const char *s;
	int rc = 1;

	if (a == NULL)
		return NULL;
	if (!decode(text, &json))
		return nonsense(e);
	s = buf_str(&json);
	if (!take_char(&s, '{'))
		return nonsense(e);
	if (!take_char(&s, '}')) {
		do
			rc = take_pair(&s, a, e);
		while (rc == 1 && take_char(&s, ','));
		if (rc == 1 && !take_char(&s, '}'))
			rc = 0;
	}
	skip_space(&s);
	if (rc == -1)
		return NULL;
	if (rc == 0 || *s != '\0')
		return nonsense(e);
	if (attrs_any(a, ATTRS_ACLS))
		a->kinds |= ATTRS_ACLS;
	return TAKE(a);
}
