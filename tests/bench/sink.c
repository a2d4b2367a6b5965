/* SPDX-License-Identifier: ISC */
/*
 * A discarding S3 endpoint for benchmarks: it reads requests, drops bodies
 * inside the kernel and answers what a client wants to hear, at so little CPU
 * that the client is what is measured.  One thread, 127.0.0.1 only.  Nothing
 * is authenticated.  Bodies of up to 64 KiB that carry x-amz-checksum-crc64nvme
 * are checked, so that a probe finds that the checksum is verified.
 *
 *	sink [--port N] [--port-file FILE] [--delay-ms N] [--remember]
 *
 * prints its port.  --remember keeps names, sizes and a few headers of what
 * was put, for listings and HEAD.  GET /_sink/stats counts requests.
 */
#include "config.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX (64 << 10)
#define BODY_MAX (64 << 10) /* bodies up to this are kept and checked */
#define PARTS_MAX 10000
#define DROP_MAX (4 << 20)
#define FIELD_MAX 64

/* The fields of one request that count here; strings point into its head. */
struct request {
	const char *method, *path, *query;
	size_t method_len, path_len, query_len;
	uint64_t length;
	bool close, expect, copy;
	char md5[FIELD_MAX], crc64[FIELD_MAX], mtime[FIELD_MAX];
};

struct client {
	int fd;
	bool kept; /* the body is kept after the head */
	bool in_body;
	bool want_write;
	size_t head_len; /* of the request under way; 0: not complete yet */
	size_t have;	 /* bytes in in[] */
	uint64_t left;	 /* of the body, still to come */
	struct request req;
	char *out;
	size_t out_len, out_at, out_size;
	uint64_t due_ms; /* of the delayed reply; 0: none */
	struct client *next_due, *next_dead;
	bool dead;
	char in[HEAD_MAX + BODY_MAX];
};

/* An object that is remembered. */
struct object {
	struct object *next;
	uint64_t size;
	time_t time;
	char crc64[16];
	char mtime[28];
	size_t key_len;
	char key[];
};

struct upload {
	struct upload *next;
	uint64_t id;
	uint32_t parts;
	uint64_t *sizes;
	char mtime[FIELD_MAX];
};

static struct {
	int epoll, listener;
	unsigned delay_ms;
	bool remember;
	struct client *due_first, *due_last, *dead;
	struct object **table;
	size_t table_size, objects;
	struct object **sorted; /* NULL: to be made anew */
	struct upload *uploads;
	uint64_t next_upload;
	uint64_t requests, puts, parts, creates, completes, aborts, heads;
	uint64_t lists, others, bytes;
} sink = {.next_upload = 1};

static const char fixed_etag[] = "6472617920697320612063617274203a-1";
static uint64_t crc_table[8][256];

static void
crc_init(void)
{
	uint64_t c;
	unsigned i, k;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = (c >> 1) ^ (c & 1 ? 0x9A6C9329AC4BC9B5u : 0);
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			crc_table[k][i] = (crc_table[k - 1][i] >> 8) ^
			    crc_table[0][crc_table[k - 1][i] & 255];
}

static uint64_t
crc64(const unsigned char *p, size_t n)
{
	uint64_t c = ~(uint64_t)0, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		c ^= le64toh(w);
		c = crc_table[7][c & 255] ^ crc_table[6][c >> 8 & 255] ^
		    crc_table[5][c >> 16 & 255] ^ crc_table[4][c >> 24 & 255] ^
		    crc_table[3][c >> 32 & 255] ^ crc_table[2][c >> 40 & 255] ^
		    crc_table[1][c >> 48 & 255] ^ crc_table[0][c >> 56];
	}
	while (n-- > 0)
		c = crc_table[0][(c ^ *p++) & 255] ^ (c >> 8);
	return ~c;
}

static const char b64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
b64_of_crc(uint64_t crc, char out[16])
{
	unsigned char b[9] = {0};
	unsigned v;
	int i;

	for (i = 0; i < 8; i++)
		b[i] = (unsigned char)(crc >> (56 - 8 * i));
	for (i = 0; i < 3; i++) {
		v = (unsigned)b[3 * i] << 16 | (unsigned)b[3 * i + 1] << 8 |
		    b[3 * i + 2];
		out[4 * i] = b64_alphabet[v >> 18];
		out[4 * i + 1] = b64_alphabet[v >> 12 & 63];
		out[4 * i + 2] = b64_alphabet[v >> 6 & 63];
		out[4 * i + 3] = b64_alphabet[v & 63];
	}
	out[11] = '=';
	out[12] = '\0';
}

