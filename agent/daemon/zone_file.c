/* SPDX-License-Identifier: ISC */
/* TZif files, https://www.rfc-editor.org/rfc/rfc9636 */
#include "config.h"

#include <string.h>

#include "agent/daemon/zone_in.h"

#define HEADER_BYTES 44
#define TYPE_BYTES 6
#define CHANGES_MAX 2000 /* the most known are under 300 */

struct counts {
	uint32_t ut, standard, leap, time, type, letters;
};

struct in {
	const unsigned char *at;
	size_t left;
};

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Two's complement of 32 or 64 bits */
static int64_t
signed_be(const unsigned char *p, size_t bytes)
{
	uint64_t v = be32(p);

	if (bytes == 4)
		return (int32_t)(uint32_t)v;
	return (int64_t)(v << 32 | be32(p + 4));
}

static const unsigned char *
take(struct in *in, size_t n)
{
	const unsigned char *p = in->at;

	if (in->left < n)
		return NULL;
	in->at += n;
	in->left -= n;
	return p;
}

static const char *
take_header(struct in *in, struct counts *c, unsigned char *version)
{
	const unsigned char *p = take(in, HEADER_BYTES);

	if (p == NULL || memcmp(p, "TZif", 4) != 0)
		return "it does not begin as a TZif file";
	*version = p[4];
	c->ut = be32(p + 20);
	c->standard = be32(p + 24);
	c->leap = be32(p + 28);
	c->time = be32(p + 32);
	c->type = be32(p + 36);
	c->letters = be32(p + 40);
	if (c->time > CHANGES_MAX || c->type == 0 || c->type > 256 ||
	    c->letters > ZONE_FILE_MAX || c->leap > ZONE_FILE_MAX ||
	    c->ut > 256 || c->standard > 256)
		return "its counts make no sense";
	return NULL;
}

/* What follows the changes and types, which nothing here needs */
static size_t
tail_bytes(const struct counts *c, size_t time_bytes)
{
	return c->letters + c->leap * (time_bytes + 4) + c->standard + c->ut;
}

static const char *
take_changes(
    struct in *in, const struct counts *c, size_t time_bytes, struct zone *z)
{
	const unsigned char *times = take(in, c->time * time_bytes);
	const unsigned char *kinds = take(in, c->time);
	const unsigned char *types = take(in, (size_t)c->type * TYPE_BYTES);
	int32_t offset[256];
	size_t i;

	if (times == NULL || kinds == NULL || types == NULL ||
	    take(in, tail_bytes(c, time_bytes)) == NULL)
		return "it is cut short";
	if (c->leap > 0)
		return "it counts leap seconds, which clocks of POSIX don't";
	for (i = 0; i < c->type; i++) {
		int64_t v = signed_be(types + i * TYPE_BYTES, 4);

		if (v < -ZONE_OFFSET_MAX || v > ZONE_OFFSET_MAX)
			return "an offset is over a day";
		offset[i] = (int32_t)v;
	}
	z->before = offset[0];
	z->changes = calloc(c->time + 1, sizeof(*z->changes));
	if (z->changes == NULL)
		return "no memory";
	for (i = 0; i < c->time; i++) {
		int64_t at = signed_be(times + i * time_bytes, time_bytes);

		if (kinds[i] >= c->type)
			return "a change leads to no type";
		if (i > 0 && at <= z->changes[i - 1].at)
			return "its changes are not in order";
		z->changes[i] = (struct zone_change){at, offset[kinds[i]]};
	}
	z->n = c->time;
	return NULL;
}

/* "\nRULE\n"; no rule: the last offset stays */
static const char *
take_footer(struct in *in, struct zone *z)
{
	const char *p = (const char *)in->at, *end;
	struct err ignored = ERR_INIT;

	if (in->left < 2 || p[0] != '\n')
		return "it has no end";
	end = memchr(p + 1, '\n', in->left - 1);
	if (end == NULL)
		return "it has no end";
	if (end == p + 1)
		return NULL;
	if (zone_rule_parse(p + 1, (size_t)(end - p) - 1, &z->rule, &ignored) ==
	    -1)
		return "its rule for times to come makes no sense";
	z->has_rule = true;
	return NULL;
}

static const char *
take_all(struct in *in, struct zone *z)
{
	struct counts c;
	unsigned char version;
	const char *why = take_header(in, &c, &version);

	if (why != NULL)
		return why;
	if (version == 0)
		return take_changes(in, &c, 4, z);
	/* the first part is for readers of 32 bits */
	if (take(in,
		(size_t)c.time * 5 + (size_t)c.type * TYPE_BYTES +
		    tail_bytes(&c, 4)) == NULL)
		return "it is cut short";
	why = take_header(in, &c, &version);
	if (why == NULL)
		why = take_changes(in, &c, 8, z);
	return why != NULL ? why : take_footer(in, z);
}

struct zone *
zone_parse(const char *name, const void *data, size_t n, struct err *e)
{
	struct in in = {.at = data, .left = n};
	AUTO(zone) struct zone *z = calloc(1, sizeof(*z));
	const char *why;

	if (z == NULL || (z->name = strdup(name)) == NULL) {
		err_sys(e, "time zone %s", name);
		return NULL;
	}
	why = n > ZONE_FILE_MAX ? "it is too big" : take_all(&in, z);
	if (why != NULL) {
		err_set(e, ERR_CONFIG,
		    "time zone %s: its file can't be used: %s; install tzdata "
		    "anew, or take another zone",
		    name, why);
		return NULL;
	}
	return TAKE(z);
}
