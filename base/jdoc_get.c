/* SPDX-License-Identifier: ISC */
/* Members of an object as values. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"
#include "base/text.h"

#define NUMBER_SIZE 24 /* of 64 bits, as text */
#define KEY_SIZE 64

const char *
jdoc_text(const struct jdoc_node *object, const char *key)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	return n != NULL && n->type == JDOC_STRING && strlen(n->text) == n->len
	    ? n->text
	    : NULL;
}

/* NODE as text; false if it is no number, or too long for one. */
static bool
number_text(const struct jdoc_node *node, char out[NUMBER_SIZE])
{
	if (node->type != JDOC_NUMBER || node->len >= NUMBER_SIZE)
		return false;
	memcpy(out, node->text, node->len);
	out[node->len] = '\0';
	return true;
}

bool
jdoc_to_uint(const struct jdoc_node *node, uint64_t *out)
{
	char text[NUMBER_SIZE], *end;
	uint64_t v;

	if (!number_text(node, text) || text[0] == '-')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end != '\0' || errno != 0)
		return false;
	*out = v;
	return true;
}

int
jdoc_uint(const struct jdoc_node *object, const char *key, uint64_t *out)
{
	const struct jdoc_node *n = jdoc_member(object, key);

	if (n == NULL)
		return 0;
	return jdoc_to_uint(n, out) ? 1 : -1;
}

int
jdoc_int(const struct jdoc_node *object, const char *key, int64_t *out)
{
	const struct jdoc_node *n = jdoc_member(object, key);
	char text[NUMBER_SIZE], *end;
	int64_t v;

	if (n == NULL)
		return 0;
	if (!number_text(n, text))
		return -1;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0)
		return -1;
	*out = v;
	return 1;
}

int
jdoc_hex(const struct jdoc_node *object, const char *key, void *out, size_t n)
{
	const struct jdoc_node *member = jdoc_member(object, key);

	if (member == NULL)
		return 0;
	return member->type == JDOC_STRING &&
		text_unhex(member->text, member->len, out, n)
	    ? 1
	    : -1;
}

/* The bytes of base64 TEXT: 1, -1, -2. */
static int
decoded(const struct jdoc_node *text, char **out, size_t *len)
{
	size_t pad = 0, n;
	char *bytes;

	if (text->type != JDOC_STRING || text->len % 4 != 0)
		return -1;
	while (pad < 2 && pad < text->len &&
	    text->text[text->len - 1 - pad] == '=')
		pad++;
	n = text->len / 4 * 3 - pad;
	bytes = malloc(n + 1);
	if (bytes == NULL)
		return -2;
	if (!text_unbase64(text->text, text->len, bytes, n)) {
		free(bytes);
		return -1;
	}
	bytes[n] = '\0';
	*out = bytes;
	*len = n;
	return 1;
}

int
jdoc_name(const struct jdoc_node *object, const char *key, const char **out,
    size_t *len, char **exact)
{
	const struct jdoc_node *plain = jdoc_member(object, key), *odd;
	char odd_key[KEY_SIZE];
	int rc;

	if (plain == NULL)
		return 0;
	if (plain->type != JDOC_STRING)
		return -1;
	snprintf(odd_key, sizeof(odd_key), "%s_base64", key);
	odd = jdoc_member(object, odd_key);
	if (odd == NULL) {
		*out = plain->text;
		*len = plain->len;
		return 1;
	}
	rc = decoded(odd, exact, len);
	if (rc == 1)
		*out = *exact;
	return rc;
}
