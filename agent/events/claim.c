/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "agent/events/claim.h"
#include "base/json.h"
#include "base/text.h"
#include "transfer/url.h"
#include "verify/digest.h"

#define TEXT_MAX (1 << 20)
#define UUID "urn:uuid:"

int
claim_check_place(const char *place, struct err *e)
{
	AUTO(store_url) struct store_url *url = NULL;

	if (place[0] != '/' && strstr(place, "://") == NULL)
		return err_set(e, ERR_USAGE,
		    "neither a URL nor an absolute path: \"%.100s\"", place);
	url = store_url_parse(place, e);
	return url != NULL ? 0 : -1;
}

/* The file's name, which no other event of any source has. */
static void
add_name(struct buf *out, const struct jdoc_node *event)
{
	const struct jdoc_node *id = jdoc_member(event, "id");
	const struct jdoc_node *source = jdoc_member(event, "source");
	const char *of = source != NULL ? source->text : "";

	if (strncmp(of, UUID, strlen(UUID)) == 0)
		of += strlen(UUID);
	buf_addf(out, "/%s-", id != NULL ? id->text : "");
	text_percent(out, of, strlen(of), "");
	buf_adds(out, ".json");
}

/* PLACE up to its query, which only nfs:// has, without slashes behind. */
static size_t
directory_length(const char *place)
{
	size_t n = strncmp(place, "nfs://", 6) == 0 ? strcspn(place, "?")
						    : strlen(place);

	while (n > 0 && place[n - 1] == '/')
		n--;
	return n;
}

void
claim_path(struct buf *out, const char *place, const struct jdoc_node *event)
{
	const char *query = strchr(place, '?');

	buf_add(out, place, directory_length(place));
	add_name(out, event);
	if (strncmp(place, "nfs://", 6) == 0 && query != NULL)
		buf_adds(out, query);
}

static void
add_reference(struct buf *out, const char *place, const struct jdoc_node *event)
{
	const char *host = strstr(place, "://");
	size_t scheme = host != NULL ? (size_t)(host - place) + 3 : 0;

	if (host == NULL)
		buf_adds(out, "file://");
	buf_add(out, place, scheme);
	text_percent(
	    out, place + scheme, directory_length(place) - scheme, "/:@[]");
	add_name(out, event);
}

void
claim_data(struct buf *out, const struct jdoc_node *event)
{
	const struct jdoc_node *data = jdoc_member(event, "data");
	struct json j;

	json_begin(&j, out);
	if (data != NULL)
		json_value(&j, NULL, data);
}

static int
digest_data(const struct jdoc_node *event, char *hex, struct err *e)
{
	AUTO(buf) struct buf data = BUF_INIT(TEXT_MAX);
	AUTO(digester) struct digester *d = digester_new(e);
	struct digest digest;

	if (d == NULL)
		return -1;
	claim_data(&data, event);
	if (buf_failed(&data))
		return err_set(e, ERR_NOMEM, "out of memory");
	digester_start(d, DIGEST_SHA256);
	digester_update(d, buf_str(&data), data.len);
	digester_finish(d, &digest);
	if ((digest.have & DIGEST_SHA256) == 0)
		return err_set(e, ERR_UNSUPPORTED, "libcrypto has no SHA-256");
	text_hex(digest.sha256, sizeof(digest.sha256), hex);
	return 0;
}

int
claim_event(struct buf *out, const char *place, const struct jdoc_node *event,
    struct err *e)
{
	AUTO(buf) struct buf reference = BUF_INIT(TEXT_MAX);
	const struct jdoc_node *n;
	char hex[65];
	struct json j;

	if (digest_data(event, hex, e) == -1)
		return -1;
	add_reference(&reference, place, event);
	json_begin(&j, out);
	json_object(&j, NULL);
	for (n = event->child; n != NULL; n = n->next)
		if (!jdoc_key_is(n, "data"))
			json_member(&j, n);
	json_string(&j, "dataref", buf_str(&reference), reference.len);
	json_str(&j, "datasha256", hex);
	json_object_end(&j);
	return buf_failed(out) || buf_failed(&reference)
	    ? err_set(e, ERR_NOMEM, "out of memory")
	    : 0;
}
