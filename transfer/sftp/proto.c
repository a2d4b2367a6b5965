/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <string.h>

#include "transfer/sftp/proto.h"

#define SFTP_VERSION 3
#define ATTR_EXTENDED 0x80000000u
#define STATVFS_READ_ONLY 1

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

void
proto_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	put32(p, v);
	buf_add(b, p, sizeof(p));
}

void
proto_u64(struct buf *b, uint64_t v)
{
	proto_u32(b, (uint32_t)(v >> 32));
	proto_u32(b, (uint32_t)v);
}

void
proto_string(struct buf *b, const void *p, size_t n)
{
	proto_u32(b, (uint32_t)n);
	buf_add(b, p, n);
}

void
proto_attrs(struct buf *b, const struct proto_attrs *a)
{
	proto_u32(b, a->have);
	if ((a->have & PROTO_ATTR_SIZE) != 0)
		proto_u64(b, a->size);
	if ((a->have & PROTO_ATTR_OWNER) != 0) {
		proto_u32(b, a->uid);
		proto_u32(b, a->gid);
	}
	if ((a->have & PROTO_ATTR_MODE) != 0)
		proto_u32(b, a->mode);
	if ((a->have & PROTO_ATTR_TIMES) != 0) {
		proto_u32(b, a->atime);
		proto_u32(b, a->mtime);
	}
}

size_t
proto_begin(struct buf *b, enum proto_type type)
{
	size_t start = b->len;
	uint8_t head[9] = {[4] = (uint8_t)type};

	buf_add(b, head, sizeof(head));
	return start;
}

void
proto_end(struct buf *b, size_t start, size_t data_len)
{
	if (!buf_failed(b))
		put32((uint8_t *)b->data + start,
		    (uint32_t)(b->len - start - 4 + data_len));
}

void
proto_set_id(void *packet, uint32_t id)
{
	put32((uint8_t *)packet + 5, id);
}

void
proto_init(struct buf *b)
{
	proto_u32(b, 5);
	buf_addc(b, PROTO_INIT);
	proto_u32(b, SFTP_VERSION);
}

static bool
is_text(uint8_t c)
{
	return c >= ' ' && c < 127;
}

int
proto_length(const uint8_t *p, size_t n, size_t *out, struct err *e)
{
	*out = 0;
	if (n < 4)
		return 0;
	*out = get32(p);
	if (*out >= 5 && *out <= PROTO_PACKET_MAX)
		return 0;
	/* What a login script prints gets here first. */
	if (is_text(p[0]) && is_text(p[1]) && is_text(p[2]) && is_text(p[3]))
		return err_set(e, ERR_PROTOCOL,
		    "the server sent text where a packet was due, "
		    "\"%c%c%c%c\"...: a login script may be printing it",
		    p[0], p[1], p[2], p[3]);
	return err_set(e, ERR_PROTOCOL,
	    "the server sent a packet of %zu bytes: the most is %zu", *out,
	    PROTO_PACKET_MAX);
}

