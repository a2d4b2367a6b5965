/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/watchtree.h"

#define SLOTS_MIN 1024
#define DEPTH_MAX 100000 /* a path that is longer is a circle */
#define NAMES_MAX ((size_t)UINT32_MAX)
#define FREE_NAMES_MAX ((size_t)1 << 16)

enum { USED = 1, DETACHED = 2 };

struct dir {
	int32_t wd;	 /* -1: none */
	uint32_t parent; /* a number, or of one that is free: the next one */
	uint32_t name;	 /* where it begins in the names */
	uint32_t children;
	uint32_t flags;
};

struct watchtree {
	struct dir *dirs;
	uint32_t n, cap;
	uint32_t free;	 /* the first of those that are; NONE */
	uint32_t *slots; /* numbers by wd; a power of two; open addressing */
	size_t slots_n, slots_used;
	size_t watched;
	struct buf names; /* each with a NUL behind */
	size_t unused;	  /* bytes of them */
};

struct watchtree *
watchtree_new(struct err *e)
{
	struct watchtree *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->slots = malloc(SLOTS_MIN * sizeof(*t->slots));
	if (t == NULL || t->slots == NULL) {
		free(t);
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memset(t->slots, 0xff, SLOTS_MIN * sizeof(*t->slots));
	t->slots_n = SLOTS_MIN;
	t->free = WATCHTREE_NONE;
	buf_init(&t->names, NAMES_MAX);
	return t;
}

void
watchtree_free(struct watchtree *t)
{
	if (t == NULL)
		return;
	buf_free(&t->names);
	free(t->slots);
	free(t->dirs);
	free(t);
}

/* Descriptors are given one after the other: they are their own hash. */
static size_t
home(const struct watchtree *t, int wd)
{
	return (size_t)(uint32_t)wd & (t->slots_n - 1);
}

static size_t
slot_of(const struct watchtree *t, int wd)
{
	size_t i = home(t, wd);

	while (t->slots[i] != WATCHTREE_NONE && t->dirs[t->slots[i]].wd != wd)
		i = (i + 1) & (t->slots_n - 1);
	return i;
}

static int
grow_slots(struct watchtree *t, struct err *e)
{
	size_t n = t->slots_n * 2, i, old_n = t->slots_n;
	uint32_t *slots = malloc(n * sizeof(*slots)), *old = t->slots;

	if (slots == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memset(slots, 0xff, n * sizeof(*slots));
	t->slots = slots;
	t->slots_n = n;
	for (i = 0; i < old_n; i++)
		if (old[i] != WATCHTREE_NONE)
			slots[slot_of(t, t->dirs[old[i]].wd)] = old[i];
	free(old);
	return 0;
}

/* What stands behind the freed slot I moves up, where it belongs. */
static void
free_slot(struct watchtree *t, size_t i)
{
	size_t mask = t->slots_n - 1, j = i;

	t->slots_used--;
	for (;;) {
		size_t at;

		j = (j + 1) & mask;
		if (t->slots[j] == WATCHTREE_NONE)
			break;
		at = home(t, t->dirs[t->slots[j]].wd);
		if (((j - at) & mask) < ((j - i) & mask))
			continue;
		t->slots[i] = t->slots[j];
		i = j;
	}
	t->slots[i] = WATCHTREE_NONE;
}

static int
grow_dirs(struct watchtree *t, struct err *e)
{
	uint32_t cap = t->cap > 0 ? t->cap + t->cap / 2 : 256;
	struct dir *dirs;

	if (cap < t->cap || cap >= WATCHTREE_NONE)
		return err_set(e, ERR_NOMEM, "too many directories");
	dirs = realloc(t->dirs, cap * sizeof(*dirs));
	if (dirs == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	t->dirs = dirs;
	t->cap = cap;
	return 0;
}

static const char *
name_of(const struct watchtree *t, uint32_t id)
{
	return t->names.data + t->dirs[id].name;
}

/* Names that nobody has any more go. */
static int
pack_names(struct watchtree *t, struct err *e)
{
	struct buf kept = BUF_INIT(NAMES_MAX);
	uint32_t id;

	buf_expect(&kept, t->names.len - t->unused);
	for (id = 0; id < t->n && !buf_failed(&kept); id++)
		if ((t->dirs[id].flags & USED) != 0)
			buf_add(
			    &kept, name_of(t, id), strlen(name_of(t, id)) + 1);
	if (buf_failed(&kept)) {
		buf_free(&kept);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	kept.len = 0;
	for (id = 0; id < t->n; id++) {
		if ((t->dirs[id].flags & USED) == 0)
			continue;
		t->dirs[id].name = (uint32_t)kept.len;
		kept.len += strlen(kept.data + kept.len) + 1;
	}
	buf_free(&t->names);
	t->names = kept;
	t->unused = 0;
	return 0;
}

static void
give_up_name(struct watchtree *t, uint32_t id)
{
	t->unused += strlen(name_of(t, id)) + 1;
}

static int
keep_name(struct watchtree *t, uint32_t id, const char *name, struct err *e)
{
	size_t at = t->names.len;

	buf_add(&t->names, name, strlen(name) + 1);
	if (buf_failed(&t->names))
		return err_set(e, ERR_NOMEM, "out of memory");
	t->dirs[id].name = (uint32_t)at;
	return 0;
}

/* Frees ID, and those above that were only there for it. */
static void
release(struct watchtree *t, uint32_t id)
{
	while (id != WATCHTREE_NONE && t->dirs[id].wd == -1 &&
	    t->dirs[id].children == 0) {
		struct dir *d = &t->dirs[id];
		uint32_t parent = d->parent;

		give_up_name(t, id);
		*d = (struct dir){.wd = -1, .parent = t->free};
		t->free = id;
		if (parent != WATCHTREE_NONE)
			t->dirs[parent].children--;
		id = parent;
	}
}

/* Whether ID is ABOVE, or below it. */
static bool
is_below(const struct watchtree *t, uint32_t id, uint32_t above)
{
	unsigned depth = 0;

	while (id != WATCHTREE_NONE && id != above && depth++ < DEPTH_MAX)
		id = t->dirs[id].parent;
	return id == above;
}

static int
move(struct watchtree *t, uint32_t id, uint32_t parent, const char *name,
    struct err *e)
{
	struct dir *d = &t->dirs[id];
	uint32_t was = d->parent;

	if (id == WATCHTREE_ROOT)
		return 0;
	d->flags &= ~(uint32_t)DETACHED;
	if (was == parent && strcmp(name_of(t, id), name) == 0)
		return 0;
	/* What was heard so far doesn't fit what is there now. */
	if (is_below(t, parent, id)) {
		d->flags |= DETACHED;
		return 0;
	}
	give_up_name(t, id);
	if (keep_name(t, id, name, e) == -1)
		return -1;
	d->parent = parent;
	t->dirs[parent].children++;
	t->dirs[was].children--;
	release(t, was);
	return 0;
}

static uint32_t
new_dir(struct watchtree *t, struct err *e)
{
	uint32_t id = t->free;

	if (id != WATCHTREE_NONE) {
		t->free = t->dirs[id].parent;
		return id;
	}
	if (t->n == t->cap && grow_dirs(t, e) == -1)
		return WATCHTREE_NONE;
	return t->n++;
}

int
watchtree_put(struct watchtree *t, int wd, uint32_t parent, const char *name,
    uint32_t *id, struct err *e)
{
	*id = wd != -1 ? watchtree_find(t, wd) : WATCHTREE_NONE;
	if (t->unused > FREE_NAMES_MAX && t->unused > t->names.len / 2 &&
	    pack_names(t, e) == -1)
		return -1;
	if (*id != WATCHTREE_NONE)
		return move(t, *id, parent, name, e);
	if ((t->slots_used + 1) * 4 > t->slots_n * 3 && grow_slots(t, e) == -1)
		return -1;
	*id = new_dir(t, e);
	if (*id == WATCHTREE_NONE)
		return -1;
	t->dirs[*id] = (struct dir){.wd = wd, .parent = parent, .flags = USED};
	if (keep_name(t, *id, name, e) == -1)
		return -1;
	if (parent != WATCHTREE_NONE)
		t->dirs[parent].children++;
	if (wd != -1) {
		t->slots[slot_of(t, wd)] = *id;
		t->slots_used++;
		t->watched++;
	}
	return 0;
}

uint32_t
watchtree_find(const struct watchtree *t, int wd)
{
	return wd >= 0 ? t->slots[slot_of(t, wd)] : WATCHTREE_NONE;
}

uint32_t
watchtree_parent(const struct watchtree *t, uint32_t id)
{
	return t->dirs[id].parent;
}

void
watchtree_detach(struct watchtree *t, uint32_t id)
{
	t->dirs[id].flags |= DETACHED;
}

void
watchtree_remove(struct watchtree *t, uint32_t id)
{
	struct dir *d = &t->dirs[id];

	if (d->wd != -1) {
		free_slot(t, slot_of(t, d->wd));
		t->watched--;
		d->wd = -1;
	}
	d->flags |= DETACHED;
	release(t, id);
}

static bool
is_lost(const struct watchtree *t, uint32_t id)
{
	unsigned depth;

	for (depth = 0; id != WATCHTREE_ROOT; depth++) {
		if (id == WATCHTREE_NONE || depth > DEPTH_MAX ||
		    (t->dirs[id].flags & DETACHED) != 0)
			return true;
		id = t->dirs[id].parent;
	}
	return (t->dirs[id].flags & DETACHED) != 0;
}

bool
watchtree_path(const struct watchtree *t, uint32_t id, struct buf *out)
{
	size_t len = 0, at;
	uint32_t i;

	if (is_lost(t, id))
		return false;
	for (i = id; i != WATCHTREE_ROOT; i = t->dirs[i].parent)
		len += strlen(name_of(t, i)) + 1;
	if (len == 0)
		return true;
	/* A slash more than needed: in front of all. */
	buf_expect(out, len);
	for (at = 0; at < len; at++)
		buf_addc(out, '/');
	if (buf_failed(out))
		return false;
	at = out->len;
	for (i = id; i != WATCHTREE_ROOT; i = t->dirs[i].parent) {
		size_t n = strlen(name_of(t, i));

		at -= n;
		memcpy(out->data + at, name_of(t, i), n);
		at--;
	}
	memmove(out->data + at, out->data + at + 1, out->len - at - 1);
	out->len--;
	out->data[out->len] = '\0';
	return true;
}

int
watchtree_lost(const struct watchtree *t, uint32_t *id)
{
	for (; *id < t->n; ++*id)
		if (t->dirs[*id].wd != -1 && is_lost(t, *id))
			return t->dirs[(*id)++].wd;
	return -1;
}

size_t
watchtree_count(const struct watchtree *t)
{
	return t->watched;
}
