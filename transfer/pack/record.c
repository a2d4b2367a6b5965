/* SPDX-License-Identifier: ISC */
/* A line of an index. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"
#include "base/json.h"
#include "base/text.h"
#include "transfer/itemjson.h"
#include "transfer/pack/index.h"

static void
add_places(struct json *j, const struct pack_record *r)
{
	size_t i;

	if (r->pieces_n > 0)
		json_array(j, "at");
	for (i = 0; i < r->pieces_n; i++) {
		json_array(j, NULL);
		json_uint(j, NULL, r->pieces[i].volume);
		json_uint(j, NULL, r->pieces[i].offset);
		json_uint(j, NULL, r->pieces[i].length);
		json_uint(j, NULL, r->pieces[i].frame);
		json_array_end(j);
	}
	if (r->pieces_n > 0)
		json_array_end(j);
	if (!r->st.sparse)
		return;
	json_array(j, "data");
	for (i = 0; i < r->extents_n; i++) {
		json_array(j, NULL);
		json_uint(j, NULL, r->extents[i].offset);
		json_uint(j, NULL, r->extents[i].length);
		json_array_end(j);
	}
	json_array_end(j);
}

void
pack_record_add(struct buf *out, const struct pack_record *r)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "type", item_type_name(r->st.type));
	json_name(&j, "path", r->path, r->path_len);
	if (r->st.type != ITEM_DIR)
		json_uint(&j, "size", r->st.size);
	itemjson_add_stat(&j, &r->st);
	if (r->st.nlink != 0)
		json_uint(&j, "nlink", r->st.nlink);
	if (r->target != NULL)
		json_name(&j, "target", r->target, r->target_len);
	if (r->same_as != NULL)
		json_name(&j, "same_as", r->same_as, r->same_as_len);
	if (r->group != 0)
		json_uint(&j, "group", r->group);
	if (r->named)
		json_bool(&j, "named", true);
	if (r->order != 0)
		json_uint(&j, "order", r->order);
	if (r->implied)
		json_bool(&j, "implied", true);
	if (r->refused != NULL)
		json_str(&j, "refused", r->refused);
	itemjson_add_digests(&j, &r->digest, r->part_bytes);
	add_places(&j, r);
	json_object_end(&j);
	buf_addc(out, '\n');
}

/* The N numbers of the array NODE. */
static bool
numbers(const struct jdoc_node *node, uint64_t *out, size_t n)
{
	const struct jdoc_node *v;
	size_t i = 0;

	if (node->type != JDOC_ARRAY)
		return false;
	for (v = node->child; v != NULL; v = v->next)
		if (i == n || !jdoc_to_uint(v, &out[i++]))
			return false;
	return i == n;
}

/* How many elements array member KEY has: 1, 0, -1. */
static int
count_of(const struct jdoc_node *o, const char *key,
    const struct jdoc_node **array, size_t *n)
{
	const struct jdoc_node *v;

	*array = jdoc_member(o, key);
	if (*array == NULL)
		return 0;
	if ((*array)->type != JDOC_ARRAY)
		return -1;
	*n = 0;
	for (v = (*array)->child; v != NULL; v = v->next)
		(*n)++;
	return 1;
}

/* "at": *STORED is the sum of all lengths. */
static int
read_pieces(struct pack_entry *out, const struct jdoc_node *o, uint64_t *stored,
    struct err *e)
{
	const struct jdoc_node *array, *v;
	struct pack_piece *p;
	uint64_t n[4];
	int rc = count_of(o, "at", &array, &out->record.pieces_n);

	*stored = 0;
	if (rc == 0)
		return 0;
	if (rc == -1 || out->record.pieces_n == 0)
		return itemjson_bad(e, "\"at\"");
	out->pieces = calloc(out->record.pieces_n, sizeof(*out->pieces));
	if (out->pieces == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	out->record.pieces = p = out->pieces;
	for (v = array->child; v != NULL; v = v->next, p++) {
		if (!numbers(v, n, 4) || n[2] > UINT64_MAX - n[1] ||
		    n[2] > UINT64_MAX - *stored)
			return itemjson_bad(e, "\"at\"");
		*p = (struct pack_piece){n[0], n[1], n[2], n[3]};
		*stored += n[2];
	}
	return 0;
}

/* "data": *HELD is the sum of all lengths. */
static int
read_extents(struct pack_entry *out, const struct jdoc_node *o, uint64_t *held,
    struct err *e)
{
	const struct jdoc_node *array, *v;
	struct pack_extent *x;
	uint64_t n[2], end = 0;
	int rc = count_of(o, "data", &array, &out->record.extents_n);

