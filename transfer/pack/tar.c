/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "transfer/attrs.h"
#include "transfer/pack/tar.h"

#define NAME_BYTES 100
#define PREFIX_BYTES 155
#define ID_MOST ((uint64_t)07777777)
#define BYTES_MOST ((uint64_t)077777777777)
#define SECOND_NS 1000000000
#define RECORD_MAX ((size_t)1 << 21)

/* An ustar header. */
struct header {
	char name[NAME_BYTES];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[NAME_BYTES];
	char magic[8];
	char uname[32];
	char gname[32];
	char major[8];
	char minor[8];
	char prefix[PREFIX_BYTES];
	char rest[12];
};

_Static_assert(sizeof(struct header) == TAR_BLOCK, "a block");

/* N bytes: octal digits and a NUL. */
static void
octal(char *field, size_t n, uint64_t value)
{
	field[--n] = '\0';
	while (n > 0) {
		field[--n] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

static size_t
digits(size_t n)
{
	size_t d = 1;

	while (n >= 10) {
		n /= 10;
		d++;
	}
	return d;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
static void
add_record(struct buf *out, const char *key, const void *value, size_t n)
{
	size_t body = strlen(key) + n + 3;
	size_t len = body + digits(body);

	if (digits(len) > digits(body))
		len = body + digits(len);
	buf_addf(out, "%zu %s=", len, key);
	buf_add(out, value, n);
	buf_addc(out, '\n');
}

static void
add_number(struct buf *out, const char *key, uint64_t value)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);

	add_record(out, key, text, (size_t)n);
}

static void
add_time(struct buf *out, const char *key, int64_t ns)
{
	uint64_t most = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	char text[40];
	int n = snprintf(text, sizeof(text), "%s%" PRIu64 ".%09" PRIu64,
	    ns < 0 ? "-" : "", most / SECOND_NS, most % SECOND_NS);

	add_record(out, key, text, (size_t)n);
}

/* As GNU tar has it: in a key, '=' would end it. */
static void
add_xattr(struct buf *out, const struct attr *a)
{
	AUTO(buf) struct buf key = BUF_INIT(4 * ATTRS_NAME_MAX);
	const char *p;

	buf_adds(&key, "SCHILY.xattr.");
	for (p = a->name; *p != '\0'; p++) {
		if (*p == '=')
			buf_adds(&key, "%3D");
		else if (*p == '%')
			buf_adds(&key, "%25");
		else
			buf_addc(&key, *p);
	}
	add_record(out, buf_str(&key), a->value, a->len);
}

static unsigned
little(const uint8_t *p, size_t n)
{
	unsigned value = 0;

	while (n-- > 0)
		value = value << 8 | p[n];
	return value;
}

/* What Linux keeps an ACL in, as text with numeric ids; what is none is left
 * out.  https://git.kernel.org/linus : include/uapi/linux/posix_acl_xattr.h */
static void
add_acl(struct buf *out, const char *key, const struct attr *a)
{
	static const struct {
		unsigned tag;
		const char *text;
		bool named;
	} tags[] = {
	    {0x01, "user::", false},
	    {0x02, "user:", true},
	    {0x04, "group::", false},
	    {0x08, "group:", true},
	    {0x10, "mask::", false},
	    {0x20, "other::", false},
	};
	const size_t count = sizeof(tags) / sizeof(tags[0]);
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	const uint8_t *p = a->value;
	size_t at, i;

	if (a->len < 4 || a->len % 8 != 4 || little(p, 4) != 2)
		return;
	for (at = 4; at < a->len; at += 8) {
		unsigned perm = little(p + at + 2, 2);

		for (i = 0; i < count; i++)
			if (tags[i].tag == little(p + at, 2))
				break;
		if (i == count)
			return;
		buf_addf(&text, "%s%s", at > 4 ? "," : "", tags[i].text);
		if (tags[i].named)
			buf_addf(&text, "%u:", little(p + at + 4, 4));
		buf_addc(&text, (perm & 4) != 0 ? 'r' : '-');
		buf_addc(&text, (perm & 2) != 0 ? 'w' : '-');
		buf_addc(&text, (perm & 1) != 0 ? 'x' : '-');
	}
	if (text.len > 0)
		add_record(out, key, buf_str(&text), text.len);
}

static void
add_attrs(struct buf *out, const struct attrs *attrs)
{
	size_t i;

	for (i = 0; attrs != NULL && i < attrs->n; i++) {
		const struct attr *a = &attrs->each[i];

		if (strcmp(a->name, "system.posix_acl_access") == 0)
			add_acl(out, "SCHILY.acl.access", a);
		else if (strcmp(a->name, "system.posix_acl_default") == 0)
			add_acl(out, "SCHILY.acl.default", a);
		else
			add_xattr(out, a);
	}
}

/* Puts NAME into H; false if it doesn't fit. */
static bool
put_name(struct header *h, const char *name, size_t len)
{
	const char *slash;
	size_t rest;

	if (len <= NAME_BYTES) {
		memcpy(h->name, name, len);
		return true;
	}
	if (len > PREFIX_BYTES + 1 + NAME_BYTES)
		return false;
	/* The first slash behind which no more is than fits. */
	slash = memchr(name + len - NAME_BYTES - 1, '/', NAME_BYTES);
	if (slash == NULL || slash == name || slash - name > PREFIX_BYTES)
		return false;
	rest = (size_t)(name + len - slash) - 1;
	memcpy(h->prefix, name, (size_t)(slash - name));
	memcpy(h->name, slash + 1, rest);
	return true;
}

static char
type_of(const struct tar_member *m)
{
	if (m->st->type == ITEM_DIR)
		return '5';
	if (m->st->type == ITEM_SYMLINK)
		return '2';
	return m->link != NULL ? '1' : '0';
}

static void
finish(struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;
	size_t i;

	memcpy(h->magic, "ustar\00000", sizeof(h->magic));
	memset(h->checksum, ' ', sizeof(h->checksum));
	for (i = 0; i < sizeof(*h); i++)
		sum += p[i];
	octal(h->checksum, 7, sum);
}

static void
add_padding(struct buf *out, uint64_t size)
{
	static const char zeros[TAR_BLOCK];

	buf_add(out, zeros, tar_padding(size));
}

/* The extended header of TYPE that holds RECORDS. */
static void
add_extended(
    struct buf *out, char type, const char *name, const struct buf *records)
{
	struct header h = {.type = type};

	memcpy(h.name, name, strlen(name));
	octal(h.mode, sizeof(h.mode), 0644);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.size, sizeof(h.size), records->len);
	octal(h.mtime, sizeof(h.mtime), 0);
	finish(&h);
	buf_add(out, &h, sizeof(h));
	buf_add(out, records->data, records->len);
	add_padding(out, records->len);
}