/* An MD5 in base64 as the hex that an ETag has; false if it isn't one. */
static bool
etag_of_md5(const char *b64, char out[33])
{
	unsigned char raw[18];
	const char *at;
	size_t i, n = 0;
	uint32_t v = 0;

	if (strlen(b64) != 24)
		return false;
	for (i = 0; i < 24; i++) {
		at =
		    b64[i] == '=' ? b64_alphabet : strchr(b64_alphabet, b64[i]);
		if (at == NULL)
			return false;
		v = v << 6 | (uint32_t)(at - b64_alphabet);
		if (i % 4 == 3) {
			raw[n++] = (unsigned char)(v >> 16);
			raw[n++] = (unsigned char)(v >> 8);
			raw[n++] = (unsigned char)v;
			v = 0;
		}
	}
	for (i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
	return true;
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void *
must(void *p)
{
	if (p == NULL)
		err(1, "memory");
	return p;
}

/* What is remembered */

static uint64_t
hash(const char *p, size_t n)
{
	uint64_t h = 14695981039346656037u;

	while (n-- > 0)
		h = (h ^ (unsigned char)*p++) * 1099511628211u;
	return h ^ h >> 29;
}

static struct object **
slot_of(const char *key, size_t len)
{
	struct object **o = &sink.table[hash(key, len) % sink.table_size];

	while (*o != NULL &&
	    ((*o)->key_len != len || memcmp((*o)->key, key, len) != 0))
		o = &(*o)->next;
	return o;
}

static void
grow_table(void)
{
	struct object **old = sink.table, *o, *next, **to;
	size_t i, n = sink.table_size;

	sink.table_size = n * 4;
	sink.table = must(calloc(sink.table_size, sizeof(*sink.table)));
	for (i = 0; i < n; i++)
		for (o = old[i]; o != NULL; o = next) {
			next = o->next;
			to = &sink.table[hash(o->key, o->key_len) %
			    sink.table_size];
			o->next = *to;
			*to = o;
		}
	free(old);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* OUT takes N bytes; returns how many there are. */
static size_t
percent_decode(const char *p, size_t n, char *out)
{
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 &&
		    hex(p[i + 2]) >= 0) {
			out[len++] = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			out[len++] = p[i];
		}
	return len;
}

static void
remember(const char *key, size_t len, uint64_t size, const char *crc,
    const char *mtime)
{
	struct object **slot = slot_of(key, len), *o = *slot;

	if (o == NULL) {
		if (sink.objects >= sink.table_size) {
			grow_table();
			slot = slot_of(key, len);
		}
		o = must(calloc(1, sizeof(*o) + len));
		memcpy(o->key, key, len);
		o->key_len = len;
		*slot = o;
		sink.objects++;
		free(sink.sorted);
		sink.sorted = NULL;
	}
	o->size = size;
	o->time = time(NULL);
	snprintf(o->crc64, sizeof(o->crc64), "%.12s", crc);
	snprintf(o->mtime, sizeof(o->mtime), "%.27s", mtime);
}

static void
forget(const char *key, size_t len)
{
	struct object **slot = slot_of(key, len), *o = *slot;

	if (o == NULL)
		return;
	*slot = o->next;
	free(o);
	sink.objects--;
	free(sink.sorted);
	sink.sorted = NULL;
}

static int
by_key(const void *pa, const void *pb)
{
	const struct object *a = *(struct object *const *)pa;
	const struct object *b = *(struct object *const *)pb;
	size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int d = memcmp(a->key, b->key, n);

	return d != 0 ? d
		      : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static void
sort_objects(void)
{
	struct object *o;
	size_t i, n = 0;

	if (sink.sorted != NULL)
		return;
	sink.sorted = must(calloc(sink.objects + 1, sizeof(*sink.sorted)));
	for (i = 0; i < sink.table_size; i++)
		for (o = sink.table[i]; o != NULL; o = o->next)
			sink.sorted[n++] = o;
	qsort(sink.sorted, n, sizeof(*sink.sorted), by_key);
}

/* Replies */

static void
out_bytes(struct client *c, const void *p, size_t n)
{
	if (c->out_len + n > c->out_size) {
		c->out_size = (c->out_len + n) * 2;
		c->out = must(realloc(c->out, c->out_size));
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
}

__attribute__((format(printf, 2, 3))) static void
out_text(struct client *c, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		out_bytes(c, text,
		    n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* HEADERS: complete lines. */
static void
reply(struct client *c, const char *status, const char *headers,
    const char *body, size_t body_len)
{
	bool head =
	    c->req.method_len == 4 && memcmp(c->req.method, "HEAD", 4) == 0;

	out_text(c, "HTTP/1.1 %s\r\nServer: sink\r\n%s", status, headers);
	if (strstr(headers, "Content-Length:") == NULL &&
	    strncmp(status, "204", 3) != 0)
		out_text(c, "Content-Length: %zu\r\n", body_len);
	if (body_len > 0)
		out_text(c, "Content-Type: application/xml\r\n");
	out_text(c, "\r\n");
	if (!head)
		out_bytes(c, body, body_len);
}

static void
reply_error(struct client *c, const char *status, const char *code)
{
	char body[200];
	int n = snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s"
	    "</Message></Error>",
	    code, code);

	reply(c, status, "", body, (size_t)n);
}

static void
reply_xml(struct client *c, const char *body)
{
	reply(c, "200 OK", "", body, strlen(body));
}

/* The value of NAME in the query, percent-decoded; -1 if it has none. */
static ssize_t
query_get(const struct request *r, const char *name, char *out, size_t size)
{
	const char *p = r->query, *end = r->query + r->query_len, *next;
	size_t len = strlen(name);

	for (; p < end; p = next + 1) {
		next = memchr(p, '&', (size_t)(end - p));
		if (next == NULL)
			next = end;
		if ((size_t)(next - p) < len || memcmp(p, name, len) != 0)
			continue;
		if ((size_t)(next - p) == len) {
			out[0] = '\0';
			return 0;
		}
		if (p[len] != '=' || (size_t)(next - p) - len > size)
			continue;
		len = percent_decode(
		    p + len + 1, (size_t)(next - p) - len - 1, out);
		out[len] = '\0';
		return (ssize_t)len;
	}
	return -1;
}

static void
out_key(struct client *c, const char *key, size_t len, bool url)
{
	static const char plain[] = "-_.~/";
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char b = (unsigned char)key[i];

		if (url && !(b >= '0' && b <= '9') &&
		    !((b | 32) >= 'a' && (b | 32) <= 'z') &&
		    (b == '\0' || strchr(plain, b) == NULL))
			out_text(c, "%%%02X", b);
		else if (!url && (b == '&' || b == '<' || b == '>'))
			out_text(c, "&#%d;", b);
		else
			out_bytes(c, &b, 1);
	}
}

struct listing {
	char prefix[1100], delim[8], after[2300];
	size_t prefix_len, after_len, max;
	bool v2, url;
};

static struct listing
listing_of(const struct request *r)
{
	struct listing l = {.max = 1000};
	char text[2300];
	ssize_t n;

	n = query_get(r, "prefix", l.prefix, sizeof(l.prefix));
	l.prefix_len = n > 0 ? (size_t)n : 0;
	if (query_get(r, "delimiter", l.delim, sizeof(l.delim)) <= 0)
		l.delim[0] = '\0';
	l.v2 = query_get(r, "list-type", text, sizeof(text)) >= 0;
	l.url = query_get(r, "encoding-type", text, sizeof(text)) > 0;
	n = query_get(
	    r, l.v2 ? "start-after" : "marker", l.after, sizeof(l.after));
	if (query_get(r, "continuation-token", text, sizeof(text)) > 0) {
		n = (ssize_t)strlen(text);
		memcpy(l.after, text, (size_t)n);
	}
	l.after_len = n > 0 ? (size_t)n : 0;
	if (query_get(r, "max-keys", text, sizeof(text)) > 0 &&
	    strtoul(text, NULL, 10) < 1000)
		l.max = strtoul(text, NULL, 10);
	return l;
}

/* Where the listing goes on: the first object after L->after. */
static size_t
list_start(const struct listing *l)
{
	size_t low = 0, high = sink.objects, mid, n;
	int d;

	while (low < high) {
		const struct object *o = sink.sorted[mid = (low + high) / 2];

		n = o->key_len < l->after_len ? o->key_len : l->after_len;
		d = memcmp(o->key, l->after, n);
		if (d < 0 || (d == 0 && o->key_len <= l->after_len))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
list_entries(struct client *c, const struct listing *l)
{
	const struct object *o, *last = NULL;
	const char *common = NULL, *slash;
	size_t i, n = 0, common_len = 0;
	bool more = false;
	char when[32];
	struct tm tm;

	for (i = list_start(l); i < sink.objects; i++) {
		o = sink.sorted[i];
		if (o->key_len < l->prefix_len ||
		    memcmp(o->key, l->prefix, l->prefix_len) != 0)
			continue;
		if (common != NULL && o->key_len >= common_len &&
		    memcmp(o->key, common, common_len) == 0) {
			last = o;
			continue;
		}
		if (n == l->max) {
			more = true;
			break;
		}
		n++;
		last = o;
		slash = l->delim[0] == '\0'
		    ? NULL
		    : memchr(o->key + l->prefix_len, l->delim[0],
			  o->key_len - l->prefix_len);
		if (slash != NULL) {
			common = o->key;
			common_len = (size_t)(slash - o->key) + 1;
			out_text(c, "<CommonPrefixes><Prefix>");
			out_key(c, common, common_len, l->url);
			out_text(c, "</Prefix></CommonPrefixes>");
			continue;
		}
		gmtime_r(&o->time, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		out_text(c, "<Contents><Key>");
		out_key(c, o->key, o->key_len, l->url);
		out_text(c,
		    "</Key><LastModified>%s</LastModified><ETag>&quot;%s&quot;"
		    "</ETag><Size>%llu</Size><StorageClass>STANDARD"
		    "</StorageClass></Contents>",
		    when, fixed_etag, (unsigned long long)o->size);
	}
	out_text(c, "<KeyCount>%zu</KeyCount><IsTruncated>%s</IsTruncated>", n,
	    more ? "true" : "false");
	if (more) {
		const char *tag =
		    l->v2 ? "NextContinuationToken" : "NextMarker";

		out_text(c, "<%s>", tag);
		out_key(c, last->key, last->key_len, l->url && !l->v2);
		out_text(c, "</%s>", tag);
	}
}

static void
list_objects(struct client *c)
{
	struct listing l = listing_of(&c->req);
	char *body;
	size_t at = c->out_len, len;

	sort_objects();
	out_text(c,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
	    "<Name>bench</Name><MaxKeys>%zu</MaxKeys>%s",
	    l.max, l.url ? "<EncodingType>url</EncodingType>" : "");
	list_entries(c, &l);
	out_text(c, "</ListBucketResult>");
	len = c->out_len - at;
	body = must(malloc(len));
	memcpy(body, c->out + at, len);
	c->out_len = at;
	reply(c, "200 OK", "", body, len);
	free(body);
}

static void
head_object(struct client *c, const char *key, size_t len)
{
	const struct object *o = *slot_of(key, len);
	char h[600], when[64];
	struct tm tm;
	int n;

	if (o == NULL) {
		reply(c, "404 Not Found", "", "", 0);
		return;
	}
	gmtime_r(&o->time, &tm);
	strftime(when, sizeof(when), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	n = snprintf(h, sizeof(h),
	    "Content-Length: %llu\r\nETag: \"%s\"\r\nLast-Modified: %s\r\n",
	    (unsigned long long)o->size, fixed_etag, when);
	if (o->crc64[0] != '\0')
		n += snprintf(h + n, sizeof(h) - (size_t)n,
		    "x-amz-checksum-crc64nvme: %s\r\n"
		    "x-amz-checksum-type: FULL_OBJECT\r\n",
		    o->crc64);
	if (o->mtime[0] != '\0')
		snprintf(h + n, sizeof(h) - (size_t)n,
		    "x-amz-meta-mtime: %s\r\n", o->mtime);
	reply(c, "200 OK", h, "", 0);
}

static void
reply_stored(struct client *c)
{
	char h[300], etag[33];

	snprintf(h, sizeof(h), "ETag: \"%s\"\r\n%s%s%s",
	    etag_of_md5(c->req.md5, etag) ? etag : fixed_etag,
	    c->req.crc64[0] != '\0' ? "x-amz-checksum-crc64nvme: " : "",
	    c->req.crc64, c->req.crc64[0] != '\0' ? "\r\n" : "");
	reply(c, "200 OK", h, "", 0);
}

/* Multipart */

static struct upload **
upload_slot(const char *id)
{
	uint64_t n =
	    strncmp(id, "sink-", 5) == 0 ? strtoull(id + 5, NULL, 10) : 0;
	struct upload **u = &sink.uploads;

	while (*u != NULL && (*u)->id != n)
		u = &(*u)->next;
	return u;
}

static void
upload_drop(struct upload **slot)
{
	struct upload *u = *slot;

	if (u == NULL)
		return;
	*slot = u->next;
	free(u->sizes);
	free(u);
}

static void
upload_create(struct client *c)
{
	char body[300];
	struct upload *u;

	sink.creates++;
	if (sink.remember) {
		u = must(calloc(1, sizeof(*u)));
		u->id = sink.next_upload;
		memcpy(u->mtime, c->req.mtime, sizeof(u->mtime));
		u->next = sink.uploads;
		sink.uploads = u;
	}
	snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\"?><InitiateMultipartUploadResult><UploadId>"
	    "sink-%llu</UploadId></InitiateMultipartUploadResult>",
	    (unsigned long long)sink.next_upload++);
	reply_xml(c, body);
}

static void
upload_part(struct client *c, const char *id)
{
	struct upload *u = *upload_slot(id);
	char text[16];
	unsigned long n = 0;

	sink.parts++;
	if (query_get(&c->req, "partNumber", text, sizeof(text)) > 0)
		n = strtoul(text, NULL, 10);
	if (n < 1 || n > PARTS_MAX) {
		reply_error(c, "400 Bad Request", "InvalidArgument");
		return;
	}
	if (u != NULL) {
		if (n > u->parts) {
			u->sizes =
			    must(realloc(u->sizes, n * sizeof(*u->sizes)));
			memset(u->sizes + u->parts, 0,
			    (n - u->parts) * sizeof(*u->sizes));
			u->parts = (uint32_t)n;
		}
		u->sizes[n - 1] = c->req.length;
	}
	reply_stored(c);
}

static void
upload_complete(struct client *c, const char *id, const char *key, size_t len)
{
	struct upload **slot = upload_slot(id);
	uint64_t size = 0;
	char body[400];
	uint32_t i;

	sink.completes++;
	if (*slot != NULL) {
		for (i = 0; i < (*slot)->parts; i++)
			size += (*slot)->sizes[i];
		remember(key, len, size, c->req.crc64, (*slot)->mtime);
		upload_drop(slot);
	}
	snprintf(body, sizeof(body),
	    "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>"
	    "&quot;%s&quot;</ETag>%s%s%s</CompleteMultipartUploadResult>",
	    fixed_etag, c->req.crc64[0] != '\0' ? "<ChecksumCRC64NVME>" : "",
	    c->req.crc64,
	    c->req.crc64[0] != '\0' ? "</ChecksumCRC64NVME>" : "");
	reply_xml(c, body);
}

static void
upload_list_parts(struct client *c, const char *id)
{
	const struct upload *u = *upload_slot(id);
	char *body;
	size_t at = c->out_len, len;
	uint32_t i;

	out_text(c, "<ListPartsResult><IsTruncated>false</IsTruncated>");
	for (i = 0; u != NULL && i < u->parts; i++)
		if (u->sizes[i] > 0)
			out_text(c,
			    "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s"
			    "&quot;</ETag><Size>%llu</Size></Part>",
			    i + 1, fixed_etag, (unsigned long long)u->sizes[i]);
	out_text(c, "</ListPartsResult>");
	len = c->out_len - at;
	body = must(malloc(len));
	memcpy(body, c->out + at, len);
	c->out_len = at;
	reply(c, "200 OK", "", body, len);
	free(body);
}

static void
reply_stats(struct client *c)
{
	char body[600];
	int n = snprintf(body, sizeof(body),
	    "{\"requests\": %llu, \"puts\": %llu, \"parts\": %llu, "
	    "\"creates\": %llu, \"completes\": %llu, \"aborts\": %llu, "
	    "\"heads\": %llu, \"lists\": %llu, \"others\": %llu, "
	    "\"bytes\": %llu, \"objects\": %zu}\n",
	    (unsigned long long)sink.requests, (unsigned long long)sink.puts,
	    (unsigned long long)sink.parts, (unsigned long long)sink.creates,
	    (unsigned long long)sink.completes, (unsigned long long)sink.aborts,
	    (unsigned long long)sink.heads, (unsigned long long)sink.lists,
	    (unsigned long long)sink.others, (unsigned long long)sink.bytes,
	    sink.objects);

	sink.requests--;
	reply(c, "200 OK", "", body, (size_t)n);
}

static bool
method_is(const struct request *r, const char *name)
{
	return strlen(name) == r->method_len &&
	    memcmp(r->method, name, r->method_len) == 0;
}

static bool
asked(const struct request *r, const char *name)
{
	char text[8];

	return query_get(r, name, text, sizeof(text)) >= 0;
}

static void
answer_bucket(struct client *c)
{
	const struct request *r = &c->req;

	if (method_is(r, "GET") && asked(r, "uploads")) {
		sink.lists++;
		reply_xml(c,
		    "<ListMultipartUploadsResult><IsTruncated>false"
		    "</IsTruncated></ListMultipartUploadsResult>");
	} else if (method_is(r, "GET") && asked(r, "location")) {
		sink.others++;
		reply_xml(c, "<LocationConstraint></LocationConstraint>");
	} else if (method_is(r, "GET") && r->query_len > 0 &&
	    memchr(r->query, '=', r->query_len) == NULL) {
		/* ?versioning, ?object-lock and their like */
		sink.others++;
		reply_error(c, "404 Not Found", "NoSuchConfiguration");
	} else if (method_is(r, "GET")) {
		sink.lists++;
		list_objects(c);
	} else if (method_is(r, "POST")) {
		sink.others++;
		reply_xml(c, "<DeleteResult></DeleteResult>");
	} else {
		sink.heads++;
		reply(c, "200 OK", "x-amz-bucket-region: us-east-1\r\n", "", 0);
	}
}

static void
answer_object(struct client *c, const char *key, size_t len)
{
	const struct request *r = &c->req;
	char id[64];
	bool upload = query_get(r, "uploadId", id, sizeof(id)) > 0;

	if (method_is(r, "PUT") && upload) {
		upload_part(c, id);
	} else if (method_is(r, "PUT")) {
		sink.puts++;
		if (r->copy) {
			reply_xml(c, "<CopyObjectResult></CopyObjectResult>");
			return;
		}
		if (sink.remember)
			remember(key, len, r->length, r->crc64, r->mtime);
		reply_stored(c);
	} else if (method_is(r, "POST") && upload) {
		upload_complete(c, id, key, len);
	} else if (method_is(r, "POST")) {
		upload_create(c);
	} else if (method_is(r, "GET") && upload) {
		sink.lists++;
		upload_list_parts(c, id);
	} else if (method_is(r, "DELETE")) {
		if (upload) {
			sink.aborts++;
			upload_drop(upload_slot(id));
		} else {
			sink.others++;
			forget(key, len);
		}
		reply(c, "204 No Content", "", "", 0);
	} else if (method_is(r, "HEAD")) {
		sink.heads++;
		head_object(c, key, len);
	} else {
		sink.others++;
		reply_error(c, "404 Not Found", "NoSuchKey");
	}
}

/* The request is complete: answer it. */
static void
answer(struct client *c)
{
	const struct request *r = &c->req;
	const char *key;
	char name[4096], crc[16];
	size_t len;

	sink.requests++;
	sink.bytes += r->length;
	if (r->path_len == 12 && memcmp(r->path, "/_sink/stats", 12) == 0) {
		reply_stats(c);
		return;
	}
	if (c->kept && r->crc64[0] != '\0') {
		b64_of_crc(crc64((const unsigned char *)c->in + c->head_len,
			       (size_t)r->length),
		    crc);
		if (strcmp(crc, r->crc64) != 0) {
			reply_error(c, "400 Bad Request", "BadDigest");
			return;
		}
	}
	key =
	    r->path_len < 1 ? NULL : memchr(r->path + 1, '/', r->path_len - 1);
	len = key == NULL ? 0 : r->path_len - (size_t)(++key - r->path);
	if (len == 0) {
		answer_bucket(c);
	} else if (len > sizeof(name)) {
		reply_error(c, "400 Bad Request", "KeyTooLongError");
	} else {
		len = percent_decode(key, len, name);
		answer_object(c, name, len);
	}
}

/* Connections */

static bool
field(const char *line, size_t n, const char *name, char *out)
{
	size_t len = strlen(name);

	if (n < len || strncasecmp(line, name, len) != 0)
		return false;
	for (line += len, n -= len; n > 0 && *line == ' '; line++)
		n--;
	if (n >= FIELD_MAX)
		n = FIELD_MAX - 1;
	memcpy(out, line, n);
	out[n] = '\0';
	return true;
}

/* The head is complete; -1 if it makes no sense. */
static int
parse_head(struct client *c)
{
	struct request *r = &c->req;
	const char *p = c->in, *end = c->in + c->head_len - 2, *eol;
	const char *target, *target_end, *q;
	char text[FIELD_MAX];

	*r = (struct request){.method = p};
	eol = memchr(p, '\r', (size_t)(end - p));
	target = memchr(p, ' ', (size_t)(eol - p));
	if (target == NULL)
		return -1;
	r->method_len = (size_t)(target - p);
	target++;
	target_end = memchr(target, ' ', (size_t)(eol - target));
	if (target_end == NULL || *target != '/')
		return -1;
	r->path = target;
	q = memchr(target, '?', (size_t)(target_end - target));
	r->path_len = (size_t)((q != NULL ? q : target_end) - target);
	r->query = q != NULL ? q + 1 : target_end;
	r->query_len = (size_t)(target_end - r->query);
	for (p = eol + 2; p < end; p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));
		if (eol == NULL)
			eol = end;
		if (field(p, (size_t)(eol - p), "content-length:", text))
			r->length = strtoull(text, NULL, 10);
		else if (field(p, (size_t)(eol - p), "expect:", text))
			r->expect = true;
		else if (field(p, (size_t)(eol - p), "connection:", text))
			r->close = strcasecmp(text, "close") == 0;
		else if (field(
			     p, (size_t)(eol - p), "x-amz-copy-source:", text))
			r->copy = true;
		else if (field(
			     p, (size_t)(eol - p), "transfer-encoding:", text))
			return -1;
		else if (!field(p, (size_t)(eol - p), "content-md5:", r->md5) &&
		    !field(p, (size_t)(eol - p),
			"x-amz-checksum-crc64nvme:", r->crc64))
			field(p, (size_t)(eol - p),
			    "x-amz-meta-mtime:", r->mtime);
	}
	return 0;
}

static void
client_die(struct client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	close(c->fd);
	c->next_dead = sink.dead;
	sink.dead = c;
}

static void
watch(struct client *c, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = c};

	if (epoll_ctl(sink.epoll, EPOLL_CTL_MOD, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

/* False: not all could be sent; goes on when the socket takes more. */
static bool
flush(struct client *c)
{
	ssize_t n;

	while (c->out_at < c->out_len) {
		n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			if (!c->want_write)
				watch(c, EPOLLOUT);
			c->want_write = true;
			return false;
		}
		if (n == -1) {
			client_die(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
	if (c->want_write)
		watch(c, EPOLLIN);
	c->want_write = false;
	if (c->req.close)
		client_die(c);
	return !c->dead;
}

/* Drops the request that was answered from the buffer. */
static void
next_request(struct client *c)
{
	size_t used = c->head_len + (c->kept ? (size_t)c->req.length : 0);

	memmove(c->in, c->in + used, c->have - used);
	c->have -= used;
	c->head_len = 0;
	c->in_body = false;
}

/* True: answered and sent, go on; false: wait for something. */
static bool
request_done(struct client *c)
{
	answer(c);
	next_request(c);
	if (sink.delay_ms == 0)
		return flush(c);
	c->due_ms = now_ms() + sink.delay_ms;
	c->next_due = NULL;
	if (sink.due_first == NULL)
		sink.due_first = c;
	else
		sink.due_last->next_due = c;
	sink.due_last = c;
	return false;
}

/* True: a body (or none) follows and is set up. */
static bool
begin_request(struct client *c)
{
	char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
	size_t in_buffer;

	if (end == NULL) {
		if (c->have == HEAD_MAX)
			client_die(c);
		return false;
	}
	c->head_len = (size_t)(end - c->in) + 4;
	if (parse_head(c) == -1) {
		client_die(c);
		return false;
	}
	in_buffer = c->have - c->head_len;
	c->in_body = true;
	c->kept = c->req.length <= BODY_MAX;
	if (in_buffer > c->req.length)
		in_buffer = (size_t)c->req.length;
	c->left = c->req.length - in_buffer;
	if (!c->kept)
		c->have = c->head_len;
	if (c->req.expect && c->left > 0) {
		out_text(c, "HTTP/1.1 100 Continue\r\n\r\n");
		return flush(c);
	}
	return true;
}

static void
client_read(struct client *c)
{
	ssize_t n;

	while (!c->dead && c->due_ms == 0 && !c->want_write) {
		if (!c->in_body && c->have > 0 && !begin_request(c) &&
		    (c->dead || c->want_write))
			return;
		if (c->in_body && c->left == 0) {
			if (!request_done(c))
				return;
			continue;
		}
		if (c->in_body && !c->kept)
			/* dropped by the kernel, never copied; not by recv(),
			 * whose sanitizer wrapper looks at the buffer */
			n = syscall(SYS_recvfrom, c->fd, NULL,
			    c->left < DROP_MAX ? (size_t)c->left : DROP_MAX,
			    MSG_TRUNC, NULL, NULL);
		else if (c->in_body)
			n = recv(c->fd, c->in + c->have, (size_t)c->left, 0);
		else
			n = recv(c->fd, c->in + c->have, HEAD_MAX - c->have, 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			client_die(c);
			return;
		}
		if (c->in_body)
			c->left -= (uint64_t)n;
		if (!c->in_body || c->kept)
			c->have += (size_t)n;
	}
}

static void
client_accept(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	struct client *c;
	int fd, on = 1;

	while ((fd = accept4(sink.listener, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = must(malloc(sizeof(*c)));
		memset(c, 0, offsetof(struct client, in));
		c->fd = fd;
		ev.data.ptr = c;
		if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
			err(1, "epoll_ctl");
	}
}

/* Sends what is due; how long until the next, for epoll_wait. */
static int
send_due(void)
{
	struct client *c;
	uint64_t now;

	while ((c = sink.due_first) != NULL) {
		now = now_ms();
		if (c->due_ms > now)
			return (int)(c->due_ms - now);
		sink.due_first = c->next_due;
		c->due_ms = 0;
		if (c->dead)
			continue;
		if (flush(c))
			client_read(c);
	}
	return -1;
}

static void
bury_dead(void)
{
	struct client **at = &sink.dead, *c;

	while ((c = *at) != NULL) {
		if (c->due_ms != 0) { /* still in the queue of replies */
			at = &c->next_dead;
			continue;
		}
		*at = c->next_dead;
		free(c->out);
		free(c);
	}
}

static void
serve(void)
{
	struct epoll_event evs[64];
	struct client *c;
	int i, n;

	for (;;) {
		n = epoll_wait(sink.epoll, evs, 64, send_due());
		for (i = 0; i < n; i++) {
			c = evs[i].data.ptr;
			if (c == NULL) {
				client_accept();
			} else if (!c->dead && c->want_write) {
				if (flush(c))
					client_read(c);
			} else if (!c->dead) {
				client_read(c);
			}
		}
		bury_dead();
	}
}

static void
listen_on(uint16_t port, const char *port_file)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.events = EPOLLIN};
	socklen_t len = sizeof(a);
	int on = 1;
	FILE *f;

	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	sink.listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sink.epoll == -1 || sink.listener == -1)
		err(1, "socket");
	setsockopt(sink.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(sink.listener, (struct sockaddr *)&a, len) == -1 ||
	    listen(sink.listener, 1024) == -1 ||
	    getsockname(sink.listener, (struct sockaddr *)&a, &len) == -1)
		err(1, "127.0.0.1:%u", port);
	epoll_ctl(sink.epoll, EPOLL_CTL_ADD, sink.listener, &ev);
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	if (port_file != NULL) {
		f = fopen(port_file, "w");
		if (f == NULL || fprintf(f, "%u\n", ntohs(a.sin_port)) < 0 ||
		    fclose(f) != 0)
			err(1, "%s", port_file);
	}
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"port", required_argument, NULL, 'p'},
	    {"port-file", required_argument, NULL, 'f'},
	    {"delay-ms", required_argument, NULL, 'd'},
	    {"remember", no_argument, NULL, 'r'},
	    {NULL, 0, NULL, 0},
	};
	const char *port_file = NULL;
	unsigned long port = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (o) {
		case 'p':
			port = strtoul(optarg, NULL, 10);
			break;
		case 'f':
			port_file = optarg;
			break;
		case 'd':
			sink.delay_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			sink.remember = true;
			break;
		default:
			fprintf(stderr,
			    "usage: sink [--port N] [--port-file FILE] "
			    "[--delay-ms N] [--remember]\n");
			return 2;
		}
	signal(SIGPIPE, SIG_IGN);
	crc_init();
	sink.table_size = 1 << 12;
	sink.table = must(calloc(sink.table_size, sizeof(*sink.table)));
	listen_on((uint16_t)port, port_file);
	serve();
}
