/* SPDX-License-Identifier: ISC */
/* What an archive says of a member, and whether that may be so. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/archive/internal.h"
#include "transfer/itemjson.h"

void
member_clear(struct member *m)
{
	free(m->raw);
	free(m->path);
	free(m->target);
	free(m->same_as);
	attrs_free(m->attrs);
	free(m->extents);
	memset(m, 0, sizeof(*m));
}

/* NAME without "./" and doubled slashes, and without one at its end. */
static char *
plain_name(const char *name)
{
	size_t len = strlen(name), n = 0;
	char *out = malloc(len + 1);

	if (out == NULL)
		return NULL;
	if (*name == '/')
		out[n++] = '/';
	while (*name != '\0') {
		size_t part = strcspn(name, "/");

		if (part > 0 && !(part == 1 && *name == '.')) {
			if (n > 0 && out[n - 1] != '/')
				out[n++] = '/';
			memcpy(out + n, name, part);
			n += part;
		}
		name += part;
		name += strspn(name, "/");
	}
	out[n] = '\0';
	return out;
}

/* Whether a symlink at PATH to TARGET leads to above the root. */
static bool
leads_out(const char *path, const char *target)
{
	long depth = 0;

	if (*target == '/')
		return true;
	for (; *path != '\0'; path++)
		depth += *path == '/';
	while (*target != '\0') {
		size_t n = strcspn(target, "/");

		if (n == 2 && memcmp(target, "..", 2) == 0)
			depth--;
		else if (n > 0 && !(n == 1 && *target == '.'))
			depth++;
		if (depth < 0)
			return true;
		target += n;
		target += strspn(target, "/");
	}
	return false;
}

static const char *
why_type(mode_t type)
{
	switch (type) {
	case AE_IFCHR:
		return "is a character device";
	case AE_IFBLK:
		return "is a block device";
	case AE_IFIFO:
		return "is a fifo";
	case AE_IFSOCK:
		return "is a socket";
	default:
		return "is of a type that is not known";
	}
}

static int
copy(char **out, const char *text, struct err *e)
{
	*out = strdup(text);
	return *out != NULL ? 0 : err_set(e, ERR_NOMEM, "out of memory");
}

static int
read_name(struct archive_entry *entry, struct member *m, struct err *e)
{
	const char *name = archive_entry_pathname(entry);

	if (copy(&m->raw, name != NULL ? name : "", e) == -1)
		return -1;
	m->path = plain_name(m->raw);
	if (m->path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	m->record.path = m->path;
	m->record.path_len = strlen(m->path);
	m->root = m->path[0] == '\0' && m->raw[0] != '\0' &&
	    archive_entry_filetype(entry) == AE_IFDIR;
	m->odd = !m->root && !itemjson_is_path(m->path, m->record.path_len);
	if (!m->odd)
		return 0;
	if (m->raw[0] == '\0')
		m->record.refused = "has no name, or one that isn't in the "
				    "character set that it should be in";
	else if (m->raw[0] == '/')
		m->record.refused = "has an absolute name";
	else
		m->record.refused = "has a name that leads out of the tree";
	return 0;
}

static int64_t
time_ns(time_t s, long ns)
{
	int64_t out;

	if (__builtin_mul_overflow((int64_t)s, (int64_t)1000000000, &out) ||
	    __builtin_add_overflow(out, (int64_t)ns, &out))
		return ITEM_TIME_UNKNOWN;
	return out;
}

static uint32_t
id_of(la_int64_t id)
{
	return id >= 0 && id < UINT32_MAX ? (uint32_t)id : 0;
}

static void
read_stat(const struct archive_source *s, struct archive_entry *entry,
    struct item_stat *st)
{
	st->mode = (uint32_t)archive_entry_mode(entry);
	st->uid = id_of(archive_entry_uid(entry));
	st->gid = id_of(archive_entry_gid(entry));
	/* Most of these tell of no owner. */
	if (s->kind == ARCHIVE_MEMBERS && st->uid == 0 && st->gid == 0) {
		st->uid = (uint32_t)geteuid();
		st->gid = (uint32_t)getegid();
	}
	st->mtime_ns = archive_entry_mtime_is_set(entry)
	    ? time_ns(
		  archive_entry_mtime(entry), archive_entry_mtime_nsec(entry))
	    : ITEM_TIME_UNKNOWN;
	st->has_atime = archive_entry_atime_is_set(entry);
	if (st->has_atime)
		st->atime_ns = time_ns(archive_entry_atime(entry),
		    archive_entry_atime_nsec(entry));
}

static int
read_attrs(const struct archive_source *s, struct archive_entry *entry,
    struct member *m, struct err *e)
{
	const char *name;
	const void *value;
	size_t len;

	if ((s->attrs & ATTRS_XATTRS) == 0 || s->kind == ARCHIVE_MEMBERS)
		return 0;
	m->attrs = attrs_new(ATTRS_XATTRS, e);
	if (m->attrs == NULL)
		return -1;
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) ==
	    ARCHIVE_OK) {
		if (name == NULL || attrs_kind(name) != ATTRS_XATTRS)
			continue;
		if (attrs_add(m->attrs, name, value, len, e) == 0)
			continue;
		if (e->kind == ERR_NOMEM)
			return -1;
		m->record.refused = "has extended attributes that can't be";
	}
	m->record.st.attrs = m->attrs;
	return 0;
}