void
tar_add_comment(struct buf *out, const char *text)
{
	AUTO(buf) struct buf records = BUF_INIT(RECORD_MAX);

	add_record(&records, "comment", text, strlen(text));
	add_extended(out, 'g', "././@PaxHeader", &records);
}

/* Names and sizes in H, and in RECORDS what doesn't fit. */
static void
put_fields(struct header *h, struct buf *records, const struct tar_member *m)
{
	const struct item_stat *st = m->st;
	bool known = st->mtime_ns != ITEM_TIME_UNKNOWN;
	int64_t mtime_ns = known ? st->mtime_ns : 0;
	AUTO(buf) struct buf name = BUF_INIT(RECORD_MAX);
	uint32_t mode = st->type == ITEM_DIR ? 0755 : 0644;

	if (m->name_len == 0)
		buf_addc(&name, '.');
	buf_add(&name, m->name, m->name_len);
	if (st->type == ITEM_DIR)
		buf_addc(&name, '/');
	if (!put_name(h, buf_str(&name), name.len)) {
		/* GNU tar knows no such record, and needs none. */
		if (!text_is_utf8(buf_str(&name), name.len))
			add_record(records, "hdrcharset", "BINARY", 6);
		add_record(records, "path", buf_str(&name), name.len);
		memcpy(h->name, buf_str(&name), NAME_BYTES);
	}
	if (m->link_len > NAME_BYTES)
		add_record(records, "linkpath", m->link, m->link_len);
	if (m->link != NULL)
		memcpy(h->link, m->link,
		    m->link_len < NAME_BYTES ? m->link_len : NAME_BYTES);
	if (st->mode != 0)
		mode = st->mode & 07777;
	octal(h->mode, sizeof(h->mode), mode);
	if (st->uid > ID_MOST)
		add_number(records, "uid", st->uid);
	octal(h->uid, sizeof(h->uid), st->uid > ID_MOST ? 0 : st->uid);
	if (st->gid > ID_MOST)
		add_number(records, "gid", st->gid);
	octal(h->gid, sizeof(h->gid), st->gid > ID_MOST ? 0 : st->gid);
	if (m->size > BYTES_MOST)
		add_number(records, "size", m->size);
	octal(h->size, sizeof(h->size), m->size > BYTES_MOST ? 0 : m->size);
	if (mtime_ns < 0 || mtime_ns % SECOND_NS != 0)
		add_time(records, "mtime", mtime_ns);
	octal(h->mtime, sizeof(h->mtime),
	    mtime_ns < 0 ? 0 : (uint64_t)mtime_ns / SECOND_NS);
	if (st->has_atime)
		add_time(records, "atime", st->atime_ns);
}

void
tar_add_header(struct buf *out, const struct tar_member *m)
{
	AUTO(buf) struct buf records = BUF_INIT(RECORD_MAX);
	struct header h = {.type = type_of(m)};

	put_fields(&h, &records, m);
	/* Another name has those of the file. */
	if (h.type != '1')
		add_attrs(&records, m->st->attrs);
	if (records.len > 0)
		add_extended(out, 'x', "././@PaxHeader", &records);
	if (buf_failed(&records))
		out->failed = true;
	finish(&h);
	buf_add(out, &h, sizeof(h));
}