static const uint8_t *
take(struct proto_in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (in->bad || in->left < n) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

static uint32_t
take32(struct proto_in *in)
{
	const uint8_t *p = take(in, 4);

	return p != NULL ? get32(p) : 0;
}

static uint64_t
take64(struct proto_in *in)
{
	uint64_t high = take32(in);

	return high << 32 | take32(in);
}

static const uint8_t *
take_string(struct proto_in *in, size_t *len)
{
	*len = take32(in);
	return take(in, *len);
}

static void
take_attrs(struct proto_in *in, struct proto_attrs *a)
{
	uint32_t pairs;
	size_t len;

	memset(a, 0, sizeof(*a));
	a->have = take32(in);
	if ((a->have & PROTO_ATTR_SIZE) != 0)
		a->size = take64(in);
	if ((a->have & PROTO_ATTR_OWNER) != 0) {
		a->uid = take32(in);
		a->gid = take32(in);
	}
	if ((a->have & PROTO_ATTR_MODE) != 0)
		a->mode = take32(in);
	if ((a->have & PROTO_ATTR_TIMES) != 0) {
		a->atime = take32(in);
		a->mtime = take32(in);
	}
	if ((a->have & ATTR_EXTENDED) == 0)
		return;
	for (pairs = take32(in); pairs > 0 && !in->bad; pairs--) {
		take_string(in, &len);
		take_string(in, &len);
	}
}

static int
cut_off(struct err *e)
{
	return err_set(e, ERR_PROTOCOL,
	    "the server sent a packet that makes no sense: it ends too early");
}

int
proto_reply(
    const uint8_t *p, size_t len, struct proto_reply *out, struct err *e)
{
	struct proto_in in = {.p = p, .left = len};
	struct proto_reply r = {0};
	const uint8_t *type = take(&in, 1);

	r.id = take32(&in);
	if (in.bad)
		return cut_off(e);
	switch (*type) {
	case PROTO_STATUS:
		r.status = take32(&in);
		/* Old servers send neither message nor language. */
		if (in.left > 0)
			r.data = take_string(&in, &r.len);
		break;
	case PROTO_HANDLE:
		r.data = take_string(&in, &r.len);
		if (!in.bad && (r.len == 0 || r.len > PROTO_HANDLE_MAX))
			return err_set(e, ERR_PROTOCOL,
			    "the server sent a file handle of %zu bytes: the "
			    "most is %d",
			    r.len, PROTO_HANDLE_MAX);
		break;
	case PROTO_DATA:
		r.data = take_string(&in, &r.len);
		break;
	case PROTO_NAME:
		r.n = take32(&in);
		r.rest = in;
		break;
	case PROTO_ATTRS:
		take_attrs(&in, &r.attrs);
		break;
	case PROTO_EXTENDED_REPLY:
		r.rest = in;
		break;
	default:
		return err_set(e, ERR_PROTOCOL,
		    "the server sent a packet of an unknown type, %u", *type);
	}
	if (in.bad)
		return cut_off(e);
	r.type = (enum proto_type) * type;
	*out = r;
	return 0;
}

static const struct {
	const char *name;
	const char *version;
	unsigned feature;
} extensions[] = {
    {"posix-rename@openssh.com", "1", PROTO_HAS_POSIX_RENAME},
    {"fsync@openssh.com", "1", PROTO_HAS_FSYNC},
    {"statvfs@openssh.com", "2", PROTO_HAS_STATVFS},
    {"lsetstat@openssh.com", "1", PROTO_HAS_LSETSTAT},
    {"limits@openssh.com", "1", PROTO_HAS_LIMITS},
    {"hardlink@openssh.com", "1", PROTO_HAS_HARDLINK},
};

static bool
is(const uint8_t *p, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(p, text, len) == 0;
}

int
proto_version(const uint8_t *p, size_t len, unsigned *features, struct err *e)
{
	struct proto_in in = {.p = p, .left = len};
	const uint8_t *type = take(&in, 1);
	uint32_t version = take32(&in);
	const uint8_t *name, *value;
	size_t name_len, value_len, i;
	unsigned found = 0;

	if (in.bad || *type != PROTO_VERSION)
		return err_set(
		    e, ERR_PROTOCOL, "the server doesn't speak SFTP");
	if (version < SFTP_VERSION)
		return err_set(e, ERR_UNSUPPORTED,
		    "the server speaks SFTP version %u: version %d is needed",
		    version, SFTP_VERSION);
	while (in.left > 0) {
		name = take_string(&in, &name_len);
		value = take_string(&in, &value_len);
		if (in.bad)
			return cut_off(e);
		for (i = 0; i < sizeof(extensions) / sizeof(*extensions); i++)
			if (is(name, name_len, extensions[i].name) &&
			    is(value, value_len, extensions[i].version))
				found |= extensions[i].feature;
	}
	*features = found;
	return 0;
}

int
proto_next_name(struct proto_in *in, struct proto_name *out, struct err *e)
{
	struct proto_name n;
	const uint8_t *name;
	size_t len;

	name = take_string(in, &n.len);
	take_string(in, &len); /* as ls -l has it */
	take_attrs(in, &n.attrs);
	if (in->bad)
		return cut_off(e);
	n.name = (const char *)name;
	*out = n;
	return 0;
}

int
proto_get_limits(struct proto_in in, struct proto_limits *out, struct err *e)
{
	struct proto_limits l;

	l.packet = take64(&in);
	l.read = take64(&in);
	l.write = take64(&in);
	l.handles = take64(&in);
	if (in.bad)
		return cut_off(e);
	*out = l;
	return 0;
}

int
proto_get_statvfs(struct proto_in in, struct proto_statvfs *out, struct err *e)
{
	struct proto_statvfs v = {0};
	uint64_t size = take64(&in);

	v.block = take64(&in);
	v.blocks = take64(&in);
	take64(&in); /* free, for root */
	v.available = take64(&in);
	v.files = take64(&in);
	take64(&in);
	v.files_available = take64(&in);
	take64(&in); /* its id */
	v.read_only = (take64(&in) & STATVFS_READ_ONLY) != 0;
	take64(&in);
	if (in.bad)
		return cut_off(e);
	if (v.block == 0)
		v.block = size;
	*out = v;
	return 0;
}
