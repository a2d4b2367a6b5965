/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

void
json_begin(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

/* How many characters S begins with that stand for themselves, of ASCII. */
static size_t
plain(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\')
			break;
	return i;
}

static void
quoted(struct buf *out, const char *s, size_t n)
{
	size_t i = 0;

	buf_addc(out, '"');
	while (i < n) {
		unsigned char c = (unsigned char)s[i];
		size_t len = plain(s + i, n - i);

		if (len == 0)
			len = text_utf8_length(s + i, n - i);
		if (len == 0) {
			buf_adds(out, "\\ufffd");
			i++;
		} else if (c == '"' || c == '\\') {
			buf_addc(out, '\\');
			buf_addc(out, (char)c);
			i++;
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(out, "\\u%04x", c);
			i++;
		} else {
			buf_add(out, s + i, len);
			i += len;
		}
	}
	buf_addc(out, '"');
}

static void
lead_n(struct json *j, const char *key, size_t n)
{
	if (j->comma)
		buf_addc(j->out, ',');
	j->comma = true;
	if (key != NULL) {
		quoted(j->out, key, n);
		buf_addc(j->out, ':');
	}
}

static void
lead(struct json *j, const char *key)
{
	lead_n(j, key, key != NULL ? strlen(key) : 0);
}

void
json_object(struct json *j, const char *key)
{
	lead(j, key);
	buf_addc(j->out, '{');
	j->comma = false;
}

void
json_object_end(struct json *j)
{
	buf_addc(j->out, '}');
	j->comma = true;
}

void
json_array(struct json *j, const char *key)
{
	lead(j, key);
	buf_addc(j->out, '[');
	j->comma = false;
}

void
json_array_end(struct json *j)
{
	buf_addc(j->out, ']');
	j->comma = true;
}

void
json_string(struct json *j, const char *key, const char *s, size_t n)
{
	lead(j, key);
	quoted(j->out, s, n);
}

void
json_str(struct json *j, const char *key, const char *s)
{
	json_string(j, key, s, strlen(s));
}

void
json_uint(struct json *j, const char *key, uint64_t v)
{
	lead(j, key);
	buf_addf(j->out, "%" PRIu64, v);
}

void
json_int(struct json *j, const char *key, int64_t v)
{
	lead(j, key);
	buf_addf(j->out, "%" PRId64, v);
}

void
json_bool(struct json *j, const char *key, bool v)
{
	lead(j, key);
	buf_adds(j->out, v ? "true" : "false");
}

void
json_double(struct json *j, const char *key, double v)
{
	lead(j, key);
	if (isfinite(v))
		buf_addf(j->out, "%.3f", v);
	else
		buf_adds(j->out, "null");
}

static void
write_node(struct json *j, const struct jdoc_node *v)
{
	static const char *const words[] = {
	    [JDOC_NULL] = "null",
	    [JDOC_TRUE] = "true",
	    [JDOC_FALSE] = "false",
	};
	const struct jdoc_node *n;

	switch (v->type) {
	case JDOC_NULL:
	case JDOC_TRUE:
	case JDOC_FALSE:
		buf_adds(j->out, words[v->type]);
		break;
	case JDOC_NUMBER:
		buf_add(j->out, v->text, v->len);
		break;
	case JDOC_STRING:
		quoted(j->out, v->text, v->len);
		break;
	case JDOC_ARRAY:
	case JDOC_OBJECT:
		buf_addc(j->out, v->type == JDOC_ARRAY ? '[' : '{');
		j->comma = false;
		for (n = v->child; n != NULL; n = n->next)
			json_member(j, n);
		buf_addc(j->out, v->type == JDOC_ARRAY ? ']' : '}');
		j->comma = true;
		break;
	}
}

void
json_member(struct json *j, const struct jdoc_node *member)
{
	lead_n(j, member->key, member->key_len);
	write_node(j, member);
}

void
json_value(struct json *j, const char *key, const struct jdoc_node *v)
{
	lead(j, key);
	write_node(j, v);
}

void
json_name(struct json *j, const char *key, const char *name, size_t n)
{
	AUTO(free) char *exact = NULL;
	AUTO(buf) struct buf k = BUF_INIT(256);

	json_string(j, key, name, n);
	if (text_is_utf8(name, n))
		return;
	exact = malloc(4 * ((n + 2) / 3) + 1);
	if (exact == NULL) {
		j->out->failed = true;
		return;
	}
	text_base64(name, n, exact);
	buf_addf(&k, "%s_base64", key);
	json_str(j, buf_str(&k), exact);
}
