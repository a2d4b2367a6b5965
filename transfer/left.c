/* SPDX-License-Identifier: ISC */
/*
 * What calls that broke off may have left at a store.  The list only grows, so
 * it needs no lock; entries that were swept are passed over.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "transfer/store.h"

/* More than this is found by the listing of a later run. */
#define LEFT_MAX ((size_t)1 << 16)

struct store_left {
	struct store_left *next;
	atomic_bool swept;
	size_t key_len; /* the key, a NUL, the temporary name's key */
	char text[];
};

static const char *
leftover_of(const struct store_left *l)
{
	return l->text + l->key_len + 1;
}

void
store_leave(struct store *s, const char *key, const char *temp)
{
	const char *slash = strrchr(key, '/');
	size_t dir = slash != NULL ? (size_t)(slash + 1 - key) : 0;
	size_t key_len = strlen(key);
	struct store_left *l;

	/* It counts also where it can't be remembered. */
	if (atomic_fetch_add(&s->left_open, 1) >= LEFT_MAX ||
	    (l = calloc(1, sizeof(*l) + key_len + dir + strlen(temp) + 2)) ==
		NULL)
		return;
	l->key_len = key_len;
	memcpy(l->text, key, key_len);
	memcpy(l->text + key_len + 1, key, dir);
	memcpy(l->text + key_len + 1 + dir, temp, strlen(temp));
	l->next = atomic_load(&s->left);
	while (!atomic_compare_exchange_weak(&s->left, &l->next, l))
		continue;
}

int
store_sweep_left(struct session *c, const char *key, struct err *e)
{
	struct store *s = c->store;
	struct store_left *l;

	if (atomic_load_explicit(&s->left_open, memory_order_relaxed) == 0)
		return 0;
	for (l = atomic_load(&s->left); l != NULL; l = l->next) {
		if (atomic_load(&l->swept) ||
		    (key != NULL && strcmp(l->text, key) != 0))
			continue;
		if (s->ops->sweep(c, leftover_of(l), e) == -1)
			return err_context(
			    e, "removing what a broken attempt left");
		atomic_store(&l->swept, true);
		atomic_fetch_sub(&s->left_open, 1);
	}
	return 0;
}

bool
store_has_left(const struct store *s)
{
	return atomic_load(&s->left_open) > 0;
}

void
store_forget_left(struct store *s)
{
	struct store_left *l = atomic_exchange(&s->left, NULL), *next;

	for (; l != NULL; l = next) {
		next = l->next;
		free(l);
	}
}
