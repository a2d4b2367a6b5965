/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/scannode.h"

struct scannode *
scannode_new(struct scannode *parent, const struct scan_entry *entry)
{
	size_t len = entry != NULL ? entry->name_len : 0;
	struct scannode *n = malloc(sizeof(*n) + len);

	if (n == NULL)
		return NULL;
	*n = (struct scannode){.parent = parent, .len = len};
	atomic_init(&n->refs, 1);
	if (parent == NULL)
		return n;
	n->dev = entry->st.dev;
	n->ino = entry->st.ino;
	n->path_len = parent->path_len + (parent->path_len > 0) + len;
	memcpy(n->name, entry->name, len);
	atomic_fetch_add_explicit(&parent->refs, 1, memory_order_relaxed);
	return n;
}

void
scannode_release(struct scannode *n)
{
	while (n != NULL &&
	    atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) == 1) {
		struct scannode *parent = n->parent;

		free(n);
		n = parent;
	}
}

void
scannode_path(const struct scannode *n, char *out)
{
	char *at = out + n->path_len;

	*at = '\0';
	for (; n->parent != NULL; n = n->parent) {
		at -= n->len;
		memcpy(at, n->name, n->len);
		if (at > out)
			*--at = '/';
	}
}

bool
scannode_is_loop(const struct scannode *n, const struct item_stat *st)
{
	for (; n != NULL; n = n->parent)
		if (n->ino == st->ino && n->dev == st->dev)
			return true;
	return false;
}
