/* SPDX-License-Identifier: ISC */
/* Reads a volume's index. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"
#include "transfer/bundle/lines.h"
#include "transfer/bundle/volume.h"

static const char mark_begins[] = "{\"end\":";
static const char frame_begins[] = "{\"frame\":";

static bool
begins(const char *line, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(line, with, n) == 0;
}

static int
number(const struct jdoc_node *object, const char *key, uint64_t *out,
    struct err *e)
{
	const struct jdoc_node *v = jdoc_member(object, key);
	char text[24], *end;

	if (v != NULL && v->type == JDOC_NUMBER && v->len < sizeof(text)) {
		memcpy(text, v->text, v->len);
		text[v->len] = '\0';
		errno = 0;
		*out = strtoull(text, &end, 10);
		if (*end == '\0' && errno == 0 && text[0] != '-' &&
		    *out <= INT64_MAX)
			return 0;
	}
	return err_set(e, ERR_PROTOCOL, "\"%s\" is no number of bytes", key);
}

static int
parse_open(const struct jdoc_node *o, struct volume_open *out, struct err *e)
{
	const struct jdoc_node *id = jdoc_member(o, "id");

	if (id == NULL || id->type != JDOC_STRING || id->len == 0 ||
	    id->len >= sizeof(out->id))
		return err_set(e, ERR_PROTOCOL, "\"open\" without an \"id\"");
	memcpy(out->id, id->text, id->len);
	out->id[id->len] = '\0';
	return number(o, "start", &out->start, e) == -1 ||
		number(o, "data", &out->data, e) == -1 ||
		number(o, "part", &out->part, e) == -1
	    ? -1
	    : 0;
}

static int
parse_mark(struct volume_mark *out, const char *line, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, e);
	const struct jdoc_node *root, *open, *sealed;

	if (doc == NULL)
		return -1;
	memset(out, 0, sizeof(*out));
	root = jdoc_root(doc);
	open = jdoc_member(root, "open");
	sealed = jdoc_member(root, "sealed");
	out->sealed = sealed != NULL && sealed->type == JDOC_TRUE;
	if (number(root, "end", &out->end, e) == -1)
		return -1;
	out->file = out->end;
	if (jdoc_member(root, "file") != NULL &&
	    number(root, "file", &out->file, e) == -1)
		return -1;
	if (open == NULL)
		return 0;
	if (parse_open(open, &out->open, e) == -1)
		return -1;
	return out->open.start <= out->open.data && out->open.data <= out->end
	    ? 0
	    : err_set(e, ERR_PROTOCOL, "\"open\" begins behind the end");
}

/* How far the marks reach, and what the last one says. */
static int
find_mark(int fd, struct volume_mark *mark, uint64_t *bytes, struct err *e)
{
	AUTO(lines) struct lines *l = lines_new(fd, e);
	const char *line;
	size_t len;
	int rc;

	memset(mark, 0, sizeof(*mark));
	*bytes = 0;
	if (l == NULL)
		return -1;
	while ((rc = lines_next(l, &line, &len, e)) == 1) {
		if (!begins(line, len, mark_begins))
			continue;
		/* What a dying disk left behind the last good one is cut. */
		if (parse_mark(mark, line, len, e) == -1)
			return err_context(e, "line %llu",
			    (unsigned long long)lines_number(l));
		*bytes = lines_bytes(l);
	}
	return rc;
}

static int
read_members(
    int fd, uint64_t bytes, pack_index_fn *fn, void *arg, struct err *e)
{
	AUTO(lines) struct lines *l = lines_new(fd, e);
	struct pack_entry m;
	const char *line;
	size_t len;
	int rc = 1;

	if (l == NULL)
		return -1;
	while (rc == 1 && lines_bytes(l) < bytes &&
	    (rc = lines_next(l, &line, &len, e)) == 1) {
		if (begins(line, len, mark_begins) ||
		    begins(line, len, frame_begins))
			continue;
		if (pack_record_parse(&m, line, len, e) == -1)
			rc = err_context(e, "line %llu",
			    (unsigned long long)lines_number(l));
		else if (fn(arg, &m.record, e) == -1)
			rc = -1;
		pack_entry_clear(&m);
	}
	return rc == -1 ? -1 : 0;
}

int
volume_index_read(int fd, const char *name, pack_index_fn *fn, void *arg,
    struct volume_mark *mark, uint64_t *bytes, struct err *e)
{
	if (find_mark(fd, mark, bytes, e) == -1 ||
	    (fn != NULL && read_members(fd, *bytes, fn, arg, e) == -1))
		return err_context(e, "%s", name);
	return 0;
}

/* {"frame":[AT,FILE]} */
static int
parse_frame(struct frames *out, const char *line, size_t len, struct err *e)
{
	AUTO(jdoc) struct jdoc *doc = jdoc_parse(line, len, e);
	const struct jdoc_node *pair;
	uint64_t at, file;

	if (doc == NULL)
		return -1;
	pair = jdoc_member(jdoc_root(doc), "frame");
	if (pair == NULL || pair->type != JDOC_ARRAY || pair->child == NULL ||
	    pair->child->next == NULL || !jdoc_to_uint(pair->child, &at) ||
	    !jdoc_to_uint(pair->child->next, &file))
		return err_set(e, ERR_PROTOCOL, "\"frame\" makes no sense");
	/* What was written there before was given up. */
	frames_cut(out, at);
	return frames_add(out, at, file, e);
}

int
volume_index_frames(int fd, const char *name, struct frames *out, struct err *e)
{
	AUTO(lines) struct lines *l = NULL;
	struct volume_mark mark;
	const char *line;
	uint64_t bytes;
	size_t len;
	int rc = 1;

	if (find_mark(fd, &mark, &bytes, e) == -1)
		return err_context(e, "%s", name);
	l = lines_new(fd, e);
	if (l == NULL)
		return -1;
	while (rc == 1 && lines_bytes(l) < bytes &&
	    (rc = lines_next(l, &line, &len, e)) == 1)
		if (begins(line, len, frame_begins) &&
		    parse_frame(out, line, len, e) == -1)
			rc = err_context(e, "line %llu",
			    (unsigned long long)lines_number(l));
	if (rc == -1)
		return err_context(e, "%s", name);
	frames_cut(out, mark.end);
	out->end = mark.end;
	out->file_end = mark.file;
	return 0;
}
