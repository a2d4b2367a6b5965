/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/events/template.h"
#include "base/json.h"

#define NAME_CHARS                                   \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop" \
	"qrstuvwxyz0123456789._-"
#define NAME_MAX_BYTES 64
#define WHOLE_EVENT "event.json"
#define SAMPLE_MAX (1 << 20)

/* Text, and the value that comes behind it. */
struct piece {
	const char *text;
	size_t len;
	char name[NAME_MAX_BYTES + 1]; /* "" behind the last text */
	bool in_string;
	const char *pointer; /* once it is bound */
};

struct template
{
	char *text;
	struct piece pieces[TEMPLATE_VALUES_MAX + 1];
	size_t n;
};

struct template_paths {
	struct jdoc *doc;
};

void
template_free(struct template *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t);
}

/* Length of the "<NAME>" that S begins with; 0 if it isn't one. */
static size_t
name_length(const char *s, const char *end)
{
	size_t n = strspn(s + 1, NAME_CHARS);

	return n > 0 && n <= NAME_MAX_BYTES && s + 1 + n < end &&
		s[1 + n] == '>'
	    ? n + 2
	    : 0;
}

/* Ends the piece at hand at AT, where a name of N bytes, with <>, stands. */
static int
end_piece(
    struct template *t, const char *at, size_t n, bool in_string, struct err *e)
{
	struct piece *p = &t->pieces[t->n];

	if (t->n == TEMPLATE_VALUES_MAX)
		return err_set(
		    e, ERR_CONFIG, "more than %d values", TEMPLATE_VALUES_MAX);
	p->len = (size_t)(at - p->text);
	memcpy(p->name, at + 1, n - 2);
	p->in_string = in_string;
	t->n++;
	t->pieces[t->n].text = at + n;
	return 0;
}

static int
cut(struct template *t, const char *end, struct err *e)
{
	bool in_string = false;
	const char *s;
	size_t n;

	t->pieces[0].text = t->text;
	for (s = t->text; s < end; s += n) {
		n = 1;
		if (*s == '"')
			in_string = !in_string;
		else if (*s == '\\' && in_string && s + 1 < end)
			n = 2;
		else if (*s == '<' && (n = name_length(s, end)) == 0)
			n = 1;
		if (*s == '<' && n > 1 &&
		    end_piece(t, s, n, in_string, e) == -1)
			return -1;
	}
	t->pieces[t->n].len = (size_t)(end - t->pieces[t->n].text);
	t->n++;
	return 0;
}

/*
 * With SAMPLE in place of each value the text is JSON.  Where a text, a number
 * and an object may stand, any value may.
 */
static int
try_sample(const struct template *t, const char *sample, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(SAMPLE_MAX);
	AUTO(jdoc) struct jdoc *doc = NULL;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];

		buf_add(&out, p->text, p->len);
		/* An 'x' ends half an escape sequence. */
		if (p->name[0] != '\0')
			buf_adds(&out, p->in_string ? "x" : sample);
	}
	if (buf_failed(&out))
		return err_set(e, ERR_NOMEM, "out of memory");
	doc = jdoc_parse(buf_str(&out), out.len, e);
	if (doc != NULL)
		return 0;
	if (e->kind != ERR_NOMEM)
		e->kind = ERR_CONFIG;
	return err_context(e, "with %s for each value", sample);
}

struct template *
template_new(const char *text, size_t len, struct err *e)
{
	AUTO(template) struct template *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->text = malloc(len + 1)) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	if (cut(t, t->text + len, e) == -1 ||
	    try_sample(t, "\"text\"", e) == -1 || try_sample(t, "0", e) == -1 ||
	    try_sample(t, "{}", e) == -1)
		return NULL;
	return TAKE(t);
}

void
template_paths_free(struct template_paths *p)
{
	if (p == NULL)
		return;
	jdoc_free(p->doc);
	free(p);
}

