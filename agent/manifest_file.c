/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/manifest_file.h"
#include "agent/place.h"
#include "base/scratch.h"
#include "base/text.h"

#define WRITE_BYTES ((size_t)256 << 10)
#define END_LINE "{\"type\":\"end\""

struct manifest_out {
	int fd;
	uint64_t size; /* written; the rest is in text */
	struct buf text;
	struct digester *digester; /* of all but the last line */
	struct digester *whole;
	struct manifest_tail tail;
};

void
manifest_out_free(struct manifest_out *out)
{
	if (out == NULL)
		return;
	if (out->fd != -1)
		close(out->fd);
	buf_free(&out->text);
	digester_free(out->digester);
	digester_free(out->whole);
	free(out);
}

struct manifest_out *
manifest_out_new(const struct manifest_head *head, struct err *e)
{
	AUTO(manifest_out) struct manifest_out *out = calloc(1, sizeof(*out));

	if (out == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&out->text, WRITE_BYTES + 2 * MANIFEST_LINE_MAX);
	out->fd = scratch_open(e);
	if (out->fd == -1 || (out->digester = digester_new(e)) == NULL ||
	    (out->whole = digester_new(e)) == NULL)
		return NULL;
	digester_start(out->digester, DIGEST_SHA256);
	digester_start(out->whole, DIGEST_SHA256);
	manifest_add_head(&out->text, head);
	return TAKE(out);
}

static int
flush(struct manifest_out *out, struct err *e)
{
	if (buf_failed(&out->text))
		return err_set(e, ERR_NOMEM, "out of memory");
	digester_update(out->whole, buf_str(&out->text), out->text.len);
	if (scratch_write(out->fd, buf_str(&out->text), out->text.len, e) == -1)
		return -1;
	out->size += out->text.len;
	buf_reset(&out->text);
	return 0;
}

static int
flush_hashed(struct manifest_out *out, struct err *e)
{
	digester_update(out->digester, buf_str(&out->text), out->text.len);
	return flush(out, e);
}

int
manifest_out_add(
    struct manifest_out *out, const struct manifest_item *item, struct err *e)
{
	manifest_add_item(&out->text, item);
	out->tail.items++;
	if (item->st.type == ITEM_FILE)
		out->tail.bytes += item->st.size;
	return out->text.len >= WRITE_BYTES || buf_failed(&out->text)
	    ? flush_hashed(out, e)
	    : 0;
}

int
manifest_out_send(struct manifest_out *out, const char *where,
    const struct options *o, const char *owner, const atomic_bool *stop,
    struct manifest_proof *proof, struct err *e)
{
	struct digest d;

	if (flush_hashed(out, e) == -1)
		return err_context(e, "manifest %s", where);
	digester_finish(out->digester, &d);
	if ((d.have & DIGEST_SHA256) == 0)
		return err_set(e, ERR_UNSUPPORTED,
		    "manifest %s: libcrypto has no SHA-256", where);
	memcpy(out->tail.sha256, d.sha256, sizeof(d.sha256));
	manifest_add_tail(&out->text, &out->tail);
	if (flush(out, e) == -1 ||
	    place_write(where, out->fd, out->size, o, owner, stop, e) == -1)
		return err_context(e, "manifest %s", where);
	digester_finish(out->whole, &d);
	*proof = (struct manifest_proof){
	    .bytes = out->size, .items = out->tail.items};
	memcpy(proof->sha256, d.sha256, sizeof(d.sha256));
	return 0;
}

struct manifest_in {
	char *where;
	int fd;
	char *data; /* MANIFEST_LINE_MAX + 1 bytes */
	size_t begin, end;
	uint64_t line; /* the number of the last one */
	struct manifest_entry first;
	struct manifest_entry entry;
};

void
manifest_in_free(struct manifest_in *in)
{
	if (in == NULL)
		return;
	if (in->fd != -1)
		close(in->fd);
	manifest_entry_clear(&in->first);
	manifest_entry_clear(&in->entry);
	free(in->data);
	free(in->where);
	free(in);
}

/* The next line, without its end, valid until the next call: 1, 0, -1. */
static int
next_line(struct manifest_in *in, const char **line, size_t *len, struct err *e)
{
	for (;;) {
		char *at = in->data + in->begin;
		char *nl = memchr(at, '\n', in->end - in->begin);
		ssize_t n;

		if (nl != NULL) {
			*line = at;
			*len = (size_t)(nl - at);
			in->begin += *len + 1;
			in->line++;
			return 1;
		}
		memmove(in->data, at, in->end - in->begin);
		in->end -= in->begin;
		in->begin = 0;
		if (in->end > MANIFEST_LINE_MAX)
			return err_set(e, ERR_MISMATCH,
			    "line %llu is too long for a manifest",
			    (unsigned long long)in->line + 1);
		n = read(in->fd, in->data + in->end,
		    MANIFEST_LINE_MAX + 1 - in->end);
		if (n == -1)
			return err_sys(e, "temporary file");
		if (n == 0 && in->end == 0)
			return 0;
		if (n == 0)
			return err_set(e, ERR_MISMATCH,
			    "is cut off in line %llu",
			    (unsigned long long)in->line + 1);
		in->end += (size_t)n;
	}
}

