/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transfer/http.h"
#include "transfer/s3/reply.h"
#include "transfer/s3/uri.h"
#include "transfer/s3/xml.h"

/* All readers share one state: an element's fields, gathered until its end. */
struct reader {
	bool decode; /* keys are url-encoded */
	struct reply_page *page;
	struct reply_object object;
	struct reply_part part;
	struct reply_error error;
	char key[XML_TEXT_MAX + 1];
	char id[STORE_ID_MAX];
	int64_t begun_ns;

	union {
		reply_object_fn *object;
		reply_part_fn *part;
		store_upload_fn *upload;
		reply_deleted_fn *deleted;
	} fn;
	void *arg;
};

static bool
under(const char *path, const char *parent, const char **name)
{
	size_t n = strlen(parent);

	if (strncmp(path, parent, n) != 0 || path[n] != '/' ||
	    strchr(path + n + 1, '/') != NULL)
		return false;
	*name = path + n + 1;
	return true;
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static int
copy(char *out, size_t size, const char *what, const char *text, size_t n,
    struct err *e)
{
	if (n >= size)
		return err_set(e, ERR_PROTOCOL, "XML reply: %s too long", what);
	memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

static int
number(const char *name, const char *text, uint64_t *out, struct err *e)
{
	char *end;

	text += strspn(text, " \t\r\n");
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (end == text || *text == '-' || errno != 0 ||
	    end[strspn(end, " \t\r\n")] != '\0')
		return err_set(e, ERR_PROTOCOL,
		    "XML reply: %s is no number: \"%.40s\"", name, text);
	return 0;
}

/* A key into r->key. */
static int
take_key(struct reader *r, char *text, size_t n, struct err *e)
{
	long len = (long)n;

	if (r->decode && (len = s3_decode(text, n)) == -1)
		return err_set(e, ERR_PROTOCOL,
		    "XML reply: a key is not properly encoded");
	return copy(r->key, sizeof(r->key), "a key", text, (size_t)len, e);
}

static int
parse(const char *p, size_t n, xml_fn *fn, struct reader *r, struct err *e)
{
	static const char encoded[] = "EncodingType>url<";

	/* It may stand behind the keys that it is about. */
	r->decode = memmem(p, n, encoded, sizeof(encoded) - 1) != NULL;
	return xml_parse(p, n, fn, r, e);
}

/* Foreign text for people: one line, no control characters. */
static void
take_text(char *out, size_t size, const char *text)
{
	text += strspn(text, " \t\r\n");
	text_escaped(text, strlen(text), out, size);
}

static int
on_error(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct reply_error *out = arg;
	const char *name;

	(void)n;
	(void)e;
	if (!under(path, "/Error", &name) &&
	    !under(path, "/ErrorResponse/Error", &name))
		return 0;
	if (is(name, "Code"))
		take_text(out->code, sizeof(out->code), text);
	else if (is(name, "Message"))
		take_text(out->message, sizeof(out->message), text);
	else if (is(name, "Region"))
		take_text(out->region, sizeof(out->region), text);
	else if (is(name, "RequestId"))
		take_text(out->request_id, sizeof(out->request_id), text);
	return 0;
}

void
reply_error(const char *p, size_t n, struct reply_error *out)
{
	struct err ignored = ERR_INIT;

	*out = (struct reply_error){0};
	if (n > 0)
		xml_parse(p, n, on_error, out, &ignored);
}

void
reply_etag(const char *s, size_t n, char out[STORE_ETAG_MAX])
{
	static const char *const quotes[] = {
	    "\"", "&quot;", "&#34;", " ", "\n", "\t", "\r"};
	size_t i = 0;

	while (i < sizeof(quotes) / sizeof(quotes[0])) {
		size_t q = strlen(quotes[i]);

		if (n >= q && strncmp(s, quotes[i], q) == 0)
			s += q, n -= q, i = 0;
		else if (n >= q && strncmp(s + n - q, quotes[i], q) == 0)
			n -= q, i = 0;
		else
			i++;
	}
	if (n >= STORE_ETAG_MAX)
		n = STORE_ETAG_MAX - 1;
	memcpy(out, s, n);
	out[n] = '\0';
}

struct result {
	char etag[STORE_ETAG_MAX];
	struct reply_error error;
	bool is_error;
};

static int
on_result(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct result *r = arg;
	const char *last = strrchr(path, '/') + 1;

	if (strncmp(path, "/Error", 6) == 0) {
		r->is_error = true;
		return on_error(&r->error, path, text, n, e);
	}
	if (is(last, "ETag"))
		reply_etag(text, n, r->etag);
	return 0;
}

int
reply_result(const char *p, size_t n, char etag[STORE_ETAG_MAX],
    struct reply_error *error, struct err *e)
{
	struct result r = {0};

	if (xml_parse(p, n, on_result, &r, e) == -1)
		return -1;
	*error = r.error;
	if (r.is_error)
		return 1;
	memcpy(etag, r.etag, sizeof(r.etag));
	return 0;
}

static int
on_initiate(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	if (!is(path, "/InitiateMultipartUploadResult/UploadId"))
		return 0;
	return copy(arg, STORE_ID_MAX, "the upload id", text, n, e);
}

int
reply_upload_id(const char *p, size_t n, char *id, struct err *e)
{
	char found[STORE_ID_MAX] = "";

	if (xml_parse(p, n, on_initiate, found, e) == -1)
		return -1;
	if (found[0] == '\0')
		return err_set(e, ERR_PROTOCOL, "no upload id in the reply");
	memcpy(id, found, sizeof(found));
	return 0;
}

/* Fields of a page that all listings have. */
static int
on_page(struct reader *r, const char *name, char *text, size_t n, struct err *e)
{
	struct reply_page *page = r->page;
	uint64_t v;

	if (is(name, "IsTruncated"))
		page->truncated = is(text, "true");
	else if (is(name, "NextContinuationToken"))
		return copy(page->token, sizeof(page->token), name, text, n, e);
	else if (is(name, "NextUploadIdMarker"))
		return copy(
		    page->id_marker, sizeof(page->id_marker), name, text, n, e);
	else if (is(name, "ChecksumType"))
		page->full_object = is(text, "FULL_OBJECT");
	else if (is(name, "NextPartNumberMarker") && n > 0) {
		if (number(name, text, &v, e) == -1)
			return -1;
		page->part_marker = (uint32_t)v;
	} else if (is(name, "NextKeyMarker")) {
		if (take_key(r, text, n, e) == -1)
			return -1;
		return copy(page->token, sizeof(page->token), name, r->key,
		    strlen(r->key), e);
	}
	return 0;
}

static int
give_object(struct reader *r, bool is_prefix, struct err *e)
{
	int rc;

	r->object.is_prefix = is_prefix;
	r->object.key = r->key;
	r->object.key_len = strlen(r->key);
	rc = r->fn.object(r->arg, &r->object, e);
	r->object = (struct reply_object){0};
	r->key[0] = '\0';
	return rc;
}

static int
on_list(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct reader *r = arg;
	const char *name;

	if (under(path, "/ListBucketResult/Contents", &name)) {
		if (is(name, "Key"))
			return take_key(r, text, n, e);
		if (is(name, "Size"))
			return number(name, text, &r->object.size, e);
		if (is(name, "ETag"))
			reply_etag(text, n, r->object.etag);
		else if (is(name, "LastModified"))
			http_parse_date(text, &r->object.modified_ns);
		return 0;
	}
	if (is(path, "/ListBucketResult/CommonPrefixes/Prefix"))
		return take_key(r, text, n, e);
	if (!under(path, "/ListBucketResult", &name))
		return 0;
	if (is(name, "Contents") || is(name, "CommonPrefixes"))
		return give_object(r, is(name, "CommonPrefixes"), e);
	return on_page(r, name, text, n, e);
}

static struct reader *
reader_new(struct reply_page *page, void *arg, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->page = page;
	r->arg = arg;
	return r;
}

int
reply_list(const char *p, size_t n, reply_object_fn *fn, void *arg,
    struct reply_page *page, struct err *e)
{
	AUTO(free) struct reader *r = reader_new(page, arg, e);

	*page = (struct reply_page){0};
	if (r == NULL)
		return -1;
	r->fn.object = fn;
	if (parse(p, n, on_list, r, e) == -1)
		return -1;
	if (page->truncated && page->token[0] == '\0')
		return err_set(e, ERR_PROTOCOL,
		    "a listing is cut off without a token to go on");
	return 0;
}

static void
take_checksum(struct digest *d, const char *name, const char *text, size_t n)
{
	uint8_t b[8];
	size_t i;

	if (is(name, "ChecksumCRC64NVME") && text_unbase64(text, n, b, 8)) {
		d->crc64nvme = 0;
		for (i = 0; i < 8; i++)
			d->crc64nvme = d->crc64nvme << 8 | b[i];
		d->have |= DIGEST_CRC64NVME;
	} else if (is(name, "ChecksumCRC32C") && text_unbase64(text, n, b, 4)) {
		d->crc32c = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
		    (uint32_t)b[2] << 8 | b[3];
		d->have |= DIGEST_CRC32C;
	}
}

static int
on_part(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct reader *r = arg;
	const char *name;
	uint64_t v;
	int rc;

	if (under(path, "/ListPartsResult/Part", &name)) {
		if (is(name, "PartNumber")) {
			if (number(name, text, &v, e) == -1)
				return -1;
			r->part.number = v > UINT32_MAX ? 0 : (uint32_t)v;
		} else if (is(name, "Size")) {
			return number(name, text, &r->part.size, e);
		} else if (is(name, "ETag")) {
			reply_etag(text, n, r->part.etag);
		} else {
			take_checksum(&r->part.digest, name, text, n);
		}
		return 0;
	}
	if (!under(path, "/ListPartsResult", &name))
		return 0;
	if (!is(name, "Part"))
		return on_page(r, name, text, n, e);
	rc = r->fn.part(r->arg, &r->part, e);
	r->part = (struct reply_part){0};
	return rc;
}

int
reply_parts(const char *p, size_t n, reply_part_fn *fn, void *arg,
    struct reply_page *page, struct err *e)
{
	AUTO(free) struct reader *r = reader_new(page, arg, e);

	*page = (struct reply_page){0};
	if (r == NULL)
		return -1;
	r->fn.part = fn;
	return parse(p, n, on_part, r, e);
}

/*
 * Ceph encodes the keys of uploads as asked, and only those, without saying
 * so.  Nobody else's key has "%XX" and not a single character that encoding
 * would change.
 */
static bool
looks_encoded(const char *s, size_t n)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789-._~/%";

	return strspn(s, kept) == n && memchr(s, '%', n) != NULL;
}

static int
on_upload(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct reader *r = arg;
	const char *name;
	bool was = r->decode;
	int rc;

	if (under(path, "/ListMultipartUploadsResult/Upload", &name)) {
		if (is(name, "Key")) {
			r->decode |= looks_encoded(text, n);
			rc = take_key(r, text, n, e);
			r->decode = was;
			return rc;
		}
		if (is(name, "UploadId"))
			return copy(r->id, sizeof(r->id), name, text, n, e);
		if (is(name, "Initiated"))
			http_parse_date(text, &r->begun_ns);
		return 0;
	}
	if (!under(path, "/ListMultipartUploadsResult", &name))
		return 0;
	if (!is(name, "Upload"))
		return on_page(r, name, text, n, e);
	rc = r->fn.upload(r->arg, r->key, r->id, r->begun_ns, e);
	r->key[0] = r->id[0] = '\0';
	r->begun_ns = 0;
	return rc;
}

int
reply_uploads(const char *p, size_t n, store_upload_fn *fn, void *arg,
    struct reply_page *page, struct err *e)
{
	AUTO(free) struct reader *r = reader_new(page, arg, e);

	*page = (struct reply_page){0};
	if (r == NULL)
		return -1;
	r->fn.upload = fn;
	return parse(p, n, on_upload, r, e);
}

static int
on_deleted(void *arg, const char *path, char *text, size_t n, struct err *e)
{
	struct reader *r = arg;
	const char *name;
	int rc;

	if (is(path, "/DeleteResult/Deleted/Key") ||
	    is(path, "/DeleteResult/Error/Key"))
		return copy(r->key, sizeof(r->key), "a key", text, n, e);
	if (is(path, "/DeleteResult/Error/Code"))
		take_text(r->error.code, sizeof(r->error.code), text);
	if (is(path, "/DeleteResult/Error/Message"))
		take_text(r->error.message, sizeof(r->error.message), text);
	if (!under(path, "/DeleteResult", &name) ||
	    (!is(name, "Deleted") && !is(name, "Error")))
		return 0;
	rc = r->fn.deleted(
	    r->arg, r->key, is(name, "Error") ? &r->error : NULL, e);
	r->error = (struct reply_error){0};
	r->key[0] = '\0';
	return rc;
}

int
reply_deleted(
    const char *p, size_t n, reply_deleted_fn *fn, void *arg, struct err *e)
{
	AUTO(free) struct reader *r = reader_new(NULL, arg, e);

	if (r == NULL)
		return -1;
	r->fn.deleted = fn;
	return xml_parse(p, n, on_deleted, r, e);
}
