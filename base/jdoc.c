/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "base/jdoc.h"
#include "base/text.h"

#define BLOCK_NODES 64

struct block {
	struct block *next;
	size_t used;
	struct jdoc_node nodes[BLOCK_NODES];
};

struct jdoc {
	struct block *blocks;
	struct jdoc_node *root;
	char *text; /* strings are unescaped in it, where they stand */
	size_t len;
};

struct parser {
	struct jdoc *doc;
	char *p, *end;
	unsigned depth;
	struct err *e;
};

void
jdoc_free(struct jdoc *d)
{
	if (d == NULL)
		return;
	while (d->blocks != NULL) {
		struct block *next = d->blocks->next;

		free(d->blocks);
		d->blocks = next;
	}
	if (d->text != NULL)
		explicit_bzero(d->text, d->len); /* it may hold a secret */
	free(d->text);
	free(d);
}

static int
fail(struct parser *ps, const char *why)
{
	return err_set(ps->e, ERR_PROTOCOL, "no JSON: %s at byte %zu", why,
	    (size_t)(ps->p - ps->doc->text) + 1);
}

static struct jdoc_node *
new_node(struct parser *ps)
{
	struct block *b = ps->doc->blocks;

	if (b == NULL || b->used == BLOCK_NODES) {
		b = calloc(1, sizeof(*b));
		if (b == NULL) {
			err_set(ps->e, ERR_NOMEM, "out of memory");
			return NULL;
		}
		b->next = ps->doc->blocks;
		ps->doc->blocks = b;
	}
	return &b->nodes[b->used++];
}

static void
skip_space(struct parser *ps)
{
	while (ps->p < ps->end && *ps->p != '\0' &&
	    strchr(" \t\r\n", *ps->p) != NULL)
		ps->p++;
}

static bool
take(struct parser *ps, char c)
{
	if (ps->p == ps->end || *ps->p != c)
		return false;
	ps->p++;
	return true;
}

/* Four hex digits; -1 if they aren't there. */
static long
hex4(struct parser *ps)
{
	unsigned char bytes[2];

	if (ps->end - ps->p < 4 || !text_unhex(ps->p, 4, bytes, 2))
		return -1;
	ps->p += 4;
	return bytes[0] << 8 | bytes[1];
}

static char *
put_utf8(char *to, unsigned long c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* Behind "\u"; *TO moves on. */
static int
unicode_escape(struct parser *ps, char **to)
{
	long c = hex4(ps), low;

	if (c == -1)
		return fail(ps, "\\u without four hex digits");
	if (c >= 0xdc00 && c <= 0xdfff)
		return fail(ps, "half a surrogate pair before this");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!take(ps, '\\') || !take(ps, 'u') ||
		    (low = hex4(ps)) < 0xdc00 || low > 0xdfff)
			return fail(ps, "half a surrogate pair before this");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = put_utf8(*to, (unsigned long)c);
	return 0;
}

static int
escape(struct parser *ps, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (take(ps, 'u'))
		return unicode_escape(ps, to);
	at = ps->p < ps->end && *ps->p != '\0' ? strchr(from, *ps->p) : NULL;
	if (at == NULL)
		return fail(ps, "unknown escape");
	*(*to)++ = into[at - from];
	ps->p++;
	return 0;
}

/* Behind the opening quote; what comes out is never longer than what went in,
 * and takes the place of the closing one with its NUL. */
static int
string(struct parser *ps, const char **text, size_t *len)
{
	char *begin = ps->p, *to = ps->p;

	while (ps->p < ps->end && *ps->p != '"') {
		size_t n = text_utf8_length(ps->p, (size_t)(ps->end - ps->p));

		if (n == 0)
			return fail(ps, "a string that isn't UTF-8");
		if ((unsigned char)*ps->p < 0x20)
			return fail(ps, "a control character in a string");
		if (take(ps, '\\')) {
			if (escape(ps, &to) == -1)
				return -1;
			continue;
		}
		memmove(to, ps->p, n);
		to += n;
		ps->p += n;
	}
	if (!take(ps, '"'))
		return fail(ps, "a string without its end");
	*to = '\0';
	*text = begin;
	*len = (size_t)(to - begin);
	return 0;
}

static size_t
digits(struct parser *ps)
{
	char *begin = ps->p;

	while (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9')
		ps->p++;
	return (size_t)(ps->p - begin);
}

/* Its end can't be marked yet: a comma or bracket may stand there. */
static int
number(struct parser *ps, struct jdoc_node *node)
{
	char *begin = ps->p;
	bool zero;

	take(ps, '-');
	zero = ps->p < ps->end && *ps->p == '0';
	if (zero ? !take(ps, '0') : digits(ps) == 0)
		return fail(ps, "no value");
	if (take(ps, '.') && digits(ps) == 0)
		return fail(ps, "a number without a digit");
	if (take(ps, 'e') || take(ps, 'E')) {
		if (!take(ps, '+'))
			take(ps, '-');
		if (digits(ps) == 0)
			return fail(ps, "a number without a digit");
	}
	node->type = JDOC_NUMBER;
	node->text = begin;
	node->len = (size_t)(ps->p - begin);
	return 0;
}

static int
literal(struct parser *ps, struct jdoc_node *node)
{
	static const struct {
		const char *text;
		enum jdoc_type type;
	} words[] = {
	    {"null", JDOC_NULL}, {"true", JDOC_TRUE}, {"false", JDOC_FALSE}};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].text);

		if ((size_t)(ps->end - ps->p) < n ||
		    memcmp(ps->p, words[i].text, n) != 0)
			continue;
		ps->p += n;
		node->type = words[i].type;
		return 0;
	}
	return fail(ps, "no value");
}

