/* SPDX-License-Identifier: ISC */
/* JSON in; what is taken comes out again as what is taken, and the same. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_node(struct json *j, const char *key, const struct jdoc_node *n)
{
	const struct jdoc_node *c;

	/* json.h has keys without NULs; the rest of such a key is dropped. */
	switch (n->type) {
	case JDOC_OBJECT:
		json_object(j, key);
		for (c = n->child; c != NULL; c = c->next)
			write_node(j, c->key, c);
		json_object_end(j);
		return;
	case JDOC_ARRAY:
		json_array(j, key);
		for (c = n->child; c != NULL; c = c->next)
			write_node(j, NULL, c);
		json_array_end(j);
		return;
	case JDOC_STRING:
		json_string(j, key, n->text, n->len);
		return;
	case JDOC_TRUE:
	case JDOC_FALSE:
		json_bool(j, key, n->type == JDOC_TRUE);
		return;
	case JDOC_NUMBER:
	case JDOC_NULL:
		json_uint(j, key, n->len);
		return;
	}
}

static void
compare(const struct jdoc_node *a, const struct jdoc_node *b)
{
	if (a->type == JDOC_STRING &&
	    (b->type != JDOC_STRING || a->len != b->len ||
		memcmp(a->text, b->text, a->len) != 0))
		abort();
	for (a = a->child, b = b->child; a != NULL && b != NULL;
	     a = a->next, b = b->next)
		compare(a, b);
	if (a != NULL || b != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	AUTO(jdoc) struct jdoc *d = jdoc_parse((const char *)data, size, &e);
	AUTO(jdoc) struct jdoc *again = NULL;
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	struct json j;

	if (d == NULL) {
		if (e.kind != ERR_PROTOCOL || e.msg[0] == '\0')
			abort();
		return 0;
	}
	json_begin(&j, &text);
	write_node(&j, NULL, jdoc_root(d));
	again = jdoc_parse(buf_str(&text), text.len, &e);
	if (again == NULL)
		abort();
	compare(jdoc_root(d), jdoc_root(again));
	return 0;
}
