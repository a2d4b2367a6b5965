/* SPDX-License-Identifier: ISC */
/*
 * JSON out (RFC 8259), appended to a struct buf; commas are put where they
 * belong.  Text is bytes: what is valid UTF-8 goes out as it is, any other
 * byte as U+FFFD; json_name() adds the exact bytes where that loses any.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/jdoc.h"

struct json {
	struct buf *out;
	bool comma; /* the next value in this container needs one */
};

void json_begin(struct json *j, struct buf *out);

/* KEY is NULL inside an array or at the top. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_string(struct json *j, const char *key, const char *s, size_t n);
void json_str(struct json *j, const char *key, const char *s);
void json_uint(struct json *j, const char *key, uint64_t v);
void json_int(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_double(struct json *j, const char *key, double v);

/* What was parsed, as it was but for white space and escapes; json_member()
 * with the key that it has in its object. */
void json_value(struct json *j, const char *key, const struct jdoc_node *v);
void json_member(struct json *j, const struct jdoc_node *member);

/*
 * A file name: KEY with the text, and, if the name is not valid UTF-8,
 * KEY_base64 with the exact bytes.
 */
void json_name(struct json *j, const char *key, const char *name, size_t n);

#endif