static int value(struct parser *ps, struct jdoc_node *node);

static int
key(struct parser *ps, struct jdoc_node *node)
{
	skip_space(ps);
	if (!take(ps, '"'))
		return fail(ps, "no key");
	if (string(ps, &node->key, &node->key_len) == -1)
		return -1;
	skip_space(ps);
	return take(ps, ':') ? 0 : fail(ps, "no ':'");
}

/* Behind the opening bracket. */
static int
container(struct parser *ps, struct jdoc_node *node)
{
	bool object = node->type == JDOC_OBJECT;
	char close = object ? '}' : ']';
	struct jdoc_node **tail = &node->child;

	if (++ps->depth > JDOC_DEPTH_MAX)
		return fail(ps, "nested too deeply");
	skip_space(ps);
	if (!take(ps, close)) {
		do {
			struct jdoc_node *n = new_node(ps);

			if (n == NULL || (object && key(ps, n) == -1) ||
			    value(ps, n) == -1)
				return -1;
			*tail = n;
			tail = &n->next;
			skip_space(ps);
		} while (take(ps, ','));
		if (!take(ps, close))
			return fail(
			    ps, object ? "no ',' or '}'" : "no ',' or ']'");
	}
	ps->depth--;
	return 0;
}

static int
value(struct parser *ps, struct jdoc_node *node)
{
	skip_space(ps);
	if (take(ps, '"')) {
		node->type = JDOC_STRING;
		return string(ps, &node->text, &node->len);
	}
	if (take(ps, '{')) {
		node->type = JDOC_OBJECT;
		return container(ps, node);
	}
	if (take(ps, '[')) {
		node->type = JDOC_ARRAY;
		return container(ps, node);
	}
	if (ps->p < ps->end &&
	    (*ps->p == '-' || (*ps->p >= '0' && *ps->p <= '9')))
		return number(ps, node);
	return literal(ps, node);
}

struct jdoc *
jdoc_parse(const char *text, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *d = calloc(1, sizeof(*d));
	struct parser ps = {.doc = d, .e = e};

	if (d == NULL || (d->text = malloc(len + 1)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (len > 0)
		memcpy(d->text, text, len);
	d->text[len] = '\0';
	d->len = len;
	ps.p = d->text;
	ps.end = d->text + len;
	d->root = new_node(&ps);
	if (d->root == NULL || value(&ps, d->root) == -1)
		return NULL;
	skip_space(&ps);
	if (ps.p != ps.end) {
		fail(&ps, "something behind the value");
		return NULL;
	}
	return TAKE(d);
}

const struct jdoc_node *
jdoc_root(const struct jdoc *d)
{
	return d->root;
}

const struct jdoc_node *
jdoc_member(const struct jdoc_node *object, const char *name)
{
	const struct jdoc_node *n, *found = NULL;

	if (object == NULL || object->type != JDOC_OBJECT)
		return NULL;
	for (n = object->child; n != NULL; n = n->next)
		if (jdoc_key_is(n, name))
			found = n;
	return found;
}

bool
jdoc_is(const struct jdoc_node *node, const char *text)
{
	return node != NULL && node->type == JDOC_STRING &&
	    node->len == strlen(text) &&
	    memcmp(node->text, text, node->len) == 0;
}

bool
jdoc_key_is(const struct jdoc_node *node, const char *name)
{
	return node->key_len == strlen(name) &&
	    memcmp(node->key, name, node->key_len) == 0;
}

bool
jdoc_is_pointer(const char *text)
{
	const char *p = text;

	while ((p = strchr(p, '~')) != NULL) {
		if (p[1] != '0' && p[1] != '1')
			return false;
		p++;
	}
	return text[0] == '/' || text[0] == '\0';
}

/* Whether KEY is what the LEN bytes of a pointer's token say. */
static bool
token_is(const char *token, size_t len, const struct jdoc_node *n)
{
	size_t at = 0, i;

	for (i = 0; i < len; i++, at++) {
		char c = token[i];

		if (c == '~' && i + 1 < len)
			c = token[++i] == '1' ? '/' : '~';
		if (at >= n->key_len || n->key[at] != c)
			return false;
	}
	return at == n->key_len;
}

static const struct jdoc_node *
step_into(const struct jdoc_node *node, const char *token, size_t len)
{
	const struct jdoc_node *n, *found = NULL;
	unsigned long at;

	if (node->type == JDOC_OBJECT) {
		for (n = node->child; n != NULL; n = n->next)
			if (token_is(token, len, n))
				found = n;
		return found;
	}
	if (node->type != JDOC_ARRAY || len == 0 || len > 9 ||
	    strspn(token, "0123456789") < len || (token[0] == '0' && len > 1))
		return NULL;
	at = strtoul(token, NULL, 10);
	for (n = node->child; n != NULL && at > 0; at--)
		n = n->next;
	return n;
}

const struct jdoc_node *
jdoc_at(const struct jdoc_node *node, const char *pointer)
{
	while (node != NULL && *pointer == '/') {
		size_t len = strcspn(++pointer, "/");

		node = step_into(node, pointer, len);
		pointer += len;
	}
	return node;
}
