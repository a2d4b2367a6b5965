/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/check.h"
#include "base/clock.h"
#include "base/text.h"

struct check *
check_new(struct err *e)
{
	struct check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		err_set(e, ERR_NOMEM, "out of memory");
	return c;
}

void
check_free(struct check *c)
{
	if (c == NULL)
		return;
	free(c->xattr.name);
	free(c->acl.name);
	free(c->other);
	free(c->part);
	free(c);
}

/* A store without symlinks lists them as what they are kept in. */
static bool
same_type(const struct check_rules *r, enum item_type want,
    const struct store_stat *now)
{
	if (want == ITEM_SYMLINK && now->type == ITEM_FILE)
		return r->target->readlink == NULL && !now->has_owner;
	return want == now->type;
}

static unsigned
compare_owner(const struct check_rules *r, const struct item_stat *want,
    const struct store_stat *now, unsigned *compared)
{
	unsigned differs = 0;

	if (want->mode == 0 || !now->has_owner)
		return 0;
	/* A symlink's own mode means nothing. */
	if (!r->not_held.mode && want->type != ITEM_SYMLINK) {
		*compared |= CHECK_MODE;
		if ((want->mode & 07777) != (now->mode & 07777))
			differs |= CHECK_MODE;
	}
	if (!r->not_held.owner) {
		*compared |= CHECK_OWNER;
		if (want->uid != now->uid || want->gid != now->gid)
			differs |= CHECK_OWNER;
	}
	return differs;
}

unsigned
check_metadata(const struct check_rules *r, const struct item_stat *want,
    const struct store_stat *now, unsigned *compared)
{
	unsigned differs = 0;

	*compared = CHECK_TYPE;
	if (!same_type(r, want->type, now))
		return CHECK_TYPE;
	/* Of a symlink not every store tells it; what it leads to tells. */
	if (want->type == ITEM_FILE) {
		*compared |= CHECK_SIZE;
		if (want->size != now->size)
			differs |= CHECK_SIZE;
	}
	if (!r->not_held.mtime && want->mtime_ns != ITEM_TIME_UNKNOWN &&
	    now->has_source_mtime) {
		*compared |= CHECK_MTIME;
		if (!store_same_time(r->target, want->mtime_ns, now->mtime_ns))
			differs |= CHECK_MTIME;
	}
	return differs | compare_owner(r, want, now, compared);
}

int
check_digests(const struct digest *a, const struct digest *b)
{
	unsigned both = a->have & b->have;

	if (both == 0)
		return -1;
	return ((both & DIGEST_XXH3) == 0 ||
		   memcmp(a->xxh3, b->xxh3, sizeof(a->xxh3)) == 0) &&
	    ((both & DIGEST_CRC64NVME) == 0 || a->crc64nvme == b->crc64nvme) &&
	    ((both & DIGEST_CRC32C) == 0 || a->crc32c == b->crc32c) &&
	    ((both & DIGEST_MD5) == 0 ||
		memcmp(a->md5, b->md5, sizeof(a->md5)) == 0) &&
	    ((both & DIGEST_SHA256) == 0 ||
		memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0);
}

static const struct {
	char symbol;
	const char *name;
} statuses[CHECK_STATUS_COUNT] = {
    [CHECK_MATCH] = {'=', "match"},
    [CHECK_DIFFER] = {'*', "differ"},
    [CHECK_MISSING_ON_SRC] = {'-', "missing_on_src"},
    [CHECK_MISSING_ON_DST] = {'+', "missing_on_dst"},
    [CHECK_ERROR] = {'!', "error"},
    [CHECK_SKIPPED] = {' ', "skipped"},
};

char
check_symbol(enum check_status status)
{
	return statuses[status].symbol;
}

const char *
check_status_name(enum check_status status)
{
	return statuses[status].name;
}

const char *
check_by_name(enum check_by proof)
{
	switch (proof) {
	case BY_NOTHING:
		return "none";
	case BY_STORE:
		return "store";
	case BY_READING:
		return "read";
	}
	return "none";
}