static int
rewind_lines(struct manifest_in *in, struct err *e)
{
	in->begin = in->end = 0;
	in->line = 0;
	return lseek(in->fd, 0, SEEK_SET) == 0 ? 0
					       : err_sys(e, "temporary file");
}

static int
parse(struct manifest_in *in, struct manifest_entry *out, const char *line,
    size_t len, struct err *e)
{
	manifest_entry_clear(out);
	if (manifest_parse(out, line, len, e) == 0)
		return 0;
	/* What was written otherwise isn't a manifest of ours. */
	if (e->kind == ERR_PROTOCOL)
		e->kind = ERR_MISMATCH;
	return err_context(e, "line %llu", (unsigned long long)in->line);
}

/* Whether the last line, which TAIL is, is right about the rest. */
static int
check_tail(struct manifest_in *in, const struct manifest_tail *tail,
    const struct digest *d, struct err *e)
{
	char want[65], got[65];
	const char *line;
	size_t len;
	uint64_t items = in->line - 2;
	int rc = next_line(in, &line, &len, e);

	if (rc == -1)
		return -1;
	if (rc == 1)
		return err_set(e, ERR_MISMATCH,
		    "was changed after it was written: line %llu follows the "
		    "last one",
		    (unsigned long long)in->line);
	text_hex(tail->sha256, sizeof(tail->sha256), want);
	text_hex(d->sha256, sizeof(d->sha256), got);
	if (strcmp(want, got) != 0 || tail->items != items)
		return err_set(e, ERR_MISMATCH,
		    "was changed after it was written: the SHA-256 of its "
		    "lines is %s, the last one says %s",
		    got, want);
	return 0;
}

/* Reads all of it once. */
static int
check(struct manifest_in *in, struct err *e)
{
	AUTO(digester) struct digester *hash = digester_new(e);
	struct digest d;
	const char *line;
	size_t len;
	int rc;

	if (hash == NULL)
		return -1;
	digester_start(hash, DIGEST_SHA256);
	while ((rc = next_line(in, &line, &len, e)) == 1) {
		if (in->line == 1) {
			if (parse(in, &in->first, line, len, e) == -1)
				return -1;
			if (in->first.kind != MANIFEST_HEAD)
				return err_set(
				    e, ERR_MISMATCH, "is no manifest of dray");
		}
		if (len >= strlen(END_LINE) &&
		    memcmp(line, END_LINE, strlen(END_LINE)) == 0)
			break;
		digester_update(hash, line, len);
		digester_update(hash, "\n", 1);
	}
	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_MISMATCH,
		    in->line == 0 ? "is empty"
				  : "is cut off: its last line is missing");
	if (parse(in, &in->entry, line, len, e) == -1)
		return -1;
	digester_finish(hash, &d);
	return check_tail(in, &in->entry.tail, &d, e);
}

struct manifest_in *
manifest_in_open(const char *where, const struct options *o,
    const atomic_bool *stop, struct err *e)
{
	AUTO(manifest_in) struct manifest_in *in = calloc(1, sizeof(*in));

	if (in != NULL) {
		in->fd = -1;
		in->where = strdup(where);
		in->data = malloc(MANIFEST_LINE_MAX + 1);
	}
	if (in == NULL || in->where == NULL || in->data == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	in->fd = scratch_open(e);
	if (in->fd == -1 || place_read(where, in->fd, o, stop, e) == -1 ||
	    rewind_lines(in, e) == -1 || check(in, e) == -1 ||
	    rewind_lines(in, e) == -1) {
		err_context(e, "manifest %s", where);
		return NULL;
	}
	return TAKE(in);
}

const struct manifest_head *
manifest_in_head(const struct manifest_in *in)
{
	return &in->first.head;
}

int
manifest_in_next(
    struct manifest_in *in, const struct manifest_item **item, struct err *e)
{
	const char *line;
	size_t len;
	int rc;

	do {
		rc = next_line(in, &line, &len, e);
		if (rc == 1 && parse(in, &in->entry, line, len, e) == -1)
			rc = -1;
	} while (rc == 1 && in->line == 1);
	if (rc == -1)
		return err_context(e, "manifest %s", in->where);
	if (rc == 0 || in->entry.kind == MANIFEST_TAIL)
		return 0;
	if (in->entry.kind == MANIFEST_HEAD)
		return err_set(e, ERR_MISMATCH,
		    "manifest %s: line %llu is a second header", in->where,
		    (unsigned long long)in->line);
	*item = &in->entry.item;
	return 1;
}
