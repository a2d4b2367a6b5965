/* SPDX-License-Identifier: ISC */
/* The manifest as text. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "transfer/bundle/manifest.h"

#define FORMAT "dray-bundle-1"

static const char *const states[] = {
    [BUNDLE_WRITING] = "writing",
    [BUNDLE_CLOSED] = "closed",
    [BUNDLE_COMPLETE] = "complete",
};

static void
format_volume(struct json *j, const struct bundle_volume *v)
{
	json_object(j, NULL);
	json_uint(j, "volume", v->number);
	json_uint(j, "disk", v->disk);
	json_uint(j, "bytes", v->bytes);
	json_uint(j, "tar_bytes", v->tar_bytes);
	json_uint(j, "index_bytes", v->index_bytes);
	json_str(j, "index_sha256", v->index_sha256);
	json_object_end(j);
}

void
bundle_manifest_format(const struct bundle_manifest *m, struct buf *out)
{
	char created[32];
	struct json j;
	size_t i;

	clock_iso8601(m->created_ns, created, sizeof(created));
	json_begin(&j, out);
	json_object(&j, NULL);
	json_str(&j, "format", FORMAT);
	json_str(&j, "id", m->id);
	json_str(&j, "state", states[m->state]);
	if (m->base[0] != '\0')
		json_str(&j, "base", m->base);
	json_str(&j, "created", created);
	json_uint(&j, "disk", m->disk);
	if (m->compressed)
		json_str(&j, "compress", "zstd");
	json_uint(&j, "items", m->items);
	json_uint(&j, "bytes", m->bytes);
	json_uint(&j, "index_bytes", m->index_bytes);
	json_str(&j, "index_sha256", m->index_sha256);
	if (m->gone_items > 0) {
		json_uint(&j, "gone_items", m->gone_items);
		json_str(&j, "gone_sha256", m->gone_sha256);
	}
	json_array(&j, "volumes");
	for (i = 0; i < m->n; i++)
		format_volume(&j, &m->volumes[i]);
	json_array_end(&j);
	json_object_end(&j);
	buf_addc(out, '\n');
}

static int
bad(const char *key, struct err *e)
{
	return err_set(
	    e, ERR_PROTOCOL, "\"%s\" is missing, or makes no sense", key);
}

static int
take_uint(const struct jdoc_node *o, const char *key, uint64_t most,
    uint64_t *out, struct err *e)
{
	const struct jdoc_node *v = jdoc_member(o, key);
	char text[24], *end;

	if (v == NULL || v->type != JDOC_NUMBER || v->len >= sizeof(text))
		return bad(key, e);
	memcpy(text, v->text, v->len);
	text[v->len] = '\0';
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end != '\0' || errno != 0 || text[0] == '-' || *out > most
	    ? bad(key, e)
	    : 0;
}

/* LEN lower-case hex digits; or none, if MAY. */
static int
take_hex(const struct jdoc_node *o, const char *key, size_t len, bool may,
    char *out, struct err *e)
{
	const struct jdoc_node *v = jdoc_member(o, key);

	if (may && (v == NULL || (v->type == JDOC_STRING && v->len == 0))) {
		out[0] = '\0';
		return 0;
	}
	if (v == NULL || v->type != JDOC_STRING || v->len != len ||
	    strspn(v->text, "0123456789abcdef") != len)
		return bad(key, e);
	memcpy(out, v->text, len + 1);
	return 0;
}

static int
take_volume(struct bundle_manifest *m, const struct jdoc_node *o, struct err *e)
{
	struct bundle_volume v = {0};
	struct bundle_volume *to;
	uint64_t disk;

	if (take_uint(o, "volume", INT64_MAX, &v.number, e) == -1 ||
	    take_uint(o, "disk", m->disk, &disk, e) == -1 ||
	    take_uint(o, "bytes", INT64_MAX, &v.bytes, e) == -1 ||
	    take_uint(o, "tar_bytes", INT64_MAX, &v.tar_bytes, e) == -1 ||
	    take_uint(o, "index_bytes", INT64_MAX, &v.index_bytes, e) == -1 ||
	    take_hex(o, "index_sha256", BUNDLE_DIGEST_LEN, false,
		v.index_sha256, e) == -1)
		return -1;
	/* Each behind the one before. */
	if (v.number <= (m->n > 0 ? m->volumes[m->n - 1].number : 0) ||
	    disk == 0)
		return bad("volume", e);
	v.disk = (unsigned)disk;
	to = bundle_manifest_add(m, e);
	if (to == NULL)
		return -1;
	*to = v;
	return 0;
}

static int
take_state(
    struct bundle_manifest *m, const struct jdoc_node *root, struct err *e)
{
	const struct jdoc_node *v = jdoc_member(root, "state");
	size_t i;

	for (i = 0; v != NULL && i < sizeof(states) / sizeof(states[0]); i++)
		if (jdoc_is(v, states[i])) {
			m->state = (enum bundle_state)i;
			return 0;
		}
	return bad("state", e);
}

static int
take(struct bundle_manifest *m, const struct jdoc_node *root, struct err *e)
{
	const struct jdoc_node *v = jdoc_member(root, "format");
	uint64_t disk;

	if (v == NULL || !jdoc_is(v, FORMAT))
		return err_set(e, ERR_PROTOCOL,
		    "is no manifest of a bundle (" FORMAT
		    "): name the directory that \"dray bundle create\" wrote, "
		    "or a release of dray that knows this format");
	v = jdoc_member(root, "compress");
	m->compressed = v != NULL;
	if (v != NULL && !jdoc_is(v, "zstd"))
		return bad("compress", e);
	v = jdoc_member(root, "created");
	if (v == NULL || v->type != JDOC_STRING ||
	    !clock_parse_iso8601(v->text, &m->created_ns))
		return bad("created", e);
	if (jdoc_member(root, "gone_items") != NULL &&
	    take_uint(root, "gone_items", INT64_MAX, &m->gone_items, e) == -1)
		return -1;
	if (take_state(m, root, e) == -1 ||
	    take_hex(root, "id", BUNDLE_ID_LEN, false, m->id, e) == -1 ||
	    take_hex(root, "base", BUNDLE_ID_LEN, true, m->base, e) == -1 ||
	    take_uint(root, "disk", 1000000, &disk, e) == -1 ||
	    take_uint(root, "items", INT64_MAX, &m->items, e) == -1 ||
	    take_uint(root, "bytes", INT64_MAX, &m->bytes, e) == -1 ||
	    take_uint(root, "index_bytes", INT64_MAX, &m->index_bytes, e) ==
		-1 ||
	    take_hex(root, "index_sha256", BUNDLE_DIGEST_LEN,
		m->state == BUNDLE_WRITING, m->index_sha256, e) == -1 ||
	    take_hex(root, "gone_sha256", BUNDLE_DIGEST_LEN, m->gone_items == 0,
		m->gone_sha256, e) == -1)
		return -1;
	m->disk = (unsigned)disk;
	if (disk == 0)
		return bad("disk", e);
	v = jdoc_member(root, "volumes");
	if (v == NULL || v->type != JDOC_ARRAY)
		return bad("volumes", e);
	for (v = v->child; v != NULL; v = v->next)
		if (take_volume(m, v, e) == -1)
			return -1;
	return 0;
}

int
bundle_manifest_parse(
    struct bundle_manifest *out, const char *text, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(text, len, e);
	struct bundle_manifest m = {0};

	if (doc == NULL)
		return -1;
	if (take(&m, jdoc_root(doc), e) == -1) {
		bundle_manifest_clear(&m);
		return -1;
	}
	*out = m;
	return 0;
}