const char *
check_aspect_name(unsigned aspect)
{
	switch (aspect) {
	case CHECK_TYPE:
		return "type";
	case CHECK_SIZE:
		return "size";
	case CHECK_MTIME:
		return "mtime";
	case CHECK_MODE:
		return "mode";
	case CHECK_OWNER:
		return "owner";
	case CHECK_CONTENT:
		return "content";
	case CHECK_XATTRS:
		return "xattrs";
	case CHECK_ACLS:
		return "acls";
	case CHECK_LINKS:
		return "links";
	}
	return "unknown";
}

static const char *
type_name(enum item_type type)
{
	switch (type) {
	case ITEM_FILE:
		return "a file";
	case ITEM_DIR:
		return "a directory";
	case ITEM_SYMLINK:
		return "a symbolic link";
	case ITEM_SPECIAL:
		break;
	}
	return "a special file";
}

static void
explain_content(struct buf *out, const struct check *c)
{
	uint64_t from = 0, end = c->now.size;

	if (c->want.type == ITEM_SYMLINK) {
		buf_adds(out, "leads elsewhere");
		return;
	}
	buf_adds(out, "content differs");
	if (c->bad_part > 0) {
		from = (c->bad_part - 1) * c->part_bytes;
		if (c->part_bytes < end - from)
			end = from + c->part_bytes;
		buf_addf(
		    out, ", first in bytes %" PRIu64 " to %" PRIu64, from, end);
	}
	if (c->proof == BY_STORE)
		buf_adds(out, " (by the store's checksum)");
	else
		buf_adds(out, " (read)");
}

static void
explain_time(struct buf *out, const struct check *c)
{
	char now[40], want[40];

	clock_iso8601(c->now.mtime_ns, now, sizeof(now));
	clock_iso8601(c->want.mtime_ns, want, sizeof(want));
	if (strcmp(now, want) == 0)
		buf_addf(out, "mtime %" PRId64 " ns, not %" PRId64,
		    c->now.mtime_ns, c->want.mtime_ns);
	else
		buf_addf(out, "mtime %s, not %s", now, want);
}

static void
explain_attr(struct buf *out, const char *what, const struct check_attr *a)
{
	static const char *const how[] = {
	    [ATTR_DIFFERS] = " differs",
	    [ATTR_MISSING] = " is missing",
	    [ATTR_EXTRA] = " is not at the source",
	};

	buf_adds(out, what);
	text_escape(out, a->name, strlen(a->name));
	buf_adds(out, how[a->how]);
}

static void
explain_aspect(struct buf *out, const struct check *c, unsigned aspect)
{
	switch (aspect) {
	case CHECK_TYPE:
		buf_addf(out, "is %s, not %s", type_name(c->now.type),
		    type_name(c->want.type));
		return;
	case CHECK_SIZE:
		buf_addf(out, "size %" PRIu64 ", not %" PRIu64, c->now.size,
		    c->want.size);
		return;
	case CHECK_MTIME:
		explain_time(out, c);
		return;
	case CHECK_MODE:
		buf_addf(out, "mode %04" PRIo32 ", not %04" PRIo32,
		    c->now.mode & 07777, c->want.mode & 07777);
		return;
	case CHECK_OWNER:
		buf_addf(out,
		    "owner %" PRIu32 ":%" PRIu32 ", not %" PRIu32 ":%" PRIu32,
		    c->now.uid, c->now.gid, c->want.uid, c->want.gid);
		return;
	case CHECK_CONTENT:
		explain_content(out, c);
		return;
	case CHECK_XATTRS:
		explain_attr(out, "extended attribute ", &c->xattr);
		return;
	case CHECK_ACLS:
		explain_attr(out, "ACL ", &c->acl);
		return;
	case CHECK_LINKS:
		buf_adds(out,
		    c->joined ? "is one file with " : "is not one file with ");
		text_escape(out, c->other, c->other_len);
		return;
	}
}

void
check_explain(struct buf *out, const struct check *c)
{
	unsigned aspect;
	bool first = true;

	for (aspect = CHECK_TYPE; aspect <= CHECK_LAST; aspect <<= 1) {
		if ((c->differs & aspect) == 0)
			continue;
		if (!first)
			buf_adds(out, "; ");
		first = false;
		explain_aspect(out, c, aspect);
	}
	if (c->moved && c->want.type != ITEM_DIR)
		buf_adds(out, " (the source changed since it was sent)");
}