static int
check_path(const struct jdoc_node *n, struct err *e)
{
	if (n->key_len == 0 || n->key_len > NAME_MAX_BYTES ||
	    strspn(n->key, NAME_CHARS) != n->key_len ||
	    jdoc_key_is(n, WHOLE_EVENT))
		return err_set(e, ERR_CONFIG,
		    "\"%.100s\" can't be a name: it is of 1 to %d letters, "
		    "digits, '.', '_' and '-', and not " WHOLE_EVENT,
		    n->key, NAME_MAX_BYTES);
	if (n->type != JDOC_STRING || strlen(n->text) != n->len ||
	    !jdoc_is_pointer(n->text))
		return err_set(e, ERR_CONFIG,
		    "\"%s\" has no JSON pointer, as in \"/data/path\"", n->key);
	return 0;
}

struct template_paths *
template_paths_new(const char *text, size_t len, struct err *e)
{
	AUTO(template_paths)
	struct template_paths *p = calloc(1, sizeof(*p));
	const struct jdoc_node *n;
	size_t count = 0;

	if (p == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->doc = jdoc_parse(text, len, e);
	if (p->doc == NULL) {
		if (e->kind != ERR_NOMEM)
			e->kind = ERR_CONFIG;
		return NULL;
	}
	if (jdoc_root(p->doc)->type != JDOC_OBJECT) {
		err_set(e, ERR_CONFIG,
		    "not a JSON object of names and JSON pointers");
		return NULL;
	}
	for (n = jdoc_root(p->doc)->child; n != NULL; n = n->next)
		if (check_path(n, e) == -1)
			return NULL;
		else if (++count > TEMPLATE_VALUES_MAX) {
			err_set(e, ERR_CONFIG, "more than %d names",
			    TEMPLATE_VALUES_MAX);
			return NULL;
		}
	return TAKE(p);
}

int
template_bind(
    struct template *t, const struct template_paths *paths, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct piece *p = &t->pieces[i];
		const struct jdoc_node *n;

		p->pointer = "";
		if (p->name[0] == '\0' || strcmp(p->name, WHOLE_EVENT) == 0)
			continue;
		n = paths != NULL ? jdoc_member(jdoc_root(paths->doc), p->name)
				  : NULL;
		if (n == NULL)
			return err_set(e, ERR_CONFIG,
			    "paths doesn't say what <%s> is (in a string, "
			    "\\u003c is a '<' that means nothing)",
			    p->name);
		p->pointer = n->text;
	}
	return 0;
}

/* What TEXT has between its quotes. */
static void
add_inner(struct buf *out, const char *text, size_t len)
{
	AUTO(buf) struct buf quoted = BUF_INIT(out->max);
	struct json j;

	json_begin(&j, &quoted);
	json_string(&j, NULL, text, len);
	if (buf_failed(&quoted))
		out->failed = true;
	else
		buf_add(out, quoted.data + 1, quoted.len - 2);
}

static void
add_in_string(struct buf *out, const struct jdoc_node *v)
{
	AUTO(buf) struct buf text = BUF_INIT(out->max);
	struct json j;

	if (v->type == JDOC_STRING) {
		add_inner(out, v->text, v->len);
		return;
	}
	json_begin(&j, &text);
	json_value(&j, NULL, v);
	if (buf_failed(&text))
		out->failed = true;
	else
		add_inner(out, text.data, text.len);
}

void
template_fill(
    const struct template *t, const struct jdoc_node *event, struct buf *out)
{
	static const struct jdoc_node nothing = {.type = JDOC_NULL};
	struct json j;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct piece *p = &t->pieces[i];
		const struct jdoc_node *v;

		buf_add(out, p->text, p->len);
		if (p->name[0] == '\0')
			continue;
		v = jdoc_at(event, p->pointer);
		if (!p->in_string) {
			json_begin(&j, out);
			json_value(&j, NULL, v != NULL ? v : &nothing);
		} else if (v != NULL) {
			add_in_string(out, v);
		}
	}
}