	*held = out->record.st.size;
	if (rc == 0)
		return 0;
	if (rc == -1)
		return itemjson_bad(e, "\"data\"");
	out->record.st.sparse = true;
	*held = 0;
	out->extents = calloc(out->record.extents_n + 1, sizeof(*out->extents));
	if (out->extents == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	out->record.extents = x = out->extents;
	for (v = array->child; v != NULL; v = v->next, x++) {
		if (!numbers(v, n, 2) || n[0] < end ||
		    n[1] > out->record.st.size ||
		    n[0] > out->record.st.size - n[1])
			return itemjson_bad(e, "\"data\"");
		*x = (struct pack_extent){n[0], n[1]};
		end = n[0] + n[1];
		*held += n[1];
	}
	return 0;
}

static int
read_places(struct pack_entry *out, const struct jdoc_node *o, struct err *e)
{
	bool file = out->record.st.type == ITEM_FILE;
	uint64_t stored, held;

	if (!file && (jdoc_member(o, "at") || jdoc_member(o, "data")))
		return err_set(e, ERR_PROTOCOL, "what is no file has bytes");
	if (read_pieces(out, o, &stored, e) == -1 ||
	    read_extents(out, o, &held, e) == -1)
		return -1;
	if (out->record.pieces_n > 0 && stored != held)
		return err_set(e, ERR_PROTOCOL,
		    "\"at\" has %llu bytes, where it should be %llu",
		    (unsigned long long)stored, (unsigned long long)held);
	return 0;
}

/* A name that is no path of its own, of a member that need not be there. */
static int
read_name(const struct jdoc_node *o, const char *key, const char **name,
    size_t *len, char **exact, struct err *e)
{
	int rc = jdoc_name(o, key, name, len, exact);

	if (rc == -2)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (rc == -1 ||
	    (rc == 1 && (*len == 0 || memchr(*name, '\0', *len) != NULL)))
		return err_set(e, ERR_PROTOCOL, "\"%s\" makes no sense", key);
	return rc;
}

static int
read_links(struct pack_entry *out, const struct jdoc_node *o, struct err *e)
{
	struct pack_record *r = &out->record;
	uint64_t nlink = 0;
	int rc;

	rc =
	    read_name(o, "target", &r->target, &r->target_len, &out->target, e);
	if (rc == -1)
		return -1;
	if ((rc == 1) != (r->st.type == ITEM_SYMLINK))
		return itemjson_bad(e, "\"target\"");
	rc = read_name(
	    o, "same_as", &r->same_as, &r->same_as_len, &out->same_as, e);
	if (rc == -1)
		return -1;
	if (rc == 1 &&
	    (r->st.type != ITEM_FILE ||
		!itemjson_is_path(r->same_as, r->same_as_len)))
		return itemjson_bad(e, "\"same_as\"");
	if (jdoc_uint(o, "nlink", &nlink) == -1 || nlink > UINT32_MAX)
		return itemjson_bad(e, "\"nlink\"");
	r->st.nlink = (uint32_t)nlink;
	return 0;
}

/* Member KEY is true; or -1. */
static int
flag_of(const struct jdoc_node *o, const char *key, bool *out, struct err *e)
{
	const struct jdoc_node *n = jdoc_member(o, key);

	if (n == NULL)
		return 0;
	if (n->type != JDOC_TRUE && n->type != JDOC_FALSE)
		return err_set(e, ERR_PROTOCOL, "\"%s\" makes no sense", key);
	*out = n->type == JDOC_TRUE;
	return 0;
}

static int
read_rest(struct pack_entry *out, const struct jdoc_node *o, struct err *e)
{
	struct pack_record *r = &out->record;

	if (flag_of(o, "named", &r->named, e) == -1 ||
	    flag_of(o, "implied", &r->implied, e) == -1)
		return -1;
	if (jdoc_uint(o, "order", &r->order) == -1)
		return itemjson_bad(e, "\"order\"");
	if (jdoc_uint(o, "group", &r->group) == -1)
		return itemjson_bad(e, "\"group\"");
	r->refused = jdoc_text(o, "refused");
	if (r->refused == NULL && jdoc_member(o, "refused") != NULL)
		return itemjson_bad(e, "\"refused\"");
	return itemjson_digests(o, &r->digest, &r->part_bytes, e);
}

int
pack_record_parse(
    struct pack_entry *out, const char *line, size_t len, struct err *e)
{
	struct pack_record *r = &out->record;
	const struct jdoc_node *o;

	memset(out, 0, sizeof(*out));
	if (len >= PACK_LINE_MAX)
		return err_set(e, ERR_PROTOCOL, "a line is too long");
	out->doc = jdoc_parse(line, len, e);
	if (out->doc == NULL)
		return -1;
	o = jdoc_root(out->doc);
	if (itemjson_type(o, &r->st.type, e) == -1 ||
	    itemjson_path(o, &r->path, &r->path_len, &out->path, e) == -1)
		return -1;
	if (jdoc_uint(o, "size", &r->st.size) != (r->st.type != ITEM_DIR))
		return itemjson_bad(e, "\"size\"");
	return itemjson_stat(o, &r->st, &out->attrs, e) == -1 ||
		read_links(out, o, e) == -1 || read_rest(out, o, e) == -1 ||
		read_places(out, o, e) == -1
	    ? -1
	    : 0;
}

void
pack_entry_clear(struct pack_entry *m)
{
	jdoc_free(m->doc);
	free(m->path);
	free(m->target);
	free(m->same_as);
	attrs_free(m->attrs);
	free(m->pieces);
	free(m->extents);
	memset(m, 0, sizeof(*m));
}

int
pack_path_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const char *a_cut = memrchr(a, '/', a_len);
	const char *b_cut = memrchr(b, '/', b_len);
	size_t a_dir = a_cut != NULL ? (size_t)(a_cut - a) : 0;
	size_t b_dir = b_cut != NULL ? (size_t)(b_cut - b) : 0;
	size_t a_at = a_cut != NULL ? a_dir + 1 : 0;
	size_t b_at = b_cut != NULL ? b_dir + 1 : 0;
	int c = text_compare(a, a_dir, b, b_dir);

	return c != 0
	    ? c
	    : text_compare(a + a_at, a_len - a_at, b + b_at, b_len - b_at);
}
