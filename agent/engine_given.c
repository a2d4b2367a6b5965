/* SPDX-License-Identifier: ISC */
/* --metadata-from: what a manifest knows of the source's items. */
#include "config.h"

#include <string.h>

#include "agent/engine_in.h"
#include "agent/manifest_file.h"
#include "base/log.h"

/* What is asked for of M's attributes; the caller's, or NULL. */
static int
take_attrs(const struct engine *en, const struct attrs *from,
    struct attrs **out, struct err *e)
{
	*out = NULL;
	if (en->attrs == 0 || from == NULL)
		return 0;
	*out = attrs_copy(from, e);
	if (*out == NULL)
		return -1;
	attrs_keep(*out, en->attrs);
	return 0;
}

static int
load_item(struct engine *en, const struct manifest_item *m, struct err *e)
{
	AUTO(attrs) struct attrs *attrs = NULL;
	struct ledger_given g = {.st = m->st, .link.nlink = 1};

	if (atomic_load(en->setup->stop_soon))
		return err_set(e, ERR_STOPPED, "stopped");
	if (take_attrs(en, m->st.attrs, &attrs, e) == -1)
		return -1;
	g.attrs = attrs;
	if (!en->options->store.keep_atimes)
		g.st.has_atime = false;
	if (en->options->hard_links && m->link[0] != '\0')
		g.link = manifest_link(m);
	return ledger_given_put(en->ledger, m->path, m->path_len, &g, e);
}

static int
load_root(struct engine *en, const struct item_stat *root, struct err *e)
{
	struct manifest_item m = {.path = "", .st = *root};

	return root->type == ITEM_DIR ? load_item(en, &m, e) : 0;
}

int
engine_given_load(struct engine *en, struct err *e)
{
	struct manifest_in *in = en->setup->manifest;
	const struct manifest_item *m;
	int rc;

	if (in == NULL)
		return 0;
	if (ledger_given_begin(en->ledger, e) == -1 ||
	    load_root(en, &manifest_in_head(in)->root, e) == -1)
		return -1;
	while ((rc = manifest_in_next(in, &m, e)) == 1)
		if (load_item(en, m, e) == -1)
			return -1;
	return rc == 0 ? ledger_given_end(en->ledger, e) : -1;
}

int
engine_given(struct engine *en, const char *path, size_t len,
    const struct item_stat *st, struct given *out)
{
	struct err e = ERR_INIT;
	int rc;

	memset(out, 0, sizeof(*out));
	if (en->setup->manifest == NULL)
		return 0;
	rc = ledger_given_get(
	    en->ledger, path, len, st->type == ITEM_DIR, &out->is, &e);
	if (rc == -1)
		return engine_ledger_failed(en, &e);
	out->was = *st;
	if (rc == 1 && given_fits(&out->is, en->source->ops, st))
		return 1;
	attrs_free(out->is.attrs);
	memset(out, 0, sizeof(*out));
	en->not_given++;
	return 0;
}

int
engine_given_dir(struct engine *en, struct job *j)
{
	struct err e = ERR_INIT;
	struct given g = {.was = j->st};
	struct item_stat st = j->st;
	int rc = 0;

	if (en->setup->manifest == NULL)
		return 0;
	rc =
	    ledger_given_get(en->ledger, j->path, j->path_len, true, &g.is, &e);
	if (rc == 1)
		given_to(&g.is, &st);
	if (rc == 1 && item_same_metadata(&st, &j->st)) {
		j->given = given_copy(&g, &e);
		rc = j->given != NULL ? 1 : -1;
	}
	attrs_free(g.is.attrs);
	return rc == -1 ? engine_ledger_failed(en, &e) : 0;
}

void
engine_given_report(struct engine *en)
{
	if (en->not_given > 0)
		log_warn("%llu items are not as the manifest has them: these "
			 "have what the source tells (--metadata-from)",
		    (unsigned long long)en->not_given);
}

int
engine_keep_attrs(
    struct engine *en, const struct job *j, const struct ledger_file *row)
{
	const struct attrs *a = j->up != NULL ? j->up->attrs : j->carried;
	struct err e = ERR_INIT;

	/* A link has those of another name, which are kept already. */
	if (a == NULL || row->attrs == 0 ||
	    attrs_mark(a, attrs_mark_kinds(row->attrs)) != row->attrs)
		return 0;
	if (ledger_attrs_put(en->ledger, row->attrs, a, &e) == -1)
		return engine_ledger_failed(en, &e);
	return 0;
}