/* Where a sparse file has data: in order, and within it. */
static int
read_extents(struct archive_entry *entry, struct member *m, struct err *e)
{
	struct pack_record *r = &m->record;
	int count = archive_entry_sparse_reset(entry);
	la_int64_t offset, length;
	uint64_t end = 0;

	m->piece.length = r->st.size;
	if (count <= 0)
		return 0;
	m->extents = calloc((size_t)count, sizeof(*m->extents));
	if (m->extents == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	r->extents = m->extents;
	r->st.sparse = true;
	m->piece.length = 0;
	while (
	    archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK) {
		uint64_t at = (uint64_t)offset, n = (uint64_t)length;

		if (n == 0)
			continue;
		if (offset < 0 || length < 0 || at < end || n > r->st.size ||
		    at > r->st.size - n) {
			r->refused = "has a sparse map that makes no sense";
			return 0;
		}
		m->extents[r->extents_n++] = (struct pack_extent){at, n};
		m->piece.length += n;
		end = at + n;
	}
	return 0;
}

static int
read_file(struct archive_entry *entry, struct member *m, struct err *e)
{
	struct pack_record *r = &m->record;
	la_int64_t size = archive_entry_size(entry);

	r->st.type = ITEM_FILE;
	r->st.nlink = 1;
	if (archive_entry_is_data_encrypted(entry))
		r->refused = "is encrypted";
	else if (!archive_entry_size_is_set(entry) || size < 0)
		r->refused = "doesn't tell its size";
	else
		r->st.size = (uint64_t)size;
	return read_extents(entry, m, e);
}

static int
read_hardlink(const struct archive_source *s, struct archive_entry *entry,
    struct member *m, struct err *e)
{
	const char *to = archive_entry_hardlink(entry);
	la_int64_t size = archive_entry_size(entry);
	struct pack_record *r = &m->record;

	r->st.type = ITEM_FILE;
	if (s->kind != ARCHIVE_MEMBERS && size > 0)
		m->piece.length = (uint64_t)size;
	m->same_as = plain_name(to);
	if (m->same_as == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (*to == '/' || !itemjson_is_path(m->same_as, strlen(m->same_as)) ||
	    strcmp(m->same_as, m->path) == 0) {
		r->refused = "is a hard link that leads out of the tree, or to "
			     "itself";
		return 0;
	}
	r->same_as = m->same_as;
	r->same_as_len = strlen(m->same_as);
	return 0;
}

static int
read_symlink(const struct archive_source *s, struct archive_entry *entry,
    struct member *m, struct err *e)
{
	const char *to = archive_entry_symlink(entry);
	struct pack_record *r = &m->record;

	if (to == NULL || *to == '\0') {
		r->st.type = ITEM_FILE;
		r->refused = "is a symbolic link to nowhere";
		return 0;
	}
	r->st.type = ITEM_SYMLINK;
	if (!s->unsafe_links && leads_out(m->path, to))
		r->refused = "is a symbolic link that leads out of the tree "
			     "(--unsafe-links carries it)";
	r->target_len = strlen(to);
	r->st.size = r->target_len;
	if (copy(&m->target, to, e) == -1)
		return -1;
	r->target = m->target;
	return 0;
}

int
member_read(const struct archive_source *s, struct archive_entry *entry,
    struct member *m, struct err *e)
{
	const char *link = archive_entry_hardlink(entry);
	mode_t type = archive_entry_filetype(entry);
	struct pack_record *r = &m->record;

	memset(m, 0, sizeof(*m));
	r->st.type = ITEM_FILE;
	if (read_name(entry, m, e) == -1)
		return -1;
	if (m->odd)
		return 0;
	read_stat(s, entry, &r->st);
	if (read_attrs(s, entry, m, e) == -1)
		return -1;
	if (link != NULL)
		return read_hardlink(s, entry, m, e);
	if (type == AE_IFREG)
		return read_file(entry, m, e);
	if (type == AE_IFLNK)
		return read_symlink(s, entry, m, e);
	if (type == AE_IFDIR)
		r->st.type = ITEM_DIR;
	else
		r->refused = why_type(type);
	return 0;
}
