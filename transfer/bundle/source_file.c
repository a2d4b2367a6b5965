/* SPDX-License-Identifier: ISC */
/* Files of a bundle, read. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/bundle/source.h"

struct source_file {
	struct store_file base;
	struct pack_entry entry;	/* whose bytes these are */
	uint64_t at;			/* of the file, where piece begins */
	const struct pack_piece *piece; /* that was read last */
};

/* F's bytes are another name's. */
static int
follow(struct bundle_source *s, struct source_file *f, struct err *e)
{
	const struct pack_record *r = &f->entry.record;
	AUTO(free) char *name = strndup(r->same_as, r->same_as_len);
	uint64_t size = r->st.size;
	struct pack_entry leader;
	int rc;

	if (name == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = source_find(s, name, &leader, e);
	if (rc == -1)
		return -1;
	if (rc == 0 || leader.record.st.type != ITEM_FILE ||
	    leader.record.same_as != NULL || leader.record.st.size != size) {
		pack_entry_clear(&leader);
		return err_set(e, ERR_MISMATCH,
		    "is another name of a file that isn't there");
	}
	pack_entry_clear(&f->entry);
	f->entry = leader;
	return 0;
}

static int
fill(struct bundle_source *s, struct source_file *f, struct err *e)
{
	const struct pack_record *r = &f->entry.record;
	struct store_stat st;

	if (r->st.type != ITEM_FILE)
		return err_set(e, ERR_CHANGED, "is no file");
	if (r->refused != NULL)
		return err_set(e, ERR_UNSUPPORTED, "%s", r->refused);
	st = source_stat(r);
	f->base.state = item_of_listed(&st);
	f->base.meta = f->base.state;
	f->base.meta.sparse = r->st.sparse;
	f->base.meta.has_atime = s->keep_atimes && r->st.has_atime;
	f->base.meta.atime_ns = r->st.atime_ns;
	f->base.digest = st.digest;
	f->base.attrs = source_take_attrs(s, &f->entry);
	f->base.meta.attrs = f->base.attrs;
	if (r->same_as != NULL && follow(s, f, e) == -1)
		return -1;
	if (f->entry.record.pieces_n == 0 && f->base.state.size > 0)
		return err_set(
		    e, ERR_PROTOCOL, "the index doesn't tell where it lies");
	f->piece = f->entry.record.pieces;
	return 0;
}

void
source_close_file(struct store_file *base)
{
	struct source_file *f = (struct source_file *)(void *)base;

	attrs_free(f->base.attrs);
	pack_entry_clear(&f->entry);
	free(f);
}

struct store_file *
source_open_file(
    struct session *c, const char *key, uint64_t size, struct err *e)
{
	struct bundle_source *s = source_of(c->store);
	struct source_file *f = calloc(1, sizeof(*f));
	int rc;

	(void)size;
	if (f == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->base.session = c;
	rc = source_find(s, key, &f->entry, e);
	if (rc == 0)
		err_set(e, ERR_VANISHED, "the bundle has no such item");
	if (rc == 1 && fill(s, f, e) == 0)
		return &f->base;
	source_close_file(&f->base);
	return NULL;
}

/* The piece that has byte OFFSET of the file, which f->at is the beginning
 * of; NULL. */
static const struct pack_piece *
piece_at(struct source_file *f, uint64_t offset)
{
	const struct pack_record *r = &f->entry.record;
	const struct pack_piece *end = r->pieces + r->pieces_n;

	if (offset < f->at) {
		f->piece = r->pieces;
		f->at = 0;
	}
	while (f->piece < end && offset - f->at >= f->piece->length) {
		f->at += f->piece->length;
		f->piece++;
	}
	return f->piece < end ? f->piece : NULL;
}

int
source_read_file(struct store_file *base, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct source_file *f = (struct source_file *)(void *)base;
	struct bundle_source *s = source_of(base->session->store);
	char *to = data;

	if (s->limit != NULL && len > 0)
		limit_pay(s->limit, len);
	while (len > 0) {
		const struct pack_piece *p = piece_at(f, offset);
		uint64_t in = offset - f->at;
		size_t n = len;

		if (p == NULL)
			return err_set(e, ERR_CHANGED, "ends before it");
		if (n > p->length - in)
			n = (size_t)(p->length - in);
		if (source_read(s, &source_session_of(base->session)->cache,
			p->volume, p->offset + in, to, n, e) == -1)
			return -1;
		to += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* What is read stays as it is. */
int
source_check_file(struct store_file *f, struct err *e)
{
	(void)f;
	(void)e;
	return 0;
}

int
source_read_key(struct session *c, const char *key, uint64_t offset, void *data,
    size_t len, struct err *e)
{
	struct store_file *f = source_open_file(c, key, len, e);
	int rc;

	if (f == NULL)
		return -1;
	rc = source_read_file(f, offset, data, len, e);
	if (rc == -1 && e->kind == ERR_CHANGED)
		e->kind = ERR_MISMATCH;
	source_close_file(f);
	return rc;
}
